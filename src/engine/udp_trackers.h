/* Announces to UDP trackers, carried out: the URL's host is looked up, its
 * addresses are judged (net/guard.h), and core/swarm/udp_tracker talks to one
 * of each family over the shared socket.
 *
 * A host with an IPv4 and an IPv6 address is told twice, so that the peers of
 * both families find us. The first answer is the outcome; the peers of the
 * second come as `on_more`. When one family fails the other's answer counts.
 */
#ifndef BTC_ENGINE_UDP_TRACKERS_H
#define BTC_ENGINE_UDP_TRACKERS_H

#include "base/rng.h"
#include "net/resolve.h"
#include "net/udp.h"
#include "proto/tracker/tracker.h"

#define UDP_TRACKERS_ACTIVE   256 /* announces at once; the others wait */
#define UDP_TRACKERS_PER_HOST 64  /* of them to a host that answers */

struct udp_trackers; /* all that are out */
struct udp_announce; /* one */

struct udp_trackers_options {
    struct loop *loop; /* these four are borrowed and live longer */
    struct udp *udp;   /* NULL: there is no UDP, every announce fails */
    struct resolve *resolve;
    struct rng *rng;
    bool allow_local; /* a public name may lead to a local address */
};

struct udp_announce_fns {
    /* Exactly once, later, unless it is cancelled. `reply` is NULL when
     * result != 0; then `error` says why. What is lent dies with the call. */
    void (*on_done)(void *ctx, int result, const struct tracker_reply *reply,
                    const char *error);
    /* After on_done: peers of the other family. */
    void (*on_more)(void *ctx, const struct tracker_reply *reply);
    /* No further call comes. */
    void (*on_over)(void *ctx);
};

struct udp_trackers *udp_trackers_new(const struct udp_trackers_options *o);
void udp_trackers_free(struct udp_trackers *u); /* NULL allowed; cancels all */
struct udp_announce *udp_trackers_announce(struct udp_trackers *u,
                                           const char *url,
                                           const struct tracker_request *r,
                                           const struct udp_announce_fns *fns,
                                           void *ctx);
/* The same for the numbers of a torrent (BEP 48): a reply without peers. */
struct udp_announce *udp_trackers_scrape(struct udp_trackers *u,
                                         const char *url,
                                         const uint8_t info_hash[20],
                                         const struct udp_announce_fns *fns,
                                         void *ctx);
void udp_trackers_cancel(struct udp_announce *a); /* NULL allowed */

#endif
