/* ut_pex: what is said, what is passed over, and that nothing is over-read. */
#include "proto/peer/ut_pex.h"

#include "base/err.h"
#include "guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define P1   "\x01\x02\x03\x04\x1a\xe1" /* 1.2.3.4:6881 */
#define P2   "\x05\x06\x07\x08\x00\x50" /* 5.6.7.8:80 */
#define P0   "\x05\x06\x07\x08\x00\x00" /* port 0 */
#define P6   "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe1"
#define PMAP "\0\0\0\0\0\0\0\0\0\0\xff\xff\x01\x02\x03\x04\x1a\xe1"

struct test_case {
    const char *input;
    size_t len;
    const char *want; /* NULL: BTC_E_PROTO */
};
#define CASE(s, want)            \
    {                            \
        (s), sizeof(s) - 1, want \
    }

/* clang-format off */
static const struct test_case test_cases[] = {
    CASE("de", ""),
    CASE("d5:added12:" P1 P2 "7:added.f2:\x02\x10" "e",
         "+1.2.3.4:6881/02 +5.6.7.8:80/10 "),
    CASE("d5:added12:" P1 P2 "7:added.f1:\x02" "e",
         "+1.2.3.4:6881/02 +5.6.7.8:80/00 "),
    CASE("d5:added12:" P1 P2 "e", "+1.2.3.4:6881/00 +5.6.7.8:80/00 "),
    CASE("d5:added12:" P1 P2 "7:added.fi1ee",
         "+1.2.3.4:6881/00 +5.6.7.8:80/00 "),
    /* The flags of one that is left out are left out with it. */
    CASE("d5:added12:" P0 P1 "7:added.f2:\x02\x10" "e", "+1.2.3.4:6881/10 "),
    CASE("d5:added7:" P1 "x" "e", "+1.2.3.4:6881/00 "),
    CASE("d5:added5:abcdee", ""),
    CASE("d5:addedi1e7:dropped6:" P2 "e", "-5.6.7.8:80 "),
    CASE("d6:added618:" P6 "8:added6.f1:\x04" "e",
         "+[2001:db8::1]:6881/04 "),
    CASE("d6:added618:" PMAP "e", "+1.2.3.4:6881/00 "),
    CASE("d7:dropped6:" P1 "8:dropped618:" P6 "e",
         "-1.2.3.4:6881 -[2001:db8::1]:6881 "),
    CASE("d5:added6:" P1 "etrailing", "+1.2.3.4:6881/00 "),
    CASE("", NULL), CASE("le", NULL), CASE("i1e", NULL), CASE("d", NULL),
    CASE("d5:added6:" P1, NULL), CASE("d5:added99:" P1 "e", NULL),
};
/* clang-format on */

static void test_describe(const struct ut_pex *m, struct buf *out)
{
    char text[ADDR_TEXT_MAX];
    int rc = 0;

    buf_clear(out);
    for (uint32_t i = 0; i < m->n_added; i++) {
        addr_format(&m->added[i].addr, text);
        rc |= buf_printf(out, "+%s/%02x ", text, m->added[i].flags);
    }
    for (uint32_t i = 0; i < m->n_dropped; i++) {
        addr_format(&m->dropped[i], text);
        rc |= buf_printf(out, "-%s ", text);
    }
    assert_int_equal(rc, 0);
}

static void test_decode(void **state)
{
    struct guard guard;
    struct buf text;

    (void)state;
    guard_init(&guard, UT_PEX_MAX_BYTES);
    buf_init(&text, UT_PEX_MAX_BYTES);
    for (size_t i = 0; i < sizeof test_cases / sizeof test_cases[0]; i++) {
        const struct test_case *c = &test_cases[i];
        struct ut_pex m;
        int rc = ut_pex_decode(
            slice_of(guard_put(&guard, c->input, c->len), c->len), &m);

        assert_int_equal(rc, c->want ? 0 : BTC_E_PROTO);
        test_describe(&m, &text);
        assert_true(slice_eq_str(buf_slice(&text), c->want ? c->want : ""));
    }
    buf_fini(&text);
    guard_fini(&guard);
}

static struct ut_pex test_full(void)
{
    struct ut_pex m = {.n_added = 3, .n_dropped = 2};

    assert_true(addr_parse(slice_str("1.2.3.4:6881"), &m.added[0].addr));
    assert_true(addr_parse(slice_str("5.6.7.8:80"), &m.added[1].addr));
    assert_true(addr_parse(slice_str("[2001:db8::1]:6881"), &m.added[2].addr));
    m.added[0].flags = UT_PEX_SEED;
    m.added[1].flags = UT_PEX_REACHABLE;
    m.added[2].flags = UT_PEX_UTP;
    assert_true(addr_parse(slice_str("9.9.9.9:9"), &m.dropped[0]));
    assert_true(addr_parse(slice_str("[2001:db8::2]:1"), &m.dropped[1]));
    return m;
}

static void test_encode(void **state)
{
    static const char wire[] =
        "d5:added12:" P1 P2 "7:added.f2:\x02\x10"
        "6:added618:" P6 "8:added6.f1:\x04"
        "7:dropped6:\x09\x09\x09\x09\x00\x09"
        "8:dropped618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\0\x01"
        "e";
    struct ut_pex m = test_full();
    struct ut_pex back;
    struct buf out;

    (void)state;
    buf_init(&out, UT_PEX_MAX_BYTES);
    assert_int_equal(ut_pex_encode(&m, &out), 0);
    assert_true(slice_eq(buf_slice(&out), slice_of(wire, sizeof wire - 1)));
    assert_int_equal(ut_pex_decode(buf_slice(&out), &back), 0);
    assert_int_equal(back.n_added, 3);
    assert_int_equal(back.n_dropped, 2);
    for (size_t max = 0; max < sizeof wire - 1; max++) {
        struct buf small;
        buf_init(&small, max);
        assert_int_equal(ut_pex_encode(&m, &small), BTC_E_LIMIT);
        buf_fini(&small);
    }
    buf_fini(&out);
}

/* No truncation of a good message decodes, and none is over-read. */
static void test_truncated(void **state)
{
    struct ut_pex m = test_full();
    struct guard guard;
    struct buf out;

    (void)state;
    buf_init(&out, UT_PEX_MAX_BYTES);
    assert_int_equal(ut_pex_encode(&m, &out), 0);
    guard_init(&guard, buf_len(&out));
    for (size_t n = 0; n < buf_len(&out); n++) {
        const uint8_t *p = guard_put(&guard, buf_slice(&out).p, n);
        assert_int_equal(ut_pex_decode(slice_of(p, n), &m), BTC_E_PROTO);
    }
    guard_fini(&guard);
    buf_fini(&out);
}

/* As many as fit are taken; the largest message stays below its bound. */
static void test_many(void **state)
{
    struct ut_pex m;
    struct buf in;

    (void)state;
    buf_init(&in, 65536);
    assert_int_equal(buf_printf(&in, "d6:added6%d:", 1000 * ADDR_COMPACT_6), 0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(buf_append(&in, P6, ADDR_COMPACT_6), 0);
    }
    assert_int_equal(buf_printf(&in, "8:dropped6%d:", 1000 * ADDR_COMPACT_6),
                     0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(buf_append(&in, P6, ADDR_COMPACT_6), 0);
    }
    assert_int_equal(buf_append_byte(&in, 'e'), 0);
    assert_int_equal(ut_pex_decode(buf_slice(&in), &m), 0);
    assert_int_equal(m.n_added, UT_PEX_MAX_PEERS);
    assert_int_equal(m.n_dropped, UT_PEX_MAX_PEERS);
    buf_fini(&in);
    buf_init(&in, UT_PEX_MAX_BYTES);
    assert_int_equal(ut_pex_encode(&m, &in), 0);
    buf_fini(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
