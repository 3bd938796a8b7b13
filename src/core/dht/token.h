/* Tokens of the DHT (BEP 5): who wants to announce has to show one that we gave
 * to its address. A token is a digest of the address, a secret and the time, so
 * that nothing has to be remembered. Pure: the clock is an argument.
 */
#ifndef BTC_CORE_DHT_TOKEN_H
#define BTC_CORE_DHT_TOKEN_H

#include "base/addr.h"
#include "base/hash.h"

#define DHT_TOKEN_LEN       8
#define DHT_TOKEN_ROTATE_MS 300000u /* valid twice as long */
#define DHT_SECRET_LEN      SHA256_LEN

struct dht_tokens {
    uint8_t secret[DHT_SECRET_LEN];
};

void dht_tokens_make(const struct dht_tokens *k, const struct addr *to,
                     uint64_t now_ms, uint8_t out[DHT_TOKEN_LEN]);
/* Whether we gave it to this address, 5 to 10 minutes ago at most. */
bool dht_tokens_check(const struct dht_tokens *k, const struct addr *from,
                      uint64_t now_ms, struct slice token);

#endif
