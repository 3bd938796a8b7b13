/* What a connection still has to send: a list of chunks, each some bytes in
 * memory or a range of a file. For conn.c only.
 *
 * Memory chunks have one size and come from a pool that all connections of a
 * host share. Consecutive small sends fill one chunk; consecutive memory chunks
 * go out in one system call.
 */
#ifndef BTC_IO_CONN_QUEUE_H
#define BTC_IO_CONN_QUEUE_H

#include "io/conn.h"
#include <sys/queue.h>

#define CONN_CHUNK_LEN (16u << 10) /* bytes of a memory chunk */
#define CONN_POOL_MAX  64u         /* free chunks kept */

struct conn_chunk {
    TAILQ_ENTRY(conn_chunk) next;
    bool is_file;
    struct conn_file file; /* is_file: what is left of the range */
    uint8_t *data;         /* owns; NULL when is_file */
    size_t start, end;     /* bytes of data that are left */
};
TAILQ_HEAD(conn_chunk_list, conn_chunk);

/* Free memory chunks. */
struct conn_pool {
    struct conn_chunk_list free;
    size_t n_free;
};

struct conn_queue {
    struct conn_pool *pool; /* borrows */
    struct conn_chunk_list chunks;
    size_t queued; /* bytes left, file ranges included */
    size_t memory; /* what the chunks cost; <= CONN_WRITE_MAX */
};

void conn_pool_init(struct conn_pool *p);
void conn_pool_fini(struct conn_pool *p);

void conn_queue_init(struct conn_queue *q, struct conn_pool *pool);
/* Throws away what is left; calls each release. */
void conn_queue_drop(struct conn_queue *q);
/* 0 or BTC_E_LIMIT with nothing (or a part) of it queued. */
int conn_queue_put(struct conn_queue *q, struct slice data);
/* 0 or BTC_E_LIMIT; the release is not called then. */
int conn_queue_put_file(struct conn_queue *q, const struct conn_file *f);
/* Sends to the socket until the queue is empty, the socket full, or about
 * `budget` bytes are gone. *sent grows. 0, or an error of the socket or file.
 * A release may drop the queue. */
int conn_queue_write(struct conn_queue *q, int fd, size_t budget,
                     uint64_t *sent);
/* One attempt to send the bytes in memory at the front; errors do not matter
 * (for a connection that is about to be closed). */
void conn_queue_write_last(struct conn_queue *q, int fd);

#endif
