/* Who makes room for whom when all places are taken.
 *
 * A place costs an attacker one connection, so a crowd that says nothing, or
 * next to nothing, could take them all and keep the one seed, or every leecher,
 * out for ever. Four rules against that. No host may keep others out by its
 * number: while it has more than its part of the places, it is one of its own
 * that goes for a newcomer of another host. Whoever has been of no use for a
 * while goes. And of those that were there for a while the slowest one goes
 * now and then, when it is slow beside the others. Where all are quick, the
 * canonical priority decides (BEP 40).
 *
 * A place is worth something only if somebody better may get it: those that
 * were tried before and brought nothing replace others once a minute only, and
 * who called before for nothing (idlers.h) replaces nobody and finds the last
 * places taken.
 */
#include "base/err.h"
#include "base/num.h"
#include "core/swarm/internal.h"

#define EVICT_RATE      256   /* bytes/s: fewer are of no use */
#define EVICT_SLOW_RATE 2048  /* bytes/s: fewer are slow beside anybody */
#define EVICT_MS        30000 /* a peer may be of no use for so long ... */
#define EVICT_SERVED_MS 10000 /* ... or so long, when it could be served */
#define EVICT_TURN_MS   10000 /* a slow one goes this often at most */
#define EVICT_AGAIN_MS  60000 /* somebody goes for one that was tried before */
#define EVICT_LOOKS     16 /* victims compared per newcomer: bounds its cost */
#define EVICT_HOST_PART 8  /* a host may have this part of the places */
#define EVICT_LAST_PART 8  /* this part is not for idlers */

/* Next to nothing moves either way. */
static bool evict_is_idle(const struct swarm *w, const struct peer *p)
{
    return p->phase != PEER_CONNECTING &&
           rate_get(&p->rate.down, w->clock.now_ms) < EVICT_RATE &&
           rate_get(&p->rate.up, w->clock.now_ms) < EVICT_RATE;
}

/* It has had its time to be of use. While a magnet's metadata comes nobody can
 * be of use, so that time does not count. */
static bool evict_is_old(const struct swarm *w, const struct peer *p)
{
    uint64_t since = num_max_u64(p->time.opened_ms, w->extend.learned_ms);
    return w->clock.now_ms - since > EVICT_MS;
}

/* It moves next to nothing, and nobody but itself is to blame for it: there was
 * time, or it can have whatever it asks a seed for. */
static bool evict_is_useless(const struct swarm *w, const struct peer *p)
{
    uint64_t since = num_max_u64(p->time.opened_ms, p->slot.unchoked_ms);
    if (!evict_is_idle(w, p)) {
        return false;
    }
    if (w->mode == SWARM_SEEDING && (!p->am_choking || !p->peer_interested) &&
        w->clock.now_ms - since > EVICT_SERVED_MS) {
        return true;
    }
    return evict_is_old(w, p);
}

/* Connections of a host. */
static uint32_t evict_count_host(const struct swarm *w, const struct addr *a)
{
    uint32_t n = 0;
    const struct peer *p;
    SWARM_EACH_PEER(p, w)
    {
        if (addr_eq_host(&p->addr, a)) {
            n++;
        }
    }
    return n;
}

/* The part of the places that one host may have. */
static uint32_t evict_host_part(const struct swarm *w)
{
    return (uint32_t)num_max(w->count.max / EVICT_HOST_PART, 2);
}

/* The last one of those that do something went a short while ago. */
static bool evict_is_soon(const struct swarm *w)
{
    return w->evict.slow_ms != 0 &&
           w->clock.now_ms - w->evict.slow_ms < EVICT_TURN_MS;
}

/* The slowest of those that were there for a while; NULL: it is as fast as
 * others, or it is too soon. */
static struct peer *evict_find_slow(struct swarm *w)
{
    uint64_t least = UINT64_MAX, sum = 0, n = 0;
    struct peer *p, *slowest = NULL;
    SWARM_EACH_PEER(p, w)
    {
        uint64_t rate = peer_payload_rate(p, w->clock.now_ms);
        if (p->phase == PEER_CONNECTING) {
            continue;
        }
        sum += rate;
        n++;
        if (rate < least && evict_is_old(w, p)) {
            least = rate;
            slowest = p;
        }
    }
    if (slowest == NULL || evict_is_soon(w) ||
        least >= num_max(sum / n / 4, EVICT_SLOW_RATE)) {
        return NULL;
    }
    return slowest;
}

/* A slow one goes; the next one not before the turn is over. */
static struct peer *evict_take_slow(struct swarm *w)
{
    struct peer *p = evict_find_slow(w);
    if (p != NULL) {
        w->evict.slow_ms = w->clock.now_ms;
    }
    return p;
}

/* Of some peers that may go for a newcomer, from a random one on, the one whose
 * host has most places: more than the newcomer's will have, and it is idle or
 * its host has more than its part. Else one that has been idle for long, unless
 * the newcomer is an idler, too. */
static struct peer *evict_find_victim(struct swarm *w, const struct addr *a,
                                      bool is_idler)
{
    uint32_t most = evict_count_host(w, a) + 1;
    uint32_t part = evict_host_part(w);
    uint32_t start = rng_below(w->shared->rng, w->slots.n);
    struct peer *victim = NULL;
    for (uint32_t i = 0, looks = 0; i < w->slots.n && looks < EVICT_LOOKS;
         i++) {
        struct peer *p = w->slots.peer[(start + i) % w->slots.n];
        if (p == NULL || p->phase == PEER_CLOSED ||
            p->phase == PEER_CONNECTING) {
            continue;
        }
        looks++;
        bool idle = evict_is_idle(w, p);
        uint32_t n = evict_count_host(w, &p->addr);
        if (n > most && (idle || n > part)) {
            victim = p;
            most = n;
        } else if (victim == NULL && !is_idler && evict_is_useless(w, p)) {
            victim = p;
        }
    }
    return victim;
}

/* Nobody is idle or slow. Of those that have had their time and are not quicker
 * than most the one of the lowest canonical priority (BEP 40) goes for one of a
 * higher one, now and then; else whoever came first would keep his place for
 * ever, and a newcomer would find none anywhere. */
static struct peer *evict_take_lower(struct swarm *w, const struct addr *a)
{
    uint32_t least = peerset_priority(w->peerset, a);
    uint64_t sum = 0, n = 0;
    struct peer *p, *lowest = NULL;
    if (least == 0 || evict_is_soon(w)) {
        return NULL;
    }
    SWARM_EACH_PEER(p, w)
    {
        sum += peer_payload_rate(p, w->clock.now_ms);
        n++;
    }
    SWARM_EACH_PEER(p, w)
    {
        uint32_t priority = peerset_priority(w->peerset, &p->addr);
        if (p->phase == PEER_ACTIVE && evict_is_old(w, p) &&
            peer_payload_rate(p, w->clock.now_ms) <= sum / n &&
            priority < least) {
            least = priority;
            lowest = p;
        }
    }
    if (lowest != NULL) {
        w->evict.slow_ms = w->clock.now_ms;
    }
    return lowest;
}

/* Every second place that somebody leaves for a caller goes to an address that
 * was not tried yet: else a few who call in turn would keep it for ever. */
static bool evict_is_dials_turn(struct swarm *w)
{
    if (w->mode != SWARM_DOWNLOADING ||
        peerset_deadline(w->peerset, false) > w->clock.now_ms ||
        !peerset_is_fresh(w->peerset, w->clock.now_ms)) {
        return false;
    }
    w->evict.dialled = !w->evict.dialled;
    return w->evict.dialled;
}

bool evict_make_room(struct swarm *w, const struct addr *a)
{
    bool is_idler = idlers_has(&w->shared->idlers, a, w->clock.now_ms);
    uint32_t last = is_idler ? w->count.max / EVICT_LAST_PART : 0;
    if (w->count.peers < w->count.max - last) {
        return true;
    }
    struct peer *victim = evict_find_victim(w, a, is_idler);
    if (victim == NULL && !is_idler) {
        victim = evict_take_slow(w);
    }
    if (victim == NULL && !is_idler) {
        victim = evict_take_lower(w, a);
    }
    if (victim == NULL) {
        return false;
    }
    conns_close(w, victim, true, BTC_E_CANCELLED);
    if (evict_is_dials_turn(w)) {
        conns_dial(w);
    }
    return w->count.peers < w->count.max;
}

/* --- for those that could be dialled --- */

/* How many may go for the next one that could be dialled. */
static uint32_t evict_quota(struct swarm *w)
{
    if (peerset_is_fresh(w->peerset, w->clock.now_ms)) {
        return w->count.max / 4 + 1;
    }
    if (w->evict.again_ms != 0 &&
        w->clock.now_ms - w->evict.again_ms < EVICT_AGAIN_MS) {
        return 0;
    }
    w->evict.again_ms = w->clock.now_ms;
    return 1;
}

/* It came to us, and its host has more than its part. */
static bool evict_is_crowd(const struct swarm *w, const struct peer *p)
{
    return p->incoming && evict_count_host(w, &p->addr) > evict_host_part(w);
}

/* All places are taken and others could be dialled: up to a quarter, those that
 * have been of no use for a while, make room, else a crowd of silent peers
 * would keep the one seed out for ever. */
void evict_idle(struct swarm *w)
{
    if (w->mode != SWARM_DOWNLOADING || w->count.peers < w->count.max ||
        peerset_deadline(w->peerset, false) > w->clock.now_ms) {
        return;
    }
    uint32_t left = evict_quota(w);
    uint32_t had = w->count.peers;
    struct peer *p;
    SWARM_EACH_PEER(p, w)
    {
        if (left > 0 && p->phase == PEER_ACTIVE && evict_is_old(w, p) &&
            (evict_is_idle(w, p) || evict_is_crowd(w, p))) {
            conns_close(w, p, true, BTC_E_TIMEOUT);
            left--;
        }
    }
    if (left > 0 && w->count.peers == had) {
        p = evict_take_slow(w);
        if (p != NULL) {
            conns_close(w, p, true, BTC_E_TIMEOUT);
        }
    }
}

void evict_twins(struct swarm *w)
{
    struct peer *p;
    SWARM_EACH_PEER(p, w)
    {
        if (p->has_twin &&
            (p->window.snubbed ||
             (w->mode == SWARM_DOWNLOADING && twins_is_spent(w, p)))) {
            peerset_free_twins(w->peerset, p->id, w->clock.now_ms);
        }
        if (twins_is_beaten(w, p)) {
            conns_close(w, p, true, BTC_E_EXISTS);
        }
    }
}
