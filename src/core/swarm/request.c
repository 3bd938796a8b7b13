/* What we ask of whom, and the blocks that come.
 *
 * Depth follows rate and latency (peer.c); memory is reserved per request
 * (pool.h); a request that is overdue is taken back, so that somebody else can
 * be asked, and still accepted if it comes first after all. That, and the
 * endgame's duplicates, is why no slow or silent peer holds a piece hostage.
 *
 * Some drop without a word what they are asked beyond what they can keep. Who
 * has answered something and is silent then with more outstanding is asked for
 * less, down to one at a time, and for more again as long as that goes well.
 *
 * Nor does a crowd of them: what becomes free goes to those that owe nothing,
 * in turn, and to those that are late only when nobody else takes it. So each
 * of a crowd keeps others from a block once, for as long as our patience lasts,
 * and a newcomer cannot push in front of who has waited longer.
 */
#include "base/err.h"
#include "base/num.h"
#include "core/swarm/internal.h"
#include "model/block.h"
#include <string.h>

#define REQUEST_BATCH          64    /* picked at once */
#define REQUEST_SNUB_MS        15000 /* no block for so long: snubbed */
#define REQUEST_OVERDUE_MS     5000  /* a request: others may be asked, too */
#define REQUEST_ENDGAME_MS     500   /* in the endgame: this late already */
#define REQUEST_FORGET_MS      30000 /* a late request leaves the window */
#define REQUEST_DROPPED_MS     2000  /* silent so long: dropped, as before */
#define REQUEST_TRIAL          8 /* answers before more are asked again ... */
#define REQUEST_TRIAL_MAX      65536
#define REQUEST_TRIAL_GROWS    4   /* ... so many times as many the next time */
#define REQUEST_REFUSED_MS     250 /* after a REJECT: nothing is asked for */
#define REQUEST_REFUSED_MAX_MS 10000 /* it grows with each, up to this */
#define REQUEST_BATCH_POOL     256   /* a batch is this part of the memory */

/* Whether the peer may be asked for anything now: not while a late block is
 * under way, for whatever it is asked comes behind that. */
static bool request_is_allowed(const struct swarm *w, const struct peer *p)
{
    return w->content != NULL && p->phase == PEER_ACTIVE && p->am_interested &&
           w->clock.now_ms >= p->window.from_ms &&
           !(p->rx.active && p->rx.late) &&
           (w->mode == SWARM_DOWNLOADING || w->mode == SWARM_CHECKING) &&
           (!p->peer_choking || p->fast.n_in > 0);
}

/* Sends the requests that were picked. */
static void request_send(struct swarm *w, struct peer *p,
                         const struct picker_block *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct wire_block wire = {
            .piece = b[i].piece,
            .begin = b[i].block * BLOCK_LEN,
            .len = layout_block_size(content_layout(w->content), b[i].piece,
                                     b[i].block)};
        bool again = p->window.n_late > 0 && peer_req_has(p, b[i]);
        bool room = !again && pool_reserve(w->shared->pool);
        if (!room || peer_put_block(p, WIRE_REQUEST, &wire) < 0) {
            if (room) {
                pool_unreserve(w->shared->pool);
            }
            content_unpick(w->content, p->id, b[i]);
            continue;
        }
        if (p->window.n == 0) { /* the wait starts with the request */
            p->window.n_answered = 0;
            p->time.block_ms = num_max_u64(p->time.block_ms, w->clock.now_ms);
        }
        peer_req_push(p, b[i], w->clock.now_ms);
    }
    slots_output(w, p);
}

/* How many more requests the peer takes now. A window is refilled when a
 * quarter of it is free, so that requests travel in batches. */
static uint32_t request_want(const struct swarm *w, const struct peer *p)
{
    if (p->window.n >= p->window.depth) {
        return 0;
    }
    uint32_t want = p->window.depth - p->window.n;
    if (p->window.n > 0 && want < p->window.depth / 4) {
        return 0;
    }
    uint32_t room = pool_room(w->shared->pool);
    return num_min_u32(want, room);
}

/* The set of pieces a choking peer grants us, as a bitmap for the picker. */
static int request_fast_set(const struct swarm *w, const struct peer *p,
                            struct bits *out)
{
    int err = bits_init(out, content_layout(w->content)->n_pieces);
    for (uint32_t i = 0; err == 0 && i < p->fast.n_in; i++) {
        bits_set(out, p->fast.in[i]);
    }
    return err;
}

/* Picks and asks until the peer's window is full or nothing is left. */
static void request_fill_window(struct swarm *w, struct peer *p,
                                const struct content_asker *who)
{
    for (uint32_t want = request_want(w, p); want > 0;) {
        struct picker_block b[REQUEST_BATCH];
        size_t max = REQUEST_BATCH;
        if (want < REQUEST_BATCH) {
            max = want;
        }
        size_t n = content_pick(w->content, who, b, max);
        request_send(w, p, b, n);
        if (n < max) {
            break;
        }
        want -= (uint32_t)n;
    }
}

/* When memory is short, blocks of incomplete pieces go ahead. */
static void request_relieve(struct swarm *w)
{
    if (pool_room(w->shared->pool) < w->shared->pool->max / 8) {
        content_relieve(w->content);
    }
}

void request_fill(struct swarm *w, struct peer *p)
{
    if (!request_is_allowed(w, p)) {
        return;
    }
    struct bits only = {0};
    struct content_asker who = {.peer = p->id, .have = &p->have.bits};
    if (p->peer_choking) {
        if (request_fast_set(w, p, &only) < 0) {
            return;
        }
        who.only = &only;
    }
    if (content_is_endgame(w->content) && !peer_is_late(p)) {
        who.flags = PICKER_ENDGAME;
    }
    request_fill_window(w, p, &who);
    bits_fini(&only);
    request_relieve(w);
}

/* There is memory for a block, and a block that somebody could be asked for:
 * who is late gets no duplicates. */
static bool request_has_more(const struct swarm *w, bool late)
{
    return pool_room(w->shared->pool) > 0 &&
           content_has_more(w->content, !late);
}

/* A round of those that owe us something, or of the others. What is free is
 * memory for a few of them as a rule, and in the end blocks for a few: those
 * behind them are not looked at. */
static void request_round(struct swarm *w, uint32_t from, bool late)
{
    bool more = request_has_more(w, late);
    for (uint32_t i = 0; i < w->slots.n && more; i++) {
        uint32_t slot = (from + i) % w->slots.n;
        struct peer *p = w->slots.peer[slot];
        if (p == NULL || request_want(w, p) == 0 || peer_is_late(p) != late) {
            continue;
        }
        uint32_t had = p->window.n;
        request_fill(w, p);
        if (p->window.n > had) {
            w->fill_from = slot + 1;
            more = request_has_more(w, late);
        }
    }
}

void request_fill_all(struct swarm *w)
{
    uint32_t from = w->fill_from;
    if (w->content == NULL) {
        return;
    }
    request_round(w, from, false);
    request_round(w, from, true);
    request_relieve(w);
}

/* Others may be asked for it; an answer is welcome all the same. */
static void request_late(struct swarm *w, struct peer *p, uint32_t i)
{
    struct peer_request *r = peer_req_at(p, i);
    if (!r->late) {
        r->late = true;
        p->window.n_late++;
        pool_unreserve(w->shared->pool);
        content_drop(w->content, p->id, r->b);
    }
}

/* Takes back the i-th request. */
static void request_drop(struct swarm *w, struct peer *p, uint32_t i, bool late)
{
    struct picker_block b = peer_req_at(p, i)->b;
    request_late(w, p, i);
    peer_req_remove(p, i);
    if (late) {
        peer_dropped_add(p, b);
    }
}

void request_drop_all(struct swarm *w, struct peer *p, bool late)
{
    while (p->window.n > 0) {
        request_drop(w, p, 0, late);
    }
}

/* REJECT (BEP 6). */
void request_rejected(struct swarm *w, struct peer *p,
                      const struct wire_block *wire)
{
    struct picker_block b = {.piece = wire->piece};
    if (!layout_is_block(content_layout(w->content), wire->piece, wire->begin,
                         wire->len, &b.block)) {
        return;
    }
    uint32_t i = peer_req_find(p, b);
    if (i == p->window.n) {
        return;
    }
    request_drop(w, p, i, false);
    if (!p->peer_choking) { /* nor the next one over and over */
        uint64_t ms = (uint64_t)REQUEST_REFUSED_MS * ++p->window.n_refused;
        ms = num_min_u64(ms, REQUEST_REFUSED_MAX_MS);
        p->window.from_ms = w->clock.now_ms + ms;
    }
    /* Not granted any more: asking the same again at once would be a loop. */
    for (uint32_t f = 0; f < p->fast.n_in; f++) {
        if (p->fast.in[f] == b.piece) {
            p->fast.in[f] = p->fast.in[--p->fast.n_in];
            break;
        }
    }
}

/* Tells the peer to forget the request and takes it back. */
static void request_cancel(struct swarm *w, struct peer *p, uint32_t i)
{
    struct picker_block b = peer_req_at(p, i)->b;
    struct wire_block wire = {
        .piece = b.piece,
        .begin = b.block * BLOCK_LEN,
        .len = layout_block_size(content_layout(w->content), b.piece, b.block)};
    (void)peer_put_block(p, WIRE_CANCEL, &wire);
    slots_output(w, p);
    request_drop(w, p, i, true);
}

/* The same, when the peer is still there and the request is out. */
static void request_cancel_at(struct swarm *w, uint32_t id,
                              struct picker_block b)
{
    struct peer *p = slots_by_id(w, id);
    uint32_t i = 0;
    if (p != NULL) {
        i = peer_req_find(p, b);
    }
    if (p != NULL && i < p->window.n) {
        request_cancel(w, p, i);
    }
}

void request_disown(struct swarm *w, struct peer *p)
{
    for (uint32_t i = 0; i < p->window.n; i++) {
        if (!content_may_send(w->content, p->id, peer_req_at(p, i)->b.piece)) {
            request_cancel(w, p, i--);
        }
    }
}

/* How long a peer may take for what it was asked before others are asked. */
static uint64_t request_patience(const struct swarm *w)
{
    if (content_is_endgame(w->content)) {
        return REQUEST_ENDGAME_MS;
    }
    return REQUEST_OVERDUE_MS;
}

/* The block that is arriving takes too long and would go on so: others may be
 * asked for it, and for all that can only come behind it. Its memory goes back
 * when it is of no use any more or needed. */
static void request_block_overdue(struct swarm *w, struct peer *p)
{
    uint64_t limit = request_patience(w);
    uint64_t age = w->clock.now_ms - p->rx.ms;
    uint64_t rate = rate_get(&p->rate.down, w->clock.now_ms);
    uint32_t left = layout_block_size(content_layout(w->content), p->rx.b.piece,
                                      p->rx.b.block) -
                    p->rx.off;
    if (p->rx.mem == NULL || age <= limit) {
        return;
    }
    if (!p->rx.late && (rate == 0 || left * 1000ull / rate > limit)) {
        p->rx.late = true;
        content_drop(w->content, p->id, p->rx.b);
        for (uint32_t i = 0; i < p->window.n; i++) {
            request_late(w, p, i);
        }
    }
    if (p->rx.late && (pool_room(w->shared->pool) == 0 ||
                       content_has_block(w->content, p->rx.b))) {
        pool_give(w->shared->pool, p->rx.mem);
        p->rx.mem = NULL;
        content_wake(w->content);
    }
}

/* A request that waits in vain: the peer is silent, or answers what it was
 * asked later. Else it would be enough to answer one request now and then to
 * hold all others for ever. */
static bool request_is_stuck(const struct swarm *w, const struct peer *p,
                             const struct peer_request *r, uint64_t limit)
{
    return r->passed || w->clock.now_ms - p->time.block_ms > limit;
}

/* It answered some of what it was asked and says nothing more: it has dropped
 * the rest. Once that is known of it, it shows sooner. */
static bool request_is_dropped(const struct swarm *w, const struct peer *p)
{
    uint64_t quiet = w->clock.now_ms - p->time.block_ms;
    uint64_t limit = REQUEST_SNUB_MS;
    if (p->window.most > 0) {
        limit =
            num_min_u64(limit, REQUEST_DROPPED_MS + 8ull * p->rate.latency_ms);
    }
    return p->window.n > 0 && p->window.n <= PEER_MAX_DROPPED &&
           p->window.n_answered > 0 && !p->rx.active && quiet > limit;
}

/* Nothing will come of it: what is asked next is less, no more than `most` (0:
 * nothing is known). n_answered came since nothing was out; when n_trial, which
 * came since `most` was set, are `trial`, twice as many are tried. */
static void request_ask_less(struct swarm *w, struct peer *p)
{
    request_drop_all(w, p, true);
    if (p->window.most == 0) {
        p->window.trial = REQUEST_TRIAL;
    } else if (p->window.trial < REQUEST_TRIAL_MAX) {
        p->window.trial *= REQUEST_TRIAL_GROWS;
    }
    p->window.most = (uint32_t)num_max_u64(p->window.most / 2, 1);
    p->window.n_trial = 0;
    p->window.depth = p->window.most;
    request_fill(w, p);
}

/* It goes well with so many: twice as many are tried. */
static void request_ask_more(struct peer *p)
{
    p->window.n_answered++;
    if (p->window.most > 0 && ++p->window.n_trial >= p->window.trial) {
        p->window.n_trial = 0;
        p->window.most *= 2;
        if (p->window.most >= PEER_MAX_DEPTH) {
            p->window.most = 0;
        }
    }
}

/* A silent peer is snubbed: others are asked for all that it was asked. So are
 * they for single requests that are late by more than the window explains. */
static void request_overdue(struct swarm *w, struct peer *p)
{
    uint64_t quiet = w->clock.now_ms - p->time.block_ms;
    uint64_t limit = request_patience(w);
    uint64_t rate = rate_get(&p->rate.down, w->clock.now_ms);
    if (p->rx.active && w->count.active > 1) {
        request_block_overdue(w, p);
    }
    if (request_is_dropped(w, p)) {
        request_ask_less(w, p);
        return;
    }
    if (p->window.n > 0 && quiet > REQUEST_SNUB_MS) {
        p->window.snubbed = true;
        p->window.depth = 1;
    }
    for (uint32_t i = 0; i < p->window.n; i++) {
        uint64_t age = w->clock.now_ms - peer_req_at(p, i)->asked_ms;
        uint64_t due = 0;
        if (!request_is_stuck(w, p, peer_req_at(p, i), limit)) {
            continue;
        }
        if (rate > 0) {
            due = (i + 1ull) * BLOCK_LEN * 2000 / rate;
        }
        if (p->window.snubbed || (age > limit + due && w->count.active > 1)) {
            request_late(w, p, i);
        }
        if (age > REQUEST_FORGET_MS) {
            request_drop(w, p, i--, true);
        }
    }
}

/* How many requests it may have out: its part of the memory, or a batch, if
 * that is more. */
static uint32_t request_share(const struct swarm *w, const struct peer *p)
{
    uint32_t share = w->shared->pool->max;
    uint32_t batch = num_min_u32(p->window.batch, share / REQUEST_BATCH_POOL);
    if (w->count.askable > 1) {
        share /= w->count.askable;
    }
    share = share > batch ? share : batch;
    return share > PEER_MIN_BATCH ? share : PEER_MIN_BATCH;
}

/* Its window, and what it is late with. */
void request_tick(struct swarm *w, struct peer *p, uint64_t elapsed_ms)
{
    const struct layout *g = content_layout(w->content);
    uint32_t block_len = num_min_u32(g->piece_length, BLOCK_LEN);
    peer_update_batch(p, content_is_tight(w->content));
    peer_update_depth(p, elapsed_ms, block_len, request_share(w, p));
    request_overdue(w, p);
}

/* --- blocks in --- */

/* The answer to a request that was taken back is kept when nobody was quicker
 * and there is memory for it. */
static void request_block_late(struct swarm *w, struct peer *p)
{
    if (content_wants_block(w->content, p->id, p->rx.b) &&
        pool_reserve(w->shared->pool)) {
        p->rx.mem = pool_take(w->shared->pool);
    }
}

/* PIECE: decides where the payload goes before it comes. */
int request_block_begin(struct swarm *w, struct peer *p,
                        const struct wire_block *wire)
{
    struct picker_block b = {.piece = wire->piece};
    if (!layout_is_block(content_layout(w->content), wire->piece, wire->begin,
                         wire->len, &b.block)) {
        return BTC_E_PROTO;
    }
    p->rx.b = b;
    p->rx.off = 0;
    p->rx.mem = NULL;
    p->rx.active = true;
    p->rx.late = false;
    p->rx.ms = p->rx.asked_ms = w->clock.now_ms;
    uint32_t i = peer_req_find(p, b);
    for (uint32_t k = 0; i < p->window.n && k < i; k++) {
        peer_req_at(p, k)->passed = true;
    }
    p->rx.asked = p->rx.owed = i < p->window.n;
    if (i < p->window.n && !peer_req_at(p, i)->late) {
        uint64_t took = w->clock.now_ms - peer_req_at(p, i)->asked_ms;
        if (p->rate.latency_ms == 0 || took < p->rate.latency_ms) {
            p->rate.latency_ms = (uint32_t)num_max_u64(took, 1);
        }
        p->rx.asked_ms = peer_req_at(p, i)->asked_ms;
        peer_req_remove(p, i);
        p->rx.mem = pool_take(w->shared->pool);
        return 0;
    }
    if (i < p->window.n) {
        peer_req_remove(p, i);
    } else if (p->dropped.n_awaited == 0) {
        if (++p->record.strikes > PEER_MAX_STRIKES) {
            return BTC_E_PROTO;
        }
        return 0;
    } else {
        p->dropped.n_awaited--;
        p->rx.owed = true;
        if (!peer_dropped_take(p, b)) {
            return 0; /* asked for so long ago that it is forgotten */
        }
    }
    p->rx.late = true;
    request_block_late(w, p);
    return 0;
}

/* What came of a block that we wanted is to its credit. */
static void request_credit(struct swarm *w, const struct peer *p)
{
    struct peerset_entry *e = NULL;
    if (p->rx.owed) {
        e = peerset_get(w->peerset, p->id);
    }
    if (e != NULL) {
        e->bytes_down += p->rx.off;
    }
}

/* The block is whole: to its piece, and the others that were asked are told. */
static void request_block_end(struct swarm *w, struct peer *p)
{
    struct picker_block b = p->rx.b;
    uint8_t *mem = p->rx.mem;
    uint32_t len = p->rx.off;
    uint32_t askers[PICKER_MAX_ASKERS];
    size_t n = content_askers(w->content, b, askers);
    request_credit(w, p);
    p->rx.active = false;
    p->rx.mem = NULL;
    if (mem != NULL || p->rx.asked) { /* else it answers nothing */
        p->time.block_ms = w->clock.now_ms;
        p->window.snubbed = false;
        request_ask_more(p);
    }
    if (mem == NULL ||
        !content_add_block(w->content, p->id, b, mem, w->clock.now_ms)) {
        pool_give(w->shared->pool, mem);
        w->total.wasted += len;
        return;
    }
    p->window.n_refused = 0;
    if (p->rx.asked_ms < p->rate.last_ms) { /* it was under way by then */
        p->rate.gaps_ms += w->clock.now_ms - p->rate.last_ms;
        p->rate.n_gaps++;
    }
    p->rate.last_ms = w->clock.now_ms;
    for (size_t i = 0; i < n; i++) {
        if (askers[i] != p->id) { /* its own request left with the answer */
            request_cancel_at(w, askers[i], b);
        }
    }
}

void request_block_data(struct swarm *w, struct peer *p,
                        const struct wire_payload *data)
{
    uint32_t n = (uint32_t)data->data.len;
    if (!p->rx.active) {
        return; /* of a block that began before the pieces were known */
    }
    if (p->rx.mem != NULL) {
        memcpy(p->rx.mem + p->rx.off, data->data.p, n);
    }
    p->rx.off += n;
    if (p->rx.mem != NULL || p->rx.asked) { /* the rest earns nothing */
        p->rate.tick_bytes += n;
        rate_add(&p->rate.down, n, w->clock.now_ms);
    }
    totals_add_down(w, n);
    w->total.downloaded += n;
    w->total.last_payload_ms = w->clock.now_ms;
    if (data->left == 0) {
        request_block_end(w, p);
        request_fill(w, p);
    }
}

/* The connection ends inside a block. */
void request_block_abandon(struct swarm *w, struct peer *p)
{
    if (!p->rx.active) {
        return;
    }
    request_credit(w, p);
    p->rx.active = false;
    if (p->rx.mem != NULL) {
        content_unpick(w->content, p->id, p->rx.b);
        pool_give(w->shared->pool, p->rx.mem);
        p->rx.mem = NULL;
        w->total.wasted += p->rx.off;
    }
}
