/* Aligned tables. Widths: each column as wide as its widest cell; then columns
 * are dropped until the rest fits with its flexible columns at their least, and
 * the flexible ones share what is left. */
#include "front/table.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/vec.h"

#include <stdlib.h>
#include <string.h>

#define FRONT_TABLE_GAP 2 /* spaces between columns */

struct front_table {
    const struct front_column *columns; /* borrows */
    size_t n_columns;
    char **cells; /* owns; row by row */
    size_t n_cells;
    uint32_t cap;
};

/* An empty table. */
struct front_table *front_table_new(const struct front_column *columns,
                                    size_t n)
{
    struct front_table *t = mem_calloc(1, sizeof(*t));

    t->columns = columns;
    t->n_columns = n;
    return t;
}

/* Frees the cells, too. */
void front_table_free(struct front_table *t)
{
    if (t == NULL) {
        return;
    }
    for (size_t i = 0; i < t->n_cells; i++) {
        free(t->cells[i]);
    }
    free(t->cells);
    free(t);
}

/* Copies the text into the next cell. */
void front_table_cell(struct front_table *t, const char *text)
{
    struct front_text clean = {0};

    t->cells = vec_room(t->cells, t->n_cells, &t->cap, sizeof(char *));
    front_text_clean(&clean, front_text_or(text, "-"), true);
    t->cells[t->n_cells++] = clean.data; /* the table's from here on */
}

/* Complete rows. */
size_t front_table_rows(const struct front_table *t)
{
    return t->n_cells / t->n_columns;
}

/* Columns that one cell of column `c` may take at least. */
static size_t front_table_least(const struct front_table *t,
                                const size_t *widths, size_t c)
{
    size_t min = t->columns[c].min;

    if (min == 0 || widths[c] < min) {
        return widths[c];
    }
    return min;
}

/* Width of the shown columns, flexible ones at their least or at full width. */
static size_t front_table_total(const struct front_table *t,
                                const size_t *widths, const bool *shown,
                                bool least)
{
    size_t total = 0;

    for (size_t c = 0; c < t->n_columns; c++) {
        if (!shown[c]) {
            continue;
        }
        if (total > 0) {
            total += FRONT_TABLE_GAP;
        }
        if (least) {
            total += front_table_least(t, widths, c);
        } else {
            total += widths[c];
        }
    }
    return total;
}

/* Takes away the shown column that goes first; false = none may go. */
static bool front_table_drop(const struct front_table *t, bool *shown)
{
    size_t worst = t->n_columns;

    for (size_t c = 0; c < t->n_columns; c++) {
        if (shown[c] && t->columns[c].drop > 0 &&
            (worst == t->n_columns ||
             t->columns[c].drop >= t->columns[worst].drop)) {
            worst = c;
        }
    }
    if (worst == t->n_columns) {
        return false;
    }
    shown[worst] = false;
    return true;
}

/* Makes the widest flexible column one narrower; false = none can be. */
static bool front_table_squeeze(const struct front_table *t, size_t *widths,
                                const bool *shown)
{
    size_t widest = t->n_columns;

    for (size_t c = 0; c < t->n_columns; c++) {
        if (shown[c] && front_table_least(t, widths, c) < widths[c] &&
            (widest == t->n_columns || widths[c] > widths[widest])) {
            widest = c;
        }
    }
    if (widest == t->n_columns) {
        return false;
    }
    widths[widest]--;
    return true;
}

/* Decides which columns are shown and how wide. */
static void front_table_layout(const struct front_table *t, size_t width,
                               size_t *widths, bool *shown)
{
    for (size_t c = 0; c < t->n_columns; c++) {
        shown[c] = true;
        widths[c] = front_text_width(t->columns[c].title);
    }
    for (size_t i = 0, c = 0; i < t->n_cells; i++) {
        size_t w = front_text_width(t->cells[i]);
        widths[c] = num_max(widths[c], w);
        c++;
        if (c == t->n_columns) {
            c = 0;
        }
    }
    if (width == 0) {
        return;
    }
    while (front_table_total(t, widths, shown, true) > width) {
        if (!front_table_drop(t, shown)) {
            break;
        }
    }
    while (front_table_total(t, widths, shown, false) > width) {
        if (!front_table_squeeze(t, widths, shown)) {
            break;
        }
    }
}

/* A cell no wider than its column; the columns that it takes. */
static size_t front_table_fit(const struct front_column *column,
                              struct front_text *cell, const char *text,
                              size_t width, bool utf8)
{
    if (column->end) {
        return front_text_fit_end(cell, text, width, utf8);
    }
    return front_text_fit(cell, text, width, utf8);
}

/* One line: `cell(c)` for each shown column, without blanks at its end. */
static void front_table_line(const struct front_table *t, char *const *cells,
                             const size_t *widths, const bool *shown,
                             const struct front_screen *s,
                             struct front_text *out)
{
    struct front_text cell = {0};
    size_t blanks = 0;

    for (size_t c = 0; c < t->n_columns; c++) {
        if (!shown[c]) {
            continue;
        }
        front_text_clear(&cell);
        const struct front_column *column = &t->columns[c];
        const char *text = column->title;
        if (cells != NULL) {
            text = cells[c];
        }
        size_t used = front_table_fit(column, &cell, text, widths[c], s->utf8);
        size_t pad = num_sub(widths[c], used);
        if (column->right) {
            blanks += pad;
            pad = 0;
        }
        front_text_repeat(out, " ", blanks);
        front_text_puts(out, front_text_str(&cell));
        blanks = FRONT_TABLE_GAP + pad;
    }
    front_text_free(&cell);
}

/* The whole table as text. */
void front_table_render(const struct front_table *t,
                        const struct front_screen *s, struct front_text *out)
{
    size_t *widths = mem_calloc(t->n_columns, sizeof(*widths));
    bool *shown = mem_calloc(t->n_columns, sizeof(*shown));

    front_table_layout(t, s->width, widths, shown);
    front_text_puts(out, front_term_colour(s, FRONT_COLOUR_BOLD));
    front_table_line(t, NULL, widths, shown, s, out);
    front_text_puts(out, front_term_colour(s, FRONT_COLOUR_NONE));
    front_text_puts(out, "\n");
    for (size_t row = 0; row < front_table_rows(t); row++) {
        front_table_line(t, t->cells + row * t->n_columns, widths, shown, s,
                         out);
        front_text_puts(out, "\n");
    }
    free(widths);
    free(shown);
}

/* Prints the table. */
void front_table_print(const struct front_table *t,
                       const struct front_screen *s, FILE *f)
{
    struct front_text out = {0};

    front_table_render(t, s, &out);
    fputs(front_text_str(&out), f);
    front_text_free(&out);
}
