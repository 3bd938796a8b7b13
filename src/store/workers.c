/* The queues, the worker threads, and the way of results back to the loop.
 *
 * Three queues under one lock: normal, low (taken when normal is empty), and
 * sync. As many low jobs run at once as there are threads in the options; one
 * worker more keeps a reader from waiting behind verification. SYNC jobs run on
 * a thread of their own, so that a slow fdatasync holds up no write; and one
 * after the other, so that a file is in one SYNC at a time.
 *
 * Results gather in the done list. Who adds to a list of which the loop does
 * not know yet sends the wake-up; the loop swaps the list out under the lock
 * and calls back outside of it. A callback may submit, free its job and free
 * the store.
 */
#include "store/internal.h"

#include "base/log.h"
#include "base/mem.h"
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

/* Most threads, whatever the machine has. */
#define DISK_MAX_THREADS 64
/* Fewest files kept open, however small the process's limit. */
#define DISK_MIN_OPEN 16

/* At the tail. */
static void disk_queue_put(struct disk_queue *q, struct disk_job *job)
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
static struct disk_job *disk_queue_take(struct disk_queue *q)
{
    struct disk_job *job = q->head;
    if (job) {
        q->head = job->next;
        if (!q->head) {
            q->tail = NULL;
        }
    }
    return job;
}

/* Closes a store's files. */
static void disk_run_close(struct disk_worker *w, struct disk_job *job)
{
    (void)w;
    disk_fd_drop_all(job->store);
}

/* Closes those of them that nothing is to come for. */
static void disk_run_rest(struct disk_worker *w, struct disk_job *job)
{
    (void)w;
    for (uint32_t i = 0; i < job->store->n_files; i++) {
        disk_fd_drop_idle(job->store, i);
    }
}

/* Who does what. */
static disk_run_fn *const disk_runs[DISK_N_OPS] = {
    [DISK_CREATE] = disk_run_create, [DISK_FINISH] = disk_run_finish,
    [DISK_WRITE] = disk_run_write,   [DISK_HASH] = disk_run_hash,
    [DISK_READ] = disk_run_read,     [DISK_PREFETCH] = disk_run_prefetch,
    [DISK_SYNC] = disk_run_sync,     [DISK_STAT] = disk_run_stat,
    [DISK_SCAN] = disk_run_scan,     [DISK_DELETE] = disk_run_delete,
    [DISK_SPACE] = disk_run_space,   [DISK_OP_CLOSE] = disk_run_close,
    [DISK_OP_REST] = disk_run_rest,
};

/* The next job for a worker; under the lock. `*low` tells whence. */
static struct disk_job *disk_next(struct disk_worker *w, bool *low)
{
    struct disk *d = w->d;
    *low = false;
    if (w->sync) {
        return disk_queue_take(&d->sync);
    }
    struct disk_job *job = disk_queue_take(&d->normal);
    if (!job && d->n_low < d->n_threads) {
        job = disk_queue_take(&d->low);
        *low = job != NULL;
    }
    return job;
}

/* Adds to the done list; under the lock. True: send the wake-up. */
static bool disk_add_done(struct disk *d, struct disk_job *job)
{
    bool send = !d->woken;
    disk_queue_put(&d->done, job);
    d->woken = true;
    pthread_cond_signal(&d->finished);
    return send;
}

/* A worker's life. */
static void *disk_worker_main(void *arg)
{
    struct disk_worker *w = arg;
    struct disk *d = w->d;
    bool low;
    pthread_mutex_lock(&d->lock);
    for (;;) {
        struct disk_job *job = disk_next(w, &low);
        if (!job && d->stopping) {
            break;
        }
        if (!job) {
            pthread_cond_wait(w->sync ? &d->sync_work : &d->work, &d->lock);
            continue;
        }
        d->n_low += low;
        pthread_mutex_unlock(&d->lock);
        disk_runs[job->op](w, job);
        pthread_mutex_lock(&d->lock);
        d->n_low -= low;
        if (disk_add_done(d, job)) {
            pthread_mutex_unlock(&d->lock);
            loop_wakeup_send(d->wakeup);
            pthread_mutex_lock(&d->lock);
        }
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* Calls back for all that is done; outside the lock. */
static void disk_deliver(struct disk *d, struct disk_job *job)
{
    while (job) {
        struct disk_job *next = job->next;
        struct disk_store *s = job->store;
        pthread_mutex_lock(&d->lock);
        d->queued--;
        pthread_mutex_unlock(&d->lock);
        job->next = NULL;
        job->done(job);
        disk_store_unref(s);
        job = next;
    }
}

/* Takes the done list; under the lock. */
static struct disk_job *disk_swap_done(struct disk *d)
{
    struct disk_job *list = d->done.head;
    d->done = (struct disk_queue){0};
    d->woken = false;
    return list;
}

/* A batch of results, on the loop thread. */
static void disk_on_wakeup(void *ctx)
{
    struct disk *d = ctx;
    pthread_mutex_lock(&d->lock);
    struct disk_job *list = disk_swap_done(d);
    pthread_mutex_unlock(&d->lock);
    disk_deliver(d, list);
}

/* The cores that this process may use. */
static uint32_t disk_count_threads(const struct disk_options *o)
{
    cpu_set_t set;
    uint32_t n = o ? o->threads : 0;
    if (n == 0) {
        bool known = sched_getaffinity(0, sizeof(set), &set) == 0;
        n = known ? (uint32_t)CPU_COUNT(&set) : 2;
        n = n < 2 ? 2 : n;
    }
    return n > DISK_MAX_THREADS ? DISK_MAX_THREADS : n;
}

/* Sockets and the database want descriptors too: half of them at most. */
static uint32_t disk_count_open(void)
{
    struct rlimit limit;
    uint64_t n = DISK_MAX_OPEN;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 2 < n) {
        n = limit.rlim_cur / 2;
    }
    return n < DISK_MIN_OPEN ? DISK_MIN_OPEN : (uint32_t)n;
}

/* Starts the threads: the one for SYNC, then the others, of which the machine
 * may refuse some. */
static void disk_start(struct disk *d)
{
    sigset_t all;
    sigset_t old;
    uint32_t n = d->n_threads + 2;
    d->workers = mem_calloc(n, sizeof(*d->workers));
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old); /* theirs, inherited */
    for (uint32_t i = 0; i < n; i++) {
        struct disk_worker *w = &d->workers[i];
        w->d = d;
        w->sync = i == 0;
        w->hash = hash_new();
        w->buf = mem_alloc(DISK_CHUNK_LEN);
        w->iov = mem_array(DISK_MAX_IOV, sizeof(*w->iov));
        d->n_workers = i + 1;
        if (pthread_create(&w->thread, NULL, disk_worker_main, w) == 0) {
            (void)pthread_setname_np(w->thread,
                                     i == 0 ? "btc-sync" : "btc-disk");
            continue;
        }
        hash_free(w->hash);
        free(w->buf);
        free(w->iov);
        d->n_workers = i;
        break;
    }
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    BTC_ASSERT(d->n_workers >= 2); /* without them there is no disk */
    if (d->n_workers < n) {
        log_write(LOG_WARN, "disk", "only %u of %u threads could be started",
                  d->n_workers, n);
    }
}

/* A disk with its threads. */
struct disk *disk_new(struct loop *l, const struct disk_options *o)
{
    struct disk *d = mem_zalloc(sizeof(*d));
    d->refs = 1;
    d->n_threads = disk_count_threads(o);
    d->max_open = disk_count_open();
    d->wakeup = loop_wakeup_new(l, disk_on_wakeup, d);
    (void)pthread_mutex_init(&d->lock, NULL);
    (void)pthread_mutex_init(&d->fd_lock, NULL);
    (void)pthread_cond_init(&d->work, NULL);
    (void)pthread_cond_init(&d->sync_work, NULL);
    (void)pthread_cond_init(&d->finished, NULL);
    (void)pthread_cond_init(&d->evicted, NULL);
    disk_start(d);
    return d;
}

/* Runs all jobs to their end, those too that callbacks submit meanwhile. */
static void disk_drain(struct disk *d)
{
    pthread_mutex_lock(&d->lock);
    while (d->queued > 0) {
        while (!d->done.head) {
            pthread_cond_wait(&d->finished, &d->lock);
        }
        struct disk_job *list = disk_swap_done(d);
        pthread_mutex_unlock(&d->lock);
        disk_deliver(d, list);
        pthread_mutex_lock(&d->lock);
    }
    d->stopping = true;
    pthread_cond_broadcast(&d->work);
    pthread_cond_broadcast(&d->sync_work);
    pthread_mutex_unlock(&d->lock);
}

/* Drains and ends the threads. Stores that still live keep the memory. */
void disk_free(struct disk *d)
{
    if (!d) {
        return;
    }
    disk_drain(d);
    for (uint32_t i = 0; i < d->n_workers; i++) {
        struct disk_worker *w = &d->workers[i];
        (void)pthread_join(w->thread, NULL);
        hash_free(w->hash);
        free(w->buf);
        free(w->iov);
    }
    loop_wakeup_close(d->wakeup);
    disk_unref(d);
}

/* The last of the owner and the stores frees. */
void disk_unref(struct disk *d)
{
    pthread_mutex_lock(&d->fd_lock);
    uint32_t left = --d->refs;
    pthread_mutex_unlock(&d->fd_lock);
    if (left > 0) {
        return;
    }
    (void)pthread_mutex_destroy(&d->lock);
    (void)pthread_mutex_destroy(&d->fd_lock);
    (void)pthread_cond_destroy(&d->work);
    (void)pthread_cond_destroy(&d->sync_work);
    (void)pthread_cond_destroy(&d->finished);
    (void)pthread_cond_destroy(&d->evicted);
    free(d->workers);
    free(d);
}

/* Before the first job. */
void disk_set_fault(struct disk *d, disk_fault_fn *fn, void *ctx)
{
    d->fault = fn;
    d->fault_ctx = ctx;
}

/* How many low jobs run at once. */
uint32_t disk_threads(const struct disk *d)
{
    return d->n_threads;
}

/* The depth. */
uint32_t disk_queued(const struct disk *d)
{
    /* Written by the loop thread alone, which is also who asks. */
    return d->queued;
}

/* Hands a job over. */
void disk_submit(struct disk *d, struct disk_job *job)
{
    BTC_ASSERT((unsigned)job->op < DISK_N_OPS && job->store && job->done);
    BTC_ASSERT(!d->stopping);
    job->result = 0;
    job->fail_file = -1;
    job->error[0] = '\0';
    job->block_hashes = NULL;
    job->fds = NULL;
    job->prints = NULL;
    job->root = (struct disk_print){0};
    job->n_deleted = 0;
    job->scan = (struct bits){0};
    job->bytes_free = 0;
    disk_store_ref(job->store);
    pthread_mutex_lock(&d->lock);
    d->queued++;
    if (job->op == DISK_SYNC) {
        disk_queue_put(&d->sync, job);
        pthread_cond_signal(&d->sync_work);
    } else {
        disk_queue_put(job->low ? &d->low : &d->normal, job);
        pthread_cond_signal(&d->work);
    }
    pthread_mutex_unlock(&d->lock);
}

/* Low jobs of the store that no worker has begun end here. */
void disk_cancel_low(struct disk *d, struct disk_store *s)
{
    struct disk_queue keep = {0};
    struct disk_job *job;
    bool send = false;
    pthread_mutex_lock(&d->lock);
    while ((job = disk_queue_take(&d->low))) {
        if (job->store != s) {
            disk_queue_put(&keep, job);
            continue;
        }
        job->result = BTC_E_CANCELLED;
        send |= disk_add_done(d, job);
    }
    d->low = keep;
    pthread_mutex_unlock(&d->lock);
    if (send) {
        loop_wakeup_send(d->wakeup);
    }
}

/* A job of our own is done. */
static void disk_on_closed(struct disk_job *job)
{
    free(job);
}

/* By a worker: close() may wait for a network drive. */
static void disk_store_let(struct disk_store *s, int op)
{
    struct disk_job *job = mem_zalloc(sizeof(*job));
    *job = (struct disk_job){
        .op = (enum disk_op)op,
        .store = s,
        .done = disk_on_closed,
    };
    disk_submit(s->d, job);
}

/* Its idle files are closed. */
void disk_store_rest(struct disk_store *s)
{
    disk_store_let(s, DISK_OP_REST);
}

/* All its files are closed. */
void disk_store_free(struct disk_store *s)
{
    if (!s) {
        return;
    }
    if (s->d->stopping) {
        disk_fd_drop_all(s);
    } else {
        disk_store_let(s, DISK_OP_CLOSE);
    }
    disk_store_unref(s);
}
