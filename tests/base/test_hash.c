/* SHA-1 and SHA-256 against the vectors of FIPS 180. */
#include "base/hash.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define HASH_LONG "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"

static const struct {
    const char *in;
    const char *sha1;
    const char *sha256;
} hash_cases[] = {
    {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d",
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {HASH_LONG, "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void hash_assert_hex(const uint8_t *digest, size_t len, const char *want)
{
    char hex[2 * SHA256_LEN + 1];
    bytes_to_hex(digest, len, hex);
    assert_string_equal(hex, want);
}

static void hash_test_vectors(void **state)
{
    (void)state;
    uint8_t digest[SHA256_LEN];
    for (size_t i = 0; i < sizeof(hash_cases) / sizeof(hash_cases[0]); i++) {
        hash_sha1(slice_str(hash_cases[i].in), digest);
        hash_assert_hex(digest, SHA1_LEN, hash_cases[i].sha1);
        hash_sha256(slice_str(hash_cases[i].in), digest);
        hash_assert_hex(digest, SHA256_LEN, hash_cases[i].sha256);
    }
}

/* One object, both algorithms in turn, input cut at every place. */
static void hash_test_splits(void **state)
{
    (void)state;
    struct hash *h = hash_new();
    uint8_t digest[SHA256_LEN];
    for (size_t i = 0; i < sizeof(hash_cases) / sizeof(hash_cases[0]); i++) {
        const char *in = hash_cases[i].in;
        for (size_t cut = 0; cut <= strlen(in); cut++) {
            hash_sha1_start(h);
            hash_update(h, in, cut);
            hash_update(h, in + cut, strlen(in) - cut);
            hash_finish(h, digest);
            hash_assert_hex(digest, SHA1_LEN, hash_cases[i].sha1);
            hash_sha256_start(h);
            hash_update(h, in, cut);
            hash_update(h, in + cut, strlen(in) - cut);
            hash_finish(h, digest);
            hash_assert_hex(digest, SHA256_LEN, hash_cases[i].sha256);
        }
    }
    /* A start in the middle forgets what came before. */
    hash_sha1_start(h);
    hash_update(h, "spoiled", 7);
    hash_sha1_start(h);
    hash_finish(h, digest);
    hash_assert_hex(digest, SHA1_LEN, hash_cases[0].sha1);
    hash_free(h);
    hash_free(NULL);
}

static void hash_test_million(void **state)
{
    (void)state;
    enum {
        CHUNK = 10000,
        CHUNKS = 100
    };
    char *a = mem_alloc(CHUNK);
    uint8_t digest[SHA1_LEN];
    struct hash *h = hash_new();
    memset(a, 'a', CHUNK);
    hash_sha1_start(h);
    for (int i = 0; i < CHUNKS; i++) {
        hash_update(h, a, CHUNK);
    }
    hash_finish(h, digest);
    hash_assert_hex(digest, SHA1_LEN,
                    "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    hash_free(h);
    free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_test_vectors),
        cmocka_unit_test(hash_test_splits),
        cmocka_unit_test(hash_test_million),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
