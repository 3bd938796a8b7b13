/* The database as a file: its path, its log beside it, when the log is moved
 * into it, and how a name becomes durable. */
#include "journal/busy.h"
#include "journal/internal.h"

#include "base/file.h"
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

/* Pages in the WAL before they are moved to the file: 4 MiB. */
#define JOURNAL_CHECKPOINT_PAGES 1000
/* Links followed, one behind the other: as many as the kernel follows. */
#define JOURNAL_LINKS_MAX 40

/* Unix seconds. */
int64_t journal_now(void)
{
    return (int64_t)time(NULL);
}

/* Forces a file or folder to disk. */
int journal_sync_path(const char *path, struct err *e)
{
    int rc = file_sync(path);
    if (rc != 0) {
        return err_set_errno(e, -rc, "%s: cannot sync", path);
    }
    return 0;
}

/* Where a link leads; NULL when there is none. */
static char *journal_follow(const char *path)
{
    char to[PATH_MAX];
    ssize_t n = readlink(path, to, sizeof(to) - 1);
    if (n <= 0) {
        return NULL;
    }
    to[n] = '\0';
    if (to[0] == '/') {
        return mem_strdup(to);
    }
    char *copy = mem_strdup(path);
    char *out = mem_printf("%s/%s", dirname(copy), to);
    free(copy);
    return out;
}

/* Its folder with links resolved; the path itself when there is no folder. */
static char *journal_resolve_absent(const char *path)
{
    char *copy1 = mem_strdup(path);
    char *copy2 = mem_strdup(path);
    char *folder = realpath(dirname(copy1), NULL);
    char *out = NULL;
    if (folder) {
        out = file_join(folder, basename(copy2));
    }
    free(folder);
    free(copy1);
    free(copy2);
    if (out) {
        return out;
    }
    return mem_strdup(path);
}

/* Absolute path with links resolved, those too that lead to a file which SQLite
 * is yet to make: the lock must lie where everybody looks for it later. */
char *journal_resolve(const char *path)
{
    char *at = mem_strdup(path);
    char *out = NULL;
    for (int i = 0; at && !out; i++) {
        char *next = NULL;
        out = realpath(at, NULL);
        if (!out && i < JOURNAL_LINKS_MAX) {
            next = journal_follow(at);
        }
        if (!out && !next) {
            out = journal_resolve_absent(at);
        }
        free(at);
        at = next;
    }
    return out;
}

/* Makes a new name durable (a file's content is SQLite's matter). */
int journal_sync_folder(const char *path, struct err *e)
{
    char *folder = file_folder_of(path);
    int code = journal_sync_path(folder, e);
    free(folder);
    return code;
}

/* Percent-encodes a path into a file: URI that must not be locked. */
char *journal_immutable_uri(const char *path)
{
    size_t len = strlen(path);
    char *uri = mem_alloc(len * 3 + 32);
    size_t at = (size_t)snprintf(uri, 8, "file:");
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)path[i];
        if (c == '%' || c == '?' || c == '#') {
            at += (size_t)snprintf(uri + at, 4, "%%%02X", c);
        } else {
            uri[at++] = (char)c;
        }
    }
    (void)snprintf(uri + at, 16, "?immutable=1");
    return uri;
}

int64_t journal_wal_size(const char *path)
{
    struct stat st;
    char *wal = mem_printf("%s-wal", path);
    bool has = stat(wal, &st) == 0;
    free(wal);
    if (has) {
        return (int64_t)st.st_size;
    }
    return 0;
}

/* Who has the engine lock moves the WAL into the file, nobody else: in SQLite
 * before 3.51.3 two connections that checkpoint at the same time may reset the
 * WAL under each other (sqlite.org/wal.html). */
void journal_set_checkpoints(struct journal *db, bool on)
{
    int pages = 0;
    if (on) {
        pages = JOURNAL_CHECKPOINT_PAGES;
    }
    (void)sqlite3_wal_autocheckpoint(db->sql, pages);
    (void)sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !on,
                            NULL);
}

/* Moves all of the WAL into the file, as far as readers allow without waiting.
 * After a clean end, what stands under the file's own name is then the whole
 * database. */
bool journal_empty_wal(struct journal *db)
{
    if (journal_beside_is_broken(db)) {
        journal_set_checkpoints(db, false);
        return false;
    }
    int before = journal_set_patience(db, 0);
    int rc = sqlite3_wal_checkpoint_v2(db->sql, NULL,
                                       SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    (void)journal_set_patience(db, before);
    return rc == SQLITE_OK;
}
