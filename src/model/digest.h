/* A digest names a torrent: the SHA-1 of its info dictionary (BitTorrent v1) or
 * the SHA-256 (v2, BEP 52). A hybrid torrent has one of each. What goes over
 * the wire and into the journal is the v1 digest alone, 20 bytes (a v2 digest
 * would be cut to as many). The hashes of pieces and blocks have no length of
 * their own, since there are millions: they are rows of SHA1_LEN bytes.
 */
#ifndef BTC_MODEL_DIGEST_H
#define BTC_MODEL_DIGEST_H

#include "base/hash.h"

#include <stdbool.h>
#include <stdint.h>

#define DIGEST_MAX     SHA256_LEN
#define DIGEST_HEX_MAX (2 * DIGEST_MAX)

struct digest {
    uint8_t len; /* SHA1_LEN or SHA256_LEN; 0 = none */
    uint8_t bytes[DIGEST_MAX];
};

struct digest digest_sha1(struct slice in); /* of these bytes */
struct digest digest_sha256(struct slice in);
bool digest_is_set(const struct digest *d);
bool digest_eq(const struct digest *a, const struct digest *b);
/* 2 * len digits; "" of none. */
void digest_hex(const struct digest *d, char out[DIGEST_HEX_MAX + 1]);
/* From 40 or 64 digits; false, and none, when they are not that. */
bool digest_from_hex(struct slice hex, struct digest *out);

#endif
