/* What conn.c and conn_listen.c share: the host and how an accepted socket
 * becomes a connection.
 */
#ifndef BTC_NET_HOST_H
#define BTC_NET_HOST_H

#include "net/queue.h"
#include <uv.h>

TAILQ_HEAD(conn_list, conn);
TAILQ_HEAD(conn_listener_list, conn_listener);

struct conn_host {
    struct loop *loop; /* borrows */
    struct conn_host_options options;
    uint8_t *scratch; /* owns; CONN_SCRATCH bytes */
    struct conn_pool pool;
    struct loop_hook hook;
    uv_timer_t timer;            /* at the first deadline of the next two */
    uint64_t timer_ms;           /* armed for; UINT64_MAX = not */
    struct conn_list connecting; /* not yet connected, by deadline */
    struct conn_list waiting;    /* something is queued, by deadline */
    struct conn_list open;       /* every live connection */
    struct conn_list dirty;      /* to be looked at when the turn ends */
    size_t n_dirty;
    struct conn_listener_list listeners;
    bool warned; /* the log knows that no socket can be made */
};

/* Takes the socket over (closes it on failure: NULL). */
struct conn *conn_adopt(struct conn_host *h, int fd, const struct addr *remote);
/* Closes it when its owner has set no callbacks. */
void conn_close_unowned(struct conn *c);

#endif
