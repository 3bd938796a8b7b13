/* Asks one node: makes the call, then the message. */
#include "core/dht/internal.h"

#include <string.h>

/* Sends a query; `q` has everything but what all queries share. */
static struct dht_call *dht_query_send(struct dht *d, const struct dht_net *net,
                                       const struct dht_whom *to,
                                       const struct krpc_query *q,
                                       uint64_t now_ms)
{
    static const uint8_t no_version[sizeof d->config.version];
    struct dht_call *call = dht_calls_add(&d->calls, to, d->rng, now_ms);
    struct krpc_msg msg = {.type = KRPC_QUERY, .query = *q};
    uint8_t tid[DHT_TID_LEN];

    if (call == NULL) {
        return NULL;
    }
    dht_call_tid(call, tid);
    msg.tid = slice_of(tid, sizeof tid);
    msg.read_only = d->config.read_only;
    memcpy(msg.id, dht_table_own(net->table), DHT_ID_LEN);
    if (memcmp(d->config.version, no_version, sizeof no_version) != 0) {
        msg.version = slice_of(d->config.version, sizeof d->config.version);
    }
    dht_out_send(d, &to->addr, &msg);
    return call;
}

bool dht_query_ping(struct dht *d, struct dht_net *net,
                    const struct dht_whom *to, uint64_t now_ms)
{
    struct krpc_query q = {.method = KRPC_PING};
    struct dht_call *call = dht_query_send(d, net, to, &q, now_ms);

    if (call == NULL) {
        return false;
    }
    call->kind = DHT_CALL_PING;
    return true;
}

/* Both families while we start, else what the family brings by itself (BEP 32,
 * "Bootstrapping"). */
static uint8_t dht_query_want(const struct dht *d, const struct dht_task *task)
{
    bool is_dual = d->config.families == (KRPC_NODES4 | KRPC_NODES6);

    if (is_dual && task->net->boot.state == DHT_BOOT_STARTING) {
        return KRPC_NODES4 | KRPC_NODES6;
    }
    return 0;
}

bool dht_query_lookup(struct dht *d, const struct dht_task *task,
                      const struct dht_whom *to, uint64_t now_ms)
{
    struct krpc_query q = {.method = KRPC_FIND_NODE};
    struct dht_call *call = NULL;

    if (task->purpose == DHT_FOR_SEARCH) {
        q.method = KRPC_GET_PEERS;
    }
    q.want = dht_query_want(d, task);
    memcpy(q.target, task->lookup.target, DHT_ID_LEN);
    call = dht_query_send(d, task->net, to, &q, now_ms);
    if (call == NULL) {
        return false;
    }
    call->kind = DHT_CALL_LOOKUP;
    call->task = task->id;
    return true;
}

bool dht_query_announce(struct dht *d, const struct dht_task *task,
                        const struct dht_candidate *to, uint64_t now_ms)
{
    struct krpc_query q = {.method = KRPC_ANNOUNCE_PEER,
                           .port = task->search->port,
                           .implied_port = task->search->implied_port,
                           .token = slice_of(to->token, to->n_token)};
    struct dht_whom whom = {.addr = to->node.addr, .has_id = true};
    struct dht_call *call = NULL;

    memcpy(whom.id, to->node.id, DHT_ID_LEN);
    memcpy(q.target, task->lookup.target, DHT_ID_LEN);
    call = dht_query_send(d, task->net, &whom, &q, now_ms);
    if (call == NULL) {
        return false;
    }
    call->kind = DHT_CALL_ANNOUNCE;
    call->task = task->id;
    return true;
}
