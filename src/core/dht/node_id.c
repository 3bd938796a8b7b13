/* Node ids: distance, BEP 42, and the places of nodes. */
#include "core/dht/node_id.h"

#include "base/crc.h"
#include <string.h>

/* What of the checksum must stand in the id: 21 bits. */
#define DHT_ID_CRC_MASK 0xfffff800u

/* How far from us an address is. */
enum dht_scope {
    DHT_SCOPE_PUBLIC,
    DHT_SCOPE_PRIVATE, /* RFC 1918, link-local, unique local */
    DHT_SCOPE_LOOPBACK
};

/* The checksum that an id at this address starts with, given its last byte. */
static uint32_t dht_id_checksum(const struct addr *a, uint8_t last)
{
    static const uint8_t mask4[4] = {0x03, 0x0f, 0x3f, 0xff};
    static const uint8_t mask6[8] = {0x01, 0x03, 0x07, 0x0f,
                                     0x1f, 0x3f, 0x7f, 0xff};
    const uint8_t *mask = mask4;
    size_t len = sizeof mask4;
    uint8_t ip[8] = {0};

    if (a->family == ADDR_V6) {
        mask = mask6;
        len = sizeof mask6;
    }
    for (size_t i = 0; i < len; i++) {
        ip[i] = a->ip[i] & mask[i];
    }
    ip[0] |= (uint8_t)((last & 7) << 5);
    return crc_32c(ip, len);
}

void dht_id_generate(const struct addr *external, struct rng *rng,
                     uint8_t out[DHT_ID_LEN])
{
    uint32_t crc = 0;
    uint32_t head = 0;

    rng_bytes(rng, out, DHT_ID_LEN);
    if (external->family == ADDR_NONE) {
        return;
    }
    crc = dht_id_checksum(external, out[DHT_ID_LEN - 1]);
    head = bytes_get_be32(out);
    head = (crc & DHT_ID_CRC_MASK) | (head & ~DHT_ID_CRC_MASK);
    bytes_put_be32(out, head);
}

static enum dht_scope dht_scope_of4(const uint8_t ip[4])
{
    if (ip[0] == 127) {
        return DHT_SCOPE_LOOPBACK;
    }
    if (ip[0] == 10 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) ||
        (ip[0] == 192 && ip[1] == 168) || (ip[0] == 169 && ip[1] == 254)) {
        return DHT_SCOPE_PRIVATE;
    }
    return DHT_SCOPE_PUBLIC;
}

/* The scope of an address of either family. */
static enum dht_scope dht_scope_of(const struct addr *a)
{
    static const uint8_t loopback[16] = {[15] = 1};

    if (a->family == ADDR_V4) {
        return dht_scope_of4(a->ip);
    }
    if (memcmp(a->ip, loopback, sizeof loopback) == 0) {
        return DHT_SCOPE_LOOPBACK;
    }
    if ((a->ip[0] & 0xfe) == 0xfc ||
        (a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80)) {
        return DHT_SCOPE_PRIVATE;
    }
    return DHT_SCOPE_PUBLIC;
}

bool dht_id_fits(const uint8_t id[DHT_ID_LEN], const struct addr *a)
{
    if (dht_scope_of(a) != DHT_SCOPE_PUBLIC) {
        return true;
    }
    return ((bytes_get_be32(id) ^ dht_id_checksum(a, id[DHT_ID_LEN - 1])) &
            DHT_ID_CRC_MASK) == 0;
}

bool dht_id_is_nearer(const uint8_t target[DHT_ID_LEN],
                      const uint8_t a[DHT_ID_LEN], const uint8_t b[DHT_ID_LEN])
{
    for (size_t i = 0; i < DHT_ID_LEN; i++) {
        if (a[i] != b[i]) {
            return (a[i] ^ target[i]) < (b[i] ^ target[i]);
        }
    }
    return false;
}

uint32_t dht_id_shared_bits(const uint8_t a[DHT_ID_LEN],
                            const uint8_t b[DHT_ID_LEN])
{
    for (uint32_t i = 0; i < DHT_ID_BITS; i++) {
        if (((a[i / 8] ^ b[i / 8]) >> (7 - i % 8)) & 1) {
            return i;
        }
    }
    return DHT_ID_BITS;
}

void dht_id_random_at(const uint8_t id[DHT_ID_LEN], uint32_t bits,
                      struct rng *rng, uint8_t out[DHT_ID_LEN])
{
    uint32_t whole = bits / 8;
    uint8_t kept = (uint8_t)(0xff00u >> bits % 8); /* high bits of one byte */
    uint8_t flipped = (uint8_t)(0x80u >> bits % 8);

    rng_bytes(rng, out, DHT_ID_LEN);
    memcpy(out, id, whole);
    out[whole] = (uint8_t)((id[whole] & kept) | (out[whole] & ~kept));
    out[whole] = (uint8_t)((out[whole] & ~flipped) | (~id[whole] & flipped));
}

uint64_t dht_place_of(const struct addr *a)
{
    if (dht_scope_of(a) == DHT_SCOPE_LOOPBACK) {
        return addr_hash(a);
    }
    return addr_host(a);
}

bool dht_place_is_nameable(const struct addr *named, const struct addr *who,
                           bool allow_local)
{
    if (allow_local) {
        return true;
    }
    switch (dht_scope_of(named)) {
    case DHT_SCOPE_PUBLIC:
        return true;
    case DHT_SCOPE_PRIVATE:
        return dht_scope_of(who) == DHT_SCOPE_PRIVATE;
    case DHT_SCOPE_LOOPBACK:
        return false;
    }
    return false;
}
