/* Slices of bytes, big-endian access, strict numbers, hex.
 *
 * A slice borrows: it dies with the memory it points into.
 */
#ifndef BTC_BASE_BYTES_H
#define BTC_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
    const uint8_t *p; /* borrows; may be NULL only when len is 0 */
    size_t len;
};

struct slice slice_of(const void *p, size_t len);
struct slice slice_str(const char *s); /* without the NUL; NULL gives empty */
bool slice_eq(struct slice a, struct slice b);
bool slice_eq_str(struct slice a, const char *s);
bool slice_has_prefix(struct slice a, const char *s);
/* Bytes [off, off+len) clamped to the slice: never reaches outside. */
struct slice slice_sub(struct slice a, size_t off, size_t len);

/* Big-endian get; the caller has checked the length. */
uint16_t bytes_get_be16(const uint8_t *p);
uint32_t bytes_get_be32(const uint8_t *p);
uint64_t bytes_get_be64(const uint8_t *p);
/* Big-endian put; gives the pointer behind what was written. */
uint8_t *bytes_put_u8(uint8_t *p, uint8_t v);
uint8_t *bytes_put_be16(uint8_t *p, uint16_t v);
uint8_t *bytes_put_be32(uint8_t *p, uint32_t v);
uint8_t *bytes_put_be64(uint8_t *p, uint64_t v);
uint8_t *bytes_put(uint8_t *p, const void *src, size_t len);

/* Lower-case hex of `len` bytes into dst, which holds 2*len+1; NUL ended. */
void bytes_to_hex(const uint8_t *p, size_t len, char *dst);
/* Exactly 2*len hex digits of either case into len bytes; false when not. */
bool bytes_from_hex(struct slice hex, uint8_t *dst, size_t len);

/* Strict decimal: only digits, no sign, no blanks, no leading zero but "0",
 * the whole slice, no overflow. */
bool bytes_parse_u64(struct slice s, uint64_t *out);
/* The same with an optional '-' (but not "-0"). */
bool bytes_parse_i64(struct slice s, int64_t *out);
/* A size or rate: a strict decimal with an optional fraction ("1.5") and an
 * optional suffix K, M, G, T (1024-based, either case, an optional "iB" or "B"
 * behind it): bytes. False on anything else or overflow. */
bool bytes_parse_size(struct slice s, uint64_t *out);
/* A span of time: a decimal with s, m, h, d or w behind (none: seconds), or
 * "ms"; milliseconds. */
bool bytes_parse_duration_ms(struct slice s, uint64_t *out_ms);

/* True when the slice is valid UTF-8 (no surrogates, no overlong forms). */
bool bytes_is_utf8(struct slice s);

#endif
