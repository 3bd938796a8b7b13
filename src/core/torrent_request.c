/* What we ask of whom, and the blocks that come.
 *
 * Depth follows rate and latency (peer.c); memory is reserved per request
 * (pool.h); a request that is overdue is taken back, so that somebody else can
 * be asked, and still accepted if it comes first after all. That, and the
 * endgame's duplicates, is why no slow or silent peer holds a piece hostage.
 */
#include "base/err.h"
#include "core/torrent_int.h"
#include <string.h>

#define REQUEST_BATCH 64 /* picked at once */

/* Whether the peer may be asked for anything now. */
static bool torrent_may_request(const struct torrent *t, const struct peer *p)
{
    return p->phase == PEER_ACTIVE && p->am_interested && !t->hold &&
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
            .begin = b[i].block * GEOM_BLOCK_LEN,
            .len = geom_block_size(t->geom, b[i].piece, b[i].block)};
        bool room = pool_reserve(t->shared->pool);
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

/* See torrent_int.h. */
void torrent_request_fill(struct torrent *t, struct peer *p)
{
    if (!torrent_may_request(t, p)) {
        return;
    }
    struct bits only = {0};
    if (p->peer_choking && torrent_fast_set(t, p, &only) < 0) {
        return;
    }
    unsigned flags = picker_is_endgame(t->picker) ? PICKER_ENDGAME : 0;
    for (uint32_t want = torrent_request_want(t, p); want > 0;) {
        struct picker_block b[REQUEST_BATCH];
        size_t max = want < REQUEST_BATCH ? want : REQUEST_BATCH;
        size_t n = picker_pick(t->picker, p->id, &p->have,
                               p->peer_choking ? &only : NULL, flags, b, max);
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

/* See torrent_int.h. */
void torrent_request_fill_all(struct torrent *t)
{
    struct peer *p;
    TORRENT_EACH_PEER(p, t)
    {
        torrent_request_fill(t, p);
    }
}

/* Takes back the i-th request. */
static void torrent_request_drop(struct torrent *t, struct peer *p, uint32_t i,
                                 bool late)
{
    struct picker_block b = peer_req_at(p, i)->b;
    picker_on_dropped(t->picker, p->id, b);
    pool_unreserve(t->shared->pool);
    peer_req_remove(p, i);
    if (late) {
        peer_dropped_add(p, b);
    }
    t->refill = true;
}

/* See torrent_int.h. */
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
    if (!geom_is_block(t->geom, w->piece, w->begin, w->len, &b.block)) {
        return;
    }
    uint32_t i = peer_req_find(p, b);
    if (i == p->n_req) {
        return;
    }
    torrent_request_drop(t, p, i, false);
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
                           .begin = b.block * GEOM_BLOCK_LEN,
                           .len = geom_block_size(t->geom, b.piece, b.block)};
    (void)peer_put_block(p, WIRE_CANCEL, &w);
    torrent_peer_output(t, p);
    torrent_request_drop(t, p, i, true);
}

/* A silent peer is snubbed: it keeps one request, the rest goes to others. A
 * single request that is late by more than the window explains goes back, too.
 */
void torrent_request_overdue(struct torrent *t, struct peer *p)
{
    if (p->n_req == 0) {
        return;
    }
    uint64_t quiet = t->now_ms - p->block_ms;
    if (quiet > TORRENT_SNUB_MS && !p->rx_active) {
        p->snubbed = true;
        p->depth = 1;
        while (p->n_req > 1) {
            torrent_request_drop(t, p, p->n_req - 1, true);
        }
    }
    uint64_t limit =
        picker_is_endgame(t->picker) ? TORRENT_ENDGAME_MS : TORRENT_OVERDUE_MS;
    uint64_t rate = rate_get(&p->down, t->now_ms);
    uint64_t due =
        rate > 0 ? (uint64_t)p->n_req * GEOM_BLOCK_LEN * 2000 / rate : 0;
    uint64_t age = t->now_ms - peer_req_at(p, 0)->asked_ms;
    if (age > limit + due && quiet > limit && p->n_req > 0 && t->n_active > 1) {
        torrent_request_drop(t, p, 0, true);
    }
}

/* --- blocks in --- */

/* PIECE: decides where the payload goes before it comes. */
int torrent_block_begin(struct torrent *t, struct peer *p,
                        const struct wire_block *w)
{
    struct picker_block b = {.piece = w->piece};
    if (!geom_is_block(t->geom, w->piece, w->begin, w->len, &b.block)) {
        return BTC_E_PROTO;
    }
    p->rx = b;
    p->rx_off = 0;
    p->rx_mem = NULL;
    p->rx_active = true;
    uint32_t i = peer_req_find(p, b);
    if (i < p->n_req) {
        uint64_t took = t->now_ms - peer_req_at(p, i)->asked_ms;
        if (p->latency_ms == 0 || took < p->latency_ms) {
            p->latency_ms = took > 0 ? (uint32_t)took : 1;
        }
        peer_req_remove(p, i);
        p->rx_mem = pool_take(t->shared->pool);
    } else if (peer_dropped_take(p, b)) {
        if (!picker_is_received(t->picker, b) &&
            picker_state(t->picker, b.piece) == PICKER_ACTIVE &&
            pool_reserve(t->shared->pool)) {
            p->rx_mem = pool_take(t->shared->pool);
        }
    } else if (++p->strikes > PEER_MAX_STRIKES) {
        return BTC_E_PROTO; /* nobody asked for all this */
    }
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
    p->block_ms = t->now_ms;
    p->snubbed = false;
    if (mem == NULL || !picker_on_block(t->picker, p->id, b)) {
        pool_give(t->shared->pool, mem);
        t->wasted += len;
        return;
    }
    p->was_useful = true;
    for (size_t i = 0; i < n; i++) {
        struct peer *other =
            askers[i] != p->id ? torrent_peer_by_id(t, askers[i]) : NULL;
        uint32_t at = other != NULL ? peer_req_find(other, b) : 0;
        if (other != NULL && at < other->n_req) {
            torrent_request_cancel(t, other, at);
        }
    }
    torrent_disk_block(t, p, b, mem);
}

/* See torrent_int.h. */
void torrent_block_data(struct torrent *t, struct peer *p,
                        const struct wire_payload *data)
{
    uint32_t n = (uint32_t)data->data.len;
    if (p->rx_mem != NULL) {
        memcpy(p->rx_mem + p->rx_off, data->data.p, n);
    }
    p->rx_off += n;
    p->tick_bytes += n;
    rate_add(&p->down, n, t->now_ms);
    rate_add(&t->down, n, t->now_ms);
    t->downloaded += n;
    t->last_payload_ms = t->now_ms;
    struct peerset_entry *e = peerset_get(t->peerset, p->id);
    if (e != NULL) {
        e->bytes_down += n;
    }
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
