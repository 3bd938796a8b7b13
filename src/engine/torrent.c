/* One torrent of a run: the actions of its life carried out.
 *
 * Events of the life come by mail (turn_post) and are read at the end of the
 * turn. What it decides then is done here with the calls of the files below;
 * their answers come by mail again.
 */
#include "engine/torrent.h"

#include "base/mem.h"
#include "engine/adopt.h"
#include "engine/commit.h"
#include "engine/facts.h"
#include "engine/final_look.h"
#include "engine/judge.h"
#include "engine/kept.h"
#include "engine/limits.h"
#include "engine/load.h"
#include "engine/pipes.h"
#include "engine/removal.h"
#include "engine/report.h"
#include "engine/startup.h"
#include "engine/turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Torrents on their way through the database thread at once: it is always busy,
 * and a commit waits for no more than these. */
#define ENGINE_LOADING_MAX 16u

/* --- actions --- */

/* On the database thread. */
static void engine_torrent_on_load(void *ctx, struct journal *db)
{
    engine_load_rows(ctx, db);
}

static void engine_torrent_load_some(struct engine *s);

/* The loop thread again. */
static void engine_torrent_on_loaded(void *ctx)
{
    struct engine_torrent *st = ctx;
    struct err e;
    if (engine_load_take(st, &e) == 0) {
        turn_post(st, LIFE_LOADED);
    } else {
        turn_post_failed(st, e.code, e.msg);
    }
    st->s->turn.n_loading--;
    engine_torrent_load_some(st->s);
}

/* Those that wait, as many as may be on the way: the database thread commits in
 * between, so that the first do not wait for the last. */
static void engine_torrent_load_some(struct engine *s)
{
    struct engine_torrent *st;
    while ((st = s->turn.to_load) != NULL &&
           s->turn.n_loading < ENGINE_LOADING_MAX) {
        LL_DELETE2(s->turn.to_load, st, turn.next_to_load);
        s->turn.n_loading++;
        journal_thread_call(s->journal_thread, engine_torrent_on_load,
                            engine_torrent_on_loaded, st);
    }
}

/* LOAD: the journal holds everything of it, or a magnet has learned what it
 * holds and its core goes on. */
static void engine_torrent_do_load(struct engine_torrent *st)
{
    struct engine *s = st->s;
    if (!life_has_core(&st->life)) {
        engine_load_unload(st);
    }
    LL_PREPEND2(s->turn.to_load, st, turn.next_to_load);
    engine_torrent_load_some(s);
}

/* STAT: its objects are made; then the startup verification begins. */
static void engine_torrent_do_stat(struct engine_torrent *st)
{
    commit_trust(&st->ledger.member);
    st->ledger.done_pending = false;
    engine_load_open(st);
    kept_take(st);
    if (!st->told_added) {
        st->told_added = true;
        report_tell_type(st, BTC_EVENT_ADDED);
    }
    if (st->meta != NULL) {
        startup_stat(st);
    } else if (st->s->o.check_only) {
        char text[TORRENT_ERROR_MAX];
        (void)snprintf(text, sizeof(text),
                       "what it holds is not known yet: `btc resume %lld` asks "
                       "peers for it",
                       (long long)st->id);
        turn_post_failed(st, BTC_E_VERIFY, text);
    } else {
        turn_post(st, LIFE_STATED); /* there is nothing on disk yet */
    }
}

/* SCAN, CREATE: a magnet has no files yet. */
static void engine_torrent_do_files(struct engine_torrent *st,
                                    enum life_event_type answer,
                                    void (*step)(struct engine_torrent *st))
{
    if (st->meta != NULL) {
        step(st);
    } else {
        turn_post(st, answer);
    }
}

/* START: the startup is through, the core goes. */
static void engine_torrent_do_start(struct engine_torrent *st)
{
    struct event ev = {.type = EVENT_START};
    struct torrent_stats ts;
    if (st->meta != NULL) {
        startup_hand_over(st);
    }
    st->ran = true;
    st->ledger.looks = 0;
    if (!st->s->o.check_only && !torrent_is_complete(st->t)) {
        st->stat.writes = true;
        final_look_owe(st);
    }
    st->watch.seeding_ms = 0;
    facts_stat(st);
    if (st->net.insists) {
        st->net.insists = false;
        torrent_announce_now(st->t, loop_now_ms(st->s->loop));
    }
    turn_input(st, &ev);
    torrent_get_stats(st->t, loop_now_ms(st->s->loop), &ts);
    if (ts.pieces_checking > 0) {
        report_tell_type(st, BTC_EVENT_CHECKING);
    }
    if (st->row.verify_since > st->startup.verify_taken &&
        !st->s->o.check_only && st->meta != NULL) {
        startup_verify(st, st->row.verify_since); /* came meanwhile */
    }
    if (adopt_is_stale(st)) {
        turn_post(st, LIFE_AGAIN); /* a file was wished for meanwhile */
    }
}

/* STOP: gracefully; LIFE_STOPPED follows. */
static void engine_torrent_do_stop(struct engine_torrent *st)
{
    struct event ev = {.type = EVENT_STOP};
    if (st->store != NULL) {
        store_cancel_low(st->s->disk, st->store);
    }
    turn_input(st, &ev);
}

/* LET_GO: no file is open any more, so that a drive can be unmounted and a file
 * that is deleted gives its space back. */
static void engine_torrent_do_let_go(struct engine_torrent *st)
{
    if (st->store != NULL) {
        store_tree_rest(st->store);
    }
}

static void engine_torrent_do(struct engine_torrent *st,
                              enum life_action action)
{
    switch (action) {
    case LIFE_DO_LOAD:
        engine_torrent_do_load(st);
        break;
    case LIFE_DO_STAT:
        engine_torrent_do_stat(st);
        break;
    case LIFE_DO_SCAN:
        engine_torrent_do_files(st, LIFE_SCANNED, startup_scan);
        break;
    case LIFE_DO_CREATE:
        engine_torrent_do_files(st, LIFE_CREATED, startup_space);
        break;
    case LIFE_DO_START:
        engine_torrent_do_start(st);
        break;
    case LIFE_DO_STOP:
        engine_torrent_do_stop(st);
        break;
    case LIFE_DO_LET_GO:
        engine_torrent_do_let_go(st);
        break;
    case LIFE_DO_ASK:
        removal_ask(st);
        break;
    case LIFE_DO_DELETE:
        removal_delete(st);
        break;
    case LIFE_DO_NOTHING:
    case LIFE_DO_FORGET: /* engine_torrent_settle frees it */
        break;
    }
}

/* --- events --- */

/* Why it stopped. Whoever follows the run hears of it as an event: the log has
 * it only once. */
static void engine_torrent_tell_failure(struct engine_torrent *st,
                                        const char *text)
{
    struct engine *s = st->s;
    int code = st->life.code;
    if (s->o.on_event != NULL) {
        journal_put_event(pipes_free_facts(s), st->id, LEVEL_ERROR,
                          err_name(code), text);
    } else {
        facts_event(st, LEVEL_ERROR, err_name(code), text);
    }
    report_tell_error(s, st, code, text);
}

/* A new code is told once; `text` is its text. */
static void engine_torrent_take_code(struct engine_torrent *st, int before,
                                     const struct mail *m)
{
    if (st->life.code == 0) {
        free(st->error);
        st->error = NULL;
    } else if (m->ev.code == st->life.code) {
        free(st->error);
        st->error =
            mem_strndup(m->text, strnlen(m->text, TORRENT_ERROR_MAX - 1));
        facts_stat(st);
        if (before != st->life.code) {
            engine_torrent_tell_failure(st, m->text);
        }
    }
}

/* The states between two that people know are not told, and neither is a new
 * wish to run of one at rest, which begins at once. */
static void engine_torrent_tell_news(struct engine_torrent *st)
{
    bool begins = st->life.state == LIFE_IDLE && st->life.aim == LIFE_AIM_RUN;
    if (life_takes_news(&st->life)) {
        facts_stat(st);
        if (!begins && !life_is_starting(&st->life)) {
            report_tell_state(st);
        }
    }
}

/* One event of its life, and what follows. */
static void engine_torrent_live(struct engine_torrent *st, const struct mail *m)
{
    int before = st->life.code;
    uint64_t now = loop_now_ms(st->s->loop);
    bool taken = life_input(&st->life, &m->ev, now);
    if (taken) {
        engine_torrent_take_code(st, before, m);
    }
    engine_torrent_do(st, life_next_action(&st->life));
    if (m->ev.type == LIFE_STOPPED) {
        commit_hurry(&pipes_of(st)->c);
    }
    engine_torrent_tell_news(st);
}

static void engine_torrent_live_type(struct engine_torrent *st,
                                     enum life_event_type type)
{
    const struct mail m = {.ev = {.type = type}};
    engine_torrent_live(st, &m);
}

/* What btc verify finds wrong over what is wanted: enum btc_err with its text,
 * 0 = nothing. What a download would refuse is said before what it would mend.
 */
static int engine_torrent_find_bad(const struct engine_torrent *st, char *text,
                                   size_t size)
{
    uint32_t missing = picker_n_wanted_left(torrent_picker(st->t));
    if (startup_is_too_long(st, text, size) ||
        startup_is_in_the_way(st, text, size)) {
        return BTC_E_EXISTS;
    }
    if (missing > 0) {
        (void)snprintf(text, size,
                       "%u of %u pieces are bad or missing; `btc resume %lld` "
                       "fetches them",
                       missing, st->geom.n_pieces, (long long)st->id);
    } else if (st->startup.n_lacking > 0) {
        (void)snprintf(text, size,
                       "files without content are missing: %u; `btc resume "
                       "%lld` makes them",
                       st->startup.n_lacking, (long long)st->id);
    } else {
        return 0;
    }
    return BTC_E_VERIFY;
}

/* btc verify: the outcome. It is no event of the log. */
static void engine_torrent_verified(struct engine_torrent *st)
{
    char text[TORRENT_ERROR_MAX];
    engine_torrent_live_type(st, LIFE_FINISHED);
    engine_torrent_live_type(st, LIFE_GOAL_REACHED);
    int code = engine_torrent_find_bad(st, text, sizeof(text));
    if (code == 0) {
        engine_torrent_live_type(st, LIFE_ENDING);
        return;
    }
    struct life_event ev = {.type = LIFE_FAILED, .code = code};
    (void)life_input(&st->life, &ev, loop_now_ms(st->s->loop));
    free(st->error);
    st->error = mem_strdup(text);
    report_tell_error(st->s, st, code, st->error);
    engine_torrent_do(st, life_next_action(&st->life));
    engine_torrent_tell_news(st);
}

/* Complete, and the journal says so: that is what DONE means. It is told once,
 * though all is looked at again when the seeding is over. */
static void engine_torrent_finished(struct engine_torrent *st)
{
    if (st->t == NULL) {
        return;
    }
    if (st->s->o.check_only) {
        if (!st->life.finished) {
            engine_torrent_verified(st);
        }
        return;
    }
    if (!torrent_is_complete(st->t)) {
        return;
    }
    bool again = st->life.finished;
    engine_torrent_live_type(st, LIFE_FINISHED);
    if (!st->life.goal_reached && report_goal_is_reached(st)) {
        engine_torrent_live_type(st, LIFE_GOAL_REACHED);
    }
    report_tell_state(st);
    if (again) {
        return;
    }
    facts_event(st, LEVEL_INFO, "complete",
                "everything wanted is verified and durable");
    struct btc_event ev = {.type = BTC_EVENT_DONE, .owed = st->stat.done_owed};
    report_tell(st, &ev);
    st->stat.done_owed = false; /* told; the row stays until it is paid */
}

/* --- the turn --- */

/* Nothing of it is under way, and the journal holds all of it. */
static bool engine_torrent_is_settled(const struct engine_torrent *st)
{
    return st->n_jobs == 0 && engine_commit_has_all(st);
}

/* Its core waits for a time. */
static bool engine_torrent_is_live(const struct engine_torrent *st)
{
    return st->t != NULL &&
           (life_has_core(&st->life) || st->life.state == LIFE_STOPPING);
}

static uint64_t engine_torrent_next_ms(const struct engine_torrent *st)
{
    uint64_t at = life_deadline(&st->life);
    if (engine_torrent_is_live(st) && torrent_deadline(st->t) < at) {
        at = torrent_deadline(st->t);
    }
    return at;
}

static void engine_torrent_read_mail(struct engine_torrent *st)
{
    struct mail *m;
    while ((m = turn_take_mail(st)) != NULL) {
        if (m->ev.type == LIFE_FINISHED) {
            engine_torrent_finished(st);
        } else {
            engine_torrent_live(st, m);
        }
        free(m);
    }
}

/* Who would start over, or write over what is in the way, is answered as soon
 * as it runs: nothing was lost or in the way. Kept, the wish would do that some
 * other day, to a drive that is away or to a file of somebody's. */
static void engine_torrent_answer(struct engine_torrent *st)
{
    bool wished = st->row.accept_loss || st->row.overwrite;
    if (wished && st->life.state == LIFE_RUNNING) {
        judge_answer(st);
    }
}

/* What is wished away goes at once, not when the next commit is due. */
static void engine_torrent_hurry(struct engine_torrent *st)
{
    if (st->life.aim == LIFE_AIM_REMOVE && st->n_jobs == 0 &&
        !engine_commit_has_all(st)) {
        commit_hurry(&pipes_of(st)->c);
    }
}

enum settled engine_torrent_settle(struct engine_torrent *st)
{
    engine_torrent_read_mail(st);
    engine_torrent_answer(st);
    if (life_awaits_settling(&st->life) && engine_torrent_is_settled(st)) {
        engine_torrent_live_type(st, LIFE_SETTLED);
    }
    if (st->life.state == LIFE_GONE) {
        engine_load_free(st);
        return SETTLED_GONE;
    }
    limits_count(st);
    turn_place_at(st, engine_torrent_next_ms(st));
    if (life_awaits_settling(&st->life)) {
        engine_torrent_hurry(st);
        return SETTLED_WAITS;
    }
    return SETTLED_DONE;
}

void engine_torrent_tick(struct engine_torrent *st)
{
    turn_touch(st);
    if (loop_now_ms(st->s->loop) >= life_deadline(&st->life)) {
        turn_post(st, LIFE_CLOCK);
    }
    if (engine_torrent_is_live(st) &&
        loop_now_ms(st->s->loop) >= torrent_deadline(st->t)) {
        struct event ev = {.type = EVENT_TICK};
        turn_input(st, &ev);
    }
}
