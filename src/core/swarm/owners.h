/* Who owns suspect pieces; a part of internal.h. */
#ifndef BTC_CORE_SWARM_OWNERS_H
#define BTC_CORE_SWARM_OWNERS_H

struct swarm;

/* Some are suspect: each needs an owner that brings it. */
void owners_choose(struct swarm *w);

#endif
