/* Who gets a place in the set of known peers, and who loses one.
 *
 * Strangers name addresses, and a stranger can name as many as it likes. So no
 * host and no source of addresses has more than its part of the set: beyond it
 * a newcomer takes the place of one of the same host or source that is worth
 * less, or gets none. Only when the whole set is full does a newcomer take the
 * place of somebody else.
 *
 * The worst goes first: own and banned addresses (both are remembered
 * elsewhere), those that cannot be dialled, those that failed more often, those
 * that were never seen. Who is connected stays, and whom the user named.
 */
#include "core/swarm/peerset/internal.h"

#include "base/mem.h"
#include "base/num.h"
#include "model/names.h"
#include <stdlib.h>

/* Entries of one source. Together those that strangers fill leave some places
 * free. What the user and the journal name is limited by the set alone. */
static const uint32_t admit_source_max[] = {
    [PEER_SOURCE_TRACKER] = PEERSET_MAX * 3 / 8,
    [PEER_SOURCE_USER] = PEERSET_MAX,
    [PEER_SOURCE_RESUME] = PEERSET_MAX,
    [PEER_SOURCE_INCOMING] = PEERSET_MAX / 8,
    [PEER_SOURCE_PEX] = PEERSET_MAX * 3 / 16,
    [PEER_SOURCE_DHT] = PEERSET_MAX * 3 / 16,
    [PEER_SOURCE_LSD] = PEERSET_MAX / 16,
};

/* Entries that have something in common. */
struct admit_group {
    uint32_t n;
    struct peerset_node *worst; /* borrows; of those that may go, or NULL */
    uint64_t least;             /* the worth of the worst */
};

/* How much an entry would be missed. */
static uint64_t admit_worth(const struct peerset_entry *e, uint32_t failures)
{
    uint64_t worth = 2;

    if (e->banned || e->is_self) {
        worth = 0;
    } else if (!e->connectable) {
        worth = 1;
    }
    worth = worth << 32 | (UINT32_MAX - failures);
    worth = worth << 1 | (e->last_seen != 0);
    return worth << 1 | (e->bytes_down > 0);
}

/* The worth of an address that was just named. */
static uint64_t admit_worth_new(void)
{
    struct peerset_entry e = {.connectable = true};

    return admit_worth(&e, 0);
}

static bool admit_may_go(const struct peerset_entry *e)
{
    return e->state == PEERSET_IDLE &&
           (e->source != PEER_SOURCE_USER || e->banned || e->is_self);
}

/* One more in the group; of equals the oldest is the worst. */
static void admit_count(struct admit_group *g, struct peerset_node *node)
{
    uint64_t worth = admit_worth(&node->e, peerset_failures(node));

    g->n++;
    if (!admit_may_go(&node->e)) {
        return;
    }
    if (!g->worst || worth < g->least ||
        (worth == g->least && node->e.id < g->worst->e.id)) {
        g->worst = node;
        g->least = worth;
    }
}

/* What there is already beside a newcomer. */
struct admit_survey {
    struct admit_group host, source, all;
};

static void admit_look(const struct peerset *ps, const struct addr *a,
                       enum peer_source source, struct admit_survey *out)
{
    for (uint32_t i = 0; i < ps->n; i++) {
        struct peerset_node *node = ps->nodes[i];

        admit_count(&out->all, node);
        if (node->e.source == source) {
            admit_count(&out->source, node);
        }
        if (addr_eq_host(&node->e.addr, a)) {
            admit_count(&out->host, node);
        }
    }
}

/* Whole swarms live behind one address of our own network. */
static uint32_t admit_host_max(const struct addr *a)
{
    if (addr_is_local(a)) {
        return PEERSET_LOCAL_MAX;
    }
    return PEERSET_HOST_MAX;
}

/* The group in which somebody must go for the newcomer; NULL: nobody must. */
static const struct admit_group *
admit_find_full(const struct admit_survey *found, const struct addr *a,
                enum peer_source source)
{
    if (source != PEER_SOURCE_USER && found->host.n >= admit_host_max(a)) {
        return &found->host;
    }
    if (found->source.n >= admit_source_max[source]) {
        return &found->source;
    }
    return found->all.n >= PEERSET_MAX ? &found->all : NULL;
}

/* Most torrents know few peers, so the places are made as they are needed. */
static void admit_grow(struct peerset *ps)
{
    if (ps->n == ps->cap) {
        ps->cap = num_min_u32(ps->cap * 2, PEERSET_MAX);
        if (ps->cap == 0) {
            ps->cap = PEERSET_FIRST;
        }
        ps->nodes =
            mem_resize(ps->nodes, ps->cap, sizeof(struct peerset_node *));
    }
}

void peerset_remove(struct peerset *ps, struct peerset_node *node)
{
    struct peerset_id *i = NULL;

    while ((i = peerset_unlink_id(ps, node)) != NULL) {
        free(i);
    }
    if (node->e.connectable) {
        peerset_unlink_addr(ps, node);
    }
    struct peerset_node *last = ps->nodes[--ps->n];
    ps->nodes[node->at] = last;
    last->at = node->at;
    free(node);
}

bool peerset_admit(struct peerset *ps, const struct addr *a,
                   enum peer_source source)
{
    struct admit_survey found = {.host = {.n = 0}};
    const struct admit_group *full = NULL;

    admit_look(ps, a, source, &found);
    full = admit_find_full(&found, a, source);
    if (!full) {
        admit_grow(ps);
        return true;
    }
    /* A name costs nothing; a connection shows that somebody is there. */
    if (full->worst && full != &found.all && source != PEER_SOURCE_INCOMING &&
        full->least >= admit_worth_new()) {
        return false;
    }
    if (!full->worst) {
        return false;
    }
    peerset_remove(ps, full->worst);
    return true;
}
