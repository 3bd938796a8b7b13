/* Tokens of the DHT: a hash of a secret, the asker's address and the period. */
#include "core/dht/token.h"

#include "base/hash.h"

#include <string.h>

/* The token of a place in one period. */
static void dht_tokens_of_period(const struct dht_tokens *k,
                                 const struct addr *addr, uint64_t period,
                                 uint8_t out[DHT_TOKEN_LEN])
{
    uint8_t in[DHT_SECRET_LEN + 16 + 8];
    uint8_t digest[SHA1_LEN];
    uint8_t *p = bytes_put(in, k->secret, DHT_SECRET_LEN);

    p = bytes_put(p, addr->ip, sizeof addr->ip);
    bytes_put_be64(p, period);
    hash_sha1(slice_of(in, sizeof in), digest);
    memcpy(out, digest, DHT_TOKEN_LEN);
}

void dht_tokens_make(const struct dht_tokens *k, const struct addr *to,
                     uint64_t now_ms, uint8_t out[DHT_TOKEN_LEN])
{
    dht_tokens_of_period(k, to, now_ms / DHT_TOKEN_ROTATE_MS, out);
}

bool dht_tokens_check(const struct dht_tokens *k, const struct addr *from,
                      uint64_t now_ms, struct slice token)
{
    uint64_t period = now_ms / DHT_TOKEN_ROTATE_MS;
    uint8_t want[DHT_TOKEN_LEN];

    dht_tokens_of_period(k, from, period, want);
    if (slice_eq(token, slice_of(want, sizeof want))) {
        return true;
    }
    if (period == 0) {
        return false;
    }
    dht_tokens_of_period(k, from, period - 1, want);
    return slice_eq(token, slice_of(want, sizeof want));
}
