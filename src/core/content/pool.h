/* Block memory: 16 KiB buffers used again and again, last freed first, because
 * fresh pages cost more than the hash of what is put in them.
 *
 * One pool serves all torrents of a run and is the bound on memory: a request
 * is sent only with a reservation, so a block that arrives always finds its
 * buffer, and in_use + reserved never exceeds max.
 */
#ifndef BTC_CORE_CONTENT_POOL_H
#define BTC_CORE_CONTENT_POOL_H

#include "core/content/layout.h"

#define POOL_MIN_BLOCKS 64u /* 1 MiB: below, two peers could starve */

struct pool {
    uint8_t **free; /* owns the buffers; a stack */
    uint32_t n_free;
    uint32_t max;      /* blocks */
    uint32_t in_use;   /* handed out */
    uint32_t reserved; /* promised to requests that are under way */
};

void pool_init(struct pool *p, uint64_t bytes);
void pool_fini(struct pool *p); /* everything must have come back */
/* One more request may be sent: counts it. */
bool pool_reserve(struct pool *p);
void pool_unreserve(struct pool *p);
/* A reservation becomes a buffer. */
uint8_t *pool_take(struct pool *p);
void pool_give(struct pool *p, uint8_t *block); /* NULL allowed */
/* Blocks that may still be reserved. */
uint32_t pool_room(const struct pool *p);

#endif
