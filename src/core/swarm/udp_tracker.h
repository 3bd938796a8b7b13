/* Conversations with UDP trackers (BEP 15): connection ids and their minute,
 * retransmission, errors. Pure: datagrams and a clock go in, datagrams and
 * outcomes come out. One object serves all torrents of a run.
 *
 * Use: udp_tracker_ask for each announce or scrape; then, and after each
 * udp_tracker_datagram and udp_tracker_tick, udp_tracker_next until it gives
 * false; then arm a timer for udp_tracker_deadline. Each request ends with one
 * UDP_TRACKER_DONE, unless it is cancelled.
 *
 * An answer counts only when it comes from the address that was asked and
 * repeats a transaction id of 32 random bits, so nobody who does not see our
 * datagrams can answer in a tracker's place.
 */
#ifndef BTC_CORE_SWARM_UDP_TRACKER_H
#define BTC_CORE_SWARM_UDP_TRACKER_H

#include "base/rng.h"
#include "proto/tracker/udp.h"

#define UDP_TRACKER_RESEND_MS  15000 /* BEP 15: 15 * 2 ^ n seconds ... */
#define UDP_TRACKER_SENDS      4     /* ... and after so many it has failed */
#define UDP_TRACKER_STOP_MS    700   /* `stopped` has but a few seconds */
#define UDP_TRACKER_CONNECT_MS 60000 /* a connection id is good for so long */
#define UDP_TRACKER_MAX        65536 /* requests at once; more are refused */

struct udp_tracker; /* opaque */

enum udp_tracker_kind {
    UDP_TRACKER_ANNOUNCE,
    UDP_TRACKER_SCRAPE
};

struct udp_tracker_request {
    enum udp_tracker_kind kind;
    struct addr to;
    struct tracker_request announce; /* SCRAPE: the info hash alone */
    const char *path;                /* URL data, copied; "" = none */
};

enum udp_tracker_action_type {
    UDP_TRACKER_SEND, /* to, data */
    UDP_TRACKER_DONE  /* id, result, reply, error */
};

struct udp_tracker_action {
    enum udp_tracker_action_type type;
    struct addr to;    /* SEND */
    struct slice data; /* SEND; lives until the next call */
    uint32_t id;       /* DONE: which request */
    int result;        /* DONE: 0 or BTC_E_TIMEOUT, BTC_E_PROTO */
    /* DONE: lives until the next call. A tracker's refusal is a reply with a
     * failure text. */
    const struct tracker_reply *reply;
    const char *error; /* DONE: why there is no reply */
};

struct udp_tracker *udp_tracker_new(struct rng *rng); /* borrows */
void udp_tracker_free(struct udp_tracker *u);         /* NULL allowed */
/* An id, never 0; 0 when too many are under way. */
uint32_t udp_tracker_ask(struct udp_tracker *u,
                         const struct udp_tracker_request *r, uint64_t now_ms);
void udp_tracker_cancel(struct udp_tracker *u, uint32_t id);
/* True when the datagram is an answer to one of ours (also a broken one). */
bool udp_tracker_datagram(struct udp_tracker *u, const struct addr *from,
                          struct slice data, uint64_t now_ms);
void udp_tracker_tick(struct udp_tracker *u, uint64_t now_ms);
bool udp_tracker_next(struct udp_tracker *u, struct udp_tracker_action *out);
uint64_t udp_tracker_deadline(const struct udp_tracker *u); /* UINT64_MAX */

#endif
