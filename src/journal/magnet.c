/* Magnets: what is wished and known of a torrent before its info dictionary;
 * see magnet.h.
 */
#include "journal/magnet.h"

#include "base/mem.h"
#include "journal/add.h"
#include "journal/internal.h"
#include <stdlib.h>
#include <string.h>

void journal_magnet_fini(struct journal_magnet *m)
{
    free(m->given_name);
    free(m->selected);
    free(m->excluded);
    free(m->link_selected);
    free(m->out_name);
    free(m->torrent_file);
    free(m->files);
    for (size_t i = 0; i < m->n_pieces; i++) {
        free(m->pieces[i].data);
    }
    free(m->pieces);
    *m = (struct journal_magnet){.size = 0};
}

/* A text column; NULL stays NULL. */
static char *journal_magnet_text(sqlite3_stmt *s, int column)
{
    return mem_strdup((const char *)sqlite3_column_text(s, column));
}

/* The row; NOTFOUND without one. */
static int journal_load_magnet_row(struct journal *db, int64_t id,
                                   struct journal_magnet *out, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_take(db,
                            "SELECT given_name, selected, excluded,"
                            " out_name, metadata_size, link_selected,"
                            " torrent_file FROM magnet"
                            " WHERE torrent_id = ?1",
                            &s, e);
    if (code != 0) {
        return code;
    }
    (void)sqlite3_bind_int64(s, 1, id);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        out->given_name = journal_magnet_text(s, 0);
        out->selected = journal_magnet_text(s, 1);
        out->excluded = journal_magnet_text(s, 2);
        out->out_name = journal_magnet_text(s, 3);
        int64_t size = sqlite3_column_int64(s, 4);
        if (size > 0 && size <= UINT32_MAX) {
            out->size = (uint32_t)size;
        }
        out->link_selected = journal_magnet_text(s, 5);
        out->torrent_file = journal_magnet_text(s, 6);
    } else if (rc == SQLITE_DONE) {
        code = err_set(e, BTC_E_NOTFOUND, "torrent %lld is no magnet",
                       (long long)id);
    } else {
        code = journal_fail(db, e, "cannot read");
    }
    journal_give(db, s);
    return code;
}

/* The pieces that are here. */
static int journal_load_metadata(struct journal *db, int64_t id,
                                 struct journal_magnet *out, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int rc = SQLITE_DONE;
    int code = journal_take(db,
                            "SELECT piece, data FROM metadata_piece"
                            " WHERE torrent_id = ?1 ORDER BY piece",
                            &s, e);
    if (code != 0) {
        return code;
    }
    (void)sqlite3_bind_int64(s, 1, id);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        size_t len = (size_t)sqlite3_column_bytes(s, 1);
        out->pieces =
            mem_resize(out->pieces, out->n_pieces + 1, sizeof(*out->pieces));
        out->pieces[out->n_pieces++] = (struct journal_metadata){
            .piece = (uint32_t)sqlite3_column_int64(s, 0),
            .data = mem_dup(sqlite3_column_blob(s, 1), len),
            .len = len};
    }
    if (rc != SQLITE_DONE) {
        code = journal_fail(db, e, "cannot read");
    }
    journal_give(db, s);
    return code;
}

/* The priorities that are wished. */
static int journal_load_magnet_files(struct journal *db, int64_t id,
                                     struct journal_magnet *out, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int rc = SQLITE_DONE;
    int code = journal_take(db,
                            "SELECT file, priority FROM magnet_file"
                            " WHERE torrent_id = ?1 ORDER BY file",
                            &s, e);
    if (code != 0) {
        return code;
    }
    (void)sqlite3_bind_int64(s, 1, id);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        out->files =
            mem_resize(out->files, out->n_files + 1, sizeof(*out->files));
        out->files[out->n_files++] = (struct journal_magnet_file){
            .file = (uint32_t)sqlite3_column_int64(s, 0),
            .priority = (uint8_t)sqlite3_column_int(s, 1)};
    }
    if (rc != SQLITE_DONE) {
        code = journal_fail(db, e, "cannot read");
    }
    journal_give(db, s);
    return code;
}

int journal_load_magnet(struct journal *db, int64_t id,
                        struct journal_magnet *out, struct err *e)
{
    *out = (struct journal_magnet){.size = 0};
    int code = journal_load_magnet_row(db, id, out, e);
    if (code == 0) {
        code = journal_load_magnet_files(db, id, out, e);
    }
    if (code == 0) {
        code = journal_load_metadata(db, id, out, e);
    }
    return code;
}

/* Runs a statement that changes the row of a magnet, or NOTFOUND. */
static int journal_magnet_change(struct journal *db, sqlite3_stmt *s,
                                 int64_t id, struct err *e)
{
    int code = journal_run_stmt(db, s, e);
    if (code == 0 && sqlite3_changes(db->sql) != 1) {
        code = err_set(e, BTC_E_NOTFOUND, "torrent %lld is no magnet any more",
                       (long long)id);
    }
    return code;
}

int journal_set_magnet(struct journal *db, int64_t id, const char *column,
                       const char *value, struct err *e)
{
    static const struct {
        const char *column, *sql;
    } wishes[] = {
        {"selected", "UPDATE magnet SET selected = ?2 WHERE torrent_id = ?1"},
        {"excluded", "UPDATE magnet SET excluded = ?2 WHERE torrent_id = ?1"},
        {"torrent_file",
         "UPDATE magnet SET torrent_file = ?2 WHERE torrent_id = ?1"}};
    sqlite3_stmt *s = NULL;
    const char *sql = NULL;
    for (size_t i = 0; i < sizeof(wishes) / sizeof(*wishes); i++) {
        if (strcmp(wishes[i].column, column) == 0) {
            sql = wishes[i].sql;
        }
    }
    BTC_ASSERT(sql != NULL);
    int code = journal_take(db, sql, &s, e);
    if (code == 0) {
        (void)sqlite3_bind_int64(s, 1, id);
        journal_bind_text(s, 2, value);
        code = journal_magnet_change(db, s, id, e);
    }
    journal_give(db, s);
    return code;
}

int journal_set_magnet_priority(struct journal *db, int64_t id, uint32_t file,
                                uint8_t priority, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_take(
        db,
        "INSERT INTO magnet_file (torrent_id, file, priority)"
        " SELECT torrent_id, ?2, ?3 FROM magnet WHERE torrent_id = ?1"
        " ON CONFLICT (torrent_id, file) DO UPDATE SET"
        " priority = excluded.priority",
        &s, e);
    if (code == 0) {
        (void)sqlite3_bind_int64(s, 1, id);
        (void)sqlite3_bind_int64(s, 2, file);
        (void)sqlite3_bind_int(s, 3, priority);
        code = journal_magnet_change(db, s, id, e);
    }
    journal_give(db, s);
    return code;
}

/* One statement about a torrent, with a number. */
static int journal_magnet_run(struct journal *db, const char *sql, int64_t id,
                              int64_t n, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_take(db, sql, &s, e);
    if (code == 0) {
        (void)sqlite3_bind_int64(s, 1, id);
        if (sqlite3_bind_parameter_count(s) > 1) {
            (void)sqlite3_bind_int64(s, 2, n);
        }
        code = journal_run_stmt(db, s, e);
    }
    journal_give(db, s);
    return code;
}

/* The piece's row; a torrent that is gone has none. */
static int journal_insert_metadata(struct journal *db, int64_t id,
                                   uint32_t piece, struct slice data,
                                   struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_take(
        db,
        "INSERT INTO metadata_piece (torrent_id, piece, data)"
        " SELECT torrent_id, ?2, ?3 FROM magnet WHERE torrent_id = ?1"
        " ON CONFLICT (torrent_id, piece) DO UPDATE SET data = excluded.data",
        &s, e);
    if (code == 0) {
        (void)sqlite3_bind_int64(s, 1, id);
        (void)sqlite3_bind_int64(s, 2, piece);
        (void)sqlite3_bind_blob64(s, 3, data.p, data.len, SQLITE_STATIC);
        code = journal_run_stmt(db, s, e);
    }
    journal_give(db, s);
    return code;
}

int journal_put_metadata(struct journal *db, int64_t id, uint32_t size,
                         uint32_t piece, struct slice data, struct err *e)
{
    int code = journal_begin(db, e);
    if (code != 0) {
        return code;
    }
    code = journal_magnet_run(db,
                              "DELETE FROM metadata_piece WHERE torrent_id = ?1"
                              " AND (SELECT metadata_size FROM magnet"
                              " WHERE torrent_id = ?1) IS NOT ?2",
                              id, size, e);
    if (code == 0) {
        code = journal_magnet_run(db,
                                  "UPDATE magnet SET metadata_size = ?2"
                                  " WHERE torrent_id = ?1"
                                  " AND metadata_size <> ?2",
                                  id, size, e);
    }
    if (code == 0) {
        code = journal_insert_metadata(db, id, piece, data, e);
    }
    return journal_end(db, code, e);
}

int journal_drop_metadata(struct journal *db, int64_t id, struct err *e)
{
    return journal_magnet_run(
        db, "DELETE FROM metadata_piece WHERE torrent_id = ?1", id, 0, e);
}

/* Who it is; a name that somebody has wished for stays. */
static int journal_learn_identity(struct journal *db, int64_t id,
                                  const struct journal_torrent *t,
                                  struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_take(
        db,
        "UPDATE torrent SET is_private = ?3, total_size = ?4,"
        " piece_length = ?5, n_pieces = ?6, n_files = ?7, name = CASE WHEN"
        " name = (SELECT given_name FROM magnet WHERE torrent_id = ?1)"
        " THEN ?2 ELSE name END WHERE id = ?1 AND piece_length = 0",
        &s, e);
    if (code == 0) {
        (void)sqlite3_bind_int64(s, 1, id);
        journal_bind_text(s, 2, t->name);
        (void)sqlite3_bind_int(s, 3, t->is_private);
        journal_bind_u64(s, 4, t->total_size);
        (void)sqlite3_bind_int64(s, 5, t->piece_length);
        (void)sqlite3_bind_int64(s, 6, t->n_pieces);
        (void)sqlite3_bind_int64(s, 7, t->n_files);
        code = journal_run_stmt(db, s, e);
    }
    journal_give(db, s);
    if (code == 0 && sqlite3_changes(db->sql) != 1) {
        code = err_set(e, BTC_E_NOTFOUND, "torrent %lld is no magnet any more",
                       (long long)id);
    }
    return code;
}

int journal_learn(struct journal *db, int64_t id, const struct journal_add *a,
                  struct err *e)
{
    int code = journal_begin(db, e);
    if (code != 0) {
        return code;
    }
    code = journal_learn_identity(db, id, &a->torrent, e);
    if (code == 0) {
        code = journal_insert_info(db, id, a, e);
    }
    if (code == 0) {
        code = journal_insert_files(db, id, a, e);
    }
    if (code == 0) {
        /* They were bytes of the info dictionary. */
        code = journal_magnet_run(
            db,
            "UPDATE torrent_stat SET bytes_done = 0,"
            " state = iif(state = 'metadata', 'queued', state), bytes_total ="
            " (SELECT coalesce(sum(length), 0) FROM file"
            " WHERE torrent_id = ?1 AND priority > 0 AND NOT pad),"
            " keep_owed = (SELECT torrent_file FROM magnet"
            " WHERE torrent_id = ?1) WHERE torrent_id = ?1",
            id, 0, e);
    }
    if (code == 0) {
        code = journal_magnet_run(
            db, "DELETE FROM metadata_piece WHERE torrent_id = ?1", id, 0, e);
    }
    if (code == 0) {
        code = journal_magnet_run(
            db, "DELETE FROM magnet WHERE torrent_id = ?1", id, 0, e);
    }
    return journal_end(db, code, e);
}

char *journal_load_keep(struct journal *db, int64_t id)
{
    sqlite3_stmt *s = NULL;
    char *path = NULL;
    int code = journal_take(
        db, "SELECT keep_owed FROM torrent_stat WHERE torrent_id = ?1", &s,
        NULL);
    if (code == 0) {
        (void)sqlite3_bind_int64(s, 1, id);
    }
    if (code == 0 && sqlite3_step(s) == SQLITE_ROW) {
        path = journal_magnet_text(s, 0);
    }
    journal_give(db, s);
    return path;
}
