/* Reading for people: the views of the schema. */
#ifndef BTC_JOURNAL_VIEWS_H
#define BTC_JOURNAL_VIEWS_H

#include "base/bytes.h"
#include "journal/journal.h"

enum journal_type {
    JOURNAL_NULL,
    JOURNAL_INT,
    JOURNAL_REAL,
    JOURNAL_TEXT,
    JOURNAL_BLOB
};
struct journal_value {
    const char *column; /* its name */
    enum journal_type type;
    int64_t i;
    double real;
    struct slice text; /* TEXT and BLOB */
};
/* One call per row; a value other than 0 ends the query and is given back. */
typedef int journal_row_fn(void *ctx, const struct journal_value *v, size_t n);
/* SELECT * FROM a view of INTERFACE (checked against a list: progress,
 * file_progress, piece_map, peer_list, tracker_list, way_list, storage_list,
 * log, why), for one torrent (0 = all), `limit` rows (0 = all; for log the
 * newest). */
int journal_query_view(struct journal *db, const char *view, int64_t id,
                       int64_t limit, journal_row_fn *fn, void *ctx,
                       struct err *e);

#endif
