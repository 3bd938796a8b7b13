/* Aligned tables. Cells are filled row by row; on a terminal that is too narrow
 * columns are dropped by priority and long texts are cut with an ellipsis. */
#ifndef BTC_FRONT_TABLE_H
#define BTC_FRONT_TABLE_H

#include "front/term.h"
#include "front/text.h"

struct front_column {
    const char *title;
    bool right;    /* numbers */
    unsigned drop; /* 0 = never dropped; the largest goes first */
    size_t min;    /* may be cut down to so many columns; 0 = never cut */
    bool end;      /* what is cut keeps its end */
};

struct front_table;

/* `columns` is borrowed. */
struct front_table *front_table_new(const struct front_column *columns,
                                    size_t n);
void front_table_free(struct front_table *t); /* NULL allowed */
/* The next cell; NULL is "-". */
void front_table_cell(struct front_table *t, const char *text);
size_t front_table_rows(const struct front_table *t);
/* Title line and rows, each ended by a newline. */
void front_table_render(const struct front_table *t,
                        const struct front_screen *s, struct front_text *out);
void front_table_print(const struct front_table *t,
                       const struct front_screen *s, FILE *f);

#endif
