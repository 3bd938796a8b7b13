/* The smaller and the larger of two numbers, a difference that ends at 0, and
 * times in nanoseconds. `num_min` and its like take size_t; those of one width
 * name it. No function can overflow, and none changes what it was given.
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

/* Nanoseconds since the epoch, of seconds and nanoseconds. Files and clocks may
 * be of any year. What is beyond 2116, or before 1823, comes back as another
 * time of these years: so two times stay two, and the difference of any two
 * does not overflow. */
static inline int64_t num_time_ns(int64_t s, int64_t ns)
{
    const uint64_t half = UINT64_C(1) << 62;
    uint64_t t = (uint64_t)s * 1000000000u + (uint64_t)ns;
    return (int64_t)((t + half) & (2 * half - 1)) - (int64_t)half;
}

#endif
