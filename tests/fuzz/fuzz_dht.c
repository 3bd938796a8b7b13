/* A node of the DHT under a hostile network. The input is a script: datagrams
 * of any bytes, queries, and responses to what the node has asked, with other
 * events and the time between. Whatever comes, datagrams stay short and valid,
 * and the node neither floods nor spins.
 */
#include "core/dht/dht.h"

#include "base/err.h"

#include <string.h>

#define FUZZ_SENDS      64   /* remembered to be answered */
#define FUZZ_FLOOD      1024 /* datagrams that no single event may cause */
#define FUZZ_EVENTS_MAX 2000

/* libFuzzer names it. NOLINTNEXTLINE(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_send {
    struct addr to;
    uint8_t tid[KRPC_TID_MAX];
    size_t n_tid;
};

struct fuzz {
    struct dht *d;
    struct rng rng;
    uint64_t now_ms;
    struct slice in;                    /* not used up yet */
    struct fuzz_send sends[FUZZ_SENDS]; /* a ring */
    uint32_t n_sends;
};

enum fuzz_op {
    FUZZ_RAW,
    FUZZ_QUERY,
    FUZZ_RESPONSE,
    FUZZ_ERROR,
    FUZZ_WAIT,
    FUZZ_SEARCH,
    FUZZ_CANCEL,
    FUZZ_NODE,
    FUZZ_SAVED,
    FUZZ_BOOTSTRAP,
    FUZZ_READ_ONLY,
    FUZZ_N_OPS
};

/* The next bytes of the input; nothing of those that are not there. */
static struct slice fuzz_take(struct fuzz *f, size_t len)
{
    struct slice taken = {0};

    if (len <= f->in.len) {
        taken = slice_sub(f->in, 0, len);
        f->in = slice_sub(f->in, len, f->in.len - len);
    } else {
        f->in.len = 0;
    }
    return taken;
}

/* The next byte; 0 when there is none. */
static uint8_t fuzz_u8(struct fuzz *f)
{
    struct slice byte = fuzz_take(f, 1);

    if (byte.len == 0) {
        return 0;
    }
    return byte.p[0];
}

/* One of some addresses: private, public, loopback, IPv6, none. */
static struct addr fuzz_addr(struct fuzz *f)
{
    static const uint8_t first[] = {10, 8, 127, 0, 0xe0, 9, 9, 9};
    uint8_t pick = fuzz_u8(f);
    struct addr a = {.family = ADDR_V4, .port = pick};

    a.ip[0] = first[pick % sizeof first];
    a.ip[3] = fuzz_u8(f);
    if (pick & 0x80) {
        a.family = ADDR_V6;
        a.ip[0] = pick & 0x40 ? 0x20 : 0xfd;
        a.ip[7] = a.ip[3];
    }
    return a;
}

/* An id: two bytes of the input, zeros between. */
static void fuzz_id(struct fuzz *f, uint8_t id[DHT_ID_LEN])
{
    memset(id, 0, DHT_ID_LEN);
    id[0] = fuzz_u8(f);
    id[DHT_ID_LEN - 1] = fuzz_u8(f);
}

/* Remembers a query that was sent; everything sent must be valid. */
static void fuzz_on_send(struct fuzz *f, const struct dht_action *a)
{
    struct krpc_msg m;
    struct fuzz_send *s = &f->sends[f->n_sends % FUZZ_SENDS];
    int rc = krpc_decode(a->send.data, &m);
    bool is_dialable = addr_is_dialable(&a->send.to);

    BTC_ASSERT(rc == 0);
    BTC_ASSERT(a->send.data.len <= KRPC_SEND_MAX);
    BTC_ASSERT(is_dialable);
    if (m.type == KRPC_QUERY) {
        s->to = a->send.to;
        s->n_tid = m.tid.len;
        memcpy(s->tid, m.tid.p, m.tid.len);
        f->n_sends++;
    }
}

static void fuzz_input(struct fuzz *f, const struct dht_event *e)
{
    struct dht_action a;
    uint32_t n = 0;

    dht_input(f->d, e, f->now_ms);
    while (dht_next_action(f->d, &a)) {
        if (a.type == DHT_ACTION_SEND) {
            fuzz_on_send(f, &a);
            n++;
        }
    }
    BTC_ASSERT(n < FUZZ_FLOOD);
}

static void fuzz_deliver(struct fuzz *f, const struct addr *from,
                         const struct krpc_msg *m)
{
    struct dht_event e = {.type = DHT_EVENT_DATAGRAM, .addr = *from};
    struct buf out;

    buf_init(&out, (size_t)2 * KRPC_RECEIVE_MAX);
    if (krpc_encode(m, &out) == 0) {
        e.data = buf_slice(&out);
        fuzz_input(f, &e);
    }
    buf_fini(&out);
}

static void fuzz_query(struct fuzz *f)
{
    struct krpc_msg m = {.type = KRPC_QUERY, .tid = slice_str("q")};
    struct addr from = fuzz_addr(f);
    uint8_t flags = fuzz_u8(f);

    m.query.method = (enum krpc_method)(flags % 5);
    m.read_only = (flags & 0x80) != 0;
    m.query.implied_port = (flags & 0x40) != 0;
    m.query.want = (flags >> 4) & 3;
    m.query.port = 1;
    fuzz_id(f, m.id);
    fuzz_id(f, m.query.target);
    m.query.token = fuzz_take(f, DHT_TOKEN_LEN);
    fuzz_deliver(f, &from, &m);
}

/* Nodes and peers of a response. */
static void fuzz_fill(struct fuzz *f, struct krpc_response *r)
{
    uint8_t counts = fuzz_u8(f);

    r->lists = KRPC_NODES4 | KRPC_NODES6;
    r->token = slice_str("token");
    r->n_nodes = counts & 15;
    r->n_peers = counts >> 4;
    for (size_t i = 0; i < r->n_nodes; i++) {
        fuzz_id(f, r->nodes[i].id);
        r->nodes[i].addr = fuzz_addr(f);
    }
    for (size_t i = 0; i < r->n_peers; i++) {
        r->peers[i] = fuzz_addr(f);
    }
}

/* Answers one of the queries that the node has sent. */
static void fuzz_reply(struct fuzz *f, enum krpc_type type)
{
    struct krpc_msg m = {.type = type};
    uint32_t pick = fuzz_u8(f);
    struct fuzz_send s;

    if (f->n_sends == 0) {
        return;
    }
    s = f->sends[(f->n_sends - 1 - pick % f->n_sends) % FUZZ_SENDS];
    m.tid = slice_of(s.tid, s.n_tid);
    if (m.tid.len == 0) {
        return;
    }
    m.ip = fuzz_addr(f);
    if (type == KRPC_RESPONSE) {
        fuzz_id(f, m.id);
        fuzz_fill(f, &m.response);
    }
    fuzz_deliver(f, &s.to, &m);
}

/* Time passes: to the next deadline, or a little. A tick must not leave a
 * deadline that has passed. */
static void fuzz_wait(struct fuzz *f)
{
    struct dht_event e = {.type = DHT_EVENT_TICK};
    uint8_t ms = fuzz_u8(f);
    uint64_t next = dht_deadline(f->d);

    f->now_ms += ms;
    if (ms & 1 && next != UINT64_MAX && next > f->now_ms) {
        f->now_ms = next;
    }
    fuzz_input(f, &e);
    next = dht_deadline(f->d);
    BTC_ASSERT(next > f->now_ms);
}

/* Events that carry an address, a node or a hash. */
static void fuzz_other(struct fuzz *f, enum dht_event_type type)
{
    struct dht_event e = {.type = type};

    if (type == DHT_EVENT_SEARCH || type == DHT_EVENT_CANCEL) {
        fuzz_id(f, e.search.info_hash);
        e.search.port = fuzz_u8(f);
    } else if (type == DHT_EVENT_SAVED) {
        fuzz_id(f, e.node.id);
        e.node.addr = fuzz_addr(f);
    } else if (type == DHT_EVENT_READ_ONLY) {
        e.read_only = (fuzz_u8(f) & 1) != 0;
    } else {
        e.addr = fuzz_addr(f);
    }
    fuzz_input(f, &e);
}

static void fuzz_raw(struct fuzz *f)
{
    struct dht_event e = {.type = DHT_EVENT_DATAGRAM, .addr = fuzz_addr(f)};
    size_t len = fuzz_u8(f);

    e.data = fuzz_take(f, len);
    fuzz_input(f, &e);
}

static void fuzz_step(struct fuzz *f)
{
    switch ((enum fuzz_op)(fuzz_u8(f) % FUZZ_N_OPS)) {
    case FUZZ_RAW:
        fuzz_raw(f);
        break;
    case FUZZ_QUERY:
        fuzz_query(f);
        break;
    case FUZZ_RESPONSE:
        fuzz_reply(f, KRPC_RESPONSE);
        break;
    case FUZZ_ERROR:
        fuzz_reply(f, KRPC_ERROR);
        break;
    case FUZZ_WAIT:
        fuzz_wait(f);
        break;
    case FUZZ_SEARCH:
        fuzz_other(f, DHT_EVENT_SEARCH);
        break;
    case FUZZ_CANCEL:
        fuzz_other(f, DHT_EVENT_CANCEL);
        break;
    case FUZZ_NODE:
        fuzz_other(f, DHT_EVENT_NODE);
        break;
    case FUZZ_SAVED:
        fuzz_other(f, DHT_EVENT_SAVED);
        break;
    case FUZZ_BOOTSTRAP:
        fuzz_other(f, DHT_EVENT_BOOTSTRAP);
        break;
    case FUZZ_READ_ONLY:
        fuzz_other(f, DHT_EVENT_READ_ONLY);
        break;
    case FUZZ_N_OPS:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dht_config config = {.families = KRPC_NODES4 | KRPC_NODES6};
    struct fuzz f = {.now_ms = 1000000, .in = slice_of(data, size)};

    rng_init(&f.rng, 1);
    config.allow_local = (fuzz_u8(&f) & 1) != 0;
    f.d = dht_new(&config, &f.rng, f.now_ms);
    for (int i = 0; i < FUZZ_EVENTS_MAX && f.in.len > 0; i++) {
        fuzz_step(&f);
    }
    dht_free(f.d);
    return 0;
}
