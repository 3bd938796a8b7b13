/* The sockets of a multicast group; see multicast.h.
 *
 * Both are bound to the group's address, so that nothing but datagrams to the
 * group comes in, and share the port with other programs of this machine.
 */
#include "net/multicast.h"

#include "base/mem.h"
#include "net/socket.h"
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define MULTICAST_ROUND 64 /* datagrams read before others have a turn */

/* An interface that carries the group. */
struct multicast_way {
    unsigned index;
    struct addr source; /* ours there; datagrams leave with it */
};

/* A network that an interface is part of. */
struct multicast_network {
    unsigned index;
    struct addr addr;
    uint8_t prefix; /* bits */
};

struct multicast_socket {
    struct multicast *owner; /* borrows */
    enum addr_family family;
    struct addr group;
    int fd; /* owns; -1 = the family is off */
    uv_poll_t poll;
    struct multicast_way ways[MULTICAST_INTERFACES];
    unsigned n_ways;
};

struct multicast {
    struct loop *loop; /* borrows */
    struct tcp_host_options host;
    struct multicast_socket sockets[2]; /* IPv4, IPv6 */
    struct multicast_network networks[MULTICAST_NETWORKS];
    unsigned n_networks;
    multicast_fn *fn;
    void *ctx;          /* borrows */
    unsigned n_handles; /* open uv handles */
};

/* Room for one control message with the interface of a datagram. */
union multicast_control {
    struct cmsghdr head; /* aligns */
    char v4[CMSG_SPACE(sizeof(struct in_pktinfo))];
    char v6[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* --- which interfaces there are --- */

/* Unicast IPv6 that means something on its own link only. */
static bool multicast_is_link_local(const struct addr *a)
{
    return a->family == ADDR_V6 && a->ip[0] == 0xfe &&
           (a->ip[1] & 0xc0) == 0x80;
}

/* The address of an entry that may carry the group; NONE when it may not. */
static struct addr multicast_address_of(const struct ifaddrs *i)
{
    const unsigned need = IFF_UP | IFF_RUNNING;
    if (i->ifa_addr == NULL || i->ifa_netmask == NULL ||
        (i->ifa_flags & need) != need ||
        (i->ifa_flags & IFF_POINTOPOINT) != 0 ||
        (i->ifa_flags & (IFF_MULTICAST | IFF_LOOPBACK)) == 0) {
        return addr_none();
    }
    struct addr a = addr_from_sockaddr(i->ifa_addr);
    a.port = 0;
    if (multicast_is_link_local(&a)) {
        return addr_none();
    }
    return a;
}

/* --bind allows it. */
static bool multicast_is_wished(const struct multicast *m,
                                const struct ifaddrs *i, const struct addr *a)
{
    const struct addr *bind =
        a->family == ADDR_V6 ? &m->host.bind6 : &m->host.bind4;
    if (m->host.device[0] != '\0' && strcmp(m->host.device, i->ifa_name) != 0) {
        return false;
    }
    return bind->family == ADDR_NONE || addr_eq_ip(bind, a);
}

/* The way of a family over an interface, or NULL. */
static struct multicast_way *multicast_find(struct multicast *m, uint8_t family,
                                            unsigned index)
{
    struct multicast_socket *s = &m->sockets[family == ADDR_V6 ? 1 : 0];
    for (unsigned i = 0; i < s->n_ways; i++) {
        if (s->ways[i].index == index) {
            return &s->ways[i];
        }
    }
    return NULL;
}

/* The interfaces, either those of loopback or the others. */
static void multicast_add_ways(struct multicast *m, const struct ifaddrs *list,
                               struct multicast_socket *s, bool loopback)
{
    for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
        struct addr a = multicast_address_of(i);
        bool is_loopback = (i->ifa_flags & IFF_LOOPBACK) != 0;
        if (a.family != s->family || is_loopback != loopback ||
            !multicast_is_wished(m, i, &a)) {
            continue;
        }
        unsigned index = if_nametoindex(i->ifa_name);
        if (index != 0 && s->n_ways < MULTICAST_INTERFACES &&
            multicast_find(m, a.family, index) == NULL) {
            s->ways[s->n_ways++] =
                (struct multicast_way){.index = index, .source = a};
        }
    }
}

/* How many leading bits of a netmask are set. */
static uint8_t multicast_prefix(const struct ifaddrs *i)
{
    struct addr mask = addr_from_sockaddr(i->ifa_netmask);
    size_t len = mask.family == ADDR_V6 ? 16 : 4;
    uint8_t bits = 0;
    for (size_t k = 0; k < len; k++) {
        bits += (uint8_t)__builtin_popcount(mask.ip[k]);
    }
    return bits;
}

/* The networks of those interfaces. */
static void multicast_add_networks(struct multicast *m,
                                   const struct ifaddrs *list)
{
    m->n_networks = 0;
    for (const struct ifaddrs *i = list;
         i != NULL && m->n_networks < MULTICAST_NETWORKS; i = i->ifa_next) {
        struct addr a = multicast_address_of(i);
        unsigned index = 0;
        if (a.family != ADDR_NONE) {
            index = if_nametoindex(i->ifa_name);
        }
        if (index != 0 && multicast_find(m, a.family, index) != NULL) {
            m->networks[m->n_networks++] = (struct multicast_network){
                .index = index, .addr = a, .prefix = multicast_prefix(i)};
        }
    }
}

static bool multicast_contains(const struct multicast_network *n,
                               const struct addr *a)
{
    unsigned whole = n->prefix / 8;
    unsigned rest = n->prefix % 8;
    if (n->addr.family != a->family || memcmp(n->addr.ip, a->ip, whole) != 0) {
        return false;
    }
    return rest == 0 || ((n->addr.ip[whole] ^ a->ip[whole]) >> (8 - rest)) == 0;
}

/* The source is a neighbour on that interface, or this machine. */
static bool multicast_is_near(const struct multicast *m, const struct addr *a,
                              unsigned index)
{
    for (unsigned i = 0; i < m->n_networks; i++) {
        const struct multicast_network *n = &m->networks[i];
        if (n->index == index && multicast_contains(n, a)) {
            return true;
        }
    }
    return false;
}

/* Takes part in the group there. Who does already gets EADDRINUSE. */
static bool multicast_join(const struct multicast_socket *s, unsigned index)
{
    int rc;
    if (s->family == ADDR_V6) {
        struct ipv6_mreq r = {.ipv6mr_interface = index};
        memcpy(&r.ipv6mr_multiaddr, s->group.ip, 16);
        rc =
            setsockopt(s->fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &r, sizeof(r));
    } else {
        struct ip_mreqn r = {.imr_ifindex = (int)index};
        memcpy(&r.imr_multiaddr, s->group.ip, 4);
        rc = setsockopt(s->fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r));
    }
    return rc == 0 || errno == EADDRINUSE;
}

/* Ways that cannot be joined go. */
static void multicast_join_all(struct multicast_socket *s)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->n_ways; i++) {
        if (multicast_join(s, s->ways[i].index)) {
            s->ways[n++] = s->ways[i];
        }
    }
    s->n_ways = n;
}

unsigned multicast_refresh(struct multicast *m)
{
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list) != 0) {
        list = NULL;
    }
    unsigned n = 0;
    for (int i = 0; i < 2; i++) {
        struct multicast_socket *s = &m->sockets[i];
        s->n_ways = 0;
        if (s->fd >= 0) {
            multicast_add_ways(m, list, s, false);
        }
        if (s->fd >= 0 && s->n_ways == 0) {
            multicast_add_ways(m, list, s, true);
        }
        multicast_join_all(s);
        n += s->n_ways;
    }
    multicast_add_networks(m, list);
    if (list != NULL) {
        freeifaddrs(list);
    }
    return n;
}

/* --- receiving --- */

/* The interface that a datagram came by; 0 = not told. */
static unsigned multicast_index_of(struct msghdr *h)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL;
         c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            return (unsigned)info.ipi_ifindex;
        }
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            return info.ipi6_ifindex;
        }
    }
    return 0;
}

/* One datagram; false when none is there. */
static bool multicast_receive(struct multicast_socket *s)
{
    uint8_t bytes[MULTICAST_MAX];
    struct sockaddr_storage from;
    union multicast_control control;
    struct iovec part = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct msghdr h = {.msg_name = &from,
                       .msg_namelen = sizeof(from),
                       .msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(s->fd, &h, 0);
    if (n < 0) {
        return errno == EINTR;
    }
    struct addr a = addr_from_sockaddr((struct sockaddr *)&from);
    if ((h.msg_flags & MSG_TRUNC) == 0 && a.family == s->family &&
        multicast_is_near(s->owner, &a, multicast_index_of(&h))) {
        s->owner->fn(s->owner->ctx, &a, slice_of(bytes, (size_t)n));
    }
    return true;
}

static void multicast_on_poll(uv_poll_t *poll, int status, int events)
{
    struct multicast_socket *s = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < MULTICAST_ROUND && multicast_receive(s); i++) {
    }
}

/* --- sending --- */

/* Names the interface and the source of a datagram. */
static void multicast_put_way(const struct multicast_way *w, struct msghdr *h)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(h);
    if (w->source.family == ADDR_V6) {
        struct in6_pktinfo info = {.ipi6_ifindex = w->index};
        memcpy(&info.ipi6_addr, w->source.ip, 16);
        c->cmsg_level = IPPROTO_IPV6;
        c->cmsg_type = IPV6_PKTINFO;
        c->cmsg_len = CMSG_LEN(sizeof(info));
        memcpy(CMSG_DATA(c), &info, sizeof(info));
        h->msg_controllen = CMSG_SPACE(sizeof(info));
    } else {
        struct in_pktinfo info = {.ipi_ifindex = (int)w->index};
        memcpy(&info.ipi_spec_dst, w->source.ip, 4);
        c->cmsg_level = IPPROTO_IP;
        c->cmsg_type = IP_PKTINFO;
        c->cmsg_len = CMSG_LEN(sizeof(info));
        memcpy(CMSG_DATA(c), &info, sizeof(info));
        h->msg_controllen = CMSG_SPACE(sizeof(info));
    }
}

unsigned multicast_send(struct multicast *m, enum addr_family family,
                        struct slice data)
{
    struct multicast_socket *s = &m->sockets[family == ADDR_V6 ? 1 : 0];
    struct sockaddr_storage to;
    unsigned n = 0;
    size_t to_len = addr_to_sockaddr(&s->group, &to);
    uint8_t bytes[MULTICAST_MAX];
    if (s->fd < 0 || data.len == 0 || data.len > sizeof(bytes)) {
        return 0;
    }
    memcpy(bytes, data.p, data.len);
    for (unsigned i = 0; i < s->n_ways; i++) {
        union multicast_control control;
        memset(&control, 0, sizeof(control));
        struct iovec part = {.iov_base = bytes, .iov_len = data.len};
        struct msghdr h = {.msg_name = &to,
                           .msg_namelen = (socklen_t)to_len,
                           .msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof(control)};
        multicast_put_way(&s->ways[i], &h);
        n += sendmsg(s->fd, &h, 0) >= 0 ? 1 : 0;
    }
    return n;
}

/* --- life --- */

/* Options of the group's socket, which others share. */
static bool multicast_set_options(int fd, enum addr_family family,
                                  const char *device)
{
    int on = 1;
    int off = 0;
    bool good = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0;
    if (device[0] != '\0') {
        good &= setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device,
                           (socklen_t)strlen(device)) == 0;
    }
    if (family == ADDR_V6) {
        good &= setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0;
        good &= setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on,
                           sizeof(on)) == 0;
    } else {
        good &= setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) == 0;
        (void)setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof(off));
    }
    return good;
}

/* A socket bound to the group, or -1 with errno. */
static int multicast_open(const struct multicast *m, const struct addr *group)
{
    struct sockaddr_storage ss;
    size_t len = addr_to_sockaddr(group, &ss);
    int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    if (!multicast_set_options(fd, (enum addr_family)group->family,
                               m->host.device) ||
        bind(fd, (struct sockaddr *)&ss, (socklen_t)len) != 0) {
        int saved = errno;
        (void)close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* Opens and watches the socket of one family; false with the text. */
static bool multicast_start(struct multicast *m, struct multicast_socket *s,
                            struct err *e)
{
    int fd = multicast_open(m, &s->group);
    if (fd < 0) {
        (void)err_set_errno(e, errno, "cannot open a multicast socket");
        return false;
    }
    if (uv_poll_init(loop_uv(m->loop), &s->poll, fd) != 0) {
        (void)close(fd);
        (void)err_set(e, BTC_E_LIMIT, "cannot watch a multicast socket");
        return false;
    }
    s->fd = fd;
    s->poll.data = s;
    m->n_handles++;
    int rc = uv_poll_start(&s->poll, UV_READABLE, multicast_on_poll);
    BTC_ASSERT(rc == 0);
    return true;
}

struct multicast *
multicast_new(struct loop *l, const struct multicast_options *o, struct err *e)
{
    struct multicast *m = mem_zalloc(sizeof(*m));
    m->loop = l;
    m->host = *o->host;
    m->fn = o->fn;
    m->ctx = o->ctx;
    unsigned n = 0;
    for (int i = 0; i < 2; i++) {
        struct multicast_socket *s = &m->sockets[i];
        s->owner = m;
        if (i == 0) {
            s->family = ADDR_V4;
        } else {
            s->family = ADDR_V6;
        }
        s->group = o->groups[i];
        s->fd = -1;
        if (tcp_socket_has_family(o->host, s->family)) {
            n += multicast_start(m, s, e) ? 1 : 0;
        }
    }
    if (n == 0) {
        multicast_free(m);
        return NULL;
    }
    (void)multicast_refresh(m);
    return m;
}

/* A handle has closed; the last one frees the memory. */
static void multicast_on_closed(uv_handle_t *handle)
{
    struct multicast_socket *s = handle->data;
    struct multicast *m = s->owner;
    m->n_handles--;
    if (m->n_handles == 0) {
        free(m);
    }
}

void multicast_free(struct multicast *m)
{
    if (m == NULL) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        struct multicast_socket *s = &m->sockets[i];
        if (s->fd >= 0) {
            uv_close((uv_handle_t *)&s->poll, multicast_on_closed);
            (void)close(s->fd);
            s->fd = -1;
        }
    }
    if (m->n_handles == 0) {
        free(m);
    }
}
