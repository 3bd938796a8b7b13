/* One iterative lookup: a sorted list of candidates and the rules of who of
 * them is asked, counts, or goes.
 */
#include "core/dht/lookup.h"

#include <string.h>

void dht_lookup_init(struct dht_lookup *l, const uint8_t target[DHT_ID_LEN])
{
    memset(l, 0, sizeof *l);
    memcpy(l->target, target, DHT_ID_LEN);
}

static bool dht_candidate_is_under_way(const struct dht_candidate *c)
{
    return c->state == DHT_CANDIDATE_ASKED || c->state == DHT_CANDIDATE_SLOW;
}

static void dht_lookup_remove(struct dht_lookup *l, size_t idx)
{
    l->n--;
    memmove(&l->list[idx], &l->list[idx + 1], (l->n - idx) * sizeof l->list[0]);
}

/* Makes room in a full list: a failure is of no use any more, else the farthest
 * goes. */
static void dht_lookup_make_room(struct dht_lookup *l)
{
    size_t idx = l->n - 1u;

    for (size_t i = l->n; i-- > 0;) {
        if (l->list[i].state == DHT_CANDIDATE_FAILED) {
            idx = i;
            break;
        }
    }
    dht_lookup_remove(l, idx);
}

/* Puts a candidate where its distance belongs. */
static void dht_lookup_insert(struct dht_lookup *l,
                              const struct dht_candidate *c)
{
    size_t at = 0;

    if (l->n == DHT_LOOKUP_CANDIDATES) {
        dht_lookup_make_room(l);
    }
    at = l->n;
    while (at > 0 &&
           dht_id_is_nearer(l->target, c->node.id, l->list[at - 1].node.id)) {
        at--;
    }
    memmove(&l->list[at + 1], &l->list[at], (l->n - at) * sizeof l->list[0]);
    l->list[at] = *c;
    l->n++;
}

/* Whether a place may have one more candidate, and this one is not there. */
static bool dht_lookup_has_room(const struct dht_lookup *l,
                                const struct dht_candidate *c)
{
    size_t tries = 0;

    for (size_t i = 0; i < l->n; i++) {
        const struct dht_candidate *have = &l->list[i];

        if (have->place != c->place) {
            continue;
        }
        tries++;
        if (have->state == DHT_CANDIDATE_ANSWERED ||
            (addr_eq(&have->node.addr, &c->node.addr) &&
             memcmp(have->node.id, c->node.id, DHT_ID_LEN) == 0)) {
            return false;
        }
    }
    return tries < DHT_LOOKUP_PLACE_TRIES;
}

static void dht_lookup_offer(struct dht_lookup *l, struct dht_candidate *c)
{
    c->place = dht_place_of(&c->node.addr);
    if (dht_lookup_has_room(l, c)) {
        dht_lookup_insert(l, c);
    }
}

void dht_lookup_add(struct dht_lookup *l, const struct krpc_node *node)
{
    struct dht_candidate c = {.node = *node, .has_id = true};

    c.fits = dht_id_fits(node->id, &node->addr);
    dht_lookup_offer(l, &c);
}

/* The id that is farthest from the target stands for one that is not known, so
 * that nodes come before mere addresses. */
void dht_lookup_add_address(struct dht_lookup *l, const struct addr *addr)
{
    struct dht_candidate c = {.node = {.addr = *addr}, .fits = true};

    for (size_t i = 0; i < DHT_ID_LEN; i++) {
        c.node.id[i] = (uint8_t)~l->target[i];
    }
    dht_lookup_offer(l, &c);
}

/* Walks the goal: the nearest that have not failed. */
struct dht_goal_walk {
    bool is_asking; /* passes over those who have to wait for others of their
                       namer */
    size_t next;    /* in the list */
    size_t n_fit;
    size_t n_unfit;
};

/* Whether a candidate has to wait until its namer's others have answered. */
static bool dht_lookup_is_held(const struct dht_lookup *l,
                               const struct dht_candidate *c)
{
    const struct dht_namer *namer = &l->namers[c->namer];

    return c->state == DHT_CANDIDATE_FRESH && c->namer != 0 &&
           namer->credit == 0 && namer->open >= DHT_LOOKUP_UNPROVEN;
}

/* The next candidate of the goal, or -1 behind the last. */
static ptrdiff_t dht_lookup_next_of_goal(const struct dht_lookup *l,
                                         struct dht_goal_walk *w)
{
    while (w->next < l->n && w->n_fit < DHT_LOOKUP_GOAL) {
        const struct dht_candidate *c = &l->list[w->next++];

        if (c->state == DHT_CANDIDATE_FAILED ||
            (!c->fits && w->n_unfit == DHT_LOOKUP_UNFIT) ||
            (w->is_asking && dht_lookup_is_held(l, c))) {
            continue;
        }
        if (c->fits) {
            w->n_fit++;
        } else {
            w->n_unfit++;
        }
        return (ptrdiff_t)w->next - 1;
    }
    return -1;
}

static size_t dht_lookup_count(const struct dht_lookup *l,
                               enum dht_candidate_state state)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++) {
        n += l->list[i].state == state;
    }
    return n;
}

bool dht_lookup_next(struct dht_lookup *l, struct dht_whom *out)
{
    struct dht_goal_walk w = {.is_asking = true};

    if (l->n_queries == DHT_LOOKUP_MAX_QUERIES ||
        dht_lookup_count(l, DHT_CANDIDATE_ASKED) >= DHT_LOOKUP_ALPHA ||
        dht_lookup_count(l, DHT_CANDIDATE_SLOW) >= DHT_LOOKUP_SLOW_MAX) {
        return false;
    }
    for (ptrdiff_t i = dht_lookup_next_of_goal(l, &w); i >= 0;
         i = dht_lookup_next_of_goal(l, &w)) {
        struct dht_candidate *c = &l->list[i];

        if (c->state == DHT_CANDIDATE_FRESH) {
            c->state = DHT_CANDIDATE_ASKED;
            l->namers[c->namer].open++;
            l->n_queries++;
            out->addr = c->node.addr;
            out->has_id = c->has_id;
            memcpy(out->id, c->node.id, DHT_ID_LEN);
            return true;
        }
    }
    return false;
}

/* The candidate at an address whose answer is awaited; NULL when none is. */
static struct dht_candidate *dht_lookup_awaited(struct dht_lookup *l,
                                                const struct addr *addr)
{
    for (size_t i = 0; i < l->n; i++) {
        if (dht_candidate_is_under_way(&l->list[i]) &&
            addr_eq(&l->list[i].node.addr, addr)) {
            return &l->list[i];
        }
    }
    return NULL;
}

/* Drops what a node has named and nobody has asked yet. It is removed, not
 * failed: others may name the same nodes. */
static void dht_lookup_drop_named(struct dht_lookup *l, uint16_t namer)
{
    for (size_t i = l->n; i-- > 0;) {
        if (l->list[i].namer == namer &&
            l->list[i].state == DHT_CANDIDATE_FRESH) {
            dht_lookup_remove(l, i);
        }
    }
}

static void dht_lookup_fail(struct dht_lookup *l, struct dht_candidate *c)
{
    struct dht_namer *namer = &l->namers[c->namer];

    c->state = DHT_CANDIDATE_FAILED;
    namer->open--;
    namer->blame++;
    if (c->namer != 0 &&
        namer->blame >= DHT_LOOKUP_MAX_BLAME + 2 * namer->credit) {
        dht_lookup_drop_named(l, c->namer);
    }
}

/* The place of one that answered is taken: others there are not asked. */
static void dht_lookup_close_place(struct dht_lookup *l, uint64_t place)
{
    for (size_t i = l->n; i-- > 0;) {
        if (l->list[i].place == place &&
            l->list[i].state == DHT_CANDIDATE_FRESH) {
            dht_lookup_remove(l, i);
        } else if (l->list[i].place == place &&
                   dht_candidate_is_under_way(&l->list[i])) {
            l->list[i].state = DHT_CANDIDATE_FAILED;
            l->namers[l->list[i].namer].open--;
        }
    }
}

/* A candidate is who it says it is. */
static void dht_lookup_accept(struct dht_lookup *l, struct dht_candidate *c,
                              const struct dht_reply *r)
{
    struct dht_namer *namer = &l->namers[c->namer];

    namer->open--;
    namer->credit++;
    c->state = DHT_CANDIDATE_ANSWERED;
    if (r->token.len > 0 && r->token.len <= KRPC_TOKEN_MAX) {
        memcpy(c->token, r->token.p, r->token.len);
        c->n_token = (uint8_t)r->token.len;
    }
    l->n_answers++;
    if (c->steps > l->steps) {
        l->steps = c->steps;
    }
}

/* An address turned out to be a node with this id: it moves to where its
 * distance belongs. */
static void dht_lookup_identify(struct dht_lookup *l, struct dht_candidate *c,
                                const uint8_t id[DHT_ID_LEN])
{
    struct dht_candidate known = *c;

    dht_lookup_remove(l, (size_t)(c - l->list));
    memcpy(known.node.id, id, DHT_ID_LEN);
    known.has_id = true;
    known.fits = dht_id_fits(id, &known.node.addr);
    dht_lookup_insert(l, &known);
}

int dht_lookup_on_reply(struct dht_lookup *l, const struct dht_reply *r)
{
    struct dht_candidate *c = dht_lookup_awaited(l, &r->from);
    struct dht_candidate named = {.has_id = true};
    int steps = 0;

    if (c == NULL) {
        return -1;
    }
    if (c->has_id && memcmp(c->node.id, r->id, DHT_ID_LEN) != 0) {
        dht_lookup_fail(l, c);
        return -1;
    }
    dht_lookup_accept(l, c, r);
    steps = c->steps;
    named.namer = l->n_answers;
    if (c->steps < UINT8_MAX) {
        named.steps = (uint8_t)(c->steps + 1);
    }
    if (!c->has_id) {
        dht_lookup_identify(l, c, r->id);
    }
    dht_lookup_close_place(l, dht_place_of(&r->from));
    for (size_t i = 0; i < r->n_nodes; i++) {
        named.node = r->nodes[i];
        named.fits = dht_id_fits(named.node.id, &named.node.addr);
        dht_lookup_offer(l, &named);
    }
    return steps;
}

void dht_lookup_on_slow(struct dht_lookup *l, const struct addr *addr)
{
    struct dht_candidate *c = dht_lookup_awaited(l, addr);

    if (c != NULL) {
        c->state = DHT_CANDIDATE_SLOW;
    }
}

void dht_lookup_on_failure(struct dht_lookup *l, const struct addr *addr)
{
    struct dht_candidate *c = dht_lookup_awaited(l, addr);

    if (c != NULL) {
        dht_lookup_fail(l, c);
    }
}

bool dht_lookup_is_done(const struct dht_lookup *l)
{
    struct dht_goal_walk w = {0};
    bool may_ask = l->n_queries < DHT_LOOKUP_MAX_QUERIES;

    for (ptrdiff_t i = dht_lookup_next_of_goal(l, &w); i >= 0;
         i = dht_lookup_next_of_goal(l, &w)) {
        const struct dht_candidate *c = &l->list[i];

        if (dht_candidate_is_under_way(c) ||
            (may_ask && c->state == DHT_CANDIDATE_FRESH)) {
            return false;
        }
    }
    return true;
}

size_t dht_lookup_goal(const struct dht_lookup *l,
                       const struct dht_candidate *out[])
{
    struct dht_goal_walk w = {0};
    size_t n = 0;

    for (ptrdiff_t i = dht_lookup_next_of_goal(l, &w); i >= 0;
         i = dht_lookup_next_of_goal(l, &w)) {
        if (l->list[i].state == DHT_CANDIDATE_ANSWERED) {
            out[n++] = &l->list[i];
        }
    }
    return n;
}
