/* The health of the tables: bootstrap, refresh, pings, what the journal keeps,
 * and our own address.
 */
#include "core/dht/internal.h"

#include <string.h>

#define DHT_KEEP_MS       5000u /* looks after the tables so often */
#define DHT_KEEP_PINGS    2     /* each time, of a family */
#define DHT_KEEP_PINGS_UP 8     /* the same while the table is small */
#define DHT_KEEP_SMALL    32    /* nodes of a small table */
#define DHT_KEEP_SAVED    32    /* saved nodes that one bootstrap starts with */
#define DHT_KEEP_FILL     6     /* far buckets that are filled after a start */
#define DHT_KEEP_RETRY_MS 1000u /* after a bootstrap that failed; doubles */
#define DHT_KEEP_RETRIES  6     /* doublings: 64 s */
#define DHT_KEEP_STORE_MS 60000u /* looks for expired peers so often */

/* Takes a saved node out; false when there is none at this address. */
static bool dht_keep_take_saved(struct dht_net *net, const struct addr *addr)
{
    for (uint32_t i = 0; i < net->saved.n; i++) {
        if (addr_eq(&net->saved.nodes[i].addr, addr)) {
            net->saved.n--;
            net->saved.nodes[i] = net->saved.nodes[net->saved.n];
            return true;
        }
    }
    return false;
}

/* The next saved node, round and round; NULL when there is none. */
static const struct krpc_node *dht_keep_next_saved(struct dht_net *net)
{
    if (net->saved.n == 0) {
        return NULL;
    }
    if (net->saved.next >= net->saved.n) {
        net->saved.next = 0;
    }
    return &net->saved.nodes[net->saved.next++];
}

void dht_keep_on_reply(struct dht *d, struct dht_net *net,
                       const struct krpc_node *node, uint64_t now_ms)
{
    bool was_saved = dht_keep_take_saved(net, &node->addr);
    struct krpc_node gone;
    bool is_added = dht_table_on_reply(net->table, node, now_ms, &gone);

    net->replied_ms = now_ms;
    if (gone.addr.family != ADDR_NONE) {
        dht_out_node(d, DHT_ACTION_FORGET_NODE, &gone);
    }
    if (is_added) {
        dht_out_node(d, DHT_ACTION_SAVE_NODE, node);
    } else if (was_saved && !dht_table_has(net->table, &node->addr)) {
        dht_out_node(d, DHT_ACTION_FORGET_NODE, node);
    }
}

/* A silence counts only when somebody else has answered since: else it is our
 * own line that is down. */
void dht_keep_on_timeout(struct dht *d, const struct dht_call *call)
{
    struct dht_net *net = dht_net_of(d, call->to.addr.family);
    struct krpc_node gone = {.addr = call->to.addr};

    if (net->replied_ms < call->sent_ms) {
        return;
    }
    if (dht_table_on_timeout(net->table, &call->to.addr, &gone) ||
        dht_keep_take_saved(net, &call->to.addr)) {
        dht_out_node(d, DHT_ACTION_FORGET_NODE, &gone);
    }
}

void dht_keep_on_named(struct dht *d, const struct addr *from,
                       const struct krpc_response *r)
{
    for (size_t i = 0; i < r->n_nodes; i++) {
        const struct addr *addr = &r->nodes[i].addr;
        struct dht_net *net = dht_net_of(d, addr->family);

        if (dht_accepts(d, addr, from) &&
            dht_table_count(net->table) < DHT_KEEP_SMALL) {
            dht_table_on_named(net->table, &r->nodes[i]);
        }
    }
}

void dht_keep_on_ip(struct dht *d, struct dht_net *net, const struct addr *from,
                    const struct addr *ip, uint64_t now_ms)
{
    uint8_t id[DHT_ID_LEN];

    if (ip->family != net->family || !vote_add(&net->vote, from, ip)) {
        return;
    }
    dht_out_self(d, DHT_ACTION_EXTERNAL_IP, net);
    if (dht_id_fits(dht_table_own(net->table), ip)) {
        return;
    }
    dht_id_generate(ip, d->rng, id);
    dht_table_set_own(net->table, id, now_ms);
    dht_out_self(d, DHT_ACTION_OWN_ID, net);
    net->boot.is_wanted = true;
}

bool dht_keep_needs_hosts(const struct dht_net *net)
{
    return net->saved.n == 0 || net->boot.n_tries > 0;
}

/* Adds saved nodes to a bootstrap, and the hosts when there are no saved nodes
 * or they have failed before. */
static void dht_keep_seed(struct dht_net *net, struct dht_lookup *l)
{
    for (uint32_t i = 0; i < net->saved.n && i < DHT_KEEP_SAVED; i++) {
        dht_lookup_add(l, dht_keep_next_saved(net));
    }
    for (uint32_t i = 0; dht_keep_needs_hosts(net) && i < net->hosts.n; i++) {
        dht_lookup_add_address(l, &net->hosts.addrs[i]);
    }
}

/* A lookup of our own id, when the table is poor or the id is new. */
static bool dht_keep_bootstrap(struct dht *d, struct dht_net *net,
                               uint64_t now_ms)
{
    size_t n = dht_table_count(net->table);
    struct dht_task *t = NULL;

    if ((n >= DHT_BUCKET_NODES && !net->boot.is_wanted) ||
        now_ms < net->boot.next_ms || n + net->saved.n + net->hosts.n == 0) {
        return false;
    }
    t = dht_search_start_for_table(d, net, dht_table_own(net->table), now_ms);
    dht_keep_seed(net, &t->lookup);
    net->boot.state = DHT_BOOT_STARTING;
    net->boot.task = t->id;
    net->boot.is_wanted = false;
    return true;
}

/* A lookup in a far bucket, which the bootstrap left nearly empty, or in one
 * that nothing has touched for long. */
static void dht_keep_refresh(struct dht *d, struct dht_net *net,
                             uint64_t now_ms)
{
    const uint8_t *own = dht_table_own(net->table);
    uint8_t target[DHT_ID_LEN];
    bool is_due = false;

    if (dht_table_count(net->table) >= DHT_BUCKET_NODES &&
        net->boot.n_filled < DHT_KEEP_FILL) {
        dht_id_random_at(own, net->boot.n_filled++, d->rng, target);
        is_due = true;
    } else {
        is_due = dht_table_next_refresh(net->table, now_ms, d->rng, target);
    }
    if (is_due) {
        net->boot.state = DHT_BOOT_REFRESHING;
        net->boot.task = dht_search_start_for_table(d, net, target, now_ms)->id;
    }
}

/* The lookup for the table is over: when may the next bootstrap begin? */
static void dht_keep_conclude(struct dht_net *net, uint64_t now_ms)
{
    if (net->boot.state == DHT_BOOT_IDLE || net->boot.task != 0) {
        return;
    }
    if (net->boot.state == DHT_BOOT_STARTING) {
        net->boot.next_ms =
            now_ms + ((uint64_t)DHT_KEEP_RETRY_MS << net->boot.n_tries);
        if (dht_table_count(net->table) >= DHT_BUCKET_NODES) {
            net->boot.n_tries = 0;
        } else if (net->boot.n_tries < DHT_KEEP_RETRIES) {
            net->boot.n_tries++;
        }
    }
    net->boot.state = DHT_BOOT_IDLE;
}

/* Whom to ping: what the table wants to know, then saved nodes, so that the
 * journal does not keep the dead. */
static bool dht_keep_next_ping(struct dht *d, struct dht_net *net,
                               uint64_t now_ms, struct dht_whom *out)
{
    const struct krpc_node *saved = NULL;
    struct krpc_node node;

    if (dht_table_next_ping(net->table, now_ms, &node)) {
        out->addr = node.addr;
        out->has_id = true;
        memcpy(out->id, node.id, DHT_ID_LEN);
        return true;
    }
    if (net->boot.state == DHT_BOOT_STARTING) {
        return false;
    }
    saved = dht_keep_next_saved(net);
    if (saved == NULL || dht_calls_find(&d->calls, &saved->addr) != NULL) {
        return false;
    }
    out->addr = saved->addr;
    out->has_id = false;
    return true;
}

static void dht_keep_ping(struct dht *d, struct dht_net *net, uint64_t now_ms)
{
    size_t max = DHT_KEEP_PINGS;
    struct dht_whom to = {0};

    if (dht_table_count(net->table) < DHT_KEEP_SMALL) {
        max = DHT_KEEP_PINGS_UP;
    }
    for (size_t i = 0; i < max; i++) {
        if (!dht_keep_next_ping(d, net, now_ms, &to)) {
            return;
        }
        dht_query_ping(d, net, &to, now_ms);
    }
}

static void dht_keep_net(struct dht *d, struct dht_net *net, uint64_t now_ms)
{
    if (net->boot.state == DHT_BOOT_IDLE &&
        !dht_keep_bootstrap(d, net, now_ms)) {
        dht_keep_refresh(d, net, now_ms);
    }
    dht_keep_ping(d, net, now_ms);
}

void dht_keep_run(struct dht *d, uint64_t now_ms)
{
    for (size_t i = 0; i < DHT_FAMILIES; i++) {
        dht_keep_conclude(&d->nets[i], now_ms);
    }
    if (now_ms < d->keep.next_ms) {
        return;
    }
    d->keep.next_ms = now_ms + DHT_KEEP_MS;
    for (size_t i = 0; i < DHT_FAMILIES; i++) {
        if (d->nets[i].is_on) {
            dht_keep_net(d, &d->nets[i], now_ms);
        }
    }
    if (now_ms >= d->keep.expire_ms) {
        d->keep.expire_ms = now_ms + DHT_KEEP_STORE_MS;
        dht_store_expire(d->store, now_ms);
    }
}
