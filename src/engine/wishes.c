/* What is wished, against what is: foreign writes to the database become
 * starts, stops, limits, priorities, peers, trackers, checks and removals. */
#include "engine/wishes.h"

#include "engine/kept.h"
#include "engine/limits.h"
#include "engine/load.h"
#include "engine/removal.h"
#include "engine/report.h"
#include "engine/startup.h"
#include "engine/turn.h"
#include "journal/wishes.h"

#include <stdlib.h>
#include <string.h>

/* Limits and the like of a torrent that is loaded. */
static void wish_apply(struct engine_torrent *st,
                       const struct journal_torrent *row)
{
    torrent_set_limits(st->t, (uint64_t)row->up_limit,
                       row->max_peers > 0 ? (uint32_t)row->max_peers
                                          : st->s->o.max_peers,
                       loop_now_ms(st->s->loop));
    bool free = st->net.down_bucket.rate > 0 && row->down_limit == 0;
    bucket_set_rate(&st->net.down_bucket, (uint64_t)row->down_limit,
                    loop_now_ms(st->s->loop));
    if (free) {
        limits_grant(st->s);
    }
    if (row->sequential != st->row.sequential) {
        torrent_set_sequential(st->t, row->sequential);
    }
    if (row->piece_length > 0 && st->row.piece_length == 0) {
        /* somebody knew what the magnet holds */
        turn_post(st,
                  st->life.state == LIFE_RUNNING ? LIFE_LEARNED : LIFE_AGAIN);
    }
    if (st->life.state != LIFE_RUNNING &&
        (row->accept_loss > st->row.accept_loss ||
         row->overwrite > st->row.overwrite)) {
        turn_post(st, LIFE_AGAIN); /* a look answers it */
    }
    if (row->verify_since <= st->startup.verify_taken || st->s->o.check_only ||
        st->meta == NULL) {
        return; /* none, or a snapshot from before the commit that ends it */
    }
    if (st->life.state == LIFE_RUNNING) {
        startup_verify(st, row->verify_since);
    } else {
        turn_post(st, LIFE_AGAIN);
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
    if (st->t != NULL && st->life.goal_reached && !report_goal_is_reached(st)) {
        turn_post(st, LIFE_GOAL_MOVED);
    }
}

/* What is wished now: run, pause or removal. Whoever changes his mind in time
 * keeps the torrent. What ran out of things to do in a run for everything is of
 * this run again. */
static void wish_wanted(struct engine_torrent *st)
{
    struct life_event ev = {.type = LIFE_WISHED,
                            .wanted = st->row.wanted,
                            .starts = st->row.starts};
    st->net.insists = st->row.wanted == WANTED_RUN;
    if (st->net.insists && st->life.state == LIFE_RUNNING) {
        st->net.insists = false;
        torrent_announce_now(st->t, loop_now_ms(st->s->loop));
    }
    bool begins = st->row.wanted == WANTED_RUN &&
                  (life_rests(&st->life) || st->life.state == LIFE_STOPPING);
    st->asked |= begins && !st->s->o.follow_wishes && st->s->o.n_ids == 0;
    turn_post_event(st, &ev, "");
}

/* One that this run does not know yet; a paused one has its rows read, too. */
static void wish_new(struct engine *s, struct journal_torrent *row)
{
    if (!removal_is_done(s, row->id)) {
        turn_post(engine_load_new(s, row), LIFE_ADDED);
    }
}

/* One torrent. */
static void wish_torrent(struct engine *s, struct journal_wishes *w, size_t i)
{
    struct journal_torrent *row = &w->torrents[i];
    struct engine_torrent *st = engine_load_find(s, row->id);
    if (st == NULL) {
        wish_new(s, row);
        return;
    }
    turn_touch(st);
    bool changed = row->wanted != st->row.wanted ||
                   (row->wanted == WANTED_RUN && row->starts != st->row.starts);
    bool goal = row->seed_mode != st->row.seed_mode ||
                row->seed_goal != st->row.seed_goal;
    if (st->t != NULL && st->life.state != LIFE_LOADING) {
        wish_apply(st, row);
    }
    kept_wish(st, &w->items[i]);
    if (strcmp(row->save_path, st->row.save_path) != 0) {
        st->stat.root_dev = 0; /* who moved it has journaled where it is now */
    }
    wish_take_row(st, row);
    if (goal) {
        wish_goal(st);
    }
    if (changed) {
        wish_wanted(st);
    }
    if (st->life.state == LIFE_RUNNING) {
        struct event ev = {.type = EVENT_TICK};
        turn_input(st, &ev);
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

/* A row that somebody deleted by hand: its torrent stops. Its files are not
 * ours to delete. */
static void wish_gone(struct engine_torrent *st)
{
    struct life_event ev = {.type = LIFE_WISHED, .wanted = WANTED_REMOVE};
    if (st != NULL && st->life.aim != LIFE_AIM_REMOVE) {
        turn_post_event(st, &ev, "");
    }
}

/* All of those. */
static void wish_all_gone(struct engine *s, const struct journal_wishes *w)
{
    for (struct engine_torrent *st = s->torrents; w->whole && st != NULL;
         st = st->hh.next) {
        if (!wish_has(w, st->id)) {
            wish_gone(st);
        }
    }
    for (size_t i = 0; i < w->n_gone; i++) {
        wish_gone(engine_load_find(s, w->gone[i]));
    }
}

void wishes_read(void *ctx, struct journal_wishes *w)
{
    struct engine *s = ctx;
    if (!turn_is_ending(s)) {
        wish_all_gone(s, w);
        for (size_t i = 0; i < w->n; i++) {
            wish_torrent(s, w, i);
        }
    }
    journal_wishes_free(w);
}
