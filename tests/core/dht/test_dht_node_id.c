/* Node ids: the vectors of BEP 42, distance, places and scopes. */
#include "core/dht/dht_kit.h"

struct test_vector {
    const char *addr;
    const char *prefix; /* 21 bits count */
    uint8_t last;
};

/* The table of BEP 42. */
static const struct test_vector test_vectors[] = {
    {"124.31.75.21:1", "5fbfbf", 0x01}, {"21.75.31.124:1", "5a3ce9", 0x56},
    {"65.23.51.170:1", "a5d432", 0x16}, {"84.124.73.14:1", "1b0321", 0x41},
    {"43.213.53.83:1", "e56f6c", 0x5a},
};

static void test_bep42(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof test_vectors / sizeof test_vectors[0]; i++) {
        const struct test_vector *v = &test_vectors[i];
        struct addr a = kit_addr(v->addr);
        uint8_t id[DHT_ID_LEN] = {0};

        assert_true(bytes_from_hex(slice_str(v->prefix), id, 3));
        id[DHT_ID_LEN - 1] = v->last;
        assert_true(dht_id_fits(id, &a));
        id[2] ^= 0x07; /* these bits are free */
        assert_true(dht_id_fits(id, &a));
        id[2] ^= 0x08;
        assert_false(dht_id_fits(id, &a));
    }
}

static void test_generate(void **state)
{
    struct addr v4 = kit_addr("124.31.75.21:1");
    struct addr v6 = kit_addr("[2001:db8:1:2::7]:1");
    struct addr other = kit_addr("[2001:db8:99:2::7]:1");
    struct addr local = kit_addr("192.168.1.1:1");
    uint8_t id[DHT_ID_LEN];
    uint8_t next[DHT_ID_LEN];
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    dht_id_generate(&v4, &rng, id);
    assert_true(dht_id_fits(id, &v4));
    assert_false(dht_id_fits(id, &v6));
    dht_id_generate(&v6, &rng, id);
    assert_true(dht_id_fits(id, &v6));
    assert_false(dht_id_fits(id, &other));
    assert_true(dht_id_fits(id, &local));
    dht_id_generate(&v6, &rng, next);
    assert_memory_not_equal(id, next, DHT_ID_LEN);
}

static void test_distance(void **state)
{
    uint8_t target[DHT_ID_LEN];
    uint8_t a[DHT_ID_LEN];
    uint8_t b[DHT_ID_LEN];
    struct rng rng;

    (void)state;
    kit_id(target, 0x80, 0);
    kit_id(a, 0x81, 0xff);
    kit_id(b, 0x7f, 0);
    assert_true(dht_id_is_nearer(target, a, b));
    assert_false(dht_id_is_nearer(target, b, a));
    assert_false(dht_id_is_nearer(target, a, a));
    assert_int_equal(dht_id_shared_bits(target, a), 7);
    assert_int_equal(dht_id_shared_bits(target, b), 0);
    assert_int_equal(dht_id_shared_bits(a, a), DHT_ID_BITS);
    rng_init(&rng, 1);
    for (uint32_t bits = 0; bits < DHT_ID_BITS; bits++) {
        dht_id_random_at(a, bits, &rng, b);
        assert_int_equal(dht_id_shared_bits(a, b), bits);
    }
}

static void test_places(void **state)
{
    struct addr a = kit_addr("8.8.8.8:1");
    struct addr a2 = kit_addr("8.8.8.8:2");
    struct addr b = kit_addr("8.8.8.9:1");
    struct addr v6 = kit_addr("[2001:db8:1:2::7]:1");
    struct addr same = kit_addr("[2001:db8:1:2:9::9]:1");
    struct addr local = kit_addr("127.0.0.1:1");
    struct addr local2 = kit_addr("127.0.0.1:2");

    (void)state;
    assert_true(dht_place_of(&a) == dht_place_of(&a2));
    assert_true(dht_place_of(&a) != dht_place_of(&b));
    assert_true(dht_place_of(&v6) == dht_place_of(&same));
    assert_true(dht_place_of(&local) != dht_place_of(&local2));
}

static void test_nameable(void **state)
{
    struct addr public = kit_addr("8.8.8.8:1");
    struct addr private = kit_addr("172.31.0.1:1");
    struct addr unique = kit_addr("[fd00::1]:1");
    struct addr link = kit_addr("[fe80::1]:1");
    struct addr loopback = kit_addr("127.9.9.9:1");
    struct addr loopback6 = kit_addr("[::1]:1");

    (void)state;
    assert_true(dht_place_is_nameable(&public, &public, false));
    assert_true(dht_place_is_nameable(&public, &private, false));
    assert_false(dht_place_is_nameable(&private, &public, false));
    assert_false(dht_place_is_nameable(&unique, &public, false));
    assert_false(dht_place_is_nameable(&link, &public, false));
    assert_true(dht_place_is_nameable(&private, &unique, false));
    assert_false(dht_place_is_nameable(&loopback, &private, false));
    assert_false(dht_place_is_nameable(&loopback6, &loopback6, false));
    assert_true(dht_place_is_nameable(&loopback, &public, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bep42),    cmocka_unit_test(test_generate),
        cmocka_unit_test(test_distance), cmocka_unit_test(test_places),
        cmocka_unit_test(test_nameable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
