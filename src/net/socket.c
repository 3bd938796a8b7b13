/* TCP sockets of a host: creation, device, local address, errors. */
#include "net/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TCP_SOCKET_UNSENT (512 << 10) /* bytes in the kernel, not yet sent */

/* What went wrong with a connection, in our codes. */
int tcp_socket_err(int errno_value)
{
    switch (errno_value) {
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case ENODEV:
    case EACCES: /* a firewall's answer, not a file's */
    case EPERM:
        return BTC_E_NETWORK;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return BTC_E_LIMIT;
    default:
        return err_from_errno(errno_value);
    }
}

/* SO_ERROR, which reading clears. */
int tcp_socket_take_err(int fd, int fallback)
{
    int value = 0;
    socklen_t len = sizeof(value);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &len) != 0) {
        return tcp_socket_err(errno);
    }
    if (value != 0) {
        return tcp_socket_err(value);
    }
    return fallback;
}

/* Like err_set_errno, with this module's code. */
static int tcp_socket_fail(struct err *e, int errno_value, const char *what,
                           const char *name)
{
    (void)err_set_errno(e, errno_value, "%s%s", what, name);
    return err_set_code(e, tcp_socket_err(errno_value));
}

/* Close-on-exec, non-blocking, on the device or not at all. */
int tcp_socket_new(const struct tcp_host_options *o, enum addr_family family,
                   int *out, struct err *e)
{
    int af = family == ADDR_V6 ? AF_INET6 : AF_INET;
    int fd = socket(af, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return tcp_socket_fail(e, errno, "cannot make a TCP socket", "");
    }
    if (o->device[0] != '\0' &&
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, o->device,
                   (socklen_t)strnlen(o->device, sizeof(o->device))) != 0) {
        int rc = tcp_socket_fail(e, errno, "cannot use the network device ",
                                 o->device);
        (void)close(fd);
        return rc;
    }
    *out = fd;
    return 0;
}

/* The chosen address of a family, port ignored. */
static const struct addr *tcp_socket_option(const struct tcp_host_options *o,
                                            enum addr_family family)
{
    if (family == ADDR_V6) {
        return &o->bind6;
    }
    return &o->bind4;
}

/* Naming an address of one family switches the other one off. */
bool tcp_socket_has_family(const struct tcp_host_options *o,
                           enum addr_family family)
{
    const struct addr *other = family == ADDR_V6 ? &o->bind4 : &o->bind6;
    return tcp_socket_option(o, family)->family != ADDR_NONE ||
           other->family == ADDR_NONE;
}

/* 0.0.0.0 or :: when the user named none. */
struct addr tcp_socket_bind_addr(const struct tcp_host_options *o,
                                 enum addr_family family, uint16_t port)
{
    struct addr a = *tcp_socket_option(o, family);
    if (a.family == ADDR_NONE) {
        a = (struct addr){.family = (uint8_t)family};
    }
    a.port = port;
    return a;
}

/* The kernel chooses the port at connect, when it knows the other end: ports
 * then do not run out. */
static int tcp_socket_bind_out(int fd, const struct addr *a, struct err *e)
{
    struct sockaddr_storage ss;
    size_t len = addr_to_sockaddr(a, &ss);
    int on = 1;
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&ss, (socklen_t)len) != 0) {
        int saved = errno;
        char text[ADDR_TEXT_MAX];
        addr_format_ip(a, text);
        return tcp_socket_fail(e, saved, "cannot bind to ", text);
    }
    return 0;
}

/* For an outgoing connection. */
int tcp_socket_new_bound(const struct tcp_host_options *o,
                         enum addr_family family, int *out, struct err *e)
{
    int fd = -1;
    int rc = tcp_socket_new(o, family, &fd, e);
    if (rc != 0) {
        return rc;
    }
    struct addr a = tcp_socket_bind_addr(o, family, 0);
    if (tcp_socket_option(o, family)->family != ADDR_NONE) {
        rc = tcp_socket_bind_out(fd, &a, e);
        if (rc != 0) {
            (void)close(fd);
            return rc;
        }
    }
    tcp_socket_tune(fd);
    *out = fd;
    return 0;
}

int tcp_socket_connect(int fd, const struct addr *to, int *refused)
{
    struct sockaddr_storage ss;
    size_t len = addr_to_sockaddr(to, &ss);
    if (connect(fd, (struct sockaddr *)&ss, (socklen_t)len) == 0 ||
        errno == EINPROGRESS || errno == EINTR) {
        return 0;
    }
    int rc = tcp_socket_err(errno);
    if (rc == BTC_E_NETWORK || rc == BTC_E_LIMIT) {
        (void)close(fd);
        return rc;
    }
    *refused = rc;
    return 0;
}

/* Our writes are gathered per turn: Nagle could only delay them. What the
 * kernel holds back for the network's sake is bounded: more of it is memory
 * that who never reads would have for nothing, and a delay for what is said
 * next. */
void tcp_socket_tune(int fd)
{
    int on = 1;
    int unsent = TCP_SOCKET_UNSENT;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent,
                     sizeof(unsent));
}

void tcp_socket_cork(int fd, bool on)
{
    int value = on;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &value, sizeof(value));
}

/* Our end. */
struct addr tcp_socket_local(int fd)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);
    if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0) {
        return addr_none();
    }
    return addr_from_sockaddr((struct sockaddr *)&ss);
}
