/* See final_look.h. A write into a file that is open is seen when that is
 * synced, opened or written to next (store/left.c). One that was finished long
 * ago is none of these: only a look at its path tells, one system call for
 * each. What differs is hashed, which takes time, and maybe fetched again,
 * which takes more: then all are looked at once more. A file system whose times
 * move by themselves costs some hashes and no circle: a look is owed only so
 * often for nothing, and anew when a piece was really lost.
 */
#include "engine/final_look.h"

#include "core/durable/trust.h"
#include "engine/facts.h"
#include "engine/jobs.h"
#include "engine/judge.h"
#include "engine/turn.h"

#include <stdio.h>

/* Looks without a piece that was lost. */
#define FINAL_LOOK_MAX 3u

/* Nobody waits for it any more. */
static bool final_look_is_off(const struct engine_torrent *st)
{
    return st->t == NULL || st->life.state != LIFE_RUNNING ||
           !torrent_is_complete(st->t);
}

/* Somebody may have written to it while it was open. */
static bool final_look_hash_stirred(struct engine_torrent *st)
{
    bool any = false;
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        if (store_is_stirred(st->store, i)) {
            judge_touched(st, i);
            any = true;
        }
    }
    return any;
}

/* It is not as the journal has it, or not as it is to be. */
static bool final_look_differs(const struct engine_torrent *st, uint32_t file,
                               const struct fingerprint *now)
{
    const struct journal_file_state *f = &st->rows.state[file];
    const struct fingerprint journal = journal_file_print(f);
    if (!f->has_print || st->geom.files[file].pad) {
        return false;
    }
    if (store_tree_link(st->store, file) != NULL) {
        return !now->exists; /* what stands in its place stays there */
    }
    if (st->geom.files[file].length == 0) {
        return !now->exists || !now->is_file || now->size > 0;
    }
    return !trust_is_left(&journal, now) ||
           now->size > st->geom.files[file].length;
}

/* It is gone or too long, or another file stands in its place: that is for the
 * startup to judge. */
static bool final_look_is_gone(const struct engine_torrent *st, uint32_t file,
                               const struct fingerprint *now)
{
    const struct journal_file_state *f = &st->rows.state[file];
    return !now->exists || !now->is_file ||
           now->size > st->geom.files[file].length ||
           journal_file_is_another(f, now);
}

static void final_look_begin_anew(struct engine_torrent *st, uint32_t file)
{
    char text[TORRENT_ERROR_MAX];
    (void)snprintf(text, sizeof(text),
                   "%.180s was replaced, made longer or taken away while "
                   "others were fetched",
                   facts_place(st, file));
    jobs_post_failed(st, BTC_E_STORAGE, text, true);
}

static void final_look_spend(struct engine_torrent *st)
{
    if (st->ledger.looks > 0) {
        st->ledger.looks--;
    }
}

/* All is as journaled: now the row of the torrent may say complete, too. It is
 * told when that is durable. */
static void final_look_clean(struct engine_torrent *st)
{
    st->ledger.looks = 0;
    facts_stat(st);
    facts_complete(st);
}

/* Those that differ are hashed again. They are journaled as they are now: what
 * changes behind this look differs from that. */
static bool final_look_hash_changed(struct engine_torrent *st,
                                    const struct fingerprint *now)
{
    bool any = false;
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        if (!final_look_differs(st, i, &now[i])) {
            continue;
        }
        any = true;
        if (final_look_is_gone(st, i, &now[i])) {
            final_look_begin_anew(st, i);
            break;
        }
        facts_print(&st->rows.state[i], &now[i]);
        judge_touched(st, i);
    }
    return any;
}

static void final_look_finish(struct engine_torrent *st)
{
    store_tree_only_reads(st->store);
    turn_post(st, LIFE_FINISHED);
}

/* Answer to STAT. */
static void final_look_stated(struct store_job *job)
{
    struct engine_torrent *st = job->ctx;
    jobs_done(st);
    st->ledger.looking = false;
    if (!final_look_is_off(st)) {
        if (job->result < 0) {
            bool exchanged = job->result == BTC_E_EXISTS; /* or one is a link */
            jobs_post_failed(st, job->result, job->fail.text, exchanged);
        } else if (final_look_hash_changed(st, job->prints)) {
            final_look_spend(st);
        } else {
            final_look_clean(st);
        }
    }
    jobs_free(job);
}

void final_look_owe(struct engine_torrent *st)
{
    if (!st->s->o.check_only) {
        st->ledger.looks = FINAL_LOOK_MAX;
    }
}

void final_look(struct engine_torrent *st)
{
    bool off = final_look_is_off(st);
    if (!off && final_look_hash_stirred(st)) {
        return;
    }
    if (!off && st->ledger.looks > 0) {
        st->ledger.looking = true;
        store_submit(st->s->disk, jobs_new(st, STORE_STAT, final_look_stated));
    } else {
        final_look_finish(st);
    }
}

void final_look_again(struct engine_torrent *st)
{
    bool under_way = st->ledger.looking || st->ledger.done_pending;
    if (!under_way && torrent_is_complete(st->t)) {
        if (st->ledger.looks == 0) {
            final_look_owe(st);
        }
        facts_stat(st);
        facts_complete(st);
    }
}
