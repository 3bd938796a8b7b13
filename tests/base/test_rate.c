/* Bucket and rate over a clock of numbers. */
#include "base/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What a greedy taker gets in ten seconds, however often it asks. */
static void bucket_test_exact(void **state)
{
    (void)state;
    static const uint64_t rates[] = {1, 7, 999, 1500, 65536, 20u << 20};
    static const uint64_t steps[] = {1, 3, 16, 100, 250};
    for (size_t i = 0; i < COUNT(rates); i++) {
        for (size_t k = 0; k < COUNT(steps); k++) {
            struct bucket b;
            uint64_t got = 0;
            uint64_t now = 0;
            bucket_init(&b, rates[i], 5000);
            for (now = 0; now <= 10000; now += steps[k]) {
                uint64_t n = bucket_available(&b, 5000 + now);
                bucket_take(&b, n);
                got += n;
            }
            uint64_t want = rates[i] * (now - steps[k]) / 1000;
            assert_true(got <= want && got + 1 >= want);
        }
    }
}

static void bucket_test_debt(void **state)
{
    (void)state;
    struct bucket b;
    bucket_init(&b, 1000, 0);
    assert_true(bucket_available(&b, 0) == 0);
    assert_true(bucket_available(&b, 100) == 100);
    bucket_take(&b, 1100);
    assert_true(bucket_available(&b, 100) == 0);
    assert_true(bucket_available(&b, 1100) == 0);
    assert_true(bucket_available(&b, 1101) == 1);
}

static void bucket_test_burst(void **state)
{
    (void)state;
    struct bucket b;
    bucket_init(&b, 1000, 0);
    uint64_t burst = bucket_available(&b, 3600000);
    assert_true(burst > 0 && burst <= 1000);
    /* A clock that steps back earns nothing and loses nothing. */
    assert_true(bucket_available(&b, 10) == burst);
    bucket_take(&b, burst);
    assert_true(bucket_available(&b, 10) == 0);
    assert_true(bucket_available(&b, 3600000) == 0);
    assert_true(bucket_available(&b, 3600100) == 100);
}

static void bucket_test_set_rate(void **state)
{
    (void)state;
    struct bucket b;
    bucket_init(&b, 0, 0);
    assert_true(bucket_available(&b, 0) == UINT64_MAX);
    bucket_take(&b, 1u << 30);
    bucket_set_rate(&b, 1000, 1000);
    assert_true(bucket_available(&b, 1000) == 0);
    assert_true(bucket_available(&b, 1200) == 200);
    bucket_set_rate(&b, 100, 1200);
    assert_true(bucket_available(&b, 1200) <= 100);
    bucket_set_rate(&b, 0, 1300);
    assert_true(bucket_available(&b, 1300) == UINT64_MAX);
}

/* Extreme values neither overflow nor stick. */
static void bucket_test_extremes(void **state)
{
    (void)state;
    struct bucket b;
    bucket_init(&b, UINT64_MAX, 0);
    assert_true(bucket_available(&b, UINT64_MAX) > 0);
    bucket_take(&b, UINT64_MAX);
    bucket_take(&b, UINT64_MAX);
    bucket_take(&b, UINT64_MAX);
    assert_true(bucket_available(&b, UINT64_MAX) == 0);
    assert_true(b.tokens < 0);
    bucket_init(&b, 1, 0);
    assert_true(bucket_available(&b, 999) == 0);
    assert_true(bucket_available(&b, 1000) == 1);
}

static void rate_test_steady(void **state)
{
    (void)state;
    static const uint64_t starts[] = {0, 1, 1000, 123456789};
    for (size_t i = 0; i < COUNT(starts); i++) {
        struct rate r;
        rate_init(&r);
        assert_true(rate_get(&r, starts[i]) == 0);
        for (uint64_t t = 0; t < 30000; t += 10) {
            rate_add(&r, 1000, starts[i] + t);
            uint64_t rate = rate_get(&r, starts[i] + t + 10);
            /* The first slot is a guess; then within a few per cent. */
            if (t >= 2 * RATE_SLOT_MS) {
                assert_in_range(rate, 95000, 105000);
            } else {
                assert_in_range(rate, 1, 105000);
            }
        }
        assert_true(r.total == 3000000);
    }
}

static void rate_test_idle(void **state)
{
    (void)state;
    struct rate r;
    rate_init(&r);
    rate_add(&r, 10000, 1000);
    assert_true(rate_get(&r, 1000) == 40000); /* over one slot at least */
    assert_true(rate_get(&r, 2000) == 10000);
    assert_true(rate_get(&r, 1000 + RATE_WINDOW_MS + RATE_SLOT_MS) == 0);
    assert_true(rate_get(&r, 1000000000) == 0);
    /* After a long silence old slots do not come back. */
    rate_add(&r, 500, 1000000000);
    uint64_t rate = rate_get(&r, 1000000000);
    assert_in_range(rate, 90, 110);
    assert_true(r.total == 10500);
}

/* A ring's worth of time later the same slot starts from zero. */
static void rate_test_wrap(void **state)
{
    (void)state;
    struct rate r;
    rate_init(&r);
    for (uint64_t i = 0; i < 5; i++) {
        rate_add(&r, 1000, 1000 + i * RATE_WINDOW_MS);
    }
    uint64_t rate = rate_get(&r, 1000 + 4 * RATE_WINDOW_MS);
    assert_in_range(rate, 200, 215);
}

static void rate_test_clock(void **state)
{
    (void)state;
    struct rate r;
    rate_init(&r);
    rate_add(&r, 1000, 5000);
    rate_add(&r, 1000, 4000); /* back: counts into the newest slot */
    assert_true(r.total == 2000);
    assert_true(rate_get(&r, 4000) == 8000);
    assert_true(rate_get(&r, 6000) == 2000);
    rate_add(&r, UINT64_MAX / 2, 6000);
    assert_true(rate_get(&r, 6000) > UINT64_MAX / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bucket_test_exact),
        cmocka_unit_test(bucket_test_debt),
        cmocka_unit_test(bucket_test_burst),
        cmocka_unit_test(bucket_test_set_rate),
        cmocka_unit_test(bucket_test_extremes),
        cmocka_unit_test(rate_test_steady),
        cmocka_unit_test(rate_test_idle),
        cmocka_unit_test(rate_test_wrap),
        cmocka_unit_test(rate_test_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
