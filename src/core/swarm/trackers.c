/* A torrent's trackers: when (announce.c decides), what, and what came of it.
 */
#include "base/err.h"
#include "base/mem.h"
#include "core/torrent/internal.h"
#include "model/names.h"
#include <stdio.h>
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

/* Makes the URLs of all announces that are due. */
void torrent_announce_pump(struct torrent *t)
{
    struct announce_job job;
    uint64_t left = UINT64_MAX;
    while (announce_next(t->announce, t->now_ms, &job)) {
        const struct announce_tracker *k =
            announce_get(t->announce, job.tracker);
        left = left == UINT64_MAX ? torrent_left(t) : left;
        struct tracker_request r = {
            .port = t->shared->port,
            /* Since `started`: a tracker adds up what each run tells. */
            .uploaded = t->uploaded - t->old_up,
            .downloaded = t->downloaded - t->old_down,
            .left = left,
            .event = job.event,
            .partial_seed = left > 0 && t->state == TORRENT_SEEDING,
            .numwant =
                job.event == TRACKER_EVENT_STOPPED ? 0 : ANNOUNCE_NUMWANT,
            .key = t->shared->key,
            .tracker_id = slice_str(k->tracker_id),
        };
        memcpy(r.info_hash, t->info_hash, sizeof r.info_hash);
        memcpy(r.peer_id, t->shared->peer_id, sizeof r.peer_id);
        buf_clear(&t->url);
        if (tracker_http_url(k->url, &r, &t->url) < 0) {
            announce_on_error(t->announce, job.tracker, "the URL is too long",
                              t->now_ms);
            continue;
        }
        struct action *a = torrent_push(t, ACTION_ANNOUNCE);
        a->announce.tracker = job.tracker;
        a->announce.url = mem_strdup(buf_cstr(&t->url));
    }
}

/* A reply that came: its peers are candidates. */
static void torrent_announce_reply(struct torrent *t, const struct event *ev,
                                   const struct tracker_reply *r)
{
    uint32_t tracker = ev->announced.tracker;
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

/* EVENT_ANNOUNCED. */
void torrent_announce_result(struct torrent *t, const struct event *ev)
{
    uint32_t tracker = ev->announced.tracker;
    if (tracker >= announce_count(t->announce)) {
        return;
    }
    struct tracker_reply r;
    struct err e = {0};
    char text[TRACKER_TEXT_MAX];
    int err = ev->result;
    if (err < 0) {
        (void)snprintf(text, sizeof text, "%s",
                       ev->announced.error != NULL ? ev->announced.error
                                                   : err_text(err));
    } else {
        /* Many trackers put their failure text into a reply with status 4xx. */
        err = tracker_http_parse(ev->announced.body, &r, &e);
        if (err == 0) {
            torrent_announce_reply(t, ev, &r);
        } else if (ev->announced.status >= 400) {
            (void)snprintf(text, sizeof text, "HTTP status %ld",
                           ev->announced.status);
        } else {
            (void)snprintf(text, sizeof text, "%.200s", e.msg);
        }
        tracker_reply_fini(&r);
    }
    if (err < 0) {
        const struct announce_tracker *k = announce_get(t->announce, tracker);
        if (k->error[0] == '\0' || strcmp(k->error, text) != 0) {
            torrent_event(t, LEVEL_WARN, "tracker", "%s: %s", k->url, text);
        }
        announce_on_error(t->announce, tracker, text, t->now_ms);
    }
    torrent_fact(t, FACT_TRACKER, 0, tracker);
}
