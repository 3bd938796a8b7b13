/* Our node of the DHT in a run; see nodes.h. */
#include "engine/nodes.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "core/dht/dht.h"
#include "engine/facts.h"
#include "engine/node_rows.h"
#include "engine/turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES_FEW_PEERS     20 /* with fewer a torrent is searched for sooner */
#define NODES_STAY_MS       600000u /* a run that lasts is a node for others */
#define NODES_SEARCHES_VAIN 3       /* then a run without any peer gives up */
#define NODES_HOST_MAX      256

/* A bootstrap host that is being looked up. */
struct nodes_host {
    struct nodes *nodes; /* borrows */
    struct resolve_job *job;
    struct nodes_host *next;
};

struct nodes {
    struct engine *s; /* borrows, as the next */
    struct udp *udp;
    struct resolve *resolve;
    struct udp_user user;
    struct dht *dht;          /* owns */
    struct loop_timer *timer; /* owns */
    struct nodes_host *hosts; /* owns */
    struct node_rows *rows;   /* owns */
    struct krpc_node *known;  /* owns; of earlier runs, until the start */
    size_t n_known;
    bool is_started; /* a torrent that is not private has run */
    bool answers;    /* others are answered, and told of us (BEP 43) */
    uint64_t opened_ms;
};

/* --- what the core wants --- */

/* The torrent of an info hash that runs and is searched for; NULL = none. */
static struct engine_torrent *nodes_find(const struct nodes *n,
                                         const uint8_t *info_hash)
{
    struct engine_torrent *st = turn_find(n->s, info_hash);
    if (st != NULL && !st->row.is_private) {
        return st;
    }
    return NULL;
}

static void nodes_on_peers(struct nodes *n, const struct dht_action *a)
{
    struct engine_torrent *st = nodes_find(n, a->found.info_hash);
    for (size_t i = 0; st != NULL && i < a->found.n_peers; i++) {
        struct event ev = {.type = EVENT_PEER};
        ev.peer.addr = a->found.peers[i];
        ev.peer.source = PEER_SOURCE_DHT;
        turn_input(st, &ev);
    }
}

/* A search is journaled; the first of a torrent in a run is told, too. */
static void nodes_on_done(struct nodes *n, const struct dht_search_result *r)
{
    struct engine_torrent *st = nodes_find(n, r->info_hash);
    if (st == NULL) {
        return;
    }
    node_rows_search(n->rows, st->id, r);
    if (st->watch.search.n_dht_searches++ > 0) {
        return;
    }
    char text[160];
    (void)snprintf(text, sizeof(text),
                   "the DHT was asked: %u nodes answered, %u peers were found, "
                   "%u nodes took our announcement",
                   r->n_answers, r->n_peers, r->n_announced);
    facts_event(st, LEVEL_INFO, "dht", text);
}

static void nodes_do(struct nodes *n, const struct dht_action *a)
{
    switch (a->type) {
    case DHT_ACTION_SEND:
        (void)udp_send(n->udp, &a->send.to, a->send.data);
        break;
    case DHT_ACTION_PEERS:
        nodes_on_peers(n, a);
        break;
    case DHT_ACTION_SEARCH_DONE:
        nodes_on_done(n, &a->done);
        break;
    case DHT_ACTION_SAVE_NODE:
        node_rows_node(n->rows, &a->node, false);
        break;
    case DHT_ACTION_FORGET_NODE:
        node_rows_node(n->rows, &a->node, true);
        break;
    case DHT_ACTION_EXTERNAL_IP:
    case DHT_ACTION_OWN_ID:
        node_rows_touch(n->rows);
        break;
    }
}

/* One event, and what follows from it. */
static void nodes_input(struct nodes *n, const struct dht_event *ev)
{
    struct dht_action a;
    dht_input(n->dht, ev, loop_now_ms(n->s->loop));
    while (dht_next_action(n->dht, &a)) {
        nodes_do(n, &a);
    }
    loop_timer_arm(n->timer, num_min_u64(dht_deadline(n->dht),
                                         node_rows_deadline(n->rows)));
}

/* What is gathered for the journal goes there. */
static void nodes_write(struct nodes *n)
{
    struct dht_stats stats;
    dht_get_stats(n->dht, loop_now_ms(n->s->loop), &stats);
    node_rows_write(n->rows, &stats);
}

static void nodes_on_timer(void *ctx)
{
    struct nodes *n = ctx;
    struct dht_event ev = {.type = DHT_EVENT_TICK};
    if (loop_now_ms(n->s->loop) >= node_rows_deadline(n->rows)) {
        nodes_write(n);
    }
    nodes_input(n, &ev);
}

/* Messages of the DHT are dictionaries; nothing else on the socket is. */
static bool nodes_on_datagram(void *ctx, const struct addr *from,
                              struct slice data)
{
    struct dht_event ev = {.type = DHT_EVENT_DATAGRAM};
    if (data.len == 0 || data.p[0] != 'd') {
        return false;
    }
    ev.addr = *from;
    ev.data = data;
    nodes_input(ctx, &ev);
    return true;
}

/* --- where to begin --- */

static void nodes_host_drop(struct nodes_host *h)
{
    LL_DELETE(h->nodes->hosts, h);
    free(h);
}

static void nodes_on_resolved(void *ctx, const struct resolve_result *r)
{
    struct nodes_host *h = ctx;
    struct nodes *n = h->nodes;
    nodes_host_drop(h);
    if (r->code != 0) { /* one of several, and no need of a known network */
        log_write(LOG_INFO, "dht", "%s", r->error);
    }
    for (size_t i = 0; r->code == 0 && i < r->n; i++) {
        struct dht_event ev = {.type = DHT_EVENT_BOOTSTRAP};
        ev.addr = r->addrs[i];
        nodes_input(n, &ev);
    }
}

/* "HOST:PORT" of an option, or "[IPv6]:PORT". */
static void nodes_bootstrap(struct nodes *n, struct resolve *resolve,
                            const char *text)
{
    char host[NODES_HOST_MAX];
    uint64_t port = 0;
    const char *colon = strrchr(text, ':');
    size_t len = 0;
    if (colon != NULL) {
        len = (size_t)(colon - text);
    }
    if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof(host) ||
        !bytes_parse_u64(slice_str(colon + 1), &port) || port == 0 ||
        port > UINT16_MAX) {
        log_write(LOG_WARN, "dht", "'%s' is no HOST:PORT of a node", text);
        return;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    struct nodes_host *h = mem_zalloc(sizeof(*h));
    h->nodes = n;
    LL_PREPEND(n->hosts, h);
    h->job = resolve_start(resolve, host, (uint16_t)port, nodes_on_resolved, h);
}

/* The nodes of earlier runs. */
static void nodes_restore(struct nodes *n)
{
    for (size_t i = 0; i < n->n_known; i++) {
        struct dht_event ev = {.type = DHT_EVENT_SAVED, .node = n->known[i]};
        nodes_input(n, &ev);
    }
    free(n->known);
    n->known = NULL;
    n->n_known = 0;
}

/* Peers of torrents that are not private are told where our node is. */
static void nodes_tell_port(const struct nodes *n)
{
    uint16_t port = udp_port(n->udp, ADDR_V4);
    if (port == 0) {
        port = udp_port(n->udp, ADDR_V6);
    }
    n->s->shared.swarm.dht_port = port;
}

/* From now on we are a node for others, too. */
static void nodes_answer(struct nodes *n)
{
    struct dht_event ev = {.type = DHT_EVENT_READ_ONLY, .read_only = false};
    n->answers = true;
    nodes_tell_port(n);
    nodes_input(n, &ev);
}

/* A daemon stays, and so does a run that has lasted: it gives back what it
 * takes. Others ask and go. */
static bool nodes_stays(const struct nodes *n)
{
    return n->s->o.follow_wishes ||
           loop_now_ms(n->s->loop) - n->opened_ms >= NODES_STAY_MS;
}

/* The first torrent that may be searched for: until then nothing is sent, and
 * nobody is answered. */
static void nodes_start(struct nodes *n)
{
    struct dht_event ev = {.type = DHT_EVENT_TICK};
    if (n->is_started) {
        return;
    }
    n->is_started = true;
    udp_add_user(n->udp, &n->user);
    nodes_restore(n);
    for (size_t i = 0; i < n->s->o.reach.n_dht_bootstrap; i++) {
        nodes_bootstrap(n, n->resolve, n->s->o.reach.dht_bootstrap[i]);
    }
    nodes_input(n, &ev);
    if (nodes_stays(n)) {
        nodes_answer(n);
    }
}

/* --- the face --- */

struct nodes *nodes_open(struct engine *s, struct udp *udp,
                         struct resolve *resolve)
{
    struct dht_config c = {.read_only = true,
                           .allow_local = s->o.reach.allow_local,
                           .version = {'B', 'T', 0, 1}};
    if (udp == NULL) {
        return NULL;
    }
    if (udp_has_family(udp, ADDR_V4)) {
        c.families |= KRPC_NODES4;
    }
    if (udp_has_family(udp, ADDR_V6)) {
        c.families |= KRPC_NODES6;
    }
    rng_bytes(&s->rng, c.secret, sizeof(c.secret));
    struct nodes *n = mem_zalloc(sizeof(*n));
    n->s = s;
    n->udp = udp;
    n->resolve = resolve;
    n->opened_ms = loop_now_ms(s->loop);
    n->rows = node_rows_new(s);
    node_rows_restore(n->rows, &c);
    n->dht = dht_new(&c, &s->rng, loop_now_ms(s->loop));
    n->timer = loop_timer_new(s->loop, nodes_on_timer, n);
    n->user = (struct udp_user){.on_datagram = nodes_on_datagram, .ctx = n};
    n->n_known = node_rows_load(n->rows, &n->known);
    if (nodes_stays(n)) {
        nodes_tell_port(n); /* the first peers come before the first search */
    }
    return n;
}

void nodes_close(struct nodes *n)
{
    if (n == NULL) {
        return;
    }
    nodes_write(n);
    while (n->hosts != NULL) {
        /* Each turn takes the first off the list; the analyser does not see it.
         * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        resolve_cancel(n->hosts->job);
        nodes_host_drop(n->hosts);
    }
    udp_remove_user(n->udp, &n->user);
    loop_timer_close(n->timer);
    dht_free(n->dht);
    free(n->known);
    node_rows_free(n->rows);
    free(n);
}

/* Between two searches: shorter while peers lack. */
static uint64_t nodes_pause(const struct engine_torrent *st)
{
    struct torrent_stats ts;
    torrent_get_stats(st->t, loop_now_ms(st->s->loop), &ts);
    bool lacks =
        torrent_state(st->t) != TORRENT_SEEDING && ts.peers < NODES_FEW_PEERS;
    if (lacks) {
        return DHT_SEARCH_SOON_MS;
    }
    return DHT_SEARCH_AGAIN_MS;
}

void nodes_second(struct nodes *n, struct engine_torrent *st)
{
    uint64_t now = loop_now_ms(st->s->loop);
    uint16_t port = st->s->shared.swarm.port;
    if (n == NULL || st->row.is_private || st->t == NULL) {
        return;
    }
    nodes_start(n);
    if (!n->answers && nodes_stays(n)) {
        nodes_answer(n);
    }
    if (now < st->watch.search.dht_ms) {
        return;
    }
    st->watch.search.dht_ms = now + nodes_pause(st);
    struct dht_event ev = {.type = DHT_EVENT_SEARCH};
    memcpy(ev.search.info_hash, st->row.info_hash, sizeof(ev.search.info_hash));
    ev.search.port = port;
    ev.search.implied_port = port != 0 && udp_port(n->udp, ADDR_V4) == port;
    nodes_input(n, &ev);
}

bool nodes_has_hope(const struct nodes *n, const struct engine_torrent *st)
{
    struct dht_stats stats;
    if (n == NULL || st->row.is_private ||
        st->watch.search.n_dht_searches >= NODES_SEARCHES_VAIN) {
        return false;
    }
    dht_get_stats(n->dht, loop_now_ms(n->s->loop), &stats);
    return n->hosts != NULL || stats.v4.n_nodes + stats.v6.n_nodes > 0 ||
           stats.v4.is_starting || stats.v6.is_starting;
}

void nodes_add(struct nodes *n, const struct addr *a)
{
    struct dht_event ev = {.type = DHT_EVENT_NODE};
    if (n != NULL) {
        nodes_start(n);
        ev.addr = *a;
        nodes_input(n, &ev);
    }
}
