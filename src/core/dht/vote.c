/* Our address as others see it. */
#include "core/dht/vote.h"

void dht_vote_init(struct dht_vote *v)
{
    *v = (struct dht_vote){.elected = addr_none()};
}

/* The ballot of a voter: its earlier one, a new one, or the oldest. */
static struct dht_ballot *dht_vote_ballot(struct dht_vote *v, uint64_t voter)
{
    struct dht_ballot *b = NULL;

    for (uint32_t i = 0; i < v->n; i++) {
        if (v->ballots[i].voter == voter) {
            return &v->ballots[i];
        }
    }
    if (v->n < DHT_VOTES) {
        return &v->ballots[v->n++];
    }
    b = &v->ballots[v->next];
    v->next = (v->next + 1) % DHT_VOTES;
    return b;
}

bool dht_vote_add(struct dht_vote *v, const struct addr *voter,
                  const struct addr *ip)
{
    struct dht_ballot *b = dht_vote_ballot(v, dht_place_of(voter));
    uint32_t n = 0;

    b->voter = dht_place_of(voter);
    b->ip = *ip;
    b->ip.port = 0;
    if (addr_eq_ip(&v->elected, ip)) {
        return false;
    }
    for (uint32_t i = 0; i < v->n; i++) {
        n += addr_eq_ip(&v->ballots[i].ip, ip);
    }
    if (n < DHT_VOTES_MIN || n * 2 <= v->n) {
        return false;
    }
    v->elected = b->ip;
    return true;
}
