/* A growable byte buffer with a hard cap.
 *
 * Invariant: start <= end <= cap, and end - start <= max. The memory may be one
 * byte larger than the cap, for the NUL of buf_cstr.
 */
#include "base/buf.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first allocation; doubled from there. */
#define BUF_CAP_MIN 64

/* An empty buffer that never holds more than `max` bytes. */
void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

/* Frees the memory. */
void buf_fini(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.max = b->max};
}

/* Unread bytes. */
size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}

/* The unread bytes; borrowed until the next change. */
struct slice buf_slice(const struct buf *b)
{
    return slice_of(b->p ? b->p + b->start : NULL, buf_len(b));
}

/* Makes room for `extra` bytes at the end, whatever the cap says. */
static bool buf_make_room(struct buf *b, size_t extra)
{
    size_t len = buf_len(b);
    if (extra <= b->cap - b->end) {
        return true;
    }
    if (extra > SIZE_MAX / 2 - len) {
        return false;
    }
    /* Moving down costs len: worth it when at least as much was consumed. */
    if (b->start >= len && extra <= b->cap - len) {
        memmove(b->p, b->p + b->start, len);
        b->start = 0;
        b->end = len;
        return true;
    }
    size_t cap = num_max(b->cap, BUF_CAP_MIN);
    while (cap < len + extra) {
        cap *= 2;
    }
    if (cap > b->max) {
        cap = num_max(b->max, len + extra);
    }
    uint8_t *p = mem_alloc(cap);
    bytes_put(p, b->p ? b->p + b->start : NULL, len);
    free(b->p);
    *b = (struct buf){.p = p, .end = len, .cap = cap, .max = b->max};
    return true;
}

/* Room for `len` bytes at the end, NULL over the cap. */
uint8_t *buf_reserve(struct buf *b, size_t len)
{
    if (len > b->max - buf_len(b) || !buf_make_room(b, len > 0 ? len : 1)) {
        return NULL;
    }
    return b->p + b->end;
}

/* `len` bytes of what was reserved are written. */
void buf_commit(struct buf *b, size_t len)
{
    size_t unread = buf_len(b);
    BTC_ASSERT(len <= b->cap - b->end && len <= b->max - unread);
    b->end += len;
}

/* Appends bytes, which may not lie in the buffer itself. */
int buf_append(struct buf *b, const void *p, size_t len)
{
    uint8_t *dst = buf_reserve(b, len);
    if (!dst) {
        return BTC_E_LIMIT;
    }
    bytes_put(dst, p, len);
    buf_commit(b, len);
    return 0;
}

/* Appends a slice. */
int buf_append_slice(struct buf *b, struct slice s)
{
    return buf_append(b, s.p, s.len);
}

/* Appends a string without its NUL. */
int buf_append_str(struct buf *b, const char *s)
{
    return buf_append_slice(b, slice_str(s));
}

/* Appends one byte. */
int buf_append_byte(struct buf *b, uint8_t c)
{
    return buf_append(b, &c, 1);
}

/* Appends formatted text. */
int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        return BTC_E_INTERNAL;
    }
    size_t len = (size_t)n;
    if (len > b->max - buf_len(b) || !buf_make_room(b, len + 1)) {
        return BTC_E_LIMIT;
    }
    va_start(ap, fmt);
    (void)vsnprintf((char *)b->p + b->end, len + 1, fmt, ap);
    va_end(ap);
    buf_commit(b, len);
    return 0;
}

/* Drops bytes at the front. */
void buf_consume(struct buf *b, size_t len)
{
    BTC_ASSERT(len <= b->end - b->start);
    b->start += len;
    if (b->start == b->end) {
        buf_clear(b);
    }
}

/* Drops all bytes, keeps the memory. */
void buf_clear(struct buf *b)
{
    b->start = 0;
    b->end = 0;
}

/* What was large once need not stay so. */
void buf_trim(struct buf *b, size_t keep)
{
    if (buf_len(b) == 0 && b->cap > keep) {
        buf_fini(b);
    }
}

/* The bytes as a string; borrowed until the next change. */
const char *buf_cstr(struct buf *b)
{
    if (!buf_make_room(b, 1)) {
        return NULL;
    }
    b->p[b->end] = '\0';
    return (const char *)b->p + b->start;
}

/* A string that the caller frees; the buffer is empty afterwards. */
char *buf_take_str(struct buf *b)
{
    char *s = NULL;
    if (b->start > 0 || !buf_cstr(b)) {
        s = mem_strndup((const char *)buf_slice(b).p, buf_len(b));
    } else {
        s = (char *)b->p;
        b->p = NULL;
    }
    buf_fini(b);
    return s;
}
