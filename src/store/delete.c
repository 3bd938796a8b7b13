/* DELETE: the files of a torrent go, and the folders that become empty.
 *
 * What is not the torrent's own stays. Which file is its own, the journal says:
 * device and inode of what it had last seen there. Folders are opened one below
 * the other, and a link is not followed: what lies behind it was put there by
 * somebody, outside of the save path. A link to the torrent's file goes, its
 * target stays. What CREATE would have refused (a folder, a file that is
 * longer) is somebody else's, too. Of a CREATE that was killed the journal has
 * seen nothing but that it began: see made.h.
 */
#include "store/internal.h"
#include "store/made.h"
#include "store/statx.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_DELETE_OPEN (O_PATH | O_DIRECTORY | O_CLOEXEC)

/* Where a DELETE stands. */
struct store_delete {
    struct store_job *job;
    int root;     /* the save path */
    uint32_t dir; /* the folder that is open, 0 = none but the save path */
    int fd;       /* of it; -errno: it cannot be opened; ELOOP: a link */
};

/* A folder below another one; -ELOOP when it is a link. */
static int store_delete_step(int parent, const char *name)
{
    struct stat st;
    int fd = openat(parent, name, STORE_DELETE_OPEN | O_NOFOLLOW);
    if (fd >= 0) {
        return fd;
    }
    int rc = -errno;
    bool link = fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                S_ISLNK(st.st_mode);
    if (link) {
        return -ELOOP;
    }
    return rc;
}

/* A folder of the store, from the save path downwards. */
static int store_delete_walk(const struct store_delete *w, uint32_t dir)
{
    const struct store_dir *d = &w->job->store->dirs[dir];
    char path[PATH_MAX];
    int fd = w->root;
    if (d->len >= sizeof(path)) {
        return -ENAMETOOLONG;
    }
    memcpy(path, d->path, d->len);
    path[d->len] = '\0';
    for (char *name = path, *end; name && fd >= 0; name = end) {
        end = strchr(name, '/');
        if (end) {
            *end++ = '\0';
        }
        int next = store_delete_step(fd, name);
        if (fd != w->root) {
            (void)close(fd);
        }
        fd = next;
    }
    return fd;
}

/* The descriptor of a folder, kept until another one is asked for. */
static int store_delete_dir_fd(struct store_delete *w, uint32_t dir)
{
    if (dir == w->dir) {
        if (dir == 0) {
            return w->root;
        }
        return w->fd;
    }
    if (w->dir != 0 && w->fd >= 0) {
        (void)close(w->fd);
    }
    w->dir = dir;
    if (dir == 0) {
        w->fd = -1;
    } else {
        w->fd = store_delete_walk(w, dir);
    }
    if (dir == 0) {
        return w->root;
    }
    return w->fd;
}

/* What is in a file's place; 0 or -errno. */
static int store_delete_stat(int fd, const char *name, int flags,
                             struct stat *st, struct fingerprint *now)
{
    int64_t born_ns = 0;
    int rc = store_sys_statx(fd, name, flags, st, &born_ns);
    if (rc == 0) {
        *now = store_sys_print(st);
        now->born_ns = born_ns;
    }
    return rc;
}

/* Why a thing in a file's place is not ours; NULL: it is. For a link `st` and
 * `now` are those of its target, if it has one. */
static const char *store_delete_refuses(const struct store_job *job,
                                        uint32_t file, const struct stat *st,
                                        const struct fingerprint *now,
                                        bool link)
{
    const struct fingerprint *own = NULL;
    if (job->remove.owned) {
        own = &job->remove.owned[file];
    }
    if (S_ISDIR(st->st_mode)) {
        return "is a folder, not the torrent's file: it stays";
    }
    if (!S_ISREG(st->st_mode) && !link) {
        return "is not a regular file: it stays";
    }
    if (!link && (uint64_t)st->st_size > job->store->layout[file].length) {
        return "is longer than the torrent's file: it stays";
    }
    if (own && !store_is_owned(own, now)) {
        return "was put there by somebody else: it stays";
    }
    return NULL;
}

/* A killed CREATE has made it. */
static bool store_delete_is_made(const struct store_job *job, uint32_t file,
                                 int fd, const char *name)
{
    return job->remove.owned && !job->remove.owned[file].exists &&
           store_is_made(fd, name, job->store->layout[file].length,
                         job->remove.made_ns);
}

/* Looks at what is in a file's place; 0 when it is ours, 1 when it is not and
 * `why` says so, or -errno. */
static int store_delete_look(const struct store_job *job, uint32_t file, int fd,
                             const char *name, const char **why)
{
    struct stat st;
    struct fingerprint now;
    int rc = store_delete_stat(fd, name, AT_SYMLINK_NOFOLLOW, &st, &now);
    if (rc != 0) {
        return rc;
    }
    if (store_delete_is_made(job, file, fd, name)) {
        return 0;
    }
    bool link = S_ISLNK(st.st_mode);
    if (link && job->remove.owned &&
        store_is_owned(&job->remove.owned[file], &now)) {
        return 0; /* a link of the torrent */
    }
    if (link) {
        (void)store_delete_stat(fd, name, 0, &st, &now);
    }
    *why = store_delete_refuses(job, file, &st, &now, link);
    if (*why) {
        return 1;
    }
    return 0;
}

/* The name of a file in its folder. */
static const char *store_delete_name(const struct store_tree *s, uint32_t file)
{
    const char *slash = strrchr(s->files[file].path, '/');
    return slash ? slash + 1 : s->files[file].path;
}

/* Unlinks one file; what is not there is fine. */
static void store_delete_file(struct store_delete *w, uint32_t file)
{
    struct store_job *job = w->job;
    const struct store_node *f = &job->store->files[file];
    const char *name = store_delete_name(job->store, file);
    char path[PATH_MAX];
    const char *why = NULL;
    int fd = store_delete_dir_fd(w, f->dir);
    int rc = store_tree_path(job->store, file, path);
    if (rc == 0 && store_own_has(job->store->d->own, path)) {
        why = "is a file of btc's own database: it stays";
    } else if (rc == 0 && fd >= 0) {
        rc = store_delete_look(job, file, fd, name, &why);
    } else if (rc == 0) {
        rc = fd;
        if (fd == -ELOOP) {
            why = "a folder of its path is a link: what lies behind "
                  "it stays";
        } else {
            why = NULL;
        }
    }
    if (why) {
        store_fail_with(job, file, path, BTC_E_EXISTS, why);
        return;
    }
    if (rc == 0 && !job->remove.look) {
        rc = store_sys_fault(job->store->d, "unlink", path);
    }
    if (rc == 0 && !job->remove.look && unlinkat(fd, name, 0) != 0) {
        rc = -errno;
    }
    if (rc == 0) {
        job->remove.n_removed++;
    } else if (rc != -ENOENT && rc != -ENOTDIR) {
        store_fail(job, file, path, -rc);
    }
}

/* A run was killed while it took a file to its place, where that is made of a
 * link and an unlink: the file has both names. It is left the one that goes
 * last (the torrent's own rows know the first), so a kill in between is no
 * matter. */
static void store_delete_home(struct store_delete *w, uint32_t file)
{
    struct store_tree *s = w->job->store;
    const struct store_home *h = store_tree_home(s, file);
    char path[PATH_MAX], home[PATH_MAX];
    if (!h || h->taken || w->job->remove.look ||
        store_tree_path(s, file, path) != 0 ||
        store_tree_home_path(s, h, home) != 0 || !file_is_same(path, home)) {
        return;
    }
    const char *slash = strrchr(h->path, '/');
    const char *name = slash ? slash + 1 : h->path;
    const char *why = NULL;
    int fd = store_delete_dir_fd(w, h->dir);
    if (fd >= 0 && store_delete_look(w->job, file, fd, name, &why) == 0) {
        (void)unlinkat(fd, name, 0);
    }
}

/* Whether a file is to go. */
static bool store_delete_wants(struct store_delete *w, uint32_t file)
{
    const struct store_job *job = w->job;
    const struct store_tree *s = job->store;
    if (s->layout[file].pad || (job->select && !bits_get(job->select, file))) {
        return false;
    }
    if (!job->remove.owned || job->remove.owned[file].exists) {
        return true;
    }
    if (job->remove.made_ns == 0) {
        return false;
    }
    int fd = store_delete_dir_fd(w, s->files[file].dir);
    return fd >= 0 &&
           store_delete_is_made(job, file, fd, store_delete_name(s, file));
}

/* A file that is not to go: what is in its place is told. */
static void store_delete_leave(struct store_delete *w, uint32_t file)
{
    struct store_job *job = w->job;
    const char *why = "somebody else has put it there";
    char path[PATH_MAX];
    struct stat st;
    if (job->select && !bits_get(job->select, file)) {
        why = "another torrent has it, too";
    }
    if (store_tree_path(job->store, file, path) == 0 && lstat(path, &st) == 0) {
        store_stays_add(&job->remove.stays, path, why);
    }
}

/* A folder stays. Of one that holds something that was told there is nothing
 * more to say. */
static void store_delete_keep_folder(struct store_delete *w, uint32_t dir)
{
    struct store_stays *stays = &w->job->remove.stays;
    char path[PATH_MAX];
    if (store_tree_dir_path(w->job->store, dir, path) == 0 &&
        !store_stays_below(stays, path)) {
        store_stays_add(stays, path, "other files are in it");
    }
}

/* Removes a folder if it is empty; all else is not ours to remove. */
static void store_delete_folder(struct store_delete *w, uint32_t dir)
{
    const struct store_dir *d = &w->job->store->dirs[dir];
    uint32_t from = w->job->store->dirs[d->parent].len;
    char name[PATH_MAX];
    int fd = store_delete_dir_fd(w, d->parent);
    from += from > 0 ? 1 : 0;
    if (fd >= 0 && d->len - from < sizeof(name)) {
        memcpy(name, d->path + from, d->len - from);
        name[d->len - from] = '\0';
        bool gone = unlinkat(fd, name, AT_REMOVEDIR) == 0;
        if (!gone && (errno == ENOTEMPTY || errno == EEXIST)) {
            store_delete_keep_folder(w, dir);
        }
    }
}

/* The folders that are left forget the names for good: after a power cut a file
 * must not be back whose torrent is gone. */
static void store_delete_sync(struct store_job *job)
{
    struct store_tree *s = job->store;
    char path[PATH_MAX];
    for (uint32_t i = 0; i < s->n_dirs; i++) {
        int fd = -1;
        if (store_tree_dir_path(s, i, path) == 0) {
            fd = store_sys_open(s->d, path, O_RDONLY | O_DIRECTORY);
        }
        int rc = 0;
        if (fd >= 0) {
            rc = store_sys_fsync(s->d, fd, path);
        }
        if (rc != 0 && rc != -EINVAL) { /* EINVAL: there is no such thing */
            store_fail(job, STORE_NO_FILE, path, -rc);
        }
        if (fd >= 0) {
            (void)close(fd);
        }
    }
}

/* What is gone needs no SYNC. */
static void store_delete_claims(struct store_tree *s)
{
    pthread_mutex_lock(&s->d->fd_lock);
    for (uint32_t i = 0; i < s->n_files; i++) {
        s->flags[i] &= STORE_WRITES;
    }
    s->n_dirty = 0;
    for (uint32_t i = 0; i < s->n_dirs; i++) {
        s->dirs[i].pending = false;
    }
    pthread_mutex_unlock(&s->d->fd_lock);
}

/* The save path, or a failure: then nothing is gone, it is out of reach. */
static bool store_delete_open(struct store_delete *w)
{
    const char *path = w->job->store->save_path;
    struct stat st;
    w->root = open(path, STORE_DELETE_OPEN);
    if (w->root < 0) {
        store_fail(w->job, STORE_NO_FILE, path, errno);
        return false;
    }
    if (fstat(w->root, &st) == 0) {
        w->job->root.exists = true;
        w->job->root.dev = (uint64_t)st.st_dev;
    }
    return true;
}

/* Goes on after a failure and tells the first. Folders stand behind their
 * parents, so backwards they empty from below; the save path (0) stays. */
static void store_delete_all(struct store_delete *d)
{
    struct store_tree *s = d->job->store;
    for (uint32_t i = 0; i < s->n_files; i++) {
        if (store_delete_wants(d, i)) {
            store_delete_home(d, i);
            store_delete_file(d, i);
        } else if (!s->layout[i].pad && !d->job->remove.look) {
            store_delete_leave(d, i);
        }
    }
    for (uint32_t i = s->n_dirs; i > 1 && !d->job->remove.look; i--) {
        store_delete_folder(d, i - 1);
    }
}

/* DELETE. */
void store_run_delete(struct store_worker *w, struct store_job *job)
{
    struct store_tree *s = job->store;
    struct store_delete d = {.job = job, .fd = -1};
    (void)w;
    if (!store_delete_open(&d)) {
        return;
    }
    store_fd_drop_all(s);
    store_find_homes(job);
    store_delete_all(&d);
    (void)store_delete_dir_fd(&d, 0);
    (void)close(d.root);
    if (!job->remove.look) {
        store_delete_sync(job);
        store_delete_claims(s);
    }
}
