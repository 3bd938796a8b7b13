/* Scrapes over HTTP and UDP; see scrapes.h. */
#include "engine/scrapes.h"

#include "base/mem.h"
#include "engine/reach.h"
#include "engine/turn.h"
#include "proto/tracker/http.h"

#include <stdlib.h>
#include <strings.h>

#define SCRAPES_URL_MAX  8192u
#define SCRAPES_BODY_MAX (64u << 10) /* the numbers of one torrent */

/* A scrape that is out: one of http and udp. */
struct scrape {
    struct engine_torrent *st;
    struct http_job *http;
    struct udp_announce *udp;
    uint32_t tracker;
    struct scrape *next;
};

static struct scrape *scrapes_add(struct engine_torrent *st, uint32_t tracker)
{
    struct scrape *s = mem_zalloc(sizeof(*s));
    s->st = st;
    s->tracker = tracker;
    LL_PREPEND(st->watch.search.scrapes, s);
    return s;
}

static void scrapes_drop(struct scrape *s)
{
    LL_DELETE(s->st->watch.search.scrapes, s);
    free(s);
}

void scrapes_cancel(struct engine_torrent *st)
{
    struct scrape *s;
    while ((s = st->watch.search.scrapes) != NULL) {
        http_cancel(s->http);
        udp_trackers_cancel(s->udp);
        st->watch.search.scrapes = s->next;
        free(s);
    }
}

/* The core hears of numbers, or that there are none. */
static void scrapes_tell(struct engine_torrent *st, uint32_t tracker,
                         int result, const struct tracker_reply *reply)
{
    struct event ev = {.type = EVENT_SCRAPED, .result = result};
    ev.announced.tracker = tracker;
    ev.announced.reply = reply;
    turn_input(st, &ev);
}

/* --- HTTP --- */

static void scrapes_on_http(void *ctx, const struct http_result *r)
{
    struct scrape *s = ctx;
    struct engine_torrent *st = s->st;
    uint32_t tracker = s->tracker;
    struct tracker_reply reply = {.n_peers = 0};
    struct err e = {0};
    int code = r->code;
    if (code == 0) {
        code =
            tracker_http_scrape_parse(r->body, st->row.info_hash, &reply, &e);
    }
    scrapes_drop(s);
    scrapes_tell(st, tracker, code, &reply);
}

static void scrapes_start_http(struct engine_torrent *st, uint32_t tracker,
                               const char *announce)
{
    struct buf url;
    buf_init(&url, SCRAPES_URL_MAX);
    int code = tracker_http_scrape_url(announce, st->row.info_hash, &url);
    if (code != 0) {
        scrapes_tell(st, tracker, code, NULL);
    } else {
        struct http_request r = {.url = buf_cstr(&url),
                                 .max_body = SCRAPES_BODY_MAX,
                                 .guard = !st->s->o.reach.allow_local};
        struct scrape *s = scrapes_add(st, tracker);
        s->http = http_get(st->s->net.http, &r, scrapes_on_http, s);
    }
    buf_fini(&url);
}

/* --- UDP --- */

static void scrapes_on_udp(void *ctx, int result,
                           const struct tracker_reply *reply, const char *error)
{
    const struct scrape *s = ctx;
    (void)error;
    scrapes_tell(s->st, s->tracker, result, reply);
}

/* The numbers over the other family are those of the same swarm. */
static void scrapes_on_udp_more(void *ctx, const struct tracker_reply *reply)
{
    (void)ctx;
    (void)reply;
}

static void scrapes_on_udp_over(void *ctx)
{
    scrapes_drop(ctx);
}

static void scrapes_start_udp(struct engine_torrent *st, uint32_t tracker,
                              const char *url)
{
    static const struct udp_announce_fns fns = {.on_done = scrapes_on_udp,
                                                .on_more = scrapes_on_udp_more,
                                                .on_over = scrapes_on_udp_over};
    struct scrape *s = scrapes_add(st, tracker);
    s->udp = udp_trackers_scrape(reach_udp_trackers(st->s->reach), url,
                                 st->row.info_hash, &fns, s);
}

void scrapes_start(struct engine_torrent *st, uint32_t tracker)
{
    const char *url = announce_get(torrent_announce(st->t), tracker)->url;
    if (strncasecmp(url, "udp://", 6) == 0) {
        scrapes_start_udp(st, tracker, url);
    } else {
        scrapes_start_http(st, tracker, url);
    }
}
