/* What our own last write left of a file: its size and time of change. Whatever
 * else it has later is the work of somebody else who wrote in place (dd
 * conv=notrunc, a truncation), and no sync of ours may vouch for that.
 *
 * Our own writes change the time, too. So writes that are under way are counted
 * per file, and each beginning and end makes a new generation: a look that had
 * one of them beside it can tell nothing, and the last write of several takes
 * note of what all of them left. What somebody does between the two calls of
 * such a moment, or within one tick of the kernel's clock, is not seen here.
 *
 * Where times are whole seconds (ext3, FAT, exFAT) such a tick is long enough
 * for anybody. There the last write sets the time of the data back a little:
 * who writes later, be it in the same second, leaves another one.
 *
 * A change of the inode alone (chmod, another name) is no change of data. But
 * so a write looks whose traces were wiped out (touch -r). Our own next write
 * gives the inode a time of its own, so it is kept in mind that the file was
 * stirred: what is claimed in it is hashed before the torrent is complete, and
 * until then no print of it will be found again.
 *
 * File systems whose times are made elsewhere are left out, for they may change
 * by themselves. On those in user space a difference of any kind only stirs: a
 * writer cannot be told from a daemon that is late. Which one it is costs a
 * system call, so that is asked only when a difference has shown.
 */
#include "store/internal.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stddef.h>
#include <sys/vfs.h>

#define STORE_SIZE_MAX   ((UINT64_C(1) << 62) - 1) /* of any file */
#define STORE_MAGIC_CIFS 0xff534d42u
#define STORE_MAGIC_SMB2 0xfe534d42u
#define STORE_MAGIC_SMB3 0x517bu
#define STORE_MAGIC_CEPH 0x00c36400u

/* Of the kernel's form what tells one file from another. */
struct store_seen store_seen_of(const struct stat *st)
{
    return (struct store_seen){.dev = st->st_dev,
                               .ino = st->st_ino,
                               .size = (uint64_t)st->st_size & STORE_SIZE_MAX,
                               .mtime_ns = store_sys_time_ns(&st->st_mtim),
                               .ctime_ns = store_sys_time_ns(&st->st_ctim),
                               .known = true};
}

/* Who makes the times of a file. */
enum store_clock {
    STORE_CLOCK_OURS,
    STORE_CLOCK_DAEMON,
    STORE_CLOCK_AWAY
};

static enum store_clock store_left_clock(int fd)
{
    static const uint32_t away[] = {
        NFS_SUPER_MAGIC,  V9FS_MAGIC,       AFS_SUPER_MAGIC, STORE_MAGIC_CIFS,
        STORE_MAGIC_SMB2, STORE_MAGIC_SMB3, STORE_MAGIC_CEPH};
    struct statfs fs;
    if (fstatfs(fd, &fs) != 0) {
        return STORE_CLOCK_AWAY;
    }
    for (size_t i = 0; i < sizeof(away) / sizeof(away[0]); i++) {
        if ((uint32_t)fs.f_type == away[i]) {
            return STORE_CLOCK_AWAY;
        }
    }
    if ((uint32_t)fs.f_type == FUSE_SUPER_MAGIC) {
        return STORE_CLOCK_DAEMON;
    }
    return STORE_CLOCK_OURS;
}

/* Somebody has changed the size or the time of the data. */
static bool store_left_differs(const struct store_seen *seen,
                               const struct stat *st)
{
    return seen->known && !seen->changed && seen->dev == st->st_dev &&
           seen->ino == st->st_ino &&
           (seen->size != (uint64_t)st->st_size ||
            seen->mtime_ns != store_sys_time_ns(&st->st_mtim));
}

/* Only the inode has another time. */
static bool store_left_stirs(const struct store_seen *seen,
                             const struct stat *st)
{
    return seen->known && !seen->changed && seen->dev == st->st_dev &&
           seen->ino == st->st_ino && seen->size == (uint64_t)st->st_size &&
           seen->mtime_ns == store_sys_time_ns(&st->st_mtim) &&
           seen->ctime_ns != store_sys_time_ns(&st->st_ctim);
}

/* A difference has shown; `data`: not in the inode alone. False: it proves that
 * somebody else has written. Else it may be kept in mind. */
static bool store_left_weigh(struct store_tree *s, uint32_t file, int fd,
                             bool data)
{
    enum store_clock clock = store_left_clock(fd);
    if (data && clock == STORE_CLOCK_OURS) {
        return false;
    }
    pthread_mutex_lock(&s->d->fd_lock);
    s->busy[file].stirred |= clock != STORE_CLOCK_AWAY;
    pthread_mutex_unlock(&s->d->fd_lock);
    return true;
}

bool store_is_stirred(struct store_tree *s, uint32_t file)
{
    BTC_ASSERT(file < s->n_files);
    pthread_mutex_lock(&s->d->fd_lock);
    bool stirred = s->busy[file].stirred;
    pthread_mutex_unlock(&s->d->fd_lock);
    return stirred;
}

uint32_t store_left_generation(struct store_tree *s, uint32_t file)
{
    pthread_mutex_lock(&s->d->fd_lock);
    uint32_t generation = s->busy[file].generation;
    pthread_mutex_unlock(&s->d->fd_lock);
    return generation;
}

void store_left_set(struct store_tree *s, uint32_t file, struct store_seen now)
{
    s->seen[file] = now;
    s->busy[file].generation += 2;
}

/* No write of ours is under way, nor has one begun or ended since the look;
 * under fd_lock. */
static bool store_left_is_quiet(const struct store_tree *s, uint32_t file,
                                uint32_t generation)
{
    const struct store_busy *busy = &s->busy[file];
    return busy->writers == 0 && busy->generation == generation;
}

/* When writes of ours were beside the look at this very file, their end tells
 * more than it. */
void store_left_saw(struct store_tree *s, uint32_t file, uint32_t generation,
                    const struct stat *st)
{
    struct store_seen now = {0};
    if (st) {
        now = store_seen_of(st);
    }
    pthread_mutex_lock(&s->d->fd_lock);
    const struct store_seen *seen = &s->seen[file];
    bool quiet = store_left_is_quiet(s, file, generation);
    bool same = seen->known && now.known && seen->dev == now.dev &&
                seen->ino == now.ino;
    if (quiet || !same) {
        store_left_set(s, file, now);
    }
    pthread_mutex_unlock(&s->d->fd_lock);
}

/* Learns how the file is; false: it differs from what was known, which stays.
 */
static bool store_left_learn(struct store_tree *s, uint32_t file,
                             uint32_t generation, const struct stat *st,
                             bool insist, bool *stirs)
{
    bool learnt = true;
    pthread_mutex_lock(&s->d->fd_lock);
    if (store_left_is_quiet(s, file, generation)) {
        *stirs = store_left_stirs(&s->seen[file], st);
        learnt = insist || !store_left_differs(&s->seen[file], st);
        if (learnt) {
            store_left_set(s, file, store_seen_of(st));
        }
    }
    pthread_mutex_unlock(&s->d->fd_lock);
    return learnt;
}

bool store_left_opened(struct store_tree *s, uint32_t file, int fd,
                       uint32_t generation, const struct stat *st)
{
    bool stirs = false;
    bool learnt = store_left_learn(s, file, generation, st, false, &stirs);
    if (learnt && !stirs) {
        return true;
    }
    if (!store_left_weigh(s, file, fd, !learnt)) {
        return false;
    }
    return learnt || store_left_learn(s, file, generation, st, true, &stirs);
}

bool store_left_look(const struct store_fd *f, struct stat *st)
{
    struct store_tree *s = f->store;
    uint32_t generation = store_left_generation(s, f->file);
    bool ok = fstat(f->fd, st) == 0;
    pthread_mutex_lock(&s->d->fd_lock);
    bool quiet = store_left_is_quiet(s, f->file, generation);
    if (ok && quiet && s->seen[f->file].changed) {
        store_left_set(s, f->file, store_seen_of(st));
    }
    struct store_seen seen = s->seen[f->file];
    pthread_mutex_unlock(&s->d->fd_lock);
    seen.known &= ok && quiet;
    bool data = store_left_differs(&seen, st);
    return (!data && !store_left_stirs(&seen, st)) ||
           store_left_weigh(s, f->file, f->fd, data);
}

bool store_left_is_ours(const struct store_fd *f)
{
    struct stat st = {0};
    return store_left_look(f, &st);
}

void store_left_synced(struct store_tree *s, uint32_t file, uint32_t generation)
{
    if (store_left_is_quiet(s, file, generation)) {
        s->busy[file].synced = generation + 1;
    }
}

bool store_left_is_synced(struct store_tree *s, uint32_t file,
                          uint32_t generation, const struct stat *st)
{
    pthread_mutex_lock(&s->d->fd_lock);
    const struct store_seen *seen = &s->seen[file];
    bool synced = store_left_is_quiet(s, file, generation) &&
                  s->busy[file].synced == generation + 1;
    if (synced && st) {
        struct store_seen now = store_seen_of(st);
        synced = seen->known && !seen->changed && seen->dev == now.dev &&
                 seen->ino == now.ino && seen->size == now.size &&
                 seen->mtime_ns == now.mtime_ns &&
                 seen->ctime_ns == now.ctime_ns;
    }
    pthread_mutex_unlock(&s->d->fd_lock);
    return synced;
}

void store_left_unsync(struct store_tree *s, uint32_t file)
{
    pthread_mutex_lock(&s->d->fd_lock);
    s->busy[file].synced = 0;
    pthread_mutex_unlock(&s->d->fd_lock);
}

void store_left_begin(const struct store_fd *f)
{
    struct store_tree *s = f->store;
    pthread_mutex_lock(&s->d->fd_lock);
    s->busy[f->file].writers++;
    s->busy[f->file].generation++;
    pthread_mutex_unlock(&s->d->fd_lock);
}

/* One write less, if nothing has begun or ended since the look at `generation`,
 * or if others are left that will take note. */
static bool store_left_try(const struct store_fd *f, const struct stat *st,
                           uint32_t *generation)
{
    struct store_tree *s = f->store;
    struct store_busy *busy = &s->busy[f->file];
    pthread_mutex_lock(&s->d->fd_lock);
    bool last = busy->writers == 1;
    bool current = busy->generation == *generation;
    *generation = busy->generation;
    if (last && current && st) {
        store_left_set(s, f->file, store_seen_of(st));
    }
    bool done = !last || (current && st);
    if (done) {
        busy->writers--;
        busy->generation++;
    }
    pthread_mutex_unlock(&s->d->fd_lock);
    return done;
}

/* The file as our write has left it, with a time that no other write leaves.
 * Where we may not set it, the next look tells less; see trust_print. */
static void store_left_mark(const struct store_fd *f, struct stat *st)
{
    (void)fstat(f->fd, st);
    if (st->st_mtim.tv_nsec != 0 || st->st_ctim.tv_nsec != 0 ||
        st->st_ctim.tv_sec - st->st_mtim.tv_sec >= FINGERPRINT_TICK_S) {
        return;
    }
    const struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = st->st_mtim.tv_sec - FINGERPRINT_TICK_S}};
    if (futimens(f->fd, times) == 0) {
        (void)fstat(f->fd, st);
    }
}

void store_left_end(const struct store_fd *f)
{
    uint32_t generation = 0;
    struct stat st = {0};
    bool done = store_left_try(f, NULL, &generation);
    while (!done) {
        store_left_mark(f, &st);
        done = store_left_try(f, &st, &generation);
    }
}

void store_accept(struct store_tree *s, uint32_t file)
{
    BTC_ASSERT(file < s->n_files);
    pthread_mutex_lock(&s->d->fd_lock);
    s->seen[file].changed = true;
    s->busy[file].stirred = false;
    pthread_mutex_unlock(&s->d->fd_lock);
}
