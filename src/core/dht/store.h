/* Peers that others announced to us (BEP 5).
 *
 * Bounded in every direction: peers of a hash, hashes, peers in all, and what
 * one place (an IPv4 address, an IPv6 /64) may announce. When there are too
 * many hashes, the one farthest from our id goes: others are responsible for
 * it. A peer that is not announced again expires after DHT_STORE_EXPIRY_MS.
 */
#ifndef BTC_CORE_DHT_STORE_H
#define BTC_CORE_DHT_STORE_H

#include "core/dht/node_id.h"

#define DHT_STORE_EXPIRY_MS   1800000u
#define DHT_STORE_HASHES      2000
#define DHT_STORE_HASH_PEERS  200   /* of one hash */
#define DHT_STORE_PLACE_PORTS 3     /* of one place below one hash */
#define DHT_STORE_PLACE_PEERS 100   /* of one place in all */
#define DHT_STORE_PEERS       20000 /* in all */

struct dht_store; /* opaque */

struct dht_store *dht_store_new(void);
void dht_store_free(struct dht_store *s); /* NULL allowed */
/* A peer announced itself. False when a limit keeps it out. `own` is our id in
 * the family of the peer. */
bool dht_store_put(struct dht_store *s, const uint8_t own[DHT_ID_LEN],
                   const uint8_t info_hash[DHT_ID_LEN], const struct addr *peer,
                   uint64_t now_ms);
/* Peers of a hash in one family: at most `max`, a random run of them. */
size_t dht_store_get(const struct dht_store *s,
                     const uint8_t info_hash[DHT_ID_LEN],
                     enum addr_family family, struct rng *rng, struct addr *out,
                     size_t max);
void dht_store_expire(struct dht_store *s, uint64_t now_ms);
/* For tests: how many peers are kept, and of how many hashes. */
size_t dht_store_count(const struct dht_store *s);
size_t dht_store_count_hashes(const struct dht_store *s);

#endif
