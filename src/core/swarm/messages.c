/* Every message in. What a message asks for is checked here, once, and done in
 * request.c and upload.c.
 */
#include "base/err.h"
#include "core/swarm/internal.h"
#include "core/swarm/outcome.h"
#include "model/names.h"

#define MESSAGES_BLINK_MS 1000 /* an UNCHOKE counts once in this time */

/* CHOKE: without BEP 6 it means that the requests are forgotten. An UNCHOKE is
 * no answer: a peer that goes on saying it is as silent as any. One that blinks
 * is asked again after a while: five bytes of it cost a window of requests. */
static void messages_choke(struct swarm *w, struct peer *p, bool choke)
{
    if (p->peer_choking == choke) {
        return;
    }
    p->peer_choking = choke;
    if (choke && !p->fast.on) {
        request_drop_all(w, p, true);
    }
    if (choke) {
        return;
    }
    if (p->window.blink_ms != 0 &&
        w->clock.now_ms - p->window.blink_ms < MESSAGES_BLINK_MS) {
        uint64_t at = p->window.blink_ms + MESSAGES_BLINK_MS;
        if (p->window.from_ms < at) {
            p->window.from_ms = at;
        }
        return;
    }
    p->window.blink_ms = w->clock.now_ms;
    request_fill(w, p);
}

/* Where it sees us. A peer of a few is not believed: most must agree. */
static void messages_own(struct swarm *w, const struct peer *p)
{
    const struct addr *own = &p->ext.said.yourip;
    if (own->family != p->addr.family) {
        return;
    }
    if (own->family == ADDR_V6) {
        (void)vote_add(&w->shared->own6, &p->addr, own);
    } else {
        (void)vote_add(&w->shared->own4, &p->addr, own);
    }
}

/* The peer's extension handshake. */
static int messages_extended(struct swarm *w, struct peer *p,
                             const struct wire_extended *x)
{
    if (!p->ext.on) {
        return BTC_E_PROTO;
    }
    if (x->id != EXT_HANDSHAKE) {
        return extend_message(w, p, x);
    }
    struct ext_handshake *h = &p->ext.said;
    bool nameless = h->client[0] == '\0';
    int err = ext_handshake_update(x->payload, h);
    if (err < 0) {
        return err;
    }
    if (h->reqq > 0) {
        p->ext.reqq = h->reqq;
    }
    messages_own(w, p);
    if (h->port != 0 && p->incoming) {
        peerset_set_port(w->peerset, p->id, h->port);
    }
    if (nameless &&
        h->client[0] != '\0') { /* saying it again and again fills no journal */
        actions_fact(w->actions, FACT_PEER, 0, p->id);
    }
    return extend_offered(w, p);
}

/* A piece it grants us while we are choked (BEP 6). As long as the pieces are
 * not known it is remembered and checked later. */
static int messages_allowed_fast(struct swarm *w, struct peer *p,
                                 uint32_t piece)
{
    if (!p->fast.on || (w->content != NULL &&
                        !layout_has_piece(content_layout(w->content), piece))) {
        return BTC_E_PROTO;
    }
    if (p->fast.n_in < PEER_MAX_FAST && !peer_has_fast_in(p, piece)) {
        p->fast.in[p->fast.n_in++] = piece;
        request_fill(w, p);
    }
    return 0;
}

/* Messages of BEP 6 that only a peer that announced it may send. */
static int messages_fast(struct swarm *w, struct peer *p,
                         const struct wire_msg *m)
{
    if (!p->fast.on) {
        return BTC_E_PROTO;
    }
    if (m->type == WIRE_SUGGEST) {
        if (layout_has_piece(content_layout(w->content), m->piece)) {
            return 0;
        }
        return BTC_E_PROTO;
    }
    request_rejected(w, p, &m->block);
    return 0;
}

/* One message. Negative: the connection ends. */
static int messages_any(struct swarm *w, struct peer *p,
                        const struct wire_msg *m)
{
    switch (m->type) {
    case WIRE_HANDSHAKE:
        return handshake_take(w, p, &m->handshake);
    case WIRE_CHOKE:
    case WIRE_UNCHOKE:
        messages_choke(w, p, m->type == WIRE_CHOKE);
        return 0;
    case WIRE_INTERESTED:
    case WIRE_NOT_INTERESTED:
        p->peer_interested = m->type == WIRE_INTERESTED;
        upload_interested(w, p);
        return 0;
    case WIRE_HAVE:
        return have_piece(w, p, m->piece);
    case WIRE_BITFIELD:
    case WIRE_HAVE_ALL:
    case WIRE_HAVE_NONE:
        return have_map(w, p, m);
    case WIRE_REQUEST:
        return upload_request(w, p, &m->block);
    case WIRE_CANCEL:
        return upload_cancel(w, p, &m->block);
    case WIRE_PIECE:
        return request_block_begin(w, p, &m->block);
    case WIRE_PAYLOAD:
        request_block_data(w, p, &m->payload);
        return 0;
    case WIRE_SUGGEST:
    case WIRE_REJECT:
        return messages_fast(w, p, m);
    case WIRE_ALLOWED_FAST:
        return messages_allowed_fast(w, p, m->piece);
    case WIRE_EXTENDED:
        return messages_extended(w, p, &m->extended);
    case WIRE_PORT:
        extend_node(w, p, m->port);
        return 0;
    case WIRE_KEEPALIVE:
    case WIRE_UNKNOWN:
        return 0;
    }
    return BTC_E_INTERNAL;
}

/* A message while nobody knows the pieces: what is said of them is remembered,
 * what is asked for is refused, and blocks are nobody's. */
static int messages_early(struct swarm *w, struct peer *p,
                          const struct wire_msg *m)
{
    switch (m->type) {
    case WIRE_HAVE:
    case WIRE_BITFIELD:
    case WIRE_HAVE_ALL:
    case WIRE_HAVE_NONE:
        return have_early(w, p, m);
    case WIRE_PIECE: /* nobody has asked for it */
        if (++p->record.strikes > PEER_MAX_STRIKES) {
            return BTC_E_PROTO;
        }
        return 0;
    case WIRE_CANCEL:
    case WIRE_PAYLOAD:
    case WIRE_SUGGEST:
    case WIRE_REJECT:
        return 0;
    case WIRE_REQUEST:
    case WIRE_ALLOWED_FAST:
    case WIRE_HANDSHAKE:
    case WIRE_CHOKE:
    case WIRE_UNCHOKE:
    case WIRE_INTERESTED:
    case WIRE_NOT_INTERESTED:
    case WIRE_PORT:
    case WIRE_EXTENDED:
    case WIRE_KEEPALIVE:
    case WIRE_UNKNOWN:
        break;
    }
    return messages_any(w, p, m);
}

/* Decodes what is whole; gives the bytes used or an error. */
static ptrdiff_t messages_decode(struct swarm *w, struct peer *p,
                                 struct slice in)
{
    size_t used = 0;
    while (used < in.len && p->phase != PEER_CLOSED) {
        struct wire_msg m;
        ptrdiff_t n = wire_decode(&p->wire.decoder,
                                  slice_sub(in, used, in.len - used), &m);
        if (n == 0) {
            return (ptrdiff_t)used;
        }
        if (n < 0) {
            p->record.broke = outcome_of_garbage(p);
            return n;
        }
        used += (size_t)n;
        int err = 0;
        if (w->content == NULL) {
            err = messages_early(w, p, &m);
        } else {
            err = messages_any(w, p, &m);
        }
        if (err == BTC_E_PROTO) {
            p->record.broke = outcome_of_message(m.type);
        }
        if (err < 0) {
            return err;
        }
    }
    return (ptrdiff_t)used;
}

/* The bytes behind an incomplete message are few (payload is streamed), so they
 * are kept and the next bytes are put behind them. */
static int messages_read(struct swarm *w, struct peer *p, struct slice data)
{
    ptrdiff_t n = 0;
    while (buf_len(&p->wire.in) > 0 && data.len > 0 &&
           p->phase != PEER_CLOSED) {
        /* Complete the kept message with as little as may do. */
        size_t take = 16384;
        if (data.len < 16384) {
            take = data.len;
        }
        if (buf_append(&p->wire.in, data.p, take) < 0) {
            return BTC_E_PROTO;
        }
        data = slice_sub(data, take, data.len - take);
        n = messages_decode(w, p, buf_slice(&p->wire.in));
        if (n < 0) {
            return (int)n;
        }
        buf_consume(&p->wire.in, (size_t)n);
        buf_trim(&p->wire.in, PEER_KEEP_MEM);
    }
    if (data.len == 0 || p->phase == PEER_CLOSED) {
        return 0;
    }
    n = messages_decode(w, p, data);
    if (n < 0) {
        return (int)n;
    }
    if (p->phase != PEER_CLOSED &&
        buf_append(&p->wire.in, data.p + n, data.len - (size_t)n) < 0) {
        return BTC_E_PROTO;
    }
    return 0;
}

/* Requests are served when all that came is read, so those that lie behind each
 * other go out as one. */
void messages_data(struct swarm *w, struct peer *p, struct slice data)
{
    p->time.recv_ms = w->clock.now_ms;
    conns_heard(w);
    if (p->phase == PEER_HANDSHAKE && p->wire.decoder.handshaken) {
        return; /* said that it is us; its time runs out */
    }
    int err = messages_read(w, p, data);
    if (err == 0 && p->phase == PEER_ACTIVE) {
        err = upload_pump(w, p);
    }
    if (err < 0) {
        conns_close(w, p, true, err);
    }
}
