/* One connection's protocol state; see peer.h. */
#include "core/swarm/peer.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/vec.h"
#include <stdlib.h>

/* Requests for so much time are out, beside what the latency needs. */
#define PEER_QUEUE_MS 500

/* A peer before its handshake. */
struct peer *peer_new(uint32_t conn, uint32_t id, const struct addr *a,
                      bool incoming, uint64_t now_ms)
{
    struct peer *p = mem_zalloc(sizeof *p);
    p->conn = conn;
    p->id = id;
    p->addr = *a;
    p->incoming = incoming;
    p->phase = incoming ? PEER_HANDSHAKE : PEER_CONNECTING;
    p->am_choking = p->peer_choking = true;
    p->ext.reqq = PEER_DEF_REQQ;
    p->window.depth = PEER_START_DEPTH;
    p->window.batch = PEER_MIN_BATCH;
    p->time.opened_ms = p->time.recv_ms = p->time.sent_ms = now_ms;
    wire_decoder_init(&p->wire.decoder);
    buf_init(&p->wire.in, WIRE_MAX_BITFIELD + WIRE_MAX_EXTENDED);
    buf_init(&p->wire.out, PEER_OUT_MAX);
    rate_init(&p->rate.down);
    rate_init(&p->rate.up);
    return p;
}

uint64_t peer_payload_rate(const struct peer *p, uint64_t now_ms)
{
    return rate_get(&p->rate.down, now_ms) + rate_get(&p->rate.up, now_ms);
}

void peer_end_pex(struct peer *p)
{
    if (p->ext.pex != NULL) {
        pex_out_fini(&p->ext.pex->out);
        free(p->ext.pex);
        p->ext.pex = NULL;
    }
}

void peer_free(struct peer *p)
{
    if (p == NULL) {
        return;
    }
    peer_end_pex(p);
    BTC_ASSERT(p->window.n == 0);
    BTC_ASSERT(p->rx.mem == NULL);
    buf_fini(&p->wire.in);
    buf_fini(&p->wire.out);
    bits_fini(&p->have.bits);
    early_fini(&p->have.early);
    free(p->window.ring);
    free(p->up.ring);
    free(p);
}

struct peer_request *peer_req_at(struct peer *p, uint32_t i)
{
    return &p->window.ring[(p->window.head + i) & (p->window.cap - 1)];
}

void peer_req_push(struct peer *p, struct picker_block b, uint64_t now_ms)
{
    p->window.ring = vec_ring_room(p->window.ring, p->window.n, &p->window.head,
                                   &p->window.cap, 32, sizeof *p->window.ring);
    p->window.n++;
    *peer_req_at(p, p->window.n - 1) =
        (struct peer_request){.asked_ms = now_ms, .b = b};
}

/* Answers come in the order of the requests, so the first is nearly always it.
 */
uint32_t peer_req_find(struct peer *p, struct picker_block b)
{
    for (uint32_t i = 0; i < p->window.n; i++) {
        const struct peer_request *r = peer_req_at(p, i);
        if (r->b.piece == b.piece && r->b.block == b.block) {
            return i;
        }
    }
    return p->window.n;
}

/* Moves the older ones up by one: cheap, because `i` is small. */
void peer_req_remove(struct peer *p, uint32_t i)
{
    BTC_ASSERT(i < p->window.n);
    p->window.n_late -= peer_req_at(p, i)->late ? 1 : 0;
    for (; i > 0; i--) {
        *peer_req_at(p, i) = *peer_req_at(p, i - 1);
    }
    p->window.head = (p->window.head + 1) & (p->window.cap - 1);
    p->window.n--;
}

bool peer_req_has(struct peer *p, struct picker_block b)
{
    return (p->rx.active && p->rx.b.piece == b.piece &&
            p->rx.b.block == b.block) ||
           peer_req_find(p, b) < p->window.n;
}

bool peer_is_late(const struct peer *p)
{
    return p->window.n_late > 0 || (p->rx.active && p->rx.late);
}

void peer_dropped_add(struct peer *p, struct picker_block b)
{
    p->dropped.ring[p->dropped.n++ % PEER_MAX_DROPPED] = b;
    p->dropped.n_awaited++;
}

bool peer_dropped_take(struct peer *p, struct picker_block b)
{
    uint32_t n =
        p->dropped.n < PEER_MAX_DROPPED ? p->dropped.n : PEER_MAX_DROPPED;
    for (uint32_t i = 0; i < n; i++) {
        if (p->dropped.ring[i].piece == b.piece &&
            p->dropped.ring[i].block == b.block) {
            p->dropped.ring[i] = (struct picker_block){UINT32_MAX, UINT32_MAX};
            return true;
        }
    }
    return false;
}

struct wire_block *peer_up_at(const struct peer *p, uint32_t i)
{
    return &p->up.ring[(p->up.head + i) & (p->up.cap - 1)];
}

bool peer_up_push(struct peer *p, const struct wire_block *b)
{
    if (p->up.n >= PEER_OUR_REQQ) {
        return false;
    }
    p->up.ring = vec_ring_room(p->up.ring, p->up.n, &p->up.head, &p->up.cap, 32,
                               sizeof *p->up.ring);
    p->up.n++;
    *peer_up_at(p, p->up.n - 1) = *b;
    return true;
}

void peer_up_remove(struct peer *p, uint32_t i)
{
    BTC_ASSERT(i < p->up.n);
    for (; i > 0; i--) {
        *peer_up_at(p, i) = *peer_up_at(p, i - 1);
    }
    p->up.head = (p->up.head + 1) & (p->up.cap - 1);
    p->up.n--;
}

int peer_put(struct peer *p, const uint8_t *bytes, size_t len)
{
    return buf_append(&p->wire.out, bytes, len);
}

int peer_put_simple(struct peer *p, enum wire_type type)
{
    uint8_t m[WIRE_HEADER_MAX];
    return peer_put(p, m, wire_encode_simple(type, m));
}

int peer_put_piece_idx(struct peer *p, enum wire_type type, uint32_t piece)
{
    uint8_t m[WIRE_HEADER_MAX];
    return peer_put(p, m, wire_encode_piece_idx(type, piece, m));
}

int peer_put_block(struct peer *p, enum wire_type type,
                   const struct wire_block *b)
{
    uint8_t m[WIRE_HEADER_MAX];
    return peer_put(p, m, wire_encode_block(type, b, m));
}

bool peer_is_seed(const struct peer *p)
{
    return p->have.bits.n > 0 && bits_is_full(&p->have.bits);
}

bool peer_has_fast_in(const struct peer *p, uint32_t piece)
{
    for (uint32_t i = 0; i < p->fast.n_in; i++) {
        if (p->fast.in[i] == piece) {
            return true;
        }
    }
    return false;
}

bool peer_has_fast_out(const struct peer *p, uint32_t piece)
{
    for (uint32_t i = 0; i < p->fast.n_out; i++) {
        if (p->fast.out[i] == piece) {
            return true;
        }
    }
    return false;
}

/* A crowd shares the memory for blocks. When each of it has just a request or
 * two out, each block costs a message and a read. A quick peer, whose blocks
 * come one right behind the other, holds more of it for hardly longer. A slow
 * one holds little, for many slow peers bring more than few. How long the first
 * block takes says nothing: it waits for us, too, and for the way. */
void peer_update_batch(struct peer *p, bool tight)
{
    uint64_t quick_ms = (uint64_t)p->rate.n_gaps * PEER_BATCH_MS;
    uint32_t batch = p->window.batch;
    if (p->window.snubbed || tight) {
        batch = PEER_MIN_BATCH;
    } else if (p->rate.gaps_ms > 2 * quick_ms) {
        batch = batch / 2;
    } else if (p->rate.n_gaps > 0 && p->rate.gaps_ms <= quick_ms) {
        batch = num_min_u32(batch * 2, PEER_MAX_BATCH);
    }
    p->window.batch = batch > PEER_MIN_BATCH ? batch : PEER_MIN_BATCH;
    p->rate.gaps_ms = p->rate.n_gaps = 0;
}

/* The depth covers PEER_QUEUE_MS and twice the latency at the quick rate. The
 * rate rises at once and falls slowly, so a pause does not shut the window; a
 * full pipe therefore at least doubles the depth from tick to tick. */
void peer_update_depth(struct peer *p, uint64_t elapsed_ms, uint32_t block_len,
                       uint32_t share)
{
    if (elapsed_ms > 0) {
        double now = (double)p->rate.tick_bytes * 1000.0 / (double)elapsed_ms;
        p->rate.quick =
            now > p->rate.quick ? now : p->rate.quick * 0.8 + now * 0.2;
        p->rate.tick_bytes = 0;
    }
    double bytes = p->rate.quick *
                   (PEER_QUEUE_MS + 2.0 * (double)p->rate.latency_ms) / 1000.0;
    /* A crowd of slow ones must leave some of a short memory to others. */
    uint32_t min = share < PEER_START_DEPTH ? PEER_MIN_BATCH : PEER_MIN_DEPTH;
    uint32_t depth = bytes < (double)PEER_MAX_DEPTH * block_len
                         ? (uint32_t)(bytes / block_len) + min
                         : PEER_MAX_DEPTH;
    if (p->rate.quick < 1.0 && p->time.block_ms == 0) {
        depth = PEER_START_DEPTH;
    }
    /* Not all of it: Transmission 3.00 rejects one now and then when its queue
     * is filled to the brim, and takes up to 10 s to say so. */
    uint32_t most = p->ext.reqq - p->ext.reqq / 16;
    most = most < PEER_MAX_DEPTH ? most : PEER_MAX_DEPTH;
    most = share < most ? share : most;
    if (p->window.most > 0) {
        most = num_min_u32(p->window.most, most);
    }
    depth = depth < most ? depth : most;
    depth = depth > 1 ? depth : 1;
    p->window.depth = p->window.snubbed ? 1 : depth;
}
