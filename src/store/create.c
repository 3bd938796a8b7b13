/* CREATE: files and folders come to be; they go in delete.c. Here, too: the
 * move of files that STAT takes to their place.
 *
 * CREATE is the only job that makes a file; an empty mount point is never
 * filled by a write. What exists is kept: a shorter file is extended, a longer
 * one refused; nothing is truncated unless the caller insists. Whether a file
 * that exists may be written at all is the caller's to know (LOOK); one that
 * appears after the STAT that it knows by is refused.
 */
#include "store/blocked.h"
#include "store/internal.h"
#include "store/parts.h"

#include "base/file.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One folder; 0 also when it is there. `made` says whose it is. */
static int store_make_dir(struct store *d, const char *path, bool *made)
{
    int rc = store_sys_fault(d, "mkdir", path);
    *made = rc == 0 && mkdir(path, 0777) == 0;
    if (rc == 0 && !*made && errno != EEXIST) {
        rc = -errno;
    }
    return rc;
}

/* A folder of the file, the one with a path of that length, was made. */
static void store_make_note(struct store_tree *s, uint32_t file, size_t len)
{
    uint32_t dir = s->files[file].dir;
    while (dir != 0 && s->dirs[dir].len != len) {
        dir = s->dirs[dir].parent;
    }
    pthread_mutex_lock(&s->d->fd_lock);
    s->dirs[dir].made = true;
    pthread_mutex_unlock(&s->d->fd_lock);
}

static bool store_make_is_link(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

/* Something is in the way of the file, or of one of its folders. */
static void store_make_blocked(struct store_job *job, uint32_t file,
                               const char *path)
{
    const char *reason = "a file, or a link that leads nowhere, is in the "
                         "place of one of its folders";
    if (store_make_is_link(path)) {
        reason = STORE_LINK_REASON; /* one that leads nowhere */
    }
    store_fail_with(job, file, path, BTC_E_EXISTS, reason);
}

/* The folders of a file, from the save path downwards. */
static bool store_make_dirs(struct store_job *job, uint32_t file, char *path)
{
    size_t from = strlen(job->store->save_path) + 1;
    for (char *p = path + from; (p = strchr(p, '/')) != NULL; p++) {
        bool made;
        *p = '\0';
        int rc = store_make_dir(job->store->d, path, &made);
        bool no_way = rc == -ENOENT || rc == -ELOOP || rc == -ENOTDIR;
        if (no_way && store_is_blocked(job->store->save_path, path)) {
            store_make_blocked(job, file, path);
        } else if (rc != 0) {
            store_fail(job, file, path, -rc);
        }
        if (made) {
            store_make_note(job->store, file, (size_t)(p - path) - from);
        }
        *p = '/';
        if (rc != 0) {
            return false;
        }
    }
    return true;
}

/* Sets the length, whatever it was. */
static int store_make_cut(struct store_tree *s, int fd, const char *path,
                          uint64_t length)
{
    int rc = store_sys_fault(s->d, "ftruncate", path);
    while (rc == 0 && ftruncate(fd, (off_t)length) != 0) {
        if (errno == EINTR) {
            rc = 0;
        } else {
            rc = -errno;
        }
    }
    return rc;
}

/* Gives the file its length, and with `full` its blocks. */
static int store_make_length(struct store_tree *s, uint32_t file, int fd,
                             const char *path, uint64_t size)
{
    uint64_t length = s->layout[file].length;
    bool full = s->files[file].full;
    int rc = 0;
    if (size > length) {
        return store_make_cut(s, fd, path, length);
    }
    if (full && length > 0) {
        rc = store_sys_fault(s->d, "fallocate", path);
        while (rc == 0 && fallocate(fd, 0, 0, (off_t)length) != 0) {
            if (errno == EINTR) {
                rc = 0;
            } else {
                rc = -errno;
            }
        }
        if (rc != -EOPNOTSUPP && rc != -ENOSYS) {
            return rc;
        }
    }
    if (length == size) {
        return 0;
    }
    return store_make_cut(s, fd, path, length);
}

/* Data of it is to be written. */
static bool store_make_writes(const struct store_job *job, uint32_t file)
{
    return job->create.writes && bits_get(job->create.writes, file);
}

/* The file is in use from here on; false after the job has been failed. */
static bool store_make_hold(struct store_job *job, uint32_t file,
                            const char *path, const struct stat *st)
{
    struct store_hold_text who;
    bool write = store_make_writes(job, file);
    bool ok = store_hold_take(job->store, file, st,
                              write ? STORE_HOLD_WRITE : STORE_HOLD_READ, &who);
    if (!ok) {
        store_fail_with(job, file, path, who.code, who.text);
    }
    return ok;
}

/* Those who may read it may run it. */
static void store_make_executable(int fd)
{
    struct stat st;
    if (fstat(fd, &st) == 0) {
        (void)fchmod(fd, (st.st_mode | (st.st_mode & 0444) >> 2) & 0777);
    }
}

/* Makes the file and the folders above it; below 0 with the errno. What is in
 * its way (EEXIST, ENOTDIR) is the caller's to judge, all else has failed the
 * job. */
static int store_make_open(struct store_job *job, uint32_t file, char *path)
{
    struct store *d = job->store->d;
    int flags = O_RDWR | O_CREAT | O_EXCL;
    int fd = store_fd_open(d, path, flags);
    if (fd == -ENOENT && store_make_dirs(job, file, path)) {
        fd = store_fd_open(d, path, flags);
        if (fd == -ENOENT && store_is_blocked(job->store->save_path, path)) {
            fd = -ENOTDIR;
        } else if (fd == -ENOENT) {
            fd =
                -EINVAL; /* its folder is there: exFAT by FUSE means the name */
        }
    }
    if (fd == -ELOOP) {
        fd = -ENOTDIR;
    }
    if (fd < 0 && fd != -EEXIST && fd != -ENOTDIR) {
        store_fail(job, file, path, -fd);
    }
    return fd;
}

/* A file that is not there yet; false when something is in its way. One that
 * could not get its length goes again: it would only hold back the space that
 * the next try needs. */
static bool store_make_new(struct store_job *job, uint32_t file, char *path)
{
    struct store_tree *s = job->store;
    struct stat st;
    int fd = store_make_open(job, file, path);
    if (fd < 0) {
        return fd != -EEXIST && fd != -ENOTDIR;
    }
    int rc = store_make_length(s, file, fd, path, 0);
    if (s->files[file].executable) {
        store_make_executable(fd);
    }
    bool seen = fstat(fd, &st) == 0;
    store_tree_saw(s, file, seen ? &st : NULL);
    store_tree_set_absent(s, file, false);
    (void)bits_set(&job->create.part->made, file);
    if (seen) {
        job->prints[file] = store_sys_print(&st);
        (void)store_make_hold(job, file, path, &st);
    }
    (void)close(fd);
    if (rc != 0) {
        (void)unlink(path);
        store_fail(job, file, path, -rc);
    } else {
        store_tree_named(s, file);
    }
    return true;
}

/* The very link is there: an earlier run was killed behind it. */
static bool store_make_has_link(const char *path, const char *text)
{
    char there[PATH_MAX];
    ssize_t n = readlink(path, there, sizeof(there));
    return n >= 0 && (size_t)n == strlen(text) &&
           memcmp(there, text, (size_t)n) == 0;
}

/* A symbolic link. What else is in its place stays; where there are no links,
 * there is none. */
static void store_make_link(struct store_job *job, uint32_t file, char *path)
{
    const char *text = store_tree_link(job->store, file);
    struct stat st;
    int rc = 0;
    if (symlink(text, path) != 0) {
        rc = -errno;
    }
    if (rc == -ENOENT) {
        if (!store_make_dirs(job, file, path)) {
            return;
        }
        if (symlink(text, path) == 0) {
            rc = 0;
        } else {
            rc = -errno;
        }
    }
    if (rc == 0) {
        store_tree_named(job->store, file);
        (void)bits_set(&job->create.part->made, file);
    }
    if ((rc == 0 || (rc == -EEXIST && store_make_has_link(path, text))) &&
        lstat(path, &st) == 0) {
        job->prints[file] = store_sys_print(&st);
    }
}

/* A file that is there: a descriptor of it may be in the cache. */
static void store_make_fit(struct store_job *job, uint32_t file,
                           const char *path, uint64_t size)
{
    struct store_tree *s = job->store;
    struct stat st;
    struct store_fd *f = store_fd_get(job, file, true);
    if (!f) {
        return;
    }
    store_left_begin(f);
    int rc = store_make_length(s, file, f->fd, path, size);
    store_left_end(f);
    if (rc == 0 && fstat(f->fd, &st) == 0) {
        job->prints[file] = store_sys_print(&st);
    }
    store_fd_put(f);
    if (rc != 0) {
        store_fail(job, file, path, -rc);
    }
}

/* Refuses what must not be touched; true when it may be used. */
static bool store_make_accepts(struct store_job *job, uint32_t file,
                               const char *path, const struct stat *st)
{
    char reason[96];
    uint64_t length = job->store->layout[file].length;
    if (!S_ISREG(st->st_mode)) {
        store_fail_with(job, file, path, BTC_E_EXISTS,
                        S_ISDIR(st->st_mode) ? "is a folder"
                                             : "is not a regular file");
        return false;
    }
    if ((uint64_t)st->st_size > length && !job->create.overwrite) {
        (void)snprintf(reason, sizeof(reason),
                       "exists and is longer: %" PRId64
                       " bytes, the torrent's has %" PRIu64,
                       (int64_t)st->st_size, length);
        job->create.may_insist = job->result == 0;
        store_fail_with(job, file, path, BTC_E_EXISTS, reason);
        return false;
    }
    if (store_make_writes(job, file) && store_make_is_link(path)) {
        store_fail_with(job, file, path, BTC_E_EXISTS, STORE_LINK_REASON);
        return false;
    }
    return true;
}

/* Whether an existing file has another length or, with `full`, lacks blocks. */
static bool store_make_differs(const struct store_tree *s, uint32_t file,
                               const struct stat *st)
{
    uint64_t length = s->layout[file].length;
    return (uint64_t)st->st_size != length ||
           (s->files[file].full && (uint64_t)st->st_blocks * 512 < length);
}

/* Whether it is still what was made a moment ago. Some file systems in user
 * space number a file anew at each look, and round its times later. */
static bool store_make_is_own(const struct stat *st,
                              const struct fingerprint *print)
{
    const int64_t tick = FINGERPRINT_TICK_S * 1000000000LL;
    int64_t apart = store_sys_print(st).mtime_ns - print->mtime_ns;
    return print->exists && !S_ISDIR(st->st_mode) && st->st_dev == print->dev &&
           (uint64_t)st->st_size == print->size &&
           (st->st_ino == print->ino || (apart < tick && apart > -tick));
}

/* Nobody knows them as the torrent's: the next start and `btc rm --data` would
 * take them for somebody else's. */
void store_create_undo(struct store_job *job)
{
    BITS_EACH (i, &job->create.part->made) {
        char path[PATH_MAX];
        struct stat st;
        if (store_tree_path(job->store, i, path) == 0 &&
            lstat(path, &st) == 0 && store_make_is_own(&st, &job->prints[i])) {
            (void)unlink(path);
            store_tree_saw(job->store, i, NULL);
            store_tree_set_absent(job->store, i, true);
        }
    }
}

void store_create_undo_dirs(struct store_tree *s)
{
    char path[PATH_MAX];
    for (uint32_t i = s->n_dirs; i > 1; i--) {
        if (s->dirs[i - 1].made && store_tree_dir_path(s, i - 1, path) == 0) {
            (void)rmdir(path);
        }
        s->dirs[i - 1].made = false;
    }
}

/* STAT saw nothing there. Nobody has looked at what it is, so it is not used:
 * somebody has just put it there, or the file system takes two names of the
 * torrent for one, and one file cannot be both. */
static void store_make_appeared(struct store_job *job, uint32_t file,
                                const char *path)
{
    store_fail_with(job, file, path, BTC_E_EXISTS,
                    "was not there when btc looked: somebody has just made it, "
                    "or its name is the same as another file's on this file "
                    "system");
}

/* What is in the place of a file. */
static void store_make_there(struct store_job *job, uint32_t file, char *path)
{
    struct stat st;
    int rc = store_sys_stat(job->store->d, path, &st);
    if (rc == -ELOOP || rc == -ENOTDIR ||
        (rc == -ENOENT && !store_make_new(job, file, path))) {
        store_make_blocked(job, file, path);
    } else if (rc != 0 && rc != -ENOENT) {
        store_fail(job, file, path, -rc);
    } else if (rc == 0 && store_own_is_one(job->store->d->own, &st)) {
        store_fail(job, file, path, STORE_E_OWN);
    } else if (rc == 0 && store_tree_is_absent(job->store, file)) {
        store_make_appeared(job, file, path);
    } else if (rc != 0 || !store_make_accepts(job, file, path, &st)) {
        return; /* it has been made, or refused */
    } else if (store_make_hold(job, file, path, &st)) {
        job->prints[file] = store_sys_print(&st);
        if (store_make_differs(job->store, file, &st)) {
            store_make_fit(job, file, path, (uint64_t)st.st_size);
        }
    }
}

/* What nobody has seen there is made without another look: of a torrent of many
 * small files each costs the way to it. */
void store_create_file(struct store_job *job, uint32_t file)
{
    char path[PATH_MAX];
    int rc = store_tree_path(job->store, file, path);
    if (rc == 0 && store_own_is_named(job->store->d->own, path)) {
        store_fail(job, file, path, STORE_E_OWN);
        return;
    }
    if (rc == 0 && store_tree_link(job->store, file)) {
        store_make_link(job, file, path);
        return;
    }
    if (rc != 0) {
        store_fail(job, file, path, -rc);
    } else if (store_tree_has_seen(job->store, file) ||
               !store_make_new(job, file, path)) {
        store_make_there(job, file, path);
    }
}

/* The folder that a path lies in keeps its names. */
static void store_take_sync(struct store *d, char *path)
{
    char *slash = strrchr(path, '/');
    *slash = '\0';
    int fd = store_sys_open(d, path, O_RDONLY | O_DIRECTORY);
    if (fd >= 0) {
        (void)store_sys_fsync(d, fd, path);
        (void)close(fd);
    }
    *slash = '/';
}

/* The folder that a file has left, or where none was made, goes when it is
 * empty. */
static void store_take_drop_folder(char *path)
{
    *strrchr(path, '/') = '\0';
    (void)rmdir(path);
}

/* It is there: the names are made durable, an empty folder goes. */
static void store_take_done(struct store_job *job, uint32_t file, char *from,
                            char *to)
{
    struct store *d = job->store->d;
    store_tree_named(job->store, file);
    store_take_sync(d, to);
    store_take_sync(d, from);
    store_take_drop_folder(from);
}

/* It is as the journal has seen it. A device may have another number. */
static bool store_take_is_own(const struct fingerprint *own,
                              const struct stat *st)
{
    const struct fingerprint now = store_sys_print(st);
    return own->exists && own->ino == now.ino && own->size == now.size &&
           own->mtime_ns == now.mtime_ns && own->ctime_ns == now.ctime_ns;
}

/* What lies out of sight may go home: it is the file that the journal has seen
 * there, or a copy, as long as that; or a CREATE that was killed has made it,
 * and nothing is in it. Anything else somebody has put there. */
static bool store_take_may(const struct store_tree *s, uint32_t file,
                           const struct stat *st)
{
    const struct fingerprint *own = &s->froms[file].own;
    uint64_t size = (uint64_t)st->st_size;
    if (!S_ISREG(st->st_mode)) {
        return false;
    }
    if (!own->exists) {
        return st->st_blocks == 0 && size == s->layout[file].length;
    }
    return own->ino == st->st_ino || own->size == size;
}

/* A file that was kept out of sight goes to its place: a move keeps the file,
 * so what is claimed of it stays true, and it is whole at one of the two after
 * a crash. Nothing is replaced. */
bool store_take(struct store_job *job, uint32_t file)
{
    const struct store_tree *s = job->store;
    char from[PATH_MAX], to[PATH_MAX];
    struct stat st;
    int64_t born_ns = 0;
    if (!store_tree_from(s, file) || store_tree_path(s, file, to) != 0 ||
        store_tree_from_path(s, file, from) != 0) {
        return true; /* there is nothing to take */
    }
    int rc = store_sys_look(s->d, from, AT_SYMLINK_NOFOLLOW, &st, &born_ns);
    if (rc == -ENOENT) {
        store_take_drop_folder(from); /* a run was killed before it did */
        return true;
    }
    if (rc == -ENOTDIR || (rc == 0 && !store_take_may(s, file, &st))) {
        return true;
    }
    if (rc != 0) { /* nor is it known what would be lost with it */
        store_fail(job, file, from, -rc);
        return false;
    }
    if (store_own_has(s->d->own, to)) {
        store_fail(job, file, to, STORE_E_OWN);
        return false;
    }
    if (!store_make_dirs(job, file, to)) {
        return false;
    }
    rc = store_sys_fault(s->d, "rename", to);
    if (rc == 0) {
        rc = file_rename_new(from, to);
    }
    if (rc == -EXDEV) {
        return true; /* a drive of its own: what was kept is fetched again */
    }
    if (rc == -EEXIST) {
        store_fail_with(job, file, to, BTC_E_EXISTS,
                        "is in the way of what was kept for it; move that "
                        "away");
    } else if (rc != 0) {
        store_fail(job, file, to, -rc);
    } else {
        s->froms[file].moved = store_take_is_own(&s->froms[file].own, &st);
        store_take_done(job, file, from, to);
    }
    return rc == 0;
}
