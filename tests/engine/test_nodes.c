/* Our node of the DHT in a run: one other node lives on the same loop, on the
 * loopback address. */
#include "engine/nodes.h"

#include "engine/pipes.h"
#include "engine/turn.h"
#include "journal/db_kit.h"
#include "proto/krpc.h"

#define GUARD_MS 20000 /* a test that hangs fails instead */
#define LOOK_MS  5     /* what a test waits for is looked at this often */

static const uint8_t test_hash[20] = "the hash of a thing";

/* As much of an engine as is needed, with one torrent. */
struct rig {
    struct engine *s;
    struct engine_torrent *st;
    struct udp *ours, *theirs;
    struct udp_user user;
    struct resolve *resolve;
    struct nodes *nodes;
    struct loop_timer *look;
    const char *entry[4];
    char text[32];       /* the other node, as an option names it */
    unsigned n_asked[8]; /* by enum krpc_method */
    unsigned n_resolved; /* lookups of the test itself that are done */
    bool (*done)(const struct rig *r);
};

static unsigned asked(const struct rig *r)
{
    unsigned n = 0;
    for (size_t i = 0; i < 8; i++) {
        n += r->n_asked[i];
    }
    return n;
}

/* The other node: it knows one peer of everything. */
static bool rig_on_datagram(void *ctx, const struct addr *from,
                            struct slice data)
{
    struct rig *r = ctx;
    struct krpc_msg in, out = {.type = KRPC_RESPONSE};
    struct buf b;
    if (krpc_decode(data, &in) != 0 || in.type != KRPC_QUERY) {
        return true;
    }
    assert_true((unsigned)in.query.method < 8);
    r->n_asked[in.query.method]++;
    out.tid = in.tid;
    memset(out.id, 7, sizeof(out.id));
    out.response.token = slice_str("token");
    out.response.lists = KRPC_NODES4;
    if (in.query.method == KRPC_GET_PEERS) {
        out.response.n_peers = 1;
        assert_true(
            addr_parse(slice_str("10.1.2.3:6881"), &out.response.peers[0]));
    }
    buf_init(&b, 2000);
    assert_int_equal(krpc_encode(&out, &b), 0);
    (void)udp_send(r->theirs, from, buf_slice(&b));
    buf_fini(&b);
    return true;
}

static void rig_on_guard(void *ctx)
{
    (void)ctx;
    fail_msg("it did not come true");
}

static void rig_on_look(void *ctx)
{
    struct rig *r = ctx;
    loop_timer_arm(r->look, loop_now_ms(r->s->loop) + LOOK_MS);
    if (r->done(r)) {
        loop_stop(r->s->loop);
    }
}

/* Runs until it is true. */
static void rig_run(struct rig *r, bool (*done)(const struct rig *r))
{
    r->done = done;
    loop_arm_timer(r->s->loop, loop_now_ms(r->s->loop) + GUARD_MS);
    loop_timer_arm(r->look, loop_now_ms(r->s->loop));
    loop_run(r->s->loop);
}

/* A magnet that runs. */
static struct engine_torrent *rig_torrent(struct engine *s)
{
    struct engine_torrent *st = mem_zalloc(sizeof(*st));
    struct torrent_config c = {.shared = &s->shared, .info_hash = test_hash};
    struct event start = {.type = EVENT_START};
    st->s = s;
    st->id = 1;
    memcpy(st->row.info_hash, test_hash, sizeof(test_hash));
    st->life.state = LIFE_RUNNING;
    st->life.core = true;
    pipes_join(st);
    HASH_ADD(hh, s->torrents, id, sizeof(st->id), st);
    st->t = torrent_new(&c, loop_now_ms(s->loop));
    turn_input(st, &start);
    return st;
}

/* The other node's address comes first of `entry`, unless that is set. */
static void rig_open(struct rig *r, const char *path, const char *entry)
{
    struct tcp_host_options host = {0};
    struct err e = {0};
    memset(r, 0, sizeof(*r));
    struct engine *s = r->s = mem_zalloc(sizeof(*s));
    s->loop = loop_new();
    s->db = test_db_open(path, JOURNAL_CREATE | JOURNAL_ENGINE);
    rng_init(&s->rng, 7);
    pool_init(&s->pool, 0);
    s->shared.content.rng = s->shared.swarm.rng = &s->rng;
    s->shared.content.pool = s->shared.swarm.pool = &s->pool;
    s->shared.swarm.client = "test";
    s->shared.swarm.port = 6881;
    pipes_open(s);
    loop_set_timer_fn(s->loop, rig_on_guard, NULL);
    r->look = loop_timer_new(s->loop, rig_on_look, r);
    assert_true(addr_parse_ip(slice_str("127.0.0.1"), 0, &host.bind4));
    r->theirs = udp_new(s->loop, &host, 0, &e);
    r->ours = udp_new(s->loop, &host, 0, &e);
    assert_non_null(r->theirs);
    assert_non_null(r->ours);
    r->user = (struct udp_user){.on_datagram = rig_on_datagram, .ctx = r};
    udp_add_user(r->theirs, &r->user);
    (void)snprintf(r->text, sizeof(r->text), "127.0.0.1:%u",
                   udp_port(r->theirs, ADDR_V4));
    r->entry[0] = entry != NULL ? entry : r->text;
    s->o.reach = (struct btc_reach){
        .allow_local = true, .dht_bootstrap = r->entry, .n_dht_bootstrap = 1};
    r->resolve = resolve_new(s->loop, NULL);
    r->nodes = nodes_open(s, r->ours, r->resolve);
    assert_non_null(r->nodes);
    r->st = rig_torrent(s);
}

static void rig_close(struct rig *r)
{
    struct engine *s = r->s;
    nodes_close(r->nodes);
    resolve_free(r->resolve);
    udp_free(r->ours);
    udp_free(r->theirs);
    loop_timer_close(r->look);
    turn_forget(r->st);
    torrent_free(r->st->t);
    commit_leave(&r->st->ledger.member);
    HASH_DELETE(hh, s->torrents, r->st);
    free(r->st);
    pipes_close(s);
    loop_free(s->loop);
    journal_close(s->db);
    pool_fini(&s->pool);
    free(s);
}

static const struct peerset_entry *found(const struct rig *r)
{
    struct addr a;
    assert_true(addr_parse(slice_str("10.1.2.3:6881"), &a));
    return peerset_find(torrent_peerset(r->st->t), &a);
}

static bool is_announced(const struct rig *r)
{
    return r->n_asked[KRPC_ANNOUNCE_PEER] > 0 &&
           r->st->watch.search.n_dht_searches > 0;
}

/* The host is resolved, entered by, searched and announced to; the peers that
 * it names are the torrent's, and of the source `dht`. */
static void test_search(void **state)
{
    struct test_db *t = *state;
    struct rig r;
    rig_open(&r, t->path, NULL);
    nodes_second(r.nodes, r.st);
    assert_true(nodes_has_hope(r.nodes, r.st));
    rig_run(&r, is_announced);
    assert_non_null(found(&r));
    assert_int_equal(found(&r)->source, PEER_SOURCE_DHT);
    assert_true(r.n_asked[KRPC_FIND_NODE] > 0);
    assert_int_equal(r.n_asked[KRPC_GET_PEERS], 1);
    /* The next search has its time. */
    nodes_second(r.nodes, r.st);
    assert_true(r.st->watch.search.dht_ms > loop_now_ms(r.s->loop) + 1000);
    rig_close(&r);
}

static bool is_asked(const struct rig *r)
{
    return asked(r) > 0;
}

static void on_resolved(void *ctx, const struct resolve_result *result)
{
    struct rig *r = ctx;
    assert_int_equal(result->code, 0);
    r->n_resolved++;
    if (r->n_resolved < 4) {
        (void)resolve_start(r->resolve, "127.0.0.1", 1, on_resolved, r);
    }
}

static bool is_resolved(const struct rig *r)
{
    return r->n_resolved == 4;
}

/* Beside a private torrent nothing leaves us, until one comes that is not. In
 * the time that lookups of ours take, one of the node's would be done. */
static void test_private(void **state)
{
    struct test_db *t = *state;
    struct rig r;
    rig_open(&r, t->path, NULL);
    r.st->row.is_private = true;
    for (int i = 0; i < 3; i++) {
        nodes_second(r.nodes, r.st);
    }
    assert_false(nodes_has_hope(r.nodes, r.st));
    (void)resolve_start(r.resolve, "127.0.0.1", 1, on_resolved, &r);
    rig_run(&r, is_resolved);
    assert_int_equal(asked(&r), 0);
    r.st->row.is_private = false;
    nodes_second(r.nodes, r.st);
    rig_run(&r, is_asked);
    rig_close(&r);
}

/* A PORT message of a peer is a way in, too. */
static void test_told_by_peer(void **state)
{
    struct test_db *t = *state;
    struct addr a;
    struct rig r;
    rig_open(&r, t->path, "nobody");
    assert_true(addr_parse(slice_str(r.text), &a));
    nodes_add(r.nodes, &a);
    nodes_second(r.nodes, r.st);
    rig_run(&r, is_announced);
    assert_non_null(found(&r));
    rig_close(&r);
}

/* What is no host with a port is left out: nobody is looked up, and there is no
 * hope. */
static void test_bad_entries(void **state)
{
    static const char *const bad[] = {
        "",          "nobody",     ":6881",
        "10.1.2.3:", "10.1.2.3:0", "a:65536",
        "a:1x",      "a:-1",       "a:99999999999999999999"};
    struct test_db *t = *state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct rig r;
        rig_open(&r, t->path, bad[i]);
        nodes_second(r.nodes, r.st);
        if (nodes_has_hope(r.nodes, r.st)) {
            fail_msg("'%s' gives hope", bad[i]);
        }
        rig_close(&r);
    }
}

/* Without UDP there is no node, and everybody may go on asking. */
static void test_none(void **state)
{
    struct test_db *t = *state;
    struct rig r;
    rig_open(&r, t->path, NULL);
    assert_null(nodes_open(r.s, NULL, r.resolve));
    nodes_second(NULL, r.st);
    nodes_add(NULL, &r.s->shared.swarm.own4.elected);
    assert_false(nodes_has_hope(NULL, r.st));
    nodes_close(NULL);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_search, test_db_setup,
                                        test_db_teardown),
        cmocka_unit_test_setup_teardown(test_private, test_db_setup,
                                        test_db_teardown),
        cmocka_unit_test_setup_teardown(test_told_by_peer, test_db_setup,
                                        test_db_teardown),
        cmocka_unit_test_setup_teardown(test_bad_entries, test_db_setup,
                                        test_db_teardown),
        cmocka_unit_test_setup_teardown(test_none, test_db_setup,
                                        test_db_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
