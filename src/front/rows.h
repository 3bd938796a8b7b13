/* Rows of a view, kept: the names of the columns once, the values in one array,
 * the texts in one buffer. A list of ten thousand torrents has four hundred
 * thousand values, too many for a piece of memory each.
 */
#ifndef BTC_FRONT_ROWS_H
#define BTC_FRONT_ROWS_H

#include "btc/btc.h"
#include "front/text.h"

struct front_rows;

struct front_rows *front_rows_new(void);
void front_rows_free(struct front_rows *r); /* NULL allowed */
/* Copies a row. All rows are of one view: the first one's columns count. */
void front_rows_add(struct front_rows *r, const struct btc_value *v, size_t n);
size_t front_rows_count(const struct front_rows *r);
size_t front_rows_columns(const struct front_rows *r);
/* The place of a column; front_rows_columns when there is none of that name. */
size_t front_rows_find(const struct front_rows *r, const char *column);
/* A value with its column's name; its text lives until a row is added. */
struct btc_value front_rows_get(const struct front_rows *r, size_t row,
                                size_t column);
/* Puts an integer over a value, or nothing (null). */
void front_rows_set_int(struct front_rows *r, size_t row, size_t column,
                        int64_t n);
void front_rows_set_null(struct front_rows *r, size_t row, size_t column);
/* Takes row `from` to the place `to`; see front_rows_cut. */
void front_rows_move(struct front_rows *r, size_t to, size_t from);
/* Only the first n rows stay. */
void front_rows_cut(struct front_rows *r, size_t n);

/* json_rows.c: a row as an object on one line, without the line's end. */
void front_rows_write_row(const struct front_rows *r, size_t row,
                          struct front_text *out);

#endif
