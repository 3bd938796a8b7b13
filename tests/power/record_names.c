/* The recorder's calls that change names: folders, links, renames. */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The C library names its parameters with reserved words.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

/* Splits off the last element; false when there is none. */
static bool record_split(char *path, const char **folder, const char **name)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') {
        path[--len] = '\0';
    }
    char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    *folder = !slash ? "." : slash == path ? "/" : path;
    if (slash && slash != path) {
        *slash = '\0';
    }
    return **name != '\0';
}

/* See record.h. The last element is not followed when it is a link. */
bool record_canonical(int dir, const char *path, char out[PATH_MAX])
{
    char copy[PATH_MAX];
    char real[PATH_MAX];
    char base[64] = "";
    const char *folder;
    const char *name;
    int keep = errno;
    if (path[0] != '/' && dir != AT_FDCWD) {
        (void)snprintf(base, sizeof base, "/proc/self/fd/%d/", dir);
    }
    int n = snprintf(copy, sizeof copy, "%s%s", base, path);
    bool ok = n > 0 && n < (int)sizeof copy &&
              record_split(copy, &folder, &name) && realpath(folder, real);
    if (ok) {
        n = snprintf(out, PATH_MAX, "%s/%s", real[1] ? real : "", name);
        ok = n > 0 && n < PATH_MAX;
    }
    errno = keep;
    return ok;
}

/* A new folder. */
static int record_mkdirat(int dir, const char *path, mode_t mode)
{
    char full[PATH_MAX];
    struct stat st;
    record_lock();
    int rc = (int)syscall(SYS_mkdirat, dir, path, mode);
    if (rc == 0 && record_canonical(dir, path, full) && record_is_ours(full) &&
        lstat(full, &st) == 0) {
        record_follow(st.st_ino);
        record_put(&(struct record){
            .op = RECORD_MKDIR, .ino = st.st_ino, .path = full});
    }
    record_unlock();
    return rc;
}

RECORD_EXPORT int mkdir(const char *path, mode_t mode)
{
    return record_mkdirat(AT_FDCWD, path, mode);
}

RECORD_EXPORT int mkdirat(int dir, const char *path, mode_t mode)
{
    return record_mkdirat(dir, path, mode);
}

RECORD_EXPORT int unlinkat(int dir, const char *path, int flags)
{
    char full[PATH_MAX];
    record_lock();
    bool ours = record_canonical(dir, path, full) && record_is_ours(full);
    int rc = (int)syscall(SYS_unlinkat, dir, path, flags);
    if (ours && rc == 0) {
        record_put(&(struct record){.op = RECORD_UNLINK, .path = full});
    }
    record_unlock();
    return rc;
}

RECORD_EXPORT int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

RECORD_EXPORT int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

RECORD_EXPORT int remove(const char *path)
{
    int rc = unlinkat(AT_FDCWD, path, 0);
    return rc != 0 && errno == EISDIR ? rmdir(path) : rc;
}

/* Two names; a rename into or out of the folder cannot be followed. */
static void record_two(enum record_op op, const char *from, const char *to)
{
    bool both = record_is_ours(from) && record_is_ours(to);
    if (both) {
        record_put(&(struct record){.op = op, .path = from, .path2 = to});
    } else if (record_is_ours(from) || record_is_ours(to)) {
        record_put(&(struct record){.op = RECORD_BAD,
                                    .path = "a name crosses the folder"});
    }
}

RECORD_EXPORT int renameat2(int dir, const char *path, int dir2,
                            const char *path2, unsigned flags)
{
    char from[PATH_MAX];
    char to[PATH_MAX];
    record_lock();
    bool known =
        record_canonical(dir, path, from) && record_canonical(dir2, path2, to);
    int rc = (int)syscall(SYS_renameat2, dir, path, dir2, path2, flags);
    if (known && rc == 0) {
        record_two(RECORD_RENAME, from, to);
    }
    record_unlock();
    return rc;
}

RECORD_EXPORT int renameat(int dir, const char *path, int dir2,
                           const char *path2)
{
    return renameat2(dir, path, dir2, path2, 0);
}

RECORD_EXPORT int rename(const char *path, const char *path2)
{
    return renameat2(AT_FDCWD, path, AT_FDCWD, path2, 0);
}

RECORD_EXPORT int linkat(int dir, const char *path, int dir2, const char *path2,
                         int flags)
{
    char from[PATH_MAX];
    char to[PATH_MAX];
    record_lock();
    bool known =
        record_canonical(dir, path, from) && record_canonical(dir2, path2, to);
    int rc = (int)syscall(SYS_linkat, dir, path, dir2, path2, flags);
    if (known && rc == 0) {
        record_two(RECORD_LINK, from, to);
    }
    record_unlock();
    return rc;
}

RECORD_EXPORT int link(const char *path, const char *path2)
{
    return linkat(AT_FDCWD, path, AT_FDCWD, path2, 0);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
