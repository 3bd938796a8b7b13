/* A binary heap of embedded nodes; see heap.h. The children of place i are at
 * 2i + 1 and 2i + 2, and no key is smaller than its parent's.
 */
#include "base/heap.h"

#include "base/err.h"
#include "base/vec.h"
#include <stdlib.h>

/* An empty heap. */
void heap_init(struct heap *h)
{
    *h = (struct heap){0};
}

/* Frees the array. */
void heap_fini(struct heap *h)
{
    for (uint32_t i = 0; i < h->n; i++) {
        h->v[i]->at = 0;
    }
    free(h->v);
    heap_init(h);
}

/* Lays a node down at a place. */
static void heap_set(struct heap *h, uint32_t i, struct heap_node *node)
{
    h->v[i] = node;
    node->at = i + 1;
}

/* Larger parents step down into the gap at `i`, which moves up to where the
 * node belongs. */
static uint32_t heap_rise(struct heap *h, uint32_t i,
                          const struct heap_node *node)
{
    while (i > 0 && h->v[(i - 1) / 2]->key > node->key) {
        heap_set(h, i, h->v[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    return i;
}

/* Smaller children step up into the gap at `i`, which moves down. */
static uint32_t heap_sink(struct heap *h, uint32_t i,
                          const struct heap_node *node)
{
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child + 1 < h->n && h->v[child + 1]->key < h->v[child]->key) {
            child++;
        }
        if (child >= h->n || h->v[child]->key >= node->key) {
            return i;
        }
        heap_set(h, i, h->v[child]);
        i = child;
    }
}

/* Puts in or moves. */
void heap_put(struct heap *h, struct heap_node *node, uint64_t key)
{
    uint32_t i = node->at > 0 ? node->at - 1 : h->n;
    if (node->at == 0) {
        BTC_ASSERT(h->n < UINT32_MAX / 4);
        h->v = vec_room(h->v, h->n, &h->cap, sizeof(struct heap_node *));
        h->n++;
    }
    node->key = key;
    i = heap_rise(h, i, node);
    heap_set(h, heap_sink(h, i, node), node);
}

/* Takes out: the last one fills the gap. */
void heap_remove(struct heap *h, struct heap_node *node)
{
    if (node->at == 0) {
        return;
    }
    uint32_t i = node->at - 1;
    struct heap_node *last = h->v[--h->n];
    node->at = 0;
    if (last != node) {
        i = heap_rise(h, i, last);
        heap_set(h, heap_sink(h, i, last), last);
    }
}

/* The first. */
struct heap_node *heap_first(const struct heap *h)
{
    if (h->n > 0) {
        return h->v[0];
    }
    return NULL;
}
