/* Connections and listeners over loopback. Raw blocking sockets play the other
 * side where its misbehaviour is the point. */
#include "base/bytes.h"
#include "net/tcp.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Of net/host.h, which cannot be included beside linux/tcp.h. */
bool tcp_on_turn_end(void *ctx);

#define GUARD_MS 20000 /* a test that hangs fails instead */

struct world;

/* One of our connections and what happened to it. */
struct side {
    struct world *w;
    struct tcp_conn *c;
    int n_open, n_data, n_close, err;
    size_t received;
    uint8_t *keep; /* owns; the received bytes */
    size_t keep_cap;
    void (*data_hook)(struct side *s);
    void (*close_hook)(struct side *s);
};

struct world {
    struct loop *loop;
    struct tcp_host *host;
    struct tcp_listener *listener;
    struct side out; /* we connect */
    struct side in;  /* we accepted */
    int raw;         /* a socket that is not ours */
    int n_accepted;
    int n_released;
    int n_turns;
    int turn_goal;
    bool accept_unowned;
    bool close_listener;
    bool (*done)(struct world *w);
};

static void side_on_open(void *ctx)
{
    struct side *s = ctx;
    s->n_open++;
}

static void side_on_data(void *ctx, struct slice data)
{
    struct side *s = ctx;
    assert_int_equal(s->n_close, 0);
    assert_true(data.len > 0);
    if (s->received + data.len > s->keep_cap) {
        s->keep_cap = (s->received + data.len) * 2;
        s->keep = realloc(s->keep, s->keep_cap);
        assert_non_null(s->keep);
    }
    memcpy(s->keep + s->received, data.p, data.len);
    s->received += data.len;
    s->n_data++;
    if (s->data_hook) {
        s->data_hook(s);
    }
}

static void side_on_close(void *ctx, int err)
{
    struct side *s = ctx;
    s->n_close++;
    s->err = err;
    if (s->close_hook) {
        s->close_hook(s);
    }
}

static const struct tcp_callbacks side_callbacks = {
    .on_open = side_on_open,
    .on_data = side_on_data,
    .on_close = side_on_close,
};

static void world_on_accept(void *ctx, struct tcp_conn *c)
{
    struct world *w = ctx;
    w->n_accepted++;
    if (w->close_listener) {
        tcp_listener_close(w->listener);
        w->listener = NULL;
    }
    if (!w->accept_unowned) {
        w->in.c = c;
        tcp_set_callbacks(c, &side_callbacks, &w->in);
    }
}

static void world_on_turn(void *ctx)
{
    struct world *w = ctx;
    w->n_turns++;
    if (w->done(w)) {
        loop_stop(w->loop);
    }
}

static void world_on_guard(void *ctx)
{
    (void)ctx;
    fail_msg("the condition was not met within %d ms", GUARD_MS);
}

/* Runs the loop until the condition holds at the end of a turn. */
static void world_run(struct world *w, bool (*done)(struct world *w))
{
    w->done = done;
    w->n_turns = 0;
    loop_set_idle_fn(w->loop, world_on_turn, w);
    loop_set_timer_fn(w->loop, world_on_guard, w);
    loop_arm_timer(w->loop, loop_now_ms(w->loop) + GUARD_MS);
    loop_run(w->loop);
    loop_arm_timer(w->loop, UINT64_MAX);
}

static void world_init_with(struct world *w, const struct tcp_host_options *o)
{
    memset(w, 0, sizeof(*w));
    w->out.w = w;
    w->in.w = w;
    w->loop = loop_new();
    assert_non_null(w->loop);
    w->host = tcp_host_new(w->loop, o);
}

static void world_listen(struct world *w)
{
    struct err e = {0};
    w->listener = tcp_listen(w->host, 0, world_on_accept, w, &e);
    if (!w->listener) {
        fail_msg("%s", e.msg);
    }
    assert_true(tcp_listener_port(w->listener) != 0);
}

static void world_init(struct world *w)
{
    world_init_with(w, &(struct tcp_host_options){0});
    world_listen(w);
}

static void world_fini(struct world *w)
{
    tcp_host_free(w->host);
    loop_free(w->loop);
    free(w->out.keep);
    free(w->in.keep);
}

static struct addr loopback(uint16_t port)
{
    return (struct addr){.family = ADDR_V4, .port = port, .ip = {127, 0, 0, 1}};
}

static void world_connect(struct world *w, const struct addr *to)
{
    int err = 1;
    w->out.c = tcp_connect(w->host, to, &side_callbacks, &w->out, &err);
    assert_non_null(w->out.c);
    assert_int_equal(err, 0);
}

static bool is_paired(struct world *w)
{
    return w->out.n_open == 1 && w->in.c != NULL;
}

/* Both ends ours. */
static void world_pair(struct world *w)
{
    struct addr to = loopback(tcp_listener_port(w->listener));
    world_connect(w, &to);
    world_run(w, is_paired);
}

/* A blocking client of our listener; segments of so many bytes, 0: as long as
 * they may be. */
static int raw_connect_with(uint16_t port, int mss)
{
    struct sockaddr_storage ss;
    struct addr to = loopback(port);
    size_t len = addr_to_sockaddr(&to, &ss);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (mss > 0) {
        assert_int_equal(
            setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &mss, sizeof(mss)), 0);
    }
    assert_int_equal(connect(fd, (struct sockaddr *)&ss, (socklen_t)len), 0);
    return fd;
}

static int raw_connect(uint16_t port)
{
    return raw_connect_with(port, 0);
}

/* A socket of port 0, listening or only bound. */
static int raw_bind(int backlog, uint16_t *port)
{
    struct sockaddr_storage ss;
    struct addr a = loopback(0);
    size_t n = addr_to_sockaddr(&a, &ss);
    socklen_t len = (socklen_t)n;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
    if (backlog >= 0) {
        assert_int_equal(listen(fd, backlog), 0);
    }
    len = sizeof(ss);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
    *port = addr_from_sockaddr((struct sockaddr *)&ss).port;
    return fd;
}

static bool is_accepted(struct world *w)
{
    return w->in.c != NULL;
}

static bool is_out_closed(struct world *w)
{
    return w->out.n_close > 0;
}

static bool is_in_closed(struct world *w)
{
    return w->in.n_close > 0;
}

static bool is_turn_goal(struct world *w)
{
    return w->n_turns >= w->turn_goal;
}

/* Turns that do not sleep, to see that nothing happens. */
static bool turn_hook(void *ctx)
{
    (void)ctx;
    return true;
}

static void world_spin(struct world *w, int turns)
{
    struct loop_hook hook = {.fn = turn_hook};
    loop_add_hook(w->loop, &hook);
    w->turn_goal = turns;
    world_run(w, is_turn_goal);
    loop_remove_hook(w->loop, &hook);
}

static uint8_t pattern_at(size_t i)
{
    return (uint8_t)((i * 2654435761u) >> 13);
}

static void check_pattern(const struct side *s, size_t len)
{
    assert_int_equal(s->received, len);
    for (size_t i = 0; i < len; i++) {
        if (s->keep[i] != pattern_at(i)) {
            fail_msg("byte %zu differs", i);
        }
    }
}

/* --- connecting and listening ------------------------------------------- */

static void reply_hook(struct side *s)
{
    tcp_send(s->c, slice_str("pong"));
    s->data_hook = NULL;
}

static bool is_ponged(struct world *w)
{
    return w->out.received >= 4;
}

static void test_ping_pong(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    world_pair(&w);
    struct addr to = loopback(tcp_listener_port(w.listener));
    struct addr from = loopback(tcp_remote(w.in.c)->port);
    assert_true(addr_eq(tcp_remote(w.out.c), &to));
    assert_true(addr_eq(tcp_remote(w.in.c), &from));
    w.in.data_hook = reply_hook;
    tcp_send(w.out.c, slice_str("pi"));
    tcp_send(w.out.c, slice_str("ng"));
    world_run(&w, is_ponged);
    assert_int_equal(w.in.n_data, 1); /* two sends, one write */
    assert_memory_equal(w.in.keep, "ping", 4);
    assert_memory_equal(w.out.keep, "pong", 4);
    tcp_close(w.out.c);
    world_run(&w, is_in_closed);
    assert_int_equal(w.in.err, BTC_E_CLOSED);
    assert_int_equal(w.out.n_close, 0); /* we closed it ourselves */
    tcp_close(NULL);
    world_fini(&w);
}

static void test_send_before_open_and_last_words(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    struct addr to = loopback(tcp_listener_port(w.listener));
    world_connect(&w, &to);
    tcp_send(w.out.c, slice_str("early "));
    world_run(&w, is_paired);
    tcp_send(w.out.c, slice_str("late"));
    tcp_close(w.out.c); /* what was queued in the turn still goes */
    world_run(&w, is_in_closed);
    assert_int_equal(w.in.received, 10);
    assert_memory_equal(w.in.keep, "early late", 10);
    world_fini(&w);
}

static void test_ipv6_has_the_same_port(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 any = {.sin6_family = AF_INET6,
                               .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool has6 =
        probe >= 0 && bind(probe, (struct sockaddr *)&any, sizeof(any)) == 0;
    if (probe >= 0) {
        (void)close(probe);
    }
    if (has6) {
        struct addr to = {.family = ADDR_V6,
                          .port = tcp_listener_port(w.listener),
                          .ip = {[15] = 1}};
        world_connect(&w, &to);
        world_run(&w, is_paired);
        assert_int_equal(tcp_remote(w.in.c)->family, ADDR_V6);
    }
    world_fini(&w);
    if (!has6) {
        skip();
    }
}

static void test_refused(void **state)
{
    (void)state;
    struct world w;
    uint16_t port = 0;
    int fd = raw_bind(-1, &port); /* bound, so nobody else listens there */
    world_init(&w);
    struct addr to = loopback(port);
    world_connect(&w, &to);
    assert_int_equal(w.out.n_close, 0); /* later, never from inside */
    world_run(&w, is_out_closed);
    assert_int_equal(w.out.err, BTC_E_REFUSED);
    assert_int_equal(w.out.n_open, 0);
    (void)close(fd);
    world_fini(&w);
}

static void test_connect_times_out(void **state)
{
    (void)state;
    struct world w;
    uint16_t port = 0;
    int fd = raw_bind(0, &port);
    int fill = raw_connect(port); /* the backlog is full: SYNs are dropped */
    world_init_with(&w, &(struct tcp_host_options){.connect_ms = 30});
    struct addr to = loopback(port);
    uint64_t start = loop_now_ms(w.loop);
    world_connect(&w, &to);
    world_run(&w, is_out_closed);
    assert_int_equal(w.out.err, BTC_E_TIMEOUT);
    assert_true(loop_now_ms(w.loop) - start >= 30);
    (void)close(fill);
    (void)close(fd);
    world_fini(&w);
}

static void test_host_freed_while_connecting(void **state)
{
    (void)state;
    struct world w;
    uint16_t port = 0;
    int fd = raw_bind(0, &port);
    int fill = raw_connect(port);
    world_init(&w);
    struct addr to = loopback(port);
    world_connect(&w, &to);
    world_spin(&w, 3);
    world_fini(&w);
    assert_int_equal(w.out.n_close, 0);
    (void)close(fill);
    (void)close(fd);
}

static void test_no_such_device_fails_closed(void **state)
{
    (void)state;
    struct world w;
    struct err e = {0};
    int err = 0;
    world_init_with(&w, &(struct tcp_host_options){.device = "nodev17"});
    struct addr to = loopback(9);
    assert_null(tcp_connect(w.host, &to, &side_callbacks, &w.out, &err));
    assert_int_equal(err, BTC_E_NETWORK);
    assert_null(tcp_listen(w.host, 0, world_on_accept, &w, &e));
    assert_int_equal(e.code, BTC_E_NETWORK);
    assert_non_null(strstr(e.msg, "nodev17"));
    world_fini(&w);
}

static void test_bound_address_is_used_and_the_other_family_is_off(void **state)
{
    (void)state;
    struct world w;
    int err = 0;
    world_init_with(&w,
                    &(struct tcp_host_options){
                        .bind4 = {.family = ADDR_V4, .ip = {127, 0, 0, 3}}});
    world_listen(&w);
    struct addr to = loopback(tcp_listener_port(w.listener));
    to.ip[3] = 3;
    world_connect(&w, &to);
    world_run(&w, is_paired);
    assert_memory_equal(tcp_remote(w.in.c)->ip, to.ip, 4);
    struct addr six = {.family = ADDR_V6, .port = to.port, .ip = {[15] = 1}};
    assert_null(tcp_connect(w.host, &six, &side_callbacks, &w.out, &err));
    assert_int_equal(err, BTC_E_NETWORK);
    world_fini(&w);
}

static void test_address_that_is_not_ours(void **state)
{
    (void)state;
    struct world w;
    struct err e = {0};
    int err = 0;
    world_init_with(&w,
                    &(struct tcp_host_options){
                        .bind4 = {.family = ADDR_V4, .ip = {192, 0, 2, 1}}});
    struct addr to = loopback(9);
    assert_null(tcp_connect(w.host, &to, &side_callbacks, &w.out, &err));
    assert_int_equal(err, BTC_E_NETWORK);
    assert_null(
        tcp_connect(w.host, &(struct addr){0}, &side_callbacks, &w.out, &err));
    assert_null(tcp_listen(w.host, 0, world_on_accept, &w, &e));
    assert_int_equal(e.code, BTC_E_NETWORK);
    assert_non_null(strstr(e.msg, "192.0.2.1"));
    world_fini(&w);
}

static void test_busy_port_is_named(void **state)
{
    (void)state;
    struct world w;
    struct err e = {0};
    uint16_t port = 0;
    int fd = raw_bind(1, &port);
    char text[16];
    world_init(&w);
    assert_null(tcp_listen(w.host, port, world_on_accept, &w, &e));
    assert_int_equal(e.code, BTC_E_NETWORK);
    (void)snprintf(text, sizeof(text), "port %u", (unsigned)port);
    assert_non_null(strstr(e.msg, text));
    (void)close(fd);
    world_fini(&w);
}

static bool is_accept_counted(struct world *w)
{
    return w->n_accepted > 0;
}

static void test_accepted_without_owner_is_closed(void **state)
{
    (void)state;
    struct world w;
    char byte;
    world_init(&w);
    w.accept_unowned = true;
    w.close_listener = true; /* inside the callback */
    int fd = raw_connect(tcp_listener_port(w.listener));
    world_run(&w, is_accept_counted);
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    (void)close(fd);
    world_fini(&w);
}

static void test_accept_rests_without_descriptors(void **state)
{
    (void)state;
    if (getenv("BTC_VALGRIND")) {
        skip(); /* valgrind does not keep the limit */
    }
    struct world w;
    struct rlimit old;
    struct rlimit low;
    world_init(&w);
    int fd = raw_connect(tcp_listener_port(w.listener));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = (rlim_t)fd + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    world_spin(&w, 5); /* accept fails */
    assert_int_equal(w.n_accepted, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    /* valgrind's own limit loses the first caller; another one is there. */
    int other = raw_connect(tcp_listener_port(w.listener));
    world_run(&w, is_accepted); /* after the rest, by itself */
    assert_true(w.n_turns < 20);
    assert_true(w.n_accepted >= 1);
    (void)close(other);
    (void)close(fd);
    world_fini(&w);
}

/* --- reading -------------------------------------------------------------- */

static void raw_send(int fd, const void *p, size_t len)
{
    assert_int_equal(send(fd, p, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void test_data_before_the_end_is_delivered(void **state)
{
    (void)state;
    static const bool with_reset[] = {false, true};
    for (size_t i = 0; i < 2; i++) {
        struct world w;
        world_init(&w);
        int fd = raw_connect(tcp_listener_port(w.listener));
        world_run(&w, is_accepted);
        raw_send(fd, "last words", 10);
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        if (with_reset[i]) {
            assert_int_equal(
                setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
        }
        (void)close(fd);
        world_run(&w, is_in_closed);
        assert_int_equal(w.in.err, BTC_E_CLOSED);
        assert_int_equal(w.in.received, 10);
        world_fini(&w);
    }
}

static bool has_ten(struct world *w)
{
    return w->in.received >= 10;
}

static bool has_all_hundred(struct world *w)
{
    return w->in.received >= 100;
}

static void test_grant_is_kept_to_the_byte(void **state)
{
    (void)state;
    struct world w;
    uint8_t hundred[100] = {0};
    world_init(&w);
    int fd = raw_connect(tcp_listener_port(w.listener));
    world_run(&w, is_accepted);
    tcp_grant_read(w.in.c, 0);
    raw_send(fd, hundred, sizeof(hundred));
    world_spin(&w, 10);
    assert_int_equal(w.in.received, 0);
    tcp_grant_read(w.in.c, 10);
    world_run(&w, has_ten);
    world_spin(&w, 10);
    assert_int_equal(w.in.received, 10);
    tcp_grant_read(w.in.c, 50);
    world_spin(&w, 10);
    assert_int_equal(w.in.received, 60);
    tcp_grant_read(w.in.c, UINT64_MAX);
    world_run(&w, has_all_hundred);
    assert_int_equal(w.in.received, 100);
    (void)close(fd);
    world_fini(&w);
}

static void no_grant_hook(struct side *s)
{
    tcp_grant_read(s->c, 0);
}

static void test_no_grant_inside_on_data(void **state)
{
    (void)state;
    struct world w;
    size_t len = TCP_SCRATCH + 1000;
    uint8_t *bytes = calloc(1, len);
    world_init(&w);
    int fd = raw_connect(tcp_listener_port(w.listener));
    world_run(&w, is_accepted);
    w.in.data_hook = no_grant_hook;
    raw_send(fd, bytes, len);
    world_spin(&w, 10);
    assert_int_equal(w.in.n_data, 1);
    size_t before = w.in.received;
    tcp_grant_read(w.in.c, UINT64_MAX);
    world_spin(&w, 10);
    assert_int_equal(w.in.n_data, 2);
    assert_true(w.in.received > before);
    free(bytes);
    (void)close(fd);
    world_fini(&w);
}

static void close_hook(struct side *s)
{
    tcp_close(s->c);
    tcp_close(s->c); /* the second does nothing */
    tcp_send(s->c, slice_str("to nobody"));
    tcp_grant_read(s->c, 1);
}

static void test_close_inside_callbacks(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    world_pair(&w);
    w.in.data_hook = close_hook;
    w.out.close_hook = close_hook;
    tcp_send(w.out.c, slice_str("x"));
    world_run(&w, is_out_closed);
    assert_int_equal(w.in.n_data, 1);
    assert_int_equal(w.in.n_close, 0);
    assert_int_equal(w.out.n_close, 1);
    world_fini(&w);
}

/* --- writing -------------------------------------------------------------- */

static void count_release(void *ctx, void *arg)
{
    struct world *w = ctx;
    assert_ptr_equal(arg, &w->n_released);
    w->n_released++;
}

static void release_and_close(void *ctx, void *arg)
{
    struct world *w = ctx;
    (void)arg;
    w->n_released++;
    tcp_close(w->out.c);
}

static int pattern_file(size_t len)
{
    char path[] = "/tmp/btc-test-conn-XXXXXX";
    uint8_t *bytes = malloc(len);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)unlink(path);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = pattern_at(i);
    }
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    free(bytes);
    return fd;
}

static struct tcp_file range(struct world *w, int fd, size_t off, size_t len)
{
    return (struct tcp_file){.fd = fd,
                             .offset = (off_t)off,
                             .len = len,
                             .release = count_release,
                             .ctx = w,
                             .arg = &w->n_released};
}

#define MIXED_LEN     (24u << 20)
#define SHARED_BLOCKS 16

static bool has_mixed(struct world *w)
{
    return w->in.received >= MIXED_LEN;
}

static void test_bytes_and_ranges_in_order(void **state)
{
    (void)state;
    static const size_t piece[] = {13,    16384, 1,     0,      40000,
                                   16384, 13,    70000, 262144, 5};
    struct world w;
    int fd = pattern_file(MIXED_LEN);
    uint8_t *bytes = malloc(MIXED_LEN);
    assert_int_equal(pread(fd, bytes, MIXED_LEN, 0), MIXED_LEN);
    int n_ranges = 0;
    world_init(&w);
    world_pair(&w);
    tcp_set_write_max(w.out.c, 4u << 20);
    for (size_t off = 0, i = 0; off < MIXED_LEN; i++) {
        size_t n = piece[i % 10];
        n = n < MIXED_LEN - off ? n : MIXED_LEN - off;
        if (i % 10 < 5 ? i % 2 == 1 : i % 2 == 0) {
            struct tcp_file f = range(&w, fd, off, n);
            tcp_send_file(w.out.c, &f);
            n_ranges++;
        } else if (off < (2u << 20)) {
            tcp_send(w.out.c, slice_of(bytes + off, n));
        } else { /* within the memory limit: the rest goes as ranges */
            struct tcp_file f = range(&w, fd, off, n);
            tcp_send_file(w.out.c, &f);
            n_ranges++;
        }
        off += n;
    }
    assert_int_equal(w.n_released, 0);
    world_run(&w, has_mixed);
    check_pattern(&w.in, MIXED_LEN);
    assert_int_equal(w.n_released, n_ranges);
    free(bytes);
    (void)close(fd);
    world_fini(&w);
}

/* Reads from the raw socket until `len` bytes have come. */
static bool has_read_blocks(struct world *w)
{
    static uint8_t buf[65536];
    ssize_t n;
    while ((n = recv(w->raw, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
        w->out.received += (size_t)n;
    }
    return w->out.received == (size_t)SHARED_BLOCKS * (13 + 16384);
}

/* A block does not end its segment when another one follows: else each of them
 * would need 17 of a thousand bytes. */
static void test_blocks_share_segments(void **state)
{
    (void)state;
    static const uint8_t header[13];
    struct world w;
    struct tcp_info info;
    socklen_t len = sizeof(info);
    int fd = pattern_file(16384);
    world_init(&w);
    w.raw = raw_connect_with(tcp_listener_port(w.listener), 1000);
    world_run(&w, is_accepted);
    for (int i = 0; i < SHARED_BLOCKS; i++) {
        struct tcp_file f = range(&w, fd, 0, 16384);
        tcp_send(w.in.c, slice_of(header, sizeof(header)));
        tcp_send_file(w.in.c, &f);
    }
    world_run(&w, has_read_blocks);
    assert_int_equal(w.n_released, SHARED_BLOCKS);
    assert_int_equal(getsockopt(w.raw, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    assert_in_range(info.tcpi_data_segs_in, 1, SHARED_BLOCKS * 17 - 1);
    (void)close(w.raw);
    world_run(&w, is_in_closed);
    (void)close(fd);
    world_fini(&w);
}

static void test_short_file_closes(void **state)
{
    (void)state;
    struct world w;
    int fd = pattern_file(1000);
    world_init(&w);
    world_pair(&w);
    struct tcp_file f = range(&w, fd, 500, 600);
    tcp_send_file(w.out.c, &f);
    tcp_send_file(w.out.c, &f);
    world_run(&w, is_out_closed);
    assert_int_equal(w.out.err, BTC_E_SHORT);
    assert_int_equal(w.n_released, 2);
    (void)close(fd);
    world_fini(&w);
}

static void test_ranges_are_released_when_closed(void **state)
{
    (void)state;
    struct world w;
    int fd = pattern_file(4u << 20);
    struct tcp_file f;
    world_init(&w);
    world_pair(&w);
    tcp_grant_read(w.in.c, 0);
    f = range(&w, fd, 0, 4u << 20);
    for (int i = 0; i < 8; i++) {
        tcp_send_file(w.out.c, &f); /* more than the kernel takes */
    }
    world_spin(&w, 20);
    assert_true(w.n_released < 8);
    tcp_close(w.out.c);
    assert_int_equal(w.n_released, 8);
    tcp_send_file(w.out.c, &f); /* to a dead one: at once */
    assert_int_equal(w.n_released, 9);
    (void)close(fd);
    world_fini(&w);
    assert_int_equal(w.n_released, 9);
}

static void test_host_free_releases_without_callbacks(void **state)
{
    (void)state;
    struct world w;
    int fd = pattern_file(1000);
    world_init(&w);
    world_pair(&w);
    struct tcp_file f = range(&w, fd, 0, 1000);
    tcp_send_file(w.out.c, &f);
    f.release = NULL;
    tcp_send_file(w.out.c, &f);
    world_fini(&w);
    assert_int_equal(w.n_released, 1);
    assert_int_equal(w.out.n_close + w.in.n_close, 0);
    (void)close(fd);
}

static void test_release_may_close(void **state)
{
    (void)state;
    struct world w;
    int fd = pattern_file(1000);
    world_init(&w);
    world_pair(&w);
    struct tcp_file f = range(&w, fd, 0, 1000);
    f.release = release_and_close;
    tcp_send_file(w.out.c, &f);
    tcp_send(w.out.c, slice_str("more"));
    tcp_send_file(w.out.c, &f);
    world_run(&w, is_in_closed);
    assert_int_equal(w.n_released, 2);
    assert_int_equal(w.out.n_close, 0);
    assert_true(w.in.received >= 1000);
    (void)close(fd);
    world_fini(&w);
}

/* What was sent needs no other turn of the loop, unless a release was called:
 * its owner may have more to send. */
static void test_only_a_release_makes_a_turn(void **state)
{
    (void)state;
    struct world w;
    int fd = pattern_file(100);
    world_init(&w);
    world_pair(&w);
    struct tcp_file f = range(&w, fd, 0, 100);
    tcp_send(w.out.c, slice_str("x"));
    assert_false(tcp_on_turn_end(w.host));
    tcp_send_file(w.out.c, &f);
    assert_true(tcp_on_turn_end(w.host));
    assert_int_equal(w.n_released, 1);
    assert_false(tcp_on_turn_end(w.host));
    (void)close(fd);
    world_fini(&w);
}

/* Whoever closes it there may be gone himself when on_close would come. */
static void test_release_of_a_broken_one_may_close(void **state)
{
    (void)state;
    struct world w;
    int fd = pattern_file(1000);
    world_init(&w);
    world_pair(&w);
    struct tcp_file f = range(&w, fd, 500, 600); /* too short */
    f.release = release_and_close;
    tcp_send_file(w.out.c, &f);
    tcp_send_file(w.out.c, &f);
    world_run(&w, is_in_closed);
    assert_int_equal(w.n_released, 2);
    assert_int_equal(w.out.n_close, 0);
    (void)close(fd);
    world_fini(&w);
}

static void test_write_limit_closes(void **state)
{
    (void)state;
    struct world w;
    size_t len = TCP_WRITE_MAX / 4 + 1;
    uint8_t *bytes = calloc(1, len);
    world_init(&w);
    world_pair(&w);
    for (int i = 0; i < 4; i++) {
        tcp_send(w.out.c, slice_of(bytes, len));
    }
    assert_int_equal(w.out.n_close, 0); /* not from inside */
    world_run(&w, is_out_closed);
    assert_int_equal(w.out.err, BTC_E_LIMIT);
    free(bytes);
    world_fini(&w);
}

/* What has come so far; 0: nothing. */
static size_t read_what_came(int fd)
{
    uint8_t bytes[65536];
    size_t sum = 0;
    ssize_t n;
    while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
        sum += (size_t)n;
    }
    return sum;
}

/* Somebody who reads nothing any more is closed. */
static void test_who_does_not_read_is_closed(void **state)
{
    (void)state;
    static const uint8_t zeros[16384];
    struct world w;
    world_init_with(&w, &(struct tcp_host_options){.stall_ms = 300});
    world_listen(&w);
    w.raw = raw_connect(tcp_listener_port(w.listener));
    world_run(&w, is_accepted);
    for (int i = 0; i < 1024; i++) { /* more than the kernel takes */
        tcp_send_const(w.in.c, slice_of(zeros, sizeof(zeros)));
    }
    world_spin(&w, 2);
    assert_true(read_what_came(w.raw) > 0);
    world_run(&w, is_in_closed);
    assert_int_equal(w.in.err, BTC_E_TIMEOUT);
    (void)close(w.raw);
    world_fini(&w);
}

/* Bytes between ranges cost little, so many of them fit. */
static void test_small_sends_cost_little(void **state)
{
    (void)state;
    struct world w;
    uint8_t header[13] = {0};
    int fd = pattern_file(65536);
    world_init(&w);
    w.raw = raw_connect(tcp_listener_port(w.listener));
    world_run(&w, is_accepted);
    for (int i = 0; i < 500; i++) {
        struct tcp_file f = range(&w, fd, 0, 65536);
        tcp_send(w.in.c, slice_of(header, sizeof(header)));
        tcp_send_file(w.in.c, &f);
    }
    world_spin(&w, 5);
    assert_int_equal(w.in.n_close, 0);
    assert_true(w.n_released < 500);
    (void)close(w.raw);
    world_run(&w, is_in_closed);
    assert_int_equal(w.n_released, 500);
    (void)close(fd);
    world_fini(&w);
}

static void test_writing_to_a_broken_socket(void **state)
{
    (void)state;
    struct world w;
    int fd = pattern_file(1u << 20);
    world_init(&w);
    int raw = raw_connect(tcp_listener_port(w.listener));
    world_run(&w, is_accepted);
    tcp_grant_read(w.in.c, 0); /* only the write can notice */
    world_spin(&w, 2);
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(raw, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    (void)close(raw);
    struct tcp_file f = range(&w, fd, 0, 1u << 20);
    tcp_send_file(w.in.c, &f); /* sendfile: no SIGPIPE either */
    world_run(&w, is_in_closed);
    assert_int_equal(w.in.err, BTC_E_CLOSED);
    assert_int_equal(w.n_released, 1);
    (void)close(fd);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ping_pong),
        cmocka_unit_test(test_send_before_open_and_last_words),
        cmocka_unit_test(test_ipv6_has_the_same_port),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_connect_times_out),
        cmocka_unit_test(test_host_freed_while_connecting),
        cmocka_unit_test(test_no_such_device_fails_closed),
        cmocka_unit_test(
            test_bound_address_is_used_and_the_other_family_is_off),
        cmocka_unit_test(test_address_that_is_not_ours),
        cmocka_unit_test(test_busy_port_is_named),
        cmocka_unit_test(test_accepted_without_owner_is_closed),
        cmocka_unit_test(test_accept_rests_without_descriptors),
        cmocka_unit_test(test_data_before_the_end_is_delivered),
        cmocka_unit_test(test_grant_is_kept_to_the_byte),
        cmocka_unit_test(test_no_grant_inside_on_data),
        cmocka_unit_test(test_close_inside_callbacks),
        cmocka_unit_test(test_only_a_release_makes_a_turn),
        cmocka_unit_test(test_bytes_and_ranges_in_order),
        cmocka_unit_test(test_blocks_share_segments),
        cmocka_unit_test(test_short_file_closes),
        cmocka_unit_test(test_ranges_are_released_when_closed),
        cmocka_unit_test(test_host_free_releases_without_callbacks),
        cmocka_unit_test(test_release_may_close),
        cmocka_unit_test(test_release_of_a_broken_one_may_close),
        cmocka_unit_test(test_write_limit_closes),
        cmocka_unit_test(test_who_does_not_read_is_closed),
        cmocka_unit_test(test_small_sends_cost_little),
        cmocka_unit_test(test_writing_to_a_broken_socket),
    };
    return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
