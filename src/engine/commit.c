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
 * to say: engine_touch, and once a second engine_commit_second, see to that.
 */
#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"
#include "model/fingerprint.h"
#include "model/names.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOURNAL_PEERS_MS   5000 /* rows of connected peers this often */
#define JOURNAL_SEEDING_S  600  /* seeding time alone is journaled this often */
#define JOURNAL_LAST_TRIES 3    /* of the last commit */

/* --- facts in --- */

void engine_commit_event(struct engine_torrent *st, enum level level,
                         const char *kind, const char *text)
{
    enum log_level log = level == LEVEL_ERROR  ? LOG_ERROR
                         : level == LEVEL_WARN ? LOG_WARN
                                               : LOG_INFO;
    log_write(log == LOG_ERROR ? LOG_WARN : log, kind, "%s", text);
    journal_put_event(st->s->batch, st->id, level, kind, text);
}

/* Its row under another address goes: the port that a connection came from is
 * nobody's address. */
static void commit_forget_peer(struct engine_torrent *st,
                               struct peerset_entry *e)
{
    char ip[ADDR_TEXT_MAX];
    if (e->journaled.family != ADDR_NONE) {
        addr_format_ip(&e->journaled, ip);
        journal_del_peer(st->s->batch, st->id, ip, e->journaled.port);
        e->journaled = addr_none();
    }
}

/* A peer's row as it is now. A stranger that cannot be dialled has one while it
 * is connected, or else everybody who calls and goes would leave a row. */
void engine_commit_peer(struct engine_torrent *st, uint32_t id)
{
    struct peerset_entry *e = peerset_get(torrent_peerset(st->t), id);
    struct swarm_peer_info info;
    struct journal_peer row = {0};
    char ip[ADDR_TEXT_MAX];
    if (e == NULL) {
        return;
    }
    bool live = torrent_peer_info(st->t, id, loop_now_ms(st->s->loop), &info);
    bool known = live || e->connectable || e->banned;
    if (!known || !addr_eq(&e->journaled, &e->addr)) {
        commit_forget_peer(st, e);
    }
    if (!known) {
        return;
    }
    if (e->journaled.family == ADDR_NONE &&
        ++st->n_peer_rows % ENGINE_TRIM_PEERS == 0) {
        journal_trim_peers(st->s->batch, st->id);
    }
    e->journaled = e->addr;
    addr_format_ip(&e->addr, ip);
    (void)snprintf(row.address, sizeof row.address, "%.47s", ip);
    (void)snprintf(row.source, sizeof row.source, "%s",
                   peer_source_name(e->source));
    row.port = e->addr.port;
    row.banned = e->banned;
    row.is_seed = e->is_seed;
    row.connectable = e->connectable;
    row.bytes_down = (int64_t)e->bytes_down;
    row.bytes_up = (int64_t)e->bytes_up;
    row.failures = e->failures;
    row.last_seen = e->last_seen;
    if (live) {
        row.connected = true;
        row.choking = info.choking;
        row.interested = info.interested;
        row.down_rate = (int64_t)info.down_rate;
        row.up_rate = (int64_t)info.up_rate;
        (void)snprintf(row.client, sizeof row.client, "%s", info.client);
    }
    journal_put_peer(st->s->batch, st->id, &row);
}

/* A tracker's row as it is now. */
void engine_commit_tracker(struct engine_torrent *st, uint32_t i)
{
    const struct announce_tracker *k = announce_get(torrent_announce(st->t), i);
    uint64_t now = loop_now_ms(st->s->loop);
    struct journal_tracker row = {.url = k->url,
                                  .tier = k->tier,
                                  .last_announce = k->last_unix,
                                  .seeders = k->seeders,
                                  .leechers = k->leechers};
    if (k->next_ms > now && k->next_ms != UINT64_MAX) {
        row.next_announce =
            loop_unix_now() + (int64_t)((k->next_ms - now) / 1000);
    }
    (void)snprintf(row.state, sizeof row.state, "%s",
                   announce_state_name(k->state));
    (void)snprintf(row.error, sizeof row.error, "%s", k->error);
    (void)snprintf(row.tracker_id, sizeof row.tracker_id, "%s", k->tracker_id);
    journal_put_tracker(st->s->batch, st->id, &row);
}

/* ACTION_PERSIST. */
void engine_fact(struct engine_torrent *st, const struct action *a)
{
    switch (a->fact.type) {
    case FACT_PIECE:
        if (st->tainted) {
            break;
        }
        journal_put_piece(st->facts, st->id, a->piece, loop_unix_now());
        st->stat.writes |= !st->s->o.check_only;
        st->dirty = true;
        break;
    case FACT_PIECE_LOST:
        journal_del_piece(st->facts, st->id, a->piece);
        break;
    case FACT_BLOCK:
        if (st->tainted) {
            break;
        }
        journal_put_block(st->facts, st->id, a->piece, a->fact.block);
        st->dirty = true;
        break;
    case FACT_BLOCKS_LOST:
        journal_del_blocks(st->facts, st->id, a->piece);
        break;
    case FACT_PEER:
        engine_commit_peer(st, a->fact.index);
        break;
    case FACT_TRACKER:
        engine_commit_tracker(st, a->fact.index);
        break;
    case FACT_EVENT:
        engine_commit_event(st,
                            a->fact.level == LEVEL_ERROR  ? LEVEL_ERROR
                            : a->fact.level == LEVEL_WARN ? LEVEL_WARN
                                                          : LEVEL_INFO,
                            a->fact.kind, a->fact.text);
        break;
    }
}

/* --- commit --- */

/* Rows of peers that are connected now: rates for people, records for the next
 * run. */
static void commit_peers(struct engine *s)
{
    uint64_t now = loop_now_ms(s->loop);
    if (now - s->peers_ms < JOURNAL_PEERS_MS) {
        return;
    }
    s->peers_ms = now;
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        struct peerset *ps = st->t != NULL ? torrent_peerset(st->t) : NULL;
        for (uint32_t i = 0; ps != NULL && i < peerset_count(ps); i++) {
            const struct peerset_entry *e = peerset_at(ps, i);
            if (e->state == PEERSET_CONNECTED && st->phase == PHASE_RUN &&
                !engine_is_idle(st)) {
                engine_commit_peer(st, e->id);
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
    st->stat_due = false;
    if (!st->stat_known || (st->t == NULL && !st->stat_dirty)) {
        st->stat_dirty = false;
        return;
    }
    memset(&st->next_stat, 0, sizeof st->next_stat);
    engine_fill_stat(st, &st->next_stat);
    same = st->next_stat;
    int64_t more = same.seeding_s - st->told_stat.seeding_s;
    if (more < JOURNAL_SEEDING_S && !st->s->journal_final && !st->stat_dirty) {
        same.seeding_s = st->told_stat.seeding_s;
    }
    st->stat_due = !commit_stat_same(&same, &st->told_stat);
    st->stat_dirty = false;
}

/* Everything that is true now in one batch. */
static void commit_commit(struct engine *s)
{
    struct journal_batch *b =
        s->failed != NULL ? s->failed : journal_batch_new();
    s->failed = NULL;
    if (!s->journal_dead) {
        commit_peers(s);
    }
    journal_batch_append(b, s->batch);
    struct engine_torrent *st;
    LL_FOREACH2(s->committing, st, next_committing)
    {
        if (st->collected) {
            journal_batch_append(b, st->syncing);
        }
        if (st->collected && st->stat_due) {
            st->told_stat = st->next_stat;
            journal_put_stat(b, st->id, &st->next_stat);
        }
        st->stat_due = false;
    }
    if (s->journal_final) {
        journal_put_run_end(b);
    }
    if (journal_batch_is_empty(b)) {
        journal_batch_free(b);
        s->journal = COMMIT_COMMITTING;
        engine_commit_committed(s, NULL, 0, NULL);
        return;
    }
    journal_put_heartbeat(b);
    s->journal = COMMIT_COMMITTING;
    journal_thread_submit(s->journal_thread, b);
}

/* --- sync --- */

/* Fingerprints as they are after the sync go into the same commit as the claims
 * that the sync made true. */
static void commit_prints(struct engine_torrent *st,
                          const struct fingerprint *prints)
{
    for (uint32_t i = 0; prints != NULL && i < st->geom.n_files; i++) {
        struct journal_file *f = &st->files[i];
        if (!prints[i].exists || st->tainted) {
            continue;
        }
        f->has_print = true;
        f->dev = prints[i].dev;
        f->ino = prints[i].ino;
        f->size = prints[i].size;
        f->mtime_ns = prints[i].mtime_ns;
        f->ctime_ns = prints[i].ctime_ns;
        journal_put_file(st->syncing, st->id, f);
    }
}

/* What the kernel could not write may be gone from its cache, too: no later
 * sync makes claims true that speak of data written until now, nor of what is
 * being written. The data is found again, if it is there, by hashing when the
 * torrent begins anew. */
static void commit_taint(struct engine_torrent *st)
{
    st->tainted = true;
    engine_commit_move(st);
    journal_batch_append(st->syncing, st->facts);
    journal_batch_drop_claims(st->syncing);
    journal_batch_append(st->facts, st->syncing);
    st->collected = st->done_collected = st->done_pending = false;
    st->n_fresh = st->n_fresh_files = 0;
    st->n_collected = st->n_files_collected = 0;
    st->stat_dirty = true;
}

/* Answer to SYNC. */
static void commit_synced(struct store_job *job)
{
    struct engine_torrent *st = job->ctx;
    struct engine *s = st->s;
    int result = job->result;
    engine_job_done(st);
    if (result == 0) {
        commit_prints(st, job->prints);
    } else {
        commit_taint(st);
        if (!st->remove) {
            engine_torrent_fail(st, result, job->error);
        }
    }
    engine_job_free(job);
    if (--s->n_syncs == 0) {
        commit_commit(s);
    }
}

/* Facts of a torrent that is wished away. */
void engine_commit_forget(struct engine_torrent *st)
{
    journal_batch_free(st->facts);
    journal_batch_free(st->syncing);
    st->facts = journal_batch_new();
    st->syncing = journal_batch_new();
    st->dirty = st->collected = st->done_collected = false;
}

/* What of each file stands in the facts that are collected. What was lost needs
 * no SYNC to be said. */
static void commit_count_files(struct engine_torrent *st)
{
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        struct journal_file *f = &st->files[i];
        uint64_t done = torrent_file_done(st->t, i);
        if (!f->pad && f->bytes_done != done) {
            f->bytes_done = done;
            journal_put_file(st->syncing, st->id, f);
        }
    }
}

void engine_commit_move(struct engine_torrent *st)
{
    if (!st->moved) {
        st->moved = true;
        LL_PREPEND2(st->s->moved, st, next_moved);
    }
}

void engine_commit_unlink(struct engine_torrent *st)
{
    if (st->moved) {
        LL_DELETE2(st->s->moved, st, next_moved);
    }
    if (st->committing) {
        LL_DELETE2(st->s->committing, st, next_committing);
    }
    st->moved = st->committing = false;
}

void engine_commit_second(struct engine_torrent *st)
{
    const struct journal_stat *told = &st->told_stat;
    if (told->down_rate != 0 || told->up_rate != 0 ||
        st->stat.seeding_s - told->seeding_s >= JOURNAL_SEEDING_S) {
        engine_commit_move(st);
    }
}

/* What of one torrent goes into this commit. */
static void commit_collect_one(struct engine *s, struct engine_torrent *st)
{
    journal_batch_append(st->syncing, st->facts);
    st->collected = true;
    commit_stat(st);
    st->n_collected = st->n_fresh;
    st->n_files_collected = st->n_fresh_files;
    st->done_collected = st->done_pending && st->t != NULL &&
                         (s->o.check_only || torrent_is_complete(st->t));
    if (st->ran && !st->tainted) {
        commit_count_files(st);
    }
    if (st->dirty && st->store != NULL) {
        st->dirty = false;
        st->sync_now = true;
        s->n_syncs++;
    }
}

/* The writes that this commit speaks of have ended: sync what they touched. */
static void commit_collect(struct engine *s)
{
    struct engine_torrent *st;
    s->journal = COMMIT_SYNCING;
    LL_FOREACH2(s->committing, st, next_committing)
    {
        if (st->deleting) {
            engine_commit_move(st); /* a SYNC would miss the files that go */
        } else {
            commit_collect_one(s, st);
        }
    }
    if (s->n_syncs == 0) {
        commit_commit(s);
        return;
    }
    LL_FOREACH2(s->committing, st, next_committing)
    {
        if (st->sync_now) {
            st->sync_now = false;
            store_submit(s->disk, engine_job(st, STORE_SYNC, commit_synced));
        }
    }
}

/* --- flush --- */

/* A WRITE came back, or there was none. Those that began after the flush are
 * not waited for: where memory is short there are always some. */
void engine_commit_written(struct engine *s)
{
    if (s->journal == COMMIT_FLUSHING && s->n_writes[s->write_turn ^ 1] == 0) {
        commit_collect(s);
    }
}

/* When the next one is due. */
uint64_t engine_commit_deadline(const struct engine *s)
{
    if (s->journal != COMMIT_IDLE) {
        return UINT64_MAX;
    }
    return s->journal_now ? 0 : s->journal_ms + s->journal_interval_ms;
}

/* Those that have moved are asked in this commit; who moves from now on, in the
 * next one. */
static void commit_take_moved(struct engine *s)
{
    struct engine_torrent *st, *next, *moved;
    for (st = s->torrents; st != NULL && s->journal_final; st = st->hh.next) {
        engine_commit_move(st); /* the last word */
    }
    moved = s->moved;
    s->moved = NULL;
    LL_FOREACH_SAFE2(moved, st, next, next_moved)
    {
        st->moved = false;
        st->committing = true;
        LL_PREPEND2(s->committing, st, next_committing);
    }
}

/* Begins one when it is due. */
void engine_commit_tick(struct engine *s)
{
    uint64_t now = loop_now_ms(s->loop);
    if (s->journal != COMMIT_IDLE || s->journal_dead ||
        (now < engine_commit_deadline(s) &&
         s->journal_bytes < ENGINE_EARLY_BYTES)) {
        return;
    }
    s->journal_ms = now;
    s->journal_now = false;
    s->journal_bytes = 0;
    s->journal = COMMIT_FLUSHING;
    commit_take_moved(s);
    struct engine_torrent *st;
    LL_FOREACH2(s->committing, st, next_committing)
    {
        if (st->t != NULL && st->phase == PHASE_RUN) {
            torrent_flush(st->t);
            engine_drain(st);
        }
    }
    s->write_turn ^= 1;
    engine_commit_written(s);
}

bool engine_commit_is_clean(const struct engine *s)
{
    if (s->journal != COMMIT_IDLE || s->failed != NULL ||
        !journal_batch_is_empty(s->batch)) {
        return false;
    }
    const struct engine_torrent *st;
    for (st = s->torrents; st != NULL; st = st->hh.next) {
        if (!journal_batch_is_empty(st->facts) ||
            !journal_batch_is_empty(st->syncing)) {
            return false;
        }
    }
    return true;
}

/* See engine_int.h. Facts of the others do not matter: while one of them
 * downloads there are always some. */
bool engine_commit_has_all(const struct engine_torrent *st)
{
    const struct engine *s = st->s;
    return s->journal == COMMIT_IDLE && s->failed == NULL && !st->stat_dirty &&
           journal_batch_is_empty(st->facts) &&
           journal_batch_is_empty(st->syncing);
}

/* --- committed --- */

/* Takes the first `told` of a list away. */
static void commit_drop(uint32_t *list, size_t *n, size_t told)
{
    *n -= told;
    if (told > 0) {
        memmove(list, list + told, *n * sizeof *list);
    }
}

/* What the commit made true. */
static void commit_tell(struct engine_torrent *st)
{
    struct btc_event ev = {.type = BTC_EVENT_PIECE};
    for (size_t i = 0; i < st->n_collected; i++) {
        ev.piece = st->fresh_pieces[i];
        engine_tell(st, &ev);
    }
    ev.type = BTC_EVENT_FILE;
    for (size_t i = 0; i < st->n_files_collected; i++) {
        ev.file = st->fresh_files[i];
        ev.text = st->files[ev.file].path;
        engine_tell(st, &ev);
    }
    commit_drop(st->fresh_pieces, &st->n_fresh, st->n_collected);
    commit_drop(st->fresh_files, &st->n_fresh_files, st->n_files_collected);
    st->n_collected = st->n_files_collected = 0;
    if (st->done_collected) {
        st->done_collected = st->done_pending = false;
        store_tree_only_reads(st->store);
        engine_torrent_done(st);
    }
}

/* The commit failed: kept, told, tried again. */
static void commit_failed(struct engine *s, struct journal_batch *b, int code,
                          const struct err *e)
{
    s->failed = b;
    s->n_failures++;
    log_write(LOG_WARN, "journal", "commit failed, kept for the next try: %s",
              e->msg);
    if (s->n_failures == 1 || code == BTC_E_DB) {
        engine_tell_error(s, NULL, code, e->msg);
    }
    if (s->journal_final && s->n_failures >= JOURNAL_LAST_TRIES) {
        s->journal_dead = true;
        s->status = code;
        (void)snprintf(s->error, sizeof s->error,
                       "the last state could not be saved: %.400s", e->msg);
    } else if (s->journal_final) {
        s->journal_final = false; /* wind down comes again */
    } else if (code == BTC_E_DB || code == BTC_E_NOSPACE || code == BTC_E_IO) {
        engine_stop(s, code, e->msg);
    }
}

/* Loop thread; `b` is ours again. NULL: there was nothing to commit. */
void engine_commit_committed(void *ctx, struct journal_batch *b, int code,
                             const struct err *e)
{
    struct engine *s = ctx;
    s->journal = COMMIT_IDLE;
    if (code < 0) {
        commit_failed(s, b, code, e);
    } else {
        journal_batch_free(b);
        s->n_failures = 0;
    }
    struct engine_torrent *st, *next, *committed = s->committing;
    s->committing = NULL;
    LL_FOREACH_SAFE2(committed, st, next, next_committing)
    {
        bool told = st->collected && code == 0;
        st->collected = st->committing = false;
        if (told) {
            commit_tell(st);
        }
    }
    engine_wake(s);
}
