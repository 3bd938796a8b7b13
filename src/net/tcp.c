/* TCP connections over uv_poll.
 *
 * A connection is `connecting`, `open`, then `dead`; dead ones wait for their
 * handle's close callback, which frees them, so a pointer stays good until the
 * turn ends, whatever a callback does.
 *
 * Whatever changes what a connection wants (bytes queued, reading stopped or
 * granted, a write that may go on, a failure noticed in a place that must not
 * call out) puts it on the host's dirty list. The hook at the end of the turn
 * goes through that list: it writes, calls a release or on_close, and then asks
 * libuv for other events when they differ. So a turn costs a connection
 * one write and at most one change of its events, however many calls were made.
 */
#include "net/host.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "net/socket.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define TCP_READS_MAX  4          /* recv calls per event: be fair to others */
#define TCP_WRITE_TURN (1u << 20) /* bytes per turn, likewise */

enum tcp_state {
    TCP_CONNECTING,
    TCP_OPEN,
    TCP_DEAD
};

struct tcp_conn {
    uv_poll_t poll;
    struct tcp_host *host; /* borrows; not to be touched when dead */
    int fd;
    enum tcp_state state;
    struct addr remote;
    struct tcp_callbacks cb;
    void *ctx;            /* borrows */
    int events;           /* what uv_poll watches now; 0 = stopped */
    int failed;           /* a code that on_close is to get */
    bool is_dirty;        /* on the host's dirty list */
    bool is_full;         /* the socket took no more; wait for writable */
    uint64_t grant;       /* bytes that may be read; UINT64_MAX unlimited */
    bool is_waiting;      /* on the host's list: bytes are queued */
    uint64_t deadline_ms; /* while connecting or waiting */
    struct tcp_queue queue;
    TAILQ_ENTRY(tcp_conn) open_link, deadline_link, dirty_link;
};

/* The hook will look at it. */
static void tcp_mark_dirty(struct tcp_conn *c)
{
    if (!c->is_dirty && c->state != TCP_DEAD) {
        c->is_dirty = true;
        TAILQ_INSERT_TAIL(&c->host->dirty, c, dirty_link);
        c->host->n_dirty++;
    }
}

/* Off the dirty list. */
static void tcp_unmark_dirty(struct tcp_conn *c)
{
    if (c->is_dirty) {
        c->is_dirty = false;
        TAILQ_REMOVE(&c->host->dirty, c, dirty_link);
        c->host->n_dirty--;
    }
}

/* Waits no longer for the other side to read. */
static void tcp_unwait(struct tcp_conn *c)
{
    if (c->is_waiting) {
        c->is_waiting = false;
        TAILQ_REMOVE(&c->host->waiting, c, deadline_link);
    }
}

/* The handle has closed: the memory goes. */
static void tcp_on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Dead from here on: off all lists, socket closed, ranges released. */
static void tcp_kill(struct tcp_conn *c)
{
    struct tcp_host *h = c->host;
    tcp_unmark_dirty(c);
    tcp_unwait(c);
    if (c->state == TCP_CONNECTING) {
        TAILQ_REMOVE(&h->connecting, c, deadline_link);
    }
    TAILQ_REMOVE(&h->open, c, open_link);
    c->state = TCP_DEAD;
    uv_close((uv_handle_t *)&c->poll, tcp_on_closed);
    (void)close(c->fd);
    c->fd = -1;
    tcp_queue_drop(&c->queue);
}

/* Dead by itself: tells the owner, unless the release of a range has made him
 * close it. */
static void tcp_fail(struct tcp_conn *c, int err)
{
    tcp_kill(c);
    if (c->cb.on_close) {
        c->cb.on_close(c->ctx, err);
    }
}

/* What libuv should watch for. */
static int tcp_wanted_events(const struct tcp_conn *c)
{
    if (c->state == TCP_CONNECTING) {
        return UV_WRITABLE;
    }
    int events = 0;
    if (c->grant > 0) {
        events |= UV_READABLE;
    }
    if (c->is_full) {
        events |= UV_WRITABLE;
    }
    return events;
}

/* One read, at most what is granted. False when the event is done with. */
static bool tcp_read_once(struct tcp_conn *c, int *err)
{
    size_t want = c->grant < TCP_SCRATCH ? (size_t)c->grant : TCP_SCRATCH;
    uint8_t *scratch = c->host->scratch;
    ssize_t n;
    do {
        n = recv(c->fd, scratch, want, 0);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        if (n == 0) {
            *err = BTC_E_CLOSED;
        } else if (errno != EAGAIN) {
            *err = tcp_socket_err(errno);
        }
        return false;
    }
    if (c->grant != UINT64_MAX) {
        c->grant -= (uint64_t)n;
    }
    if (c->cb.on_data) {
        c->cb.on_data(c->ctx, slice_of(scratch, (size_t)n));
    }
    return (size_t)n == want;
}

/* Readable: a few reads. A short one has emptied the socket, and if not, libuv
 * says so again. */
static void tcp_on_readable(struct tcp_conn *c)
{
    int err = 0;
    for (int i = 0; i < TCP_READS_MAX; i++) {
        bool more = tcp_read_once(c, &err);
        if (c->state == TCP_DEAD) {
            return;
        }
        if (!more || c->grant == 0) {
            break;
        }
    }
    if (err != 0) {
        tcp_fail(c, err);
    } else if (c->grant == 0) {
        tcp_mark_dirty(c);
    }
}

/* The socket has an error and libuv watches it no more. What came before the
 * error is still read: a peer that left may have sent its last blocks. */
static void tcp_on_broken(struct tcp_conn *c)
{
    int err = tcp_socket_take_err(c->fd, BTC_E_CLOSED);
    int end = 0;
    while (end == 0 && c->grant > 0) {
        bool more = tcp_read_once(c, &end);
        if (c->state == TCP_DEAD) {
            return;
        }
        if (!more && end == 0) {
            break;
        }
    }
    tcp_fail(c, err);
}

/* The handshake of TCP is over, one way or the other. */
static void tcp_on_connected(struct tcp_conn *c)
{
    int err = tcp_socket_take_err(c->fd, 0);
    if (err != 0) {
        tcp_fail(c, err);
        return;
    }
    TAILQ_REMOVE(&c->host->connecting, c, deadline_link);
    c->state = TCP_OPEN;
    pace_decide(&c->host->pace, c->fd);
    tcp_mark_dirty(c);
    if (c->cb.on_open) {
        c->cb.on_open(c->ctx);
    }
}

/* Something happened on the socket. */
static void tcp_on_poll(uv_poll_t *poll, int status, int events)
{
    struct tcp_conn *c = poll->data;
    if (status < 0) {
        c->events = 0; /* libuv has stopped the handle */
    }
    if (c->state == TCP_CONNECTING) {
        tcp_on_connected(c);
        return;
    }
    if (status < 0) {
        tcp_on_broken(c);
        return;
    }
    if (events & UV_WRITABLE) {
        c->is_full = false;
        tcp_mark_dirty(c);
    }
    if (events & UV_READABLE) {
        tcp_on_readable(c);
    }
}

/* Tells libuv, when it has to know. */
static void tcp_update_events(struct tcp_conn *c)
{
    int events = tcp_wanted_events(c);
    if (events == c->events) {
        return;
    }
    c->events = events;
    int rc = events ? uv_poll_start(&c->poll, events, tcp_on_poll)
                    : uv_poll_stop(&c->poll);
    BTC_ASSERT(rc == 0);
}

static void tcp_on_timer(uv_timer_t *timer);

/* Arms the timer for the connection that has waited longest. */
static void tcp_arm_timer(struct tcp_host *h)
{
    struct tcp_conn *c = TAILQ_FIRST(&h->connecting);
    struct tcp_conn *w = TAILQ_FIRST(&h->waiting);
    if (!c || (w && w->deadline_ms < c->deadline_ms)) {
        c = w;
    }
    if (c && c->deadline_ms < h->timer_ms) {
        uint64_t now = loop_now_ms(h->loop);
        h->timer_ms = c->deadline_ms;
        (void)uv_timer_start(&h->timer, tcp_on_timer,
                             num_sub_u64(h->timer_ms, now), 0);
    }
}

/* Those of a list that waited too long. */
static void tcp_expire(struct tcp_list *list, uint64_t now)
{
    struct tcp_conn *c = TAILQ_FIRST(list);
    while (c && c->deadline_ms <= now) {
        tcp_fail(c, BTC_E_TIMEOUT);
        c = TAILQ_FIRST(list);
    }
}

/* The armed time has come. */
static void tcp_on_timer(uv_timer_t *timer)
{
    struct tcp_host *h = timer->data;
    uint64_t now = loop_now_ms(h->loop);
    h->timer_ms = UINT64_MAX;
    tcp_expire(&h->connecting, now);
    tcp_expire(&h->waiting, now);
    tcp_arm_timer(h);
}

/* What is queued must go on to leave. */
static void tcp_await(struct tcp_conn *c, bool moved)
{
    struct tcp_host *h = c->host;
    bool waits = !TAILQ_EMPTY(&c->queue.chunks);
    if (waits == c->is_waiting && !moved) {
        return;
    }
    tcp_unwait(c);
    if (waits && c->state == TCP_OPEN) {
        uint32_t ms = h->options.stall_ms;
        c->is_waiting = true;
        c->deadline_ms = loop_now_ms(h->loop) + (ms ? ms : TCP_STALL_MS);
        TAILQ_INSERT_TAIL(&h->waiting, c, deadline_link);
        tcp_arm_timer(h);
    }
}

/* Sends what the socket takes; *sent grows by it. False: the release of a range
 * has closed it. */
static bool tcp_write(struct tcp_conn *c, uint64_t *sent)
{
    bool corked = tcp_queue_is_long(&c->queue);
    if (corked) {
        tcp_socket_cork(c->fd, true);
    }
    c->failed = tcp_queue_write(&c->queue, c->fd, TCP_WRITE_TURN, sent);
    if (corked && c->state != TCP_DEAD) {
        tcp_socket_cork(c->fd, false);
    }
    return c->state != TCP_DEAD;
}

/* The end of the turn for one connection. True when it called out. */
static bool tcp_flush(struct tcp_conn *c)
{
    bool had = !TAILQ_EMPTY(&c->queue.chunks);
    uint32_t ranges = c->queue.n_ranges;
    uint64_t sent = 0;
    if (c->failed == 0 && c->state == TCP_OPEN && had && !c->is_full) {
        if (!tcp_write(c, &sent)) {
            return true;
        }
        c->is_full = !TAILQ_EMPTY(&c->queue.chunks);
    }
    if (c->failed != 0) {
        tcp_fail(c, c->failed);
        return true;
    }
    tcp_update_events(c);
    tcp_await(c, sent > 0);
    return ranges > 0 && TAILQ_EMPTY(&c->queue.chunks);
}

/* What the callbacks make dirty has the next turn. */
bool tcp_on_turn_end(void *ctx)
{
    struct tcp_host *h = ctx;
    bool called_out = false;
    for (size_t n = h->n_dirty; n > 0 && !TAILQ_EMPTY(&h->dirty); n--) {
        struct tcp_conn *c = TAILQ_FIRST(&h->dirty);
        tcp_unmark_dirty(c);
        called_out |= tcp_flush(c);
    }
    return called_out;
}

/* A connection around a socket; on failure the socket is closed. */
static struct tcp_conn *tcp_new(struct tcp_host *h, int fd,
                                const struct addr *remote, enum tcp_state state)
{
    struct tcp_conn *c = mem_zalloc(sizeof(*c));
    if (uv_poll_init(loop_uv(h->loop), &c->poll, fd) != 0) {
        (void)close(fd);
        free(c);
        return NULL;
    }
    c->poll.data = c;
    c->host = h;
    c->fd = fd;
    c->state = state;
    c->remote = *remote;
    c->grant = UINT64_MAX;
    tcp_queue_init(&c->queue, &h->pool);
    TAILQ_INSERT_TAIL(&h->open, c, open_link);
    tcp_mark_dirty(c);
    return c;
}

/* An accepted socket. */
struct tcp_conn *tcp_adopt(struct tcp_host *h, int fd,
                           const struct addr *remote)
{
    tcp_socket_tune(fd);
    pace_decide(&h->pace, fd);
    return tcp_new(h, fd, remote, TCP_OPEN);
}

/* Nobody would ever read from it. */
void tcp_close_unowned(struct tcp_conn *c)
{
    if (!c->cb.on_data && !c->cb.on_close) {
        tcp_close(c);
    }
}

/* The socket, connecting. 0; REFUSED and the like come later by on_close. */
static int tcp_start_connect(struct tcp_host *h, const struct addr *to, int *fd,
                             int *refused)
{
    struct err e = {0};
    if (to->family == ADDR_NONE ||
        !tcp_socket_has_family(&h->options, to->family)) {
        return BTC_E_NETWORK;
    }
    int rc = tcp_socket_new_bound(&h->options, to->family, fd, &e);
    if (rc != 0) {
        log_write(h->warned ? LOG_DEBUG : LOG_WARN, "conn", "%s", e.msg);
        h->warned = true;
        return rc;
    }
    h->warned = false;
    pace_defer(&h->pace, *fd);
    return tcp_socket_connect(*fd, to, refused);
}

/* Starts connecting. */
struct tcp_conn *tcp_connect(struct tcp_host *h, const struct addr *to,
                             const struct tcp_callbacks *cb, void *ctx,
                             int *err_code)
{
    int fd = -1;
    int refused = 0;
    *err_code = tcp_start_connect(h, to, &fd, &refused);
    if (*err_code != 0) {
        return NULL;
    }
    struct tcp_conn *c = tcp_new(h, fd, to, TCP_CONNECTING);
    if (!c) {
        *err_code = BTC_E_LIMIT;
        return NULL;
    }
    uint32_t wait = h->options.connect_ms;
    tcp_set_callbacks(c, cb, ctx);
    c->failed = refused;
    c->deadline_ms = loop_now_ms(h->loop) + (wait ? wait : TCP_CONNECT_MS);
    TAILQ_INSERT_TAIL(&h->connecting, c, deadline_link);
    tcp_arm_timer(h);
    return c;
}

/* The owner from now on. */
void tcp_set_callbacks(struct tcp_conn *c, const struct tcp_callbacks *cb,
                       void *ctx)
{
    c->cb = *cb;
    c->ctx = ctx;
}

/* Closes without a callback. What was queued in this turn gets one try. */
void tcp_close(struct tcp_conn *c)
{
    if (!c) {
        return;
    }
    c->cb = (struct tcp_callbacks){.on_open = NULL};
    if (c->state == TCP_DEAD) {
        return;
    }
    if (c->state == TCP_OPEN && c->failed == 0 && !c->is_full) {
        tcp_queue_write_last(&c->queue, c->fd);
    }
    tcp_kill(c);
}

/* The other end. */
const struct addr *tcp_remote(const struct tcp_conn *c)
{
    return &c->remote;
}

bool tcp_is_open(const struct tcp_conn *c)
{
    return c->state == TCP_OPEN;
}

/* Goes at the end of the turn. */
void tcp_send(struct tcp_conn *c, struct slice data)
{
    if (c->state != TCP_DEAD && c->failed == 0) {
        c->failed = tcp_queue_put(&c->queue, data);
        tcp_mark_dirty(c);
    }
}

/* The same for what need not be copied. */
void tcp_send_const(struct tcp_conn *c, struct slice data)
{
    if (c->state != TCP_DEAD && c->failed == 0) {
        c->failed = tcp_queue_put_const(&c->queue, data);
        tcp_mark_dirty(c);
    }
}

void tcp_set_write_max(struct tcp_conn *c, size_t bytes)
{
    c->queue.max = bytes;
}

/* The same for a range of a file. */
void tcp_send_file(struct tcp_conn *c, const struct tcp_file *f)
{
    int rc = BTC_E_CLOSED;
    if (c->state != TCP_DEAD && c->failed == 0) {
        rc = tcp_queue_put_file(&c->queue, f);
        c->failed = rc;
        tcp_mark_dirty(c);
    }
    if (rc != 0 && f->release) {
        f->release(f->ctx, f->arg);
    }
}

/* Replaces what was left of the last grant. */
void tcp_grant_read(struct tcp_conn *c, uint64_t bytes)
{
    c->grant = bytes;
    tcp_mark_dirty(c);
}
