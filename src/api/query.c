/* The views for a front; see btc_query in btc.h. */
#include "api/api.h"

#define API_COLUMNS_MAX 64 /* of one row; the widest view has about 35 */

/* One value; text from SQLite ends with a NUL. */
static struct btc_value api_value(const struct journal_value *v)
{
    struct btc_value out = {.column = v->column, .i = v->i, .real = v->real};
    switch (v->type) {
    case JOURNAL_NULL:
    case JOURNAL_BLOB: /* no view has one */
        out.type = BTC_NULL;
        break;
    case JOURNAL_INT:
        out.type = BTC_INT;
        break;
    case JOURNAL_REAL:
        out.type = BTC_REAL;
        break;
    case JOURNAL_TEXT:
        out.type = BTC_TEXT;
        out.text = (const char *)v->text.p;
        break;
    }
    return out;
}

int api_row(void *ctx, const struct journal_value *v, size_t n)
{
    struct api_rows *rows = ctx;
    struct btc_value out[API_COLUMNS_MAX];
    BTC_ASSERT(n <= API_COLUMNS_MAX);
    for (size_t i = 0; i < n; i++) {
        out[i] = api_value(&v[i]);
    }
    if (rows->fn) {
        rows->stop = rows->fn(rows->ctx, out, n);
    } else {
        rows->stop = 0;
    }
    return rows->stop;
}

/* NOLINTNEXTLINE(readability-function-size): the public face has seven */
int btc_query(struct btc *b, const char *view, int64_t id, int64_t limit,
              btc_row_fn *fn, void *ctx, struct btc_error *e)
{
    struct err err = {0};
    struct api_rows rows = {.fn = fn, .ctx = ctx};
    struct journal *db;
    int code = api_db(b, &db, &err);
    if (code == 0) {
        code = journal_query_view(db, view, id, limit, api_row, &rows, &err);
    }
    if (rows.stop != 0) {
        return rows.stop;
    }
    return api_status(e, code, &err);
}
