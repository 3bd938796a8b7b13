/* bencode: what the validator takes and refuses, that it never reads past its
 * input, and that the cursor finds again what was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guard.h"
#include "proto/bencode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bencode_case {
    const char *in;
    ptrdiff_t rc;     /* length, or the code */
    size_t offset;    /* of the fault */
    const char *what; /* part of the fault's text */
};

/* clang-format off */
static const struct bencode_case bencode_cases[] = {
    /* integers */
    {"i0e", 3, 0, NULL},
    {"i42e", 4, 0, NULL},
    {"i-1e", 4, 0, NULL},
    {"i9223372036854775807e", 21, 0, NULL},
    {"i-9223372036854775808e", 22, 0, NULL},
    {"i9223372036854775808e", BTC_E_SYNTAX, 1, "out of range"},
    {"i-9223372036854775809e", BTC_E_SYNTAX, 2, "out of range"},
    {"i99999999999999999999999999e", BTC_E_SYNTAX, 1, "out of range"},
    {"i-0e", BTC_E_SYNTAX, 1, "minus zero"},
    {"i00e", BTC_E_SYNTAX, 1, "leading zero"},
    {"i03e", BTC_E_SYNTAX, 1, "leading zero"},
    {"i-03e", BTC_E_SYNTAX, 2, "leading zero"},
    {"ie", BTC_E_SYNTAX, 1, "malformed number"},
    {"i-e", BTC_E_SYNTAX, 2, "malformed number"},
    {"i--1e", BTC_E_SYNTAX, 2, "malformed number"},
    {"i+1e", BTC_E_SYNTAX, 1, "malformed number"},
    {"i 1e", BTC_E_SYNTAX, 1, "malformed number"},
    {"i1 e", BTC_E_SYNTAX, 2, "malformed number"},
    {"i1.5e", BTC_E_SYNTAX, 2, "malformed number"},
    {"i12", BTC_E_SYNTAX, 3, "unexpected end"},
    {"i-", BTC_E_SYNTAX, 2, "unexpected end"},
    {"i", BTC_E_SYNTAX, 1, "unexpected end"},
    /* strings */
    {"0:", 2, 0, NULL},
    {"4:spam", 6, 0, NULL},
    {"4:spamX", 6, 0, NULL}, /* what follows is the caller's matter */
    {"5:spam", BTC_E_SYNTAX, 6, "truncated string"},
    {"04:spam", BTC_E_SYNTAX, 0, "leading zero"},
    {"4spam", BTC_E_SYNTAX, 1, "malformed number"},
    {"4", BTC_E_SYNTAX, 1, "unexpected end"},
    {"-1:a", BTC_E_SYNTAX, 0, "not bencoding"},
    {"18446744073709551615:a", BTC_E_SYNTAX, 22, "truncated string"},
    {"18446744073709551616:a", BTC_E_SYNTAX, 0, "out of range"},
    {"99999999999999999999999:a", BTC_E_SYNTAX, 0, "out of range"},
    /* containers */
    {"le", 2, 0, NULL},
    {"de", 2, 0, NULL},
    {"llleee", 6, 0, NULL},
    {"l4:spami7ee", 11, 0, NULL},
    {"d3:cow3:moo4:spam4:eggse", 24, 0, NULL},
    {"d4:spaml1:a1:bee", 16, 0, NULL},
    {"d1:b0:1:a0:e", 12, 0, NULL},    /* unsorted: accepted */
    {"d1:a0:1:ai1ee", 13, 0, NULL},   /* doubled: accepted */
    {"d0:0:e", 6, 0, NULL},
    {"d1:ae", BTC_E_SYNTAX, 4, "key without a value"},
    {"di1e1:ae", BTC_E_SYNTAX, 1, "key is not a string"},
    {"dlee", BTC_E_SYNTAX, 1, "key is not a string"},
    {"d1:ai1e", BTC_E_SYNTAX, 7, "unexpected end"},
    {"l", BTC_E_SYNTAX, 1, "unexpected end"},
    {"d", BTC_E_SYNTAX, 1, "unexpected end"},
    {"lx", BTC_E_SYNTAX, 1, "not bencoding"},
    /* no value at all */
    {"", BTC_E_SYNTAX, 0, "unexpected end"},
    {"e", BTC_E_SYNTAX, 0, "unexpected 'e'"},
    {"<html>", BTC_E_SYNTAX, 0, "not bencoding"},
    {" i1e", BTC_E_SYNTAX, 0, "not bencoding"},
};
/* clang-format on */

/* One case at the end of readable memory. */
static void bencode_run_case(struct guard *g, const struct bencode_case *c)
{
    size_t len = strlen(c->in);
    struct bencode_fault fault = {.offset = 0, .what = ""};
    ptrdiff_t rc =
        bencode_check(slice_of(guard_put(g, c->in, len), len), &fault);

    if (rc != c->rc) {
        fail_msg("'%s' gives %td, not %td", c->in, rc, c->rc);
    }
    if (rc < 0 &&
        (fault.offset != c->offset || strstr(fault.what, c->what) == NULL)) {
        fail_msg("'%s': %s at %zu", c->in, fault.what, fault.offset);
    }
    /* A prefix of a value is never a value. */
    for (ptrdiff_t n = 0; n < rc; n++) {
        const uint8_t *p = guard_put(g, c->in, (size_t)n);
        assert_int_equal(bencode_check(slice_of(p, (size_t)n), &fault),
                         BTC_E_SYNTAX);
        assert_int_equal(fault.offset, n);
    }
}

static void test_check_cases(void **state)
{
    struct guard g;

    (void)state;
    guard_init(&g, 4096);
    for (size_t i = 0; i < sizeof(bencode_cases) / sizeof(*bencode_cases);
         i++) {
        bencode_run_case(&g, &bencode_cases[i]);
    }
    assert_int_equal(bencode_check(slice_str("le"), NULL), 2);
    assert_int_equal(bencode_check(slice_str("l"), NULL), BTC_E_SYNTAX);
    guard_fini(&g);
}

/* Depth: the limit is reachable, one more is refused where it stands. */
static void test_check_depth(void **state)
{
    char in[2 * (BENCODE_MAX_DEPTH + 1)];
    struct bencode_fault fault;
    size_t n = BENCODE_MAX_DEPTH;

    (void)state;
    memset(in, 'l', n);
    memset(in + n, 'e', n);
    assert_int_equal(bencode_check(slice_of(in, 2 * n), &fault), 2 * n);
    n++;
    memset(in, 'l', n);
    memset(in + n, 'e', n);
    assert_int_equal(bencode_check(slice_of(in, 2 * n), &fault), BTC_E_LIMIT);
    assert_int_equal(fault.offset, BENCODE_MAX_DEPTH);
    assert_string_equal(fault.what, "nested too deep");
}

/* A hundred thousand opening brackets do not use a hundred thousand frames. */
static void test_check_bombs(void **state)
{
    size_t n = 100000;
    char *in = malloc(n);

    (void)state;
    assert_non_null(in);
    memset(in, 'd', n);
    assert_int_equal(bencode_check(slice_of(in, n), NULL), BTC_E_SYNTAX);
    memset(in, 'l', n);
    assert_int_equal(bencode_check(slice_of(in, n), NULL), BTC_E_LIMIT);
    memset(in, '9', n);
    assert_int_equal(bencode_check(slice_of(in, n), NULL), BTC_E_SYNTAX);
    free(in);
}

/* The cap on values counts the outer list too. */
static void test_check_values(void **state)
{
    size_t n = BENCODE_MAX_VALUES;
    char *in = malloc(2 * n + 2);
    struct bencode_fault fault;

    (void)state;
    assert_non_null(in);
    in[0] = 'l';
    for (size_t i = 0; i < n; i++) {
        in[1 + 2 * i] = '0';
        in[2 + 2 * i] = ':';
    }
    in[1 + 2 * (n - 1)] = 'e';
    assert_int_equal(bencode_check(slice_of(in, 2 * n), NULL), 2 * n);
    in[1 + 2 * (n - 1)] = '0';
    in[1 + 2 * n] = 'e';
    assert_int_equal(bencode_check(slice_of(in, 2 * n + 2), &fault),
                     BTC_E_LIMIT);
    assert_string_equal(fault.what, "too many values");
    free(in);
}

/* Walks a list, then a dictionary whose values nest. */
static void test_iter(void **state)
{
    const char *text = "d1:ali1eli2eee1:bd1:xi3ee0:3:abc1:ai9ee";
    struct slice in = slice_str(text);
    struct bencode_iter it = bencode_iter(in);
    struct slice key;
    struct slice value;

    (void)state;
    assert_int_equal(bencode_check(in, NULL), in.len);
    assert_true(it.dict);
    assert_true(bencode_next(&it, &key, &value));
    assert_true(slice_eq_str(key, "a"));
    assert_true(slice_eq_str(value, "li1eli2eee"));
    assert_true(bencode_next(&it, &key, &value));
    assert_true(slice_eq_str(key, "b"));
    assert_true(slice_eq_str(value, "d1:xi3ee"));
    assert_true(bencode_next(&it, &key, &value));
    assert_int_equal(key.len, 0);
    assert_true(slice_eq_str(value, "3:abc"));
    assert_true(bencode_next(&it, &key, &value));
    assert_true(slice_eq_str(value, "i9e"));
    assert_false(bencode_next(&it, &key, &value));
    assert_false(bencode_next(&it, &key, &value));

    it = bencode_iter(bencode_get_list(in, "a"));
    assert_false(it.dict);
    assert_true(bencode_next(&it, &key, &value));
    assert_true(slice_eq_str(value, "i1e"));
    assert_int_equal(key.len, 0);
    assert_true(bencode_next(&it, &key, &value));
    assert_true(slice_eq_str(value, "li2ee"));
    assert_false(bencode_next(&it, &key, &value));
}

static void test_get(void **state)
{
    struct slice in =
        slice_str("d1:ai-7e1:b3:abc1:cl1:xe1:dd1:yi1ee1:ai8e1:e0:e");
    struct slice s;
    int64_t v = 0;

    (void)state;
    assert_int_equal(bencode_check(in, NULL), in.len);
    assert_true(bencode_get_int(in, "a", &v)); /* the first one wins */
    assert_int_equal(v, -7);
    assert_true(bencode_get_str(in, "b", &s));
    assert_true(slice_eq_str(s, "abc"));
    assert_true(bencode_get_str(in, "e", &s));
    assert_int_equal(s.len, 0);
    assert_true(slice_eq_str(bencode_get_list(in, "c"), "l1:xe"));
    assert_true(slice_eq_str(bencode_get_dict(in, "d"), "d1:yi1ee"));
    assert_true(slice_eq_str(bencode_get(in, "a"), "i-7e"));
    /* absent, or of another type */
    assert_int_equal(bencode_get(in, "z").len, 0);
    assert_int_equal(bencode_get(in, "").len, 0);
    assert_false(bencode_get_int(in, "b", &v));
    assert_false(bencode_get_str(in, "a", &s));
    assert_int_equal(bencode_get_list(in, "d").len, 0);
    assert_int_equal(bencode_get_dict(in, "c").len, 0);
    assert_int_equal(bencode_get(slice_str("i1e"), "a").len, 0);
    assert_int_equal(bencode_get(slice_of(NULL, 0), "a").len, 0);
    assert_int_equal(bencode_get(slice_str("l1:ae"), "a").len, 0);
}

/* The n-th key of test_dict, which has more than are remembered. */
static const char *dict_key(unsigned n, char text[8])
{
    (void)snprintf(text, 8, "k%02u", (n * 7) % (BENCODE_DICT_KNOWN + 10));
    return text;
}

static void test_dict(void **state)
{
    char key[8];
    struct buf b;
    struct bencode_dict d;

    (void)state;
    buf_init(&b, 4096);
    (void)bencode_put_raw(&b, 'd');
    for (unsigned i = 0; i < BENCODE_DICT_KNOWN + 12; i++) { /* 2 doubles */
        (void)bencode_put_cstr(&b, dict_key(i, key));
        (void)buf_printf(&b, "li%uee", i);
    }
    (void)bencode_put_raw(&b, 'e');
    assert_int_equal(bencode_check(buf_slice(&b), NULL), buf_len(&b));
    for (unsigned first = 0; first < 40; first++) {
        bencode_dict_open(&d, buf_slice(&b));
        for (unsigned i = 0; i < 40; i++) {
            (void)snprintf(key, sizeof(key), "k%02u", (first + i * 3) % 40);
            struct slice want = bencode_get(buf_slice(&b), key);
            struct slice got = bencode_dict_get(&d, key);
            assert_ptr_equal(got.p, want.p);
            assert_int_equal(got.len, want.len);
        }
    }
    buf_fini(&b);
    bencode_dict_open(&d, slice_str("l1:ae"));
    assert_int_equal(bencode_dict_get(&d, "a").len, 0);
    bencode_dict_open(&d, slice_of(NULL, 0));
    assert_int_equal(bencode_dict_get(&d, "a").len, 0);
}

/* What lies between two keys is walked over once: it may even change. */
static void test_dict_once(void **state)
{
    char text[] = "d1:al1:xe1:bi7ee";
    struct bencode_dict d;
    int64_t v = 0;

    (void)state;
    bencode_dict_open(&d, slice_str(text));
    assert_int_equal(bencode_dict_get(&d, "c").len, 0);
    memset(text + 4, 'd', 5);
    assert_true(bencode_int(bencode_dict_get(&d, "b"), &v));
    assert_int_equal(v, 7);
    assert_int_equal(bencode_dict_get(&d, "c").len, 0);
}

static void test_type(void **state)
{
    (void)state;
    assert_int_equal(bencode_type(slice_of(NULL, 0)), BENCODE_NONE);
    assert_int_equal(bencode_type(slice_str("i1e")), BENCODE_INT);
    assert_int_equal(bencode_type(slice_str("0:")), BENCODE_STR);
    assert_int_equal(bencode_type(slice_str("le")), BENCODE_LIST);
    assert_int_equal(bencode_type(slice_str("de")), BENCODE_DICT);
    assert_int_equal(bencode_type(slice_str("x")), BENCODE_NONE);
}

/* The value functions on bytes that nobody checked: nonsense is allowed, a read
 * past the end is not. */
static void test_unchecked(void **state)
{
    static const char *const cases[] = {
        "d",      "d1", "d1:",   "d9:a", "d1:a",   "d1:ai",
        "d1:a9:", "l",  "li",    "li1",  "l5:abc", "lll",
        "i",      "i1", "ieeee", "eeee", "d1:aee", "l99999999999999999999999:a",
    };
    struct guard g;

    (void)state;
    guard_init(&g, 4096);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        size_t len = strlen(cases[i]);
        struct slice in = slice_of(guard_put(&g, cases[i], len), len);
        struct bencode_iter it = bencode_iter(in);
        struct slice key;
        struct slice value;
        int64_t v;
        size_t n = 0;
        while (bencode_next(&it, &key, &value)) {
            assert_true(value.len > 0 && value.len <= len);
            assert_true(++n <= len);
        }
        (void)bencode_get(in, "a");
        (void)bencode_int(in, &v);
        if (bencode_str(in, &value)) {
            assert_true(value.len <= len);
        }
    }
    guard_fini(&g);
}

/* Walking a list of deep items costs about its length, not its square: with a
 * rescan per item this would take minutes. */
static void test_iter_linear(void **state)
{
    size_t n = 200000;
    struct buf b;
    struct bencode_iter it;
    struct slice key;
    struct slice value;
    size_t found = 0;

    (void)state;
    if (getenv("BTC_VALGRIND") != NULL) {
        skip(); /* is about the number */
    }
    buf_init(&b, 8u << 20);
    assert_int_equal(bencode_put_raw(&b, 'l'), 0);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(buf_append_str(&b, "lllli1eeee1:xe"), 0);
    }
    assert_int_equal(bencode_put_raw(&b, 'e'), 0);
    assert_int_equal(bencode_check(buf_slice(&b), NULL), buf_len(&b));
    it = bencode_iter(buf_slice(&b));
    while (bencode_next(&it, &key, &value)) {
        found++;
    }
    assert_int_equal(found, n);
    buf_fini(&b);
}

static void test_put(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 64);
    assert_int_equal(bencode_put_raw(&b, 'd'), 0);
    assert_int_equal(bencode_put_cstr(&b, "a"), 0);
    assert_int_equal(bencode_put_int(&b, INT64_MIN), 0);
    assert_int_equal(bencode_put_cstr(&b, "b"), 0);
    assert_int_equal(bencode_put_str(&b, slice_of("\0x", 2)), 0);
    assert_int_equal(bencode_put_cstr(&b, ""), 0);
    assert_int_equal(bencode_put_int(&b, 0), 0);
    assert_int_equal(bencode_put_raw(&b, 'e'), 0);
    assert_true(
        slice_eq(buf_slice(&b),
                 slice_of("d1:ai-9223372036854775808e1:b2:\0x0:i0ee", 39)));
    assert_int_equal(bencode_check(buf_slice(&b), NULL), 39);
    buf_fini(&b);
}

/* A string that does not fit leaves nothing behind, not even its length. */
static void test_put_limit(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 6);
    assert_int_equal(bencode_put_cstr(&b, "abcde"), BTC_E_LIMIT);
    assert_int_equal(buf_len(&b), 0);
    assert_int_equal(bencode_put_cstr(&b, "abcd"), 0);
    assert_int_equal(bencode_put_raw(&b, 'e'), BTC_E_LIMIT);
    assert_int_equal(bencode_put_int(&b, 1), BTC_E_LIMIT);
    assert_true(slice_eq_str(buf_slice(&b), "4:abcd"));
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_cases), cmocka_unit_test(test_check_depth),
        cmocka_unit_test(test_check_bombs), cmocka_unit_test(test_check_values),
        cmocka_unit_test(test_iter),        cmocka_unit_test(test_get),
        cmocka_unit_test(test_dict),        cmocka_unit_test(test_dict_once),
        cmocka_unit_test(test_type),        cmocka_unit_test(test_unchecked),
        cmocka_unit_test(test_iter_linear), cmocka_unit_test(test_put),
        cmocka_unit_test(test_put_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
