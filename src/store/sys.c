/* The disk's system calls behind the fault hook.
 *
 * errno is read at the call and leaves as a negative return value; EINTR is
 * answered here, as are short reads and writes.
 */
#include "store/internal.h"
#include "store/statx.h"

#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* A call begins. What a test wants to fail; 0 or -errno. */
int store_sys_fault(struct store *d, const char *op, const char *path)
{
    store_beat(d);
    if (d->fault.fn) {
        return -d->fault.fn(d->fault.ctx, op, path);
    }
    return 0;
}

/* A time of struct stat in nanoseconds since the epoch. */
int64_t store_sys_time_ns(const struct timespec *t)
{
    return num_time_ns(t->tv_sec, t->tv_nsec);
}

bool store_is_owned(const struct fingerprint *own,
                    const struct fingerprint *now)
{
    bool same = now->size == own->size && now->mtime_ns == own->mtime_ns;
    return now->ino == own->ino &&
           (same || (now->dev == own->dev &&
                     (now->size == 0 || now->size >= own->size) &&
                     !fingerprint_is_reborn(own, now)));
}

/* A fingerprint from the kernel's form. */
struct fingerprint store_sys_print(const struct stat *st)
{
    return (struct fingerprint){
        .exists = true,
        .is_file = S_ISREG(st->st_mode),
        .dev = st->st_dev,
        .ino = st->st_ino,
        .size = (uint64_t)st->st_size,
        .mtime_ns = store_sys_time_ns(&st->st_mtim),
        .ctime_ns = store_sys_time_ns(&st->st_ctim),
        .blocks = (uint64_t)st->st_blocks,
    };
}

/* Opens or creates. O_NONBLOCK so that a FIFO in a file's place cannot hold a
 * worker; it means nothing for a regular file. */
int store_sys_open(struct store *d, const char *path, int flags)
{
    int rc = store_sys_fault(d, flags & O_CREAT ? "create" : "open", path);
    int block = O_NONBLOCK;
    while (rc == 0) {
        int fd = open(path, flags | O_CLOEXEC | block | O_NOCTTY, 0666);
        if (fd >= 0) {
            return fd;
        }
        bool is_leased = errno == EWOULDBLOCK && block != 0;
        if (is_leased) {
            block = 0; /* who has the lease, Samba say, is asked to let go */
        } else if (errno != EINTR) {
            rc = -errno;
        }
    }
    return rc;
}

/* By descriptor. */
int store_sys_fstat(struct store *d, int fd, const char *path, struct stat *st)
{
    int rc = store_sys_fault(d, "fstat", path);
    return rc != 0 ? rc : fstat(fd, st) == 0 ? 0 : -errno;
}

/* A time of struct statx. */
static struct timespec store_sys_timespec(const struct statx_timestamp *t)
{
    return (struct timespec){.tv_sec = t->tv_sec, .tv_nsec = t->tv_nsec};
}

/* When it was made, where the file system says that; else 0. */
static int64_t store_sys_birth(const struct statx *x)
{
    const struct timespec born = store_sys_timespec(&x->stx_btime);
    if (x->stx_mask & STATX_BTIME) {
        return store_sys_time_ns(&born);
    }
    return 0;
}

int store_sys_statx(int dir, const char *name, int flags, struct stat *st,
                    int64_t *born_ns)
{
    struct statx x;
    if (statx(dir, name, flags, STATX_BASIC_STATS | STATX_BTIME, &x) != 0) {
        return -errno;
    }
    *born_ns = store_sys_birth(&x);
    *st = (struct stat){.st_dev = makedev(x.stx_dev_major, x.stx_dev_minor),
                        .st_ino = x.stx_ino,
                        .st_mode = x.stx_mode,
                        .st_nlink = x.stx_nlink,
                        .st_size = (off_t)x.stx_size,
                        .st_blocks = (blkcnt_t)x.stx_blocks,
                        .st_mtim = store_sys_timespec(&x.stx_mtime),
                        .st_ctim = store_sys_timespec(&x.stx_ctime)};
    return 0;
}

/* By name, with AT_SYMLINK_NOFOLLOW a link itself. */
int store_sys_look(struct store *d, const char *path, int flags,
                   struct stat *st, int64_t *born_ns)
{
    int rc = store_sys_fault(d, "stat", path);
    return rc != 0 ? rc : store_sys_statx(AT_FDCWD, path, flags, st, born_ns);
}

/* By name; links are followed. */
int store_sys_stat(struct store *d, const char *path, struct stat *st)
{
    int rc = store_sys_fault(d, "stat", path);
    return rc != 0 ? rc : stat(path, st) == 0 ? 0 : -errno;
}

/* The file's data, and of its metadata what is needed to read it. */
int store_sys_datasync(struct store *d, int fd, const char *path)
{
    int rc = store_sys_fault(d, "fdatasync", path);
    if (rc != 0) {
        return rc;
    }
    do {
        if (fdatasync(fd) == 0) {
            rc = 0;
        } else {
            rc = -errno;
        }
    } while (rc == -EINTR);
    return rc;
}

/* After a failed sync the cache may hold pages that the kernel calls clean and
 * that the device never got: who reads them must not find them good. */
void store_sys_forget(int fd)
{
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

/* A folder: the names in it. */
int store_sys_fsync(struct store *d, int fd, const char *path)
{
    int rc = store_sys_fault(d, "fsync", path);
    if (rc != 0) {
        return rc;
    }
    do {
        if (fsync(fd) == 0) {
            rc = 0;
        } else {
            rc = -errno;
        }
    } while (rc == -EINTR);
    return rc;
}

/* Reads all of `len` that the file has. */
int64_t store_sys_pread(struct store *d, int fd, const char *path, void *buf,
                        size_t len, uint64_t off)
{
    size_t got = 0;
    int rc = store_sys_fault(d, "pread", path);
    while (rc == 0 && got < len) {
        ssize_t n = pread(fd, (char *)buf + got, len - got, (off_t)(off + got));
        if (n == 0) {
            break;
        }
        if (n > 0) {
            got += (size_t)n;
        } else if (errno != EINTR) {
            rc = -errno;
        }
    }
    if (rc != 0) {
        return rc;
    }
    return (int64_t)got;
}

/* Skips what was written; gives the count of buffers used up. */
static int store_sys_advance(struct iovec *iov, int n_iov, size_t n)
{
    int used = 0;
    while (used < n_iov && n >= iov[used].iov_len) {
        n -= iov[used++].iov_len;
    }
    if (used < n_iov) {
        iov[used].iov_base = (char *)iov[used].iov_base + n;
        iov[used].iov_len -= n;
    }
    return used;
}

/* Writes all. */
int store_sys_pwritev(struct store *d, int fd, const char *path,
                      struct iovec *iov, int n_iov, uint64_t off)
{
    while (n_iov > 0) {
        int rc = store_sys_fault(d, "pwrite", path);
        if (rc != 0) {
            return rc;
        }
        ssize_t n = pwritev(fd, iov, n_iov, (off_t)off);
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        if (n > 0) {
            int used = store_sys_advance(iov, n_iov, (size_t)n);
            iov += used;
            n_iov -= used;
            off += (uint64_t)n;
        } else if (n == 0) {
            return -EIO; /* never for a regular file; do not spin */
        }
    }
    return 0;
}
