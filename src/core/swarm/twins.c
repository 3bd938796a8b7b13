/* One client, several connections: which are the same client, which is worth
 * most. A client says the same peer id in each of its connections.
 *
 * Anybody can say anybody's id, though, also behind the same IP (a carrier's
 * NAT, a /64). Of two connections of one host one has to go; twins_judge says
 * which, so that nobody who brings nothing stands for another one for ever, and
 * nobody who calls throws out one that works. Now and then a caller may show
 * that it brings more than the one that is there. Of connections of several
 * hosts none is turned away: that may be one client with several addresses, or
 * one and a thief that says its id, and nobody can tell which is which. What
 * they bring tells which is worth more: of those that we have dialled all but
 * the best go after a while (evict.c). Then their addresses wait as long as it
 * answers, and no thief keeps an honest peer out by an id.
 */
#include "core/swarm/internal.h"

#include <string.h>

#define TWINS_MS          30000  /* they are compared after so long */
#define TWINS_TOGETHER_MS 5000   /* no longer are two dials under way at once */
#define TWINS_RATE        256    /* bytes/s: fewer show nothing */
#define TWINS_AGAIN_MS    600000 /* a caller is compared with it this often */

/* Of the same client, or of a thief of its id. */
static bool twins_are(const struct peer *p, const struct peer *q)
{
    return p != q && q->phase == PEER_ACTIVE &&
           memcmp(q->peer_id, p->peer_id, sizeof q->peer_id) == 0;
}

struct peer *twins_find(const struct swarm *w, const struct peer *p,
                        bool same_host)
{
    struct peer *q;
    SWARM_EACH_PEER(q, w)
    {
        if (twins_are(p, q) && addr_eq_host(&q->addr, &p->addr) == same_host) {
            return q;
        }
    }
    return NULL;
}

bool twins_is_spent(const struct swarm *w, const struct peer *p)
{
    return w->clock.now_ms - p->time.active_ms >= TWINS_MS &&
           peer_payload_rate(p, w->clock.now_ms) < TWINS_RATE;
}

/* The caller may show what it brings: the other one has had its time, and there
 * is no third. */
static bool twins_may_show(const struct swarm *w, const struct peer *twin)
{
    uint64_t now_ms = w->clock.now_ms;
    return now_ms - twin->time.active_ms >= TWINS_MS &&
           (twin->time.rival_ms == 0 ||
            now_ms - twin->time.rival_ms >= TWINS_AGAIN_MS) &&
           twins_find(w, twin, true) == NULL;
}

/* Two that dialled each other at the same time have moved nothing yet: both
 * sides keep what the client with the greater peer id has dialled. Else who
 * calls throws nobody out; what we dial may show what it brings, for it is at
 * another address than those that we dialled before, and who called us may have
 * lied. A caller may do so now and then. */
enum twins_stays twins_judge(const struct swarm *w, const struct peer *twin,
                             const struct peer *p)
{
    bool moved = twin->rate.down.total + twin->rate.up.total > 0;
    bool young = w->clock.now_ms - twin->time.active_ms < TWINS_TOGETHER_MS;
    bool greater = memcmp(w->shared->peer_id, p->peer_id, 20) > 0;
    if (twins_is_spent(w, twin)) {
        return TWINS_NEW;
    }
    if (young && !moved && twin->incoming != p->incoming) {
        return p->incoming != greater ? TWINS_NEW : TWINS_OLD;
    }
    return p->incoming && !twins_may_show(w, twin) ? TWINS_OLD : TWINS_BOTH;
}

/* It brings more; of equals the older one does. */
static bool twins_is_better(const struct swarm *w, const struct peer *a,
                            const struct peer *b)
{
    uint64_t ra = peer_payload_rate(a, w->clock.now_ms);
    uint64_t rb = peer_payload_rate(b, w->clock.now_ms);
    if (ra != rb) {
        return ra > rb;
    }
    return a->time.active_ms < b->time.active_ms ||
           (a->time.active_ms == b->time.active_ms && a->id < b->id);
}

const struct peer *twins_best(const struct swarm *w, const struct peer *p)
{
    const struct peer *best = NULL;
    struct peer *q;
    SWARM_EACH_PEER(q, w)
    {
        if (twins_are(p, q) && (best == NULL || twins_is_better(w, q, best))) {
            best = q;
        }
    }
    return best;
}

/* It has had its time, and was not kept from showing what it brings. */
static bool twins_is_tried(const struct swarm *w, const struct peer *p)
{
    return p->phase == PEER_ACTIVE && p->has_twin &&
           w->clock.now_ms - p->time.active_ms >= TWINS_MS &&
           (w->mode == SWARM_SEEDING ? !p->am_choking || !p->peer_interested
                                     : !p->peer_choking);
}

bool twins_is_beaten(const struct swarm *w, const struct peer *p)
{
    const struct peer *best = twins_best(w, p);
    if (best == NULL || !twins_is_tried(w, p) || !twins_is_tried(w, best)) {
        return false;
    }
    return (!p->incoming || addr_eq_host(&best->addr, &p->addr)) &&
           twins_is_better(w, best, p) &&
           peer_payload_rate(best, w->clock.now_ms) >= TWINS_RATE;
}
