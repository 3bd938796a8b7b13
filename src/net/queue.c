/* The send queue of a connection. */
#include "net/queue.h"

#include "base/mem.h"
#include "base/num.h"
#include "net/socket.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define TCP_QUEUE_IOV 16 /* memory chunks per system call */

/* No free chunks yet. */
void tcp_pool_init(struct tcp_pool *p)
{
    TAILQ_INIT(&p->free);
    p->n_free = 0;
}

/* Frees a chunk that is in no list. */
static void tcp_chunk_free(struct tcp_chunk *k)
{
    free(k->large);
    free(k);
}

/* What it costs. */
static size_t tcp_chunk_memory(const struct tcp_chunk *k)
{
    return sizeof(*k) + k->cap;
}

/* Frees the free chunks. */
void tcp_pool_fini(struct tcp_pool *p)
{
    while (!TAILQ_EMPTY(&p->free)) {
        struct tcp_chunk *k = TAILQ_FIRST(&p->free);
        TAILQ_REMOVE(&p->free, k, next);
        tcp_chunk_free(k);
    }
    p->n_free = 0;
}

/* An empty large chunk. */
static struct tcp_chunk *tcp_pool_take(struct tcp_pool *p)
{
    struct tcp_chunk *k = TAILQ_FIRST(&p->free);
    if (k) {
        TAILQ_REMOVE(&p->free, k, next);
        p->n_free--;
    } else {
        k = mem_zalloc(sizeof(*k));
        k->large = mem_alloc(TCP_CHUNK_LEN);
        k->data = k->large;
        k->cap = TCP_CHUNK_LEN;
    }
    k->start = 0;
    k->end = 0;
    return k;
}

/* An empty small chunk. */
static struct tcp_chunk *tcp_chunk_small(void)
{
    struct tcp_chunk *k = mem_zalloc(sizeof(*k) + TCP_SMALL_LEN);
    k->data = k->small;
    k->cap = TCP_SMALL_LEN;
    return k;
}

/* A memory chunk comes back. */
static void tcp_pool_give(struct tcp_pool *p, struct tcp_chunk *k)
{
    if (!k->large || p->n_free >= TCP_POOL_MAX) {
        tcp_chunk_free(k);
        return;
    }
    TAILQ_INSERT_HEAD(&p->free, k, next);
    p->n_free++;
}

/* Nothing to send. */
void tcp_queue_init(struct tcp_queue *q, struct tcp_pool *pool)
{
    q->pool = pool;
    q->max = TCP_WRITE_MAX;
    TAILQ_INIT(&q->chunks);
    q->queued = 0;
    q->memory = 0;
}

/* Takes the first chunk off, then tells its owner: the release may do anything
 * to the queue. */
static void tcp_queue_pop(struct tcp_queue *q)
{
    struct tcp_chunk *k = TAILQ_FIRST(&q->chunks);
    TAILQ_REMOVE(&q->chunks, k, next);
    if (!k->is_file) {
        q->queued -= k->end - k->start;
        q->memory -= tcp_chunk_memory(k);
        tcp_pool_give(q->pool, k);
        return;
    }
    struct tcp_file f = k->file;
    q->queued -= f.len;
    q->memory -= tcp_chunk_memory(k);
    tcp_chunk_free(k);
    if (f.release) {
        f.release(f.ctx, f.arg);
    }
}

/* All of it goes. */
void tcp_queue_drop(struct tcp_queue *q)
{
    while (!TAILQ_EMPTY(&q->chunks)) {
        tcp_queue_pop(q);
    }
}

/* To the end of the queue. */
static void tcp_queue_add(struct tcp_queue *q, struct tcp_chunk *k)
{
    TAILQ_INSERT_TAIL(&q->chunks, k, next);
    q->memory += tcp_chunk_memory(k);
}

/* A chunk with so many bytes of its own is still within the limit. */
static bool tcp_queue_has_room(const struct tcp_queue *q, size_t cap)
{
    return q->memory <= q->max &&
           sizeof(struct tcp_chunk) + cap <= q->max - q->memory;
}

/* The chunk that takes the next bytes; NULL over the limit. */
static struct tcp_chunk *tcp_queue_tail(struct tcp_queue *q, size_t len)
{
    struct tcp_chunk *k = TAILQ_LAST(&q->chunks, tcp_chunk_list);
    if (k && k->end < k->cap) {
        return k;
    }
    bool follows = k && k->cap > 0; /* more than a few bytes by now */
    bool small = len <= TCP_SMALL_LEN && !follows;
    if (!tcp_queue_has_room(q, small ? TCP_SMALL_LEN : TCP_CHUNK_LEN)) {
        return NULL;
    }
    k = small ? tcp_chunk_small() : tcp_pool_take(q->pool);
    tcp_queue_add(q, k);
    return k;
}

/* Copies the bytes to the end. */
int tcp_queue_put(struct tcp_queue *q, struct slice data)
{
    while (data.len > 0) {
        struct tcp_chunk *k = tcp_queue_tail(q, data.len);
        if (!k) {
            return BTC_E_LIMIT;
        }
        uint8_t *dst = k->large ? k->large : k->small;
        size_t room = k->cap - k->end;
        size_t n = num_min(data.len, room);
        memcpy(dst + k->end, data.p, n);
        k->end += n;
        q->queued += n;
        data = slice_sub(data, n, data.len - n);
    }
    return 0;
}

/* Remembers where the bytes are. */
int tcp_queue_put_const(struct tcp_queue *q, struct slice data)
{
    if (!tcp_queue_has_room(q, 0)) {
        return BTC_E_LIMIT;
    }
    if (data.len > 0) {
        struct tcp_chunk *k = mem_zalloc(sizeof(*k));
        k->data = data.p;
        k->end = data.len;
        q->queued += data.len;
        tcp_queue_add(q, k);
    }
    return 0;
}

/* Remembers the range. */
int tcp_queue_put_file(struct tcp_queue *q, const struct tcp_file *f)
{
    if (!tcp_queue_has_room(q, 0) || f->len > SIZE_MAX - q->queued) {
        return BTC_E_LIMIT;
    }
    struct tcp_chunk *k = mem_zalloc(sizeof(*k));
    k->is_file = true;
    k->file = *f;
    q->queued += f->len;
    tcp_queue_add(q, k);
    return 0;
}

/* n bytes of the memory chunks at the front are gone. */
static void tcp_queue_consume(struct tcp_queue *q, size_t n)
{
    struct tcp_chunk *next;
    for (struct tcp_chunk *k = TAILQ_FIRST(&q->chunks); n > 0; k = next) {
        size_t left = k->end - k->start;
        if (n < left) {
            k->start += n;
            q->queued -= n;
            return;
        }
        n -= left;
        next = TAILQ_NEXT(k, next);
        tcp_queue_pop(q);
    }
}

/* One sendmsg of the memory chunks at the front. 0 and *n, or errno. */
static int tcp_queue_send_bytes(struct tcp_queue *q, int fd, size_t *n)
{
    struct iovec iov[TCP_QUEUE_IOV];
    struct msghdr msg = {.msg_iov = iov};
    struct tcp_chunk *k = TAILQ_FIRST(&q->chunks);
    for (; k && !k->is_file && msg.msg_iovlen < TCP_QUEUE_IOV;
         k = TAILQ_NEXT(k, next)) {
        const uint8_t *from = k->data + k->start; /* iovec has no const */
        memcpy(&iov[msg.msg_iovlen].iov_base, &from, sizeof(from));
        iov[msg.msg_iovlen].iov_len = k->end - k->start;
        msg.msg_iovlen++;
    }
    /* A block's header and its payload leave in one segment. */
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (k ? MSG_MORE : 0);
    ssize_t rc = sendmsg(fd, &msg, flags);
    if (rc < 0) {
        return errno;
    }
    *n = (size_t)rc;
    tcp_queue_consume(q, *n);
    return 0;
}

/* One sendfile of the file range at the front. 0 and *n, or errno; ENODATA when
 * the file ends before the range. */
static int tcp_queue_send_file(struct tcp_queue *q, int fd, size_t *n)
{
    struct tcp_chunk *k = TAILQ_FIRST(&q->chunks);
    if (k->file.len > 0) {
        ssize_t rc = sendfile(fd, k->file.fd, &k->file.offset, k->file.len);
        if (rc <= 0) {
            return rc == 0 ? ENODATA : errno;
        }
        *n = (size_t)rc;
        k->file.len -= *n;
        q->queued -= *n;
    }
    if (k->file.len == 0) {
        tcp_queue_pop(q);
    }
    return 0;
}

/* Until empty, full or over the budget. */
int tcp_queue_write(struct tcp_queue *q, int fd, size_t budget, uint64_t *sent)
{
    size_t done = 0;
    int rc = 0;
    while (!TAILQ_EMPTY(&q->chunks) && done < budget && rc == 0) {
        size_t n = 0;
        rc = TAILQ_FIRST(&q->chunks)->is_file ? tcp_queue_send_file(q, fd, &n)
                                              : tcp_queue_send_bytes(q, fd, &n);
        done += n;
        rc = rc == EINTR ? 0 : rc;
    }
    *sent += done;
    switch (rc) {
    case 0:
    case EAGAIN:
        return 0;
    case ENODATA:
        return BTC_E_SHORT;
    default:
        return tcp_socket_err(rc);
    }
}

/* No file ranges: their release must not come in the middle of a close. */
void tcp_queue_write_last(struct tcp_queue *q, int fd)
{
    struct tcp_chunk *k = TAILQ_FIRST(&q->chunks);
    if (k && !k->is_file) {
        size_t n = 0;
        (void)tcp_queue_send_bytes(q, fd, &n);
    }
}
