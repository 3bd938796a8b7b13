/* Peer exchange (BEP 11): the payload of ut_pex. */
#ifndef BTC_PROTO_PEER_UT_PEX_H
#define BTC_PROTO_PEER_UT_PEX_H

#include "base/addr.h"
#include "base/buf.h"

/* Peers taken of one message, and as many that left. BEP 11 allows 50; a first
 * message may have more. */
#define UT_PEX_MAX_PEERS 200
/* No message that UT_PEX_MAX_PEERS fit into is longer. */
#define UT_PEX_MAX_BYTES 16384

enum ut_pex_flag {
    UT_PEX_ENCRYPTION = 0x01, /* prefers it */
    UT_PEX_SEED = 0x02,       /* or uploads only */
    UT_PEX_UTP = 0x04,
    UT_PEX_HOLEPUNCH = 0x08,
    UT_PEX_REACHABLE = 0x10 /* the sender dialled it */
};

struct ut_pex_peer {
    struct addr addr;
    uint8_t flags; /* of enum ut_pex_flag; unknown bits stay */
};

struct ut_pex {
    struct ut_pex_peer added[UT_PEX_MAX_PEERS];
    uint32_t n_added;
    struct addr dropped[UT_PEX_MAX_PEERS];
    uint32_t n_dropped;
};

/* From the payload behind the extended id. BTC_E_PROTO when it is no dict.
 * Fields of a wrong type count as absent, cut entries and addresses that cannot
 * be dialled are left out, missing flags are 0. */
int ut_pex_decode(struct slice payload, struct ut_pex *out);
/* Appends the payload; fields without peers are left out. */
int ut_pex_encode(const struct ut_pex *m, struct buf *out);

#endif
