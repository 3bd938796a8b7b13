/* Extensions of a connection (BEP 10): metadata asked for and served (BEP 9),
 * peers told and heard of (BEP 11), and where nodes of the DHT are (BEP 5).
 *
 * As long as the content is not known, everybody who offers metadata is asked.
 * What came is a fact at once, so that an interrupted run goes on from it; the
 * last piece makes the whole, which the driver takes over.
 */
#include "base/err.h"
#include "base/mem.h"
#include "core/swarm/internal.h"
#include <stdlib.h>
#include <string.h>

#define EXTEND_QUEUE_MAX \
    ((size_t)4 * UT_METADATA_PIECE) /* served, not yet sent */
#define EXTEND_TIMES      3         /* the dictionary goes to one so often */
#define EXTEND_LIMIT_PART 4         /* this part of an upload limit is for it */
#define EXTEND_PORTS      4 /* PORT messages of a connection that are heard */
#define EXTEND_PEX_MS     5000 /* who is connected is looked at this often */

/* An extended message under the peer's own id. */
static void extend_put(struct swarm *w, struct peer *p, uint8_t id,
                       const struct buf *payload)
{
    uint8_t m[WIRE_HEADER_MAX];
    struct wire_msg msg = {.type = WIRE_EXTENDED};
    msg.extended.id = id;
    msg.extended.payload = buf_slice(payload);
    (void)peer_put(p, m, wire_encode(&msg, m));
    (void)peer_put(p, msg.extended.payload.p, msg.extended.payload.len);
    slots_output(w, p);
}

static void extend_put_metadata(struct swarm *w, struct peer *p,
                                const struct ut_metadata *u)
{
    struct buf payload;
    buf_init(&payload, UT_METADATA_MAX_BYTES);
    if (ut_metadata_encode(u, &payload) == 0) {
        extend_put(w, p, p->ext.said.ut_metadata, &payload);
    }
    buf_fini(&payload);
}

/* --- asking --- */

/* Asks one peer for what it may be asked now. */
static void extend_ask(struct swarm *w, struct peer *p)
{
    uint32_t piece;
    if (p->phase != PEER_ACTIVE || p->ext.said.ut_metadata == 0) {
        return;
    }
    while ((piece = metadata_next(w->extend.metadata, p->conn,
                                  w->clock.now_ms)) != METADATA_NONE) {
        struct ut_metadata u = {.type = UT_METADATA_REQUEST, .piece = piece};
        extend_put_metadata(w, p, &u);
    }
}

static void extend_ask_all(struct swarm *w)
{
    struct peer *p;
    SWARM_EACH_PEER(p, w)
    {
        extend_ask(w, p);
    }
}

int extend_offered(struct swarm *w, struct peer *p)
{
    if (w->extend.use_pex && p->ext.pex == NULL) {
        p->ext.pex = mem_zalloc(sizeof *p->ext.pex);
        pex_out_init(&p->ext.pex->out);
        pex_in_init(&p->ext.pex->in);
    }
    if (w->extend.metadata == NULL || p->ext.said.ut_metadata == 0 ||
        p->ext.said.metadata_size == 0) {
        return 0;
    }
    if (!metadata_offer(w->extend.metadata, p->conn, p->ext.said.metadata_size,
                        w->clock.now_ms)) {
        return BTC_E_PROTO;
    }
    extend_ask(w, p);
    return 0;
}

void extend_closed(struct swarm *w, const struct peer *p)
{
    if (w->extend.metadata != NULL) {
        metadata_leave(w->extend.metadata, p->conn);
    }
}

/* Metadata: what is late is asked of others. */
static void extend_tick_metadata(struct swarm *w)
{
    if (w->extend.metadata == NULL || w->mode != SWARM_DOWNLOADING ||
        w->extend.is_whole) {
        return;
    }
    if (metadata_tick(w->extend.metadata, w->clock.now_ms)) {
        actions_fact(w->actions, FACT_METADATA_LOST, 0, 0);
    }
    extend_ask_all(w);
}

/* All of it came and it is not what the info hash stands for. */
static int extend_wrong(struct swarm *w, const struct peer *p, uint32_t liar)
{
    actions_fact(w->actions, FACT_METADATA_LOST, 0, 0);
    actions_event(w->actions, LEVEL_WARN, "metadata",
                  "the metadata that peers sent is not the right one; it is "
                  "asked for again");
    if (liar == p->conn) {
        peerset_ban(w->peerset, p->id); /* it alone has sent all of it */
        return BTC_E_PROTO;
    }
    return 0;
}

/* A piece of metadata. */
static int extend_take(struct swarm *w, struct peer *p,
                       const struct ut_metadata *u)
{
    uint32_t liar;
    if (w->extend.is_whole) {
        return 0;
    }
    switch (
        metadata_take(w->extend.metadata, p->conn, u, w->clock.now_ms, &liar)) {
    case METADATA_IGNORED:
        return 0;
    case METADATA_TAKEN:
        w->total.last_payload_ms = w->clock.now_ms;
        actions_fact(w->actions, FACT_METADATA, u->piece, 0);
        extend_ask(w, p);
        return 0;
    case METADATA_WHOLE:
        w->extend.is_whole = true;
        w->total.last_payload_ms = w->clock.now_ms;
        actions_notify(w->actions, NOTIFY_METADATA, 0, 0);
        return 0;
    case METADATA_WRONG:
        return extend_wrong(w, p, liar);
    case METADATA_BAD:
        return BTC_E_PROTO;
    }
    return 0;
}

/* --- serving --- */

static void extend_reject(struct swarm *w, struct peer *p, uint32_t piece)
{
    struct ut_metadata u = {.type = UT_METADATA_REJECT, .piece = piece};
    extend_put_metadata(w, p, &u);
}

/* A limit of uploads holds for all that we send that is worth something to
 * others; of it, so much goes to those who need the info dictionary. */
static bool extend_has_room(struct swarm *w)
{
    uint64_t limit = share_limit(w);
    if (limit == 0) {
        return true;
    }
    bucket_set_rate(&w->extend.served, limit / EXTEND_LIMIT_PART + 1,
                    w->clock.now_ms);
    return bucket_available(&w->extend.served, w->clock.now_ms) > 0;
}

/* A piece of what we have. One that asks faster than it reads is refused. */
static void extend_answer(struct swarm *w, struct peer *p, uint32_t piece)
{
    struct slice info = w->extend.info;
    struct ut_metadata u = {.type = UT_METADATA_DATA, .piece = piece};
    if (buf_len(&p->wire.out) >= EXTEND_QUEUE_MAX) {
        extend_reject(w, p, piece);
        return;
    }
    u.total_size = info.len;
    u.data =
        slice_sub(info, (size_t)piece * UT_METADATA_PIECE, UT_METADATA_PIECE);
    extend_put_metadata(w, p, &u);
    p->ext.n_served++;
    bucket_take(&w->extend.served, u.data.len);
    share_take(w, p, (uint32_t)u.data.len);
}

/* Answers what it has waited for longest, when that can be done now. */
static bool extend_serve_one(struct swarm *w, struct peer *p)
{
    if (p->ext.n_metadata == 0 || !extend_has_room(w)) {
        return false;
    }
    if (w->extend.info.p == NULL) {
        if (!w->extend.info_asked) {
            w->extend.info_asked = true;
            (void)actions_push(w->actions, ACTION_INFO);
        }
        return false;
    }
    extend_answer(w, p, p->ext.metadata[0]);
    p->ext.n_metadata--;
    memmove(p->ext.metadata, p->ext.metadata + 1,
            p->ext.n_metadata * sizeof *p->ext.metadata);
    return true;
}

/* It has had it often enough: a request is small, and the answer is not. */
static bool extend_is_sated(const struct swarm *w, const struct peer *p)
{
    size_t n = w->extend.info.len / UT_METADATA_PIECE + 1;
    return p->ext.n_served + p->ext.n_metadata >= n * EXTEND_TIMES;
}

/* At once, or when the bytes have been read, or when a limit allows: whoever
 * waits for too many of them is refused. */
static void extend_serve(struct swarm *w, struct peer *p, uint32_t piece)
{
    if (p->ext.said.ut_metadata == 0) {
        return;
    }
    if ((size_t)piece * UT_METADATA_PIECE >= w->extend.info.len ||
        p->ext.n_metadata == PEER_METADATA_MAX || extend_is_sated(w, p)) {
        extend_reject(w, p, piece);
        return;
    }
    p->ext.metadata[p->ext.n_metadata++] = piece;
    if (share_limit(w) == 0 || w->extend.info.p == NULL) {
        (void)extend_serve_one(w, p); /* else it is for the turns to decide */
    }
}

/* It waits in vain. */
static void extend_reject_waiting(struct swarm *w, struct peer *p)
{
    for (uint32_t i = 0; i < p->ext.n_metadata; i++) {
        extend_reject(w, p, p->ext.metadata[i]);
    }
    p->ext.n_metadata = 0;
}

void extend_answer_all(struct swarm *w)
{
    struct peer *p;
    w->extend.info_asked = false;
    SWARM_EACH_PEER(p, w)
    {
        if (w->extend.info.p == NULL) {
            extend_reject_waiting(w, p);
        }
        while (extend_serve_one(w, p)) {
        }
    }
}

/* One each, from somebody else on each time, as long as there is room. */
static void extend_tick_serve(struct swarm *w)
{
    bool more = w->slots.n > 0;
    while (more) {
        uint32_t from = rng_below(w->shared->rng, w->slots.n);
        more = false;
        for (uint32_t i = 0; i < w->slots.n; i++) {
            struct peer *p = w->slots.peer[(from + i) % w->slots.n];
            if (p != NULL && p->phase == PEER_ACTIVE) {
                more |= extend_serve_one(w, p);
            }
        }
    }
}

/* A message of ut_metadata. */
static int extend_on_metadata(struct swarm *w, struct peer *p,
                              struct slice payload)
{
    struct ut_metadata u;
    int err = ut_metadata_decode(payload, &u);
    if (err != 0) {
        if (err == BTC_E_UNSUPPORTED) {
            return 0;
        }
        return err;
    }
    if (u.type == UT_METADATA_REQUEST) {
        extend_serve(w, p, u.piece);
        return 0;
    }
    if (w->extend.metadata == NULL) {
        return 0; /* we have it; it was asked for when we had it not */
    }
    if (u.type == UT_METADATA_DATA) {
        return extend_take(w, p, &u);
    }
    metadata_reject(w->extend.metadata, p->conn, u.piece, w->clock.now_ms);
    extend_ask_all(w);
    return 0;
}

/* --- peer exchange --- */

/* Where others can dial a connected peer; false: nobody knows. */
static bool extend_dialable(const struct peer *p, struct ut_pex_peer *out)
{
    *out = (struct ut_pex_peer){.addr = p->addr};
    if (p->incoming) {
        out->addr.port = p->ext.said.port;
    } else {
        out->flags |= UT_PEX_REACHABLE;
    }
    if (peer_is_seed(p) || p->ext.said.upload_only) {
        out->flags |= UT_PEX_SEED;
    }
    return p->phase == PEER_ACTIVE && out->addr.port != 0;
}

/* Tells one peer what is new. */
static void extend_put_pex(struct swarm *w, struct peer *p,
                           const struct ut_pex_peer *live, uint32_t n)
{
    struct ut_pex msg;
    struct buf payload;
    struct ut_pex_peer self;
    if (p->ext.pex == NULL || p->ext.said.ut_pex == 0 ||
        p->phase != PEER_ACTIVE) {
        return;
    }
    if (!extend_dialable(p, &self)) {
        self.addr = addr_none();
    }
    if (!pex_out_next(&p->ext.pex->out, live, n, &self.addr, w->clock.now_ms,
                      &msg)) {
        return;
    }
    buf_init(&payload, UT_PEX_MAX_BYTES);
    if (ut_pex_encode(&msg, &payload) == 0) {
        extend_put(w, p, p->ext.said.ut_pex, &payload);
    }
    buf_fini(&payload);
}

/* Tells everybody who is connected. */
static void extend_pex_round(struct swarm *w)
{
    struct ut_pex_peer *live = mem_calloc(w->count.peers + 1, sizeof *live);
    uint32_t n = 0;
    struct peer *p;
    SWARM_EACH_PEER(p, w)
    {
        n += extend_dialable(p, &live[n]) ? 1 : 0;
    }
    pex_sort(live, n);
    SWARM_EACH_PEER(p, w)
    {
        extend_put_pex(w, p, live, n);
    }
    free(live);
}

/* A peer tells of others. */
static int extend_on_pex(struct swarm *w, struct peer *p, struct slice payload)
{
    struct ut_pex msg;
    struct ut_pex_peer found[PEX_MESSAGE_MAX];
    struct pex_rules rules = {.is_private = !w->extend.use_pex,
                              .allow_local = w->shared->allow_local,
                              .sender = p->addr};
    if (p->ext.pex == NULL) {
        return 0; /* it was not offered */
    }
    int err = ut_pex_decode(payload, &msg);
    if (err != 0) {
        return err;
    }
    int n = pex_in_take(&p->ext.pex->in, &msg, &rules, w->clock.now_ms, found);
    for (int i = 0; i < n; i++) {
        (void)peerset_add(w->peerset, &found[i].addr, PEER_SOURCE_PEX);
    }
    if (n < 0) {
        return n;
    }
    return 0;
}

/* --- the DHT --- */

void extend_put_port(struct swarm *w, struct peer *p)
{
    uint8_t m[WIRE_HEADER_MAX];
    struct wire_msg msg = {.type = WIRE_PORT, .port = w->shared->dht_port};
    (void)peer_put(p, m, wire_encode(&msg, m));
}

/* A word of seven bytes costs a datagram and a place among those that wait to
 * be looked at, so not each is heard. */
void extend_node(struct swarm *w, struct peer *p, uint16_t port)
{
    if (w->extend.use_dht && port != 0 && p->ext.n_ports < EXTEND_PORTS) {
        p->ext.n_ports++;
        struct action *a = actions_push(w->actions, ACTION_NODE);
        a->addr = p->addr;
        a->addr.port = port;
    }
}

/* --- messages in --- */

int extend_message(struct swarm *w, struct peer *p,
                   const struct wire_extended *x)
{
    if (x->id == EXT_UT_METADATA) {
        return extend_on_metadata(w, p, x->payload);
    }
    if (x->id == EXT_UT_PEX) {
        return extend_on_pex(w, p, x->payload);
    }
    return 0; /* an extension that we did not offer: no harm */
}

void extend_tick(struct swarm *w)
{
    extend_tick_metadata(w);
    extend_tick_serve(w);
    if (w->extend.use_pex &&
        w->clock.now_ms - w->extend.pex_ms >= EXTEND_PEX_MS) {
        w->extend.pex_ms = w->clock.now_ms;
        extend_pex_round(w);
    }
}
