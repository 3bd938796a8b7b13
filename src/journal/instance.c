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
 */
#include "journal/internal.h"

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
    return journal_exec(db, JOURNAL_INSTANCE_SQL, e);
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

int journal_instance_check(const char *path, struct err *e)
{
    char left[JOURNAL_INSTANCE_LEN];
    char found[JOURNAL_INSTANCE_LEN] = "";
    if (journal_wal_size(path) == 0) {
        return 0;
    }
    journal_instance_left(path, left);
    if (left[0] == '\0' || journal_engine_pid(path) != 0) {
        return 0; /* a clean end, or an engine that is alive */
    }
    sqlite3 *sql = NULL;
    char *uri = journal_immutable_uri(path);
    if (sqlite3_open_v2(uri, &sql,
                        SQLITE_OPEN_READONLY | SQLITE_OPEN_URI |
                            SQLITE_OPEN_NOMUTEX,
                        NULL) == SQLITE_OK) {
        journal_instance_read(sql, found);
    }
    (void)sqlite3_close(sql);
    free(uri);
    if (strcmp(left, found) == 0) {
        return 0;
    }
    return err_set(e, BTC_E_DB,
                   "%s was replaced after a btc that worked on it was killed, "
                   "and %s-wal belongs to the file that was there: together "
                   "they are no database. `btc db restore %s` goes on with the "
                   "file as it is and keeps the other one's log beside it",
                   path, path, path);
}
