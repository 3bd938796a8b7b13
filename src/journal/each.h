/* The rows of a query one by one, as values. For the journal's own files. */
#ifndef BTC_JOURNAL_EACH_H
#define BTC_JOURNAL_EACH_H

#include "journal/views.h"

#include <sqlite3.h>

/* Most columns that a view has; the widest has about 40. */
#define JOURNAL_COLUMNS_MAX 64

/* Gives all rows of a bound statement to `fn`, then finalizes it. */
int journal_each_row(struct journal *db, sqlite3_stmt *s, journal_row_fn *fn,
                     void *ctx, struct err *e);

#endif
