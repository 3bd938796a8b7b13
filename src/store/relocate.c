/* See relocate.h. */
#include "store/relocate.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/num.h"
#include "store/internal.h"
#include "store/statx.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Bytes between two looks at the watch. */
#define RELOCATE_STEP (4u << 20)
/* Of the buffer, where the kernel cannot copy between the two files itself. */
#define RELOCATE_BUFFER (256u << 10)

uint32_t relocate_names(const char *path)
{
    struct statx st;
    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC,
              STATX_NLINK, &st) != 0) {
        return 0;
    }
    return st.stx_nlink;
}

int relocate_look(const char *path, struct fingerprint *out)
{
    struct stat st;
    int64_t born_ns = 0;
    *out = (struct fingerprint){0};
    int rc = store_sys_statx(AT_FDCWD, path,
                             AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC, &st,
                             &born_ns);
    if (rc == 0) {
        *out = store_sys_print(&st);
        out->born_ns = born_ns;
    }
    return rc;
}

/* --- folders --- */

int relocate_make_dirs(const char *path, size_t root)
{
    char *copy = mem_strdup(path);
    int rc = 0;
    for (char *p = copy + root + 1; rc == 0 && (p = strchr(p, '/')) != NULL;
         p++) {
        *p = '\0';
        if (mkdir(copy, 0777) != 0 && errno != EEXIST) {
            rc = -errno;
        }
        *p = '/';
    }
    free(copy);
    return rc;
}

void relocate_drop_dirs(const char *path, size_t root)
{
    char *copy = mem_strdup(path);
    char *slash = strrchr(copy, '/');
    while (slash != NULL && (size_t)(slash - copy) > root) {
        *slash = '\0';
        if (rmdir(copy) != 0 && errno != ENOENT) {
            break;
        }
        slash = strrchr(copy, '/');
    }
    free(copy);
}

int relocate_sync_dirs(const char *path, size_t root)
{
    char *copy = mem_strdup(path);
    char *slash = strrchr(copy, '/');
    int rc = 0;
    while (rc == 0 && slash != NULL && (size_t)(slash - copy) >= root) {
        *slash = '\0';
        rc = file_sync(*copy != '\0' ? copy : "/");
        slash = strrchr(copy, '/');
    }
    free(copy);
    return rc;
}

/* --- names --- */

int relocate_link(const char *from, const char *to)
{
    if (linkat(AT_FDCWD, from, AT_FDCWD, to, 0) == 0) {
        return 0;
    }
    return -errno;
}

bool relocate_wants_copy(int rc)
{
    return rc == -EXDEV || rc == -EPERM || rc == -EOPNOTSUPP || rc == -EMLINK ||
           rc == -ENOSYS || rc == -EINVAL;
}

/* --- copies --- */

/* A copy that is under way. */
struct relocate {
    int from, to;
    char *buf; /* owns; NULL as long as the kernel does it */
    const struct relocate_watch *watch;
};

/* Some bytes through the buffer; how many, or -errno. */
static ssize_t relocate_pump(struct relocate *r, off_t at, size_t len)
{
    if (r->buf == NULL) {
        r->buf = mem_array(1, RELOCATE_BUFFER);
    }
    len = num_min(len, RELOCATE_BUFFER);
    ssize_t n = pread(r->from, r->buf, len, at);
    ssize_t done = 0;
    while (n > 0 && done < n) {
        ssize_t rc =
            pwrite(r->to, r->buf + done, (size_t)(n - done), at + done);
        if (rc < 0 && errno != EINTR) {
            return -errno;
        }
        done += rc > 0 ? rc : 0;
    }
    if (n < 0) {
        if (errno == EINTR) {
            return 0;
        }
        return -errno;
    }
    if (n == 0) {
        return -EIO;
    }
    return n; /* it has become shorter */
}

/* Some bytes; how many, or -errno. */
static ssize_t relocate_some(struct relocate *r, off_t at, size_t len)
{
    off_t in = at, out = at;
    if (r->buf == NULL) {
        ssize_t n = copy_file_range(r->from, &in, r->to, &out, len, 0);
        if (n > 0) {
            return n;
        }
        if (n < 0 && (errno == ENOSPC || errno == EIO || errno == EDQUOT)) {
            return -errno;
        }
    }
    return relocate_pump(r, at, len);
}

/* A stretch of data. */
static int relocate_extent(struct relocate *r, off_t at, off_t end)
{
    while (at < end) {
        size_t len = (size_t)(end - at);
        ssize_t n =
            relocate_some(r, at, len < RELOCATE_STEP ? len : RELOCATE_STEP);
        if (n < 0) {
            return (int)n;
        }
        at += n;
        if (!r->watch->go_on(r->watch->ctx, (uint64_t)n)) {
            return -ECANCELED;
        }
    }
    return 0;
}

/* All that is no hole. */
static int relocate_data(struct relocate *r, off_t size)
{
    int rc = 0;
    off_t at = 0;
    while (rc == 0 && at < size) {
        off_t data = lseek(r->from, at, SEEK_DATA);
        off_t end = size;
        if (data < 0 && errno == ENXIO) {
            break; /* holes to the end */
        }
        if (data >= 0) {
            off_t hole = lseek(r->from, data, SEEK_HOLE);
            if (hole > data && hole < size) {
                end = hole;
            } else {
                end = size;
            }
        } else {
            data = at; /* nobody knows of holes here */
        }
        rc = relocate_extent(r, data, end);
        at = end;
    }
    return rc;
}

/* One attribute. What the new file system does not know is left out. */
static void relocate_attribute(const struct relocate *r, const char *name,
                               char *value, size_t size)
{
    ssize_t n = fgetxattr(r->from, name, value, size);
    if (n >= 0) {
        (void)fsetxattr(r->to, name, value, (size_t)n, 0);
    }
}

/* The user's own, and the list of who may do what. */
static bool relocate_is_attribute(const char *name)
{
    return strncmp(name, "user.", 5) == 0 ||
           strcmp(name, "system.posix_acl_access") == 0;
}

/* Owner, rights and attributes, as far as we may. The owner comes first: to
 * change it takes rights away. */
static void relocate_attributes(const struct relocate *r, const struct stat *st)
{
    ssize_t n = flistxattr(r->from, NULL, 0);
    if (fchown(r->to, st->st_uid, st->st_gid) != 0) {
        (void)fchown(r->to, (uid_t)-1, st->st_gid);
    }
    (void)fchmod(r->to, st->st_mode & 0777);
    if (n <= 0) {
        return;
    }
    char *names = mem_alloc((size_t)n);
    char *value = mem_alloc(XATTR_SIZE_MAX);
    n = flistxattr(r->from, names, (size_t)n);
    for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1) {
        if (relocate_is_attribute(names + at)) {
            relocate_attribute(r, names + at, value, XATTR_SIZE_MAX);
        }
    }
    free(names);
    free(value);
}

/* Length, data, times (of one of the two alone, some file systems in user space
 * know nothing), and the way to the disk. */
static int relocate_fill(struct relocate *r, const struct stat *st)
{
    const struct timespec times[2] = {st->st_atim, st->st_mtim};
    int rc = 0;
    if (ftruncate(r->to, st->st_size) != 0) {
        rc = -errno;
    }
    if (rc == 0) {
        rc = relocate_data(r, st->st_size);
    }
    if (rc == 0) {
        relocate_attributes(r, st);
        (void)futimens(r->to, times);
    }
    while (rc == 0 && fsync(r->to) != 0) {
        if (errno == EINTR) {
            rc = 0;
        } else {
            rc = -errno;
        }
    }
    return rc;
}

/* A regular file. */
static int relocate_copy_file(const char *from, const char *to,
                              const struct relocate_watch *watch)
{
    struct relocate r = {.from = -1, .to = -1, .watch = watch};
    struct stat st;
    r.from = open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (r.from < 0 && errno == EWOULDBLOCK) {
        r.from = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC); /* a lease */
    }
    if (r.from < 0) {
        return -errno;
    }
    int rc = 0;
    if (fstat(r.from, &st) != 0) {
        rc = -errno;
    }
    if (rc == 0 && !S_ISREG(st.st_mode)) {
        rc = -EINVAL;
    }
    if (rc == 0) {
        r.to = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    st.st_mode & 0777);
        if (r.to >= 0) {
            rc = relocate_fill(&r, &st);
        } else {
            rc = -errno;
        }
    }
    if (r.to >= 0) {
        if (rc != 0) {
            (void)unlink(to);
        }
        (void)close(r.to);
    }
    (void)close(r.from);
    free(r.buf);
    return rc;
}

/* A symbolic link. Its time tells later that it is the copy. */
static int relocate_copy_link(const char *from, const char *to,
                              const struct stat *st)
{
    const struct timespec times[2] = {st->st_atim, st->st_mtim};
    char text[PATH_MAX];
    ssize_t n = readlink(from, text, sizeof(text) - 1);
    if (n < 0) {
        return -errno;
    }
    text[n] = '\0';
    if (symlink(text, to) != 0) {
        return -errno;
    }
    (void)utimensat(AT_FDCWD, to, times, AT_SYMLINK_NOFOLLOW);
    return 0;
}

int relocate_copy(const char *from, const char *to,
                  const struct relocate_watch *watch)
{
    struct stat st;
    if (lstat(from, &st) != 0) {
        return -errno;
    }
    if (S_ISLNK(st.st_mode)) {
        return relocate_copy_link(from, to, &st);
    }
    return relocate_copy_file(from, to, watch);
}
