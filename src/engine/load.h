/* The objects of a torrent: made from its rows, and freed. */
#ifndef BTC_ENGINE_LOAD_H
#define BTC_ENGINE_LOAD_H

#include "engine/internal.h"

/* NULL when the run does not know the id. */
struct engine_torrent *engine_load_find(const struct engine *s, int64_t id);
/* Takes the row's strings over. */
struct engine_torrent *engine_load_new(struct engine *s,
                                       struct journal_torrent *row);
void engine_load_free(struct engine_torrent *st);
/* Reads all rows; on any thread, while the core of a magnet may go on. Of `st`
 * it reads only the id, and what it has read waits to be taken. */
void engine_load_rows(struct engine_torrent *st, struct journal *db);
/* On the loop thread, when that is done: the journal and the reports look at
 * the stat while others are being read. Gives the code of `e`, which tells why
 * not all could be read. */
int engine_load_take(struct engine_torrent *st, struct err *e);
/* The store and the core, from the rows; a core that runs learns them. */
void engine_load_open(struct engine_torrent *st);
/* Frees all but the row and the journal's batches. */
void engine_load_unload(struct engine_torrent *st);
/* The core takes the files' priorities. */
void engine_load_priorities(struct engine_torrent *st);

#endif
