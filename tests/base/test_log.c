/* Levels, the sink, and lines from several threads. */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define LOG_TEST_THREADS 4
#define LOG_TEST_LINES   200

struct log_test {
    int n;
    int inside; /* callers in the sink now: the log's lock keeps it at 1 */
    enum log_level level;
    char category[32];
    char line[2048];
};

static void log_test_sink(void *ctx, enum log_level level, const char *category,
                          const char *line)
{
    struct log_test *t = ctx;
    t->inside++;
    assert_int_equal(t->inside, 1);
    t->n++;
    t->level = level;
    (void)snprintf(t->category, sizeof(t->category), "%s", category);
    (void)snprintf(t->line, sizeof(t->line), "%s", line);
    t->inside--;
}

static void log_test_levels(void **state)
{
    (void)state;
    struct log_test t = {0};
    log_set_sink(log_test_sink, &t);
    log_write(LOG_INFO, "cat", "dropped");
    assert_int_equal(t.n, 0);
    log_write(LOG_WARN, "cat", "%d of %s", 3, "x");
    assert_int_equal(t.n, 1);
    assert_int_equal(t.level, LOG_WARN);
    assert_string_equal(t.category, "cat");
    assert_string_equal(t.line, "3 of x");
    log_set_level(LOG_TRACE);
    log_write(LOG_TRACE, "cat", "now");
    assert_int_equal(t.n, 2);
    log_set_level(LOG_ERROR);
    log_write(LOG_WARN, "cat", "dropped");
    assert_int_equal(t.n, 2);
    log_set_level(LOG_WARN);
    log_set_sink(NULL, NULL);
    log_write(LOG_WARN, "log", "this line belongs on stderr");
    assert_int_equal(t.n, 2);
}

static void log_test_long_line(void **state)
{
    (void)state;
    struct log_test t = {0};
    char text[4096];
    memset(text, 'y', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_set_sink(log_test_sink, &t);
    log_write(LOG_ERROR, "cat", "%s", text);
    log_set_sink(NULL, NULL);
    assert_int_equal(t.n, 1);
    assert_true(strlen(t.line) > 500 && strlen(t.line) < sizeof(text) - 1);
}

static void log_test_names(void **state)
{
    (void)state;
    assert_string_equal(log_level_name(LOG_ERROR), "error");
    assert_string_equal(log_level_name(LOG_WARN), "warning");
    assert_string_equal(log_level_name(LOG_INFO), "info");
    assert_string_equal(log_level_name(LOG_DEBUG), "debug");
    assert_string_equal(log_level_name(LOG_TRACE), "trace");
}

static void *log_test_writer(void *ctx)
{
    (void)ctx;
    for (int i = 0; i < LOG_TEST_LINES; i++) {
        log_write(LOG_ERROR, "thread", "line %d", i);
    }
    return NULL;
}

static void log_test_threads(void **state)
{
    (void)state;
    struct log_test t = {0};
    pthread_t threads[LOG_TEST_THREADS];
    log_set_sink(log_test_sink, &t);
    for (int i = 0; i < LOG_TEST_THREADS; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, log_test_writer, NULL), 0);
    }
    for (int i = 0; i < LOG_TEST_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    log_set_sink(NULL, NULL);
    assert_int_equal(t.n, LOG_TEST_THREADS * LOG_TEST_LINES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_test_levels),
        cmocka_unit_test(log_test_long_line),
        cmocka_unit_test(log_test_names),
        cmocka_unit_test(log_test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
