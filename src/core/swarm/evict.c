/* Who makes room for whom when all places are taken.
 *
 * A place costs an attacker one connection, so a crowd that says nothing could
 * take them all and keep the one seed, or every leecher, out for ever. Two
 * rules against that: among those that come to us, no IP may keep others out by
 * its number; and those that have been of no use for a while go.
 */
#include "base/err.h"
#include "core/swarm/internal.h"

#define EVICT_RATE  256   /* bytes/s: fewer are of no use */
#define EVICT_MS    30000 /* a peer may be of no use for so long */
#define EVICT_LOOKS 16    /* victims compared per newcomer: bounds its cost */

/* Next to nothing moves either way. */
static bool evict_is_idle(const struct swarm *w, const struct peer *p)
{
    return p->phase != PEER_CONNECTING &&
           rate_get(&p->down, w->clock.now_ms) < EVICT_RATE &&
           rate_get(&p->up_rate, w->clock.now_ms) < EVICT_RATE;
}

/* All places are taken and others could be dialled: up to a quarter, those that
 * have been of no use for a while, make room, else a crowd of silent peers
 * would keep the one seed out for ever. */
void evict_idle(struct swarm *w)
{
    uint32_t left = w->count.max / 4 + 1;
    if (w->mode != SWARM_DOWNLOADING || w->count.peers < w->count.max ||
        peerset_deadline(w->peerset, false) > w->clock.now_ms) {
        return;
    }
    struct peer *p;
    SWARM_EACH_PEER(p, w)
    {
        if (left > 0 && p->phase == PEER_ACTIVE &&
            w->clock.now_ms - p->active_ms > EVICT_MS && evict_is_idle(w, p)) {
            conns_close(w, p, true, BTC_E_TIMEOUT);
            left--;
        }
    }
}

/* Connections of an IP. */
static uint32_t evict_count_ip(const struct swarm *w, const struct addr *a)
{
    uint32_t n = 0;
    const struct peer *p;
    SWARM_EACH_PEER(p, w)
    {
        n += addr_eq_ip(&p->addr, a) ? 1 : 0;
    }
    return n;
}

/* Of some idle peers, from a random one on, the one whose IP has most places:
 * more than the newcomer's will have, or it has been idle for long. */
static struct peer *evict_find_victim(struct swarm *w, const struct addr *a)
{
    uint32_t most = evict_count_ip(w, a) + 1;
    uint32_t start = rng_below(w->shared->rng, w->slots.n);
    struct peer *victim = NULL;
    for (uint32_t i = 0, looks = 0; i < w->slots.n && looks < EVICT_LOOKS;
         i++) {
        struct peer *p = w->slots.peer[(start + i) % w->slots.n];
        if (p == NULL || p->phase == PEER_CLOSED || !evict_is_idle(w, p)) {
            continue;
        }
        looks++;
        bool old = w->clock.now_ms - p->opened_ms > EVICT_MS;
        uint32_t n = evict_count_ip(w, &p->addr);
        if (n > most || (old && victim == NULL)) {
            victim = p;
            most = n > most ? n : most;
        }
    }
    return victim;
}

bool evict_make_room(struct swarm *w, const struct addr *a)
{
    if (w->count.peers < w->count.max) {
        return true;
    }
    struct peer *victim = evict_find_victim(w, a);
    if (victim == NULL) {
        return false;
    }
    conns_close(w, victim, true, BTC_E_CANCELLED);
    return true;
}
