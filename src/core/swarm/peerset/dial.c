/* Who is dialled when: the choice among the candidates, and the back-off.
 *
 * A choice is a walk over the set, which finds the next few at once: thousands
 * are dialled when a torrent of a crowd begins. The question whether there is
 * one comes with every event of the torrent, so when the next candidate is due
 * is remembered. Both hold until something may bring somebody forward
 * (peerset_changed); a candidate that goes is noticed when its turn comes.
 */
#include "core/swarm/peerset/internal.h"

#include "base/num.h"
#include "core/swarm/canonical.h"
#include "model/names.h"

#include <string.h>

_Static_assert(PEERSET_MAX <= UINT16_MAX, "a place has 16 bits");

/* It may be dialled, now or later. */
static bool peerset_is_candidate(const struct peerset_node *node, bool seeding)
{
    const struct peerset_entry *e = &node->e;

    return e->state == PEERSET_IDLE && e->connectable && !e->banned &&
           !e->is_self && !(seeding && e->is_seed);
}

/* True when all candidates have failed too often: then these are what is left.
 */
static bool peerset_is_desperate(const struct peerset *ps, bool seeding)
{
    for (uint32_t i = 0; i < ps->n; i++) {
        if (peerset_is_candidate(ps->nodes[i], seeding) &&
            peerset_failures(ps->nodes[i]) < PEERSET_MAX_FAILURES) {
            return false;
        }
    }
    return true;
}

/* Its turn may come, with those that failed too often only when desperate. A
 * seed needs nobody: whoever wants something of it comes by itself. */
static bool peerset_is_eligible(const struct peerset_node *node, bool seeding,
                                bool desperate)
{
    return peerset_is_candidate(node, seeding) &&
           ((desperate && !seeding) ||
            peerset_failures(node) < PEERSET_MAX_FAILURES);
}

/* Less than 0: `a` is dialled before `b`; 0: the lot decides. */
static int peerset_compare(const struct peerset_node *a,
                           const struct peerset_node *b)
{
    uint32_t fa = peerset_failures(a);
    uint32_t fb = peerset_failures(b);
    bool ka =
        a->e.source == PEER_SOURCE_USER || a->e.source == PEER_SOURCE_RESUME;
    bool kb =
        b->e.source == PEER_SOURCE_USER || b->e.source == PEER_SOURCE_RESUME;

    if (fa != fb) {
        return fa < fb ? -1 : 1;
    }
    if (a->doubts != b->doubts) {
        return a->doubts < b->doubts ? -1 : 1;
    }
    if (a->e.bytes_down != b->e.bytes_down) {
        return a->e.bytes_down > b->e.bytes_down ? -1 : 1;
    }
    if (ka != kb) {
        return ka ? -1 : 1;
    }
    if (a->priority != b->priority) {
        return a->priority > b->priority ? -1 : 1;
    }
    return 0;
}

uint32_t peerset_priority(const struct peerset *ps, const struct addr *a)
{
    if (a->family == ADDR_V6) {
        return canonical_priority(&ps->own6, a);
    }
    return canonical_priority(&ps->own4, a);
}

void peerset_set_own(struct peerset *ps, const struct addr *own4,
                     const struct addr *own6)
{
    if (addr_eq(&ps->own4, own4) && addr_eq(&ps->own6, own6)) {
        return;
    }
    ps->own4 = *own4;
    ps->own6 = *own6;
    for (uint32_t i = 0; i < ps->n; i++) {
        ps->nodes[i]->priority = peerset_priority(ps, &ps->nodes[i]->e.addr);
    }
    peerset_changed(ps);
}

/* The soonest retry of those that may be dialled. */
static uint64_t peerset_soonest(struct peerset *ps, bool seeding)
{
    bool desperate = peerset_is_desperate(ps, seeding);
    uint64_t soonest = UINT64_MAX;

    ps->n_looked += ps->n;
    for (uint32_t i = 0; i < ps->n; i++) {
        const struct peerset_node *node = ps->nodes[i];

        if (peerset_is_eligible(node, seeding, desperate) &&
            node->e.retry_ms < soonest) {
            soonest = node->e.retry_ms;
        }
    }
    return soonest;
}

void peerset_changed(struct peerset *ps)
{
    ps->due[false].known = ps->due[true].known = false;
    ps->ahead[false].known = ps->ahead[true].known = false;
}

/* The soonest retry of those that peerset_next would look at. What is
 * remembered may be too early, since nobody says when a candidate goes: then
 * peerset_next finds out, once. */
uint64_t peerset_deadline(struct peerset *ps, bool seeding)
{
    struct peerset_due *due = &ps->due[seeding];

    if (!due->known) {
        due->at_ms = peerset_soonest(ps, seeding);
        due->known = true;
    }
    return due->at_ms;
}

/* Equals go in the order of their lots, drawn anew for each look. */
static bool peerset_is_before(const struct peerset_node *a,
                              const struct peerset_node *b)
{
    int order = peerset_compare(a, b);

    return order < 0 || (order == 0 && a->lot < b->lot);
}

/* Puts a candidate where it belongs among those ahead, if it does. */
static void peerset_put_ahead(const struct peerset *ps, struct peerset_ahead *q,
                              uint16_t place)
{
    uint32_t at = q->n;

    while (at > 0 &&
           peerset_is_before(ps->nodes[place], ps->nodes[q->places[at - 1]])) {
        at--;
    }
    if (at == PEERSET_AHEAD) {
        return;
    }
    q->n = (uint8_t)num_min_u32(q->n + 1u, PEERSET_AHEAD);
    for (uint32_t i = q->n - 1; i > at; i--) {
        q->places[i] = q->places[i - 1];
    }
    q->places[at] = place;
}

/* Nobody knows yet what it is worth. */
static bool peerset_is_untried(const struct peerset_node *node)
{
    return node->e.last_seen == 0 && node->e.bytes_down == 0 &&
           node->doubts == 0 && peerset_failures(node) == 0;
}

/* Finds the best of those that are due. */
static void peerset_look_ahead(struct peerset *ps, bool seeding, bool untried,
                               uint64_t now_ms)
{
    bool desperate = peerset_is_desperate(ps, seeding);
    struct peerset_ahead *q = &ps->ahead[untried];

    ps->n_looked += ps->n;
    *q = (struct peerset_ahead){
        .known = true, .seeding = seeding, .until_ms = UINT64_MAX};
    for (uint32_t i = 0; i < ps->n; i++) {
        struct peerset_node *node = ps->nodes[i];

        if (!peerset_is_eligible(node, seeding, desperate) ||
            (untried && !peerset_is_untried(node))) {
            continue;
        }
        if (node->e.retry_ms <= now_ms) {
            node->lot = (uint32_t)rng_u64(ps->rng);
            peerset_put_ahead(ps, q, (uint16_t)i);
        } else {
            q->until_ms = num_min_u64(q->until_ms, node->e.retry_ms);
        }
    }
}

/* The best of those that are due, or NULL. */
static struct peerset_node *peerset_best(struct peerset *ps, bool seeding,
                                         bool untried, uint64_t now_ms)
{
    struct peerset_ahead *q = &ps->ahead[untried];

    while (q->known && q->at < q->n &&
           !peerset_is_candidate(ps->nodes[q->places[q->at]], seeding)) {
        q->at++; /* it came to us, or is ourselves */
    }
    bool used_up = q->n > 0 && q->at == q->n;
    if (!q->known || used_up || q->seeding != seeding ||
        now_ms >= q->until_ms) {
        peerset_look_ahead(ps, seeding, untried, now_ms);
    }
    return q->n > 0 ? ps->nodes[q->places[q->at]] : NULL;
}

/* The best candidate; every second time the best of the untried ones, for who
 * has brought a little once would else be dialled before them for ever. */
uint32_t peerset_next(struct peerset *ps, bool seeding, uint64_t now_ms)
{
    struct peerset_node *best = NULL;
    bool untried = ps->turn;

    if (peerset_deadline(ps, seeding) > now_ms) {
        return PEERSET_NONE;
    }
    if (untried) {
        best = peerset_best(ps, seeding, true, now_ms);
    }
    if (!best) {
        untried = false;
        best = peerset_best(ps, seeding, false, now_ms);
    }
    if (!best) {
        peerset_changed(ps); /* others may be what is left */
        return PEERSET_NONE;
    }
    best->e.state = PEERSET_CONNECTING;
    ps->turn = !ps->turn;
    struct peerset_ahead *q = &ps->ahead[untried];
    if (++q->at == q->n) {
        peerset_changed(ps); /* likewise */
    }
    return best->e.id;
}

bool peerset_is_fresh(struct peerset *ps, uint64_t now_ms)
{
    const struct peerset_node *best = peerset_best(ps, false, false, now_ms);

    return best && peerset_failures(best) == 0 && best->doubts == 0;
}

/* The n-th of waits that double, from `wait` up to `most`. */
static uint64_t peerset_wait(uint64_t wait, uint64_t most, uint32_t n)
{
    for (uint32_t i = 1; i < n && wait < most; i++) {
        wait *= 2;
    }
    return num_min_u64(wait, most);
}

/* Waits the longer the more often it failed. */
static void peerset_back_off(struct peerset_node *node, uint64_t now_ms)
{
    node->e.retry_ms =
        now_ms + peerset_wait(PEERSET_BACKOFF_MS, PEERSET_BACKOFF_MAX_MS,
                              peerset_failures(node));
}

void peerset_on_unreachable(struct peerset *ps, uint32_t id, bool no_route,
                            uint64_t now_ms)
{
    struct peerset_node *node = peerset_by_id(ps, id);
    uint64_t first = PEERSET_BACKOFF_MS;
    uint64_t most = PEERSET_BACKOFF_MAX_MS;

    if (!node) {
        return;
    }
    node->e.state = PEERSET_IDLE;
    node->is_guess = false;
    if (node->doubts < UINT32_MAX) {
        node->doubts++;
    }
    if (node->e.last_seen != 0) {
        first = PEERSET_AGAIN_MS;
        most = no_route ? PEERSET_NO_ROUTE_MS : PEERSET_SILENT_MS;
    }
    node->e.retry_ms = now_ms + peerset_wait(first, most, node->doubts);
    ps->n_doubts++;
    peerset_changed(ps);
}

void peerset_forgive(struct peerset *ps, uint64_t now_ms)
{
    if (ps->n_doubts == 0) {
        return;
    }
    ps->n_doubts = 0;
    for (uint32_t i = 0; i < ps->n; i++) {
        struct peerset_node *node = ps->nodes[i];

        if (node->doubts > 0) {
            node->doubts = 0;
            node->e.retry_ms = num_min_u64(node->e.retry_ms, now_ms);
        }
    }
    peerset_changed(ps);
}

void peerset_listed(struct peerset *ps, uint32_t id, uint64_t now_ms)
{
    struct peerset_node *node = peerset_by_id(ps, id);

    if (!node || node->e.state != PEERSET_IDLE || node->e.failures == 0 ||
        (node->forgiven_ms != 0 &&
         now_ms - node->forgiven_ms < PEERSET_FORGIVE_MS)) {
        return;
    }
    node->forgiven_ms = now_ms;
    node->e.failures = 0;
    if (node->useless == 0) {
        node->e.retry_ms = num_min_u64(node->e.retry_ms, now_ms);
    }
    peerset_changed(ps);
}

void peerset_on_good(struct peerset *ps, uint32_t id, uint64_t now_ms)
{
    struct peerset_node *node = peerset_by_id(ps, id);

    if (node && node->useless > 0 && node->e.state == PEERSET_IDLE) {
        node->useless = 0;
        node->e.retry_ms =
            num_min_u64(node->e.retry_ms, now_ms + PEERSET_RECONNECT_MS);
        peerset_changed(ps);
    }
}

void peerset_on_twin(struct peerset *ps, uint32_t id, uint32_t other,
                     uint64_t now_ms)
{
    struct peerset_node *node = peerset_by_id(ps, id);

    if (node) {
        node->e.state = PEERSET_IDLE;
        node->is_guess = false;
        node->twin = other;
        ps->has_twins = true;
        node->e.retry_ms = now_ms + PEERSET_BACKOFF_MAX_MS;
        peerset_changed(ps);
    }
}

/* The handshake is done. */
void peerset_on_connected(struct peerset *ps, uint32_t id, int64_t unix_now)
{
    struct peerset_node *node = peerset_by_id(ps, id);

    if (node) {
        node->e.state = PEERSET_CONNECTED;
        node->twin = PEERSET_NONE;
        node->e.failures = 0;
        node->doubts = 0;
        node->e.last_seen = unix_now;
    }
}

/* It could not be reached, or no handshake came of it. A peer that we have
 * known is asked again soon at first: after a kill it may for a moment hold on
 * to the old connection and refuse a second one. */
void peerset_on_failed(struct peerset *ps, uint32_t id, uint64_t now_ms)
{
    struct peerset_node *node = peerset_by_id(ps, id);

    if (node) {
        node->e.state = PEERSET_IDLE;
        node->is_guess = false;
        node->e.failures += node->e.failures < UINT32_MAX;
        peerset_back_off(node, now_ms);
        if (peerset_failures(node) == 1 && node->e.last_seen != 0) {
            node->e.retry_ms = now_ms + PEERSET_AGAIN_MS;
        }
        peerset_changed(ps);
    }
}

void peerset_free_twins(struct peerset *ps, uint32_t id, uint64_t now_ms)
{
    const struct peerset_node *closed = peerset_by_id(ps, id);
    bool left = false;

    for (uint32_t i = 0; ps->has_twins && i < ps->n; i++) {
        struct peerset_node *node = ps->nodes[i];
        if (node->twin == PEERSET_NONE) {
            continue;
        }
        if (peerset_by_id(ps, node->twin) == closed) {
            node->twin = PEERSET_NONE;
            node->e.retry_ms =
                num_min_u64(node->e.retry_ms, now_ms + PEERSET_RECONNECT_MS);
            peerset_changed(ps);
        } else {
            left = true;
        }
    }
    ps->has_twins = left;
}

/* A connection ended. One that brought nothing backs off as a failure does, for
 * else a peer that throws us out at once would be dialled every few seconds. */
void peerset_on_closed(struct peerset *ps, uint32_t id, bool was_useful,
                       uint64_t now_ms)
{
    struct peerset_node *node = peerset_by_id(ps, id);

    if (!node) {
        return;
    }
    node->e.state = PEERSET_IDLE;
    node->is_guess = false;
    peerset_free_twins(ps, id, now_ms);
    peerset_changed(ps);
    if (was_useful) {
        node->useless = 0;
        node->e.retry_ms = now_ms + PEERSET_RECONNECT_MS;
    } else {
        node->useless += node->useless < UINT32_MAX;
        peerset_back_off(node, now_ms);
    }
}

void peerset_note(struct peerset *ps, uint32_t id, const char *what,
                  int64_t unix_now)
{
    struct peerset_node *node = peerset_by_id(ps, id);

    if (node == NULL) {
        return;
    }
    if (node->e.outcome.what == NULL ||
        strcmp(node->e.outcome.what, what) != 0) {
        node->e.outcome.what = what;
        node->e.outcome.n = 0;
    }
    node->e.outcome.n += node->e.outcome.n < UINT32_MAX ? 1 : 0;
    node->e.outcome.unix_time = unix_now;
}
