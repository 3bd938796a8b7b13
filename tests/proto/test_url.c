/* URLs of torrents: what is escaped, what is refused and why. */
#include "proto/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct test_url {
    const char *in;
    const char *want; /* NULL: refused */
    const char *why;
};

/* clang-format off */
static const struct test_url test_urls[] = {
    {"http://a/announce", "http://a/announce", NULL},
    {"\n\t http://a/ \r\n", "http://a/", NULL},
    {"http://a/my tracker/announce?x=a b", "http://a/my%20tracker/announce?x=a%20b", NULL},
    {"http://a/\xd0\xbf\xd1\x83\xd1\x82\xd1\x8c", "http://a/%D0%BF%D1%83%D1%82%D1%8C", NULL},
    {"http://a/\xef\xf3\xf2\xfc", "http://a/%EF%F3%F2%FC", NULL}, /* cp1251 */
    {"http://\xd1\x80\xd1\x84/x", "http://%D1%80%D1%84/x", NULL},
    {"http://a/%D0%bf/50%/%2/%zz", "http://a/%D0%bf/50%25/%252/%25zz", NULL},
    {"http://a/{b}|<c>\"^`\\", "http://a/%7Bb%7D%7C%3Cc%3E%22%5E%60%5C", NULL},
    {"http://[::1]:80/a?b[]=c#d", "http://[::1]:80/a?b[]=c#d", NULL},
    {"udp://a:80/x y", "udp://a:80/x%20y", NULL},
    {"wss://a", "wss://a", NULL},
    {"", NULL, "is empty"},
    {" \n", NULL, "is empty"},
    {"tracker.example/announce", NULL, "has no scheme, as in http://"},
    {"://a", NULL, "has no scheme, as in http://"},
    {"http:/a", NULL, "has no scheme, as in http://"},
    {"1http://a", NULL, "has no scheme, as in http://"},
    {"http://", NULL, "names no host"},
    {"http:///announce", NULL, "names no host"},
    {"http://?x", NULL, "names no host"},
    {"http://a b/announce", NULL, "has a blank in its host"},
    {"http://\xef\xf3/x", NULL, "has a host that is not UTF-8"},
    {"http://a/\nhttp://b/", NULL, "has a control character in it"},
    {"http://a/\x1b[31m", NULL, "has a control character in it"},
    {"http://a\x7f/", NULL, "has a control character in it"},
};
/* clang-format on */

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(test_urls) / sizeof(test_urls[0]); i++) {
        const struct test_url *t = &test_urls[i];
        const char *why = "not set";
        char *url = url_tidy(slice_str(t->in), &why);

        if (t->want != NULL) {
            assert_non_null(url);
            assert_string_equal(url, t->want);
            assert_null(why);
        } else {
            assert_null(url);
            assert_string_equal(why, t->why);
        }
        free(url);
    }
}

/* What is tidy stays as it is, or a URL would change each time it is read. */
static void test_twice(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(test_urls) / sizeof(test_urls[0]); i++) {
        const char *why = NULL;
        char *once = url_tidy(slice_str(test_urls[i].in), &why);

        if (once != NULL) {
            char *twice = url_tidy(slice_str(once), &why);
            assert_string_equal(once, twice);
            free(twice);
        }
        free(once);
    }
}

/* The limit is of the escaped URL; NUL bytes end nothing. */
static void test_limits(void **state)
{
    char in[URL_MAX + 2];
    const char *why = NULL;
    char *url = NULL;

    (void)state;
    memset(in, 'u', sizeof(in));
    memcpy(in, "http://a/", 9);
    url = url_tidy(slice_of(in, URL_MAX), &why);
    assert_int_equal(strlen(url), URL_MAX);
    free(url);
    in[URL_MAX - 1] = ' ';
    in[URL_MAX] = 'u';
    assert_null(url_tidy(slice_of(in, URL_MAX + 1), &why));
    assert_string_equal(why, "is too long");
    assert_null(url_tidy(slice_of("http://a/\0b", 11), &why));
    assert_string_equal(why, "has a control character in it");
}

static void test_http(void **state)
{
    const char *why = NULL;
    char *url = url_tidy_http(slice_str("HTTPS://a/b c"), &why);

    (void)state;
    assert_string_equal(url, "HTTPS://a/b%20c");
    free(url);
    assert_null(url_tidy_http(slice_str("ftp://a/b"), &why));
    assert_string_equal(why, "is not of the web (http or https)");
    assert_null(url_tidy_http(slice_str("http://"), &why));
    assert_string_equal(why, "names no host");
}

/* Told printable and cut; so many are told and the others counted. */
static void test_left_out(void **state)
{
    struct url_left_out l = {0};
    char in[1000];

    (void)state;
    memset(in, 'u', sizeof(in));
    url_leave_out(&l, slice_str(" \t"), "is empty");
    assert_int_equal(l.n, 0);
    url_leave_out(&l, slice_str("a\x1b[31m"), "is red");
    url_leave_out(&l, slice_of(in, sizeof(in)), "is long");
    for (int i = 2; i < 100; i++) {
        url_leave_out(&l, slice_str("x"), "is one more");
    }
    assert_int_equal(l.n, 100);
    assert_int_equal(l.n_told, URL_MAX_TOLD);
    assert_string_equal(l.told[0].text, "a [31m");
    assert_string_equal(l.told[0].why, "is red");
    assert_in_range(strlen(l.told[1].text), 100, 255);
    url_left_out_fini(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table), cmocka_unit_test(test_twice),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_http),
        cmocka_unit_test(test_left_out)};

    return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
