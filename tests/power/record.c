/* A recorder of what a program does to its files, to be preloaded: each write,
 * change of size, name and sync below one folder goes to a log with its data.
 * tests/power/images.py builds from it what a disk may hold after a power cut.
 *
 *   BTC_RECORD_ROOT=DIR BTC_RECORD_LOG=FILE LD_PRELOAD=.../librecord.so btc ...
 *
 * Order: one mutex holds a call and its record together, so the log is a total
 * order. A write is recorded before it is made: a process that is killed in
 * between leaves a record of a write that may be missing, which is what an
 * unsynced write is anyway; one that fails or falls short is taken back by a
 * RESULT. A sync is two records, since it vouches only for what was written
 * before it began. Several processes may append to one log one after the other.
 * BTC_RECORD_SYNC_MS makes each sync as slow as a disk's; BTC_RECORD_FAIL_NTH
 * and BTC_RECORD_FAIL_NAME let the n-th sync of paths that hold the name fail:
 * then what was not durable never will be.
 *
 * Which file: the inode of the descriptor, followed from the moment it is
 * opened by a path below the folder. SQLite's -shm is not: it is mapped, and
 * made anew after a crash. What cannot be followed (a shared writable mapping,
 * a punched hole) is recorded as BAD, and the test fails.
 *
 * The calls go to the kernel with syscall(2), so that no symbol of a sanitizer
 * comes in between. Linux with 64 bits only. names.c has the calls that change
 * names.
 */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The C library names its parameters with reserved words.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

#define RECORD_INODES 8192u /* followed at once; a power of two */

static pthread_mutex_t record_mutex = PTHREAD_MUTEX_INITIALIZER;
static int record_log = -1;
static char record_root[PATH_MAX];
static size_t record_root_len; /* 0 = nothing is recorded */
static dev_t record_dev;
static long record_sync_ms;
static long record_fail_nth; /* 0 = none any more */
static const char *record_fail_name;
static uint32_t record_n_inodes;
static uint64_t record_inodes[RECORD_INODES]; /* open addressing; 0 = free */

/* A number of the environment, 0 when there is none. */
static long record_number(const char *name)
{
    long n = 0;
    const char *text = getenv(name);
    for (; text && *text >= '0' && *text <= '9'; text++) {
        n = n * 10 + (*text - '0');
    }
    return n;
}

/* Reads the environment. */
__attribute__((constructor)) static void record_init(void)
{
    const char *root = getenv("BTC_RECORD_ROOT");
    const char *log = getenv("BTC_RECORD_LOG");
    struct stat st;
    if (!root || !log || !realpath(root, record_root) ||
        stat(record_root, &st) != 0) {
        return;
    }
    record_log = (int)syscall(SYS_openat, AT_FDCWD, log,
                              O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (record_log < 0) {
        abort();
    }
    record_sync_ms = record_number("BTC_RECORD_SYNC_MS");
    record_fail_nth = record_number("BTC_RECORD_FAIL_NTH");
    record_fail_name = getenv("BTC_RECORD_FAIL_NAME");
    record_dev = st.st_dev;
    record_root_len = strlen(record_root);
}

/* See record.h. */
void record_lock(void)
{
    (void)pthread_mutex_lock(&record_mutex);
}

/* See record.h. */
void record_unlock(void)
{
    int keep = errno;
    (void)pthread_mutex_unlock(&record_mutex);
    errno = keep;
}

/* The slot of an inode, or the free one where it would go. */
static uint64_t *record_slot(uint64_t ino)
{
    uint64_t i = ino * 0x9e3779b97f4a7c15u >> 40;
    while (record_inodes[i % RECORD_INODES] != ino &&
           record_inodes[i % RECORD_INODES] != 0) {
        i++;
    }
    return &record_inodes[i % RECORD_INODES];
}

/* See record.h. Slots are never freed: a test has few files. */
void record_follow(uint64_t ino)
{
    uint64_t *slot = record_slot(ino);
    if (*slot == 0 && ++record_n_inodes > RECORD_INODES / 2) {
        abort();
    }
    *slot = ino;
}

/* See record.h. */
uint64_t record_ino(int fd)
{
    struct stat st;
    int keep = errno;
    bool ok = record_root_len > 0 && fstat(fd, &st) == 0 &&
              st.st_dev == record_dev &&
              (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
    errno = keep;
    return ok ? *record_slot(st.st_ino) : 0;
}

/* See record.h. */
bool record_is_ours(const char *path)
{
    size_t len = strlen(path);
    return record_root_len > 0 &&
           strncmp(path, record_root, record_root_len) == 0 &&
           (path[record_root_len] == '/' || path[record_root_len] == '\0') &&
           !(len > 4 && strcmp(path + len - 4, "-shm") == 0);
}

/* Nanoseconds since 1970: what a file's mtime would be. */
static uint64_t record_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME_COARSE, &t); /* as the kernel does */
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Writes all to the log; a log with a gap is worse than none. */
static void record_write_all(const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        long n = syscall(SYS_write, record_log, p, len);
        if (n <= 0) {
            abort();
        }
        p += n;
        len -= (size_t)n;
    }
}

/* See record.h. */
uint64_t record_put(const struct record *r)
{
    static uint32_t count;
    int keep = errno;
    struct record_head h = {
        .magic = RECORD_MAGIC,
        .op = (uint32_t)r->op,
        .id = (uint64_t)getpid() << 32 | ++count,
        .ino = r->ino,
        .at = r->at,
        .time_ns = record_now(),
        .path_len = r->path ? (uint32_t)strlen(r->path) : 0,
        .path2_len = r->path2 ? (uint32_t)strlen(r->path2) : 0,
    };
    for (int i = 0; i < r->n_iov; i++) {
        h.data_len += r->iov[i].iov_len;
    }
    record_write_all(&h, sizeof h);
    record_write_all(r->path, h.path_len);
    record_write_all(r->path2, h.path2_len);
    for (int i = 0; i < r->n_iov; i++) {
        record_write_all(r->iov[i].iov_base, r->iov[i].iov_len);
    }
    errno = keep;
    return h.id;
}

/* Something that the images could not show. */
static void record_bad(uint64_t ino, const char *what)
{
    record_put(&(struct record){.op = RECORD_BAD, .ino = ino, .path = what});
}

/* --- opening */

/* What is known before an open. */
struct record_before {
    bool ours;
    bool absent;
};

/* Looks before an open. */
static struct record_before record_before_open(int dir, const char *path,
                                               int flags)
{
    char full[PATH_MAX];
    struct stat st;
    struct record_before b = {0};
    if ((flags & O_CREAT) && record_canonical(dir, path, full)) {
        b.ours = record_is_ours(full);
        b.absent = b.ours && lstat(full, &st) != 0;
    }
    return b;
}

/* Follows what has been opened. */
static void record_opened(int fd, int flags, bool made)
{
    char link[64];
    char full[PATH_MAX];
    struct stat st;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, full, sizeof full - 1);
    if (n <= 0 || fstat(fd, &st) != 0) {
        return;
    }
    full[n] = '\0';
    bool is_dir = S_ISDIR(st.st_mode);
    if (!record_is_ours(full) || !(is_dir || S_ISREG(st.st_mode))) {
        return;
    }
    record_follow(st.st_ino);
    unsigned writes = (unsigned)flags & O_ACCMODE;
    uint64_t at = (made ? RECORD_MADE : 0u) | (is_dir ? RECORD_IS_DIR : 0u) |
                  (!is_dir && writes && (flags & O_TRUNC) ? RECORD_CUT : 0u);
    record_put(&(struct record){
        .op = RECORD_OPEN, .ino = st.st_ino, .at = at, .path = full});
}

/* All ways to open. */
static int record_open(int dir, const char *path, int flags, mode_t mode)
{
    if (record_root_len == 0) {
        return (int)syscall(SYS_openat, dir, path, flags, mode);
    }
    record_lock();
    struct record_before b = record_before_open(dir, path, flags);
    int fd = (int)syscall(SYS_openat, dir, path, flags, mode);
    if (fd >= 0) {
        record_opened(fd, flags, b.absent);
    }
    record_unlock();
    return fd;
}

/* The mode argument, when there is one. */
#define RECORD_MODE(flags, mode)               \
    do {                                       \
        va_list args;                          \
        va_start(args, flags);                 \
        if ((flags) & (O_CREAT | O_TMPFILE)) { \
            (mode) = va_arg(args, mode_t);     \
        }                                      \
        va_end(args);                          \
    } while (0)

RECORD_EXPORT int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    RECORD_MODE(flags, mode);
    return record_open(AT_FDCWD, path, flags, mode);
}

RECORD_EXPORT int open64(const char *path, int flags, ...)
{
    mode_t mode = 0;
    RECORD_MODE(flags, mode);
    return record_open(AT_FDCWD, path, flags, mode);
}

RECORD_EXPORT int openat(int dir, const char *path, int flags, ...)
{
    mode_t mode = 0;
    RECORD_MODE(flags, mode);
    return record_open(dir, path, flags, mode);
}

RECORD_EXPORT int openat64(int dir, const char *path, int flags, ...)
{
    mode_t mode = 0;
    RECORD_MODE(flags, mode);
    return record_open(dir, path, flags, mode);
}

RECORD_EXPORT int creat(const char *path, mode_t mode)
{
    return record_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

RECORD_EXPORT int creat64(const char *path, mode_t mode)
{
    return record_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

/* --- writing */

/* A vectored write; at < 0: where the descriptor stands. */
static ssize_t record_writev(int fd, const struct iovec *iov, int n, off_t at,
                             int flags)
{
    record_lock();
    uint64_t ino = record_ino(fd);
    uint64_t id = 0;
    size_t len = 0;
    if (ino) {
        struct stat st;
        int mode = (int)syscall(SYS_fcntl, fd, F_GETFL);
        bool append = mode >= 0 && (mode & O_APPEND) && fstat(fd, &st) == 0;
        off_t to = append    ? st.st_size
                   : at >= 0 ? at
                             : (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);
        id = record_put(&(struct record){.op = RECORD_WRITE,
                                         .ino = ino,
                                         .at = (uint64_t)to,
                                         .iov = iov,
                                         .n_iov = n});
        for (int i = 0; i < n; i++) {
            len += iov[i].iov_len;
        }
    }
    ssize_t done = at < 0 ? syscall(SYS_writev, fd, iov, n)
                          : syscall(SYS_pwritev2, fd, iov, n, at, 0L, flags);
    if (ino && done != (ssize_t)len) {
        record_put(&(struct record){.op = RECORD_RESULT,
                                    .ino = done > 0 ? (uint64_t)done : 0,
                                    .at = id});
    }
    record_unlock();
    return done;
}

/* A write of one buffer. */
static ssize_t record_write(int fd, const void *data, size_t len, off_t at)
{
    struct iovec iov = {.iov_len = len};
    memcpy(&iov.iov_base, &data, sizeof data); /* iovec has no const */
    return record_writev(fd, &iov, 1, at, 0);
}

RECORD_EXPORT ssize_t write(int fd, const void *data, size_t len)
{
    if (record_ino(fd) == 0) {
        return syscall(SYS_write, fd, data, len); /* a pipe must not block us */
    }
    return record_write(fd, data, len, -1);
}

RECORD_EXPORT ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    return record_write(fd, data, len, at);
}

RECORD_EXPORT ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
    return record_write(fd, data, len, at);
}

RECORD_EXPORT ssize_t writev(int fd, const struct iovec *iov, int n)
{
    if (record_ino(fd) == 0) {
        return syscall(SYS_writev, fd, iov, n);
    }
    return record_writev(fd, iov, n, -1, 0);
}

RECORD_EXPORT ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
    return record_writev(fd, iov, n, at, 0);
}

RECORD_EXPORT ssize_t pwritev64(int fd, const struct iovec *iov, int n,
                                off64_t at)
{
    return record_writev(fd, iov, n, at, 0);
}

RECORD_EXPORT ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t at,
                               int flags)
{
    return record_writev(fd, iov, n, at, flags);
}

RECORD_EXPORT ssize_t pwritev64v2(int fd, const struct iovec *iov, int n,
                                  off64_t at, int flags)
{
    return record_writev(fd, iov, n, at, flags);
}

/* --- sizes */

/* Both widths. */
static int record_ftruncate(int fd, off_t size)
{
    record_lock();
    uint64_t ino = record_ino(fd);
    int rc = (int)syscall(SYS_ftruncate, fd, size);
    if (ino && rc == 0) {
        record_put(&(struct record){
            .op = RECORD_SIZE, .ino = ino, .at = (uint64_t)size});
    }
    record_unlock();
    return rc;
}

RECORD_EXPORT int ftruncate(int fd, off_t size)
{
    return record_ftruncate(fd, size);
}

RECORD_EXPORT int ftruncate64(int fd, off64_t size)
{
    return record_ftruncate(fd, size);
}

/* By name: open it, so that its inode is known. */
RECORD_EXPORT int truncate(const char *path, off_t size)
{
    int fd = record_open(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
    int rc = fd < 0 ? -1 : record_ftruncate(fd, size);
    if (fd >= 0) {
        (void)syscall(SYS_close, fd);
    }
    return rc;
}

RECORD_EXPORT int truncate64(const char *path, off64_t size)
{
    return truncate(path, size);
}

/* Both widths. */
static int record_fallocate(int fd, int mode, off_t at, off_t len)
{
    record_lock();
    uint64_t ino = record_ino(fd);
    int rc = (int)syscall(SYS_fallocate, fd, mode, at, len);
    if (ino && rc == 0 && (mode & ~FALLOC_FL_KEEP_SIZE)) {
        record_bad(ino, "fallocate with a mode");
    } else if (ino && rc == 0 && mode == 0) {
        record_put(&(struct record){
            .op = RECORD_EXTEND, .ino = ino, .at = (uint64_t)(at + len)});
    }
    record_unlock();
    return rc;
}

RECORD_EXPORT int fallocate(int fd, int mode, off_t at, off_t len)
{
    return record_fallocate(fd, mode, at, len);
}

RECORD_EXPORT int fallocate64(int fd, int mode, off64_t at, off64_t len)
{
    return record_fallocate(fd, mode, at, len);
}

RECORD_EXPORT int posix_fallocate(int fd, off_t at, off_t len)
{
    int keep = errno;
    int rc = record_fallocate(fd, 0, at, len) == 0 ? 0 : errno;
    errno = keep;
    return rc;
}

RECORD_EXPORT int posix_fallocate64(int fd, off64_t at, off64_t len)
{
    return posix_fallocate(fd, at, len);
}

/* A mapping that others can see writes without a call. */
static void *record_mmap(void *to, size_t len, int prot, int flags, int fd,
                         off_t at)
{
    long rc = syscall(SYS_mmap, to, len, prot, flags, fd, at);
    uint64_t ino = fd >= 0 && (prot & PROT_WRITE) && (flags & MAP_SHARED)
                       ? record_ino(fd)
                       : 0;
    if (ino) {
        record_lock();
        record_bad(ino, "mmap");
        record_unlock();
    }
    return (void *)rc; /* NOLINT(performance-no-int-to-ptr) */
}

RECORD_EXPORT void *mmap(void *to, size_t len, int prot, int flags, int fd,
                         off_t at)
{
    return record_mmap(to, len, prot, flags, fd, at);
}

RECORD_EXPORT void *mmap64(void *to, size_t len, int prot, int flags, int fd,
                           off64_t at)
{
    return record_mmap(to, len, prot, flags, fd, at);
}

/* --- syncs */

/* A disk takes its time: BTC_RECORD_SYNC_MS. */
static void record_sleep(void)
{
    struct timespec t = {.tv_sec = record_sync_ms / 1000,
                         .tv_nsec = record_sync_ms % 1000 * 1000000};
    while (record_sync_ms > 0 && nanosleep(&t, &t) != 0 && errno == EINTR) {
    }
}

/* Whether this sync is the one that is to fail. Under the lock. */
static bool record_fails(int fd)
{
    char link[64];
    char full[PATH_MAX];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = record_fail_nth > 0 && record_fail_name
                    ? readlink(link, full, sizeof full - 1)
                    : 0;
    full[n > 0 ? n : 0] = '\0';
    return n > 0 && strstr(full, record_fail_name) && --record_fail_nth == 0;
}

/* The call is not under the lock: others may write meanwhile. */
static int record_sync(int fd, long call)
{
    record_lock();
    struct record r = {.op = RECORD_SYNC_BEGIN, .ino = record_ino(fd)};
    r.at = r.ino ? record_put(&r) : 0;
    bool fails = r.ino && record_fails(fd);
    record_unlock();
    int rc = fails ? -1 : (int)syscall(call, fd);
    if (r.ino && (fails || rc == 0)) {
        record_sleep();
        record_lock();
        r.op = fails ? RECORD_SYNC_FAIL : RECORD_SYNC_END;
        record_put(&r);
        record_unlock();
    }
    if (fails) {
        errno = EIO;
    }
    return rc;
}

RECORD_EXPORT int fsync(int fd)
{
    return record_sync(fd, SYS_fsync);
}

RECORD_EXPORT int fdatasync(int fd)
{
    return record_sync(fd, SYS_fdatasync);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
