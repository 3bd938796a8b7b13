/* A look at a torrent's inside: its books, and a dump for the one who repeats a
 * run that failed. */
#include "sim/sim_node.h"

#include "base/mem.h"
#include "core/content/internal.h"
#include "core/content/picker/internal.h"
#include "core/swarm/internal.h"
#include "core/torrent/internal.h"
#include <stdlib.h>
#include <string.h>

/* What is asked of the peers of a torrent: the picker knows each of them as an
 * asker, and nobody else. Gives the requests that hold memory. */
static uint32_t sim_torrent_books(struct sim_torrent *st)
{
    struct sim *s = st->node->s;
    const struct picker *k = sim_picker(st);
    uint32_t n = 0, n_known = 0;
    struct peer *p;
    SWARM_EACH_PEER(p, st->t->swarm)
    {
        uint32_t n_late = 0;
        for (uint32_t i = 0; i < p->window.n; i++) {
            n_late += peer_req_at(p, i)->late ? 1 : 0;
        }
        SIM_CHECK(s, n_late == p->window.n_late);
        n += p->window.n - n_late;
        n_known += p->rx.mem != NULL && !p->rx.late ? 1 : 0;
    }
    n_known += n;
    for (uint32_t i = 0; k != NULL && i < k->active.n; i++) {
        uint32_t piece = k->active.rows[i].piece;
        for (uint32_t b = 0; b < layout_n_blocks(&st->c->geom, piece); b++) {
            uint32_t askers[PICKER_MAX_ASKERS];
            size_t left =
                picker_askers(k, (struct picker_block){piece, b}, askers);
            SIM_CHECK(s, left <= n_known);
            n_known -= (uint32_t)left;
        }
    }
    return n;
}

/* See sim_node.h. */
void sim_node_check_books(struct sim_node *n)
{
    uint32_t reserved = 0;
    for (struct sim_torrent *st = n->torrents; st != NULL; st = st->next) {
        reserved += st->t != NULL ? sim_torrent_books(st) : 0;
    }
    SIM_CHECK(n->s, reserved == n->pool.reserved);
}

/* What the torrent's inside looks like, for the one who repeats the run. */
static void sim_torrent_dump_inside(const struct torrent *t, FILE *f)
{
    const struct suspect_piece *s;
    const struct peer *p;
    for (s = t->content != NULL ? t->content->suspects : NULL; s != NULL;
         s = s->hh.next) {
        (void)fprintf(f, "  suspect %u owner %u since %" PRIu64 "\n", s->piece,
                      s->owner, s->owned_ms);
    }
    SWARM_EACH_PEER(p, t->swarm)
    {
        (void)fprintf(f,
                      "  peer %u: snubbed %d, depth %u, %u out, arriving %d, "
                      "refused %u until %" PRIu64 ", last block %" PRIu64 "\n",
                      p->id, p->window.snubbed, p->window.depth, p->window.n,
                      p->rx.active, p->window.n_refused, p->window.from_ms,
                      p->time.block_ms);
    }
}

/* See sim_node.h. */
void sim_torrent_dump(const struct sim_torrent *st, FILE *f)
{
    struct torrent_stats ts;
    if (st->t == NULL) {
        return;
    }
    const struct picker *k = sim_picker(st);
    torrent_get_stats(st->t, st->node->s->now_ms, &ts);
    (void)fprintf(f,
                  "torrent: state %d, %u of %u pieces, %u wanted left, %u "
                  "active, %u checking, %u failed; %u peers, %u seeds, %u "
                  "connecting, %u known; pool %u + %u of %u; error %d\n",
                  torrent_state(st->t), ts.pieces_done, st->c->geom.n_pieces,
                  k != NULL ? picker_n_wanted_left(k) : 0,
                  k != NULL ? k->active.n : 0, ts.pieces_checking, st->n_failed,
                  ts.peers, ts.seeds, ts.connecting,
                  peerset_count(torrent_peerset(st->t)), st->node->pool.in_use,
                  st->node->pool.reserved, st->node->pool.max, st->error);
    sim_torrent_dump_inside(st->t, f);
    for (uint32_t i = 0; i < peerset_count(torrent_peerset(st->t)) && i < 12;
         i++) {
        const struct peerset_entry *e = peerset_at(torrent_peerset(st->t), i);
        struct swarm_peer_info info;
        char text[ADDR_TEXT_MAX];
        addr_format(&e->addr, text);
        (void)fprintf(
            f, "  %u %s state %d banned %d bad %u failures %u seed %d", e->id,
            text, e->state, e->banned, e->bad_pieces, e->failures, e->is_seed);
        if (torrent_peer_info(st->t, e->id, st->node->s->now_ms, &info)) {
            (void)fprintf(f, ": choking %d, we want it %d, %" PRIu64 " bytes/s",
                          info.choking, info.am_interested, info.down_rate);
        }
        (void)fprintf(f, "\n");
    }
}

/* See sim_node.h. */
void sim_set_priority(struct sim_torrent *st, uint32_t file, uint8_t prio)
{
    uint32_t n = st->c->geom.n_files;
    uint8_t *all = mem_alloc(n);
    memcpy(all, st->t->content->files.prio, n);
    all[file] = prio;
    torrent_set_priorities(st->t, all);
    free(all);
}
