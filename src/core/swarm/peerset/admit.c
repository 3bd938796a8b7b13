/* Who gets a place in the set of known peers, and who loses one.
 *
 * Strangers name addresses, and a stranger can name as many as it likes. So no
 * host and no source of addresses has more than its part of the set: beyond it
 * a newcomer takes the place of one of the same host or source that is worth
 * less, or gets none. Only when the whole set is full does a newcomer take the
 * place of somebody else. Until a part is full nobody is looked at: thousands
 * of addresses come at once.
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

_Static_assert(sizeof(admit_source_max) / sizeof(admit_source_max[0]) ==
                   PEERSET_SOURCES,
               "each source has its limit");

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

/* What a newcomer has in common with others. */
enum admit_kind {
    ADMIT_HOST,
    ADMIT_SOURCE,
    ADMIT_ALL
};

/* The group of a newcomer: a walk over the set, made only when it is full or
 * may be. */
static struct admit_group admit_look(struct peerset *ps, enum admit_kind kind,
                                     const struct addr *a,
                                     enum peer_source source)
{
    struct admit_group group = {.n = 0};

    ps->n_looked += ps->n;
    for (uint32_t i = 0; i < ps->n; i++) {
        struct peerset_node *node = ps->nodes[i];

        if ((kind == ADMIT_HOST && !addr_eq_host(&node->e.addr, a)) ||
            (kind == ADMIT_SOURCE && node->e.source != source)) {
            continue;
        }
        admit_count(&group, node);
    }
    return group;
}

/* Whole swarms live behind one address of our own network. */
static uint32_t admit_host_max(const struct addr *a)
{
    if (addr_is_local(a)) {
        return PEERSET_LOCAL_MAX;
    }
    return PEERSET_HOST_MAX;
}

/* The place of a host among the counts. */
static uint16_t *admit_host(const struct peerset *ps, const struct addr *a)
{
    return &ps->hosts[peerset_hash_host(ps, a) % ps->cap];
}

/* The group in which somebody must go for the newcomer; false: nobody must. */
static bool admit_find_full(struct peerset *ps, const struct addr *a,
                            enum peer_source source, enum admit_kind *kind,
                            struct admit_group *full)
{
    if (source != PEER_SOURCE_USER && ps->n > 0 &&
        *admit_host(ps, a) >= admit_host_max(a)) {
        *kind = ADMIT_HOST;
        *full = admit_look(ps, ADMIT_HOST, a, source);
        if (full->n >= admit_host_max(a)) {
            return true;
        }
    }
    if (ps->of_source[source] >= admit_source_max[source]) {
        *kind = ADMIT_SOURCE;
    } else if (ps->n >= PEERSET_MAX) {
        *kind = ADMIT_ALL;
    } else {
        return false;
    }
    *full = admit_look(ps, *kind, a, source);
    return true;
}

/* Most torrents know few peers, so the places are made as they are needed. */
static void admit_grow(struct peerset *ps)
{
    if (ps->n < ps->cap) {
        return;
    }
    ps->cap = num_min_u32(ps->cap * 2, PEERSET_MAX);
    if (ps->cap == 0) {
        ps->cap = PEERSET_FIRST;
    }
    ps->nodes = mem_resize(ps->nodes, ps->cap, sizeof(struct peerset_node *));
    free(ps->hosts);
    ps->hosts = mem_calloc(ps->cap, sizeof(*ps->hosts));
    for (uint32_t i = 0; i < ps->n; i++) {
        (*admit_host(ps, &ps->nodes[i]->e.addr))++;
    }
}

void peerset_insert(struct peerset *ps, struct peerset_node *node)
{
    node->at = ps->n;
    ps->nodes[ps->n++] = node;
    ps->of_source[node->e.source]++;
    (*admit_host(ps, &node->e.addr))++;
}

void peerset_set_source(struct peerset *ps, struct peerset_node *node,
                        enum peer_source source)
{
    ps->of_source[node->e.source]--;
    node->e.source = source;
    ps->of_source[source]++;
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
    ps->of_source[node->e.source]--;
    (*admit_host(ps, &node->e.addr))--;
    peerset_changed(ps);
    struct peerset_node *last = ps->nodes[--ps->n];
    ps->nodes[node->at] = last;
    last->at = node->at;
    free(node);
}

bool peerset_admit(struct peerset *ps, const struct addr *a,
                   enum peer_source source)
{
    struct admit_group full;
    enum admit_kind kind;

    if (!admit_find_full(ps, a, source, &kind, &full)) {
        admit_grow(ps);
        return true;
    }
    /* A name costs nothing; a connection shows that somebody is there. */
    if (full.worst && kind != ADMIT_ALL && source != PEER_SOURCE_INCOMING &&
        full.least >= admit_worth_new()) {
        return false;
    }
    if (!full.worst) {
        return false;
    }
    peerset_remove(ps, full.worst);
    return true;
}
