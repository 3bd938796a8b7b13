/* Hosts that had a place and were of no use: they called, and until their
 * connection ended no payload went either way. They are let in again while
 * there are places to spare, and replace nobody; else a crowd that calls again
 * and again would have each place that becomes free before somebody better
 * calls.
 *
 * A fixed number of hosts is remembered; of two that meet in one entry the
 * later one is. Forgetting one costs a place for a while, no more. IPv6: a host
 * is a /64. */
#ifndef BTC_CORE_SWARM_IDLERS_H
#define BTC_CORE_SWARM_IDLERS_H

#include "base/addr.h"

#define IDLERS_MAX 512
#define IDLERS_MS  600000 /* remembered for so long */

struct idler {
    uint64_t host; /* 0 = nobody */
    uint64_t at_ms;
};

/* Zeroed, it knows nobody. */
struct idlers {
    struct idler list[IDLERS_MAX];
};

void idlers_note(struct idlers *l, const struct addr *a, uint64_t now_ms);
bool idlers_has(const struct idlers *l, const struct addr *a, uint64_t now_ms);

#endif
