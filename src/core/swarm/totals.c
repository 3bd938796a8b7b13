/* How fast payload moves, over all connections of a torrent. Most torrents of a
 * large set move nothing: the memory comes with the first byte. */
#include "core/swarm/internal.h"

#include "base/mem.h"

#include <stdlib.h>

static struct swarm_rates *totals_rates(struct swarm *w)
{
    if (w->total.rates == NULL) {
        w->total.rates = mem_alloc(sizeof(*w->total.rates));
        rate_init(&w->total.rates->down);
        rate_init(&w->total.rates->up);
    }
    return w->total.rates;
}

void totals_add_down(struct swarm *w, uint64_t n)
{
    rate_add(&totals_rates(w)->down, n, w->clock.now_ms);
}

void totals_add_up(struct swarm *w, uint64_t n)
{
    rate_add(&totals_rates(w)->up, n, w->clock.now_ms);
}

void totals_rest(struct swarm *w)
{
    free(w->total.rates);
    w->total.rates = NULL;
}

void totals_get(const struct swarm *w, uint64_t now_ms, uint64_t *down,
                uint64_t *up)
{
    const struct swarm_rates *r = w->total.rates;
    *down = *up = 0;
    if (r != NULL) {
        *down = rate_get(&r->down, now_ms);
        *up = rate_get(&r->up, now_ms);
    }
}
