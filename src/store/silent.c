/* Drives that do not answer: a worker is silent when it has given no sign of
 * life for STORE_SILENT_MS, which is to say that a system call of its job has
 * not come back. (Nothing else of a job takes so long.) Workers give a beat
 * before each call and know no clock; the loop thread looks once in a while
 * whether there were any.
 *
 * A silent worker is not counted as one any more: workers.c starts another one
 * in its place, and what would only wait beside it for the same drive is parked
 * until it is heard again.
 */
#include "store/internal.h"

/* A drive that was asleep needs longer to spin up; the others need not wait. */
#define STORE_SILENT_MS 2000u

void store_beat(struct store *d)
{
    struct store_worker *w = pthread_getspecific(d->silent.self);
    if (w) {
        (void)atomic_fetch_add_explicit(&w->beats, 1, memory_order_relaxed);
    }
}

/* Heard, or not. */
static void store_silent_set(struct store_worker *w, bool silent)
{
    struct store *d = w->d;
    if (silent == w->at.silent) {
        return;
    }
    w->at.silent = silent;
    if (silent) {
        d->silent.n++;
        d->n_low -= w->at.low;
        w->at.low = false;
    } else {
        d->silent.n--;
    }
}

void store_silent_begin(struct store_worker *w, struct store_job *job, bool low)
{
    w->at.job = job;
    w->at.looked = false;
    w->at.low = low;
    w->d->n_low += low;
}

void store_silent_end(struct store_worker *w)
{
    store_silent_set(w, false);
    w->at.job = NULL;
    w->d->n_low -= w->at.low;
    w->at.low = false;
}

/* Looks at one worker. */
static void store_silent_look_at(struct store_worker *w, uint64_t now_ms)
{
    uint32_t beats = atomic_load_explicit(&w->beats, memory_order_relaxed);
    if (!w->at.job) {
        return;
    }
    if (!w->at.looked || beats != w->at.beats) {
        w->at.looked = true;
        w->at.beats = beats;
        w->at.since_ms = now_ms;
    }
    store_silent_set(w, now_ms - w->at.since_ms >= STORE_SILENT_MS);
}

/* The n-th of all workers, those of the lanes last; NULL = there is none. */
static struct store_worker *store_silent_nth(struct store *d, uint32_t n)
{
    if (n < d->n_workers) {
        return &d->workers[n];
    }
    struct store_lane *lane = &d->lanes[n - d->n_workers];
    if (lane->runs) {
        return &lane->worker;
    }
    return NULL;
}

bool store_silent_look(struct store *d, uint64_t now_ms)
{
    uint32_t before = d->silent.n;
    for (uint32_t i = 0; i < d->n_workers + STORE_MAX_LANES; i++) {
        struct store_worker *w = store_silent_nth(d, i);
        if (w) {
            store_silent_look_at(w, now_ms);
        }
    }
    return before > d->silent.n;
}

/* Both lie on one drive, as far as is known. */
static bool store_silent_is_near(const struct store_tree *a,
                                 const struct store_tree *b)
{
    return a == b || (a->drive != 0 && a->drive == b->drive);
}

bool store_silent_is_hopeless(const struct store *d,
                              const struct store_job *job)
{
    if (d->silent.n == 0) {
        return false;
    }
    for (uint32_t i = 0; i < d->n_workers; i++) {
        const struct store_worker *w = &d->workers[i];
        if (w->at.silent &&
            store_silent_is_near(w->at.job->store, job->store)) {
            return true;
        }
    }
    return false;
}

uint32_t store_silent_left(const struct store *d)
{
    uint32_t left = d->n_workers;
    for (uint32_t i = 0; i < d->n_workers; i++) {
        left -= d->workers[i].at.silent;
    }
    return left;
}

/* When the worker was heard last; 0 = it is not silent for this tree. */
static uint64_t store_silent_of(const struct store_worker *w,
                                const struct store_tree *s)
{
    if (!w->at.silent || !store_silent_is_near(w->at.job->store, s)) {
        return 0;
    }
    return w->at.since_ms;
}

uint64_t store_tree_silent_ms(struct store_tree *s)
{
    struct store *d = s->d;
    uint64_t first = 0;
    (void)pthread_mutex_lock(&d->lock);
    for (uint32_t i = 0; d->silent.n > 0 && i < d->n_workers + STORE_MAX_LANES;
         i++) {
        const struct store_worker *w = store_silent_nth(d, i);
        uint64_t since = 0;
        if (w) {
            since = store_silent_of(w, s);
        }
        if (since != 0 && (first == 0 || since < first)) {
            first = since;
        }
    }
    (void)pthread_mutex_unlock(&d->lock);
    return first;
}
