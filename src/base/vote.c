/* Our address as others see it. */
#include "base/vote.h"

/* On loopback each port is a host of its own: there, one machine is a whole
 * network of a test. */
static uint64_t vote_host(const struct addr *a)
{
    if (addr_is_loopback(a)) {
        return addr_hash(a);
    }
    if (a->family == ADDR_V4) {
        return bytes_get_be32(a->ip);
    }
    return bytes_get_be64(a->ip);
}

void vote_init(struct vote *v)
{
    *v = (struct vote){.elected = addr_none()};
}

/* The ballot of a voter: its earlier one, a new one, or the oldest. */
static struct vote_ballot *vote_find(struct vote *v, uint64_t voter)
{
    struct vote_ballot *b = NULL;

    for (uint32_t i = 0; i < v->n; i++) {
        if (v->ballots[i].voter == voter) {
            return &v->ballots[i];
        }
    }
    if (v->n < VOTE_BALLOTS) {
        return &v->ballots[v->n++];
    }
    b = &v->ballots[v->next];
    v->next = (v->next + 1) % VOTE_BALLOTS;
    return b;
}

bool vote_add(struct vote *v, const struct addr *voter, const struct addr *ip)
{
    struct vote_ballot *b = vote_find(v, vote_host(voter));
    uint32_t n = 0;

    b->voter = vote_host(voter);
    b->ip = *ip;
    b->ip.port = 0;
    if (addr_eq_ip(&v->elected, ip)) {
        return false;
    }
    for (uint32_t i = 0; i < v->n; i++) {
        n += addr_eq_ip(&v->ballots[i].ip, ip);
    }
    if (n < VOTE_MIN || n * 2 <= v->n) {
        return false;
    }
    v->elected = b->ip;
    return true;
}
