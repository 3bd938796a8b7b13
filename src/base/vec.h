/* Growth of arrays that have a count and a capacity, and of rings.
 *
 * The array itself stays a plain pointer of its owner's struct, freed with
 * free(); only the arithmetic of growing stands here. Sizes are bounded by our
 * own constants, as in mem.h; what grows at the wish of a peer or of a file is
 * bounded by its owner before it asks for room.
 */
#ifndef BTC_BASE_VEC_H
#define BTC_BASE_VEC_H

#include <stddef.h>
#include <stdint.h>

/* Room for one more item of `size` bytes behind `n`. When the capacity is used
 * up it doubles (from 8) and the memory moves. Returns the array. */
void *vec_room(void *items, size_t n, uint32_t *cap, size_t size);

/* Room for one more in a ring of `n` items whose first is at `*head` and whose
 * capacity is 0 or a power of two. When it is full it doubles (from `first`, a
 * power of two), and the items stand in order from 0. Returns the ring. */
void *vec_ring_room(void *items, uint32_t n, uint32_t *head, uint32_t *cap,
                    uint32_t first, size_t size);

#endif
