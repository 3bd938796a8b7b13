/* See each.h. */
#include "journal/each.h"

#include "journal/internal.h"

/* One column of the row; its name stands there already. */
static void journal_read_value(sqlite3_stmt *s, int i, struct journal_value *v)
{
    *v = (struct journal_value){.column = v->column};
    switch (sqlite3_column_type(s, i)) {
    case SQLITE_INTEGER:
        v->type = JOURNAL_INT;
        v->i = sqlite3_column_int64(s, i);
        break;
    case SQLITE_FLOAT:
        v->type = JOURNAL_REAL;
        v->real = sqlite3_column_double(s, i);
        break;
    case SQLITE_TEXT:
        v->type = JOURNAL_TEXT;
        v->text.p = sqlite3_column_text(s, i);
        v->text.len = (size_t)sqlite3_column_bytes(s, i);
        break;
    case SQLITE_BLOB:
        v->type = JOURNAL_BLOB;
        v->text.p = sqlite3_column_blob(s, i);
        v->text.len = (size_t)sqlite3_column_bytes(s, i);
        break;
    default:
        v->type = JOURNAL_NULL;
        break;
    }
}

int journal_each_row(struct journal *db, sqlite3_stmt *s, journal_row_fn *fn,
                     void *ctx, struct err *e)
{
    struct journal_value row[JOURNAL_COLUMNS_MAX];
    int n = sqlite3_column_count(s);
    int rc = SQLITE_DONE;
    int code = 0;
    bool first = true;
    BTC_ASSERT(n <= JOURNAL_COLUMNS_MAX);
    while (code == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        for (int i = 0; i < n; i++) {
            /* A name holds from the first step to the end of the rows. */
            if (first) {
                row[i].column = sqlite3_column_name(s, i);
            }
            journal_read_value(s, i, &row[i]);
        }
        first = false;
        code = fn(ctx, row, (size_t)n);
    }
    if (code == 0 && rc != SQLITE_DONE) {
        code = journal_fail(db, e, "cannot read");
    }
    (void)sqlite3_finalize(s);
    return code;
}
