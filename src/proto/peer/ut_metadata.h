/* Metadata exchange (BEP 9): the payload of ut_metadata. The info dictionary is
 * cut into pieces of 16 KiB; the last one is shorter.
 */
#ifndef BTC_PROTO_PEER_UT_METADATA_H
#define BTC_PROTO_PEER_UT_METADATA_H

#include "base/buf.h"

#define UT_METADATA_PIECE 16384u
/* A message of ours is never longer: a piece behind a short dictionary. */
#define UT_METADATA_MAX_BYTES (UT_METADATA_PIECE + 128)

enum ut_metadata_type {
    UT_METADATA_REQUEST = 0,
    UT_METADATA_DATA = 1,
    UT_METADATA_REJECT = 2
};

struct ut_metadata {
    enum ut_metadata_type type;
    uint32_t piece;
    uint64_t total_size; /* DATA; 0 = not said */
    struct slice data;   /* DATA; borrows from the payload */
};

/* From the payload behind the extended id. BTC_E_PROTO when it is no dict or
 * says no type and piece that make sense; BTC_E_UNSUPPORTED for a type that a
 * later BEP may have. */
int ut_metadata_decode(struct slice payload, struct ut_metadata *out);
/* Appends the payload. */
int ut_metadata_encode(const struct ut_metadata *m, struct buf *out);

#endif
