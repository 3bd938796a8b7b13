/* Whose turn it is when many wait for many hosts, and some hosts are silent.
 *
 * Entries wait in the order of coming, each for its host; the hosts have turns
 * in a ring. A host is new until host_queue_answered says that it lives: till
 * then it has one entry under way at a time, so that a hundred entries for a
 * host that never answers hold up nobody else. What is known of a host goes
 * when its last entry does.
 *
 * Entries are the caller's memory. No call calls back. */
#ifndef BTC_NET_HOST_QUEUE_H
#define BTC_NET_HOST_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define HOST_QUEUE_KEY_MAX \
    272 /* "host:port", with its NUL; longer ones are cut */

struct host_queue; /* opaque */

struct host_queue_entry {
    void *owner;                  /* the caller's */
    struct host_queue_host *host; /* NULL: in no queue */
    bool is_active;
    TAILQ_ENTRY(host_queue_entry) link; /* while it waits */
};

/* At most `max_active` under way, at most `max_host` of them for one host. */
struct host_queue *host_queue_new(uint32_t max_active, uint32_t max_host);
void host_queue_free(struct host_queue *q); /* empty; NULL allowed */
/* Puts it behind all others of its host. */
void host_queue_add(struct host_queue *q, struct host_queue_entry *e,
                    const char *key);
/* The next that may begin, now under way; NULL when all have to wait. */
struct host_queue_entry *host_queue_next(struct host_queue *q);
/* Takes it out, whether it waits or is under way; nothing when in no queue. */
void host_queue_remove(struct host_queue *q, struct host_queue_entry *e);
/* The host of one that is under way has answered. */
void host_queue_answered(struct host_queue_entry *e);
/* It has not: it counts as new again. True when it was new before: then nobody
 * should wait for it any more. */
bool host_queue_is_silent(struct host_queue_entry *e);
/* How many wait for a host, and the first of them (NULL: none). */
uint32_t host_queue_n_waiting(const struct host_queue *q, const char *key);
struct host_queue_entry *host_queue_first(const struct host_queue *q,
                                          const char *key);
/* The host's key as it is kept: valid while the entry is in the queue. */
const char *host_queue_key(const struct host_queue_entry *e);

#endif
