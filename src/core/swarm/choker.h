/* Whom to upload to: tit-for-tat with an optimistic unchoke (BEP 3, "Choking").
 * A function on an array: it owns only the optimistic choice and its time. */
#ifndef BTC_CORE_SWARM_CHOKER_H
#define BTC_CORE_SWARM_CHOKER_H

#include "base/rng.h"
#include <stdbool.h>
#include <stddef.h>

#define CHOKER_INTERVAL_MS   10000 /* rank again this often */
#define CHOKER_OPTIMISTIC_MS 30000 /* keep an optimistic unchoke this long */
#define CHOKER_NEW_PEER_MS   60000 /* younger peers: 3x as likely optimistic */
#define CHOKER_HOST_SLOTS    2

struct choker_peer {
    uint32_t id;
    uint64_t host;         /* addr_host: its connections share a part */
    bool interested;       /* in us */
    bool unchoked;         /* in: now; out: from now on */
    bool snubbed;          /* we wait for data that does not come */
    bool light;            /* unchoked, and hardly takes anything */
    uint64_t down_rate;    /* what it gives us, bytes/s */
    uint64_t up_rate;      /* what we give it, bytes/s */
    uint64_t connected_ms; /* when */
    uint64_t unchoked_ms;  /* since when, 0 = choked */
    uint64_t waiting_ms;   /* wants a slot since, 0 = has one or does not say */
};

struct choker {
    uint32_t optimistic;    /* peer id, UINT32_MAX = none */
    uint64_t optimistic_ms; /* since when */
};

void choker_init(struct choker *c);
/* Sets `unchoked` of each peer. While downloading, by down_rate with snubbed
 * peers last; while `seeding`, by up_rate with rotation, so that everybody gets
 * a turn. Only interested peers take slots; one slot is the optimistic one. A
 * light peer stays unchoked and takes none. A host has at most
 * CHOKER_HOST_SLOTS while those of others want one. */
void choker_run(struct choker *c, struct choker_peer *peers, size_t n,
                uint32_t slots, bool seeding, uint64_t now_ms, struct rng *rng);

#endif
