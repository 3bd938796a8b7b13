/* LSD announces under hostile bytes: what decodes must encode, and decode again
 * to the same. */
#include "proto/lsd.h"

#include "base/err.h"

#include <string.h>

/* libFuzzer names it. NOLINTNEXTLINE(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lsd_announce a;
    struct lsd_announce back;
    struct buf out;
    bool same = false;
    int rc = lsd_decode(slice_of(data, size), &a);

    if (rc != 0) {
        return 0;
    }
    buf_init(&out, LSD_MAX_BYTES);
    rc = lsd_encode(&a, (size & 1) != 0, &out);
    BTC_ASSERT(rc == 0);
    rc = lsd_decode(buf_slice(&out), &back);
    BTC_ASSERT(rc == 0);
    same = a.port == back.port && a.n_hashes == back.n_hashes &&
           memcmp(a.info_hash, back.info_hash, sizeof a.info_hash) == 0 &&
           strcmp(a.cookie, back.cookie) == 0;
    BTC_ASSERT(same);
    buf_fini(&out);
    return 0;
}
