/* The table of connections, and who has something to send.
 *
 * A conn id is the slot and a generation that grows with each use of the slot,
 * so an id of a connection that is gone leads nowhere. Generations start at 1:
 * an id is never 0.
 */
#include "base/mem.h"
#include "base/vec.h"
#include "core/swarm/internal.h"
#include <stdlib.h>

#define SLOTS_MASK 0xffffu

struct peer *slots_by_conn(struct swarm *w, uint32_t conn)
{
    uint32_t slot = conn & SLOTS_MASK;
    if (conn == 0 || slot >= w->slots.n || w->slots.peer[slot] == NULL ||
        w->slots.peer[slot]->conn != conn ||
        w->slots.peer[slot]->phase == PEER_CLOSED) {
        return NULL;
    }
    return w->slots.peer[slot];
}

struct peer *slots_by_id(const struct swarm *w, uint32_t id)
{
    struct peer *p;
    HASH_FIND(hh, w->slots.by_id, &id, sizeof id, p);
    return p;
}

/* A free slot; the table grows up to SWARM_MAX_PEERS. */
static uint32_t slots_find_free(struct swarm *w)
{
    struct swarm_slots *t = &w->slots;
    for (uint32_t i = 0; i < t->n; i++) {
        if (t->peer[i] == NULL) {
            return i;
        }
    }
    uint32_t n = t->n > 0 ? t->n * 2 : 16;
    t->peer = mem_resize(t->peer, n, sizeof(struct peer *));
    t->gen = mem_resize(t->gen, n, sizeof *t->gen);
    for (uint32_t i = t->n; i < n; i++) {
        t->peer[i] = NULL;
        t->gen[i] = 0;
    }
    uint32_t slot = t->n;
    t->n = n;
    return slot;
}

struct peer *slots_open(struct swarm *w, uint32_t id, const struct addr *a,
                        bool incoming)
{
    uint32_t slot = slots_find_free(w);
    w->slots.gen[slot]++;
    if (w->slots.gen[slot] == 0) {
        w->slots.gen[slot] = 1;
    }
    uint32_t conn = (uint32_t)w->slots.gen[slot] << 16 | slot;
    struct peer *p = peer_new(conn, id, a, incoming, w->clock.now_ms);
    w->slots.peer[slot] = p;
    HASH_ADD(hh, w->slots.by_id, id, sizeof p->id, p);
    w->count.peers++;
    if (!incoming) {
        w->count.connecting++;
    }
    return p;
}

/* Its slot stays taken until the sweep, so the driver closes the old connection
 * before a new one has the slot. */
void slots_close(struct swarm *w, struct peer *p)
{
    p->phase = PEER_CLOSED;
    HASH_DELETE(hh, w->slots.by_id, p);
    slots_set_lacking(w, p, false);
    w->count.peers--;
    p->next_closed = w->slots.closed;
    w->slots.closed = p;
}

void slots_set_lacking(struct swarm *w, struct peer *p, bool lacks)
{
    struct swarm_lacking *l = &w->lacking;
    uint32_t at = p->have.lacks_at;
    if (lacks && at == 0) {
        l->list = vec_room(l->list, l->n, &l->cap, sizeof(struct peer *));
        l->list[l->n++] = p;
        p->have.lacks_at = l->n;
    } else if (!lacks && at > 0) {
        l->list[at - 1] = l->list[--l->n];
        l->list[at - 1]->have.lacks_at = at;
        p->have.lacks_at = 0;
    }
}

/* Takes it off the list of those with output. */
static void slots_forget_output(struct swarm *w, const struct peer *p)
{
    for (uint32_t i = 0; p->wire.out_listed && i < w->output.n; i++) {
        if (w->output.list[i] == p) {
            w->output.list[i] = w->output.list[--w->output.n];
            break;
        }
    }
    if (w->output.sending == p) {
        w->output.sending = NULL;
    }
}

void slots_sweep(struct swarm *w)
{
    while (w->slots.closed != NULL) {
        struct peer *p = w->slots.closed;
        w->slots.closed = p->next_closed;
        w->slots.peer[p->conn & SLOTS_MASK] = NULL;
        slots_forget_output(w, p);
        peer_free(p);
    }
}

void slots_output(struct swarm *w, struct peer *p)
{
    struct swarm_output *o = &w->output;
    if (p->wire.out_listed || p->phase == PEER_CLOSED) {
        return;
    }
    o->list = vec_room(o->list, o->n, &o->cap, sizeof(struct peer *));
    o->list[o->n++] = p;
    p->wire.out_listed = true;
}

void slots_fini(struct swarm *w)
{
    slots_sweep(w);
    free(w->slots.peer);
    free(w->slots.gen);
    free(w->output.list);
    free(w->lacking.list);
}
