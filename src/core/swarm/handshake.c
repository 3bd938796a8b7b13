/* Both handshakes of a connection (BEP 3, BEP 10), and what we say first: what
 * we have and what we speak.
 */
#include "base/err.h"
#include "core/swarm/internal.h"
#include <string.h>

/* Ours. */
void handshake_put(struct swarm *w, struct peer *p)
{
    struct wire_handshake h;
    uint8_t m[WIRE_HANDSHAKE_LEN];
    wire_set_reserved(&h, w->shared->has_dht && w->extend.use_dht);
    memcpy(h.info_hash, w->info_hash, sizeof h.info_hash);
    memcpy(h.peer_id, w->shared->peer_id, sizeof h.peer_id);
    (void)peer_put(p, m, wire_encode_handshake(&h, m));
    slots_output(w, p);
}

/* What we have: the cheapest message that says it (BEP 3, BEP 6). */
static void handshake_put_have(struct swarm *w, struct peer *p)
{
    const struct bits *have = content_have(w->content);
    if (p->fast.on && bits_is_full(have) && have->n > 0) {
        (void)peer_put_simple(p, WIRE_HAVE_ALL);
    } else if (have->count > 0) {
        uint8_t m[WIRE_HEADER_MAX];
        struct wire_msg msg = {.type = WIRE_BITFIELD,
                               .bitfield = bits_slice(have)};
        (void)peer_put(p, m, wire_encode(&msg, m));
        (void)peer_put(p, msg.bitfield.p, msg.bitfield.len);
    } else if (p->fast.on) {
        (void)peer_put_simple(p, WIRE_HAVE_NONE);
    }
}

/* Our extension handshake (BEP 10). */
void handshake_put_ext(struct swarm *w, struct peer *p)
{
    struct ext_handshake h = {.ut_metadata = EXT_UT_METADATA,
                              .ut_pex = w->extend.use_pex ? EXT_UT_PEX : 0,
                              .metadata_size = w->extend.info.len,
                              .reqq = PEER_OUR_REQQ,
                              .port = w->shared->port,
                              .yourip = p->addr,
                              .upload_only = w->content != NULL &&
                                             content_is_complete(w->content)};
    struct buf payload;
    buf_init(&payload, 1024);
    size_t n = strlen(w->shared->client);
    if (n >= sizeof h.client) {
        n = sizeof h.client - 1;
    }
    memcpy(h.client, w->shared->client, n);
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
static void handshake_done(struct swarm *w, struct peer *p,
                           const struct wire_handshake *h)
{
    p->phase = PEER_ACTIVE;
    p->time.active_ms = w->clock.now_ms;
    p->ext.on = wire_has_extended(h);
    p->fast.on = wire_has_fast(h);
    if (!p->incoming) {
        w->count.connecting--;
    }
    w->count.active++;
    w->total.had_peer = true;
    peerset_on_connected(w->peerset, p->id, w->clock.unix_now);
    if (w->content != NULL) {
        int err = have_join(w, p);
        BTC_ASSERT(err == 0); /* it has said nothing yet */
        handshake_put_have(w, p);
    } else if (p->fast.on) {
        (void)peer_put_simple(p, WIRE_HAVE_NONE);
    }
    if (p->ext.on) {
        handshake_put_ext(w, p);
    }
    if (wire_has_dht(h) && w->shared->dht_port != 0 && w->extend.use_dht) {
        extend_put_port(w, p);
    }
    p->wire.first_done = true; /* ours is said: HAVE may follow */
    if (w->content != NULL) {
        upload_grant_fast(w, p);
    }
    slots_output(w, p);
}

/* One connection per client, but nobody is kept out by an id that another one
 * says, too (twins.c). False: the new one has to go. */
static bool handshake_is_only(struct swarm *w, struct peer *p)
{
    struct peer *twin = twins_find(w, p, true);
    if (twin != NULL) {
        twin->has_twin = p->has_twin = true;
        enum twins_stays stays = twins_judge(w, twin, p);
        if (stays == TWINS_OLD) {
            return false;
        }
        if (stays == TWINS_NEW) {
            conns_close(w, twin, true, BTC_E_EXISTS);
        } else if (p->incoming) {
            twin->time.rival_ms = p->time.rival_ms = w->clock.now_ms;
        }
    }
    twin = twins_find(w, p, false);
    if (twin != NULL) {
        twin->has_twin = p->has_twin = true;
    }
    return true;
}

/* The other side's handshake: is it for us, is it not ourselves. */
int handshake_take(struct swarm *w, struct peer *p,
                   const struct wire_handshake *h)
{
    if (memcmp(h->info_hash, w->info_hash, sizeof h->info_hash) != 0) {
        return BTC_E_PROTO;
    }
    if (memcmp(h->peer_id, w->shared->peer_id, sizeof h->peer_id) == 0) {
        if (!p->incoming) {
            peerset_set_self(w->peerset, p->id);
        }
        return BTC_E_CANCELLED;
    }
    memcpy(p->peer_id, h->peer_id, sizeof p->peer_id);
    if (!handshake_is_only(w, p)) {
        return BTC_E_EXISTS;
    }
    handshake_done(w, p, h);
    return 0;
}
