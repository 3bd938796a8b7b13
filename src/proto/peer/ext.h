/* Payloads of the extension protocol (BEP 10): the handshake now, ut_metadata
 * (BEP 9) and ut_pex (BEP 11) beside it later. Our message ids are fixed. */
#ifndef BTC_PROTO_PEER_EXT_H
#define BTC_PROTO_PEER_EXT_H

#include "base/addr.h"
#include "base/buf.h"

/* The ids under which we want to be sent each extension. */
enum ext_id {
    EXT_HANDSHAKE = 0,
    EXT_UT_METADATA = 1,
    EXT_UT_PEX = 2,
    EXT_LT_DONTHAVE = 3
};

#define EXT_CLIENT_MAX 64
#define EXT_REQQ_MAX   65536

struct ext_handshake {
    uint8_t ut_metadata; /* the peer's id for it; 0 = not supported */
    uint8_t ut_pex;
    uint8_t lt_donthave;
    bool upload_only;            /* BEP 21 */
    uint16_t port;               /* p: listen port, 0 = not said */
    uint32_t reqq;               /* requests it queues, clamped; 0 = not said */
    uint64_t metadata_size;      /* 0 = not said */
    char client[EXT_CLIENT_MAX]; /* v: printable UTF-8, cut; "" = not said */
    struct addr yourip;          /* family NONE = not said; port 0 */
};

/* From the payload of extended message 0, the first one or a later one: what it
 * does not say stays as it is, an id of 0 turns its extension off, and fields
 * of a wrong type count as absent. BTC_E_PROTO when it is no dict; `h` is
 * unchanged then. */
int ext_handshake_update(struct slice payload, struct ext_handshake *h);
/* Appends our payload. Ids of 0 are left out; `client`, `reqq`, `port`,
 * `yourip`, `metadata_size` and `upload_only` as set. */
int ext_handshake_encode(const struct ext_handshake *h, struct buf *out);

#endif
