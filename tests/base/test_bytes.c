/* Slices, cursor, numbers, hex, UTF-8. */
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void bytes_test_slice(void **state)
{
    (void)state;
    struct slice a = slice_str("hello");
    assert_int_equal(a.len, 5);
    assert_int_equal(slice_str(NULL).len, 0);
    assert_true(slice_eq(a, slice_of("hello!", 5)));
    assert_false(slice_eq(a, slice_str("hellO")));
    assert_false(slice_eq(a, slice_str("hell")));
    assert_true(slice_eq(slice_of(NULL, 0), slice_str("")));
    assert_true(slice_eq_str(a, "hello"));
    assert_false(slice_eq_str(a, "hello "));
    assert_true(slice_has_prefix(a, "hell"));
    assert_true(slice_has_prefix(a, ""));
    assert_true(slice_has_prefix(slice_of(NULL, 0), ""));
    assert_false(slice_has_prefix(a, "hello!"));
    assert_false(slice_has_prefix(slice_of(NULL, 0), "x"));
}

static void bytes_test_slice_sub(void **state)
{
    (void)state;
    static const struct {
        size_t off;
        size_t len;
        const char *want;
    } cases[] = {
        {0, 5, "hello"},
        {1, 3, "ell"},
        {3, 9, "lo"},
        {5, 1, ""},
        {6, 1, ""},
        {SIZE_MAX, SIZE_MAX, ""},
        {1, SIZE_MAX, "ello"},
    };
    struct slice a = slice_str("hello");
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct slice s = slice_sub(a, cases[i].off, cases[i].len);
        assert_true(slice_eq_str(s, cases[i].want));
        assert_true(s.p >= a.p && s.p + s.len <= a.p + a.len);
    }
    assert_int_equal(slice_sub(slice_of(NULL, 0), 3, 3).len, 0);
}

static void bytes_test_endian(void **state)
{
    (void)state;
    uint8_t b[18];
    static const uint8_t want[] = {0xfe, 0x01, 0x02, 0x80, 0x00, 0x00,
                                   0x01, 0xff, 0xfe, 0xfd, 0xfc, 0xfb,
                                   0xfa, 0xf9, 0xf8, 'x',  'y'};
    uint8_t *p = bytes_put_u8(b, 0xfe);
    p = bytes_put_be16(p, 0x0102);
    p = bytes_put_be32(p, 0x80000001u);
    p = bytes_put_be64(p, 0xfffefdfcfbfaf9f8u);
    p = bytes_put(p, "xy", 2);
    p = bytes_put(p, NULL, 0);
    assert_ptr_equal(p, b + sizeof(want));
    assert_memory_equal(b, want, sizeof(want));
    assert_int_equal(bytes_get_be16(b + 1), 0x0102);
    assert_true(bytes_get_be32(b + 3) == 0x80000001u);
    assert_true(bytes_get_be64(b + 7) == 0xfffefdfcfbfaf9f8u);
}

static void bytes_test_hex(void **state)
{
    (void)state;
    static const uint8_t raw[] = {0x00, 0x9a, 0xbf, 0xff};
    char text[9];
    uint8_t back[4];
    bytes_to_hex(raw, sizeof(raw), text);
    assert_string_equal(text, "009abfff");
    assert_true(bytes_from_hex(slice_str("009ABfFf"), back, 4));
    assert_memory_equal(back, raw, 4);
    static const char *const bad[] = {"",          "0",          "009abff",
                                      "009abfff0", "009abfff00", "009abffg",
                                      "009abf f",  "0x9abfff",   "009abf-1"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(bytes_from_hex(slice_str(bad[i]), back, 4));
    }
    assert_true(bytes_from_hex(slice_str(""), back, 0));
    bytes_to_hex(raw, 0, text);
    assert_string_equal(text, "");
}

static void bytes_test_u64(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        uint64_t want;
    } cases[] = {
        {"0", true, 0},
        {"7", true, 7},
        {"1234567890", true, 1234567890},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"99999999999999999999", false, 0},
        {"184467440737095516150", false, 0},
        {"", false, 0},
        {"00", false, 0},
        {"01", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1a", false, 0},
        {"0x1", false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t v = 42;
        assert_int_equal(bytes_parse_u64(slice_str(cases[i].text), &v),
                         cases[i].ok);
        assert_true(v == (cases[i].ok ? cases[i].want : 42));
    }
    uint64_t v = 0;
    assert_false(bytes_parse_u64(slice_of("1\0", 2), &v));
    assert_false(bytes_parse_u64(slice_of(NULL, 0), &v));
}

static void bytes_test_i64(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t want;
    } cases[] = {
        {"0", true, 0},
        {"-1", true, -1},
        {"9223372036854775807", true, INT64_MAX},
        {"9223372036854775808", false, 0},
        {"-9223372036854775808", true, INT64_MIN},
        {"-9223372036854775809", false, 0},
        {"-18446744073709551616", false, 0},
        {"-0", false, 0},
        {"-01", false, 0},
        {"-", false, 0},
        {"--1", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t v = 42;
        bool ok = bytes_parse_i64(slice_str(cases[i].text), &v);
        assert_int_equal(ok, cases[i].ok);
        assert_true(!ok || v == cases[i].want);
    }
}

struct scaled_case {
    const char *text;
    bool ok;
    uint64_t want;
};

static void bytes_test_size(void **state)
{
    (void)state;
    static const struct scaled_case cases[] = {
        {"0", true, 0},
        {"512", true, 512},
        {"1K", true, 1024},
        {"1k", true, 1024},
        {"1KB", true, 1024},
        {"1KiB", true, 1024},
        {"1kib", true, 1024},
        {"1.5M", true, 1572864},
        {"0.5K", true, 512},
        {"2G", true, 2147483648u},
        {"1T", true, 1ull << 40},
        {"16777215T", true, 16777215ull << 40},
        {"16777215.999999T", true,
         (16777215ull << 40) + 999999ull * (1ull << 40) / 1000000},
        {"16777216T", false, 0},
        {"1.999999999999K", true, 2047},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551615K", false, 0},
        {"", false, 0},
        {"K", false, 0},
        {".5K", false, 0},
        {"1.K", false, 0},
        {"1..5K", false, 0},
        {"01K", false, 0},
        {"-1K", false, 0},
        {"1 K", false, 0},
        {"1Ki", false, 0},
        {"1B", false, 0},
        {"1KK", false, 0},
        {"1KiBs", false, 0},
        {"1P", false, 0},
        {"1e3", false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t v = 0;
        bool ok = bytes_parse_size(slice_str(cases[i].text), &v);
        if (ok != cases[i].ok || (ok && v != cases[i].want)) {
            fail_msg("'%s': %d, %llu", cases[i].text, ok,
                     (unsigned long long)v);
        }
    }
}

static void bytes_test_duration(void **state)
{
    (void)state;
    static const struct scaled_case cases[] = {
        {"0", true, 0},
        {"90", true, 90000},
        {"250ms", true, 250},
        {"90s", true, 90000},
        {"1.5h", true, 5400000},
        {"2m", true, 120000},
        {"1d", true, 86400000},
        {"1w", true, 604800000},
        {"1000000000w", true, 604800000000000000u},
        {"100000000000w", false, 0},
        {"", false, 0},
        {"s", false, 0},
        {"1y", false, 0},
        {"1 s", false, 0},
        {"-1s", false, 0},
        {"1h30m", false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t v = 0;
        bool ok = bytes_parse_duration_ms(slice_str(cases[i].text), &v);
        if (ok != cases[i].ok || (ok && v != cases[i].want)) {
            fail_msg("'%s': %d, %llu", cases[i].text, ok,
                     (unsigned long long)v);
        }
    }
}

static void bytes_test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {
        {"", true},
        {"ascii", true},
        {"\x7f", true},
        {"\xc3\xa4", true},
        {"\xe2\x82\xac", true},
        {"\xf0\x9f\x98\x80", true},
        {"\xed\x9f\xbf", true},     /* U+D7FF */
        {"\xee\x80\x80", true},     /* U+E000 */
        {"\xf4\x8f\xbf\xbf", true}, /* U+10FFFF */
        {"\xf4\x90\x80\x80", false},
        {"\xed\xa0\x80", false}, /* a surrogate */
        {"\xed\xbf\xbf", false},
        {"\xc0\x80", false}, /* overlong */
        {"\xc1\xbf", false},
        {"\xe0\x9f\xbf", false},
        {"\xf0\x8f\xbf\xbf", false},
        {"\x80", false},
        {"\xc3", false},
        {"\xc3(", false},
        {"\xe2\x82", false},
        {"\xe2\x28\xa1", false},
        {"\xf0\x9f\x98", false},
        {"\xf8\x88\x80\x80\x80", false},
        {"\xff", false},
        {"a\xfe", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t len = strlen(cases[i].text);
        uint8_t *copy = malloc(len + 1);
        assert_non_null(copy);
        memcpy(copy, cases[i].text, len);
        if (bytes_is_utf8(slice_of(copy, len)) != cases[i].ok) {
            fail_msg("case %zu", i);
        }
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_test_slice),
        cmocka_unit_test(bytes_test_slice_sub),
        cmocka_unit_test(bytes_test_endian),
        cmocka_unit_test(bytes_test_hex),
        cmocka_unit_test(bytes_test_u64),
        cmocka_unit_test(bytes_test_i64),
        cmocka_unit_test(bytes_test_size),
        cmocka_unit_test(bytes_test_duration),
        cmocka_unit_test(bytes_test_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
