/* Turns of hosts; see host_queue.h. */
#include "net/host_queue.h"

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

TAILQ_HEAD(host_queue_entries, host_queue_entry);

struct host_queue_host {
    char key[HOST_QUEUE_KEY_MAX];
    UT_hash_handle hh;
    struct host_queue_entries waiting;
    uint32_t n_waiting;
    uint32_t n_active;
    bool has_answered;
    TAILQ_ENTRY(host_queue_host) ring; /* while n_waiting > 0 */
};
TAILQ_HEAD(host_queue_ring, host_queue_host);

struct host_queue {
    struct host_queue_host *hosts; /* owns; a hash by key */
    struct host_queue_ring ring;   /* those with entries that wait */
    uint32_t n_active;
    uint32_t max_active;
    uint32_t max_host;
};

struct host_queue *host_queue_new(uint32_t max_active, uint32_t max_host)
{
    struct host_queue *q = mem_zalloc(sizeof(*q));
    TAILQ_INIT(&q->ring);
    q->max_active = max_active;
    q->max_host = max_host;
    return q;
}

void host_queue_free(struct host_queue *q)
{
    BTC_ASSERT(q == NULL || q->hosts == NULL);
    free(q);
}

static struct host_queue_host *host_queue_find(const struct host_queue *q,
                                               const char *key)
{
    struct host_queue_host *host = NULL;
    char cut[HOST_QUEUE_KEY_MAX];
    (void)snprintf(cut, sizeof(cut), "%s", key);
    HASH_FIND_STR(q->hosts, cut, host);
    return host;
}

/* The host of a key, made when it is not known. */
static struct host_queue_host *host_queue_take(struct host_queue *q,
                                               const char *key)
{
    struct host_queue_host *host = host_queue_find(q, key);
    if (host == NULL) {
        host = mem_zalloc(sizeof(*host));
        (void)snprintf(host->key, sizeof(host->key), "%s", key);
        TAILQ_INIT(&host->waiting);
        HASH_ADD_STR(q->hosts, key, host);
    }
    return host;
}

void host_queue_add(struct host_queue *q, struct host_queue_entry *e,
                    const char *key)
{
    struct host_queue_host *host = host_queue_take(q, key);
    BTC_ASSERT(e->host == NULL);
    e->host = host;
    e->is_active = false;
    TAILQ_INSERT_TAIL(&host->waiting, e, link);
    if (host->n_waiting++ == 0) {
        TAILQ_INSERT_TAIL(&q->ring, host, ring);
    }
}

/* Its first entry, or another one, waits no more. */
static void host_queue_unlink(struct host_queue *q, struct host_queue_entry *e)
{
    struct host_queue_host *host = e->host;
    TAILQ_REMOVE(&host->waiting, e, link);
    if (--host->n_waiting == 0) {
        TAILQ_REMOVE(&q->ring, host, ring);
    }
}

/* Whether one more of its entries may be under way. */
static bool host_queue_has_room(const struct host_queue *q,
                                const struct host_queue_host *host)
{
    if (host->has_answered) {
        return host->n_active < q->max_host;
    }
    return host->n_active == 0;
}

struct host_queue_entry *host_queue_next(struct host_queue *q)
{
    struct host_queue_host *host = TAILQ_FIRST(&q->ring);
    struct host_queue_entry *e = NULL;
    if (q->n_active >= q->max_active) {
        return NULL;
    }
    while (host != NULL && !host_queue_has_room(q, host)) {
        host = TAILQ_NEXT(host, ring);
    }
    if (host == NULL) {
        return NULL;
    }
    e = TAILQ_FIRST(&host->waiting);
    host_queue_unlink(q, e);
    if (host->n_waiting > 0) { /* the others first */
        TAILQ_REMOVE(&q->ring, host, ring);
        TAILQ_INSERT_TAIL(&q->ring, host, ring);
    }
    e->is_active = true;
    host->n_active++;
    q->n_active++;
    return e;
}

void host_queue_remove(struct host_queue *q, struct host_queue_entry *e)
{
    struct host_queue_host *host = e->host;
    if (host == NULL) {
        return;
    }
    if (e->is_active) {
        host->n_active--;
        q->n_active--;
    } else {
        host_queue_unlink(q, e);
    }
    e->host = NULL;
    e->is_active = false;
    if (host->n_active == 0 && host->n_waiting == 0) {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): lost in uthash's table */
        HASH_DEL(q->hosts, host);
        free(host);
    }
}

void host_queue_answered(struct host_queue_entry *e)
{
    if (e->host != NULL) {
        e->host->has_answered = true;
    }
}

bool host_queue_is_silent(struct host_queue_entry *e)
{
    bool was_new = e->host != NULL && !e->host->has_answered;
    if (e->host != NULL) {
        e->host->has_answered = false;
    }
    return was_new;
}

uint32_t host_queue_n_waiting(const struct host_queue *q, const char *key)
{
    const struct host_queue_host *host = host_queue_find(q, key);
    if (host == NULL) {
        return 0;
    }
    return host->n_waiting;
}

struct host_queue_entry *host_queue_first(const struct host_queue *q,
                                          const char *key)
{
    const struct host_queue_host *host = host_queue_find(q, key);
    if (host == NULL) {
        return NULL;
    }
    return TAILQ_FIRST(&host->waiting);
}

const char *host_queue_key(const struct host_queue_entry *e)
{
    return e->host->key;
}
