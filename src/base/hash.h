/* SHA-1 and SHA-256. The only module that sees OpenSSL: EVP picks the CPU's SHA
 * instructions, which no code of ours would match.
 */
#ifndef BTC_BASE_HASH_H
#define BTC_BASE_HASH_H

#include "base/bytes.h"

#define SHA1_LEN   20
#define SHA256_LEN 32

/* One running digest; a worker keeps one and starts it again and again. */
struct hash; /* opaque: an EVP context */

struct hash *hash_new(void);
void hash_free(struct hash *h); /* NULL allowed */
void hash_sha1_start(struct hash *h);
void hash_sha256_start(struct hash *h);
void hash_update(struct hash *h, const void *p, size_t len);
void hash_finish(struct hash *h, uint8_t *out); /* 20 or 32 bytes */

/* In one call. */
void hash_sha1(struct slice in, uint8_t out[SHA1_LEN]);
void hash_sha256(struct slice in, uint8_t out[SHA256_LEN]);

#endif
