/* A bitmap of fixed length with its count kept, in the wire's bit order (BEP 3:
 * the high bit of the first byte is index 0), so that it can be sent and
 * journaled as it is. Spare bits at the end are always zero.
 */
#ifndef BTC_BASE_BITS_H
#define BTC_BASE_BITS_H

#include "base/bytes.h"

struct bits {
    uint8_t *p;     /* owns */
    uint32_t n;     /* bits */
    uint32_t count; /* bits that are set */
};

/* Most bits a map can have: as many pieces as a torrent may have. */
#define BITS_MAX (1u << 24)

int bits_init(struct bits *b,
              uint32_t n); /* zeroed; BTC_E_LIMIT over the max */
void bits_fini(struct bits *b);
static inline bool bits_get(const struct bits *b, uint32_t i)
{
    return i < b->n && (b->p[i >> 3] >> (7 - (i & 7)) & 1);
}
bool bits_set(struct bits *b, uint32_t i);   /* true when it changed */
bool bits_clear(struct bits *b, uint32_t i); /* true when it changed */
void bits_fill(struct bits *b);
void bits_zero(struct bits *b);
bool bits_is_full(const struct bits *b);
size_t bits_bytes(uint32_t n); /* bytes that n bits take */
struct slice bits_slice(const struct bits *b);
/* From the wire: exactly bits_bytes(n) bytes and spare bits zero, else
 * BTC_E_PROTO with the map unchanged. */
int bits_load(struct bits *b, struct slice in);
void bits_copy(struct bits *dst, const struct bits *src); /* same n */
/* First set (or clear) bit at or after `from`; n when there is none. */
uint32_t bits_next_set(const struct bits *b, uint32_t from);
uint32_t bits_next_clear(const struct bits *b, uint32_t from);

/* for each set bit: BITS_EACH (i, bits) { ... } */
/* NOLINTBEGIN(bugprone-macro-parentheses): i is a name that is declared */
#define BITS_EACH(i, b)                                  \
    for (uint32_t i = bits_next_set((b), 0); i < (b)->n; \
         i = bits_next_set((b), i + 1))
/* NOLINTEND(bugprone-macro-parentheses) */

#endif
