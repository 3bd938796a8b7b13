/* A multicast group on the loopback interface, to which the tests are bound. */
#include "net/loop_kit.h"
#include "net/multicast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define GROUP "239.192.1.1"
#define PORT  16771

struct ear {
    struct loop *loop;
    struct multicast *net;
    struct addr from; /* of the last */
    char last[64];
    unsigned n, stop_at;
};

static void ear_on_datagram(void *ctx, const struct addr *from,
                            struct slice data)
{
    struct ear *e = ctx;
    assert_true(data.len < sizeof(e->last));
    memcpy(e->last, data.p, data.len);
    e->last[data.len] = '\0';
    e->from = *from;
    e->n++;
    if (e->n == e->stop_at) {
        loop_stop(e->loop);
    }
}

static void ear_open(struct ear *e, struct loop *l, const char *bind)
{
    struct tcp_host_options host = {0};
    struct multicast_options o = {
        .host = &host, .fn = ear_on_datagram, .ctx = e};
    struct err err = {0};
    memset(e, 0, sizeof(*e));
    e->loop = l;
    assert_true(addr_parse_ip(slice_str(bind), 0, &host.bind4));
    assert_true(addr_parse_ip(slice_str(GROUP), PORT, &o.groups[0]));
    assert_true(addr_parse_ip(slice_str("ff15::1:1"), PORT, &o.groups[1]));
    e->net = multicast_new(l, &o, &err);
    assert_non_null(e->net);
}

/* Every member hears a datagram once, the sender too, with its address. */
static void multicast_test_members(void **state)
{
    (void)state;
    struct loop *l = loop_kit_new();
    struct ear a, b;
    ear_open(&a, l, "127.0.0.1");
    ear_open(&b, l, "127.0.0.1");
    assert_int_equal(multicast_refresh(a.net), 1);
    assert_int_equal(multicast_send(a.net, ADDR_V4, slice_str("one")), 1);
    assert_int_equal(multicast_send(a.net, ADDR_V4, slice_str("two")), 1);
    b.stop_at = 2;
    loop_run(l);
    if (a.n < 2) {
        a.stop_at = 2;
        loop_run(l);
    }
    assert_int_equal(a.n, 2);
    assert_int_equal(b.n, 2);
    assert_string_equal(b.last, "two");
    assert_memory_equal(b.from.ip, "\x7f\0\0\1", 4);
    multicast_free(a.net);
    multicast_free(b.net);
    loop_free(l);
}

/* A family that --bind leaves out, nothing, and what is too long. */
static void multicast_test_refused(void **state)
{
    (void)state;
    struct loop *l = loop_kit_new();
    struct ear a;
    uint8_t big[MULTICAST_MAX + 1] = {0};
    ear_open(&a, l, "127.0.0.1");
    assert_int_equal(multicast_send(a.net, ADDR_V6, slice_str("x")), 0);
    assert_int_equal(multicast_send(a.net, ADDR_V4, slice_str("")), 0);
    assert_int_equal(multicast_send(a.net, ADDR_V4, slice_of(big, sizeof(big))),
                     0);
    multicast_free(a.net);
    loop_free(l);
}

/* Bound to an address that no interface has: no way, and no harm. */
static void multicast_test_nowhere(void **state)
{
    (void)state;
    struct loop *l = loop_kit_new();
    struct ear a;
    ear_open(&a, l, "203.0.113.9");
    assert_int_equal(multicast_refresh(a.net), 0);
    assert_int_equal(multicast_send(a.net, ADDR_V4, slice_str("x")), 0);
    multicast_free(a.net);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multicast_test_members),
        cmocka_unit_test(multicast_test_refused),
        cmocka_unit_test(multicast_test_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
