/* A binary heap of nodes inside other structs: which of many is due first.
 *
 * The owner embeds a struct heap_node and finds himself again from it; a node
 * is in one heap at most. Equal keys come in any order.
 */
#ifndef BTC_BASE_HEAP_H
#define BTC_BASE_HEAP_H

#include <stdint.h>

struct heap_node {
    uint64_t key; /* the smallest is first; changed by heap_put alone */
    uint32_t at;  /* 0 = in no heap, else its place + 1 */
};

struct heap {
    struct heap_node **v; /* owns the array; the nodes are the owners' */
    uint32_t n, cap;
};

void heap_init(struct heap *h);
void heap_fini(struct heap *h); /* nodes that are in it count as taken out */
/* Puts the node in, or moves it when it is in already. */
void heap_put(struct heap *h, struct heap_node *node, uint64_t key);
/* Takes it out; nothing when it is not in. */
void heap_remove(struct heap *h, struct heap_node *node);
/* The node with the smallest key; NULL when empty. */
struct heap_node *heap_first(const struct heap *h);

#endif
