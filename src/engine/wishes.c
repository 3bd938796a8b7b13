/* What is wished, against what is: foreign writes to the database become
 * starts, stops, limits, priorities, peers, trackers, checks and removals. */
#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"
#include "model/names.h"
#include <stdlib.h>
#include <string.h>

/* On the database thread. */
static void wish_load(void *ctx, struct journal *db)
{
    engine_torrent_load(ctx, db);
}

/* Loaded: begins, unless the wish has changed meanwhile. */
static void wish_loaded(void *ctx)
{
    struct engine_torrent *st = ctx;
    st->phase = PHASE_IDLE;
    engine_torrent_loaded(st);
    engine_touch(st);
    if (!st->s->stopping && st->row.wanted == WANTED_RUN && !st->remove) {
        engine_torrent_begin(st);
    }
    engine_wake(st->s);
}

/* Reads the rows again and begins. The journal holds everything of it. */
void engine_torrent_reload(struct engine_torrent *st)
{
    st->restart = false;
    engine_torrent_unload(st);
    st->phase = PHASE_LOADING;
    journal_thread_call(st->s->journal_thread, wish_load, wish_loaded, st);
}

void engine_wish_remove(struct engine_torrent *st)
{
    st->remove = true;
    st->restart = false;
    engine_torrent_stop(st);
}

/* See engine_int.h. Who changes his mind in time keeps the torrent. */
void engine_wish_wanted(struct engine_torrent *st)
{
    bool idle = st->phase == PHASE_IDLE;
    st->remove = st->deleting || st->data_gone;
    if (st->remove) {
        return; /* the next step of the removal sees this wish */
    }
    switch (st->row.wanted) {
    case WANTED_RUN:
        st->status = 0; /* a new try may tell its error anew */
        st->error[0] = '\0';
        st->restart = engine_torrent_rests(st) || st->phase == PHASE_STOPPING;
        st->asked |=
            !st->s->o.follow_wishes && st->restart && st->s->o.n_ids == 0;
        break;
    case WANTED_PAUSE:
        engine_torrent_stop(st);
        if (st->s->o.follow_wishes && st->phase == PHASE_IDLE) {
            st->status = 0; /* it waits for nothing */
            st->error[0] = '\0';
        }
        st->restart = false;
        break;
    case WANTED_REMOVE:
    case WANTED_REMOVE_DATA:
        engine_wish_remove(st);
        break;
    }
    if (!idle || st->row.wanted != WANTED_RUN) {
        engine_tell_state(st);
    }
}

/* It is wished to run and does not, because it had nothing left to do. */
static bool wish_is_at_rest(const struct engine_torrent *st)
{
    return st->phase == PHASE_IDLE && st->row.wanted == WANTED_RUN &&
           !st->remove;
}

/* Files. */
static void wish_priorities(struct engine_torrent *st, const uint8_t *prio,
                            uint32_t n)
{
    bool more = false, other = false;
    for (uint32_t i = 0; i < n && i < st->n_files; i++) {
        if (st->files[i].priority != prio[i] && !st->files[i].pad) {
            more |= st->files[i].priority == 0;
            other = true;
            st->files[i].priority = prio[i];
        }
    }
    if (other) {
        engine_torrent_prioritize(st);
    }
    if (more && st->phase == PHASE_RUN) {
        /* Files that are wanted now must be made first: from the start. */
        engine_torrent_stop(st);
        st->restart = true;
    } else if (more && wish_is_at_rest(st)) {
        st->restart = true;
    }
}

/* Sources that somebody added. */
static void wish_sources(struct engine_torrent *st,
                         const struct journal_wish_peers *peers,
                         const struct journal_wish_trackers *trackers)
{
    for (size_t i = 0; i < peers->n; i++) {
        struct addr a;
        if (addr_parse_ip(slice_str(peers->p[i].address), peers->p[i].port,
                          &a)) {
            torrent_add_peer(st->t, &a, PEER_SOURCE_USER, NULL);
        }
    }
    for (size_t i = 0; i < trackers->n; i++) {
        (void)torrent_add_tracker(st->t, trackers->t[i].url,
                                  trackers->t[i].tier);
    }
}

/* Limits and the like of a torrent that is loaded. */
static void wish_apply(struct engine_torrent *st,
                       const struct journal_torrent *row)
{
    torrent_set_limits(st->t, (uint64_t)row->up_limit,
                       row->max_peers > 0 ? (uint32_t)row->max_peers
                                          : st->s->o.max_peers,
                       loop_now_ms(st->s->loop));
    bool free = st->down_bucket.rate > 0 && row->down_limit == 0;
    bucket_set_rate(&st->down_bucket, (uint64_t)row->down_limit,
                    loop_now_ms(st->s->loop));
    if (free) {
        engine_grant_reads(st->s);
    }
    if (row->sequential != st->row.sequential) {
        torrent_set_sequential(st->t, row->sequential);
    }
    if (row->verify_since <= st->verify_taken || st->s->o.check_only) {
        return; /* none, or a snapshot from before the commit that ends it */
    }
    if (st->phase == PHASE_RUN) {
        engine_startup_verify(st, row->verify_since);
    } else if (wish_is_at_rest(st)) {
        st->restart = true;
    }
}

/* The strings change hands. */
static void wish_take_row(struct engine_torrent *st,
                          struct journal_torrent *row)
{
    free(st->row.name);
    free(st->row.save_path);
    free(st->row.label);
    st->row = *row;
    row->name = row->save_path = row->label = NULL;
}

/* A new seeding goal: what had reached the old one may go on. */
static void wish_goal(struct engine_torrent *st)
{
    if (st->t == NULL || !st->goal_reached || engine_torrent_goal(st)) {
        return;
    }
    if (st->phase == PHASE_RUN) {
        st->goal_reached = false;
    } else if (wish_is_at_rest(st)) {
        st->restart = true;
    }
}

/* One torrent. */
static void wish_torrent(struct engine *s, struct journal_wishes *w, size_t i)
{
    struct journal_torrent *row = &w->torrents[i];
    struct engine_torrent *st = engine_find(s, row->id);
    if (st == NULL && engine_is_removed(s, row->id)) {
        return;
    }
    if (st == NULL) {
        st = engine_torrent_new(s, row);
        if (st->row.wanted == WANTED_REMOVE ||
            st->row.wanted == WANTED_REMOVE_DATA) {
            engine_wish_remove(st);
        } else {
            engine_torrent_reload(st); /* a paused one has its facts, too */
        }
        return;
    }
    engine_touch(st);
    bool changed = row->wanted != st->row.wanted ||
                   (row->wanted == WANTED_RUN && row->starts != st->row.starts);
    bool goal = row->seed_mode != st->row.seed_mode ||
                row->seed_goal != st->row.seed_goal;
    if (st->t != NULL && st->phase != PHASE_LOADING) {
        wish_apply(st, row);
        wish_priorities(st, w->files[i].priority, w->files[i].n);
        wish_sources(st, &w->peers[i], &w->trackers[i]);
    }
    wish_take_row(st, row);
    if (goal) {
        wish_goal(st);
    }
    if (changed) {
        engine_wish_wanted(st);
    }
    if (st->t != NULL && st->phase == PHASE_RUN) {
        struct event ev = {.type = EVENT_TICK};
        engine_event(st, &ev);
    }
}

/* The row of an id is there; rows come in the order of their ids. */
static bool wish_has(const struct journal_wishes *w, int64_t id)
{
    size_t from = 0, to = w->n;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (w->torrents[mid].id < id) {
            from = mid + 1;
        } else {
            to = mid;
        }
    }
    return from < w->n && w->torrents[from].id == id;
}

/* Rows that somebody deleted by hand: their torrents stop. */
static void wish_gone(struct engine *s, const struct journal_wishes *w)
{
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        if (!wish_has(w, st->id) && !st->remove) {
            st->remove = true; /* its files are not ours to delete */
            st->restart = false;
            engine_torrent_stop(st);
        }
    }
}

/* Loop thread: somebody else wrote. */
void engine_wishes(void *ctx, struct journal_wishes *w)
{
    struct engine *s = ctx;
    if (!s->stopping) {
        wish_gone(s, w);
        for (size_t i = 0; i < w->n; i++) {
            wish_torrent(s, w, i);
        }
    }
    journal_wishes_free(w);
    engine_wake(s);
}
