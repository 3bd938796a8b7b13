/* Memory for the command line: small, bounded sizes, and without memory there
 * is nothing sensible to do, so these end the program instead of giving NULL.
 */
#ifndef BTC_FRONT_MEM_H
#define BTC_FRONT_MEM_H

#include <stddef.h>

void *cli_mem_new(size_t n, size_t size);           /* zeroed; free() */
void *cli_mem_grow(void *p, size_t n, size_t size); /* realloc; free() */
char *cli_mem_dup(const char *s);                   /* NULL for NULL; free() */

#endif
