/* The engine lock: one engine per database.
 *
 * It is two locks of the kind flock(2), which go with the open file
 * description: two opens in one process exclude each other too, and the kernel
 * drops them however the process ends.
 *
 * - FILE-lock has the pid in it, for people. Who asks whether an engine runs
 *   tries this lock.
 * - The database file itself is locked as well, because FILE-lock only follows
 * a name. Somebody may delete FILE-lock, rename the database, or reach it by a
 *   hard link or another mount: its inode stays the same.
 *
 * SQLite locks byte ranges with fcntl(2), which flock does not touch. But the
 * kernel drops all fcntl locks that a process has on a file when the process
 * closes any descriptor of it. So the descriptor of the database's lock is
 * closed only behind SQLite's own (journal_close).
 */
#include "journal/internal.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

/* journal_engine_pid holds the lock for an instant: worth some more tries. */
#define JOURNAL_LOCK_TRIES    20
#define JOURNAL_LOCK_RETRY_NS 5000000
/* A shorter list comes at once: of procfs stdio reads 1024 bytes. */
#define JOURNAL_LOCK_PART  1000
#define JOURNAL_LOCK_LOOKS 8

/* The pid in a lock file, 0 when there is none. */
static int64_t journal_lock_read_pid(int fd)
{
    char text[32];
    ssize_t n = pread(fd, text, sizeof(text), 0);
    uint64_t pid = 0;
    size_t len = 0;
    while (n > 0 && len < (size_t)n && text[len] >= '0' && text[len] <= '9') {
        len++;
    }
    if (!bytes_parse_u64(slice_of(text, len), &pid) || pid > INT32_MAX) {
        return 0;
    }
    return (int64_t)pid;
}

/* Writes our pid and the instance into the locked file. It is synced before the
 * database changes: after a power cut the word of an earlier run must not come
 * back and speak of a file that has another instance by now. */
static void journal_lock_write_pid(int fd, const char *instance)
{
    char text[96];
    int len = snprintf(text, sizeof(text), "%lld\n%s\n", (long long)getpid(),
                       instance);
    if (ftruncate(fd, 0) == 0) {
        (void)!pwrite(fd, text, (size_t)len, 0);
    }
    (void)fdatasync(fd);
}

/* Tries the lock a few times. */
static int journal_lock_try(int fd)
{
    for (int i = 0; i < JOURNAL_LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            return 0;
        }
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return errno;
        }
        struct timespec t = {.tv_sec = 0, .tv_nsec = JOURNAL_LOCK_RETRY_NS};
        (void)nanosleep(&t, NULL);
    }
    return EWOULDBLOCK;
}

/* The error when another engine has the lock. */
static int journal_lock_held(const char *path, int64_t pid, struct err *e)
{
    return err_set(e, BTC_E_LOCKED,
                   "another btc (pid %lld) works on %s: `btc status` shows it, "
                   "`btc add` gives it more to do",
                   (long long)pid, path);
}

/* The first lock: that of the name. */
static int journal_lock_name(const char *path, int *fd, struct err *e)
{
    char *name = mem_printf("%s-lock", path);
    int code = 0;
    int lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (lock < 0) {
        code = err_set_errno(e, errno, "cannot open the lock file %s", name);
        free(name);
        return code;
    }
    int rc = journal_lock_try(lock);
    if (rc == EWOULDBLOCK) {
        code = journal_lock_held(path, journal_lock_read_pid(lock), e);
    } else if (rc != 0) {
        code = err_set_errno(e, rc, "cannot lock %s", name);
    }
    free(name);
    if (code != 0) {
        (void)close(lock);
        return code;
    }
    *fd = lock;
    return 0;
}

/* Opens the database file for its lock, and makes it where it is absent. */
static int journal_lock_open(struct journal *db, struct err *e)
{
    if (db->file_fd >= 0) {
        return 0;
    }
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
    if (db->flags & JOURNAL_CREATE) {
        flags |= O_CREAT;
    }
    db->file_fd = open(db->path, flags, 0644);
    if (db->file_fd >= 0) {
        return 0;
    }
    if (errno == EMFILE) {
        return err_set_errno(e, errno, "cannot open %s", db->path);
    }
    (void)err_set_errno(e, errno,
                        "%s cannot be opened for writing: name another file "
                        "with --db FILE or change its rights",
                        db->path);
    return err_set_code(e, BTC_E_PERMISSION);
}

/* The second lock: that of the file, whatever its name. A network file system
 * makes an fcntl lock of it, which would be in SQLite's way. */
static int journal_lock_file(struct journal *db, struct err *e)
{
    if (db->flags & JOURNAL_NETWORK) {
        return 0;
    }
    int code = journal_lock_open(db, e);
    if (code != 0) {
        return code;
    }
    int rc = journal_lock_try(db->file_fd);
    if (rc == EWOULDBLOCK) {
        return err_set(e, BTC_E_LOCKED,
                       "another btc works on the file of %s under another "
                       "name, or its lock file was deleted: end that btc first",
                       db->path);
    }
    if (rc != 0) {
        return err_set_errno(e, rc, "cannot lock %s", db->path);
    }
    return 0;
}

int journal_lock_check(struct journal *db, struct err *e)
{
    struct stat ours;
    struct stat now;
    if (db->file_fd < 0 || fstat(db->file_fd, &ours) != 0) {
        return 0;
    }
    if (ours.st_nlink > 1) {
        return err_set(e, BTC_E_DB,
                       "%s has %lu names (hard links): SQLite keeps a log "
                       "beside each name, so that writing under two of them "
                       "destroys the database. Delete the other names, or make "
                       "copies with `btc db backup FILE`",
                       db->path, (unsigned long)ours.st_nlink);
    }
    if (stat(db->path, &now) != 0 || now.st_dev != ours.st_dev ||
        now.st_ino != ours.st_ino) {
        return err_set(e, BTC_E_DB,
                       "%s was moved, replaced or deleted while btc works on "
                       "it: nothing more is journaled. Put it back in its "
                       "place together with its -wal file, then `btc resume`",
                       db->path);
    }
    return journal_beside_check(db, e);
}

int journal_lock_hold(struct journal *db, struct err *e)
{
    BTC_ASSERT(db->lock_fd < 0);
    int code = journal_lock_name(db->path, &db->lock_fd, e);
    if (code == 0) {
        code = journal_lock_file(db, e);
    }
    if (code != 0) {
        journal_lock_drop(db);
    }
    return code;
}

int journal_lock_take(struct journal *db, struct err *e)
{
    int code = journal_lock_hold(db, e);
    if (code == 0) {
        code = journal_lock_check(db, e);
        if (code != 0) {
            journal_lock_drop(db);
        }
    }
    if (code == 0) {
        journal_lock_sign(db, "");
        if (db->sql) {
            journal_set_checkpoints(db, true);
        }
    }
    return code;
}

void journal_lock_sign(struct journal *db, const char *instance)
{
    journal_lock_write_pid(db->lock_fd, instance);
    db->is_signed = true;
}

void journal_lock_forget(struct journal *db)
{
    (void)!ftruncate(db->lock_fd, 0);
    db->is_signed = false;
}

/* Shared, so that nobody who looks for an engine takes this for one. */
void journal_lock_tidy(const char *path)
{
    struct stat st;
    char *name = mem_printf("%s-lock", path);
    int fd = -1;
    if (stat(name, &st) == 0 && st.st_size > 0 && journal_wal_size(path) == 0) {
        fd = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    }
    if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0 &&
        journal_wal_size(path) == 0) {
        (void)!ftruncate(fd, 0);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    free(name);
}

void journal_lock_drop(struct journal *db)
{
    if (db->sql) {
        journal_set_checkpoints(db, false);
    }
    if (db->is_signed) {
        journal_lock_forget(db);
    }
    if (db->lock_fd >= 0) {
        (void)close(db->lock_fd);
        db->lock_fd = -1;
    }
    if (db->file_fd >= 0) {
        (void)flock(db->file_fd, LOCK_UN);
    }
}

/* True when somebody has the lock of an open file. */
static bool journal_lock_is_held(int fd)
{
    if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
        (void)flock(fd, LOCK_UN);
        return false;
    }
    return errno == EWOULDBLOCK;
}

/* The number that stands in front of `end`: the word before the device. */
static int64_t journal_lock_number(const char *line, const char *end)
{
    const char *begin = end;
    uint64_t pid = 0;
    while (begin > line && begin[-1] >= '0' && begin[-1] <= '9') {
        begin--;
    }
    if (!bytes_parse_u64(slice_of(begin, (size_t)(end - begin)), &pid) ||
        pid > INT32_MAX) {
        return 0;
    }
    return (int64_t)pid;
}

/* The pid in the line with `want` and an flock, 0: there is none. `len` are the
 * bytes of the whole list. */
static int64_t journal_lock_search(const char *want, size_t *len)
{
    char line[256];
    int64_t pid = 0;
    FILE *f = fopen("/proc/locks", "re");
    *len = 0;
    while (f && pid == 0 && fgets(line, sizeof(line), f)) {
        const char *at = strstr(line, want);
        *len += strlen(line);
        if (at && strstr(line, "FLOCK")) {
            pid = journal_lock_number(line, at);
        }
    }
    if (f) {
        (void)fclose(f);
    }
    return pid;
}

/* The pid of who has an flock on a file, from /proc/locks (proc(5)): lines like
 * "7: FLOCK  ADVISORY  WRITE 4711 08:01:131842 0 EOF". 0 when nobody has. The
 * file is not opened for that: closing it would drop the locks that SQLite has
 * on it in this process. The kernel gives a long list in parts, and skips a
 * line when one before it goes between two of them: it is read again then. */
static int64_t journal_lock_listed(const char *path)
{
    struct stat st;
    char want[64];
    int64_t pid = 0;
    size_t len = JOURNAL_LOCK_PART;
    if (stat(path, &st) != 0) {
        return 0;
    }
    (void)snprintf(want, sizeof(want), " %02x:%02x:%llu ", major(st.st_dev),
                   minor(st.st_dev), (unsigned long long)st.st_ino);
    for (int i = 0;
         pid == 0 && len >= JOURNAL_LOCK_PART && i < JOURNAL_LOCK_LOOKS; i++) {
        pid = journal_lock_search(want, &len);
    }
    return pid;
}

/* -1 = held, but not signed: so it is for an instant at the start. */
static int64_t journal_lock_pid(const char *path, const char *name)
{
    int64_t pid = 0;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return journal_lock_listed(path); /* somebody deleted FILE-lock */
    }
    if (journal_lock_is_held(fd)) {
        pid = -1;
        if (journal_lock_read_pid(fd) > 0) {
            pid = journal_lock_read_pid(fd);
        }
    }
    (void)close(fd);
    return pid;
}

int64_t journal_engine_pid(const char *path)
{
    char *real = journal_resolve(path);
    char *name = mem_printf("%s-lock", real);
    int64_t pid = journal_lock_pid(real, name);
    free(name);
    free(real);
    return pid;
}
