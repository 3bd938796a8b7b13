/* What is looked at once a second; see watch.h. */
#include "engine/watch.h"

#include "engine/final_look.h"
#include "engine/jobs.h"
#include "engine/limits.h"
#include "engine/nodes.h"
#include "engine/reach.h"
#include "engine/report.h"
#include "engine/turn.h"

#include <stdio.h>

#define WATCH_SPACE_MS 1000u /* look at free space this often */
/* Failures in a row of every tracker and peer, the last of them in this run,
 * before a run without any peer gives up. */
#define WATCH_TRIES 3

/* A tracker that btc speaks to; `failing` when all of those fail. NULL = none.
 */
static const struct announce_tracker *watch_trackers(const struct announce *a,
                                                     bool *failing)
{
    const struct announce_tracker *spoken = NULL;
    *failing = true;
    for (uint32_t i = 0; i < announce_count(a); i++) {
        const struct announce_tracker *k = announce_get(a, i);
        if (k->state != ANNOUNCE_UNSUPPORTED && k->state != ANNOUNCE_DISABLED) {
            if (spoken == NULL) {
                spoken = k;
            }
            *failing &= k->failures >= WATCH_TRIES && k->n_tried > 0;
        }
    }
    return spoken;
}

/* An address that may still answer. */
static bool watch_knows_peer(struct peerset *ps)
{
    for (uint32_t i = 0; i < peerset_count(ps); i++) {
        const struct peerset_entry *e = peerset_at(ps, i);
        if (e->connectable && !e->banned && !e->is_self &&
            e->failures < WATCH_TRIES) {
            return true;
        }
    }
    return false;
}

/* It downloads, and has never met anybody. */
static bool watch_is_alone(const struct engine_torrent *st, uint64_t now)
{
    struct torrent_stats ts;
    torrent_get_stats(st->t, now, &ts);
    return !ts.had_peer && ts.peers + ts.connecting == 0 &&
           ts.pieces_checking == 0 &&
           (torrent_state(st->t) == TORRENT_DOWNLOADING ||
            torrent_state(st->t) == TORRENT_METADATA);
}

/* No peer, no hope of one: a foreground run says so instead of waiting. */
static void watch_hope(struct engine_torrent *st, uint64_t now)
{
    char text[256];
    bool failing;
    if (st->s->o.follow_wishes || st->s->o.check_only ||
        !watch_is_alone(st, now)) {
        return;
    }
    const struct announce_tracker *spoken =
        watch_trackers(torrent_announce(st->t), &failing);
    if (!failing || watch_knows_peer(torrent_peerset(st->t)) ||
        nodes_has_hope(reach_nodes(st->s->reach), st) ||
        neighbours_have_hope(reach_neighbours(st->s->reach), st)) {
        return;
    }
    if (spoken == NULL) {
        (void)snprintf(text, sizeof(text),
                       "no tracker that btc speaks to and no peer answers; "
                       "name a peer with --peer HOST:PORT");
    } else {
        (void)snprintf(text, sizeof(text),
                       "no tracker answers and no peer is known (%.90s: %.90s)",
                       spoken->url, spoken->error);
    }
    turn_post_failed(st, BTC_E_NETWORK, text);
}

/* Answer to the look at free space while data comes in. */
static void watch_on_space(struct store_job *job)
{
    struct engine_torrent *st = job->ctx;
    struct engine *s = st->s;
    jobs_done(st);
    st->watch.space_busy = false;
    uint64_t floor = limits_min_free(s);
    if (job->result == 0 && job->bytes_free < floor &&
        st->life.state == LIFE_RUNNING &&
        torrent_state(st->t) == TORRENT_DOWNLOADING) {
        char text[400];
        (void)snprintf(text, sizeof(text),
                       "%.300s: less than %llu MiB are free (--min-free); make "
                       "room, then `btc resume`",
                       st->row.save_path, (unsigned long long)(floor >> 20));
        turn_post_failed(st, BTC_E_NOSPACE, text);
    }
    jobs_free(job);
}

/* Stops before the disk is full, so that the journal can still be written. A
 * torrent to which no data came since the last look writes nothing; its startup
 * has looked. */
static void watch_space(struct engine_torrent *st, uint64_t now)
{
    if (torrent_state(st->t) != TORRENT_DOWNLOADING || st->watch.space_busy ||
        torrent_last_payload_ms(st->t) <= st->watch.space_ms ||
        now - st->watch.space_ms < WATCH_SPACE_MS ||
        limits_min_free(st->s) == 0) {
        return;
    }
    st->watch.space_ms = now;
    st->watch.space_busy = true;
    store_submit(st->s->disk, jobs_new(st, STORE_SPACE, watch_on_space));
}

static void watch_seeding(struct engine_torrent *st, uint64_t now)
{
    uint64_t since = 0;
    if (st->watch.seeding_ms > 0) {
        since = now - st->watch.seeding_ms;
    }
    if (st->watch.seeding_ms == 0 || since >= 1000) {
        st->stat.seeding_s += (int64_t)(since / 1000);
        st->watch.seeding_ms = now;
    }
}

void watch_second(struct engine_torrent *st)
{
    uint64_t now = loop_now_ms(st->s->loop);
    if (st->life.state != LIFE_RUNNING) {
        return;
    }
    if (torrent_state(st->t) == TORRENT_SEEDING) {
        watch_seeding(st, now);
    }
    if (st->life.finished && !st->life.goal_reached &&
        report_goal_is_reached(st)) {
        final_look_again(st);
    }
    nodes_second(reach_nodes(st->s->reach), st);
    neighbours_second(reach_neighbours(st->s->reach), st);
    watch_space(st, now);
    watch_hope(st, now);
}

void watch_payload(struct engine *s, uint64_t now_ms)
{
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        struct torrent_stats ts;
        if (life_is_starting(&st->life)) {
            s->clock.payload_ms =
                now_ms; /* a big file may be long in the making */
        }
        if (st->t == NULL || st->life.state != LIFE_RUNNING) {
            continue;
        }
        torrent_get_stats(st->t, now_ms, &ts);
        if (ts.last_payload_ms > s->clock.payload_ms) {
            s->clock.payload_ms = ts.last_payload_ms;
        }
        if (ts.pieces_checking > 0) {
            s->clock.payload_ms = now_ms; /* hashing is progress, too */
        }
    }
}
