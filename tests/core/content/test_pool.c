/* Block memory: the bound, reservations, reuse. */
#include "core/content/pool.h"

#include "base/rng.h"
#include "model/block.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Sizes in bytes and the blocks that come of them. */
static void test_size(void **state)
{
    static const struct {
        uint64_t bytes;
        uint32_t max;
    } rows[] = {
        {0, POOL_MIN_BLOCKS}, {1, POOL_MIN_BLOCKS},
        {1u << 20, 64},       {(1u << 20) + BLOCK_LEN - 1, 64},
        {64u << 20, 4096},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pool p;
        pool_init(&p, rows[i].bytes);
        assert_int_equal(p.max, rows[i].max);
        assert_int_equal(pool_room(&p), rows[i].max);
        pool_fini(&p);
    }
}

/* A reservation is needed, and there are as many as there are blocks. */
static void test_bound(void **state)
{
    struct pool p;
    uint8_t *block[POOL_MIN_BLOCKS];
    (void)state;
    pool_init(&p, 0);
    for (uint32_t i = 0; i < POOL_MIN_BLOCKS; i++) {
        assert_true(pool_reserve(&p));
    }
    assert_false(pool_reserve(&p));
    for (uint32_t i = 0; i < POOL_MIN_BLOCKS; i++) {
        block[i] = pool_take(&p);
        memset(block[i], (int)i, BLOCK_LEN);
    }
    assert_false(pool_reserve(&p));
    assert_int_equal(p.in_use, POOL_MIN_BLOCKS);
    for (uint32_t i = 0; i < POOL_MIN_BLOCKS; i++) {
        assert_int_equal(block[i][BLOCK_LEN - 1], i);
        pool_give(&p, block[i]);
    }
    assert_int_equal(pool_room(&p), POOL_MIN_BLOCKS);
    pool_give(&p, NULL);
    assert_int_equal(p.in_use, 0);
    pool_fini(&p);
}

/* Last freed, first used again: its pages are warm. */
static void test_reuse(void **state)
{
    struct pool p;
    (void)state;
    pool_init(&p, 0);
    assert_true(pool_reserve(&p) && pool_reserve(&p));
    uint8_t *a = pool_take(&p);
    uint8_t *b = pool_take(&p);
    pool_give(&p, a);
    pool_give(&p, b);
    assert_true(pool_reserve(&p));
    assert_ptr_equal(pool_take(&p), b);
    assert_true(pool_reserve(&p));
    assert_ptr_equal(pool_take(&p), a);
    pool_give(&p, a);
    pool_give(&p, b);
    pool_fini(&p);
}

/* Any order of calls keeps the books straight. */
static void test_books(void **state)
{
    struct pool p;
    struct rng rng;
    uint8_t *held[POOL_MIN_BLOCKS];
    uint32_t n = 0, reserved = 0;
    (void)state;
    rng_init(&rng, 1);
    pool_init(&p, 0);
    for (int i = 0; i < 100000; i++) {
        switch (rng_below(&rng, 4)) {
        case 0:
            assert_int_equal(pool_reserve(&p), n + reserved < p.max);
            reserved = p.reserved;
            break;
        case 1:
            if (reserved > 0) {
                pool_unreserve(&p);
                reserved--;
            }
            break;
        case 2:
            if (reserved > 0) {
                held[n++] = pool_take(&p);
                reserved--;
            }
            break;
        default:
            if (n > 0) {
                pool_give(&p, held[--n]);
            }
            break;
        }
        assert_int_equal(p.in_use, n);
        assert_int_equal(p.reserved, reserved);
        assert_int_equal(pool_room(&p), p.max - n - reserved);
    }
    while (n > 0) {
        pool_give(&p, held[--n]);
    }
    pool_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_books),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
