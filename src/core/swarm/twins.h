/* Connections of one client; a part of internal.h. */
#ifndef BTC_CORE_SWARM_TWINS_H
#define BTC_CORE_SWARM_TWINS_H

#include "core/swarm/peer.h"

struct swarm;

/* Which of two connections of one host stays. */
enum twins_stays {
    TWINS_OLD,
    TWINS_NEW,
    TWINS_BOTH
};
/* `p` is new and says the peer id of `twin`, which has the same host. */
enum twins_stays twins_judge(const struct swarm *w, const struct peer *twin,
                             const struct peer *p);
/* It was there for a while and brings nothing. */
bool twins_is_spent(const struct swarm *w, const struct peer *p);
/* Another connection under its peer id, of its own host or of another one. */
struct peer *twins_find(const struct swarm *w, const struct peer *p,
                        bool same_host);
/* Of the other connections under its id the one that brings most; or NULL. */
const struct peer *twins_best(const struct swarm *w, const struct peer *p);
/* Another one under its id is worth more; of those that call only one of its
 * own host counts. */
bool twins_is_beaten(const struct swarm *w, const struct peer *p);

#endif
