/* Proof of purity: this program is linked with every object of base, proto and
 * core, and with libcrypto and libc alone. That it links is the test; that it
 * runs shows that it was the real thing.
 */
#include "base/hash.h"

#include <stdio.h>
#include <string.h>

/* Hashes nothing, whose SHA-1 is well known. */
int main(void)
{
    uint8_t digest[SHA1_LEN];
    char hex[2 * SHA1_LEN + 1];
    hash_sha1(slice_of(NULL, 0), digest);
    bytes_to_hex(digest, sizeof(digest), hex);
    (void)printf("%s\n", hex);
    return strcmp(hex, "da39a3ee5e6b4b0d3255bfef95601890afd80709") == 0 ? 0 : 1;
}
