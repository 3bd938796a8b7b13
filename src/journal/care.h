/* Care of the database: is it whole, and how it is copied, brought back, mended
 * and saved. For people who ask for it; the engine needs none of this. */
#ifndef BTC_JOURNAL_CARE_H
#define BTC_JOURNAL_CARE_H

#include "journal/views.h"

/* Behind FILE: where a new one is made. */
#define JOURNAL_MADE_RESTORE ".restore"
#define JOURNAL_MADE_SALVAGE ".salvage"
/* Makes rows of torrent_stat that somebody deleted anew from the others. */
int journal_heal_stats(struct journal *db, struct err *e);
int journal_check(struct journal *db, journal_row_fn *fn, void *ctx,
                  struct err *e);
/* integrity_check, the schema, and rows that belong to nothing; BTC_E_DB with
 * rows given */
int journal_check_form(struct journal *db, journal_row_fn *fn, void *ctx,
                       struct err *e);
/* the first two of them */
int journal_check_schema(struct journal *db, journal_row_fn *fn, void *ctx,
                         struct err *e);
/* Has it all tables, columns, indexes, views and triggers of its version, and
 * do the last three say what they are to say? BTC_E_DB with a sentence given
 * for each that is missing or another. Takes a few milliseconds; reads no row.
 */
int journal_check_mend(struct journal *db, journal_row_fn *fn, void *ctx,
                       struct err *e);
/* Makes views, triggers and indexes that are missing or others, in the caller's
 * transaction, and names each; BTC_E_DB when more is missing than these. */
int journal_check_torrents(struct journal *db, journal_row_fn *fn, void *ctx,
                           struct err *e);
/* have all torrents their rows of the tables that each needs; BTC_E_DB with a
 * sentence given for each that lacks one */
int journal_check_ids(struct journal *db, journal_row_fn *fn, void *ctx,
                      struct err *e);
/* has each table numbers for further rows; BTC_E_DB with a sentence given for
 * each that has none */
int journal_backup(struct journal *db, const char *to, struct err *e);
/* online; BTC_E_EXISTS when `to` is there */
/* Makes views, triggers and indexes that are missing or others, deletes rows
 * that belong to nothing, gives numbers back that are used up, makes
 * missing rows of torrent_stat and the indexes anew. `fn` (NULL allowed) hears
 * a row for each thing that was made, a text. The caller holds the engine lock.
 */
int journal_repair(struct journal *db, journal_row_fn *fn, void *ctx,
                   int64_t *n_deleted, struct err *e);
/* Puts a checked copy of the backup `from` in the place of the database,
 * without rows that belong to nothing. What
 * stood there is kept as *aside (malloc; NULL: nothing did), its log beside it.
 * `from` may be the database itself: then only a log that belongs to another
 * file goes aside. LOCKED while an engine runs. */
int journal_restore(const char *path, const char *from, unsigned flags,
                    char **aside, struct err *e);
struct journal_salvaged {
    char *aside; /* the damaged file's new name; malloc */
    int64_t n_torrents;
    int64_t n_rows;    /* taken over */
    int64_t n_refused; /* read, but of no use */
    int64_t n_torn;    /* tables that could not be read whole */
};
/* A new database from what can be read of a damaged one. */
int journal_salvage(const char *path, unsigned flags,
                    struct journal_salvaged *out, struct err *e);
const char *journal_schema_text(void); /* all migrations, as SQL */

#endif
