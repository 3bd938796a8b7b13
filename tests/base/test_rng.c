/* The generator: the published sequence, bounds, repeatability. */
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* The reference implementation's first numbers from the state 1, 2, 3, 4. */
static void rng_test_reference(void **state)
{
    (void)state;
    static const uint64_t want[] = {
        11520u,
        0u,
        1509978240u,
        1215971899390074240u,
        1216172134540287360u,
        607988272756665600u,
        16172922978634559625u,
        8476171486693032832u,
        10595114339597558777u,
        2904607092377533576u,
    };
    struct rng r = {{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_true(rng_u64(&r) == want[i]);
    }
}

static void rng_test_repeats(void **state)
{
    (void)state;
    struct rng a;
    struct rng b;
    struct rng c;
    int same = 0;
    rng_init(&a, 0);
    rng_init(&b, 0);
    rng_init(&c, 1);
    for (int i = 0; i < 1000; i++) {
        uint64_t v = rng_u64(&a);
        assert_true(v == rng_u64(&b));
        same += v == rng_u64(&c);
    }
    assert_int_equal(same, 0);
}

/* Within the bound, every value is met, and about equally often. */
static void rng_test_below(void **state)
{
    (void)state;
    enum {
        N = 7,
        DRAWS = 70000
    };
    static const uint32_t bounds[] = {1, 2, 3, 1000, 0x80000000u, UINT32_MAX};
    struct rng r;
    int seen[N] = {0};
    rng_init(&r, 42);
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        for (int k = 0; k < 1000; k++) {
            assert_true(rng_below(&r, bounds[i]) < bounds[i]);
        }
    }
    for (int i = 0; i < DRAWS; i++) {
        seen[rng_below(&r, N)]++;
    }
    for (int i = 0; i < N; i++) {
        assert_in_range(seen[i], DRAWS / N * 9 / 10, DRAWS / N * 11 / 10);
    }
}

static void rng_test_bytes(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 33; len++) {
        uint8_t out[40];
        uint8_t again[40];
        struct rng r;
        memset(out, 0xaa, sizeof(out));
        rng_init(&r, len);
        rng_bytes(&r, out, len);
        rng_init(&r, len);
        rng_bytes(&r, again, len);
        assert_memory_equal(out, again, len);
        for (size_t i = len; i < sizeof(out); i++) {
            assert_int_equal(out[i], 0xaa);
        }
    }
}

static void rng_test_system(void **state)
{
    (void)state;
    assert_true(rng_seed_system() != rng_seed_system());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rng_test_reference),
        cmocka_unit_test(rng_test_repeats),
        cmocka_unit_test(rng_test_below),
        cmocka_unit_test(rng_test_bytes),
        cmocka_unit_test(rng_test_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
