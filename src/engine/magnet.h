/* A torrent of a run whose info dictionary has to come from peers first.
 *
 * It runs with a core that has no content. Pieces of the dictionary are
 * journaled as they come; when it is whole, what was wished meanwhile is
 * applied, identity, dictionary and files are journaled in one transaction, and
 * the torrent begins anew as any other, but for its core: that goes on with the
 * connections that it has.
 */
#ifndef BTC_ENGINE_MAGNET_H
#define BTC_ENGINE_MAGNET_H

#include "engine/internal.h"

/* On the database thread, when there is no info dictionary: what is known of
 * the magnet. *out is NULL when the torrent is none. */
int magnet_load(struct journal *db, int64_t id, struct magnet_state **out,
                struct err *e);
void magnet_free_state(struct magnet_state *m); /* NULL allowed */
/* The core is open: it takes what was journaled. */
void magnet_restore(struct engine_torrent *st);
/* FACT_METADATA, FACT_METADATA_LOST, NOTIFY_METADATA. */
void magnet_piece(struct engine_torrent *st, uint32_t piece);
void magnet_lost(struct engine_torrent *st);
void magnet_whole(struct engine_torrent *st);

#endif
