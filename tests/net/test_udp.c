/* The shared UDP sockets: batches, dispatch, limits, --bind. */
#include "net/loop_kit.h"
#include "net/udp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct end {
    struct loop *loop;
    struct udp *udp;
    struct udp_user users[2];
    uint8_t first[2]; /* the first byte of a datagram that each user takes */
    size_t n_got[2];
    size_t bytes;
    struct addr from; /* of the last */
    size_t stop_at;   /* so many in all end the loop */
    bool echo;
};

static bool end_take(struct end *e, int i, const struct addr *from,
                     struct slice data)
{
    if (data.len == 0 || data.p[0] != e->first[i]) {
        return false;
    }
    e->n_got[i]++;
    e->bytes += data.len;
    e->from = *from;
    if (e->echo) {
        assert_int_equal(udp_send(e->udp, from, data), 0);
    }
    if (e->n_got[0] + e->n_got[1] == e->stop_at) {
        loop_stop(e->loop);
    }
    return true;
}

static bool end_on_first(void *ctx, const struct addr *from, struct slice data)
{
    return end_take(ctx, 0, from, data);
}

static bool end_on_second(void *ctx, const struct addr *from, struct slice data)
{
    return end_take(ctx, 1, from, data);
}

static void end_open(struct end *e, struct loop *l,
                     const struct tcp_host_options *o)
{
    struct err err = {0};
    memset(e, 0, sizeof(*e));
    e->loop = l;
    e->udp = udp_new(l, o, 0, &err);
    assert_non_null(e->udp);
    e->first[0] = 'd';
    e->first[1] = 't';
    e->users[0] = (struct udp_user){.on_datagram = end_on_first, .ctx = e};
    e->users[1] = (struct udp_user){.on_datagram = end_on_second, .ctx = e};
    udp_add_user(e->udp, &e->users[0]);
    udp_add_user(e->udp, &e->users[1]);
}

static struct addr end_addr(const struct end *e, enum addr_family family)
{
    struct addr a;
    const char *ip = family == ADDR_V6 ? "::1" : "127.0.0.1";
    assert_true(addr_parse_ip(slice_str(ip), udp_port(e->udp, family), &a));
    return a;
}

/* More datagrams than a batch holds, echoed, in both families; each to the user
 * whose it is. */
static void udp_test_echo(void **state)
{
    (void)state;
    static const enum addr_family families[] = {ADDR_V4, ADDR_V6};
    for (size_t f = 0; f < COUNT(families); f++) {
        struct loop *l = loop_kit_new();
        struct tcp_host_options o = {0};
        struct end a, b;
        end_open(&a, l, &o);
        end_open(&b, l, &o);
        if (udp_has_family(a.udp, families[f])) {
            struct addr to = end_addr(&b, families[f]);
            b.echo = true;
            a.stop_at = 100;
            for (int i = 0; i < 100; i++) {
                uint8_t bytes[200] = {i % 4 == 0 ? 't' : 'd'};
                assert_int_equal(
                    udp_send(a.udp, &to, slice_of(bytes, sizeof(bytes))), 0);
            }
            loop_run(l);
            assert_int_equal(a.n_got[0], 75);
            assert_int_equal(a.n_got[1], 25);
            assert_int_equal(a.bytes, 100 * 200);
            assert_true(addr_eq(&a.from, &to));
        }
        udp_free(a.udp);
        udp_free(b.udp);
        loop_free(l);
    }
}

/* What nobody takes is dropped; a user that was removed is not asked. */
static void udp_test_foreign(void **state)
{
    (void)state;
    struct loop *l = loop_kit_new();
    struct tcp_host_options o = {0};
    struct end a;
    end_open(&a, l, &o);
    struct addr to = end_addr(&a, ADDR_V4);
    udp_remove_user(a.udp, &a.users[0]);
    a.stop_at = 1;
    assert_int_equal(udp_send(a.udp, &to, slice_str("d: nobody's")), 0);
    assert_int_equal(udp_send(a.udp, &to, slice_str("")), 0);
    assert_int_equal(udp_send(a.udp, &to, slice_str("t: the second's")), 0);
    loop_run(l);
    assert_int_equal(a.n_got[0], 0);
    assert_int_equal(a.n_got[1], 1);
    udp_free(a.udp);
    loop_free(l);
}

/* Too long, too many, no such family: said at once, and the rest goes. */
static void udp_test_limits(void **state)
{
    (void)state;
    static const uint8_t long_one[UDP_DATAGRAM_MAX + 1];
    struct loop *l = loop_kit_new();
    struct tcp_host_options o = {0};
    struct end a;
    assert_true(addr_parse_ip(slice_str("127.0.0.1"), 0, &o.bind4));
    end_open(&a, l, &o);
    struct addr to = end_addr(&a, ADDR_V4);
    struct addr v6 = to;
    v6.family = ADDR_V6;
    assert_false(udp_has_family(a.udp, ADDR_V6));
    assert_int_equal(udp_port(a.udp, ADDR_V6), 0);
    assert_int_equal(udp_send(a.udp, &v6, slice_str("d")), BTC_E_NETWORK);
    assert_int_equal(udp_send(a.udp, &to, slice_of(long_one, sizeof(long_one))),
                     BTC_E_LIMIT);
    size_t n = 0;
    while (udp_send(a.udp, &to, slice_of(long_one, UDP_DATAGRAM_MAX)) == 0) {
        n++;
        assert_in_range(n, 1, UDP_QUEUE_MAX / UDP_DATAGRAM_MAX);
    }
    assert_in_range(n, 100, UDP_QUEUE_MAX / UDP_DATAGRAM_MAX);
    udp_flush(a.udp);
    a.stop_at = 1;
    assert_int_equal(udp_send(a.udp, &to, slice_str("d")), 0);
    loop_run(l);
    assert_true(a.from.port == udp_port(a.udp, ADDR_V4));
    udp_free(a.udp);
    loop_free(l);
}

/* A datagram that the kernel refuses keeps no other one waiting. */
static void udp_test_refused(void **state)
{
    (void)state;
    struct loop *l = loop_kit_new();
    struct tcp_host_options o = {0};
    struct addr nowhere;
    struct end a;
    assert_true(addr_parse_ip(slice_str("127.0.0.1"), 0, &o.bind4));
    end_open(&a, l, &o);
    struct addr to = end_addr(&a, ADDR_V4);
    assert_true(addr_parse(slice_str("255.255.255.255:9"), &nowhere));
    a.stop_at = 1;
    assert_int_equal(udp_send(a.udp, &nowhere, slice_str("d")), 0);
    assert_int_equal(udp_send(a.udp, &to, slice_str("d")), 0);
    loop_run(l);
    assert_int_equal(a.n_got[0], 1);
    udp_free(a.udp);
    loop_free(l);
}

/* A taken port is no error; an address that is not ours is one. */
static void udp_test_bind(void **state)
{
    (void)state;
    struct loop *l = loop_kit_new();
    struct tcp_host_options o = {0};
    struct err e = {0};
    struct end a;
    end_open(&a, l, &o);
    struct udp *b = udp_new(l, &o, udp_port(a.udp, ADDR_V4), &e);
    assert_non_null(b);
    assert_int_not_equal(udp_port(b, ADDR_V4), udp_port(a.udp, ADDR_V4));
    assert_true(addr_parse_ip(slice_str("192.0.2.1"), 0, &o.bind4));
    assert_null(udp_new(l, &o, 0, &e));
    assert_non_null(strstr(e.msg, "192.0.2.1"));
    (void)snprintf(o.device, sizeof(o.device), "nodevice0");
    assert_null(udp_new(l, &o, 0, &e));
    udp_free(b);
    udp_free(a.udp);
    udp_free(NULL);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(udp_test_echo),   cmocka_unit_test(udp_test_foreign),
        cmocka_unit_test(udp_test_limits), cmocka_unit_test(udp_test_refused),
        cmocka_unit_test(udp_test_bind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
