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
    for (int i = 0; i < TCP_CHUNK_KINDS; i++) {
        TAILQ_INIT(&p->free[i]);
        p->n_free[i] = 0;
    }
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
    for (int i = 0; i < TCP_CHUNK_KINDS; i++) {
        while (!TAILQ_EMPTY(&p->free[i])) {
            struct tcp_chunk *k = TAILQ_FIRST(&p->free[i]);
            TAILQ_REMOVE(&p->free[i], k, next);
            tcp_chunk_free(k);
        }
        p->n_free[i] = 0;
    }
}

/* A new chunk of a kind. */
static struct tcp_chunk *tcp_chunk_new(enum tcp_chunk_kind kind)
{
    size_t own = kind == TCP_CHUNK_SMALL ? TCP_SMALL_LEN : 0;
    struct tcp_chunk *k = mem_zalloc(sizeof(*k) + own);
    k->kind = kind;
    if (kind == TCP_CHUNK_LARGE) {
        k->large = mem_alloc(TCP_CHUNK_LEN);
        k->data = k->large;
        k->cap = TCP_CHUNK_LEN;
    } else if (kind == TCP_CHUNK_SMALL) {
        k->data = k->small;
        k->cap = TCP_SMALL_LEN;
    }
    return k;
}

/* An empty chunk of a kind. */
static struct tcp_chunk *tcp_pool_take(struct tcp_pool *p,
                                       enum tcp_chunk_kind kind)
{
    struct tcp_chunk *k = TAILQ_FIRST(&p->free[kind]);
    if (!k) {
        return tcp_chunk_new(kind);
    }
    TAILQ_REMOVE(&p->free[kind], k, next);
    p->n_free[kind]--;
    k->start = 0;
    k->end = 0;
    return k;
}

/* A chunk comes back. */
static void tcp_pool_give(struct tcp_pool *p, struct tcp_chunk *k)
{
    bool is_large = k->kind == TCP_CHUNK_LARGE;
    if (p->n_free[k->kind] >= (is_large ? TCP_POOL_LARGE : TCP_POOL_SMALL)) {
        tcp_chunk_free(k);
        return;
    }
    TAILQ_INSERT_HEAD(&p->free[k->kind], k, next);
    p->n_free[k->kind]++;
}

/* Nothing to send. */
void tcp_queue_init(struct tcp_queue *q, struct tcp_pool *pool)
{
    q->pool = pool;
    q->max = TCP_WRITE_MAX;
    TAILQ_INIT(&q->chunks);
    q->n_ranges = 0;
    q->memory = 0;
}

/* Takes the first chunk off, then tells its owner: the release may do anything
 * to the queue. */
static void tcp_queue_pop(struct tcp_queue *q)
{
    struct tcp_chunk *k = TAILQ_FIRST(&q->chunks);
    TAILQ_REMOVE(&q->chunks, k, next);
    q->memory -= tcp_chunk_memory(k);
    bool is_file = k->kind == TCP_CHUNK_FILE;
    struct tcp_file f = k->file;
    q->n_ranges -= is_file;
    tcp_pool_give(q->pool, k);
    if (is_file && f.release) {
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
    k = tcp_pool_take(q->pool, small ? TCP_CHUNK_SMALL : TCP_CHUNK_LARGE);
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
        struct tcp_chunk *k = tcp_pool_take(q->pool, TCP_CHUNK_BORROWED);
        k->data = data.p;
        k->end = data.len;
        tcp_queue_add(q, k);
    }
    return 0;
}

/* Remembers the range. */
int tcp_queue_put_file(struct tcp_queue *q, const struct tcp_file *f)
{
    if (!tcp_queue_has_room(q, 0)) {
        return BTC_E_LIMIT;
    }
    struct tcp_chunk *k = tcp_pool_take(q->pool, TCP_CHUNK_FILE);
    k->file = *f;
    q->n_ranges++;
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
    for (; k && k->kind != TCP_CHUNK_FILE && msg.msg_iovlen < TCP_QUEUE_IOV;
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
            if (rc == 0) {
                return ENODATA;
            }
            return errno;
        }
        *n = (size_t)rc;
        k->file.len -= *n;
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
        if (TAILQ_FIRST(&q->chunks)->kind == TCP_CHUNK_FILE) {
            rc = tcp_queue_send_file(q, fd, &n);
        } else {
            rc = tcp_queue_send_bytes(q, fd, &n);
        }
        done += n;
        if (rc == EINTR) {
            rc = 0;
        }
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

bool tcp_queue_is_long(const struct tcp_queue *q)
{
    return q->n_ranges > 1;
}

/* No file ranges: their release must not come in the middle of a close. */
void tcp_queue_write_last(struct tcp_queue *q, int fd)
{
    struct tcp_chunk *k = TAILQ_FIRST(&q->chunks);
    if (k && k->kind != TCP_CHUNK_FILE) {
        size_t n = 0;
        (void)tcp_queue_send_bytes(q, fd, &n);
    }
}
