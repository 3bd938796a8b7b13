/* SHA-1 and SHA-256 over OpenSSL's EVP. Algorithms are fetched once per object:
 * an implicit fetch at each start costs more than hashing a small input.
 */
#include "base/hash.h"

#include "base/err.h"
#include "base/mem.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct hash {
    EVP_MD_CTX *ctx; /* owns */
    EVP_MD *sha1;    /* owns */
    EVP_MD *sha256;  /* owns */
};

/* A digest to be started as often as wanted. */
struct hash *hash_new(void)
{
    struct hash *h = mem_zalloc(sizeof(*h));
    h->ctx = EVP_MD_CTX_new();
    h->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    h->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    /* The default provider has both: this fails on OOM or a broken set-up. */
    BTC_ASSERT(h->ctx && h->sha1 && h->sha256);
    return h;
}

/* Frees a digest. */
void hash_free(struct hash *h)
{
    if (h) {
        EVP_MD_CTX_free(h->ctx);
        EVP_MD_free(h->sha1);
        EVP_MD_free(h->sha256);
        free(h);
    }
}

/* Starts over with the given algorithm. */
static void hash_start(struct hash *h, const EVP_MD *md)
{
    int ok = EVP_DigestInit_ex2(h->ctx, md, NULL);
    BTC_ASSERT(ok == 1);
}

/* Starts a SHA-1. */
void hash_sha1_start(struct hash *h)
{
    hash_start(h, h->sha1);
}

/* Starts a SHA-256. */
void hash_sha256_start(struct hash *h)
{
    hash_start(h, h->sha256);
}

/* Takes in more bytes. */
void hash_update(struct hash *h, const void *p, size_t len)
{
    if (len > 0) {
        int ok = EVP_DigestUpdate(h->ctx, p, len);
        BTC_ASSERT(ok == 1);
    }
}

/* Gives the digest. */
void hash_finish(struct hash *h, uint8_t *out)
{
    unsigned int len = 0;
    int ok = EVP_DigestFinal_ex(h->ctx, out, &len);
    BTC_ASSERT(ok == 1);
}

/* SHA-1 in one call. */
void hash_sha1(struct slice in, uint8_t out[SHA1_LEN])
{
    struct hash *h = hash_new();
    hash_sha1_start(h);
    hash_update(h, in.p, in.len);
    hash_finish(h, out);
    hash_free(h);
}

/* SHA-256 in one call. */
void hash_sha256(struct slice in, uint8_t out[SHA256_LEN])
{
    struct hash *h = hash_new();
    hash_sha256_start(h);
    hash_update(h, in.p, in.len);
    hash_finish(h, out);
    hash_free(h);
}
