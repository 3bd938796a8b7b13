/* Known peers: who may be dialled, who is banned, who is worth what.
 *
 * Entries that can be dialled are found by address. An incoming connection
 * comes from a port that nobody listens on: its entry has no place in the
 * address table until the peer says its port (BEP 10, "p"), or is the entry of
 * that IP, when there is just one and it is idle: then the guess is that this
 * is the same peer, and the port it says later proves it or undoes it.
 *
 * Ids are never used again. When two entries turn out to be one peer, both ids
 * go on leading to the one that is left (struct peerset_id).
 *
 * Bans are a set of IPs of their own, so that they outlive their entries. So
 * are the addresses at which we found ourselves. admit.c decides who gets a
 * place and who loses one.
 */
#include "core/swarm/peerset/internal.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "model/names.h"
#include <stdlib.h>
#include <string.h>

/* An empty set. */
struct peerset *peerset_new(struct rng *rng)
{
    struct peerset *ps = mem_zalloc(sizeof(*ps));

    ps->rng = rng;
    ps->key[0] = rng_u64(rng);
    ps->key[1] = rng_u64(rng);
    return ps;
}

/* Frees all. */
void peerset_free(struct peerset *ps)
{
    if (!ps) {
        return;
    }
    while (ps->n > 0) {
        peerset_remove(ps, ps->nodes[ps->n - 1]);
    }
    while (ps->bannees) {
        peerset_bannee_remove(ps, ps->bannees);
    }
    free(ps->nodes);
    free(ps->hosts);
    free(ps->self.at);
    free(ps);
}

/* A new node with a new id; NULL when there is no room. */
static struct peerset_node *peerset_make(struct peerset *ps,
                                         const struct addr *a,
                                         enum peer_source source,
                                         bool connectable)
{
    if (ps->next_id >= PEERSET_NONE / 2 || !peerset_admit(ps, a, source)) {
        return NULL;
    }
    struct peerset_node *node = mem_zalloc(sizeof(*node));
    struct peerset_id *i = mem_zalloc(sizeof(*i));
    i->id = ps->next_id++;
    node->twin = PEERSET_NONE;
    node->e.id = i->id;
    node->e.addr = peerset_key(a, a->port);
    node->e.source = source;
    node->e.connectable = connectable;
    node->e.banned = peerset_is_banned(ps, a);
    node->priority = peerset_priority(ps, a);
    peerset_insert(ps, node);
    peerset_link_id(ps, node, i);
    if (connectable) {
        peerset_link_addr(ps, node);
    }
    peerset_changed(ps);
    return node;
}

/* A peer somebody told us of. */
int64_t peerset_add(struct peerset *ps, const struct addr *a,
                    enum peer_source source)
{
    struct peerset_node *node = peerset_by_addr(ps, a);

    if (!node) {
        /* An outsider must not fill the set with a banned host's ports. */
        bool trusted =
            source == PEER_SOURCE_USER || source == PEER_SOURCE_RESUME;

        if (!addr_is_dialable(a) || peerset_is_self(ps, a) ||
            (!trusted && peerset_is_banned(ps, a))) {
            return BTC_E_RANGE;
        }
        node = peerset_make(ps, a, source, true);
        return node ? (int64_t)node->e.id : BTC_E_LIMIT;
    }
    if (source == PEER_SOURCE_USER) {
        peerset_set_source(ps, node, source);
        peerset_changed(ps);
    }
    return node->e.id;
}

/* The entry that a connection from this IP may belong to, or NULL: an idle one
 * of an earlier such connection, or the only one of the IP. */
static struct peerset_node *peerset_guess(const struct peerset *ps,
                                          const struct addr *a)
{
    struct peerset_node *only = NULL;
    uint32_t n = 0;

    for (uint32_t i = 0; i < ps->n; i++) {
        struct peerset_node *node = ps->nodes[i];

        if (!addr_eq_ip(&node->e.addr, a)) {
            continue;
        }
        if (!node->e.connectable && node->e.state == PEERSET_IDLE) {
            return node;
        }
        n++;
        only = node;
    }
    return n == 1 && only->e.state == PEERSET_IDLE && !only->e.is_self ? only
                                                                       : NULL;
}

/* A peer that came to us. */
int64_t peerset_add_incoming(struct peerset *ps, const struct addr *a)
{
    if (a->family == ADDR_NONE || peerset_is_banned(ps, a)) {
        return BTC_E_RANGE;
    }
    struct peerset_node *node = peerset_guess(ps, a);
    if (!node) {
        node = peerset_make(ps, a, PEER_SOURCE_INCOMING, false);
        return node ? (int64_t)node->e.id : BTC_E_LIMIT;
    }
    if (node->e.connectable) {
        node->is_guess = true;
    } else {
        node->e.addr.port = a->port;
    }
    return node->e.id;
}

/* The guess was wrong: the old record goes back to its address under a new id,
 * and the node is that of a stranger. */
static void peerset_undo_guess(struct peerset *ps, struct peerset_node *node)
{
    struct peerset_entry old = node->e;
    uint32_t useless = node->useless;

    peerset_unlink_addr(ps, node);
    peerset_set_source(ps, node, PEER_SOURCE_INCOMING);
    node->e = (struct peerset_entry){.id = old.id,
                                     .addr = old.addr,
                                     .source = PEER_SOURCE_INCOMING,
                                     .state = old.state,
                                     .banned = old.banned,
                                     .last_seen = old.last_seen};
    node->useless = 0;
    node->is_guess = false;
    struct peerset_node *back = peerset_make(ps, &old.addr, old.source, true);
    if (back) {
        old.id = back->e.id;
        old.state = PEERSET_IDLE;
        back->e = old;
        back->useless = useless;
    }
}

/* Two entries are one peer: the record and the ids of `from` go to `to`. */
static void peerset_merge(struct peerset *ps, struct peerset_node *to,
                          struct peerset_node *from)
{
    struct peerset_entry *e = &to->e;
    struct peerset_id *i = NULL;

    peerset_set_source(ps, to, from->e.source);
    e->bytes_down += from->e.bytes_down;
    e->bytes_up += from->e.bytes_up;
    e->bad_pieces += from->e.bad_pieces;
    e->n_stalls += from->e.n_stalls;
    e->is_seed = e->is_seed || from->e.is_seed;
    e->is_self = e->is_self || from->e.is_self;
    if (from->e.last_seen > e->last_seen) {
        e->last_seen = from->e.last_seen;
    }
    while ((i = peerset_unlink_id(ps, from)) != NULL) {
        peerset_link_id(ps, to, i);
    }
    peerset_remove(ps, from);
}

/* A peer that came to us said where it listens. */
void peerset_set_port(struct peerset *ps, uint32_t id, uint16_t port)
{
    struct peerset_node *node = peerset_by_id(ps, id);

    if (!node || port == 0) {
        return;
    }
    if (node->e.connectable && (node->e.addr.port == port || !node->is_guess)) {
        node->is_guess = false; /* it is who we thought, or we dialled it */
        return;
    }
    struct addr at = peerset_key(&node->e.addr, port);
    struct peerset_node *other = peerset_by_addr(ps, &at);
    if (!addr_is_dialable(&at) || (other && other->e.state != PEERSET_IDLE)) {
        return; /* a second connection of a peer that we have */
    }
    if (node->e.connectable) {
        peerset_undo_guess(ps, node);
        other = peerset_by_addr(ps, &at);
    }
    if (other) {
        peerset_merge(ps, node, other);
    }
    node->e.addr = at;
    node->priority = peerset_priority(ps, &at);
    node->e.connectable = true;
    peerset_link_addr(ps, node);
    peerset_changed(ps);
}

void peerset_set_undialable(struct peerset *ps, uint32_t id)
{
    struct peerset_node *node = peerset_by_id(ps, id);

    if (node && node->e.connectable) {
        peerset_unlink_addr(ps, node);
        node->e.connectable = false;
    }
}

/* The entry of an id. */
struct peerset_entry *peerset_get(struct peerset *ps, uint32_t id)
{
    struct peerset_node *node = peerset_by_id(ps, id);

    return node ? &node->e : NULL;
}

/* The entry that can be dialled at an address. */
struct peerset_entry *peerset_find(struct peerset *ps, const struct addr *a)
{
    struct peerset_node *node = peerset_by_addr(ps, a);

    return node ? &node->e : NULL;
}

/* Entries. */
uint32_t peerset_count(const struct peerset *ps)
{
    return ps->n;
}

/* The i-th entry. */
struct peerset_entry *peerset_at(struct peerset *ps, uint32_t i)
{
    BTC_ASSERT(i < ps->n);
    return &ps->nodes[i]->e;
}

/* The /64 of an IPv6 address, as a key among the bans. */
static struct addr peerset_network(const struct addr *a)
{
    struct addr net = peerset_key(a, 0);

    memset(net.ip + sizeof(net.ip) / 2, 0, sizeof(net.ip) / 2);
    return net;
}

/* The IP of an address is banned, or its network. */
bool peerset_is_banned(const struct peerset *ps, const struct addr *a)
{
    struct addr net = peerset_network(a);

    return peerset_bannee_find(ps, a) ||
           (a->family == ADDR_V6 && peerset_bannee_find(ps, &net));
}

/* Who has a /64 has as many addresses as it likes: after a few it is the
 * network that is banned. */
static bool peerset_is_bad_network(const struct peerset *ps,
                                   const struct addr *a)
{
    uint32_t n = 0;

    for (const struct peerset_bannee *b = ps->bannees; b; b = b->hh.next) {
        n += addr_eq_host(&b->ip, a);
    }
    return a->family == ADDR_V6 && n >= PEERSET_NETWORK_BANS;
}

/* Bans the IP of an entry. */
void peerset_ban(struct peerset *ps, uint32_t id)
{
    struct peerset_node *node = peerset_by_id(ps, id);

    if (!node || peerset_is_banned(ps, &node->e.addr)) {
        return;
    }
    struct addr net = peerset_network(&node->e.addr);
    while (peerset_n_bannees(ps) >= PEERSET_MAX_BANS) {
        peerset_bannee_remove(ps, ps->bannees);
    }
    peerset_bannee_add(ps, &node->e.addr);
    if (peerset_is_bad_network(ps, &node->e.addr)) {
        peerset_bannee_add(ps, &net);
    }
    for (uint32_t i = 0; i < ps->n; i++) {
        struct peerset_entry *e = &ps->nodes[i]->e;
        e->banned = peerset_is_banned(ps, &e->addr);
    }
    peerset_changed(ps);
}

bool peerset_is_self(const struct peerset *ps, const struct addr *a)
{
    uint32_t n = num_min_u32(ps->self.n, PEERSET_MAX_SELF);

    for (uint32_t i = 0; i < n; i++) {
        if (addr_eq(&ps->self.at[i], a)) {
            return true;
        }
    }
    return false;
}

/* Anybody can answer with our own peer id, from as many addresses as it has, so
 * the oldest is forgotten when there are too many. */
void peerset_set_self(struct peerset *ps, uint32_t id)
{
    struct peerset_node *node = peerset_by_id(ps, id);

    if (!node) {
        return;
    }
    node->e.is_self = true;
    if (!peerset_is_self(ps, &node->e.addr)) {
        if (!ps->self.at) {
            ps->self.at = mem_calloc(PEERSET_MAX_SELF, sizeof(*ps->self.at));
        }
        ps->self.at[ps->self.n % PEERSET_MAX_SELF] = node->e.addr;
        ps->self.n++;
    }
}
