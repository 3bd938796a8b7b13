/* Announces carried out: the scheme of a tracker's URL is known here and
 * nowhere above. An HTTP announce is a URL made of the request and a body
 * decoded into the reply, sent when tracker_hosts.h lets it; a UDP announce is
 * udp_trackers' business.
 */
#include "engine/trackers.h"

#include "base/mem.h"
#include "engine/reach.h"
#include "engine/scrapes.h"
#include "engine/tracker_hosts.h"
#include "engine/turn.h"
#include "proto/tracker/http.h"

#include <stdlib.h>
#include <strings.h>

#define TRACKERS_URL_MAX 8192u  /* of an announce, with its query */
#define TRACKERS_HTTP_MS 30000u /* an answer may take so long */

/* A request to a tracker: one of http and udp is out, or it waits for a host to
 * answer others. */
struct announcing {
    struct engine_torrent *st;
    struct http_job *http;
    struct udp_announce *udp;
    struct tracker_host *host; /* borrows; NULL: not shared */
    char *url;                 /* owns; while it waits */
    uint32_t tracker;
    struct announcing *prev, *next;     /* of its torrent */
    struct announcing *before, *behind; /* of those that wait for the host */
};

static void trackers_drop(struct announcing *n)
{
    DL_DELETE(n->st->net.announces, n);
    free(n->url);
    free(n);
}

static struct announcing *trackers_add(struct engine_torrent *st,
                                       const struct action *a)
{
    struct announcing *n = mem_zalloc(sizeof(*n));
    n->st = st;
    n->tracker = a->announce.tracker;
    DL_PREPEND(st->net.announces, n);
    return n;
}

/* --- HTTP --- */

/* It fails without a request. */
static void trackers_fail(struct engine_torrent *st, uint32_t tracker, int code,
                          const char *error)
{
    struct event ev = {.type = EVENT_ANNOUNCED, .result = code};
    ev.announced.tracker = tracker;
    ev.announced.error = error;
    turn_input(st, &ev);
}

static http_fn trackers_on_http;

/* Sends it. */
static void trackers_get(struct announcing *n, const char *url)
{
    struct engine *s = n->st->s;
    struct http_request r = {.url = url,
                             .max_body = TRACKER_MAX_REPLY,
                             .total_ms = TRACKERS_HTTP_MS,
                             .guard = !s->o.reach.allow_local};
    n->http = http_get(s->net.http, &r, trackers_on_http, n);
}

/* Those that wait for a host go or fail, as far as something is known. */
static void trackers_pump(struct tracker_host *h, uint64_t now_ms)
{
    enum tracker_host_verdict v = TRACKER_HOST_ASK;
    while (h != NULL && h->waiting != NULL && v != TRACKER_HOST_WAIT) {
        struct announcing *n = h->waiting;
        v = tracker_host_ask(h, now_ms);
        if (v != TRACKER_HOST_WAIT) {
            DL_DELETE2(h->waiting, n, before, behind);
        }
        if (v == TRACKER_HOST_ASK) {
            trackers_get(n, n->url);
            free(n->url);
            n->url = NULL;
        } else if (v == TRACKER_HOST_FAIL) {
            struct engine_torrent *st = n->st;
            uint32_t tracker = n->tracker;
            trackers_drop(n);
            trackers_fail(st, tracker, h->code, h->error);
        }
    }
}

/* The host has answered, or it has not. */
static void trackers_learn(struct tracker_host *h, const struct http_result *r,
                           uint64_t now_ms)
{
    if (h != NULL && r->code != 0 && r->status == 0) {
        tracker_host_failed(h, r->code, r->error, now_ms);
    } else if (h != NULL) {
        tracker_host_answered(h);
    }
    trackers_pump(h, now_ms);
}

/* One that does not come back. */
static void trackers_forget(struct announcing *n)
{
    struct tracker_host *h = n->host;
    struct engine *s = n->st->s;
    uint64_t now_ms = loop_now_ms(s->loop);
    bool waits = n->url != NULL;
    http_cancel(n->http);
    udp_trackers_cancel(n->udp);
    if (h != NULL && waits) {
        DL_DELETE2(h->waiting, n, before, behind);
    } else if (h != NULL) {
        tracker_host_cancelled(h);
    }
    trackers_drop(n);
    if (!waits && !turn_is_ending(s)) {
        trackers_pump(h, now_ms);
    }
}

/* NOLINTBEGIN(clang-analyzer-unix.Malloc): DL_DELETE takes it out of the list
 */
void trackers_cancel(struct engine_torrent *st)
{
    scrapes_cancel(st);
    while (st->net.announces != NULL) {
        trackers_forget(st->net.announces);
    }
}
/* NOLINTEND(clang-analyzer-unix.Malloc) */

/* The core hears of a reply or of an error text, never of HTTP. */
static void trackers_on_http(void *ctx, const struct http_result *r)
{
    struct announcing *n = ctx;
    struct engine_torrent *st = n->st;
    struct tracker_reply reply = {.n_peers = 0};
    struct tracker_host *host = n->host;
    struct err e = {0};
    struct event ev = {.type = EVENT_ANNOUNCED, .result = r->code};
    ev.announced.tracker = n->tracker;
    ev.announced.error = r->error;
    if (r->code == 0) {
        ev.result = tracker_http_decode(r->status, r->retry_after_s, r->body,
                                        &reply, &e);
        ev.announced.reply = &reply;
        ev.announced.error = e.msg;
    }
    trackers_drop(n);
    turn_input(st, &ev);
    tracker_reply_fini(&reply);
    trackers_learn(host, r, loop_now_ms(st->s->loop));
}

/* By what is known of the host. */
static void trackers_share(struct engine_torrent *st, const struct action *a,
                           const char *announce, const char *url)
{
    struct tracker_host *h = tracker_hosts_get(st->s->net.hosts, announce);
    enum tracker_host_verdict v = TRACKER_HOST_ASK;
    if (h != NULL) {
        v = tracker_host_ask(h, loop_now_ms(st->s->loop));
    }
    if (v == TRACKER_HOST_FAIL) {
        trackers_fail(st, a->announce.tracker, h->code, h->error);
        return;
    }
    struct announcing *n = trackers_add(st, a);
    n->host = h;
    if (v == TRACKER_HOST_WAIT) {
        n->url = mem_strdup(url);
        DL_APPEND2(h->waiting, n, before, behind);
    } else {
        trackers_get(n, url);
    }
}

static void trackers_announce_http(struct engine_torrent *st,
                                   const struct action *a, const char *announce)
{
    struct buf url;
    buf_init(&url, TRACKERS_URL_MAX);
    if (tracker_http_url(announce, a->announce.request, &url) < 0) {
        trackers_fail(st, a->announce.tracker, BTC_E_LIMIT,
                      "the URL is too long");
    } else {
        trackers_share(st, a, announce, buf_cstr(&url));
    }
    buf_fini(&url);
}

/* --- UDP --- */

/* The outcome. The announce lives on while the other family is out. */
static void trackers_on_udp(void *ctx, int result,
                            const struct tracker_reply *reply,
                            const char *error)
{
    struct announcing *n = ctx;
    struct event ev = {.type = EVENT_ANNOUNCED, .result = result};
    ev.announced.tracker = n->tracker;
    ev.announced.reply = reply;
    ev.announced.error = error;
    turn_input(n->st, &ev);
}

/* Peers of the other family. */
static void trackers_on_udp_more(void *ctx, const struct tracker_reply *reply)
{
    struct announcing *n = ctx;
    for (uint32_t i = 0; i < reply->n_peers; i++) {
        struct event ev = {.type = EVENT_PEER};
        ev.peer.addr = reply->peers[i];
        ev.peer.source = PEER_SOURCE_TRACKER;
        turn_input(n->st, &ev);
    }
}

static void trackers_on_udp_over(void *ctx)
{
    trackers_drop(ctx);
}

static void trackers_announce_udp(struct engine_torrent *st,
                                  const struct action *a, const char *url)
{
    static const struct udp_announce_fns fns = {.on_done = trackers_on_udp,
                                                .on_more = trackers_on_udp_more,
                                                .on_over =
                                                    trackers_on_udp_over};
    struct announcing *n = trackers_add(st, a);
    n->udp = udp_trackers_announce(reach_udp_trackers(st->s->reach), url,
                                   a->announce.request, &fns, n);
}

void trackers_announce(struct engine_torrent *st, const struct action *a)
{
    const struct announce_tracker *k =
        announce_get(torrent_announce(st->t), a->announce.tracker);
    if (strncasecmp(k->url, "udp://", 6) == 0) {
        trackers_announce_udp(st, a, k->url);
    } else {
        trackers_announce_http(st, a, k->url);
    }
}
