/* Connections begin and end here: dialling, those that come to us, closing with
 * all that hangs on it, bans.
 *
 * A peer that breaks the protocol is closed; that is never an error of ours.
 */
#include "base/err.h"
#include "base/log.h"
#include "core/swarm/internal.h"
#include "core/swarm/outcome.h"
#include "model/names.h"

#define CONNS_HURRY_MS   5000 /* for a connection, and for its handshake */
#define CONNS_SILENCE_MS 3000 /* nothing heard for so long: an outage? */

/* Our address as peers see it, with the port at which they reach us. */
static struct addr conns_own(const struct swarm *w, const struct vote *v)
{
    struct addr own = v->elected;
    if (own.family != ADDR_NONE) {
        own.port = w->shared->port;
    }
    return own;
}

/* Dials while there is room. */
void conns_dial(struct swarm *w)
{
    bool seeding = w->mode == SWARM_SEEDING;
    struct addr own4 = conns_own(w, &w->shared->own4);
    struct addr own6 = conns_own(w, &w->shared->own6);
    if (w->mode == SWARM_OFF || w->mode == SWARM_BROKEN) {
        return;
    }
    peerset_set_own(w->peerset, &own4, &own6);
    while (w->count.peers < w->count.max &&
           w->count.connecting < CONNS_CONNECTING) {
        uint32_t id = peerset_next(w->peerset, seeding, w->clock.now_ms);
        if (id == PEERSET_NONE) {
            return;
        }
        const struct peerset_entry *e = peerset_get(w->peerset, id);
        struct peer *p = slots_open(w, id, &e->addr, false);
        struct action *a = actions_push(w->actions, ACTION_CONNECT);
        a->conn = p->conn;
        a->addr = e->addr;
    }
}

uint32_t conns_take(struct swarm *w, const struct addr *a)
{
    int64_t id = peerset_add_incoming(w->peerset, a);
    if (id < 0) {
        return 0;
    }
    peerset_get(w->peerset, (uint32_t)id)->state = PEERSET_CONNECTING;
    return slots_open(w, (uint32_t)id, a, true)->conn;
}

/* Somebody who was not tried yet waits for those that we dial. */
bool conns_is_queue(struct swarm *w)
{
    return (w->count.connecting >= CONNS_CONNECTING ||
            w->count.peers >= w->count.max) &&
           peerset_deadline(w->peerset, w->mode == SWARM_SEEDING) <=
               w->clock.now_ms &&
           peerset_is_fresh(w->peerset, w->clock.now_ms);
}

/* No handshake has come in time. An address costs nobody anything, so thousands
 * of dead ones may stand before the one that lives: while others wait that were
 * not tried yet, nobody whom we dialled has long. */
bool conns_is_mute(const struct swarm *w, const struct peer *p)
{
    uint64_t age = w->clock.now_ms - p->time.opened_ms;
    if (!p->incoming && w->count.is_queue && age > CONNS_HURRY_MS) {
        return true;
    }
    /* Connecting has its own time-out. */
    return p->phase == PEER_HANDSHAKE && age > PEER_HANDSHAKE_MS;
}

/* --- the end of a connection --- */

/* How it ended, for people. */
static void conns_note(struct swarm *w, const struct peer *p, int result)
{
    const char *what = outcome_of_end(p, result);
    if (what != NULL) {
        peerset_note(w->peerset, p->id, what, w->clock.unix_now);
    }
}

/* It is our own side that fails: there is no route, or nothing at all was heard
 * from the network since it was dialled or spoke last. Nobody is blamed then:
 * after an outage all would have to wait for half an hour. */
static bool conns_is_ours(const struct swarm *w, const struct peer *p,
                          int result)
{
    uint64_t since =
        p->phase == PEER_CONNECTING ? p->time.opened_ms : p->time.recv_ms;
    if (result == BTC_E_LIMIT) {
        return true;
    }
    return (result == BTC_E_NETWORK || result == BTC_E_TIMEOUT) &&
           w->clock.heard_ms <= since &&
           w->clock.now_ms - w->clock.heard_ms >= CONNS_SILENCE_MS;
}

/* Its client is connected by another address, and stays so. */
static void conns_record_twin(struct swarm *w, const struct peer *p)
{
    const struct peer *twin = twins_best(w, p);
    uint32_t id = twin != NULL ? twin->id : PEERSET_NONE;
    peerset_on_twin(w->peerset, p->id, id, w->clock.now_ms);
}

/* No handshake came of it. */
static void conns_record_failure(struct swarm *w, const struct peer *p,
                                 int result)
{
    if (result == BTC_E_REFUSED) {
        conns_heard(w);
    }
    if (result == BTC_E_EXISTS) {
        conns_record_twin(w, p);
    } else if (conns_is_ours(w, p, result)) {
        peerset_on_unreachable(w->peerset, p->id, result != BTC_E_TIMEOUT,
                               w->clock.now_ms);
    } else {
        peerset_on_failed(w->peerset, p->id, w->clock.now_ms);
    }
}

/* What the peerset learns from the end of a connection. */
static void conns_record(struct swarm *w, struct peer *p, int result)
{
    if (p->phase == PEER_ACTIVE) {
        w->count.active--;
        if (peer_is_seed(p)) {
            w->count.seeds--;
        }
        bool blameless = p->record.was_useful || conns_is_ours(w, p, result);
        peerset_on_closed(w->peerset, p->id, blameless, w->clock.now_ms);
        if (result == BTC_E_EXISTS) {
            conns_record_twin(w, p);
        }
        struct peerset_entry *e = peerset_get(w->peerset, p->id);
        if (e != NULL) {
            e->last_seen = w->clock.unix_now;
        }
    } else {
        if (!p->incoming) {
            w->count.connecting--;
        }
        conns_record_failure(w, p, result);
    }
}

void conns_heard(struct swarm *w)
{
    if (w->clock.now_ms - w->clock.heard_ms >= CONNS_SILENCE_MS) {
        peerset_forgive(w->peerset, w->clock.now_ms);
    }
    w->clock.heard_ms = w->clock.now_ms;
}

/* It called, had a place, and nothing came of it. A second connection of a peer
 * that we have says nothing about it. */
static void conns_note_idler(struct swarm *w, const struct peer *p, int result)
{
    bool moved = p->rate.up.total > 0 || p->rate.down.total > 0;
    if (p->incoming && !moved && result != BTC_E_EXISTS &&
        w->mode != SWARM_OFF) {
        idlers_note(&w->shared->idlers, &p->addr, w->clock.now_ms);
    }
}

void conns_close(struct swarm *w, struct peer *p, bool tell, int result)
{
    if (p->phase == PEER_CLOSED) {
        return;
    }
    request_drop_all(w, p, false);
    request_block_abandon(w, p);
    if (p->have.counted) {
        content_peer_left(w->content, &p->have.bits);
        p->have.counted = false;
    }
    have_forget_early(w, p);
    extend_closed(w, p);
    conns_note(w, p, result);
    conns_record(w, p, result);
    conns_note_idler(w, p, result);
    char text[ADDR_TEXT_MAX];
    addr_format(&p->addr, text);
    log_write(LOG_DEBUG, "peer", "%s: %s", text, err_text(result));
    /* Its record, for the next run. A seed that dials in vain writes nothing.
     */
    if (p->phase == PEER_ACTIVE || w->mode == SWARM_DOWNLOADING) {
        actions_fact(w->actions, FACT_PEER, 0, p->id);
    }
    slots_close(w, p);
    if (w->content != NULL) {
        content_wake(w->content);
    }
    if (tell) {
        actions_push(w->actions, ACTION_CLOSE)->conn = p->conn;
    }
}

/* Content's blocks of this origin came from a banned address. */
static bool conns_is_bad(const void *ctx, uint32_t peer)
{
    const struct swarm *w = ctx;
    const struct peerset_entry *e = peerset_get(w->peerset, peer);
    return e != NULL && e->banned;
}

/* Nobody of its IP is dialled or let in again; what it sent for pieces that are
 * not complete goes. */
void conns_ban(struct swarm *w, uint32_t id, const char *why)
{
    struct peerset_entry *e = peerset_get(w->peerset, id);
    if (e == NULL || e->banned) {
        return;
    }
    char text[ADDR_TEXT_MAX];
    addr_format(&e->addr, text);
    peerset_ban(w->peerset, id);
    actions_event(w->actions, LEVEL_WARN, "ban", "%s is banned: %s", text, why);
    actions_fact(w->actions, FACT_PEER, 0, id);
    struct peer *p;
    SWARM_EACH_PEER(p, w)
    {
        if (p->id == id || peerset_is_banned(w->peerset, &p->addr)) {
            conns_close(w, p, true, BTC_E_PROTO);
        }
    }
    peerset_note(w->peerset, id, why, w->clock.unix_now);
    if (w->content != NULL) {
        content_purge(w->content, conns_is_bad, w);
    }
}
