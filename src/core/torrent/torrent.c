/* One torrent's lifecycle: creation, events in, actions out, facts.
 *
 * torrent_input stores `now`, hands the event to the file that owns its source
 * and then settles what follows from any event: closed peers are swept, peers
 * are asked for more, checks and announces go on, the state is told when it
 * changed.
 */
#include "core/torrent/torrent.h"

#include "base/err.h"
#include "base/mem.h"
#include "core/torrent/internal.h"
#include "model/names.h"
#include "model/span.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Actions; more is a bug of ours. A piece may complete METAINFO_MAX_FILES
 * files, and each is told. */
#define TORRENT_MAX_QUEUE (1u << 22)

struct torrent *torrent_new(const struct torrent_config *c, uint64_t now_ms)
{
    struct torrent *t = mem_zalloc(sizeof *t);
    t->shared = c->shared;
    t->geom = c->geom;
    t->info_hash = c->info_hash;
    t->piece_hashes = c->piece_hashes;
    t->picker = picker_new(c->geom, c->shared->rng);
    t->peerset = peerset_new(c->shared->rng);
    t->announce = announce_new(c->shared->rng);
    choker_init(&t->choker);
    t->is_private = c->is_private;
    t->max_peers = c->max_peers > 0 ? c->max_peers : TORRENT_DEF_PEERS;
    if (t->max_peers > TORRENT_MAX_PEERS) {
        t->max_peers = TORRENT_MAX_PEERS; /* conn ids have 16 bits of slots */
    }
    picker_set_sequential(t->picker, c->sequential);
    bucket_init(&t->up_bucket, c->up_limit, now_ms);
    t->downloaded = t->old_down = c->downloaded;
    t->uploaded = t->old_up = c->uploaded;
    t->wasted = c->wasted;
    t->file_prio = mem_alloc(c->geom->n_files > 0 ? c->geom->n_files : 1);
    memset(t->file_prio, PICKER_PRIO_NORMAL, c->geom->n_files);
    t->file_done = mem_calloc(c->geom->n_files > 0 ? c->geom->n_files : 1,
                              sizeof *t->file_done);
    for (uint32_t i = 0; i < c->geom->n_files; i++) {
        t->wanted_bytes += c->geom->files[i].pad ? 0 : c->geom->files[i].length;
    }
    int err = bits_init(&t->check, c->geom->n_pieces);
    BTC_ASSERT(err == 0); /* metainfo limits the pieces */
    err = bits_init(&t->check_claimed, c->geom->n_pieces);
    BTC_ASSERT(err == 0);
    rate_init(&t->down);
    rate_init(&t->up);
    t->now_ms = now_ms;
    return t;
}

void torrent_free(struct torrent *t)
{
    if (t == NULL) {
        return;
    }
    BTC_ASSERT(t->n_jobs == 0);
    for (uint32_t i = 0; i < t->n_slots; i++) {
        if (t->slots[i] != NULL && t->slots[i]->phase != PEER_CLOSED) {
            torrent_peer_close(t, t->slots[i], false, 0);
        }
    }
    torrent_peer_sweep(t);
    torrent_disk_free(t);
    torrent_blame_free(t);
    for (struct action a; torrent_next_action(t, &a);) {
    }
    free(t->queue);
    free(t->lent);
    free(t->slots);
    free(t->slot_gen);
    free(t->dirty);
    free(t->hashing);
    free(t->file_prio);
    free(t->file_done);
    bits_fini(&t->check);
    bits_fini(&t->check_claimed);
    picker_free(t->picker);
    peerset_free(t->peerset);
    announce_free(t->announce);
    free(t);
}

/* --- actions out --- */

/* A new action at the end of the queue, zeroed but for its type. */
struct action *torrent_push(struct torrent *t, enum action_type type)
{
    if (t->n_queue == t->queue_cap) {
        uint32_t cap = t->queue_cap > 0 ? t->queue_cap * 2 : 64;
        BTC_ASSERT(cap <= TORRENT_MAX_QUEUE);
        struct action *ring = mem_array(cap, sizeof *ring);
        for (uint32_t i = 0; i < t->n_queue; i++) {
            ring[i] = t->queue[(t->queue_head + i) & (t->queue_cap - 1)];
        }
        free(t->queue);
        t->queue = ring;
        t->queue_head = 0;
        t->queue_cap = cap;
    }
    struct action *a =
        &t->queue[(t->queue_head + t->n_queue) & (t->queue_cap - 1)];
    t->n_queue++;
    *a = (struct action){.type = type};
    return a;
}

/* A fact without text. */
void torrent_fact(struct torrent *t, enum fact_type type, uint32_t piece,
                  uint32_t index)
{
    struct action *a = torrent_push(t, ACTION_PERSIST);
    a->piece = piece;
    a->fact.type = type;
    a->fact.index = index;
    a->fact.block = index;
}

/* An `event` row. */
void torrent_event(struct torrent *t, enum level level, const char *kind,
                   const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct action *a = torrent_push(t, ACTION_PERSIST);
    a->fact.type = FACT_EVENT;
    a->fact.level = level;
    a->fact.kind = kind;
    a->fact.text = mem_strdup(text);
}

void torrent_notify(struct torrent *t, enum notify_type type, uint32_t piece,
                    uint32_t file)
{
    struct action *a = torrent_push(t, ACTION_NOTIFY);
    a->piece = piece;
    a->notify.type = type;
    a->notify.file = file;
}

/* The memory inside an action is the queue's until it is given out. */
static void *torrent_action_memory(const struct action *a)
{
    if (a->type == ACTION_PERSIST && a->fact.type == FACT_EVENT) {
        return a->fact.text;
    }
    if (a->type == ACTION_NOTIFY) {
        return a->notify.text;
    }
    return a->type == ACTION_ANNOUNCE ? a->announce.request : NULL;
}

/* Messages first: they are what peers wait for. */
static bool torrent_next_send(struct torrent *t, struct action *out)
{
    while (t->n_dirty > 0) {
        struct peer *p = t->dirty[--t->n_dirty];
        p->out_listed = false;
        if (p->phase != PEER_CLOSED && buf_len(&p->out) > 0) {
            *out = (struct action){.type = ACTION_SEND, .conn = p->conn};
            out->data = buf_slice(&p->out);
            t->sending = p;
            p->sent_ms = t->now_ms;
            return true;
        }
    }
    return false;
}

/* What the last action lent out is ours again: bytes that were sent go before
 * anything is put behind them. */
static void torrent_take_back(struct torrent *t)
{
    if (t->sending != NULL) {
        buf_clear(&t->sending->out);
        buf_trim(&t->sending->out, PEER_KEEP_MEM);
        t->sending = NULL;
    }
    free(t->lent);
    t->lent = NULL;
}

bool torrent_next_action(struct torrent *t, struct action *out)
{
    torrent_take_back(t);
    if (torrent_next_send(t, out)) {
        return true;
    }
    if (t->n_queue == 0) {
        return false;
    }
    *out = t->queue[t->queue_head];
    t->queue_head = (t->queue_head + 1) & (t->queue_cap - 1);
    t->n_queue--;
    t->lent = torrent_action_memory(out);
    return true;
}

/* --- state --- */

/* What the state is, from what there is. */
static enum torrent_state torrent_compute_state(const struct torrent *t)
{
    if (t->state == TORRENT_FAILED || t->state == TORRENT_STOPPED ||
        t->state == TORRENT_STOPPING) {
        return t->state;
    }
    uint32_t left = picker_n_wanted_left(t->picker);
    uint32_t checking = torrent_check_left(t);
    if (checking > 0 && (t->check_only || left == 0 || left <= checking)) {
        return TORRENT_CHECKING;
    }
    return left == 0 ? TORRENT_SEEDING : TORRENT_DOWNLOADING;
}

/* Tells when the state changed, the check ended or everything is here. */
static void torrent_update_state(struct torrent *t)
{
    if (!t->running || t->state == TORRENT_STOPPING) {
        return;
    }
    enum torrent_state now = torrent_compute_state(t);
    if (now != t->state) {
        t->state = now;
        torrent_notify(t, NOTIFY_STATE, 0, 0);
    }
    if (!t->checked_notified && torrent_check_left(t) == 0) {
        t->checked_notified = true;
        torrent_notify(t, NOTIFY_CHECKED, 0, 0);
    }
    bool complete = torrent_is_complete(t);
    if (complete && !t->complete) {
        t->complete = true;
        torrent_notify(t, NOTIFY_COMPLETE, 0, 0);
        if (!t->fetched || torrent_left(t) > 0) {
            /* Found by hashing (BEP 3), or a part of the torrent (BEP 21): no
             * `completed`, but who was told otherwise learns what we are. */
            announce_now(t->announce, t->now_ms);
        } else {
            announce_complete(t->announce, t->now_ms);
        }
    } else if (!complete) {
        t->complete = false;
    }
}

/* The disk let us down: nothing more is asked for, the engine decides. */
void torrent_fail(struct torrent *t, int result, const char *text)
{
    if (t->state == TORRENT_FAILED || t->state == TORRENT_STOPPED) {
        return;
    }
    if (t->state != TORRENT_STOPPING) {
        t->state = TORRENT_FAILED;
    }
    struct action *a = torrent_push(t, ACTION_NOTIFY);
    a->notify.type = NOTIFY_ERROR;
    a->notify.result = result;
    a->notify.text = mem_strdup(text);
    struct peer *p;
    TORRENT_EACH_PEER(p, t)
    {
        torrent_request_drop_all(t, p, true);
    }
}

void torrent_count_files(struct torrent *t, uint32_t piece, bool have,
                         bool tell)
{
    struct layout_spans it;
    struct span s;
    layout_spans_init(&it, t->geom, layout_piece_offset(t->geom, piece),
                      layout_piece_size(t->geom, piece));
    while (layout_spans_next(&it, &s)) {
        uint64_t more = have ? s.len : 0 - (uint64_t)s.len;
        t->file_done[s.file] += more;
        if (!s.pad && t->file_prio[s.file] != PICKER_PRIO_OFF) {
            t->wanted_done += more;
        }
        if (tell && have && !s.pad &&
            t->file_done[s.file] == t->geom->files[s.file].length) {
            torrent_notify(t, NOTIFY_FILE, piece, s.file);
        }
    }
}

void torrent_got_piece(struct torrent *t, uint32_t piece, bool downloaded)
{
    if (picker_state(t->picker, piece) == PICKER_HAVE) {
        return;
    }
    picker_set_have(t->picker, piece);
    torrent_count_files(t, piece, true, true);
    torrent_fact(t, FACT_PIECE, piece, 0);
    torrent_notify(t, NOTIFY_PIECE, piece, 0);
    t->fetched |= downloaded;
    struct peer *p;
    TORRENT_EACH_PEER(p, t)
    {
        if (p->phase == PEER_ACTIVE && p->first_done &&
            !bits_get(&p->have, piece)) {
            (void)peer_put_piece_idx(p, WIRE_HAVE, piece);
            torrent_peer_output(t, p);
        }
        if (p->phase == PEER_ACTIVE && p->am_interested &&
            bits_get(&p->have, piece)) {
            torrent_peer_interest(t, p);
        }
    }
}

/* --- events in --- */

/* Dials known peers at once: none of them waits for a tracker. */
static void torrent_on_start(struct torrent *t)
{
    if (t->running) {
        return;
    }
    t->running = true;
    t->complete = false;
    t->tick_ms = t->choke_ms = t->now_ms;
    t->state = TORRENT_CHECKING; /* any state that may change */
    torrent_disk_start(t);
    torrent_disk_pads(t);
    t->state = torrent_compute_state(t);
    torrent_notify(t, NOTIFY_STATE, 0, 0);
    if (!t->check_only) {
        announce_start(t->announce, t->now_ms);
        torrent_dial(t);
    }
}

/* Peers go at once; the trackers are told; the blocks go to the disk. */
static void torrent_on_stop(struct torrent *t)
{
    if (t->state == TORRENT_STOPPING || t->state == TORRENT_STOPPED) {
        return;
    }
    struct peer *p;
    TORRENT_EACH_PEER(p, t)
    {
        torrent_peer_close(t, p, true, BTC_E_CANCELLED);
    }
    t->state = TORRENT_STOPPING;
    t->stop_ms = t->now_ms;
    rate_init(&t->down); /* nothing moves any more, whatever moved just now */
    rate_init(&t->up);
    announce_stop(t->announce, t->now_ms);
    torrent_flush(t);
}

/* Once per TORRENT_TICK_MS: rates, time-outs, the choker. */
static void torrent_on_tick(struct torrent *t)
{
    uint64_t elapsed = t->now_ms - t->tick_ms;
    if (elapsed < TORRENT_TICK_MS) {
        return;
    }
    t->tick_ms = t->now_ms;
    struct peer *p;
    TORRENT_EACH_PEER(p, t)
    {
        torrent_peer_tick(t, p, elapsed);
    }
    torrent_blame_tick(t);
    if (t->purge) {
        torrent_disk_purge(t);
    }
    if (t->now_ms - t->choke_ms >= CHOKER_INTERVAL_MS) {
        t->choke_ms = t->now_ms;
        torrent_upload_rank(t);
        torrent_peer_evict(t);
    }
    announce_want_peers(t->announce, t->state == TORRENT_DOWNLOADING &&
                                         t->n_peers < t->max_peers / 2);
    t->refill = true;
}

/* While existing data is hashed and nothing else is to be done, nobody knows
 * what we have: trackers are told afterwards. */
static bool torrent_may_announce(const struct torrent *t)
{
    return !t->check_only && t->state != TORRENT_CHECKING;
}

/* One event to the file that owns its source. */
static void torrent_dispatch(struct torrent *t, const struct event *ev)
{
    struct peer *p = torrent_peer_by_conn(t, ev->conn);
    switch (ev->type) {
    case EVENT_START:
        torrent_on_start(t);
        break;
    case EVENT_STOP:
        torrent_on_stop(t);
        break;
    case EVENT_TICK:
        torrent_on_tick(t);
        break;
    case EVENT_CONNECTED:
        if (p != NULL) {
            torrent_peer_connected(t, p);
        }
        break;
    case EVENT_ACCEPTED:
        if (p != NULL) {
            torrent_peer_accepted(t, p, &ev->accepted.handshake);
        }
        break;
    case EVENT_DATA:
        if (p != NULL) {
            torrent_peer_data(t, p, ev->data);
        }
        break;
    case EVENT_CLOSED:
        if (p != NULL) {
            torrent_peer_close(t, p, false, ev->result);
        }
        break;
    case EVENT_FINISHED:
        torrent_disk_finished(t, ev);
        break;
    case EVENT_WRITTEN:
        torrent_disk_written(t, ev);
        break;
    case EVENT_HASHED:
        torrent_check_hashed(t, ev);
        break;
    case EVENT_UPLOADED:
        torrent_upload_done(t, ev);
        break;
    case EVENT_ANNOUNCED:
        torrent_announce_result(t, ev);
        break;
    case EVENT_PEER:
        torrent_add_peer(t, &ev->peer.addr, (enum peer_source)ev->peer.source,
                         NULL);
        break;
    }
}

void torrent_input(struct torrent *t, const struct event *ev, uint64_t now_ms,
                   int64_t unix_now)
{
    torrent_take_back(t);
    t->now_ms = now_ms;
    t->unix_now = unix_now;
    torrent_dispatch(t, ev);
    torrent_peer_sweep(t);
    if (!t->running) {
        return;
    }
    torrent_check_pump(t);
    torrent_update_state(t);
    if (t->refill) {
        t->refill = false;
        torrent_request_fill_all(t);
    }
    torrent_dial(t);
    if (torrent_may_announce(t)) {
        torrent_announce_pump(t);
    }
    if (t->state == TORRENT_STOPPING && t->n_jobs == 0 &&
        (announce_is_idle(t->announce) ||
         now_ms - t->stop_ms >= ANNOUNCE_STOP_MS)) {
        t->state = TORRENT_STOPPED;
        t->running = false;
        torrent_notify(t, NOTIFY_STATE, 0, 0);
    }
}

/* Ticks while peers are there; else the next announce or dial. What was set
 * from outside (priorities, hold) takes effect at once; a check that waits for
 * another torrent's to end looks again soon. */
uint64_t torrent_deadline(const struct torrent *t)
{
    if (!t->running) {
        return UINT64_MAX;
    }
    if (t->state == TORRENT_STOPPING) {
        uint64_t end = t->stop_ms + ANNOUNCE_STOP_MS;
        return end > t->now_ms ? end : UINT64_MAX; /* then jobs end it */
    }
    if (t->refill) {
        return t->now_ms;
    }
    uint64_t at =
        torrent_may_announce(t) ? announce_deadline(t->announce) : UINT64_MAX;
    if (torrent_waits_to_hash(t)) {
        uint64_t turn = t->now_ms + TORRENT_TICK_MS;
        at = turn < at ? turn : at;
    }
    if (t->n_peers > 0) {
        uint64_t tick = t->tick_ms + TORRENT_TICK_MS;
        at = tick < at ? tick : at;
    }
    if (!t->check_only && t->n_peers < t->max_peers &&
        t->state != TORRENT_FAILED) {
        uint64_t dial =
            peerset_deadline(t->peerset, t->state == TORRENT_SEEDING);
        dial = dial > t->now_ms ? dial : t->now_ms + TORRENT_TICK_MS;
        at = dial < at ? dial : at;
    }
    return at;
}

void torrent_announce_now(struct torrent *t, uint64_t now_ms)
{
    announce_now(t->announce, now_ms);
}
