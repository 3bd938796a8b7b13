/* Peer exchange (BEP 11): differences to tell, and bounds on what is taken.
 *
 * The set of those told and the list of those connected are both ascending, so
 * one walk over both finds who came and who left.
 */
#include "core/swarm/pex.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(PEX_MESSAGE_MAX <= UT_PEX_MAX_PEERS, "a message holds them");

/* Any total order will do; this one is cheap. */
static int pex_compare(const struct addr *a, const struct addr *b)
{
    return memcmp(a, b, sizeof *a);
}

static int pex_compare_peers(const void *a, const void *b)
{
    const struct ut_pex_peer *x = a;
    const struct ut_pex_peer *y = b;

    return pex_compare(&x->addr, &y->addr);
}

void pex_sort(struct ut_pex_peer *live, uint32_t n)
{
    if (n > 1) {
        qsort(live, n, sizeof *live, pex_compare_peers);
    }
}

void pex_out_init(struct pex_out *o)
{
    *o = (struct pex_out){.told = NULL};
}

void pex_out_fini(struct pex_out *o)
{
    free(o->told);
    *o = (struct pex_out){.told = NULL};
}

/* The walk over those told and those connected. */
struct pex_walk {
    struct pex_out *o;
    struct ut_pex *msg;
    const struct addr *self;
    struct addr *told; /* owns; the new set */
    uint32_t n_told;
};

/* One that was told and is gone: it is dropped, or stays told until a message
 * has room for it. */
static void pex_walk_gone(struct pex_walk *w, const struct addr *a)
{
    if (w->msg->n_dropped < PEX_MESSAGE_MAX) {
        w->msg->dropped[w->msg->n_dropped++] = *a;
    } else {
        w->told[w->n_told++] = *a;
    }
}

/* One that is connected and not told. The bound on the set counts those who
 * were in it before, so it never overflows while some wait to be dropped. */
static void pex_walk_new(struct pex_walk *w, const struct ut_pex_peer *peer)
{
    if (w->n_told > 0 && addr_eq(&w->told[w->n_told - 1], &peer->addr)) {
        return; /* a second connection to the same peer */
    }
    if (w->msg->n_added < PEX_MESSAGE_MAX &&
        w->o->n_told + w->msg->n_added < PEX_TOLD_MAX &&
        !addr_eq(&peer->addr, w->self)) {
        w->msg->added[w->msg->n_added++] = *peer;
        w->told[w->n_told++] = peer->addr;
    }
}

static void pex_walk_run(struct pex_walk *w, const struct ut_pex_peer *live,
                         uint32_t n_live)
{
    const struct pex_out *o = w->o;
    uint32_t i = 0;
    uint32_t k = 0;

    while (i < o->n_told || k < n_live) {
        int order = i < o->n_told ? -1 : 1;

        if (i < o->n_told && k < n_live) {
            order = pex_compare(&o->told[i], &live[k].addr);
        }
        if (order < 0) {
            pex_walk_gone(w, &o->told[i]);
        } else if (order > 0) {
            pex_walk_new(w, &live[k]);
        } else {
            w->told[w->n_told++] = o->told[i];
        }
        i += order <= 0;
        k += order >= 0;
    }
}

bool pex_out_next(struct pex_out *o, const struct ut_pex_peer *live,
                  uint32_t n_live, const struct addr *self, uint64_t now_ms,
                  struct ut_pex *msg)
{
    struct pex_walk w = {.o = o, .msg = msg, .self = self};

    msg->n_added = 0;
    msg->n_dropped = 0;
    if (now_ms < o->next_ms) {
        return false;
    }
    w.told = mem_array(o->n_told + PEX_MESSAGE_MAX, sizeof *w.told);
    pex_walk_run(&w, live, n_live);
    free(o->told);
    o->told = w.told;
    o->n_told = w.n_told;
    if (msg->n_added == 0 && msg->n_dropped == 0) {
        return false;
    }
    o->next_ms = now_ms + PEX_INTERVAL_MS;
    return true;
}

void pex_in_init(struct pex_in *in)
{
    *in = (struct pex_in){.n_messages = 0};
}

/* Whether the rules let us dial it at all. */
static bool pex_in_may(const struct pex_rules *rules, const struct addr *a)
{
    if (!addr_is_dialable(a)) {
        return false;
    }
    if (rules->allow_local) {
        return true;
    }
    if (addr_is_loopback(a)) {
        return false;
    }
    return !addr_is_local(a) || addr_is_local(&rules->sender);
}

/* Whether this sender named the host lately; it is remembered in any case. */
static bool pex_in_is_known(struct pex_in *in, const struct addr *a)
{
    struct addr host = *a;
    uint64_t hash = 0;
    uint32_t n = PEX_RECENT_MAX;
    if (in->n_hosts < PEX_RECENT_MAX) {
        n = in->n_hosts;
    }

    host.port = 0;
    hash = addr_hash(&host);
    for (uint32_t i = 0; i < n; i++) {
        if (in->host[i] == hash) {
            return true;
        }
    }
    in->host[in->n_hosts % PEX_RECENT_MAX] = hash;
    in->n_hosts++;
    return false;
}

/* Whether a message that comes now is looked at. */
static bool pex_in_is_early(const struct pex_in *in, uint64_t now_ms)
{
    return in->n_messages > 0 && now_ms - in->last_ms < PEX_EARLY_MS;
}

int pex_in_take(struct pex_in *in, const struct ut_pex *msg,
                const struct pex_rules *rules, uint64_t now_ms,
                struct ut_pex_peer out[PEX_MESSAGE_MAX])
{
    int n = 0;

    if (rules->is_private) {
        return BTC_E_PROTO;
    }
    if (pex_in_is_early(in, now_ms)) {
        in->n_early++;
        if (in->n_early > PEX_EARLY_MAX) {
            return BTC_E_PROTO;
        }
        return 0;
    }
    in->last_ms = now_ms;
    in->n_messages++;
    for (uint32_t i = 0; i < msg->n_added && n < PEX_MESSAGE_MAX; i++) {
        const struct ut_pex_peer *peer = &msg->added[i];

        if (pex_in_may(rules, &peer->addr) &&
            !pex_in_is_known(in, &peer->addr)) {
            out[n++] = *peer;
        }
    }
    return n;
}
