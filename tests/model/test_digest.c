/* Digests of 20 and of 32 bytes, and none. */
#include "model/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* FIPS 180-2, appendices A.1 and B.1: of "abc". */
#define ABC_SHA1 "a9993e364706816aba3e25717850c26c9cd0d89d"
#define ABC_SHA256 \
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void test_made(void **state)
{
    char hex[DIGEST_HEX_MAX + 1];
    struct digest d = digest_sha1(slice_str("abc"));
    (void)state;
    assert_int_equal(d.len, 20);
    digest_hex(&d, hex);
    assert_string_equal(hex, ABC_SHA1);
    d = digest_sha256(slice_str("abc"));
    assert_int_equal(d.len, 32);
    digest_hex(&d, hex);
    assert_string_equal(hex, ABC_SHA256);
    struct digest same = digest_sha256(slice_str("abc"));
    assert_true(digest_eq(&d, &same));
}

static void test_hex(void **state)
{
    static const char *const bad[] = {
        "", "a9", ABC_SHA1 "0", ABC_SHA256 "00",
        "x9993e364706816aba3e25717850c26c9cd0d89d"};
    struct digest v1, v2, other;
    char hex[DIGEST_HEX_MAX + 1];
    (void)state;
    assert_true(digest_from_hex(slice_str(ABC_SHA1), &v1));
    assert_true(digest_from_hex(slice_str(ABC_SHA256), &v2));
    assert_int_equal(v1.len, 20);
    assert_int_equal(v2.len, 32);
    assert_false(digest_eq(&v1, &v2));
    other = v2;
    other.len = SHA1_LEN; /* its beginning alone */
    assert_false(digest_eq(&other, &v2));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        other = v1;
        assert_false(digest_from_hex(slice_str(bad[i]), &other));
        assert_false(digest_is_set(&other));
        digest_hex(&other, hex);
        assert_string_equal(hex, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_made),
                                       cmocka_unit_test(test_hex)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
