/* Care of a database: checking, mending, copies. Part of btc.h. */
#ifndef BTC_BTC_CARE_H
#define BTC_BTC_CARE_H

#include <btc/query.h>

/* Each problem is a row; DB when there was one. */
BTC_API int btc_db_check(struct btc *b, btc_row_fn *fn, void *ctx,
                         struct btc_error *e);
/* Deletes rows that belong to nothing and makes anew what holds no data of its
 * own: views, triggers and indexes that are missing or say something else, rows
 * of torrent_stat. `fn` hears a row with one text for each of these, the name
 * of what was made. LOCKED while an engine runs. */
BTC_API int btc_db_mend(struct btc *b, btc_row_fn *fn, void *ctx,
                        int64_t *n_deleted, struct btc_error *e);
/* The same without a word. */
BTC_API int btc_db_repair(struct btc *b, int64_t *n_deleted,
                          struct btc_error *e);
BTC_API int btc_db_backup(struct btc *b, const char *to, struct btc_error *e);
/* Puts a checked copy of the backup `from` in the place of the database at
 * `path` (NULL: btc_default_db), whatever is wrong with that one, and keeps
 * what stood there as *kept (malloc; NULL: nothing did). `from` may be the
 * database itself: then a log that does not belong to it goes aside. */
BTC_API int btc_db_restore(const char *path, const char *from, unsigned flags,
                           char **kept, struct btc_error *e);
struct btc_salvaged {
    char *kept; /* malloc; the damaged file's new name */
    int64_t n_torrents;
    int64_t n_rows;    /* taken over */
    int64_t n_refused; /* read, but of no use */
    int64_t n_torn;    /* tables that could not be read whole */
};
/* A new database from what can be read of a damaged one; what it says of data
 * on disk will be hashed before it is believed. */
BTC_API int btc_db_salvage(const char *path, unsigned flags,
                           struct btc_salvaged *out, struct btc_error *e);
BTC_API const char *btc_db_schema(void); /* the SQL of schema/ */

#endif
