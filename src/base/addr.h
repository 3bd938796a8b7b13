/* An ip:port value, IPv4 or IPv6, compared and hashed by value, with the
 * compact forms of the protocol (BEP 23: 6 bytes, BEP 7: 18 bytes, network
 * order).
 */
#ifndef BTC_BASE_ADDR_H
#define BTC_BASE_ADDR_H

#include "base/bytes.h"

enum addr_family {
    ADDR_NONE = 0,
    ADDR_V4 = 4,
    ADDR_V6 = 6
};

struct addr {
    uint8_t family; /* enum addr_family */
    uint8_t pad;    /* zero, so that the value can be hashed as bytes */
    uint16_t port;  /* host order */
    uint8_t ip[16]; /* network order; V4 uses the first 4, the rest zero */
};

#define ADDR_TEXT_MAX  56 /* "[v6]:port" with NUL */
#define ADDR_COMPACT_4 6
#define ADDR_COMPACT_6 18

struct addr addr_none(void);
bool addr_eq(const struct addr *a, const struct addr *b);
bool addr_eq_ip(const struct addr *a, const struct addr *b);
/* One subscriber: the same IPv4 address, or the same IPv6 network of 64 bits,
 * in which everybody has as many addresses as he likes. */
bool addr_eq_host(const struct addr *a, const struct addr *b);
/* A number for the host, other for each that addr_eq_host tells apart; 0: none.
 */
uint64_t addr_host(const struct addr *a);
/* "1.2.3.4:80", "[::1]:80". */
void addr_format(const struct addr *a, char dst[ADDR_TEXT_MAX]);
void addr_format_ip(const struct addr *a, char dst[ADDR_TEXT_MAX]);
/* "1.2.3.4:80" or "[::1]:80"; numeric only. */
bool addr_parse(struct slice s, struct addr *out);
/* Without port ("1.2.3.4", "::1"). */
bool addr_parse_ip(struct slice s, uint16_t port, struct addr *out);
/* 6 bytes (V4) or 18 (V6); IPv4-mapped IPv6 becomes V4. */
struct addr addr_from_compact4(const uint8_t p[ADDR_COMPACT_4]);
struct addr addr_from_compact6(const uint8_t p[ADDR_COMPACT_6]);
size_t addr_to_compact(const struct addr *a, uint8_t dst[ADDR_COMPACT_6]);
/* A peer that may be dialled: port not 0, not unspecified, not multicast, not
 * broadcast. Loopback and private ranges are allowed. */
bool addr_is_dialable(const struct addr *a);
/* 127.0.0.0/8, ::1: this machine. */
bool addr_is_loopback(const struct addr *a);
/* Not an address of the public internet: loopback, unspecified, private (RFC
 * 1918, 6598, 4193), link-local, and forms of IPv6 that embed such an IPv4
 * address (6to4, NAT64). What a stranger names must not lead there. */
bool addr_is_local(const struct addr *a);
uint64_t addr_hash(const struct addr *a);

struct sockaddr;
struct sockaddr_storage;
/* Gives the length to pass to bind/connect. */
size_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out);
struct addr addr_from_sockaddr(const struct sockaddr *sa);

#endif
