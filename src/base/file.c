/* Files as names. */
#include "base/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
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

int file_rename_new(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (!file_lacks(errno)) {
        return -errno;
    }
    if (link(from, to) == 0) {
        (void)unlink(from);
        return 0;
    }
    if (!file_lacks(errno)) {
        return -errno;
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
