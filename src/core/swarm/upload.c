/* Serving: whom (choker), what (the peer's requests), how much at once.
 *
 * Requests that lie behind each other in a piece go to the disk as one range,
 * so a worker and the page cache see large reads; the payload goes from file to
 * socket without passing here.
 */
#include "base/err.h"
#include "base/mem.h"
#include "core/torrent/internal.h"
#include "model/names.h"
#include <stdlib.h>

/* Says CHOKE or UNCHOKE. What it asked for before a CHOKE is refused by name
 * where BEP 6 is spoken, and forgotten by both where not. */
void torrent_upload_choke(struct torrent *t, struct peer *p, bool choke)
{
    if (p->am_choking == choke) {
        return;
    }
    p->am_choking = choke;
    p->unchoked_ms = choke ? 0 : t->now_ms;
    (void)peer_put_simple(p, choke ? WIRE_CHOKE : WIRE_UNCHOKE);
    for (uint32_t i = p->n_up; choke && i > 0; i--) {
        struct wire_block w = *peer_up_at(p, i - 1);
        if (p->has_fast && peer_has_fast_out(p, w.piece)) {
            continue;
        }
        if (p->has_fast) {
            (void)peer_put_block(p, WIRE_REJECT, &w);
        }
        peer_up_remove(p, i - 1);
    }
    torrent_peer_output(t, p);
}

/* BEP 6: a request that will not be served is rejected. */
static void torrent_upload_reject(struct torrent *t, struct peer *p,
                                  const struct wire_block *b)
{
    if (!p->has_fast) {
        return;
    }
    if (peer_put_block(p, WIRE_REJECT, b) < 0) {
        torrent_peer_close(t, p, true, BTC_E_PROTO);
        return;
    }
    torrent_peer_output(t, p);
}

/* It may have the piece while it is choked: a beginner may (BEP 6), in whatever
 * connection, but nobody lives on that instead of waiting for a slot. */
static bool torrent_upload_is_fast(struct torrent *t, const struct peer *p,
                                   uint32_t piece)
{
    const struct peerset_entry *e = peerset_get(t->peerset, p->id);
    return peer_has_fast_out(p, piece) && e != NULL &&
           e->bytes_up + p->up_inflight < PEER_FAST_BYTES;
}

/* REQUEST. A range outside of the torrent is a broken peer. */
void torrent_upload_request(struct torrent *t, struct peer *p,
                            const struct wire_block *b)
{
    if (!layout_has_piece(t->geom, b->piece) ||
        !layout_has_range(t->geom, b->piece, b->begin, b->len,
                          WIRE_MAX_BLOCK)) {
        torrent_peer_close(t, p, true, BTC_E_PROTO);
        return;
    }
    bool granted = !p->am_choking || torrent_upload_is_fast(t, p, b->piece);
    if (!granted || picker_state(t->picker, b->piece) != PICKER_HAVE ||
        !peer_up_push(p, b)) {
        torrent_upload_reject(t, p, b);
        return;
    }
    torrent_upload_pump(t, p);
}

/* CANCEL: gone, unless it is on its way already. */
void torrent_upload_cancel(struct torrent *t, struct peer *p,
                           const struct wire_block *b)
{
    for (uint32_t i = 0; i < p->n_up; i++) {
        const struct wire_block *w = peer_up_at(p, i);
        if (w->piece == b->piece && w->begin == b->begin && w->len == b->len) {
            peer_up_remove(p, i);
            torrent_upload_reject(t, p, b);
            return;
        }
    }
}

/* Takes the requests at the front that continue each other with the same
 * length (a shorter one may end the run). */
static struct wire_block torrent_upload_run(struct torrent *t, struct peer *p,
                                            uint32_t *chunk)
{
    (void)t;
    struct wire_block run = *peer_up_at(p, 0);
    *chunk = run.len;
    peer_up_remove(p, 0);
    while (p->n_up > 0 && run.len % *chunk == 0) {
        const struct wire_block *next = peer_up_at(p, 0);
        if (next->piece != run.piece || next->begin != run.begin + run.len ||
            next->len > *chunk || run.len + next->len > TORRENT_UPLOAD_RUN) {
            break;
        }
        run.len += next->len;
        peer_up_remove(p, 0);
    }
    return run;
}

/* Hands requests on while the peer's share and the limits allow. */
void torrent_upload_pump(struct torrent *t, struct peer *p)
{
    while (p->n_up > 0 && p->up_inflight < PEER_UPLOAD_BYTES &&
           p->up_jobs < PEER_UPLOAD_JOBS && t->state != TORRENT_STOPPING) {
        if (bucket_available(&t->shared->up, t->now_ms) == 0 ||
            bucket_available(&t->up_bucket, t->now_ms) == 0) {
            return; /* the tick comes back to it */
        }
        uint32_t chunk;
        struct wire_block run = torrent_upload_run(t, p, &chunk);
        if (picker_state(t->picker, run.piece) != PICKER_HAVE) {
            torrent_upload_reject(t, p, &run); /* lost since it was asked */
            continue;
        }
        bucket_take(&t->shared->up, run.len);
        bucket_take(&t->up_bucket, run.len);
        p->up_inflight += run.len;
        p->up_jobs++;
        t->n_jobs++;
        struct action *a = torrent_push(t, ACTION_UPLOAD);
        a->conn = p->conn;
        a->piece = run.piece;
        a->upload.range = run;
        a->upload.chunk = chunk;
    }
}

/* EVENT_UPLOADED. A read that failed means that a piece we claimed is not
 * there: it is hashed again before anybody is served from it. */
void torrent_upload_done(struct torrent *t, const struct event *ev)
{
    t->n_jobs--;
    struct peer *p = torrent_peer_by_conn(t, ev->conn);
    bool lost = ev->result == BTC_E_SHORT || ev->result == BTC_E_IO ||
                ev->result == BTC_E_STORAGE || ev->result == BTC_E_NOTFOUND;
    if (lost && picker_state(t->picker, ev->piece) == PICKER_HAVE &&
        t->state != TORRENT_STOPPING) {
        torrent_event(t, LEVEL_ERROR, "read-failed",
                      "piece %u could not be read and is hashed again",
                      ev->piece);
        torrent_check_piece(t, ev->piece, true);
    }
    if (ev->result == 0) {
        t->uploaded += ev->uploaded.len;
        t->last_payload_ms = t->now_ms;
        rate_add(&t->up, ev->uploaded.len, t->now_ms);
    }
    if (p == NULL) {
        return;
    }
    p->up_inflight -= ev->uploaded.len;
    p->up_jobs--;
    if (ev->result < 0) {
        torrent_peer_close(t, p, true, ev->result);
        return;
    }
    rate_add(&p->up_rate, ev->uploaded.len, t->now_ms);
    struct peerset_entry *e = peerset_get(t->peerset, p->id);
    if (e != NULL) {
        e->bytes_up += ev->uploaded.len;
    }
    torrent_upload_pump(t, p);
}

/* --- whom --- */

/* The choker's ranking, every CHOKER_INTERVAL_MS. */
void torrent_upload_rank(struct torrent *t)
{
    struct choker_peer *c = mem_calloc(t->n_active + 1, sizeof *c);
    size_t n = 0;
    struct peer *p;
    TORRENT_EACH_PEER(p, t)
    {
        if (p->phase == PEER_ACTIVE) {
            c[n++] = (struct choker_peer){
                .id = p->id,
                .interested = p->peer_interested,
                .unchoked = !p->am_choking,
                .down_rate = rate_get(&p->down, t->now_ms),
                .up_rate = rate_get(&p->up_rate, t->now_ms),
                .connected_ms = p->active_ms,
                .unchoked_ms = p->unchoked_ms,
                .snubbed = p->snubbed,
            };
        }
    }
    choker_run(&t->choker, c, n, TORRENT_UPLOAD_SLOTS,
               t->state == TORRENT_SEEDING, t->now_ms, t->shared->rng);
    size_t i = 0;
    TORRENT_EACH_PEER(p, t)
    {
        if (p->phase == PEER_ACTIVE) {
            torrent_upload_choke(t, p, !c[i++].unchoked);
        }
    }
    free(c);
}

/* INTERESTED: a free slot is given at once, not at the next ranking. */
void torrent_upload_interested(struct torrent *t, struct peer *p)
{
    if (!p->peer_interested) {
        torrent_upload_choke(t, p, true);
        return;
    }
    uint32_t unchoked = 0;
    struct peer *other;
    TORRENT_EACH_PEER(other, t)
    {
        unchoked += other->phase == PEER_ACTIVE && !other->am_choking;
    }
    if (unchoked < TORRENT_UPLOAD_SLOTS) {
        torrent_upload_choke(t, p, false);
    }
}

/* BEP 6, "Allowed Fast Set Generation": pieces that depend on the peer's IPv4
 * network and the torrent, so that asking again gives no more. */
void torrent_upload_grant_fast(struct torrent *t, struct peer *p)
{
    const struct bits *have = picker_have(t->picker);
    if (!p->has_fast || p->addr.family != ADDR_V4 || have->n <= PEER_OUR_FAST) {
        return;
    }
    uint8_t x[4 + SHA1_LEN] = {p->addr.ip[0], p->addr.ip[1], p->addr.ip[2], 0};
    size_t len = sizeof x;
    bytes_put(x + 4, t->info_hash, SHA1_LEN);
    while (p->n_fast_out < PEER_OUR_FAST) {
        uint8_t digest[SHA1_LEN];
        hash_sha1(slice_of(x, len), digest);
        for (int i = 0; i < 5 && p->n_fast_out < PEER_OUR_FAST; i++) {
            uint32_t piece = bytes_get_be32(digest + (size_t)i * 4) % have->n;
            if (!peer_has_fast_out(p, piece)) {
                p->fast_out[p->n_fast_out++] = piece;
            }
        }
        bytes_put(x, digest, SHA1_LEN);
        len = SHA1_LEN;
    }
    for (uint32_t i = 0; i < p->n_fast_out; i++) {
        if (bits_get(have, p->fast_out[i])) {
            (void)peer_put_piece_idx(p, WIRE_ALLOWED_FAST, p->fast_out[i]);
        }
    }
}
