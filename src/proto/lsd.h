/* Local service discovery (BEP 14): announces to a multicast group. */
#ifndef BTC_PROTO_LSD_H
#define BTC_PROTO_LSD_H

#include "base/buf.h"

#define LSD_GROUP_V4 "239.192.152.143"
#define LSD_GROUP_V6 "ff15::efc0:988f"
#define LSD_PORT     6771

/* A datagram stays below 1400 bytes (BEP 14); 52 bytes each info hash. */
#define LSD_MAX_BYTES  1400
#define LSD_MAX_HASHES 24
#define LSD_COOKIE_MAX 33 /* with the NUL */

struct lsd_announce {
    uint16_t port; /* where the sender listens for peers; not 0 */
    uint8_t info_hash[LSD_MAX_HASHES][20];
    uint32_t n_hashes;           /* at least 1 */
    char cookie[LSD_COOKIE_MAX]; /* "" = none, or not one that fits */
};

/* From a whole datagram. BTC_E_PROTO when it is no announce, or has no port or
 * no info hash that is one. The peer is at the datagram's source address. */
int lsd_decode(struct slice datagram, struct lsd_announce *out);
/* Appends the datagram for the group of that family. The cookie has no blanks
 * or controls. */
int lsd_encode(const struct lsd_announce *a, bool v6, struct buf *out);

#endif
