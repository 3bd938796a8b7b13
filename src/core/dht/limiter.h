/* How much we answer: so many queries per second of a place and so many bytes
 * in all, so that nobody uses us to flood somebody else or to keep us busy.
 *
 * Places share a fixed number of buckets by their hash: two that meet in one
 * share its rate, and memory never grows.
 */
#ifndef BTC_CORE_DHT_LIMITER_H
#define BTC_CORE_DHT_LIMITER_H

#include "base/rate.h"
#include "core/dht/node_id.h"

#define DHT_LIMIT_PLACES    256
#define DHT_LIMIT_PER_PLACE 10     /* answers per second */
#define DHT_LIMIT_BYTES     32768u /* answered per second */

struct dht_limiter {
    uint64_t salt; /* nobody can tell whom he shares a bucket with */
    struct bucket bytes;
    struct bucket places[DHT_LIMIT_PLACES];
};

void dht_limiter_init(struct dht_limiter *l, uint64_t salt);
/* Whether a query of this address is answered. */
bool dht_limiter_admits(struct dht_limiter *l, const struct addr *from,
                        uint64_t now_ms);
/* So many bytes were answered. */
void dht_limiter_count(struct dht_limiter *l, size_t len);

#endif
