/* Sockets with the host's options applied, and what their errors mean. For
 * conn*.c only.
 */
#ifndef BTC_NET_SOCKET_H
#define BTC_NET_SOCKET_H

#include "net/tcp.h"

/* A negative code for an errno of connect, send or recv. */
int tcp_socket_err(int errno_value);
/* The socket's pending error as a code; `fallback` when it has none. */
int tcp_socket_take_err(int fd, int fallback);
/* A non-blocking TCP socket on the device; *out or a code with the text. */
int tcp_socket_new(const struct tcp_host_options *o, enum addr_family family,
                   int *out, struct err *e);
/* The same, bound to the host's address, for an outgoing connection. */
int tcp_socket_new_bound(const struct tcp_host_options *o,
                         enum addr_family family, int *out, struct err *e);
/* Whether the options leave the family usable at all. */
bool tcp_socket_has_family(const struct tcp_host_options *o,
                           enum addr_family family);
/* What to bind to for the family: the chosen address or any. */
struct addr tcp_socket_bind_addr(const struct tcp_host_options *o,
                                 enum addr_family family, uint16_t port);
/* Starts connecting. When nobody can be reached from here, NETWORK or LIMIT
 * with the socket closed; else 0, and in *refused what connect said at once. */
int tcp_socket_connect(int fd, const struct addr *to, int *refused);
void tcp_socket_tune(int fd);
/* While corked the kernel sends full segments alone: blocks that follow each
 * other share them. What is left goes when the cork is out. */
void tcp_socket_cork(int fd, bool on);
/* The local address; NONE when the kernel does not say. */
struct addr tcp_socket_local(int fd);

#endif
