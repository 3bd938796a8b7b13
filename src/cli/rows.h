/* Rows of a view: kept, found by column, shown as a table or as JSON. */
#ifndef BTC_CLI_ROWS_H
#define BTC_CLI_ROWS_H

#include "cli/cli.h"
#include "front/json.h"
#include "front/rows.h"
#include "front/table.h"

/* Kept rows. */
struct cli_rows;

/* All rows of a view for one torrent (0: all). NULL and `e` on failure. */
struct cli_rows *cli_rows_load(struct btc *b, const char *view, int64_t id,
                               int64_t limit, struct btc_error *e);
void cli_rows_free(struct cli_rows *r); /* NULL allowed */
size_t cli_rows_count(const struct cli_rows *r);
/* Keeps the rows whose `column` is one of the ids. */
void cli_rows_keep_ids(struct cli_rows *r, const char *column,
                       const int64_t *ids, size_t n);
/* Rows of `progress` when no engine runs: nothing moves, whatever a killed one
 * wrote last. */
void cli_rows_rest(struct cli_rows *r);
/* All rows, as front/json.h prints them. */
const struct front_rows *cli_rows_all(const struct cli_rows *r);
/* A few rows as an array: a new reference. */
json_t *cli_rows_json(const struct cli_rows *r);
/* NULL for null and for a column that is not there; valid as long as `r`. */
const char *cli_rows_text(const struct cli_rows *r, size_t row,
                          const char *column);
int64_t cli_rows_int(const struct cli_rows *r, size_t row, const char *column,
                     int64_t unknown);

/* A view as a command shows it. */
struct cli_rows_view {
    const char *view;
    const char *key; /* the list's name in the object */
    const struct front_column *columns;
    size_t n_columns;
    /* fills the cells of a row */
    void (*cells)(struct front_table *t, const struct cli_rows *r, size_t row);
    const char *nothing; /* what is said when there are no rows */
    int64_t limit;       /* 0 = all */
};
/* The whole command: the arguments' rows, or all. Exit status. */
int cli_rows_run(struct cli *c, const struct cli_rows_view *v);

/* Cells from a column; "-" for null. */
void cli_rows_cell(struct front_table *t, const struct cli_rows *r, size_t row,
                   const char *column);
void cli_rows_cell_size(struct front_table *t, const struct cli_rows *r,
                        size_t row, const char *column);
void cli_rows_cell_rate(struct front_table *t, const struct cli_rows *r,
                        size_t row, const char *column);
void cli_rows_cell_time(struct front_table *t, const struct cli_rows *r,
                        size_t row, const char *column);
/* A torrent of `progress` whose files are known, whatever its state: no magnet
 * that waits for them, is paused or has failed. True for rows without torrent.
 */
bool cli_rows_is_known(const struct cli_rows *r, size_t row);
void cli_rows_cell_share(struct front_table *t, const struct cli_rows *r,
                         size_t row, const char *done, const char *total);

#endif
