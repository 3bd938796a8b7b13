/* The extension handshake under hostile bytes: what decodes must encode, and
 * decode again to the same. */
#include "proto/peer/ext.h"

#include "base/err.h"

#include <string.h>

/* libFuzzer names it. NOLINTNEXTLINE(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ext_handshake h = {.client = ""};
    struct ext_handshake back = h;
    struct buf out;
    bool same = false;
    int rc = ext_handshake_update(slice_of(data, size), &h);

    if (rc != 0) {
        return 0;
    }
    buf_init(&out, 1024);
    rc = ext_handshake_encode(&h, &out);
    BTC_ASSERT(rc == 0);
    rc = ext_handshake_update(buf_slice(&out), &back);
    BTC_ASSERT(rc == 0);
    same = h.ut_metadata == back.ut_metadata && h.ut_pex == back.ut_pex &&
           h.lt_donthave == back.lt_donthave &&
           h.upload_only == back.upload_only && h.port == back.port &&
           h.reqq == back.reqq && h.metadata_size == back.metadata_size &&
           strcmp(h.client, back.client) == 0 &&
           addr_eq(&h.yourip, &back.yourip);
    BTC_ASSERT(same);
    buf_fini(&out);
    return 0;
}
