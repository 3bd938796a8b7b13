/* Names into addresses: the cache, shared look-ups, limits, an end that waits
 * for nobody. */
#include "net/resolve.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GUARD_MS 20000 /* a test that hangs fails instead */

static atomic_int n_lookups, n_at_once, n_most;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

/* A name service with four kinds of names. */
static int fake_lookup(const char *host, struct resolve_result *out)
{
    int now = atomic_fetch_add(&n_at_once, 1) + 1;
    if (now > atomic_load(&n_most)) {
        atomic_store(&n_most, now);
    }
    (void)atomic_fetch_add(&n_lookups, 1);
    if (strncmp(host, "slow", 4) == 0) {
        (void)pthread_mutex_lock(&gate);
        (void)pthread_mutex_unlock(&gate);
    }
    (void)atomic_fetch_sub(&n_at_once, 1);
    if (strcmp(host, "nobody.example") == 0) {
        (void)snprintf(out->error, sizeof(out->error), "no such host");
        return BTC_E_NETWORK;
    }
    if (strcmp(host, "empty.example") != 0) {
        out->n = 1;
        (void)addr_parse_ip(slice_str("192.0.2.7"), 0, &out->addrs[0]);
    }
    return 0;
}

struct answers {
    struct loop *loop;
    struct resolve *resolve;
    size_t n, n_failed, stop_at;
    struct resolve_result last;
};

static void answers_on(void *ctx, const struct resolve_result *r)
{
    struct answers *a = ctx;
    a->n++;
    a->n_failed += r->code != 0 ? 1 : 0;
    a->last = *r;
    if (a->n == a->stop_at) {
        loop_stop(a->loop);
    }
}

static void on_guard(void *ctx)
{
    (void)ctx;
    fail_msg("no answer came");
}

static void answers_open(struct answers *a, resolve_lookup *lookup)
{
    memset(a, 0, sizeof(*a));
    a->loop = loop_new();
    assert_non_null(a->loop);
    loop_set_timer_fn(a->loop, on_guard, NULL);
    loop_arm_timer(a->loop, loop_now_ms(a->loop) + GUARD_MS);
    a->resolve = resolve_new(a->loop, lookup);
    atomic_store(&n_lookups, 0);
    atomic_store(&n_most, 0);
}

static struct resolve_job *answers_ask(struct answers *a, const char *host)
{
    return resolve_start(a->resolve, host, 6881, answers_on, a);
}

static void answers_run(struct answers *a, size_t n)
{
    a->stop_at = a->n + n;
    loop_run(a->loop);
    assert_int_equal(a->n, a->stop_at);
}

static void answers_close(struct answers *a)
{
    resolve_free(a->resolve);
    loop_free(a->loop);
}

/* Digits need no look-up and bring the port. */
static void resolve_test_number(void **state)
{
    (void)state;
    struct answers a;
    struct addr want;
    answers_open(&a, fake_lookup);
    (void)answers_ask(&a, "10.1.2.3");
    assert_int_equal(a.n, 0); /* never at once */
    answers_run(&a, 1);
    assert_true(addr_parse(slice_str("10.1.2.3:6881"), &want));
    assert_true(addr_eq(&a.last.addrs[0], &want));
    (void)answers_ask(&a, "::1");
    (void)answers_ask(&a, "10.1.2.3");
    answers_run(&a, 2);
    assert_int_equal(atomic_load(&n_lookups), 0);
    answers_close(&a);
}

/* The system's own look-up knows this machine. */
static void resolve_test_system(void **state)
{
    (void)state;
    struct answers a;
    answers_open(&a, NULL);
    (void)answers_ask(&a, "localhost");
    answers_run(&a, 1);
    assert_int_equal(a.last.code, 0);
    assert_true(a.last.n > 0);
    assert_true(addr_is_loopback(&a.last.addrs[0]));
    assert_int_equal(a.last.addrs[0].port, 6881);
    answers_close(&a);
}

/* One look-up for all who ask, and for those who ask soon after; failures, too.
 */
static void resolve_test_cache(void **state)
{
    (void)state;
    struct answers a;
    answers_open(&a, fake_lookup);
    for (int i = 0; i < 5; i++) {
        (void)answers_ask(&a, "tracker.example");
    }
    answers_run(&a, 5);
    (void)answers_ask(&a, "tracker.example");
    answers_run(&a, 1);
    assert_int_equal(atomic_load(&n_lookups), 1);
    assert_int_equal(a.n_failed, 0);
    (void)answers_ask(&a, "nobody.example");
    answers_run(&a, 1);
    (void)answers_ask(&a, "nobody.example");
    answers_run(&a, 1);
    assert_int_equal(a.last.code, BTC_E_NETWORK);
    assert_string_equal(a.last.error, "no such host");
    assert_int_equal(atomic_load(&n_lookups), 2);
    (void)answers_ask(&a, "empty.example");
    answers_run(&a, 1);
    assert_int_equal(a.last.code, BTC_E_NETWORK);
    assert_non_null(strstr(a.last.error, "empty.example"));
    answers_close(&a);
}

/* Few threads at once, many names, more than the cache keeps; what is no name
 * is refused. */
static void resolve_test_many(void **state)
{
    (void)state;
    struct answers a;
    char name[400];
    size_t n = 2 * RESOLVE_CACHE;
    answers_open(&a, fake_lookup);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(name, sizeof(name), "host%zu.example", i);
        (void)answers_ask(&a, name);
    }
    answers_run(&a, n);
    assert_int_equal(a.n_failed, 0);
    assert_int_equal(atomic_load(&n_lookups), n);
    assert_in_range(atomic_load(&n_most), 1, RESOLVE_PARALLEL);
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    (void)answers_ask(&a, name);
    (void)answers_ask(&a, "");
    answers_run(&a, 2);
    assert_int_equal(a.n_failed, 2);
    assert_int_equal(a.last.code, BTC_E_LIMIT);
    for (size_t i = 0; i < RESOLVE_QUEUE + 1; i++) {
        (void)snprintf(name, sizeof(name), "more%zu.example", i);
        (void)answers_ask(&a, name);
    }
    answers_run(&a, RESOLVE_QUEUE + 1);
    assert_int_equal(a.n_failed, 3);
    answers_close(&a);
}

/* A look-up that hangs: others go on, its job can be cancelled, and the end
 * does not wait for it. */
static void resolve_test_hang(void **state)
{
    (void)state;
    struct answers a;
    answers_open(&a, fake_lookup);
    (void)pthread_mutex_lock(&gate);
    struct resolve_job *j = answers_ask(&a, "slow.example");
    (void)answers_ask(&a, "slow.example");
    (void)answers_ask(&a, "slow-too.example");
    (void)answers_ask(&a, "quick.example");
    answers_run(&a, 1);
    resolve_cancel(j);
    resolve_cancel(NULL);
    answers_close(&a); /* two threads are out still */
    (void)pthread_mutex_unlock(&gate);
    while (atomic_load(&n_at_once) > 0) {
        (void)usleep(1000);
    }
    resolve_free(NULL);
}

/* The one who is told ends it all. */
static void answers_on_free(void *ctx, const struct resolve_result *r)
{
    struct answers *a = ctx;
    (void)r;
    a->n++;
    resolve_free(a->resolve);
    a->resolve = NULL;
    loop_stop(a->loop);
}

static void resolve_test_free_inside(void **state)
{
    (void)state;
    struct answers a;
    answers_open(&a, fake_lookup);
    (void)resolve_start(a.resolve, "127.0.0.1", 1, answers_on_free, &a);
    (void)resolve_start(a.resolve, "127.0.0.2", 1, answers_on_free, &a);
    loop_run(a.loop);
    assert_int_equal(a.n, 1);
    answers_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resolve_test_number),
        cmocka_unit_test(resolve_test_system),
        cmocka_unit_test(resolve_test_cache),
        cmocka_unit_test(resolve_test_many),
        cmocka_unit_test(resolve_test_hang),
        cmocka_unit_test(resolve_test_free_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
