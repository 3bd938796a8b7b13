/* The rows of moves; see move.h. */
#include "journal/move.h"

#include "base/mem.h"
#include "journal/internal.h"
#include "journal/load.h"
#include "journal/query.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What goes into a statement: ?1 is the torrent, ?2 to ?6 are numbers, ?7 and
 * ?8 texts. */
#define JOURNAL_MOVE_NUMBERS 5
#define JOURNAL_MOVE_TEXTS   2
struct journal_move_args {
    int64_t id;
    int64_t n[JOURNAL_MOVE_NUMBERS];
    const char *text[JOURNAL_MOVE_TEXTS];
};

static void journal_move_bind(sqlite3_stmt *s,
                              const struct journal_move_args *a)
{
    int n = sqlite3_bind_parameter_count(s);
    (void)sqlite3_bind_int64(s, 1, a->id);
    for (int i = 0; i < JOURNAL_MOVE_NUMBERS && i + 2 <= n; i++) {
        (void)sqlite3_bind_int64(s, i + 2, a->n[i]);
    }
    for (int i = 0; i < JOURNAL_MOVE_TEXTS; i++) {
        int at = i + 2 + JOURNAL_MOVE_NUMBERS;
        if (at <= n) {
            (void)sqlite3_bind_text(s, at, a->text[i], -1, SQLITE_STATIC);
        }
    }
}

/* One statement; how many rows it changed. */
static int journal_move_exec(struct journal *db, const char *sql,
                             const struct journal_move_args *a, int *changed,
                             struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_prepare(db, sql, &s, e);
    if (code == 0) {
        journal_move_bind(s, a);
        code = journal_run_stmt(db, s, e);
    }
    (void)sqlite3_finalize(s);
    if (changed != NULL) {
        *changed = code == 0 ? sqlite3_changes(db->sql) : 0;
    }
    return code;
}

/* Bits as SQLite keeps them. */
static int64_t journal_move_bits(uint64_t v)
{
    int64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

static uint64_t journal_move_unbits(sqlite3_stmt *s, int i)
{
    int64_t bits = sqlite3_column_int64(s, i);
    uint64_t v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

static char *journal_move_str(sqlite3_stmt *s, int i)
{
    return mem_strdup((const char *)sqlite3_column_text(s, i));
}

/* --- loading --- */

void journal_move_fini(struct journal_move *m)
{
    free(m->from_path);
    free(m->to_path);
    *m = (struct journal_move){0};
}

void journal_moves_free(struct journal_move *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        journal_move_fini(&list[i]);
    }
    free(list);
}

void journal_move_files_free(struct journal_move_file *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(list[i].path);
    }
    free(list);
}

/* A row of move. */
static void journal_read_move(sqlite3_stmt *s, void *row)
{
    struct journal_move *m = row;
    const char *wanted = (const char *)sqlite3_column_text(s, 3);
    *m = (struct journal_move){.id = sqlite3_column_int64(s, 0),
                               .from_path = journal_move_str(s, 1),
                               .to_path = journal_move_str(s, 2),
                               .starts = sqlite3_column_int64(s, 4),
                               .switched = sqlite3_column_int(s, 5) != 0,
                               .pid = sqlite3_column_int64(s, 6)};
    m->wanted = wanted_from_name(slice_str(wanted), WANTED_PAUSE);
    (void)snprintf(m->boot_id, sizeof(m->boot_id), "%s",
                   (const char *)sqlite3_column_text(s, 7));
}

int journal_load_moves(struct journal *db, struct journal_move **out, size_t *n,
                       struct err *e)
{
    const struct journal_query q = {
        .sql = "SELECT torrent_id, from_path, to_path, wanted, starts,"
               " switched, pid, boot_id FROM move ORDER BY torrent_id",
        .read = journal_read_move};
    struct journal_rows r = {.size = sizeof(**out)};
    int code = journal_load(db, &q, &r, e);
    *out = r.p;
    *n = r.n;
    return code;
}

/* A row of move_file. */
static void journal_read_move_file(sqlite3_stmt *s, void *row)
{
    struct journal_move_file *f = row;
    *f = (struct journal_move_file){
        .file = (uint32_t)sqlite3_column_int64(s, 0),
        .path = journal_move_str(s, 1),
        .old_dev = journal_move_unbits(s, 2),
        .old_ino = journal_move_unbits(s, 3),
        .new_dev = journal_move_unbits(s, 4),
        .new_ino = journal_move_unbits(s, 5),
        .made = sqlite3_column_type(s, 4) != SQLITE_NULL};
}

int journal_load_move_files(struct journal *db, int64_t id,
                            struct journal_move_file **out, size_t *n,
                            struct err *e)
{
    const struct journal_query q = {
        .sql = "SELECT file, path, old_dev, old_ino, new_dev, new_ino"
               " FROM move_file WHERE torrent_id = ?1 ORDER BY file",
        .id = id,
        .read = journal_read_move_file};
    struct journal_rows r = {.size = sizeof(**out)};
    int code = journal_load(db, &q, &r, e);
    *out = r.p;
    *n = r.n;
    return code;
}

bool journal_move_is_live(const struct journal_move *m)
{
    char boot[40];
    journal_boot_id(boot, sizeof(boot));
    if (strcmp(boot, m->boot_id) != 0 || m->pid <= 0) {
        return false;
    }
    return kill((pid_t)m->pid, 0) == 0 || errno == EPERM;
}

/* --- beginning --- */

/* The torrent and what is wished of it, inside the transaction. */
static int journal_move_look(struct journal *db, int64_t id,
                             struct journal_move *m, struct err *e)
{
    struct journal_torrent *t = NULL;
    size_t n = 0;
    int code = journal_load_by_id(db, id, &t, &n, e);
    if (code == 0 && n == 0) {
        code = err_set(e, BTC_E_NOTFOUND,
                       "there is no torrent %lld: `btc status` lists them",
                       (long long)id);
    }
    if (code == 0 && t[0].wanted != WANTED_RUN && t[0].wanted != WANTED_PAUSE) {
        code = err_set(e, BTC_E_NOTFOUND, "torrent %lld is being removed",
                       (long long)id);
    }
    if (code == 0) {
        m->from_path = mem_strdup(t[0].save_path);
        m->wanted = t[0].wanted;
        m->starts = t[0].starts;
    }
    journal_torrents_free(t, n);
    return code;
}

/* Its row, and the wish. */
static int journal_move_insert(struct journal *db, const struct journal_move *m,
                               struct err *e)
{
    const struct journal_move_args a = {
        .id = m->id,
        .n = {m->wanted == WANTED_RUN, m->starts, m->pid},
        .text = {m->to_path, m->boot_id}};
    int code = journal_move_exec(
        db,
        "INSERT INTO move (torrent_id, from_path, to_path, wanted, starts, pid,"
        " boot_id) SELECT id, save_path, ?7, iif(?2, 'run', 'pause'), ?3, ?4,"
        " ?8 FROM torrent WHERE id = ?1",
        &a, NULL, e);
    if (code == BTC_E_USAGE) {
        code = err_set(e, BTC_E_LOCKED,
                       "another program moves torrent %lld already",
                       (long long)m->id);
    }
    if (code == 0) {
        code = journal_move_exec(
            db, "UPDATE torrent SET wanted = 'pause' WHERE id = ?1", &a, NULL,
            e);
    }
    return code;
}

int journal_move_begin(struct journal *db, int64_t id, const char *to_path,
                       struct journal_move *out, struct err *e)
{
    *out = (struct journal_move){.id = id, .pid = getpid()};
    journal_boot_id(out->boot_id, sizeof(out->boot_id));
    out->to_path = mem_strdup(to_path);
    int code = journal_begin(db, e);
    if (code == 0) {
        code = journal_move_look(db, id, out, e);
        if (code == 0) {
            code = journal_move_insert(db, out, e);
        }
        code = journal_end(db, code, e);
    }
    if (code != 0) {
        journal_move_fini(out);
    }
    return code;
}

/* --- files --- */

int journal_move_put_files(struct journal *db, int64_t id,
                           const struct journal_move_file *files, size_t n,
                           struct err *e)
{
    int code = journal_begin(db, e);
    if (code != 0) {
        return code;
    }
    for (size_t i = 0; code == 0 && i < n; i++) {
        const struct journal_move_args a = {
            .id = id,
            .n = {files[i].file, journal_move_bits(files[i].old_dev),
                  journal_move_bits(files[i].old_ino)},
            .text = {files[i].path}};
        code = journal_move_exec(
            db,
            "INSERT INTO move_file (torrent_id, file, old_dev, old_ino, path)"
            " VALUES (?1, ?2, ?3, ?4, ?7)"
            " ON CONFLICT (torrent_id, file) DO UPDATE SET"
            " old_dev = excluded.old_dev, old_ino = excluded.old_ino,"
            " path = excluded.path, new_dev = NULL, new_ino = NULL",
            &a, NULL, e);
        if (code == 0 && files[i].made) {
            code = journal_move_made(db, id, &files[i], e);
        }
    }
    return journal_end(db, code, e);
}

int journal_move_made(struct journal *db, int64_t id,
                      const struct journal_move_file *f, struct err *e)
{
    const struct journal_move_args a = {.id = id,
                                        .n = {f->file,
                                              journal_move_bits(f->new_dev),
                                              journal_move_bits(f->new_ino)}};
    return journal_move_exec(db,
                             "UPDATE move_file SET new_dev = ?3, new_ino = ?4"
                             " WHERE torrent_id = ?1 AND file = ?2",
                             &a, NULL, e);
}

/* The fingerprints. Of a file that is not trusted the journal learns which one
 * it is, and that is all: with its old times it is hashed. */
static int journal_move_prints(struct journal *db, int64_t id,
                               const struct journal_move_file *files, size_t n,
                               struct err *e)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < n; i++) {
        const struct fingerprint *p = &files[i].now;
        const struct journal_move_args a = {
            .id = id,
            .n = {files[i].file, journal_move_bits(p->dev),
                  journal_move_bits(p->ino), p->mtime_ns, p->ctime_ns}};
        if (p->exists) {
            code = journal_move_exec(
                db,
                files[i].trusted
                    ? "UPDATE file SET dev = ?3, ino = ?4, mtime_ns = ?5,"
                      " ctime_ns = ?6 WHERE torrent_id = ?1 AND file = ?2"
                    : "UPDATE file SET dev = ?3, ino = ?4"
                      " WHERE torrent_id = ?1 AND file = ?2",
                &a, NULL, e);
        }
    }
    return code;
}

/* --- the switch, and the end --- */

static int journal_move_is_off(const struct journal_move *m, struct err *e)
{
    return err_set(e, BTC_E_INTERRUPTED,
                   "torrent %lld stays where it is: something else was wished "
                   "of it meanwhile",
                   (long long)m->id);
}

int journal_move_stands(struct journal *db, const struct journal_move *m,
                        struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_prepare(db,
                               "SELECT 1 FROM torrent WHERE id = ?1"
                               " AND wanted = 'pause' AND starts = ?2",
                               &s, e);
    if (code != 0) {
        return code;
    }
    (void)sqlite3_bind_int64(s, 1, m->id);
    (void)sqlite3_bind_int64(s, 2, m->starts);
    if (sqlite3_step(s) == SQLITE_DONE) {
        code = journal_move_is_off(m, e);
    }
    (void)sqlite3_finalize(s); /* of an error the switch will tell */
    return code;
}

/* Nobody has wished to run or to remove it, and the move is still ours. */
static int journal_move_is_on(struct journal *db, const struct journal_move *m,
                              struct err *e)
{
    int changed = 0;
    const struct journal_move_args a = {
        .id = m->id, .n = {m->starts, m->pid}, .text = {m->boot_id}};
    int code = journal_move_exec(
        db,
        "UPDATE move SET switched = 1 WHERE torrent_id = ?1 AND pid = ?3"
        " AND boot_id = ?7 AND EXISTS (SELECT 1 FROM torrent WHERE id = ?1"
        " AND wanted = 'pause' AND starts = ?2)",
        &a, &changed, e);
    if (code == 0 && changed != 1) {
        code = journal_move_is_off(m, e);
    }
    return code;
}

/* Where it is now; that it was absent is over. It is complete there when its
 * files are the ones that were, else a run has to look at them first. */
static int journal_move_place(struct journal *db, const struct journal_move *m,
                              uint64_t root_dev, bool sure, struct err *e)
{
    const struct journal_move_args a = {
        .id = m->id,
        .n = {journal_move_bits(root_dev), sure},
        .text = {m->to_path}};
    int code = journal_move_exec(
        db, "UPDATE torrent SET save_path = ?7 WHERE id = ?1", &a, NULL, e);
    if (code == 0) {
        code = journal_move_exec(
            db,
            "UPDATE torrent_stat SET root_dev = nullif(?2, 0),"
            " error = NULL, error_code = 0, updated_at = unixepoch(),"
            " state = CASE WHEN state NOT IN ('waiting-storage',"
            " 'waiting-space', 'error', 'complete', 'queued') THEN state"
            " WHEN ?3 AND bytes_total > 0 AND bytes_done >= bytes_total"
            " THEN 'complete' ELSE 'queued' END WHERE torrent_id = ?1",
            &a, NULL, e);
    }
    if (code == 0) {
        code = journal_move_exec(
            db,
            "INSERT INTO event (at, torrent_id, level, kind, text) VALUES"
            " (unixepoch(), ?1, 'info', 'moved', 'its data is in ' || ?7"
            " || ' now')",
            &a, NULL, e);
    }
    return code;
}

/* Every file is in its new place as the journal knows it. */
static bool journal_move_is_sure(const struct journal_move *m,
                                 const struct journal_move_file *files,
                                 size_t n)
{
    bool sure = !m->by_hand;
    for (size_t i = 0; i < n; i++) {
        sure &= files[i].trusted;
    }
    return sure;
}

int journal_move_switch(struct journal *db, const struct journal_move *m,
                        const struct journal_move_file *files, size_t n,
                        uint64_t root_dev, struct err *e)
{
    int code = journal_begin(db, e);
    if (code != 0) {
        return code;
    }
    code = journal_move_is_on(db, m, e);
    if (code == 0) {
        bool sure = journal_move_is_sure(m, files, n);
        code = journal_move_place(db, m, root_dev, sure, e);
    }
    if (code == 0) {
        code = journal_move_prints(db, m->id, files, n, e);
    }
    return journal_end(db, code, e);
}

/* What was wished before, unless something else is wished by now. */
static int journal_move_wish(struct journal *db, const struct journal_move *m,
                             struct err *e)
{
    const struct journal_move_args a = {.id = m->id, .n = {m->starts}};
    if (m->wanted != WANTED_RUN) {
        return 0;
    }
    return journal_move_exec(db,
                             "UPDATE torrent SET wanted = 'run' WHERE id = ?1"
                             " AND wanted = 'pause' AND starts = ?2",
                             &a, NULL, e);
}

int journal_move_end(struct journal *db, const struct journal_move *m,
                     const struct journal_move_file *files, size_t n,
                     struct err *e)
{
    static const char *const sql[] = {
        "DELETE FROM move_file WHERE torrent_id = ?1",
        "DELETE FROM move WHERE torrent_id = ?1"};
    const struct journal_move_args a = {.id = m->id};
    int code = journal_begin(db, e);
    if (code != 0) {
        return code;
    }
    code = journal_move_prints(db, m->id, files, n, e);
    if (code == 0) {
        code = journal_move_wish(db, m, e);
    }
    for (size_t i = 0; code == 0 && i < sizeof(sql) / sizeof(sql[0]); i++) {
        code = journal_move_exec(db, sql[i], &a, NULL, e);
    }
    return journal_end(db, code, e);
}
