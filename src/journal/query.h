/* What the loaders have in common: a query, and its rows in a growing array.
 * For the journal's own files.
 */
#ifndef BTC_JOURNAL_QUERY_H
#define BTC_JOURNAL_QUERY_H

#include "journal/journal.h"

#include <sqlite3.h>
#include <stddef.h>

/* A growing array of rows of one size. */
struct journal_rows {
    void *p; /* owns */
    size_t n;
    size_t cap;
    size_t size; /* of a row */
};

/* Reads one row of a result into the zeroed row of the array. */
typedef void journal_read_fn(sqlite3_stmt *s, void *row);

/* Where a loader's rows come from and how they are read. */
struct journal_query {
    const char *sql;
    int64_t id;  /* ?1, when the query has one */
    int64_t max; /* ?2, the same */
    journal_read_fn *read;
    const char *text[2]; /* ?3 and ?4, the same */
};

/* Runs a query and reads all rows. What was read before an error is in `out`,
 * too. */
int journal_load(struct journal *db, const struct journal_query *q,
                 struct journal_rows *out, struct err *e);

#endif
