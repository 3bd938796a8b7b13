/* What the hashes say of peers, and which of them own suspect pieces. */
#include "core/swarm/owners.h"

#include "base/mem.h"
#include "core/swarm/internal.h"
#include <stdlib.h>

/* The hash decides, or a quick liar would look like the best of peers. */
void swarm_good(struct swarm *w, uint32_t peer)
{
    struct peer *p = slots_by_id(w, peer);
    struct peerset_entry *e = peerset_get(w->peerset, peer);
    if (e != NULL && e->n_stalls > 0) {
        e->n_stalls--;
    }
    if (p != NULL) {
        p->record.was_useful = true;
    } else {
        peerset_on_good(w->peerset, peer, w->clock.now_ms);
    }
}

void swarm_suspect(struct swarm *w, uint32_t peer)
{
    struct peerset_entry *e = peerset_get(w->peerset, peer);
    if (e != NULL) {
        e->bad_pieces++;
    }
}

void swarm_stalled(struct swarm *w, uint32_t peer)
{
    struct peerset_entry *e = peerset_get(w->peerset, peer);
    if (e != NULL) {
        e->n_stalls++;
    }
}

/* Owners of suspect pieces that stand still lose them. */
void owners_choose(struct swarm *w)
{
    struct content_candidate *all =
        mem_calloc(w->count.active + 1, sizeof *all);
    size_t n = 0;
    struct peer *p;
    SWARM_EACH_PEER(p, w)
    {
        const struct peerset_entry *e = peerset_get(w->peerset, p->id);
        if (p->phase == PEER_ACTIVE && e != NULL) {
            all[n++] = (struct content_candidate){
                .peer = p->id,
                .have = &p->have.bits,
                .down_rate = rate_get(&p->rate.down, w->clock.now_ms),
                .choking = p->peer_choking,
                .fit = !p->peer_choking && !p->window.snubbed &&
                       w->clock.now_ms >= p->window.from_ms,
                .idle = p->window.n == 0,
                .late = peer_is_late(p),
                .brought = p->rate.down.total,
                .n_stalls = e->n_stalls,
            };
        }
    }
    bool changed = content_choose_owners(w->content, all, n, w->clock.now_ms);
    free(all);
    if (!changed) {
        return;
    }
    SWARM_EACH_PEER(p, w)
    {
        request_disown(w, p);
    }
}
