/* Connections of a torrent: dialling, the handshake, every message in,
 * time-outs.
 *
 * What a message asks for is checked here (geom, once) and done elsewhere:
 * requests and blocks in request.c, serving in upload.c. A peer
 * that breaks the protocol is closed; that is never an error of ours.
 */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/torrent/internal.h"
#include "model/block.h"
#include "model/names.h"
#include <stdlib.h>
#include <string.h>

#define CONN_SLOT_MASK 0xffffu

/* --- slots --- */

/* NULL for a stale or unknown id. */
struct peer *torrent_peer_by_conn(struct torrent *t, uint32_t conn)
{
    uint32_t slot = conn & CONN_SLOT_MASK;
    if (conn == 0 || slot >= t->n_slots || t->slots[slot] == NULL ||
        t->slots[slot]->conn != conn || t->slots[slot]->phase == PEER_CLOSED) {
        return NULL;
    }
    return t->slots[slot];
}

struct peer *torrent_peer_by_id(struct torrent *t, uint32_t id)
{
    struct peer *p;
    TORRENT_EACH_PEER(p, t)
    {
        if (p->id == id) {
            return p;
        }
    }
    return NULL;
}

/* A free slot; the table grows up to TORRENT_MAX_PEERS. */
static uint32_t torrent_slot_free(struct torrent *t)
{
    for (uint32_t i = 0; i < t->n_slots; i++) {
        if (t->slots[i] == NULL) {
            return i;
        }
    }
    uint32_t n = t->n_slots > 0 ? t->n_slots * 2 : 16;
    t->slots = mem_resize(t->slots, n, sizeof(struct peer *));
    t->slot_gen = mem_resize(t->slot_gen, n, sizeof *t->slot_gen);
    for (uint32_t i = t->n_slots; i < n; i++) {
        t->slots[i] = NULL;
        t->slot_gen[i] = 0;
    }
    uint32_t slot = t->n_slots;
    t->n_slots = n;
    return slot;
}

/* See torrent_int.h. Generations start at 1, so an id is never 0. */
struct peer *torrent_peer_open(struct torrent *t, uint32_t id,
                               const struct addr *a, bool incoming)
{
    uint32_t slot = torrent_slot_free(t);
    t->slot_gen[slot]++;
    if (t->slot_gen[slot] == 0) {
        t->slot_gen[slot] = 1;
    }
    uint32_t conn = (uint32_t)t->slot_gen[slot] << 16 | slot;
    struct peer *p = peer_new(conn, id, a, incoming, t->now_ms);
    t->slots[slot] = p;
    t->n_peers++;
    t->n_connecting += incoming ? 0 : 1;
    return p;
}

/* Dials while there is room. */
void torrent_dial(struct torrent *t)
{
    bool seeding = t->state == TORRENT_SEEDING;
    if (t->check_only || (t->state != TORRENT_DOWNLOADING && !seeding &&
                          t->state != TORRENT_CHECKING)) {
        return;
    }
    while (t->n_peers < t->max_peers && t->n_connecting < TORRENT_CONNECTING) {
        uint32_t id = peerset_next(t->peerset, seeding, t->now_ms);
        if (id == PEERSET_NONE) {
            return;
        }
        const struct peerset_entry *e = peerset_get(t->peerset, id);
        struct peer *p = torrent_peer_open(t, id, &e->addr, false);
        struct action *a = torrent_push(t, ACTION_CONNECT);
        a->conn = p->conn;
        a->addr = e->addr;
    }
}

/* Puts it on the list of peers with output, once. */
void torrent_peer_output(struct torrent *t, struct peer *p)
{
    if (p->out_listed || p->phase == PEER_CLOSED) {
        return;
    }
    if (t->n_dirty == t->dirty_cap) {
        t->dirty_cap = t->dirty_cap > 0 ? t->dirty_cap * 2 : 16;
        t->dirty = mem_resize(t->dirty, t->dirty_cap, sizeof(struct peer *));
    }
    t->dirty[t->n_dirty++] = p;
    p->out_listed = true;
}

/* --- the end of a connection --- */

void torrent_peer_close(struct torrent *t, struct peer *p, bool tell,
                        int result)
{
    if (p->phase == PEER_CLOSED) {
        return;
    }
    torrent_request_drop_all(t, p, false);
    torrent_block_abandon(t, p);
    if (p->counted) {
        picker_remove_peer(t->picker, &p->have);
        p->counted = false;
    }
    if (p->phase == PEER_ACTIVE) {
        t->n_active--;
        t->n_seeds -= peer_is_seed(p) ? 1 : 0;
        peerset_on_closed(t->peerset, p->id, p->was_useful, t->now_ms);
        struct peerset_entry *e = peerset_get(t->peerset, p->id);
        if (e != NULL) {
            e->last_seen = t->unix_now;
        }
    } else {
        t->n_connecting -= p->incoming ? 0 : 1;
        peerset_on_failed(t->peerset, p->id, t->now_ms);
    }
    char text[ADDR_TEXT_MAX];
    addr_format(&p->addr, text);
    log_write(LOG_DEBUG, "peer", "%s: %s", text, err_text(result));
    /* Its record, for the next run. A seed that dials in vain writes nothing.
     */
    if (p->phase == PEER_ACTIVE || t->state == TORRENT_DOWNLOADING) {
        torrent_fact(t, FACT_PEER, 0, p->id);
    }
    p->phase = PEER_CLOSED;
    t->n_peers--;
    t->refill = true;
    if (tell) {
        torrent_push(t, ACTION_CLOSE)->conn = p->conn;
    }
}

/* Frees what was closed during this input. */
void torrent_peer_sweep(struct torrent *t)
{
    for (uint32_t i = 0; i < t->n_slots; i++) {
        struct peer *p = t->slots[i];
        if (p == NULL || p->phase != PEER_CLOSED) {
            continue;
        }
        for (uint32_t d = 0; p->out_listed && d < t->n_dirty; d++) {
            if (t->dirty[d] == p) {
                t->dirty[d] = t->dirty[--t->n_dirty];
                break;
            }
        }
        if (t->sending == p) {
            t->sending = NULL;
        }
        t->slots[i] = NULL;
        peer_free(p);
    }
}

/* Nobody of its IP is dialled or let in again; what it sent for pieces that are
 * not complete goes with the next tick. */
void torrent_ban(struct torrent *t, uint32_t id, const char *why)
{
    struct peerset_entry *e = peerset_get(t->peerset, id);
    if (e == NULL || e->banned) {
        return;
    }
    char text[ADDR_TEXT_MAX];
    addr_format(&e->addr, text);
    peerset_ban(t->peerset, id);
    t->purge = true;
    torrent_event(t, LEVEL_WARN, "ban", "%s is banned: %s", text, why);
    torrent_fact(t, FACT_PEER, 0, id);
    struct peer *p;
    TORRENT_EACH_PEER(p, t)
    {
        if (p->id == id || peerset_is_banned(t->peerset, &p->addr)) {
            torrent_peer_close(t, p, true, BTC_E_PROTO);
        }
    }
}

/* --- handshakes --- */

/* Ours, with the bits of BEP 10 and BEP 6. */
static void torrent_put_handshake(struct torrent *t, struct peer *p)
{
    struct wire_handshake h = {.reserved = {0, 0, 0, 0, 0, 0x10, 0, 0x04}};
    uint8_t m[WIRE_HANDSHAKE_LEN];
    memcpy(h.info_hash, t->info_hash, sizeof h.info_hash);
    memcpy(h.peer_id, t->shared->peer_id, sizeof h.peer_id);
    (void)peer_put(p, m, wire_encode_handshake(&h, m));
    torrent_peer_output(t, p);
}

/* What we have: the cheapest message that says it (BEP 3, BEP 6). */
static void torrent_put_have(struct torrent *t, struct peer *p)
{
    const struct bits *have = picker_have(t->picker);
    if (p->has_fast && bits_is_full(have) && have->n > 0) {
        (void)peer_put_simple(p, WIRE_HAVE_ALL);
    } else if (have->count > 0) {
        uint8_t m[WIRE_HEADER_MAX];
        struct wire_msg msg = {.type = WIRE_BITFIELD,
                               .bitfield = bits_slice(have)};
        (void)peer_put(p, m, wire_encode(&msg, m));
        (void)peer_put(p, msg.bitfield.p, msg.bitfield.len);
    } else if (p->has_fast) {
        (void)peer_put_simple(p, WIRE_HAVE_NONE);
    }
}

/* Our extension handshake (BEP 10). */
static void torrent_put_ext(struct torrent *t, struct peer *p)
{
    struct ext_handshake h = {.reqq = PEER_OUR_REQQ,
                              .port = t->shared->port,
                              .yourip = p->addr,
                              .upload_only = torrent_is_complete(t)};
    struct buf payload;
    buf_init(&payload, 1024);
    size_t n = strlen(t->shared->client);
    n = n < sizeof h.client ? n : sizeof h.client - 1;
    memcpy(h.client, t->shared->client, n);
    if (ext_handshake_encode(&h, &payload) == 0) {
        uint8_t m[WIRE_HEADER_MAX];
        struct wire_msg msg = {.type = WIRE_EXTENDED};
        msg.extended.payload = buf_slice(&payload);
        (void)peer_put(p, m, wire_encode(&msg, m));
        (void)peer_put(p, msg.extended.payload.p, msg.extended.payload.len);
    }
    buf_fini(&payload);
}

/* Both handshakes are done: the connection counts. */
static void torrent_peer_activate(struct torrent *t, struct peer *p,
                                  const struct wire_handshake *h)
{
    p->phase = PEER_ACTIVE;
    p->active_ms = t->now_ms;
    p->has_ext = wire_has_extended(h);
    p->has_fast = wire_has_fast(h);
    int err = bits_init(&p->have, t->geom->n_pieces);
    BTC_ASSERT(err == 0);
    wire_decoder_set_pieces(&p->decoder, t->geom->n_pieces);
    t->n_connecting -= p->incoming ? 0 : 1;
    t->n_active++;
    t->had_peer = true;
    peerset_on_connected(t->peerset, p->id, t->unix_now);
    torrent_put_have(t, p);
    if (p->has_ext) {
        torrent_put_ext(t, p);
    }
    p->first_done = true; /* ours is said: HAVE may follow */
    picker_add_peer(t->picker, &p->have);
    p->counted = true;
    torrent_upload_grant_fast(t, p);
    torrent_peer_output(t, p);
}

/* The other side's handshake: is it for us, is it not ourselves. */
static int torrent_on_handshake(struct torrent *t, struct peer *p,
                                const struct wire_handshake *h)
{
    if (memcmp(h->info_hash, t->info_hash, sizeof h->info_hash) != 0) {
        return BTC_E_PROTO;
    }
    if (memcmp(h->peer_id, t->shared->peer_id, sizeof h->peer_id) == 0) {
        struct peerset_entry *e = peerset_get(t->peerset, p->id);
        if (e != NULL && !p->incoming) {
            e->is_self = true;
        }
        return BTC_E_CANCELLED;
    }
    torrent_peer_activate(t, p, h);
    return 0;
}

void torrent_peer_connected(struct torrent *t, struct peer *p)
{
    if (p->phase == PEER_CONNECTING) {
        p->phase = PEER_HANDSHAKE;
        p->opened_ms = p->recv_ms = t->now_ms;
        torrent_put_handshake(t, p);
    }
}

/* The engine has read the handshake to learn which torrent it is for. */
void torrent_peer_accepted(struct torrent *t, struct peer *p,
                           const struct wire_handshake *h)
{
    p->decoder.handshaken = true;
    torrent_put_handshake(t, p);
    int err = torrent_on_handshake(t, p, h);
    if (err == BTC_E_CANCELLED) {
        return; /* we dialled ourselves: that side learns it from our answer */
    }
    if (err < 0) {
        torrent_peer_close(t, p, true, err);
    }
}

/* --- messages in --- */

/* Interested when it has something that we want. */
void torrent_peer_interest(struct torrent *t, struct peer *p)
{
    bool want = !t->check_only && picker_is_interesting(t->picker, &p->have);
    if (want == p->am_interested) {
        return;
    }
    p->am_interested = want;
    (void)peer_put_simple(p, want ? WIRE_INTERESTED : WIRE_NOT_INTERESTED);
    torrent_peer_output(t, p);
}

/* After any change of what it has. */
static void torrent_on_availability(struct torrent *t, struct peer *p,
                                    bool was_seed)
{
    bool is_seed = peer_is_seed(p);
    if (is_seed != was_seed) {
        t->n_seeds += is_seed ? 1 : 0;
        t->n_seeds -= was_seed ? 1 : 0;
        struct peerset_entry *e = peerset_get(t->peerset, p->id);
        if (e != NULL) {
            e->is_seed = is_seed;
        }
    }
    torrent_peer_interest(t, p);
    torrent_request_fill(t, p);
}

/* BITFIELD, HAVE_ALL, HAVE_NONE: the whole of what it has. aria2 says a
 * BITFIELD again where many HAVEs would be longer, and HAVE_ALL when it is
 * done. What would let five bytes cost a walk over all pieces, again and again,
 * is not heard: all after all, none after anything. */
static int torrent_on_bitfield(struct torrent *t, struct peer *p,
                               const struct wire_msg *m)
{
    bool was_seed = peer_is_seed(p);
    if ((m->type != WIRE_BITFIELD && !p->has_fast) ||
        (m->type == WIRE_HAVE_NONE && p->have_told)) {
        return BTC_E_PROTO;
    }
    if (m->type == WIRE_HAVE_ALL && was_seed) {
        return 0;
    }
    p->have_told = true;
    picker_remove_peer(t->picker, &p->have);
    int err = 0;
    if (m->type == WIRE_BITFIELD) {
        err = bits_load(&p->have, m->bitfield);
    } else if (m->type == WIRE_HAVE_ALL) {
        bits_fill(&p->have);
    } else {
        bits_zero(&p->have);
    }
    picker_add_peer(t->picker, &p->have);
    if (err == 0) {
        torrent_on_availability(t, p, was_seed);
    }
    return err;
}

/* One more piece. One that we do not want changes nothing that we would ask: a
 * walk over all pieces for five bytes is not for them to cause. */
static int torrent_on_have(struct torrent *t, struct peer *p, uint32_t piece)
{
    if (!layout_has_piece(t->geom, piece)) {
        return BTC_E_PROTO;
    }
    if (bits_get(&p->have, piece)) {
        return 0;
    }
    /* The picker counts full maps apart, so the last bit goes the long way. */
    if (p->have.count + 1 == p->have.n) {
        picker_remove_peer(t->picker, &p->have);
        bits_set(&p->have, piece);
        picker_add_peer(t->picker, &p->have);
    } else {
        bits_set(&p->have, piece);
        picker_peer_has(t->picker, piece);
    }
    if (peer_is_seed(p) || picker_is_todo(t->picker, piece)) {
        torrent_on_availability(t, p, false);
    }
    return 0;
}

/* CHOKE: without BEP 6 it means that the requests are forgotten. An UNCHOKE is
 * no answer: a peer that goes on saying it is as silent as any. One that blinks
 * is asked again after a while: five bytes of it cost a window of requests. */
static void torrent_on_choke(struct torrent *t, struct peer *p, bool choke)
{
    if (p->peer_choking == choke) {
        return;
    }
    p->peer_choking = choke;
    if (choke && !p->has_fast) {
        torrent_request_drop_all(t, p, true);
    }
    if (choke) {
        return;
    }
    if (p->blink_ms != 0 && t->now_ms - p->blink_ms < TORRENT_BLINK_MS) {
        uint64_t at = p->blink_ms + TORRENT_BLINK_MS;
        p->ask_ms = p->ask_ms > at ? p->ask_ms : at;
        return;
    }
    p->blink_ms = t->now_ms;
    torrent_request_fill(t, p);
}

/* The peer's extension handshake. */
static int torrent_on_extended(struct torrent *t, struct peer *p,
                               const struct wire_extended *x)
{
    if (!p->has_ext) {
        return BTC_E_PROTO;
    }
    if (x->id != EXT_HANDSHAKE) {
        return 0; /* an extension that we did not offer: no harm */
    }
    struct ext_handshake *h = &p->ext;
    bool nameless = h->client[0] == '\0';
    int err = ext_handshake_update(x->payload, h);
    if (err < 0) {
        return err;
    }
    p->upload_only = h->upload_only;
    if (h->reqq > 0) {
        p->reqq = h->reqq;
    }
    if (h->port != 0 && p->incoming) {
        peerset_set_port(t->peerset, p->id, h->port);
    }
    if (nameless &&
        h->client[0] != '\0') { /* saying it again and again fills no journal */
        torrent_fact(t, FACT_PEER, 0, p->id);
    }
    return 0;
}

/* A piece it grants us while we are choked (BEP 6). */
static int torrent_on_allowed_fast(struct torrent *t, struct peer *p,
                                   uint32_t piece)
{
    if (!p->has_fast || !layout_has_piece(t->geom, piece)) {
        return BTC_E_PROTO;
    }
    if (p->n_fast_in < PEER_MAX_FAST && !peer_has_fast_in(p, piece)) {
        p->fast_in[p->n_fast_in++] = piece;
        torrent_request_fill(t, p);
    }
    return 0;
}

/* Messages of BEP 6 that only a peer that announced it may send. */
static int torrent_on_fast(struct torrent *t, struct peer *p,
                           const struct wire_msg *m)
{
    if (!p->has_fast) {
        return BTC_E_PROTO;
    }
    if (m->type == WIRE_SUGGEST) {
        return layout_has_piece(t->geom, m->piece) ? 0 : BTC_E_PROTO;
    }
    torrent_request_rejected(t, p, &m->block);
    return 0;
}

/* One message. Negative: the connection ends. */
static int torrent_on_message(struct torrent *t, struct peer *p,
                              const struct wire_msg *m)
{
    switch (m->type) {
    case WIRE_HANDSHAKE:
        return torrent_on_handshake(t, p, &m->handshake);
    case WIRE_CHOKE:
    case WIRE_UNCHOKE:
        torrent_on_choke(t, p, m->type == WIRE_CHOKE);
        return 0;
    case WIRE_INTERESTED:
    case WIRE_NOT_INTERESTED:
        p->peer_interested = m->type == WIRE_INTERESTED;
        torrent_upload_interested(t, p);
        return 0;
    case WIRE_HAVE:
        return torrent_on_have(t, p, m->piece);
    case WIRE_BITFIELD:
    case WIRE_HAVE_ALL:
    case WIRE_HAVE_NONE:
        return torrent_on_bitfield(t, p, m);
    case WIRE_REQUEST:
        torrent_upload_request(t, p, &m->block);
        return 0;
    case WIRE_CANCEL:
        torrent_upload_cancel(t, p, &m->block);
        return 0;
    case WIRE_PIECE:
        return torrent_block_begin(t, p, &m->block);
    case WIRE_PAYLOAD:
        torrent_block_data(t, p, &m->payload);
        return 0;
    case WIRE_SUGGEST:
    case WIRE_REJECT:
        return torrent_on_fast(t, p, m);
    case WIRE_ALLOWED_FAST:
        return torrent_on_allowed_fast(t, p, m->piece);
    case WIRE_EXTENDED:
        return torrent_on_extended(t, p, &m->extended);
    case WIRE_PORT:
    case WIRE_KEEPALIVE:
    case WIRE_UNKNOWN:
        return 0;
    }
    return BTC_E_INTERNAL;
}

/* Decodes what is whole; gives the bytes used or an error. */
static ptrdiff_t torrent_decode(struct torrent *t, struct peer *p,
                                struct slice in)
{
    size_t used = 0;
    while (used < in.len && p->phase != PEER_CLOSED) {
        struct wire_msg m;
        ptrdiff_t n =
            wire_decode(&p->decoder, slice_sub(in, used, in.len - used), &m);
        if (n <= 0) {
            return n < 0 ? n : (ptrdiff_t)used;
        }
        used += (size_t)n;
        int err = torrent_on_message(t, p, &m);
        if (err < 0) {
            return err;
        }
    }
    return (ptrdiff_t)used;
}

/* The bytes behind an incomplete message are few (payload is streamed), so they
 * are kept and the next bytes are put behind them. */
void torrent_peer_data(struct torrent *t, struct peer *p, struct slice data)
{
    p->recv_ms = t->now_ms;
    ptrdiff_t n = 0;
    if (p->phase == PEER_HANDSHAKE && p->decoder.handshaken) {
        return; /* said that it is us; its time runs out */
    }
    while (buf_len(&p->in) > 0 && data.len > 0 && p->phase != PEER_CLOSED) {
        /* Complete the kept message with as little as may do. */
        size_t take = data.len < 16384 ? data.len : 16384;
        if (buf_append(&p->in, data.p, take) < 0) {
            torrent_peer_close(t, p, true, BTC_E_PROTO);
            return;
        }
        data = slice_sub(data, take, data.len - take);
        n = torrent_decode(t, p, buf_slice(&p->in));
        if (n < 0) {
            torrent_peer_close(t, p, true, (int)n);
            return;
        }
        buf_consume(&p->in, (size_t)n);
        buf_trim(&p->in, PEER_KEEP_MEM);
    }
    if (data.len == 0 || p->phase == PEER_CLOSED) {
        return;
    }
    n = torrent_decode(t, p, data);
    if (n >= 0 && p->phase != PEER_CLOSED &&
        buf_append(&p->in, data.p + n, data.len - (size_t)n) < 0) {
        n = BTC_E_PROTO;
    }
    if (n < 0) {
        torrent_peer_close(t, p, true, (int)n);
    }
}

/* --- time --- */

/* Why the connection should end now; 0 = it should not. */
static int torrent_peer_overdue(const struct torrent *t, const struct peer *p)
{
    if (p->phase == PEER_CONNECTING) {
        return 0; /* the connection's own time-out */
    }
    if (p->phase == PEER_HANDSHAKE) {
        return t->now_ms - p->opened_ms > PEER_HANDSHAKE_MS ? BTC_E_TIMEOUT : 0;
    }
    if (t->now_ms - p->recv_ms > PEER_IDLE_MS) {
        return BTC_E_TIMEOUT;
    }
    /* Two seeds have nothing to say to each other (BEP 21). */
    if (t->state == TORRENT_SEEDING && (p->upload_only || peer_is_seed(p))) {
        return BTC_E_CANCELLED;
    }
    return 0;
}

void torrent_peer_tick(struct torrent *t, struct peer *p, uint64_t elapsed_ms)
{
    int err = torrent_peer_overdue(t, p);
    if (err < 0) {
        torrent_peer_close(t, p, true, err);
        return;
    }
    if (p->phase != PEER_ACTIVE) {
        return;
    }
    uint32_t share = t->shared->pool->max / (t->n_active > 0 ? t->n_active : 1);
    uint32_t block_len =
        t->geom->piece_length < BLOCK_LEN ? t->geom->piece_length : BLOCK_LEN;
    peer_update_depth(p, elapsed_ms, block_len, share > 2 ? share : 2);
    torrent_request_overdue(t, p);
    if (t->now_ms - p->sent_ms > PEER_KEEPALIVE_MS) {
        static const uint8_t keepalive[4] = {0};
        (void)peer_put(p, keepalive, sizeof keepalive);
        torrent_peer_output(t, p);
    }
    torrent_upload_pump(t, p);
}
