/* Which file a WAL belongs to.
 *
 * SQLite replays FILE-wal over whatever stands at FILE. After a kill the WAL is
 * full; who then copies a backup over FILE has two halves of different
 * databases, and the next program that opens them destroys the backup. So each
 * engine gives its database a new random name when it starts, the instance: it
 * stands in the table `setting`, moved into the file itself at once, and in
 * FILE-lock, which a killed engine leaves behind. A WAL that is not empty
 * belongs to the file only when both still say the same. A backup that btc
 * makes gets a name of its own.
 *
 * Whoever was killed while SQLite moved the WAL into the file leaves a file
 * that is half of each: it may not say any name, for page 1 tells of pages that
 * are not there yet. Then the two are read together, and belong together when
 * what comes of it is whole and has the name.
 */
#include "journal/instance.h"
#include "journal/internal.h"
#include "journal/refused.h"

#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define JOURNAL_INSTANCE_SQL                   \
    "INSERT INTO setting (key, value) VALUES " \
    "('instance', lower(hex(randomblob(8)))) " \
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value"

int journal_instance_renew(struct journal *db, struct err *e)
{
    int code = journal_exec(db, JOURNAL_INSTANCE_SQL, e);
    return journal_refusal(db, code, e);
}

/* The instance that an open connection sees; "" when there is none. */
static void journal_instance_read(sqlite3 *sql, char out[JOURNAL_INSTANCE_LEN])
{
    sqlite3_stmt *s = NULL;
    out[0] = '\0';
    if (sqlite3_prepare_v2(sql,
                           "SELECT value FROM setting WHERE key = 'instance'",
                           -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW) {
        (void)snprintf(out, JOURNAL_INSTANCE_LEN, "%s",
                       (const char *)sqlite3_column_text(s, 0));
    }
    (void)sqlite3_finalize(s);
}

int journal_instance_begin(struct journal *db, struct err *e)
{
    char now[JOURNAL_INSTANCE_LEN];
    int code = journal_instance_renew(db, e);
    if (code != 0) {
        return code;
    }
    /* Readers may be in the way of that; then FILE-lock names no instance, and
     * the WAL is trusted as SQLite would. */
    if (journal_empty_wal(db)) {
        journal_instance_read(db->sql, now);
        journal_lock_sign(db, now);
    }
    return 0;
}

/* The instance in FILE-lock: its second line. */
static void journal_instance_left(const char *path,
                                  char out[JOURNAL_INSTANCE_LEN])
{
    char text[128] = "";
    char *name = mem_printf("%s-lock", path);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    free(name);
    out[0] = '\0';
    if (fd < 0) {
        return;
    }
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    (void)close(fd);
    const char *line = NULL;
    if (n > 0) {
        line = strchr(text, '\n');
    }
    if (line) {
        (void)snprintf(out, JOURNAL_INSTANCE_LEN, "%.*s",
                       (int)strcspn(line + 1, "\n"), line + 1);
    }
}

/* A connection for a look: it moves nothing from the WAL into the file, and
 * waits for who recovers the WAL or closes. NULL: there is none. */
static sqlite3 *journal_instance_look(const char *name, int flags)
{
    sqlite3 *sql = NULL;
    int rc = sqlite3_open_v2(name, &sql, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_busy_timeout(sql, JOURNAL_BUSY_MS);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_db_config(sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    }
    if (rc != SQLITE_OK) {
        (void)sqlite3_close(sql);
        return NULL;
    }
    return sql;
}

/* What the file says of itself, without the WAL; "" when it says nothing. */
static void journal_instance_of_file(const char *path,
                                     char out[JOURNAL_INSTANCE_LEN])
{
    char *uri = journal_immutable_uri(path);
    sqlite3 *sql =
        journal_instance_look(uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
    free(uri);
    out[0] = '\0';
    if (sql != NULL) {
        journal_instance_read(sql, out);
        (void)sqlite3_close(sql);
    }
}

/* SQLite finds nothing wrong. */
static bool journal_instance_is_whole(sqlite3 *sql)
{
    sqlite3_stmt *s = NULL;
    bool is_whole = false;
    if (sqlite3_prepare_v2(sql, "PRAGMA quick_check(1)", -1, &s, NULL) ==
            SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(s, 0);
        is_whole = text != NULL && strcmp(text, "ok") == 0;
    }
    (void)sqlite3_finalize(s);
    return is_whole;
}

/* File and WAL together are a database of this name. */
static bool journal_instance_is_pair(const char *path, const char *name)
{
    char found[JOURNAL_INSTANCE_LEN];
    bool is_pair = false;
    sqlite3 *sql = journal_instance_look(path, SQLITE_OPEN_READWRITE);
    if (sql != NULL) {
        journal_instance_read(sql, found);
        is_pair = strcmp(found, name) == 0 && journal_instance_is_whole(sql);
        (void)sqlite3_close(sql);
    }
    return is_pair;
}

/* An engine that has started since gave the file a new name, or gives it one
 * just now, or somebody has moved the WAL into the file: then the two were not
 * read of the same moment. */
static bool journal_instance_moves(const char *path, const char *left)
{
    char now[JOURNAL_INSTANCE_LEN];
    journal_instance_left(path, now);
    return strcmp(left, now) != 0 || journal_engine_pid(path) != 0 ||
           journal_wal_size(path) == 0;
}

/* A file that says another name is another file. One that says none may be
 * ours, and damaged. */
static int journal_instance_refuse(const char *path, const char *found,
                                   struct err *e)
{
    if (found[0] == '\0') {
        return err_set(e, BTC_E_DB,
                       "%s is damaged, or was replaced after a btc that worked "
                       "on it was killed: together with its log %s-wal it is "
                       "no whole database. `btc db salvage` reads what can be "
                       "read; if you put the file there, `btc db restore %s` "
                       "goes on with it as it is",
                       path, path, path);
    }
    return err_set(e, BTC_E_DB,
                   "%s was replaced after a btc that worked on it was killed, "
                   "and %s-wal belongs to the file that was there: together "
                   "they are no database. `btc db restore %s` goes on with the "
                   "file as it is and keeps the other one's log beside it",
                   path, path, path);
}

/* There is a WAL of an engine that has not ended in order: `left` is the name
 * that it gave. */
static bool journal_instance_has_left(const char *path,
                                      char left[JOURNAL_INSTANCE_LEN])
{
    if (journal_wal_size(path) == 0) {
        return false;
    }
    if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0) {
        return false; /* whose it is cannot be seen: who opens it says why */
    }
    journal_instance_left(path, left);
    return left[0] != '\0';
}

/* The WAL of that name does not belong to the file, or it cannot be seen that
 * it does; `found` is what the file says of itself. */
static bool journal_instance_differs(const char *path, const char *left,
                                     char found[JOURNAL_INSTANCE_LEN])
{
    journal_instance_of_file(path, found);
    return strcmp(left, found) != 0 &&
           !(found[0] == '\0' && journal_instance_is_pair(path, left));
}

int journal_instance_check(const char *path, struct err *e)
{
    char left[JOURNAL_INSTANCE_LEN];
    char found[JOURNAL_INSTANCE_LEN];
    if (!journal_instance_has_left(path, left) ||
        journal_engine_pid(path) != 0) {
        return 0; /* a clean end, or an engine that is alive */
    }
    if (!journal_instance_differs(path, left, found) ||
        journal_instance_moves(path, left)) {
        return 0;
    }
    return journal_instance_refuse(path, found, e);
}

bool journal_instance_is_other(const char *path)
{
    char left[JOURNAL_INSTANCE_LEN];
    char found[JOURNAL_INSTANCE_LEN];
    return journal_instance_has_left(path, left) &&
           journal_instance_differs(path, left, found) && found[0] != '\0';
}
