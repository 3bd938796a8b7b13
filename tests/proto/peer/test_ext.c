/* The extension handshake: what peers send, read into a line of text; what we
 * send, byte for byte and read back. */
#include "proto/peer/ext.h"

#include "base/err.h"
#include "guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEST_INPUT_MAX 4096

struct test_case {
    const char *input;
    const char *want; /* NULL: BTC_E_PROTO */
};

/* clang-format off */
static const struct test_case test_cases[] = {
    {"de", ""},
    {"d1:md11:lt_donthavei7e11:ut_metadatai3e6:ut_pexi1ee13:metadata_sizei31235e"
     "1:pi6881e4:reqqi250e11:upload_onlyi1e1:v13:\xc2\xb5Torrent 1.2"
     "6:yourip4:\xc0\x01\x02\x07" "e",
     "meta=3 pex=1 donthave=7 size=31235 port=6881 reqq=250 only "
     "v=\xc2\xb5Torrent 1.2 ip=192.1.2.7"},
    /* keys out of order, unknown ones between */
    {"d1:v1:x1:xd1:yi1ee1:md6:ut_pexi255e1:zi9eee", "pex=255 v=x"},
    /* ids out of range or of a wrong type */
    {"d1:md11:lt_donthavei-1e11:ut_metadatai256e6:ut_pex1:1ee", ""},
    {"d1:mle1:v1:ae", "v=a"},
    {"d1:mi1ee", ""},
    /* numbers that make no sense */
    {"d13:metadata_sizei-5e1:pi65536e4:reqqi0e11:upload_onlyi0ee", ""},
    {"d13:metadata_sizei9223372036854775807e1:pi65535e4:reqqi99999999999ee",
     "size=9223372036854775807 port=65535 reqq=65536"},
    {"d13:metadata_size1:51:p1:14:reqqle11:upload_only1:1e", ""},
    /* text is made printable */
    {"d1:v5:a\x1b[\xff" "be", "v=a [\xef\xbf\xbd" "b"},
    {"d1:vi5ee", ""},
    /* yourip of any other length says nothing */
    {"d6:yourip3:abce", ""},
    {"d6:yourip16:\x20\x01\x0d\xb8" "aaaaaaaaaaaae",
     "ip=2001:db8:6161:6161:6161:6161:6161:6161"},
    {"d6:youripi1ee", ""},
    /* bytes behind the dictionary are not ours to judge */
    {"d1:pi1eegarbage", "port=1"},
    {"", NULL},
    {"d", NULL},
    {"le", NULL},
    {"i1e", NULL},
    {"2:de", NULL},
    {"d1:m", NULL},
    {"d1:pi6881e", NULL},
    {"<html>", NULL},
};
/* clang-format on */

/* What was said, in a fixed order. */
static void test_describe(const struct ext_handshake *h, struct buf *out)
{
    char ip[ADDR_TEXT_MAX];
    int rc = 0;

    buf_clear(out);
    rc |= h->ut_metadata ? buf_printf(out, "meta=%u ", h->ut_metadata) : 0;
    rc |= h->ut_pex ? buf_printf(out, "pex=%u ", h->ut_pex) : 0;
    rc |= h->lt_donthave ? buf_printf(out, "donthave=%u ", h->lt_donthave) : 0;
    rc |= h->metadata_size ? buf_printf(out, "size=%llu ",
                                        (unsigned long long)h->metadata_size)
                           : 0;
    rc |= h->port ? buf_printf(out, "port=%u ", h->port) : 0;
    rc |= h->reqq ? buf_printf(out, "reqq=%u ", h->reqq) : 0;
    rc |= h->upload_only ? buf_append_str(out, "only ") : 0;
    rc |= h->client[0] ? buf_printf(out, "v=%s ", h->client) : 0;
    if (h->yourip.family != ADDR_NONE) {
        addr_format_ip(&h->yourip, ip);
        rc |= buf_printf(out, "ip=%s ", ip);
    }
    assert_int_equal(rc, 0);
}

/* The description against what is wanted, its last blank aside. */
static void test_compare(const struct test_case *c, struct buf *text)
{
    const char *want = c->want ? c->want : "";
    const char *have = buf_cstr(text);
    size_t len = buf_len(text);

    assert_non_null(have);
    len -= len > 0;
    if (len != strlen(want) || strncmp(have, want, len) != 0) {
        fail_msg("%s:\n  want %s\n  have %s", c->input, want, have);
    }
}

/* What a peer's first handshake says. */
static int test_decode_first(struct slice payload, struct ext_handshake *out)
{
    *out = (struct ext_handshake){.client = ""};
    return ext_handshake_update(payload, out);
}

static void test_decode(void **state)
{
    struct guard guard;
    struct buf text;

    (void)state;
    guard_init(&guard, TEST_INPUT_MAX);
    buf_init(&text, TEST_INPUT_MAX);
    for (size_t i = 0; i < sizeof test_cases / sizeof test_cases[0]; i++) {
        const struct test_case *c = &test_cases[i];
        size_t len = strlen(c->input);
        struct ext_handshake h;
        int rc = test_decode_first(
            slice_of(guard_put(&guard, c->input, len), len), &h);

        assert_int_equal(rc, c->want ? 0 : BTC_E_PROTO);
        assert_int_equal(h.yourip.port, 0);
        test_describe(&h, &text);
        test_compare(c, &text);
    }
    buf_fini(&text);
    guard_fini(&guard);
}

/* A later handshake changes what it says and nothing else (BEP 10). */
static void test_update(void **state)
{
    static const struct test_case steps[] = {
        {"de", "meta=3 pex=1 donthave=7 size=31235 port=6881 reqq=250 only "
               "v=\xc2\xb5Torrent 1.2 ip=192.1.2.7"},
        {"d1:md11:lt_donthavei0e6:ut_pexi9ee11:upload_onlyi0ee",
         "meta=3 pex=9 size=31235 port=6881 reqq=250 "
         "v=\xc2\xb5Torrent 1.2 ip=192.1.2.7"},
        {"d1:mi5e1:pi0e4:reqqi-1e1:vi5ee",
         "meta=3 pex=9 size=31235 port=6881 reqq=250 "
         "v=\xc2\xb5Torrent 1.2 ip=192.1.2.7"},
        {"d1:md11:ut_metadatai256ee1:pi1e1:v1:x",
         "meta=3 pex=9 size=31235 port=6881 reqq=250 "
         "v=\xc2\xb5Torrent 1.2 ip=192.1.2.7"}, /* it has no end */
        {"d1:md11:ut_metadatai256ee1:pi1e4:reqqi2e1:v1:xe",
         "pex=9 size=31235 port=1 reqq=2 v=x ip=192.1.2.7"},
    };
    struct ext_handshake h;
    struct buf text;

    (void)state;
    buf_init(&text, TEST_INPUT_MAX);
    assert_int_equal(test_decode_first(slice_str(test_cases[1].input), &h), 0);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        assert_int_equal(ext_handshake_update(slice_str(steps[i].input), &h),
                         i == 3 ? BTC_E_PROTO : 0);
        test_describe(&h, &text);
        test_compare(&steps[i], &text);
    }
    buf_fini(&text);
}

/* No truncation of a good handshake decodes. */
static void test_truncated(void **state)
{
    const char *in = test_cases[1].input;
    size_t len = strlen(in);
    struct guard guard;
    struct ext_handshake h;

    (void)state;
    guard_init(&guard, len);
    for (size_t n = 0; n < len; n++) {
        assert_int_equal(
            test_decode_first(slice_of(guard_put(&guard, in, n), n), &h),
            BTC_E_PROTO);
    }
    guard_fini(&guard);
}

static void test_client_is_cut(void **state)
{
    char in[256];
    struct ext_handshake h;
    int n = snprintf(in, sizeof in, "d1:v100:%0100de", 7);

    (void)state;
    assert_int_equal(test_decode_first(slice_of(in, (size_t)n), &h), 0);
    assert_int_equal(strlen(h.client), EXT_CLIENT_MAX - 1);
}

static struct ext_handshake test_full(void)
{
    struct ext_handshake h = {.ut_metadata = EXT_UT_METADATA,
                              .ut_pex = EXT_UT_PEX,
                              .lt_donthave = EXT_LT_DONTHAVE,
                              .upload_only = true,
                              .port = 51413,
                              .reqq = 500,
                              .metadata_size = 12345,
                              .client = "btc 0.1.0"};

    assert_true(addr_parse_ip(slice_str("192.0.2.7"), 0, &h.yourip));
    return h;
}

static void test_encode(void **state)
{
    static const char wire[] =
        "d1:md11:lt_donthavei3e11:ut_metadatai1e6:ut_pexi2ee13:metadata_size"
        "i12345e1:pi51413e4:reqqi500e11:upload_onlyi1e1:v9:btc 0.1.0"
        "6:yourip4:\xc0\x00\x02\x07"
        "e";
    struct slice want = slice_of(wire, sizeof wire - 1);
    struct ext_handshake h = test_full();
    struct ext_handshake back;
    struct ext_handshake none = {.yourip = addr_none()};
    struct buf out;

    (void)state;
    buf_init(&out, 1024);
    assert_int_equal(ext_handshake_encode(&h, &out), 0);
    assert_true(slice_eq(buf_slice(&out), want));
    buf_fini(&out);
    buf_init(&out, 1024);
    assert_int_equal(ext_handshake_encode(&none, &out), 0);
    assert_true(slice_eq_str(buf_slice(&out), "d1:mdee"));
    assert_int_equal(test_decode_first(buf_slice(&out), &back), 0);
    buf_fini(&out);
}

static void test_round_trip(void **state)
{
    struct ext_handshake h = test_full();
    struct ext_handshake back;
    struct buf out;
    struct buf a;
    struct buf b;

    (void)state;
    buf_init(&a, 1024);
    buf_init(&b, 1024);
    for (int v6 = 0; v6 < 2; v6++) {
        buf_init(&out, 1024);
        if (v6) {
            assert_true(addr_parse_ip(slice_str("2001:db8::1"), 0, &h.yourip));
        }
        assert_int_equal(ext_handshake_encode(&h, &out), 0);
        assert_int_equal(test_decode_first(buf_slice(&out), &back), 0);
        test_describe(&h, &a);
        test_describe(&back, &b);
        assert_true(slice_eq(buf_slice(&a), buf_slice(&b)));
        buf_fini(&out);
    }
    buf_fini(&a);
    buf_fini(&b);
}

/* Whatever the cap, the encoder says so and never writes past it. */
static void test_encode_limit(void **state)
{
    struct ext_handshake h = test_full();
    struct buf out;
    size_t full = 0;

    (void)state;
    buf_init(&out, 1024);
    assert_int_equal(ext_handshake_encode(&h, &out), 0);
    full = buf_len(&out);
    buf_fini(&out);
    for (size_t max = 0; max < full; max++) {
        buf_init(&out, max);
        assert_int_equal(ext_handshake_encode(&h, &out), BTC_E_LIMIT);
        assert_true(buf_len(&out) <= max);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_update),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_client_is_cut),
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_encode_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
