/* A bitmap of fixed length in the wire's bit order.
 *
 * Invariants: count is the number of set bits; the spare bits of the last byte
 * are zero, so whole bytes can be counted, compared and sent.
 */
#include "base/bits.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"

#include <stdlib.h>
#include <string.h>

/* The mask of a bit within its byte. */
static uint8_t bits_mask(uint32_t i)
{
    return (uint8_t)(0x80u >> (i & 7));
}

/* The used bits of the last byte. */
static uint8_t bits_last_mask(uint32_t n)
{
    return (uint8_t)(n % 8 == 0 ? 0xffu : 0xff00u >> (n % 8));
}

/* A zeroed map of n bits. */
int bits_init(struct bits *b, uint32_t n)
{
    *b = (struct bits){0};
    if (n > BITS_MAX) {
        return BTC_E_LIMIT;
    }
    b->p = mem_zalloc(bits_bytes(n));
    b->n = n;
    return 0;
}

/* Frees the memory. */
void bits_fini(struct bits *b)
{
    free(b->p);
    *b = (struct bits){0};
}

/* Sets a bit; true when it changed, false too for an index outside. */
bool bits_set(struct bits *b, uint32_t i)
{
    if (i >= b->n || bits_get(b, i)) {
        return false;
    }
    b->p[i >> 3] |= bits_mask(i);
    b->count++;
    return true;
}

/* Clears a bit; true when it changed. */
bool bits_clear(struct bits *b, uint32_t i)
{
    if (!bits_get(b, i)) {
        return false;
    }
    b->p[i >> 3] &= (uint8_t)~bits_mask(i);
    b->count--;
    return true;
}

/* Sets all. */
void bits_fill(struct bits *b)
{
    if (b->n == 0) {
        return;
    }
    size_t len = bits_bytes(b->n);
    memset(b->p, 0xff, len);
    b->p[len - 1] = bits_last_mask(b->n);
    b->count = b->n;
}

/* Clears all. */
void bits_zero(struct bits *b)
{
    if (b->n > 0) {
        memset(b->p, 0, bits_bytes(b->n));
    }
    b->count = 0;
}

/* All bits are set (so is a map without bits). */
bool bits_is_full(const struct bits *b)
{
    return b->count == b->n;
}

/* Bytes that n bits take. */
size_t bits_bytes(uint32_t n)
{
    return n / 8 + (n % 8 != 0);
}

/* The map as it goes over the wire; borrowed. */
struct slice bits_slice(const struct bits *b)
{
    return slice_of(b->p, bits_bytes(b->n));
}

/* Set bits of `len` bytes. */
static uint32_t bits_popcount(const uint8_t *p, size_t len)
{
    uint32_t count = 0;
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        count += (uint32_t)__builtin_popcountll(bytes_get_be64(p + i));
    }
    for (; i < len; i++) {
        count += (uint32_t)__builtin_popcount(p[i]);
    }
    return count;
}

/* Takes a map off the wire (BEP 3: bitfield). */
int bits_load(struct bits *b, struct slice in)
{
    if (in.len != bits_bytes(b->n)) {
        return BTC_E_PROTO;
    }
    if (in.len == 0) {
        return 0;
    }
    if ((in.p[in.len - 1] & (uint8_t)~bits_last_mask(b->n)) != 0) {
        return BTC_E_PROTO;
    }
    memcpy(b->p, in.p, in.len);
    b->count = bits_popcount(b->p, in.len);
    return 0;
}

/* dst becomes src; both have the same length. */
void bits_copy(struct bits *dst, const struct bits *src)
{
    BTC_ASSERT(dst->n == src->n);
    if (src->n > 0) {
        memcpy(dst->p, src->p, bits_bytes(src->n));
    }
    dst->count = src->count;
}

/* First index at or after `from` whose bit, flipped by `flip`, is set. */
static uint32_t bits_next(const struct bits *b, uint32_t from, uint8_t flip)
{
    if (from >= b->n) {
        return b->n;
    }
    size_t len = bits_bytes(b->n);
    size_t at = from >> 3;
    uint8_t byte = (uint8_t)((b->p[at] ^ flip) & (0xffu >> (from & 7)));
    uint64_t skip = flip ? UINT64_MAX : 0;
    while (byte == 0) {
        at++;
        while (at + 8 <= len && bytes_get_be64(b->p + at) == skip) {
            at += 8;
        }
        if (at >= len) {
            return b->n;
        }
        byte = b->p[at] ^ flip;
    }
    uint32_t i =
        (uint32_t)at * 8 + (uint32_t)__builtin_clz((unsigned)byte) - 24;
    /* Spare bits look clear. */
    return num_min_u32(i, b->n);
}

/* First set bit at or after `from`; n when there is none. */
uint32_t bits_next_set(const struct bits *b, uint32_t from)
{
    return bits_next(b, from, 0);
}

/* First clear bit at or after `from`; n when there is none. */
uint32_t bits_next_clear(const struct bits *b, uint32_t from)
{
    return bits_next(b, from, 0xff);
}
