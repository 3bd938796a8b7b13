/* What a run tells; see report.h. */
#include "engine/report.h"

#include "base/num.h"
#include "base/vec.h"
#include "engine/refusals.h"
#include "engine/turn.h"

#include <stdio.h>
#include <string.h>

bool report_goal_is_reached(const struct engine_torrent *st)
{
    struct seed_goal goal = {.mode = st->row.seed_mode,
                             .value = st->row.seed_goal};
    struct torrent_stats ts;
    if (st->s->o.seed != NULL) {
        goal = st->s->seed;
    }
    torrent_get_stats(st->t, loop_now_ms(st->s->loop), &ts);
    return seed_goal_is_reached(&goal, ts.uploaded, ts.bytes_total,
                                st->stat.seeding_s);
}

/* Seeding is wished for and not over. Before DONE nobody has looked yet. */
static bool report_is_served(const struct engine_torrent *st)
{
    return !st->s->o.check_only && !st->life.goal_reached &&
           (st->life.finished || !report_goal_is_reached(st));
}

/* Everything is here, and a look at all files is still to come: if the run is
 * killed now, the next one must take the torrent up. */
static bool report_owes_look(const struct engine_torrent *st)
{
    return st->ledger.looks > 0 && !st->life.finished;
}

/* What a torrent that runs does. */
static enum btc_state report_running_state(const struct engine_torrent *st)
{
    switch (torrent_state(st->t)) {
    case TORRENT_METADATA:
    case TORRENT_LEARNED:
        return BTC_STATE_METADATA;
    case TORRENT_CHECKING:
        return BTC_STATE_CHECKING;
    case TORRENT_SEEDING:
        if (report_owes_look(st)) {
            return BTC_STATE_CHECKING;
        }
        if (report_is_served(st)) {
            return BTC_STATE_SEEDING;
        }
        return BTC_STATE_COMPLETE;
    case TORRENT_STOPPED:
    case TORRENT_STOPPING:
    case TORRENT_FAILED:
    case TORRENT_DOWNLOADING:
        break;
    }
    return BTC_STATE_DOWNLOADING;
}

/* What was complete when the journal last heard of it. Of what was absent,
 * refused or owed a look then, nobody knows before this run has looked. */
static bool report_was_complete(const struct engine_torrent *st)
{
    bool sure = st->stat.state == BTC_STATE_COMPLETE ||
                st->stat.state == BTC_STATE_SEEDING ||
                st->stat.state == BTC_STATE_PAUSED;
    return sure && st->row.piece_length > 0 && st->stat.bytes_total > 0 &&
           st->stat.bytes_done >= st->stat.bytes_total;
}

/* Nothing wanted is missing, as far as is known. */
static bool report_is_complete(const struct engine_torrent *st)
{
    if (st->startup.n_lacking > 0) {
        return false;
    }
    if (st->t != NULL && st->ran) {
        return torrent_is_complete(st->t) && !report_owes_look(st);
    }
    return report_was_complete(st);
}

/* Known to wait for something that was absent when it was last looked for. */
static enum btc_state report_waiting_state(const struct engine_torrent *st)
{
    switch (st->life.code) {
    case BTC_E_NOSPACE:
        return BTC_STATE_WAITING_SPACE;
    case BTC_E_STORAGE:
        return BTC_STATE_WAITING_STORAGE;
    default:
        return BTC_STATE_UNKNOWN;
    }
}

/* What a torrent at rest is. Trouble that is over with the run is no error. */
static enum btc_state report_resting_state(const struct engine_torrent *st)
{
    bool passes = st->life.code == BTC_E_VERIFY ||
                  st->life.code == BTC_E_NETWORK ||
                  st->life.code == BTC_E_STALLED;
    if (st->life.state == LIFE_ERROR && !passes) {
        return BTC_STATE_ERROR;
    }
    if (report_is_complete(st)) {
        return BTC_STATE_COMPLETE;
    }
    if (st->row.wanted == WANTED_PAUSE) {
        return BTC_STATE_PAUSED;
    }
    if (st->row.piece_length == 0) {
        return BTC_STATE_METADATA;
    }
    return BTC_STATE_QUEUED;
}

/* It is between its rows and running, also when it only stops to begin anew. */
static bool report_is_starting(const struct engine_torrent *st)
{
    bool again =
        st->told_added && !st->life.ending && st->life.aim == LIFE_AIM_RUN &&
        (st->life.state == LIFE_STOPPING || st->life.state == LIFE_IDLE);
    return again || life_is_starting(&st->life);
}

enum btc_state report_state(const struct engine_torrent *st)
{
    if (st->watch.silent_ms != 0) {
        return BTC_STATE_WAITING_STORAGE;
    }
    if (st->life.state == LIFE_RUNNING) {
        return report_running_state(st);
    }
    enum btc_state waiting = report_waiting_state(st);
    if (waiting != BTC_STATE_UNKNOWN) {
        return waiting;
    }
    if (report_is_starting(st)) {
        if (st->row.piece_length == 0) {
            return BTC_STATE_METADATA;
        }
        return BTC_STATE_CHECKING;
    }
    return report_resting_state(st);
}

/* No payload moves: rows that only say so are not written. */
bool report_is_idle(const struct engine_torrent *st)
{
    struct torrent_stats ts;
    torrent_get_stats(st->t, loop_now_ms(st->s->loop), &ts);
    return ts.down_rate == 0 && ts.up_rate == 0;
}

/* As long as nobody knows the content, bytes are those of the info dictionary.
 */
static void report_metadata(const struct engine_torrent *st,
                            struct torrent_stats *ts)
{
    struct torrent_metadata m = {.size = 0};
    if (st->row.piece_length == 0) {
        torrent_get_metadata(st->t, &m);
    }
    ts->bytes_total = m.size;
    ts->bytes_done = 0;
    if (m.n_pieces > 0) {
        ts->bytes_done = (uint64_t)m.size * m.n_have / m.n_pieces;
    }
}

/* Rates and peers are those of a running torrent. */
static void report_stats(struct engine_torrent *st, struct torrent_stats *ts)
{
    *ts = (struct torrent_stats){.bytes_done = st->stat.bytes_done,
                                 .bytes_total = st->stat.bytes_total,
                                 .pieces_done = st->stat.pieces_done,
                                 .downloaded = st->stat.downloaded,
                                 .uploaded = st->stat.uploaded,
                                 .wasted = st->stat.wasted,
                                 .checked_to = st->stat.checked_to};
    if (st->t != NULL && st->ran) {
        torrent_get_stats(st->t, loop_now_ms(st->s->loop), ts);
        ts->bytes_done = num_sub_u64(ts->bytes_done, refusals_bytes(st));
        ts->pieces_done -= refusals_n_pieces(st);
    } else if (st->s->o.check_only) {
        ts->pieces_checking = ts->pieces_done; /* all that is to be looked at */
    }
    if (st->t != NULL && st->meta == NULL) {
        report_metadata(st, ts);
    }
}

/* Seconds until everything is here; -1 unknown, as it is as long as nobody
 * knows what everything is, or works on it. */
static int64_t report_eta(const struct engine_torrent *st,
                          const struct torrent_stats *ts)
{
    enum btc_state state = report_state(st);
    bool works = state == BTC_STATE_CHECKING ||
                 state == BTC_STATE_DOWNLOADING ||
                 state == BTC_STATE_COMPLETE || state == BTC_STATE_SEEDING;
    if (!works || (st->t != NULL && st->meta == NULL)) {
        return -1;
    }
    uint64_t left = ts->bytes_total - ts->bytes_done;
    if (left == 0) {
        return 0;
    }
    if (ts->down_rate > 0) {
        return (int64_t)(left / ts->down_rate);
    }
    return -1;
}

/* Why it does not go on; NULL = it does. */
static const char *report_error(const struct engine_torrent *st)
{
    if (st->watch.silent_ms != 0) {
        return "its drive does not answer";
    }
    return st->error;
}

/* As the view `progress` has it: what is wished away is neither complete nor
 * paused. */
static enum btc_state report_shown_state(const struct engine_torrent *st)
{
    enum btc_state state = report_state(st);
    bool stays = state == BTC_STATE_ERROR || state == BTC_STATE_WAITING_STORAGE;
    bool wished =
        st->row.wanted == WANTED_REMOVE || st->row.wanted == WANTED_REMOVE_DATA;
    if (wished && !stays) {
        return BTC_STATE_REMOVING;
    }
    return state;
}

static void report_fill_progress(struct engine_torrent *st,
                                 struct btc_progress *p)
{
    struct torrent_stats ts;
    report_stats(st, &ts);
    *p = (struct btc_progress){
        .id = st->id,
        .name = st->row.name,
        .state = report_shown_state(st),
        .bytes_done = ts.bytes_done,
        .bytes_total = ts.bytes_total,
        .pieces_done = ts.pieces_done,
        .pieces_total = st->row.n_pieces,
        .piece_length = st->row.piece_length,
        .pieces_checking = ts.pieces_checking,
        .down_rate = ts.down_rate,
        .up_rate = ts.up_rate,
        .eta_s = report_eta(st, &ts),
        .peers = ts.peers,
        .seeds = ts.seeds,
        .downloaded = ts.downloaded,
        .uploaded = ts.uploaded,
        .wasted = ts.wasted,
        .ratio = ts.bytes_done > 0 ? (double)ts.uploaded / (double)ts.bytes_done
                                   : 0.0,
        .error = report_error(st),
        .save_path = st->row.save_path};
    bytes_to_hex(st->row.info_hash, SHA1_LEN, p->info_hash);
}

/* The row as of this commit: bytes and pieces are verified and, with it,
 * durable. */
void report_fill_stat(struct engine_torrent *st, struct journal_stat *out)
{
    struct torrent_stats ts;
    report_stats(st, &ts);
    out->state = report_state(st);
    out->bytes_done = ts.bytes_done;
    out->bytes_total = ts.bytes_total;
    out->pieces_done = ts.pieces_done;
    out->down_rate = (int64_t)ts.down_rate;
    out->up_rate = (int64_t)ts.up_rate;
    out->eta_s = report_eta(st, &ts);
    out->peers = ts.peers;
    out->seeds = ts.seeds;
    out->downloaded = ts.downloaded;
    out->uploaded = ts.uploaded;
    out->wasted = ts.wasted;
    out->error_code = st->life.code;
    out->error = report_error(st);
    out->checked_to = ts.checked_to;
    if (st->ran && torrent_is_complete(st->t)) {
        if (st->stat.completed_at == 0) {
            st->stat.completed_at = loop_unix_now();
        }
    }
    if (refusals_has_any(st)) {
        out->checked_to = 0; /* data beyond the journal is looked for */
    }
    out->completed_at = st->stat.completed_at;
    if (st->ledger.member.doubted) { /* the last that was durable */
        const struct journal_stat *known =
            st->ledger.told_stat.state != BTC_STATE_UNKNOWN
                ? &st->ledger.told_stat
                : &st->stat;
        out->bytes_done = num_sub_u64(known->bytes_done, st->ledger.lost_bytes);
        out->pieces_done =
            (uint32_t)num_sub_u64(known->pieces_done, st->ledger.lost);
        out->checked_to = known->checked_to;
        out->completed_at = known->completed_at;
    }
    out->seeding_s = st->stat.seeding_s;
    out->root_dev = st->stat.root_dev;
    out->writes = st->stat.writes;
}

/* Fills what is common and calls. */
void report_tell(struct engine_torrent *st, struct btc_event *ev)
{
    struct engine *s = st->s;
    if (s->o.on_event == NULL || !(st->asked || s->o.follow_wishes)) {
        return;
    }
    struct btc_progress p;
    report_fill_progress(st, &p);
    ev->at = loop_unix_now();
    ev->id = st->id;
    ev->progress = &p;
    ev->n = 1;
    s->o.on_event(s->o.ctx, ev);
}

/* An event without details. */
void report_tell_type(struct engine_torrent *st, enum btc_event_type type)
{
    struct btc_event ev = {.type = type};
    report_tell(st, &ev);
}

/* STATE, when it changed. */
void report_tell_state(struct engine_torrent *st)
{
    enum btc_state state = report_state(st);
    if (st->told_state != state) {
        st->ledger.stat_dirty = true;
        turn_touch(st);
        st->told_state = state;
        report_tell_type(st, BTC_EVENT_STATE);
    }
}

/* The n-th place of STATS; one that is used for the first time says so. */
static struct btc_progress *report_place(struct engine *s, uint32_t n)
{
    if (n >= s->progress.n) {
        s->progress.all = vec_room(s->progress.all, n, &s->progress.cap,
                                   sizeof(*s->progress.all));
        s->progress.all[n] = (struct btc_progress){0};
        s->progress.n = n + 1;
    }
    return &s->progress.all[n];
}

/* One torrent of STATS, over what stands at its place since the last time. What
 * nothing has touched since, and does not move, is as it was but for its texts,
 * which may have been replaced. */
static void report_refresh(struct engine_torrent *st, struct btc_progress *p)
{
    bool rests = p->down_rate == 0 && p->up_rate == 0;
    if (p->id == st->id && st->turn.told && rests) {
        p->name = st->row.name;
        p->save_path = st->row.save_path;
        return;
    }
    report_tell_state(st);
    st->turn.told = true;
    report_fill_progress(st, p);
}

/* STATS: all torrents of this run. */
void report_tell_stats(struct engine *s, bool asked)
{
    uint32_t n = 0;
    if (s->o.on_event == NULL) {
        return;
    }
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        if (!st->asked && !s->o.follow_wishes) {
            continue;
        }
        report_refresh(st, report_place(s, n++));
    }
    s->progress.n = n;
    struct btc_event ev = {.type = BTC_EVENT_STATS,
                           .at = loop_unix_now(),
                           .progress = s->progress.all,
                           .n = n,
                           .asked = asked};
    s->o.on_event(s->o.ctx, &ev);
}

/* ERROR; `st` NULL: the engine itself. */
void report_tell_error(struct engine *s, struct engine_torrent *st, int code,
                       const char *text)
{
    struct btc_event ev = {
        .type = BTC_EVENT_ERROR, .status = err_exit(code), .text = text};
    if (st != NULL) {
        report_tell(st, &ev);
    } else if (s->o.on_event != NULL) {
        ev.at = loop_unix_now();
        s->o.on_event(s->o.ctx, &ev);
    }
}
