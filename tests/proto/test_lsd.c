/* lsd: announces that are good, mended and refused. */
#include "proto/lsd.h"

#include "base/err.h"
#include "guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define H1   "0123456789abcdef0123456789abcdef01234567"
#define H1U  "0123456789ABCDEF0123456789ABCDEF01234567"
#define H2   "ffffffffffffffffffffffffffffffffffffffff"
#define HEAD "BT-SEARCH * HTTP/1.1\r\n"

struct test_case {
    const char *input;
    const char *want; /* port, hashes, cookie; NULL: BTC_E_PROTO */
};

/* clang-format off */
static const struct test_case test_cases[] = {
    {HEAD "Host: 239.192.152.143:6771\r\nPort: 6881\r\nInfohash: " H1
     "\r\ncookie: abc\r\n\r\n\r\n", "6881 1 abc"},
    {HEAD "PORT:6881\r\nINFOHASH:" H1U "\r\n\r\n", "6881 1 "},
    {HEAD "port: \t 1 \t\nInfohash: " H1 "\n\n", "1 1 "},
    {HEAD "Infohash: " H1 "\r\nInfohash: " H2 "\r\nPort: 65535\r\n\r\n",
     "65535 2 "},
    /* What makes no sense is passed over. */
    {HEAD "X: y\r\n:\r\nPort\r\nPort: 1\r\nInfohash: xyz\r\nInfohash: " H1
     "\r\n\r\n", "1 1 "},
    {HEAD "Port: 1\r\nPort: 65536\r\nInfohash: " H1 "\r\n\r\n", "1 1 "},
    {HEAD "Port: 1\r\nInfohash: " H1 "\r\ncookie: a b\r\n\r\n", "1 1 "},
    {HEAD "Port: 1\r\nInfohash: " H1 "\r\ncookie: 12345678901234567890123456"
     "7890123\r\n\r\n", "1 1 "},
    /* Behind the empty line is nothing of ours; it may be missing. */
    {HEAD "Port: 1\r\nInfohash: " H1 "\r\n\r\nPort: 2\r\n", "1 1 "},
    {HEAD "Port: 1\r\nInfohash: " H1 "\r\n", "1 1 "},
    {"BT-SEARCH * HTTP/1.0\r\nPort: 1\r\nInfohash: " H1 "\r\n\r\n", "1 1 "},
    {"", NULL},
    {"\r\n", NULL},
    {HEAD, NULL},
    {"M-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: " H1 "\r\n\r\n", NULL},
    {HEAD "Port: 1\r\n\r\nInfohash: " H1 "\r\n", NULL},
    {HEAD "Port: 0\r\nInfohash: " H1 "\r\n\r\n", NULL},
    {HEAD "Port: -1\r\nInfohash: " H1 "\r\n\r\n", NULL},
    {HEAD "Port: 68816881\r\nInfohash: " H1 "\r\n\r\n", NULL},
    {HEAD "Port: 1\r\nInfohash: " H1 "0\r\n\r\n", NULL},
    {HEAD "Infohash: " H1 "\r\nPort: 688", NULL}, /* cut */
};
/* clang-format on */

static void test_decode(void **state)
{
    struct guard guard;

    (void)state;
    guard_init(&guard, LSD_MAX_BYTES);
    for (size_t i = 0; i < sizeof test_cases / sizeof test_cases[0]; i++) {
        const struct test_case *c = &test_cases[i];
        size_t len = strlen(c->input);
        struct lsd_announce a;
        char have[80];
        int rc =
            lsd_decode(slice_of(guard_put(&guard, c->input, len), len), &a);

        (void)snprintf(have, sizeof have, "%u %u %s", a.port, a.n_hashes,
                       a.cookie);
        if (rc != (c->want ? 0 : BTC_E_PROTO) ||
            (c->want && strcmp(have, c->want) != 0)) {
            fail_msg("%s: %d %s", c->input, rc, have);
        }
    }
    guard_fini(&guard);
}

static struct lsd_announce test_full(uint32_t n)
{
    struct lsd_announce a = {.port = 65535, .n_hashes = n, .cookie = "btc-1"};

    for (uint32_t i = 0; i < n; i++) {
        memset(a.info_hash[i], (int)i + 1, 20);
    }
    return a;
}

static void test_encode(void **state)
{
    struct lsd_announce a = test_full(1);
    struct buf out;

    (void)state;
    buf_init(&out, LSD_MAX_BYTES);
    assert_int_equal(lsd_encode(&a, true, &out), 0);
    assert_true(
        slice_eq_str(buf_slice(&out), HEAD
                     "Host: [ff15::efc0:988f]:6771\r\nPort: 65535\r\nInfohash: "
                     "0101010101010101010101010101010101010101\r\n"
                     "cookie: btc-1\r\n\r\n\r\n"));
    buf_clear(&out);
    a.cookie[0] = '\0';
    assert_int_equal(lsd_encode(&a, false, &out), 0);
    assert_true(
        slice_eq_str(buf_slice(&out), HEAD
                     "Host: 239.192.152.143:6771\r\nPort: 65535\r\nInfohash: "
                     "0101010101010101010101010101010101010101\r\n\r\n\r\n"));
    buf_fini(&out);
}

/* The largest announce fits, comes back whole, and decodes to fewer info
 * hashes or to nothing when it is cut. */
static void test_round_trip(void **state)
{
    struct lsd_announce a = test_full(LSD_MAX_HASHES);
    struct lsd_announce back;
    struct guard guard;
    struct buf out;
    uint32_t n_last = 0;

    (void)state;
    memset(a.cookie, 'c', sizeof a.cookie - 1);
    buf_init(&out, LSD_MAX_BYTES);
    assert_int_equal(lsd_encode(&a, true, &out), 0);
    assert_int_equal(lsd_decode(buf_slice(&out), &back), 0);
    assert_memory_equal(&a, &back, sizeof a);
    guard_init(&guard, LSD_MAX_BYTES);
    for (size_t n = 0; n <= buf_len(&out); n++) {
        const uint8_t *p = guard_put(&guard, buf_slice(&out).p, n);
        int rc = lsd_decode(slice_of(p, n), &back);

        assert_int_equal(rc, back.n_hashes > 0 ? 0 : BTC_E_PROTO);
        assert_true(back.n_hashes >= n_last);
        n_last = back.n_hashes;
    }
    assert_int_equal(n_last, LSD_MAX_HASHES);
    guard_fini(&guard);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
