/* The pipelines of the journal carried out (see core/durable/commit.h): their
 * actions become calls of the core, disk jobs and batches for the journal's
 * thread, the answers become their inputs.
 *
 * Inputs may come at any time of a turn. Actions are taken only at its end
 * (engine_commit_settle), when every torrent that was touched is drained: so
 * what a torrent counts as done has its facts when a commit takes them.
 *
 * Only torrents that have moved since the last commit are asked what they have
 * to say: turn_touch, and once a second engine_commit_second, see to that.
 */
#include "engine/commit.h"

#include "base/log.h"
#include "base/num.h"
#include "engine/drive.h"
#include "engine/facts.h"
#include "engine/jobs.h"
#include "engine/pipes.h"
#include "engine/report.h"
#include "engine/turn.h"
#include "model/fingerprint.h"

#include <stdio.h>
#include <string.h>

#define COMMIT_PEERS_MS    5000  /* rows of connected peers this often */
#define COMMIT_ALIVE_MS    10000 /* an engine at work says at least so often */
#define COMMIT_SEEDING_S   600 /* seeding time alone is journaled this often */
#define COMMIT_LAST_TRIES  3   /* of the last commits */
#define COMMIT_EARLY_BYTES (256u << 20) /* before the interval is over */

/* --- the stat row --- */

/* Member by member: padding has no value. */
static bool commit_stat_same(const struct journal_stat *a,
                             const struct journal_stat *b)
{
    return strcmp(a->state, b->state) == 0 && a->bytes_done == b->bytes_done &&
           a->bytes_total == b->bytes_total &&
           a->pieces_done == b->pieces_done && a->down_rate == b->down_rate &&
           a->up_rate == b->up_rate && a->peers == b->peers &&
           a->seeds == b->seeds && a->downloaded == b->downloaded &&
           a->uploaded == b->uploaded && a->wasted == b->wasted &&
           a->error_code == b->error_code && a->eta_s == b->eta_s &&
           strcmp(a->error, b->error) == 0 && a->checked_to == b->checked_to &&
           a->completed_at == b->completed_at && a->seeding_s == b->seeding_s &&
           a->root_dev == b->root_dev && a->writes == b->writes;
}

/* The torrent's stat row goes into this commit when it differs from the last
 * one. It counts the pieces whose facts are taken: what is verified while the
 * SYNC runs is the next commit's. */
static void commit_take_stat(struct engine_torrent *st)
{
    struct journal_stat same;
    st->ledger.stat_due = false;
    if (!st->ledger.stat_known || (st->t == NULL && !st->ledger.stat_dirty)) {
        st->ledger.stat_dirty = false;
        return;
    }
    memset(&st->ledger.next_stat, 0, sizeof(st->ledger.next_stat));
    report_fill_stat(st, &st->ledger.next_stat);
    same = st->ledger.next_stat;
    int64_t more = same.seeding_s - st->ledger.told_stat.seeding_s;
    if (more < COMMIT_SEEDING_S && !st->s->commit.last &&
        !st->ledger.stat_dirty) {
        same.seeding_s = st->ledger.told_stat.seeding_s;
    }
    st->ledger.stat_due = !commit_stat_same(&same, &st->ledger.told_stat);
    st->ledger.stat_dirty = false;
}

/* What it counts is durable. */
static void commit_put_stat(struct engine_torrent *st)
{
    if (st->ledger.stat_due) {
        st->ledger.stat_due = false;
        st->ledger.told_stat = st->ledger.next_stat;
        journal_put_stat(commit_lot(&st->ledger.member), st->id,
                         &st->ledger.next_stat);
    }
}

/* --- TAKE --- */

/* What of each file stands in the facts that are taken. What was lost needs no
 * SYNC to be said. */
static void commit_count_files(struct engine_torrent *st)
{
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        struct journal_file *f = &st->rows.files[i];
        uint64_t done = torrent_file_done(st->t, i);
        if (!f->pad && f->bytes_done != done) {
            f->bytes_done = done;
            journal_put_file(commit_lot(&st->ledger.member), st->id, f);
        }
    }
}

/* What of one torrent goes into this commit. */
static void commit_take(struct engine_torrent *st)
{
    struct torrent_ledger *l = &st->ledger;
    commit_take_stat(st);
    l->pieces.n_taken = l->pieces.n;
    l->files.n_taken = l->files.n;
    l->done_taken = l->done_pending && st->t != NULL &&
                    (st->s->o.check_only || torrent_is_complete(st->t));
    if (st->ran && !l->member.doubted) {
        commit_count_files(st);
    }
    if (!l->member.dirty) {
        commit_put_stat(st); /* else when it is synced */
    }
}

/* --- SYNC --- */

/* Fingerprints as they are after the sync go into the same commit as the claims
 * that the sync made true. */
static void commit_put_prints(struct engine_torrent *st,
                              const struct fingerprint *prints)
{
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        struct journal_file *f = &st->rows.files[i];
        if (!prints[i].exists) {
            continue;
        }
        f->has_print = true;
        f->dev = prints[i].dev;
        f->ino = prints[i].ino;
        f->size = prints[i].size;
        f->mtime_ns = prints[i].mtime_ns;
        f->ctime_ns = prints[i].ctime_ns;
        journal_put_file(commit_lot(&st->ledger.member), st->id, f);
    }
}

/* Answer to SYNC. */
static void commit_synced(struct store_job *job)
{
    struct engine_torrent *st = job->ctx;
    int result = job->result;
    jobs_done(st);
    if (result == 0) {
        commit_put_prints(st, job->prints);
        commit_put_stat(st);
    } else if (st->life.aim != LIFE_AIM_REMOVE) {
        turn_post_failed(st, result, job->fail.text);
    }
    jobs_free(job);
    commit_on_synced(&st->ledger.member, result == 0);
}

static void commit_sync(struct engine_torrent *st)
{
    if (st->store != NULL) {
        store_submit(st->s->disk, jobs_new(st, STORE_SYNC, commit_synced));
    } else {
        commit_on_synced(&st->ledger.member, false); /* nobody can vouch */
    }
}

/* --- COMMIT --- */

/* Rows of peers that are connected now: rates for people, records for the next
 * run. While nothing can be written none are gathered. */
static void commit_peers(struct engine *s, uint64_t now)
{
    if (now - s->commit.peers_ms < COMMIT_PEERS_MS ||
        s->commit.pipes->failed_ms != 0) {
        return;
    }
    s->commit.peers_ms = now;
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        struct peerset *ps = st->t != NULL ? torrent_peerset(st->t) : NULL;
        for (uint32_t i = 0; ps != NULL && i < peerset_count(ps); i++) {
            const struct peerset_entry *e = peerset_at(ps, i);
            if (e->state == PEERSET_CONNECTED &&
                st->life.state == LIFE_RUNNING && !report_is_idle(st)) {
                facts_peer(st, e->id);
            }
        }
    }
}

/* A torrent is worked on that is not at rest with all it wants. */
static bool commit_is_at_work(const struct engine *s)
{
    for (const struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        enum btc_state state = report_state(st);
        if (life_is_starting(&st->life) ||
            (st->life.state == LIFE_RUNNING && state != BTC_STATE_SEEDING &&
             state != BTC_STATE_COMPLETE)) {
            return true;
        }
    }
    return false;
}

/* Who reads the journal takes a run that has said nothing for long for one that
 * was killed. */
static void commit_live(struct engine *s, uint64_t now)
{
    if (now - s->commit.alive_ms >= COMMIT_ALIVE_MS && commit_is_at_work(s)) {
        commit_insist(&s->commit.pipes->c);
    }
}

/* The last one of the engine's own says that the run has ended. */
static void commit_commit(struct engine *s, struct commit_pipe *p,
                          const struct commit_action *a)
{
    if (a->last && p == s->commit.pipes) {
        journal_put_run_end(a->batch);
    }
    if (!journal_batch_is_empty(a->batch)) {
        journal_put_heartbeat(a->batch);
    } else if (p == s->commit.pipes) {
        journal_put_alive(a->batch);
    } else {
        commit_on_committed(&p->c, COMMIT_DONE, loop_now_ms(s->loop));
        return;
    }
    s->commit.alive_ms = loop_now_ms(s->loop);
    journal_thread_submit(s->journal_thread, a->batch);
}

/* The one whose batch came back. */
static struct commit_pipe *commit_pipe_of(const struct engine *s,
                                          const struct journal_batch *b)
{
    struct commit_pipe *p = s->commit.pipes;
    while (p != NULL && p->c.batch != b) {
        p = p->next;
    }
    return p;
}

/* The last state cannot be saved: the run ends with that. */
static void commit_last_failed(struct engine *s, int code, const struct err *e)
{
    if (++s->commit.n_last_fails < COMMIT_LAST_TRIES) {
        pipes_hurry(s);
        return;
    }
    s->commit.dead = true;
    s->end.status = code;
    (void)snprintf(s->end.error, sizeof(s->end.error),
                   "the last state could not be saved: %.400s", e->msg);
}

/* The commit failed: kept, told, tried again. */
static void commit_failed(struct engine *s, struct commit_pipe *p, int code,
                          const struct err *e)
{
    log_write(LOG_WARN, "journal", "commit failed, kept for the next try: %s",
              e->msg);
    if (p->failed_ms == 0) {
        p->failed_ms = loop_now_ms(s->loop);
        report_tell_error(s, NULL, code, e->msg);
    }
    if (s->commit.last) {
        commit_last_failed(s, code, e);
    } else if (code == BTC_E_DB || code == BTC_E_NOSPACE || code == BTC_E_IO) {
        turn_end(s, code, e->msg);
    }
}

void engine_commit_committed(void *ctx, struct journal_batch *b, int code,
                             const struct err *e)
{
    struct engine *s = ctx;
    struct commit_pipe *p = commit_pipe_of(s, b);
    uint64_t now = loop_now_ms(s->loop);
    BTC_ASSERT(p != NULL);
    if (code == 0) {
        p->failed_ms = 0;
        commit_on_committed(&p->c, COMMIT_DONE, now);
    } else {
        commit_on_committed(&p->c, COMMIT_FAILED, now);
        commit_failed(s, p, code, e);
    }
}

/* --- TELL --- */

/* Takes what was told away. */
static void commit_drop(struct fresh *f)
{
    f->n -= f->n_taken;
    if (f->n_taken > 0) {
        memmove(f->list, f->list + f->n_taken, f->n * sizeof(*f->list));
    }
    f->n_taken = 0;
}

/* What the commit made true. */
static void commit_tell(struct engine_torrent *st)
{
    struct torrent_ledger *l = &st->ledger;
    struct btc_event ev = {.type = BTC_EVENT_PIECE};
    for (size_t i = 0; i < l->pieces.n_taken; i++) {
        ev.piece = l->pieces.list[i];
        report_tell(st, &ev);
    }
    ev.type = BTC_EVENT_FILE;
    for (size_t i = 0; i < l->files.n_taken; i++) {
        ev.file = l->files.list[i];
        ev.text = st->rows.files[ev.file].path;
        report_tell(st, &ev);
    }
    commit_drop(&l->pieces);
    commit_drop(&l->files);
    if (l->done_taken) {
        l->done_taken = l->done_pending = false;
        store_tree_only_reads(st->store);
        turn_post(st, LIFE_FINISHED);
    }
}

/* --- the pipelines --- */

/* What is to be done with one torrent. */
static void commit_do_member(struct engine_torrent *st,
                             enum commit_action_type type)
{
    switch (type) {
    case COMMIT_DO_FLUSH:
        if (st->t != NULL && st->life.state == LIFE_RUNNING) {
            torrent_flush(st->t);
        }
        drive_drain(st);
        break;
    case COMMIT_DO_TAKE:
        commit_take(st);
        break;
    case COMMIT_DO_SYNC:
        commit_sync(st);
        break;
    case COMMIT_DO_DOUBT:
        facts_doubt(st);
        break;
    case COMMIT_DO_TELL:
        commit_tell(st);
        break;
    case COMMIT_DO_REFUSED:
    case COMMIT_DO_COMMIT:
        break;
    }
}

void engine_commit_settle(struct engine *s)
{
    uint64_t now = loop_now_ms(s->loop);
    struct commit_action a;
    for (struct commit_pipe *p = s->commit.pipes; p != NULL; p = p->next) {
        while (!s->commit.dead && commit_next(&p->c, &a, now)) {
            if (a.member != NULL) {
                commit_do_member(pipes_torrent(a.member), a.type);
            } else {
                commit_commit(s, p, &a);
            }
        }
    }
}

/* Begins one when it is due. */
static void commit_tick(struct engine *s, struct commit_pipe *p, uint64_t now)
{
    if (p->bytes >= COMMIT_EARLY_BYTES) {
        commit_hurry(&p->c);
    }
    if (now < commit_deadline(&p->c)) {
        return;
    }
    p->bytes = 0;
    if (p == s->commit.pipes) {
        commit_peers(s, now);
        commit_live(s, now);
    }
    commit_on_clock(&p->c, now);
}

void engine_commit_tick(struct engine *s)
{
    uint64_t now = loop_now_ms(s->loop);
    for (struct commit_pipe *p = s->commit.pipes; p != NULL; p = p->next) {
        commit_tick(s, p, now);
    }
}

uint64_t engine_commit_deadline(const struct engine *s)
{
    uint64_t at = UINT64_MAX;
    for (const struct commit_pipe *p = s->commit.pipes; p != NULL;
         p = p->next) {
        at = num_min_u64(at, commit_deadline(&p->c));
    }
    return at;
}

void engine_commit_second(struct engine_torrent *st)
{
    const struct journal_stat *told = &st->ledger.told_stat;
    if (told->down_rate != 0 || told->up_rate != 0 ||
        st->stat.seeding_s - told->seeding_s >= COMMIT_SEEDING_S) {
        turn_ask(st);
    }
}

bool engine_commit_has_all(const struct engine_torrent *st)
{
    return !st->ledger.stat_dirty && commit_has_all(&st->ledger.member);
}

/* --- the end --- */

/* Every member of the pipeline has its last word. */
static void commit_begin_last(struct engine *s, struct commit_pipe *p)
{
    commit_set_last(&p->c, NULL, 0);
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        if (pipes_of(st) == p) {
            turn_ask(st);
        }
    }
}

/* True when the last commit of this one has been made. */
static bool commit_end(struct engine *s, struct commit_pipe *p)
{
    if (!p->c.last) {
        commit_begin_last(s, p);
    }
    engine_commit_tick(s);
    return commit_is_over(&p->c);
}

bool engine_commit_wind_down(struct engine *s)
{
    bool over = true;
    s->commit.last = true;
    for (struct commit_pipe *p = s->commit.pipes->next; p != NULL;
         p = p->next) {
        over &= commit_end(s, p);
    }
    return s->commit.dead || (over && commit_end(s, s->commit.pipes));
}
