/* The front's side: wishes, each in a transaction of its own. What a wish may
 * be is decided by the schema's guards, so that a person with sqlite3 and this
 * program hear the same refusal.
 */
#include "journal/add.h"

#include "journal/internal.h"

#include "base/mem.h"
#include "journal/batch.h"
#include "journal/magnet.h"
#include "journal/refused.h"
#include "model/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Columns of torrent that are wishes. */
static const char *const journal_wish_columns[] = {
    "name",        "save_path",  "wanted",   "sequential", "seed_mode",
    "seed_goal",   "down_limit", "up_limit", "max_peers",  "verify_since",
    "accept_loss", "alloc_full", "label",    "overwrite",
};

/* Id of the torrent with a hash, 0 when there is none. */
static int journal_find_hash(struct journal *db, const char *hex, int64_t *id,
                             struct err *e)
{
    sqlite3_stmt *s = NULL;
    *id = 0;
    int code =
        journal_take(db, "SELECT id FROM torrent WHERE info_hash = ?1", &s, e);
    if (code != 0) {
        return code;
    }
    (void)sqlite3_bind_text(s, 1, hex, -1, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        *id = sqlite3_column_int64(s, 0);
    } else if (rc != SQLITE_DONE) {
        code = journal_fail(db, e, "cannot read");
    }
    journal_give(db, s);
    return code;
}

/* The row of torrent. */
static int journal_insert_torrent(struct journal *db,
                                  const struct journal_torrent *t,
                                  const char *hex, int64_t *id, struct err *e)
{
    static const char sql[] =
        "INSERT INTO torrent (info_hash, name, save_path, wanted, sequential,"
        " seed_mode, seed_goal, down_limit, up_limit, max_peers, verify_since,"
        " accept_loss, alloc_full, is_private, label, added_at, total_size,"
        " piece_length, n_pieces, n_files, overwrite) VALUES (?1, ?2, ?3, ?4,"
        " ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,"
        " ?19, ?20, ?21)";
    sqlite3_stmt *s = NULL;
    int code = journal_take(db, sql, &s, e);
    if (code != 0) {
        return code;
    }
    journal_bind_text(s, 1, hex);
    journal_bind_text(s, 2, t->name);
    journal_bind_text(s, 3, t->save_path);
    journal_bind_text(s, 4, wanted_name(t->wanted));
    (void)sqlite3_bind_int(s, 5, t->sequential);
    journal_bind_text(s, 6, seed_mode_name(t->seed_mode));
    (void)sqlite3_bind_int64(s, 7, t->seed_goal);
    (void)sqlite3_bind_int64(s, 8, t->down_limit);
    (void)sqlite3_bind_int64(s, 9, t->up_limit);
    (void)sqlite3_bind_int64(s, 10, t->max_peers);
    (void)sqlite3_bind_int64(s, 11, t->verify_since);
    (void)sqlite3_bind_int(s, 12, t->accept_loss);
    (void)sqlite3_bind_int(s, 13, t->alloc_full);
    (void)sqlite3_bind_int(s, 14, t->is_private);
    journal_bind_text(s, 15, t->label);
    (void)sqlite3_bind_int64(s, 16,
                             t->added_at > 0 ? t->added_at : journal_now());
    journal_bind_u64(s, 17, t->total_size);
    (void)sqlite3_bind_int64(s, 18, t->piece_length);
    (void)sqlite3_bind_int64(s, 19, t->n_pieces);
    (void)sqlite3_bind_int64(s, 20, t->n_files);
    (void)sqlite3_bind_int(s, 21, t->overwrite);
    code = journal_run_stmt(db, s, e);
    *id = sqlite3_last_insert_rowid(db->sql);
    journal_give(db, s);
    return code;
}

/* The info dictionary. */
int journal_insert_info(struct journal *db, int64_t id,
                        const struct journal_add *a, struct err *e)
{
    sqlite3_stmt *s = NULL;
    if (a->info_len == 0) {
        return 0;
    }
    int code = journal_take(
        db, "INSERT INTO metainfo (torrent_id, info) VALUES (?1, ?2)", &s, e);
    if (code != 0) {
        return code;
    }
    (void)sqlite3_bind_int64(s, 1, id);
    (void)sqlite3_bind_blob64(s, 2, a->info, a->info_len, SQLITE_STATIC);
    code = journal_run_stmt(db, s, e);
    journal_give(db, s);
    return code;
}

#define JOURNAL_FILE_COLUMNS 6   /* of its own that a row of file has */
#define JOURNAL_FILE_ROWS    32u /* most of a statement */

/* A statement that writes rows of file, as many as have an index: ?1 is the
 * torrent, six parameters each are a row. */
static int journal_take_rows(struct journal *db, uint32_t n, sqlite3_stmt **out,
                             struct err *e)
{
    static const char head[] =
        "INSERT INTO file (torrent_id, file, path, \"offset\", length, pad,"
        " priority) SELECT ?1, * FROM (VALUES (?2, ?, ?, ?, ?, ?)";
    static const char more[] = ", (?, ?, ?, ?, ?, ?)";
    static const char tail[] = ") WHERE column1 NOT NULL";
    char sql[sizeof(head) + JOURNAL_FILE_ROWS * sizeof(more) + sizeof(tail)];
    char *end = mempcpy(sql, head, sizeof(head) - 1);
    for (uint32_t i = 1; i < n; i++) {
        end = mempcpy(end, more, sizeof(more) - 1);
    }
    memcpy(end, tail, sizeof(tail));
    return journal_take(db, sql, out, e);
}

/* Writes the rows of file from `first` on, as many as one statement takes; how
 * many is added to it. */
static int journal_insert_rows(struct journal *db, int64_t id,
                               const struct journal_add *a, uint32_t *first,
                               struct err *e)
{
    uint32_t left = a->torrent.n_files - *first;
    uint32_t n = 1;
    sqlite3_stmt *s = NULL;
    while (n < left && n < JOURNAL_FILE_ROWS) {
        n *= 2; /* powers of two: few statements are kept for all torrents */
    }
    int code = journal_take_rows(db, n, &s, e);
    if (code != 0) {
        return code;
    }
    (void)sqlite3_bind_int64(s, 1, id);
    for (int at = 2; n > 0 && left > 0;
         n--, left--, at += JOURNAL_FILE_COLUMNS) {
        const struct journal_file *f = &a->files[*first];
        (void)sqlite3_bind_int64(s, at, (*first)++);
        (void)sqlite3_bind_text(s, at + 1, f->path, -1, SQLITE_STATIC);
        journal_bind_u64(s, at + 2, f->offset);
        journal_bind_u64(s, at + 3, f->length);
        (void)sqlite3_bind_int(s, at + 4, f->pad);
        (void)sqlite3_bind_int(s, at + 5, f->state.priority);
    }
    code = journal_run_stmt(db, s, e);
    journal_give(db, s);
    return code;
}

/* The rows of file, and the sum of what is wished. */
int journal_insert_files(struct journal *db, int64_t id,
                         const struct journal_add *a, struct err *e)
{
    sqlite3_stmt *s = NULL;
    uint64_t total = 0;
    int code = 0;
    for (uint32_t i = 0; i < a->torrent.n_files; i++) {
        const struct journal_file *f = &a->files[i];
        total += f->pad || f->state.priority == 0 ? 0 : f->length;
    }
    for (uint32_t i = 0; code == 0 && i < a->torrent.n_files;) {
        code = journal_insert_rows(db, id, a, &i, e);
    }
    if (code != 0 || a->torrent.n_files == 0) {
        return code;
    }
    code = journal_take(
        db,
        "UPDATE torrent_stat SET bytes_total = ?2, root_dev = nullif(?3, 0)"
        " WHERE torrent_id = ?1",
        &s, e);
    if (code == 0) {
        (void)sqlite3_bind_int64(s, 1, id);
        journal_bind_u64(s, 2, total);
        (void)sqlite3_bind_int64(s, 3, (int64_t)a->root_dev);
        code = journal_run_stmt(db, s, e);
        journal_give(db, s);
    }
    return code;
}

/* Trackers that are not there yet. OR IGNORE: what the schema does not take (a
 * url that is none) is left out, it must not spoil the rest. */
static int journal_insert_trackers(struct journal *db, int64_t id,
                                   const struct journal_add *a, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_take(db,
                            "INSERT OR IGNORE INTO tracker (torrent_id, tier,"
                            " url) VALUES (?1, ?2, ?3)",
                            &s, e);
    for (uint32_t i = 0; code == 0 && i < a->n_trackers; i++) {
        (void)sqlite3_bind_int64(s, 1, id);
        (void)sqlite3_bind_int64(s, 2, a->trackers[i].tier);
        journal_bind_text(s, 3, a->trackers[i].url);
        code = journal_run_stmt(db, s, e);
    }
    journal_give(db, s);
    return code;
}

/* Web seeds that are not there yet. */
static int journal_insert_web_seeds(struct journal *db, int64_t id,
                                    const struct journal_add *a, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_take(db,
                            "INSERT OR IGNORE INTO web_seed (torrent_id, url)"
                            " VALUES (?1, ?2)",
                            &s, e);
    for (uint32_t i = 0; code == 0 && i < a->n_web_seeds; i++) {
        (void)sqlite3_bind_int64(s, 1, id);
        journal_bind_text(s, 2, a->web_seeds[i]);
        code = journal_run_stmt(db, s, e);
    }
    journal_give(db, s);
    return code;
}

/* Peers that are not there yet; one that is becomes the user's when he names
 * it. */
static int journal_insert_peers(struct journal *db, int64_t id,
                                const struct journal_add *a, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_take(db,
                            "INSERT INTO peer (torrent_id, address, port,"
                            " source) VALUES (?1, ?2, ?3, ?4)"
                            " ON CONFLICT (torrent_id, address, port)"
                            " DO UPDATE SET source = excluded.source"
                            " WHERE excluded.source = 'user'"
                            " AND source <> 'user'",
                            &s, e);
    for (uint32_t i = 0; code == 0 && i < a->n_peers; i++) {
        const struct journal_peer *p = &a->peers[i];
        if (!journal_is_address(p->address, p->port)) {
            continue;
        }
        (void)sqlite3_bind_int64(s, 1, id);
        journal_bind_text(s, 2, p->address);
        (void)sqlite3_bind_int(s, 3, p->port);
        journal_bind_text(s, 4, p->source[0] ? p->source : "user");
        code = journal_run_stmt(db, s, e);
    }
    journal_give(db, s);
    return code;
}

/* Everything that is known about where the data may be had. */
static int journal_insert_sources(struct journal *db, int64_t id,
                                  const struct journal_add *a, struct err *e)
{
    int code = journal_insert_trackers(db, id, a, e);
    if (code == 0) {
        code = journal_insert_web_seeds(db, id, a, e);
    }
    if (code == 0) {
        code = journal_insert_peers(db, id, a, e);
    }
    return code;
}

/* What is wished of a magnet for later. */
static int journal_insert_magnet(struct journal *db, int64_t id,
                                 const struct journal_magnet *m, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code =
        journal_take(db,
                     "INSERT INTO magnet (torrent_id, given_name,"
                     " selected, excluded, out_name, link_selected,"
                     " torrent_file) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                     &s, e);
    if (code == 0) {
        (void)sqlite3_bind_int64(s, 1, id);
        journal_bind_text(s, 2, m->given_name);
        journal_bind_text(s, 3, m->selected);
        journal_bind_text(s, 4, m->excluded);
        journal_bind_text(s, 5, m->out_name);
        journal_bind_text(s, 6, m->link_selected);
        journal_bind_text(s, 7, m->torrent_file);
        code = journal_run_stmt(db, s, e);
    }
    journal_give(db, s);
    return code;
}

/* Adds a torrent. */
int journal_add_torrent(struct journal *db, const struct journal_add *a,
                        int64_t *id, struct err *e)
{
    char hex[41];
    bytes_to_hex(a->torrent.info_hash, sizeof(a->torrent.info_hash), hex);
    *id = 0;
    int code = journal_begin(db, e);
    if (code != 0) {
        return code;
    }
    code = journal_find_hash(db, hex, id, e);
    if (code == 0 && *id != 0) {
        code = err_set(e, BTC_E_EXISTS, "the torrent is there already: %lld",
                       (long long)*id);
    }
    if (code == 0) {
        code = journal_insert_torrent(db, &a->torrent, hex, id, e);
    }
    if (code == 0) {
        code = journal_insert_info(db, *id, a, e);
    }
    if (code == 0) {
        code = journal_insert_files(db, *id, a, e);
    }
    if (code == 0 && a->magnet != NULL) {
        code = journal_insert_magnet(db, *id, a->magnet, e);
    }
    if (code == 0) {
        code = journal_insert_sources(db, *id, a, e);
    }
    return journal_end(db, code, e);
}

/* Gives the error for a torrent that is not there. */
static int journal_no_torrent(int64_t id, struct err *e)
{
    return err_set(e, BTC_E_NOTFOUND,
                   "there is no torrent %lld: `btc status` lists them",
                   (long long)id);
}

/* Is there such a torrent? */
static int journal_require(struct journal *db, int64_t id, struct err *e)
{
    char sql[80];
    int64_t has;
    (void)snprintf(sql, sizeof(sql), "SELECT 1 FROM torrent WHERE id = %lld",
                   (long long)id);
    int code = journal_query_int(db, sql, 0, &has, e);
    if (code == 0 && has == 0) {
        return journal_no_torrent(id, e);
    }
    return code;
}

/* Adds trackers, web seeds and peers to a known torrent. */
int journal_add_sources(struct journal *db, int64_t id,
                        const struct journal_add *a, struct err *e)
{
    int code = journal_begin(db, e);
    if (code != 0) {
        return code;
    }
    code = journal_require(db, id, e);
    if (code == 0) {
        code = journal_insert_sources(db, id, a, e);
    }
    return journal_end(db, code, e);
}

/* Runs an update of one row that must be there; SQLite's refusal in its own
 * words. Our triggers refuse no wish: one that does is somebody's rule. */
static int journal_run_wish(struct journal *db, sqlite3_stmt *s,
                            const char *column, const char *value,
                            struct err *e)
{
    int rc = sqlite3_step(s);
    int code = 0;
    if (rc != SQLITE_DONE) {
        code = journal_fail(db, e, "database");
        if (sqlite3_extended_errcode(db->sql) == SQLITE_CONSTRAINT_TRIGGER) {
            code = journal_refusal(db, code, e);
        } else if (code == BTC_E_USAGE) {
            const char *text = sqlite3_errmsg(db->sql);
            const char *rule = "CHECK constraint failed: ";
            if (strncmp(text, rule, strlen(rule)) == 0) {
                text += strlen(rule);
            }
            code = err_set(e, BTC_E_USAGE, "cannot set %s to '%s': %s", column,
                           value ? value : "", text);
        }
    }
    journal_give(db, s);
    return code;
}

/* Writes a wish. */
int journal_set_wish(struct journal *db, int64_t id, const char *column,
                     const char *value, struct err *e)
{
    size_t i = 0;
    size_t n = sizeof(journal_wish_columns) / sizeof(journal_wish_columns[0]);
    while (i < n && strcmp(journal_wish_columns[i], column) != 0) {
        i++;
    }
    if (i == n) {
        return err_set(e, BTC_E_USAGE, "'%s' is nothing that can be wished",
                       column);
    }
    char sql[96];
    (void)snprintf(sql, sizeof(sql), "UPDATE torrent SET %s = ?2 WHERE id = ?1",
                   journal_wish_columns[i]);
    sqlite3_stmt *s = NULL;
    int code = journal_take(db, sql, &s, e);
    if (code != 0) {
        return code;
    }
    (void)sqlite3_bind_int64(s, 1, id);
    if (strcmp(column, "label") == 0) {
        journal_bind_text(s, 2, value); /* "" takes the label away */
    } else if (value) {
        (void)sqlite3_bind_text(s, 2, value, -1, SQLITE_STATIC);
    }
    code = journal_run_wish(db, s, column, value, e);
    if (code == 0 && sqlite3_changes(db->sql) == 0) {
        code = journal_no_torrent(id, e);
    }
    return code;
}

/* Writes the wished priority of a file. */
int journal_set_file_priority(struct journal *db, int64_t id, uint32_t file,
                              uint8_t priority, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_take(db,
                            "UPDATE file SET priority = ?3"
                            " WHERE torrent_id = ?1 AND file = ?2 AND NOT pad",
                            &s, e);
    if (code != 0) {
        return code;
    }
    char value[8];
    (void)snprintf(value, sizeof(value), "%u", (unsigned)priority);
    (void)sqlite3_bind_int64(s, 1, id);
    (void)sqlite3_bind_int64(s, 2, file);
    (void)sqlite3_bind_int(s, 3, priority);
    code = journal_run_wish(db, s, "priority", value, e);
    if (code == 0 && sqlite3_changes(db->sql) == 0) {
        code = err_set(e, BTC_E_NOTFOUND,
                       "torrent %lld has no file %u: `btc files %lld` lists "
                       "them",
                       (long long)id, file, (long long)id);
    }
    return code;
}

/* Writes the wished priorities of all files; rows that say so already are left
 * alone. */
int journal_set_priorities(struct journal *db, int64_t id,
                           const uint8_t *priority, uint32_t n_files,
                           struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_begin(db, e);
    if (code != 0) {
        return code;
    }
    code = journal_require(db, id, e);
    if (code == 0) {
        code =
            journal_take(db,
                         "UPDATE file SET priority = ?3 WHERE torrent_id = ?1"
                         " AND file = ?2 AND NOT pad AND priority <> ?3",
                         &s, e);
    }
    for (uint32_t i = 0; code == 0 && i < n_files; i++) {
        (void)sqlite3_bind_int64(s, 1, id);
        (void)sqlite3_bind_int64(s, 2, i);
        (void)sqlite3_bind_int(s, 3, priority[i]);
        code = journal_run_stmt(db, s, e);
    }
    journal_give(db, s);
    return journal_end(db, code, e);
}

int journal_last_added(struct journal *db, int64_t *id, struct err *e)
{
    return journal_query_int(db, "SELECT max(id) FROM torrent", 0, id, e);
}

int journal_log_added(struct journal *db, int64_t last, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_take(
        db,
        "INSERT INTO event (at, torrent_id, level, kind, text)"
        " SELECT ?2, id, 'info', 'added', 'added: ' || name FROM torrent"
        " WHERE id > ?1 ORDER BY id",
        &s, e);
    if (code == 0) {
        (void)sqlite3_bind_int64(s, 1, last);
        (void)sqlite3_bind_int64(s, 2, journal_now());
        code = journal_run_stmt(db, s, e);
        journal_give(db, s);
    }
    return code;
}

/* Tells about something. */
int journal_event_now(struct journal *db, int64_t torrent_id, enum level level,
                      const char *kind, const char *text, struct err *e)
{
    struct journal_batch *b = journal_batch_new();
    journal_put_event(b, torrent_id, level, kind, text);
    int code = journal_apply(db, b, e);
    journal_batch_free(b);
    return code;
}
