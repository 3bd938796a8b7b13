/* The loop: order of a turn, the timer, hooks, wake-ups. */
#include "net/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct probe {
    struct loop *l;
    struct loop_hook hook;
    struct loop_wakeup *wakeup;
    uint64_t fired_at;
    int n_timer, n_idle, n_hook, n_wakeup;
    int hook_again; /* how often the hook still asks for another turn */
};

static void probe_on_timer(void *ctx)
{
    struct probe *p = ctx;
    p->n_timer++;
    p->fired_at = loop_now_ms(p->l);
    loop_stop(p->l);
}

static void probe_on_idle(void *ctx)
{
    struct probe *p = ctx;
    p->n_idle++;
}

static void probe_on_idle_stop(void *ctx)
{
    struct probe *p = ctx;
    p->n_idle++;
    loop_stop(p->l);
}

static bool probe_on_hook(void *ctx)
{
    struct probe *p = ctx;
    p->n_hook++;
    assert_true(p->n_idle >= p->n_hook); /* the idle fn ran before */
    if (p->hook_again > 0) {
        p->hook_again--;
        return true;
    }
    return false;
}

static bool probe_on_hook_stop(void *ctx)
{
    struct probe *p = ctx;
    p->n_hook++;
    if (p->hook_again-- > 0) {
        return true; /* nothing else would wake the loop */
    }
    loop_remove_hook(p->l, &p->hook);
    loop_stop(p->l);
    return true;
}

static void test_timer_fires_at_its_time(void **state)
{
    (void)state;
    struct probe p = {.l = loop_new()};
    assert_non_null(p.l);
    uint64_t at = loop_now_ms(p.l) + 5;
    loop_set_timer_fn(p.l, probe_on_timer, &p);
    loop_set_idle_fn(p.l, probe_on_idle, &p);
    loop_arm_timer(p.l, at + 100000);
    loop_arm_timer(p.l, at);
    loop_run(p.l);
    assert_int_equal(p.n_timer, 1);
    assert_true(p.fired_at >= at);
    assert_true(p.n_idle >= 1);
    loop_free(p.l);
}

static void probe_on_timer_again(void *ctx)
{
    struct probe *p = ctx;
    p->n_timer++;
    loop_arm_timer(p->l, 0); /* always due: must not starve the loop */
    if (p->n_idle >= 3) {
        loop_stop(p->l);
    }
}

static void test_timer_that_is_always_due_lets_others_run(void **state)
{
    (void)state;
    struct probe p = {.l = loop_new()};
    loop_set_timer_fn(p.l, probe_on_timer_again, &p);
    loop_set_idle_fn(p.l, probe_on_idle, &p);
    loop_arm_timer(p.l, 0);
    loop_run(p.l);
    assert_true(p.n_timer >= 3);
    assert_true(p.n_idle >= 3);
    loop_arm_timer(p.l, UINT64_MAX);
    loop_free(p.l);
}

static void test_disarmed_timer_stays_silent(void **state)
{
    (void)state;
    struct probe p = {.l = loop_new()};
    loop_set_timer_fn(p.l, probe_on_timer, &p);
    loop_set_idle_fn(p.l, probe_on_idle_stop, &p);
    loop_arm_timer(p.l, loop_now_ms(p.l) + 1);
    loop_arm_timer(p.l, UINT64_MAX);
    loop_run(p.l);
    assert_int_equal(p.n_timer, 0);
    assert_int_equal(p.n_idle, 1);
    loop_free(p.l);
}

static void test_hook_that_called_out_gets_another_turn(void **state)
{
    (void)state;
    struct probe p = {.l = loop_new(), .hook_again = 3};
    p.hook = (struct loop_hook){.fn = probe_on_hook_stop, .ctx = &p};
    loop_add_hook(p.l, &p.hook);
    loop_run(p.l);
    assert_int_equal(p.n_hook, 4);
    loop_free(p.l);
}

static void test_hooks_run_after_idle_fn(void **state)
{
    (void)state;
    struct probe p = {.l = loop_new(), .hook_again = 2};
    struct probe q = {.l = p.l, .n_idle = 1000};
    p.hook = (struct loop_hook){.fn = probe_on_hook, .ctx = &p};
    q.hook = (struct loop_hook){.fn = probe_on_hook, .ctx = &q};
    loop_add_hook(p.l, &p.hook);
    loop_add_hook(p.l, &q.hook);
    loop_set_idle_fn(p.l, probe_on_idle, &p);
    loop_set_timer_fn(p.l, probe_on_timer, &p);
    loop_arm_timer(p.l, loop_now_ms(p.l) + 3);
    loop_run(p.l);
    assert_true(p.n_hook >= 3);
    assert_int_equal(p.n_hook, q.n_hook);
    loop_remove_hook(p.l, &p.hook);
    loop_remove_hook(p.l, &q.hook);
    loop_free(p.l);
}

static void probe_on_wakeup(void *ctx)
{
    struct probe *p = ctx;
    p->n_wakeup++;
    loop_stop(p->l);
}

static void *probe_sender(void *arg)
{
    struct probe *p = arg;
    loop_wakeup_send(p->wakeup);
    return NULL;
}

static void test_wakeup_from_another_thread(void **state)
{
    (void)state;
    struct probe p = {.l = loop_new()};
    p.wakeup = loop_wakeup_new(p.l, probe_on_wakeup, &p);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, probe_sender, &p), 0);
    loop_run(p.l);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(p.n_wakeup, 1);
    loop_wakeup_close(p.wakeup);
    loop_wakeup_close(NULL);
    loop_free(p.l);
}

/* A peer that is gone raises it at the next write. */
static void test_sigpipe(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    assert_int_equal(raise(SIGPIPE), 0); /* ignored, or we were dead now */
    loop_free(l);
}

static void test_stop_before_run_and_wall_clock(void **state)
{
    (void)state;
    struct loop *l = loop_new();
    loop_stop(l);
    loop_run(l); /* returns */
    assert_non_null(loop_uv(l));
    assert_true(loop_unix_now() > 1600000000);
    loop_free(l);
    loop_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timer_fires_at_its_time),
        cmocka_unit_test(test_timer_that_is_always_due_lets_others_run),
        cmocka_unit_test(test_disarmed_timer_stays_silent),
        cmocka_unit_test(test_hook_that_called_out_gets_another_turn),
        cmocka_unit_test(test_hooks_run_after_idle_fn),
        cmocka_unit_test(test_wakeup_from_another_thread),
        cmocka_unit_test(test_sigpipe),
        cmocka_unit_test(test_stop_before_run_and_wall_clock),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
