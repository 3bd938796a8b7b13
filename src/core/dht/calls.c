/* Queries under way. */
#include "core/dht/calls.h"

#include "base/mem.h"

#include <stdlib.h>

void dht_calls_init(struct dht_calls *c)
{
    *c = (struct dht_calls){0};
    heap_init(&c->due);
}

void dht_calls_fini(struct dht_calls *c)
{
    heap_fini(&c->due);
    for (size_t i = 0; i < DHT_CALLS_MAX; i++) {
        free(c->slots[i]);
    }
}

/* A free slot, looked for from a random one on. */
static uint16_t dht_calls_free_slot(const struct dht_calls *c, struct rng *rng)
{
    uint32_t slot = rng_below(rng, DHT_CALLS_MAX);

    while (c->slots[slot] != NULL) {
        slot = (slot + 1) % DHT_CALLS_MAX;
    }
    return (uint16_t)slot;
}

struct dht_call *dht_calls_add(struct dht_calls *c, const struct dht_whom *to,
                               struct rng *rng, uint64_t now_ms)
{
    struct dht_call *call = NULL;

    if (c->n == DHT_CALLS_MAX) {
        return NULL;
    }
    call = mem_zalloc(sizeof *call);
    call->slot = dht_calls_free_slot(c, rng);
    call->nonce = (uint16_t)rng_below(rng, UINT16_MAX);
    call->to = *to;
    call->sent_ms = now_ms;
    c->slots[call->slot] = call;
    c->n++;
    heap_put(&c->due, &call->due, now_ms + DHT_CALL_SLOW_MS);
    return call;
}

void dht_calls_remove(struct dht_calls *c, struct dht_call *call)
{
    heap_remove(&c->due, &call->due);
    c->slots[call->slot] = NULL;
    c->n--;
    free(call);
}

void dht_call_tid(const struct dht_call *call, uint8_t tid[DHT_TID_LEN])
{
    bytes_put_be16(bytes_put_be16(tid, call->slot), call->nonce);
}

struct dht_call *dht_calls_match(const struct dht_calls *c, struct slice tid,
                                 const struct addr *from)
{
    struct dht_call *call = NULL;

    if (tid.len != DHT_TID_LEN || bytes_get_be16(tid.p) >= DHT_CALLS_MAX) {
        return NULL;
    }
    call = c->slots[bytes_get_be16(tid.p)];
    if (call == NULL || call->nonce != bytes_get_be16(tid.p + 2) ||
        !addr_eq(&call->to.addr, from)) {
        return NULL;
    }
    return call;
}

struct dht_call *dht_calls_find(const struct dht_calls *c,
                                const struct addr *to)
{
    for (size_t i = 0; i < DHT_CALLS_MAX; i++) {
        if (c->slots[i] != NULL && addr_eq(&c->slots[i]->to.addr, to)) {
            return c->slots[i];
        }
    }
    return NULL;
}

/* The call around its node in the heap. */
static struct dht_call *dht_call_of(struct heap_node *due)
{
    return (struct dht_call *)((char *)due - offsetof(struct dht_call, due));
}

struct dht_call *dht_calls_next_due(struct dht_calls *c, uint64_t now_ms,
                                    bool *is_over)
{
    struct heap_node *first = heap_first(&c->due);
    struct dht_call *call = NULL;

    if (first == NULL || first->key > now_ms) {
        return NULL;
    }
    call = dht_call_of(first);
    *is_over = now_ms >= call->sent_ms + DHT_CALL_TIMEOUT_MS;
    if (!*is_over) {
        heap_put(&c->due, &call->due, call->sent_ms + DHT_CALL_TIMEOUT_MS);
    }
    return call;
}

uint64_t dht_calls_deadline(const struct dht_calls *c)
{
    const struct heap_node *first = heap_first(&c->due);

    if (first == NULL) {
        return UINT64_MAX;
    }
    return first->key;
}
