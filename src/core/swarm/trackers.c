/* A torrent's trackers: announce.c decides when to ask; this file says what we
 * tell and takes in what came of it. Requests and replies are the same for all
 * schemes (proto/tracker/tracker.h); whoever carries out the actions looks at
 * the URL.
 */
#include "base/err.h"
#include "base/mem.h"
#include "core/swarm/internal.h"
#include "model/names.h"
#include <stdio.h>
#include <string.h>

#define ANNOUNCE_NUMWANT      200
#define TRACKERS_LEFT_UNKNOWN 16384u

/* Bytes missing; without content nobody knows, but it is not 0, for then we
 * would be taken for a seed. */
static uint64_t trackers_left(const struct swarm *w)
{
    if (w->content == NULL) {
        return TRACKERS_LEFT_UNKNOWN;
    }
    return content_left(w->content);
}

/* What is said to one tracker. */
static struct tracker_request *trackers_request(const struct swarm *w,
                                                const struct announce_job *job,
                                                uint64_t left)
{
    const struct announce_tracker *k = announce_get(w->announce, job->tracker);
    struct tracker_request *r = mem_zalloc(sizeof *r);
    memcpy(r->info_hash, w->info_hash, sizeof r->info_hash);
    memcpy(r->peer_id, w->shared->peer_id, sizeof r->peer_id);
    (void)snprintf(r->tracker_id, sizeof r->tracker_id, "%s", k->tracker_id);
    r->key = w->shared->key;
    r->port = w->shared->port;
    /* A tracker adds up what each run tells, so earlier runs do not count. */
    r->uploaded = w->total.uploaded - w->total.old_up;
    r->downloaded = w->total.downloaded - w->total.old_down;
    r->left = left;
    r->event = job->event;
    r->partial_seed = left > 0 && w->mode == SWARM_SEEDING;
    if (job->event != TRACKER_EVENT_STOPPED) {
        r->numwant = ANNOUNCE_NUMWANT;
    }
    return r;
}

/* One request for each announce and scrape that is due. Whether peers lack is
 * looked at here, after each event: a swarm without any peer has no ticks. */
void trackers_pump(struct swarm *w)
{
    struct announce_job job;
    uint64_t left = UINT64_MAX;
    announce_want_peers(w->announce, w->mode == SWARM_DOWNLOADING &&
                                         w->count.peers < w->count.max / 2);
    announce_moved(w->announce, w->total.last_payload_ms);
    while (announce_next(w->announce, w->clock.now_ms, &job)) {
        if (left == UINT64_MAX) {
            left = trackers_left(w);
        }
        struct action *a = actions_push(w->actions, ACTION_ANNOUNCE);
        a->announce.tracker = job.tracker;
        a->announce.request = trackers_request(w, &job, left);
    }
    uint32_t tracker;
    while (announce_scrape_next(w->announce, w->clock.now_ms, &tracker)) {
        actions_push(w->actions, ACTION_SCRAPE)->announce.tracker = tracker;
    }
}

/* A reply that came: its peers are candidates. */
static void trackers_reply(struct swarm *w, uint32_t tracker,
                           const struct tracker_reply *r)
{
    const struct announce_tracker *k = announce_get(w->announce, tracker);
    const char *text = r->failure[0] != '\0' ? r->failure : r->warning;
    bool news = text[0] != '\0' && strcmp(k->error, text) != 0;
    announce_on_reply(w->announce, tracker, r, w->clock.now_ms,
                      w->clock.unix_now);
    uint32_t n_new = 0;
    for (uint32_t i = 0; i < r->n_peers; i++) {
        if (peerset_find(w->peerset, &r->peers[i]) == NULL) {
            n_new++;
        }
        int64_t id = peerset_add(w->peerset, &r->peers[i], PEER_SOURCE_TRACKER);
        if (id >= 0) {
            peerset_listed(w->peerset, (uint32_t)id, w->clock.now_ms);
        }
    }
    announce_on_new_peers(w->announce, tracker, n_new);
    if (news) { /* said once, not at every announce */
        actions_event(w->actions, LEVEL_WARN, "tracker", "%s %s: %s", k->url,
                      r->failure[0] != '\0' ? "refuses" : "warns", text);
    }
}

/* No answer, or one that is none. */
static void trackers_error(struct swarm *w, uint32_t tracker, const char *text)
{
    const struct announce_tracker *k = announce_get(w->announce, tracker);
    if (k->error[0] == '\0' || strcmp(k->error, text) != 0) {
        actions_event(w->actions, LEVEL_WARN, "tracker", "%s: %s", k->url,
                      text);
    }
    announce_on_error(w->announce, tracker, text, w->clock.now_ms);
}

/* EVENT_ANNOUNCED. */
void trackers_result(struct swarm *w, const struct event *ev)
{
    uint32_t tracker = ev->announced.tracker;
    if (tracker >= announce_count(w->announce)) {
        return;
    }
    if (ev->result == 0) {
        trackers_reply(w, tracker, ev->announced.reply);
    } else if (ev->announced.error != NULL) {
        trackers_error(w, tracker, ev->announced.error);
    } else {
        trackers_error(w, tracker, err_text(ev->result));
    }
    actions_fact(w->actions, FACT_TRACKER, 0, tracker);
}

/* EVENT_SCRAPED. Why one failed is nobody's trouble: announces work. */
void trackers_scraped(struct swarm *w, const struct event *ev)
{
    const struct tracker_reply *r = NULL;
    if (ev->result == 0) {
        r = ev->announced.reply;
    }
    announce_on_scrape(w->announce, ev->announced.tracker, r, w->clock.now_ms);
    if (r != NULL && ev->announced.tracker < announce_count(w->announce)) {
        actions_fact(w->actions, FACT_TRACKER, 0, ev->announced.tracker);
    }
}
