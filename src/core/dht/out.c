/* The queue of actions. */
#include "core/dht/internal.h"

#include <string.h>

/* Datagrams that may wait. The owner drains the queue after each event, and no
 * event makes that many. */
#define DHT_OUT_SENDS_MAX 4096

void dht_out_init(struct dht *d)
{
    d->out.last = &d->out.first;
}

void dht_out_fini(struct dht *d)
{
    while (d->out.first != NULL) {
        struct dht_out *o = d->out.first;

        d->out.first = o->next;
        free(o);
    }
    free(d->out.taken);
}

/* A new action at the end of the queue, with room for bytes behind it. */
static struct dht_out *dht_out_push(struct dht *d, enum dht_action_type type,
                                    size_t n_bytes)
{
    struct dht_out *o = mem_zalloc(sizeof *o + n_bytes);

    o->action.type = type;
    *d->out.last = o;
    d->out.last = &o->next;
    return o;
}

bool dht_next_action(struct dht *d, struct dht_action *out)
{
    struct dht_out *o = d->out.first;

    free(d->out.taken);
    d->out.taken = o;
    if (o == NULL) {
        return false;
    }
    d->out.first = o->next;
    if (o->next == NULL) {
        d->out.last = &d->out.first;
    }
    if (o->action.type == DHT_ACTION_SEND) {
        d->out.n_sends--;
    }
    *out = o->action;
    return true;
}

size_t dht_out_send(struct dht *d, const struct addr *to,
                    const struct krpc_msg *msg)
{
    struct buf bytes;
    size_t len = 0;

    if (d->out.n_sends == DHT_OUT_SENDS_MAX) {
        return 0;
    }
    buf_init(&bytes, KRPC_SEND_MAX);
    if (krpc_encode(msg, &bytes) == 0) {
        struct dht_out *o = NULL;

        len = buf_len(&bytes);
        o = dht_out_push(d, DHT_ACTION_SEND, len);
        bytes_put(o->data, buf_slice(&bytes).p, len);
        o->action.send.to = *to;
        o->action.send.data = slice_of(o->data, len);
        d->out.n_sends++;
    }
    buf_fini(&bytes);
    return len;
}

void dht_out_peers(struct dht *d, const struct dht_found *found)
{
    size_t len = found->n_peers * sizeof *found->peers;
    struct dht_out *o = dht_out_push(d, DHT_ACTION_PEERS, len);

    memcpy(o->data, found->peers, len);
    o->action.found = *found;
    o->action.found.peers = (const struct addr *)(const void *)o->data;
}

void dht_out_done(struct dht *d, const struct dht_search_result *result)
{
    dht_out_push(d, DHT_ACTION_SEARCH_DONE, 0)->action.done = *result;
}

void dht_out_node(struct dht *d, enum dht_action_type type,
                  const struct krpc_node *node)
{
    dht_out_push(d, type, 0)->action.node = *node;
}

void dht_out_self(struct dht *d, enum dht_action_type type,
                  const struct dht_net *net)
{
    struct dht_out *o = dht_out_push(d, type, 0);

    o->action.self.ip = net->vote.elected;
    o->action.self.family = net->family;
    bytes_put(o->action.self.id, dht_table_own(net->table), DHT_ID_LEN);
}
