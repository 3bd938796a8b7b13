/* Announced peers and tokens: every limit, one after the other. */
#include "core/dht/dht_kit.h"
#include "core/dht/store.h"
#include "core/dht/token.h"

#define TEST_NOW 10000000u

static const uint8_t test_own[DHT_ID_LEN]; /* all zero */

static bool test_put(struct dht_store *s, uint32_t hash, uint32_t host,
                     uint16_t port)
{
    uint8_t info_hash[DHT_ID_LEN] = {0};
    struct addr a = kit_addr_at(host);

    bytes_put_be32(info_hash, hash);
    a.port = port;
    return dht_store_put(s, test_own, info_hash, &a, TEST_NOW);
}

static size_t test_get(const struct dht_store *s, uint32_t hash)
{
    uint8_t info_hash[DHT_ID_LEN] = {0};
    struct addr out[DHT_STORE_HASH_PEERS + 1];
    struct rng rng;

    rng_init(&rng, 1);
    bytes_put_be32(info_hash, hash);
    return dht_store_get(s, info_hash, ADDR_V4, &rng, out,
                         sizeof out / sizeof out[0]);
}

static void test_put_get(void **state)
{
    struct dht_store *s = dht_store_new();
    struct addr v6 = kit_addr("[2001:db8::1]:5");
    uint8_t info_hash[DHT_ID_LEN] = {0};
    struct addr out[4];
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    bytes_put_be32(info_hash, 7);
    assert_true(test_put(s, 7, 1, 1000));
    assert_true(test_put(s, 7, 1, 1000));
    assert_true(test_put(s, 7, 2, 1000));
    assert_true(dht_store_put(s, test_own, info_hash, &v6, TEST_NOW));
    assert_int_equal(dht_store_count(s), 3);
    assert_int_equal(test_get(s, 7), 2);
    assert_int_equal(test_get(s, 8), 0);
    assert_int_equal(dht_store_get(s, info_hash, ADDR_V6, &rng, out, 4), 1);
    assert_true(addr_eq(&out[0], &v6));
    assert_int_equal(dht_store_get(s, info_hash, ADDR_V4, &rng, out, 1), 1);
    dht_store_free(s);
}

/* One address has a few ports below a hash, and so many peers in all. */
static void test_place_limits(void **state)
{
    struct dht_store *s = dht_store_new();
    uint32_t n = 0;

    (void)state;
    for (uint16_t port = 1; port < 100; port++) {
        assert_true(test_put(s, 7, 1, port));
    }
    assert_int_equal(test_get(s, 7), DHT_STORE_PLACE_PORTS);
    for (uint32_t hash = 100; hash < 1000; hash++) {
        n += test_put(s, hash, 1, 1);
    }
    assert_int_equal(n, DHT_STORE_PLACE_PEERS - DHT_STORE_PLACE_PORTS);
    assert_int_equal(dht_store_count(s), DHT_STORE_PLACE_PEERS);
    assert_int_equal(dht_store_count_hashes(s), n + 1);
    dht_store_free(s);
}

static void test_hash_limit(void **state)
{
    struct dht_store *s = dht_store_new();

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        assert_true(test_put(s, 7, i, 1) == (i < DHT_STORE_HASH_PEERS));
    }
    assert_int_equal(test_get(s, 7), DHT_STORE_HASH_PEERS);
    dht_store_free(s);
}

/* When there are too many hashes, the farthest from us goes or stays out. */
static void test_farthest_goes(void **state)
{
    struct dht_store *s = dht_store_new();

    (void)state;
    for (uint32_t i = 0; i < DHT_STORE_HASHES; i++) {
        assert_true(test_put(s, 1000 + i, i, 1));
    }
    assert_false(test_put(s, 1000 + DHT_STORE_HASHES, 9999, 1));
    assert_true(test_put(s, 1, 9999, 1));
    assert_int_equal(dht_store_count_hashes(s), DHT_STORE_HASHES);
    assert_int_equal(test_get(s, 1000 + DHT_STORE_HASHES - 1), 0);
    assert_int_equal(test_get(s, 1), 1);
    dht_store_free(s);
}

static void test_total_limit(void **state)
{
    struct dht_store *s = dht_store_new();

    (void)state;
    for (uint32_t i = 0; i < 2 * DHT_STORE_PEERS; i++) {
        test_put(s, i % 150, i / 100, (uint16_t)(1 + i % 3));
    }
    assert_true(dht_store_count(s) <= DHT_STORE_PEERS);
    dht_store_free(s);
}

static void test_expire(void **state)
{
    struct dht_store *s = dht_store_new();
    uint8_t info_hash[DHT_ID_LEN] = {0};
    struct addr a = kit_addr_at(2);

    (void)state;
    bytes_put_be32(info_hash, 7);
    assert_true(test_put(s, 7, 1, 1));
    assert_true(dht_store_put(s, test_own, info_hash, &a, TEST_NOW + 1));
    dht_store_expire(s, TEST_NOW + DHT_STORE_EXPIRY_MS - 1);
    assert_int_equal(test_get(s, 7), 2);
    dht_store_expire(s, TEST_NOW + DHT_STORE_EXPIRY_MS);
    assert_int_equal(test_get(s, 7), 1);
    dht_store_expire(s, TEST_NOW + DHT_STORE_EXPIRY_MS + 1);
    assert_int_equal(dht_store_count(s), 0);
    assert_int_equal(dht_store_count_hashes(s), 0);
    dht_store_free(s);
}

/* A token is good for its address and its time, and for one secret. */
static void test_tokens(void **state)
{
    struct dht_tokens k = {.secret = {1}};
    struct dht_tokens other = {.secret = {2}};
    struct addr a = kit_addr("8.8.8.8:1");
    struct addr port = kit_addr("8.8.8.8:2");
    struct addr b = kit_addr("8.8.8.9:1");
    uint8_t token[DHT_TOKEN_LEN];
    struct slice t = slice_of(token, sizeof token);
    uint64_t at = (uint64_t)10 * DHT_TOKEN_ROTATE_MS;
    uint64_t end = at + DHT_TOKEN_ROTATE_MS + DHT_TOKEN_ROTATE_MS;

    (void)state;
    dht_tokens_make(&k, &a, at, token);
    assert_true(dht_tokens_check(&k, &a, at, t));
    assert_true(dht_tokens_check(&k, &port, at, t));
    assert_true(dht_tokens_check(&k, &a, end - 1, t));
    assert_false(dht_tokens_check(&k, &a, end, t));
    assert_false(dht_tokens_check(&k, &b, at, t));
    assert_false(dht_tokens_check(&other, &a, at, t));
    assert_false(dht_tokens_check(&k, &a, at, slice_of(token, 7)));
    assert_false(dht_tokens_check(&k, &a, at, slice_of(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_get),
        cmocka_unit_test(test_place_limits),
        cmocka_unit_test(test_hash_limit),
        cmocka_unit_test(test_farthest_goes),
        cmocka_unit_test(test_total_limit),
        cmocka_unit_test(test_expire),
        cmocka_unit_test(test_tokens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
