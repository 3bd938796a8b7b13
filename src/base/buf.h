/* A growable byte buffer with a hard cap, for anything whose size the network
 * or a file decides. Bytes are appended at the end and consumed at the front;
 * consuming is cheap (an offset), memory is compacted when it pays.
 */
#ifndef BTC_BASE_BUF_H
#define BTC_BASE_BUF_H

#include "base/bytes.h"

struct buf {
    uint8_t *p;   /* owns; NULL until first use */
    size_t start; /* first unread byte */
    size_t end;   /* behind the last byte; start <= end <= cap */
    size_t cap;   /* bytes allocated */
    size_t max;   /* never more than this many unread bytes */
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b); /* frees; b may be used again after buf_init */
size_t buf_len(const struct buf *b);
struct slice buf_slice(const struct buf *b); /* dies with the next change */
/* All appenders: 0, or BTC_E_LIMIT with the buffer unchanged. */
int buf_append(struct buf *b, const void *p, size_t len);
int buf_append_slice(struct buf *b, struct slice s);
int buf_append_str(struct buf *b, const char *s);
int buf_append_byte(struct buf *b, uint8_t c);
int buf_printf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Room for `len` bytes at the end, NULL over the cap; buf_commit what was
 * really written. */
uint8_t *buf_reserve(struct buf *b, size_t len);
void buf_commit(struct buf *b, size_t len);
void buf_consume(struct buf *b, size_t len); /* len <= buf_len */
void buf_clear(struct buf *b);               /* keeps the memory */
/* An empty one keeps at most this much memory. */
void buf_trim(struct buf *b, size_t keep);
/* Ends the bytes with a NUL that is not counted and gives them as a string;
 * NULL over the cap. The pointer dies with the next change. */
const char *buf_cstr(struct buf *b);
/* Ownership out: a malloc'ed, NUL-ended copy or the memory itself; the buffer
 * is empty afterwards. */
char *buf_take_str(struct buf *b);

#endif
