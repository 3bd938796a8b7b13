/* See digest.h. */
#include "model/digest.h"

#include <string.h>

struct digest digest_sha1(struct slice in)
{
    struct digest d = {.len = SHA1_LEN};
    hash_sha1(in, d.bytes);
    return d;
}

struct digest digest_sha256(struct slice in)
{
    struct digest d = {.len = SHA256_LEN};
    hash_sha256(in, d.bytes);
    return d;
}

bool digest_is_set(const struct digest *d)
{
    return d->len > 0;
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

void digest_hex(const struct digest *d, char out[DIGEST_HEX_MAX + 1])
{
    out[0] = '\0';
    if (digest_is_set(d)) {
        bytes_to_hex(d->bytes, d->len, out);
    }
}

bool digest_from_hex(struct slice hex, struct digest *out)
{
    *out = (struct digest){.len = (uint8_t)SHA1_LEN};
    if (hex.len == (size_t)2 * SHA256_LEN) {
        out->len = SHA256_LEN;
    }
    if (!bytes_from_hex(hex, out->bytes, out->len)) {
        *out = (struct digest){.len = 0};
    }
    return digest_is_set(out);
}
