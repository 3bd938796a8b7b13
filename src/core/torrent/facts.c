/* What a torrent is told beside events (the journal's rows, priorities, limits)
 * and what it tells when asked (statistics, peers, files).
 */
#include "base/err.h"
#include "core/torrent/internal.h"
#include "model/span.h"

/* --- before and beside --- */

void torrent_restore_piece(struct torrent *t, uint32_t piece)
{
    if (layout_has_piece(t->geom, piece) &&
        picker_state(t->picker, piece) != PICKER_HAVE) {
        picker_set_have(t->picker, piece);
        torrent_count_files(t, piece, true, false);
    }
}

void torrent_restore_block(struct torrent *t, uint32_t piece, uint32_t block)
{
    if (layout_has_piece(t->geom, piece) &&
        block < layout_n_blocks(t->geom, piece) &&
        picker_state(t->picker, piece) != PICKER_HAVE) {
        torrent_disk_restore(t, piece, block);
    }
}

void torrent_check_piece(struct torrent *t, uint32_t piece, bool claimed)
{
    if (!layout_has_piece(t->geom, piece) ||
        picker_state(t->picker, piece) == PICKER_CHECKING ||
        torrent_disk_is_busy(t, piece)) {
        return;
    }
    if (picker_state(t->picker, piece) == PICKER_HAVE) {
        torrent_count_files(t, piece, false, false);
    }
    picker_set_checking(t->picker, piece);
    bits_set(&t->check, piece);
    if (claimed) {
        bits_set(&t->check_claimed, piece);
    }
    if (piece < t->check_next) {
        t->check_next = piece;
    }
    t->checked_notified = false;
    t->refill = true; /* an input is wanted */
}

void torrent_restore_tracker(struct torrent *t, uint32_t tracker,
                             const char *tracker_id)
{
    announce_restore(t->announce, tracker, tracker_id);
}

int torrent_add_tracker(struct torrent *t, const char *url, uint32_t tier)
{
    uint32_t known = announce_count(t->announce);
    int at = announce_add(t->announce, url, tier);
    if (at >= 0 && (uint32_t)at == known &&
        announce_get(t->announce, known)->state == ANNOUNCE_UNSUPPORTED) {
        torrent_fact(t, FACT_TRACKER, 0, known); /* nothing else will come */
    }
    return at;
}

/* A record of an earlier run keeps its worth: quality, failures, bans. */
void torrent_add_peer(struct torrent *t, const struct addr *a,
                      enum peer_source source, const struct peerset_entry *old)
{
    int64_t id = peerset_add(t->peerset, a, source);
    struct peerset_entry *e =
        id >= 0 ? peerset_get(t->peerset, (uint32_t)id) : NULL;
    if (e == NULL || old == NULL) {
        return;
    }
    e->bytes_down = old->bytes_down;
    e->bytes_up = old->bytes_up;
    e->last_seen = old->last_seen;
    e->failures = old->failures;
    e->is_seed = old->is_seed;
    if (old->banned) {
        peerset_ban(t->peerset, e->id);
    }
}

/* A piece is as wanted as the most wanted file in it. */
static uint8_t torrent_piece_prio(const struct torrent *t, uint32_t piece)
{
    struct layout_spans it;
    struct span s;
    uint8_t prio = PICKER_PRIO_OFF;
    bool pad = true;
    layout_spans_init(&it, t->geom, layout_piece_offset(t->geom, piece),
                      layout_piece_size(t->geom, piece));
    while (layout_spans_next(&it, &s)) {
        pad &= s.pad;
        if (!s.pad && t->file_prio[s.file] > prio) {
            prio = t->file_prio[s.file];
        }
    }
    return pad ? PICKER_PRIO_NORMAL : prio; /* zeros cost nothing */
}

/* The file's own number and what hangs on it, but not its pieces; false when
 * nothing has changed. */
static bool torrent_take_priority(struct torrent *t, uint32_t file,
                                  uint8_t prio)
{
    const struct layout_file *f = &t->geom->files[file];
    uint8_t before = t->file_prio[file];
    if (before == prio || prio > PICKER_PRIO_MAX) {
        return false;
    }
    t->file_prio[file] = prio;
    if (!f->pad && before == PICKER_PRIO_OFF) {
        t->wanted_bytes += f->length;
        t->wanted_done += t->file_done[file];
    } else if (!f->pad && prio == PICKER_PRIO_OFF) {
        t->wanted_bytes -= f->length;
        t->wanted_done -= t->file_done[file];
    }
    return true;
}

/* Others are wanted now: whom do we want something of? */
static void torrent_priorities_changed(struct torrent *t)
{
    t->refill = true;
    struct peer *p;
    TORRENT_EACH_PEER(p, t)
    {
        if (p->phase == PEER_ACTIVE) {
            torrent_peer_interest(t, p);
        }
    }
}

void torrent_set_priority(struct torrent *t, uint32_t file, uint8_t prio)
{
    BTC_ASSERT(file < t->geom->n_files);
    if (!torrent_take_priority(t, file, prio)) {
        return;
    }
    uint32_t first, end;
    layout_file_pieces(t->geom, file, &first, &end);
    for (uint32_t i = first; i < end; i++) {
        picker_set_priority(t->picker, i, torrent_piece_prio(t, i));
    }
    torrent_priorities_changed(t);
}

void torrent_set_priorities(struct torrent *t, const uint8_t *prio)
{
    bool changed = false;
    for (uint32_t i = 0; i < t->geom->n_files; i++) {
        if (!t->geom->files[i].pad) {
            changed |= torrent_take_priority(t, i, prio[i]);
        }
    }
    for (uint32_t i = 0; changed && i < t->geom->n_pieces; i++) {
        picker_set_priority(t->picker, i, torrent_piece_prio(t, i));
    }
    if (changed) {
        torrent_priorities_changed(t);
    }
}

void torrent_set_sequential(struct torrent *t, bool on)
{
    picker_set_sequential(t->picker, on);
}

void torrent_set_limits(struct torrent *t, uint64_t up_limit,
                        uint32_t max_peers, uint64_t now_ms)
{
    bucket_set_rate(&t->up_bucket, up_limit, now_ms);
    t->max_peers = max_peers > 0 ? max_peers : TORRENT_DEF_PEERS;
    if (t->max_peers > TORRENT_MAX_PEERS) {
        t->max_peers = TORRENT_MAX_PEERS;
    }
}

void torrent_set_check_only(struct torrent *t)
{
    t->check_only = true;
}

void torrent_set_hold(struct torrent *t, bool hold)
{
    t->hold = hold;
    t->refill |= !hold;
}

/* --- facts --- */

enum torrent_state torrent_state(const struct torrent *t)
{
    return t->state;
}

bool torrent_is_quiet(const struct torrent *t)
{
    return t->n_jobs == 0;
}

bool torrent_is_stopped(const struct torrent *t)
{
    return t->state == TORRENT_STOPPED;
}

bool torrent_is_complete(const struct torrent *t)
{
    return picker_n_wanted_left(t->picker) == 0 && torrent_check_left(t) == 0;
}

const struct picker *torrent_picker(const struct torrent *t)
{
    return t->picker;
}

struct peerset *torrent_peerset(struct torrent *t)
{
    return t->peerset;
}

const struct announce *torrent_announce(const struct torrent *t)
{
    return t->announce;
}

uint64_t torrent_file_done(const struct torrent *t, uint32_t file)
{
    return t->file_done[file];
}

bool torrent_file_needed(const struct torrent *t, uint32_t file)
{
    if (t->file_prio[file] != PICKER_PRIO_OFF) {
        return true;
    }
    uint32_t first, end;
    layout_file_pieces(t->geom, file, &first, &end);
    return first < end &&
           (picker_priority(t->picker, first) != PICKER_PRIO_OFF ||
            picker_priority(t->picker, end - 1) != PICKER_PRIO_OFF);
}

void torrent_get_stats(const struct torrent *t, uint64_t now_ms,
                       struct torrent_stats *out)
{
    *out = (struct torrent_stats){
        .bytes_done = t->wanted_done,
        .bytes_total = t->wanted_bytes,
        .pieces_done = picker_n_have(t->picker),
        .pieces_checking = torrent_check_left(t),
        .checked_to = torrent_check_floor(t),
        .down_rate = rate_get(&t->down, now_ms),
        .up_rate = rate_get(&t->up, now_ms),
        .downloaded = t->downloaded,
        .uploaded = t->uploaded,
        .wasted = t->wasted,
        .peers = t->n_active,
        .seeds = t->n_seeds,
        .connecting = t->n_connecting,
        .last_payload_ms = t->last_payload_ms,
        .had_peer = t->had_peer,
    };
}

bool torrent_peer_info(const struct torrent *t, uint32_t peerset_id,
                       uint64_t now_ms, struct torrent_peer_info *out)
{
    const struct peer *p;
    TORRENT_EACH_PEER(p, t)
    {
        if (p->id == peerset_id && p->phase == PEER_ACTIVE) {
            *out = (struct torrent_peer_info){
                .client = p->ext.client,
                .choking = p->peer_choking,
                .interested = p->peer_interested,
                .am_choking = p->am_choking,
                .am_interested = p->am_interested,
                .incoming = p->incoming,
                .is_seed = peer_is_seed(p),
                .down_rate = rate_get(&p->down, now_ms),
                .up_rate = rate_get(&p->up_rate, now_ms),
                .requests = p->n_req,
            };
            return true;
        }
    }
    return false;
}
