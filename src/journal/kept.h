/* Statements that are kept between two uses: for SQL that runs often, where to
 * prepare it would cost more than to run it. Whoever takes one binds, steps and
 * gives it back; it comes without bindings. Not for SQL with values in its
 * text.
 */
#ifndef BTC_JOURNAL_KEPT_H
#define BTC_JOURNAL_KEPT_H

#include "base/err.h"

#include <sqlite3.h>
#include <stddef.h>

struct journal;

/* Most that are kept; adding a torrent takes about 25. */
#define JOURNAL_KEPT_MAX 48

struct journal_kept {
    sqlite3_stmt *idle[JOURNAL_KEPT_MAX]; /* own; reset, without bindings */
    size_t n;
    size_t next; /* the one that makes room when all places are taken */
};

/* A statement that is run often: give it back, do not finalize it. */
int journal_take(struct journal *db, const char *sql, sqlite3_stmt **out,
                 struct err *e);
/* Resets it and keeps it for the next one; NULL allowed. */
void journal_give(struct journal *db, sqlite3_stmt *s);
/* Before the connection is closed. */
void journal_drop_kept(struct journal *db);

#endif
