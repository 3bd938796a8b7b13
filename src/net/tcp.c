/* TCP connections over uv_poll.
 *
 * A connection is `connecting`, `open`, then `dead`; dead ones wait for their
 * handle's close callback, which frees them, so a pointer stays good until the
 * turn ends, whatever a callback does.
 *
 * Whatever changes what a connection wants (bytes queued, reading stopped or
 * granted, a write that may go on, a failure noticed in a place that must not
 * call out) puts it on the host's dirty list. The hook at the end of the turn
 * goes through that list: it writes, calls on_drained or on_close, and then
 * asks libuv for other events when they differ. So a turn costs a connection
 * one write and at most one change of its events, however many calls were made.
 */
#include "net/host.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/socket.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONN_READS_MAX  4          /* recv calls per event: be fair to others */
#define CONN_WRITE_TURN (1u << 20) /* bytes per turn, likewise */

enum conn_state {
    CONN_CONNECTING,
    CONN_OPEN,
    CONN_DEAD
};

struct conn {
    uv_poll_t poll;
    struct conn_host *host; /* borrows; not to be touched when dead */
    int fd;
    enum conn_state state;
    struct addr remote;
    struct conn_callbacks cb;
    void *ctx;            /* borrows */
    int events;           /* what uv_poll watches now; 0 = stopped */
    int failed;           /* a code that on_close is to get */
    bool is_dirty;        /* on the host's dirty list */
    bool is_paused;       /* conn_pause_read */
    bool is_full;         /* the socket took no more; wait for writable */
    uint64_t grant;       /* bytes that may be read; UINT64_MAX unlimited */
    uint64_t sent;        /* since conn_take_sent */
    bool is_waiting;      /* on the host's list: bytes are queued */
    uint64_t deadline_ms; /* while connecting or waiting */
    struct conn_queue queue;
    TAILQ_ENTRY(conn) open_link, deadline_link, dirty_link;
};

/* The hook will look at it. */
static void conn_mark_dirty(struct conn *c)
{
    if (!c->is_dirty && c->state != CONN_DEAD) {
        c->is_dirty = true;
        TAILQ_INSERT_TAIL(&c->host->dirty, c, dirty_link);
        c->host->n_dirty++;
    }
}

/* Off the dirty list. */
static void conn_unmark_dirty(struct conn *c)
{
    if (c->is_dirty) {
        c->is_dirty = false;
        TAILQ_REMOVE(&c->host->dirty, c, dirty_link);
        c->host->n_dirty--;
    }
}

/* Waits no longer for the other side to read. */
static void conn_unwait(struct conn *c)
{
    if (c->is_waiting) {
        c->is_waiting = false;
        TAILQ_REMOVE(&c->host->waiting, c, deadline_link);
    }
}

/* The handle has closed: the memory goes. */
static void conn_on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Dead from here on: off all lists, socket closed, ranges released. */
static void conn_kill(struct conn *c)
{
    struct conn_host *h = c->host;
    conn_unmark_dirty(c);
    conn_unwait(c);
    if (c->state == CONN_CONNECTING) {
        TAILQ_REMOVE(&h->connecting, c, deadline_link);
    }
    TAILQ_REMOVE(&h->open, c, open_link);
    c->state = CONN_DEAD;
    uv_close((uv_handle_t *)&c->poll, conn_on_closed);
    (void)close(c->fd);
    c->fd = -1;
    conn_queue_drop(&c->queue);
}

/* Dead by itself: tells the owner, unless the release of a range has made him
 * close it. */
static void conn_fail(struct conn *c, int err)
{
    conn_kill(c);
    if (c->cb.on_close) {
        c->cb.on_close(c->ctx, err);
    }
}

/* What libuv should watch for. */
static int conn_wanted_events(const struct conn *c)
{
    if (c->state == CONN_CONNECTING) {
        return UV_WRITABLE;
    }
    int events = 0;
    if (!c->is_paused && c->grant > 0) {
        events |= UV_READABLE;
    }
    if (c->is_full) {
        events |= UV_WRITABLE;
    }
    return events;
}

/* One read, at most what is granted. False when the event is done with. */
static bool conn_read_once(struct conn *c, int *err)
{
    size_t want = c->grant < CONN_SCRATCH ? (size_t)c->grant : CONN_SCRATCH;
    uint8_t *scratch = c->host->scratch;
    ssize_t n;
    do {
        n = recv(c->fd, scratch, want, 0);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        if (n == 0) {
            *err = BTC_E_CLOSED;
        } else if (errno != EAGAIN) {
            *err = conn_socket_err(errno);
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
static void conn_on_readable(struct conn *c)
{
    int err = 0;
    for (int i = 0; i < CONN_READS_MAX; i++) {
        bool more = conn_read_once(c, &err);
        if (c->state == CONN_DEAD) {
            return;
        }
        if (!more || c->is_paused || c->grant == 0) {
            break;
        }
    }
    if (err != 0) {
        conn_fail(c, err);
    } else if (c->is_paused || c->grant == 0) {
        conn_mark_dirty(c);
    }
}

/* The socket has an error and libuv watches it no more. What came before the
 * error is still read: a peer that left may have sent its last blocks. */
static void conn_on_broken(struct conn *c)
{
    int err = conn_socket_take_err(c->fd, BTC_E_CLOSED);
    int end = 0;
    while (end == 0 && !c->is_paused && c->grant > 0) {
        bool more = conn_read_once(c, &end);
        if (c->state == CONN_DEAD) {
            return;
        }
        if (!more && end == 0) {
            break;
        }
    }
    conn_fail(c, err);
}

/* The handshake of TCP is over, one way or the other. */
static void conn_on_connected(struct conn *c)
{
    int err = conn_socket_take_err(c->fd, 0);
    if (err != 0) {
        conn_fail(c, err);
        return;
    }
    TAILQ_REMOVE(&c->host->connecting, c, deadline_link);
    c->state = CONN_OPEN;
    conn_mark_dirty(c);
    if (c->cb.on_open) {
        c->cb.on_open(c->ctx);
    }
}

/* Something happened on the socket. */
static void conn_on_poll(uv_poll_t *poll, int status, int events)
{
    struct conn *c = poll->data;
    if (status < 0) {
        c->events = 0; /* libuv has stopped the handle */
    }
    if (c->state == CONN_CONNECTING) {
        conn_on_connected(c);
        return;
    }
    if (status < 0) {
        conn_on_broken(c);
        return;
    }
    if (events & UV_WRITABLE) {
        c->is_full = false;
        conn_mark_dirty(c);
    }
    if (events & UV_READABLE) {
        conn_on_readable(c);
    }
}

/* Tells libuv, when it has to know. */
static void conn_update_events(struct conn *c)
{
    int events = conn_wanted_events(c);
    if (events == c->events) {
        return;
    }
    c->events = events;
    int rc = events ? uv_poll_start(&c->poll, events, conn_on_poll)
                    : uv_poll_stop(&c->poll);
    BTC_ASSERT(rc == 0);
}

static void conn_on_timer(uv_timer_t *timer);

/* Arms the timer for the connection that has waited longest. */
static void conn_arm_timer(struct conn_host *h)
{
    struct conn *c = TAILQ_FIRST(&h->connecting);
    struct conn *w = TAILQ_FIRST(&h->waiting);
    if (!c || (w && w->deadline_ms < c->deadline_ms)) {
        c = w;
    }
    if (c && c->deadline_ms < h->timer_ms) {
        uint64_t now = loop_now_ms(h->loop);
        h->timer_ms = c->deadline_ms;
        (void)uv_timer_start(&h->timer, conn_on_timer,
                             h->timer_ms > now ? h->timer_ms - now : 0, 0);
    }
}

/* Those of a list that waited too long. */
static void conn_expire(struct conn_list *list, uint64_t now)
{
    struct conn *c = TAILQ_FIRST(list);
    while (c && c->deadline_ms <= now) {
        conn_fail(c, BTC_E_TIMEOUT);
        c = TAILQ_FIRST(list);
    }
}

/* The armed time has come. */
static void conn_on_timer(uv_timer_t *timer)
{
    struct conn_host *h = timer->data;
    uint64_t now = loop_now_ms(h->loop);
    h->timer_ms = UINT64_MAX;
    conn_expire(&h->connecting, now);
    conn_expire(&h->waiting, now);
    conn_arm_timer(h);
}

/* What is queued must go on to leave. */
static void conn_await(struct conn *c, bool moved)
{
    struct conn_host *h = c->host;
    bool waits = !TAILQ_EMPTY(&c->queue.chunks);
    if (waits == c->is_waiting && !moved) {
        return;
    }
    conn_unwait(c);
    if (waits && c->state == CONN_OPEN) {
        uint32_t ms = h->options.stall_ms;
        c->is_waiting = true;
        c->deadline_ms = loop_now_ms(h->loop) + (ms ? ms : CONN_STALL_MS);
        TAILQ_INSERT_TAIL(&h->waiting, c, deadline_link);
        conn_arm_timer(h);
    }
}

/* The end of the turn for one connection. True when it called out. */
static bool conn_flush(struct conn *c)
{
    bool had = !TAILQ_EMPTY(&c->queue.chunks);
    uint64_t sent = c->sent;
    if (c->failed == 0 && c->state == CONN_OPEN && had && !c->is_full) {
        c->failed =
            conn_queue_write(&c->queue, c->fd, CONN_WRITE_TURN, &c->sent);
        if (c->state == CONN_DEAD) {
            return true; /* closed by a release */
        }
        c->is_full = !TAILQ_EMPTY(&c->queue.chunks);
    }
    if (c->failed != 0) {
        conn_fail(c, c->failed);
        return true;
    }
    conn_update_events(c);
    conn_await(c, c->sent != sent);
    if (had && c->state == CONN_OPEN && TAILQ_EMPTY(&c->queue.chunks)) {
        if (c->cb.on_drained) {
            c->cb.on_drained(c->ctx);
        }
        return true;
    }
    return false;
}

/* The end of the turn. What the callbacks make dirty has the next turn. */
static bool conn_on_turn_end(void *ctx)
{
    struct conn_host *h = ctx;
    bool called_out = false;
    for (size_t n = h->n_dirty; n > 0 && !TAILQ_EMPTY(&h->dirty); n--) {
        struct conn *c = TAILQ_FIRST(&h->dirty);
        conn_unmark_dirty(c);
        called_out |= conn_flush(c);
    }
    return called_out;
}

/* A host without connections. */
struct conn_host *conn_host_new(struct loop *l,
                                const struct conn_host_options *o)
{
    struct conn_host *h = mem_zalloc(sizeof(*h));
    h->loop = l;
    h->options = *o;
    h->scratch = mem_alloc(CONN_SCRATCH);
    conn_pool_init(&h->pool);
    TAILQ_INIT(&h->open);
    TAILQ_INIT(&h->connecting);
    TAILQ_INIT(&h->waiting);
    h->timer_ms = UINT64_MAX;
    TAILQ_INIT(&h->dirty);
    TAILQ_INIT(&h->listeners);
    h->hook = (struct loop_hook){.fn = conn_on_turn_end, .ctx = h};
    loop_add_hook(l, &h->hook);
    (void)uv_timer_init(loop_uv(l), &h->timer);
    h->timer.data = h;
    return h;
}

/* The timer has closed; so have the connections, or they will without us. */
static void conn_host_on_closed(uv_handle_t *handle)
{
    struct conn_host *h = handle->data;
    conn_pool_fini(&h->pool);
    free(h->scratch);
    free(h);
}

/* Closes all; no owner is called but for its file ranges. */
void conn_host_free(struct conn_host *h)
{
    if (!h) {
        return;
    }
    while (!TAILQ_EMPTY(&h->listeners)) {
        conn_listener_close(TAILQ_FIRST(&h->listeners));
    }
    while (!TAILQ_EMPTY(&h->open)) {
        conn_close(TAILQ_FIRST(&h->open));
    }
    loop_remove_hook(h->loop, &h->hook);
    uv_close((uv_handle_t *)&h->timer, conn_host_on_closed);
}

/* A connection around a socket; on failure the socket is closed. */
static struct conn *conn_new(struct conn_host *h, int fd,
                             const struct addr *remote, enum conn_state state)
{
    struct conn *c = mem_zalloc(sizeof(*c));
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
    conn_queue_init(&c->queue, &h->pool);
    TAILQ_INSERT_TAIL(&h->open, c, open_link);
    conn_mark_dirty(c);
    return c;
}

/* An accepted socket. */
struct conn *conn_adopt(struct conn_host *h, int fd, const struct addr *remote)
{
    conn_socket_set_nodelay(fd);
    return conn_new(h, fd, remote, CONN_OPEN);
}

/* Nobody would ever read from it. */
void conn_close_unowned(struct conn *c)
{
    if (!c->cb.on_data && !c->cb.on_close) {
        conn_close(c);
    }
}

/* The socket, connecting. 0; REFUSED and the like come later by on_close. */
static int conn_start_connect(struct conn_host *h, const struct addr *to,
                              int *fd, int *refused)
{
    struct err e = {0};
    struct sockaddr_storage ss;
    if (to->family == ADDR_NONE ||
        !conn_socket_has_family(&h->options, to->family)) {
        return BTC_E_NETWORK;
    }
    int rc = conn_socket_new_bound(&h->options, to->family, fd, &e);
    if (rc != 0) {
        log_write(h->warned ? LOG_DEBUG : LOG_WARN, "conn", "%s", e.msg);
        h->warned = true;
        return rc;
    }
    h->warned = false;
    size_t len = addr_to_sockaddr(to, &ss);
    if (connect(*fd, (struct sockaddr *)&ss, (socklen_t)len) == 0 ||
        errno == EINPROGRESS || errno == EINTR) {
        return 0;
    }
    rc = conn_socket_err(errno);
    if (rc == BTC_E_NETWORK || rc == BTC_E_LIMIT) {
        (void)close(*fd);
        return rc;
    }
    *refused = rc;
    return 0;
}

/* Starts connecting. */
struct conn *conn_connect(struct conn_host *h, const struct addr *to,
                          const struct conn_callbacks *cb, void *ctx,
                          int *err_code)
{
    int fd = -1;
    int refused = 0;
    *err_code = conn_start_connect(h, to, &fd, &refused);
    if (*err_code != 0) {
        return NULL;
    }
    struct conn *c = conn_new(h, fd, to, CONN_CONNECTING);
    if (!c) {
        *err_code = BTC_E_LIMIT;
        return NULL;
    }
    uint32_t wait = h->options.connect_ms;
    conn_set_callbacks(c, cb, ctx);
    c->failed = refused;
    c->deadline_ms = loop_now_ms(h->loop) + (wait ? wait : CONN_CONNECT_MS);
    TAILQ_INSERT_TAIL(&h->connecting, c, deadline_link);
    conn_arm_timer(h);
    return c;
}

/* The owner from now on. */
void conn_set_callbacks(struct conn *c, const struct conn_callbacks *cb,
                        void *ctx)
{
    c->cb = *cb;
    c->ctx = ctx;
}

/* Closes without a callback. What was queued in this turn gets one try. */
void conn_close(struct conn *c)
{
    if (!c) {
        return;
    }
    c->cb = (struct conn_callbacks){.on_open = NULL};
    if (c->state == CONN_DEAD) {
        return;
    }
    if (c->state == CONN_OPEN && c->failed == 0 && !c->is_full) {
        conn_queue_write_last(&c->queue, c->fd);
    }
    conn_kill(c);
}

/* The other end. */
const struct addr *conn_remote(const struct conn *c)
{
    return &c->remote;
}

/* See conn.h. */
bool conn_is_open(const struct conn *c)
{
    return c->state == CONN_OPEN;
}

/* Our end; NONE when closed. */
struct addr conn_local(const struct conn *c)
{
    return conn_socket_local(c->fd);
}

/* Goes at the end of the turn. */
void conn_send(struct conn *c, struct slice data)
{
    if (c->state != CONN_DEAD && c->failed == 0) {
        c->failed = conn_queue_put(&c->queue, data);
        conn_mark_dirty(c);
    }
}

/* The same for what need not be copied. */
void conn_send_const(struct conn *c, struct slice data)
{
    if (c->state != CONN_DEAD && c->failed == 0) {
        c->failed = conn_queue_put_const(&c->queue, data);
        conn_mark_dirty(c);
    }
}

/* See conn.h. */
void conn_set_write_max(struct conn *c, size_t bytes)
{
    c->queue.max = bytes;
}

/* The same for a range of a file. */
void conn_send_file(struct conn *c, const struct conn_file *f)
{
    int rc = BTC_E_CLOSED;
    if (c->state != CONN_DEAD && c->failed == 0) {
        rc = conn_queue_put_file(&c->queue, f);
        c->failed = rc;
        conn_mark_dirty(c);
    }
    if (rc != 0 && f->release) {
        f->release(f->ctx, f->arg);
    }
}

/* Not yet with the kernel. */
size_t conn_queued(const struct conn *c)
{
    return c->queue.queued;
}

/* Counts anew. */
uint64_t conn_take_sent(struct conn *c)
{
    uint64_t sent = c->sent;
    c->sent = 0;
    return sent;
}

/* No on_data from here on, not in this event either. */
void conn_pause_read(struct conn *c)
{
    c->is_paused = true;
    conn_mark_dirty(c);
}

/* Reads again when there is a grant. */
void conn_resume_read(struct conn *c)
{
    c->is_paused = false;
    conn_mark_dirty(c);
}

/* Replaces what was left of the last grant. */
void conn_grant_read(struct conn *c, uint64_t bytes)
{
    c->grant = bytes;
    conn_mark_dirty(c);
}
