/* A backup becomes the database, and what was the database is kept; replace.c
 * has the change itself. */
#include "journal/care.h"
#include "journal/internal.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/num.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The same file, by whatever name. */
static bool journal_is_same(const char *a, const char *b)
{
    struct stat sa;
    struct stat sb;
    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

/* A backup that is looked at. */
struct journal_restore_look {
    const char *from;
    struct err *e;
};

/* Row of a complaint: there must be none. */
static int journal_restore_complain(void *ctx, const struct journal_value *v,
                                    size_t n)
{
    const struct journal_restore_look *l = ctx;
    struct slice what = slice_str("?");
    if (n == 1 && v->type == JOURNAL_TEXT) {
        what = v->text;
    }
    return err_set(l->e, BTC_E_DB, "the backup is damaged (--db %s): %.*s",
                   l->from, (int)num_min(what.len, 200), (const char *)what.p);
}

/* No run is on in it, whatever ran when it was made: what has changed on disk
 * since then is nobody's doing, and is doubted. Rows that belong to nothing do
 * not make a backup worthless: they stay behind. */
static int journal_restore_mend(const char *path, struct err *e)
{
    struct journal copy = {.lock_fd = -1, .file_fd = -1};
    int64_t n_deleted = 0;
    int code = 0;
    copy.path = mem_strdup(path);
    if (sqlite3_open_v2(path, &copy.sql, SQLITE_OPEN_READWRITE, NULL) !=
        SQLITE_OK) {
        code = journal_fail(&copy, e, "cannot open the copy");
    }
    if (code == 0) {
        code = journal_exec(&copy,
                            "UPDATE run SET ended_at = heartbeat_at"
                            " WHERE ended_at IS NULL",
                            e);
    }
    if (code == 0) {
        code = journal_heal(&copy, &n_deleted, e);
    }
    (void)sqlite3_close(copy.sql);
    free(copy.path);
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
        struct journal_restore_look look = {.from = from, .e = e};
        code = journal_check_form(db, journal_restore_complain, &look, e);
    }
    if (code == 0) {
        code = journal_copy_to(db, tmp, false, e);
    }
    journal_close(db);
    if (code == 0) {
        code = journal_restore_mend(tmp, e);
    }
    if (code == 0) {
        code = journal_sync_path(tmp, e);
    }
    return code;
}

/* The file at the path is the database that is wanted; its log is not. The name
 * of the log says that no file belongs to it. */
static int journal_restore_itself(const char *path, char **aside, struct err *e)
{
    char *wal = mem_printf("%s-wal", path);
    char *shm = mem_printf("%s-shm", path);
    char *kept = NULL;
    int code = journal_aside_name(path, "stray", &kept, e);
    if (code == 0 && access(wal, F_OK) == 0) {
        code = journal_move_aside(path, kept, "-wal", e);
        *aside = mem_printf("%s-wal", kept);
    }
    if (code == 0) {
        (void)unlink(shm);
    }
    free(kept);
    free(wal);
    free(shm);
    if (code == 0) {
        code = journal_sync_folder(path, e);
    }
    return code;
}

/* Under the lock. The new file is whole and durable under a name of its own
 * before anything happens to the old one. */
static int journal_restore_held(struct journal *held, const char *from,
                                char **aside, struct err *e)
{
    if (journal_is_same(held->path, from)) {
        return journal_restore_itself(held->path, aside, e);
    }
    char *tmp = mem_printf("%s" JOURNAL_MADE_RESTORE, held->path);
    int code = 0;
    if (journal_is_same(tmp, from)) {
        code = err_set(e, BTC_E_EXISTS,
                       "%s is the name of a file that this command makes: "
                       "rename it first",
                       tmp);
        free(tmp);
        return code;
    }
    journal_clean_files(tmp); /* of one that was killed */
    code = journal_restore_copy(from, tmp, e);
    if (code == 0) {
        code = journal_replace(held, tmp, JOURNAL_WORD_REPLACED, aside, e);
    }
    journal_clean_files(tmp);
    free(tmp);
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
    code = journal_restore_held(held, from, aside, e);
    if (code == 0) {
        journal_lock_forget(held);
    }
    journal_close(held);
    return code;
}
