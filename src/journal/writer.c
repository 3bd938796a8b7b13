/* The thread that owns the journal's connection while the engine runs.
 *
 * Two lists under one mutex: `queue` (jobs for the thread) and `done` (what
 * goes back to the loop thread, woken by loop_wakeup). Each batch is one
 * transaction; a failed one goes back with its code. Between jobs the thread
 * asks for data_version every JOURNAL_WISH_POLL_MS: that changes when another
 * connection has committed, and only then the wishes are read, those that are
 * new. Asking writes nothing.
 *
 * As long as the loop has not taken the wishes none are read: what they are
 * about is not in the next ones again.
 *
 * Somebody may change the schema meanwhile, as he may data: schema_version
 * tells that, and then it is compared with what it should be. A row that cannot
 * be written for such a reason is told of behind the reason.
 */
#include "journal/writer.h"

#include "journal/busy.h"
#include "journal/care.h"
#include "journal/internal.h"
#include "journal/refused.h"
#include "journal/wishes.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* Rounds in which journal_thread_stop does what its callbacks submit. */
#define JOURNAL_STOP_ROUNDS 3

/* A job: a batch, or a function. */
struct journal_job {
    struct journal_job *next;    /* owns */
    struct journal_batch *batch; /* owns; NULL for a call */
    bool each;                   /* row by row */
    void (*fn)(void *ctx, struct journal *db);
    void (*done)(void *ctx);
    void *ctx; /* borrows */
    int code;
    struct err err;
};

struct journal_jobs {
    struct journal_job *first; /* owns the chain */
    struct journal_job **last; /* where the next one goes */
};

struct journal_thread {
    struct journal *db; /* the thread's alone until it is joined */
    struct loop_wakeup *wakeup;
    struct journal_thread_callbacks cb;
    void *ctx;
    pthread_t thread;
    int64_t data_version;   /* of the last wishes; the thread's alone */
    int64_t seen;           /* number of the last wish; the same */
    int64_t schema_version; /* that was compared last; the same */
    bool schema_wrong;      /* by then; the same */
    pthread_mutex_t mutex;  /* for what follows */
    pthread_cond_t more;    /* queue or stop changed */
    struct journal_jobs queue;
    struct journal_jobs done;
    struct journal_wishes *wishes; /* owns; not yet taken */
    struct err *schema;            /* owns; what became of it, not yet taken */
    bool stop;
    uint64_t since_ms; /* of the call that it is in; 0 = none */
};

/* An empty chain. */
static void journal_jobs_init(struct journal_jobs *j)
{
    j->first = NULL;
    j->last = &j->first;
}

/* A job at the end. */
static void journal_jobs_add(struct journal_jobs *j, struct journal_job *job)
{
    job->next = NULL;
    *j->last = job;
    j->last = &job->next;
}

/* The first job out of the chain, NULL when it is empty. */
static struct journal_job *journal_jobs_take(struct journal_jobs *j)
{
    struct journal_job *job = j->first;
    if (job) {
        j->first = job->next;
        if (!j->first) {
            j->last = &j->first;
        }
    }
    return job;
}

/* Has somebody else written? */
static bool journal_thread_has_news(struct journal_thread *t, int64_t *version)
{
    sqlite3_stmt *s = NULL;
    bool ok = journal_take(t->db, "PRAGMA data_version", &s, NULL) == 0 &&
              sqlite3_step(s) == SQLITE_ROW;
    if (ok) {
        *version = sqlite3_column_int64(s, 0);
    }
    journal_give(t->db, s);
    return ok && *version != t->data_version;
}

/* The loop has not taken the last ones yet. */
static bool journal_thread_is_behind(struct journal_thread *t)
{
    (void)pthread_mutex_lock(&t->mutex);
    bool behind = t->wishes != NULL;
    (void)pthread_mutex_unlock(&t->mutex);
    return behind;
}

/* Wishes for the loop, if there are any. */
static void journal_thread_tell(struct journal_thread *t,
                                struct journal_wishes *w)
{
    if (!w->whole && w->n == 0 && w->n_gone == 0) {
        journal_wishes_free(w); /* somebody wrote something else */
        return;
    }
    (void)pthread_mutex_lock(&t->mutex);
    t->wishes = w;
    (void)pthread_mutex_unlock(&t->mutex);
    loop_wakeup_send(t->wakeup);
}

/* Looks whether the schema is still what it should be, when somebody has
 * changed it. What cannot be told now is tried again. */
static void journal_thread_look(struct journal_thread *t)
{
    int64_t version = 0;
    struct err e = {0};
    if (journal_query_int(t->db, "PRAGMA schema_version", 0, &version, NULL) ||
        version == t->schema_version) {
        return;
    }
    int code = journal_check_schema(t->db, NULL, NULL, &e);
    bool wrong = code == BTC_E_DB;
    if (code != 0 && !wrong) {
        return;
    }
    t->schema_version = version;
    if (!wrong && !t->schema_wrong) {
        return; /* what was added is nobody's business */
    }
    t->schema_wrong = wrong;
    e.code = code;
    (void)pthread_mutex_lock(&t->mutex);
    free(t->schema);
    t->schema = mem_dup(&e, sizeof(e));
    (void)pthread_mutex_unlock(&t->mutex);
    loop_wakeup_send(t->wakeup);
}

/* Reads the wishes when somebody else has written. A failure is tried again at
 * the next tick. */
static void journal_thread_poll(struct journal_thread *t)
{
    int64_t version = 0;
    struct err e;
    if (journal_thread_is_behind(t) || !journal_thread_has_news(t, &version)) {
        return;
    }
    journal_thread_look(t);
    struct journal_wishes *w = journal_load_wishes(t->db, &t->seen, &e);
    if (!w) {
        enum log_level level = t->schema_wrong ? LOG_INFO : LOG_WARN;
        log_write(level, "db", "cannot read the wishes: %s", e.msg);
        return;
    }
    t->data_version = version;
    journal_thread_tell(t, w);
}

/* Commits a batch. */
static int journal_thread_apply(struct journal_thread *t,
                                struct journal_job *job)
{
    if (job->each) {
        return journal_apply_each(t->db, job->batch, &job->err);
    }
    return journal_apply(t->db, job->batch, &job->err);
}

/* Does a job with the connection. On a full disk what the log has may go into
 * the file first: that makes room in the log, if nowhere else. */
static void journal_thread_work(struct journal_thread *t,
                                struct journal_job *job)
{
    if (!job->batch) {
        job->fn(job->ctx, t->db);
        return;
    }
    job->code = journal_thread_apply(t, job);
    if (job->code == BTC_E_NOSPACE && journal_empty_wal(t->db)) {
        job->code = journal_thread_apply(t, job);
    }
    if (job->code == BTC_E_INTERNAL) {
        journal_thread_look(t);
    }
}

/* Hands a finished job to its owner. Loop thread. */
static void journal_thread_finish(struct journal_thread *t,
                                  struct journal_job *job)
{
    if (job->batch) {
        t->cb.on_committed(t->ctx, job->batch, job->code, &job->err);
    } else if (job->done) {
        job->done(job->ctx);
    }
    free(job);
}

/* Monotonic time plus `ms`. */
static struct timespec journal_thread_after(long ms)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

/* Waits for a job until `tick`; NULL when there is none by then or we are to
 * stop (*stop) and everything is done. */
static struct journal_job *journal_thread_wait(struct journal_thread *t,
                                               const struct timespec *tick,
                                               bool *stop)
{
    int rc = 0;
    (void)pthread_mutex_lock(&t->mutex);
    while (!t->queue.first && !t->stop && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&t->more, &t->mutex, tick);
    }
    struct journal_job *job = journal_jobs_take(&t->queue);
    *stop = t->stop && !job;
    (void)pthread_mutex_unlock(&t->mutex);
    return job;
}

/* Monotonic milliseconds, never 0. */
static uint64_t journal_thread_now_ms(void)
{
    struct timespec now = journal_thread_after(0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + 1;
}

/* True when `at` is past. */
static bool journal_thread_is_past(const struct timespec *at)
{
    struct timespec now = journal_thread_after(0);
    return now.tv_sec > at->tv_sec ||
           (now.tv_sec == at->tv_sec && now.tv_nsec >= at->tv_nsec);
}

/* A call begins that may not come back, or has. */
static void journal_thread_mark(struct journal_thread *t, bool begins)
{
    uint64_t now = 0;
    if (begins) {
        now = journal_thread_now_ms();
    }
    (void)pthread_mutex_lock(&t->mutex);
    t->since_ms = now;
    (void)pthread_mutex_unlock(&t->mutex);
}

/* The thread. A busy queue does not keep the wishes waiting. */
static void *journal_thread_main(void *arg)
{
    struct journal_thread *t = arg;
    struct timespec tick = journal_thread_after(0);
    bool stop = false;
    while (!stop) {
        if (journal_thread_is_past(&tick)) {
            journal_thread_mark(t, true);
            journal_thread_poll(t);
            journal_thread_mark(t, false);
            tick = journal_thread_after(JOURNAL_WISH_POLL_MS);
        }
        struct journal_job *job = journal_thread_wait(t, &tick, &stop);
        if (job) {
            journal_thread_mark(t, true);
            journal_thread_work(t, job);
            (void)pthread_mutex_lock(&t->mutex);
            t->since_ms = 0;
            journal_jobs_add(&t->done, job);
            (void)pthread_mutex_unlock(&t->mutex);
            loop_wakeup_send(t->wakeup);
        }
    }
    return NULL;
}

/* Takes what is done and tells about it, outside the lock. Loop thread. */
static void journal_thread_on_wakeup(void *ctx)
{
    struct journal_thread *t = ctx;
    struct journal_job *job;
    (void)pthread_mutex_lock(&t->mutex);
    struct journal_job *first = t->done.first;
    journal_jobs_init(&t->done);
    struct journal_wishes *w = t->wishes;
    t->wishes = NULL;
    struct err *schema = t->schema;
    t->schema = NULL;
    (void)pthread_mutex_unlock(&t->mutex);
    if (schema && t->cb.on_schema) {
        t->cb.on_schema(t->ctx, schema);
    }
    free(schema);
    while ((job = first) != NULL) {
        first = job->next;
        journal_thread_finish(t, job);
    }
    if (w) {
        t->cb.on_wishes(t->ctx, w);
    }
}

/* Starts the thread. */
struct journal_thread *
journal_thread_start(struct journal *db, struct loop *l,
                     const struct journal_thread_callbacks *cb, void *ctx)
{
    struct journal_thread *t = mem_zalloc(sizeof(*t));
    pthread_condattr_t attr;
    t->db = db;
    t->cb = *cb;
    t->ctx = ctx;
    t->data_version = -1; /* none is: the first look reads the wishes */
    t->seen = JOURNAL_SEEN_NOTHING;
    (void)journal_query_int(db, "PRAGMA schema_version", 0, &t->schema_version,
                            NULL);
    journal_jobs_init(&t->queue);
    journal_jobs_init(&t->done);
    t->wakeup = loop_wakeup_new(l, journal_thread_on_wakeup, t);
    (void)pthread_mutex_init(&t->mutex, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&t->more, &attr);
    (void)pthread_condattr_destroy(&attr);
    int rc = thread_start(&t->thread, NULL, journal_thread_main, t);
    if (rc != 0) {
        loop_wakeup_close(t->wakeup);
        (void)pthread_mutex_destroy(&t->mutex);
        (void)pthread_cond_destroy(&t->more);
        free(t);
        return NULL;
    }
    (void)pthread_setname_np(t->thread, "btc-journal");
    return t;
}

uint64_t journal_thread_silent_ms(struct journal_thread *t)
{
    uint64_t now = journal_thread_now_ms();
    (void)pthread_mutex_lock(&t->mutex);
    uint64_t since = t->since_ms;
    (void)pthread_mutex_unlock(&t->mutex);
    if (since != 0 && since < now) {
        return now - since;
    }
    return 0;
}

/* Queues a job. */
static void journal_thread_queue(struct journal_thread *t,
                                 struct journal_job *job)
{
    (void)pthread_mutex_lock(&t->mutex);
    journal_jobs_add(&t->queue, job);
    (void)pthread_cond_signal(&t->more);
    (void)pthread_mutex_unlock(&t->mutex);
}

/* A batch to be committed. */
static void journal_thread_submit_how(struct journal_thread *t,
                                      struct journal_batch *b, bool each)
{
    struct journal_job *job = mem_zalloc(sizeof(*job));
    job->batch = b;
    job->each = each;
    journal_thread_queue(t, job);
}

void journal_thread_submit(struct journal_thread *t, struct journal_batch *b)
{
    journal_thread_submit_how(t, b, false);
}

void journal_thread_submit_each(struct journal_thread *t,
                                struct journal_batch *b)
{
    journal_thread_submit_how(t, b, true);
}

/* Also for the lock that is waited for right now. */
void journal_thread_hurry(struct journal_thread *t)
{
    (void)journal_set_patience(t->db, JOURNAL_HURRY_MS);
}

/* A function to be run with the connection. */
void journal_thread_call(struct journal_thread *t,
                         void (*fn)(void *ctx, struct journal *db),
                         void (*done)(void *ctx), void *ctx)
{
    struct journal_job *job = mem_zalloc(sizeof(*job));
    job->fn = fn;
    job->done = done;
    job->ctx = ctx;
    journal_thread_queue(t, job);
}

/* What callbacks submitted after the thread had ended is done here; but who
 * submits a failing batch again and again is not followed forever. */
static void journal_thread_drain(struct journal_thread *t)
{
    struct journal_job *job;
    journal_thread_on_wakeup(t);
    for (int round = 0; round < JOURNAL_STOP_ROUNDS && t->queue.first;
         round++) {
        struct journal_jobs now = t->queue;
        journal_jobs_init(&t->queue);
        while ((job = journal_jobs_take(&now)) != NULL) {
            journal_thread_work(t, job);
            journal_thread_finish(t, job);
        }
    }
    while ((job = journal_jobs_take(&t->queue)) != NULL) {
        log_write(LOG_ERROR, "db", "%s: facts of the last moments are lost",
                  journal_path(t->db));
        journal_batch_free(job->batch);
        free(job);
    }
}

/* Ends the thread. */
struct journal *journal_thread_stop(struct journal_thread *t)
{
    (void)pthread_mutex_lock(&t->mutex);
    t->stop = true;
    (void)pthread_cond_signal(&t->more);
    (void)pthread_mutex_unlock(&t->mutex);
    (void)pthread_join(t->thread, NULL);
    journal_thread_drain(t);
    loop_wakeup_close(t->wakeup);
    struct journal *db = t->db;
    free(t->schema);
    (void)journal_set_patience(db, JOURNAL_BUSY_MS);
    (void)pthread_cond_destroy(&t->more);
    (void)pthread_mutex_destroy(&t->mutex);
    free(t);
    return db;
}
