/* Rows of a view. */
#include "cli/rows.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "front/format.h"
#include "front/json.h"

struct cli_rows {
    struct front_rows *kept; /* owns */
};

/* Keeps a row. */
static int cli_rows_keep(void *ctx, const struct btc_value *v, size_t n)
{
    front_rows_add(ctx, v, n);
    return 0;
}

/* Reads a view. */
struct cli_rows *cli_rows_load(struct btc *b, const char *view, int64_t id,
                               int64_t limit, struct btc_error *e)
{
    struct cli_rows *r = mem_calloc(1, sizeof(*r));

    r->kept = front_rows_new();
    if (btc_query(b, view, id, limit, cli_rows_keep, r->kept, e) != 0) {
        cli_rows_free(r);
        return NULL;
    }
    return r;
}

/* Frees. */
void cli_rows_free(struct cli_rows *r)
{
    if (r != NULL) {
        front_rows_free(r->kept);
        free(r);
    }
}

/* Whether a number is in a list. */
static bool cli_rows_has(const int64_t *ids, size_t n, int64_t id)
{
    for (size_t i = 0; i < n; i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

/* Takes the other rows away. */
void cli_rows_keep_ids(struct cli_rows *r, const char *column,
                       const int64_t *ids, size_t n)
{
    size_t left = 0;

    for (size_t row = 0; row < cli_rows_count(r); row++) {
        if (cli_rows_has(ids, n, cli_rows_int(r, row, column, 0))) {
            front_rows_move(r->kept, left++, row);
        }
    }
    front_rows_cut(r->kept, left);
}

/* Sets what only an engine can make true. */
void cli_rows_rest(struct cli_rows *r)
{
    static const char *const moving[] = {"down_rate", "up_rate", "peers",
                                         "seeds", "eta_s"};

    for (size_t i = 0; i < sizeof(moving) / sizeof(moving[0]); i++) {
        size_t column = front_rows_find(r->kept, moving[i]);
        bool none = strcmp(moving[i], "eta_s") == 0;
        bool here = column < front_rows_columns(r->kept);
        for (size_t row = 0; here && row < cli_rows_count(r); row++) {
            if (none) {
                front_rows_set_null(r->kept, row, column);
            } else {
                front_rows_set_int(r->kept, row, column, 0);
            }
        }
    }
}

/* All rows. */
const struct front_rows *cli_rows_all(const struct cli_rows *r)
{
    return r->kept;
}

/* The array. */
json_t *cli_rows_json(const struct cli_rows *r)
{
    size_t n = front_rows_columns(r->kept);
    struct btc_value *row = mem_calloc(n + 1, sizeof(*row));
    json_t *list = json_array();

    for (size_t i = 0; i < cli_rows_count(r); i++) {
        for (size_t column = 0; column < n; column++) {
            row[column] = front_rows_get(r->kept, i, column);
        }
        json_array_append_new(list, front_json_row(row, n));
    }
    free(row);
    return list;
}

/* How many rows. */
size_t cli_rows_count(const struct cli_rows *r)
{
    return front_rows_count(r->kept);
}

/* A value; null = none. */
static struct btc_value cli_rows_value(const struct cli_rows *r, size_t row,
                                       const char *column)
{
    size_t at = front_rows_find(r->kept, column);

    if (at == front_rows_columns(r->kept)) {
        return (struct btc_value){.type = BTC_NULL};
    }
    return front_rows_get(r->kept, row, at);
}

/* A text. */
const char *cli_rows_text(const struct cli_rows *r, size_t row,
                          const char *column)
{
    return cli_rows_value(r, row, column).text;
}

/* An integer. */
int64_t cli_rows_int(const struct cli_rows *r, size_t row, const char *column,
                     int64_t unknown)
{
    struct btc_value v = cli_rows_value(r, row, column);

    if (v.type == BTC_INT) {
        return v.i;
    }
    return unknown;
}

/* A column as it is. */
void cli_rows_cell(struct front_table *t, const struct cli_rows *r, size_t row,
                   const char *column)
{
    struct btc_value v = cli_rows_value(r, row, column);
    char buf[FRONT_FORMAT_MAX];

    if (v.type == BTC_INT) {
        snprintf(buf, sizeof(buf), "%lld", (long long)v.i);
        front_table_cell(t, buf);
    } else if (v.type == BTC_REAL) {
        snprintf(buf, sizeof(buf), "%.2f", v.real);
        front_table_cell(t, buf);
    } else {
        front_table_cell(t, v.text);
    }
}

/* A column of bytes. */
void cli_rows_cell_size(struct front_table *t, const struct cli_rows *r,
                        size_t row, const char *column)
{
    char buf[FRONT_FORMAT_MAX];
    int64_t n = cli_rows_int(r, row, column, -1);

    if (n >= 0) {
        front_table_cell(t, front_format_size(buf, (uint64_t)n));
    } else {
        front_table_cell(t, NULL);
    }
}

/* A column of bytes per second; nothing moves: "-". */
void cli_rows_cell_rate(struct front_table *t, const struct cli_rows *r,
                        size_t row, const char *column)
{
    char buf[FRONT_FORMAT_MAX];
    int64_t n = cli_rows_int(r, row, column, 0);

    if (n > 0) {
        front_table_cell(t, front_format_rate(buf, (uint64_t)n));
    } else {
        front_table_cell(t, NULL);
    }
}

/* A column of unix seconds. */
void cli_rows_cell_time(struct front_table *t, const struct cli_rows *r,
                        size_t row, const char *column)
{
    char buf[FRONT_FORMAT_MAX];

    front_table_cell(t,
                     front_format_time(buf, cli_rows_int(r, row, column, 0)));
}

bool cli_rows_is_known(const struct cli_rows *r, size_t row)
{
    return cli_rows_int(r, row, "piece_length", 1) > 0;
}

/* Two columns as a share. */
void cli_rows_cell_share(struct front_table *t, const struct cli_rows *r,
                         size_t row, const char *done, const char *total)
{
    char buf[FRONT_FORMAT_MAX];
    int64_t a = cli_rows_int(r, row, done, 0);
    int64_t b = cli_rows_int(r, row, total, 0);
    bool is_known = cli_rows_is_known(r, row);

    if (b <= 0) {
        front_table_cell(t, is_known && b == 0 && a == 0 ? "100 %" : NULL);
        return;
    }
    if (a < 0) {
        a = 0;
    }
    front_table_cell(t, front_format_percent(buf, (uint64_t)a, (uint64_t)b));
}

/* Appends the rows of one torrent, or of all. */
static int cli_rows_collect(struct cli *c, struct btc *b,
                            const struct cli_rows_view *v,
                            struct cli_rows *rows)
{
    static const int64_t all = 0;
    struct cli_ids ids = {0};
    struct btc_error e = {0};
    int status = cli_open_ids(c, b, &ids);

    const int64_t *list = &all;
    size_t n = 1;
    if (ids.n > 0) {
        list = ids.ids;
        n = ids.n;
    }
    for (size_t i = 0; status == 0 && i < n; i++) {
        status = btc_query(b, v->view, list[i], v->limit, cli_rows_keep,
                           rows->kept, &e);
        if (status != 0) {
            cli_fail(c, &e);
        }
    }
    free(ids.ids);
    return status;
}

/* A JSON object per line. */
static void cli_rows_lines(struct cli *c, const struct cli_rows *rows)
{
    for (size_t i = 0; i < cli_rows_count(rows); i++) {
        struct front_text line = {0};
        front_rows_write_row(rows->kept, i, &line);
        front_text_puts(&line, "\n");
        fputs(front_text_str(&line), c->out);
        front_text_free(&line);
    }
    fflush(c->out);
}

/* Shows the rows as it was asked for. */
static void cli_rows_show(struct cli *c, const struct cli_rows_view *v,
                          const struct cli_rows *rows)
{
    if (c->o.json) {
        front_json_print_rows(c->out, front_json_object(), v->key, rows->kept,
                              false);
        return;
    }
    if (c->o.ndjson) {
        cli_rows_lines(c, rows);
        return;
    }
    if (cli_rows_count(rows) == 0) {
        cli_say(c, "%s", v->nothing);
        return;
    }
    struct front_table *t = front_table_new(v->columns, v->n_columns);
    for (size_t i = 0; i < cli_rows_count(rows); i++) {
        v->cells(t, rows, i);
    }
    front_table_print(t, &c->out_screen, c->out);
    front_table_free(t);
}

/* The whole command. */
int cli_rows_run(struct cli *c, const struct cli_rows_view *v)
{
    struct btc *b = NULL;
    int status = cli_open(c, BTC_OPEN_READ_ONLY, &b);

    if (status != 0) {
        return status;
    }
    struct cli_rows rows = {.kept = front_rows_new()};
    status = cli_rows_collect(c, b, v, &rows);
    if (status == 0) {
        cli_rows_show(c, v, &rows);
    }
    front_rows_free(rows.kept);
    btc_close(b);
    return status;
}
