/* The engine lock: one engine per database.
 *
 * An flock on FILE-lock. It goes with the open file description, so two opens
 * in one process exclude each other too, and the kernel drops it however the
 * process ends. The pid in the file is for people: who asks whether an engine
 * runs tries the lock. The file is never deleted: a lock on a deleted file
 * excludes nobody.
 */
#include "journal/internal.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* journal_engine_pid holds the lock for an instant: worth some more tries. */
#define JOURNAL_LOCK_TRIES    20
#define JOURNAL_LOCK_RETRY_NS 5000000

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

/* Writes our pid into the locked file; only people read it, so it may fail. */
static void journal_lock_write_pid(int fd)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%lld\n", (long long)getpid());
    if (ftruncate(fd, 0) == 0) {
        (void)!pwrite(fd, text, (size_t)len, 0);
    }
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

/* Takes the engine lock of a database. */
int journal_lock_take(const char *path, int *fd, struct err *e)
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
        code = err_set(e, BTC_E_LOCKED,
                       "another btc (pid %lld) works on %s: `btc status` "
                       "shows it, `btc add` gives it more to do",
                       (long long)journal_lock_read_pid(lock), path);
    } else if (rc != 0) {
        code = err_set_errno(e, rc, "cannot lock %s", name);
    }
    free(name);
    if (code != 0) {
        (void)close(lock);
        return code;
    }
    journal_lock_write_pid(lock);
    *fd = lock;
    return 0;
}

/* Gives the lock back; -1 = it was not ours. */
void journal_lock_drop(int fd)
{
    if (fd >= 0) {
        (void)!ftruncate(fd, 0);
        (void)close(fd);
    }
}

/* The engine lock on an open handle. */
int journal_lock_engine(struct journal *db, struct err *e)
{
    BTC_ASSERT(db->lock_fd < 0);
    return journal_lock_take(db->path, &db->lock_fd, e);
}

/* Gives the engine lock back; the handle stays open. */
void journal_unlock_engine(struct journal *db)
{
    journal_lock_drop(db->lock_fd);
    db->lock_fd = -1;
}

/* Pid of the engine that holds the lock now. */
int64_t journal_engine_pid(const char *path)
{
    char *real = journal_resolve(path);
    char *name = mem_printf("%s-lock", real);
    int64_t pid = 0;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
            (void)flock(fd, LOCK_UN);
        } else if (errno == EWOULDBLOCK) {
            pid = journal_lock_read_pid(fd);
            pid = pid > 0 ? pid : -1; /* held, but not yet signed */
        }
        (void)close(fd);
    }
    free(name);
    free(real);
    return pid;
}
