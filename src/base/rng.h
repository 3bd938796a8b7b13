/* A seeded generator (xoshiro256**), passed in wherever chance is needed, so
 * that a run repeats from its seed. Not for secrets; rng_seed_system is where
 * production gets its seed.
 */
#ifndef BTC_BASE_RNG_H
#define BTC_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_init(struct rng *r, uint64_t seed);
uint64_t rng_seed_system(void); /* from the kernel (getrandom) */
uint64_t rng_u64(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t n); /* uniform in [0, n), n > 0 */
void rng_bytes(struct rng *r, void *p, size_t len);

#endif
