/* What a run tells: states, progress, rows of torrent_stat, the map of pieces.
 */
#include "base/mem.h"
#include "engine/internal.h"
#include "model/names.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Seeding is wished for and not over. Before DONE nobody has looked yet. */
static bool report_is_served(const struct engine_torrent *st)
{
    return !st->s->o.check_only && !st->goal_reached &&
           (st->announced_done || !engine_torrent_goal(st));
}

/* What a torrent that runs does. */
static const char *report_running_state(const struct engine_torrent *st)
{
    switch (torrent_state(st->t)) {
    case TORRENT_CHECKING:
        return "checking";
    case TORRENT_SEEDING:
        return report_is_served(st) ? "seeding" : "complete";
    case TORRENT_STOPPED:
    case TORRENT_STOPPING:
    case TORRENT_FAILED:
    case TORRENT_DOWNLOADING:
        break;
    }
    return "downloading";
}

/* Nothing wanted is missing, as far as is known. */
static bool report_is_complete(const struct engine_torrent *st)
{
    if (st->t != NULL && st->ran) {
        return torrent_is_complete(st->t);
    }
    return st->row.piece_length > 0 && st->stat.bytes_total > 0 &&
           st->stat.bytes_done >= st->stat.bytes_total;
}

const char *engine_state_name(const struct engine_torrent *st)
{
    switch (st->phase) {
    case PHASE_STORAGE:
        return "waiting-storage";
    case PHASE_SPACE:
        return "waiting-space";
    case PHASE_ERROR:
        if (st->status != BTC_E_VERIFY && st->status != BTC_E_NETWORK &&
            st->status != BTC_E_STALLED) {
            return "error";
        }
        break;
    case PHASE_LOADING:
    case PHASE_STAT:
    case PHASE_SCAN:
    case PHASE_CREATE:
        if (st->status != BTC_E_STORAGE && st->status != BTC_E_NOSPACE) {
            return "checking";
        }
        break; /* only looked whether it is back */
    case PHASE_RUN:
        return report_running_state(st);
    case PHASE_IDLE:
    case PHASE_STOPPING:
        break;
    }
    if (st->status == BTC_E_NOSPACE) {
        return "waiting-space";
    }
    if (st->status == BTC_E_STORAGE) {
        return "waiting-storage";
    }
    if (report_is_complete(st)) {
        return "complete";
    }
    return st->row.wanted == WANTED_PAUSE ? "paused" : "downloading";
}

/* No payload moves: rows that only say so are not written. */
bool engine_is_idle(const struct engine_torrent *st)
{
    struct torrent_stats ts;
    torrent_get_stats(st->t, loop_now_ms(st->s->loop), &ts);
    return ts.down_rate == 0 && ts.up_rate == 0;
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
    }
}

/* Seconds until everything is here; -1 unknown. */
static int64_t report_eta(const struct torrent_stats *ts)
{
    uint64_t left = ts->bytes_total - ts->bytes_done;
    if (left == 0) {
        return 0;
    }
    return ts->down_rate > 0 ? (int64_t)(left / ts->down_rate) : -1;
}

void engine_fill_progress(struct engine_torrent *st, struct btc_progress *p)
{
    struct torrent_stats ts;
    report_stats(st, &ts);
    *p = (struct btc_progress){
        .id = st->id,
        .name = st->row.name,
        .state = engine_state_name(st),
        .bytes_done = ts.bytes_done,
        .bytes_total = ts.bytes_total,
        .pieces_done = ts.pieces_done,
        .pieces_total = st->row.n_pieces,
        .pieces_checking = ts.pieces_checking,
        .down_rate = ts.down_rate,
        .up_rate = ts.up_rate,
        .eta_s = report_eta(&ts),
        .peers = ts.peers,
        .seeds = ts.seeds,
        .downloaded = ts.downloaded,
        .uploaded = ts.uploaded,
        .wasted = ts.wasted,
        .ratio = ts.bytes_done > 0 ? (double)ts.uploaded / (double)ts.bytes_done
                                   : 0.0,
        .error = st->error[0] != '\0' ? st->error : NULL,
        .save_path = st->row.save_path};
    bytes_to_hex(st->row.info_hash, SHA1_LEN, p->info_hash);
}

/* The row as of this commit: bytes and pieces are verified and, with it,
 * durable. */
void engine_fill_stat(struct engine_torrent *st, struct journal_stat *out)
{
    struct torrent_stats ts;
    report_stats(st, &ts);
    const char *state = engine_state_name(st);
    (void)snprintf(out->state, sizeof out->state, "%s", state);
    out->bytes_done = ts.bytes_done;
    out->bytes_total = ts.bytes_total;
    out->pieces_done = ts.pieces_done;
    out->down_rate = (int64_t)ts.down_rate;
    out->up_rate = (int64_t)ts.up_rate;
    out->eta_s = report_eta(&ts);
    out->peers = ts.peers;
    out->seeds = ts.seeds;
    out->downloaded = ts.downloaded;
    out->uploaded = ts.uploaded;
    out->wasted = ts.wasted;
    out->error_code = st->status;
    (void)snprintf(out->error, sizeof out->error, "%s", st->error);
    out->checked_to = ts.checked_to;
    if (st->ran && torrent_is_complete(st->t)) {
        if (st->stat.completed_at == 0) {
            st->stat.completed_at = loop_unix_now();
        }
    }
    out->completed_at = st->stat.completed_at;
    if (st->tainted) { /* the last that was durable */
        const struct journal_stat *known =
            st->told_stat.state[0] != '\0' ? &st->told_stat : &st->stat;
        out->bytes_done = known->bytes_done;
        out->pieces_done = known->pieces_done;
        out->checked_to = known->checked_to;
        out->completed_at = known->completed_at;
    }
    out->seeding_s = st->stat.seeding_s;
    out->root_dev = st->stat.root_dev;
    out->writes = st->stat.writes;
}

/* --- events --- */

/* Fills what is common and calls. */
void engine_tell(struct engine_torrent *st, struct btc_event *ev)
{
    struct engine *s = st->s;
    if (s->o.on_event == NULL || !(st->asked || s->o.follow_wishes)) {
        return;
    }
    struct btc_progress p;
    engine_fill_progress(st, &p);
    ev->at = loop_unix_now();
    ev->id = st->id;
    ev->progress = &p;
    ev->n = 1;
    s->o.on_event(s->o.ctx, ev);
}

/* An event without details. */
void engine_tell_type(struct engine_torrent *st, enum btc_event_type type)
{
    struct btc_event ev = {.type = type};
    engine_tell(st, &ev);
}

/* STATE, when it changed. */
void engine_tell_state(struct engine_torrent *st)
{
    const char *state = engine_state_name(st);
    if (st->told_state == NULL || strcmp(st->told_state, state) != 0) {
        st->stat_dirty = true;
        engine_touch(st);
        st->told_state = state;
        engine_tell_type(st, BTC_EVENT_STATE);
    }
}

/* STATS: all torrents of this run. */
void engine_tell_stats(struct engine *s, bool asked)
{
    size_t n = 0;
    if (s->o.on_event == NULL) {
        return;
    }
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        if (!st->asked && !s->o.follow_wishes) {
            continue;
        }
        if (n == s->progress_cap) {
            s->progress_cap = s->progress_cap > 0 ? s->progress_cap * 2 : 4;
            s->progress =
                mem_resize(s->progress, s->progress_cap, sizeof *s->progress);
        }
        engine_tell_state(st);
        engine_fill_progress(st, &s->progress[n++]);
    }
    struct btc_event ev = {.type = BTC_EVENT_STATS,
                           .at = loop_unix_now(),
                           .progress = s->progress,
                           .n = n,
                           .asked = asked};
    s->o.on_event(s->o.ctx, &ev);
}

/* ERROR; `st` NULL: the engine itself. */
void engine_tell_error(struct engine *s, struct engine_torrent *st, int code,
                       const char *text)
{
    struct btc_event ev = {
        .type = BTC_EVENT_ERROR, .status = err_exit(code), .text = text};
    if (st != NULL) {
        engine_tell(st, &ev);
    } else if (s->o.on_event != NULL) {
        ev.at = loop_unix_now();
        s->o.on_event(s->o.ctx, &ev);
    }
}

/* See btc_map. */
int engine_map(struct engine *s, int64_t id, struct btc_cell *cells, size_t n)
{
    const struct engine_torrent *st = engine_find(s, id);
    memset(cells, 0, n * sizeof *cells);
    if (st == NULL || st->t == NULL) {
        return st == NULL ? BTC_E_NOTFOUND : 0;
    }
    const struct picker *p = torrent_picker(st->t);
    uint64_t pieces = st->geom.n_pieces;
    for (size_t c = 0; c < n && pieces > 0; c++) {
        uint32_t from = (uint32_t)(pieces * c / n);
        uint32_t to = (uint32_t)(pieces * (c + 1) / n);
        to = to > from ? to : from + 1;
        uint32_t have = 0;
        for (uint32_t i = from; i < to; i++) {
            enum picker_state state = picker_state(p, i);
            have += state == PICKER_HAVE ? 1 : 0;
            cells[c].active |=
                state == PICKER_ACTIVE || state == PICKER_FULL ? 1 : 0;
            cells[c].checking |= state == PICKER_CHECKING ? 1 : 0;
        }
        cells[c].done = (uint8_t)((uint64_t)have * 8 / (to - from));
    }
    return 0;
}
