/* Serving: whom (choker), what (the peer's requests), how much at once.
 *
 * Requests that lie behind each other in a piece go to the disk as one range,
 * so a worker and the page cache see large reads; the payload goes from file to
 * socket without passing here.
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "core/swarm/internal.h"
#include "model/names.h"
#include <stdlib.h>

#define UPLOAD_SLOTS        8          /* peers served at once */
#define UPLOAD_GRACE_MS     1000       /* from UNCHOKE to what it asks for */
#define UPLOAD_LIGHT        (16 << 10) /* bytes/s: a block a second ... */
#define UPLOAD_LIGHT_SHARES 4          /* ... or this part of a fair share */

/* A slot given up and got back goes on with the old turn. */
static void upload_begin_turn(struct swarm *w, struct peer *p)
{
    if (p->slot.turn_ms == 0 ||
        w->clock.now_ms - p->slot.turn_ms >= CHOKER_OPTIMISTIC_MS) {
        p->slot.turn_ms = w->clock.now_ms;
    }
    p->slot.unchoked_ms = p->slot.turn_ms;
    p->slot.wait_ms = 0;
}

/* Says CHOKE or UNCHOKE. What it asked for before a CHOKE is refused by name
 * where BEP 6 is spoken, and forgotten by both where not. */
static void upload_choke(struct swarm *w, struct peer *p, bool choke)
{
    if (p->am_choking == choke) {
        return;
    }
    p->am_choking = choke;
    if (choke) {
        p->slot.unchoked_ms = 0;
        p->slot.wait_ms = w->clock.now_ms;
        (void)peer_put_simple(p, WIRE_CHOKE);
    } else {
        upload_begin_turn(w, p);
        (void)peer_put_simple(p, WIRE_UNCHOKE);
    }
    for (uint32_t i = p->up.n; choke && i > 0; i--) {
        struct wire_block b = *peer_up_at(p, i - 1);
        if (p->fast.on && peer_has_fast_out(p, b.piece)) {
            continue;
        }
        if (p->fast.on) {
            (void)peer_put_block(p, WIRE_REJECT, &b);
        }
        peer_up_remove(p, i - 1);
    }
    slots_output(w, p);
}

/* BEP 6: a request that will not be served is rejected. */
static int upload_reject(struct swarm *w, struct peer *p,
                         const struct wire_block *b)
{
    if (!p->fast.on) {
        return 0;
    }
    if (peer_put_block(p, WIRE_REJECT, b) < 0) {
        return BTC_E_PROTO;
    }
    slots_output(w, p);
    return 0;
}

/* It may have the piece while it is choked: a beginner may (BEP 6), in whatever
 * connection, but nobody lives on that instead of waiting for a slot. */
static bool upload_is_fast(struct swarm *w, const struct peer *p,
                           uint32_t piece)
{
    const struct peerset_entry *e = peerset_get(w->peerset, p->id);
    return peer_has_fast_out(p, piece) && e != NULL &&
           e->bytes_up + p->up.inflight < PEER_FAST_BYTES;
}

/* REQUEST. A range outside of the torrent is a broken peer. */
int upload_request(struct swarm *w, struct peer *p, const struct wire_block *b)
{
    if (w->content == NULL) {
        return upload_reject(w, p, b);
    }
    const struct layout *g = content_layout(w->content);
    if (!layout_has_piece(g, b->piece) ||
        !layout_has_range(g, b->piece, b->begin, b->len, WIRE_MAX_BLOCK)) {
        return BTC_E_PROTO;
    }
    bool granted = !p->am_choking || upload_is_fast(w, p, b->piece);
    if (!granted || !content_has_piece(w->content, b->piece) ||
        !peer_up_push(p, b)) {
        return upload_reject(w, p, b);
    }
    return 0; /* pumped when all that came with it is read */
}

/* CANCEL: gone, unless it is on its way already. */
int upload_cancel(struct swarm *w, struct peer *p, const struct wire_block *b)
{
    for (uint32_t i = 0; i < p->up.n; i++) {
        const struct wire_block *q = peer_up_at(p, i);
        if (q->piece == b->piece && q->begin == b->begin && q->len == b->len) {
            peer_up_remove(p, i);
            return upload_reject(w, p, b);
        }
    }
    return 0;
}

/* Takes the requests at the front that continue each other with the same
 * length (a shorter one may end the run), up to `max` bytes. */
static struct wire_block upload_run(const struct swarm *w, struct peer *p,
                                    uint32_t *chunk)
{
    struct wire_block run = *peer_up_at(p, 0);
    uint32_t max = share_run(w);
    *chunk = run.len;
    peer_up_remove(p, 0);
    while (p->up.n > 0 && run.len % *chunk == 0) {
        const struct wire_block *next = peer_up_at(p, 0);
        if (next->piece != run.piece || next->begin != run.begin + run.len ||
            next->len > *chunk || run.len + next->len > max) {
            break;
        }
        struct wire_block both = run;
        both.len += next->len;
        if (share_ranges(w, &both) > SHARE_RUN_RANGES) {
            break;
        }
        run = both;
        peer_up_remove(p, 0);
    }
    return run;
}

/* Hands one run of requests to the disk and the socket. */
static int upload_start(struct swarm *w, struct peer *p)
{
    uint32_t chunk;
    struct wire_block run = upload_run(w, p, &chunk);
    if (!content_has_piece(w->content, run.piece)) {
        return upload_reject(w, p, &run); /* lost since it was asked */
    }
    share_take(w, p, run.len);
    p->up.inflight += run.len;
    p->up.jobs++;
    w->up.jobs++;
    struct action *a = actions_push(w->actions, ACTION_UPLOAD);
    a->conn = p->conn;
    a->piece = run.piece;
    a->upload.range = run;
    a->upload.chunk = chunk;
    return 0;
}

/* While there is a limit, it is the turns that decide whom a chance to send
 * serves, not who brought it about. An error is found again by the connection's
 * own messages. */
static void upload_pump_turns(struct swarm *w)
{
    while (share_has_room(w)) {
        struct peer *p = share_next(w);
        if (p == NULL) {
            return;
        }
        (void)upload_start(w, p);
    }
}

/* Goes on while the peer's share and the limits allow; the tick comes back to
 * what must wait. */
int upload_pump(struct swarm *w, struct peer *p)
{
    if (share_limit(w) > 0) {
        upload_pump_turns(w);
        return 0;
    }
    while (share_may_start(w, p)) {
        int err = upload_start(w, p);
        if (err < 0) {
            return err;
        }
    }
    return 0;
}

/* A read that failed means that a piece we claimed is not there: it is hashed
 * again before anybody is served from it. */
static void upload_check_lost(struct swarm *w, const struct event *ev)
{
    bool lost = ev->result == BTC_E_SHORT || ev->result == BTC_E_IO ||
                ev->result == BTC_E_STORAGE || ev->result == BTC_E_NOTFOUND;
    if (lost && content_has_piece(w->content, ev->piece) &&
        w->mode != SWARM_OFF) {
        actions_event(w->actions, LEVEL_ERROR, "read-failed",
                      "piece %u could not be read and is hashed again",
                      ev->piece);
        content_check_piece(w->content, ev->piece, true);
    }
}

/* EVENT_UPLOADED. */
int upload_done(struct swarm *w, struct peer *p, const struct event *ev)
{
    w->up.jobs--;
    upload_check_lost(w, ev);
    if (ev->result == 0) {
        w->total.uploaded += ev->uploaded.len;
        w->total.last_payload_ms = w->clock.now_ms;
        totals_add_up(w, ev->uploaded.len);
    }
    if (p == NULL) {
        return 0;
    }
    p->up.inflight -= ev->uploaded.len;
    p->up.jobs--;
    if (ev->result < 0) {
        return ev->result;
    }
    rate_add(&p->rate.up, ev->uploaded.len, w->clock.now_ms);
    struct peerset_entry *e = peerset_get(w->peerset, p->id);
    if (e != NULL) {
        e->bytes_up += ev->uploaded.len;
    }
    return upload_pump(w, p);
}

/* --- whom --- */

/* What a peer must draw for its slot to count: while there is a limit, a part
 * of what it would get if all slots were in use. */
static uint64_t upload_light(const struct swarm *w)
{
    uint64_t limit = share_limit(w);
    uint64_t torrents = num_max(w->shared->share.n_waiting, 1);
    uint64_t part = limit / torrents / UPLOAD_SLOTS / UPLOAD_LIGHT_SHARES;

    return limit == 0 ? UPLOAD_LIGHT : num_min_u64(part, UPLOAD_LIGHT);
}

/* It could have drawn something by now, and has not. */
static bool upload_is_light(const struct swarm *w, const struct peer *p)
{
    return !p->am_choking &&
           w->clock.now_ms - p->slot.unchoked_ms >= UPLOAD_GRACE_MS &&
           rate_get(&p->rate.up, w->clock.now_ms) < upload_light(w);
}

/* The choker's ranking, every CHOKER_INTERVAL_MS. */
void upload_rank(struct swarm *w)
{
    struct choker_peer *c = mem_calloc(w->count.active + 1, sizeof *c);
    size_t n = 0;
    struct peer *p;
    SWARM_EACH_PEER(p, w)
    {
        if (p->phase == PEER_ACTIVE) {
            c[n++] = (struct choker_peer){
                .id = p->id,
                .host = addr_host(&p->addr),
                .interested = p->peer_interested,
                .unchoked = !p->am_choking,
                .down_rate = rate_get(&p->rate.down, w->clock.now_ms),
                .up_rate = rate_get(&p->rate.up, w->clock.now_ms),
                .connected_ms = p->time.active_ms,
                .unchoked_ms = p->slot.unchoked_ms,
                .waiting_ms = p->slot.wait_ms,
                .snubbed = p->window.snubbed,
                .light = upload_is_light(w, p),
            };
        }
    }
    choker_run(&w->choker, c, n, UPLOAD_SLOTS, w->mode == SWARM_SEEDING,
               w->clock.now_ms, w->shared->rng);
    size_t i = 0;
    SWARM_EACH_PEER(p, w)
    {
        if (p->phase == PEER_ACTIVE) {
            upload_choke(w, p, !c[i++].unchoked);
        }
    }
    free(c);
}

/* Who has waited longest for a slot; NULL: nobody waits. */
static struct peer *upload_find_waiting(struct swarm *w)
{
    struct peer *p, *best = NULL;
    SWARM_EACH_PEER(p, w)
    {
        if (p->phase == PEER_ACTIVE && p->am_choking && p->slot.wait_ms > 0 &&
            (best == NULL || p->slot.wait_ms < best->slot.wait_ms)) {
            best = p;
        }
    }
    return best;
}

/* Free slots are given at once, not at the next ranking. */
void upload_give_slots(struct swarm *w)
{
    uint32_t unchoked = 0;
    struct peer *p;
    SWARM_EACH_PEER(p, w)
    {
        if (p->phase == PEER_ACTIVE && !p->am_choking &&
            !upload_is_light(w, p)) {
            unchoked++;
        }
    }
    for (; unchoked < UPLOAD_SLOTS; unchoked++) {
        p = upload_find_waiting(w);
        if (p == NULL) {
            return;
        }
        upload_choke(w, p, false);
    }
}

/* INTERESTED and NOT_INTERESTED. Whoever gives up its slot waits behind all
 * others when it wants it back. */
void upload_interested(struct swarm *w, struct peer *p)
{
    if (!p->peer_interested) {
        upload_choke(w, p, true);
        p->slot.wait_ms = 0;
    } else if (p->am_choking && p->slot.wait_ms == 0) {
        p->slot.wait_ms = w->clock.now_ms;
    }
    upload_give_slots(w);
}

/* BEP 6, "Allowed Fast Set Generation": pieces that depend on the peer's IPv4
 * network and the torrent, so that asking again gives no more. */
void upload_grant_fast(struct swarm *w, struct peer *p)
{
    const struct bits *have = content_have(w->content);
    if (!p->fast.on || p->addr.family != ADDR_V4 || have->n <= PEER_OUR_FAST) {
        return;
    }
    uint8_t x[4 + SHA1_LEN] = {p->addr.ip[0], p->addr.ip[1], p->addr.ip[2], 0};
    size_t len = sizeof x;
    bytes_put(x + 4, w->info_hash, SHA1_LEN);
    while (p->fast.n_out < PEER_OUR_FAST) {
        uint8_t digest[SHA1_LEN];
        hash_sha1(slice_of(x, len), digest);
        for (int i = 0; i < 5 && p->fast.n_out < PEER_OUR_FAST; i++) {
            uint32_t piece = bytes_get_be32(digest + (size_t)i * 4) % have->n;
            if (!peer_has_fast_out(p, piece)) {
                p->fast.out[p->fast.n_out++] = piece;
            }
        }
        bytes_put(x, digest, SHA1_LEN);
        len = SHA1_LEN;
    }
    for (uint32_t i = 0; i < p->fast.n_out; i++) {
        if (bits_get(have, p->fast.out[i])) {
            (void)peer_put_piece_idx(p, WIRE_ALLOWED_FAST, p->fast.out[i]);
        }
    }
}
