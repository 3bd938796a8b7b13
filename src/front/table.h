/* Aligned tables. Cells are filled row by row; on a terminal that is too narrow
 * columns are dropped by priority and long texts are cut with an ellipsis. */
#ifndef BTC_FRONT_TABLE_H
#define BTC_FRONT_TABLE_H

#include "front/term.h"
#include "front/text.h"

struct cli_column {
    const char *title;
    bool right;    /* numbers */
    unsigned drop; /* 0 = never dropped; the largest goes first */
    size_t min;    /* may be cut down to so many columns; 0 = never cut */
    bool end;      /* what is cut keeps its end */
};

struct cli_table;

/* `columns` is borrowed. */
struct cli_table *cli_table_new(const struct cli_column *columns, size_t n);
void cli_table_free(struct cli_table *t); /* NULL allowed */
/* The next cell; NULL is "-". */
void cli_table_cell(struct cli_table *t, const char *text);
size_t cli_table_rows(const struct cli_table *t);
/* Title line and rows, each ended by a newline. */
void cli_table_render(const struct cli_table *t, const struct cli_screen *s,
                      struct cli_text *out);
void cli_table_print(const struct cli_table *t, const struct cli_screen *s,
                     FILE *f);

#endif
