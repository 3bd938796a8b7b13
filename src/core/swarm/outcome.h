/* How a connection ended, in words for a person. All texts are literals, about
 * "it", the peer. */
#ifndef BTC_CORE_SWARM_OUTCOME_H
#define BTC_CORE_SWARM_OUTCOME_H

#include "core/swarm/peer.h"

/* The rule that a message broke: what is wrong with it, of its type. */
const char *outcome_of_message(enum wire_type type);
/* Bytes that are no message. */
const char *outcome_of_garbage(const struct peer *p);
/* A connection that ends with this result, 0 or BTC_E_*; NULL when there is
 * nothing to tell, as the torrent stops. */
const char *outcome_of_end(const struct peer *p, int result);

#endif
