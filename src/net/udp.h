/* One UDP socket per address family on one port, shared by all that speak UDP
 * (DHT, UDP trackers, later uTP).
 *
 * Datagrams are received and sent in batches (recvmmsg, sendmmsg). A send is
 * queued (copied) and goes to the kernel when the turn of the loop ends. UDP
 * promises nothing: a datagram that does not leave is dropped, and its user's
 * own time-out finds that out.
 *
 * A datagram is offered to the users in the order in which they were added,
 * until one says that it is its own. Inside the callback every function may be
 * called but udp_free.
 */
#ifndef BTC_NET_UDP_H
#define BTC_NET_UDP_H

#include "base/addr.h"
#include "base/err.h"
#include "net/loop.h"
#include "net/tcp.h"

#define UDP_DATAGRAM_MAX 1500         /* bytes that we send at most */
#define UDP_RECEIVE_MAX  2048         /* longer datagrams are dropped */
#define UDP_QUEUE_MAX    (256u << 10) /* bytes queued per family, then drop */

struct udp; /* the two sockets */

struct udp_user {
    /* True when the datagram was this user's. `data` dies with the call. */
    bool (*on_datagram)(void *ctx, const struct addr *from, struct slice data);
    void *ctx;             /* borrows */
    struct udp_user *next; /* the socket's */
};

/* The same options as for TCP (--bind). `port` 0: the kernel chooses; the same
 * port for both families where that can be had. A port that is in use by
 * another program is no error: the kernel chooses then, too. NULL with the text
 * when no socket could be made. */
struct udp *udp_new(struct loop *l, const struct tcp_host_options *o,
                    uint16_t port, struct err *e);
void udp_free(struct udp *u); /* NULL allowed; users are forgotten */
void udp_add_user(struct udp *u, struct udp_user *user); /* caller's memory */
void udp_remove_user(struct udp *u, struct udp_user *user);

bool udp_has_family(const struct udp *u, enum addr_family family);
/* The port the family's socket has; 0 when there is none. */
uint16_t udp_port(const struct udp *u, enum addr_family family);

/* 0; BTC_E_NETWORK when there is no socket of the family, BTC_E_LIMIT when the
 * queue is full or the datagram is too long. */
int udp_send(struct udp *u, const struct addr *to, struct slice data);
/* Everything queued goes to the kernel now, as far as it takes it. */
void udp_flush(struct udp *u);

#endif
