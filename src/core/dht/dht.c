/* The node of the DHT: takes events in, lets each part do its share, and says
 * when it wants to be called again.
 */
#include "core/dht/internal.h"

#include "base/err.h"
#include "base/num.h"

#include <string.h>

static void dht_net_init(struct dht *d, struct dht_net *net,
                         const uint8_t saved_id[DHT_ID_LEN],
                         const struct addr *saved_ip)
{
    static const uint8_t none[DHT_ID_LEN];
    uint8_t id[DHT_ID_LEN];
    bool is_new =
        memcmp(saved_id, none, DHT_ID_LEN) == 0 ||
        (saved_ip->family == net->family && !dht_id_fits(saved_id, saved_ip));

    vote_init(&net->vote);
    if (saved_ip->family == net->family) {
        net->vote.elected = *saved_ip;
        net->vote.elected.port = 0;
    }
    memcpy(id, saved_id, DHT_ID_LEN);
    if (is_new) {
        dht_id_generate(&net->vote.elected, d->rng, id);
    }
    net->table = dht_table_new(id);
    if (is_new && net->is_on) {
        dht_out_self(d, DHT_ACTION_OWN_ID, net);
    }
}

struct dht *dht_new(const struct dht_config *config, struct rng *rng,
                    uint64_t now_ms)
{
    struct dht *d = mem_zalloc(sizeof *d);

    d->config = *config;
    d->rng = rng;
    d->store = dht_store_new();
    memcpy(d->tokens.secret, config->secret, DHT_SECRET_LEN);
    dht_limiter_init(&d->limiter, rng_u64(rng));
    dht_calls_init(&d->calls);
    dht_out_init(d);
    d->keep.next_ms = now_ms;
    d->nets[0].family = ADDR_V4;
    d->nets[0].is_on = (config->families & KRPC_NODES4) != 0;
    dht_net_init(d, &d->nets[0], config->id4, &config->ip4);
    d->nets[1].family = ADDR_V6;
    d->nets[1].is_on = (config->families & KRPC_NODES6) != 0;
    dht_net_init(d, &d->nets[1], config->id6, &config->ip6);
    return d;
}

void dht_free(struct dht *d)
{
    if (d == NULL) {
        return;
    }
    dht_search_fini(d);
    for (size_t i = 0; i < DHT_FAMILIES; i++) {
        dht_table_free(d->nets[i].table);
        free(d->nets[i].saved.nodes);
    }
    dht_calls_fini(&d->calls);
    dht_store_free(d->store);
    dht_out_fini(d);
    free(d);
}

/* A node that answers with another id than it is known or was named by does not
 * come in: somebody lies, and liars name each other. */
static void dht_on_node_reply(struct dht *d, struct dht_net *net,
                              const struct dht_call *call,
                              const struct krpc_node *node, uint64_t now_ms)
{
    if (!call->to.has_id || dht_table_has(net->table, &node->addr) ||
        memcmp(call->to.id, node->id, DHT_ID_LEN) == 0) {
        dht_keep_on_reply(d, net, node, now_ms);
    }
}

/* A response or an error: only from whom we asked, only once. An error proves
 * that a node lives, but says no id. */
static void dht_on_reply(struct dht *d, struct dht_net *net,
                         const struct addr *from, const struct krpc_msg *msg,
                         uint64_t now_ms)
{
    struct dht_call *call = dht_calls_match(&d->calls, msg->tid, from);
    struct krpc_node node = {.addr = *from};

    if (call == NULL) {
        return;
    }
    if (msg->type == KRPC_RESPONSE) {
        memcpy(node.id, msg->id, DHT_ID_LEN);
        dht_on_node_reply(d, net, call, &node, now_ms);
        dht_keep_on_named(d, from, &msg->response);
    }
    dht_keep_on_ip(d, net, from, &msg->ip, now_ms);
    dht_search_on_reply(d, call, msg);
    dht_calls_remove(&d->calls, call);
}

static void dht_on_datagram(struct dht *d, const struct addr *from,
                            struct slice data, uint64_t now_ms)
{
    struct dht_net *net = dht_net_of(d, from->family);
    struct krpc_msg msg;
    int rc = krpc_decode(data, &msg);

    if (!addr_is_dialable(from) || !net->is_on || rc == BTC_E_SYNTAX) {
        return;
    }
    if (msg.type == KRPC_QUERY) {
        dht_answer(d, net, from, &msg, rc, now_ms);
    } else {
        dht_on_reply(d, net, from, &msg, now_ms);
    }
}

/* A bootstrap host begins a bootstrap at once, or joins the one that runs. */
static void dht_on_bootstrap(struct dht *d, const struct addr *addr,
                             uint64_t now_ms)
{
    struct dht_net *net = dht_net_of(d, addr->family);

    if (!addr_is_dialable(addr) || !net->is_on ||
        net->hosts.n == DHT_BOOTSTRAP_MAX) {
        return;
    }
    net->hosts.addrs[net->hosts.n++] = *addr;
    if (net->boot.state == DHT_BOOT_STARTING && dht_keep_needs_hosts(net)) {
        dht_search_add_address(d, net->boot.task, addr);
    }
    net->boot.next_ms = now_ms;
    d->keep.next_ms = now_ms;
}

static void dht_on_saved(struct dht *d, const struct krpc_node *node)
{
    struct dht_net *net = dht_net_of(d, node->addr.family);

    if (!dht_accepts(d, &node->addr, &node->addr) ||
        net->saved.n == DHT_SAVED_MAX) {
        return;
    }
    if (net->saved.nodes == NULL) {
        net->saved.nodes = mem_array(DHT_SAVED_MAX, sizeof *net->saved.nodes);
    }
    net->saved.nodes[net->saved.n++] = *node;
}

/* A PORT message: one ping at a time for each address. */
static void dht_on_node(struct dht *d, const struct addr *addr, uint64_t now_ms)
{
    struct dht_net *net = dht_net_of(d, addr->family);
    struct dht_whom to = {.addr = *addr};

    if (dht_accepts(d, addr, addr) && !dht_table_has(net->table, addr) &&
        dht_calls_find(&d->calls, addr) == NULL) {
        dht_query_ping(d, net, &to, now_ms);
    }
}

static void dht_on_event(struct dht *d, const struct dht_event *event,
                         uint64_t now_ms)
{
    switch (event->type) {
    case DHT_EVENT_TICK:
        break;
    case DHT_EVENT_DATAGRAM:
        dht_on_datagram(d, &event->addr, event->data, now_ms);
        break;
    case DHT_EVENT_BOOTSTRAP:
        dht_on_bootstrap(d, &event->addr, now_ms);
        break;
    case DHT_EVENT_SAVED:
        dht_on_saved(d, &event->node);
        break;
    case DHT_EVENT_NODE:
        dht_on_node(d, &event->addr, now_ms);
        break;
    case DHT_EVENT_SEARCH:
        dht_search_start(d, event);
        break;
    case DHT_EVENT_CANCEL:
        dht_search_cancel(d, event->search.info_hash);
        break;
    case DHT_EVENT_READ_ONLY:
        d->config.read_only = event->read_only;
        break;
    }
}

/* Calls that have become slow, or that nobody will answer any more. */
static void dht_expire_calls(struct dht *d, uint64_t now_ms)
{
    bool is_over = false;
    struct dht_call *call = dht_calls_next_due(&d->calls, now_ms, &is_over);

    while (call != NULL) {
        if (is_over) {
            dht_keep_on_timeout(d, call);
            dht_search_on_failure(d, call);
            dht_calls_remove(&d->calls, call);
        } else {
            dht_search_on_slow(d, call);
        }
        call = dht_calls_next_due(&d->calls, now_ms, &is_over);
    }
}

void dht_input(struct dht *d, const struct dht_event *event, uint64_t now_ms)
{
    dht_on_event(d, event, now_ms);
    if (event->type == DHT_EVENT_SAVED) {
        return; /* more are to come; the tick begins */
    }
    dht_expire_calls(d, now_ms);
    dht_search_run(d, now_ms);
    dht_keep_run(d, now_ms);
    dht_search_run(d, now_ms);
}

uint64_t dht_deadline(const struct dht *d)
{
    uint64_t calls_ms = dht_calls_deadline(&d->calls);
    uint64_t search_ms = dht_search_deadline(d);

    return num_min_u64(d->keep.next_ms, num_min_u64(calls_ms, search_ms));
}

static void dht_net_stats(const struct dht_net *net, uint64_t now_ms,
                          struct dht_family_stats *out)
{
    out->n_nodes = (uint32_t)dht_table_count(net->table);
    out->n_good = (uint32_t)dht_table_count_good(net->table, now_ms);
    out->is_starting = net->boot.state == DHT_BOOT_STARTING;
    out->ip = net->vote.elected;
    memcpy(out->id, dht_table_own(net->table), DHT_ID_LEN);
}

void dht_get_stats(const struct dht *d, uint64_t now_ms, struct dht_stats *out)
{
    dht_net_stats(&d->nets[0], now_ms, &out->v4);
    dht_net_stats(&d->nets[1], now_ms, &out->v6);
}
