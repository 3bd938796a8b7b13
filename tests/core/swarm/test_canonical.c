/* BEP 40: its own examples, and what the text says beside them. */
#include "core/swarm/canonical.h"

#include "base/crc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct addr at(const char *text)
{
    struct addr a;
    assert_true(addr_parse(slice_str(text), &a));
    return a;
}

/* Both ways. */
static uint32_t priority(const char *a, const char *b)
{
    struct addr one = at(a), other = at(b);
    uint32_t p = canonical_priority(&one, &other);
    assert_int_equal(p, canonical_priority(&other, &one));
    return p;
}

/* Of bytes in hexadecimal. */
static uint32_t crc_of(const char *hex)
{
    uint8_t bytes[64];
    size_t len = strlen(hex) / 2;
    assert_true(bytes_from_hex(slice_str(hex), bytes, len));
    return crc_32c(bytes, len);
}

static void test_examples(void **state)
{
    (void)state;
    assert_int_equal(priority("123.213.32.10:1", "98.76.54.32:2"), 0xec2d7224);
    assert_int_equal(priority("123.213.32.10:1", "123.213.32.234:2"),
                     0x99568189);
}

/* A third length of what they have in common, one address, two families. */
static void test_others(void **state)
{
    (void)state;
    assert_int_equal(priority("123.213.32.10:1", "123.213.33.234:2"),
                     crc_of("7bd520007bd52140"));
    assert_int_equal(priority("1.2.3.4:6881", "1.2.3.4:80"),
                     crc_of("00501ae1"));
    assert_int_equal(priority("1.2.3.4:80", "[2001:db8::1]:80"), 0);
}

static void test_ipv6(void **state)
{
    (void)state;
    assert_int_equal(
        priority("[2001:db8:1:ffff:ffff::1]:1", "[2001:db8:2:ffff::ffff]:1"),
        crc_of("20010db8000155555555000000000001"
               "20010db8000255550000000000005555"));
    assert_int_equal(
        priority("[2001:db8:1:ffff:ffff::1]:1", "[2001:db8:1:aaff::ffff]:1"),
        crc_of("20010db80001aa550000000000005555"
               "20010db80001ff555555000000000001"));
    assert_int_equal(
        priority("[2001:db8:1:aaff:ffff::1]:1", "[2001:db8:1:aa11::ffff]:1"),
        crc_of("20010db80001aa110000000000005555"
               "20010db80001aaff5555000000000001"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_ipv6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
