/* The event loop over libuv.
 *
 * One turn: timers, then the prepare phase (the idle fn, then the hooks), then
 * the poll that may sleep, then its callbacks. The prepare phase is the last
 * thing before the sleep, so what a callback of the poll or a timer gathered is
 * always flushed there. libuv computes how long to sleep after it, so a timer
 * armed in it counts. A hook that called out keeps the `again` idle handle
 * active, which makes libuv poll without sleeping.
 */
#include "net/loop.h"

#include "base/limit.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

/* Descriptors that libuv opens for a loop, and a few more: it aborts without a
 * word when there is none for its pipe of signals. */
#define LOOP_FILES 8

struct loop {
    uv_loop_t uv;
    uv_timer_t timer;
    uv_prepare_t prepare;
    uv_idle_t again;             /* active: the next poll does not sleep */
    uint64_t armed_at;           /* UINT64_MAX: not armed */
    bool in_timer;               /* inside timer_fn */
    loop_fn *timer_fn;           /* NULL: none */
    void *timer_ctx;             /* borrows */
    loop_fn *idle_fn;            /* NULL: none */
    void *idle_ctx;              /* borrows */
    struct loop_hook *hooks;     /* borrows; in order of addition */
    struct loop_hook *next_hook; /* the one to run next while running */
};

struct loop_wakeup {
    uv_async_t async;
    loop_fn *fn;
    void *ctx; /* borrows */
};

struct loop_timer {
    uv_timer_t timer;
    struct loop *loop; /* borrows */
    uint64_t armed_at; /* UINT64_MAX: not armed */
    loop_fn *fn;
    void *ctx; /* borrows */
};

/* Its being active is all that the handle is for. */
static void loop_on_again(uv_idle_t *handle)
{
    (void)handle;
}

/* The last thing before the loop sleeps. */
static void loop_on_prepare(uv_prepare_t *handle)
{
    struct loop *l = handle->data;
    bool again = false;
    if (l->idle_fn) {
        l->idle_fn(l->idle_ctx);
    }
    for (struct loop_hook *h = l->hooks; h; h = l->next_hook) {
        l->next_hook = h->next;
        again |= h->fn(h->ctx);
    }
    if (again) {
        (void)uv_idle_start(&l->again, loop_on_again);
    } else {
        (void)uv_idle_stop(&l->again);
    }
}

/* The one timer fired. */
static void loop_on_timer(uv_timer_t *handle)
{
    struct loop *l = handle->data;
    l->armed_at = UINT64_MAX;
    if (l->timer_fn) {
        l->in_timer = true;
        l->timer_fn(l->timer_ctx);
        l->in_timer = false;
    }
}

/* sendfile and OpenSSL raise SIGPIPE on a broken socket; EPIPE is enough. */
static void loop_ignore_sigpipe(void)
{
    struct sigaction now;
    if (sigaction(SIGPIPE, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
        now.sa_handler == SIG_DFL) {
        now.sa_handler = SIG_IGN;
        (void)sigaction(SIGPIPE, &now, NULL);
    }
}

/* A loop with nothing on it. */
struct loop *loop_new(void)
{
    struct loop *l = NULL;
    if (!limit_has_files(LOOP_FILES)) {
        log_write(LOG_ERROR, "loop", "no event loop: too many open files");
        return NULL;
    }
    l = mem_zalloc(sizeof(*l));
    int rc = uv_loop_init(&l->uv);
    if (rc != 0) {
        log_write(LOG_ERROR, "loop", "no event loop: %s", uv_strerror(rc));
        free(l);
        return NULL;
    }
    loop_ignore_sigpipe();
    l->armed_at = UINT64_MAX;
    (void)uv_timer_init(&l->uv, &l->timer);
    (void)uv_prepare_init(&l->uv, &l->prepare);
    (void)uv_idle_init(&l->uv, &l->again);
    l->timer.data = l;
    l->prepare.data = l;
    (void)uv_prepare_start(&l->prepare, loop_on_prepare);
    return l;
}

/* A handle that its module did not close would keep loop_free waiting. */
static void loop_check_closing(uv_handle_t *handle, void *arg)
{
    (void)arg;
    bool is_closing = uv_is_closing(handle) != 0;
    BTC_ASSERT(is_closing);
}

/* Waits for the handles that are closing, then frees the loop. */
void loop_free(struct loop *l)
{
    if (!l) {
        return;
    }
    uv_close((uv_handle_t *)&l->timer, NULL);
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_close((uv_handle_t *)&l->again, NULL);
    uv_walk(&l->uv, loop_check_closing, NULL);
    while (uv_run(&l->uv, UV_RUN_DEFAULT) != 0) {
        /* a loop_stop that nobody has seen yet ends the first run early */
    }
    int rc = uv_loop_close(&l->uv);
    BTC_ASSERT(rc == 0);
    free(l);
}

/* The time of this turn. */
uint64_t loop_now_ms(const struct loop *l)
{
    return uv_now(&l->uv);
}

/* Wall clock. */
int64_t loop_unix_now(void)
{
    return (int64_t)time(NULL);
}

int64_t loop_unix_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return num_time_ns(t.tv_sec, t.tv_nsec);
}

/* The prepare handle keeps the loop alive without other handles. */
void loop_run(struct loop *l)
{
    (void)uv_run(&l->uv, UV_RUN_DEFAULT);
}

/* Before loop_run it makes that return at once. */
void loop_stop(struct loop *l)
{
    uv_stop(&l->uv);
}

/* For io modules. */
void *loop_uv(struct loop *l)
{
    return &l->uv;
}

/* Who is called when the timer fires. */
void loop_set_timer_fn(struct loop *l, loop_fn *fn, void *ctx)
{
    l->timer_fn = fn;
    l->timer_ctx = ctx;
}

/* Moves the timer. */
void loop_arm_timer(struct loop *l, uint64_t at_ms)
{
    if (at_ms == l->armed_at) {
        return;
    }
    l->armed_at = at_ms;
    if (at_ms == UINT64_MAX) {
        (void)uv_timer_stop(&l->timer);
        return;
    }
    uint64_t now = uv_now(&l->uv);
    uint64_t wait = num_sub_u64(at_ms, now);
    if (wait == 0 && l->in_timer) {
        wait = 1; /* libuv would run it again at once, before any socket */
    }
    (void)uv_timer_start(&l->timer, loop_on_timer, wait, 0);
}

/* One of the further timers fired. */
static void loop_timer_on_fired(uv_timer_t *handle)
{
    struct loop_timer *t = handle->data;
    t->armed_at = UINT64_MAX;
    t->fn(t->ctx);
}

/* Not armed yet. */
struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *ctx)
{
    struct loop_timer *t = mem_zalloc(sizeof(*t));
    (void)uv_timer_init(&l->uv, &t->timer);
    t->timer.data = t;
    t->loop = l;
    t->armed_at = UINT64_MAX;
    t->fn = fn;
    t->ctx = ctx;
    return t;
}

/* Never 0 from now: libuv would run it again before any socket. */
void loop_timer_arm(struct loop_timer *t, uint64_t at_ms)
{
    if (at_ms == t->armed_at) {
        return;
    }
    t->armed_at = at_ms;
    if (at_ms == UINT64_MAX) {
        (void)uv_timer_stop(&t->timer);
        return;
    }
    uint64_t now = uv_now(&t->loop->uv);
    uint64_t wait = 1;
    if (at_ms > now) {
        wait = at_ms - now;
    }
    (void)uv_timer_start(&t->timer, loop_timer_on_fired, wait, 0);
}

/* The handle has closed: its memory goes. */
static void loop_timer_on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* No call comes after it. */
void loop_timer_close(struct loop_timer *t)
{
    if (t) {
        uv_close((uv_handle_t *)&t->timer, loop_timer_on_closed);
    }
}

/* Who is called at the end of each turn. */
void loop_set_idle_fn(struct loop *l, loop_fn *fn, void *ctx)
{
    l->idle_fn = fn;
    l->idle_ctx = ctx;
}

/* At the end of the list. */
void loop_add_hook(struct loop *l, struct loop_hook *h)
{
    struct loop_hook **at = &l->hooks;
    while (*at) {
        at = &(*at)->next;
    }
    h->next = NULL;
    *at = h;
}

/* Also while the hooks run. */
void loop_remove_hook(struct loop *l, struct loop_hook *h)
{
    struct loop_hook **at = &l->hooks;
    while (*at && *at != h) {
        at = &(*at)->next;
    }
    BTC_ASSERT(*at == h);
    *at = h->next;
    if (l->next_hook == h) {
        l->next_hook = h->next;
    }
}

/* Another thread sent. */
static void loop_on_wakeup(uv_async_t *async)
{
    struct loop_wakeup *w = async->data;
    w->fn(w->ctx);
}

/* libuv made the descriptor that it needs with the loop: it cannot fail. */
struct loop_wakeup *loop_wakeup_new(struct loop *l, loop_fn *fn, void *ctx)
{
    struct loop_wakeup *w = mem_zalloc(sizeof(*w));
    int rc = uv_async_init(&l->uv, &w->async, loop_on_wakeup);
    BTC_ASSERT(rc == 0);
    w->async.data = w;
    w->fn = fn;
    w->ctx = ctx;
    return w;
}

/* From any thread. */
void loop_wakeup_send(struct loop_wakeup *w)
{
    (void)uv_async_send(&w->async);
}

/* The handle has closed: its memory goes. */
static void loop_wakeup_on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* No send may come after it. */
void loop_wakeup_close(struct loop_wakeup *w)
{
    if (w) {
        uv_close((uv_handle_t *)&w->async, loop_wakeup_on_closed);
    }
}
