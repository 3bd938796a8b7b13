/* Announces to the local network; see lan.h. */
#include "core/lan/lan.h"

#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lan {
    struct rng *rng;         /* borrows */
    uint64_t salt;           /* nobody can tell whom he shares a counter with */
    struct lsd_announce out; /* gathered; its port is filled in later */
    uint64_t next_ms;        /* the next datagram may go */
    uint64_t window_ms;      /* the counters were set back */
    uint32_t heard[LAN_PLACES];
    uint32_t n_heard; /* of all */
};

struct lan *lan_new(struct rng *rng)
{
    struct lan *lan = mem_zalloc(sizeof(*lan));
    lan->rng = rng;
    lan->salt = rng_u64(rng);
    (void)snprintf(lan->out.cookie, sizeof(lan->out.cookie), "btc-%016llx",
                   (unsigned long long)rng_u64(rng));
    return lan;
}

void lan_free(struct lan *lan)
{
    free(lan);
}

/* --- announcing --- */

/* When it is announced again. */
static uint64_t lan_pause(struct lan *lan, const struct lan_turn *turn)
{
    if (turn->n < LAN_TRIES) {
        return (uint64_t)LAN_SOON_MS << (turn->n - 1);
    }
    return LAN_AGAIN_MS + rng_below(lan->rng, LAN_JITTER_MS);
}

void lan_offer(struct lan *lan, struct lan_turn *turn,
               const uint8_t info_hash[20], uint64_t now_ms)
{
    struct lsd_announce *out = &lan->out;
    if (now_ms < turn->at_ms || out->n_hashes == LSD_MAX_HASHES) {
        return;
    }
    memcpy(out->info_hash[out->n_hashes], info_hash, 20);
    out->n_hashes++;
    turn->n++;
    turn->last_ms = now_ms;
    turn->at_ms = now_ms + lan_pause(lan, turn);
}

bool lan_is_due(const struct lan *lan, uint64_t now_ms)
{
    return lan->out.n_hashes > 0 && now_ms >= lan->next_ms;
}

int lan_encode(const struct lan *lan, uint16_t port, bool v6, struct buf *out)
{
    struct lsd_announce a = lan->out;
    a.port = port;
    return lsd_encode(&a, v6, out);
}

void lan_sent(struct lan *lan, uint64_t now_ms)
{
    lan->out.n_hashes = 0;
    lan->next_ms = now_ms + LAN_GAP_MS;
}

bool lan_has_hope(const struct lan_turn *turn, uint64_t now_ms)
{
    return turn->n < LAN_TRIES ||
           (turn->n == LAN_TRIES && now_ms < turn->last_ms + LAN_ANSWER_MS);
}

/* --- hearing --- */

/* One counter for an address, whatever its port. */
static uint32_t *lan_counter(struct lan *lan, const struct addr *from)
{
    struct addr ip = *from;
    ip.port = 0;
    uint64_t mixed = (addr_hash(&ip) ^ lan->salt) * 0x9e3779b97f4a7c15ull;
    return &lan->heard[(mixed >> 32) % LAN_PLACES];
}

/* So many info hashes of this source are within what is heard. */
static bool lan_admits(struct lan *lan, const struct addr *from, uint32_t n,
                       uint64_t now_ms)
{
    if (now_ms >= lan->window_ms + LAN_WINDOW_MS) {
        memset(lan->heard, 0, sizeof(lan->heard));
        lan->n_heard = 0;
        lan->window_ms = now_ms;
    }
    uint32_t *counter = lan_counter(lan, from);
    if (n > LAN_PER_PLACE - *counter || n > LAN_PER_WINDOW - lan->n_heard) {
        return false;
    }
    *counter += n;
    lan->n_heard += n;
    return true;
}

bool lan_take(struct lan *lan, const struct addr *from, struct slice datagram,
              uint64_t now_ms, struct lsd_announce *out)
{
    return lsd_decode(datagram, out) == 0 &&
           strcmp(out->cookie, lan->out.cookie) != 0 &&
           lan_admits(lan, from, out->n_hashes, now_ms);
}
