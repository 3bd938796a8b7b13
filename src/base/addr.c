/* ip:port values. An IPv4-mapped IPv6 address is always held as IPv4, so that
 * one host has one value.
 */
#include "base/addr.h"

#include "base/bytes.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* No address. */
struct addr addr_none(void)
{
    return (struct addr){.family = ADDR_NONE};
}

/* IPv4 from 4 bytes in network order. */
static struct addr addr_from_v4(const void *ip, uint16_t port)
{
    struct addr a = {.family = ADDR_V4, .port = port};
    memcpy(a.ip, ip, 4);
    return a;
}

/* IPv6 from 16 bytes in network order; a mapped one becomes IPv4. */
static struct addr addr_from_v6(const uint8_t ip[16], uint16_t port)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (memcmp(ip, mapped, sizeof(mapped)) == 0) {
        return addr_from_v4(ip + 12, port);
    }
    struct addr a = {.family = ADDR_V6, .port = port};
    memcpy(a.ip, ip, 16);
    return a;
}

/* The same address and port. */
bool addr_eq(const struct addr *a, const struct addr *b)
{
    return a->port == b->port && addr_eq_ip(a, b);
}

/* The same address, whatever the port. */
bool addr_eq_ip(const struct addr *a, const struct addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

bool addr_eq_host(const struct addr *a, const struct addr *b)
{
    if (a->family == ADDR_V6) {
        return b->family == ADDR_V6 && memcmp(a->ip, b->ip, 8) == 0;
    }
    return addr_eq_ip(a, b);
}

/* An IPv4 address has its place in a part of IPv6 (::/64) where nobody is. */
uint64_t addr_host(const struct addr *a)
{
    if (a->family == ADDR_V6) {
        return bytes_get_be64(a->ip);
    }
    return a->family == ADDR_V4 ? bytes_get_be32(a->ip) : 0;
}

/* The address alone: "1.2.3.4", "::1", "" for none. */
void addr_format_ip(const struct addr *a, char dst[ADDR_TEXT_MAX])
{
    int af = a->family == ADDR_V4 ? AF_INET : AF_INET6;
    dst[0] = '\0';
    if (a->family != ADDR_NONE) {
        (void)inet_ntop(af, a->ip, dst, ADDR_TEXT_MAX);
    }
}

/* With port: "1.2.3.4:80", "[::1]:80", "" for none. */
void addr_format(const struct addr *a, char dst[ADDR_TEXT_MAX])
{
    char ip[INET6_ADDRSTRLEN] = "";
    dst[0] = '\0';
    if (a->family == ADDR_V4) {
        (void)inet_ntop(AF_INET, a->ip, ip, sizeof(ip));
        (void)snprintf(dst, ADDR_TEXT_MAX, "%s:%u", ip, (unsigned)a->port);
    } else if (a->family == ADDR_V6) {
        (void)inet_ntop(AF_INET6, a->ip, ip, sizeof(ip));
        (void)snprintf(dst, ADDR_TEXT_MAX, "[%s]:%u", ip, (unsigned)a->port);
    }
}

/* A numeric address without port. */
bool addr_parse_ip(struct slice s, uint16_t port, struct addr *out)
{
    char text[INET6_ADDRSTRLEN];
    uint8_t ip[16];
    if (s.len == 0 || s.len >= sizeof(text) || memchr(s.p, '\0', s.len)) {
        return false;
    }
    memcpy(text, s.p, s.len);
    text[s.len] = '\0';
    if (inet_pton(AF_INET, text, ip) == 1) {
        *out = addr_from_v4(ip, port);
        return true;
    }
    if (inet_pton(AF_INET6, text, ip) == 1) {
        *out = addr_from_v6(ip, port);
        return true;
    }
    return false;
}

/* "1.2.3.4:80" or "[::1]:80". */
bool addr_parse(struct slice s, struct addr *out)
{
    size_t colon = s.len;
    uint64_t port = 0;
    while (colon > 0 && s.p[colon - 1] != ':') {
        colon--;
    }
    if (colon == 0 || !bytes_parse_u64(slice_sub(s, colon, s.len), &port) ||
        port > UINT16_MAX) {
        return false;
    }
    struct slice host = slice_sub(s, 0, colon - 1);
    bool is_v6 =
        host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']';
    if (is_v6) {
        host = slice_sub(host, 1, host.len - 2);
    }
    /* A colon belongs in brackets and nothing else does. */
    bool has_colon = host.len > 0 && memchr(host.p, ':', host.len) != NULL;
    return is_v6 == has_colon && addr_parse_ip(host, (uint16_t)port, out);
}

/* BEP 23: 4 bytes address, 2 bytes port. */
struct addr addr_from_compact4(const uint8_t p[ADDR_COMPACT_4])
{
    return addr_from_v4(p, bytes_get_be16(p + 4));
}

/* BEP 7: 16 bytes address, 2 bytes port. */
struct addr addr_from_compact6(const uint8_t p[ADDR_COMPACT_6])
{
    return addr_from_v6(p, bytes_get_be16(p + 16));
}

/* Writes 6 or 18 bytes and says how many; 0 for none. */
size_t addr_to_compact(const struct addr *a, uint8_t dst[ADDR_COMPACT_6])
{
    if (a->family == ADDR_NONE) {
        return 0;
    }
    size_t len = a->family == ADDR_V4 ? 4 : 16;
    memcpy(dst, a->ip, len);
    bytes_put_be16(dst + len, a->port);
    return len + 2;
}

/* A peer that may be dialled. 0.0.0.0/8 is "this host on this network" (RFC
 * 1122): nobody's address. */
bool addr_is_dialable(const struct addr *a)
{
    static const uint8_t zero[16];
    static const uint8_t broadcast[4] = {255, 255, 255, 255};
    if (a->family == ADDR_NONE || a->port == 0 ||
        memcmp(a->ip, zero, sizeof(zero)) == 0) {
        return false;
    }
    if (a->family == ADDR_V6) {
        return a->ip[0] != 0xff;
    }
    return a->ip[0] != 0 && (a->ip[0] & 0xf0) != 0xe0 &&
           memcmp(a->ip, broadcast, 4) != 0;
}

/* 127/8 and ::1. */
bool addr_is_loopback(const struct addr *a)
{
    static const uint8_t one[16] = {[15] = 1};
    if (a->family == ADDR_V6) {
        return memcmp(a->ip, one, sizeof(one)) == 0;
    }
    return a->family == ADDR_V4 && a->ip[0] == 127;
}

/* Not of the public internet, for IPv4. */
static bool addr_is_local4(const uint8_t ip[4])
{
    return ip[0] == 0 || ip[0] == 10 || ip[0] == 127 ||
           (ip[0] == 100 && (ip[1] & 0xc0) == 64) ||
           (ip[0] == 169 && ip[1] == 254) ||
           (ip[0] == 172 && (ip[1] & 0xf0) == 16) ||
           (ip[0] == 192 && ip[1] == 168) || ip[0] >= 224;
}

/* Not of the public internet, for IPv6: what it embeds counts. */
static bool addr_is_local6(const uint8_t ip[16])
{
    static const uint8_t zero[12];
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    if (memcmp(ip, zero, sizeof(zero)) == 0) {
        return true; /* ::, ::1, and the old IPv4-compatible form */
    }
    if (ip[0] == 0x20 && ip[1] == 0x02) {
        return addr_is_local4(ip + 2); /* 6to4, RFC 3056 */
    }
    if (memcmp(ip, nat64, sizeof(nat64)) == 0) {
        return addr_is_local4(ip + 12); /* RFC 6052 */
    }
    return (ip[0] & 0xfe) == 0xfc || ip[0] == 0xff ||
           (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80) ||
           (ip[0] == 0xfe && (ip[1] & 0xc0) == 0xc0);
}

/* Nobody's on the public internet. */
bool addr_is_local(const struct addr *a)
{
    if (a->family == ADDR_V6) {
        return addr_is_local6(a->ip);
    }
    return a->family != ADDR_V4 || addr_is_local4(a->ip);
}

/* Spreads one word over all bits (the finaliser of MurmurHash3). */
static uint64_t addr_mix(uint64_t x)
{
    x = (x ^ x >> 33) * 0xff51afd7ed558ccdu;
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 33;
}

/* A hash of the value; the same in every run. */
uint64_t addr_hash(const struct addr *a)
{
    uint64_t h = addr_mix((uint64_t)a->family << 16 | a->port);
    h = addr_mix(h ^ bytes_get_be64(a->ip));
    return addr_mix(h ^ bytes_get_be64(a->ip + 8));
}

/* For bind and connect; length 0 for none. */
size_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (a->family == ADDR_V4) {
        struct sockaddr_in sin = {.sin_family = AF_INET};
        sin.sin_port = htons(a->port);
        memcpy(&sin.sin_addr, a->ip, 4);
        memcpy(out, &sin, sizeof(sin));
        return sizeof(sin);
    }
    if (a->family == ADDR_V6) {
        struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6};
        sin6.sin6_port = htons(a->port);
        memcpy(&sin6.sin6_addr, a->ip, 16);
        memcpy(out, &sin6, sizeof(sin6));
        return sizeof(sin6);
    }
    return 0;
}

/* From accept, recvfrom and the like; none for another family. */
struct addr addr_from_sockaddr(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in sin;
        memcpy(&sin, sa, sizeof(sin));
        return addr_from_v4(&sin.sin_addr, ntohs(sin.sin_port));
    }
    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 sin6;
        memcpy(&sin6, sa, sizeof(sin6));
        return addr_from_v6(sin6.sin6_addr.s6_addr, ntohs(sin6.sin6_port));
    }
    return addr_none();
}
