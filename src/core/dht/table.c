/* The routing table: buckets by shared bits, nodes and candidates. */
#include "core/dht/table.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct dht_entry {
    struct krpc_node node;
    uint64_t place;      /* dht_place_of its address */
    uint64_t replied_ms; /* when it last answered us */
    uint64_t asked_ms;   /* when it last asked us; 0 = never */
    uint64_t pinged_ms;  /* when dht_table_next_ping last named it */
    uint8_t failures;    /* queries in a row that it let pass */
    bool fits;           /* its id fits its address (BEP 42) */
};

struct dht_bucket {
    uint8_t n_nodes;
    uint8_t n_candidates;
    uint64_t touched_ms; /* a node answered or came; or a refresh began */
    struct dht_entry nodes[DHT_BUCKET_NODES];
    struct krpc_node candidates[DHT_BUCKET_CANDIDATES]; /* newest last */
};

struct dht_table {
    uint8_t own[DHT_ID_LEN];
    uint32_t depth; /* no bucket at this index or behind it */
    struct dht_bucket *buckets[DHT_ID_BITS]; /* owns; NULL until needed */
};

/* Where a node of the table stands. */
struct dht_spot {
    struct dht_bucket *bucket; /* NULL: nowhere */
    size_t idx;
};

struct dht_table *dht_table_new(const uint8_t own[DHT_ID_LEN])
{
    struct dht_table *t = mem_zalloc(sizeof *t);

    memcpy(t->own, own, DHT_ID_LEN);
    return t;
}

static void dht_table_free_buckets(struct dht_bucket *buckets[DHT_ID_BITS])
{
    for (size_t i = 0; i < DHT_ID_BITS; i++) {
        free(buckets[i]);
        buckets[i] = NULL;
    }
}

void dht_table_free(struct dht_table *t)
{
    if (t != NULL) {
        dht_table_free_buckets(t->buckets);
        free(t);
    }
}

const uint8_t *dht_table_own(const struct dht_table *t)
{
    return t->own;
}

static bool dht_entry_is_good(const struct dht_entry *e, uint64_t now_ms)
{
    return e->failures == 0 &&
           (now_ms - e->replied_ms < DHT_GOOD_MS ||
            (e->asked_ms != 0 && now_ms - e->asked_ms < DHT_GOOD_MS));
}

/* The bucket of an id, made when it is not there; NULL for our own id. */
static struct dht_bucket *dht_table_bucket(struct dht_table *t,
                                           const uint8_t id[DHT_ID_LEN])
{
    uint32_t i = dht_id_shared_bits(t->own, id);

    if (i == DHT_ID_BITS) {
        return NULL;
    }
    if (t->buckets[i] == NULL) {
        t->buckets[i] = mem_zalloc(sizeof *t->buckets[i]);
    }
    if (t->depth <= i) {
        t->depth = i + 1;
    }
    return t->buckets[i];
}

/* The node that holds a place. */
static struct dht_spot dht_table_find(const struct dht_table *t,
                                      const struct addr *addr)
{
    uint64_t place = dht_place_of(addr);

    for (size_t i = 0; i < t->depth; i++) {
        struct dht_bucket *b = t->buckets[i];

        for (size_t k = 0; b != NULL && k < b->n_nodes; k++) {
            if (b->nodes[k].place == place) {
                return (struct dht_spot){.bucket = b, .idx = k};
            }
        }
    }
    return (struct dht_spot){0};
}

/* The node of exactly this address; NULL when there is none. */
static struct dht_entry *dht_table_entry(const struct dht_table *t,
                                         const struct addr *addr)
{
    struct dht_spot s = dht_table_find(t, addr);

    if (s.bucket == NULL || !addr_eq(&s.bucket->nodes[s.idx].node.addr, addr)) {
        return NULL;
    }
    return &s.bucket->nodes[s.idx];
}

bool dht_table_has(const struct dht_table *t, const struct addr *addr)
{
    return dht_table_entry(t, addr) != NULL;
}

static struct krpc_node dht_bucket_remove(struct dht_bucket *b, size_t idx)
{
    struct krpc_node node = b->nodes[idx].node;

    b->n_nodes--;
    b->nodes[idx] = b->nodes[b->n_nodes];
    return node;
}

/* Takes a candidate out; the order of the others stays. */
static struct krpc_node dht_bucket_take_candidate(struct dht_bucket *b,
                                                  size_t idx)
{
    struct krpc_node node = b->candidates[idx];

    b->n_candidates--;
    memmove(&b->candidates[idx], &b->candidates[idx + 1],
            (b->n_candidates - idx) * sizeof b->candidates[0]);
    return node;
}

/* Forgets the candidates at a place. */
static void dht_bucket_drop_candidates(struct dht_bucket *b, uint64_t place)
{
    for (size_t i = b->n_candidates; i-- > 0;) {
        if (dht_place_of(&b->candidates[i].addr) == place) {
            dht_bucket_take_candidate(b, i);
        }
    }
}

/* Adds the newest candidate; the oldest goes when there are too many. */
static void dht_bucket_add_candidate(struct dht_bucket *b,
                                     const struct krpc_node *node)
{
    dht_bucket_drop_candidates(b, dht_place_of(&node->addr));
    if (b->n_candidates == DHT_BUCKET_CANDIDATES) {
        dht_bucket_take_candidate(b, 0);
    }
    b->candidates[b->n_candidates++] = *node;
}

/* Whose place in a full bucket a node that answers may take: one that let a
 * query pass, or one whose id does not fit while the new one's does. */
static size_t dht_bucket_victim(const struct dht_bucket *b, bool fits)
{
    for (size_t i = 0; i < b->n_nodes; i++) {
        if (b->nodes[i].failures > 0) {
            return i;
        }
    }
    for (size_t i = 0; fits && i < b->n_nodes; i++) {
        if (!b->nodes[i].fits) {
            return i;
        }
    }
    return b->n_nodes;
}

/* Puts an entry into its bucket; false when it is a candidate instead. At most
 * one node leaves for a newcomer: nobody when `gone` is taken already. */
static bool dht_bucket_insert(struct dht_bucket *b, const struct dht_entry *e,
                              struct krpc_node *gone)
{
    if (b->n_nodes == DHT_BUCKET_NODES) {
        size_t victim = dht_bucket_victim(b, e->fits);

        if (victim == b->n_nodes || gone->addr.family != ADDR_NONE) {
            dht_bucket_add_candidate(b, &e->node);
            return false;
        }
        *gone = dht_bucket_remove(b, victim);
    }
    dht_bucket_drop_candidates(b, e->place);
    b->nodes[b->n_nodes++] = *e;
    return true;
}

/* The node at the place of one that just answered leaves: true when the place
 * is free then. A good node keeps it against other ports of its host. */
static bool dht_table_vacate(struct dht_table *t, const struct krpc_node *node,
                             uint64_t now_ms, struct krpc_node *gone)
{
    struct dht_spot s = dht_table_find(t, &node->addr);

    if (s.bucket == NULL) {
        return true;
    }
    if (!addr_eq(&s.bucket->nodes[s.idx].node.addr, &node->addr) &&
        dht_entry_is_good(&s.bucket->nodes[s.idx], now_ms)) {
        return false;
    }
    *gone = dht_bucket_remove(s.bucket, s.idx);
    return true;
}

bool dht_table_on_reply(struct dht_table *t, const struct krpc_node *node,
                        uint64_t now_ms, struct krpc_node *gone)
{
    struct dht_entry *e = dht_table_entry(t, &node->addr);
    struct dht_bucket *b = dht_table_bucket(t, node->id);
    struct dht_entry fresh = {.node = *node, .replied_ms = now_ms};

    gone->addr = addr_none();
    if (b == NULL) {
        return false;
    }
    if (e != NULL && memcmp(e->node.id, node->id, DHT_ID_LEN) == 0) {
        e->replied_ms = now_ms;
        e->failures = 0;
        b->touched_ms = now_ms;
        return false;
    }
    if (!dht_table_vacate(t, node, now_ms, gone) || e != NULL) {
        return false;
    }
    fresh.place = dht_place_of(&node->addr);
    fresh.fits = dht_id_fits(node->id, &node->addr);
    if (!dht_bucket_insert(b, &fresh, gone)) {
        return false;
    }
    b->touched_ms = now_ms;
    return true;
}

void dht_table_on_query(struct dht_table *t, const struct krpc_node *node,
                        uint64_t now_ms)
{
    struct dht_entry *e = dht_table_entry(t, &node->addr);

    if (e != NULL && memcmp(e->node.id, node->id, DHT_ID_LEN) == 0) {
        e->asked_ms = now_ms;
        return;
    }
    dht_table_on_named(t, node);
}

void dht_table_on_named(struct dht_table *t, const struct krpc_node *node)
{
    struct dht_bucket *b = dht_table_bucket(t, node->id);

    if (b != NULL && b->n_nodes < DHT_BUCKET_NODES &&
        dht_table_find(t, &node->addr).bucket == NULL) {
        dht_bucket_add_candidate(b, node);
    }
}

bool dht_table_on_timeout(struct dht_table *t, const struct addr *addr,
                          struct krpc_node *gone)
{
    struct dht_spot s = dht_table_find(t, addr);
    struct dht_entry *e = NULL;

    if (s.bucket == NULL) {
        return false;
    }
    e = &s.bucket->nodes[s.idx];
    if (!addr_eq(&e->node.addr, addr)) {
        return false;
    }
    e->failures++;
    if (e->failures < DHT_TABLE_MAX_FAILURES) {
        return false;
    }
    *gone = dht_bucket_remove(s.bucket, s.idx);
    return true;
}

/* Gives all nodes and candidates of old buckets to the new ones. */
static void dht_table_rehome(struct dht_table *t, const struct dht_bucket *old,
                             uint64_t now_ms)
{
    struct krpc_node gone;

    for (size_t i = 0; i < old->n_nodes; i++) {
        struct dht_bucket *b = dht_table_bucket(t, old->nodes[i].node.id);

        gone.addr = addr_none();
        if (b != NULL) {
            dht_bucket_insert(b, &old->nodes[i], &gone);
            b->touched_ms = now_ms;
        }
    }
    for (size_t i = 0; i < old->n_candidates; i++) {
        dht_table_on_named(t, &old->candidates[i]);
    }
}

void dht_table_set_own(struct dht_table *t, const uint8_t own[DHT_ID_LEN],
                       uint64_t now_ms)
{
    struct dht_bucket *old[DHT_ID_BITS];

    memcpy(old, t->buckets, sizeof old);
    memset(t->buckets, 0, sizeof t->buckets);
    t->depth = 0;
    memcpy(t->own, own, DHT_ID_LEN);
    for (size_t i = 0; i < DHT_ID_BITS; i++) {
        if (old[i] != NULL) {
            dht_table_rehome(t, old[i], now_ms);
        }
    }
    dht_table_free_buckets(old);
}

/* Keeps the nearest `max` nodes sorted; gives how many there are now. */
static size_t dht_table_keep_nearest(const uint8_t target[DHT_ID_LEN],
                                     const struct krpc_node *node,
                                     struct krpc_node *out, size_t n,
                                     size_t max)
{
    size_t at = n;

    while (at > 0 && dht_id_is_nearer(target, node->id, out[at - 1].id)) {
        at--;
    }
    if (at == max) {
        return n;
    }
    if (n == max) {
        n--;
    }
    memmove(&out[at + 1], &out[at], (n - at) * sizeof *out);
    out[at] = *node;
    return n + 1;
}

size_t dht_table_closest(const struct dht_table *t,
                         const uint8_t target[DHT_ID_LEN], bool only_good,
                         uint64_t now_ms, struct krpc_node *out, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < t->depth; i++) {
        const struct dht_bucket *b = t->buckets[i];

        for (size_t k = 0; b != NULL && k < b->n_nodes; k++) {
            if (!only_good || dht_entry_is_good(&b->nodes[k], now_ms)) {
                n = dht_table_keep_nearest(target, &b->nodes[k].node, out, n,
                                           max);
            }
        }
    }
    return n;
}

/* The questionable node of a bucket that was silent for longest and was not
 * pinged just now; NULL when there is none. */
static struct dht_entry *dht_bucket_oldest(struct dht_bucket *b,
                                           uint64_t now_ms)
{
    struct dht_entry *oldest = NULL;

    for (size_t i = 0; i < b->n_nodes; i++) {
        struct dht_entry *e = &b->nodes[i];

        if (dht_entry_is_good(e, now_ms) ||
            (e->pinged_ms != 0 && now_ms - e->pinged_ms < DHT_PING_AGAIN_MS)) {
            continue;
        }
        if (oldest == NULL || e->replied_ms < oldest->replied_ms) {
            oldest = e;
        }
    }
    return oldest;
}

/* Candidates first: they make the table grow. */
static bool dht_table_next_candidate(struct dht_table *t, struct krpc_node *out)
{
    for (size_t i = t->depth; i-- > 0;) {
        struct dht_bucket *b = t->buckets[i];

        if (b != NULL && b->n_candidates > 0 && b->n_nodes < DHT_BUCKET_NODES) {
            *out = dht_bucket_take_candidate(b, b->n_candidates - 1u);
            return true;
        }
    }
    return false;
}

bool dht_table_next_ping(struct dht_table *t, uint64_t now_ms,
                         struct krpc_node *out)
{
    struct dht_entry *oldest = NULL;

    if (dht_table_next_candidate(t, out)) {
        return true;
    }
    for (size_t i = 0; i < t->depth; i++) {
        struct dht_entry *e = NULL;

        if (t->buckets[i] != NULL) {
            e = dht_bucket_oldest(t->buckets[i], now_ms);
        }
        if (e != NULL &&
            (oldest == NULL || e->replied_ms < oldest->replied_ms)) {
            oldest = e;
        }
    }
    if (oldest == NULL) {
        return false;
    }
    oldest->pinged_ms = now_ms;
    *out = oldest->node;
    return true;
}

/* Behind the first bucket that is not half full there are few nodes or none: a
 * lookup in that bucket finds them too. Buckets that liars made us open deep
 * down cost no lookups. */
bool dht_table_next_refresh(struct dht_table *t, uint64_t now_ms,
                            struct rng *rng, uint8_t target[DHT_ID_LEN])
{
    bool is_last = false;

    for (uint32_t i = 0; i < t->depth && !is_last; i++) {
        struct dht_bucket *b = t->buckets[i];

        is_last = b == NULL || b->n_nodes < DHT_BUCKET_NODES / 2;
        if (b != NULL && now_ms - b->touched_ms >= DHT_REFRESH_MS) {
            b->touched_ms = now_ms;
            dht_id_random_at(t->own, i, rng, target);
            return true;
        }
    }
    return false;
}

size_t dht_table_count(const struct dht_table *t)
{
    size_t n = 0;

    for (size_t i = 0; i < t->depth; i++) {
        if (t->buckets[i] != NULL) {
            n += t->buckets[i]->n_nodes;
        }
    }
    return n;
}

size_t dht_table_count_good(const struct dht_table *t, uint64_t now_ms)
{
    size_t n = 0;

    for (size_t i = 0; i < t->depth; i++) {
        const struct dht_bucket *b = t->buckets[i];

        for (size_t k = 0; b != NULL && k < b->n_nodes; k++) {
            n += dht_entry_is_good(&b->nodes[k], now_ms);
        }
    }
    return n;
}
