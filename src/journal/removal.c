/* How a torrent's rows go.
 *
 * People change their minds while a removal is under way: what is wished is
 * read in the transaction that acts on it. So no torrent goes that is wished
 * back by then, and none without its data that is to take it along.
 */
#include "journal/removal.h"

#include "journal/batch.h"
#include "journal/internal.h"
#include "journal/load.h"
#include "journal/owner.h"
#include "journal/shared.h"

#include "base/mem.h"
#include "model/names.h"

#include <stdlib.h>
#include <string.h>

/* Its rows of all tables, and a word on it in the log. */
static int journal_remove_rows(struct journal *db, int64_t id, const char *name,
                               struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_prepare(db, "DELETE FROM torrent WHERE id = ?1", &s, e);
    if (code != 0) {
        return code;
    }
    (void)sqlite3_bind_int64(s, 1, id);
    code = journal_run_stmt(db, s, e);
    (void)sqlite3_finalize(s);
    struct journal_batch *b = journal_batch_new();
    journal_put_event(b, 0, LEVEL_INFO, "removed", name);
    if (!code) {
        code = journal_apply_ops(db, b, e);
    }
    journal_batch_free(b);
    return code;
}

/* Statements with the torrent as ?1. */
static int journal_remove_exec(struct journal *db, int64_t id,
                               const char *const *sql, size_t n, struct err *e)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < n; i++) {
        sqlite3_stmt *s = NULL;
        code = journal_prepare(db, sql[i], &s, e);
        if (code == 0) {
            (void)sqlite3_bind_int64(s, 1, id);
            code = journal_run_stmt(db, s, e);
            (void)sqlite3_finalize(s);
        }
    }
    return code;
}

int journal_removal_unclaim(struct journal *db, int64_t id, struct err *e)
{
    static const char *const sql[] = {
        "DELETE FROM piece WHERE torrent_id = ?1",
        "DELETE FROM block WHERE torrent_id = ?1",
        "UPDATE file SET bytes_done = 0 WHERE torrent_id = ?1",
        "UPDATE torrent_stat SET bytes_done = 0, pieces_done = 0,"
        " checked_to = 0, completed_at = NULL, updated_at = unixepoch(),"
        " state = CASE WHEN state IN ('complete', 'seeding') THEN 'queued'"
        " ELSE state END WHERE torrent_id = ?1"};
    int code = journal_begin(db, e);
    if (code != 0) {
        return code;
    }
    code = journal_remove_exec(db, id, sql, sizeof(sql) / sizeof(*sql), e);
    return journal_end(db, code, e);
}

/* It stays, but its data is gone already: no claim outlives the data. */
static int journal_remove_claims(struct journal *db, int64_t id, struct err *e)
{
    static const char *const sql[] = {
        "DELETE FROM piece WHERE torrent_id = ?1",
        "DELETE FROM block WHERE torrent_id = ?1",
        "UPDATE file SET dev = NULL, ino = NULL, size = NULL, mtime_ns = NULL,"
        " ctime_ns = NULL, verify_since = 0, bytes_done = 0, part = NULL"
        " WHERE torrent_id = ?1",
        "UPDATE torrent_stat SET bytes_done = 0, pieces_done = 0,"
        " checked_to = 0, completed_at = NULL, updated_at = unixepoch(),"
        " making_ns = NULL, state = (SELECT CASE wanted WHEN 'pause' THEN "
        "'paused'"
        " ELSE 'queued' END FROM torrent WHERE id = ?1)"
        " WHERE torrent_id = ?1"};
    return journal_remove_exec(db, id, sql, sizeof(sql) / sizeof(*sql), e);
}

/* Another torrent has the file, too: it stays. */
static int journal_remove_shared(void *ctx, const struct journal_torrent *other,
                                 uint32_t file, const char *path)
{
    struct journal_removal *r = ctx;
    (void)other;
    (void)path;
    r->shared[file] = true;
    return 0;
}

/* Another torrent knows the file under whatever name: one inode, found by
 * links or by another spelling of the save path. */
static int journal_remove_same(struct journal *db, int64_t id,
                               struct journal_removal *r, struct err *e)
{
    static const char sql[] = JOURNAL_OWNER_DEVICES
        "SELECT ours.file FROM file AS ours CROSS JOIN device AS d"
        " CROSS JOIN file AS theirs"
        " ON theirs.dev = d.dev AND theirs.ino = ours.ino"
        " JOIN torrent AS other ON other.id = theirs.torrent_id"
        " WHERE ours.torrent_id = ?1 AND theirs.torrent_id <> ?1"
        " AND (theirs.dev = ours.dev OR (theirs.size = ours.size"
        " AND theirs.mtime_ns = ours.mtime_ns))"
        " AND NOT theirs.pad AND other.wanted <> 'remove'";
    sqlite3_stmt *s = NULL;
    int code = journal_prepare(db, sql, &s, e);
    int rc = SQLITE_DONE;
    if (code != 0) {
        return code;
    }
    (void)sqlite3_bind_int64(s, 1, id);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        int64_t file = sqlite3_column_int64(s, 0);
        if (file >= 0 && (uint64_t)file < r->n_files) {
            r->shared[file] = true;
        }
    }
    if (rc != SQLITE_DONE) {
        code = journal_fail(db, e, "cannot read");
    }
    (void)sqlite3_finalize(s);
    return code;
}

/* What others have stays. */
static int journal_remove_share(struct journal *db, int64_t id,
                                struct journal_removal *r, struct err *e)
{
    const struct journal_near_files ours = {.id = id,
                                            .save_path = r->save_path,
                                            .files = r->files,
                                            .n = r->n_files};
    r->shared = mem_calloc(r->n_files + 1, sizeof(*r->shared));
    int code = journal_near(db, &ours, journal_remove_shared, r, e);
    if (code) {
        return code;
    }
    return journal_remove_same(db, id, r, e);
}

/* What is needed to delete the files. */
static int journal_remove_load(struct journal *db,
                               const struct journal_torrent *t,
                               struct journal_removal *out, struct err *e)
{
    struct journal_stat stat;
    out->step = JOURNAL_REMOVAL_DELETE;
    out->id = t->id;
    out->save_path = mem_strdup(t->save_path);
    int code = journal_load_stat(db, t->id, &stat, e);
    if (code == 0) {
        code = journal_load_files(db, t->id, &out->files, &out->n_files, e);
    }
    if (code) {
        return code;
    }
    /* By what it made, not by what it claims: a removal that was cut short has
     * no claims. */
    out->made_ns = stat.making_ns;
    for (size_t i = 0; i < out->n_files && out->root_dev == 0; i++) {
        out->root_dev = out->files[i].state.has_print ? stat.root_dev : 0;
    }
    return journal_remove_share(db, t->id, out, e);
}

/* The torrent's row, by what is wished of it. */
static int journal_remove_row(struct journal *db,
                              const struct journal_torrent *t, bool data_gone,
                              struct journal_removal *out, struct err *e)
{
    bool data = t->wanted == WANTED_REMOVE_DATA && !data_gone;
    out->wanted = t->wanted;
    if (t->wanted != WANTED_REMOVE && t->wanted != WANTED_REMOVE_DATA) {
        out->step = JOURNAL_REMOVAL_KEEP;
        if (data_gone) {
            return journal_remove_claims(db, t->id, e);
        }
        return 0;
    }
    if (!data) {
        out->step = JOURNAL_REMOVAL_GONE;
        return journal_remove_rows(db, t->id, t->name, e);
    }
    return journal_remove_load(db, t, out, e);
}

int journal_remove_torrent(struct journal *db, int64_t id, bool data_gone,
                           struct journal_removal *out, struct err *e)
{
    struct journal_torrent *row = NULL;
    size_t n = 0;
    memset(out, 0, sizeof(*out));
    out->step = JOURNAL_REMOVAL_GONE;
    int code = journal_begin(db, e);
    if (code != 0) {
        return code;
    }
    code = journal_load_by_id(db, id, &row, &n, e);
    if (code == 0 && n > 0) {
        code = journal_remove_row(db, row, data_gone, out, e);
    }
    journal_torrents_free(row, n);
    return journal_end(db, code, e);
}

/* Frees what journal_remove_torrent gave. */
void journal_removal_fini(struct journal_removal *r)
{
    free(r->save_path);
    journal_files_free(r->files, r->n_files);
    free(r->shared);
    r->shared = NULL;
    r->save_path = NULL;
    r->files = NULL;
    r->n_files = 0;
}
