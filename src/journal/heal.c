/* Rows that belong to nothing, and rows that are missing.
 *
 * A shell without `PRAGMA foreign_keys` can delete a torrent and leave its
 * files, pieces and peers behind. All tables refer to a torrent alone, by
 * torrent_id, so such an orphan is a row whose torrent does not exist. A table
 * that somebody has added may refer to anything by any name: that is his.
 * Pieces and blocks beyond the end of their torrent belong to nothing, too. */
#include "journal/beyond.h"
#include "journal/care.h"
#include "journal/ids.h"
#include "journal/internal.h"

#include <stdio.h>

#define JOURNAL_HEAL_TABLES 32 /* with orphans, at most */

/* The tables that have orphans. */
struct journal_orphans {
    char tables[JOURNAL_HEAL_TABLES][64];
    size_t n;
};

/* Which tables with such rows there are. */
static int journal_find_orphans(struct journal *db, struct journal_orphans *o,
                                struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_prepare(
        db,
        "SELECT DISTINCT c.\"table\" FROM pragma_foreign_key_check AS c"
        " JOIN pragma_foreign_key_list(c.\"table\") AS k ON k.id = c.fkid"
        " WHERE k.\"table\" = 'torrent' AND k.\"from\" = 'torrent_id'",
        &s, e);
    o->n = 0;
    while (code == 0 && o->n < JOURNAL_HEAL_TABLES) {
        int rc = sqlite3_step(s);
        if (rc != SQLITE_ROW) {
            code = journal_code(db->sql, rc);
            break;
        }
        (void)snprintf(o->tables[o->n++], sizeof(o->tables[0]), "%s",
                       (const char *)sqlite3_column_text(s, 0));
    }
    (void)sqlite3_finalize(s);
    return code;
}

/* Deletes rows, and counts them. */
static int journal_heal_rows(struct journal *db, const char *sql,
                             int64_t *n_deleted, struct err *e)
{
    int code = journal_exec(db, sql, e);
    if (code == 0) {
        *n_deleted += sqlite3_changes64(db->sql);
    }
    return code;
}

/* The orphans of a table. */
static int journal_heal_table(struct journal *db, const char *table,
                              int64_t *n_deleted, struct err *e)
{
    char *sql = sqlite3_mprintf("DELETE FROM \"%w\" WHERE torrent_id NOT NULL"
                                " AND torrent_id NOT IN"
                                " (SELECT id FROM torrent)",
                                table);
    int code = journal_heal_rows(db, sql, n_deleted, e);
    sqlite3_free(sql);
    return code;
}

int journal_heal_orphans(struct journal *db, int64_t *n_deleted, struct err *e)
{
    struct journal_orphans o;
    *n_deleted = 0;
    int code = journal_find_orphans(db, &o, e);
    for (size_t i = 0; code == 0 && i < o.n; i++) {
        code = journal_heal_table(db, o.tables[i], n_deleted, e);
    }
    return code;
}

int journal_heal(struct journal *db, int64_t *n_deleted, struct err *e)
{
    int code = journal_heal_orphans(db, n_deleted, e);
    if (code == 0) {
        code = journal_heal_rows(db, journal_beyond_pieces_sql, n_deleted, e);
    }
    if (code == 0) {
        code = journal_heal_rows(db, journal_beyond_blocks_sql, n_deleted, e);
    }
    return code;
}

int journal_heal_stats(struct journal *db, struct err *e)
{
    return journal_exec(
        db,
        "INSERT INTO torrent_stat (torrent_id, state, bytes_total, bytes_done,"
        " pieces_done, updated_at)"
        " SELECT t.id, CASE WHEN t.piece_length = 0 THEN 'metadata'"
        "                   WHEN t.wanted = 'pause' THEN 'paused'"
        "                   ELSE 'queued' END,"
        "  coalesce((SELECT sum(length) FROM file WHERE torrent_id = t.id"
        "            AND NOT pad AND priority > 0), 0),"
        "  coalesce((SELECT sum(bytes_done) FROM file WHERE torrent_id = t.id"
        "            AND NOT pad AND priority > 0), 0),"
        "  (SELECT count(*) FROM piece WHERE torrent_id = t.id), unixepoch()"
        " FROM torrent AS t"
        " WHERE t.id NOT IN (SELECT torrent_id FROM torrent_stat)",
        e);
}

/* So many rows were made. */
static int journal_heal_tell(struct journal *db, journal_row_fn *fn, void *ctx)
{
    char text[64];
    long long n = sqlite3_changes64(db->sql);
    if (n == 0 || fn == NULL) {
        return 0;
    }
    (void)snprintf(text, sizeof(text), "%lld rows of torrent_stat", n);
    const struct journal_value row = {
        .column = "made", .type = JOURNAL_TEXT, .text = slice_str(text)};
    return fn(ctx, &row, 1);
}

int journal_repair(struct journal *db, journal_row_fn *fn, void *ctx,
                   int64_t *n_deleted, struct err *e)
{
    int code = journal_begin(db, e);
    if (code == 0) {
        code = journal_check_mend(db, fn, ctx, e);
        if (code == 0) {
            code = journal_heal(db, n_deleted, e);
        }
        if (code == 0) {
            code = journal_exec(db, journal_ids_mend_sql, e);
        }
        if (code == 0) {
            code = journal_heal_stats(db, e);
        }
        if (code == 0) {
            code = journal_heal_tell(db, fn, ctx);
        }
        if (code == 0) {
            code = journal_exec(db, "REINDEX", e);
        }
        code = journal_end(db, code, e);
    }
    return code;
}
