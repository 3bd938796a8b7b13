/* The thread that owns the journal's connection while the engine runs.
 *
 * Two lists under one mutex: `queue` (jobs for the thread) and `done` (what
 * goes back to the loop thread, woken by loop_wakeup). Each batch is one
 * transaction; a failed one goes back with its code. Between jobs the thread
 * asks for data_version every DB_WISH_POLL_MS: that changes when another
 * connection has committed, and only then the wishes are read. Asking writes
 * nothing.
 *
 * Wishes that the loop has not taken yet are replaced by newer ones.
 */
#include "journal/internal.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* Rounds in which db_thread_stop does what its callbacks submit. */
#define DB_STOP_ROUNDS 3

/* A job: a batch, or a function. */
struct db_job {
    struct db_job *next;    /* owns */
    struct db_batch *batch; /* owns; NULL for a call */
    void (*fn)(void *ctx, struct db *db);
    void (*done)(void *ctx);
    void *ctx; /* borrows */
    int code;
    struct err err;
};

struct db_jobs {
    struct db_job *first; /* owns the chain */
    struct db_job **last; /* where the next one goes */
};

struct db_thread {
    struct db *db; /* the thread's alone until it is joined */
    struct loop_wakeup *wakeup;
    struct db_thread_callbacks cb;
    void *ctx;
    pthread_t thread;
    int64_t data_version;  /* of the last wishes; the thread's alone */
    pthread_mutex_t mutex; /* for what follows */
    pthread_cond_t more;   /* queue or stop changed */
    struct db_jobs queue;
    struct db_jobs done;
    struct db_wishes *wishes; /* owns; newest, not yet taken */
    bool stop;
};

/* An empty chain. */
static void db_jobs_init(struct db_jobs *j)
{
    j->first = NULL;
    j->last = &j->first;
}

/* A job at the end. */
static void db_jobs_add(struct db_jobs *j, struct db_job *job)
{
    job->next = NULL;
    *j->last = job;
    j->last = &job->next;
}

/* The first job out of the chain, NULL when it is empty. */
static struct db_job *db_jobs_take(struct db_jobs *j)
{
    struct db_job *job = j->first;
    if (job) {
        j->first = job->next;
        if (!j->first) {
            j->last = &j->first;
        }
    }
    return job;
}

/* Frees wishes. */
void db_wishes_free(struct db_wishes *w)
{
    if (!w) {
        return;
    }
    for (size_t i = 0; i < w->n; i++) {
        free(w->files[i].priority);
        free(w->peers[i].p);
        db_trackers_free(w->trackers[i].t, w->trackers[i].n);
    }
    db_torrents_free(w->torrents, w->n);
    free(w->files);
    free(w->peers);
    free(w->trackers);
    free(w);
}

/* The wished priorities of a torrent's files. */
static int db_load_priorities(struct db *db, int64_t id,
                              struct db_wish_files *out, struct err *e)
{
    struct db_file *files;
    size_t n;
    int code = db_load_files(db, id, &files, &n, e);
    if (code != 0) {
        return code;
    }
    out->priority = mem_calloc(n, 1);
    out->n = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        out->priority[i] = files[i].priority;
    }
    db_files_free(files, n);
    return 0;
}

/* Everything as it is wished now, inside a read transaction. */
static int db_load_wish_rows(struct db *db, struct db_wishes *w, struct err *e)
{
    size_t n = 0;
    int code = db_load_torrents(db, &w->torrents, &n, e);
    w->files = mem_calloc(n, sizeof(*w->files));
    w->peers = mem_calloc(n, sizeof(*w->peers));
    w->trackers = mem_calloc(n, sizeof(*w->trackers));
    w->n = n;
    for (size_t i = 0; code == 0 && i < n; i++) {
        int64_t id = w->torrents[i].id;
        code = db_load_priorities(db, id, &w->files[i], e);
        if (code == 0) {
            code =
                db_load_user_peers(db, id, &w->peers[i].p, &w->peers[i].n, e);
        }
        if (code == 0) {
            code = db_load_trackers(db, id, &w->trackers[i].t,
                                    &w->trackers[i].n, e);
        }
    }
    return code;
}

/* Everything as it is wished now, of one moment. NULL on failure. */
struct db_wishes *db_load_wishes(struct db *db, struct err *e)
{
    struct db_wishes *w = mem_zalloc(sizeof(*w));
    int code = db_exec(db, "BEGIN", e);
    if (code == 0) {
        code = db_end(db, db_load_wish_rows(db, w, e), e);
    }
    if (code != 0) {
        db_wishes_free(w);
        return NULL;
    }
    return w;
}

/* Has somebody else written? */
static bool db_thread_has_news(struct db_thread *t, int64_t *version)
{
    sqlite3_stmt *s;
    bool ok = db_stmt(t->db, DB_STMT_DATA_VERSION, &s, NULL) == 0 &&
              sqlite3_step(s) == SQLITE_ROW;
    if (ok) {
        *version = sqlite3_column_int64(s, 0);
    }
    if (s) {
        (void)sqlite3_reset(s);
    }
    return ok && *version != t->data_version;
}

/* Reads the wishes when somebody else has written. A failure is tried again at
 * the next tick. */
static void db_thread_poll(struct db_thread *t)
{
    int64_t version = 0;
    struct err e;
    if (!db_thread_has_news(t, &version)) {
        return;
    }
    struct db_wishes *w = db_load_wishes(t->db, &e);
    if (!w) {
        log_write(LOG_WARN, "db", "cannot read the wishes: %s", e.msg);
        return;
    }
    t->data_version = version;
    (void)pthread_mutex_lock(&t->mutex);
    struct db_wishes *old = t->wishes;
    t->wishes = w;
    (void)pthread_mutex_unlock(&t->mutex);
    db_wishes_free(old);
    loop_wakeup_send(t->wakeup);
}

/* Does a job with the connection. */
static void db_thread_work(struct db_thread *t, struct db_job *job)
{
    if (job->batch) {
        job->code = db_apply(t->db, job->batch, &job->err);
    } else {
        job->fn(job->ctx, t->db);
    }
}

/* Hands a finished job to its owner. Loop thread. */
static void db_thread_finish(struct db_thread *t, struct db_job *job)
{
    if (job->batch) {
        t->cb.on_committed(t->ctx, job->batch, job->code, &job->err);
    } else if (job->done) {
        job->done(job->ctx);
    }
    free(job);
}

/* Monotonic time plus `ms`. */
static struct timespec db_thread_after(long ms)
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
static struct db_job *db_thread_wait(struct db_thread *t,
                                     const struct timespec *tick, bool *stop)
{
    int rc = 0;
    (void)pthread_mutex_lock(&t->mutex);
    while (!t->queue.first && !t->stop && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&t->more, &t->mutex, tick);
    }
    struct db_job *job = db_jobs_take(&t->queue);
    *stop = t->stop && !job;
    (void)pthread_mutex_unlock(&t->mutex);
    return job;
}

/* True when `at` is past. */
static bool db_thread_is_past(const struct timespec *at)
{
    struct timespec now = db_thread_after(0);
    return now.tv_sec > at->tv_sec ||
           (now.tv_sec == at->tv_sec && now.tv_nsec >= at->tv_nsec);
}

/* The thread. A busy queue does not keep the wishes waiting. */
static void *db_thread_main(void *arg)
{
    struct db_thread *t = arg;
    struct timespec tick = db_thread_after(0);
    bool stop = false;
    while (!stop) {
        if (db_thread_is_past(&tick)) {
            db_thread_poll(t);
            tick = db_thread_after(DB_WISH_POLL_MS);
        }
        struct db_job *job = db_thread_wait(t, &tick, &stop);
        if (job) {
            db_thread_work(t, job);
            (void)pthread_mutex_lock(&t->mutex);
            db_jobs_add(&t->done, job);
            (void)pthread_mutex_unlock(&t->mutex);
            loop_wakeup_send(t->wakeup);
        }
    }
    return NULL;
}

/* Takes what is done and tells about it, outside the lock. Loop thread. */
static void db_thread_on_wakeup(void *ctx)
{
    struct db_thread *t = ctx;
    struct db_job *job;
    (void)pthread_mutex_lock(&t->mutex);
    struct db_job *first = t->done.first;
    db_jobs_init(&t->done);
    struct db_wishes *w = t->wishes;
    t->wishes = NULL;
    (void)pthread_mutex_unlock(&t->mutex);
    while ((job = first) != NULL) {
        first = job->next;
        db_thread_finish(t, job);
    }
    if (w) {
        t->cb.on_wishes(t->ctx, w);
    }
}

/* Starts the thread. */
struct db_thread *db_thread_start(struct db *db, struct loop *l,
                                  const struct db_thread_callbacks *cb,
                                  void *ctx)
{
    struct db_thread *t = mem_zalloc(sizeof(*t));
    pthread_condattr_t attr;
    t->db = db;
    t->cb = *cb;
    t->ctx = ctx;
    t->data_version = -1; /* none is: the first look reads the wishes */
    db_jobs_init(&t->queue);
    db_jobs_init(&t->done);
    t->wakeup = loop_wakeup_new(l, db_thread_on_wakeup, t);
    (void)pthread_mutex_init(&t->mutex, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&t->more, &attr);
    (void)pthread_condattr_destroy(&attr);
    int rc = pthread_create(&t->thread, NULL, db_thread_main, t);
    BTC_ASSERT(rc == 0); /* no thread: as no memory */
    return t;
}

/* Queues a job. */
static void db_thread_queue(struct db_thread *t, struct db_job *job)
{
    (void)pthread_mutex_lock(&t->mutex);
    db_jobs_add(&t->queue, job);
    (void)pthread_cond_signal(&t->more);
    (void)pthread_mutex_unlock(&t->mutex);
}

/* A batch to be committed. */
void db_thread_submit(struct db_thread *t, struct db_batch *b)
{
    struct db_job *job = mem_zalloc(sizeof(*job));
    job->batch = b;
    db_thread_queue(t, job);
}

/* A function to be run with the connection. */
void db_thread_call(struct db_thread *t, void (*fn)(void *ctx, struct db *db),
                    void (*done)(void *ctx), void *ctx)
{
    struct db_job *job = mem_zalloc(sizeof(*job));
    job->fn = fn;
    job->done = done;
    job->ctx = ctx;
    db_thread_queue(t, job);
}

/* What callbacks submitted after the thread had ended is done here; but who
 * submits a failing batch again and again is not followed forever. */
static void db_thread_drain(struct db_thread *t)
{
    struct db_job *job;
    db_thread_on_wakeup(t);
    for (int round = 0; round < DB_STOP_ROUNDS && t->queue.first; round++) {
        struct db_jobs now = t->queue;
        db_jobs_init(&t->queue);
        while ((job = db_jobs_take(&now)) != NULL) {
            db_thread_work(t, job);
            db_thread_finish(t, job);
        }
    }
    while ((job = db_jobs_take(&t->queue)) != NULL) {
        log_write(LOG_ERROR, "db", "%s: facts of the last moments are lost",
                  db_path(t->db));
        db_batch_free(job->batch);
        free(job);
    }
}

/* Ends the thread. */
struct db *db_thread_stop(struct db_thread *t)
{
    (void)pthread_mutex_lock(&t->mutex);
    t->stop = true;
    (void)pthread_cond_signal(&t->more);
    (void)pthread_mutex_unlock(&t->mutex);
    (void)pthread_join(t->thread, NULL);
    db_thread_drain(t);
    loop_wakeup_close(t->wakeup);
    struct db *db = t->db;
    (void)pthread_cond_destroy(&t->more);
    (void)pthread_mutex_destroy(&t->mutex);
    free(t);
    return db;
}
