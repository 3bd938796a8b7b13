/* A multicast group of the local network, one address per family: datagrams are
 * sent on every interface that can carry them, and heard from every one.
 *
 * An interface counts while it is up, has an address of the family, and is not
 * point-to-point (a tunnel is no local network). The loopback one counts only
 * where there is no other. --bind restricts to its interface or address.
 *
 * A datagram is handed on only when its source lies in a network of the
 * interface that it came by: what a router or a forger sends from elsewhere is
 * dropped. So are link-local IPv6 sources, which `struct addr` cannot name.
 */
#ifndef BTC_NET_MULTICAST_H
#define BTC_NET_MULTICAST_H

#include "base/addr.h"
#include "base/err.h"
#include "net/loop.h"
#include "net/tcp.h"

#define MULTICAST_INTERFACES 16   /* per family; further ones are left out */
#define MULTICAST_NETWORKS   64   /* of them, both families together */
#define MULTICAST_MAX        1500 /* longer datagrams are dropped */

struct multicast; /* the sockets of a group */

/* `data` dies with the call. multicast_free is not allowed inside. */
typedef void multicast_fn(void *ctx, const struct addr *from,
                          struct slice data);

struct multicast_options {
    const struct tcp_host_options *host; /* --bind; copied */
    struct addr groups[2];               /* IPv4, IPv6; the same port */
    multicast_fn *fn;
    void *ctx; /* borrows */
};

/* NULL with the text when neither family has a socket. */
struct multicast *
multicast_new(struct loop *l, const struct multicast_options *o, struct err *e);
void multicast_free(struct multicast *m); /* NULL allowed */
/* Looks which interfaces there are now, and joins the group on new ones. How
 * many carry the group, over both families. */
unsigned multicast_refresh(struct multicast *m);
/* On each interface of the family. How many took it. */
unsigned multicast_send(struct multicast *m, enum addr_family family,
                        struct slice data);

#endif
