/* Rows of a view, kept. */
#include "front/rows.h"

#include "base/mem.h"
#include "base/vec.h"

#include <stdlib.h>
#include <string.h>

struct front_cell {
    enum btc_type type;
    union {
        int64_t i;
        double real;
        size_t text; /* where it begins in `texts` */
    } u;
};

struct front_rows {
    char **names; /* own */
    size_t n_columns;
    struct front_cell *cells; /* owns; row by row */
    size_t n_cells;
    uint32_t cap;
    struct front_text texts; /* each ends with a NUL */
};

struct front_rows *front_rows_new(void)
{
    return mem_zalloc(sizeof(struct front_rows));
}

void front_rows_free(struct front_rows *r)
{
    if (r == NULL) {
        return;
    }
    for (size_t i = 0; i < r->n_columns; i++) {
        free(r->names[i]);
    }
    free(r->names);
    free(r->cells);
    front_text_free(&r->texts);
    free(r);
}

/* The columns of the first row. */
static void front_rows_name(struct front_rows *r, const struct btc_value *v,
                            size_t n)
{
    r->names = mem_calloc(n + 1, sizeof(*r->names));
    r->n_columns = n;
    for (size_t i = 0; i < n; i++) {
        r->names[i] = mem_strdup(v[i].column);
    }
}

/* A copy of a value. */
static void front_rows_put(struct front_rows *r, const struct btc_value *v)
{
    struct front_cell cell = {.type = v->type};
    switch (v->type) {
    case BTC_NULL:
        break;
    case BTC_INT:
        cell.u.i = v->i;
        break;
    case BTC_REAL:
        cell.u.real = v->real;
        break;
    case BTC_TEXT:
        cell.u.text = r->texts.len;
        front_text_add(&r->texts, v->text, strlen(v->text) + 1);
        break;
    }
    r->cells = vec_room(r->cells, r->n_cells, &r->cap, sizeof(*r->cells));
    r->cells[r->n_cells++] = cell;
}

void front_rows_add(struct front_rows *r, const struct btc_value *v, size_t n)
{
    static const struct btc_value none = {.type = BTC_NULL};
    if (r->names == NULL) {
        front_rows_name(r, v, n);
    }
    for (size_t i = 0; i < r->n_columns; i++) {
        const struct btc_value *value = &none;
        if (i < n) {
            value = &v[i];
        }
        front_rows_put(r, value);
    }
}

size_t front_rows_count(const struct front_rows *r)
{
    if (r->n_columns == 0) {
        return 0;
    }
    return r->n_cells / r->n_columns;
}

size_t front_rows_columns(const struct front_rows *r)
{
    return r->n_columns;
}

size_t front_rows_find(const struct front_rows *r, const char *column)
{
    size_t i = 0;
    /* Asked for each cell of a table; most names differ at once. */
    while (i < r->n_columns &&
           (r->names[i][0] != column[0] || strcmp(r->names[i], column) != 0)) {
        i++;
    }
    return i;
}

struct btc_value front_rows_get(const struct front_rows *r, size_t row,
                                size_t column)
{
    const struct front_cell *cell = &r->cells[row * r->n_columns + column];
    struct btc_value v = {.column = r->names[column], .type = cell->type};
    switch (cell->type) {
    case BTC_NULL:
        break;
    case BTC_INT:
        v.i = cell->u.i;
        break;
    case BTC_REAL:
        v.real = cell->u.real;
        break;
    case BTC_TEXT:
        v.text = r->texts.data + cell->u.text;
        break;
    }
    return v;
}

void front_rows_set_int(struct front_rows *r, size_t row, size_t column,
                        int64_t n)
{
    struct front_cell *cell = &r->cells[row * r->n_columns + column];
    cell->type = BTC_INT;
    cell->u.i = n;
}

void front_rows_set_null(struct front_rows *r, size_t row, size_t column)
{
    r->cells[row * r->n_columns + column].type = BTC_NULL;
}

void front_rows_move(struct front_rows *r, size_t to, size_t from)
{
    memmove(&r->cells[to * r->n_columns], &r->cells[from * r->n_columns],
            r->n_columns * sizeof(*r->cells));
}

void front_rows_cut(struct front_rows *r, size_t n)
{
    r->n_cells = n * r->n_columns;
}
