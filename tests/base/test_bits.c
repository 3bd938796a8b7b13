/* The bitmap: wire order, spare bits, and random work against a plain array. */
#include "base/bits.h"

#include "base/err.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void bits_test_order(void **state)
{
    (void)state;
    struct bits b;
    assert_int_equal(bits_init(&b, 12), 0);
    assert_true(bits_set(&b, 0));
    assert_false(bits_set(&b, 0));
    assert_true(bits_set(&b, 9));
    assert_false(bits_set(&b, 12));
    assert_false(bits_set(&b, UINT32_MAX));
    assert_int_equal(b.count, 2);
    static const uint8_t want[] = {0x80, 0x40};
    struct slice s = bits_slice(&b);
    assert_int_equal(s.len, 2);
    assert_memory_equal(s.p, want, 2);
    assert_true(bits_get(&b, 0) && bits_get(&b, 9));
    assert_false(bits_get(&b, 1) || bits_get(&b, 12) ||
                 bits_get(&b, UINT32_MAX));
    assert_true(bits_clear(&b, 0));
    assert_false(bits_clear(&b, 0));
    assert_false(bits_clear(&b, 12));
    assert_int_equal(b.count, 1);
    bits_fini(&b);
}

static void bits_test_limits(void **state)
{
    (void)state;
    struct bits b;
    assert_int_equal(bits_init(&b, BITS_MAX + 1), BTC_E_LIMIT);
    bits_fini(&b);
    assert_int_equal(bits_init(&b, 0), 0);
    assert_true(bits_is_full(&b));
    assert_false(bits_get(&b, 0));
    bits_fill(&b);
    bits_zero(&b);
    assert_int_equal(bits_next_set(&b, 0), 0);
    assert_int_equal(bits_next_clear(&b, 0), 0);
    assert_int_equal(bits_load(&b, slice_of(NULL, 0)), 0);
    bits_fini(&b);
    static const struct {
        uint32_t n;
        size_t bytes;
    } cases[] = {{0, 0}, {1, 1}, {8, 1}, {9, 2}, {UINT32_MAX, 1u << 29}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(bits_bytes(cases[i].n), cases[i].bytes);
    }
}

static void bits_test_load(void **state)
{
    (void)state;
    static const struct {
        uint8_t in[3];
        size_t len;
        int rc;
        uint32_t count;
    } cases[] = {
        {{0xff, 0xf0}, 2, 0, 12},
        {{0x01, 0x10}, 2, 0, 2},
        {{0x00, 0x00}, 2, 0, 0},
        {{0xff, 0xf8}, 2, BTC_E_PROTO, 1},
        {{0xff, 0x01}, 2, BTC_E_PROTO, 1},
        {{0xff}, 1, BTC_E_PROTO, 1},
        {{0xff, 0xf0, 0}, 3, BTC_E_PROTO, 1},
        {{0}, 0, BTC_E_PROTO, 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bits b;
        assert_int_equal(bits_init(&b, 12), 0);
        bits_set(&b, 5);
        assert_int_equal(bits_load(&b, slice_of(cases[i].in, cases[i].len)),
                         cases[i].rc);
        assert_int_equal(b.count, cases[i].count);
        assert_int_equal(bits_get(&b, 5),
                         cases[i].rc != 0 || cases[i].count == 12);
        bits_fini(&b);
    }
}

static void bits_test_fill(void **state)
{
    (void)state;
    for (uint32_t n = 1; n < 200; n++) {
        struct bits b;
        struct bits c;
        assert_int_equal(bits_init(&b, n), 0);
        assert_int_equal(bits_init(&c, n), 0);
        assert_int_equal(bits_next_set(&b, 0), n);
        bits_fill(&b);
        assert_true(bits_is_full(&b));
        assert_int_equal(bits_next_clear(&b, 0), n);
        assert_int_equal(bits_load(&c, bits_slice(&b)), 0);
        assert_int_equal(c.count, n);
        assert_true(bits_clear(&b, n - 1));
        assert_false(bits_is_full(&b));
        assert_int_equal(bits_next_clear(&b, 0), n - 1);
        bits_copy(&c, &b);
        assert_true(slice_eq(bits_slice(&c), bits_slice(&b)));
        assert_int_equal(c.count, n - 1);
        bits_zero(&b);
        assert_int_equal(b.count, 0);
        assert_int_equal(bits_next_set(&b, 0), n);
        bits_fini(&b);
        bits_fini(&c);
    }
}

/* First index at or after `from` with the given value. */
static uint32_t bits_model_next(const bool *m, uint32_t n, uint32_t from,
                                bool value)
{
    while (from < n && m[from] != value) {
        from++;
    }
    return from < n ? from : n;
}

static void bits_check_model(const struct bits *b, const bool *m, uint32_t n)
{
    uint32_t count = 0;
    uint32_t seen = 0;
    for (uint32_t i = 0; i < n; i++) {
        count += m[i];
        assert_int_equal(bits_get(b, i), m[i]);
        assert_int_equal(bits_next_set(b, i), bits_model_next(m, n, i, true));
        assert_int_equal(bits_next_clear(b, i),
                         bits_model_next(m, n, i, false));
    }
    assert_int_equal(b->count, count);
    assert_int_equal(bits_next_set(b, n), n);
    assert_int_equal(bits_next_clear(b, UINT32_MAX), n);
    BITS_EACH (i, b) {
        assert_true(m[i]);
        seen++;
    }
    assert_int_equal(seen, count);
}

static void bits_test_model(void **state)
{
    (void)state;
    enum {
        N_MAX = 260,
        ROUNDS = 60
    };
    uint64_t seed = rng_seed_system();
    struct rng r;
    print_message("seed %llu\n", (unsigned long long)seed);
    rng_init(&r, seed);
    for (int round = 0; round < ROUNDS; round++) {
        bool m[N_MAX] = {false};
        uint32_t n = 1 + rng_below(&r, N_MAX);
        uint32_t density = rng_below(&r, 5);
        struct bits b;
        assert_int_equal(bits_init(&b, n), 0);
        for (uint32_t step = 0; step < n * density; step++) {
            uint32_t i = rng_below(&r, n);
            bool on = rng_below(&r, 4) != 0;
            bool changed = on ? bits_set(&b, i) : bits_clear(&b, i);
            assert_int_equal(changed, m[i] != on);
            m[i] = on;
        }
        bits_check_model(&b, m, n);
        bits_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_test_order), cmocka_unit_test(bits_test_limits),
        cmocka_unit_test(bits_test_load),  cmocka_unit_test(bits_test_fill),
        cmocka_unit_test(bits_test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
