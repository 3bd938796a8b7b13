/* Announces carried out: the scheme of a tracker's URL is known here and
 * nowhere above. An HTTP announce is a URL made of the request and a body
 * decoded into the reply.
 */
#include "engine/trackers.h"

#include "base/mem.h"
#include "engine/turn.h"
#include "proto/tracker/http.h"

#include <stdlib.h>

#define TRACKERS_URL_MAX 8192u /* of an announce, with its query */

/* A request to a tracker that is out. */
struct announcing {
    struct engine_torrent *st;
    struct http_job *job;
    uint32_t tracker;
    struct announcing *next;
};

static void trackers_drop(struct announcing *n)
{
    struct announcing **at = &n->st->net.announces;
    while (*at != n) {
        at = &(*at)->next;
    }
    *at = n->next;
    free(n);
}

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

void trackers_cancel(struct engine_torrent *st)
{
    struct announcing *n;
    while ((n = st->net.announces) != NULL) {
        http_cancel(n->job);
        st->net.announces = n->next;
        free(n);
    }
}

void trackers_announce(struct engine_torrent *st, const struct action *a)
{
    const struct announce_tracker *k =
        announce_get(torrent_announce(st->t), a->announce.tracker);
    struct buf url;
    buf_init(&url, TRACKERS_URL_MAX);
    if (tracker_http_url(k->url, a->announce.request, &url) < 0) {
        struct event ev = {.type = EVENT_ANNOUNCED, .result = BTC_E_LIMIT};
        ev.announced.tracker = a->announce.tracker;
        ev.announced.error = "the URL is too long";
        turn_input(st, &ev);
    } else {
        struct http_request r = {.url = buf_cstr(&url),
                                 .max_body = TRACKER_MAX_REPLY};
        struct announcing *n = mem_zalloc(sizeof(*n));
        n->st = st;
        n->tracker = a->announce.tracker;
        n->next = st->net.announces;
        st->net.announces = n;
        n->job = http_get(st->s->net.http, &r, trackers_on_http, n);
    }
    buf_fini(&url);
}
