/* What we ask of whom, and the blocks that come.
 *
 * Depth follows rate and latency (peer.c); memory is reserved per request
 * (pool.h); a request that is overdue is taken back, so that somebody else can
 * be asked, and still accepted if it comes first after all. That, and the
 * endgame's duplicates, is why no slow or silent peer holds a piece hostage.
 *
 * Nor does a crowd of them: what becomes free goes to those that owe nothing,
 * in turn, and to those that are late only when nobody else takes it. So each
 * of a crowd keeps others from a block once, for as long as our patience lasts,
 * and a newcomer cannot push in front of who has waited longer.
 */
#include "base/err.h"
#include "core/torrent/internal.h"
#include "model/block.h"
#include <string.h>

#define REQUEST_BATCH 64 /* picked at once */

/* Whether the peer may be asked for anything now: not while a late block is
 * under way, for whatever it is asked comes behind that. */
static bool torrent_may_request(const struct torrent *t, const struct peer *p)
{
    return p->phase == PEER_ACTIVE && p->am_interested && !t->hold &&
           t->now_ms >= p->ask_ms && !(p->rx_active && p->rx_late) &&
           (t->state == TORRENT_DOWNLOADING || t->state == TORRENT_CHECKING) &&
           (!p->peer_choking || p->n_fast_in > 0) && !t->check_only;
}

/* Sends the requests that were picked. */
static void torrent_request_send(struct torrent *t, struct peer *p,
                                 const struct picker_block *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct wire_block w = {
            .piece = b[i].piece,
            .begin = b[i].block * BLOCK_LEN,
            .len = layout_block_size(t->geom, b[i].piece, b[i].block)};
        bool again = p->n_late > 0 && peer_req_has(p, b[i]);
        bool room = !again && pool_reserve(t->shared->pool);
        if (!room || peer_put_block(p, WIRE_REQUEST, &w) < 0) {
            if (room) {
                pool_unreserve(t->shared->pool);
            }
            picker_on_dropped(t->picker, p->id, b[i]);
            continue;
        }
        if (p->n_req == 0 && p->block_ms < t->now_ms) {
            p->block_ms = t->now_ms; /* the wait starts with the request */
        }
        peer_req_push(p, b[i], t->now_ms);
    }
    torrent_peer_output(t, p);
}

/* How many more requests the peer takes now. A window is refilled when a
 * quarter of it is free, so that requests travel in batches. */
static uint32_t torrent_request_want(const struct torrent *t,
                                     const struct peer *p)
{
    if (p->n_req >= p->depth) {
        return 0;
    }
    uint32_t want = p->depth - p->n_req;
    if (p->n_req > 0 && want < p->depth / 4) {
        return 0;
    }
    uint32_t room = pool_room(t->shared->pool);
    return want < room ? want : room;
}

/* The set of pieces a choking peer grants us, as a bitmap for the picker. */
static int torrent_fast_set(const struct torrent *t, const struct peer *p,
                            struct bits *out)
{
    int err = bits_init(out, t->geom->n_pieces);
    for (uint32_t i = 0; err == 0 && i < p->n_fast_in; i++) {
        bits_set(out, p->fast_in[i]);
    }
    return err;
}

void torrent_request_fill(struct torrent *t, struct peer *p)
{
    if (!torrent_may_request(t, p)) {
        return;
    }
    struct bits only = {0};
    if (p->peer_choking && torrent_fast_set(t, p, &only) < 0) {
        return;
    }
    torrent_blame_mask(t, p, &only);
    bool twice = picker_is_endgame(t->picker) && !peer_is_late(p);
    unsigned flags = twice ? PICKER_ENDGAME : 0;
    for (uint32_t want = torrent_request_want(t, p); want > 0;) {
        struct picker_block b[REQUEST_BATCH];
        size_t max = want < REQUEST_BATCH ? want : REQUEST_BATCH;
        size_t n = picker_pick(t->picker, p->id, &p->have,
                               only.n > 0 ? &only : NULL, flags, b, max);
        torrent_request_send(t, p, b, n);
        if (n < max) {
            break;
        }
        want -= (uint32_t)n;
    }
    bits_fini(&only);
    if (pool_room(t->shared->pool) < t->shared->pool->max / 8) {
        torrent_disk_relieve(t);
    }
}

/* A round of those that owe us something, or of the others. */
static void torrent_request_round(struct torrent *t, uint32_t from, bool late)
{
    for (uint32_t i = 0; i < t->n_slots; i++) {
        uint32_t slot = (from + i) % t->n_slots;
        struct peer *p = t->slots[slot];
        if (p == NULL || peer_is_late(p) != late) {
            continue;
        }
        uint32_t had = p->n_req;
        torrent_request_fill(t, p);
        t->fill_from = p->n_req > had ? slot + 1 : t->fill_from;
    }
}

void torrent_request_fill_all(struct torrent *t)
{
    uint32_t from = t->fill_from;
    torrent_request_round(t, from, false);
    torrent_request_round(t, from, true);
}

/* Others may be asked for it; an answer is welcome all the same. */
static void torrent_request_late(struct torrent *t, struct peer *p, uint32_t i)
{
    struct peer_request *r = peer_req_at(p, i);
    if (!r->late) {
        r->late = true;
        p->n_late++;
        picker_on_dropped(t->picker, p->id, r->b);
        pool_unreserve(t->shared->pool);
        t->refill = true;
    }
}

/* Takes back the i-th request. */
static void torrent_request_drop(struct torrent *t, struct peer *p, uint32_t i,
                                 bool late)
{
    struct picker_block b = peer_req_at(p, i)->b;
    torrent_request_late(t, p, i);
    peer_req_remove(p, i);
    if (late) {
        peer_dropped_add(p, b);
    }
}

void torrent_request_drop_all(struct torrent *t, struct peer *p, bool late)
{
    while (p->n_req > 0) {
        torrent_request_drop(t, p, 0, late);
    }
}

/* REJECT (BEP 6). */
void torrent_request_rejected(struct torrent *t, struct peer *p,
                              const struct wire_block *w)
{
    struct picker_block b = {.piece = w->piece};
    if (!layout_is_block(t->geom, w->piece, w->begin, w->len, &b.block)) {
        return;
    }
    uint32_t i = peer_req_find(p, b);
    if (i == p->n_req) {
        return;
    }
    torrent_request_drop(t, p, i, false);
    if (!p->peer_choking) { /* nor the next one over and over */
        uint64_t ms = (uint64_t)TORRENT_REFUSED_MS * ++p->n_refused;
        ms = ms < TORRENT_REFUSED_MAX_MS ? ms : TORRENT_REFUSED_MAX_MS;
        p->ask_ms = t->now_ms + ms;
    }
    /* Not granted any more: asking the same again at once would be a loop. */
    for (uint32_t f = 0; f < p->n_fast_in; f++) {
        if (p->fast_in[f] == b.piece) {
            p->fast_in[f] = p->fast_in[--p->n_fast_in];
            break;
        }
    }
}

/* Tells the peer to forget the request and takes it back. */
static void torrent_request_cancel(struct torrent *t, struct peer *p,
                                   uint32_t i)
{
    struct picker_block b = peer_req_at(p, i)->b;
    struct wire_block w = {.piece = b.piece,
                           .begin = b.block * BLOCK_LEN,
                           .len = layout_block_size(t->geom, b.piece, b.block)};
    (void)peer_put_block(p, WIRE_CANCEL, &w);
    torrent_peer_output(t, p);
    torrent_request_drop(t, p, i, true);
}

/* How long a peer may take for what it was asked before others are asked. */
static uint64_t torrent_request_patience(const struct torrent *t)
{
    return picker_is_endgame(t->picker) ? TORRENT_ENDGAME_MS
                                        : TORRENT_OVERDUE_MS;
}

/* The block that is arriving takes too long and would go on so: others may be
 * asked for it, and for all that can only come behind it. Its memory goes back
 * when it is of no use any more or needed. */
static void torrent_block_overdue(struct torrent *t, struct peer *p)
{
    uint64_t limit = torrent_request_patience(t);
    uint64_t age = t->now_ms - p->rx_ms;
    uint64_t rate = rate_get(&p->down, t->now_ms);
    uint32_t left =
        layout_block_size(t->geom, p->rx.piece, p->rx.block) - p->rx_off;
    if (p->rx_mem == NULL || age <= limit) {
        return;
    }
    if (!p->rx_late && (rate == 0 || left * 1000ull / rate > limit)) {
        p->rx_late = true;
        picker_on_dropped(t->picker, p->id, p->rx);
        t->refill = true;
        for (uint32_t i = 0; i < p->n_req; i++) {
            torrent_request_late(t, p, i);
        }
    }
    if (p->rx_late && (pool_room(t->shared->pool) == 0 ||
                       picker_is_received(t->picker, p->rx))) {
        pool_give(t->shared->pool, p->rx_mem);
        p->rx_mem = NULL;
        t->refill = true;
    }
}

/* A silent peer is snubbed: others are asked for all that it was asked. So are
 * they for single requests that are late by more than the window explains. */
void torrent_request_overdue(struct torrent *t, struct peer *p)
{
    uint64_t quiet = t->now_ms - p->block_ms;
    uint64_t limit = torrent_request_patience(t);
    uint64_t rate = rate_get(&p->down, t->now_ms);
    if (p->rx_active && t->n_active > 1) {
        torrent_block_overdue(t, p);
    }
    if (p->n_req > 0 && quiet > TORRENT_SNUB_MS) {
        p->snubbed = true;
        p->depth = 1;
    }
    for (uint32_t i = 0; i < p->n_req && quiet > limit; i++) {
        uint64_t age = t->now_ms - peer_req_at(p, i)->asked_ms;
        uint64_t due = rate > 0 ? (i + 1ull) * BLOCK_LEN * 2000 / rate : 0;
        if (p->snubbed || (age > limit + due && t->n_active > 1)) {
            torrent_request_late(t, p, i);
        }
        if (age > TORRENT_FORGET_MS) {
            torrent_request_drop(t, p, i--, true);
        }
    }
}

/* --- blocks in --- */

/* The answer to a request that was taken back is kept when nobody was quicker
 * and there is memory for it. */
static void torrent_block_late(struct torrent *t, struct peer *p)
{
    enum picker_state state = picker_state(t->picker, p->rx.piece);
    if ((state == PICKER_ACTIVE || state == PICKER_MISSING) &&
        !picker_is_received(t->picker, p->rx) &&
        torrent_blame_allows(t, p, p->rx.piece) &&
        pool_reserve(t->shared->pool)) {
        p->rx_mem = pool_take(t->shared->pool);
    }
}

/* PIECE: decides where the payload goes before it comes. */
int torrent_block_begin(struct torrent *t, struct peer *p,
                        const struct wire_block *w)
{
    struct picker_block b = {.piece = w->piece};
    if (!layout_is_block(t->geom, w->piece, w->begin, w->len, &b.block)) {
        return BTC_E_PROTO;
    }
    p->rx = b;
    p->rx_off = 0;
    p->rx_mem = NULL;
    p->rx_active = true;
    p->rx_late = false;
    p->rx_ms = t->now_ms;
    uint32_t i = peer_req_find(p, b);
    p->rx_asked = p->rx_owed = i < p->n_req;
    if (i < p->n_req && !peer_req_at(p, i)->late) {
        uint64_t took = t->now_ms - peer_req_at(p, i)->asked_ms;
        if (p->latency_ms == 0 || took < p->latency_ms) {
            p->latency_ms = took > 0 ? (uint32_t)took : 1;
        }
        peer_req_remove(p, i);
        p->rx_mem = pool_take(t->shared->pool);
        return 0;
    }
    if (i < p->n_req) {
        peer_req_remove(p, i);
    } else if (p->n_awaited == 0) {
        return ++p->strikes > PEER_MAX_STRIKES ? BTC_E_PROTO : 0;
    } else {
        p->n_awaited--;
        p->rx_owed = true;
        if (!peer_dropped_take(p, b)) {
            return 0; /* asked for so long ago that it is forgotten */
        }
    }
    p->rx_late = true;
    torrent_block_late(t, p);
    return 0;
}

/* The block is whole: to its piece, and the others that were asked are told. */
static void torrent_block_end(struct torrent *t, struct peer *p)
{
    struct picker_block b = p->rx;
    uint8_t *mem = p->rx_mem;
    uint32_t len = p->rx_off;
    uint32_t askers[PICKER_MAX_ASKERS];
    size_t n = picker_askers(t->picker, b, askers);
    p->rx_active = false;
    p->rx_mem = NULL;
    if (mem != NULL || p->rx_asked) { /* else it answers nothing */
        p->block_ms = t->now_ms;
        p->snubbed = false;
    }
    if (mem == NULL || !picker_on_block(t->picker, p->id, b)) {
        pool_give(t->shared->pool, mem);
        t->wasted += len;
        return;
    }
    p->was_useful = true;
    p->n_refused = 0;
    torrent_blame_block(t, p, b.piece);
    for (size_t i = 0; i < n; i++) {
        struct peer *other =
            askers[i] == p->id ? p : torrent_peer_by_id(t, askers[i]);
        uint32_t at = other != NULL ? peer_req_find(other, b) : 0;
        if (other != NULL && at < other->n_req) {
            torrent_request_cancel(t, other, at);
        }
    }
    torrent_disk_block(t, b, mem);
}

void torrent_block_data(struct torrent *t, struct peer *p,
                        const struct wire_payload *data)
{
    uint32_t n = (uint32_t)data->data.len;
    struct peerset_entry *e = peerset_get(t->peerset, p->id);
    if (p->rx_mem != NULL) {
        memcpy(p->rx_mem + p->rx_off, data->data.p, n);
    }
    p->rx_off += n;
    if (p->rx_mem != NULL || p->rx_asked) { /* the rest earns nothing */
        p->tick_bytes += n;
        rate_add(&p->down, n, t->now_ms);
    }
    if (e != NULL && p->rx_owed) {
        e->bytes_down += n;
    }
    rate_add(&t->down, n, t->now_ms);
    t->downloaded += n;
    t->last_payload_ms = t->now_ms;
    if (data->left == 0) {
        torrent_block_end(t, p);
        torrent_request_fill(t, p);
    }
}

/* The connection ends inside a block. */
void torrent_block_abandon(struct torrent *t, struct peer *p)
{
    if (!p->rx_active) {
        return;
    }
    p->rx_active = false;
    if (p->rx_mem != NULL) {
        picker_on_dropped(t->picker, p->id, p->rx);
        pool_give(t->shared->pool, p->rx_mem);
        p->rx_mem = NULL;
        t->wasted += p->rx_off;
    }
}
