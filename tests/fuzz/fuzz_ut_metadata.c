/* Metadata messages under hostile bytes: what decodes must encode, and decode
 * again to the same. */
#include "proto/peer/ut_metadata.h"

#include "base/err.h"

/* libFuzzer names it. NOLINTNEXTLINE(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ut_metadata m, back;
    struct buf out;
    if (ut_metadata_decode(slice_of(data, size), &m) != 0) {
        return 0;
    }
    buf_init(&out, size + 256);
    int rc = ut_metadata_encode(&m, &out);
    BTC_ASSERT(rc == 0);
    rc = ut_metadata_decode(buf_slice(&out), &back);
    BTC_ASSERT(rc == 0);
    bool same = m.type == back.type && m.piece == back.piece &&
                m.total_size == back.total_size && slice_eq(m.data, back.data);
    BTC_ASSERT(same);
    buf_fini(&out);
    return 0;
}
