/* Our part in local service discovery (BEP 14): when which torrents are
 * announced to the local network, and what is taken of the announces heard.
 *
 * Torrents are offered again and again; each has a `turn` that says when it is
 * due. Those that are due are gathered, and one datagram a second carries as
 * many as fit, so thousands of torrents make no storm: they come later. A
 * datagram may be lost, hence the first announce is made LAN_TRIES times.
 *
 * A cookie tells our own announces from those of others. Who announces more
 * than any client would is not heard; memory never grows.
 */
#ifndef BTC_CORE_LAN_LAN_H
#define BTC_CORE_LAN_LAN_H

#include "base/addr.h"
#include "base/rng.h"
#include "proto/lsd.h"

#define LAN_GAP_MS   1000u   /* between two datagrams */
#define LAN_TRIES    3u      /* at first: at once, then ... */
#define LAN_SOON_MS  2000u   /* ... after this, doubled each time */
#define LAN_AGAIN_MS 300000u /* then every five minutes */
#define LAN_JITTER_MS                                      \
    30000u /* and up to this later, so that clients spread \
            */
#define LAN_ANSWER_MS \
    4000u /* a neighbour that has heard us has called by now */

#define LAN_WINDOW_MS  10000u /* what is heard is counted for so long */
#define LAN_PLACES     64u    /* sources share so many counters */
#define LAN_PER_PLACE  240u   /* info hashes in a window, of a source */
#define LAN_PER_WINDOW 960u   /* and of all */

/* When a torrent is due; zeroed at first. */
struct lan_turn {
    uint64_t at_ms;
    uint64_t last_ms; /* of its last announce */
    uint32_t n;       /* announces so far */
};

struct lan; /* opaque */

struct lan *lan_new(struct rng *rng); /* borrows the rng */
void lan_free(struct lan *lan);       /* NULL allowed */

/* The torrent runs and is not private. When it is due and there is room it goes
 * into the next datagram. */
void lan_offer(struct lan *lan, struct lan_turn *turn,
               const uint8_t info_hash[20], uint64_t now_ms);
/* Something was gathered and may go now. */
bool lan_is_due(const struct lan *lan, uint64_t now_ms);
/* Appends the datagram of a family. */
int lan_encode(const struct lan *lan, uint16_t port, bool v6, struct buf *out);
/* It went to the network: the next one is gathered. */
void lan_sent(struct lan *lan, uint64_t now_ms);
/* A neighbour may still answer the first announces. */
bool lan_has_hope(const struct lan_turn *turn, uint64_t now_ms);

/* A datagram came. True when it is another one's announce that counts. */
bool lan_take(struct lan *lan, const struct addr *from, struct slice datagram,
              uint64_t now_ms, struct lsd_announce *out);

#endif
