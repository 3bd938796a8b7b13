/* The shared UDP sockets; see udp.h. */
#include "net/udp.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/queue.h"
#include "net/socket.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define UDP_BATCH       16         /* datagrams in one system call */
#define UDP_ROUNDS      8          /* batches read before others have a turn */
#define UDP_PORT_TRIES  8          /* to find a port free in both families */
#define UDP_KERNEL_MEM  (1u << 20) /* receive buffer that we ask for */
#define UDP_HEADER_COST 64         /* of a queued datagram, for the bound */

/* A datagram that waits. */
struct udp_datagram {
    STAILQ_ENTRY(udp_datagram) link;
    struct addr to;
    size_t len;
    uint8_t data[];
};
STAILQ_HEAD(udp_queue, udp_datagram);

/* The socket of one family. */
struct udp_socket {
    struct udp *udp; /* borrows */
    enum addr_family family;
    int fd; /* owns; -1 = the family is off */
    uint16_t port;
    uv_poll_t poll;
    int events; /* what `poll` watches */
    struct udp_queue queue;
    size_t queued; /* bytes, with UDP_HEADER_COST each */
};

struct udp {
    struct loop *loop; /* borrows */
    struct loop_hook hook;
    struct udp_socket sockets[2]; /* IPv4, IPv6 */
    struct udp_user *users;
    struct udp_user *next_user; /* the walk goes on here */
    unsigned n_handles;         /* open uv handles */
    bool is_closed;
    uint8_t scratch[UDP_BATCH][UDP_RECEIVE_MAX];
};

/* --- making the sockets --- */

/* A non-blocking socket of the family, on the device. */
static int udp_socket_make(const struct tcp_host_options *o,
                           enum addr_family family, struct err *e)
{
    int af = family == ADDR_V6 ? AF_INET6 : AF_INET;
    int on = 1;
    int mem = UDP_KERNEL_MEM;
    int fd = socket(af, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return err_set_errno(e, errno, "cannot make a UDP socket");
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &mem, sizeof(mem));
    if (family == ADDR_V6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    if (o->device[0] != '\0' &&
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, o->device,
                   (socklen_t)strnlen(o->device, sizeof(o->device))) != 0) {
        int rc = err_set_errno(e, errno, "cannot use the network device %s",
                               o->device);
        (void)close(fd);
        return rc;
    }
    return fd;
}

/* The bound socket or a code. */
static int udp_socket_bind(const struct tcp_host_options *o,
                           enum addr_family family, uint16_t port,
                           struct err *e)
{
    struct addr a = tcp_socket_bind_addr(o, family, port);
    struct sockaddr_storage ss;
    size_t len = addr_to_sockaddr(&a, &ss);
    int fd = udp_socket_make(o, family, e);
    if (fd < 0) {
        return fd;
    }
    if (bind(fd, (struct sockaddr *)&ss, (socklen_t)len) != 0) {
        char text[ADDR_TEXT_MAX];
        int saved = errno;
        addr_format(&a, text);
        (void)close(fd);
        return err_set_errno(e, saved, "cannot use UDP port %s", text);
    }
    return fd;
}

/* Both families on one port: how many of them stand. */
static int udp_open_pair(struct udp *u, const struct tcp_host_options *o,
                         uint16_t port, struct err *e)
{
    int n = 0;
    for (int i = 0; i < 2; i++) {
        struct udp_socket *s = &u->sockets[i];
        if (!tcp_socket_has_family(o, s->family)) {
            continue;
        }
        s->fd = udp_socket_bind(o, s->family, port, e);
        if (s->fd < 0) {
            s->fd = -1;
            continue;
        }
        s->port = tcp_socket_local(s->fd).port;
        port = s->port;
        n++;
    }
    return n;
}

/* Closes what a try has opened. */
static void udp_close_pair(struct udp *u)
{
    for (int i = 0; i < 2; i++) {
        if (u->sockets[i].fd >= 0) {
            (void)close(u->sockets[i].fd);
            u->sockets[i].fd = -1;
        }
    }
}

/* The best that can be had: first the wished port, then one of the kernel's
 * that is free in both families. */
static int udp_open(struct udp *u, const struct tcp_host_options *o,
                    uint16_t port, struct err *e)
{
    int want = (tcp_socket_has_family(o, ADDR_V4) ? 1 : 0) +
               (tcp_socket_has_family(o, ADDR_V6) ? 1 : 0);
    int n = 0;
    if (port != 0) {
        n = udp_open_pair(u, o, port, e);
    }
    for (int i = 0; i < UDP_PORT_TRIES && n < want; i++) {
        udp_close_pair(u);
        n = udp_open_pair(u, o, 0, e);
    }
    return n;
}

/* --- receiving --- */

/* To the first user that takes it. */
static void udp_dispatch(struct udp *u, const struct addr *from,
                         struct slice data)
{
    for (struct udp_user *user = u->users; user; user = u->next_user) {
        u->next_user = user->next;
        if (user->on_datagram(user->ctx, from, data)) {
            return;
        }
    }
}

/* One batch; how many datagrams came, 0 = no more for now. */
static int udp_receive_batch(struct udp_socket *s)
{
    struct udp *u = s->udp;
    struct mmsghdr headers[UDP_BATCH];
    struct iovec parts[UDP_BATCH];
    struct sockaddr_storage from[UDP_BATCH];
    memset(headers, 0, sizeof(headers));
    for (int i = 0; i < UDP_BATCH; i++) {
        parts[i].iov_base = u->scratch[i];
        parts[i].iov_len = UDP_RECEIVE_MAX;
        headers[i].msg_hdr.msg_iov = &parts[i];
        headers[i].msg_hdr.msg_iovlen = 1;
        headers[i].msg_hdr.msg_name = &from[i];
        headers[i].msg_hdr.msg_namelen = sizeof(from[i]);
    }
    int n = recvmmsg(s->fd, headers, UDP_BATCH, 0, NULL);
    if (n < 0) {
        /* A refused datagram of an earlier send is reported here once. */
        if (errno == ECONNREFUSED || errno == EINTR) {
            return 1;
        }
        return 0;
    }
    for (int i = 0; i < n && !u->is_closed; i++) {
        struct addr a = addr_from_sockaddr((struct sockaddr *)&from[i]);
        bool is_cut = (headers[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
        if (a.family != ADDR_NONE && !is_cut) {
            udp_dispatch(u, &a, slice_of(u->scratch[i], headers[i].msg_len));
        }
    }
    return n;
}

static void udp_send_queued(struct udp_socket *s);

/* The socket can be read or written. An error shows when it is. */
static void udp_on_poll(uv_poll_t *poll, int status, int events)
{
    struct udp_socket *s = poll->data;
    if (status < 0 || (events & UV_READABLE) != 0) {
        for (int i = 0; i < UDP_ROUNDS && s->fd >= 0; i++) {
            if (udp_receive_batch(s) == 0) {
                break;
            }
        }
    }
    if (s->fd >= 0 && (events & UV_WRITABLE) != 0) {
        udp_send_queued(s);
    }
}

/* Watches for these events. */
static void udp_watch(struct udp_socket *s, int events)
{
    if (s->events != events) {
        s->events = events;
        int rc = uv_poll_start(&s->poll, events, udp_on_poll);
        BTC_ASSERT(rc == 0);
    }
}

/* --- sending --- */

/* The oldest leaves the queue, which is not empty. */
static void udp_drop_first(struct udp_socket *s)
{
    struct udp_datagram *d = STAILQ_FIRST(&s->queue);
    STAILQ_REMOVE_HEAD(&s->queue, link);
    s->queued -= d->len + UDP_HEADER_COST;
    free(d);
}

/* What one system call is to take: how many. */
static unsigned udp_gather(struct udp_socket *s, struct mmsghdr *headers,
                           struct iovec *parts, struct sockaddr_storage *to)
{
    unsigned n = 0;
    struct udp_datagram *d;
    STAILQ_FOREACH(d, &s->queue, link)
    {
        if (n == UDP_BATCH) {
            break;
        }
        memset(&headers[n], 0, sizeof(headers[n]));
        parts[n].iov_base = d->data;
        parts[n].iov_len = d->len;
        headers[n].msg_hdr.msg_iov = &parts[n];
        headers[n].msg_hdr.msg_iovlen = 1;
        headers[n].msg_hdr.msg_name = &to[n];
        headers[n].msg_hdr.msg_namelen =
            (socklen_t)addr_to_sockaddr(&d->to, &to[n]);
        n++;
    }
    return n;
}

/* As much of the queue as the kernel takes. What it refuses for another reason
 * than want of room is dropped: no other datagram waits for it. */
static void udp_send_queued(struct udp_socket *s)
{
    struct mmsghdr headers[UDP_BATCH];
    struct iovec parts[UDP_BATCH];
    struct sockaddr_storage to[UDP_BATCH];
    while (!STAILQ_EMPTY(&s->queue)) {
        unsigned n = udp_gather(s, headers, parts, to);
        int sent = sendmmsg(s->fd, headers, n, 0);
        if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
            udp_watch(s, UV_READABLE | UV_WRITABLE);
            return;
        }
        if (sent < 0) {
            log_write(LOG_DEBUG, "udp", "a datagram is lost: %s",
                      strerrordesc_np(errno));
        }
        for (int i = 0; i < (sent < 0 ? 1 : sent); i++) {
            udp_drop_first(s);
        }
    }
    udp_watch(s, UV_READABLE);
}

/* The socket of the family, NULL when that is off. */
static struct udp_socket *udp_find(struct udp *u, uint8_t family)
{
    struct udp_socket *s = &u->sockets[family == ADDR_V6 ? 1 : 0];
    if (family != ADDR_NONE && s->fd >= 0) {
        return s;
    }
    return NULL;
}

int udp_send(struct udp *u, const struct addr *to, struct slice data)
{
    struct udp_socket *s = udp_find(u, to->family);
    if (s == NULL) {
        return BTC_E_NETWORK;
    }
    size_t cost = data.len + UDP_HEADER_COST;
    if (data.len > UDP_DATAGRAM_MAX || cost > UDP_QUEUE_MAX - s->queued) {
        return BTC_E_LIMIT;
    }
    struct udp_datagram *d = mem_alloc(sizeof(*d) + data.len);
    d->to = *to;
    d->len = data.len;
    if (data.len > 0) {
        memcpy(d->data, data.p, data.len);
    }
    STAILQ_INSERT_TAIL(&s->queue, d, link);
    s->queued += cost;
    return 0;
}

void udp_flush(struct udp *u)
{
    for (int i = 0; i < 2; i++) {
        struct udp_socket *s = &u->sockets[i];
        if (s->fd >= 0 && !STAILQ_EMPTY(&s->queue) &&
            (s->events & UV_WRITABLE) == 0) {
            udp_send_queued(s);
        }
    }
}

/* The turn ends. Nobody is called out to. */
static bool udp_on_turn_end(void *ctx)
{
    udp_flush(ctx);
    return false;
}

/* --- life --- */

/* Watches the sockets that stand. */
static int udp_start(struct udp *u, struct err *e)
{
    for (int i = 0; i < 2; i++) {
        struct udp_socket *s = &u->sockets[i];
        if (s->fd < 0) {
            continue;
        }
        int rc = uv_poll_init(loop_uv(u->loop), &s->poll, s->fd);
        if (rc != 0) {
            (void)close(s->fd);
            s->fd = -1;
            return err_set(e, BTC_E_LIMIT, "cannot watch a UDP socket: %s",
                           uv_strerror(rc));
        }
        s->poll.data = s;
        u->n_handles++;
        udp_watch(s, UV_READABLE);
    }
    return 0;
}

struct udp *udp_new(struct loop *l, const struct tcp_host_options *o,
                    uint16_t port, struct err *e)
{
    struct udp *u = mem_zalloc(sizeof(*u));
    u->loop = l;
    for (int i = 0; i < 2; i++) {
        struct udp_socket *s = &u->sockets[i];
        s->udp = u;
        if (i == 0) {
            s->family = ADDR_V4;
        } else {
            s->family = ADDR_V6;
        }
        s->fd = -1;
        STAILQ_INIT(&s->queue);
    }
    u->hook = (struct loop_hook){.fn = udp_on_turn_end, .ctx = u};
    loop_add_hook(l, &u->hook);
    if (udp_open(u, o, port, e) == 0 || udp_start(u, e) != 0) {
        udp_free(u);
        return NULL;
    }
    return u;
}

/* A handle has closed; the last one frees the memory. */
static void udp_on_closed(uv_handle_t *handle)
{
    struct udp_socket *s = handle->data;
    struct udp *u = s->udp;
    u->n_handles--;
    if (u->n_handles == 0) {
        free(u);
    }
}

/* The descriptor and what is queued for it; the handle closes later. */
static void udp_socket_close(struct udp_socket *s)
{
    while (!STAILQ_EMPTY(&s->queue)) {
        udp_drop_first(s);
    }
    if (s->poll.data != NULL) {
        uv_close((uv_handle_t *)&s->poll, udp_on_closed);
    }
    if (s->fd >= 0) {
        (void)close(s->fd);
        s->fd = -1;
    }
}

void udp_free(struct udp *u)
{
    if (u == NULL) {
        return;
    }
    u->is_closed = true;
    loop_remove_hook(u->loop, &u->hook);
    udp_socket_close(&u->sockets[0]);
    udp_socket_close(&u->sockets[1]);
    if (u->n_handles == 0) {
        free(u);
    }
}

void udp_add_user(struct udp *u, struct udp_user *user)
{
    struct udp_user **at = &u->users;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    user->next = NULL;
    *at = user;
}

void udp_remove_user(struct udp *u, struct udp_user *user)
{
    for (struct udp_user **at = &u->users; *at != NULL; at = &(*at)->next) {
        if (*at == user) {
            *at = user->next;
            if (u->next_user == user) {
                u->next_user = user->next;
            }
            return;
        }
    }
}

bool udp_has_family(const struct udp *u, enum addr_family family)
{
    return family != ADDR_NONE && u->sockets[family == ADDR_V6 ? 1 : 0].fd >= 0;
}

uint16_t udp_port(const struct udp *u, enum addr_family family)
{
    const struct udp_socket *s = &u->sockets[family == ADDR_V6 ? 1 : 0];
    if (s->fd >= 0) {
        return s->port;
    }
    return 0;
}
