/* Asynchronous name resolution; see resolve.h.
 *
 * A name is an entry of the cache, whose state says what is known of it. The
 * threads share one `exchange` with the loop, counted by reference, so that
 * a thread whose look-up hangs outlives the resolver and frees its part last.
 */
#include "net/resolve.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/thread.h"
#include "net/queue.h"
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define RESOLVE_STACK                                      \
    (256u << 10) /* of a thread: getaddrinfo is not frugal \
                  */

enum resolve_state {
    RESOLVE_WAITING, /* for a thread */
    RESOLVE_ASKED,   /* a thread looks */
    RESOLVE_KNOWN    /* an answer, or that there is none */
};

/* What threads hand to the loop. */
struct resolve_exchange {
    pthread_mutex_t mutex;
    unsigned n_refs;            /* the resolver and the threads */
    struct resolve_query *done; /* newest first */
    struct loop_wakeup *wakeup; /* NULL: the resolver is gone */
};

/* A thread's own. */
struct resolve_query {
    struct resolve_exchange *exchange;
    struct resolve_query *next;
    resolve_lookup *lookup;
    struct resolve_result result;
    char host[RESOLVE_HOST_MAX + 1];
};

struct resolve_job {
    TAILQ_ENTRY(resolve_job) link;
    struct resolve *resolve;     /* borrows */
    struct resolve_entry *entry; /* NULL: refused, the answer is LIMIT */
    uint16_t port;
    resolve_fn *fn;
    void *ctx; /* borrows */
};
TAILQ_HEAD(resolve_job_list, resolve_job);

struct resolve_entry {
    char host[RESOLVE_HOST_MAX + 1]; /* key */
    enum resolve_state state;
    uint64_t until_ms; /* KNOWN: then it is asked again */
    struct resolve_result result;
    struct resolve_job_list jobs; /* who waits */
    UT_hash_handle hh;            /* in the order of coming */
};

struct resolve {
    struct loop *loop; /* borrows */
    resolve_lookup *lookup;
    struct resolve_exchange *exchange; /* a reference */
    struct resolve_entry *entries;     /* owns; a hash */
    struct resolve_job_list refused;
    unsigned n_entries;
    unsigned n_asked;   /* threads out */
    unsigned n_pending; /* entries that are WAITING or ASKED */
};

/* --- the threads --- */

/* The system's look-up. */
static int resolve_system(const char *host, struct resolve_result *out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM,
                             .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(host, NULL, &hints, &list);
    if (rc == EAI_NONAME || rc == EAI_ADDRFAMILY) {
        /* A machine with nothing but loopback has its own names all the same.
         */
        hints.ai_flags = 0;
        rc = getaddrinfo(host, NULL, &hints, &list);
    }
    if (rc != 0) {
        (void)snprintf(out->error, sizeof(out->error),
                       "cannot find the host %.150s: %s", host,
                       gai_strerror(rc));
        return BTC_E_NETWORK;
    }
    for (struct addrinfo *a = list; a && out->n < RESOLVE_ADDRS;
         a = a->ai_next) {
        struct addr found = addr_from_sockaddr(a->ai_addr);
        if (found.family != ADDR_NONE) {
            out->addrs[out->n++] = found;
        }
    }
    freeaddrinfo(list);
    return 0;
}

/* The last one frees it. */
static void resolve_exchange_unref(struct resolve_exchange *x)
{
    (void)pthread_mutex_lock(&x->mutex);
    bool last = --x->n_refs == 0;
    (void)pthread_mutex_unlock(&x->mutex);
    if (!last) {
        return;
    }
    (void)pthread_mutex_destroy(&x->mutex);
    free(x);
}

/* A thread from start to end. */
static void *resolve_thread(void *arg)
{
    struct resolve_query *q = arg;
    struct resolve_exchange *x = q->exchange;
    q->result.code = q->lookup(q->host, &q->result);
    if (q->result.code == 0 && q->result.n == 0) {
        q->result.code = BTC_E_NETWORK;
        (void)snprintf(q->result.error, sizeof(q->result.error),
                       "the host %.150s has no address", q->host);
    }
    (void)pthread_mutex_lock(&x->mutex);
    if (x->wakeup != NULL) {
        q->next = x->done;
        x->done = q;
        loop_wakeup_send(x->wakeup);
        q = NULL;
    }
    (void)pthread_mutex_unlock(&x->mutex);
    free(q); /* nobody is left who would want it */
    resolve_exchange_unref(x);
    return NULL;
}

/* Starts a thread for the name; false when the system has none to give. */
static bool resolve_spawn(struct resolve *r, const struct resolve_entry *n)
{
    struct resolve_query *q = mem_zalloc(sizeof(*q));
    pthread_attr_t attr;
    pthread_t thread;
    memcpy(q->host, n->host, sizeof(q->host));
    q->lookup = r->lookup;
    q->exchange = r->exchange;
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attr, RESOLVE_STACK);
    /* The thread gives its reference back under the mutex, so it cannot do that
     * before it is counted here. */
    (void)pthread_mutex_lock(&r->exchange->mutex);
    int rc = thread_start(&thread, &attr, resolve_thread, q);
    if (rc == 0) {
        r->exchange->n_refs++;
    }
    (void)pthread_mutex_unlock(&r->exchange->mutex);
    (void)pthread_attr_destroy(&attr);
    if (rc != 0) {
        free(q);
    }
    return rc == 0;
}

/* --- the cache --- */

/* Something is known of the name from now on. */
static void resolve_learn(struct resolve *r, struct resolve_entry *n,
                          const struct resolve_result *result)
{
    n->result = *result;
    n->until_ms = loop_now_ms(r->loop) +
                  (result->code == 0 ? RESOLVE_KEEP_MS : RESOLVE_FAILED_MS);
    n->state = RESOLVE_KNOWN;
    r->n_pending--;
}

/* Gives threads to the names that wait for one. */
static void resolve_pump(struct resolve *r)
{
    for (struct resolve_entry *n = r->entries;
         n && r->n_asked < RESOLVE_PARALLEL; n = n->hh.next) {
        if (n->state != RESOLVE_WAITING) {
            continue;
        }
        if (!resolve_spawn(r, n)) {
            struct resolve_result failed = {.code = BTC_E_LIMIT};
            (void)snprintf(failed.error, sizeof(failed.error),
                           "no thread to look the host up");
            resolve_learn(r, n, &failed);
            loop_wakeup_send(r->exchange->wakeup);
            continue;
        }
        n->state = RESOLVE_ASKED;
        r->n_asked++;
    }
}

/* The oldest answers that nobody waits for make room. */
static void resolve_trim(struct resolve *r)
{
    struct resolve_entry *next;
    for (struct resolve_entry *n = r->entries;
         n && r->n_entries >= RESOLVE_CACHE; n = next) {
        next = n->hh.next;
        if (n->state == RESOLVE_KNOWN && TAILQ_EMPTY(&n->jobs)) {
            /* The analyser forgets that the head moves when the last one goes.
             * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
            HASH_DELETE(hh, r->entries, n);
            r->n_entries--;
            free(n);
        }
    }
}

/* A new entry: a number is known at once, a name waits. */
static struct resolve_entry *resolve_add(struct resolve *r, const char *host)
{
    struct resolve_result number = {.n = 1};
    resolve_trim(r);
    struct resolve_entry *n = mem_zalloc(sizeof(*n));
    (void)snprintf(n->host, sizeof(n->host), "%s", host);
    TAILQ_INIT(&n->jobs);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): lost in uthash's table */
    HASH_ADD_STR(r->entries, host, n);
    r->n_entries++;
    r->n_pending++;
    if (addr_parse_ip(slice_str(host), 0, &number.addrs[0])) {
        resolve_learn(r, n, &number);
    }
    return n;
}

/* The entry of a name; NULL when too many are under way, or it is no name. */
static struct resolve_entry *resolve_find(struct resolve *r, const char *host)
{
    struct resolve_entry *n = NULL;
    size_t len = strlen(host);
    if (len == 0 || len > RESOLVE_HOST_MAX) {
        return NULL;
    }
    HASH_FIND_STR(r->entries, host, n);
    if (n == NULL) {
        if (r->n_pending < RESOLVE_QUEUE) {
            return resolve_add(r, host);
        }
        return NULL;
    }
    if (n->state == RESOLVE_KNOWN && TAILQ_EMPTY(&n->jobs) &&
        loop_now_ms(r->loop) >= n->until_ms &&
        !addr_parse_ip(slice_str(host), 0, &(struct addr){0})) {
        n->state = RESOLVE_WAITING;
        r->n_pending++;
    }
    return n;
}

/* --- answers --- */

/* Tells one who waits. */
static void resolve_answer(struct resolve_job *j, struct resolve_result *r)
{
    resolve_fn *fn = j->fn;
    void *ctx = j->ctx;
    for (size_t i = 0; i < r->n; i++) {
        r->addrs[i].port = j->port;
    }
    free(j);
    fn(ctx, r);
}

/* Somebody who waits for what is known; unlinked. */
static struct resolve_job *resolve_next_job(struct resolve *r,
                                            struct resolve_result *out)
{
    struct resolve_job *j = TAILQ_FIRST(&r->refused);
    if (j != NULL) {
        TAILQ_REMOVE(&r->refused, j, link);
        *out = (struct resolve_result){.code = BTC_E_LIMIT};
        (void)snprintf(out->error, sizeof(out->error),
                       "this host name cannot be looked up now");
        return j;
    }
    for (struct resolve_entry *n = r->entries; n; n = n->hh.next) {
        if (n->state == RESOLVE_KNOWN) {
            j = TAILQ_FIRST(&n->jobs);
        } else {
            j = NULL;
        }
        if (j != NULL) {
            TAILQ_REMOVE(&n->jobs, j, link);
            *out = n->result;
            return j;
        }
    }
    return NULL;
}

/* Takes over what the threads have brought. */
static void resolve_collect(struct resolve *r)
{
    (void)pthread_mutex_lock(&r->exchange->mutex);
    struct resolve_query *q = r->exchange->done;
    r->exchange->done = NULL;
    (void)pthread_mutex_unlock(&r->exchange->mutex);
    while (q != NULL) {
        struct resolve_query *next = q->next;
        struct resolve_entry *n = NULL;
        HASH_FIND_STR(r->entries, q->host, n);
        r->n_asked--;
        BTC_ASSERT(n != NULL && n->state == RESOLVE_ASKED);
        resolve_learn(r, n, &q->result);
        free(q);
        q = next;
    }
}

/* A thread is done, or a job could be answered without one. Whoever is told may
 * free the resolver, so it is counted on no more after the last answer. */
static void resolve_on_wakeup(void *ctx)
{
    struct resolve *r = ctx;
    struct resolve_exchange *x = r->exchange;
    struct resolve_result result;
    struct resolve_job *j;
    (void)pthread_mutex_lock(&x->mutex);
    x->n_refs++;
    (void)pthread_mutex_unlock(&x->mutex);
    resolve_collect(r);
    resolve_pump(r);
    while (x->wakeup != NULL && (j = resolve_next_job(r, &result)) != NULL) {
        resolve_answer(j, &result);
    }
    resolve_exchange_unref(x);
}

/* --- the face --- */

struct resolve *resolve_new(struct loop *l, resolve_lookup *lookup)
{
    struct resolve *r = mem_zalloc(sizeof(*r));
    struct resolve_exchange *x = mem_zalloc(sizeof(*x));
    int rc = pthread_mutex_init(&x->mutex, NULL);
    BTC_ASSERT(rc == 0);
    x->n_refs = 1;
    x->wakeup = loop_wakeup_new(l, resolve_on_wakeup, r);
    r->loop = l;
    if (lookup != NULL) {
        r->lookup = lookup;
    } else {
        r->lookup = resolve_system;
    }
    r->exchange = x;
    TAILQ_INIT(&r->refused);
    return r;
}

/* All jobs of a list. */
static void resolve_drop(struct resolve_job_list *list)
{
    struct resolve_job *j;
    while ((j = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, j, link);
        free(j);
    }
}

void resolve_free(struct resolve *r)
{
    if (r == NULL) {
        return;
    }
    struct resolve_exchange *x = r->exchange;
    (void)pthread_mutex_lock(&x->mutex);
    loop_wakeup_close(x->wakeup);
    x->wakeup = NULL;
    struct resolve_query *q = x->done;
    x->done = NULL;
    (void)pthread_mutex_unlock(&x->mutex);
    while (q != NULL) {
        struct resolve_query *next = q->next;
        free(q);
        q = next;
    }
    resolve_exchange_unref(x);
    resolve_drop(&r->refused);
    while (r->entries != NULL) {
        struct resolve_entry *n = r->entries;
        resolve_drop(&n->jobs);
        HASH_DELETE(hh, r->entries, n);
        free(n);
    }
    free(r);
}

struct resolve_job *resolve_start(struct resolve *r, const char *host,
                                  uint16_t port, resolve_fn *fn, void *ctx)
{
    struct resolve_job *j = mem_zalloc(sizeof(*j));
    j->resolve = r;
    j->entry = resolve_find(r, host);
    j->port = port;
    j->fn = fn;
    j->ctx = ctx;
    if (j->entry == NULL) {
        TAILQ_INSERT_TAIL(&r->refused, j, link);
    } else {
        TAILQ_INSERT_TAIL(&j->entry->jobs, j, link);
    }
    loop_wakeup_send(r->exchange->wakeup);
    return j;
}

void resolve_cancel(struct resolve_job *j)
{
    if (j == NULL) {
        return;
    }
    if (j->entry == NULL) {
        TAILQ_REMOVE(&j->resolve->refused, j, link);
    } else {
        TAILQ_REMOVE(&j->entry->jobs, j, link);
    }
    free(j);
}
