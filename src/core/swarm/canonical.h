/* BEP 40: a number for each pair of peers on which both agree. Who has no room
 * for everybody prefers the higher number; since each of us then prefers
 * others, a newcomer finds a place somewhere, and a crowd that calls all of us
 * gains no more places than its share.
 */
#ifndef BTC_CORE_SWARM_CANONICAL_H
#define BTC_CORE_SWARM_CANONICAL_H

#include "base/addr.h"

/* The same for (a, b) and (b, a); 0 when they are not of one family. */
uint32_t canonical_priority(const struct addr *a, const struct addr *b);

#endif
