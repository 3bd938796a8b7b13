/* Tasks and searches.
 *
 * The searches stand in a map in the order they came in; the first
 * DHT_SEARCHES_ACTIVE of them have their turn. A search has a part per family:
 * it waits until the table has nodes, runs as a task, and is over. When all
 * parts are over the search is told as done.
 */
#include "core/dht/internal.h"

#include <string.h>

/* With so many nodes a search begins even while we still bootstrap. */
#define DHT_SEARCH_READY_NODES 4
/* So long an active search waits for its first node. */
#define DHT_SEARCH_WAIT_MS 30000u
/* Nodes of the table that a lookup starts with. */
#define DHT_SEARCH_SEEDS 16

static struct dht_task *dht_task_find(const struct dht *d, uint32_t id)
{
    struct dht_task *t = d->tasks[id % DHT_TASKS_MAX];

    if (t != NULL && t->id == id) {
        return t;
    }
    return NULL;
}

/* An id whose slot is free; there are as many slots as tasks can be. */
static uint32_t dht_task_new_id(struct dht *d)
{
    do {
        d->last_task++;
    } while (d->last_task == 0 || d->tasks[d->last_task % DHT_TASKS_MAX]);
    return d->last_task;
}

/* A new task that starts with the nearest nodes we know. */
static struct dht_task *dht_task_new(struct dht *d, struct dht_net *net,
                                     const uint8_t target[DHT_ID_LEN],
                                     uint64_t now_ms)
{
    struct dht_task *t = mem_zalloc(sizeof *t);
    struct krpc_node seeds[DHT_SEARCH_SEEDS];
    size_t n = dht_table_closest(net->table, target, false, now_ms, seeds,
                                 DHT_SEARCH_SEEDS);

    t->id = dht_task_new_id(d);
    t->net = net;
    dht_lookup_init(&t->lookup, target);
    for (size_t i = 0; i < n; i++) {
        dht_lookup_add(&t->lookup, &seeds[i]);
    }
    d->tasks[t->id % DHT_TASKS_MAX] = t;
    return t;
}

struct dht_task *dht_search_start_for_table(struct dht *d, struct dht_net *net,
                                            const uint8_t target[DHT_ID_LEN],
                                            uint64_t now_ms)
{
    return dht_task_new(d, net, target, now_ms);
}

void dht_search_add_address(struct dht *d, uint32_t task,
                            const struct addr *addr)
{
    struct dht_task *t = dht_task_find(d, task);

    if (t != NULL && t->state == DHT_TASK_LOOKING) {
        dht_lookup_add_address(&t->lookup, addr);
    }
}

static struct dht_search *dht_search_find(const struct dht *d,
                                          const uint8_t info_hash[DHT_ID_LEN])
{
    struct dht_search *s = NULL;

    HASH_FIND(hh, d->searches, info_hash, DHT_ID_LEN, s);
    return s;
}

void dht_search_start(struct dht *d, const struct dht_event *event)
{
    const uint8_t *info_hash = event->search.info_hash;
    struct dht_search *s = dht_search_find(d, info_hash);
    struct dht_search_result refused = {0};

    if (s == NULL && HASH_COUNT(d->searches) >= DHT_SEARCHES_MAX) {
        memcpy(refused.info_hash, info_hash, DHT_ID_LEN);
        dht_out_done(d, &refused);
        return;
    }
    if (s == NULL) {
        s = mem_zalloc(sizeof *s);
        memcpy(s->result.info_hash, info_hash, DHT_ID_LEN);
        HASH_ADD(hh, d->searches, result.info_hash, DHT_ID_LEN, s);
    }
    s->port = event->search.port;
    s->implied_port = event->search.implied_port;
}

static void dht_search_free(struct dht *d, struct dht_search *s)
{
    HASH_DEL(d->searches, s);
    free(s->found);
    free(s);
}

static void dht_task_free(struct dht *d, struct dht_task *t)
{
    d->tasks[t->id % DHT_TASKS_MAX] = NULL;
    free(t);
}

void dht_search_cancel(struct dht *d, const uint8_t info_hash[DHT_ID_LEN])
{
    struct dht_search *s = dht_search_find(d, info_hash);

    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < DHT_TASKS_MAX; i++) {
        if (d->tasks[i] != NULL && d->tasks[i]->search == s) {
            dht_task_free(d, d->tasks[i]);
        }
    }
    dht_search_free(d, s);
}

void dht_search_fini(struct dht *d)
{
    struct dht_search *s = NULL;
    struct dht_search *next = NULL;

    for (size_t i = 0; i < DHT_TASKS_MAX; i++) {
        free(d->tasks[i]);
    }
    HASH_ITER (hh, d->searches, s, next) {
        dht_search_free(d, s);
    }
}

/* Remembers that an address was told; false when it was before, or when enough
 * were. The table is never more than half full. */
static bool dht_search_is_new(struct dht_search *s, const struct addr *a)
{
    uint64_t hash = addr_hash(a) | 1;
    size_t slot = (hash >> 1) % DHT_FOUND_SLOTS;

    while (s->found[slot] != 0) {
        if (s->found[slot] == hash) {
            return false;
        }
        slot = (slot + 1) % DHT_FOUND_SLOTS;
    }
    if (s->result.n_peers == DHT_SEARCH_PEERS) {
        return false;
    }
    s->found[slot] = hash;
    s->result.n_peers++;
    return true;
}

/* Tells the new peers of a response; `steps` led to who sent it. */
static void dht_search_tell(struct dht *d, struct dht_search *s,
                            const struct addr *from,
                            const struct krpc_response *r, uint32_t steps)
{
    struct addr fresh[KRPC_PEERS_MAX];
    struct dht_found found = {.from = *from, .steps = steps, .peers = fresh};
    size_t n = 0;

    for (size_t i = 0; i < r->n_peers; i++) {
        if (dht_accepts(d, &r->peers[i], from) &&
            dht_search_is_new(s, &r->peers[i])) {
            fresh[n++] = r->peers[i];
        }
    }
    if (n == 0) {
        return;
    }
    if (!s->has_steps) {
        s->has_steps = true;
        s->result.steps = steps;
    }
    memcpy(found.info_hash, s->result.info_hash, DHT_ID_LEN);
    found.n_peers = n;
    dht_out_peers(d, &found);
}

/* The nodes of a response that a lookup may use. */
static size_t dht_task_filter(struct dht *d, const struct dht_task *t,
                              const struct addr *from,
                              const struct krpc_response *r,
                              struct krpc_node *out)
{
    const uint8_t *own = dht_table_own(t->net->table);
    size_t n = 0;

    for (size_t i = 0; i < r->n_nodes; i++) {
        const struct krpc_node *node = &r->nodes[i];

        if (node->addr.family == t->net->family &&
            dht_accepts(d, &node->addr, from) &&
            memcmp(node->id, own, DHT_ID_LEN) != 0) {
            out[n++] = *node;
        }
    }
    return n;
}

/* A response to a query of a lookup. */
static void dht_task_on_response(struct dht *d, struct dht_task *t,
                                 const struct addr *from,
                                 const struct krpc_msg *msg)
{
    struct krpc_node nodes[KRPC_NODES_MAX];
    struct dht_reply reply = {.from = *from,
                              .id = msg->id,
                              .nodes = nodes,
                              .token = msg->response.token};
    int steps = 0;

    reply.n_nodes = dht_task_filter(d, t, from, &msg->response, nodes);
    steps = dht_lookup_on_reply(&t->lookup, &reply);
    if (steps >= 0 && t->purpose == DHT_FOR_SEARCH) {
        dht_search_tell(d, t->search, from, &msg->response,
                        (uint32_t)steps + 1);
    }
}

void dht_search_on_reply(struct dht *d, const struct dht_call *call,
                         const struct krpc_msg *msg)
{
    struct dht_task *t = dht_task_find(d, call->task);

    if (msg->type == KRPC_ERROR) {
        dht_search_on_failure(d, call);
    } else if (t != NULL && call->kind == DHT_CALL_ANNOUNCE) {
        t->n_announcing--;
        t->search->result.n_announced++;
    } else if (t != NULL) {
        dht_task_on_response(d, t, &call->to.addr, msg);
    }
}

void dht_search_on_slow(struct dht *d, const struct dht_call *call)
{
    struct dht_task *t = dht_task_find(d, call->task);

    if (t != NULL && call->kind == DHT_CALL_LOOKUP) {
        dht_lookup_on_slow(&t->lookup, &call->to.addr);
    }
}

void dht_search_on_failure(struct dht *d, const struct dht_call *call)
{
    struct dht_task *t = dht_task_find(d, call->task);

    if (t == NULL) {
        return;
    }
    if (call->kind == DHT_CALL_ANNOUNCE) {
        t->n_announcing--;
    } else {
        dht_lookup_on_failure(&t->lookup, &call->to.addr);
    }
}

/* Whether a table is good enough to begin a search with. */
static bool dht_search_is_ready(const struct dht_net *net)
{
    size_t n = dht_table_count(net->table);

    return n >= DHT_SEARCH_READY_NODES ||
           (n > 0 && net->boot.state != DHT_BOOT_STARTING);
}

/* Begins the part of a search in one family, when that can be. */
static void dht_search_begin_part(struct dht *d, struct dht_search *s,
                                  size_t idx, uint64_t now_ms)
{
    struct dht_net *net = &d->nets[idx];
    struct dht_task *t = NULL;

    if (s->parts[idx] != DHT_PART_WAITING) {
        return;
    }
    if (net->is_on && dht_search_is_ready(net)) {
        t = dht_task_new(d, net, s->result.info_hash, now_ms);
        t->purpose = DHT_FOR_SEARCH;
        t->search = s;
        s->parts[idx] = DHT_PART_RUNNING;
    } else if (!net->is_on || now_ms - s->since_ms >= DHT_SEARCH_WAIT_MS) {
        s->parts[idx] = DHT_PART_OVER;
    }
}

/* The oldest searches have their turn. */
static void dht_search_begin(struct dht *d, uint64_t now_ms)
{
    struct dht_search *s = NULL;
    struct dht_search *next = NULL;
    size_t n = 0;

    HASH_ITER (hh, d->searches, s, next) {
        if (n == DHT_SEARCHES_ACTIVE) {
            return;
        }
        n++;
        if (!s->is_active) {
            s->is_active = true;
            s->since_ms = now_ms;
            s->found = mem_calloc(DHT_FOUND_SLOTS, sizeof *s->found);
        }
        for (size_t i = 0; i < DHT_FAMILIES; i++) {
            dht_search_begin_part(d, s, i, now_ms);
        }
    }
}

/* Announces us to the goal of a lookup that is done. */
static void dht_task_announce(struct dht *d, struct dht_task *t,
                              uint64_t now_ms)
{
    const struct dht_candidate *goal[DHT_LOOKUP_GOAL_MAX];
    size_t n = 0;

    t->state = DHT_TASK_ANNOUNCING;
    if (t->purpose != DHT_FOR_SEARCH || t->search->port == 0) {
        return;
    }
    n = dht_lookup_goal(&t->lookup, goal);
    for (size_t i = 0; i < n; i++) {
        if (goal[i]->n_token > 0 && dht_query_announce(d, t, goal[i], now_ms)) {
            t->n_announcing++;
        }
    }
}

/* Ends a task: who waits for it reads that it is over. */
static void dht_task_end(struct dht *d, struct dht_task *t)
{
    struct dht_search *s = t->search;

    if (s != NULL) {
        s->parts[t->net - d->nets] = DHT_PART_OVER;
        s->result.n_queries += t->lookup.n_queries;
        s->result.n_answers += t->lookup.n_answers;
        if (!s->has_steps && t->lookup.steps + 1u > s->result.steps) {
            s->result.steps = t->lookup.steps + 1u;
        }
    } else if (t->net->boot.task == t->id) {
        t->net->boot.task = 0;
    }
    dht_task_free(d, t);
}

/* Asks whom a task may ask now, and goes on when nobody is left. */
static void dht_task_run(struct dht *d, struct dht_task *t, uint64_t now_ms)
{
    struct dht_whom to;

    while (t->state == DHT_TASK_LOOKING && dht_lookup_next(&t->lookup, &to)) {
        if (!dht_query_lookup(d, t, &to, now_ms)) {
            dht_lookup_on_failure(&t->lookup, &to.addr);
        }
    }
    if (t->state == DHT_TASK_LOOKING && dht_lookup_is_done(&t->lookup)) {
        dht_task_announce(d, t, now_ms);
    }
    if (t->state == DHT_TASK_ANNOUNCING && t->n_announcing == 0) {
        dht_task_end(d, t);
    }
}

/* Tells the searches that are over; true when there were any. */
static bool dht_search_end(struct dht *d)
{
    struct dht_search *s = NULL;
    struct dht_search *next = NULL;
    bool any = false;

    HASH_ITER (hh, d->searches, s, next) {
        if (!s->is_active) {
            break;
        }
        if (s->parts[0] == DHT_PART_OVER && s->parts[1] == DHT_PART_OVER) {
            dht_out_done(d, &s->result);
            dht_search_free(d, s);
            any = true;
        }
    }
    return any;
}

void dht_search_run(struct dht *d, uint64_t now_ms)
{
    do {
        dht_search_begin(d, now_ms);
        for (size_t i = 0; i < DHT_TASKS_MAX; i++) {
            if (d->tasks[i] != NULL) {
                dht_task_run(d, d->tasks[i], now_ms);
            }
        }
    } while (dht_search_end(d));
}

uint64_t dht_search_deadline(const struct dht *d)
{
    const struct dht_search *s = NULL;
    const struct dht_search *next = NULL;
    uint64_t first = UINT64_MAX;

    HASH_ITER (hh, d->searches, s, next) {
        if (!s->is_active) {
            break;
        }
        for (size_t i = 0; i < DHT_FAMILIES; i++) {
            if (s->parts[i] == DHT_PART_WAITING &&
                s->since_ms + DHT_SEARCH_WAIT_MS < first) {
                first = s->since_ms + DHT_SEARCH_WAIT_MS;
            }
        }
    }
    return first;
}
