/* Node ids and the places that nodes stand at.
 *
 * The distance of two ids is their exclusive or, read as a number (BEP 5). An
 * id fits an address when its first 21 bits follow from the address (BEP 42),
 * so that nobody can choose a place near an info hash at will. A place is what
 * one host has for itself: an IPv4 address, or the /64 of an IPv6 address.
 * Whoever holds one place counts once, however many ids it claims.
 */
#ifndef BTC_CORE_DHT_NODE_ID_H
#define BTC_CORE_DHT_NODE_ID_H

#include "base/rng.h"
#include "proto/krpc.h"

#define DHT_ID_LEN  KRPC_ID_LEN
#define DHT_ID_BITS 160u

/* Whom to ask, and the id that it should answer with, if that is known. */
struct dht_whom {
    struct addr addr;
    bool has_id;
    uint8_t id[DHT_ID_LEN];
};

/* A random id that fits the address; family NONE: any random id. */
void dht_id_generate(const struct addr *external, struct rng *rng,
                     uint8_t out[DHT_ID_LEN]);
/* Whether the id fits the address. Only public addresses can break the rule. */
bool dht_id_fits(const uint8_t id[DHT_ID_LEN], const struct addr *a);
/* Whether `a` is nearer to the target than `b`. */
bool dht_id_is_nearer(const uint8_t target[DHT_ID_LEN],
                      const uint8_t a[DHT_ID_LEN], const uint8_t b[DHT_ID_LEN]);
/* Leading bits that two ids share; DHT_ID_BITS when they are equal. */
uint32_t dht_id_shared_bits(const uint8_t a[DHT_ID_LEN],
                            const uint8_t b[DHT_ID_LEN]);
/* A random id that shares exactly `bits` leading bits with `id`, bits <
 * DHT_ID_BITS. */
void dht_id_random_at(const uint8_t id[DHT_ID_LEN], uint32_t bits,
                      struct rng *rng, uint8_t out[DHT_ID_LEN]);

/* The place of an address as one number. On loopback each port is a place of
 * its own: there, one host is a whole DHT of a test. */
uint64_t dht_place_of(const struct addr *a);
/* Whether `who` may lead us to `named`: a node of the internet names no private
 * address, and nobody names a loopback address unless `allow_local`. */
bool dht_place_is_nameable(const struct addr *named, const struct addr *who,
                           bool allow_local);

#endif
