/* Opening the journal.
 *
 * Order in journal_open: resolve the path (so that the lock and SQLite mean the
 * same file whatever link led here), take the engine lock, open, set the
 * pragmas, look who the file is, create or migrate. Nothing is written to a
 * file that is not ours.
 *
 * The WAL is kept on disk when the last connection closes (PERSIST_WAL): a user
 * who may only read the folder could otherwise not open a WAL database at rest.
 */
#include "journal/busy.h"
#include "journal/instance.h"
#include "journal/internal.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A WAL that grew beyond this (a reader was in the way) is cut again. */
#define JOURNAL_WAL_LIMIT (8 << 20)
/* Bytes of the smallest database: one page. */
#define JOURNAL_SIZE_MIN 512
/* Between two tries at something that SQLite does not wait for by itself. */
#define JOURNAL_RETRY_MS 20

/* Lets other processes go on for a moment. */
static void journal_sleep(long ms)
{
    struct timespec t = {.tv_sec = 0, .tv_nsec = ms * 1000000};
    (void)nanosleep(&t, NULL);
}

/* Makes the folders above a path, private to the user. Their names must be as
 * durable as what will stand in the file. */
static int journal_make_folders(const char *path, struct err *e)
{
    char *p = mem_strdup(path);
    int code = 0;
    for (char *c = p + 1; *c && code == 0; c++) {
        if (*c != '/') {
            continue;
        }
        *c = '\0';
        if (mkdir(p, 0700) == 0) {
            code = journal_sync_folder(p, e);
        } else if (errno != EEXIST) {
            code = err_set_errno(e, errno,
                                 "%s: cannot make the folder %s, name another "
                                 "file with --db FILE",
                                 path, p);
        }
        *c = '/';
    }
    free(p);
    return code;
}

/* What lies at the path, before SQLite may touch it. */
static int journal_check_file(const char *path, unsigned flags, bool *absent,
                              struct err *e)
{
    struct stat st;
    *absent = false;
    if (stat(path, &st) == 0) {
        if (S_ISREG(st.st_mode)) {
            return 0;
        }
        return err_set(e, BTC_E_DB,
                       "%s is not a file but a folder or device: give the "
                       "database's file with --db FILE",
                       path);
    }
    if (errno != ENOENT && errno != ENOTDIR) {
        return err_set_errno(e, errno, "%s: cannot look at it", path);
    }
    *absent = true;
    if ((flags & JOURNAL_CREATE) && !(flags & JOURNAL_READ_ONLY)) {
        return journal_make_folders(path, e);
    }
    return err_set(e, BTC_E_NOTFOUND,
                   "there is no database %s: `btc get` or `btc add` makes "
                   "one, --db FILE names another",
                   path);
}

/* Why SQLite could not open the file, which it does not tell well: it looks for
 * other files in between, and that leaves their errno. */
static int journal_connect_fail(struct journal *db, struct err *e)
{
    int how = db->flags & JOURNAL_READ_ONLY ? R_OK : R_OK | W_OK;
    int why = 0;
    if (access(db->path, F_OK) != 0) {
        why = errno;
    }
    bool absent = why != 0;
    if (!absent) {
        if (access(db->path, how) == 0) {
            why = 0;
        } else {
            why = errno;
        }
    } else if (why == ENOENT) {
        char *copy = mem_strdup(db->path);
        if (access(dirname(copy), W_OK | X_OK) == 0) {
            why = 0;
        } else {
            why = errno;
        }
        free(copy);
    }
    if (why == 0) {
        return journal_fail(db, e, "cannot open");
    }
    (void)err_set_errno(e, why,
                        "%s cannot be %s: name another file with --db FILE or "
                        "change the rights of %s",
                        db->path, absent ? "made" : "opened",
                        absent ? "its folder" : "this one");
    return err_set_code(e, BTC_E_PERMISSION);
}

/* Opens the connection and makes it safe against a hostile file. */
static int journal_connect(struct journal *db, bool immutable, struct err *e)
{
    int mode = SQLITE_OPEN_READWRITE;
    if ((db->flags & JOURNAL_READ_ONLY)) {
        mode = SQLITE_OPEN_READONLY;
    }
    if (db->flags & JOURNAL_CREATE) {
        mode |= SQLITE_OPEN_CREATE;
    }
    char *uri = NULL;
    if (immutable) {
        uri = journal_immutable_uri(db->path);
    }
    int rc = sqlite3_open_v2(
        uri ? uri : db->path, &db->sql,
        mode | SQLITE_OPEN_NOMUTEX | (uri ? SQLITE_OPEN_URI : 0), NULL);
    free(uri);
    if (!db->sql) {
        return err_set(e, BTC_E_INTERNAL, "%s: no memory", db->path);
    }
    if (rc != SQLITE_OK) {
        return journal_connect_fail(db, e);
    }
    (void)sqlite3_extended_result_codes(db->sql, 1);
    journal_busy_begin(db);
    (void)sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db->sql, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    (void)sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    int persist = 1;
    (void)sqlite3_file_control(db->sql, NULL, SQLITE_FCNTL_PERSIST_WAL,
                               &persist);
    return journal_exec(db,
                        "PRAGMA cell_size_check = ON;"
                        "PRAGMA mmap_size = 0;"
                        "PRAGMA foreign_keys = ON",
                        e);
}

/* First look into the file: SQLite really opens it here. A reader who cannot
 * make the WAL's files and does not need them reads the file as it stands. */
static int journal_probe(struct journal *db, struct err *e)
{
    int64_t n;
    int code = journal_query_int(db, "PRAGMA schema_version", 0, &n, e);
    int rc = sqlite3_errcode(db->sql) & 0xff;
    if (code == 0 || !(db->flags & JOURNAL_READ_ONLY) ||
        (rc != SQLITE_CANTOPEN && rc != SQLITE_READONLY) ||
        journal_wal_size(db->path) > 0) {
        return code;
    }
    journal_drop_kept(db);
    (void)sqlite3_close(db->sql);
    db->sql = NULL;
    code = journal_connect(db, true, e);
    if (code) {
        return code;
    }
    return journal_query_int(db, "PRAGMA schema_version", 0, &n, e);
}

/* A file too short for a database, but not empty, looks empty to SQLite. */
static bool journal_is_stub(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_size > 0 &&
           st.st_size < JOURNAL_SIZE_MIN;
}

/* It is not ours by its number. But a copy by way of SQL text (`.dump`) has
 * lost that, and is no other program's. */
static int journal_is_foreign(struct journal *db, int64_t app, struct err *e)
{
    int64_t ours = 0;
    int code = journal_query_int(
        db,
        "SELECT count(*) = 4 FROM sqlite_schema WHERE type = 'table'"
        " AND name IN ('torrent', 'torrent_stat', 'metainfo', 'piece')",
        0, &ours, e);
    if (code == 0 && app == 0 && ours) {
        return err_set(e, BTC_E_DB,
                       "%s holds torrents, but not as btc writes them (a copy "
                       "by `.dump` is like that): `btc db salvage --db %s` "
                       "makes a database of it",
                       db->path, db->path);
    }
    return err_set(e, BTC_E_DB,
                   "%s is a database of another program (application_id "
                   "%lld): name another file with --db FILE",
                   db->path, (long long)app);
}

/* Who the file is. *fresh: nothing in it yet. */
static int journal_identify(struct journal *db, bool *fresh, struct err *e)
{
    int64_t app = 0;
    int64_t tables = 0;
    int64_t version = 0;
    int code = journal_probe(db, e);
    if ((code == BTC_E_DB &&
         (sqlite3_errcode(db->sql) & 0xff) == SQLITE_NOTADB) ||
        (code == 0 && journal_is_stub(db->path))) {
        return err_set(e, BTC_E_DB,
                       "%s is not a database: give another file with --db "
                       "FILE, or move this one away",
                       db->path);
    }
    if (code == 0) {
        code = journal_query_int(db, "PRAGMA application_id", 0, &app, e);
    }
    if (code == 0) {
        code = journal_query_int(db, "PRAGMA user_version", 0, &version, e);
    }
    if (code == 0) {
        code = journal_query_int(db, "SELECT count(*) FROM sqlite_schema", 0,
                                 &tables, e);
    }
    if (code != 0) {
        return code;
    }
    *fresh = app == 0 && version == 0 && tables == 0;
    if (*fresh && !(db->flags & JOURNAL_CREATE)) {
        return err_set(e, BTC_E_DB,
                       "%s is empty: `btc get` or `btc add` makes a database "
                       "of it, `btc db restore FILE` brings a backup back, "
                       "--db FILE names another",
                       db->path);
    }
    if (!*fresh && app != JOURNAL_APPLICATION_ID) {
        return journal_is_foreign(db, app, e);
    }
    return 0;
}

/* WAL, durable at each commit. Changing the mode wants the file for itself for
 * a moment, and SQLite does not wait for that by itself. A new file changes its
 * mode with a rollback journal: only EXTRA makes sure that this one is gone for
 * good before the WAL says anything; when a power cut brought it back, it would
 * roll the file back to nothing. */
static int journal_set_wal(struct journal *db, struct err *e)
{
    int code = journal_exec(db, "PRAGMA synchronous = EXTRA", e);
    if (code != 0) {
        return code;
    }
    for (int waited = 0; waited <= JOURNAL_BUSY_MS;
         waited += JOURNAL_RETRY_MS) {
        code = journal_exec(db, "PRAGMA journal_mode = WAL", e);
        if (code != BTC_E_LOCKED) {
            break;
        }
        journal_sleep(JOURNAL_RETRY_MS);
    }
    if (code != 0) {
        return code;
    }
    char sql[160];
    (void)snprintf(sql, sizeof(sql),
                   "PRAGMA synchronous = FULL;"
                   "PRAGMA journal_size_limit = %d",
                   JOURNAL_WAL_LIMIT);
    return journal_exec(db, sql, e);
}

/* Everything behind the lock. */
static int journal_open_file(struct journal *db, bool absent, struct err *e)
{
    bool fresh = false;
    int code = journal_connect(db, false, e);
    if (code == 0) {
        code = journal_identify(db, &fresh, e);
    }
    if (code == 0 && !(db->flags & JOURNAL_READ_ONLY)) {
        if (sqlite3_db_readonly(db->sql, "main") == 1) {
            return err_set(e, BTC_E_PERMISSION,
                           "%s cannot be written: change its rights or name "
                           "another with --db FILE",
                           db->path);
        }
        code = journal_set_wal(db, e);
    }
    journal_set_checkpoints(db, db->lock_fd >= 0);
    if (code == 0) {
        code = journal_migrate(db, journal_migrations, journal_n_migrations, e);
    }
    if (code == 0 && (db->flags & JOURNAL_ENGINE)) {
        code = journal_instance_begin(db, e);
    }
    /* Also what a killed process had no time to sync: SQLite syncs the name of
     * a WAL only when it makes it. */
    if (code == 0 && (absent || fresh || (db->flags & JOURNAL_ENGINE))) {
        code = journal_sync_folder(db->path, e);
    }
    return code;
}

/* Opens the journal. */
int journal_open(const char *path, unsigned flags, struct journal **out,
                 struct err *e)
{
    *out = NULL;
    if (!path || !*path) {
        return err_set(e, BTC_E_USAGE,
                       "the database's path is empty: give --db FILE");
    }
    /* Nobody asks how much memory SQLite has, and to keep count of it costs a
     * mutex at each allocation: a twentieth of what adding torrents takes. Once
     * SQLite is in use this does nothing. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    bool absent;
    int code = journal_replace_left(path, flags, e);
    if (code == 0) {
        code = journal_check_file(path, flags, &absent, e);
    }
    if (code != 0) {
        return code;
    }
    struct journal *db = mem_zalloc(sizeof(*db));
    db->path = journal_resolve(path);
    if (flags & JOURNAL_READ_ONLY) {
        db->flags = flags & ~(unsigned)JOURNAL_CREATE;
    } else {
        db->flags = flags;
    }
    db->lock_fd = -1;
    db->file_fd = -1;
    db->wal_warn = JOURNAL_WAL_WARN;
    if (!(flags & JOURNAL_NETWORK)) {
        code = journal_fs_check(db->path, e);
    }
    if (code == 0) {
        code = journal_instance_check(db->path, e);
    }
    if (code == 0 && !(flags & JOURNAL_READ_ONLY)) {
        journal_lock_tidy(db->path);
    }
    if (code == 0 && (flags & JOURNAL_ENGINE)) {
        code = journal_lock_take(db, e);
    }
    if (code == 0) {
        code = journal_open_file(db, absent, e);
    }
    if (code != 0) {
        journal_close(db);
        return code;
    }
    *out = db;
    return 0;
}

/* A front that wrote while no engine runs takes the lock for a moment and
 * empties the WAL: it does not grow for ever, and whoever copies another
 * database over this one finds no log that would be played over the copy. */
static void journal_close_wal(struct journal *db)
{
    struct stat st;
    if (stat(db->path, &st) != 0) {
        return; /* its drive is away: no lock into what is there instead */
    }
    if (db->sql && db->lock_fd < 0 && !(db->flags & JOURNAL_READ_ONLY) &&
        sqlite3_total_changes64(db->sql) > 0 &&
        journal_engine_pid(db->path) == 0) { /* no waiting for an engine */
        (void)journal_lock_take(db, NULL);
    }
}

/* Closes the journal and gives the engine lock back. */
void journal_close(struct journal *db)
{
    if (!db) {
        return;
    }
    journal_apply_drop(db);
    journal_close_wal(db);
    if (db->sql && db->lock_fd >= 0) {
        journal_empty_wal(db);
    }
    journal_drop_kept(db);
    int rc = sqlite3_close(db->sql);
    BTC_ASSERT(rc == SQLITE_OK); /* a statement of ours was left open */
    db->sql = NULL;
    journal_lock_drop(db);
    if (db->file_fd >= 0) {
        (void)close(db->file_fd); /* behind SQLite's, see lock.c */
    }
    free(db->path);
    free(db);
}

int journal_lock_engine(struct journal *db, struct err *e)
{
    int code = journal_lock_take(db, e);
    if (code == 0) {
        code = journal_instance_begin(db, e);
        if (code != 0) {
            journal_lock_drop(db);
        }
    }
    return code;
}

void journal_unlock_engine(struct journal *db)
{
    (void)journal_empty_wal(db);
    journal_lock_drop(db);
}

/* The file's absolute path. */
const char *journal_path(const struct journal *db)
{
    return db->path;
}
