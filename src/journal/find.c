/* Which torrent a person means. */
#include "journal/find.h"

#include "journal/internal.h"

#include <stdio.h>
#include <string.h>

/* Candidates that are named when a text is ambiguous. */
#define JOURNAL_FIND_MAX 5

/* What journal_find found so far. */
struct journal_found {
    size_t n;
    int64_t id;
    char names[256]; /* of the candidates */
};

/* Runs one of journal_find's queries. */
static int journal_find_by(struct journal *db, const char *sql,
                           const char *text, struct journal_found *f,
                           struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_take(db, sql, &s, e);
    if (code != 0) {
        return code;
    }
    (void)sqlite3_bind_text(s, 1, text, -1, SQLITE_STATIC);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        size_t at = strlen(f->names);
        f->id = sqlite3_column_int64(s, 0);
        if (f->n++ < JOURNAL_FIND_MAX) {
            (void)snprintf(f->names + at, sizeof(f->names) - at,
                           "%s%lld (%.8s %.24s)", at ? ", " : "",
                           (long long)f->id,
                           (const char *)sqlite3_column_text(s, 1),
                           (const char *)sqlite3_column_text(s, 2));
        }
    }
    if (rc != SQLITE_DONE) {
        code = journal_fail(db, e, "cannot read");
    }
    journal_give(db, s);
    return code;
}

/* Could the text be the beginning of an info hash? */
static bool journal_is_prefix(const char *text)
{
    size_t len = strlen(text);
    return len >= 4 && len <= 40 &&
           strspn(text, "0123456789abcdefABCDEF") == len;
}

/* Row id, name, or prefix of the info hash: the first that fits. */
int journal_find(struct journal *db, const char *text, int64_t *id,
                 struct err *e)
{
    struct journal_found f = {.n = 0};
    uint64_t number;
    int code = 0;
    *id = 0;
    if (bytes_parse_u64(slice_str(text), &number)) {
        code = journal_find_by(db,
                               "SELECT id, info_hash, name FROM torrent"
                               " WHERE id = CAST(?1 AS INTEGER)",
                               text, &f, e);
    }
    if (code == 0 && f.n == 0) {
        code = journal_find_by(db,
                               "SELECT id, info_hash, name FROM torrent"
                               " WHERE name = ?1 ORDER BY id",
                               text, &f, e);
    }
    if (code == 0 && f.n == 0 && journal_is_prefix(text)) {
        code = journal_find_by(db,
                               "SELECT id, info_hash, name FROM torrent"
                               " WHERE info_hash BETWEEN lower(?1)"
                               " AND lower(?1) || 'g' ORDER BY id",
                               text, &f, e);
    }
    if (code != 0) {
        return code;
    }
    if (f.n == 0) {
        return err_set(e, BTC_E_NOTFOUND,
                       "there is no torrent '%s': an ID is a number of "
                       "`btc status`, a name, or 4 and more digits of the info "
                       "hash",
                       text);
    }
    if (f.n > 1) {
        return err_set(e, BTC_E_NOTFOUND, "'%s' fits %zu torrents: %s%s", text,
                       f.n, f.names, f.n > JOURNAL_FIND_MAX ? ", ..." : "");
    }
    *id = f.id;
    return 0;
}
