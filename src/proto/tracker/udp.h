/* UDP trackers: datagrams of BEP 15, URL data of BEP 41.
 *
 * A conversation is CONNECT, which gives a connection id that is good for a
 * minute, then ANNOUNCE or SCRAPE with that id. Each request carries a
 * transaction id that its answer repeats. The address family of the tracker
 * decides how the peers of an answer are written: 6 bytes each over IPv4, 18
 * over IPv6.
 */
#ifndef BTC_PROTO_TRACKER_UDP_H
#define BTC_PROTO_TRACKER_UDP_H

#include "base/buf.h"
#include "base/err.h"
#include "proto/tracker/tracker.h"

#define TRACKER_UDP_REQUEST_MAX 1400 /* bytes of any request of ours */
#define TRACKER_UDP_HOST_MAX    254  /* with NUL */
#define TRACKER_UDP_PATH_MAX    1024 /* with NUL; longer ones are not sent */

enum tracker_udp_action {
    TRACKER_UDP_CONNECT = 0,
    TRACKER_UDP_ANNOUNCE = 1,
    TRACKER_UDP_SCRAPE = 2,
    TRACKER_UDP_ERROR = 3
};

/* The parts of "udp://host:port/path?query". */
struct tracker_udp_url {
    char host[TRACKER_UDP_HOST_MAX]; /* a name or an address, no brackets */
    uint16_t port;
    char path[TRACKER_UDP_PATH_MAX]; /* "/path?query"; "" = nothing to say */
};

/* False when it is no udp URL with a host and a port. */
bool tracker_udp_url_parse(const char *url, struct tracker_udp_url *out);

/* The requests, appended to `out`, which must have room for
 * TRACKER_UDP_REQUEST_MAX bytes. */
void tracker_udp_put_connect(uint32_t transaction, struct buf *out);
/* `path`: URL data (BEP 41), "" = none. */
void tracker_udp_put_announce(uint64_t connection, uint32_t transaction,
                              const struct tracker_request *r, const char *path,
                              struct buf *out);
void tracker_udp_put_scrape(uint64_t connection, uint32_t transaction,
                            const uint8_t info_hash[20], struct buf *out);

/* What any answer begins with. False: no answer of a tracker. */
struct tracker_udp_head {
    enum tracker_udp_action action;
    uint32_t transaction;
};
bool tracker_udp_head_parse(struct slice in, struct tracker_udp_head *out);
/* The rest, by action; 0 or BTC_E_PROTO. An answer may be longer than what is
 * known of it, never shorter. */
int tracker_udp_connect_parse(struct slice in, uint64_t *connection);
/* `family`: of the tracker's address. tracker_reply_fini frees the peers in any
 * case. */
int tracker_udp_announce_parse(struct slice in, enum addr_family family,
                               struct tracker_reply *out);
/* Of one info hash. */
int tracker_udp_scrape_parse(struct slice in, struct tracker_reply *out);
/* The failure text, printable; an empty one is named so. */
int tracker_udp_error_parse(struct slice in, struct tracker_reply *out);

#endif
