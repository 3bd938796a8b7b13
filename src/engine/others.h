/* Files on disk in which others have data: other torrents, by a hard link, a
 * mount or another spelling of the save path, or another file of the same one.
 * Such a file may be read; what would write to it would cost them their data,
 * and the journal would go on claiming it. */
#ifndef BTC_ENGINE_OTHERS_H
#define BTC_ENGINE_OTHERS_H

#include "engine/internal.h"
#include "journal/owner.h"

typedef void others_done_fn(struct engine_torrent *st);
/* `o` has the file (borrows until the call returns); NULL: that was all. */
typedef void others_who_fn(void *ctx, const struct journal_other *o);

/* Asks the journal about the files of `prints` that may be written to; which of
 * those that it names are the same file is not looked at. Counts as a job of
 * the torrent until `done` is called, on the loop thread, maybe at once. */
void others_find(struct engine_torrent *st, const struct fingerprint *prints,
                 others_done_fn *done);
/* The same of the `n` files, which it frees, and those that the journal names
 * are looked at: `fn` is called for the first other of each file that has one,
 * then with NULL. */
void others_who(struct engine_torrent *st, struct journal_owned *files,
                size_t n, others_who_fn *fn, void *ctx);
/* The piece is claimed, and that is not in doubt. */
bool others_trust(const struct engine_torrent *st, uint32_t piece);
/* A piece of the file is missing, or maybe not good. */
bool others_may_write(const struct engine_torrent *st, uint32_t file);
void others_forget(struct engine_torrent *st);
/* Sets the files in which others may have data. */
void others_mark(const struct engine_torrent *st, struct bits *files);
/* Those of one file stand together: the first, and how many. */
const struct journal_other *others_of(const struct engine_torrent *st,
                                      uint32_t file, size_t *n);
/* For LOOK; free(). It borrows the paths. */
struct store_look_place *others_places(const struct journal_other *list,
                                       size_t n);
/* The file is another's, too: from here on nothing is written to it. */
void others_forbid(struct engine_torrent *st, const struct journal_other *o);
/* Why, and what a person can do, after a path and ": ". */
void others_text(const struct engine_torrent *st, const struct journal_other *o,
                 char *text, size_t size);

#endif
