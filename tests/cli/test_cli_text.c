/* Widths, cleaning and cutting of strangers' text; numbers as people read them;
 * tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "front/format.h"
#include "front/table.h"
#include "front/text.h"

#define WIDE "\xE6\x97\xA5\xE6\x9C\xAC" /* two characters, four columns */
#define BAD  "\xEF\xBF\xBD"             /* U+FFFD */

static void test_width(void **state)
{
    static const struct {
        const char *text;
        size_t width;
    } cases[] = {{"", 0},
                 {"abc", 3},
                 {WIDE, 4},
                 {"e\xCC\x81", 1},
                 {"\033[31mx\033[0m", 1},
                 {"\xC3\xA9", 1},
                 {"\xFF", 1},
                 {"\xC0\x80", 2},
                 {"\xED\xA0\x80", 3},
                 {"\xE2\x96", 2},
                 {"\033[2Jx", 5}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(front_text_width(cases[i].text), cases[i].width);
    }
}

static void test_clean(void **state)
{
    static const struct {
        const char *text;
        bool utf8;
        const char *shown;
    } cases[] = {
        {"plain", true, "plain"},
        {"a\033[31mb", true, "a" BAD "[31mb"},
        {"a\nb\rc\td", true, "a" BAD "b" BAD "c" BAD "d"},
        {"a\xC2\x9B"
         "b",
         true, "a" BAD "b"}, /* C1 CSI */
        /* NOLINTNEXTLINE(misc-misleading-bidirectional): it is meant to be */
        {"\xE2\x80\xAE"
         "exe",
         true, BAD "exe"}, /* RLO */
        /* NOLINTNEXTLINE(misc-misleading-bidirectional): it is meant to be */
        {"\xE2\x81\xA6x", true, BAD "x"}, /* LRI */
        {"x\x7F", true, "x" BAD},
        {"\xFFx", true, BAD "x"},
        {WIDE, true, WIDE},
        {WIDE "\033x", false, "???x"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct front_text t = {0};
        front_text_clean(&t, cases[i].text, cases[i].utf8);
        assert_string_equal(front_text_str(&t), cases[i].shown);
        front_text_free(&t);
    }
}

static void test_fit(void **state)
{
    static const struct {
        const char *text;
        size_t width;
        bool utf8;
        const char *shown;
        size_t used;
    } cases[] = {{"abcdef", 6, true, "abcdef", 6},
                 {"abcdef", 5, true, "abcd\xE2\x80\xA6", 5},
                 {"abcdef", 5, false, "ab...", 5},
                 {"abcdef", 1, true, "\xE2\x80\xA6", 1},
                 {"abcdef", 2, false, "ab", 2},
                 {"abcdef", 0, true, "", 0},
                 {WIDE WIDE, 6, true, WIDE "\xE2\x80\xA6", 5},
                 {"", 3, true, "", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct front_text t = {0};
        assert_int_equal(
            front_text_fit(&t, cases[i].text, cases[i].width, cases[i].utf8),
            cases[i].used);
        assert_string_equal(front_text_str(&t), cases[i].shown);
        front_text_free(&t);
    }
}

static void test_fit_end(void **state)
{
    static const struct {
        const char *text;
        size_t width;
        bool utf8;
        const char *shown;
        size_t used;
    } cases[] = {{"abcdef", 6, true, "abcdef", 6},
                 {"abcdef", 5, true,
                  "\xE2\x80\xA6"
                  "cdef",
                  5},
                 {"abcdef", 5, false, "...ef", 5},
                 {"abcdef", 1, true, "\xE2\x80\xA6", 1},
                 {"abcdef", 2, false, "ef", 2},
                 {"abcdef", 0, true, "", 0},
                 {WIDE "x" WIDE, 6, true, "\xE2\x80\xA6x" WIDE, 6},
                 {WIDE WIDE WIDE, 6, true, "\xE2\x80\xA6" WIDE, 5},
                 /* an accent does not change its letter */
                 {"xxe\xCC\x81yz", 3, true, "\xE2\x80\xA6yz", 3},
                 {"", 3, true, "", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct front_text t = {0};
        assert_int_equal(front_text_fit_end(&t, cases[i].text, cases[i].width,
                                            cases[i].utf8),
                         cases[i].used);
        assert_string_equal(front_text_str(&t), cases[i].shown);
        front_text_free(&t);
    }
}

static void test_sizes(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {{0, "0 B"},
                 {1023, "1023 B"},
                 {1024, "1.0 KiB"},
                 {1126, "1.0 KiB"}, /* 1.0996: down */
                 {1127, "1.1 KiB"},
                 {102399, "99.9 KiB"},
                 {102400, "100 KiB"},
                 {1048575, "1023 KiB"},
                 {1048576, "1.0 MiB"},
                 {3005480960ULL, "2.7 GiB"},
                 {UINT64_MAX, "15.9 EiB"}};
    char buf[FRONT_FORMAT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(front_format_size(buf, cases[i].bytes),
                            cases[i].text);
    }
    assert_string_equal(front_format_rate(buf, 11744051), "11.1 MiB/s");
    assert_string_equal(front_format_share(buf, 0, 2048), "0/2.0 KiB");
    assert_string_equal(front_format_share(buf, 1024, 2048), "1.0/2.0 KiB");
    assert_string_equal(front_format_share(buf, 512, 2048), "512 B/2.0 KiB");
}

static void test_percent(void **state)
{
    static const struct {
        uint64_t done, total;
        const char *text;
    } cases[] = {{0, 0, "0.0 %"},
                 {0, 5, "0.0 %"},
                 {1, 3, "33.3 %"},
                 {2, 3, "66.6 %"},
                 {999999999, 1000000000, "99.9 %"},
                 {5, 5, "100 %"},
                 {UINT64_MAX - 1, UINT64_MAX, "99.9 %"},
                 {UINT64_MAX / 2, UINT64_MAX, "50.0 %"},
                 {6, 5, "100 %"}};
    char buf[FRONT_FORMAT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(
            front_format_percent(buf, cases[i].done, cases[i].total),
            cases[i].text);
    }
}

static void test_duration(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {{-1, "-"},         {0, "0s"},           {59, "59s"},
                 {60, "1m00s"},     {130, "2m10s"},      {3599, "59m59s"},
                 {3600, "1h00m"},   {86399, "23h59m"},   {86400, "1d00h"},
                 {187200, "2d04h"}, {86400000, ">999d"}, {INT64_MAX, ">999d"}};
    char buf[FRONT_FORMAT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(front_format_duration(buf, cases[i].seconds),
                            cases[i].text);
    }
    assert_string_equal(front_format_time(buf, 1763798401),
                        "2025-11-22 08:00:01");
    assert_string_equal(front_format_clock(buf, 1763798401), "08:00:01");
    assert_string_equal(front_format_time(buf, 0), "-");
    assert_string_equal(front_format_time(buf, INT64_MAX), "-");
}

static void test_table(void **state)
{
    static const struct front_column columns[] = {
        {.title = "ID", .right = true},
        {.title = "NAME", .min = 6},
        {.title = "SIZE", .right = true, .drop = 1},
        {.title = "LAST", .drop = 2}};
    static const char *const cells[] = {
        "1", "a-long-name.iso", "2.7 GiB", "x", "12", WIDE, NULL, "end"};
    static const struct {
        size_t width;
        const char *text;
    } cases[] = {{0, "ID  NAME                SIZE  LAST\n"
                     " 1  a-long-name.iso  2.7 GiB  x\n"
                     "12  " WIDE "                   -  end\n"},
                 {29, "ID  NAME           SIZE  LAST\n"
                      " 1  a-long-na\xE2\x80\xA6  2.7 GiB  x\n"
                      "12  " WIDE "              -  end\n"},
                 {20, "ID  NAME        SIZE\n"
                      " 1  a-long\xE2\x80\xA6  2.7 GiB\n"
                      "12  " WIDE "           -\n"},
                 {12, "ID  NAME\n"
                      " 1  a-long-\xE2\x80\xA6\n"
                      "12  " WIDE "\n"},
                 {3, "ID  NAME\n"
                     " 1  a-lon\xE2\x80\xA6\n"
                     "12  " WIDE "\n"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct front_screen s = {.utf8 = true, .width = cases[i].width};
        struct front_table *t = front_table_new(columns, 4);
        struct front_text out = {0};
        for (size_t n = 0; n < 8; n++) {
            front_table_cell(t, cells[n]);
        }
        assert_int_equal(front_table_rows(t), 2);
        front_table_render(t, &s, &out);
        assert_string_equal(front_text_str(&out), cases[i].text);
        front_text_free(&out);
        front_table_free(t);
    }
}

/* Words that depend on what is there. */
static void test_words(void **state)
{
    const struct front_screen ascii = {.width = 0};
    const struct front_screen utf8 = {.utf8 = true, .width = 40};

    (void)state;
    assert_string_equal(front_text_or("name", "?"), "name");
    assert_string_equal(front_text_or("", "?"), "");
    assert_string_equal(front_text_or(NULL, "?"), "?");
    assert_string_equal(front_text_plural(0), "s");
    assert_string_equal(front_text_plural(1), "");
    assert_string_equal(front_text_plural(2), "s");
    assert_string_equal(front_text_gap(NULL), "");
    assert_string_equal(front_text_gap(""), "");
    assert_string_equal(front_text_gap("ID"), " ");
    assert_string_equal(front_term_sign(&utf8, WIDE, "w"), WIDE);
    assert_string_equal(front_term_sign(&ascii, WIDE, "w"), "w");
    assert_int_equal(front_term_width(&utf8, 80), 40);
    assert_int_equal(front_term_width(&ascii, 80), 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_width),    cmocka_unit_test(test_clean),
        cmocka_unit_test(test_fit),      cmocka_unit_test(test_fit_end),
        cmocka_unit_test(test_sizes),    cmocka_unit_test(test_percent),
        cmocka_unit_test(test_duration), cmocka_unit_test(test_table),
        cmocka_unit_test(test_words)};

    setenv("TZ", "UTC", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    front_term_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
