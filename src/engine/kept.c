/* Wishes about the parts of a torrent; see kept.h. */
#include "engine/kept.h"

#include "base/mem.h"
#include "engine/load.h"
#include "engine/turn.h"

#include <stdlib.h>

/* Priorities; true when a file is wanted now that was not. */
static bool kept_priorities(struct engine_torrent *st,
                            const struct journal_wish_items *items)
{
    bool more = false, other = false;
    for (size_t i = 0; i < items->n_files; i++) {
        const struct journal_wish_file *w = &items->files[i];
        if (st->rows.state == NULL || w->file >= st->rows.n_files) {
            continue;
        }
        struct journal_file_state *f = &st->rows.state[w->file];
        if (f->priority != w->priority && !st->geom.files[w->file].pad) {
            more |= f->priority == 0;
            other = true;
            f->priority = w->priority;
        }
    }
    if (other && st->meta != NULL) {
        engine_load_priorities(st);
    }
    return more;
}

/* Peers and trackers that somebody added. */
static void kept_sources(struct engine_torrent *st,
                         const struct journal_wish_items *items)
{
    for (size_t i = 0; i < items->n_peers; i++) {
        const struct journal_peer *p = &items->peers[i];
        struct addr a;
        if (addr_parse_ip(slice_str(p->address), p->port, &a)) {
            torrent_add_peer(st->t, &a, PEER_SOURCE_USER, NULL);
        }
    }
    for (size_t i = 0; i < items->n_trackers; i++) {
        (void)torrent_add_tracker(st->t, items->trackers[i].url,
                                  items->trackers[i].tier);
    }
}

void kept_wish(struct engine_torrent *st, struct journal_wish_items *items)
{
    if (st->life.state == LIFE_LOADING) {
        if (st->rows.kept == NULL) {
            st->rows.kept = mem_zalloc(sizeof(*st->rows.kept));
        }
        journal_wish_items_append(st->rows.kept, items);
    } else if (st->t != NULL) {
        if (kept_priorities(st, items)) {
            turn_post(st, LIFE_AGAIN); /* they must be made first */
        }
        kept_sources(st, items);
    }
}

void kept_take(struct engine_torrent *st)
{
    if (st->rows.kept != NULL) {
        (void)kept_priorities(st, st->rows.kept);
        kept_sources(st, st->rows.kept);
        journal_wish_items_fini(st->rows.kept);
        free(st->rows.kept);
        st->rows.kept = NULL;
    }
}
