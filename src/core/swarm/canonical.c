/* Canonical priority; see canonical.h. */
#include "core/swarm/canonical.h"

#include "base/crc.h"
#include "base/num.h"
#include <string.h>

#define CANONICAL_MASK 0x55 /* what counts of the bytes behind the network */

/* Bytes at the beginning that both have. */
static size_t canonical_common(const uint8_t *a, const uint8_t *b, size_t len)
{
    size_t n = 0;

    while (n < len && a[n] == b[n]) {
        n++;
    }
    return n;
}

/* Puts both behind each other, the smaller one first. */
static uint32_t canonical_crc(uint8_t *both, uint8_t *a, uint8_t *b, size_t len)
{
    if (memcmp(a, b, len) > 0) {
        uint8_t *swap = a;
        a = b;
        b = swap;
    }
    (void)bytes_put(bytes_put(both, a, len), b, len);
    return crc_32c(both, 2 * len);
}

/* Both have one address: the ports count. */
static uint32_t canonical_of_ports(uint16_t a, uint16_t b)
{
    uint8_t both[4], port_a[2], port_b[2];

    bytes_put_be16(port_a, a);
    bytes_put_be16(port_b, b);
    return canonical_crc(both, port_a, port_b, 2);
}

/* The network counts whole (16 bits of IPv4, 48 of IPv6), and a byte more than
 * they have in common; of the rest every second bit. */
uint32_t canonical_priority(const struct addr *a, const struct addr *b)
{
    struct addr one = *a, other = *b;
    size_t len = sizeof(a->ip);
    size_t whole = 6;
    uint8_t both[2 * sizeof(a->ip)];

    if (a->family != b->family || a->family == ADDR_NONE) {
        return 0;
    }
    if (addr_eq_ip(a, b)) {
        return canonical_of_ports(a->port, b->port);
    }
    if (a->family == ADDR_V4) {
        len = 4;
        whole = 2;
    }
    whole = num_max(whole, canonical_common(a->ip, b->ip, len) + 1);
    for (size_t i = whole; i < len; i++) {
        one.ip[i] &= CANONICAL_MASK;
        other.ip[i] &= CANONICAL_MASK;
    }
    return canonical_crc(both, one.ip, other.ip, len);
}
