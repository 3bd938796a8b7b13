/* Metadata exchange (BEP 9); see ut_metadata.h. */
#include "proto/peer/ut_metadata.h"

#include "base/err.h"
#include "proto/bencode.h"

int ut_metadata_decode(struct slice payload, struct ut_metadata *out)
{
    ptrdiff_t used = bencode_check(payload, NULL);
    int64_t type = 0, piece = 0, total = 0;
    *out = (struct ut_metadata){.type = UT_METADATA_REQUEST};
    if (used <= 0) {
        return BTC_E_PROTO;
    }
    struct slice dict = slice_of(payload.p, (size_t)used);
    if (bencode_type(dict) != BENCODE_DICT ||
        !bencode_get_int(dict, "msg_type", &type) ||
        !bencode_get_int(dict, "piece", &piece) || type < 0 || piece < 0 ||
        piece > INT32_MAX) {
        return BTC_E_PROTO;
    }
    if (type > UT_METADATA_REJECT) {
        return BTC_E_UNSUPPORTED;
    }
    out->type = (enum ut_metadata_type)type;
    out->piece = (uint32_t)piece;
    if (out->type == UT_METADATA_DATA) {
        if (bencode_get_int(dict, "total_size", &total) && total > 0) {
            out->total_size = (uint64_t)total;
        }
        out->data = slice_sub(payload, (size_t)used, payload.len);
    }
    return 0;
}

/* A key with an integer. */
static int ut_metadata_put(struct buf *out, const char *key, uint64_t v)
{
    int rc = bencode_put_cstr(out, key);
    if (rc != 0) {
        return rc;
    }
    return bencode_put_int(out, (int64_t)v);
}

int ut_metadata_encode(const struct ut_metadata *m, struct buf *out)
{
    int rc = bencode_put_raw(out, 'd');
    if (rc == 0) {
        rc = ut_metadata_put(out, "msg_type", m->type);
    }
    if (rc == 0) {
        rc = ut_metadata_put(out, "piece", m->piece);
    }
    if (m->type == UT_METADATA_DATA) {
        if (rc == 0) {
            rc = ut_metadata_put(out, "total_size", m->total_size);
        }
    }
    if (rc == 0) {
        rc = bencode_put_raw(out, 'e');
    }
    if (rc != 0) {
        return rc;
    }
    return buf_append_slice(out, m->data);
}
