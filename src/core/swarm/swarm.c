/* What others call: events go to the file that owns their source, the tick to
 * all connections.
 */
#include "core/swarm/swarm.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "core/swarm/internal.h"
#include "core/swarm/owners.h"
#include <stdlib.h>

struct swarm *swarm_new(const struct swarm_config *c, uint64_t now_ms)
{
    struct swarm *w = mem_zalloc(sizeof *w);
    w->shared = c->shared;
    w->actions = c->actions;
    w->content = c->content;
    w->extend.info = c->info;
    w->extend.use_pex = c->use_pex;
    w->extend.use_dht = c->use_dht;
    if (c->content == NULL) {
        w->extend.metadata = metadata_new(c->info_hash);
    }
    w->info_hash = c->info_hash;
    w->peerset = peerset_new(c->shared->rng);
    w->announce = announce_new(c->shared->rng);
    choker_init(&w->choker);
    bucket_init(&w->up.bucket, c->up_limit, now_ms);
    swarm_set_limits(w, c->up_limit, c->max_peers, now_ms);
    w->total.downloaded = w->total.old_down = c->downloaded;
    w->total.uploaded = w->total.old_up = c->uploaded;
    w->total.wasted = c->wasted;
    w->clock.now_ms = now_ms;
    return w;
}

void swarm_give_info(struct swarm *w, struct slice info)
{
    w->extend.info = info;
    if (w->extend.info_asked) {
        extend_answer_all(w);
    }
}

void swarm_free(struct swarm *w)
{
    if (w == NULL) {
        return;
    }
    BTC_ASSERT(w->up.jobs == 0);
    struct peer *p;
    SWARM_EACH_PEER(p, w)
    {
        conns_close(w, p, false, 0);
    }
    slots_fini(w);
    metadata_free(w->extend.metadata);
    peerset_free(w->peerset);
    announce_free(w->announce);
    totals_rest(w);
    free(w);
}

void swarm_set_time(struct swarm *w, uint64_t now_ms, int64_t unix_now)
{
    w->clock.now_ms = now_ms;
    w->clock.unix_now = unix_now;
}

/* Peers learn that we only upload from now on (BEP 21), or download again. */
static void swarm_tell_upload_only(struct swarm *w)
{
    struct peer *p;
    SWARM_EACH_PEER(p, w)
    {
        if (p->phase == PEER_ACTIVE && p->ext.on) {
            handshake_put_ext(w, p);
            slots_output(w, p);
        }
    }
}

void swarm_set_mode(struct swarm *w, enum swarm_mode mode)
{
    bool seeded = w->mode == SWARM_SEEDING;
    bool seeds = mode == SWARM_SEEDING;
    w->mode = mode;
    if (seeds != seeded && (seeds || mode == SWARM_DOWNLOADING) &&
        w->content != NULL) {
        swarm_tell_upload_only(w);
    }
}

void swarm_set_limits(struct swarm *w, uint64_t up_limit, uint32_t max_peers,
                      uint64_t now_ms)
{
    bucket_set_rate(&w->up.bucket, up_limit, now_ms);
    w->count.max = max_peers > 0 ? max_peers : SWARM_DEF_PEERS;
    if (w->count.max > SWARM_MAX_PEERS) {
        w->count.max = SWARM_MAX_PEERS; /* conn ids have 16 bits of slots */
    }
}

/* --- lifecycle --- */

void swarm_start(struct swarm *w)
{
    w->clock.tick_ms = w->clock.choke_ms = w->clock.now_ms;
    announce_start(w->announce, w->clock.now_ms);
}

void swarm_stop(struct swarm *w)
{
    struct peer *p;
    SWARM_EACH_PEER(p, w)
    {
        conns_close(w, p, true, 0);
    }
    totals_rest(w);
    announce_stop(w->announce, w->clock.now_ms);
}

bool swarm_is_idle(const struct swarm *w)
{
    return announce_is_idle(w->announce);
}

bool swarm_is_quiet(const struct swarm *w)
{
    return w->up.jobs == 0;
}

void swarm_settle(struct swarm *w)
{
    slots_sweep(w);
}

void swarm_dial(struct swarm *w)
{
    conns_dial(w);
}

void swarm_announce(struct swarm *w)
{
    trackers_pump(w);
}

void swarm_announce_now(struct swarm *w, uint64_t now_ms)
{
    announce_insist(w->announce, now_ms);
}

/* Found by hashing (BEP 3), or a part of the torrent (BEP 21): no `completed`,
 * but who was told otherwise learns what we are. */
void swarm_completed(struct swarm *w, bool whole)
{
    if (whole) {
        announce_complete(w->announce, w->clock.now_ms);
    } else {
        announce_now(w->announce, w->clock.now_ms);
    }
}

/* --- time --- */

/* Why the connection should end now; 0 = it should not. */
static int swarm_peer_overdue(const struct swarm *w, const struct peer *p)
{
    if (p->phase == PEER_CONNECTING || p->phase == PEER_HANDSHAKE) {
        return conns_is_mute(w, p) ? BTC_E_TIMEOUT : 0;
    }
    if (w->clock.now_ms - p->time.recv_ms > PEER_IDLE_MS) {
        return BTC_E_TIMEOUT;
    }
    /* Two seeds have nothing to say to each other (BEP 21). */
    if (w->mode == SWARM_SEEDING &&
        (p->ext.said.upload_only || peer_is_seed(p))) {
        return BTC_E_CANCELLED;
    }
    return 0;
}

static void swarm_tick_peer(struct swarm *w, struct peer *p,
                            uint64_t elapsed_ms)
{
    static const uint8_t keepalive[4] = {0};
    int err = swarm_peer_overdue(w, p);
    if (err < 0) {
        conns_close(w, p, true, err);
        return;
    }
    if (p->phase != PEER_ACTIVE) {
        return;
    }
    if (w->content != NULL) {
        request_tick(w, p, elapsed_ms);
    }
    if (w->clock.now_ms - p->time.sent_ms > PEER_KEEPALIVE_MS) {
        (void)peer_put(p, keepalive, sizeof keepalive);
    }
    if (buf_len(&p->wire.out) > 0) {
        slots_output(w, p); /* HAVEs that waited for company */
    }
    err = upload_pump(w, p);
    if (err < 0) {
        conns_close(w, p, true, err);
    }
}

/* Memory is shared among those that can use it: peers that choke us, have
 * nothing for us or stay silent need none. */
static uint32_t swarm_count_askable(const struct swarm *w)
{
    uint32_t n = 0;
    const struct peer *p;
    SWARM_EACH_PEER(p, w)
    {
        if (p->phase == PEER_ACTIVE && p->am_interested && !p->peer_choking &&
            !p->window.snubbed) {
            n++;
        }
    }
    return n;
}

void swarm_tick(struct swarm *w)
{
    uint64_t elapsed = w->clock.now_ms - w->clock.tick_ms;
    if (elapsed < SWARM_TICK_MS) {
        return;
    }
    w->clock.tick_ms = w->clock.now_ms;
    w->count.askable = swarm_count_askable(w);
    w->count.is_queue = conns_is_queue(w);
    share_tick(w, elapsed);
    struct peer *p;
    SWARM_EACH_PEER(p, w)
    {
        swarm_tick_peer(w, p, elapsed);
    }
    if (w->content != NULL && content_has_suspects(w->content)) {
        owners_choose(w);
    }
    if (w->clock.now_ms - w->clock.choke_ms >= CHOKER_INTERVAL_MS) {
        w->clock.choke_ms = w->clock.now_ms;
        upload_rank(w);
        evict_twins(w);
        evict_idle(w);
    }
    upload_give_slots(w);
    if (w->content != NULL) {
        content_wake(w->content);
    }
    extend_tick(w);
}

uint64_t swarm_deadline(const struct swarm *w, bool may_announce)
{
    uint64_t at = UINT64_MAX;
    if (may_announce) {
        at = num_min_u64(announce_deadline(w->announce),
                         announce_scrape_deadline(w->announce));
    }
    if (w->count.peers > 0) {
        at = num_min_u64(at, w->clock.tick_ms + SWARM_TICK_MS);
    }
    if (w->mode != SWARM_OFF && w->mode != SWARM_BROKEN &&
        w->count.peers < w->count.max) {
        uint64_t dial = peerset_deadline(w->peerset, w->mode == SWARM_SEEDING);
        if (dial <= w->clock.now_ms) {
            dial = w->clock.now_ms + SWARM_TICK_MS; /* no place is free */
        }
        at = num_min_u64(at, dial);
    }
    return at;
}

/* --- events --- */

uint32_t swarm_new_conn(struct swarm *w, const struct addr *a, uint64_t now_ms)
{
    w->clock.now_ms = now_ms;
    if (w->mode == SWARM_OFF || peerset_is_banned(w->peerset, a) ||
        !evict_make_room(w, a)) {
        return 0;
    }
    return conns_take(w, a);
}

void swarm_connected(struct swarm *w, uint32_t conn)
{
    struct peer *p = slots_by_conn(w, conn);
    if (p != NULL && p->phase == PEER_CONNECTING) {
        conns_heard(w);
        p->phase = PEER_HANDSHAKE;
        p->time.opened_ms = p->time.recv_ms = w->clock.now_ms;
        handshake_put(w, p);
    }
}

/* The driver has read the handshake to learn which torrent it is for. */
void swarm_accepted(struct swarm *w, uint32_t conn,
                    const struct wire_handshake *h)
{
    struct peer *p = slots_by_conn(w, conn);
    if (p == NULL) {
        return;
    }
    p->wire.decoder.handshaken = true;
    handshake_put(w, p);
    int err = handshake_take(w, p, h);
    if (err == BTC_E_CANCELLED) {
        return; /* we dialled ourselves: that side learns it from our answer */
    }
    if (err < 0) {
        conns_close(w, p, true, err);
    }
}

void swarm_data(struct swarm *w, uint32_t conn, struct slice data)
{
    struct peer *p = slots_by_conn(w, conn);
    if (p != NULL) {
        messages_data(w, p, data);
    }
}

void swarm_closed(struct swarm *w, uint32_t conn, int result)
{
    struct peer *p = slots_by_conn(w, conn);
    if (p != NULL) {
        conns_close(w, p, false, result);
    }
}

void swarm_uploaded(struct swarm *w, const struct event *ev)
{
    struct peer *p = slots_by_conn(w, ev->conn);
    int err = upload_done(w, p, ev);
    if (p != NULL && err < 0) {
        conns_close(w, p, true, err);
    }
}

void swarm_announced(struct swarm *w, const struct event *ev)
{
    if (ev->result == 0) {
        conns_heard(w);
    }
    trackers_result(w, ev);
}

void swarm_scraped(struct swarm *w, const struct event *ev)
{
    trackers_scraped(w, ev);
}

void swarm_add_peer(struct swarm *w, const struct addr *a,
                    enum peer_source source, const struct peerset_entry *old)
{
    int64_t id = peerset_add(w->peerset, a, source);
    if (id < 0 || old == NULL) {
        return;
    }
    struct peerset_entry *e = peerset_get(w->peerset, (uint32_t)id);
    e->bytes_down = old->bytes_down;
    e->bytes_up = old->bytes_up;
    e->last_seen = old->last_seen;
    e->failures = old->failures;
    e->is_seed = old->is_seed;
    if (old->banned) {
        peerset_ban(w->peerset, e->id);
    }
}

int swarm_add_tracker(struct swarm *w, const char *url, uint32_t tier)
{
    uint32_t known = announce_count(w->announce);
    int at = announce_add(w->announce, url, tier);
    if (at >= 0 && (uint32_t)at == known &&
        announce_get(w->announce, known)->state == ANNOUNCE_UNSUPPORTED) {
        /* Nothing else will be told of it. */
        actions_fact(w->actions, FACT_TRACKER, 0, known);
    }
    return at;
}

/* --- outcomes of content --- */

/* It hears of a piece. Who is interested in us has something to ask for: the
 * news goes with the next message or tick, as one write for several pieces. */
static void swarm_put_have(struct swarm *w, struct peer *p, uint32_t piece)
{
    (void)peer_put_piece_idx(p, WIRE_HAVE, piece);
    if (!p->peer_interested) {
        slots_output(w, p);
    }
}

/* HAVE goes to all but seeds, also to who has it: a seed that shows one piece
 * after the other (BEP 16) shows us the next one only when it hears that we
 * have the last. Who has it may not be of interest any more; a seed is until
 * there is nothing left to fetch. */
void swarm_piece_verified(struct swarm *w, uint32_t piece)
{
    for (uint32_t i = 0; i < w->lacking.n; i++) {
        struct peer *p = w->lacking.list[i];
        if (p->wire.first_done) {
            swarm_put_have(w, p, piece);
        }
        if (p->am_interested && bits_get(&p->have.bits, piece)) {
            have_interest(w, p);
        }
    }
    if (!content_has_todo(w->content)) {
        swarm_wants_changed(w);
    }
}

void swarm_wants_changed(struct swarm *w)
{
    struct peer *p;
    SWARM_EACH_PEER(p, w)
    {
        if (p->phase == PEER_ACTIVE) {
            have_interest(w, p);
        }
    }
}

void swarm_ban(struct swarm *w, uint32_t peer, const char *why)
{
    conns_ban(w, peer, why);
}

void swarm_fill(struct swarm *w)
{
    request_fill_all(w);
}

void swarm_drop_requests(struct swarm *w)
{
    struct peer *p;
    SWARM_EACH_PEER(p, w)
    {
        request_drop_all(w, p, true);
    }
}

/* --- messages out --- */

bool swarm_next_send(struct swarm *w, struct action *out)
{
    swarm_take_back(w);
    while (w->output.n > 0) {
        struct peer *p = w->output.list[--w->output.n];
        p->wire.out_listed = false;
        if (p->phase != PEER_CLOSED && buf_len(&p->wire.out) > 0) {
            *out = (struct action){.type = ACTION_SEND, .conn = p->conn};
            out->data = buf_slice(&p->wire.out);
            w->output.sending = p;
            p->time.sent_ms = w->clock.now_ms;
            return true;
        }
    }
    return false;
}

/* Bytes that were sent go before anything is put behind them. */
void swarm_take_back(struct swarm *w)
{
    struct peer *p = w->output.sending;
    if (p != NULL) {
        buf_clear(&p->wire.out);
        buf_trim(&p->wire.out, PEER_KEEP_MEM);
        w->output.sending = NULL;
    }
}

/* --- facts --- */

uint64_t swarm_last_payload_ms(const struct swarm *w)
{
    return w->total.last_payload_ms;
}

void swarm_get_stats(const struct swarm *w, uint64_t now_ms,
                     struct swarm_stats *out)
{
    *out = (struct swarm_stats){
        .downloaded = w->total.downloaded,
        .uploaded = w->total.uploaded,
        .wasted = w->total.wasted,
        .peers = w->count.active,
        .seeds = w->count.seeds,
        .connecting = w->count.connecting,
        .last_payload_ms = w->total.last_payload_ms,
        .had_peer = w->total.had_peer,
    };
    totals_get(w, now_ms, &out->down_rate, &out->up_rate);
}

struct peerset *swarm_peerset(struct swarm *w)
{
    return w->peerset;
}

struct announce *swarm_trackers(struct swarm *w)
{
    return w->announce;
}

struct metadata *swarm_metadata(struct swarm *w)
{
    return w->extend.metadata;
}

bool swarm_peer_info(const struct swarm *w, uint32_t peer, uint64_t now_ms,
                     struct swarm_peer_info *out)
{
    const struct peer *p = slots_by_id(w, peer);
    if (p == NULL || p->phase != PEER_ACTIVE) {
        return false;
    }
    *out = (struct swarm_peer_info){
        .client = p->ext.said.client,
        .choking = p->peer_choking,
        .interested = p->peer_interested,
        .am_choking = p->am_choking,
        .am_interested = p->am_interested,
        .incoming = p->incoming,
        .is_seed = peer_is_seed(p),
        .down_rate = rate_get(&p->rate.down, now_ms),
        .up_rate = rate_get(&p->rate.up, now_ms),
    };
    return true;
}
