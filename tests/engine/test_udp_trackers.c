/* udp_trackers: announces and scrapes at a tracker that lives on the same loop,
 * on the loopback address. */
#include "engine/udp_trackers.h"

#include "proto/tracker/udp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define GUARD_MS 20000 /* a test that hangs fails instead */

struct kit {
    struct loop *loop;
    struct rng rng;
    struct resolve *resolve;
    struct udp *ours, *theirs;
    struct udp_user user;
    struct udp_trackers *u;
    char url[64];
    bool is_mute;     /* the tracker says nothing */
    bool refuses;     /* it answers with an error */
    unsigned n_asked; /* datagrams that came to it */
    unsigned n_done, n_more, n_over;
    int result;
    int64_t seeders, downloaded;
    uint32_t n_peers;
    char text[TRACKER_TEXT_MAX];
};

/* The tracker's answer: the shape of BEP 15. */
static bool kit_on_datagram(void *ctx, const struct addr *from,
                            struct slice data)
{
    struct kit *k = ctx;
    uint8_t m[26] = {0};
    size_t len = 20;
    k->n_asked++;
    if (k->is_mute || data.len < 16) {
        return true;
    }
    uint32_t action = bytes_get_be32(data.p + 8);
    if (k->refuses && action != TRACKER_UDP_CONNECT) {
        action = TRACKER_UDP_ERROR;
    }
    (void)bytes_put_be32(m, action);
    memcpy(m + 4, data.p + 12, 4);
    if (action == TRACKER_UDP_CONNECT) {
        len = 16;
        (void)bytes_put_be32(m + 12, 4711);
    } else if (action == TRACKER_UDP_ANNOUNCE) {
        len = 26;
        (void)bytes_put_be32(m + 8, 1800);
        (void)bytes_put_be32(m + 16, 3);
        memcpy(m + 20, "\x0a\x01\x02\x03\x1a\xe1", 6);
    } else if (action == TRACKER_UDP_SCRAPE) {
        (void)bytes_put_be32(m + 8, 5);
        (void)bytes_put_be32(m + 12, 6);
        (void)bytes_put_be32(m + 16, 7);
    } else {
        len = 10;
        memcpy(m + 8, "no", 2);
    }
    assert_int_equal(udp_send(k->theirs, from, slice_of(m, len)), 0);
    return true;
}

static void kit_on_done(void *ctx, int result, const struct tracker_reply *r,
                        const char *error)
{
    struct kit *k = ctx;
    k->n_done++;
    k->result = result;
    (void)snprintf(k->text, sizeof(k->text), "%s", error);
    if (r != NULL) {
        k->seeders = r->seeders;
        k->downloaded = r->downloaded;
        k->n_peers = r->n_peers;
        (void)snprintf(k->text, sizeof(k->text), "%s", r->failure);
    }
}

static void kit_on_more(void *ctx, const struct tracker_reply *r)
{
    struct kit *k = ctx;
    (void)r;
    k->n_more++;
}

static void kit_on_over(void *ctx)
{
    struct kit *k = ctx;
    k->n_over++;
    loop_stop(k->loop);
}

static const struct udp_announce_fns kit_fns = {
    .on_done = kit_on_done, .on_more = kit_on_more, .on_over = kit_on_over};

static void kit_on_guard(void *ctx)
{
    (void)ctx;
    fail_msg("nothing came");
}

/* With our side of UDP, or without. */
static void kit_init(struct kit *k, bool has_udp)
{
    struct tcp_host_options host = {0};
    struct err e = {0};
    memset(k, 0, sizeof(*k));
    rng_init(&k->rng, 7);
    k->loop = loop_new();
    assert_non_null(k->loop);
    loop_set_timer_fn(k->loop, kit_on_guard, NULL);
    loop_arm_timer(k->loop, loop_now_ms(k->loop) + GUARD_MS);
    assert_true(addr_parse_ip(slice_str("127.0.0.1"), 0, &host.bind4));
    k->theirs = udp_new(k->loop, &host, 0, &e);
    assert_non_null(k->theirs);
    k->user = (struct udp_user){.on_datagram = kit_on_datagram, .ctx = k};
    udp_add_user(k->theirs, &k->user);
    if (has_udp) {
        k->ours = udp_new(k->loop, &host, 0, &e);
        assert_non_null(k->ours);
    }
    k->resolve = resolve_new(k->loop, NULL);
    struct udp_trackers_options o = {
        .loop = k->loop, .udp = k->ours, .resolve = k->resolve, .rng = &k->rng};
    k->u = udp_trackers_new(&o);
    (void)snprintf(k->url, sizeof(k->url), "udp://127.0.0.1:%u/announce",
                   udp_port(k->theirs, ADDR_V4));
}

static void kit_fini(struct kit *k)
{
    udp_trackers_free(k->u);
    udp_free(k->ours);
    udp_free(k->theirs);
    resolve_free(k->resolve);
    loop_free(k->loop);
}

static void test_announce(void **state)
{
    struct kit k;
    struct tracker_request r = {.port = 6881, .numwant = 50};
    (void)state;
    kit_init(&k, true);
    (void)udp_trackers_announce(k.u, k.url, &r, &kit_fns, &k);
    assert_int_equal(k.n_done, 0); /* nothing is told from inside the call */
    loop_run(k.loop);
    assert_int_equal(k.result, 0);
    assert_int_equal(k.n_peers, 1);
    assert_int_equal(k.seeders, 3);
    assert_int_equal(k.downloaded, -1);
    assert_int_equal(k.n_done, 1);
    assert_int_equal(k.n_more, 0);
    kit_fini(&k);
}

/* One after the other: the connection id is used again. */
static void test_scrape(void **state)
{
    struct kit k;
    uint8_t hash[20] = {1};
    (void)state;
    kit_init(&k, true);
    for (unsigned i = 1; i <= 2; i++) {
        (void)udp_trackers_scrape(k.u, k.url, hash, &kit_fns, &k);
        loop_run(k.loop);
        assert_int_equal(k.result, 0);
        assert_int_equal(k.seeders, 5);
        assert_int_equal(k.downloaded, 6);
        assert_int_equal(k.n_peers, 0);
        assert_int_equal(k.n_over, i);
    }
    assert_int_equal(k.n_asked, 3);
    kit_fini(&k);
}

/* A refusal is a reply with a text. */
static void test_refused(void **state)
{
    struct kit k;
    struct tracker_request r = {.port = 1};
    (void)state;
    kit_init(&k, true);
    k.refuses = true;
    (void)udp_trackers_announce(k.u, k.url, &r, &kit_fns, &k);
    loop_run(k.loop);
    assert_int_equal(k.result, 0);
    assert_string_equal(k.text, "no");
    kit_fini(&k);
}

/* What cannot even be asked: told later, once, with the reason. */
static void test_failures(void **state)
{
    static const struct {
        const char *url;
        bool has_udp;
        const char *text;
    } cases[] = {{"udp://127.0.0.1:80/", false, "no UDP socket"},
                 {"udp://127.0.0.1/", true, "no host and port"},
                 {"udp://:80/", true, "no host and port"},
                 {"udp://[::1]:80/", true, "no address of it"}};
    struct tracker_request r = {.port = 1};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct kit k;
        kit_init(&k, cases[i].has_udp);
        (void)udp_trackers_announce(k.u, cases[i].url, &r, &kit_fns, &k);
        assert_int_equal(k.n_done, 0);
        loop_run(k.loop);
        assert_int_equal(k.n_done, 1);
        assert_int_equal(k.n_over, 1);
        assert_true(k.result < 0);
        assert_non_null(strstr(k.text, cases[i].text));
        kit_fini(&k);
    }
}

/* Who cancels hears nothing more, whatever the tracker answers; others do. */
static void test_cancel(void **state)
{
    struct kit k, gone = {.n_done = 0};
    struct tracker_request r = {.port = 1};
    (void)state;
    kit_init(&k, true);
    gone.loop = k.loop;
    struct udp_announce *a =
        udp_trackers_announce(k.u, k.url, &r, &kit_fns, &gone);
    struct udp_announce *b =
        udp_trackers_announce(k.u, "udp://x/", &r, &kit_fns, &gone);
    udp_trackers_cancel(a);
    udp_trackers_cancel(b);
    udp_trackers_cancel(NULL);
    (void)udp_trackers_announce(k.u, k.url, &r, &kit_fns, &k);
    loop_run(k.loop);
    assert_int_equal(k.n_done, 1);
    assert_int_equal(gone.n_done + gone.n_over, 0);
    k.is_mute = true; /* freed while it is asked */
    (void)udp_trackers_announce(k.u, k.url, &r, &kit_fns, &gone);
    kit_fini(&k);
    assert_int_equal(gone.n_done + gone.n_over, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_announce), cmocka_unit_test(test_scrape),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_failures),
        cmocka_unit_test(test_cancel)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
