/* Threads without signals. */
#include "base/thread.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Keeps the mask of the thread it runs in. */
static void *look(void *mask)
{
    (void)pthread_sigmask(SIG_SETMASK, NULL, mask);
    return NULL;
}

static void test_mask(void **state)
{
    sigset_t before, after, seen;
    pthread_t thread;
    (void)state;
    (void)sigemptyset(&before);
    (void)sigaddset(&before, SIGUSR2);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert_int_equal(thread_start(&thread, NULL, look, &seen), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &after);
    static const int numbers[] = {SIGINT,  SIGTERM, SIGHUP,
                                  SIGUSR1, SIGCONT, SIGCHLD};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        assert_int_equal(sigismember(&seen, numbers[i]), 1);
        assert_int_equal(sigismember(&after, numbers[i]), 0);
    }
    static const int faults[] = {SIGBUS, SIGSEGV, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        assert_int_equal(sigismember(&seen, faults[i]), 0);
    }
    assert_int_equal(sigismember(&after, SIGUSR2), 1);
}

/* A thread that the system refuses changes nothing. */
static void test_refused(void **state)
{
    sigset_t after, seen;
    pthread_attr_t attr;
    pthread_t thread;
    (void)state;
    (void)pthread_attr_init(&attr);
    assert_int_equal(pthread_attr_setstacksize(&attr, SIZE_MAX / 4 & ~0xffffUL),
                     0);
    assert_int_not_equal(thread_start(&thread, &attr, look, &seen), 0);
    (void)pthread_attr_destroy(&attr);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(sigismember(&after, SIGINT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mask),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
