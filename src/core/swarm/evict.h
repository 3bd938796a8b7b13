/* Who makes room for whom; a part of internal.h. */
#ifndef BTC_CORE_SWARM_EVICT_H
#define BTC_CORE_SWARM_EVICT_H

#include "base/addr.h"

struct swarm;

void evict_idle(struct swarm *w);                            /* for others */
bool evict_make_room(struct swarm *w, const struct addr *a); /* for it */
void evict_twins(struct swarm *w); /* all but one of a client */

#endif
