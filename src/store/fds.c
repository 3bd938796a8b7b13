/* The cache of open files, over all stores: least recently used goes first.
 *
 * A job or the caller of PREFETCH holds a reference while it uses a descriptor;
 * only unreferenced ones are closed. A file is opened for reading until
 * somebody writes to it, so that seeding works from read-only media and a
 * program that was downloaded can be run while it is seeded. A link in a file's
 * place is followed for reading only.
 *
 * The kernel reports a failed writeback only while the inode stays in memory,
 * and an open descriptor keeps it there: so a dirty file is synced before its
 * descriptor is evicted, and a failure is kept for the next SYNC (STORE_LOST).
 *
 * A file that left the cache may be replaced before it is opened again. Who
 * opens it to write or to sync it must get the file that we wrote to: the sync
 * of a stranger would make claims true that speak of the other one.
 */
#include "store/internal.h"

#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Another file is in its place: an errno that no file gives. */
#define STORE_E_OTHER EREMCHG
/* How many of the oldest are looked at for one that is clean. */
#define STORE_EVICT_LOOK 64

/* Out of the LRU list; under fd_lock. */
static void store_lru_remove(struct store *d, struct store_fd *f)
{
    if (f->prev) {
        f->prev->next = f->next;
    } else {
        d->lru.old = f->next;
    }
    if (f->next) {
        f->next->prev = f->prev;
    } else {
        d->lru.new = f->prev;
    }
    f->prev = NULL;
    f->next = NULL;
}

/* In as the newest; under fd_lock. */
static void store_lru_add(struct store *d, struct store_fd *f)
{
    f->prev = d->lru.new;
    f->next = NULL;
    if (d->lru.new) {
        d->lru.new->next = f;
    } else {
        d->lru.old = f;
    }
    d->lru.new = f;
}

/* The descriptor of a file in the cache, or NULL; under fd_lock. */
static struct store_fd *store_fd_at(const struct store_tree *s, uint32_t file)
{
    if (s->fds) {
        return s->fds[file];
    }
    return NULL;
}

/* One user more; under fd_lock. */
static void store_fd_ref(struct store *d, struct store_fd *f)
{
    if (f->refs == 0) {
        store_lru_remove(d, f);
    }
    f->refs++;
    f->store->refs++;
}

/* Out of the cache; under fd_lock. Gives the descriptor when the caller has to
 * close it (store_fd_close), NULL when somebody still uses it. */
static struct store_fd *store_fd_detach(struct store *d, struct store_fd *f)
{
    struct store_tree *s = f->store;
    s->fds[f->file] = NULL;
    if (f->refs == 0) {
        store_lru_remove(d, f);
        d->n_open--;
        return f;
    }
    f->stale = true;
    f->next = s->stale;
    s->stale = f;
    return NULL;
}

/* What store_fd_detach gave; outside the lock. */
static void store_fd_close(struct store_fd *f)
{
    if (f) {
        (void)close(f->fd);
        free(f);
    }
}

/* Takes a stale one off its list; under fd_lock. */
static void store_fd_unlist(struct store_fd *f)
{
    struct store_fd **at = &f->store->stale;
    while (*at != f) {
        at = &(*at)->next;
    }
    *at = f->next;
}

/* The last of the owner and the trees frees. */
void store_unref(struct store *d)
{
    pthread_mutex_lock(&d->fd_lock);
    uint32_t left = --d->refs;
    pthread_mutex_unlock(&d->fd_lock);
    if (left > 0) {
        return;
    }
    (void)pthread_mutex_destroy(&d->lock);
    (void)pthread_mutex_destroy(&d->fd_lock);
    (void)pthread_cond_destroy(&d->work);
    for (uint32_t i = 0; i < STORE_MAX_LANES; i++) {
        (void)pthread_cond_destroy(&d->lanes[i].work);
    }
    (void)pthread_cond_destroy(&d->finished);
    (void)pthread_cond_destroy(&d->evicted);
    (void)pthread_key_delete(d->silent.self);
    free(d->workers);
    free(d->holds.lists);
    store_own_free(d->own);
    free(d);
}

/* One less; the last closes what stands open and frees the tree. */
void store_tree_unref(struct store_tree *s)
{
    struct store *d = s->d;
    pthread_mutex_lock(&d->fd_lock);
    uint32_t left = --s->refs;
    pthread_mutex_unlock(&d->fd_lock);
    if (left > 0) {
        return;
    }
    store_fd_drop_all(s);
    store_hold_release(s);
    store_tree_dispose(s);
    store_unref(d);
}

/* One user less. */
void store_fd_put(struct store_fd *f)
{
    if (!f) {
        return;
    }
    struct store_tree *s = f->store;
    struct store *d = s->d;
    struct store_fd *gone = NULL;
    pthread_mutex_lock(&d->fd_lock);
    if (--f->refs == 0) {
        if (f->stale) {
            store_fd_unlist(f);
            d->n_open--;
            gone = f;
        } else {
            store_lru_add(d, f);
        }
    }
    pthread_mutex_unlock(&d->fd_lock);
    store_fd_close(gone);
    store_tree_unref(s);
}

/* Ends a PREFETCH reference. */
void store_fd_release(struct store_tree *s, uint32_t file, int fd)
{
    if (fd < 0) {
        return;
    }
    BTC_ASSERT(file < s->n_files);
    pthread_mutex_lock(&s->d->fd_lock);
    struct store_fd *f = store_fd_at(s, file);
    if (!f || f->fd != fd) {
        f = s->stale;
        while (f && f->fd != fd) {
            f = f->next;
        }
    }
    BTC_ASSERT(f && f->refs > 0);
    pthread_mutex_unlock(&s->d->fd_lock);
    store_fd_put(f);
}

/* The oldest unreferenced one, if possible a clean one; under fd_lock. */
static struct store_fd *store_fd_oldest(struct store *d, bool clean)
{
    struct store_fd *f = d->lru.old;
    for (int i = 0; f && i < STORE_EVICT_LOOK; i++, f = f->next) {
        if (!(f->store->flags[f->file] & (STORE_DIRTY | STORE_SYNCING))) {
            return f;
        }
    }
    if (clean) {
        return NULL;
    }
    return d->lru.old;
}

/* Syncs a dirty file that leaves the cache; the store knows it as one that is
 * being evicted. Its SYNC need not open it again, if nobody writes to it. */
static void store_fd_flush(struct store_tree *s, const struct store_fd *f,
                           uint32_t generation)
{
    char path[PATH_MAX];
    (void)store_tree_path(s, f->file, path);
    int rc = store_sys_datasync(s->d, f->fd, path);
    if (rc != 0) {
        store_sys_forget(f->fd);
    }
    pthread_mutex_lock(&s->d->fd_lock);
    if (rc != 0) {
        s->flags[f->file] |= STORE_LOST;
    } else {
        store_left_synced(s, f->file, generation);
    }
    s->n_evicting--;
    pthread_cond_broadcast(&s->d->evicted);
    pthread_mutex_unlock(&s->d->fd_lock);
}

/* Closes one that nobody uses, of `clean` ones only; false when there is none.
 */
static bool store_fd_evict(struct store *d, bool clean)
{
    pthread_mutex_lock(&d->fd_lock);
    struct store_fd *f = store_fd_oldest(d, clean);
    if (!f) {
        pthread_mutex_unlock(&d->fd_lock);
        return false;
    }
    struct store_tree *s = f->store;
    bool dirty = s->flags[f->file] & (STORE_DIRTY | STORE_SYNCING);
    s->refs++;
    s->n_evicting += dirty;
    uint32_t generation = s->busy[f->file].generation;
    (void)store_fd_detach(d, f);
    pthread_mutex_unlock(&d->fd_lock);
    if (dirty) {
        store_fd_flush(s, f, generation);
    }
    store_fd_close(f);
    store_tree_unref(s);
    return true;
}

/* Keeps to the limits as far as unused descriptors allow. A dirty file that
 * leaves the cache is synced alone, which costs a disk far more than one of
 * many in a SYNC, and that closes it anyway: so there may be many of them. */
static void store_fd_make_room(struct store *d, bool write)
{
    bool full = true;
    while (full) {
        pthread_mutex_lock(&d->fd_lock);
        bool packed = d->n_open >= d->room.dirty;
        full = packed || (!write && d->n_open >= d->room.open);
        pthread_mutex_unlock(&d->fd_lock);
        full = full && store_fd_evict(d, !packed);
    }
}

/* 0, or the errno of an open that is not tried: STORE_E_OWN, or there is no
 * such file. What O_EXCL makes is none that is there; with O_NOFOLLOW a link is
 * to be told from nothing. */
static int store_fd_forbid(const struct store *d, const char *path, int flags)
{
    if (flags & O_DIRECTORY) {
        return 0;
    }
    int found = 0;
    if (flags & O_EXCL) {
        found = store_own_is_named(d->own, path);
    } else {
        found = store_own_find(d->own, path);
    }
    if (found == 1) {
        return STORE_E_OWN;
    }
    if (found == -ENOENT && !(flags & O_NOFOLLOW)) {
        return ENOENT;
    }
    return 0;
}

/* Opens or creates. When the process has no descriptor left, those of the cache
 * make room. */
int store_fd_open(struct store *d, const char *path, int flags)
{
    int fd = -store_fd_forbid(d, path, flags);
    if (fd < 0) {
        return fd;
    }
    do {
        fd = store_sys_open(d, path, flags);
    } while ((fd == -EMFILE || fd == -ENFILE) && store_fd_evict(d, false));
    return fd;
}

/* Opens a regular file; the descriptor or -errno: EISDIR for anything else,
 * STORE_E_OTHER when it would be written or synced and is not the file that we
 * have written to: what we claim is in that one. Who writes to a file knows how
 * it was before; that of another number which is the same nevertheless is known
 * by the new one. */
static int store_fd_open_path(const struct store_job *job, uint32_t file,
                              const char *path, bool write, struct stat *st)
{
    struct store_tree *s = job->store;
    struct store *d = s->d;
    bool must_be_ours = write || job->op == STORE_SYNC;
    store_fd_make_room(d, write);
    int fd = store_fd_open(d, path, write ? O_RDWR | O_NOFOLLOW : O_RDONLY);
    if (fd == -ENXIO) {
        return -EISDIR; /* a socket: no regular file says so */
    }
    if (fd == -ELOOP && !write) {
        return -ENOENT; /* links that lead to each other lead nowhere */
    }
    if (fd < 0) {
        return fd;
    }
    uint32_t generation = store_left_generation(s, file);
    int rc = store_sys_fstat(d, fd, path, st);
    if (rc == 0 && !S_ISREG(st->st_mode)) {
        rc = -EISDIR;
    } else if (rc == 0 && must_be_ours &&
               store_tree_is_other(s, file, path, st)) {
        rc = -STORE_E_OTHER;
    } else if (rc == 0 && write &&
               !store_left_opened(s, file, fd, generation, st)) {
        rc = -STORE_E_TOUCHED;
    }
    if (rc != 0) {
        (void)close(fd);
        return rc;
    }
    return fd;
}

/* Puts a new descriptor into the cache, referenced. When another worker was
 * quicker its descriptor is the one, and the new one is closed. */
static struct store_fd *store_fd_insert(struct store_tree *s, uint32_t file,
                                        int fd, bool write)
{
    struct store *d = s->d;
    struct store_fd *f = mem_zalloc(sizeof(*f));
    *f = (struct store_fd){
        .store = s, .file = file, .fd = fd, .refs = 1, .writable = write};
    pthread_mutex_lock(&d->fd_lock);
    struct store_fd *gone = store_fd_at(s, file);
    if (gone && (gone->writable || !write)) {
        struct store_fd *better = gone;
        store_fd_ref(d, better);
        gone = f;
        f = better;
    } else {
        if (gone) {
            gone = store_fd_detach(d, gone);
        } else {
            gone = NULL;
        }
        if (!s->fds) {
            s->fds = mem_calloc(s->n_files, sizeof(struct store_fd *));
        }
        s->fds[file] = f;
        s->refs++;
        d->n_open++;
    }
    pthread_mutex_unlock(&d->fd_lock);
    store_fd_close(gone);
    return f;
}

/* The descriptor that is open already, with a reference. */
static struct store_fd *store_fd_cached(struct store_tree *s, uint32_t file,
                                        bool write)
{
    pthread_mutex_lock(&s->d->fd_lock);
    struct store_fd *f = store_fd_at(s, file);
    if (f && (f->writable || !write)) {
        store_fd_ref(s->d, f);
    } else {
        f = NULL;
    }
    pthread_mutex_unlock(&s->d->fd_lock);
    return f;
}

struct store_fd *store_fd_peek(struct store_tree *s, uint32_t file)
{
    return store_fd_cached(s, file, false);
}

/* What is there is not what an earlier look found there. */
static bool store_fd_is_replaced(struct store_job *job, uint32_t file,
                                 const char *path)
{
    struct stat st;
    return job->op != STORE_CREATE &&
           (store_sys_stat(job->store->d, path, &st) != 0 ||
            store_tree_is_other(job->store, file, path, &st));
}

/* Something that holds no data is in the file's place. CREATE finds it there
 * and refuses it. When it was put in the place of what CREATE had found, all
 * that is claimed is to be looked at anew, and then CREATE refuses. */
static void store_fd_refuse(struct store_job *job, uint32_t file,
                            const char *path, const char *reason)
{
    if (store_fd_is_replaced(job, file, path)) {
        job->fail.changed |= job->result == 0;
        store_fail_with(job, file, path, BTC_E_STORAGE, reason);
    } else {
        store_fail_with(job, file, path, BTC_E_EXISTS, reason);
    }
}

/* Opens the file; below 0 after the job has been failed. */
static int store_fd_open_for(struct store_job *job, uint32_t file, bool write)
{
    struct store_tree *s = job->store;
    struct store_hold_text who;
    struct stat st;
    char path[PATH_MAX];
    int fd = store_tree_path(s, file, path);
    if (fd == 0) {
        fd = store_fd_open_path(job, file, path, write, &st);
    }
    if (fd >= 0 && write &&
        !store_hold_take(s, file, &st, STORE_HOLD_WRITE, &who)) {
        (void)close(fd);
        fd = -EBUSY;
        store_fail_with(job, file, path, who.code, who.text);
    } else if (fd == -EISDIR) {
        store_fd_refuse(job, file, path, "is not a regular file");
    } else if (fd == -ELOOP && write) {
        store_fd_refuse(job, file, path, STORE_LINK_REASON);
    } else if (fd == -STORE_E_OTHER) {
        job->fail.changed |= job->result == 0;
        store_fail_with(job, file, path, BTC_E_STORAGE,
                        "was replaced by another file");
    } else if (fd < 0) {
        store_fail(job, file, path, -fd);
    }
    return fd;
}

/* A descriptor for a job. One to write to is of a file that is as we left it:
 * who opens it has just looked, for one that stood open that is done here. */
struct store_fd *store_fd_get(struct store_job *job, uint32_t file, bool write)
{
    struct store_tree *s = job->store;
    struct store_fd *f = store_fd_cached(s, file, write);
    if (f && write && !store_left_is_ours(f)) {
        store_fd_put(f);
        store_fail(job, file, NULL, STORE_E_TOUCHED);
        return NULL;
    }
    if (!f) {
        int fd = store_fd_open_for(job, file, write);
        if (fd >= 0) {
            f = store_fd_insert(s, file, fd, write);
        }
    }
    return f;
}

/* Out of the cache. */
void store_fd_drop(struct store_tree *s, uint32_t file)
{
    struct store_fd *gone = NULL;
    pthread_mutex_lock(&s->d->fd_lock);
    struct store_fd *f = store_fd_at(s, file);
    if (f) {
        gone = store_fd_detach(s->d, f);
    }
    pthread_mutex_unlock(&s->d->fd_lock);
    store_fd_close(gone);
}

/* Out of the cache, when nobody uses it and no SYNC is to come for it. */
static void store_fd_drop_clean(struct store_tree *s, uint32_t file,
                                bool readers)
{
    struct store_fd *gone = NULL;
    pthread_mutex_lock(&s->d->fd_lock);
    struct store_fd *f = store_fd_at(s, file);
    if (f && (f->writable || readers) && f->refs == 0 &&
        !(s->flags[file] & (STORE_DIRTY | STORE_SYNCING))) {
        gone = store_fd_detach(s->d, f);
    }
    pthread_mutex_unlock(&s->d->fd_lock);
    store_fd_close(gone);
}

/* However it is open. */
void store_fd_drop_idle(struct store_tree *s, uint32_t file)
{
    store_fd_drop_clean(s, file, true);
}

/* After a SYNC: nothing stays open for writing longer than it is written to. */
void store_fd_drop_written(struct store_tree *s, uint32_t file)
{
    store_fd_drop_clean(s, file, false);
}

/* All of a store. */
void store_fd_drop_all(struct store_tree *s)
{
    for (uint32_t i = 0; i < s->n_files; i++) {
        store_fd_drop(s, i);
    }
}

/* Which file it is that stands open. */
bool store_fd_identity(struct store_tree *s, uint32_t file, struct stat *st)
{
    pthread_mutex_lock(&s->d->fd_lock);
    struct store_fd *f = store_fd_at(s, file);
    if (f) {
        store_fd_ref(s->d, f);
    }
    pthread_mutex_unlock(&s->d->fd_lock);
    bool ok = f && fstat(f->fd, st) == 0;
    store_fd_put(f);
    return ok;
}
