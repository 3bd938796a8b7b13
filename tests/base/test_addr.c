/* Addresses: text, compact, sockaddr, and what may be dialled. */
#include "base/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct addr addr_of(const char *text)
{
    struct addr a = addr_none();
    if (!addr_parse(slice_str(text), &a)) {
        fail_msg("'%s' does not parse", text);
    }
    return a;
}

static void addr_test_text(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        const char *out; /* NULL: refused */
        const char *ip;
    } cases[] = {
        {"1.2.3.4:80", "1.2.3.4:80", "1.2.3.4"},
        {"0.0.0.0:0", "0.0.0.0:0", "0.0.0.0"},
        {"255.255.255.255:65535", "255.255.255.255:65535", "255.255.255.255"},
        {"[::1]:80", "[::1]:80", "::1"},
        {"[2001:DB8:0:0::1]:6881", "[2001:db8::1]:6881", "2001:db8::1"},
        {"[::ffff:1.2.3.4]:5", "1.2.3.4:5", "1.2.3.4"},
        {"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"", NULL, NULL},
        {":", NULL, NULL},
        {":80", NULL, NULL},
        {"1.2.3.4", NULL, NULL},
        {"1.2.3.4:", NULL, NULL},
        {"1.2.3.4:65536", NULL, NULL},
        {"1.2.3.4:-1", NULL, NULL},
        {"1.2.3.4:080", NULL, NULL},
        {"1.2.3.4: 80", NULL, NULL},
        {"1.2.3:80", NULL, NULL},
        {"1.2.3.256:80", NULL, NULL},
        {"[1.2.3.4]:80", NULL, NULL},
        {"::1:80", NULL, NULL},
        {"[::1]", NULL, NULL},
        {"[::1:80", NULL, NULL},
        {"[]:80", NULL, NULL},
        {"[fe80::1%eth0]:80", NULL, NULL},
        {"localhost:80", NULL, NULL},
        {"[11111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa]:1", NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct addr a = addr_none();
        char text[ADDR_TEXT_MAX];
        bool ok = addr_parse(slice_str(cases[i].in), &a);
        if (ok != (cases[i].out != NULL)) {
            fail_msg("'%s'", cases[i].in);
        }
        if (ok) {
            addr_format(&a, text);
            assert_string_equal(text, cases[i].out);
            addr_format_ip(&a, text);
            assert_string_equal(text, cases[i].ip);
        }
    }
    struct addr a;
    assert_false(addr_parse(slice_of("1.2.3.4\0:80", 11), &a));
    assert_false(addr_parse_ip(slice_of("1.2.3.4\0", 8), 1, &a));
    assert_false(addr_parse_ip(slice_of(NULL, 0), 1, &a));
    assert_true(addr_parse_ip(slice_str("::1"), 7, &a));
    assert_int_equal(a.port, 7);
}

static void addr_test_none(void **state)
{
    (void)state;
    struct addr a = addr_none();
    struct sockaddr_storage ss;
    char text[ADDR_TEXT_MAX];
    uint8_t compact[ADDR_COMPACT_6];
    addr_format(&a, text);
    assert_string_equal(text, "");
    addr_format_ip(&a, text);
    assert_string_equal(text, "");
    assert_int_equal(addr_to_compact(&a, compact), 0);
    assert_int_equal(addr_to_sockaddr(&a, &ss), 0);
    assert_false(addr_is_dialable(&a));
}

static void addr_test_compact(void **state)
{
    (void)state;
    static const uint8_t v4[ADDR_COMPACT_4] = {1, 2, 3, 4, 0x1a, 0xe1};
    static const uint8_t mapped[ADDR_COMPACT_6] = {
        [10] = 0xff, [11] = 0xff, 1, 2, 3, 4, 0x1a, 0xe1};
    static const uint8_t v6[ADDR_COMPACT_6] = {
        0x20, 0x01, 0x0d, 0xb8, [15] = 1, [16] = 0x1a, [17] = 0xe1};
    uint8_t out[ADDR_COMPACT_6];
    struct addr a = addr_from_compact4(v4);
    struct addr b = addr_of("1.2.3.4:6881");
    assert_true(addr_eq(&a, &b));
    assert_int_equal(addr_to_compact(&a, out), ADDR_COMPACT_4);
    assert_memory_equal(out, v4, ADDR_COMPACT_4);
    a = addr_from_compact6(mapped);
    assert_true(addr_eq(&a, &b));
    assert_memory_equal(&a, &b, sizeof(a));
    a = addr_from_compact6(v6);
    b = addr_of("[2001:db8::1]:6881");
    assert_true(addr_eq(&a, &b));
    assert_int_equal(addr_to_compact(&a, out), ADDR_COMPACT_6);
    assert_memory_equal(out, v6, ADDR_COMPACT_6);
}

static void addr_test_equal(void **state)
{
    (void)state;
    struct addr a = addr_of("1.2.3.4:80");
    struct addr b = addr_of("1.2.3.4:81");
    struct addr c = addr_of("1.2.3.5:80");
    struct addr v6 = addr_of("[102:304::]:80"); /* the same first 4 bytes */
    assert_true(addr_eq_ip(&a, &b));
    assert_false(addr_eq(&a, &b));
    assert_false(addr_eq_ip(&a, &c));
    assert_false(addr_eq_ip(&a, &v6));
    struct addr near = addr_of("[102:304::ffff:1]:81");
    struct addr far = addr_of("[102:304:0:1::]:80"); /* the next /64 */
    assert_true(addr_eq_host(&a, &b));
    assert_false(addr_eq_host(&a, &c));
    assert_false(addr_eq_host(&a, &v6));
    assert_false(addr_eq_host(&v6, &a));
    assert_true(addr_eq_host(&v6, &near));
    assert_false(addr_eq_host(&v6, &far));
    struct addr copy = a;
    assert_true(addr_hash(&a) == addr_hash(&copy));
    assert_true(addr_hash(&a) != addr_hash(&b));
    assert_true(addr_hash(&a) != addr_hash(&c));
    assert_true(addr_hash(&a) != addr_hash(&v6));
}

static void addr_test_dialable(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {
        {"1.2.3.4:80", true},
        {"127.0.0.1:80", true},
        {"192.168.1.1:80", true},
        {"10.0.0.1:1", true},
        {"1.2.3.4:0", false},
        {"0.0.0.0:80", false},
        {"0.1.2.3:80", false},
        {"224.0.0.1:80", false},
        {"239.255.255.255:80", false},
        {"223.1.1.1:80", true},
        {"255.255.255.255:80", false},
        {"[::]:80", false},
        {"[::1]:80", true},
        {"[ff02::1]:80", false},
        {"[fe80::1]:80", true},
        {"[2001:db8::1]:80", true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct addr a = addr_of(cases[i].text);
        if (addr_is_dialable(&a) != cases[i].ok) {
            fail_msg("'%s'", cases[i].text);
        }
    }
}

/* Whether a stranger may name it. */
static void addr_test_local(void **state)
{
    (void)state;
    static const struct {
        const char *ip;
        bool local, loopback;
    } cases[] = {
        {"127.0.0.1", true, true},
        {"127.255.255.254", true, true},
        {"::1", true, true},
        {"::ffff:127.0.0.1", true, true},
        {"0.0.0.0", true, false},
        {"::", true, false},
        {"::2", true, false},
        {"10.0.0.1", true, false},
        {"100.64.0.1", true, false},
        {"100.128.0.1", false, false},
        {"169.254.1.1", true, false},
        {"172.16.0.1", true, false},
        {"172.31.255.255", true, false},
        {"172.32.0.1", false, false},
        {"192.168.1.1", true, false},
        {"192.169.1.1", false, false},
        {"224.0.0.1", true, false},
        {"255.255.255.255", true, false},
        {"8.8.8.8", false, false},
        {"fc00::1", true, false},
        {"fd12::1", true, false},
        {"fe80::1", true, false},
        {"fec0::1", true, false},
        {"ff02::1", true, false},
        {"2002:7f00:1::1", true, false},
        {"2002:808:808::1", false, false},
        {"64:ff9b::10.0.0.1", true, false},
        {"64:ff9b::8.8.8.8", false, false},
        {"2001:db8::1", false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct addr a;
        assert_true(addr_parse_ip(slice_str(cases[i].ip), 1, &a));
        if (addr_is_local(&a) != cases[i].local ||
            addr_is_loopback(&a) != cases[i].loopback) {
            fail_msg("'%s'", cases[i].ip);
        }
    }
    struct addr none = addr_none();
    assert_true(addr_is_local(&none));
    assert_false(addr_is_loopback(&none));
}

static void addr_test_sockaddr(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
    } cases[] = {
        {"1.2.3.4:80", sizeof(struct sockaddr_in)},
        {"[2001:db8::1]:65535", sizeof(struct sockaddr_in6)},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct addr a = addr_of(cases[i].text);
        struct sockaddr_storage ss;
        assert_int_equal(addr_to_sockaddr(&a, &ss), cases[i].len);
        struct addr b = addr_from_sockaddr((const struct sockaddr *)&ss);
        assert_true(addr_eq(&a, &b));
    }
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6};
    mapped.sin6_port = htons(80);
    assert_int_equal(inet_pton(AF_INET6, "::ffff:1.2.3.4", &mapped.sin6_addr),
                     1);
    struct addr a = addr_from_sockaddr((const struct sockaddr *)&mapped);
    struct addr b = addr_of("1.2.3.4:80");
    assert_true(addr_eq(&a, &b));
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    a = addr_from_sockaddr((const struct sockaddr *)&un);
    assert_int_equal(a.family, ADDR_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addr_test_text),     cmocka_unit_test(addr_test_none),
        cmocka_unit_test(addr_test_compact),  cmocka_unit_test(addr_test_equal),
        cmocka_unit_test(addr_test_dialable), cmocka_unit_test(addr_test_local),
        cmocka_unit_test(addr_test_sockaddr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
