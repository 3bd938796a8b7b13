/* The judgement over fingerprints; see trust.h. */
#include "core/durable/trust.h"

#define NS 1000000000 /* a second in the unit of a file's times */

/* Who made the file as it is now? */
enum trust_author {
    AUTHOR_NOBODY, /* it has not changed */
    AUTHOR_LATE,   /* us, or somebody beside us or right behind us */
    AUTHOR_STRANGER
};

/* Two times are no more than `ns` apart; any two, also those of a file of the
 * year 1600. */
static bool trust_is_near(int64_t a, int64_t b, int64_t ns)
{
    uint64_t apart = (uint64_t)a - (uint64_t)b;
    if (a < b) {
        apart = (uint64_t)b - (uint64_t)a;
    }
    return apart <= (uint64_t)ns;
}

/* A device number alone says nothing: it changes with a reboot, or when a drive
 * is plugged in again. Where the time of the inode is known it is a better
 * witness, because nobody can set it. */
static bool trust_is_same(const struct trust_run *run,
                          const struct trust_file *f)
{
    const struct fingerprint *j = &f->journal;
    if (f->now.ino != j->ino || f->now.size != j->size ||
        f->now.mtime_ns != j->mtime_ns) {
        return false;
    }
    if (j->ctime_ns != 0) {
        return f->now.ctime_ns == j->ctime_ns;
    }
    return f->now.dev == j->dev || !run->same_boot;
}

/* The same file still, changed in the way a write changes it. */
static bool trust_is_written(const struct trust_run *run,
                             const struct trust_file *f)
{
    return f->now.ino == f->journal.ino && f->now.size >= f->journal.size &&
           (f->now.dev == f->journal.dev || !run->same_boot) &&
           trust_is_near(f->now.ctime_ns, f->now.mtime_ns,
                         TRUST_APART_S * (int64_t)NS);
}

/* Both times are older: the power went before the inode was written, but after
 * its data. It must be of that run's time nevertheless. So is the file of a
 * snapshot of the drive that was made meanwhile and has been put back. */
static bool trust_is_older_by_cut(const struct trust_run *run,
                                  const struct trust_file *f)
{
    const struct fingerprint *j = &f->journal;
    bool older = f->now.mtime_ns <= j->mtime_ns &&
                 (j->ctime_ns == 0 || f->now.ctime_ns <= j->ctime_ns);
    return older && !run->same_boot && f->now.ctime_ns / NS >= run->started_at;
}

/* Neither of the times is older. */
static bool trust_is_newer(const struct trust_file *f)
{
    return f->now.mtime_ns >= f->journal.mtime_ns &&
           f->now.ctime_ns >= f->journal.ctime_ns;
}

static enum trust_author trust_author_of(const struct trust_run *run,
                                         const struct trust_file *f)
{
    if (!f->has_journal) {
        /* Claims without a fingerprint cannot be: it is journaled with them. */
        return AUTHOR_STRANGER;
    }
    if (trust_is_same(run, f)) {
        return AUTHOR_NOBODY;
    }
    if (!run->known || run->clean || run->heartbeat_at < run->started_at ||
        run->now < run->heartbeat_at || !trust_is_written(run, f)) {
        return AUTHOR_STRANGER;
    }
    if (trust_is_older_by_cut(run, f)) {
        return AUTHOR_LATE;
    }
    int64_t until = run->heartbeat_at + run->interval_s + TRUST_GRACE_S;
    int64_t first = f->now.mtime_ns / NS;
    int64_t last = f->now.ctime_ns / NS;
    if (first > last) {
        last = first;
    }
    if (!trust_is_newer(f) || f->whole || first < run->started_at ||
        last > until) {
        return AUTHOR_STRANGER;
    }
    return AUTHOR_LATE;
}

/* One file. */
static void trust_judge_file(const struct trust_run *run, struct trust_file *f)
{
    static const enum trust_verdict verdicts[] = {[AUTHOR_NOBODY] = TRUST_TRUST,
                                                  [AUTHOR_LATE] = TRUST_LATE,
                                                  [AUTHOR_STRANGER] =
                                                      TRUST_RECHECK};
    if (!f->now.exists) {
        if (f->claimed) {
            f->verdict = TRUST_LOST;
        } else {
            f->verdict = TRUST_NOTHING;
        }
        return;
    }
    enum trust_author author = trust_author_of(run, f);
    if (f->now.size < f->length) {
        author = AUTHOR_STRANGER;
    }
    bool quiet = author == AUTHOR_NOBODY && (run->clean || !run->known);
    f->beyond = f->now.blocks > 0 && !quiet;
    if (f->claimed) {
        f->verdict = verdicts[author];
    } else {
        f->verdict = TRUST_NOTHING;
    }
}

/* Files of another filesystem lie on this one: then no filesystem of its own is
 * mounted here for those that are absent. One mount may lie below another. */
static bool trust_has_others(const struct trust_file *files, size_t n,
                             const struct trust_file *absent)
{
    bool others = false;
    for (size_t i = 0; i < n && !others; i++) {
        others = files[i].now.exists && files[i].has_journal &&
                 files[i].now.dev == absent->now.dev &&
                 files[i].journal.dev != absent->journal.dev;
    }
    return others;
}

/* A file that lay on a filesystem of its own is absent, and that filesystem is
 * not mounted where the file would be. */
static bool trust_misses_mount(const struct trust_run *run,
                               const struct fingerprint *root,
                               const struct trust_file *files, size_t n,
                               const struct trust_file *f)
{
    if (f->now.exists || !f->has_journal || run->root_dev == 0 ||
        f->journal.dev == 0 || f->journal.dev == run->root_dev) {
        return false;
    }
    if (f->now.dev == 0 || f->now.dev == root->dev) {
        return true;
    }
    return f->now.dev != f->journal.dev && trust_has_others(files, n, f);
}

/* Something of that filesystem is there. Some file systems give files another
 * device than the folders they lie in; there this says that nothing is gone. */
static bool trust_sees_device(const struct trust_file *files, size_t n,
                              uint64_t dev)
{
    for (size_t i = 0; i < n; i++) {
        if (files[i].now.exists && files[i].has_journal &&
            files[i].journal.dev == dev) {
            return true;
        }
    }
    return false;
}

/* Some filesystem below the save path is away. */
static bool trust_lost_mount(const struct trust_run *run,
                             const struct fingerprint *root,
                             const struct trust_file *files, size_t n)
{
    uint64_t seen = 0; /* looked for, and there */
    for (size_t i = 0; i < n; i++) {
        uint64_t dev = files[i].journal.dev;
        if (dev == seen ||
            !trust_misses_mount(run, root, files, n, &files[i])) {
            continue;
        }
        if (!trust_sees_device(files, n, dev)) {
            return true;
        }
        seen = dev;
    }
    return false;
}

bool trust_judge(const struct trust_run *run, const struct fingerprint *root,
                 struct trust_file *files, size_t n)
{
    size_t claimed = 0, lost = 0, present = 0;
    for (size_t i = 0; i < n; i++) {
        files[i].beyond = false;
        trust_judge_file(run, &files[i]);
        claimed += files[i].claimed ? 1 : 0;
        present += files[i].now.exists ? 1 : 0;
        lost += files[i].verdict == TRUST_LOST ? 1 : 0;
    }
    if (!root->exists || trust_lost_mount(run, root, files, n)) {
        return false;
    }
    bool moved = run->root_dev != 0 && root->dev != run->root_dev;
    if (moved && run->bare && claimed == 0 && present == 0) {
        return false; /* added while a drive was there, and not begun */
    }
    return lost == 0 || (lost < claimed && !moved);
}

bool trust_is_untouched(const struct fingerprint *left,
                        const struct fingerprint *now)
{
    return left->exists == now->exists && left->dev == now->dev &&
           left->ino == now->ino && left->size == now->size &&
           left->mtime_ns == now->mtime_ns && left->ctime_ns == now->ctime_ns;
}

bool trust_is_left(const struct fingerprint *journal,
                   const struct fingerprint *now)
{
    return now->exists && now->is_file && now->size == journal->size &&
           now->mtime_ns == journal->mtime_ns &&
           now->ctime_ns >= journal->ctime_ns &&
           trust_is_near(now->ctime_ns, journal->ctime_ns, 1);
}

struct fingerprint trust_print(const struct fingerprint *seen, int64_t now)
{
    struct fingerprint print = *seen;
    bool is_coarse = seen->mtime_ns % NS == 0 && seen->ctime_ns % NS == 0;
    bool is_young = now - seen->mtime_ns / NS < FINGERPRINT_TICK_S;
    bool is_write = trust_is_near(seen->ctime_ns, seen->mtime_ns,
                                  FINGERPRINT_TICK_S * (int64_t)NS - 1);
    if (is_coarse && is_young && is_write) {
        print.ctime_ns--;
    }
    return print;
}

int64_t trust_verified_at(int64_t verified_at, int64_t now)
{
    if (verified_at > now) {
        return 0;
    }
    return verified_at;
}
