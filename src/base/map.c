/* The hash function of our maps: eight bytes a step, multiplied and mixed. */
#include "base/map.h"

#include "base/num.h"

#include <stdint.h>
#include <string.h>

/* Odd, with bits all over: the golden ratio. */
#define MAP_PRIME 0x9e3779b97f4a7c15u

/* One step; every bit of the result depends on every bit of both. */
static uint64_t map_mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * MAP_PRIME;
    h ^= h >> 32;
    h *= MAP_PRIME;
    return h ^ h >> 29;
}

/* A hash of `len` bytes. */
unsigned map_hash(const void *key, size_t len)
{
    const uint8_t *p = key;
    uint64_t h = map_mix(len, MAP_PRIME);
    while (len > 0) {
        uint64_t word = 0;
        size_t n = num_min(len, sizeof(word));
        memcpy(&word, p, n);
        h = map_mix(h, word);
        p += n;
        len -= n;
    }
    return (unsigned)h;
}
