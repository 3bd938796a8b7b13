/* Answers the queries of others (BEP 5), within the limits. */
#include "core/dht/internal.h"

#include "base/err.h"

#include <string.h>

/* Peers in one answer: what fits beside the nodes of one family. */
#define DHT_ANSWER_PEERS4 64
#define DHT_ANSWER_PEERS6 24

/* One query while it is answered. */
struct dht_ask {
    struct dht_net *net; /* that it came in by */
    const struct addr *from;
    const struct krpc_msg *msg;
    uint64_t now_ms;
};

/* Sends an answer; peers go until it fits into a datagram. */
static void dht_answer_send(struct dht *d, const struct dht_ask *ask,
                            struct krpc_msg *answer)
{
    size_t len = 0;

    answer->tid = ask->msg->tid;
    answer->ip = *ask->from;
    memcpy(answer->id, dht_table_own(ask->net->table), DHT_ID_LEN);
    len = dht_out_send(d, ask->from, answer);
    while (len == 0 && answer->type == KRPC_RESPONSE &&
           answer->response.n_peers > 0) {
        answer->response.n_peers /= 2;
        len = dht_out_send(d, ask->from, answer);
    }
    dht_limiter_count(&d->limiter, len);
}

static void dht_answer_error(struct dht *d, const struct dht_ask *ask,
                             enum krpc_code code, const char *text)
{
    struct krpc_msg answer = {.type = KRPC_ERROR};

    answer.error.code = code;
    answer.error.text = slice_str(text);
    dht_answer_send(d, ask, &answer);
}

/* Adds our good nodes nearest to the target, of one family. */
static void dht_answer_add_nodes(struct dht *d, const struct dht_ask *ask,
                                 struct krpc_response *r,
                                 enum addr_family family)
{
    struct dht_net *net = dht_net_of(d, (uint8_t)family);

    if (net->is_on) {
        size_t n = dht_table_closest(net->table, ask->msg->query.target, true,
                                     ask->now_ms, &r->nodes[r->n_nodes],
                                     KRPC_LIST_MAX);

        r->n_nodes = (uint8_t)(r->n_nodes + n);
    }
}

/* The lists that are wanted; by default the one of the asker's family (BEP
 * 32). */
static void dht_answer_add_lists(struct dht *d, const struct dht_ask *ask,
                                 struct krpc_response *r)
{
    r->lists = ask->msg->query.want;
    if (r->lists == 0 && ask->from->family == ADDR_V4) {
        r->lists = KRPC_NODES4;
    } else if (r->lists == 0) {
        r->lists = KRPC_NODES6;
    }
    if (r->lists & KRPC_NODES4) {
        dht_answer_add_nodes(d, ask, r, ADDR_V4);
    }
    if (r->lists & KRPC_NODES6) {
        dht_answer_add_nodes(d, ask, r, ADDR_V6);
    }
}

static void dht_answer_find_node(struct dht *d, const struct dht_ask *ask)
{
    struct krpc_msg answer = {.type = KRPC_RESPONSE};

    dht_answer_add_lists(d, ask, &answer.response);
    dht_answer_send(d, ask, &answer);
}

static void dht_answer_get_peers(struct dht *d, const struct dht_ask *ask)
{
    struct krpc_msg answer = {.type = KRPC_RESPONSE};
    struct krpc_response *r = &answer.response;
    uint8_t token[DHT_TOKEN_LEN];
    size_t max = DHT_ANSWER_PEERS4;

    if (ask->from->family == ADDR_V6) {
        max = DHT_ANSWER_PEERS6;
    }
    dht_answer_add_lists(d, ask, r);
    dht_tokens_make(&d->tokens, ask->from, ask->now_ms, token);
    r->token = slice_of(token, sizeof token);
    r->n_peers =
        (uint8_t)dht_store_get(d->store, ask->msg->query.target,
                               ask->net->family, d->rng, r->peers, max);
    dht_answer_send(d, ask, &answer);
}

static void dht_answer_announce(struct dht *d, const struct dht_ask *ask)
{
    const struct krpc_query *q = &ask->msg->query;
    struct krpc_msg answer = {.type = KRPC_RESPONSE};
    struct addr peer = *ask->from;

    if (!q->implied_port) {
        peer.port = q->port;
    }
    if (!dht_tokens_check(&d->tokens, ask->from, ask->now_ms, q->token)) {
        dht_answer_error(d, ask, KRPC_CODE_PROTOCOL, "bad token");
    } else if (!dht_store_put(d->store, dht_table_own(ask->net->table),
                              q->target, &peer, ask->now_ms)) {
        dht_answer_error(d, ask, KRPC_CODE_SERVER, "too many peers");
    } else {
        dht_answer_send(d, ask, &answer);
    }
}

static void dht_answer_query(struct dht *d, const struct dht_ask *ask)
{
    struct krpc_msg pong = {.type = KRPC_RESPONSE};

    switch (ask->msg->query.method) {
    case KRPC_UNKNOWN:
        dht_answer_error(d, ask, KRPC_CODE_METHOD, "method unknown");
        break;
    case KRPC_PING:
        dht_answer_send(d, ask, &pong);
        break;
    case KRPC_FIND_NODE:
        dht_answer_find_node(d, ask);
        break;
    case KRPC_GET_PEERS:
        dht_answer_get_peers(d, ask);
        break;
    case KRPC_ANNOUNCE_PEER:
        dht_answer_announce(d, ask);
        break;
    }
}

/* Who asks can be asked, unless it says that it cannot (BEP 43). */
static void dht_answer_learn(struct dht *d, const struct dht_ask *ask)
{
    struct krpc_node node = {.addr = *ask->from};

    if (!ask->msg->read_only && dht_accepts(d, ask->from, ask->from)) {
        memcpy(node.id, ask->msg->id, DHT_ID_LEN);
        dht_table_on_query(ask->net->table, &node, ask->now_ms);
    }
}

void dht_answer(struct dht *d, struct dht_net *net, const struct addr *from,
                const struct krpc_msg *query, int rc, uint64_t now_ms)
{
    struct dht_ask ask = {
        .net = net, .from = from, .msg = query, .now_ms = now_ms};

    if (d->config.read_only) {
        return;
    }
    if (!dht_limiter_admits(&d->limiter, from, now_ms)) {
        return;
    }
    if (rc != 0) {
        dht_answer_error(d, &ask, KRPC_CODE_PROTOCOL, "malformed query");
        return;
    }
    dht_answer_learn(d, &ask);
    dht_answer_query(d, &ask);
}
