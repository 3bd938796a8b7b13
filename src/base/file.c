/* Files as names. */
#include "base/file.h"

#include "base/mem.h"
#include "base/rng.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file system does not know the operation; another way may do. */
static bool file_lacks(int error)
{
    return error == ENOSYS || error == EINVAL || error == EOPNOTSUPP ||
           error == EPERM;
}

/* The last way: whoever makes the name between the look and the rename loses
 * it, so it is taken only where the kernel offers no other. */
static int file_rename_looked(const char *from, const char *to)
{
    struct stat st;
    if (lstat(to, &st) == 0) {
        return -EEXIST;
    }
    if (errno != ENOENT || rename(from, to) != 0) {
        return -errno;
    }
    return 0;
}

bool file_is_same(const char *a, const char *b)
{
    struct stat x, y;
    return lstat(a, &x) == 0 && lstat(b, &y) == 0 && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

/* `error` says that `to` is there. Where a rename is made of a link and an
 * unlink, a program may have been killed between the two: the rest is done. */
static int file_rename_rest(const char *from, const char *to, int error)
{
    struct stat st;
    if (error == EEXIST && file_is_same(from, to) && lstat(to, &st) == 0 &&
        st.st_nlink > 1 && unlink(from) == 0) {
        return 0;
    }
    return -error;
}

int file_rename_new(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (!file_lacks(errno)) {
        return file_rename_rest(from, to, errno);
    }
    if (link(from, to) == 0) {
        (void)unlink(from);
        return 0;
    }
    if (!file_lacks(errno)) {
        return file_rename_rest(from, to, errno);
    }
    return file_rename_looked(from, to);
}

int file_sync(const char *path)
{
    int rc = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    do {
        rc = fsync(fd);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0 && errno != EINVAL) {
        rc = -errno;
    } else {
        rc = 0;
    }
    (void)close(fd);
    return rc;
}

char *file_join(const char *folder, const char *name)
{
    size_t n = strcmp(folder, "/") == 0 ? 0 : strlen(folder);
    size_t len = strlen(name);
    char *path = mem_alloc(n + 1 + len + 1);
    char *end = mempcpy(path, folder, n);
    *end = '/';
    memcpy(end + 1, name, len + 1);
    return path;
}

char *file_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return mem_strdup(".");
    }
    if (slash == path) {
        return mem_strdup("/");
    }
    return mem_strndup(path, (size_t)(slash - path));
}

int file_sync_folder_of(const char *path)
{
    char *folder = file_folder_of(path);
    int rc = file_sync(folder);
    free(folder);
    return rc;
}

int file_write_all(int fd, struct slice content)
{
    while (content.len > 0) {
        ssize_t n = write(fd, content.p, content.len);
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        if (n > 0) {
            content = slice_sub(content, (size_t)n, content.len);
        }
    }
    return 0;
}

/* Makes a file that is not there yet, durable but for its name; 0 or an errno.
 */
static int file_make(const char *path, struct slice content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        return errno;
    }
    int error = -file_write_all(fd, content);
    if (error == 0 && fsync(fd) != 0) {
        error = errno;
    }
    if (close(fd) != 0 && error == 0) {
        error = errno;
    }
    if (error != 0) {
        (void)unlink(path);
    }
    return error;
}

/* Gives the file its name; 0 or an errno. */
static int file_name(const char *from, const char *to, bool replace)
{
    int error = 0;
    if (!replace) {
        error = -file_rename_new(from, to);
    } else if (rename(from, to) != 0) {
        error = errno;
    }
    if (error != 0) {
        (void)unlink(from);
    }
    return error;
}

int file_save(const char *path, struct slice content, bool replace,
              struct err *e)
{
    char *temp = mem_printf("%s.%016" PRIx64 ".tmp", path, rng_seed_system());
    int error = file_make(temp, content);
    if (error == 0) {
        error = file_name(temp, path, replace);
    }
    if (error == 0) {
        error = -file_sync_folder_of(path);
    }
    free(temp);
    if (error == EEXIST) {
        return err_set(e, BTC_E_EXISTS, "'%s' exists already", path);
    }
    if (error != 0) {
        return err_set_errno(e, error, "cannot write '%s'", path);
    }
    return 0;
}
