/* See survey.h. A list of places belongs to each drive and to its thread; what
 * the thread has come to is told under the lock. The last one that holds the
 * survey frees it, which is a thread when the caller has gone before it.
 */
#include "store/survey.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/vec.h"
#include "store/relocate.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct survey_place {
    char *path; /* owns */
    uint32_t drive;
    enum survey_answer answer; /* under the lock; then the rest stays */
    struct fingerprint print;
};

/* What a thread is given. */
struct survey_drive {
    struct survey *v;
    uint64_t name;
    uint32_t at;
};

struct survey {
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct survey_place *places; /* owns */
    size_t n, n_done;
    uint32_t cap;
    struct survey_drive drives[SURVEY_DRIVES_MAX];
    uint32_t n_drives;
    uint32_t n_threads; /* at work */
    bool left;          /* the caller has gone: threads end with their look */
};

struct survey *survey_new(void)
{
    struct survey *v = mem_zalloc(sizeof(*v));
    pthread_condattr_t attr;
    int err = pthread_mutex_init(&v->lock, NULL);
    err |= pthread_condattr_init(&attr);
    err |= pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    err |= pthread_cond_init(&v->news, &attr);
    BTC_ASSERT(err == 0);
    (void)pthread_condattr_destroy(&attr);
    return v;
}

static void survey_release(struct survey *v)
{
    for (size_t i = 0; i < v->n; i++) {
        free(v->places[i].path);
    }
    free(v->places);
    (void)pthread_cond_destroy(&v->news);
    (void)pthread_mutex_destroy(&v->lock);
    free(v);
}

void survey_free(struct survey *v)
{
    if (v == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&v->lock);
    v->left = true;
    bool last = v->n_threads == 0;
    (void)pthread_mutex_unlock(&v->lock);
    if (last) {
        survey_release(v);
    }
}

/* The list of a drive. */
static uint32_t survey_drive(struct survey *v, uint64_t name)
{
    uint32_t i = 0;
    while (i < v->n_drives && v->drives[i].name != name) {
        i++;
    }
    if (i == SURVEY_DRIVES_MAX) {
        return i - 1;
    }
    if (i == v->n_drives) {
        v->drives[v->n_drives++] =
            (struct survey_drive){.v = v, .name = name, .at = i};
    }
    return i;
}

void survey_add(struct survey *v, const char *path, uint64_t drive)
{
    v->places = vec_room(v->places, v->n, &v->cap, sizeof(*v->places));
    v->places[v->n++] = (struct survey_place){.path = mem_strdup(path),
                                              .drive = survey_drive(v, drive)};
}

/* One place; false: nobody waits for the next one. */
static bool survey_look(struct survey *v, struct survey_place *p)
{
    struct fingerprint print;
    int rc = relocate_look(p->path, &print);
    (void)pthread_mutex_lock(&v->lock);
    p->print = print;
    p->answer = SURVEY_SEEN;
    if (rc != 0 && rc != -ENOENT && rc != -ENOTDIR) {
        p->answer = SURVEY_FAILED;
    }
    v->n_done++;
    bool go_on = !v->left;
    (void)pthread_mutex_unlock(&v->lock);
    return go_on;
}

static void *survey_run(void *arg)
{
    const struct survey_drive *d = arg;
    struct survey *v = d->v;
    bool go_on = true;
    for (size_t i = 0; go_on && i < v->n; i++) {
        if (v->places[i].drive == d->at) {
            go_on = survey_look(v, &v->places[i]);
        }
    }
    (void)pthread_mutex_lock(&v->lock);
    v->n_threads--;
    bool last = v->n_threads == 0 && v->left;
    (void)pthread_cond_signal(&v->news);
    (void)pthread_mutex_unlock(&v->lock);
    if (last) {
        survey_release(v);
    }
    return NULL;
}

int survey_begin(struct survey *v)
{
    pthread_attr_t attr;
    int err = pthread_attr_init(&attr);
    BTC_ASSERT(err == 0);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    for (uint32_t i = 0; err == 0 && i < v->n_drives; i++) {
        pthread_t thread;
        (void)pthread_mutex_lock(&v->lock);
        v->n_threads++;
        (void)pthread_mutex_unlock(&v->lock);
        err = thread_start(&thread, &attr, survey_run, &v->drives[i]);
        if (err != 0) {
            (void)pthread_mutex_lock(&v->lock);
            v->n_threads--;
            (void)pthread_mutex_unlock(&v->lock);
        }
    }
    (void)pthread_attr_destroy(&attr);
    return err;
}

bool survey_wait(struct survey *v, unsigned ms)
{
    struct timespec until;
    int err = clock_gettime(CLOCK_MONOTONIC, &until);
    BTC_ASSERT(err == 0);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    (void)pthread_mutex_lock(&v->lock);
    while (v->n_threads > 0 && err == 0) {
        err = pthread_cond_timedwait(&v->news, &v->lock, &until);
    }
    bool over = v->n_threads == 0;
    (void)pthread_mutex_unlock(&v->lock);
    return over;
}

size_t survey_count(struct survey *v)
{
    (void)pthread_mutex_lock(&v->lock);
    size_t n = v->n_done;
    (void)pthread_mutex_unlock(&v->lock);
    return n;
}

enum survey_answer survey_get(struct survey *v, size_t at,
                              struct fingerprint *out)
{
    (void)pthread_mutex_lock(&v->lock);
    enum survey_answer answer = v->places[at].answer;
    *out = v->places[at].print;
    (void)pthread_mutex_unlock(&v->lock);
    return answer;
}
