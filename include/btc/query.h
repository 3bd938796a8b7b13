/* Reading what stands in a database. Part of btc.h. */
#ifndef BTC_BTC_QUERY_H
#define BTC_BTC_QUERY_H

#include <btc/database.h>
#include <stddef.h>

enum btc_type {
    BTC_NULL,
    BTC_INT,
    BTC_REAL,
    BTC_TEXT
};
struct btc_value {
    const char *column;
    enum btc_type type;
    int64_t i;
    double real;
    const char *text;
};
/* Other than 0 ends the query and is given back. */
typedef int btc_row_fn(void *ctx, const struct btc_value *v, size_t n);
/* A view of the SQL interface: "progress", "file_progress", "piece_map",
 * "peer_list", "tracker_list", "way_list", "storage_list", "log". id 0: all
 * torrents; limit 0: all rows (the newest for log). */
BTC_API int btc_query(struct btc *b, const char *view, int64_t id,
                      int64_t limit, btc_row_fn *fn, void *ctx,
                      struct btc_error *e);

/* A drawing of the pieces: `n` cells, each a stretch of pieces. */
struct btc_cell {
    uint8_t done;     /* share verified, 0..8 (8 only when all are) */
    uint8_t active;   /* 1 when a piece in it is under way or partial */
    uint8_t checking; /* 1 when a piece in it is being hashed */
};
/* Inside btc_run's callback from memory, else from the journal. */
BTC_API int btc_map(struct btc *b, int64_t id, struct btc_cell *cells, size_t n,
                    struct btc_error *e);

#endif
