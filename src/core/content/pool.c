/* Block memory; see pool.h. */
#include "core/content/pool.h"

#include "base/err.h"
#include "base/mem.h"
#include "model/block.h"
#include <stdlib.h>

/* The bound in blocks; nothing is allocated before it is needed. */
void pool_init(struct pool *p, uint64_t bytes)
{
    uint64_t n = bytes / BLOCK_LEN;
    if (n < POOL_MIN_BLOCKS) {
        n = POOL_MIN_BLOCKS;
    }
    if (n > UINT32_MAX / 2) {
        n = UINT32_MAX / 2;
    }
    *p = (struct pool){.max = (uint32_t)n};
    p->free = mem_calloc(p->max, sizeof *p->free);
}

/* Frees the buffers. */
void pool_fini(struct pool *p)
{
    BTC_ASSERT(p->in_use == 0);
    for (uint32_t i = 0; i < p->n_free; i++) {
        free(p->free[i]);
    }
    free(p->free);
    *p = (struct pool){0};
}

uint32_t pool_room(const struct pool *p)
{
    return p->max - p->in_use - p->reserved;
}

bool pool_reserve(struct pool *p)
{
    if (pool_room(p) == 0) {
        return false;
    }
    p->reserved++;
    return true;
}

void pool_unreserve(struct pool *p)
{
    BTC_ASSERT(p->reserved > 0);
    p->reserved--;
}

uint8_t *pool_take(struct pool *p)
{
    pool_unreserve(p);
    p->in_use++;
    if (p->n_free > 0) {
        return p->free[--p->n_free];
    }
    return mem_alloc(BLOCK_LEN);
}

void pool_give(struct pool *p, uint8_t *block)
{
    if (block == NULL) {
        return;
    }
    BTC_ASSERT(p->in_use > 0);
    p->in_use--;
    p->free[p->n_free++] = block;
}
