/* Growth of arrays and rings. */
#include "base/vec.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define VEC_FIRST 8u /* items of an array that had none */

/* Twice as many, or the first ones. */
static uint32_t vec_next(uint32_t cap, uint32_t first)
{
    BTC_ASSERT(cap <= UINT32_MAX / 2);
    if (cap == 0) {
        return first;
    }
    return cap * 2;
}

void *vec_room(void *items, size_t n, uint32_t *cap, size_t size)
{
    if (n < *cap) {
        return items;
    }
    *cap = vec_next(*cap, VEC_FIRST);
    return mem_resize(items, *cap, size);
}

void *vec_ring_room(void *items, uint32_t n, uint32_t *head, uint32_t *cap,
                    uint32_t first, size_t size)
{
    if (n < *cap) {
        return items;
    }
    uint32_t wider = vec_next(*cap, first);
    char *ring = mem_array(wider, size);
    size_t front = (size_t)(*cap - *head) * size; /* up to the old end */
    if (n > 0) {
        memcpy(ring, (char *)items + *head * size, front);
        memcpy(ring + front, items, *head * size);
    }
    free(items);
    *head = 0;
    *cap = wider;
    return ring;
}
