/* xoshiro256** by Blackman and Vigna, seeded with splitmix64. */
#include "base/rng.h"

#include "base/err.h"
#include "base/num.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

/* One step of splitmix64: spreads a seed over the state, never all zero. */
static uint64_t rng_splitmix(uint64_t *x)
{
    uint64_t z = *x += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Starts the sequence that belongs to a seed. */
void rng_init(struct rng *r, uint64_t seed)
{
    for (size_t i = 0; i < 4; i++) {
        r->s[i] = rng_splitmix(&seed);
    }
}

/* A seed from the kernel. */
uint64_t rng_seed_system(void)
{
    uint64_t seed = 0;
    ssize_t n = 0;
    do {
        n = getrandom(&seed, sizeof(seed), 0);
    } while (n < 0 && errno == EINTR);
    /* So few bytes never come short, and every kernel we run on has the call.
     */
    BTC_ASSERT(n == (ssize_t)sizeof(seed));
    return seed;
}

/* Rotates left. */
static uint64_t rng_rotl(uint64_t x, unsigned k)
{
    return x << k | x >> (64 - k);
}

/* The next 64 bits. */
uint64_t rng_u64(struct rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rng_rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rng_rotl(s[3], 45);
    return result;
}

/* Uniform in [0, n): multiply, and reject the few biased values (Lemire). */
uint32_t rng_below(struct rng *r, uint32_t n)
{
    BTC_ASSERT(n > 0);
    uint32_t least = (0u - n) % n;
    uint64_t m = 0;
    do {
        m = (rng_u64(r) >> 32) * n;
    } while ((uint32_t)m < least);
    return (uint32_t)(m >> 32);
}

/* Fills memory. */
void rng_bytes(struct rng *r, void *p, size_t len)
{
    uint8_t *dst = p;
    while (len > 0) {
        uint64_t v = rng_u64(r);
        size_t n = num_min(len, sizeof(v));
        memcpy(dst, &v, n);
        dst += n;
        len -= n;
    }
}
