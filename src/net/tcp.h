/* TCP connections to peers: non-blocking sockets on uv_poll, read into one
 * scratch buffer shared by all connections, written from a queue of bytes and
 * file ranges (sendfile: a seeding byte never enters the process).
 *
 * Callbacks come on the loop thread. Inside any callback every function may be
 * called, tcp_close too. After tcp_close no further callback comes, but for
 * the release of queued file ranges. A conn is freed by itself once its handle
 * has closed.
 */
#ifndef BTC_NET_TCP_H
#define BTC_NET_TCP_H

#include "base/addr.h"
#include "base/err.h"
#include "net/loop.h"
#include <sys/types.h>

#define TCP_SCRATCH         (256u << 10) /* one read at most */
#define TCP_WRITE_MAX       (256u << 10) /* queued in memory, then close */
#define TCP_CONNECT_MS      10000        /* then on_close with TIMEOUT */
#define TCP_STALL_MS        120000       /* likewise, when no byte leaves */
#define TCP_LISTEN_BACKLOG  128
#define TCP_ACCEPT_PAUSE_MS 1000 /* out of descriptors: rest so long */

struct tcp_conn; /* one connection */
struct tcp_host; /* the loop's shared scratch and options */

struct tcp_callbacks {
    /* Connected (outgoing only). */
    void (*on_open)(void *ctx);
    /* Bytes arrived; `data` is scratch memory, dead after the call. */
    void (*on_data)(void *ctx, struct slice data);
    /* The connection is gone: BTC_E_CLOSED (end of stream), REFUSED, TIMEOUT
     * (not connected, or the other side reads no more), NETWORK (no way there),
     * IO, LIMIT (write queue), SHORT (sent file). The conn is dead after the
     * call. */
    void (*on_close)(void *ctx, int err);
};

/* With only one of bind4 and bind6 given the other family is off: its traffic
 * would leave by an address the user did not name. A device or an address that
 * is not there makes connecting and listening fail, never go around it. */
struct tcp_host_options {
    struct addr bind4, bind6; /* family NONE = any; port ignored */
    char device[16];          /* SO_BINDTODEVICE, "" = none */
    uint32_t connect_ms;      /* 0 = TCP_CONNECT_MS */
    uint32_t stall_ms;        /* 0 = TCP_STALL_MS */
};

struct tcp_host *tcp_host_new(struct loop *l, const struct tcp_host_options *o);
void tcp_host_free(struct tcp_host *h); /* closes what is still open */

/* Starts connecting; NULL with *err_code when no socket could be had (limit of
 * open files: BTC_E_LIMIT; no route: BTC_E_NETWORK). */
struct tcp_conn *tcp_connect(struct tcp_host *h, const struct addr *to,
                             const struct tcp_callbacks *cb, void *ctx,
                             int *err_code);
void tcp_set_callbacks(struct tcp_conn *c, const struct tcp_callbacks *cb,
                       void *ctx);  /* hands an accepted one to its owner */
void tcp_close(struct tcp_conn *c); /* NULL allowed */
const struct addr *tcp_remote(const struct tcp_conn *c);
bool tcp_is_open(const struct tcp_conn *c); /* not connecting, not gone */

/* Queues bytes (copied). They go to the kernel at the end of the turn, before
 * the loop sleeps, with all that the turn queued: a send is no system call. No
 * callback comes from inside it. */
void tcp_send(struct tcp_conn *c, struct slice data);
/* What may be queued in memory, file ranges not counted. */
void tcp_set_write_max(struct tcp_conn *c, size_t bytes);
/* tcp_send without the copy, of bytes that stay for ever. */
void tcp_send_const(struct tcp_conn *c, struct slice data);
/* Queues len bytes of an open file. `release` is called exactly once, when the
 * range has been sent or the connection is gone (release may be NULL). If the
 * file ends early the connection is closed with BTC_E_SHORT. */
struct tcp_file {
    int fd;
    off_t offset;
    size_t len;
    void (*release)(void *ctx, void *arg);
    void *ctx;
    void *arg;
};
void tcp_send_file(struct tcp_conn *c, const struct tcp_file *f);
/* At most this many bytes in the next reads (a rate limit's grant); UINT64_MAX
 * = unlimited (default). At 0 reading stops until a new grant; data stays in
 * the kernel meanwhile. */
void tcp_grant_read(struct tcp_conn *c, uint64_t bytes);

/* Listening. port 0: the kernel chooses. IPv4 and IPv6 where there is IPv6. */
struct tcp_listener;
typedef void tcp_accept_fn(void *ctx,
                           struct tcp_conn *c); /* owner sets callbacks,
                                                 * else it is closed */
struct tcp_listener *tcp_listen(struct tcp_host *h, uint16_t port,
                                tcp_accept_fn *fn, void *ctx, struct err *e);
uint16_t tcp_listener_port(const struct tcp_listener *l);
void tcp_listener_close(struct tcp_listener *l); /* NULL allowed */

#endif
