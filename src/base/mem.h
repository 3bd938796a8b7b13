/* Allocation that aborts on OOM, for sizes bounded by our own constants. A size
 * that comes from the network or a file goes through buf or bits, which have
 * caps. All overflow-checked; all results are freed with free().
 */
#ifndef BTC_BASE_MEM_H
#define BTC_BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>

void *mem_alloc(size_t size);                     /* uninitialised */
void *mem_zalloc(size_t size);                    /* zeroed */
void *mem_calloc(size_t n, size_t size);          /* zeroed array */
void *mem_array(size_t n, size_t size);           /* uninitialised array */
void *mem_resize(void *p, size_t n, size_t size); /* realloc of an array */
void *mem_dup(const void *p, size_t size);
char *mem_strdup(const char *s);              /* NULL stays NULL */
char *mem_strndup(const char *s, size_t len); /* copies len bytes, adds NUL */
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *mem_vprintf(const char *fmt, va_list ap)
    __attribute__((format(printf, 1, 0)));

#endif
