/* What is shown of bodies that are no reply. */
#include "proto/tracker/excerpt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct test_excerpt {
    const char *body;
    size_t len;
    const char *want;
};

#define BODY(s) (s), sizeof(s) - 1

/* clang-format off */
static const struct test_excerpt test_excerpts[] = {
    {BODY(""), ""},
    {BODY(" \r\n\t"), ""},
    {BODY("<html></html>"), ""},
    {BODY("busy"), "busy"},
    {BODY("\xef\xbb\xbf  two\r\n\r\nlines "), "two lines"},
    {BODY("<title>Login</title><p>Name"), "Login Name"},
    {BODY("a < b > c"), "a c"},
    {BODY("a > b"), "a > b"},
    {BODY("<open"), ""},
    {BODY("\xd0\xbd\xd0\xb5\xd1\x82"), "\xd0\xbd\xd0\xb5\xd1\x82"},
    {BODY("\x1b]0;x\x1b[2J"), "]0;x [2J"},
    {BODY("a\0b"), "binary data (hex 610062...)"},
    {BODY("\xff\xfe" "aaaaaaaaaaaaaaaaaaaa"), "binary data (hex fffe61616161616161616161...)"},
    {BODY("\x1f\x8b"), "gzip data that is not labelled so"},
};
/* clang-format on */

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(test_excerpts) / sizeof(test_excerpts[0]);
         i++) {
        const struct test_excerpt *t = &test_excerpts[i];
        char text[EXCERPT_MAX];

        excerpt_put(slice_of(t->body, t->len), text);
        assert_string_equal(text, t->want);
    }
}

/* However long, and also when the look ends inside a character. */
static void test_long(void **state)
{
    static char body[100000];
    char text[EXCERPT_MAX];

    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        memset(body, 'x', sizeof(body));
        for (size_t i = shift; i + 3 < sizeof(body); i += 3) {
            memcpy(body + i, "\xe2\x82\xac", 3);
        }
        excerpt_put(slice_of(body, sizeof(body)), text);
        assert_in_range(strlen(text), EXCERPT_MAX - 4, EXCERPT_MAX - 1);
        assert_null(strstr(text, "binary"));
    }
}

static void test_html(void **state)
{
    (void)state;
    assert_true(excerpt_is_html(slice_str("<HTML lang=x>")));
    assert_true(excerpt_is_html(slice_str("\xef\xbb\xbf\n <!DocType html>")));
    assert_false(excerpt_is_html(slice_str("<br />")));
    assert_false(excerpt_is_html(slice_str("<htm")));
    assert_false(excerpt_is_html(slice_str("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table),
                                       cmocka_unit_test(test_long),
                                       cmocka_unit_test(test_html)};

    return cmocka_run_group_tests_name("excerpt", tests, NULL, NULL);
}
