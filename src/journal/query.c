/* A loader's query and its rows; see query.h. */
#include "journal/query.h"

#include "base/mem.h"
#include "journal/internal.h"

#include <string.h>

/* A zeroed row at the end. */
static void *journal_rows_add(struct journal_rows *r)
{
    if (r->n == r->cap) {
        r->cap = r->cap + r->cap / 2 + 4;
        r->p = mem_resize(r->p, r->cap, r->size);
    }
    void *row = (char *)r->p + r->n++ * r->size;
    memset(row, 0, r->size);
    return row;
}

/* Gives back what the rows do not need: a torrent keeps them for long. */
static void journal_rows_fit(struct journal_rows *r)
{
    if (r->n > 0 && r->n < r->cap) {
        r->p = mem_resize(r->p, r->n, r->size);
        r->cap = r->n;
    }
}

/* Runs a query and reads all rows. */
int journal_load(struct journal *db, const struct journal_query *q,
                 struct journal_rows *out, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_take(db, q->sql, &s, e);
    if (code != 0) {
        return code;
    }
    int n = sqlite3_bind_parameter_count(s);
    if (n > 0) {
        (void)sqlite3_bind_int64(s, 1, q->id);
    }
    if (n > 1) {
        (void)sqlite3_bind_int64(s, 2, q->max);
    }
    for (int i = 3; i <= n; i++) {
        (void)sqlite3_bind_text(s, i, q->text[i - 3], -1, SQLITE_STATIC);
    }
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        q->read(s, journal_rows_add(out));
    }
    if (rc != SQLITE_DONE) {
        code = journal_fail(db, e, "cannot read");
    }
    journal_give(db, s);
    journal_rows_fit(out);
    return code;
}
