/* SYNC, STAT and SPACE.
 *
 * SYNC takes the files that are dirty when it begins. What is written while it
 * runs makes them dirty again and is the next one's business. A SYNC that fails
 * anywhere counts for nothing: all that it took is dirty again.
 *
 * After a failed fdatasync the kernel may hold pages that it calls clean and
 * that never reached the device; a second fdatasync would succeed. So the pages
 * are dropped from the cache: who then hashes the pieces again, as the header
 * asks, reads what the device has.
 */
#include "store/blocked.h"
#include "store/internal.h"

#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Files whose writeback is started together; below what the cache holds. */
#define STORE_SYNC_BATCH 64u

/* What a SYNC took. */
struct store_taken {
    uint32_t *files; /* owns */
    uint32_t n_files;
    uint32_t *dirs; /* owns */
    uint32_t n_dirs;
};

/* Takes what is to be synced. */
static struct store_taken store_sync_take(struct store_tree *s)
{
    struct store_taken t = {0};
    pthread_mutex_lock(&s->d->fd_lock);
    t.files = mem_array(s->n_dirty, sizeof(*t.files));
    t.dirs = mem_array(s->n_dirs, sizeof(*t.dirs));
    for (uint32_t i = 0; i < s->n_files && s->n_dirty > 0; i++) {
        if (s->flags[i] & STORE_DIRTY) {
            s->flags[i] ^= STORE_DIRTY | STORE_SYNCING;
            s->n_dirty--;
            t.files[t.n_files++] = i;
        }
    }
    for (uint32_t i = 0; i < s->n_dirs; i++) {
        if (s->dirs[i].pending) {
            s->dirs[i].pending = false;
            t.dirs[t.n_dirs++] = i;
        }
    }
    pthread_mutex_unlock(&s->d->fd_lock);
    return t;
}

/* Starts writeback of some files at once, so that the device gets them together
 * and the first journal commit of the file system covers all. Only a hint: what
 * counts is the fdatasync behind it. */
static void store_sync_begin(struct store_job *job, const uint32_t *files,
                             uint32_t n)
{
    for (uint32_t i = 0; n > 1 && i < n; i++) {
        uint32_t generation = store_left_generation(job->store, files[i]);
        struct store_fd *f = NULL;
        if (!store_left_is_synced(job->store, files[i], generation, NULL)) {
            f = store_fd_get(job, files[i], false);
        }
        if (f) {
            (void)sync_file_range(f->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
            store_fd_put(f);
        }
    }
}

/* True when the path still leads to the open file. */
static bool store_sync_is_same(struct store_job *job, uint32_t file,
                               const char *path, const struct stat *open)
{
    struct stat st;
    int rc = store_sys_stat(job->store->d, path, &st);
    if (rc != 0 && rc != -ENOENT && rc != -ENOTDIR) {
        store_fail(job, file, path, -rc);
        return false;
    }
    if (rc != 0 || st.st_dev != open->st_dev || st.st_ino != open->st_ino) {
        job->fail.changed |= job->result == 0;
        store_fail_with(job, file, path, BTC_E_STORAGE,
                        "was removed or replaced while it was written");
        store_fd_drop(job->store, file);
        return false;
    }
    return true;
}

/* Good: if it leaves the cache now, nobody needs to sync it again. The print of
 * one that was stirred is not to be found again. */
static void store_sync_good(struct store_job *job, uint32_t file,
                            const struct stat *st)
{
    struct store_tree *s = job->store;
    job->prints[file] = store_sys_print(st);
    pthread_mutex_lock(&s->d->fd_lock);
    s->flags[file] &= (uint8_t)~STORE_SYNCING;
    job->prints[file].ctime_ns -= s->busy[file].stirred;
    pthread_mutex_unlock(&s->d->fd_lock);
}

/* It was synced as it left the cache, and is what our last write left: there is
 * nothing to do. Whatever else is seen, its descriptor is asked. */
static bool store_sync_has(struct store_job *job, uint32_t file)
{
    struct store_tree *s = job->store;
    char path[PATH_MAX];
    struct stat st;
    uint32_t generation = store_left_generation(s, file);
    if (!store_left_is_synced(s, file, generation, NULL) ||
        store_tree_path(s, file, path) != 0 ||
        store_sys_stat(s->d, path, &st) != 0 ||
        !store_left_is_synced(s, file, generation, &st)) {
        return false;
    }
    store_sync_good(job, file, &st);
    return true;
}

/* How the file is, if that is how our own writes left it. */
static int store_sync_look(struct store *d, const struct store_fd *f,
                           const char *path, struct stat *st)
{
    int rc = store_sys_fault(d, "fstat", path);
    if (rc == 0 && !store_left_look(f, st)) {
        rc = -STORE_E_TOUCHED;
    }
    return rc;
}

/* One file: durable, then its print. */
static void store_sync_file(struct store_job *job, uint32_t file)
{
    struct store *d = job->store->d;
    char path[PATH_MAX];
    struct stat st;
    if (store_sync_has(job, file)) {
        return;
    }
    struct store_fd *f = store_fd_get(job, file, false);
    if (!f) {
        return;
    }
    (void)store_tree_path(job->store, file, path);
    int rc = store_sys_datasync(d, f->fd, path);
    if (rc != 0) {
        store_sys_forget(f->fd);
    } else {
        rc = store_sync_look(d, f, path, &st);
    }
    if (rc != 0) {
        store_fail(job, file, path, -rc);
    } else if (store_sync_is_same(job, file, path, &st)) {
        store_sync_good(job, file, &st);
    }
    store_fd_put(f);
}

/* fsync of a folder. File systems that have no such thing say EINVAL. A folder
 * that somebody removed has no names left to keep, and what was written below
 * it has been missed already; only the save path must be there. */
static void store_sync_path(struct store_job *job, const char *path, bool must)
{
    struct store *d = job->store->d;
    int fd = store_fd_open(d, path, O_RDONLY | O_DIRECTORY);
    int rc = fd;
    if (fd == -ENOENT && !must) {
        rc = 0;
    }
    if (fd >= 0) {
        rc = store_sys_fsync(d, fd, path);
        (void)close(fd);
    }
    if (rc < 0 && rc != -EINVAL) {
        store_fail(job, STORE_NO_FILE, path, -rc);
    }
}

/* The folder above the save path: its name may be new as well. Where we may not
 * look it was not made by us. */
static void store_sync_above(struct store_job *job)
{
    struct store *d = job->store->d;
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/..", job->store->save_path);
    if (n < 0 || n >= PATH_MAX) {
        return;
    }
    int fd = store_fd_open(d, path, O_RDONLY | O_DIRECTORY);
    if (fd >= 0) {
        (void)close(fd);
        store_sync_path(job, path, true);
    } else if (fd != -EACCES && fd != -EPERM) {
        store_fail(job, STORE_NO_FILE, path, -fd);
    }
}

/* The folders, from below. */
static void store_sync_dirs(struct store_job *job, const struct store_taken *t)
{
    char path[PATH_MAX];
    for (uint32_t i = t->n_dirs; i > 0; i--) {
        if (store_tree_dir_path(job->store, t->dirs[i - 1], path) == 0) {
            store_sync_path(job, path, t->dirs[i - 1] == 0);
        }
        if (t->dirs[i - 1] == 0) {
            store_sync_above(job);
        }
    }
}

/* Waits for dirty files that are just leaving the cache, and collects what went
 * wrong there. */
static void store_sync_join(struct store_job *job, const struct store_taken *t)
{
    struct store_tree *s = job->store;
    uint32_t lost = STORE_NO_FILE;
    pthread_mutex_lock(&s->d->fd_lock);
    while (s->n_evicting > 0) {
        pthread_cond_wait(&s->d->evicted, &s->d->fd_lock);
    }
    for (uint32_t i = 0; i < t->n_files; i++) {
        if (s->flags[t->files[i]] & STORE_LOST) {
            s->flags[t->files[i]] &= (uint8_t)~STORE_LOST;
            lost = t->files[i];
        }
    }
    pthread_mutex_unlock(&s->d->fd_lock);
    if (lost != STORE_NO_FILE) {
        store_fail(job, lost, NULL, EIO);
    }
}

/* Takes note of the outcome. */
static void store_sync_end(struct store_job *job, const struct store_taken *t)
{
    struct store_tree *s = job->store;
    bool failed = job->result != 0;
    pthread_mutex_lock(&s->d->fd_lock);
    for (uint32_t i = 0; i < t->n_files; i++) {
        uint8_t *flags = &s->flags[t->files[i]];
        *flags &= (uint8_t)~STORE_SYNCING;
        if (failed && !(*flags & STORE_DIRTY)) {
            *flags |= STORE_DIRTY;
            s->n_dirty++;
        }
    }
    for (uint32_t i = 0; failed && i < t->n_dirs; i++) {
        s->dirs[t->dirs[i]].pending = true;
    }
    pthread_mutex_unlock(&s->d->fd_lock);
    for (uint32_t i = 0; !failed && i < t->n_files; i++) {
        store_fd_drop_written(s, t->files[i]);
    }
}

/* SYNC. */
void store_run_sync(struct store_worker *w, struct store_job *job)
{
    (void)w;
    struct store_taken t = store_sync_take(job->store);
    job->prints = mem_calloc(job->store->n_files, sizeof(*job->prints));
    for (uint32_t i = 0; i < t.n_files; i++) {
        if (i % STORE_SYNC_BATCH == 0) {
            uint32_t left = t.n_files - i;
            store_sync_begin(job, &t.files[i],
                             left < STORE_SYNC_BATCH ? left : STORE_SYNC_BATCH);
        }
        store_sync_file(job, t.files[i]);
    }
    store_sync_dirs(job, &t);
    store_sync_join(job, &t);
    store_sync_end(job, &t);
    free(t.files);
    free(t.dirs);
    if (job->result != 0) {
        free(job->prints);
        job->prints = NULL;
    }
}

/* What is the journal's is no file of the torrent. */
static bool store_stat_is_own(const struct store_job *job, const char *path,
                              int rc, const struct stat *st)
{
    const struct store_own *own = job->store->d->own;
    return rc == 0 &&
           (store_own_is_named(own, path) || store_own_is_one(own, st));
}

/* The print of a path; not being there is no failure. Who asks knows the file
 * from here on. */
static void store_stat_path(struct store_job *job, uint32_t file,
                            const char *path, struct fingerprint *out)
{
    struct stat st;
    bool link = file != STORE_NO_FILE && store_tree_link(job->store, file);
    uint32_t generation = 0;
    if (file != STORE_NO_FILE) {
        generation = store_left_generation(job->store, file);
    }
    int64_t born_ns = 0;
    int rc = store_sys_look(job->store->d, path, link ? AT_SYMLINK_NOFOLLOW : 0,
                            &st, &born_ns);
    if (file != STORE_NO_FILE && store_stat_is_own(job, path, rc, &st)) {
        rc = -ENOENT;
    }
    if (file != STORE_NO_FILE) {
        store_left_saw(job->store, file, generation, rc == 0 ? &st : NULL);
    }
    if (rc == 0) {
        *out = store_sys_print(&st);
        out->born_ns = born_ns;
    } else if (rc == -ELOOP && file != STORE_NO_FILE) {
        return; /* links that lead nowhere: CREATE refuses them */
    } else if (rc != -ENOENT && rc != -ENOTDIR) {
        store_fail(job, file, path, -rc);
    }
}

/* What a STAT has found out about a folder of the tree. */
struct store_stat_dir {
    uint64_t dev; /* see store_stat_folder; 0: not looked at yet */
    bool absent;  /* so none of its files is there */
};

/* Looks at one folder; false when it cannot be seen. */
static bool store_stat_look(struct store_job *job, struct store_stat_dir *looks,
                            uint32_t dir)
{
    char path[PATH_MAX];
    struct stat st;
    int rc = store_tree_dir_path(job->store, dir, path);
    if (rc == 0) {
        rc = store_sys_stat(job->store->d, path, &st);
    }
    if (rc == 0) {
        looks[dir].dev = st.st_dev;
    }
    looks[dir].absent = rc == -ENOENT || rc == -ENOTDIR;
    return rc == 0;
}

/* The device of the folder in which an absent file would be, or of the nearest
 * one above it that there is: it tells whether a mount below the save path is
 * away. */
static uint64_t store_stat_folder(struct store_job *job,
                                  struct store_stat_dir *looks, uint32_t dir)
{
    const struct store_dir *dirs = job->store->dirs;
    uint64_t dev = job->root.dev;
    uint32_t at = dir;
    while (at != 0 && looks[at].dev == 0 && !store_stat_look(job, looks, at)) {
        at = dirs[at].parent;
    }
    if (at != 0) {
        dev = looks[at].dev;
    }
    for (; dir != at; dir = dirs[dir].parent) {
        looks[dir].dev = dev;
    }
    return dev;
}

/* What another torrent writes is no evidence of anything. */
static void store_stat_use(struct store_job *job, uint32_t file,
                           const char *path, const struct fingerprint *print)
{
    struct store_hold_text who;
    struct stat st = {.st_dev = print->dev, .st_ino = print->ino};
    if (print->exists && print->is_file &&
        !store_hold_take(job->store, file, &st, STORE_HOLD_LOOK, &who)) {
        store_fail_with(job, file, path, who.code, who.text);
    }
}

/* One file. When somebody has put another in its place, the descriptor of the
 * old one must not be read or written any more. */
static void store_stat_file(struct store_job *job, struct store_stat_dir *looks,
                            uint32_t file)
{
    const struct store_tree *s = job->store;
    struct fingerprint *print = &job->prints[file];
    uint32_t dir = s->files[file].dir;
    char path[PATH_MAX];
    struct stat open;
    int rc = store_tree_path(job->store, file, path);
    if (rc != 0) {
        store_fail(job, file, path, -rc);
        return;
    }
    if (looks[dir].absent) {
        store_left_saw(job->store, file,
                       store_left_generation(job->store, file), NULL);
    } else {
        store_stat_path(job, file, path, print);
        store_stat_use(job, file, path, print);
        store_tree_find_made(job->store, file, path);
    }
    store_tree_set_absent(job->store, file, !print->exists);
    if (!print->exists) {
        print->dev = store_stat_folder(job, looks, dir);
        print->is_blocked = job->look.blocked && !store_tree_link(s, file) &&
                            store_is_blocked(s->save_path, path);
    }
    if (store_fd_identity(job->store, file, &open) &&
        (!print->exists || print->dev != open.st_dev ||
         print->ino != open.st_ino)) {
        store_fd_drop(job->store, file);
    }
}

/* STAT. */
void store_run_stat(struct store_worker *w, struct store_job *job)
{
    struct store_tree *s = job->store;
    struct store_stat_dir *looks = mem_calloc(s->n_dirs, sizeof(*looks));
    (void)w;
    job->prints = mem_calloc(s->n_files, sizeof(*job->prints));
    store_stat_path(job, STORE_NO_FILE, s->save_path, &job->root);
    store_find_homes(job);
    for (uint32_t i = 0; i < s->n_files && job->root.exists; i++) {
        if (!s->layout[i].pad && store_take(job, i)) {
            store_stat_file(job, looks, i);
        }
    }
    free(looks);
    if (job->result != 0) {
        free(job->prints);
        job->prints = NULL;
    }
}

/* SPACE. */
void store_run_space(struct store_worker *w, struct store_job *job)
{
    struct store_tree *s = job->store;
    struct statvfs vfs;
    (void)w;
    int rc = store_sys_fault(s->d, "statvfs", s->save_path);
    while (rc == 0 && statvfs(s->save_path, &vfs) != 0) {
        if (errno == EINTR) {
            rc = 0;
        } else {
            rc = -errno;
        }
    }
    if (rc != 0) {
        store_fail(job, STORE_NO_FILE, s->save_path, -rc);
        return;
    }
    job->bytes_free = (uint64_t)vfs.f_bavail * vfs.f_frsize;
}
