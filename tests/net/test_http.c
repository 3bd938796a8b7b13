/* HTTP requests against a small server of our own, in a thread. */
#include "base/buf.h"
#include "net/http.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define TLS_HELLO '\x16' /* first byte of a client that wants TLS */
#define GUARD_MS  20000  /* a test that hangs fails instead */

/* --- the server ------------------------------------------------------------
 */

/* gzip of "d8:intervali1800e5:peers0:e" */
static const char gzip_small[] =
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4b\xb1\xb0\xca\xcc\x2b\x49\x2d"
    "\x2a\x4b\xcc\xc9\x34\xb4\x30\x30\x48\x35\xb5\x2a\x48\x4d\x2d\x2a\x36\xb0"
    "\x4a\x05\x00\xab\xd9\x98\x92\x1b\x00\x00\x00";
/* gzip of 65536 zero bytes */
static const char gzip_bomb[] =
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xed\xc1\x01\x01\x00\x00\x00\x80"
    "\x90\xfe\xaf\xee\x08\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x6a\xeb\x8e"
    "\x97\xd7\x00\x00\x01\x00";

struct page {
    const char *path;
    const char *head; /* status line and headers, without the empty line */
    const char *body;
    size_t body_len; /* 0 = strlen */
};

#define GZIP_LEN(s) (sizeof(s) - 1)

static const struct page pages[] = {
    {"/ok", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "hello", 0},
    {"/empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", "", 0},
    {"/old", "HTTP/1.0 200 OK\r\n", "till the end", 0},
    {"/gzip", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n", gzip_small,
     GZIP_LEN(gzip_small)},
    {"/bomb",
     "HTTP/1.1 200 OK\r\nContent-Length: 96\r\nContent-Encoding: gzip\r\n",
     gzip_bomb, GZIP_LEN(gzip_bomb)},
    {"/badgzip", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n",
     "this is not gzip", 0},
    {"/chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n",
     "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n", 0},
    {"/hop", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 3\r\n",
     "hop", 0},
    {"/loop", "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n",
     "", 0},
    {"/nowhere", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n", "", 0},
    {"/file",
     "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n"
     "Content-Length: 0\r\n",
     "", 0},
    {"/ftp",
     "HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/x\r\n"
     "Content-Length: 0\r\n",
     "", 0},
    {"/declared", "HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n", "x", 0},
    {"/404", "HTTP/1.1 404 Not Found\r\nContent-Length: 17\r\n",
     "<html>gone</html>", 0},
    {"/403", "HTTP/1.1 403 No\r\nContent-Length: 5000\r\n", "<html>", 0},
    {"/500", "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n", "", 0},
    {"/early", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n", "ten bytes.", 0},
    {"/nothing", "", "", 0},
    {"/garbage", "", "\x01\x02\x03 no http at all", 0},
};

struct server {
    int fd;
    uint16_t port;
    pthread_t thread;
};

static void server_send(int fd, const void *p, size_t len)
{
    const char *at = p;
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return; /* the client has had enough */
        }
        at += n;
        len -= (size_t)n;
    }
}

static void server_wait_closed(int fd)
{
    char byte;
    while (recv(fd, &byte, 1, 0) > 0) {
    }
}

/* Endless until the client goes. */
static void server_flood(int fd, const char *start, const char *again)
{
    server_send(fd, start, strlen(start));
    for (int i = 0; i < 40000; i++) {
        if (send(fd, again, strlen(again), MSG_NOSIGNAL) <= 0) {
            return;
        }
    }
}

static void server_echo(int fd, const char *request)
{
    char head[128];
    (void)snprintf(head, sizeof(head),
                   "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                   strlen(request));
    server_send(fd, head, strlen(head));
    server_send(fd, request, strlen(request));
}

static void server_answer(int fd, const char *request)
{
    char path[64];
    if (sscanf(request, "GET %63s HTTP/1.1", path) != 1) {
        return;
    }
    if (strcmp(path, "/hang") == 0) {
        server_wait_closed(fd);
    } else if (strcmp(path, "/echo") == 0) {
        server_echo(fd, request);
    } else if (strcmp(path, "/flood") == 0) {
        server_flood(fd, "HTTP/1.1 200 OK\r\n\r\n", "0123456789abcdef");
    } else if (strcmp(path, "/headers") == 0) {
        server_flood(fd, "HTTP/1.1 200 OK\r\n", "X-Long: 0123456789abcde\r\n");
    }
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        const struct page *p = &pages[i];
        if (strcmp(path, p->path) == 0) {
            server_send(fd, p->head, strlen(p->head));
            server_send(fd, "\r\n", p->head[0] ? 2 : 0);
            server_send(fd, p->body,
                        p->body_len ? p->body_len : strlen(p->body));
        }
    }
}

/* One request per connection, one connection at a time. */
static void *server_run(void *arg)
{
    struct server *s = arg;
    int fd;
    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        char request[4096];
        size_t len = 0;
        ssize_t n = 1;
        request[0] = '\0';
        while (n > 0 && request[0] != TLS_HELLO &&
               !strstr(request, "\r\n\r\n") && len < sizeof(request) - 1) {
            n = recv(fd, request + len, sizeof(request) - 1 - len, 0);
            len += n > 0 ? (size_t)n : 0;
            request[len] = '\0';
        }
        server_answer(fd, request);
        (void)close(fd);
    }
    return NULL;
}

static int listen_loopback(uint16_t *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(fd, 128), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

/* --- the client -------------------------------------------------------------
 */

/* One request and its end. */
struct asked {
    struct world *w;
    struct http_job *job;
    int n_done;
    int code;
    long status;
    char error[256];
    uint8_t body[70000];
    size_t body_len;
    void (*hook)(struct asked *a);
};

struct world {
    struct server server;
    uint16_t port; /* that requests go to; the server's */
    struct loop *loop;
    struct http *http;
    struct asked *a; /* what we wait for */
    int n_done;
    int goal;
    int n_turns;
    int n_accepted;
    int accepted[128];
};

static void on_done(void *ctx, const struct http_result *r)
{
    struct asked *a = ctx;
    a->n_done++;
    a->code = r->code;
    a->status = r->status;
    memcpy(a->error, r->error, sizeof(a->error));
    assert_true(r->body.len <= sizeof(a->body));
    if (r->body.len > 0) {
        memcpy(a->body, r->body.p, r->body.len);
    }
    a->body_len = r->body.len;
    a->w->n_done++;
    if (a->hook) {
        a->hook(a);
    }
    if (a->w->n_done >= a->w->goal) {
        loop_stop(a->w->loop);
    }
}

static void on_guard(void *ctx)
{
    (void)ctx;
    fail_msg("not done within %d ms", GUARD_MS);
}

static int world_setup(void **state)
{
    static const struct http_options options = {.user_agent = "btc-test/1"};
    struct world *w = calloc(1, sizeof(*w));
    w->server.fd = listen_loopback(&w->server.port);
    w->port = w->server.port;
    w->loop = loop_new();
    w->http = http_new(w->loop, &options);
    w->goal = 1;
    w->a = calloc(1, sizeof(*w->a));
    w->a->w = w;
    *state = w;
    return pthread_create(&w->server.thread, NULL, server_run, &w->server);
}

static int world_teardown(void **state)
{
    struct world *w = *state;
    http_free(w->http);
    loop_free(w->loop);
    (void)shutdown(w->server.fd, SHUT_RDWR); /* wakes accept */
    (void)pthread_join(w->server.thread, NULL);
    (void)close(w->server.fd);
    free(w->a);
    free(w);
    return 0;
}

static void world_run(struct world *w)
{
    loop_set_timer_fn(w->loop, on_guard, w);
    loop_arm_timer(w->loop, loop_now_ms(w->loop) + GUARD_MS);
    loop_run(w->loop);
    loop_arm_timer(w->loop, UINT64_MAX);
}

static void ask(struct world *w, struct asked *a, const char *path,
                size_t max_body, uint32_t total_ms)
{
    char url[128];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", (unsigned)w->port,
                   path);
    a->w = w;
    a->job = http_get(w->http,
                      &(struct http_request){
                          .url = url,
                          .max_body = max_body,
                          .total_ms = total_ms,
                      },
                      on_done, a);
    assert_non_null(a->job);
    assert_int_equal(a->n_done, 0); /* later, never from inside */
}

/* --- cases
 * ------------------------------------------------------------------------ */

struct expected {
    const char *path;
    int code;
    long status;
    const char *body;  /* NULL = does not matter */
    const char *error; /* a part of the text; "" = none at all */
};

static const struct expected cases[] = {
    {"/ok", 0, 200, "hello", ""},
    {"/empty", 0, 200, "", ""},
    {"/old", 0, 200, "till the end", ""},
    {"/gzip", 0, 200, "d8:intervali1800e5:peers0:e", ""},
    {"/badgzip", BTC_E_PROTO, 200, NULL, "127.0.0.1"},
    {"/chunked", 0, 200, "abcdefg", ""},
    {"/hop", 0, 200, "hello", ""},
    {"/loop", BTC_E_PROTO, 302, NULL, "127.0.0.1 redirects too often"},
    {"/nowhere", 0, 302, "", "127.0.0.1 answered with HTTP status 302"},
    {"/file", BTC_E_PROTO, 302, "", "file"},
    {"/ftp", BTC_E_PROTO, 302, "", "ftp"},
    {"/declared", BTC_E_LIMIT, 200, "", "larger than 1000 bytes"},
    {"/flood", BTC_E_LIMIT, 200, NULL, "larger than 1000 bytes"},
    {"/bomb", BTC_E_LIMIT, 200, NULL, "larger than 1000 bytes"},
    {"/headers", BTC_E_LIMIT, 200, "", "header"},
    {"/404", 0, 404, "<html>gone</html>", "status 404 Not Found"},
    {"/403", 0, 403, NULL, "status 403 Forbidden"},
    {"/500", 0, 500, "", "status 500"},
    {"/early", BTC_E_CLOSED, 200, NULL, "before the end"},
    {"/nothing", BTC_E_CLOSED, 0, "", "without an answer"},
    {"/garbage", BTC_E_PROTO, 0, "", "127.0.0.1"},
};

static void test_answers(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct expected *x = &cases[i];
        struct asked *a = w->a;
        memset(a, 0, sizeof(*a));
        w->n_done = 0;
        ask(w, a, x->path, 1000, 0);
        world_run(w);
        if (a->code != x->code || a->status != x->status) {
            fail_msg("%s: code %d, status %ld, \"%s\"", x->path, a->code,
                     a->status, a->error);
        }
        assert_int_equal(a->n_done, 1);
        assert_true(a->body_len <= 1000);
        if (x->body) {
            assert_int_equal(a->body_len, strlen(x->body));
            assert_memory_equal(a->body, x->body, a->body_len);
        }
        if (x->error[0] == '\0') {
            assert_string_equal(a->error, "");
        } else if (!strstr(a->error, x->error)) {
            fail_msg("%s: \"%s\"", x->path, a->error);
        }
    }
}

static void test_bomb_fits_a_larger_limit(void **state)
{
    struct world *w = *state;
    ask(w, w->a, "/bomb", 65536, 0);
    world_run(w);
    assert_int_equal(w->a->code, 0);
    assert_int_equal(w->a->body_len, 65536);
}

static void test_request_says_who_we_are(void **state)
{
    struct world *w = *state;
    ask(w, w->a, "/echo", 4096, 0);
    world_run(w);
    assert_int_equal(w->a->code, 0);
    w->a->body[w->a->body_len] = '\0';
    assert_non_null(strstr((char *)w->a->body, "User-Agent: btc-test/1\r\n"));
    assert_non_null(strstr((char *)w->a->body, "gzip"));
}

static void test_hang_times_out(void **state)
{
    struct world *w = *state;
    ask(w, w->a, "/hang", 1000, 60);
    world_run(w);
    assert_int_equal(w->a->code, BTC_E_TIMEOUT);
    assert_non_null(strstr(w->a->error, "127.0.0.1 did not answer in time"));
}

static void test_refused_and_unusable(void **state)
{
    struct world *w = *state;
    uint16_t port = 0;
    int fd = listen_loopback(&port);
    char closed[64];
    char tls[64];
    (void)close(fd); /* nobody listens there now */
    (void)snprintf(closed, sizeof(closed), "http://127.0.0.1:%u/",
                   (unsigned)port);
    (void)snprintf(tls, sizeof(tls), "https://127.0.0.1:%u/ok",
                   (unsigned)w->port);
    const struct {
        const char *url;
        int code;
        const char *error;
    } bad[] = {
        {closed, BTC_E_REFUSED, "127.0.0.1 refused"},
        {tls, BTC_E_NETWORK, "127.0.0.1"},
        {"file:///etc/passwd", BTC_E_UNSUPPORTED, "file"},
        {"gopher://127.0.0.1/", BTC_E_UNSUPPORTED, "gopher"},
        {"http://", BTC_E_SYNTAX, "URL"},
        {"http://127.0.0.1:99999/", BTC_E_SYNTAX, "URL"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct asked *a = w->a;
        memset(a, 0, sizeof(*a));
        a->w = w;
        w->n_done = 0;
        (void)http_get(
            w->http,
            &(struct http_request){.url = bad[i].url, .max_body = 1000},
            on_done, a);
        world_run(w);
        if (a->code != bad[i].code || !strstr(a->error, bad[i].error)) {
            fail_msg("%s: code %d, \"%s\"", bad[i].url, a->code, a->error);
        }
    }
}

static void test_interface_fails_closed(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {"nodev17", "192.0.2.1"};
    for (size_t i = 0; i < 2; i++) {
        struct http_options o = {0};
        (void)snprintf(o.interface, sizeof(o.interface), "%s", names[i]);
        http_free(w->http);
        w->http = http_new(w->loop, &o);
        w->n_done = 0;
        ask(w, w->a, "/ok", 1000, 0);
        world_run(w);
        assert_int_equal(w->a->code, BTC_E_NETWORK);
        assert_non_null(strstr(w->a->error, names[i]));
        memset(w->a, 0, sizeof(*w->a));
    }
}

static void test_bound_to_an_address(void **state)
{
    struct world *w = *state;
    http_free(w->http);
    w->http =
        http_new(w->loop, &(struct http_options){.interface = "127.0.0.5"});
    ask(w, w->a, "/ok", 1000, 0);
    world_run(w);
    assert_int_equal(w->a->code, 0);
    assert_int_equal(w->a->body_len, 5);
}

/* --- cancelling and queueing
 * -------------------------------------------------- */

static void cancel_self_hook(struct asked *a)
{
    http_cancel(a->job); /* nothing: it is being told */
}

static void cancel_other_hook(struct asked *a)
{
    struct asked *other = a + 1;
    http_cancel(a->job);
    http_cancel(other->job);
    other->job = NULL;
}

static void free_hook(struct asked *a)
{
    http_free(a->w->http);
    a->w->http = NULL;
}

static void test_cancel(void **state)
{
    struct world *w = *state;
    struct asked *two = calloc(2, sizeof(*two));
    http_cancel(NULL);
    ask(w, &two[0], "/ok", 1000, 0);
    http_cancel(two[0].job); /* before it began */
    two[0].hook = cancel_other_hook;
    ask(w, &two[0], "/ok", 1000, 0);
    ask(w, &two[1], "/hang", 1000, 0);
    world_run(w);
    assert_int_equal(two[0].n_done, 1);
    assert_int_equal(two[1].n_done, 0);
    w->a->hook = cancel_self_hook;
    ask(w, w->a, "/ok", 1000, 0);
    world_run(w);
    assert_int_equal(w->a->n_done, 1);
    free(two);
}

static void test_free_inside_callback(void **state)
{
    struct world *w = *state;
    struct asked *more = calloc(1, sizeof(*more));
    w->a->hook = free_hook;
    ask(w, w->a, "/ok", 1000, 0);
    ask(w, more, "/ok", 1000, 0); /* the server answers it after the first */
    world_run(w);
    assert_int_equal(w->a->n_done + more->n_done, 1);
    free(more);
}

static void test_more_than_at_once(void **state)
{
    struct world *w = *state;
    int n = HTTP_PARALLEL * 2 + 3;
    struct asked *many = calloc((size_t)n, sizeof(*many));
    w->goal = n;
    for (int i = 0; i < n; i++) {
        ask(w, &many[i], i % 3 == 0 ? "/404" : "/ok", 1000, 0);
    }
    world_run(w);
    for (int i = 0; i < n; i++) {
        assert_int_equal(many[i].n_done, 1);
        assert_int_equal(many[i].status, i % 3 == 0 ? 404 : 200);
    }
    free(many);
}

/* Takes callers in and lets them wait. */
static bool silent_hook(void *ctx)
{
    struct world *w = ctx;
    int fd = accept4(w->goal, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        w->accepted[w->n_accepted++] = fd;
    }
    w->n_turns = w->n_accepted < 1 ? 0 : w->n_turns + 1;
    if (w->n_turns > 200) {
        loop_stop(w->loop);
    }
    return true;
}

static void test_the_rest_waits(void **state)
{
    struct world *w = *state;
    int n = HTTP_PARALLEL + 10;
    struct asked *many = calloc((size_t)n, sizeof(*many));
    struct loop_hook hook = {.fn = silent_hook, .ctx = w};
    w->goal = listen_loopback(&w->port);
    struct timeval soon = {.tv_usec = 1000};
    (void)setsockopt(w->goal, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
    for (int i = 0; i < n; i++) {
        ask(w, &many[i], "/ok", 1000, 0);
    }
    loop_add_hook(w->loop, &hook);
    world_run(w);
    loop_remove_hook(w->loop, &hook);
    assert_int_equal(w->n_accepted, 1); /* the host is new: one at a time */
    http_cancel(many[n - 1].job);       /* one that waits */
    http_cancel(many[0].job);           /* one under way: another starts */
    w->n_turns = 0;
    http_free(w->http); /* with all of them */
    w->http = NULL;
    for (int i = 0; i < w->n_accepted; i++) {
        (void)close(w->accepted[i]);
    }
    (void)close(w->goal);
    for (int i = 0; i < n; i++) {
        assert_int_equal(many[i].n_done, 0);
    }
    free(many);
}

/* A good host is asked at once, however many wait for a silent one; those are
 * told with the first that found out, and it is not asked by each. */
static void test_silent_host(void **state)
{
    struct world *w = *state;
    struct asked *many = calloc(71, sizeof(*many));
    uint16_t good = w->port;
    int fd = listen_loopback(&w->port);
    for (int i = 0; i < 70; i++) {
        ask(w, &many[i], "/ok", 1000, 300);
    }
    w->port = good;
    ask(w, &many[70], "/ok", 1000, 0);
    world_run(w);
    assert_int_equal(many[70].n_done, 1);
    assert_int_equal(many[70].status, 200);
    assert_int_equal(w->n_done, 1);
    w->goal = 71;
    world_run(w);
    for (int i = 0; i < 70; i++) {
        assert_int_equal(many[i].n_done, 1);
        assert_int_equal(many[i].code, BTC_E_TIMEOUT);
        assert_string_equal(many[i].error, many[0].error);
    }
    assert_true(accept4(fd, NULL, NULL, SOCK_NONBLOCK) >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    assert_true(accept4(fd, NULL, NULL, SOCK_NONBLOCK) < 0);
    (void)close(fd);
    free(many);
}

/* Told of the silence, an owner starts others and cancels others. */
static void cancel_and_ask_hook(struct asked *a)
{
    http_cancel(a[1].job);
    a[1].n_done = 7;
    a->hook = NULL;
    ask(a->w, &a[2], "/ok", 1000, 60);
}

static void test_silence_and_others(void **state)
{
    struct world *w = *state;
    struct asked *many = calloc(4, sizeof(*many));
    int fd = listen_loopback(&w->port);
    w->goal = 3;
    many[0].hook = cancel_and_ask_hook;
    ask(w, &many[0], "/ok", 1000, 60);
    ask(w, &many[1], "/ok", 1000, 60);
    ask(w, &many[3], "/ok", 1000, 60);
    world_run(w);
    assert_int_equal(many[0].n_done, 1);
    assert_int_equal(many[1].n_done, 7);
    assert_int_equal(many[2].code, BTC_E_TIMEOUT);
    assert_int_equal(many[3].code, BTC_E_TIMEOUT);
    (void)close(fd);
    free(many);
}

/* --- blocking
 * ------------------------------------------------------------------------ */

struct fetch_case {
    const char *path;
    int code;
    const char *error;
};

static const struct fetch_case fetches[] = {
    {"/ok", 0, ""},
    {"/404", BTC_E_NOTFOUND, "127.0.0.1 answered with HTTP status 404"},
    {"/500", BTC_E_NETWORK, "500 Internal"},
    {"/nowhere", BTC_E_NETWORK, "302"},
    {"/flood", BTC_E_LIMIT, "larger than 96 bytes"},
};

static void fetch_one(const struct world *w, const struct fetch_case *x)
{
    struct buf body;
    struct err e = {0};
    char url[64];
    buf_init(&body, 100);
    assert_int_equal(buf_append_str(&body, "had "), 0);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", (unsigned)w->port,
                   x->path);
    int rc = http_fetch(url, &(struct http_options){0}, 0, &body, &e);
    assert_int_equal(rc, x->code);
    assert_int_equal(e.code, rc);
    const char *want = rc == 0 ? "had hello" : "had ";
    assert_true(slice_eq_str(buf_slice(&body), want));
    if (!strstr(e.msg, x->error)) {
        fail_msg("%s: \"%s\"", x->path, e.msg);
    }
    buf_fini(&body);
}

static void test_fetch(void **state)
{
    for (size_t i = 0; i < sizeof(fetches) / sizeof(fetches[0]); i++) {
        fetch_one(*state, &fetches[i]);
    }
}

/* Who is behind a proxy that is gone is not told that the host refused: it was
 * never asked. */
static void test_fetch_by_proxy(void **state)
{
    static const struct fetch_case gone = {
        "/ok", BTC_E_REFUSED, "proxy that http_proxy in the environment names"};
    const struct world *w = *state;
    uint16_t port = 0;
    char proxy[64];
    int fd = listen_loopback(&port);
    (void)close(fd); /* nobody listens there now */
    (void)snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", (unsigned)port);
    (void)setenv("http_proxy", proxy, 1);
    fetch_one(w, &gone);
    (void)unsetenv("http_proxy");
}

#define WITH_WORLD(f) \
    cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    static const char *const proxies[] = {
        "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    for (size_t i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++) {
        (void)unsetenv(proxies[i]);
    }
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_answers),
        WITH_WORLD(test_bomb_fits_a_larger_limit),
        WITH_WORLD(test_request_says_who_we_are),
        WITH_WORLD(test_hang_times_out),
        WITH_WORLD(test_refused_and_unusable),
        WITH_WORLD(test_interface_fails_closed),
        WITH_WORLD(test_bound_to_an_address),
        WITH_WORLD(test_cancel),
        WITH_WORLD(test_free_inside_callback),
        WITH_WORLD(test_more_than_at_once),
        WITH_WORLD(test_the_rest_waits),
        WITH_WORLD(test_silent_host),
        WITH_WORLD(test_silence_and_others),
        WITH_WORLD(test_fetch),
        WITH_WORLD(test_fetch_by_proxy),
    };
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
