/* The queues, the worker threads, and the way of results back to the loop.
 *
 * Queues under one lock: normal, low (taken when normal is empty), and one for
 * SYNC per lane. As many low jobs run at once as there are threads in the
 * options; one worker more keeps a reader from waiting behind verification.
 * SYNC jobs run on a thread of their lane's own, so that a slow fdatasync holds
 * up no write and no other drive; and one after the other, so that a file is in
 * one SYNC at a time.
 *
 * Results gather in the done list. Who adds to a list of which the loop does
 * not know yet sends the wake-up; the loop swaps the list out under the lock
 * and calls back outside of it. A callback may submit, free its job and free
 * the store.
 */
#include "store/internal.h"
#include "store/parts.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/thread.h"
#include "model/fingerprint.h"
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>

/* Most threads, whatever the machine has. */
#define STORE_MAX_THREADS 64
/* Workers beyond those that were asked for, in place of silent ones. */
#define STORE_MAX_SPARE 16
/* Files kept open, over all stores; so many when most of them wait for a SYNC.
 */
#define STORE_MAX_OPEN  512
#define STORE_MAX_DIRTY 8192
/* Fewest files kept open, however small the process's limit. */
#define STORE_MIN_OPEN 16

/* At the tail. */
static void store_queue_put(struct store_queue *q, struct store_job *job)
{
    job->next = NULL;
    if (q->tail) {
        q->tail->next = job;
    } else {
        q->head = job;
    }
    q->tail = job;
}

/* From the head; NULL when empty. */
static struct store_job *store_queue_take(struct store_queue *q)
{
    struct store_job *job = q->head;
    if (job) {
        q->head = job->next;
        if (!q->head) {
            q->tail = NULL;
        }
    }
    return job;
}

/* Closes a store's files. */
static void store_run_close(struct store_worker *w, struct store_job *job)
{
    (void)w;
    store_fd_drop_all(job->store);
}

/* Closes those of them that nothing is to come for. */
static void store_run_rest(struct store_worker *w, struct store_job *job)
{
    (void)w;
    for (uint32_t i = 0; i < job->store->n_files; i++) {
        store_fd_drop_idle(job->store, i);
    }
}

/* Who does what. */
static store_run_fn *const store_runs[STORE_N_OPS] = {
    [STORE_CREATE] = store_run_create, [STORE_FINISH] = store_run_finish,
    [STORE_WRITE] = store_run_write,   [STORE_HASH] = store_run_hash,
    [STORE_READ] = store_run_read,     [STORE_PREFETCH] = store_run_prefetch,
    [STORE_SYNC] = store_run_sync,     [STORE_STAT] = store_run_stat,
    [STORE_SCAN] = store_run_scan,     [STORE_DELETE] = store_run_delete,
    [STORE_SPACE] = store_run_space,   [STORE_OP_CLOSE] = store_run_close,
    [STORE_OP_REST] = store_run_rest,  [STORE_LOOK] = store_run_look,
};

/* The next one that is not for a drive on which a worker is silent. */
static struct store_job *store_take_hopeful(struct store *d,
                                            struct store_queue *q)
{
    struct store_job *job;
    while ((job = store_queue_take(q)) && store_silent_is_hopeless(d, job)) {
        store_queue_put(&d->silent.parked, job);
    }
    return job;
}

/* A worker is heard again: what was parked gets its turn. */
static void store_unpark(struct store *d)
{
    struct store_job *job;
    while ((job = store_queue_take(&d->silent.parked))) {
        store_queue_put(job->low ? &d->low : &d->normal, job);
    }
    pthread_cond_broadcast(&d->work);
}

/* The next job for a worker; under the lock. `*low` tells whence. */
static struct store_job *store_next(struct store_worker *w, bool *low)
{
    struct store *d = w->d;
    *low = false;
    if (w->lane) {
        return store_queue_take(&w->lane->queue);
    }
    struct store_job *job = store_take_hopeful(d, &d->normal);
    if (!job && d->n_low < d->n_threads) {
        job = store_take_hopeful(d, &d->low);
        *low = job != NULL;
    }
    return job;
}

/* Adds to the done list; under the lock. True: send the wake-up. */
static bool store_add_done(struct store *d, struct store_job *job)
{
    bool send = !d->woken;
    store_queue_put(&d->done, job);
    d->woken = true;
    pthread_cond_signal(&d->finished);
    return send;
}

/* Until there may be a job; under the lock. */
static void store_wait(struct store_worker *w)
{
    if (w->lane) {
        pthread_cond_wait(&w->lane->work, &w->d->lock);
    } else {
        pthread_cond_wait(&w->d->work, &w->d->lock);
    }
}

/* A worker's life. */
static void *store_worker_main(void *arg)
{
    struct store_worker *w = arg;
    struct store *d = w->d;
    bool low;
    (void)pthread_setspecific(d->silent.self, w);
    pthread_mutex_lock(&d->lock);
    for (;;) {
        struct store_job *job = store_next(w, &low);
        if (!job && d->stopping) {
            break;
        }
        if (!job) {
            store_wait(w);
            continue;
        }
        store_silent_begin(w, job, low);
        pthread_mutex_unlock(&d->lock);
        store_runs[job->op](w, job);
        pthread_mutex_lock(&d->lock);
        bool heard = w->at.silent;
        store_silent_end(w);
        if (heard) {
            store_unpark(d);
        }
        if (store_add_done(d, job)) {
            pthread_mutex_unlock(&d->lock);
            loop_wakeup_send(d->wakeup);
            pthread_mutex_lock(&d->lock);
        }
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* Calls back for all that is done; outside the lock. */
static void store_deliver(struct store *d, struct store_job *job)
{
    while (job) {
        struct store_job *next = job->next;
        struct store_tree *s = job->store;
        pthread_mutex_lock(&d->lock);
        d->queued--;
        pthread_mutex_unlock(&d->lock);
        job->next = NULL;
        job->done(job);
        store_tree_unref(s);
        job = next;
    }
}

/* Takes the done list; under the lock. */
static struct store_job *store_swap_done(struct store *d)
{
    struct store_job *list = d->done.head;
    d->done = (struct store_queue){0};
    d->woken = false;
    return list;
}

/* A batch of results, on the loop thread. */
static void store_on_wakeup(void *ctx)
{
    struct store *d = ctx;
    pthread_mutex_lock(&d->lock);
    struct store_job *list = store_swap_done(d);
    pthread_mutex_unlock(&d->lock);
    store_deliver(d, list);
}

/* The cores that this process may use. */
static uint32_t store_count_threads(const struct store_options *o)
{
    cpu_set_t set;
    uint32_t n = 0;
    if (o) {
        n = o->threads;
    }
    if (n == 0) {
        bool known = sched_getaffinity(0, sizeof(set), &set) == 0;
        n = 2;
        if (known && CPU_COUNT(&set) > 2) {
            n = (uint32_t)CPU_COUNT(&set);
        }
    }
    return num_min_u32(n, STORE_MAX_THREADS);
}

/* Sockets and the database want descriptors too: half of them at most. */
static uint32_t store_count_open(uint32_t most)
{
    struct rlimit limit;
    uint64_t n = most;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        n = num_min_u64(n, limit.rlim_cur / 2);
    }
    return (uint32_t)num_max_u64(n, STORE_MIN_OPEN);
}

/* What a worker has, but for its thread. */
static void store_worker_fini(struct store_worker *w)
{
    hash_free(w->hash);
    free(w->buf);
    free(w->iov);
}

/* Starts a worker; false: the machine refuses a thread. */
static bool store_worker_start(struct store *d, struct store_worker *w,
                               struct store_lane *lane, const char *name)
{
    *w =
        (struct store_worker){.d = d,
                              .lane = lane,
                              .hash = hash_new(),
                              .buf = mem_alloc(STORE_CHUNK_LEN),
                              .iov = mem_array(STORE_MAX_IOV, sizeof(*w->iov))};
    if (thread_start(&w->thread, NULL, store_worker_main, w) != 0) {
        store_worker_fini(w);
        return false;
    }
    (void)pthread_setname_np(w->thread, name);
    return true;
}

/* The lane with this number, with its thread; the first one when there cannot
 * be another. */
static struct store_lane *store_lane_get(struct store *d, uint32_t n)
{
    struct store_lane *lane = &d->lanes[n];
    if (!lane->runs) {
        lane->runs = store_worker_start(d, &lane->worker, lane, "btc-sync");
    }
    if (!lane->runs) {
        lane = &d->lanes[0];
    }
    return lane;
}

/* Starts the threads: one for SYNC, then the others, of which the machine may
 * refuse some. False: without these there is no disk. */
static bool store_start(struct store *d)
{
    uint32_t n = d->n_threads + 1;
    d->workers = mem_calloc(n + STORE_MAX_SPARE, sizeof(*d->workers));
    (void)store_lane_get(d, 0);
    while (d->n_workers < n &&
           store_worker_start(d, &d->workers[d->n_workers], NULL, "btc-disk")) {
        d->n_workers++;
    }
    if (d->n_workers < n) {
        log_write(LOG_WARN, "disk", "only %u of %u threads could be started",
                  d->n_workers, n);
    }
    return d->lanes[0].runs && d->n_workers >= 1;
}

/* Runs all jobs to their end, those too that callbacks submit meanwhile. */
static void store_drain(struct store *d)
{
    pthread_mutex_lock(&d->lock);
    while (d->queued > 0) {
        while (!d->done.head) {
            pthread_cond_wait(&d->finished, &d->lock);
        }
        struct store_job *list = store_swap_done(d);
        pthread_mutex_unlock(&d->lock);
        store_deliver(d, list);
        pthread_mutex_lock(&d->lock);
    }
    d->stopping = true;
    pthread_cond_broadcast(&d->work);
    for (uint32_t i = 0; i < STORE_MAX_LANES; i++) {
        pthread_cond_broadcast(&d->lanes[i].work);
    }
    pthread_mutex_unlock(&d->lock);
}

/* Waits for the end of its thread. */
static void store_worker_end(struct store_worker *w)
{
    (void)pthread_join(w->thread, NULL);
    store_worker_fini(w);
}

/* Drains and ends the threads. Stores that still live keep the memory. */
void store_free(struct store *d)
{
    if (!d) {
        return;
    }
    store_drain(d);
    for (uint32_t i = 0; i < d->n_workers; i++) {
        store_worker_end(&d->workers[i]);
    }
    for (uint32_t i = 0; i < STORE_MAX_LANES; i++) {
        if (d->lanes[i].runs) {
            store_worker_end(&d->lanes[i].worker);
        }
    }
    loop_wakeup_close(d->wakeup);
    store_unref(d);
}

/* A disk with its threads. */
struct store *store_new(struct loop *l, const struct store_options *o)
{
    struct store *d = mem_zalloc(sizeof(*d));
    d->refs = 1;
    d->n_threads = store_count_threads(o);
    d->room.open = store_count_open(STORE_MAX_OPEN);
    d->room.dirty = store_count_open(STORE_MAX_DIRTY);
    d->wakeup = loop_wakeup_new(l, store_on_wakeup, d);
    int rc = pthread_key_create(&d->silent.self, NULL);
    BTC_ASSERT(rc == 0); /* a process has 1024 */
    (void)pthread_mutex_init(&d->lock, NULL);
    (void)pthread_mutex_init(&d->fd_lock, NULL);
    (void)pthread_cond_init(&d->work, NULL);
    for (uint32_t i = 0; i < STORE_MAX_LANES; i++) {
        (void)pthread_cond_init(&d->lanes[i].work, NULL);
    }
    (void)pthread_cond_init(&d->finished, NULL);
    (void)pthread_cond_init(&d->evicted, NULL);
    if (!store_start(d)) {
        store_free(d);
        return NULL;
    }
    return d;
}

/* Others in place of those that wait for a drive, as far as the machine gives
 * any. */
static void store_add_workers(struct store *d, uint32_t n)
{
    uint32_t most = d->n_threads + 1 + STORE_MAX_SPARE;
    while (n > 0 && d->n_workers < most) {
        struct store_worker *w = &d->workers[d->n_workers];
        if (!store_worker_start(d, w, NULL, "btc-disk")) {
            break;
        }
        pthread_mutex_lock(&d->lock);
        d->n_workers++;
        pthread_mutex_unlock(&d->lock);
        n--;
    }
}

bool store_look(struct store *d, uint64_t now_ms)
{
    pthread_mutex_lock(&d->lock);
    if (store_silent_look(d, now_ms)) {
        store_unpark(d);
    }
    uint32_t left = store_silent_left(d);
    bool waits = d->normal.head || d->low.head;
    bool silent = d->silent.n > 0;
    pthread_mutex_unlock(&d->lock);
    if (waits && left < d->n_threads + 1) {
        store_add_workers(d, d->n_threads + 1 - left);
    }
    return silent;
}

/* Before the first job. */
void store_set_fault(struct store *d, store_fault_fn *fn, void *ctx)
{
    d->fault.fn = fn;
    d->fault.ctx = ctx;
}

/* How many low jobs run at once. */
uint32_t store_threads(const struct store *d)
{
    return d->n_threads;
}

/* Into the queue that it belongs to. */
static void store_enqueue(struct store *d, struct store_job *job)
{
    store_tree_ref(job->store);
    struct store_lane *lane = NULL;
    if (job->op == STORE_SYNC) {
        lane = store_lane_get(d, job->store->lane);
    }
    pthread_mutex_lock(&d->lock);
    d->queued++;
    if (lane) {
        store_queue_put(&lane->queue, job);
        pthread_cond_signal(&lane->work);
    } else {
        store_queue_put(job->low ? &d->low : &d->normal, job);
        pthread_cond_signal(&d->work);
    }
    pthread_mutex_unlock(&d->lock);
}

/* Hands a job over. */
void store_submit(struct store *d, struct store_job *job)
{
    BTC_ASSERT((unsigned)job->op < STORE_N_OPS && job->store && job->done);
    BTC_ASSERT(!d->stopping);
    struct store_job *parts = job;
    uint32_t n_parts = 1;
    job->result = 0;
    job->fail.file = -1;
    job->fail.text[0] = '\0';
    job->hashes.of_blocks = NULL;
    job->fds = NULL;
    job->prints = NULL;
    job->root = (struct fingerprint){0};
    job->remove.n_removed = 0;
    job->remove.stays = (struct store_stays){0};
    job->scan.found = (struct bits){0};
    job->bytes_free = 0;
    if (job->op == STORE_CREATE) {
        n_parts = store_parts_of(job, d->n_threads, &parts);
    }
    for (uint32_t i = 0; i < n_parts; i++) {
        store_enqueue(d, &parts[i]);
    }
}

/* The first lane is of those of which nothing is known. */
void store_tree_set_lane(struct store_tree *s, uint32_t lane)
{
    pthread_mutex_lock(&s->d->lock);
    s->drive = lane;
    pthread_mutex_unlock(&s->d->lock);
    if (lane >= STORE_MAX_LANES) {
        lane = 1 + (lane - 1) % (STORE_MAX_LANES - 1);
    }
    s->lane = lane;
}

/* Ends the low jobs of a tree in a queue; true: send the wake-up. */
static bool store_cancel_in(struct store *d, struct store_queue *q,
                            const struct store_tree *s)
{
    struct store_queue keep = {0};
    struct store_job *job;
    bool send = false;
    while ((job = store_queue_take(q))) {
        if (job->store != s || !job->low) {
            store_queue_put(&keep, job);
            continue;
        }
        job->result = BTC_E_CANCELLED;
        send |= store_add_done(d, job);
    }
    *q = keep;
    return send;
}

/* Low jobs of the store that no worker has begun end here. */
void store_cancel_low(struct store *d, struct store_tree *s)
{
    pthread_mutex_lock(&d->lock);
    bool send = store_cancel_in(d, &d->low, s);
    send |= store_cancel_in(d, &d->silent.parked, s);
    pthread_mutex_unlock(&d->lock);
    if (send) {
        loop_wakeup_send(d->wakeup);
    }
}

/* A job of our own is done. */
static void store_on_closed(struct store_job *job)
{
    free(job);
}

/* By a worker: close() may wait for a network drive. */
static void store_tree_let(struct store_tree *s, int op)
{
    struct store_job *job = mem_zalloc(sizeof(*job));
    *job = (struct store_job){
        .op = (enum store_op)op,
        .store = s,
        .done = store_on_closed,
    };
    store_submit(s->d, job);
}

/* Its idle files are closed. */
void store_tree_rest(struct store_tree *s)
{
    store_hold_release(s);
    store_tree_let(s, STORE_OP_REST);
}

/* All its files are closed. */
void store_tree_free(struct store_tree *s)
{
    if (!s) {
        return;
    }
    store_hold_release(s);
    if (s->d->stopping) {
        store_fd_drop_all(s);
    } else {
        store_tree_let(s, STORE_OP_CLOSE);
    }
    store_tree_unref(s);
}
