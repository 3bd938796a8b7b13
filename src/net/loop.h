/* The event loop: libuv behind a small face. One thread; one cached now; one
 * timer armed at the nearest deadline; wake-ups from other threads; signals.
 *
 * Ownership follows libuv's rule: a handle's memory is freed only in its close
 * callback. loop_free runs the loop until every handle has closed.
 */
#ifndef BTC_NET_LOOP_H
#define BTC_NET_LOOP_H

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct loop;

/* NULL (and a line in the log) when the process is out of descriptors. From
 * here on a SIGPIPE that had its default action is ignored in the process:
 * sendfile and TLS cannot be told not to raise it. */
struct loop *loop_new(void);
void loop_free(struct loop *l); /* everything on it must have been closed */
/* Monotonic milliseconds, read once per turn of the loop. */
uint64_t loop_now_ms(const struct loop *l);
int64_t loop_unix_now(void); /* wall clock, seconds */
int64_t loop_unix_ns(void);  /* the same, nanoseconds */
/* Runs until loop_stop. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* For io modules: the uv_loop_t. */
void *loop_uv(struct loop *l);

/* The one timer: `fn` is called once when loop_now_ms reaches `at_ms`
 * (UINT64_MAX disarms). Setting an earlier or later time moves it. */
typedef void loop_fn(void *ctx);
void loop_set_timer_fn(struct loop *l, loop_fn *fn, void *ctx);
void loop_arm_timer(struct loop *l, uint64_t at_ms);
/* Further timers, for modules with a time of their own. */
struct loop_timer;
struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *ctx);
/* `fn` is called once when loop_now_ms reaches `at_ms`; UINT64_MAX disarms. */
void loop_timer_arm(struct loop_timer *t, uint64_t at_ms);
void loop_timer_close(struct loop_timer *t); /* NULL allowed; also inside fn */
/* `fn` is called after each batch of events, before the loop sleeps (where the
 * engine flushes what it gathered). */
void loop_set_idle_fn(struct loop *l, loop_fn *fn, void *ctx);
/* For io modules: a hook runs after the idle fn, before the loop sleeps (conn
 * sends there what was queued in the turn). It gives true when it called out to
 * its users: they may have made new work, so the loop does not sleep but takes
 * another turn, with the idle fn and the hooks again. A hook may remove itself.
 */
struct loop_hook {
    bool (*fn)(void *ctx);
    void *ctx;              /* borrows */
    struct loop_hook *next; /* the loop's */
};
void loop_add_hook(struct loop *l, struct loop_hook *h); /* caller's memory */
void loop_remove_hook(struct loop *l, struct loop_hook *h);

/* Wakes the loop from any thread; many sends may give one call. */
struct loop_wakeup;
struct loop_wakeup *loop_wakeup_new(struct loop *l, loop_fn *fn, void *ctx);
void loop_wakeup_send(struct loop_wakeup *w);
void loop_wakeup_close(struct loop_wakeup *w); /* loop thread; NULL allowed */

#endif
