/* A torrent's trackers: announce.c decides when to ask; this file says what we
 * tell and takes in what came of it. Requests and replies are the same for all
 * schemes (proto/tracker/tracker.h); whoever carries out the actions looks at
 * the URL.
 */
#include "base/err.h"
#include "base/mem.h"
#include "core/torrent/internal.h"
#include "model/names.h"
#include <string.h>

#define ANNOUNCE_NUMWANT 200

/* BEP 3 `left`: bytes of the whole torrent, for a tracker takes who lacks none
 * for a seed of everything. */
uint64_t torrent_left(const struct torrent *t)
{
    uint64_t left = 0;
    for (uint32_t i = 0; i < t->geom->n_files; i++) {
        const struct layout_file *f = &t->geom->files[i];
        left += f->pad ? 0 : f->length - t->file_done[i];
    }
    return left;
}

/* What is said to one tracker. */
static struct tracker_request *
torrent_announce_request(const struct torrent *t,
                         const struct announce_job *job, uint64_t left)
{
    const struct announce_tracker *k = announce_get(t->announce, job->tracker);
    struct tracker_request *r = mem_zalloc(sizeof *r);
    memcpy(r->info_hash, t->info_hash, sizeof r->info_hash);
    memcpy(r->peer_id, t->shared->peer_id, sizeof r->peer_id);
    memcpy(r->tracker_id, k->tracker_id, sizeof r->tracker_id);
    r->key = t->shared->key;
    r->port = t->shared->port;
    /* A tracker adds up what each run tells, so earlier runs do not count. */
    r->uploaded = t->uploaded - t->old_up;
    r->downloaded = t->downloaded - t->old_down;
    r->left = left;
    r->event = job->event;
    r->partial_seed = left > 0 && t->state == TORRENT_SEEDING;
    if (job->event != TRACKER_EVENT_STOPPED) {
        r->numwant = ANNOUNCE_NUMWANT;
    }
    return r;
}

/* One request for each announce that is due. */
void torrent_announce_pump(struct torrent *t)
{
    struct announce_job job;
    uint64_t left = UINT64_MAX;
    while (announce_next(t->announce, t->now_ms, &job)) {
        if (left == UINT64_MAX) {
            left = torrent_left(t);
        }
        struct action *a = torrent_push(t, ACTION_ANNOUNCE);
        a->announce.tracker = job.tracker;
        a->announce.request = torrent_announce_request(t, &job, left);
    }
}

/* A reply that came: its peers are candidates. */
static void torrent_announce_reply(struct torrent *t, uint32_t tracker,
                                   const struct tracker_reply *r)
{
    const struct announce_tracker *k = announce_get(t->announce, tracker);
    const char *text = r->failure[0] != '\0' ? r->failure : r->warning;
    bool news = text[0] != '\0' && strcmp(k->error, text) != 0;
    announce_on_reply(t->announce, tracker, r, t->now_ms, t->unix_now);
    uint32_t n_new = 0;
    for (uint32_t i = 0; i < r->n_peers; i++) {
        n_new += peerset_find(t->peerset, &r->peers[i]) == NULL ? 1 : 0;
        (void)peerset_add(t->peerset, &r->peers[i], PEER_SOURCE_TRACKER);
    }
    announce_on_new_peers(t->announce, tracker, n_new);
    if (news) { /* said once, not at every announce */
        torrent_event(t, LEVEL_WARN, "tracker", "%s %s: %s", k->url,
                      r->failure[0] != '\0' ? "refuses" : "warns", text);
    }
}

/* No answer, or one that is none. */
static void torrent_announce_error(struct torrent *t, uint32_t tracker,
                                   const char *text)
{
    const struct announce_tracker *k = announce_get(t->announce, tracker);
    if (k->error[0] == '\0' || strcmp(k->error, text) != 0) {
        torrent_event(t, LEVEL_WARN, "tracker", "%s: %s", k->url, text);
    }
    announce_on_error(t->announce, tracker, text, t->now_ms);
}

/* EVENT_ANNOUNCED. */
void torrent_announce_result(struct torrent *t, const struct event *ev)
{
    uint32_t tracker = ev->announced.tracker;
    if (tracker >= announce_count(t->announce)) {
        return;
    }
    if (ev->result == 0) {
        torrent_announce_reply(t, tracker, ev->announced.reply);
    } else if (ev->announced.error != NULL) {
        torrent_announce_error(t, tracker, ev->announced.error);
    } else {
        torrent_announce_error(t, tracker, err_text(ev->result));
    }
    torrent_fact(t, FACT_TRACKER, 0, tracker);
}
