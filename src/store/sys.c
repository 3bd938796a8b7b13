/* The disk's system calls behind the fault hook, and failures put into words.
 *
 * errno is read at the call and leaves as a negative return value; EINTR is
 * answered here, as are short reads and writes.
 */
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What a test wants to fail; 0 or -errno. */
int disk_sys_fault(struct disk *d, const char *op, const char *path)
{
    return d->fault ? -d->fault(d->fault_ctx, op, path) : 0;
}

/* Opens or creates. O_NONBLOCK so that a FIFO in a file's place cannot hold a
 * worker; it means nothing for a regular file. */
int disk_sys_open(struct disk *d, const char *path, int flags)
{
    int rc = disk_sys_fault(d, flags & O_CREAT ? "create" : "open", path);
    while (rc == 0) {
        int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
        if (fd >= 0) {
            return fd;
        }
        rc = errno == EINTR ? 0 : -errno;
    }
    return rc;
}

/* By descriptor. */
int disk_sys_fstat(struct disk *d, int fd, const char *path, struct stat *st)
{
    int rc = disk_sys_fault(d, "fstat", path);
    return rc != 0 ? rc : fstat(fd, st) == 0 ? 0 : -errno;
}

/* By name; links are followed. */
int disk_sys_stat(struct disk *d, const char *path, struct stat *st)
{
    int rc = disk_sys_fault(d, "stat", path);
    return rc != 0 ? rc : stat(path, st) == 0 ? 0 : -errno;
}

/* The file's data, and of its metadata what is needed to read it. */
int disk_sys_datasync(struct disk *d, int fd, const char *path)
{
    int rc = disk_sys_fault(d, "fdatasync", path);
    if (rc != 0) {
        return rc;
    }
    do {
        rc = fdatasync(fd) == 0 ? 0 : -errno;
    } while (rc == -EINTR);
    return rc;
}

/* A folder: the names in it. */
int disk_sys_fsync(struct disk *d, int fd, const char *path)
{
    int rc = disk_sys_fault(d, "fsync", path);
    if (rc != 0) {
        return rc;
    }
    do {
        rc = fsync(fd) == 0 ? 0 : -errno;
    } while (rc == -EINTR);
    return rc;
}

/* Reads all of `len` that the file has. */
int64_t disk_sys_pread(struct disk *d, int fd, const char *path, void *buf,
                       size_t len, uint64_t off)
{
    size_t got = 0;
    int rc = disk_sys_fault(d, "pread", path);
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
    return rc != 0 ? rc : (int64_t)got;
}

/* Skips what was written; gives the count of buffers used up. */
static int disk_sys_advance(struct iovec *iov, int n_iov, size_t n)
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
int disk_sys_pwritev(struct disk *d, int fd, const char *path,
                     struct iovec *iov, int n_iov, uint64_t off)
{
    while (n_iov > 0) {
        int rc = disk_sys_fault(d, "pwrite", path);
        if (rc != 0) {
            return rc;
        }
        ssize_t n = pwritev(fd, iov, n_iov, (off_t)off);
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        if (n > 0) {
            int used = disk_sys_advance(iov, n_iov, (size_t)n);
            iov += used;
            n_iov -= used;
            off += (uint64_t)n;
        } else if (n == 0) {
            return -EIO; /* never for a regular file; do not spin */
        }
    }
    return 0;
}

/* Whether the job counts on its files: then a missing one means that the
 * storage is not there. */
static bool disk_op_needs_file(enum disk_op op)
{
    return op == DISK_CREATE || op == DISK_FINISH || op == DISK_WRITE ||
           op == DISK_SYNC || op == DISK_SPACE;
}

/* The code of an errno, for this kind of job. */
static int disk_error_code(enum disk_op op, int errnum)
{
    switch (errnum) {
    case ENOENT:
    case ENOTDIR:
        return disk_op_needs_file(op) ? BTC_E_STORAGE : BTC_E_SHORT;
    case ENODEV:
    case ENXIO:
    case ESTALE:
    case ENOTCONN:
    case ENOMEDIUM:
        return BTC_E_STORAGE;
    case EISDIR:
    case EEXIST:
        return BTC_E_EXISTS;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return BTC_E_LIMIT; /* ours, not the file's: says nothing about it */
    default:
        return err_from_errno(errnum);
    }
}

/* "PATH: reason"; of a path that is too long the end is kept. */
static void disk_error_text(struct disk_job *job, const char *path,
                            const char *reason)
{
    size_t size = sizeof(job->error);
    size_t need = strlen(reason) + sizeof("...: ");
    size_t room = need < size ? size - need : 0;
    size_t len = strlen(path);
    const char *dots = len > room ? "..." : "";
    if (len > room) {
        path += len - room;
        while ((*path & 0xc0) == 0x80) {
            path++; /* not into the middle of a UTF-8 character */
        }
    }
    (void)snprintf(job->error, size, "%s%.*s: %s", dots, (int)room, path,
                   reason);
}

/* Records the first failure with a code and a reason of its own. */
void disk_fail_with(struct disk_job *job, uint32_t file, const char *path,
                    int code, const char *reason)
{
    char own[PATH_MAX];
    if (job->result != 0) {
        return;
    }
    job->result = code;
    job->fail_file = file == DISK_NO_FILE ? -1 : (int32_t)file;
    if (!path) {
        /* When it is too long for PATH_MAX, what fits of it stands there. */
        BTC_ASSERT(file != DISK_NO_FILE);
        (void)disk_store_path(job->store, file, own);
        path = own;
    }
    disk_error_text(job, path, reason);
}

/* Records the first failure from an errno. */
void disk_fail(struct disk_job *job, uint32_t file, const char *path,
               int errnum)
{
    char text[128];
    const struct disk_store *s = job->store;
    bool missing = errnum == ENOENT || errnum == ENOTDIR;
    if (missing && !disk_store_has_root(s)) {
        disk_fail_with(job, file, s->save_path, BTC_E_STORAGE,
                       "the folder is missing (is its drive mounted?)");
        return;
    }
    int code = disk_error_code(job->op, errnum);
    disk_fail_with(job, file, path, code,
                   strerror_r(errnum, text, sizeof(text)));
}
