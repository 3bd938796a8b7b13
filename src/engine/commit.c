/* The journal's pipeline: flush, sync, commit, tell. A claim never runs ahead
 * of the data.
 *
 * Facts that speak of data wait in their torrent's batch (`facts`) until a SYNC
 * that began after their writes had ended has come back; then they go with the
 * facts that need no data into one transaction. What a person is told (a piece,
 * a file, DONE) is told after the commit that makes it true. A commit that
 * fails is kept and tried again.
 *
 * Only torrents that have moved since the last commit are asked what they have
 * to say: turn_touch, and once a second engine_commit_second, see to that.
 */
#include "engine/commit.h"

#include "base/log.h"
#include "base/mem.h"
#include "engine/drive.h"
#include "engine/facts.h"
#include "engine/jobs.h"
#include "engine/report.h"
#include "engine/turn.h"
#include "model/fingerprint.h"

#include <stdio.h>
#include <string.h>

#define COMMIT_PEERS_MS    5000  /* rows of connected peers this often */
#define COMMIT_ALIVE_MS    10000 /* an engine at work says at least so often */
#define COMMIT_SEEDING_S   600 /* seeding time alone is journaled this often */
#define COMMIT_LAST_TRIES  3   /* of the last commit */
#define COMMIT_EARLY_BYTES (256u << 20) /* before the interval is over */

/* Rows of peers that are connected now: rates for people, records for the next
 * run. */
static void commit_peers(struct engine *s)
{
    uint64_t now = loop_now_ms(s->loop);
    if (now - s->commit.peers_ms < COMMIT_PEERS_MS) {
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
 * one. It counts the pieces whose facts are collected: what is verified while
 * the SYNC runs is the next commit's. */
static void commit_stat(struct engine_torrent *st)
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
    if (more < COMMIT_SEEDING_S && !st->s->commit.final &&
        !st->ledger.stat_dirty) {
        same.seeding_s = st->ledger.told_stat.seeding_s;
    }
    st->ledger.stat_due = !commit_stat_same(&same, &st->ledger.told_stat);
    st->ledger.stat_dirty = false;
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
static bool commit_owes_life(const struct engine *s)
{
    return loop_now_ms(s->loop) - s->commit.alive_ms >= COMMIT_ALIVE_MS &&
           !s->commit.dead && commit_is_at_work(s);
}

/* Everything that is true now in one batch. */
static void commit_commit(struct engine *s)
{
    struct journal_batch *b =
        s->commit.failed != NULL ? s->commit.failed : journal_batch_new();
    s->commit.failed = NULL;
    if (!s->commit.dead) {
        commit_peers(s);
    }
    journal_batch_append(b, s->commit.batch);
    struct engine_torrent *st;
    LL_FOREACH2(s->commit.committing, st, ledger.next_committing)
    {
        if (st->ledger.collected) {
            journal_batch_append(b, st->ledger.syncing);
        }
        if (st->ledger.collected && st->ledger.stat_due) {
            st->ledger.told_stat = st->ledger.next_stat;
            journal_put_stat(b, st->id, &st->ledger.next_stat);
        }
        st->ledger.stat_due = false;
    }
    if (s->commit.final) {
        journal_put_run_end(b);
    }
    s->commit.phase = COMMIT_COMMITTING;
    if (!journal_batch_is_empty(b)) {
        journal_put_heartbeat(b);
    } else if (commit_owes_life(s)) {
        journal_put_alive(b);
    } else {
        journal_batch_free(b);
        engine_commit_committed(s, NULL, 0, NULL);
        return;
    }
    s->commit.alive_ms = loop_now_ms(s->loop);
    journal_thread_submit(s->journal_thread, b);
}

/* Fingerprints as they are after the sync go into the same commit as the claims
 * that the sync made true. */
static void commit_prints(struct engine_torrent *st,
                          const struct fingerprint *prints)
{
    for (uint32_t i = 0; prints != NULL && i < st->geom.n_files; i++) {
        struct journal_file *f = &st->rows.files[i];
        if (!prints[i].exists || st->ledger.tainted) {
            continue;
        }
        f->has_print = true;
        f->dev = prints[i].dev;
        f->ino = prints[i].ino;
        f->size = prints[i].size;
        f->mtime_ns = prints[i].mtime_ns;
        f->ctime_ns = prints[i].ctime_ns;
        journal_put_file(st->ledger.syncing, st->id, f);
    }
}

/* Answer to SYNC. */
static void commit_synced(struct store_job *job)
{
    struct engine_torrent *st = job->ctx;
    struct engine *s = st->s;
    int result = job->result;
    jobs_done(st);
    if (result == 0) {
        commit_prints(st, job->prints);
    } else {
        facts_taint(st);
        if (st->life.aim != LIFE_AIM_REMOVE) {
            turn_post_failed(st, result, job->error);
        }
    }
    jobs_free(job);
    if (--s->commit.n_syncs == 0) {
        commit_commit(s);
    }
}

/* What of each file stands in the facts that are collected. What was lost needs
 * no SYNC to be said. */
static void commit_count_files(struct engine_torrent *st)
{
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        struct journal_file *f = &st->rows.files[i];
        uint64_t done = torrent_file_done(st->t, i);
        if (!f->pad && f->bytes_done != done) {
            f->bytes_done = done;
            journal_put_file(st->ledger.syncing, st->id, f);
        }
    }
}

/* What of one torrent goes into this commit. */
static void commit_collect_one(struct engine *s, struct engine_torrent *st)
{
    journal_batch_append(st->ledger.syncing, st->ledger.facts);
    st->ledger.collected = true;
    commit_stat(st);
    st->ledger.n_collected = st->ledger.n_fresh;
    st->ledger.n_files_collected = st->ledger.n_fresh_files;
    st->ledger.done_collected = st->ledger.done_pending && st->t != NULL &&
                                (s->o.check_only || torrent_is_complete(st->t));
    if (st->ran && !st->ledger.tainted) {
        commit_count_files(st);
    }
    if (st->ledger.dirty && st->store != NULL) {
        st->ledger.dirty = false;
        st->ledger.sync_now = true;
        s->commit.n_syncs++;
    }
}

/* The writes that this commit speaks of have ended: sync what they touched. */
static void commit_collect(struct engine *s)
{
    struct engine_torrent *st;
    s->commit.phase = COMMIT_SYNCING;
    LL_FOREACH2(s->commit.committing, st, ledger.next_committing)
    {
        drive_drain(st); /* what is counted as done has its facts, too */
        if (st->life.state == LIFE_DELETING) {
            turn_ask(st); /* a SYNC would miss the files that go */
        } else {
            commit_collect_one(s, st);
        }
    }
    if (s->commit.n_syncs == 0) {
        commit_commit(s);
        return;
    }
    LL_FOREACH2(s->commit.committing, st, ledger.next_committing)
    {
        if (st->ledger.sync_now) {
            st->ledger.sync_now = false;
            store_submit(s->disk, jobs_new(st, STORE_SYNC, commit_synced));
        }
    }
}

/* A WRITE came back, or there was none. Those that began after the flush are
 * not waited for: where memory is short there are always some. */
void engine_commit_settle(struct engine *s)
{
    if (s->commit.phase == COMMIT_FLUSHING &&
        s->commit.n_writes[s->commit.write_turn ^ 1] == 0) {
        commit_collect(s);
    }
}

/* When the next one is due. */
uint64_t engine_commit_deadline(const struct engine *s)
{
    if (s->commit.phase != COMMIT_IDLE) {
        return UINT64_MAX;
    }
    return s->commit.now ? 0 : s->commit.began_ms + s->commit.interval_ms;
}

/* Those that have moved are asked in this commit; who moves from now on, in the
 * next one. */
static void commit_take_moved(struct engine *s)
{
    struct engine_torrent *st, *next, *moved;
    for (st = s->torrents; st != NULL && s->commit.final; st = st->hh.next) {
        turn_ask(st); /* the last word */
    }
    moved = s->turn.moved;
    s->turn.moved = NULL;
    LL_FOREACH_SAFE2(moved, st, next, turn.next_moved)
    {
        st->turn.moved = false;
        st->ledger.committing = true;
        LL_PREPEND2(s->commit.committing, st, ledger.next_committing);
    }
}

/* Begins one when it is due. */
void engine_commit_tick(struct engine *s)
{
    uint64_t now = loop_now_ms(s->loop);
    if (s->commit.phase != COMMIT_IDLE || s->commit.dead ||
        (now < engine_commit_deadline(s) &&
         s->commit.bytes < COMMIT_EARLY_BYTES)) {
        return;
    }
    s->commit.began_ms = now;
    s->commit.now = false;
    s->commit.bytes = 0;
    s->commit.phase = COMMIT_FLUSHING;
    commit_take_moved(s);
    struct engine_torrent *st;
    LL_FOREACH2(s->commit.committing, st, ledger.next_committing)
    {
        if (st->t != NULL && st->life.state == LIFE_RUNNING) {
            torrent_flush(st->t);
            drive_drain(st);
        }
    }
    s->commit.write_turn ^= 1;
    engine_commit_settle(s);
}

/* Takes the first `told` of a list away. */
static void commit_drop(uint32_t *list, uint32_t *n, uint32_t told)
{
    *n -= told;
    if (told > 0) {
        memmove(list, list + told, *n * sizeof(*list));
    }
}

/* What the commit made true. */
static void commit_tell(struct engine_torrent *st)
{
    struct btc_event ev = {.type = BTC_EVENT_PIECE};
    for (size_t i = 0; i < st->ledger.n_collected; i++) {
        ev.piece = st->ledger.fresh_pieces[i];
        report_tell(st, &ev);
    }
    ev.type = BTC_EVENT_FILE;
    for (size_t i = 0; i < st->ledger.n_files_collected; i++) {
        ev.file = st->ledger.fresh_files[i];
        ev.text = st->rows.files[ev.file].path;
        report_tell(st, &ev);
    }
    commit_drop(st->ledger.fresh_pieces, &st->ledger.n_fresh,
                st->ledger.n_collected);
    commit_drop(st->ledger.fresh_files, &st->ledger.n_fresh_files,
                st->ledger.n_files_collected);
    st->ledger.n_collected = st->ledger.n_files_collected = 0;
    if (st->ledger.done_collected) {
        st->ledger.done_collected = st->ledger.done_pending = false;
        store_tree_only_reads(st->store);
        turn_post(st, LIFE_FINISHED);
    }
}

/* The commit failed: kept, told, tried again. */
static void commit_failed(struct engine *s, struct journal_batch *b, int code,
                          const struct err *e)
{
    s->commit.failed = b;
    s->commit.n_failures++;
    log_write(LOG_WARN, "journal", "commit failed, kept for the next try: %s",
              e->msg);
    if (s->commit.n_failures == 1 || code == BTC_E_DB) {
        report_tell_error(s, NULL, code, e->msg);
    }
    if (s->commit.final && s->commit.n_failures >= COMMIT_LAST_TRIES) {
        s->commit.dead = true;
        s->end.status = code;
        (void)snprintf(s->end.error, sizeof(s->end.error),
                       "the last state could not be saved: %.400s", e->msg);
    } else if (s->commit.final) {
        s->commit.final = false; /* wind down comes again */
    } else if (code == BTC_E_DB || code == BTC_E_NOSPACE || code == BTC_E_IO) {
        turn_end(s, code, e->msg);
    }
}

/* Loop thread; `b` is ours again. NULL: there was nothing to commit. */
void engine_commit_committed(void *ctx, struct journal_batch *b, int code,
                             const struct err *e)
{
    struct engine *s = ctx;
    s->commit.phase = COMMIT_IDLE;
    if (code < 0) {
        commit_failed(s, b, code, e);
    } else {
        journal_batch_free(b);
        s->commit.n_failures = 0;
    }
    struct engine_torrent *st, *next, *committed = s->commit.committing;
    s->commit.committing = NULL;
    LL_FOREACH_SAFE2(committed, st, next, ledger.next_committing)
    {
        bool told = st->ledger.collected && code == 0;
        st->ledger.collected = st->ledger.committing = false;
        if (told) {
            commit_tell(st);
        }
    }
}

void engine_commit_second(struct engine_torrent *st)
{
    const struct journal_stat *told = &st->ledger.told_stat;
    if (told->down_rate != 0 || told->up_rate != 0 ||
        st->stat.seeding_s - told->seeding_s >= COMMIT_SEEDING_S) {
        turn_ask(st);
    }
}

bool engine_commit_is_clean(const struct engine *s)
{
    if (s->commit.phase != COMMIT_IDLE || s->commit.failed != NULL ||
        !journal_batch_is_empty(s->commit.batch)) {
        return false;
    }
    const struct engine_torrent *st;
    for (st = s->torrents; st != NULL; st = st->hh.next) {
        if (!journal_batch_is_empty(st->ledger.facts) ||
            !journal_batch_is_empty(st->ledger.syncing)) {
            return false;
        }
    }
    return true;
}

/* Facts of the others do not matter: while one of them
 * downloads there are always some. */
bool engine_commit_has_all(const struct engine_torrent *st)
{
    const struct engine *s = st->s;
    return s->commit.phase == COMMIT_IDLE && s->commit.failed == NULL &&
           !st->ledger.stat_dirty && journal_batch_is_empty(st->ledger.facts) &&
           journal_batch_is_empty(st->ledger.syncing);
}
