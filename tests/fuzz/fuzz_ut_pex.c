/* ut_pex under hostile bytes: what decodes must encode, and decode again to the
 * same peers. */
#include "proto/peer/ut_pex.h"

#include "base/err.h"

/* libFuzzer names it. NOLINTNEXTLINE(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A mapped IPv6 address comes back as IPv4, so the order may change: counts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ut_pex m;
    struct ut_pex back;
    struct buf out;
    int rc = ut_pex_decode(slice_of(data, size), &m);

    BTC_ASSERT(m.n_added <= UT_PEX_MAX_PEERS);
    BTC_ASSERT(m.n_dropped <= UT_PEX_MAX_PEERS);
    if (rc != 0) {
        return 0;
    }
    buf_init(&out, UT_PEX_MAX_BYTES);
    rc = ut_pex_encode(&m, &out);
    BTC_ASSERT(rc == 0);
    rc = ut_pex_decode(buf_slice(&out), &back);
    BTC_ASSERT(rc == 0);
    BTC_ASSERT(back.n_added == m.n_added);
    BTC_ASSERT(back.n_dropped == m.n_dropped);
    buf_fini(&out);
    return 0;
}
