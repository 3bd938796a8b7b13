/* The pipelines of a run (core/durable/pipeline.h) for torrents of the engine:
 * where their files lie, their lane in the store, their batches. */
#ifndef BTC_ENGINE_PIPES_H
#define BTC_ENGINE_PIPES_H

#include "engine/internal.h"

void pipes_open(struct engine *s);
void pipes_close(struct engine *s); /* no torrent is left */
/* A torrent begins in the engine's. */
void pipes_join(struct engine_torrent *st);
/* Its files lie on the devices of the prints (n_files of them) and on `root`:
 * it belongs to their pipeline from now on, or as soon as nothing of it is
 * under way in the old one. */
void pipes_place(struct engine_torrent *st, uint64_t root,
                 const struct fingerprint *prints);
/* Where its commits are made. */
struct pipeline *pipes_of(const struct engine_torrent *st);
/* The torrent that a member belongs to. */
struct engine_torrent *pipes_torrent(struct commit_member *m);
/* The batch of the engine's own facts: what is true whatever a disk does and
 * whenever it is said (events, peers, trackers). */
struct journal_batch *pipes_free_facts(const struct engine *s);
/* The next commit of all comes soon. */
void pipes_hurry(struct engine *s);

/* See pipeline_begin_write. */
uint32_t pipes_begin_write(struct engine_torrent *st);
void pipes_end_write(struct engine *s, uint32_t ticket);

#endif
