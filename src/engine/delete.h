/* Deleting the files of a torrent that is taken away: what the engine and the
 * public interface share. */
#ifndef BTC_ENGINE_DELETE_H
#define BTC_ENGINE_DELETE_H

#include "journal/batch.h"
#include "journal/removal.h"
#include "store/store.h"

/* The store of the files that the step JOURNAL_REMOVAL_DELETE names. NULL when
 * the rows lead out of the save path. */
struct store_tree *delete_store(struct store *d,
                                const struct journal_removal *r, struct err *e);
/* The files that no other torrent has; caller bits_fini. */
int delete_select(const struct journal_removal *r, struct bits *out,
                  struct err *e);
/* Which file on disk is the torrent's, per file; caller frees. */
struct fingerprint *delete_owned(const struct journal_removal *r);
/* What the DELETE of those files came to: 0, or why the rows must stay. */
int delete_judge(const struct journal_removal *r, const struct store_job *job,
                 struct err *e);
/* What stays of them in the folder, as rows of the log. */
void delete_note(struct journal_batch *b, const struct store_stays *stays);

#endif
