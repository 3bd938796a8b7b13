/* The host, which host.c, listen.c and tcp.c share. They call each other in
 * this direction: host.c closes what the other two opened, listen.c makes a
 * connection of an accepted socket.
 */
#ifndef BTC_NET_HOST_H
#define BTC_NET_HOST_H

#include "net/pace.h"
#include "net/queue.h"
#include <uv.h>

TAILQ_HEAD(tcp_list, tcp_conn);
TAILQ_HEAD(tcp_listener_list, tcp_listener);

struct tcp_host {
    struct loop *loop; /* borrows */
    struct tcp_host_options options;
    struct pace pace;
    uint8_t *scratch; /* owns; TCP_SCRATCH bytes */
    struct tcp_pool pool;
    struct loop_hook hook;
    uv_timer_t timer;           /* at the first deadline of the next two */
    uint64_t timer_ms;          /* armed for; UINT64_MAX = not */
    struct tcp_list connecting; /* not yet connected, by deadline */
    struct tcp_list waiting;    /* something is queued, by deadline */
    struct tcp_list open;       /* every live connection */
    struct tcp_list dirty;      /* to be looked at when the turn ends */
    size_t n_dirty;
    struct tcp_listener_list listeners;
    bool warned; /* the log knows that no socket can be made */
};

/* The host's hook: the end of the turn, for all that is dirty. */
bool tcp_on_turn_end(void *ctx);
/* Takes the socket over (closes it on failure: NULL). */
struct tcp_conn *tcp_adopt(struct tcp_host *h, int fd,
                           const struct addr *remote);
/* Closes it when its owner has set no callbacks. */
void tcp_close_unowned(struct tcp_conn *c);

#endif
