/* Metadata exchange: what peers send, whole and cut; what we send, read back.
 */
#include "proto/peer/ut_metadata.h"

#include "base/err.h"
#include "guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void metadata_test_decode(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        int rc;
        int type;
        unsigned piece;
        unsigned long long total;
        const char *data;
    } cases[] = {
        {"d8:msg_typei0e5:piecei3ee", 0, 0, 3, 0, ""},
        {"d8:msg_typei2e5:piecei0ee", 0, 2, 0, 0, ""},
        {"d8:msg_typei1e5:piecei1e10:total_sizei9eeabc", 0, 1, 1, 9, "abc"},
        {"d8:msg_typei1e5:piecei1eeabc", 0, 1, 1, 0, "abc"},
        {"d8:msg_typei1e5:piecei1e10:total_sizei-9eex", 0, 1, 1, 0, "x"},
        {"d8:msg_typei1e5:piecei1e10:total_size1:xex", 0, 1, 1, 0, "x"},
        {"d8:msg_typei9e5:piecei0ee", BTC_E_UNSUPPORTED, 0, 0, 0, ""},
        {"d8:msg_typei0e5:piecei-1ee", BTC_E_PROTO, 0, 0, 0, ""},
        {"d8:msg_typei0e5:piecei2147483648ee", BTC_E_PROTO, 0, 0, 0, ""},
        {"d8:msg_typei-1e5:piecei0ee", BTC_E_PROTO, 0, 0, 0, ""},
        {"d8:msg_typei0ee", BTC_E_PROTO, 0, 0, 0, ""},
        {"d5:piecei0ee", BTC_E_PROTO, 0, 0, 0, ""},
        {"i0e", BTC_E_PROTO, 0, 0, 0, ""},
        {"", BTC_E_PROTO, 0, 0, 0, ""},
        {"d8:msg_typei0e5:piecei0e", BTC_E_PROTO, 0, 0, 0, ""},
    };
    struct guard g;
    guard_init(&g, 4096);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = strlen(cases[i].in);
        struct ut_metadata m;
        int rc = ut_metadata_decode(
            slice_of(guard_put(&g, cases[i].in, len), len), &m);
        if (rc != cases[i].rc) {
            fail_msg("'%s': %d", cases[i].in, rc);
        }
        if (rc == 0) {
            assert_int_equal(m.type, cases[i].type);
            assert_int_equal(m.piece, cases[i].piece);
            assert_true(m.total_size == cases[i].total);
            assert_true(slice_eq_str(m.data, cases[i].data));
        }
        for (size_t cut = 0; cut < len; cut++) {
            (void)ut_metadata_decode(
                slice_of(guard_put(&g, cases[i].in, cut), cut), &m);
        }
    }
    guard_fini(&g);
}

static void metadata_test_encode(void **state)
{
    (void)state;
    struct buf out;
    struct ut_metadata m = {.type = UT_METADATA_REQUEST, .piece = 7};
    buf_init(&out, UT_METADATA_MAX_BYTES);
    assert_int_equal(ut_metadata_encode(&m, &out), 0);
    assert_true(slice_eq_str(buf_slice(&out), "d8:msg_typei0e5:piecei7ee"));
    buf_clear(&out);
    m.type = UT_METADATA_DATA;
    m.total_size = 20000;
    m.data = slice_str("data");
    assert_int_equal(ut_metadata_encode(&m, &out), 0);
    assert_true(slice_eq_str(
        buf_slice(&out), "d8:msg_typei1e5:piecei7e10:total_sizei20000eedata"));
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metadata_test_decode),
        cmocka_unit_test(metadata_test_encode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
