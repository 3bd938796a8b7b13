/* Announces carried out: the scheme of a tracker's URL is known here and
 * nowhere above. An HTTP announce is a URL made of the request and a body
 * decoded into the reply; a UDP announce is udp_trackers' business.
 */
#include "engine/trackers.h"

#include "base/mem.h"
#include "engine/reach.h"
#include "engine/turn.h"
#include "proto/tracker/http.h"

#include <stdlib.h>
#include <strings.h>

#define TRACKERS_URL_MAX 8192u /* of an announce, with its query */

/* A request to a tracker that is out: one of http and udp. */
struct announcing {
    struct engine_torrent *st;
    struct http_job *http;
    struct udp_announce *udp;
    uint32_t tracker;
    struct announcing *next;
};

static void trackers_drop(struct announcing *n)
{
    LL_DELETE(n->st->net.announces, n);
    free(n);
}

static struct announcing *trackers_add(struct engine_torrent *st,
                                       const struct action *a)
{
    struct announcing *n = mem_zalloc(sizeof(*n));
    n->st = st;
    n->tracker = a->announce.tracker;
    LL_PREPEND(st->net.announces, n);
    return n;
}

void trackers_cancel(struct engine_torrent *st)
{
    struct announcing *n;
    while ((n = st->net.announces) != NULL) {
        http_cancel(n->http);
        udp_trackers_cancel(n->udp);
        st->net.announces = n->next;
        free(n);
    }
}

/* --- HTTP --- */

/* The core hears of a reply or of an error text, never of HTTP. */
static void trackers_on_http(void *ctx, const struct http_result *r)
{
    struct announcing *n = ctx;
    struct engine_torrent *st = n->st;
    struct tracker_reply reply = {.n_peers = 0};
    struct err e = {0};
    struct event ev = {.type = EVENT_ANNOUNCED, .result = r->code};
    ev.announced.tracker = n->tracker;
    ev.announced.error = r->error;
    if (r->code == 0) {
        ev.result = tracker_http_decode(r->status, r->body, &reply, &e);
        ev.announced.reply = &reply;
        ev.announced.error = e.msg;
    }
    trackers_drop(n);
    turn_input(st, &ev);
    tracker_reply_fini(&reply);
}

static void trackers_announce_http(struct engine_torrent *st,
                                   const struct action *a, const char *announce)
{
    struct buf url;
    buf_init(&url, TRACKERS_URL_MAX);
    if (tracker_http_url(announce, a->announce.request, &url) < 0) {
        struct event ev = {.type = EVENT_ANNOUNCED, .result = BTC_E_LIMIT};
        ev.announced.tracker = a->announce.tracker;
        ev.announced.error = "the URL is too long";
        turn_input(st, &ev);
    } else {
        struct http_request r = {.url = buf_cstr(&url),
                                 .max_body = TRACKER_MAX_REPLY,
                                 .guard = !st->s->o.reach.allow_local};
        struct announcing *n = trackers_add(st, a);
        n->http = http_get(st->s->net.http, &r, trackers_on_http, n);
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
