/* The block: what peers ask of each other, and the unit that the journal, the
 * store and the core count in (BEP 3: `request`). Every block of a piece has
 * BLOCK_LEN bytes but the last, which may be shorter. */
#ifndef BTC_MODEL_BLOCK_H
#define BTC_MODEL_BLOCK_H

#include <stdint.h>

#define BLOCK_LEN                                              \
    16384u /* bytes; larger requests are refused by most peers \
            */

/* The number of blocks that hold `len` bytes. */
static inline uint64_t block_count(uint64_t len)
{
    return len / BLOCK_LEN + (len % BLOCK_LEN != 0);
}

#endif
