/* The cache of open files, over all stores: least recently used goes first.
 *
 * A job or the caller of PREFETCH holds a reference while it uses a descriptor;
 * only unreferenced ones are closed. A file is opened for reading until
 * somebody writes to it, so that seeding works from read-only media and a
 * program that was downloaded can be run while it is seeded; links are
 * followed, because people link big files to other drives.
 *
 * The kernel reports a failed writeback only while the inode stays in memory,
 * and an open descriptor keeps it there: so a dirty file is synced before its
 * descriptor is evicted, and a failure is kept for the next SYNC (DISK_LOST).
 */
#include "store/internal.h"

#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Another file is in its place: an errno that no file gives. */
#define DISK_E_OTHER EREMCHG
/* How many of the oldest are looked at for one that is clean. */
#define DISK_EVICT_LOOK 64

/* Out of the LRU list; under fd_lock. */
static void disk_lru_remove(struct disk *d, struct disk_fd *f)
{
    if (f->prev) {
        f->prev->next = f->next;
    } else {
        d->lru_old = f->next;
    }
    if (f->next) {
        f->next->prev = f->prev;
    } else {
        d->lru_new = f->prev;
    }
    f->prev = NULL;
    f->next = NULL;
}

/* In as the newest; under fd_lock. */
static void disk_lru_add(struct disk *d, struct disk_fd *f)
{
    f->prev = d->lru_new;
    f->next = NULL;
    if (d->lru_new) {
        d->lru_new->next = f;
    } else {
        d->lru_old = f;
    }
    d->lru_new = f;
}

/* One user more; under fd_lock. */
static void disk_fd_ref(struct disk *d, struct disk_fd *f)
{
    if (f->refs == 0) {
        disk_lru_remove(d, f);
    }
    f->refs++;
    f->store->refs++;
}

/* Out of the cache; under fd_lock. Gives the descriptor when the caller has to
 * close it (disk_fd_close), NULL when somebody still uses it. */
static struct disk_fd *disk_fd_detach(struct disk *d, struct disk_fd *f)
{
    struct disk_store *s = f->store;
    s->fds[f->file] = NULL;
    if (f->refs == 0) {
        disk_lru_remove(d, f);
        d->n_open--;
        return f;
    }
    f->stale = true;
    f->next = s->stale;
    s->stale = f;
    return NULL;
}

/* What disk_fd_detach gave; outside the lock. What it has become by our writes
 * is how we know it again, unless STAT has met another one since. */
static void disk_fd_close(struct disk_fd *f)
{
    struct stat st;
    if (!f) {
        return;
    }
    if (f->writable && fstat(f->fd, &st) == 0 &&
        !disk_store_is_other(f->store, f->file, &st)) {
        disk_store_saw(f->store, f->file, &st);
    }
    (void)close(f->fd);
    free(f);
}

/* Takes a stale one off its list; under fd_lock. */
static void disk_fd_unlist(struct disk_fd *f)
{
    struct disk_fd **at = &f->store->stale;
    while (*at != f) {
        at = &(*at)->next;
    }
    *at = f->next;
}

/* One user less. */
void disk_fd_put(struct disk_fd *f)
{
    if (!f) {
        return;
    }
    struct disk_store *s = f->store;
    struct disk *d = s->d;
    struct disk_fd *gone = NULL;
    pthread_mutex_lock(&d->fd_lock);
    if (--f->refs == 0) {
        if (f->stale) {
            disk_fd_unlist(f);
            d->n_open--;
            gone = f;
        } else {
            disk_lru_add(d, f);
        }
    }
    pthread_mutex_unlock(&d->fd_lock);
    disk_fd_close(gone);
    disk_store_unref(s);
}

/* Ends a PREFETCH reference. */
void disk_fd_release(struct disk_store *s, uint32_t file, int fd)
{
    if (fd < 0) {
        return;
    }
    BTC_ASSERT(file < s->n_files);
    pthread_mutex_lock(&s->d->fd_lock);
    struct disk_fd *f = s->fds[file];
    if (!f || f->fd != fd) {
        f = s->stale;
        while (f && f->fd != fd) {
            f = f->next;
        }
    }
    BTC_ASSERT(f && f->refs > 0);
    pthread_mutex_unlock(&s->d->fd_lock);
    disk_fd_put(f);
}

/* The oldest unreferenced one, if possible a clean one; under fd_lock. */
static struct disk_fd *disk_fd_oldest(struct disk *d)
{
    struct disk_fd *f = d->lru_old;
    for (int i = 0; f && i < DISK_EVICT_LOOK; i++, f = f->next) {
        if (!(f->store->flags[f->file] & (DISK_DIRTY | DISK_SYNCING))) {
            return f;
        }
    }
    return d->lru_old;
}

/* Syncs a dirty file that leaves the cache; the store knows it as one that is
 * being evicted. */
static void disk_fd_flush(struct disk_store *s, const struct disk_fd *f)
{
    char path[PATH_MAX];
    (void)disk_store_path(s, f->file, path);
    int rc = disk_sys_datasync(s->d, f->fd, path);
    pthread_mutex_lock(&s->d->fd_lock);
    if (rc != 0) {
        s->flags[f->file] |= DISK_LOST;
    }
    s->n_evicting--;
    pthread_cond_broadcast(&s->d->evicted);
    pthread_mutex_unlock(&s->d->fd_lock);
}

/* Closes one that nobody uses; false when there is none. */
static bool disk_fd_evict(struct disk *d)
{
    pthread_mutex_lock(&d->fd_lock);
    struct disk_fd *f = disk_fd_oldest(d);
    if (!f) {
        pthread_mutex_unlock(&d->fd_lock);
        return false;
    }
    struct disk_store *s = f->store;
    bool dirty = s->flags[f->file] & (DISK_DIRTY | DISK_SYNCING);
    s->refs++;
    s->n_evicting += dirty;
    (void)disk_fd_detach(d, f);
    pthread_mutex_unlock(&d->fd_lock);
    if (dirty) {
        disk_fd_flush(s, f);
    }
    disk_fd_close(f);
    disk_store_unref(s);
    return true;
}

/* Keeps to the limit as far as unused descriptors allow. */
static void disk_fd_make_room(struct disk *d)
{
    bool full = true;
    while (full) {
        pthread_mutex_lock(&d->fd_lock);
        full = d->n_open >= d->max_open;
        pthread_mutex_unlock(&d->fd_lock);
        full = full && disk_fd_evict(d);
    }
}

/* Opens or creates. When the process has no descriptor left, those of the cache
 * make room. */
int disk_fd_open(struct disk *d, const char *path, int flags)
{
    int fd;
    do {
        fd = disk_sys_open(d, path, flags);
    } while ((fd == -EMFILE || fd == -ENFILE) && disk_fd_evict(d));
    return fd;
}

/* Opens a regular file; the descriptor or -errno: EISDIR for anything else,
 * DISK_E_OTHER when it would be written and is not the file that we have
 * written to: what we claim is in that one. */
static int disk_fd_open_path(struct disk_store *s, uint32_t file,
                             const char *path, bool write)
{
    struct stat st;
    struct disk *d = s->d;
    disk_fd_make_room(d);
    int fd = disk_fd_open(d, path, write ? O_RDWR : O_RDONLY);
    if (fd < 0) {
        return fd;
    }
    int rc = disk_sys_fstat(d, fd, path, &st);
    if (rc == 0 && !S_ISREG(st.st_mode)) {
        rc = -EISDIR;
    } else if (rc == 0 && write && disk_store_is_other(s, file, &st)) {
        rc = -DISK_E_OTHER;
    }
    if (rc != 0) {
        (void)close(fd);
        return rc;
    }
    if (write) {
        disk_store_saw(s, file, &st);
    }
    return fd;
}

/* Puts a new descriptor into the cache, referenced. When another worker was
 * quicker its descriptor is the one, and the new one is closed. */
static struct disk_fd *disk_fd_insert(struct disk_store *s, uint32_t file,
                                      int fd, bool write)
{
    struct disk *d = s->d;
    struct disk_fd *f = mem_zalloc(sizeof(*f));
    *f = (struct disk_fd){
        .store = s, .file = file, .fd = fd, .refs = 1, .writable = write};
    pthread_mutex_lock(&d->fd_lock);
    struct disk_fd *gone = s->fds[file];
    if (gone && (gone->writable || !write)) {
        struct disk_fd *better = gone;
        disk_fd_ref(d, better);
        gone = f;
        f = better;
    } else {
        gone = gone ? disk_fd_detach(d, gone) : NULL;
        s->fds[file] = f;
        s->refs++;
        d->n_open++;
    }
    pthread_mutex_unlock(&d->fd_lock);
    disk_fd_close(gone);
    return f;
}

/* A descriptor for a job. */
struct disk_fd *disk_fd_get(struct disk_job *job, uint32_t file, bool write)
{
    struct disk_store *s = job->store;
    char path[PATH_MAX];
    pthread_mutex_lock(&s->d->fd_lock);
    struct disk_fd *f = s->fds[file];
    if (f && (f->writable || !write)) {
        disk_fd_ref(s->d, f);
    } else {
        f = NULL;
    }
    pthread_mutex_unlock(&s->d->fd_lock);
    if (f) {
        return f;
    }
    int fd = disk_store_path(s, file, path);
    if (fd == 0) {
        fd = disk_fd_open_path(s, file, path, write);
    }
    if (fd == -EISDIR) {
        disk_fail_with(job, file, path, BTC_E_EXISTS, "is not a regular file");
    } else if (fd == -DISK_E_OTHER) {
        disk_fail_with(job, file, path, BTC_E_STORAGE,
                       "was replaced by another file");
    } else if (fd < 0) {
        disk_fail(job, file, path, -fd);
    }
    return fd < 0 ? NULL : disk_fd_insert(s, file, fd, write);
}

/* Out of the cache. */
void disk_fd_drop(struct disk_store *s, uint32_t file)
{
    struct disk_fd *gone = NULL;
    pthread_mutex_lock(&s->d->fd_lock);
    if (s->fds[file]) {
        gone = disk_fd_detach(s->d, s->fds[file]);
    }
    pthread_mutex_unlock(&s->d->fd_lock);
    disk_fd_close(gone);
}

/* Out of the cache, when nobody uses it and no SYNC is to come for it. */
static void disk_fd_drop_clean(struct disk_store *s, uint32_t file,
                               bool readers)
{
    struct disk_fd *gone = NULL;
    pthread_mutex_lock(&s->d->fd_lock);
    struct disk_fd *f = s->fds[file];
    if (f && (f->writable || readers) && f->refs == 0 &&
        !(s->flags[file] & (DISK_DIRTY | DISK_SYNCING))) {
        gone = disk_fd_detach(s->d, f);
    }
    pthread_mutex_unlock(&s->d->fd_lock);
    disk_fd_close(gone);
}

/* However it is open. */
void disk_fd_drop_idle(struct disk_store *s, uint32_t file)
{
    disk_fd_drop_clean(s, file, true);
}

/* After a SYNC: nothing stays open for writing longer than it is written to. */
void disk_fd_drop_written(struct disk_store *s, uint32_t file)
{
    disk_fd_drop_clean(s, file, false);
}

/* All of a store. */
void disk_fd_drop_all(struct disk_store *s)
{
    for (uint32_t i = 0; i < s->n_files; i++) {
        disk_fd_drop(s, i);
    }
}

/* Which file it is that stands open. */
bool disk_fd_identity(struct disk_store *s, uint32_t file, struct stat *st)
{
    pthread_mutex_lock(&s->d->fd_lock);
    struct disk_fd *f = s->fds[file];
    if (f) {
        disk_fd_ref(s->d, f);
    }
    pthread_mutex_unlock(&s->d->fd_lock);
    bool ok = f && fstat(f->fd, st) == 0;
    disk_fd_put(f);
    return ok;
}
