/* Smaller, larger and left over, at equal numbers and at both ends. */
#include "base/num.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Either order gives the same. */
static void test_min_max(void **state)
{
    (void)state;
    assert_int_equal(num_min(3, 7), 3);
    assert_int_equal(num_min(7, 3), 3);
    assert_int_equal(num_min(SIZE_MAX, 0), 0);
    assert_int_equal(num_min_u32(UINT32_MAX, 1), 1);
    assert_int_equal(num_min_u32(4, 4), 4);
    assert_int_equal(num_min_u64(UINT64_MAX, UINT32_MAX), UINT32_MAX);
    assert_int_equal(num_min_u64(0, UINT64_MAX), 0);
    assert_int_equal(num_max(3, 7), 7);
    assert_int_equal(num_max(7, 3), 7);
    assert_true(num_max(0, SIZE_MAX) == SIZE_MAX);
}

/* A difference never wraps. */
static void test_sub(void **state)
{
    (void)state;
    assert_int_equal(num_sub(7, 3), 4);
    assert_int_equal(num_sub(3, 3), 0);
    assert_int_equal(num_sub(0, SIZE_MAX), 0);
    assert_int_equal(num_sub_u64(3, 7), 0);
    assert_true(num_sub_u64(UINT64_MAX, 1) == UINT64_MAX - 1);
}

/* Of any year, and never too far apart. */
static void test_time_ns(void **state)
{
    const int64_t s = 1000000000;
    const int64_t half = INT64_C(1) << 62;
    static const int64_t odd[] = {INT64_MIN,  -67768040609740800, -62135596800,
                                  9223372036, 253402300800,       255198323760,
                                  INT64_MAX};
    (void)state;
    assert_true(num_time_ns(0, 0) == 0);
    assert_true(num_time_ns(1764460800, 999999999) == 1764460800999999999);
    assert_true(num_time_ns(-1, 5) == -s + 5);
    assert_true(num_time_ns(4611686018, 427387903) == half - 1);
    assert_true(num_time_ns(4611686018, 427387904) == -half);
    assert_true(num_time_ns(-4611686019, 572612096) == -half);
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        int64_t at = num_time_ns(odd[i], 7);
        assert_true(at >= -half && at < half);
        assert_true(num_time_ns(odd[i], 8) != at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_min_max),
        cmocka_unit_test(test_sub),
        cmocka_unit_test(test_time_ns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
