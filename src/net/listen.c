/* Listening for peers: one socket for IPv4 and one for IPv6, on one port.
 *
 * Out of descriptors, accept fails and the socket stays readable: the listener
 * rests for a second instead of spinning. The kernel keeps the callers waiting
 * meanwhile.
 */
#include "net/host.h"

#include "base/mem.h"
#include "net/socket.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define TCP_ACCEPTS_MAX  16 /* per event: be fair to the connections */
#define TCP_PORT_RETRIES 16 /* port 0: when IPv6 has what IPv4 got in use */

struct tcp_listener {
    struct tcp_host *host; /* borrows */
    uv_poll_t poll[2];     /* IPv4, IPv6; those with a descriptor */
    uv_timer_t rest;
    int fd[2];     /* -1 = not this family */
    int n_handles; /* of libuv, not yet closed */
    bool is_closed;
    uint16_t port;
    tcp_accept_fn *fn;
    void *ctx; /* borrows */
    TAILQ_ENTRY(tcp_listener) link;
};

static const enum addr_family tcp_listen_family[2] = {ADDR_V4, ADDR_V6};

static void tcp_listener_on_poll(uv_poll_t *poll, int status, int events);

/* Watches the sockets. */
static void tcp_listener_start(struct tcp_listener *l)
{
    for (int i = 0; i < 2; i++) {
        if (l->fd[i] >= 0) {
            (void)uv_poll_start(&l->poll[i], UV_READABLE, tcp_listener_on_poll);
        }
    }
}

/* The rest is over. */
static void tcp_listener_on_rested(uv_timer_t *timer)
{
    tcp_listener_start(timer->data);
}

/* Watches nothing for a while. */
static void tcp_listener_rest(struct tcp_listener *l)
{
    for (int i = 0; i < 2; i++) {
        if (l->fd[i] >= 0) {
            (void)uv_poll_stop(&l->poll[i]);
        }
    }
    (void)uv_timer_start(&l->rest, tcp_listener_on_rested, TCP_ACCEPT_PAUSE_MS,
                         0);
}

/* Hands one accepted socket to the owner. */
static void tcp_listener_hand_over(struct tcp_listener *l, int fd,
                                   const struct sockaddr_storage *ss)
{
    struct addr remote = addr_from_sockaddr((const struct sockaddr *)ss);
    struct tcp_conn *c = tcp_adopt(l->host, fd, &remote);
    if (c) {
        l->fn(l->ctx, c);
        tcp_close_unowned(c);
    }
}

/* Somebody calls. */
static void tcp_listener_on_poll(uv_poll_t *poll, int status, int events)
{
    struct tcp_listener *l = poll->data;
    int fd = l->fd[poll == &l->poll[0] ? 0 : 1];
    (void)status;
    (void)events;
    for (int i = 0; i < TCP_ACCEPTS_MAX && !l->is_closed; i++) {
        struct sockaddr_storage ss;
        socklen_t len = sizeof(ss);
        int new_fd = accept4(fd, (struct sockaddr *)&ss, &len,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (new_fd >= 0) {
            tcp_listener_hand_over(l, new_fd, &ss);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            tcp_listener_rest(l);
            return;
        }
    }
}

/* Binds and listens. 0 or errno. */
static int tcp_listen_bind(int fd, const struct addr *a)
{
    struct sockaddr_storage ss;
    size_t len = addr_to_sockaddr(a, &ss);
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) {
        return errno;
    }
    if (a->family == ADDR_V6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) {
        return errno;
    }
    if (bind(fd, (struct sockaddr *)&ss, (socklen_t)len) != 0 ||
        listen(fd, TCP_LISTEN_BACKLOG) != 0) {
        return errno;
    }
    return 0;
}

/* One family's socket. 0, or a code with the text; *in_use tells a taken port
 * from the rest. */
static int tcp_listen_open(const struct tcp_host_options *o,
                           const struct addr *a, int *out, bool *in_use,
                           struct err *e)
{
    int fd = -1;
    int rc = tcp_socket_new(o, a->family, &fd, e);
    if (rc != 0) {
        return rc;
    }
    int os_error = tcp_listen_bind(fd, a);
    if (os_error == 0) {
        *out = fd;
        return 0;
    }
    (void)close(fd);
    char text[ADDR_TEXT_MAX];
    addr_format_ip(a, text);
    *in_use = os_error == EADDRINUSE;
    if (*in_use) {
        return err_set(e, BTC_E_NETWORK,
                       "port %u on %s is in use by another program; choose "
                       "another port",
                       (unsigned)a->port, text);
    }
    const char *hint =
        os_error == EADDRNOTAVAIL ? " (it is no address of this machine)"
        : os_error == EACCES      ? " (this user may not: choose another port)"
                                  : "";
    (void)err_set_errno(e, os_error, "cannot listen on port %u of %s%s",
                        (unsigned)a->port, text, hint);
    return err_set_code(e, tcp_socket_err(os_error));
}

/* Closes what is open of the pair. */
static void tcp_listen_close_pair(int fd[2])
{
    for (int i = 0; i < 2; i++) {
        if (fd[i] >= 0) {
            (void)close(fd[i]);
            fd[i] = -1;
        }
    }
}

/* Both families on one port. IPv6 may be missing when nobody asked for it by
 * name; something must be there. */
static int tcp_listen_open_pair(const struct tcp_host_options *o, uint16_t port,
                                int fd[2], bool *in_use, struct err *e)
{
    int rc = BTC_E_NETWORK;
    fd[0] = -1;
    fd[1] = -1;
    for (int i = 0; i < 2; i++) {
        enum addr_family family = tcp_listen_family[i];
        if (!tcp_socket_has_family(o, family)) {
            continue;
        }
        struct addr a = tcp_socket_bind_addr(o, family, port);
        *in_use = false;
        rc = tcp_listen_open(o, &a, &fd[i], in_use, e);
        bool optional = i == 1 && fd[0] >= 0 && !*in_use &&
                        o->bind6.family == ADDR_NONE && rc == BTC_E_NETWORK;
        if (rc != 0 && !optional) {
            tcp_listen_close_pair(fd);
            return rc;
        }
        if (rc == 0) {
            port = tcp_socket_local(fd[i]).port;
        }
    }
    return 0;
}

/* The handles of a listener; on failure those made so far are left to close. */
static int tcp_listener_init(struct tcp_listener *l, struct err *e)
{
    uv_loop_t *uv = loop_uv(l->host->loop);
    (void)uv_timer_init(uv, &l->rest);
    l->rest.data = l;
    l->n_handles = 1;
    for (int i = 0; i < 2; i++) {
        if (l->fd[i] < 0) {
            continue;
        }
        int rc = uv_poll_init(uv, &l->poll[i], l->fd[i]);
        if (rc != 0) {
            (void)close(l->fd[i]);
            l->fd[i] = -1;
            return err_set(e, BTC_E_LIMIT, "cannot watch the port: %s",
                           uv_strerror(rc));
        }
        l->poll[i].data = l;
        l->n_handles++;
    }
    return 0;
}

/* Opens the sockets; a free port is searched when none is named. */
struct tcp_listener *tcp_listen(struct tcp_host *h, uint16_t port,
                                tcp_accept_fn *fn, void *ctx, struct err *e)
{
    int fd[2];
    int rc;
    bool in_use;
    int tries = port == 0 ? TCP_PORT_RETRIES : 1;
    do {
        in_use = false;
        rc = tcp_listen_open_pair(&h->options, port, fd, &in_use, e);
    } while (rc != 0 && in_use && --tries > 0);
    if (rc != 0) {
        return NULL;
    }
    struct tcp_listener *l = mem_zalloc(sizeof(*l));
    l->host = h;
    l->fd[0] = fd[0];
    l->fd[1] = fd[1];
    l->port = tcp_socket_local(fd[0] >= 0 ? fd[0] : fd[1]).port;
    l->fn = fn;
    l->ctx = ctx;
    for (int i = 0; i < 2; i++) {
        if (l->fd[i] >= 0) {
            pace_defer(&h->pace, l->fd[i]); /* callers begin with it */
        }
    }
    TAILQ_INSERT_TAIL(&h->listeners, l, link);
    if (tcp_listener_init(l, e) != 0) {
        tcp_listener_close(l);
        return NULL;
    }
    tcp_listener_start(l);
    return l;
}

/* The port it got. */
uint16_t tcp_listener_port(const struct tcp_listener *l)
{
    return l->port;
}

/* One of the handles has closed. */
static void tcp_listener_on_closed(uv_handle_t *handle)
{
    struct tcp_listener *l = handle->data;
    l->n_handles--;
    if (l->n_handles == 0) {
        free(l);
    }
}

/* Also inside its accept callback. */
void tcp_listener_close(struct tcp_listener *l)
{
    if (!l || l->is_closed) {
        return;
    }
    l->is_closed = true;
    TAILQ_REMOVE(&l->host->listeners, l, link);
    uv_close((uv_handle_t *)&l->rest, tcp_listener_on_closed);
    for (int i = 0; i < 2; i++) {
        if (l->fd[i] >= 0) {
            if (l->poll[i].data) {
                uv_close((uv_handle_t *)&l->poll[i], tcp_listener_on_closed);
            }
            (void)close(l->fd[i]);
            l->fd[i] = -1;
        }
    }
}
