/* A simulated DHT: the network, the liars, and the course of a run. */
#include "sim_dht.h"

#include "base/err.h"
#include "base/heap.h"
#include "base/map.h"
#include "core/dht/dht.h"

#include <string.h>

#define SIM_DHT_LATENCY_MS    20  /* the least, one way */
#define SIM_DHT_JITTER_MS     130 /* added at most */
#define SIM_DHT_HOSTS         3
#define SIM_DHT_JOIN_MS       60u     /* between two nodes that join */
#define SIM_DHT_SETTLE_MS     300000u /* before and after the announcements */
#define SIM_DHT_SEARCH_GAP_MS 2000u   /* between two searches */
#define SIM_DHT_SEARCH_END_MS 120000u /* all are done by then */
#define SIM_DHT_FIRST_PORT    10000 /* announced by node i: this + i % 50000 */
#define SIM_DHT_UDP_PORT      6881

struct sim_dht_world;

enum sim_dht_lie {
    SIM_DHT_HONEST,
    SIM_DHT_INVENTS,  /* names nodes that do not exist */
    SIM_DHT_COLLUDES, /* names other liars, with ids that are not theirs */
    SIM_DHT_USURPS,   /* claims an id near the target */
    SIM_DHT_SILENT,   /* answers no query */
    SIM_DHT_N_LIES
};

struct sim_dht_node {
    struct dht *dht; /* owns; NULL: it has left */
    struct addr addr;
    enum sim_dht_lie lie;
    uint32_t idx;
    struct heap_node timer;
    UT_hash_handle hh;
};

/* A datagram on its way. */
struct sim_dht_packet {
    struct heap_node due;
    struct addr from;
    struct addr to;
    size_t len;
    uint8_t data[];
};

/* A search that is measured. */
struct sim_dht_probe {
    uint8_t info_hash[DHT_ID_LEN];
    uint32_t by; /* node */
    uint32_t hash;
    uint64_t begun_ms;
    bool has_found;
    bool is_done;
};

struct sim_dht_world {
    const struct sim_dht_params *params;
    struct sim_dht_report *report;
    struct rng rng;
    uint64_t now_ms;
    struct heap timers;
    struct heap packets;
    struct sim_dht_node **nodes; /* owns; n_nodes that live, then spare ones */
    struct sim_dht_node *by_addr;
    uint8_t (*hashes)[DHT_ID_LEN];
    struct addr (*announced)[SIM_DHT_PEERS];
    struct sim_dht_probe *probes;
    uint32_t n_probes;
    uint64_t churn_ms; /* the next node leaves then */
};

static struct addr sim_dht_random_addr(struct sim_dht_world *w)
{
    struct addr a = {.family = ADDR_V4, .port = SIM_DHT_UDP_PORT};

    rng_bytes(&w->rng, a.ip, 4);
    a.ip[0] = (uint8_t)(20 + a.ip[0] % 80); /* public ones */
    if (w->params->is_ipv6) {
        a.family = ADDR_V6;
        rng_bytes(&w->rng, a.ip, 16);
        a.ip[0] = 0x20;
    }
    return a;
}

static struct sim_dht_node *sim_dht_at(struct sim_dht_world *w,
                                       const struct addr *addr)
{
    struct sim_dht_node *n = NULL;

    HASH_FIND(hh, w->by_addr, addr, sizeof *addr, n);
    return n;
}

static bool sim_dht_percent(struct sim_dht_world *w, uint32_t percent)
{
    return rng_below(&w->rng, 100) < percent;
}

static void sim_dht_send(struct sim_dht_world *w, const struct addr *from,
                         const struct addr *to, struct slice data)
{
    struct sim_dht_packet *p = NULL;
    uint64_t delay = SIM_DHT_LATENCY_MS + rng_below(&w->rng, SIM_DHT_JITTER_MS);

    w->report->n_datagrams++;
    if (sim_dht_percent(w, w->params->loss_percent)) {
        return;
    }
    p = mem_zalloc(sizeof *p + data.len);
    p->from = *from;
    p->to = *to;
    p->len = data.len;
    memcpy(p->data, data.p, data.len);
    heap_put(&w->packets, &p->due, w->now_ms + delay);
}

/* A node near the target: invented, or another liar. */
static void sim_dht_lie_node(struct sim_dht_world *w, enum sim_dht_lie lie,
                             const uint8_t near[DHT_ID_LEN],
                             struct krpc_node *out)
{
    out->addr = sim_dht_random_addr(w);
    for (int i = 0; lie == SIM_DHT_COLLUDES && i < 100; i++) {
        const struct sim_dht_node *n =
            w->nodes[rng_below(&w->rng, w->params->n_nodes)];

        if (n != NULL && n->lie != SIM_DHT_HONEST) {
            out->addr = n->addr;
            break;
        }
    }
    dht_id_random_at(near, 60 + rng_below(&w->rng, 60), &w->rng, out->id);
}

/* Answers a query with lies. `near` is the target of the query. */
static void sim_dht_answer_lie(struct sim_dht_world *w,
                               const struct sim_dht_node *liar,
                               const struct addr *to, struct krpc_msg *answer,
                               const uint8_t near[DHT_ID_LEN])
{
    struct krpc_response *r = &answer->response;
    struct buf out;

    if (r->lists != 0) {
        r->n_nodes = KRPC_LIST_MAX;
        for (size_t i = 0; i < r->n_nodes; i++) {
            sim_dht_lie_node(w, liar->lie, near, &r->nodes[i]);
        }
        r->n_peers = (uint8_t)rng_below(&w->rng, 10);
        for (size_t i = 0; i < r->n_peers; i++) {
            r->peers[i] = sim_dht_random_addr(w);
        }
        if (liar->lie == SIM_DHT_USURPS) {
            dht_id_random_at(near, 100, &w->rng, answer->id);
        }
    }
    buf_init(&out, KRPC_SEND_MAX);
    if (krpc_encode(answer, &out) == 0) {
        sim_dht_send(w, &liar->addr, to, buf_slice(&out));
    }
    buf_fini(&out);
}

/* Sends what a node wants to send; a liar's answers are falsified. */
static void sim_dht_post(struct sim_dht_world *w, struct sim_dht_node *n,
                         const struct dht_action *a,
                         const struct krpc_msg *asked)
{
    struct krpc_msg msg;

    if (n->lie == SIM_DHT_HONEST || asked == NULL ||
        krpc_decode(a->send.data, &msg) != 0 || msg.type != KRPC_RESPONSE) {
        sim_dht_send(w, &n->addr, &a->send.to, a->send.data);
    } else if (n->lie != SIM_DHT_SILENT) {
        sim_dht_answer_lie(w, n, &a->send.to, &msg, asked->query.target);
    }
}

static struct sim_dht_probe *sim_dht_probe_of(struct sim_dht_world *w,
                                              const struct sim_dht_node *n,
                                              const uint8_t *info_hash)
{
    for (uint32_t i = 0; i < w->n_probes; i++) {
        if (w->probes[i].by == n->idx && !w->probes[i].is_done &&
            memcmp(w->probes[i].info_hash, info_hash, DHT_ID_LEN) == 0) {
            return &w->probes[i];
        }
    }
    return NULL;
}

/* A search was told its first true peer. */
static void sim_dht_count_found(struct sim_dht_world *w,
                                const struct sim_dht_probe *p, uint32_t steps)
{
    w->report->n_found++;
    w->report->mean_ms += (double)(w->now_ms - p->begun_ms);
    w->report->mean_steps += steps;
    if (steps > w->report->max_steps) {
        w->report->max_steps = steps;
    }
}

static void sim_dht_on_peers(struct sim_dht_world *w, struct sim_dht_node *n,
                             const struct dht_action *a)
{
    struct sim_dht_probe *p = sim_dht_probe_of(w, n, a->found.info_hash);

    for (size_t i = 0; p != NULL && i < a->found.n_peers; i++) {
        for (size_t k = 0; k < SIM_DHT_PEERS; k++) {
            if (!p->has_found &&
                addr_eq(&w->announced[p->hash][k], &a->found.peers[i])) {
                p->has_found = true;
                sim_dht_count_found(w, p, a->found.steps);
            }
        }
    }
}

static void sim_dht_on_done(struct sim_dht_world *w, struct sim_dht_node *n,
                            const struct dht_action *a)
{
    struct sim_dht_probe *p = sim_dht_probe_of(w, n, a->done.info_hash);

    w->report->n_announced += a->done.n_announced;
    if (p == NULL) {
        return;
    }
    p->is_done = true;
    w->report->mean_queries += a->done.n_queries;
    w->report->mean_done_ms += (double)(w->now_ms - p->begun_ms);
}

/* One event for a node, its actions, and its timer. */
static void sim_dht_input(struct sim_dht_world *w, struct sim_dht_node *n,
                          const struct dht_event *e,
                          const struct krpc_msg *asked)
{
    struct dht_action a;

    w->report->n_events++;
    dht_input(n->dht, e, w->now_ms);
    while (dht_next_action(n->dht, &a)) {
        if (a.type == DHT_ACTION_SEND) {
            sim_dht_post(w, n, &a, asked);
        } else if (a.type == DHT_ACTION_PEERS) {
            sim_dht_on_peers(w, n, &a);
        } else if (a.type == DHT_ACTION_SEARCH_DONE) {
            sim_dht_on_done(w, n, &a);
        }
    }
    heap_put(&w->timers, &n->timer, dht_deadline(n->dht));
}

/* Fills a place with a new node that joins by the hosts. */
static void sim_dht_join(struct sim_dht_world *w, uint32_t idx)
{
    struct sim_dht_node *n = mem_zalloc(sizeof *n);
    struct dht_config config = {.families = KRPC_NODES4};
    struct dht_event e = {.type = DHT_EVENT_BOOTSTRAP};

    do {
        n->addr = sim_dht_random_addr(w);
    } while (sim_dht_at(w, &n->addr) != NULL);
    if (idx >= SIM_DHT_HOSTS && sim_dht_percent(w, w->params->liars_percent)) {
        n->lie = (enum sim_dht_lie)(1 + idx % (SIM_DHT_N_LIES - 1));
    }
    config.ip4 = n->addr;
    if (w->params->is_ipv6) {
        config.families = KRPC_NODES6;
        config.ip4 = addr_none();
        config.ip6 = n->addr;
    }
    rng_bytes(&w->rng, config.secret, sizeof config.secret);
    n->idx = idx;
    n->dht = dht_new(&config, &w->rng, w->now_ms);
    w->nodes[idx] = n;
    HASH_ADD(hh, w->by_addr, addr, sizeof n->addr, n);
    for (uint32_t i = 0; i < SIM_DHT_HOSTS && i < idx; i++) {
        e.addr = w->nodes[i]->addr;
        sim_dht_input(w, n, &e, NULL);
    }
    e.type = DHT_EVENT_TICK;
    sim_dht_input(w, n, &e, NULL);
}

static void sim_dht_leave(struct sim_dht_world *w, uint32_t idx)
{
    struct sim_dht_node *n = w->nodes[idx];

    heap_remove(&w->timers, &n->timer);
    HASH_DEL(w->by_addr, n);
    dht_free(n->dht);
    free(n);
    w->nodes[idx] = NULL;
}

/* Nodes leave and others take their places; hosts stay, and who searches. */
static void sim_dht_churn(struct sim_dht_world *w)
{
    uint64_t per_hour =
        (uint64_t)w->params->n_nodes * w->params->churn_percent / 100;
    uint32_t idx = rng_below(&w->rng, w->params->n_nodes);

    if (per_hour == 0 || w->now_ms < w->churn_ms) {
        return;
    }
    w->churn_ms = w->now_ms + 3600000 / per_hour;
    for (uint32_t i = 0; i < w->n_probes; i++) {
        if (w->probes[i].by == idx && !w->probes[i].is_done) {
            return;
        }
    }
    if (idx >= SIM_DHT_HOSTS) {
        sim_dht_leave(w, idx);
        sim_dht_join(w, idx);
    }
}

static void sim_dht_deliver(struct sim_dht_world *w, struct sim_dht_packet *p)
{
    struct sim_dht_node *n = sim_dht_at(w, &p->to);
    struct dht_event e = {.type = DHT_EVENT_DATAGRAM, .addr = p->from};
    struct krpc_msg asked = {0};
    const struct krpc_msg *lied_to = NULL;

    e.data = slice_of(p->data, p->len);
    if (n != NULL) {
        if (n->lie != SIM_DHT_HONEST && krpc_decode(e.data, &asked) == 0 &&
            asked.type == KRPC_QUERY) {
            lied_to = &asked;
        }
        sim_dht_input(w, n, &e, lied_to);
    }
    free(p);
}

/* Goes on to the next datagram or timer; false when none is due before `end`.
 */
static bool sim_dht_step(struct sim_dht_world *w, uint64_t end_ms)
{
    struct dht_event tick = {.type = DHT_EVENT_TICK};
    struct heap_node *packet = heap_first(&w->packets);
    struct heap_node *timer = heap_first(&w->timers);

    if (packet != NULL && packet->key <= end_ms &&
        (timer == NULL || packet->key <= timer->key)) {
        w->now_ms = packet->key;
        heap_remove(&w->packets, packet);
        sim_dht_deliver(w, (struct sim_dht_packet *)packet);
        return true;
    }
    if (timer != NULL && timer->key <= end_ms) {
        w->now_ms = timer->key;
        sim_dht_input(
            w,
            (struct sim_dht_node *)((char *)timer -
                                    offsetof(struct sim_dht_node, timer)),
            &tick, NULL);
        return true;
    }
    return false;
}

/* Lets time pass. */
static void sim_dht_pass(struct sim_dht_world *w, uint64_t ms, bool churn)
{
    uint64_t end_ms = w->now_ms + ms;

    while (sim_dht_step(w, end_ms)) {
        if (churn) {
            sim_dht_churn(w);
        }
    }
    w->now_ms = end_ms;
}

/* A random node that does not lie. */
static struct sim_dht_node *sim_dht_honest(struct sim_dht_world *w)
{
    struct sim_dht_node *n = NULL;

    do {
        n = w->nodes[rng_below(&w->rng, w->params->n_nodes)];
    } while (n->lie != SIM_DHT_HONEST);
    return n;
}

static void sim_dht_announce_all(struct sim_dht_world *w)
{
    struct dht_event e = {.type = DHT_EVENT_SEARCH};

    for (uint32_t i = 0; i < w->params->n_hashes; i++) {
        rng_bytes(&w->rng, w->hashes[i], DHT_ID_LEN);
        memcpy(e.search.info_hash, w->hashes[i], DHT_ID_LEN);
        for (uint32_t k = 0; k < SIM_DHT_PEERS; k++) {
            struct sim_dht_node *n = sim_dht_honest(w);

            e.search.port = (uint16_t)(SIM_DHT_FIRST_PORT + n->idx % 50000);
            w->announced[i][k] = n->addr;
            w->announced[i][k].port = e.search.port;
            sim_dht_input(w, n, &e, NULL);
        }
        sim_dht_pass(w, SIM_DHT_SEARCH_GAP_MS / 2, true);
    }
}

static void sim_dht_search_all(struct sim_dht_world *w)
{
    struct dht_event e = {.type = DHT_EVENT_SEARCH};

    for (uint32_t i = 0; i < w->params->n_searches; i++) {
        struct sim_dht_probe *p = &w->probes[i];
        struct sim_dht_node *n = NULL;

        do { /* a node searches a hash once at a time */
            n = sim_dht_honest(w);
            p->hash = rng_below(&w->rng, w->params->n_hashes);
        } while (sim_dht_probe_of(w, n, w->hashes[p->hash]) != NULL);
        p->by = n->idx;
        p->begun_ms = w->now_ms;
        memcpy(p->info_hash, w->hashes[p->hash], DHT_ID_LEN);
        memcpy(e.search.info_hash, p->info_hash, DHT_ID_LEN);
        w->n_probes++;
        sim_dht_input(w, n, &e, NULL);
        sim_dht_pass(w, SIM_DHT_SEARCH_GAP_MS, true);
    }
    sim_dht_pass(w, SIM_DHT_SEARCH_END_MS, true);
}

static void sim_dht_summarise(struct sim_dht_world *w)
{
    struct sim_dht_report *r = w->report;
    uint32_t n_done = 0;

    for (uint32_t i = 0; i < w->params->n_nodes; i++) {
        struct dht_stats stats;

        dht_get_stats(w->nodes[i]->dht, w->now_ms, &stats);
        r->mean_table += stats.v4.n_nodes + stats.v6.n_nodes;
    }
    for (uint32_t i = 0; i < w->n_probes; i++) {
        n_done += w->probes[i].is_done;
    }
    BTC_ASSERT(n_done == w->n_probes);
    r->n_searches = n_done;
    r->n_simulated_ms = w->now_ms;
    r->mean_table /= w->params->n_nodes;
    r->mean_queries /= n_done;
    r->mean_done_ms /= n_done;
    if (r->n_found > 0) {
        r->mean_ms /= r->n_found;
        r->mean_steps /= r->n_found;
    }
}

static void sim_dht_fini(struct sim_dht_world *w)
{
    struct heap_node *p = heap_first(&w->packets);

    for (uint32_t i = 0; i < w->params->n_nodes; i++) {
        sim_dht_leave(w, i);
    }
    while (p != NULL) {
        heap_remove(&w->packets, p);
        free(p);
        p = heap_first(&w->packets);
    }
    heap_fini(&w->packets);
    heap_fini(&w->timers);
    free(w->nodes);
    free(w->hashes);
    free(w->announced);
    free(w->probes);
}

void sim_dht_run(const struct sim_dht_params *params,
                 struct sim_dht_report *out)
{
    struct sim_dht_world w = {.params = params, .report = out, .now_ms = 1};

    *out = (struct sim_dht_report){0};
    rng_init(&w.rng, params->seed);
    heap_init(&w.timers);
    heap_init(&w.packets);
    w.nodes = mem_calloc(params->n_nodes, sizeof(struct sim_dht_node *));
    w.hashes = mem_calloc(params->n_hashes, sizeof *w.hashes);
    w.announced = mem_calloc(params->n_hashes, sizeof *w.announced);
    w.probes = mem_calloc(params->n_searches, sizeof *w.probes);
    for (uint32_t i = 0; i < params->n_nodes; i++) {
        sim_dht_join(&w, i);
        sim_dht_pass(&w, SIM_DHT_JOIN_MS, false);
    }
    sim_dht_pass(&w, SIM_DHT_SETTLE_MS, true);
    sim_dht_announce_all(&w);
    sim_dht_pass(&w, SIM_DHT_SETTLE_MS, true);
    sim_dht_search_all(&w);
    sim_dht_summarise(&w);
    sim_dht_fini(&w);
}
