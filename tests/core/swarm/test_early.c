/* Pieces that peers say they have before anybody knows how many there are. */
#include "base/err.h"
#include "base/mem.h"
#include "core/swarm/early.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N 20 /* pieces, unless a test says otherwise: three bytes */

/* What is loaded into a map of `n` pieces. */
static int load(const struct early *e, uint32_t n, struct bits *out)
{
    assert_int_equal(bits_init(out, n), 0);
    return early_load(e, out);
}

/* It gives these pieces, as bytes of a BITFIELD. */
static void expect(struct early *e, const char *want)
{
    struct bits b;
    assert_int_equal(load(e, N, &b), 0);
    assert_memory_equal(b.p, want, 3);
    bits_fini(&b);
    early_fini(e);
}

/* It does not fit so many pieces. */
static void expect_error(const struct early *e, uint32_t n, int rc)
{
    struct bits b;
    assert_int_equal(load(e, n, &b), rc);
    bits_fini(&b);
}

static void test_nothing(void **state)
{
    struct early e = {.told = false};
    (void)state;
    expect(&e, "\0\0\0");
    assert_int_equal(early_none(&e), 0);
    expect(&e, "\0\0\0");
}

static void test_map(void **state)
{
    struct early e = {.told = false};
    (void)state;
    assert_int_equal(early_bitfield(&e, slice_of("\x81\x02\x10", 3)), 0);
    assert_int_equal(early_have(&e, 1), 0);
    assert_int_equal(early_have(&e, 1), 0);
    expect_error(&e, 25, BTC_E_PROTO); /* of four bytes */
    expect_error(&e, 16, BTC_E_PROTO); /* of two */
    expect_error(&e, 19, BTC_E_PROTO); /* a spare bit is set */
    expect(&e, "\xc1\x02\x10");
}

/* aria2 says it again; the second one counts. */
static void test_map_again(void **state)
{
    struct early e = {.told = false};
    (void)state;
    assert_int_equal(early_bitfield(&e, slice_of("\x81\x02\x10", 3)), 0);
    assert_int_equal(early_bitfield(&e, slice_of("\x01\x02\x30", 3)), 0);
    assert_int_equal(early_bitfield(&e, slice_of("\x01\x02", 2)), BTC_E_PROTO);
    expect(&e, "\x01\x02\x30");
}

static void test_haves(void **state)
{
    struct early e = {.told = false};
    (void)state;
    assert_int_equal(early_have(&e, 19), 0);
    assert_int_equal(early_have(&e, 0), 0);
    expect_error(&e, 19, BTC_E_PROTO);
    expect(&e, "\x80\0\x10");
}

/* A map too short for a piece that was named before, and one after it. */
static void test_have_beside_map(void **state)
{
    struct early e = {.told = false};
    (void)state;
    assert_int_equal(early_have(&e, 16), 0);
    assert_int_equal(early_bitfield(&e, slice_of("\0\0", 2)), BTC_E_PROTO);
    assert_int_equal(early_bitfield(&e, slice_of("\0\1\0", 3)), 0);
    assert_int_equal(early_have(&e, 24), BTC_E_PROTO);
    assert_int_equal(early_have(&e, 23), 0);
    expect_error(&e, N, BTC_E_PROTO);
    early_fini(&e);
}

static void test_all(void **state)
{
    struct early e = {.told = false};
    (void)state;
    assert_int_equal(early_have(&e, 3), 0);
    assert_int_equal(early_all(&e), 0);
    assert_int_equal(early_have(&e, 4), 0);
    assert_int_equal(early_none(&e), BTC_E_PROTO);
    expect_error(&e, 4, BTC_E_PROTO); /* it has named the fifth */
    expect(&e, "\xff\xff\xf0");
    assert_int_equal(early_all(&e), 0);
    assert_int_equal(early_bitfield(&e, slice_of("\1\0\0", 3)), 0);
    expect(&e, "\1\0\0");
}

/* None takes HAVEs back, but not what they say of the torrent. */
static void test_none(void **state)
{
    struct early e = {.told = false};
    (void)state;
    assert_int_equal(early_have(&e, 19), 0);
    assert_int_equal(early_none(&e), 0);
    expect_error(&e, 19, BTC_E_PROTO);
    assert_int_equal(early_have(&e, 2), 0);
    expect(&e, "\x20\0\0");
}

/* Memory follows the highest piece, and that has a limit. */
static void test_limits(void **state)
{
    struct early e = {.told = false};
    struct slice map = {.len = EARLY_MAX_BYTES + 1};
    uint8_t *bytes = mem_zalloc(map.len);
    (void)state;
    map.p = bytes;
    assert_int_equal(early_have(&e, 1000), 0);
    assert_true(e.len < 1000);
    assert_int_equal(early_have(&e, EARLY_MAX_PIECES), BTC_E_PROTO);
    assert_int_equal(early_have(&e, UINT32_MAX), BTC_E_PROTO);
    for (uint32_t i = 0; i < EARLY_MAX_PIECES; i++) {
        assert_int_equal(early_have(&e, i), 0);
    }
    assert_true(e.len <= EARLY_MAX_BYTES);
    assert_int_equal(early_bitfield(&e, map), BTC_E_PROTO);
    early_lose(&e);
    assert_int_equal(e.len, 0);
    assert_int_equal(early_have(&e, 1), 0);
    assert_int_equal(early_all(&e), 0);
    assert_int_equal(early_bitfield(&e, slice_of("\1\0\0", 3)), 0);
    expect_error(&e, N, BTC_E_LIMIT);
    early_fini(&e);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_map_again),
        cmocka_unit_test(test_haves),
        cmocka_unit_test(test_have_beside_map),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
