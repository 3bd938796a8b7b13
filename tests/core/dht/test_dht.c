/* The node as a whole: one struct dht, and the test plays the network. */
#include "base/vote.h"
#include "core/dht/calls.h"
#include "core/dht/dht.h"
#include "core/dht/dht_kit.h"
#include "core/dht/internal.h"
#include "core/dht/limiter.h"

#define TEST_SENDS_MAX 64

/* A datagram that the node has sent, read. */
struct test_send {
    struct addr to;
    uint8_t data[KRPC_SEND_MAX];
    struct krpc_msg msg; /* borrows from data */
};

struct test_world {
    struct dht *d;
    struct rng rng;
    uint64_t now_ms;
    struct test_send sends[TEST_SENDS_MAX];
    size_t n_sends; /* since the last test_input began */
    uint32_t n_saved;
    uint32_t n_forgotten;
    uint32_t n_peers;
    uint32_t n_done;
    struct addr peer; /* the last one told */
    struct dht_search_result done;
    struct addr ip;
    uint8_t own[DHT_ID_LEN];
};

static const uint8_t test_hash[DHT_ID_LEN] = "the hash of a thing";

static void test_take_send(struct test_world *w, const struct dht_action *a)
{
    struct test_send *s = &w->sends[w->n_sends++];

    assert_true(w->n_sends < TEST_SENDS_MAX);
    assert_true(a->send.data.len <= KRPC_SEND_MAX);
    s->to = a->send.to;
    memcpy(s->data, a->send.data.p, a->send.data.len);
    assert_int_equal(krpc_decode(slice_of(s->data, a->send.data.len), &s->msg),
                     0);
}

static void test_take(struct test_world *w, const struct dht_action *a)
{
    switch (a->type) {
    case DHT_ACTION_SEND:
        test_take_send(w, a);
        break;
    case DHT_ACTION_PEERS:
        w->n_peers += (uint32_t)a->found.n_peers;
        w->peer = a->found.peers[a->found.n_peers - 1];
        break;
    case DHT_ACTION_SEARCH_DONE:
        w->n_done++;
        w->done = a->done;
        break;
    case DHT_ACTION_SAVE_NODE:
        w->n_saved++;
        break;
    case DHT_ACTION_FORGET_NODE:
        w->n_forgotten++;
        break;
    case DHT_ACTION_EXTERNAL_IP:
        w->ip = a->self.ip;
        break;
    case DHT_ACTION_OWN_ID:
        memcpy(w->own, a->self.id, DHT_ID_LEN);
        break;
    }
}

static void test_input(struct test_world *w, const struct dht_event *e)
{
    struct dht_action a;

    w->n_sends = 0;
    dht_input(w->d, e, w->now_ms);
    while (dht_next_action(w->d, &a)) {
        test_take(w, &a);
    }
}

static void test_tick(struct test_world *w)
{
    struct dht_event e = {.type = DHT_EVENT_TICK};

    test_input(w, &e);
}

/* Goes on to the next deadline, which must lie ahead. */
static void test_wait(struct test_world *w)
{
    uint64_t next = dht_deadline(w->d);

    assert_true(next > w->now_ms);
    w->now_ms = next;
    test_tick(w);
}

static void test_start(struct test_world *w, const struct dht_config *config)
{
    *w = (struct test_world){.now_ms = 1000000};
    rng_init(&w->rng, 1);
    w->d = dht_new(config, &w->rng, w->now_ms);
}

static void test_start_plain(struct test_world *w)
{
    struct dht_config config = {.families = KRPC_NODES4};

    test_start(w, &config);
}

static void test_datagram(struct test_world *w, const struct addr *from,
                          const struct krpc_msg *m)
{
    struct dht_event e = {.type = DHT_EVENT_DATAGRAM, .addr = *from};
    struct buf out;

    buf_init(&out, KRPC_RECEIVE_MAX);
    assert_int_equal(krpc_encode(m, &out), 0);
    e.data = buf_slice(&out);
    test_input(w, &e);
    buf_fini(&out);
}

/* A node answers what was sent to it as send `idx`. */
static void test_respond(struct test_world *w, size_t idx,
                         const uint8_t id[DHT_ID_LEN],
                         const struct krpc_response *r)
{
    struct krpc_msg m = {.type = KRPC_RESPONSE};
    struct test_send s = w->sends[idx];

    m.tid =
        slice_of(s.data + (s.msg.tid.p - w->sends[idx].data), s.msg.tid.len);
    if (r != NULL) {
        m.response = *r;
    }
    m.ip = w->ip;
    memcpy(m.id, id, DHT_ID_LEN);
    test_datagram(w, &s.to, &m);
}

/* A query from outside. */
static void test_ask(struct test_world *w, const struct addr *from,
                     const struct krpc_query *q, bool read_only)
{
    struct krpc_msg m = {.type = KRPC_QUERY,
                         .tid = slice_str("tt"),
                         .read_only = read_only,
                         .query = *q};

    memset(m.id, 'x', DHT_ID_LEN);
    test_datagram(w, from, &m);
}

/* Makes a node one of the table: its PORT message, our ping, its answer. */
static void test_meet(struct test_world *w, const struct krpc_node *n)
{
    struct dht_event e = {.type = DHT_EVENT_NODE, .addr = n->addr};

    test_input(w, &e);
    assert_true(w->n_sends > 0);
    assert_true(addr_eq(&w->sends[0].to, &n->addr));
    assert_int_equal(w->sends[0].msg.query.method, KRPC_PING);
    test_respond(w, 0, n->id, NULL);
}

static struct dht_stats test_stats(const struct test_world *w)
{
    struct dht_stats s;

    dht_get_stats(w->d, w->now_ms, &s);
    return s;
}

static void test_search(struct test_world *w, uint16_t port)
{
    struct dht_event e = {.type = DHT_EVENT_SEARCH};

    memcpy(e.search.info_hash, test_hash, DHT_ID_LEN);
    e.search.port = port;
    e.search.implied_port = port != 0;
    test_input(w, &e);
}

static void test_bootstrap(void **state)
{
    struct test_world w;
    struct krpc_node host = kit_node(0x11, 0, 1);
    struct dht_event e = {.type = DHT_EVENT_BOOTSTRAP, .addr = host.addr};
    struct krpc_response r = {.lists = KRPC_NODES4, .n_nodes = 1};

    (void)state;
    test_start_plain(&w);
    test_tick(&w);
    assert_int_equal(w.n_sends, 0);
    test_input(&w, &e);
    assert_int_equal(w.n_sends, 1);
    assert_int_equal(w.sends[0].msg.query.method, KRPC_FIND_NODE);
    assert_memory_equal(w.sends[0].msg.query.target, w.own, DHT_ID_LEN);
    r.nodes[0] = kit_node(0x22, 0, 2);
    test_respond(&w, 0, host.id, &r);
    assert_int_equal(w.n_saved, 1);
    assert_int_equal(test_stats(&w).v4.n_good, 1);
    assert_true(w.n_sends >= 1);
    assert_true(addr_eq(&w.sends[0].to, &r.nodes[0].addr));
    dht_free(w.d);
}

/* Hosts are looked up one by one: who comes while we start is asked at once, so
 * that the first one does not decide alone whom we meet, and a search waits for
 * what the others say. */
static void test_late_host(void **state)
{
    struct test_world w;
    struct krpc_node evil = kit_node(0x11, 0, 1), good = kit_node(0x12, 0, 2);
    struct dht_event e = {.type = DHT_EVENT_BOOTSTRAP, .addr = evil.addr};
    struct krpc_response r = {.lists = KRPC_NODES4};
    struct test_send first;

    (void)state;
    test_start_plain(&w);
    test_input(&w, &e);
    assert_int_equal(w.n_sends, 1);
    first = w.sends[0];
    test_search(&w, 0);
    e.addr = good.addr;
    test_input(&w, &e);
    assert_int_equal(w.n_sends, 1);
    assert_true(addr_eq(&w.sends[0].to, &good.addr));
    assert_int_equal(w.sends[0].msg.query.method, KRPC_FIND_NODE);
    struct test_send second = w.sends[0];
    w.sends[0] = first;
    test_respond(&w, 0, evil.id, &r);
    assert_int_equal(w.n_sends, 0); /* no search with the first one alone */
    w.sends[0] = second;
    test_respond(&w, 0, good.id, &r);
    assert_int_equal(w.n_sends, 2);
    assert_int_equal(w.sends[0].msg.query.method, KRPC_GET_PEERS);
    assert_int_equal(w.sends[1].msg.query.method, KRPC_GET_PEERS);
    dht_free(w.d);
}

/* Saved nodes come first; hosts only when no saved one answers. */
static void test_saved_first(void **state)
{
    struct test_world w;
    struct addr host = kit_addr_at(50);
    struct dht_event e = {.type = DHT_EVENT_SAVED};
    bool was_host_asked = false;

    (void)state;
    test_start_plain(&w);
    for (uint32_t i = 0; i < 3; i++) {
        e.node = kit_node(0x10, (uint8_t)i, i);
        test_input(&w, &e);
        assert_int_equal(w.n_sends, 0);
    }
    e = (struct dht_event){.type = DHT_EVENT_BOOTSTRAP, .addr = host};
    test_input(&w, &e);
    assert_int_equal(w.n_sends, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_false(addr_eq(&w.sends[i].to, &host));
    }
    for (int i = 0; i < 30 && !was_host_asked; i++) {
        test_wait(&w);
        for (size_t k = 0; k < w.n_sends; k++) {
            was_host_asked |= addr_eq(&w.sends[k].to, &host);
        }
    }
    assert_true(was_host_asked);
    /* our line may be down: nobody is forgotten */
    assert_int_equal(w.n_forgotten, 0);
    dht_free(w.d);
}

/* When somebody answers, silence counts against the others. */
static void test_forget_saved(void **state)
{
    struct test_world w;
    struct krpc_node alive = kit_node(0x10, 0, 0);
    struct krpc_node dead = kit_node(0x20, 0, 1);
    struct dht_event e = {.type = DHT_EVENT_SAVED};

    (void)state;
    test_start_plain(&w);
    e.node = alive;
    test_input(&w, &e);
    e.node = dead;
    test_input(&w, &e);
    test_tick(&w);
    assert_int_equal(w.n_sends, 2);
    w.now_ms += 50;
    test_respond(&w, addr_eq(&w.sends[0].to, &alive.addr) ? 0 : 1, alive.id,
                 NULL);
    assert_int_equal(w.n_saved, 1);
    while (w.n_forgotten == 0) {
        test_wait(&w);
        assert_true(w.now_ms < 1000000 + 20000);
    }
    assert_int_equal(w.n_forgotten, 1);
    assert_int_equal(test_stats(&w).v4.n_nodes, 1);
    dht_free(w.d);
}

static void test_answers(void **state)
{
    struct test_world w;
    struct addr from = kit_addr_at(9);
    struct krpc_query q = {.method = KRPC_PING};
    const struct krpc_msg *m = &w.sends[0].msg;

    (void)state;
    test_start_plain(&w);
    test_ask(&w, &from, &q, true);
    assert_int_equal(w.n_sends, 1);
    assert_int_equal(m->type, KRPC_RESPONSE);
    assert_true(slice_eq_str(m->tid, "tt"));
    assert_true(addr_eq(&m->ip, &from));
    assert_memory_equal(m->id, w.own, DHT_ID_LEN);
    w.now_ms += 1000;
    q.method = KRPC_FIND_NODE;
    test_ask(&w, &from, &q, true);
    assert_int_equal(m->response.lists, KRPC_NODES4);
    w.now_ms += 1000;
    q.want = KRPC_NODES6;
    test_ask(&w, &from, &q, true);
    assert_int_equal(m->response.lists, KRPC_NODES6);
    w.now_ms += 1000;
    q.method = KRPC_UNKNOWN;
    test_ask(&w, &from, &q, true);
    assert_int_equal(m->type, KRPC_ERROR);
    assert_int_equal(m->error.code, KRPC_CODE_METHOD);
    dht_free(w.d);
}

/* A query without its arguments is answered; what is no KRPC is not. */
static void test_malformed(void **state)
{
    struct test_world w;
    struct dht_event e = {.type = DHT_EVENT_DATAGRAM, .addr = kit_addr_at(1)};

    (void)state;
    test_start_plain(&w);
    e.data = slice_str("d1:q4:ping1:t2:aa1:y1:qe");
    test_input(&w, &e);
    assert_int_equal(w.n_sends, 1);
    assert_int_equal(w.sends[0].msg.error.code, KRPC_CODE_PROTOCOL);
    e.data = slice_str("hello");
    test_input(&w, &e);
    assert_int_equal(w.n_sends, 0);
    dht_free(w.d);
}

/* An announcement needs the token; then others are told the peer. */
static void test_serve(void **state)
{
    struct test_world w;
    struct addr from = kit_addr_at(9);
    struct addr other = kit_addr_at(10);
    struct krpc_query q = {.method = KRPC_ANNOUNCE_PEER,
                           .implied_port = true,
                           .token = slice_str("12345678")};
    const struct krpc_msg *m = &w.sends[0].msg;
    uint8_t token[KRPC_TOKEN_MAX];

    (void)state;
    test_start_plain(&w);
    memcpy(q.target, test_hash, DHT_ID_LEN);
    test_ask(&w, &from, &q, true);
    assert_int_equal(m->type, KRPC_ERROR);
    assert_int_equal(m->error.code, KRPC_CODE_PROTOCOL);
    q.method = KRPC_GET_PEERS;
    test_ask(&w, &from, &q, true);
    assert_int_equal(m->response.n_peers, 0);
    memcpy(token, m->response.token.p, m->response.token.len);
    q.token = slice_of(token, m->response.token.len);
    q.method = KRPC_ANNOUNCE_PEER;
    test_ask(&w, &other, &q, true); /* it is not this one's token */
    assert_int_equal(m->type, KRPC_ERROR);
    test_ask(&w, &from, &q, true);
    assert_int_equal(m->type, KRPC_RESPONSE);
    q.method = KRPC_GET_PEERS;
    test_ask(&w, &other, &q, true);
    assert_int_equal(m->response.n_peers, 1);
    assert_true(addr_eq(&m->response.peers[0], &from));
    dht_free(w.d);
}

/* The fullest answer fits into a datagram. */
static void test_full_answer(void **state)
{
    struct dht_config config = {.families = KRPC_NODES4 | KRPC_NODES6};
    struct test_world w;
    struct addr asker = kit_addr_at(900);
    struct krpc_query q = {.method = KRPC_GET_PEERS};
    const struct krpc_msg *m = &w.sends[0].msg;
    uint8_t token[KRPC_TOKEN_MAX];

    (void)state;
    test_start(&w, &config);
    memcpy(q.target, test_hash, DHT_ID_LEN);
    for (uint32_t i = 0; i < DHT_STORE_HASH_PEERS; i++) {
        struct addr from = kit_addr_at(i);

        w.now_ms += 1000;
        q.method = KRPC_GET_PEERS;
        test_ask(&w, &from, &q, true);
        memcpy(token, m->response.token.p, m->response.token.len);
        q.token = slice_of(token, m->response.token.len);
        q.method = KRPC_ANNOUNCE_PEER;
        q.port = 1000;
        test_ask(&w, &from, &q, true);
        assert_int_equal(m->type, KRPC_RESPONSE);
    }
    for (uint8_t i = 0; i < 16; i++) {
        struct krpc_node n4 = kit_node((uint8_t)(16 * i), 0, 500u + i);
        struct krpc_node n6 = n4;

        n6.addr = kit_addr("[fd00::1]:7");
        n6.addr.ip[7] = i;
        test_meet(&w, &n4);
        test_meet(&w, &n6);
    }
    w.now_ms += 1000;
    q.method = KRPC_GET_PEERS;
    q.want = KRPC_NODES4 | KRPC_NODES6;
    test_ask(&w, &asker, &q, true);
    assert_true(addr_eq(&w.sends[0].to, &asker));
    assert_int_equal(m->response.n_nodes, 16);
    assert_in_range(m->response.n_peers, 20, 64);
    dht_free(w.d);
}

static void test_rate_limit(void **state)
{
    struct test_world w;
    struct addr from = kit_addr_at(9);
    struct krpc_query q = {.method = KRPC_PING};
    size_t n = 0;

    (void)state;
    test_start_plain(&w);
    for (int i = 0; i < 1000; i++) {
        test_ask(&w, &from, &q, true);
        n += w.n_sends;
    }
    assert_in_range(n, 1, DHT_LIMIT_PER_PLACE);
    dht_free(w.d);
}

/* BEP 43: we are silent and say so; who says so is not asked. */
static void test_read_only(void **state)
{
    struct dht_config config = {.families = KRPC_NODES4, .read_only = true};
    struct test_world w;
    struct addr from = kit_addr_at(9);
    struct krpc_query q = {.method = KRPC_PING};
    struct dht_event e = {.type = DHT_EVENT_NODE, .addr = kit_addr_at(3)};

    (void)state;
    test_start(&w, &config);
    test_ask(&w, &from, &q, false);
    assert_int_equal(w.n_sends, 0);
    test_input(&w, &e);
    assert_true(w.sends[0].msg.read_only);
    e = (struct dht_event){.type = DHT_EVENT_READ_ONLY, .read_only = false};
    test_input(&w, &e);
    test_ask(&w, &from, &q, true);
    assert_int_equal(w.n_sends, 1);
    test_wait(&w);
    assert_int_equal(w.n_sends, 0);
    test_ask(&w, &from, &q, false);
    do {
        test_wait(&w);
        assert_true(w.now_ms < 1000000 + 10000);
    } while (w.n_sends == 0);
    assert_true(addr_eq(&w.sends[0].to, &from));
    assert_false(w.sends[0].msg.read_only);
    dht_free(w.d);
}

static void test_find_and_announce(void **state)
{
    struct test_world w;
    struct krpc_node n = kit_node(0x33, 0, 3);
    struct krpc_response r = {
        .lists = KRPC_NODES4, .n_peers = 3, .token = slice_str("tok")};

    (void)state;
    test_start_plain(&w);
    test_meet(&w, &n);
    /* the table is poor: let the bootstrap with this one node end */
    w.now_ms += 5000;
    test_tick(&w);
    test_respond(&w, 0, n.id, NULL);
    test_search(&w, 6881);
    assert_int_equal(w.n_sends, 1);
    assert_int_equal(w.sends[0].msg.query.method, KRPC_GET_PEERS);
    assert_memory_equal(w.sends[0].msg.query.target, test_hash, DHT_ID_LEN);
    r.peers[0] = kit_addr("10.5.5.5:555");
    r.peers[1] = r.peers[0];
    r.peers[2] = kit_addr("127.0.0.1:555"); /* not with us */
    test_respond(&w, 0, n.id, &r);
    assert_int_equal(w.n_peers, 1);
    assert_true(addr_eq(&w.peer, &r.peers[0]));
    assert_int_equal(w.n_sends, 1);
    assert_int_equal(w.sends[0].msg.query.method, KRPC_ANNOUNCE_PEER);
    assert_true(slice_eq_str(w.sends[0].msg.query.token, "tok"));
    assert_int_equal(w.sends[0].msg.query.port, 6881);
    assert_true(w.sends[0].msg.query.implied_port);
    assert_int_equal(w.n_done, 0);
    test_respond(&w, 0, n.id, NULL);
    assert_int_equal(w.n_done, 1);
    assert_int_equal(w.done.n_peers, 1);
    assert_int_equal(w.done.n_answers, 1);
    assert_int_equal(w.done.n_announced, 1);
    assert_int_equal(w.done.steps, 1);
    dht_free(w.d);
}

/* Without a node, a search ends by itself; a cancelled one says nothing. */
static void test_search_alone(void **state)
{
    struct test_world w;
    struct dht_event e = {.type = DHT_EVENT_CANCEL};
    uint64_t begun_ms = 0;

    (void)state;
    test_start_plain(&w);
    begun_ms = w.now_ms;
    test_search(&w, 0);
    while (w.n_done == 0) {
        test_wait(&w);
        assert_true(w.now_ms - begun_ms <= 60000);
    }
    assert_int_equal(w.done.n_answers, 0);
    test_search(&w, 0);
    memcpy(e.search.info_hash, test_hash, DHT_ID_LEN);
    test_input(&w, &e);
    for (int i = 0; i < 20; i++) {
        test_wait(&w);
    }
    assert_int_equal(w.n_done, 1);
    assert_int_equal(HASH_COUNT(w.d->searches), 0);
    dht_free(w.d);
}

/* A search cancelled while its calls are under way, and begun again. */
static void test_cancel_running(void **state)
{
    struct test_world w;
    struct krpc_node n = kit_node(0x33, 0, 3);
    struct dht_event e = {.type = DHT_EVENT_CANCEL};

    (void)state;
    test_start_plain(&w);
    test_meet(&w, &n);
    test_search(&w, 1);
    assert_int_equal(w.n_sends, 1);
    memcpy(e.search.info_hash, test_hash, DHT_ID_LEN);
    dht_input(w.d, &e, w.now_ms);
    test_respond(&w, 0, n.id, NULL);
    assert_int_equal(w.n_done, 0);
    test_search(&w, 1);
    assert_int_equal(w.n_sends, 1);
    test_respond(&w, 0, n.id, NULL);
    assert_int_equal(w.n_done, 1);
    dht_free(w.d);
}

/* Many searches at once: each has its turn and its end. */
static void test_many_searches(void **state)
{
    struct test_world w;
    struct dht_event e = {.type = DHT_EVENT_SEARCH};
    const uint32_t n = 100;

    (void)state;
    test_start_plain(&w);
    for (uint32_t i = 0; i < n; i++) {
        bytes_put_be32(e.search.info_hash, i);
        test_input(&w, &e);
    }
    assert_int_equal(HASH_COUNT(w.d->searches), n);
    while (w.n_done < n) {
        test_wait(&w);
        assert_true(w.now_ms < 1000000 + 1000000);
    }
    assert_int_equal(HASH_COUNT(w.d->searches), 0);
    dht_free(w.d);
}

/* Only who was asked answers, from where it was asked, once. */
static void test_strangers(void **state)
{
    struct test_world w;
    struct krpc_node n = kit_node(0x33, 0, 3);
    struct dht_event e = {.type = DHT_EVENT_NODE, .addr = n.addr};
    struct test_send sent;

    (void)state;
    test_start_plain(&w);
    test_input(&w, &e);
    sent = w.sends[0];
    w.sends[0].to = kit_addr_at(77);
    test_respond(&w, 0, n.id, NULL);
    assert_int_equal(w.n_saved, 0);
    w.sends[0] = sent;
    test_respond(&w, 0, n.id, NULL);
    assert_int_equal(w.n_saved, 1);
    w.sends[0] = sent;
    test_respond(&w, 0, n.id, NULL);
    assert_int_equal(test_stats(&w).v4.n_nodes, 1);
    dht_free(w.d);
}

/* A node that is named with an id that is not its own does not come in. */
static void test_false_name(void **state)
{
    struct test_world w;
    struct krpc_node host = kit_node(0x11, 0, 1);
    struct krpc_node liar = kit_node(0x22, 0, 2);
    struct dht_event e = {.type = DHT_EVENT_BOOTSTRAP, .addr = host.addr};
    struct krpc_response r = {.lists = KRPC_NODES4, .n_nodes = 1};

    (void)state;
    test_start_plain(&w);
    test_input(&w, &e);
    r.nodes[0] = liar;
    test_respond(&w, 0, host.id, &r);
    assert_true(addr_eq(&w.sends[0].to, &liar.addr));
    liar.id[0] = 0x23;
    test_respond(&w, 0, liar.id, NULL);
    assert_int_equal(test_stats(&w).v4.n_nodes, 1);
    dht_free(w.d);
}

/* Loopback is nobody, unless it is allowed. */
static void test_local(void **state)
{
    struct dht_config config = {.families = KRPC_NODES4, .allow_local = true};
    struct test_world w;
    struct dht_event e = {.type = DHT_EVENT_NODE,
                          .addr = kit_addr("127.0.0.1:7")};

    (void)state;
    test_start_plain(&w);
    test_input(&w, &e);
    assert_int_equal(w.n_sends, 0);
    dht_free(w.d);
    test_start(&w, &config);
    test_input(&w, &e);
    assert_int_equal(w.n_sends, 1);
    dht_free(w.d);
}

/* Others agree on our address: our id follows it (BEP 42). */
static void test_external_ip(void **state)
{
    struct test_world w;
    struct addr ip = kit_addr("124.31.75.21:6881");
    uint8_t first[DHT_ID_LEN];
    struct dht_stats stats;

    (void)state;
    test_start_plain(&w);
    test_tick(&w);
    memcpy(first, w.own, DHT_ID_LEN);
    for (uint32_t i = 0; i < VOTE_MIN; i++) {
        struct krpc_node n = kit_node(0x33, (uint8_t)i, i);

        assert_memory_equal(w.own, first, DHT_ID_LEN);
        w.ip = ip;
        test_meet(&w, &n);
    }
    assert_memory_not_equal(w.own, first, DHT_ID_LEN);
    assert_true(dht_id_fits(w.own, &ip));
    assert_int_equal(w.ip.port, 0);
    stats = test_stats(&w);
    assert_true(addr_eq_ip(&stats.v4.ip, &ip));
    dht_free(w.d);
}

/* An id of an earlier run is kept while it fits the address of that run. */
static void test_keep_id(void **state)
{
    struct dht_config config = {.families = KRPC_NODES4};
    struct test_world w;

    (void)state;
    config.ip4 = kit_addr("124.31.75.21:0");
    rng_init(&w.rng, 9);
    dht_id_generate(&config.ip4, &w.rng, config.id4);
    test_start(&w, &config);
    assert_memory_equal(test_stats(&w).v4.id, config.id4, DHT_ID_LEN);
    dht_free(w.d);
    config.id4[0] ^= 0xff;
    test_start(&w, &config);
    assert_memory_not_equal(test_stats(&w).v4.id, config.id4, DHT_ID_LEN);
    test_tick(&w);
    assert_true(dht_id_fits(w.own, &config.ip4));
    dht_free(w.d);
}

/* A bootstrap in both families asks for both, and IPv6 begins with what IPv4
 * nodes name (BEP 32). */
static void test_dual(void **state)
{
    struct dht_config config = {.families = KRPC_NODES4 | KRPC_NODES6};
    struct test_world w;
    struct krpc_node host = kit_node(0x11, 0, 1);
    struct dht_event e = {.type = DHT_EVENT_BOOTSTRAP, .addr = host.addr};
    struct krpc_response r = {.lists = KRPC_NODES6, .n_nodes = 1};
    bool was_asked = false;

    (void)state;
    test_start(&w, &config);
    test_input(&w, &e);
    assert_int_equal(w.sends[0].msg.query.want, KRPC_NODES4 | KRPC_NODES6);
    r.nodes[0] = kit_node(0x22, 0, 2);
    r.nodes[0].addr = kit_addr("[fd00::2]:9");
    test_respond(&w, 0, host.id, &r);
    for (int i = 0; i < 10 && !was_asked; i++) {
        test_wait(&w);
        for (size_t k = 0; k < w.n_sends; k++) {
            was_asked |= addr_eq(&w.sends[k].to, &r.nodes[0].addr);
        }
    }
    assert_true(was_asked);
    dht_free(w.d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bootstrap),
        cmocka_unit_test(test_late_host),
        cmocka_unit_test(test_saved_first),
        cmocka_unit_test(test_forget_saved),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_serve),
        cmocka_unit_test(test_full_answer),
        cmocka_unit_test(test_rate_limit),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_find_and_announce),
        cmocka_unit_test(test_search_alone),
        cmocka_unit_test(test_cancel_running),
        cmocka_unit_test(test_many_searches),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_false_name),
        cmocka_unit_test(test_local),
        cmocka_unit_test(test_external_ip),
        cmocka_unit_test(test_keep_id),
        cmocka_unit_test(test_dual),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
