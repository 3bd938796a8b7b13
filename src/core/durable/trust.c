/* The judgement over fingerprints; see startup.h. */
#include "core/durable/trust.h"
#include "model/fingerprint.h"

/* The same, or written last by the run that was killed. A device number is no
 * evidence: it may change with a reboot. */
static bool trust_is_ours(const struct trust_run *run,
                          const struct trust_file *f)
{
    if (!f->has_journal) {
        /* Claims without a fingerprint cannot be: it is journaled with them. */
        return false;
    }
    if (f->now.size == f->journal.size &&
        f->now.mtime_ns == f->journal.mtime_ns) {
        return true;
    }
    if (run->clean || !run->had_run || run->heartbeat_at < run->started_at ||
        f->now.ino != f->journal.ino || f->now.size < f->journal.size) {
        return false;
    }
    int64_t at = f->now.mtime_ns / 1000000000;
    if (f->now.mtime_ns > f->journal.mtime_ns &&
        (f->whole || at < run->started_at)) {
        return false;
    }
    /* fdatasync does not keep the time: after a power cut a file may look older
     * than it was when its claims were committed. */
    if (f->now.mtime_ns < f->journal.mtime_ns && run->same_boot) {
        return false;
    }
    int64_t until = run->heartbeat_at + run->interval_s + TRUST_GRACE_S;
    return at <= until;
}

/* One file. */
static void trust_judge_file(const struct trust_run *run, struct trust_file *f)
{
    if (!f->now.exists) {
        f->verdict = f->claimed ? TRUST_LOST : TRUST_NOTHING;
        return;
    }
    bool ours = trust_is_ours(run, f) && f->now.size >= f->length;
    f->beyond = f->now.blocks > 0 &&
                !(ours && run->clean && f->now.size == f->journal.size);
    if (!f->claimed) {
        f->verdict = TRUST_NOTHING;
    } else {
        f->verdict = ours ? TRUST_TRUST : TRUST_RECHECK;
    }
}

bool trust_judge(const struct trust_run *run, const struct fingerprint *root,
                 struct trust_file *files, size_t n)
{
    size_t claimed = 0, lost = 0;
    for (size_t i = 0; i < n; i++) {
        files[i].beyond = false;
        trust_judge_file(run, &files[i]);
        claimed += files[i].claimed ? 1 : 0;
        lost += files[i].verdict == TRUST_LOST ? 1 : 0;
    }
    if (!root->exists) {
        return false;
    }
    bool moved = run->root_dev != 0 && root->dev != run->root_dev;
    return lost == 0 || (lost < claimed && !moved);
}
