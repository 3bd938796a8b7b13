/* Our core in the simulated world: what the engine does for a torrent, and the
 * rules that hold for whatever the torrent says. */
#include "sim/sim_node.h"
#include "sim/sim_durable.h"

#include "core/torrent/internal.h"

/* --- rules --- */

/* Every message of ours that names a block must be sound. */
static void sim_node_look(struct sim_conn *c, const struct wire_msg *m)
{
    struct sim_torrent *st = c->st;
    struct sim *s = st->node->s;
    uint32_t block;
    if (m->type != WIRE_REQUEST) {
        return;
    }
    SIM_CHECK(s, sim_picker(st) != NULL);
    enum picker_state state = picker_state(sim_picker(st), m->block.piece);
    SIM_CHECK(s, layout_is_block(&st->c->geom, m->block.piece, m->block.begin,
                                 m->block.len, &block));
    SIM_CHECK(s, state != PICKER_HAVE && state != PICKER_CHECKING);
    SIM_CHECK(s, !layout_block_is_pad(&st->c->geom, m->block.piece, block));
    st->n_requests++;
    if (st->first_request_ms == 0) {
        st->first_request_ms = s->now_ms;
    }
}

/* A SEND holds whole messages. */
static void sim_node_watch(struct sim_conn *c, struct slice data)
{
    struct sim *s = c->st->node->s;
    while (data.len > 0) {
        struct wire_msg m;
        ptrdiff_t n = wire_decode(&c->sent, data, &m);
        SIM_CHECK(s, n > 0);
        sim_node_look(c, &m);
        data = slice_sub(data, (size_t)n, data.len - (size_t)n);
    }
}

/* A torrent that talks to itself without end shows here. */
static void sim_node_count(struct sim_torrent *st)
{
    uint64_t second = st->node->s->now_ms / 1000;
    if (second != st->second) {
        st->second = second;
        st->n_actions = 0;
    }
    st->n_actions++;
    if (st->n_actions > st->max_actions) {
        st->max_actions = st->n_actions;
    }
    SIM_CHECK(st->node->s, st->n_actions < SIM_MAX_ACTIONS);
}

/* See sim_node.h. */
const struct picker *sim_picker(const struct sim_torrent *st)
{
    return st->t->content != NULL ? torrent_picker(st->t) : NULL;
}

static void sim_picker_check(const struct sim_torrent *st)
{
    if (sim_picker(st) != NULL) {
        picker_check_invariant(sim_picker(st));
    }
}

/* See sim.h. */
void sim_torrent_check(struct sim_torrent *st)
{
    if (st->t != NULL) {
        sim_node_check_books(st->node);
        sim_picker_check(st);
        announce_check_invariant(torrent_announce(st->t));
        sim_journal_check(st);
    }
}

/* After every input. */
static void sim_node_check(struct sim_torrent *st)
{
    const struct pool *p = &st->node->pool;
    struct sim *s = st->node->s;
    SIM_CHECK(s, p->in_use <= p->max && p->reserved <= p->max - p->in_use);
    if (sim_chance(s, 500)) {
        sim_picker_check(st);
        sim_node_check_books(st->node);
    }
}

/* --- connections --- */

/* The connection of an id; a stale one is a bug of ours. */
static struct sim_conn *sim_conn_get(struct sim_torrent *st, uint32_t id)
{
    uint32_t slot = id & 0xffffu;
    SIM_CHECK(st->node->s, slot < st->n_conns && st->conns[slot] != NULL &&
                               st->conns[slot]->id == id);
    return st->conns[slot];
}

/* Gives it its id. */
static void sim_conn_put(struct sim_torrent *st, struct sim_conn *c,
                         uint32_t id)
{
    uint32_t slot = id & 0xffffu;
    while (slot >= st->n_conns) {
        uint32_t n = st->n_conns > 0 ? st->n_conns * 2 : 16;
        st->conns = mem_resize(st->conns, n, sizeof(struct sim_conn *));
        memset(st->conns + st->n_conns, 0,
               (n - st->n_conns) * sizeof(struct sim_conn *));
        st->n_conns = n;
    }
    SIM_CHECK(st->node->s, id != 0 && st->conns[slot] == NULL);
    st->conns[slot] = c;
    c->st = st;
    c->id = id;
    wire_decoder_init(&c->sent);
}

/* Off the table. */
static void sim_conn_drop(struct sim_conn *c)
{
    if (c->st != NULL && !c->gone) {
        c->st->conns[c->id & 0xffffu] = NULL;
    }
    c->gone = true;
}

static void sim_conn_on_open(void *ctx, struct sim *s)
{
    struct sim_conn *c = ctx;
    struct event ev = {.type = EVENT_CONNECTED, .conn = c->id};
    (void)s;
    sim_input(c->st, &ev);
}

static void sim_conn_on_close(void *ctx, struct sim *s, int result)
{
    struct sim_conn *c = ctx;
    (void)s;
    if (c->st != NULL && !c->gone) {
        struct event ev = {
            .type = EVENT_CLOSED, .conn = c->id, .result = result};
        sim_conn_drop(c);
        sim_input(c->st, &ev);
    }
}

/* The torrent of a handshake. */
static struct sim_torrent *sim_node_find(struct sim_node *n,
                                         const uint8_t *info_hash)
{
    for (struct sim_torrent *st = n->torrents; st != NULL; st = st->next) {
        if (st->t != NULL && memcmp(st->c->info_hash, info_hash, 20) == 0) {
            return st;
        }
    }
    return NULL;
}

/* The handshake of one that came in is whole. */
static void sim_conn_route(struct sim_conn *c, struct sim_node *n,
                           struct sim *s)
{
    struct wire_decoder d;
    struct wire_msg m;
    wire_decoder_init(&d);
    bool good = wire_decode(&d, slice_of(c->hello, c->n_hello), &m) > 0;
    struct sim_torrent *st =
        good ? sim_node_find(n, m.handshake.info_hash) : NULL;
    const struct addr *from = &c->link->side[0].host->addr;
    uint32_t id = st != NULL ? torrent_new_conn(st->t, from, s->now_ms) : 0;
    if (id == 0) {
        sim_close(s, c->link, c->side);
        if (st != NULL) {
            sim_drain(st); /* somebody may have left for another one */
        }
        return;
    }
    sim_conn_put(st, c, id);
    struct event ev = {.type = EVENT_ACCEPTED, .conn = id};
    ev.accepted.addr = *from;
    ev.accepted.handshake = m.handshake;
    sim_input(st, &ev);
}

static void sim_conn_on_data(void *ctx, struct sim *s, struct slice data)
{
    struct sim_conn *c = ctx;
    if (c->st == NULL) {
        struct sim_node *n = c->link->side[1].host->ctx;
        size_t want = sizeof c->hello - c->n_hello;
        size_t take = data.len < want ? data.len : want;
        memcpy(c->hello + c->n_hello, data.p, take);
        c->n_hello += take;
        if (c->n_hello < sizeof c->hello) {
            return;
        }
        sim_conn_route(c, n, s);
        data = slice_sub(data, take, data.len - take);
    }
    if (c->st != NULL && !c->gone && data.len > 0) {
        struct event ev = {.type = EVENT_DATA, .conn = c->id, .data = data};
        sim_input(c->st, &ev);
    }
}

/* A connection of the node; freed with it. */
static struct sim_conn *sim_conn_new(struct sim_node *n, struct sim_link *l,
                                     uint32_t side)
{
    struct sim_conn *c = mem_zalloc(sizeof *c);
    c->link = l;
    c->side = side;
    c->next = n->all;
    n->all = c;
    l->side[side].on_open = sim_conn_on_open;
    l->side[side].on_data = sim_conn_on_data;
    l->side[side].on_close = sim_conn_on_close;
    l->side[side].ctx = c;
    return c;
}

static void sim_node_on_accept(void *ctx, struct sim *s, struct sim_link *l)
{
    (void)s;
    (void)sim_conn_new(ctx, l, 1);
}

/* The torrent is told, in the middle of a drain even. */
static void sim_tell(struct sim_torrent *st, const struct event *ev)
{
    uint64_t now_ms = st->node->s->now_ms;
    torrent_input(st->t, ev, now_ms, SIM_UNIX + (int64_t)(now_ms / 1000));
}

/* --- actions --- */

/* ACTION_CONNECT; some fail at once, in the middle of the drain. */
static void sim_do_connect(struct sim_torrent *st, const struct action *a)
{
    struct sim *s = st->node->s;
    struct sim_link *l = sim_dial(s, &st->node->host, &a->addr);
    st->n_dials++;
    if ((l->side[1].host == NULL || l->side[1].host->deaf) &&
        sim_chance(s, 2)) {
        struct event ev = {
            .type = EVENT_CLOSED, .conn = a->conn, .result = BTC_E_REFUSED};
        l->side[0].open = false;
        sim_tell(st, &ev);
        return;
    }
    sim_conn_put(st, sim_conn_new(st->node, l, 0), a->conn);
}

/* A magnet's files are there, too: it goes on with them. */
static void sim_on_created(struct sim *s, struct sim_event *e)
{
    struct sim_torrent *st = e->ctx;
    struct event ev = {.type = EVENT_START};
    (void)s;
    if (st->t != NULL && st->epoch == e->id) {
        sim_input(st, &ev);
    }
}

/* The rows of its content are read. */
static void sim_on_learned(struct sim *s, struct sim_event *e)
{
    struct sim_torrent *st = e->ctx;
    if (st->t == NULL || st->epoch != e->id ||
        torrent_state(st->t) != TORRENT_METADATA) {
        return;
    }
    st->config.geom = &st->c->geom;
    st->config.info = slice_of(st->c->info, st->c->info_len);
    torrent_learn(st->t, &st->config);
    sim_wake(st);
    sim_at(s, sim_below(s, st->learn_ms + 1), sim_on_created, st)->id =
        st->epoch;
}

/* The metadata is whole. */
static void sim_do_learn(struct sim_torrent *st)
{
    struct sim *s = st->node->s;
    SIM_CHECK(s, torrent_metadata_info(st->t).len == st->c->info_len);
    sim_at(s, sim_below(s, st->learn_ms + 1), sim_on_learned, st)->id =
        st->epoch;
}

/* ACTION_NOTIFY, as the session takes it. */
static void sim_do_notify(struct sim_torrent *st, const struct action *a)
{
    struct sim *s = st->node->s;
    if (a->notify.type == NOTIFY_METADATA) {
        sim_do_learn(st);
    } else if (st->ledger != NULL) {
        sim_durable_notify(st, a);
    } else if (a->notify.type == NOTIFY_COMPLETE) {
        SIM_CHECK(s, torrent_is_complete(st->t));
        st->told_complete = true;
        st->complete_ms = s->now_ms;
    } else if (a->notify.type == NOTIFY_ERROR) {
        struct event ev = {.type = EVENT_STOP};
        SIM_CHECK(s, a->notify.text != NULL && a->notify.result < 0);
        st->error = a->notify.result;
        sim_tell(st, &ev);
    }
}

/* One action. */
static void sim_do(struct sim_torrent *st, const struct action *a)
{
    struct sim *s = st->node->s;
    struct sim_conn *c;
    switch (a->type) {
    case ACTION_CONNECT:
        sim_do_connect(st, a);
        break;
    case ACTION_CLOSE:
        c = sim_conn_get(st, a->conn);
        sim_close(s, c->link, c->side);
        sim_conn_drop(c);
        break;
    case ACTION_SEND:
        c = sim_conn_get(st, a->conn);
        sim_node_watch(c, a->data);
        st->n_sends++;
        (void)sim_send(s, c->link, c->side, a->data);
        if (sim_chance(s, 50)) { /* an event in the middle of the drain */
            struct event ev = {.type = EVENT_TICK};
            sim_tell(st, &ev);
        }
        break;
    case ACTION_UPLOAD:
        (void)sim_conn_get(st, a->conn);
        sim_disk_action(st, a);
        break;
    case ACTION_FINISH:
    case ACTION_WRITE:
    case ACTION_HASH:
        sim_disk_action(st, a);
        break;
    case ACTION_ANNOUNCE:
        sim_tracker_announce(st, a);
        break;
    case ACTION_NODE:
    case ACTION_SCRAPE:
    case ACTION_INFO:
        break;
    case ACTION_PERSIST:
        sim_journal_fact(st, a);
        break;
    case ACTION_NOTIFY:
        sim_do_notify(st, a);
        break;
    }
}

/* See sim.h. */
void sim_drain(struct sim_torrent *st)
{
    struct action a;
    if (st->draining) {
        return;
    }
    st->draining = true;
    while (torrent_next_action(st->t, &a)) {
        sim_node_count(st);
        sim_do(st, &a);
    }
    st->draining = false;
}

/* --- time --- */

static void sim_node_on_timer(struct sim *s, struct sim_event *e);

/* One timer at the nearest deadline. */
static void sim_node_arm(struct sim_torrent *st)
{
    struct sim *s = st->node->s;
    uint64_t at = torrent_deadline(st->t);
    if (at < st->timer_ms) {
        st->timer_ms = at > s->now_ms ? at : s->now_ms;
        sim_at(s, st->timer_ms - s->now_ms, sim_node_on_timer, st);
    }
}

/* See sim_node.h. */
void sim_wake(struct sim_torrent *st)
{
    sim_drain(st);
    sim_node_arm(st);
}

/* The deadline has come, or was moved. */
static void sim_node_on_timer(struct sim *s, struct sim_event *e)
{
    struct sim_torrent *st = e->ctx;
    if (st->t == NULL || e->at != st->timer_ms) {
        return;
    }
    st->timer_ms = UINT64_MAX;
    if (torrent_deadline(st->t) <= s->now_ms) {
        struct event ev = {.type = EVENT_TICK};
        sim_input(st, &ev);
        SIM_CHECK(s, torrent_deadline(st->t) > s->now_ms);
    } else {
        sim_node_arm(st);
    }
}

/* The journal's tick. */
static void sim_node_on_journal(struct sim *s, struct sim_event *e)
{
    struct sim_node *n = e->ctx;
    for (struct sim_torrent *st = n->torrents; st != NULL; st = st->next) {
        if (st->t != NULL && st->started && st->ledger == NULL) {
            torrent_flush(st->t);
            sim_drain(st);
            sim_node_check(st);
        }
    }
    sim_at(s, SIM_JOURNAL_MS, sim_node_on_journal, n);
}

/* See sim.h. */
void sim_input(struct sim_torrent *st, const struct event *ev)
{
    if (st->t == NULL) {
        return;
    }
    sim_tell(st, ev);
    if (st->draining) {
        return;
    }
    sim_drain(st);
    sim_node_check(st);
    sim_node_arm(st);
}

/* --- torrents --- */

/* See sim.h. */
struct sim_node *sim_node_new(struct sim *s, uint64_t rate, uint64_t pool_bytes)
{
    struct sim_node *n = mem_zalloc(sizeof *n);
    n->s = s;
    sim_host_init(s, &n->host, rate);
    n->host.on_accept = sim_node_on_accept;
    n->host.ctx = n;
    pool_init(&n->pool, pool_bytes);
    n->shared = (struct torrent_shared){
        .content = {.rng = &s->rng, .pool = &n->pool, .hash_jobs = 2},
        .swarm = {.rng = &s->rng,
                  .pool = &n->pool,
                  .key = s->n_hosts,
                  .port = n->host.addr.port,
                  .client = "sim"}};
    bucket_init(&n->shared.swarm.up, 0, s->now_ms);
    rng_bytes(&s->rng, n->shared.swarm.peer_id, sizeof n->shared.swarm.peer_id);
    n->next = s->nodes;
    s->nodes = n;
    sim_at(s, sim_below(s, SIM_JOURNAL_MS), sim_node_on_journal, n);
    return n;
}

/* A torrent as the journal knows it. */
static void sim_torrent_open(struct sim_torrent *st)
{
    const struct layout *g = &st->c->geom;
    st->t = torrent_new(&st->config, st->node->s->now_ms);
    for (uint32_t i = 0; i < g->n_pieces; i++) {
        if (bits_get(&st->journal.piece, i)) {
            torrent_restore_piece(st->t, i);
        }
        BITS_EACH (b, &st->journal.block[i]) {
            torrent_restore_block(st->t, i, b);
        }
    }
    if (st->tracker != NULL) {
        (void)torrent_add_tracker(st->t, st->tracker->url, 0);
    }
    st->timer_ms = UINT64_MAX;
}

/* See sim.h. */
struct sim_torrent *sim_torrent_new(struct sim_node *n, struct sim_content *c,
                                    struct sim_tracker *k, bool seed)
{
    struct sim_torrent *st = mem_zalloc(sizeof *st);
    st->node = n;
    st->c = c;
    st->tracker = k;
    st->config = (struct torrent_config){.shared = &n->shared,
                                         .geom = &c->geom,
                                         .info = slice_of(c->info, c->info_len),
                                         .info_hash = c->info_hash};
    st->job = mem_zalloc(c->geom.n_pieces > 0 ? c->geom.n_pieces : 1);
    sim_disk_init(&st->disk, n->s, c);
    sim_journal_init(&st->journal, c);
    if (seed) {
        sim_disk_fill(&st->disk);
        bits_fill(&st->journal.piece);
    }
    sim_torrent_open(st);
    st->next = n->torrents;
    n->torrents = st;
    return st;
}

/* See sim_node.h. */
struct sim_torrent *sim_magnet_new(struct sim_node *n, struct sim_content *c,
                                   struct sim_tracker *k)
{
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    torrent_free(st->t);
    st->tracker = k;
    st->config.geom = NULL;
    st->config.info = slice_of(NULL, 0);
    sim_torrent_open(st);
    return st;
}

/* See sim.h. */
void sim_start(struct sim_torrent *st)
{
    struct event ev = {.type = EVENT_START};
    st->started = true;
    st->error = 0;
    sim_input(st, &ev);
}

/* See sim.h. */
void sim_stop(struct sim_torrent *st)
{
    struct event ev = {.type = EVENT_STOP};
    if (st->started) {
        sim_input(st, &ev);
    }
}

/* See sim.h. */
void sim_add_peer(struct sim_torrent *st, const struct sim_host *h)
{
    struct event ev = {.type = EVENT_PEER};
    ev.peer.addr = h->addr;
    ev.peer.source = PEER_SOURCE_USER;
    sim_input(st, &ev);
}

/* See sim_node.h. Its connections have ended. */
void sim_torrent_close(struct sim_torrent *st)
{
    struct sim *s = st->node->s;
    if (st->t == NULL) {
        return;
    }
    for (uint32_t i = 0; i < st->n_conns; i++) {
        if (st->conns[i] != NULL) {
            struct sim_conn *c = st->conns[i];
            sim_close(s, c->link, c->side);
            sim_conn_drop(c);
        }
    }
    for (uint32_t i = 0; i < st->c->geom.n_pieces; i++) {
        SIM_CHECK(s, st->job[i] == 0);
    }
    SIM_CHECK(s, torrent_is_quiet(st->t));
    torrent_free(st->t);
    st->t = NULL;
    st->started = false;
    st->epoch++;
}

/* See sim.h. */
void sim_power_cut(struct sim_torrent *st)
{
    sim_journal_check(st);
    st->dying = true;
    sim_stop(st);
    sim_disk_abort(st);
    sim_torrent_close(st);
    st->dying = false;
    sim_journal_check(st);
    sim_torrent_open(st);
    sim_start(st);
}

/* See sim.h. */
void sim_restart(struct sim_torrent *st)
{
    SIM_CHECK(st->node->s, sim_is_stopped(st));
    sim_torrent_close(st);
    sim_torrent_open(st);
    sim_start(st);
}

/* See sim.h. */
bool sim_is_complete(void *st)
{
    return torrent_is_complete(((struct sim_torrent *)st)->t);
}

/* See sim.h. */
bool sim_is_stopped(void *ctx)
{
    const struct sim_torrent *st = ctx;
    return torrent_is_stopped(st->t) && torrent_is_quiet(st->t);
}

/* See sim.h. */
bool sim_all_complete(void *ctx)
{
    const struct sim *s = ctx;
    for (struct sim_node *n = s->nodes; n != NULL; n = n->next) {
        for (struct sim_torrent *st = n->torrents; st != NULL; st = st->next) {
            if (!sim_is_complete(st)) {
                return false;
            }
        }
    }
    return true;
}

/* See sim.h. */
bool sim_is_banned(struct sim_torrent *st, const struct sim_host *h)
{
    return peerset_is_banned(torrent_peerset(st->t), &h->addr);
}

/* See sim.h. Every block of memory must have come back. */
void sim_node_free(struct sim_node *n)
{
    while (n->torrents != NULL) {
        struct sim_torrent *st = n->torrents;
        n->torrents = st->next;
        sim_journal_check(st);
        sim_torrent_close(st);
        sim_disk_fini(&st->disk);
        sim_journal_fini(&st->journal, st->c);
        free(st->conns);
        free(st->job);
        free(st);
    }
    SIM_CHECK(n->s, n->pool.in_use == 0 && n->pool.reserved == 0);
    SIM_CHECK(n->s, n->shared.content.hash_busy == 0);
    pool_fini(&n->pool);
    while (n->all != NULL) {
        struct sim_conn *c = n->all;
        n->all = c->next;
        free(c);
    }
    free(n);
}
