/* The smaller and the larger of two numbers, and a difference that ends at 0.
 * `num_min` and its like take size_t; those of one width name it. No function
 * can overflow, and none changes what it was given.
 */
#ifndef BTC_BASE_NUM_H
#define BTC_BASE_NUM_H

#include <stddef.h>
#include <stdint.h>

/* The smaller one. */
static inline size_t num_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline uint32_t num_min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static inline uint64_t num_min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The larger one. */
static inline size_t num_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

static inline uint64_t num_max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* What is left of `a` when `b` is taken away; 0 when b is the larger one. */
static inline size_t num_sub(size_t a, size_t b)
{
    return a > b ? a - b : 0;
}

static inline uint64_t num_sub_u64(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

#endif
