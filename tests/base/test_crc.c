/* Checksums, by the vectors of RFC 3720 (B.4) and of the catalogue of CRCs. */
#include "base/crc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_32c(void **state)
{
    uint8_t bytes[32] = {0};
    (void)state;
    assert_int_equal(crc_32c(bytes, 0), 0);
    assert_int_equal(crc_32c((const uint8_t *)"123456789", 9), 0xe3069283);
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(crc_32c(bytes, sizeof(bytes)), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(crc_32c(bytes, sizeof(bytes)), 0x62a8ab43);
    for (uint8_t i = 0; i < 32; i++) {
        bytes[i] = i;
    }
    assert_int_equal(crc_32c(bytes, sizeof(bytes)), 0x46dd794e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_32c)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
