/* Memory that aborts when there is none. */
#include "front/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Gives `p` back, or ends the program. */
static void *cli_mem_check(void *p)
{
    if (p == NULL) {
        fputs("btc: out of memory\n", stderr);
        abort();
    }
    return p;
}

/* `n` zeroed things. */
void *cli_mem_new(size_t n, size_t size)
{
    return cli_mem_check(calloc(n == 0 ? 1 : n, size));
}

/* `p` with room for `n` things. */
void *cli_mem_grow(void *p, size_t n, size_t size)
{
    if (n > SIZE_MAX / size) {
        return cli_mem_check(NULL);
    }
    return cli_mem_check(realloc(p, n == 0 ? size : n * size));
}

/* A copy of a string. */
char *cli_mem_dup(const char *s)
{
    return s == NULL ? NULL : cli_mem_check(strdup(s));
}
