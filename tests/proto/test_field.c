/* Text and bare addresses from outside. */
#include "proto/field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define FFFD "\xef\xbf\xbd"

struct test_text {
    const char *in;
    size_t cap;
    const char *want;
};

/* clang-format off */
static const struct test_text test_texts[] = {
    {"", 8, ""},
    {"qBittorrent/4.6.0", 64, "qBittorrent/4.6.0"},
    {"\xc2\xb5Torrent 1.2", 64, "\xc2\xb5Torrent 1.2"},
    {"  two  words\r\n", 64, "two  words"},
    {"a\x1b[31mb\x7f" "c", 64, "a [31mb c"},
    {"a\xc2\x9b" "b", 64, "a b"},
    {"a\xff" "b", 64, "a" FFFD "b"},
    {"\xc3", 64, FFFD},
    {"\xe2\x82", 64, FFFD FFFD},
    {"\xed\xa0\x80", 64, FFFD FFFD FFFD},
    {"\xf0\x9f\x8e\x89!", 64, "\xf0\x9f\x8e\x89!"},
    {"abcdef", 4, "abc"},
    {"abcd", 5, "abcd"},
    {"abc\xc2\xb5", 5, "abc"},
    {"abc\xc2\xb5", 6, "abc\xc2\xb5"},
    {"ab   cd", 5, "ab"},
    {"abc", 1, ""},
    {" \t\n", 8, ""},
};
/* clang-format on */

static void test_text_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof test_texts / sizeof test_texts[0]; i++) {
        const struct test_text *t = &test_texts[i];
        char dst[64];

        memset(dst, 'z', sizeof dst);
        field_text(slice_str(t->in), dst, t->cap);
        assert_string_equal(dst, t->want);
        if (t->cap < sizeof dst) {
            assert_int_equal(dst[t->cap], 'z');
        }
    }
}

static void test_text_nul(void **state)
{
    char dst[8];

    (void)state;
    field_text(slice_of("a\0b", 3), dst, sizeof dst);
    assert_string_equal(dst, "a b");
    field_text(slice_of(NULL, 0), dst, sizeof dst);
    assert_string_equal(dst, "");
}

static void test_ip(void **state)
{
    static const uint8_t v4[] = {192, 0, 2, 7};
    static const uint8_t mapped[16] = {0, 0, 0,    0,    0,   0, 0, 0,
                                       0, 0, 0xff, 0xff, 192, 0, 2, 7};
    static const uint8_t v6[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};
    static const uint8_t zero[16] = {0};
    struct addr a = field_ip(slice_of(v4, sizeof v4));
    struct addr b = field_ip(slice_of(mapped, sizeof mapped));

    (void)state;
    assert_int_equal(a.family, ADDR_V4);
    assert_int_equal(a.port, 0);
    assert_memory_equal(a.ip, v4, 4);
    assert_true(addr_eq(&a, &b));
    a = field_ip(slice_of(v6, sizeof v6));
    assert_int_equal(a.family, ADDR_V6);
    assert_memory_equal(a.ip, v6, 16);
    for (size_t len = 0; len <= sizeof zero; len++) {
        assert_int_equal(field_ip(slice_of(zero, len)).family, ADDR_NONE);
    }
    assert_int_equal(field_ip(slice_of(v6, 15)).family, ADDR_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_table),
        cmocka_unit_test(test_text_nul),
        cmocka_unit_test(test_ip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
