/* The UDP side of a run; see reach.h. */
#include "engine/reach.h"

#include "base/log.h"
#include "base/mem.h"
#include "journal/ways.h"
#include <stdlib.h>

struct reach {
    struct udp *udp;                   /* owns; NULL: none could be opened */
    struct resolve *resolve;           /* owns */
    struct udp_trackers *udp_trackers; /* owns */
    struct nodes *nodes;               /* owns; NULL: no DHT */
    struct neighbours *neighbours;     /* owns; NULL: no local discovery */
};

/* The journal is told which ways this run uses. */
static void reach_tell(struct engine *s, const struct reach *r)
{
    struct err e = {0};
    bool dht = r->nodes != NULL;
    if (journal_set_ways(s->db, dht && udp_has_family(r->udp, ADDR_V4),
                         dht && udp_has_family(r->udp, ADDR_V6),
                         !s->o.reach.no_pex, r->neighbours != NULL, &e) != 0) {
        log_write(LOG_WARN, "engine", "cannot journal how peers are found: %s",
                  e.msg);
    }
}

struct reach *reach_open(struct engine *s, const struct tcp_host_options *host)
{
    struct err e = {0};
    struct reach *r = mem_zalloc(sizeof *r);
    r->udp = udp_new(s->loop, host, s->shared.swarm.port, &e);
    if (r->udp == NULL) {
        log_write(LOG_WARN, "udp", "no UDP: %s", e.msg);
    }
    r->resolve = resolve_new(s->loop, NULL);
    struct udp_trackers_options o = {.loop = s->loop,
                                     .udp = r->udp,
                                     .resolve = r->resolve,
                                     .rng = &s->rng,
                                     .allow_local = s->o.reach.allow_local};
    r->udp_trackers = udp_trackers_new(&o);
    s->shared.swarm.allow_local = s->o.reach.allow_local;
    if (!s->o.reach.no_dht && !s->o.check_only) {
        r->nodes = nodes_open(s, r->udp, r->resolve);
    }
    if (r->nodes != NULL) {
        s->shared.swarm.has_dht = true;
    }
    if (!s->o.reach.no_lsd && !s->o.check_only) {
        r->neighbours = neighbours_open(s, host);
    }
    if (!s->o.check_only) {
        reach_tell(s, r);
    }
    return r;
}

void reach_close(struct reach *r)
{
    if (r == NULL) {
        return;
    }
    neighbours_close(r->neighbours);
    nodes_close(r->nodes);
    udp_trackers_free(r->udp_trackers);
    udp_free(r->udp);
    resolve_free(r->resolve);
    free(r);
}

struct udp_trackers *reach_udp_trackers(struct reach *r)
{
    return r->udp_trackers;
}

struct nodes *reach_nodes(struct reach *r)
{
    return r->nodes;
}

struct neighbours *reach_neighbours(struct reach *r)
{
    return r->neighbours;
}
