/* See guard.h. */
#include "guard.h"

void guard_init(struct guard *g, size_t max)
{
    int rc = 0;

    g->page = (size_t)sysconf(_SC_PAGESIZE);
    g->len = (max / g->page + 1) * g->page;
    g->map = mmap(NULL, g->len + g->page, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    BTC_ASSERT(g->map != MAP_FAILED);
    rc = mprotect(g->map + g->len, g->page, PROT_NONE);
    BTC_ASSERT(rc == 0);
}

void guard_fini(struct guard *g)
{
    munmap(g->map, g->len + g->page);
}

const uint8_t *guard_put(struct guard *g, const void *p, size_t len)
{
    uint8_t *dst = g->map + g->len - len;

    BTC_ASSERT(len <= g->len);
    if (len > 0) {
        memcpy(dst, p, len);
    }
    return dst;
}
