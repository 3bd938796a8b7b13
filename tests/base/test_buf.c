/* The capped buffer, against a plain model of what it should hold. */
#include "base/buf.h"

#include "base/err.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void buf_test_append(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 12);
    assert_int_equal(buf_len(&b), 0);
    assert_int_equal(buf_slice(&b).len, 0);
    assert_int_equal(buf_append_str(&b, "hello"), 0);
    assert_int_equal(buf_append_byte(&b, ' '), 0);
    assert_int_equal(buf_append_slice(&b, slice_str("you")), 0);
    assert_int_equal(buf_append(&b, NULL, 0), 0);
    assert_true(slice_eq_str(buf_slice(&b), "hello you"));
    assert_int_equal(buf_append(&b, "1234", 4), BTC_E_LIMIT);
    assert_true(slice_eq_str(buf_slice(&b), "hello you"));
    assert_int_equal(buf_append(&b, "123", 3), 0);
    assert_int_equal(buf_append_byte(&b, 'x'), BTC_E_LIMIT);
    assert_string_equal(buf_cstr(&b), "hello you123");
    buf_consume(&b, 6);
    assert_string_equal(buf_cstr(&b), "you123");
    assert_int_equal(buf_append_str(&b, "456789"), 0);
    assert_string_equal(buf_cstr(&b), "you123456789");
    assert_int_equal(buf_append_byte(&b, 'x'), BTC_E_LIMIT);
    buf_clear(&b);
    assert_int_equal(buf_len(&b), 0);
    assert_string_equal(buf_cstr(&b), "");
    buf_trim(&b, b.cap);
    assert_non_null(b.p);
    assert_int_equal(buf_append_byte(&b, 'x'), 0);
    buf_trim(&b, 0); /* not what holds something */
    assert_string_equal(buf_cstr(&b), "x");
    buf_clear(&b);
    buf_trim(&b, 0);
    assert_null(b.p);
    assert_int_equal(buf_append_str(&b, "again"), 0);
    buf_fini(&b);
    buf_fini(&b);
}

static void buf_test_cap(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_null(buf_reserve(&b, 101));
    assert_null(buf_reserve(&b, SIZE_MAX));
    uint8_t *p = buf_reserve(&b, 100);
    assert_non_null(p);
    memset(p, 'a', 100);
    buf_commit(&b, 40);
    assert_int_equal(buf_len(&b), 40);
    assert_null(buf_reserve(&b, 61));
    assert_non_null(buf_reserve(&b, 60));
    assert_non_null(buf_reserve(&b, 0));
    assert_int_equal(buf_append(&b, "x", SIZE_MAX), BTC_E_LIMIT);
    buf_fini(&b);
    buf_init(&b, 0);
    assert_int_equal(buf_append_byte(&b, 'x'), BTC_E_LIMIT);
    assert_string_equal(buf_cstr(&b), "");
    buf_fini(&b);
}

static void buf_test_printf(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 8);
    assert_int_equal(buf_printf(&b, "%d-%s", 12, "ab"), 0);
    assert_true(slice_eq_str(buf_slice(&b), "12-ab"));
    assert_int_equal(buf_printf(&b, "%s", "1234"), BTC_E_LIMIT);
    assert_true(slice_eq_str(buf_slice(&b), "12-ab"));
    assert_int_equal(buf_printf(&b, "%s", "123"), 0);
    assert_true(slice_eq_str(buf_slice(&b), "12-ab123"));
    assert_int_equal(buf_printf(&b, "%s", ""), 0);
    buf_fini(&b);
}

static void buf_test_take(void **state)
{
    (void)state;
    static const size_t consume[] = {0, 2, 5};
    static const char *const want[] = {"hello", "llo", ""};
    for (size_t i = 0; i < 3; i++) {
        struct buf b;
        buf_init(&b, 5);
        assert_int_equal(buf_append_str(&b, "hello"), 0);
        buf_consume(&b, consume[i]);
        char *s = buf_take_str(&b);
        assert_string_equal(s, want[i]);
        free(s);
        assert_int_equal(buf_len(&b), 0);
        assert_int_equal(buf_append_str(&b, "again"), 0);
        assert_int_equal(buf_append_str(&b, "x"), BTC_E_LIMIT);
        buf_fini(&b);
    }
    struct buf b;
    buf_init(&b, 5);
    char *s = buf_take_str(&b);
    assert_string_equal(s, "");
    free(s);
}

/* Random appends and consumes; memory stays within twice the cap. */
static void buf_test_model(void **state)
{
    (void)state;
    enum {
        MAX = 3000,
        STEPS = 20000
    };
    uint64_t seed = rng_seed_system();
    struct rng r;
    struct buf b;
    uint8_t next_in = 0;
    uint8_t next_out = 0;
    print_message("seed %llu\n", (unsigned long long)seed);
    rng_init(&r, seed);
    buf_init(&b, MAX);
    for (int step = 0; step < STEPS; step++) {
        uint8_t chunk[300];
        size_t n = rng_below(&r, sizeof(chunk));
        size_t len = buf_len(&b);
        for (size_t i = 0; i < n; i++) {
            chunk[i] = (uint8_t)(next_in + i);
        }
        int rc = buf_append(&b, chunk, n);
        assert_int_equal(rc, n > MAX - len ? BTC_E_LIMIT : 0);
        if (rc == 0) {
            next_in = (uint8_t)(next_in + n);
        }
        len = buf_len(&b);
        n = len > 0 ? rng_below(&r, (uint32_t)len + 1) / 4 : 0;
        struct slice s = buf_slice(&b);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(s.p[i], next_out++);
        }
        buf_consume(&b, n);
        assert_true(b.start <= b.end && b.end <= b.cap &&
                    b.cap <= (size_t)2 * MAX);
    }
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_test_append), cmocka_unit_test(buf_test_cap),
        cmocka_unit_test(buf_test_printf), cmocka_unit_test(buf_test_take),
        cmocka_unit_test(buf_test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
