/* Statements that are kept between two uses.
 *
 * To prepare a statement costs more than to run it when it touches a row or
 * two, so a statement goes back here when its user is done with it, and the
 * next one who wants the same SQL gets it. A statement that is in use is not
 * here: who asks for the same SQL meanwhile gets one of its own.
 */
#include "journal/internal.h"

#include <string.h>

int journal_take(struct journal *db, const char *sql, sqlite3_stmt **out,
                 struct err *e)
{
    struct journal_kept *k = &db->kept;
    for (size_t i = 0; i < k->n; i++) {
        if (strcmp(sqlite3_sql(k->idle[i]), sql) == 0) {
            *out = k->idle[i];
            k->idle[i] = k->idle[--k->n];
            return 0;
        }
    }
    db->n_prepared++;
    if (sqlite3_prepare_v3(db->sql, sql, -1, SQLITE_PREPARE_PERSISTENT, out,
                           NULL) != SQLITE_OK) {
        return journal_fail(db, e, "database");
    }
    return 0;
}

void journal_give(struct journal *db, sqlite3_stmt *s)
{
    struct journal_kept *k = &db->kept;
    if (s == NULL) {
        return;
    }
    (void)sqlite3_reset(s); /* repeats the error of the last step */
    (void)sqlite3_clear_bindings(s);
    if (k->n == JOURNAL_KEPT_MAX) {
        (void)sqlite3_finalize(k->idle[k->next]);
        k->idle[k->next] = s;
        k->next = (k->next + 1) % JOURNAL_KEPT_MAX;
    } else {
        k->idle[k->n++] = s;
    }
}

void journal_drop_kept(struct journal *db)
{
    struct journal_kept *k = &db->kept;
    for (size_t i = 0; i < k->n; i++) {
        (void)sqlite3_finalize(k->idle[i]);
    }
    k->n = 0;
}
