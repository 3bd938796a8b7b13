/* Our address as others see it (BEP 10, `yourip`; BEP 42, `ip`): each host that
 * speaks to us has one vote, the last VOTE_BALLOTS count, and more than half
 * must agree.
 */
#ifndef BTC_BASE_VOTE_H
#define BTC_BASE_VOTE_H

#include "base/addr.h"

#define VOTE_BALLOTS 32
#define VOTE_MIN     5 /* fewer elect nobody */

struct vote_ballot {
    uint64_t voter; /* its host as a number */
    struct addr ip; /* port 0 */
};

struct vote {
    struct vote_ballot ballots[VOTE_BALLOTS];
    uint32_t n;
    uint32_t next;       /* the oldest, once all are used */
    struct addr elected; /* family NONE = nobody yet; port 0 */
};

void vote_init(struct vote *v);
/* Counts a vote; true when somebody else is elected now. */
bool vote_add(struct vote *v, const struct addr *voter, const struct addr *ip);

#endif
