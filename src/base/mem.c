/* Allocation that aborts on OOM. A size of zero gives a valid pointer. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The end: no memory, or a size that overflowed. */
static _Noreturn void mem_die(size_t n, size_t size)
{
    (void)fprintf(stderr, "btc: out of memory (%zu * %zu bytes)\n", n, size);
    abort();
}

/* Product of an array's dimensions, never 0, never overflowed. */
static size_t mem_product(size_t n, size_t size)
{
    if (size != 0 && n > SIZE_MAX / size) {
        mem_die(n, size);
    }
    if (n * size > 0) {
        return n * size;
    }
    return 1;
}

/* Uninitialised memory. */
void *mem_alloc(size_t size)
{
    return mem_array(1, size);
}

/* Zeroed memory. */
void *mem_zalloc(size_t size)
{
    return mem_calloc(1, size);
}

/* A zeroed array. */
void *mem_calloc(size_t n, size_t size)
{
    void *p = calloc(1, mem_product(n, size));
    if (!p) {
        mem_die(n, size);
    }
    return p;
}

/* An uninitialised array. */
void *mem_array(size_t n, size_t size)
{
    void *p = malloc(mem_product(n, size));
    if (!p) {
        mem_die(n, size);
    }
    return p;
}

/* An array's memory moved to a new length. */
void *mem_resize(void *p, size_t n, size_t size)
{
    void *q = realloc(p, mem_product(n, size));
    if (!q) {
        mem_die(n, size);
    }
    return q;
}

/* A copy of `size` bytes. */
void *mem_dup(const void *p, size_t size)
{
    void *q = mem_alloc(size);
    if (size > 0) {
        memcpy(q, p, size);
    }
    return q;
}

/* A copy of a string. */
char *mem_strdup(const char *s)
{
    if (s) {
        return mem_strndup(s, strlen(s));
    }
    return NULL;
}

/* `len` bytes as a string. */
char *mem_strndup(const char *s, size_t len)
{
    if (len == SIZE_MAX) {
        mem_die(1, len);
    }
    char *q = mem_alloc(len + 1);
    if (len > 0) {
        memcpy(q, s, len);
    }
    q[len] = '\0';
    return q;
}

/* A formatted string. */
char *mem_vprintf(const char *fmt, va_list ap)
{
    char *s = NULL;
    if (vasprintf(&s, fmt, ap) < 0) {
        mem_die(1, 0);
    }
    return s;
}

char *mem_printf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *s = mem_vprintf(fmt, ap);
    va_end(ap);
    return s;
}
