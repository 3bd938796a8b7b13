/* The pipelines of the journal carried out (see core/durable/commit.h): their
 * actions become calls of the core, disk jobs and batches for the journal's
 * thread, the answers become their inputs.
 *
 * Inputs may come at any time of a turn. Actions are taken only at its end
 * (engine_commit_settle), when every torrent that was touched is drained: so
 * what a torrent counts as done has its facts when a commit takes them.
 *
 * Only torrents that have moved since the last commit are asked what they have
 * to say: turn_touch, and once a second ledger_second, see to that.
 */
#include "engine/commit.h"

#include "base/log.h"
#include "base/num.h"
#include "engine/drive.h"
#include "engine/facts.h"
#include "engine/jobs.h"
#include "engine/judge.h"
#include "engine/ledger.h"
#include "engine/pipes.h"
#include "engine/refusals.h"
#include "engine/report.h"
#include "engine/silence.h"
#include "engine/turn.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COMMIT_PEERS_MS    5000  /* rows of connected peers this often */
#define COMMIT_ALIVE_MS    10000 /* an engine at work says at least so often */
#define COMMIT_LAST_TRIES  3     /* of the last commits */
#define COMMIT_EARLY_BYTES (256u << 20) /* before the interval is over */

/* --- SYNC --- */

/* Answer to SYNC. */
static void commit_synced(struct store_job *job)
{
    struct engine_torrent *st = job->ctx;
    int result = job->result;
    jobs_done(st);
    if (result == 0) {
        ledger_synced(st, job->prints);
    } else if (st->life.aim != LIFE_AIM_REMOVE) {
        jobs_post_failed(st, result, job->fail.text, job->fail.changed);
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
        s->commit.failed_ms != 0) {
        return;
    }
    s->commit.peers_ms = now;
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        struct peerset *ps = NULL;
        if (st->t != NULL) {
            ps = torrent_peerset(st->t);
        }
        for (uint32_t i = 0; ps != NULL && i < peerset_count(ps); i++) {
            const struct peerset_entry *e = peerset_at(ps, i);
            if (e->state == PEERSET_CONNECTED && life_has_core(&st->life) &&
                !report_is_idle(st)) {
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
        commit_insist(&s->commit.pipes.first->c);
    }
}

/* The last one of the engine's own says that the run has ended. */
static void commit_commit(struct engine *s, struct pipeline *p,
                          const struct commit_action *a)
{
    if (a->isolate) {
        journal_thread_submit_each(s->journal_thread, a->batch);
        return;
    }
    if (a->last && p == s->commit.pipes.first) {
        journal_put_run_end(a->batch);
    }
    if (!journal_batch_is_empty(a->batch)) {
        journal_put_heartbeat(a->batch);
    } else if (p == s->commit.pipes.first) {
        journal_put_alive(a->batch);
    } else {
        commit_on_committed(&p->c, COMMIT_DONE, loop_now_ms(s->loop));
        return;
    }
    s->commit.alive_ms = loop_now_ms(s->loop);
    journal_thread_submit(s->journal_thread, a->batch);
}

/* Somebody has changed the schema under us, or has mended it. Without some of
 * its parts a run does well to the end, and others are told of, too, before a
 * row that they cost. */
void engine_commit_schema(void *ctx, const struct err *e)
{
    struct engine *s = ctx;
    bool news =
        s->commit.schema == NULL || strcmp(s->commit.schema, e->msg) != 0;
    if (e->code == 0 || news) {
        free(s->commit.schema);
        s->commit.schema = NULL;
        s->commit.schema_cost = false;
    }
    if (e->code != 0 && news) {
        s->commit.schema = mem_strdup(e->msg);
        report_tell_error(s, NULL, BTC_E_DB, e->msg);
        journal_put_event(pipes_free_facts(s), 0, LEVEL_ERROR, "schema",
                          e->msg);
    }
}

/* The last state cannot be saved: the run ends with that. */
static void commit_last_failed(struct engine *s, int code, const struct err *e)
{
    const char *why = e->msg;
    if (++s->commit.n_last_fails < COMMIT_LAST_TRIES) {
        pipes_hurry(s);
        return;
    }
    s->commit.dead = true;
    s->end.status = code;
    if (s->commit.schema != NULL) {
        s->end.status = BTC_E_DB;
        why = s->commit.schema;
    }
    (void)snprintf(s->end.error, sizeof(s->end.error),
                   "the last state could not be saved: %.400s", why);
}

/* The disk under the journal is full: nothing more is fetched that could not be
 * journaled, until a commit works again. A foreground run ends. */
static void commit_wait_for_space(struct engine *s, const struct err *e)
{
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        if (st->life.state == LIFE_RUNNING && !torrent_is_complete(st->t)) {
            turn_post_failed(st, BTC_E_NOSPACE, e->msg);
        }
    }
    if (!s->o.follow_wishes) {
        turn_end(s, BTC_E_NOSPACE, e->msg);
    }
}

/* The commit failed: kept, told, tried again. */
static void commit_failed(struct engine *s, int code, const struct err *e)
{
    log_write(LOG_WARN, "journal", "commit failed, kept for the next try: %s",
              e->msg);
    if (s->commit.failed_code != code && s->commit.schema == NULL) {
        report_tell_error(s, NULL, code, e->msg);
    }
    if (s->commit.failed_ms == 0) {
        s->commit.failed_ms = loop_now_ms(s->loop);
    }
    s->commit.failed_code = code;
    if (s->commit.last) {
        commit_last_failed(s, code, e);
    } else if (code == BTC_E_NOSPACE) {
        commit_wait_for_space(s, e);
    } else if (code == BTC_E_DB || code == BTC_E_IO) {
        turn_end(s, code, e->msg);
    } else if (s->commit.schema != NULL) {
        turn_end(s, BTC_E_DB, s->commit.schema);
    }
}

/* Why nothing could be written, in the words of the event. */
static const char *commit_failed_text(int code)
{
    switch (code) {
    case BTC_E_NOSPACE:
        return "its disk was full";
    case BTC_E_LOCKED:
        return "another program held it in a transaction";
    default:
        return err_text(code);
    }
}

/* Commits work again. Nobody could be told while they did not. */
static void commit_recovered(struct engine *s)
{
    char text[160];
    uint64_t ms = loop_now_ms(s->loop) - s->commit.failed_ms;
    (void)snprintf(text, sizeof(text),
                   "the journal could not be written for %" PRIu64
                   " s (%s); it goes on, nothing is lost",
                   (ms + 999) / 1000,
                   commit_failed_text(s->commit.failed_code));
    log_write(LOG_WARN, "journal", "%s", text);
    journal_put_event(pipes_free_facts(s), 0, LEVEL_WARN, "journal", text);
    s->commit.failed_ms = 0;
    s->commit.failed_code = 0;
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        if (st->life.code == BTC_E_NOSPACE) {
            turn_post(st, LIFE_BACK);
        }
    }
}

/* --- rows that a rule of the database forbids --- */

/* NULL: it is gone. */
static struct engine_torrent *commit_find(const struct engine *s, int64_t id)
{
    struct engine_torrent *st;
    HASH_FIND(hh, s->torrents, &id, sizeof(id), st);
    return st;
}

static void commit_tell_refused(struct engine *s,
                                const struct journal_refused *r)
{
    char text[JOURNAL_REASON_MAX + 160];
    (void)snprintf(text, sizeof(text),
                   "the database refuses a row (%s): %s; the rest is journaled",
                   r->row, r->reason);
    log_write(LOG_WARN, "journal", "torrent %" PRId64 ": %s", r->id, text);
    journal_put_event(pipes_free_facts(s), r->id, LEVEL_WARN, "refused", text);
}

static void commit_refused_row(struct engine *s,
                               const struct journal_refused *r)
{
    struct engine_torrent *st = commit_find(s, r->id);
    if (st == NULL) {
        log_write(LOG_WARN, "journal", "the database refuses a row (%s): %s",
                  r->row, r->reason);
        return;
    }
    if (r->weighs) {
        commit_refuse(&st->ledger.member);
        s->commit.schema_cost |= s->commit.schema != NULL;
    }
    if (refusals_note(st, r)) {
        commit_tell_refused(s, r);
    }
    if (st->store == NULL) {
        return; /* its rows are read and judged anew before it runs */
    }
    if (r->is_withdrawal && r->piece < st->geom.n_pieces) {
        judge_distrust(st, r->piece);
    }
    if (r->is_piece || r->is_withdrawal) {
        ledger_recount(st);
    }
}

static void commit_refused(struct engine *s, const struct journal_batch *b)
{
    size_t n = 0;
    const struct journal_refused *r = journal_batch_refused(b, &n);
    for (size_t i = 0; i < n; i++) {
        commit_refused_row(s, &r[i]);
    }
}

/* A row is at fault: once more, row by row. */
static bool commit_may_isolate(const struct pipeline *p, int code)
{
    return code == BTC_E_INTERNAL && !p->c.isolate;
}

void engine_commit_committed(void *ctx, struct journal_batch *b, int code,
                             const struct err *e)
{
    struct engine *s = ctx;
    struct pipeline *p = pipeline_of_batch(&s->commit.pipes, b);
    uint64_t now = loop_now_ms(s->loop);
    BTC_ASSERT(p != NULL);
    if (code == 0) {
        commit_refused(s, b);
        commit_on_committed(&p->c, COMMIT_DONE, now);
        if (s->commit.failed_ms != 0) {
            commit_recovered(s);
        }
    } else if (commit_may_isolate(p, code)) {
        log_write(LOG_INFO, "journal", "a row is refused: %s", e->msg);
        commit_on_committed(&p->c, COMMIT_REFUSED, now);
    } else {
        commit_on_committed(&p->c, COMMIT_FAILED, now);
        commit_failed(s, code, e);
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
        ledger_take(st);
        break;
    case COMMIT_DO_SYNC:
        commit_sync(st);
        break;
    case COMMIT_DO_DOUBT:
        facts_doubt(st);
        break;
    case COMMIT_DO_TELL:
        ledger_tell(st, false);
        break;
    case COMMIT_DO_REFUSED:
        ledger_tell(st, true);
        break;
    case COMMIT_DO_COMMIT:
        break;
    }
}

void engine_commit_settle(struct engine *s)
{
    uint64_t now = loop_now_ms(s->loop);
    struct commit_action a;
    for (struct pipeline *p = s->commit.pipes.first; p != NULL; p = p->next) {
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
static void commit_tick(struct engine *s, struct pipeline *p, uint64_t now)
{
    if (p->bytes >= COMMIT_EARLY_BYTES) {
        commit_hurry(&p->c);
    }
    if (now < commit_deadline(&p->c)) {
        return;
    }
    p->bytes = 0;
    if (p == s->commit.pipes.first) {
        commit_peers(s, now);
        commit_live(s, now);
    }
    commit_on_clock(&p->c, now);
}

void engine_commit_tick(struct engine *s)
{
    uint64_t now = loop_now_ms(s->loop);
    for (struct pipeline *p = s->commit.pipes.first; p != NULL; p = p->next) {
        commit_tick(s, p, now);
    }
}

uint64_t engine_commit_deadline(const struct engine *s)
{
    return pipeline_deadline(&s->commit.pipes);
}

bool engine_commit_has_all(const struct engine_torrent *st)
{
    return !st->ledger.stat_dirty && commit_has_all(&st->ledger.member);
}

/* --- the end --- */

/* Every member of the pipeline has its last word. */
static void commit_begin_last(struct engine *s, struct pipeline *p)
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
static bool commit_end(struct engine *s, struct pipeline *p)
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
    for (struct pipeline *p = s->commit.pipes.first->next; p != NULL;
         p = p->next) {
        over &= silence_has_pipe(s, p) || commit_end(s, p);
    }
    if (over && s->commit.pipes.first->c.n_syncs > 0 &&
        silence_has_pipe(s, s->commit.pipes.first)) {
        s->commit.dead = true;
    }
    return s->commit.dead || (over && commit_end(s, s->commit.pipes.first));
}
