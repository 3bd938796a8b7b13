/* Who makes room for whom when all places are taken.
 *
 * A place costs an attacker one connection, so a crowd that says nothing could
 * take them all and keep the one seed, or every leecher, out for ever. Two
 * rules against that: among those that come to us, no IP may keep others out by
 * its number; and those that have been of no use for a while go.
 */
#include "base/err.h"
#include "core/torrent/internal.h"

#define ROOM_LOOKS 16 /* victims compared per newcomer: bounds its cost */

/* Next to nothing moves either way. */
static bool torrent_is_idle_peer(const struct torrent *t, const struct peer *p)
{
    return p->phase != PEER_CONNECTING &&
           rate_get(&p->down, t->now_ms) < TORRENT_EVICT_RATE &&
           rate_get(&p->up_rate, t->now_ms) < TORRENT_EVICT_RATE;
}

/* All places are taken and others could be dialled: up to a quarter, those that
 * have been of no use for a while, make room, else a crowd of silent peers
 * would keep the one seed out for ever. */
void torrent_peer_evict(struct torrent *t)
{
    uint32_t left = t->max_peers / 4 + 1;
    if (t->state != TORRENT_DOWNLOADING || t->n_peers < t->max_peers ||
        peerset_deadline(t->peerset, false) > t->now_ms) {
        return;
    }
    struct peer *p;
    TORRENT_EACH_PEER(p, t)
    {
        if (left > 0 && p->phase == PEER_ACTIVE &&
            t->now_ms - p->active_ms > TORRENT_EVICT_MS &&
            torrent_is_idle_peer(t, p)) {
            torrent_peer_close(t, p, true, BTC_E_TIMEOUT);
            left--;
        }
    }
}

/* Connections of an IP. */
static uint32_t torrent_count_ip(const struct torrent *t, const struct addr *a)
{
    uint32_t n = 0;
    const struct peer *p;
    TORRENT_EACH_PEER(p, t)
    {
        n += addr_eq_ip(&p->addr, a) ? 1 : 0;
    }
    return n;
}

/* Of some idle peers, from a random one on, the one whose IP has most places:
 * more than the newcomer's will have, or it has been idle for long. */
static struct peer *torrent_find_victim(struct torrent *t, const struct addr *a)
{
    uint32_t most = torrent_count_ip(t, a) + 1;
    uint32_t start = rng_below(t->shared->rng, t->n_slots);
    struct peer *victim = NULL;
    for (uint32_t i = 0, looks = 0; i < t->n_slots && looks < ROOM_LOOKS; i++) {
        struct peer *p = t->slots[(start + i) % t->n_slots];
        if (p == NULL || p->phase == PEER_CLOSED ||
            !torrent_is_idle_peer(t, p)) {
            continue;
        }
        looks++;
        bool old = t->now_ms - p->opened_ms > TORRENT_EVICT_MS;
        uint32_t n = torrent_count_ip(t, &p->addr);
        if (n > most || (old && victim == NULL)) {
            victim = p;
            most = n > most ? n : most;
        }
    }
    return victim;
}

bool torrent_make_room(struct torrent *t, const struct addr *a)
{
    if (t->n_peers < t->max_peers) {
        return true;
    }
    struct peer *victim = torrent_find_victim(t, a);
    if (victim == NULL) {
        return false;
    }
    torrent_peer_close(t, victim, true, BTC_E_CANCELLED);
    return true;
}

uint32_t torrent_new_conn(struct torrent *t, const struct addr *a,
                          uint64_t now_ms)
{
    t->now_ms = now_ms;
    if (!t->running || t->check_only || t->state == TORRENT_STOPPING ||
        peerset_is_banned(t->peerset, a) || !torrent_make_room(t, a)) {
        return 0;
    }
    int64_t id = peerset_add_incoming(t->peerset, a);
    if (id < 0) {
        return 0;
    }
    struct peerset_entry *e = peerset_get(t->peerset, (uint32_t)id);
    e->state = PEERSET_CONNECTING;
    return torrent_peer_open(t, (uint32_t)id, a, true)->conn;
}
