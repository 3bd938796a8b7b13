/* Allocation: zero sizes, copies, and the abort on an impossible size. */
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void mem_test_zero_size(void **state)
{
    (void)state;
    void *p[] = {mem_alloc(0),      mem_zalloc(0),  mem_calloc(0, 8),
                 mem_array(8, 0),   mem_dup("", 0), mem_resize(NULL, 0, 4),
                 mem_strndup("", 0)};
    for (size_t i = 0; i < sizeof(p) / sizeof(p[0]); i++) {
        assert_non_null(p[i]);
        free(p[i]);
    }
}

static void mem_test_copies(void **state)
{
    (void)state;
    static const uint8_t zeros[64];
    uint8_t *z = mem_calloc(8, 8);
    assert_memory_equal(z, zeros, 64);
    free(z);
    z = mem_zalloc(64);
    assert_memory_equal(z, zeros, 64);
    free(z);
    char *s = mem_strdup("hello");
    assert_string_equal(s, "hello");
    s = mem_resize(s, 100, 1);
    assert_string_equal(s, "hello");
    free(s);
    s = mem_strndup("hello", 2);
    assert_string_equal(s, "he");
    free(s);
    s = mem_printf("%s-%d", "a", 7);
    assert_string_equal(s, "a-7");
    free(s);
    s = mem_dup("abc", 3);
    assert_memory_equal(s, "abc", 3);
    free(s);
    assert_null(mem_strdup(NULL));
}

static void mem_try_calloc(void)
{
    free(mem_calloc(SIZE_MAX / 2, 3));
}

static void mem_try_array(void)
{
    free(mem_array(SIZE_MAX / 8 + 1, 8));
}

static void mem_try_resize(void)
{
    free(mem_resize(NULL, SIZE_MAX, 2));
}

static void mem_try_strndup(void)
{
    free(mem_strndup("", SIZE_MAX));
}

/* A size whose product overflows aborts instead of giving too little. */
static void mem_test_overflow(void **state)
{
    (void)state;
    static void (*const tries[])(void) = {mem_try_calloc, mem_try_array,
                                          mem_try_resize, mem_try_strndup};
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        (void)fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            (void)close(STDERR_FILENO);
            tries[i]();
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mem_test_zero_size),
        cmocka_unit_test(mem_test_copies),
        cmocka_unit_test(mem_test_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
