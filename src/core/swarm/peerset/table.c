/* The hash tables of a peerset: nothing but uthash, in functions of a few
 * lines. The hash is keyed, for the addresses are chosen by strangers.
 */
#include "core/swarm/peerset/internal.h"

#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

/* What the macros unfold to is not ours to measure. */
/* NOLINTBEGIN(readability-function-*,bugprone-*,clang-analyzer-*) */

/* Mixes a word (the finish of splitmix64, keyed at both ends). */
static unsigned peerset_hash(const struct peerset *ps, uint64_t x)
{
    uint64_t z = x ^ ps->key[0];

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z = (z ^ z >> 31) + ps->key[1];
    return (unsigned)((z ^ z >> 29) * 0xbf58476d1ce4e5b9u >> 32);
}

/* The hash of an address that is a key. */
static unsigned peerset_hash_addr(const struct peerset *ps,
                                  const struct addr *key)
{
    uint64_t low = bytes_get_be64(key->ip);
    uint64_t high = bytes_get_be64(key->ip + 8);
    uint64_t head = (uint64_t)key->family << 16 | key->port;
    uint64_t sum = peerset_hash(ps, low);

    sum = sum << 32 | peerset_hash(ps, high ^ sum);
    return peerset_hash(ps, sum ^ head << 20);
}

unsigned peerset_hash_host(const struct peerset *ps, const struct addr *a)
{
    struct addr key = peerset_key(a, 0);

    if (key.family == ADDR_V6) {
        memset(key.ip + 8, 0, sizeof(key.ip) - 8);
    }
    return peerset_hash_addr(ps, &key);
}

/* The address as a key: what is not part of its value is zero. */
struct addr peerset_key(const struct addr *a, uint16_t port)
{
    struct addr key = {.family = a->family, .port = port};

    memcpy(key.ip, a->ip, a->family == ADDR_V4 ? 4 : sizeof(key.ip));
    return key;
}

/* The connectable node of an address, or NULL. */
struct peerset_node *peerset_by_addr(const struct peerset *ps,
                                     const struct addr *a)
{
    struct addr key = peerset_key(a, a->port);
    struct peerset_node *node = NULL;

    HASH_FIND_BYHASHVALUE(hh, ps->by_addr, &key, sizeof(key),
                          peerset_hash_addr(ps, &key), node);
    return node;
}

/* The node that an id leads to, or NULL. */
struct peerset_node *peerset_by_id(const struct peerset *ps, uint32_t id)
{
    struct peerset_id *i = NULL;

    HASH_FIND_BYHASHVALUE(hh, ps->by_id, &id, sizeof(id), peerset_hash(ps, id),
                          i);
    return i ? i->node : NULL;
}

/* Makes the node findable by its address. */
void peerset_link_addr(struct peerset *ps, struct peerset_node *node)
{
    HASH_ADD_BYHASHVALUE(hh, ps->by_addr, e.addr, sizeof(node->e.addr),
                         peerset_hash_addr(ps, &node->e.addr), node);
}

/* Undoes that. */
void peerset_unlink_addr(struct peerset *ps, struct peerset_node *node)
{
    HASH_DELETE(hh, ps->by_addr, node);
}

/* Lets an id lead to the node. */
void peerset_link_id(struct peerset *ps, struct peerset_node *node,
                     struct peerset_id *i)
{
    i->node = node;
    i->next = node->ids;
    node->ids = i;
    HASH_ADD_BYHASHVALUE(hh, ps->by_id, id, sizeof(i->id),
                         peerset_hash(ps, i->id), i);
}

/* Takes the first of the node's ids out of the table; NULL when none is left.
 */
struct peerset_id *peerset_unlink_id(struct peerset *ps,
                                     struct peerset_node *node)
{
    struct peerset_id *i = node->ids;

    if (i) {
        node->ids = i->next;
        HASH_DELETE(hh, ps->by_id, i);
    }
    return i;
}

/* The ban of an address' IP, or NULL. */
struct peerset_bannee *peerset_bannee_find(const struct peerset *ps,
                                           const struct addr *a)
{
    struct addr key = peerset_key(a, 0);
    struct peerset_bannee *b = NULL;

    HASH_FIND_BYHASHVALUE(hh, ps->bannees, &key, sizeof(key),
                          peerset_hash_addr(ps, &key), b);
    return b;
}

/* Adds a ban. */
void peerset_bannee_add(struct peerset *ps, const struct addr *a)
{
    struct peerset_bannee *b = mem_zalloc(sizeof(*b));

    b->ip = peerset_key(a, 0);
    HASH_ADD_BYHASHVALUE(hh, ps->bannees, ip, sizeof(b->ip),
                         peerset_hash_addr(ps, &b->ip), b);
}

/* Forgets a ban. */
void peerset_bannee_remove(struct peerset *ps, struct peerset_bannee *b)
{
    HASH_DELETE(hh, ps->bannees, b);
    free(b);
}

/* The number of bans. */
uint32_t peerset_n_bannees(const struct peerset *ps)
{
    return HASH_COUNT(ps->bannees);
}
/* NOLINTEND(readability-function-*,bugprone-*,clang-analyzer-*) */
