/* A finished database takes the place of another one, which is kept.
 *
 * A database has more than one name, FILE and FILE-wal, and no system call
 * renames both. So the new one first gets a name that says what is to happen,
 * FILE.<word>-N.next. Until then nothing of the old one was touched. From then
 * on the old one is to be kept as FILE.<word>-N, and whoever opens FILE next
 * does what a killed program has not come to: the old log and the old file move
 * away, then the new file takes the place. A log and a file of different
 * databases never stand beside each other.
 */
#include "journal/care.h"
#include "journal/internal.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL_ASIDE_MAX 1000 /* names tried for what is kept */
#define JOURNAL_NEXT      ".next"

/* What a database has beside it that must not be found beside another one. A
 * rollback journal is there when somebody has changed the mode by hand. */
static const char *const journal_logs[] = {"-wal", "-journal"};
#define JOURNAL_N_LOGS (sizeof(journal_logs) / sizeof(journal_logs[0]))

/* Words by which something is kept after a replacement. */
static const char *const journal_words[] = {JOURNAL_WORD_REPLACED,
                                            JOURNAL_WORD_DAMAGED};

static bool journal_is_there(const char *path, const char *suffix)
{
    struct stat st;
    char *name = mem_printf("%s%s", path, suffix);
    bool there = lstat(name, &st) == 0;
    free(name);
    return there;
}

/* Neither a file nor a log has the name. */
static bool journal_is_free(const char *name)
{
    bool there = journal_is_there(name, "") || journal_is_there(name, "-shm");
    for (size_t i = 0; i < JOURNAL_N_LOGS; i++) {
        there |= journal_is_there(name, journal_logs[i]);
    }
    return !there;
}

int journal_aside_name(const char *path, const char *word, char **out,
                       struct err *e)
{
    for (int i = 1; i <= JOURNAL_ASIDE_MAX; i++) {
        *out = mem_printf("%s.%s-%d", path, word, i);
        if (journal_is_free(*out)) {
            return 0;
        }
        free(*out);
    }
    *out = NULL;
    return err_set(e, BTC_E_EXISTS,
                   "%s.%s-1 and all the names behind it exist: delete some",
                   path, word);
}

int journal_move_aside(const char *path, const char *aside, const char *suffix,
                       struct err *e)
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

void journal_clean_files(const char *path)
{
    static const char *const suffixes[] = {"-journal", "-wal", "-shm", "-lock",
                                           ""};
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        char *name = mem_printf("%s%s", path, suffixes[i]);
        (void)unlink(name);
        free(name);
    }
}

/* An empty file without a log is not worth a name. */
static bool journal_is_empty(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_size == 0 &&
           journal_wal_size(path) == 0;
}

/* The name under which the old one is to be kept, when a replacement was
 * begun; NULL: none was. malloc. */
static char *journal_replace_find(const char *path)
{
    for (size_t w = 0; w < sizeof(journal_words) / sizeof(char *); w++) {
        bool is_free = false;
        for (int i = 1; !is_free && i <= JOURNAL_ASIDE_MAX; i++) {
            char *name = mem_printf("%s.%s-%d", path, journal_words[w], i);
            if (journal_is_there(name, JOURNAL_NEXT)) {
                return name;
            }
            is_free = journal_is_free(name);
            free(name);
        }
    }
    return NULL;
}

/* A log of the old one goes away. Its place is taken when somebody has opened
 * the old file after a kill, between the move of its log and its own: what he
 * has written is kept as well. */
static int journal_replace_log(const char *path, const char *aside,
                               const char *suffix, struct err *e)
{
    char *from = mem_printf("%s%s", path, suffix);
    char *to = mem_printf("%s%s", aside, suffix);
    bool taken = journal_is_there(path, suffix) &&
                 journal_is_there(aside, suffix) && !file_is_same(from, to);
    free(from);
    free(to);
    if (!taken) {
        return journal_move_aside(path, aside, suffix, e);
    }
    char *late = NULL;
    int code = journal_aside_name(aside, "late", &late, e);
    if (code == 0) {
        code = journal_move_aside(path, late, suffix, e);
    }
    free(late);
    return code;
}

/* The old one goes away, its logs first: a file without its log is an older
 * state, a log without its file could be taken for another one's. What is gone
 * already is gone. An empty file may be what the lock was taken on. */
static int journal_replace_clear(const char *path, const char *aside,
                                 struct err *e)
{
    char *shm = mem_printf("%s-shm", path);
    int code = 0;
    if (journal_is_empty(path) && unlink(path) != 0) {
        code = err_set_errno(e, errno, "%s", path);
    }
    for (size_t i = 0; code == 0 && i < JOURNAL_N_LOGS; i++) {
        code = journal_replace_log(path, aside, journal_logs[i], e);
    }
    if (code == 0) {
        code = journal_move_aside(path, aside, "", e);
    }
    if (code == 0) {
        (void)unlink(shm); /* SQLite makes it anew */
    }
    free(shm);
    if (code == 0) {
        code = journal_sync_folder(path, e);
    }
    return code;
}

/* All that is to be done once the new one has its name. */
static int journal_replace_go_on(const struct journal *held, const char *aside,
                                 struct err *e)
{
    char *next = mem_printf("%s%s", aside, JOURNAL_NEXT);
    int code = 0;
    /* else it has its name already, and one too many: see file_rename_new */
    if (!file_is_same(next, held->path)) {
        code = journal_replace_clear(held->path, aside, e);
    }
    if (code == 0) {
        int rc = file_rename_new(next, held->path);
        if (rc != 0) {
            code = err_set_errno(e, -rc, "cannot name the new database %s",
                                 held->path);
        }
    }
    if (code == 0) {
        code = journal_sync_folder(held->path, e);
    }
    free(next);
    return code;
}

int journal_replace(const struct journal *held, const char *tmp,
                    const char *word, char **aside, struct err *e)
{
    char *name = NULL;
    int code = journal_aside_name(held->path, word, &name, e);
    if (code != 0) {
        return code;
    }
    char *next = mem_printf("%s%s", name, JOURNAL_NEXT);
    int rc = file_rename_new(tmp, next);
    if (rc != 0) {
        code = err_set_errno(e, -rc, "cannot name the new database %s", next);
    }
    free(next);
    if (code == 0) {
        code = journal_sync_folder(held->path, e);
    }
    if (code == 0) {
        code = journal_replace_go_on(held, name, e);
    }
    if (code == 0 && journal_is_there(name, "")) {
        *aside = name;
        name = NULL;
    }
    free(name);
    return code;
}

/* The new one may still have the name under which it was made. */
static void journal_replace_tidy(const char *path)
{
    static const char *const made[] = {JOURNAL_MADE_RESTORE,
                                       JOURNAL_MADE_SALVAGE};
    for (size_t i = 0; i < sizeof(made) / sizeof(char *); i++) {
        char *tmp = mem_printf("%s%s", path, made[i]);
        if (file_is_same(tmp, path)) {
            (void)unlink(tmp);
        }
        free(tmp);
    }
}

/* What a killed program has begun, under its lock: the file may have a name too
 * many. If nobody has, it must not have one. */
static int journal_replace_finish(struct journal *held, struct err *e)
{
    char *aside = journal_replace_find(held->path);
    int code = 0;
    if (!aside) {
        return journal_lock_check(held, e);
    }
    code = journal_replace_go_on(held, aside, e);
    if (code == 0) {
        journal_replace_tidy(held->path);
        journal_lock_forget(held);
    }
    free(aside);
    return code;
}

/* Gives the lock back. SQLite has not opened the file. */
static void journal_unhold(struct journal *db)
{
    journal_lock_drop(db);
    if (db->file_fd >= 0) {
        (void)close(db->file_fd);
    }
    free(db->path);
    free(db);
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
    if (code == 0) {
        code = journal_replace_finish(db, e);
    }
    if (code != 0) {
        journal_unhold(db);
        return code;
    }
    *out = db;
    return 0;
}

int journal_replace_left(const char *path, unsigned flags, struct err *e)
{
    struct journal *held = NULL;
    char *real = journal_resolve(path);
    int code = 0;
    char *aside = journal_replace_find(real);
    if (aside) {
        code = journal_hold(real, flags & JOURNAL_NETWORK, &held, e);
        if (code == 0) {
            journal_unhold(held);
        } else if (code == BTC_E_LOCKED) {
            code = 0; /* somebody is at it */
        } else {
            (void)err_prefix(e, "a restore of it was begun and is to be "
                                "finished first");
        }
    }
    free(aside);
    free(real);
    return code;
}
