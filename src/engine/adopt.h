/* Which of the files on disk are the torrent's own: those that the journal has
 * seen (journal_file.has_print). One that somebody has put in the place of such
 * a file is his (judge.c takes the fingerprint away). A file that is there and
 * not known may be a copy of the data or somebody's letters. It is taken over
 * when a whole piece matches, or when there is nothing in it but what the
 * journal has as blocks of unfinished pieces (a copy of a file that is half
 * here); else the torrent is refused, because writing would destroy what is
 * there. A file in which others have data (others.h), known or not, must be
 * whole: then it is shared, and nothing is written to it. */
#ifndef BTC_ENGINE_ADOPT_H
#define BTC_ENGINE_ADOPT_H

#include "engine/internal.h"

/* 0: go on. BTC_E_EXISTS: the text names a file that may not be written.
 * BTC_E_CANCELLED: the wish has changed. Others: a disk or the database. */
typedef void adopt_done_fn(struct engine_torrent *st, int code,
                           const char *text);

/* Where a file is. One that is not wanted and that btc has not made is kept out
 * of sight (row `part`): what is written of it is only there for its neighbours
 * in a piece. */
/* `startup.adopt.taken` has room for all files; `own` is filled when the result
 * points to it. */
struct store_file adopt_place(struct engine_torrent *st, uint32_t file,
                              struct fingerprint *own);
/* After STAT: the files that it has taken to their place, and those that it has
 * found there, stay there. Of `startup.adopt.taken` those stay that an earlier
 * run has moved, that were not as the journal has seen them, or that are in
 * neither place. */
void adopt_home(struct engine_torrent *st, const struct fingerprint *prints);
/* The storage is there: what is in neither place is gone, and `taken` with it.
 * While the storage is away nobody knows, and the rows stay. */
void adopt_gone(struct engine_torrent *st);
/* A file was wished for since: it is out of sight still. */
bool adopt_is_stale(const struct engine_torrent *st);

/* Looks at the files in `strangers`, which it takes over; of their pieces only
 * those in `candidates` are hashed (NULL: all; borrows until done). Counts as a
 * job of the torrent until `done` is called, on the loop thread, maybe at once.
 */
void adopt_look(struct engine_torrent *st, struct bits *strangers,
                const struct bits *candidates, adopt_done_fn *done);

#endif
