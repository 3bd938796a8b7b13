/* TCP connections to peers: non-blocking sockets on uv_poll, read into one
 * scratch buffer shared by all connections, written from a queue of bytes and
 * file ranges (sendfile: a seeding byte never enters the process).
 *
 * Callbacks come on the loop thread. Inside any callback every function may be
 * called, conn_close too. After conn_close no further callback comes, but for
 * the release of queued file ranges. A conn is freed by itself once its handle
 * has closed.
 */
#ifndef BTC_NET_TCP_H
#define BTC_NET_TCP_H

#include "base/addr.h"
#include "base/err.h"
#include "net/loop.h"
#include <sys/types.h>

#define CONN_SCRATCH         (256u << 10) /* one read at most */
#define CONN_WRITE_MAX       (256u << 10) /* queued in memory, then close */
#define CONN_CONNECT_MS      10000        /* then on_close with TIMEOUT */
#define CONN_STALL_MS        120000       /* likewise, when no byte leaves */
#define CONN_LISTEN_BACKLOG  128
#define CONN_ACCEPT_PAUSE_MS 1000 /* out of descriptors: rest so long */

struct conn;      /* one connection */
struct conn_host; /* the loop's shared scratch and options */

struct conn_callbacks {
    /* Connected (outgoing only). */
    void (*on_open)(void *ctx);
    /* Bytes arrived; `data` is scratch memory, dead after the call. */
    void (*on_data)(void *ctx, struct slice data);
    /* Everything queued has gone to the kernel. */
    void (*on_drained)(void *ctx);
    /* The connection is gone: BTC_E_CLOSED (end of stream), REFUSED, TIMEOUT
     * (not connected, or the other side reads no more), NETWORK (no way there),
     * IO, LIMIT (write queue), SHORT (sent file). The conn is dead after the
     * call. */
    void (*on_close)(void *ctx, int err);
};

/* With only one of bind4 and bind6 given the other family is off: its traffic
 * would leave by an address the user did not name. A device or an address that
 * is not there makes connecting and listening fail, never go around it. */
struct conn_host_options {
    struct addr bind4, bind6; /* family NONE = any; port ignored */
    char device[16];          /* SO_BINDTODEVICE, "" = none */
    uint32_t connect_ms;      /* 0 = CONN_CONNECT_MS */
    uint32_t stall_ms;        /* 0 = CONN_STALL_MS */
};

struct conn_host *conn_host_new(struct loop *l,
                                const struct conn_host_options *o);
void conn_host_free(struct conn_host *h); /* closes what is still open */

/* Starts connecting; NULL with *err_code when no socket could be had (limit of
 * open files: BTC_E_LIMIT; no route: BTC_E_NETWORK). */
struct conn *conn_connect(struct conn_host *h, const struct addr *to,
                          const struct conn_callbacks *cb, void *ctx,
                          int *err_code);
void conn_set_callbacks(struct conn *c, const struct conn_callbacks *cb,
                        void *ctx); /* hands an accepted one to its owner */
void conn_close(struct conn *c);    /* NULL allowed */
const struct addr *conn_remote(const struct conn *c);
bool conn_is_open(const struct conn *c); /* not connecting, not gone */
struct addr conn_local(const struct conn *c);

/* Queues bytes (copied). They go to the kernel at the end of the turn, before
 * the loop sleeps, with all that the turn queued: a send is no system call. No
 * callback comes from inside it. */
void conn_send(struct conn *c, struct slice data);
/* What may be queued in memory, file ranges not counted. */
void conn_set_write_max(struct conn *c, size_t bytes);
/* conn_send without the copy, of bytes that stay for ever. */
void conn_send_const(struct conn *c, struct slice data);
/* Queues len bytes of an open file. `release` is called exactly once, when the
 * range has been sent or the connection is gone (release may be NULL). If the
 * file ends early the connection is closed with BTC_E_SHORT. */
struct conn_file {
    int fd;
    off_t offset;
    size_t len;
    void (*release)(void *ctx, void *arg);
    void *ctx;
    void *arg;
};
void conn_send_file(struct conn *c, const struct conn_file *f);
/* Bytes queued and not yet taken by the kernel, file ranges included. */
size_t conn_queued(const struct conn *c);
/* Payload and protocol bytes the kernel took since the last call. */
uint64_t conn_take_sent(struct conn *c);
/* Stops and resumes reading; data stays in the kernel meanwhile. */
void conn_pause_read(struct conn *c);
void conn_resume_read(struct conn *c);
/* At most this many bytes in the next reads (a rate limit's grant); UINT64_MAX
 * = unlimited (default). At 0 reading stops until a new grant. */
void conn_grant_read(struct conn *c, uint64_t bytes);

/* Listening. port 0: the kernel chooses. IPv4 and IPv6 where there is IPv6. */
struct conn_listener;
typedef void conn_accept_fn(void *ctx, struct conn *c); /* owner sets callbacks,
                                                         * else it is closed */
struct conn_listener *conn_listen(struct conn_host *h, uint16_t port,
                                  conn_accept_fn *fn, void *ctx, struct err *e);
uint16_t conn_listener_port(const struct conn_listener *l);
void conn_listener_close(struct conn_listener *l); /* NULL allowed */

#endif
