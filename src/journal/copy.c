/* A copy of the database as it stands.
 *
 * It is made under a name of its own, FILE.tmp-PID, and has its name when it is
 * whole and durable: a backup is there or it is not. What a killed program has
 * left of one goes with the next copy to the same name.
 */
#include "journal/care.h"
#include "journal/instance.h"
#include "journal/internal.h"

#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL_COPY_TMP ".tmp-"

/* Puts a finished copy in its place. */
static int journal_place_copy(const char *tmp, const char *to, bool replace,
                              struct err *e)
{
    int err = 0;
    if (!replace) {
        err = -file_rename_new(tmp, to);
    } else if (rename(tmp, to) != 0) {
        err = errno;
    }
    if (err == EEXIST) {
        return err_set(e, BTC_E_EXISTS, "%s exists: name another file", to);
    }
    if (err != 0) {
        return err_set_errno(e, err, "cannot name the copy %s", to);
    }
    return journal_sync_folder(to, e);
}

/* The empty file that the copy goes into: SQLite would not say why it cannot be
 * made. */
static int journal_make_copy(const char *tmp, const char *to, mode_t mode,
                             struct err *e)
{
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        return err_set_errno(e, errno, "cannot make the copy %s", to);
    }
    (void)close(fd);
    return 0;
}

/* A copy is another instance: no log belongs to it. */
static int journal_name_copy(const char *tmp, struct err *e)
{
    struct journal copy = {.lock_fd = -1, .file_fd = -1};
    copy.path = mem_strdup(tmp);
    int code = 0;
    if (sqlite3_open_v2(tmp, &copy.sql,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK) {
        code = journal_fail(&copy, e, "cannot open the copy");
    }
    int64_t has = 0;
    if (code == 0) {
        code = journal_query_int(&copy,
                                 "SELECT count(*) FROM sqlite_schema"
                                 " WHERE name = 'setting'",
                                 0, &has, e);
    }
    if (code == 0 && has > 0) {
        code = journal_exec(&copy, "PRAGMA journal_mode = MEMORY", e);
    }
    if (code == 0 && has > 0) {
        code = journal_instance_renew(&copy, e);
    }
    (void)sqlite3_close(copy.sql);
    free(copy.path);
    return code;
}

/* The name is that of a copy which nobody makes any more. */
static bool journal_copy_is_left(const char *name, const char *base)
{
    size_t len = strlen(base);
    uint64_t pid = 0;
    if (strncmp(name, base, len) != 0 ||
        strncmp(name + len, JOURNAL_COPY_TMP, strlen(JOURNAL_COPY_TMP)) != 0) {
        return false;
    }
    const char *digits = name + len + strlen(JOURNAL_COPY_TMP);
    size_t n = strspn(digits, "0123456789");
    return bytes_parse_u64(slice_of(digits, n), &pid) && pid <= INT32_MAX &&
           (digits[n] == '\0' || strcmp(digits + n, "-journal") == 0) &&
           kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

/* Takes those away. */
static void journal_copy_sweep(const char *to)
{
    const char *slash = strrchr(to, '/');
    const char *base = to;
    char *folder = file_folder_of(to);
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    if (slash) {
        base = slash + 1;
    }
    while (dir && (entry = readdir(dir)) != NULL) {
        if (journal_copy_is_left(entry->d_name, base)) {
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
        }
    }
    if (dir) {
        (void)closedir(dir);
    }
    free(folder);
}

/* A log at the new name is that of a database which was there before: SQLite
 * would play it over the copy. Where that database is to be replaced its log
 * goes with it. */
static int journal_copy_clear(const char *to, bool replace, struct err *e)
{
    static const char *const logs[] = {"-wal", "-journal"};
    int code = 0;
    for (size_t i = 0; code == 0 && i < sizeof(logs) / sizeof(logs[0]); i++) {
        struct stat st;
        char *log = mem_printf("%s%s", to, logs[i]);
        bool has = stat(log, &st) == 0 && st.st_size > 0;
        if (has && !replace) {
            code = err_set(e, BTC_E_EXISTS,
                           "%s exists, the log of another database: name "
                           "another file, or delete it",
                           log);
        } else if (has && unlink(log) != 0) {
            code = err_set_errno(e, errno, "cannot delete %s", log);
        }
        free(log);
    }
    return code;
}

/* Fills the empty file. */
static int journal_copy_fill(struct journal *db, const char *tmp, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_prepare(db, "VACUUM INTO ?1", &s, e);
    if (code == 0) {
        (void)sqlite3_bind_text(s, 1, tmp, -1, SQLITE_STATIC);
        code = journal_run_stmt(db, s, e);
    }
    (void)sqlite3_finalize(s);
    if (code == 0) {
        code = journal_name_copy(tmp, e);
    }
    if (code == 0) {
        code = journal_sync_path(tmp, e);
    }
    return code;
}

int journal_copy_to(struct journal *db, const char *to, bool replace,
                    struct err *e)
{
    if (!replace && access(to, F_OK) == 0) {
        return err_set(e, BTC_E_EXISTS, "%s exists: name another file", to);
    }
    struct stat st;
    mode_t mode = 0600; /* as private as the database */
    if (stat(db->path, &st) == 0) {
        mode = st.st_mode & 0666;
    }
    journal_copy_sweep(to);
    char *tmp =
        mem_printf("%s" JOURNAL_COPY_TMP "%lld", to, (long long)getpid());
    (void)unlink(tmp); /* of a killed process that had our pid */
    int code = journal_make_copy(tmp, to, mode, e);
    if (code == 0) {
        code = journal_copy_fill(db, tmp, e);
        if (code != 0) { /* it names the one that is read, whichever it is */
            (void)err_prefix(e, "cannot make the copy %s", to);
        }
    }
    if (code == 0) {
        code = journal_copy_clear(to, replace, e);
    }
    if (code == 0) {
        code = journal_place_copy(tmp, to, replace, e);
    }
    if (code != 0) {
        (void)unlink(tmp);
    }
    free(tmp);
    return code;
}

int journal_backup(struct journal *db, const char *to, struct err *e)
{
    if (!to || !*to) {
        return err_set(e, BTC_E_USAGE, "name the file of the backup");
    }
    return journal_copy_to(db, to, false, e);
}
