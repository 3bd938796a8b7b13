/* The turns of a run's loop, and its end; see run.h.
 *
 * An event changes something and touches torrents. At the end of the batch each
 * of them is drained (actions of its core become calls) and settled (events of
 * its life become actions), until nothing is touched any more.
 */
#include "engine/run.h"

#include "base/num.h"

#include "engine/commit.h"
#include "engine/drive.h"
#include "engine/inbound.h"
#include "engine/infos.h"
#include "engine/keep.h"
#include "engine/ledger.h"
#include "engine/limits.h"
#include "engine/reach.h"
#include "engine/report.h"
#include "engine/silence.h"
#include "engine/torrent.h"
#include "engine/turn.h"
#include "engine/watch.h"

#define RUN_TICK_MS   1000u /* between two STATS, unless set */
#define RUN_SECOND_MS 1000u /* all torrents are looked at this often */

/* --- the end --- */

/* Nothing is on its way to or from a torrent any more. */
static bool run_is_quiet(const struct engine *s)
{
    const struct engine_torrent *st;
    if (silence_has_left_journal(s)) {
        return true;
    }
    if (!keep_is_quiet(s)) {
        return false;
    }
    for (st = s->torrents; st != NULL; st = st->hh.next) {
        if (silence_is_left(st)) {
            continue;
        }
        if (st->n_jobs > 0 || st->life.state == LIFE_LOADING) {
            return false;
        }
        if (st->life.state == LIFE_STOPPING && !s->end.hurry) {
            return false;
        }
        if (st->t != NULL && !torrent_is_quiet(st->t)) {
            return false;
        }
    }
    return true;
}

/* What was touched in this turn, and what that touches. */
static void run_settle(struct engine *s)
{
    struct engine_torrent *waiting = NULL, *st;
    while ((st = turn_next(s)) != NULL) {
        drive_drain(st);
        if (engine_torrent_settle(st) == SETTLED_WAITS) {
            turn_wait(&waiting, st);
        }
    }
    s->turn.touched = waiting;
}

/* Somebody has asked for the end: torrents wind down. */
static void run_begin_end(struct engine *s)
{
    if (s->end.phase != END_ASKED) {
        return;
    }
    s->end.phase = END_WINDING;
    journal_thread_hurry(s->journal_thread);
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        turn_post(st, LIFE_ENDING);
    }
    run_settle(s);
}

/* Once everything is quiet: the last commit, then out. */
static void run_wind_down(struct engine *s)
{
    if (s->end.phase != END_WINDING || !run_is_quiet(s)) {
        return;
    }
    bool over = engine_commit_wind_down(s);
    engine_commit_settle(s);
    run_settle(s);
    if (over || engine_commit_wind_down(s)) {
        s->end.phase = END_OVER;
        loop_stop(s->loop);
    }
}

/* What one torrent ended with. Paused or removed by somebody else's wish, it is
 * unfinished. */
static int run_outcome_of(const struct engine_torrent *st, const char **text)
{
    *text = "";
    if (st->error != NULL) {
        *text = st->error;
    }
    if (st->life.code == 0 && !st->life.finished) {
        *text = "stopped by a wish before it was done";
        return BTC_E_INTERRUPTED;
    }
    return st->life.code;
}

/* What the torrents of this run ended with: the first one's trouble, or SOME.
 * That a check finds other torrents good does not change what it found. */
static int run_outcome(const struct engine *s, const char **text)
{
    int first = 0;
    bool good = false, mixed = false;
    const struct engine_torrent *st;
    for (st = s->torrents; st != NULL; st = st->hh.next) {
        const char *why = NULL;
        int status = 0;
        if (st->asked) {
            status = run_outcome_of(st, &why);
        }
        good |= st->asked && status == 0 && !s->o.check_only;
        mixed |= status != 0 && first != 0 && status != first;
        if (status != 0 && first == 0) {
            first = status;
            *text = why;
        }
    }
    if (first != 0 && (good || mixed)) {
        return BTC_E_SOME;
    }
    return first;
}

/* A foreground run ends when all that it was asked for is over. */
static void run_check_over(struct engine *s)
{
    if (turn_is_ending(s) || s->o.follow_wishes) {
        return;
    }
    struct engine_torrent *st = s->unfinished;
    if (st != NULL && st->asked && !life_is_over(&st->life)) {
        return; /* the one we knew of */
    }
    for (st = s->torrents; st != NULL; st = st->hh.next) {
        if (st->asked && !life_is_over(&st->life)) {
            s->unfinished = st;
            return;
        }
    }
    const char *text = NULL;
    int status = run_outcome(s, &text);
    turn_end(s, status, text);
}

/* Nothing that was asked for is unfinished: a stop only ends the seeding. */
static bool run_is_done(const struct engine *s)
{
    const struct engine_torrent *st;
    for (st = s->torrents; st != NULL; st = st->hh.next) {
        if (st->asked && !st->life.finished) {
            return false;
        }
    }
    return !s->o.follow_wishes && !s->o.check_only;
}

/* --max-time and --stall-timeout. */
static void run_check_time(struct engine *s, uint64_t now)
{
    if (turn_is_ending(s)) {
        return;
    }
    if (s->o.patience.max_time_s > 0 &&
        now - s->clock.started_ms >=
            (uint64_t)s->o.patience.max_time_s * 1000) {
        turn_end(s, run_is_done(s) ? 0 : BTC_E_STALLED,
                 "the time limit was reached");
    } else if (s->o.patience.stall_timeout_s > 0 &&
               now - s->clock.payload_ms >=
                   (uint64_t)s->o.patience.stall_timeout_s * 1000) {
        turn_end(s, run_is_done(s) ? 0 : BTC_E_STALLED,
                 "no data came for the stall timeout");
    }
}

/* --- turns --- */

/* Between two STATS. */
static uint32_t run_tick_ms(const struct engine *s)
{
    if (s->o.tick_ms > 0) {
        return s->o.tick_ms;
    }
    return RUN_TICK_MS;
}

/* The soonest thing that is due. */
static uint64_t run_deadline(const struct engine *s)
{
    uint64_t now = loop_now_ms(s->loop);
    uint64_t at = s->clock.second_ms + RUN_SECOND_MS;
    at = num_min_u64(at, engine_commit_deadline(s));
    at = num_min_u64(at, turn_deadline(s));
    if (s->o.on_event != NULL) {
        at = num_min_u64(at, s->clock.tick_ms + run_tick_ms(s));
    }
    if (limits_are_set(s)) {
        at = num_min_u64(at, s->net.limit_ms + LIMITS_MS);
    }
    return num_max_u64(at, now);
}

/* Those whose time has come. Each is put back when it is settled. */
static void run_tick_due(struct engine *s, uint64_t now)
{
    struct engine_torrent *st;
    while ((st = turn_next_due(s, now)) != NULL) {
        engine_torrent_tick(st);
    }
}

/* What comes by the mere passing of time. */
static void run_on_second(struct engine *s, uint64_t now)
{
    s->clock.second_ms = now;
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        watch_second(st);
        ledger_second(st);
    }
    silence_second(s);
    infos_second(s);
    keep_second(s);
    neighbours_send(reach_neighbours(s->reach));
    if (s->o.patience.stall_timeout_s > 0) {
        watch_payload(s, now);
    }
}

void run_on_timer(void *ctx)
{
    struct engine *s = ctx;
    uint64_t now = loop_now_ms(s->loop);
    run_tick_due(s, now);
    if (now - s->clock.second_ms >= RUN_SECOND_MS) {
        run_on_second(s, now);
    }
    inbound_tick(s);
    if (limits_are_set(s) && now - s->net.limit_ms >= LIMITS_MS) {
        s->net.limit_ms = now;
        limits_grant(s);
    }
    engine_commit_tick(s);
    if (now - s->clock.tick_ms >= run_tick_ms(s)) {
        s->clock.tick_ms = now;
        report_tell_stats(s, false);
    }
    run_check_time(s, now);
}

/* The check of one torrent left room for that of another. */
static void run_share_hashing(struct engine *s)
{
    struct event ev = {.type = EVENT_TICK};
    struct engine_torrent *st = NULL;
    if (s->hash_free) {
        st = s->torrents;
    }
    s->hash_free = false;
    for (; st != NULL &&
           s->shared.content.hash_busy < s->shared.content.hash_jobs;
         st = st->hh.next) {
        if (st->life.state == LIFE_RUNNING && torrent_waits_to_hash(st->t)) {
            turn_input(st, &ev);
        }
    }
}

/* After each batch of events: what follows from it, then the timer. */
void run_on_idle(void *ctx)
{
    struct engine *s = ctx;
    run_share_hashing(s);
    run_settle(s);
    engine_commit_settle(s);
    run_settle(s);
    run_check_over(s);
    run_begin_end(s);
    run_wind_down(s);
    if (s->end.phase != END_OVER) {
        loop_arm_timer(s->loop, run_deadline(s));
    }
}

void run_on_signal(void *ctx)
{
    struct engine *s = ctx;
    int stops = atomic_exchange(&s->signals->n_stop, 0);
    if (stops > 0 && !turn_is_ending(s)) {
        turn_end(s, run_is_done(s) ? 0 : BTC_E_INTERRUPTED, "interrupted");
        stops--;
    }
    s->end.hurry |= stops > 0;
    if (atomic_exchange(&s->signals->n_stats, 0) > 0) {
        report_tell_stats(s, true);
    }
    if (atomic_exchange(&s->signals->n_reload, 0) > 0 &&
        s->o.on_event != NULL) {
        struct btc_event ev = {.type = BTC_EVENT_RELOAD, .at = loop_unix_now()};
        s->o.on_event(s->o.ctx, &ev);
    }
}
