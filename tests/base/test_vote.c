/* Votes on our address: many places must agree, one place cannot. */
#include "base/vote.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct addr kit_addr(const char *text)
{
    struct addr a;

    assert_true(addr_parse(slice_str(text), &a));
    return a;
}

/* The i-th voter. */
static struct addr kit_addr_at(uint32_t i)
{
    struct addr a = {.family = ADDR_V4, .port = 6881};

    bytes_put_be32(a.ip, 0x0a000000u + i + 1);
    return a;
}

static bool test_vote(struct vote *v, uint32_t voter, const char *ip)
{
    struct addr from = kit_addr_at(voter);
    struct addr a = kit_addr(ip);

    return vote_add(v, &from, &a);
}

static void test_elect(void **state)
{
    struct vote v;
    struct addr want = kit_addr("8.8.8.8:1");

    (void)state;
    vote_init(&v);
    for (uint32_t i = 0; i < VOTE_MIN - 1; i++) {
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
    struct vote v;

    (void)state;
    vote_init(&v);
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
    struct vote v;
    uint32_t n = 0;

    (void)state;
    vote_init(&v);
    for (uint32_t i = 0; i < 100; i++) {
        test_vote(&v, i, "8.8.8.8:1");
    }
    while (!test_vote(&v, 1000 + n, "9.9.9.9:1")) {
        n++;
        assert_true(n <= VOTE_BALLOTS);
    }
    assert_true(n >= VOTE_BALLOTS / 2);
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
