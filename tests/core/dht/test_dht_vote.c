/* Votes on our address: many places must agree, one place cannot. */
#include "core/dht/dht_kit.h"
#include "core/dht/vote.h"

static bool test_vote(struct dht_vote *v, uint32_t voter, const char *ip)
{
    struct addr from = kit_addr_at(voter);
    struct addr a = kit_addr(ip);

    return dht_vote_add(v, &from, &a);
}

static void test_elect(void **state)
{
    struct dht_vote v;
    struct addr want = kit_addr("8.8.8.8:1");

    (void)state;
    dht_vote_init(&v);
    for (uint32_t i = 0; i < DHT_VOTES_MIN - 1; i++) {
        assert_false(test_vote(&v, i, "8.8.8.8:1"));
    }
    assert_false(test_vote(&v, 0, "8.8.8.8:7"));
    assert_int_equal(v.elected.family, ADDR_NONE);
    assert_true(test_vote(&v, 100, "8.8.8.8:9"));
    assert_true(addr_eq_ip(&v.elected, &want));
    assert_int_equal(v.elected.port, 0);
    assert_false(test_vote(&v, 101, "8.8.8.8:9"));
}

/* One place votes again and again; a minority votes otherwise. */
static void test_liars(void **state)
{
    struct dht_vote v;

    (void)state;
    dht_vote_init(&v);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_false(test_vote(&v, 1, "6.6.6.6:1"));
    }
    for (uint32_t i = 0; i < 1000; i++) {
        bool is_liar = i % 10 == 0;

        test_vote(&v, 10 + i, is_liar ? "6.6.6.6:1" : "8.8.8.8:1");
        assert_int_not_equal(v.elected.ip[0], 6);
    }
    assert_int_equal(v.elected.ip[0], 8);
}

/* Our address changes: half of the last votes change it. */
static void test_change(void **state)
{
    struct dht_vote v;
    uint32_t n = 0;

    (void)state;
    dht_vote_init(&v);
    for (uint32_t i = 0; i < 100; i++) {
        test_vote(&v, i, "8.8.8.8:1");
    }
    while (!test_vote(&v, 1000 + n, "9.9.9.9:1")) {
        n++;
        assert_true(n <= DHT_VOTES);
    }
    assert_true(n >= DHT_VOTES / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elect),
        cmocka_unit_test(test_liars),
        cmocka_unit_test(test_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
