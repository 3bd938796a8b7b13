/* A backup becomes the database, and what was the database is kept.
 *
 * The order makes a power cut harmless: the new file is whole and durable under
 * a name of its own, then the old file and its log move to names that nobody
 * has, then the new one takes the place. At no moment do a file and a log of
 * different databases stand beside each other under the database's name.
 */
#include "journal/care.h"
#include "journal/internal.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define JOURNAL_ASIDE_MAX 1000 /* names tried for what is kept */

/* Moves FILE<suffix> to ASIDE<suffix>; absent is no error. */
static int journal_move_aside(const char *path, const char *aside,
                              const char *suffix, struct err *e)
{
    char *from = mem_printf("%s%s", path, suffix);
    char *to = mem_printf("%s%s", aside, suffix);
    int rc = file_rename_new(from, to);
    int code = 0;
    if (rc != 0 && rc != -ENOENT) {
        code = err_set_errno(e, -rc, "cannot move %s to %s", from, to);
    }
    free(from);
    free(to);
    return code;
}

/* FILE.<word>-N that neither a file nor a log has; malloc. */
static char *journal_aside_name(const char *path, const char *word)
{
    for (int i = 1; i <= JOURNAL_ASIDE_MAX; i++) {
        char *name = mem_printf("%s.%s-%d", path, word, i);
        char *wal = mem_printf("%s-wal", name);
        bool is_free = access(name, F_OK) != 0 && access(wal, F_OK) != 0;
        free(wal);
        if (is_free) {
            return name;
        }
        free(name);
    }
    return NULL;
}

/* The file and its log go aside; the shared memory is made anew by SQLite. */
int journal_set_aside(const char *path, const char *word, char **aside,
                      struct err *e)
{
    struct stat st;
    if (stat(path, &st) == 0 && st.st_size == 0 &&
        journal_wal_size(path) == 0) {
        *aside = NULL; /* nothing that is worth a name */
        if (unlink(path) == 0) {
            return 0;
        }
        return err_set_errno(e, errno, "%s", path);
    }
    char *shm = mem_printf("%s-shm", path);
    *aside = journal_aside_name(path, word);
    int code = 0;
    if (!*aside) {
        code = err_set(e, BTC_E_EXISTS,
                       "%s.%s-1 and all the names behind it exist: delete some",
                       path, word);
    }
    /* The log first: a file without it is an older state, a log without its
     * file would be somebody else's. */
    if (code == 0) {
        code = journal_move_aside(path, *aside, "-wal", e);
    }
    if (code == 0) {
        code = journal_move_aside(path, *aside, "", e);
    }
    if (code == 0) {
        (void)unlink(shm);
    }
    free(shm);
    return code;
}

int journal_put_in_place(const char *tmp, const char *path, struct err *e)
{
    int rc = file_rename_new(tmp, path);
    if (rc != 0) {
        return err_set_errno(e, -rc, "cannot name the new database %s", path);
    }
    return journal_sync_folder(path, e);
}

/* What a lock and a place are needed for, without opening the database: it may
 * be the very one that cannot be opened. */
int journal_hold(const char *path, unsigned flags, struct journal **out,
                 struct err *e)
{
    struct journal *db = mem_zalloc(sizeof(*db));
    db->path = journal_resolve(path);
    db->flags = flags | JOURNAL_CREATE;
    db->lock_fd = -1;
    db->file_fd = -1;
    int code = journal_lock_hold(db, e);
    if (code != 0) {
        journal_close(db);
        return code;
    }
    *out = db;
    return 0;
}

/* The same file, by whatever name. */
static bool journal_is_same(const char *a, const char *b)
{
    struct stat sa;
    struct stat sb;
    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

/* Row of a complaint: there must be none. */
static int journal_restore_complain(void *ctx, const struct journal_value *v,
                                    size_t n)
{
    (void)ctx;
    (void)v;
    (void)n;
    return BTC_E_DB;
}

/* No run is on in it, whatever ran when it was made: what has changed on disk
 * since then is nobody's doing, and is doubted. */
static int journal_end_runs(const char *path, struct err *e)
{
    sqlite3 *sql = NULL;
    int code = 0;
    if (sqlite3_open_v2(path, &sql, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_exec(sql,
                     "UPDATE run SET ended_at = heartbeat_at"
                     " WHERE ended_at IS NULL",
                     NULL, NULL, NULL) != SQLITE_OK) {
        code = err_set(e, BTC_E_DB, "%s: %s", path, sqlite3_errmsg(sql));
    }
    (void)sqlite3_close(sql);
    return code;
}

/* A whole, checked copy of the backup under the name `tmp`. */
static int journal_restore_copy(const char *from, const char *tmp,
                                struct err *e)
{
    struct journal *db = NULL;
    int code = journal_open(
        from, JOURNAL_READ_ONLY | JOURNAL_NETWORK | JOURNAL_ANY_VERSION, &db,
        e);
    if (code == 0) {
        code = journal_check(db, journal_restore_complain, NULL, e);
    }
    if (code == 0) {
        code = journal_copy_to(db, tmp, false, e);
    }
    journal_close(db);
    if (code == 0) {
        code = journal_end_runs(tmp, e);
    }
    if (code == 0) {
        code = journal_sync_path(tmp, e);
    }
    return code;
}

/* The file at the path is the database that is wanted; its log is not. */
static int journal_restore_itself(const char *path, char **aside, struct err *e)
{
    char *wal = mem_printf("%s-wal", path);
    char *shm = mem_printf("%s-shm", path);
    *aside = journal_aside_name(path, "replaced");
    int code = 0;
    if (!*aside) {
        code = err_set(e, BTC_E_EXISTS, "%s.replaced-1 and all behind it exist",
                       path);
    }
    if (code == 0 && access(wal, F_OK) == 0) {
        code = journal_move_aside(path, *aside, "-wal", e);
    }
    if (code == 0) {
        (void)unlink(shm);
    }
    free(wal);
    free(shm);
    if (code == 0) {
        code = journal_sync_folder(path, e);
    }
    return code;
}

int journal_restore(const char *path, const char *from, unsigned flags,
                    char **aside, struct err *e)
{
    struct journal *held = NULL;
    *aside = NULL;
    if (access(from, R_OK) != 0) {
        return err_set_errno(e, errno, "cannot read the backup %s", from);
    }
    int code = journal_hold(path, flags, &held, e);
    if (code != 0) {
        return code;
    }
    if (journal_is_same(held->path, from)) {
        code = journal_restore_itself(held->path, aside, e);
    } else {
        char *tmp =
            mem_printf("%s.restore-%lld", held->path, (long long)getpid());
        (void)unlink(tmp); /* of a killed process that had our pid */
        code = journal_restore_copy(from, tmp, e);
        if (code == 0) {
            code = journal_set_aside(held->path, "replaced", aside, e);
        }
        if (code == 0) {
            code = journal_put_in_place(tmp, held->path, e);
        }
        (void)unlink(tmp);
        free(tmp);
    }
    if (code == 0) {
        journal_lock_forget(held);
    }
    journal_close(held);
    return code;
}
