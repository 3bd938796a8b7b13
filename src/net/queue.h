/* What a connection still has to send: a list of chunks, each some bytes in
 * memory or a range of a file. For conn.c only.
 *
 * Chunks that are free again are shared by all connections of a host through a
 * pool. Memory chunks come in two sizes. A small one is for the header between
 * two ranges, or for the few bytes that are all a quiet connection has to say,
 * so that a peer which does not read holds little more than what is in its
 * queue. Consecutive small sends fill one chunk; consecutive memory chunks go
 * out in one system call.
 */
#ifndef BTC_NET_QUEUE_H
#define BTC_NET_QUEUE_H

#include "net/tcp.h"
#include <sys/queue.h>

#define TCP_CHUNK_LEN  (16u << 10) /* bytes of a large memory chunk */
#define TCP_SMALL_LEN  64u         /* of a small one */
#define TCP_POOL_LARGE 64u         /* free large chunks kept */
#define TCP_POOL_SMALL 512u        /* free chunks of each other kind kept */

enum tcp_chunk_kind {
    TCP_CHUNK_LARGE,    /* `large` */
    TCP_CHUNK_SMALL,    /* `small` */
    TCP_CHUNK_BORROWED, /* somebody else's bytes */
    TCP_CHUNK_FILE,
    TCP_CHUNK_KINDS
};

struct tcp_chunk {
    TAILQ_ENTRY(tcp_chunk) next;
    enum tcp_chunk_kind kind;
    struct tcp_file file; /* FILE: what is left of the range */
    const uint8_t *data;  /* `large`, `small` or borrowed; NULL: FILE */
    size_t start, end;    /* bytes of data that are left */
    size_t cap;           /* bytes that may stand there; 0: borrowed */
    uint8_t *large;       /* owns; TCP_CHUNK_LEN bytes, or NULL */
    uint8_t small[];
};
TAILQ_HEAD(tcp_chunk_list, tcp_chunk);

/* Free chunks by their kind. */
struct tcp_pool {
    struct tcp_chunk_list free[TCP_CHUNK_KINDS];
    size_t n_free[TCP_CHUNK_KINDS];
};

struct tcp_queue {
    struct tcp_pool *pool; /* borrows */
    struct tcp_chunk_list chunks;
    uint32_t n_ranges; /* chunks that are ranges of files */
    size_t memory;     /* what the chunks cost; <= max */
    size_t max;        /* TCP_WRITE_MAX unless set */
};

void tcp_pool_init(struct tcp_pool *p);
void tcp_pool_fini(struct tcp_pool *p);

void tcp_queue_init(struct tcp_queue *q, struct tcp_pool *pool);
/* Throws away what is left; calls each release. */
void tcp_queue_drop(struct tcp_queue *q);
/* 0 or BTC_E_LIMIT with nothing (or a part) of it queued. */
int tcp_queue_put(struct tcp_queue *q, struct slice data);
/* The same without a copy, of bytes that stay for ever. */
int tcp_queue_put_const(struct tcp_queue *q, struct slice data);
/* 0 or BTC_E_LIMIT; the release is not called then. */
int tcp_queue_put_file(struct tcp_queue *q, const struct tcp_file *f);
/* Sends to the socket until the queue is empty, the socket full, or about
 * `budget` bytes are gone. *sent grows. 0, or an error of the socket or file.
 * A release may drop the queue. */
int tcp_queue_write(struct tcp_queue *q, int fd, size_t budget, uint64_t *sent);
/* Has more than one range of a file: each would end in a short segment. */
bool tcp_queue_is_long(const struct tcp_queue *q);
/* One attempt to send the bytes in memory at the front; errors do not matter
 * (for a connection that is about to be closed). */
void tcp_queue_write_last(struct tcp_queue *q, int fd);

#endif
