/* Our address as others see it (BEP 42, `ip`): each place that answers us has
 * one vote, the last DHT_VOTES count, and more than half must agree.
 */
#ifndef BTC_CORE_DHT_VOTE_H
#define BTC_CORE_DHT_VOTE_H

#include "core/dht/node_id.h"

#define DHT_VOTES     32
#define DHT_VOTES_MIN 5 /* fewer elect nobody */

struct dht_ballot {
    uint64_t voter; /* dht_place_of */
    struct addr ip; /* port 0 */
};

struct dht_vote {
    struct dht_ballot ballots[DHT_VOTES];
    uint32_t n;
    uint32_t next;       /* the oldest, once all are used */
    struct addr elected; /* family NONE = nobody yet; port 0 */
};

void dht_vote_init(struct dht_vote *v);
/* Counts a vote; true when somebody else is elected now. */
bool dht_vote_add(struct dht_vote *v, const struct addr *voter,
                  const struct addr *ip);

#endif
