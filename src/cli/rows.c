/* Rows of a view. */
#include "cli/rows.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "front/format.h"
#include "front/json.h"

struct cli_rows {
    json_t *list; /* owns; an object per row */
};

/* Keeps a row. */
static int cli_rows_keep(void *ctx, const struct btc_value *v, size_t n)
{
    json_array_append_new(ctx, front_json_row(v, n));
    return 0;
}

/* Reads a view. */
struct cli_rows *cli_rows_load(struct btc *b, const char *view, int64_t id,
                               int64_t limit, struct btc_error *e)
{
    struct cli_rows *r = mem_calloc(1, sizeof(*r));

    r->list = json_array();
    if (btc_query(b, view, id, limit, cli_rows_keep, r->list, e) != 0) {
        cli_rows_free(r);
        return NULL;
    }
    return r;
}

/* Frees. */
void cli_rows_free(struct cli_rows *r)
{
    if (r != NULL) {
        json_decref(r->list);
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
    for (size_t row = cli_rows_count(r); row > 0; row--) {
        if (!cli_rows_has(ids, n, cli_rows_int(r, row - 1, column, 0))) {
            json_array_remove(r->list, row - 1);
        }
    }
}

/* Sets what only an engine can make true. */
void cli_rows_rest(struct cli_rows *r)
{
    static const char *const moving[] = {"down_rate", "up_rate", "peers",
                                         "seeds"};

    for (size_t row = 0; row < cli_rows_count(r); row++) {
        json_t *o = json_array_get(r->list, row);
        for (size_t i = 0; i < sizeof(moving) / sizeof(moving[0]); i++) {
            json_object_set_new(o, moving[i], json_integer(0));
        }
        json_object_set_new(o, "eta_s", json_null());
    }
}

/* The array. */
json_t *cli_rows_json(const struct cli_rows *r)
{
    return json_incref(r->list);
}

/* How many rows. */
size_t cli_rows_count(const struct cli_rows *r)
{
    return json_array_size(r->list);
}

/* A value; NULL = none. */
static const json_t *cli_rows_value(const struct cli_rows *r, size_t row,
                                    const char *column)
{
    return json_object_get(json_array_get(r->list, row), column);
}

/* A text. */
const char *cli_rows_text(const struct cli_rows *r, size_t row,
                          const char *column)
{
    return json_string_value(cli_rows_value(r, row, column));
}

/* An integer. */
int64_t cli_rows_int(const struct cli_rows *r, size_t row, const char *column,
                     int64_t unknown)
{
    const json_t *value = cli_rows_value(r, row, column);

    return json_is_integer(value) ? json_integer_value(value) : unknown;
}

/* A column as it is. */
void cli_rows_cell(struct front_table *t, const struct cli_rows *r, size_t row,
                   const char *column)
{
    const json_t *value = cli_rows_value(r, row, column);
    char buf[FRONT_FORMAT_MAX];

    if (json_is_integer(value)) {
        snprintf(buf, sizeof(buf), "%lld",
                 (long long)json_integer_value(value));
        front_table_cell(t, buf);
    } else if (json_is_real(value)) {
        snprintf(buf, sizeof(buf), "%.2f", json_real_value(value));
        front_table_cell(t, buf);
    } else {
        front_table_cell(t, json_string_value(value));
    }
}

/* A column of bytes. */
void cli_rows_cell_size(struct front_table *t, const struct cli_rows *r,
                        size_t row, const char *column)
{
    char buf[FRONT_FORMAT_MAX];
    int64_t n = cli_rows_int(r, row, column, -1);

    front_table_cell(t, n < 0 ? NULL : front_format_size(buf, (uint64_t)n));
}

/* A column of bytes per second; nothing moves: "-". */
void cli_rows_cell_rate(struct front_table *t, const struct cli_rows *r,
                        size_t row, const char *column)
{
    char buf[FRONT_FORMAT_MAX];
    int64_t n = cli_rows_int(r, row, column, 0);

    front_table_cell(t, n <= 0 ? NULL : front_format_rate(buf, (uint64_t)n));
}

/* A column of unix seconds. */
void cli_rows_cell_time(struct front_table *t, const struct cli_rows *r,
                        size_t row, const char *column)
{
    char buf[FRONT_FORMAT_MAX];

    front_table_cell(t,
                     front_format_time(buf, cli_rows_int(r, row, column, 0)));
}

/* Two columns as a share. */
void cli_rows_cell_share(struct front_table *t, const struct cli_rows *r,
                         size_t row, const char *done, const char *total)
{
    char buf[FRONT_FORMAT_MAX];
    int64_t a = cli_rows_int(r, row, done, 0);
    int64_t b = cli_rows_int(r, row, total, 0);

    const char *state = cli_rows_text(r, row, "state");
    bool is_known = state == NULL || strcmp(state, "metadata") != 0;

    if (b <= 0) {
        front_table_cell(t, is_known && b == 0 && a == 0 ? "100 %" : NULL);
        return;
    }
    front_table_cell(
        t, front_format_percent(buf, a < 0 ? 0 : (uint64_t)a, (uint64_t)b));
}

/* Appends the rows of one torrent, or of all. */
static int cli_rows_collect(struct cli *c, struct btc *b,
                            const struct cli_rows_view *v,
                            struct cli_rows *rows)
{
    struct cli_ids ids = {0};
    struct btc_error e = {0};
    int status = cli_open_ids(c, b, &ids);

    for (size_t i = 0; status == 0 && i < (ids.n == 0 ? 1 : ids.n); i++) {
        status = btc_query(b, v->view, ids.n == 0 ? 0 : ids.ids[i], v->limit,
                           cli_rows_keep, rows->list, &e);
        if (status != 0) {
            cli_fail(c, &e);
        }
    }
    free(ids.ids);
    return status;
}

/* Shows the rows as it was asked for. */
static void cli_rows_show(struct cli *c, const struct cli_rows_view *v,
                          const struct cli_rows *rows)
{
    if (c->o.json) {
        json_t *o = front_json_object();
        json_object_set(o, v->key, rows->list);
        front_json_print(c->out, o);
        return;
    }
    if (c->o.ndjson) {
        for (size_t i = 0; i < cli_rows_count(rows); i++) {
            front_json_line(c->out, json_incref(json_array_get(rows->list, i)));
        }
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
    struct cli_rows rows = {.list = json_array()};
    status = cli_rows_collect(c, b, v, &rows);
    if (status == 0) {
        cli_rows_show(c, v, &rows);
    }
    json_decref(rows.list);
    btc_close(b);
    return status;
}
