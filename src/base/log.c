/* Levelled log with categories.
 *
 * The level is atomic so that a dropped line costs one load; the sink is called
 * under a lock, so a sink must not log itself.
 */
#include "base/log.h"

#include "base/err.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>

/* Longest line; what is longer is cut. */
#define LOG_LINE_MAX 1024

static void log_to_stderr(void *ctx, enum log_level level, const char *category,
                          const char *line);

static atomic_int log_max = LOG_WARN;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static log_sink_fn *log_sink = log_to_stderr; /* under log_lock */
static void *log_sink_ctx;                    /* under log_lock, borrows */

/* The sink of the start: one line to stderr. */
static void log_to_stderr(void *ctx, enum log_level level, const char *category,
                          const char *line)
{
    (void)ctx;
    (void)fprintf(stderr, "btc: %s: %s: %s\n", log_level_name(level), category,
                  line);
}

/* Lines above `max` are dropped. */
void log_set_level(enum log_level max)
{
    atomic_store(&log_max, (int)max);
}

/* Where lines go from now on; NULL is stderr. */
void log_set_sink(log_sink_fn *fn, void *ctx)
{
    (void)pthread_mutex_lock(&log_lock);
    log_sink = log_to_stderr;
    log_sink_ctx = NULL;
    if (fn) {
        log_sink = fn;
        log_sink_ctx = ctx;
    }
    (void)pthread_mutex_unlock(&log_lock);
}

/* "error", "warn", ... */
const char *log_level_name(enum log_level level)
{
    switch (level) {
    case LOG_ERROR:
        return "error";
    case LOG_WARN:
        return "warning";
    case LOG_INFO:
        return "info";
    case LOG_DEBUG:
        return "debug";
    case LOG_TRACE:
        return "trace";
    }
    return "?";
}

/* Formats and hands one line to the sink. */
void log_write(enum log_level level, const char *category, const char *fmt, ...)
{
    if ((int)level > atomic_load_explicit(&log_max, memory_order_relaxed)) {
        return;
    }
    char line[LOG_LINE_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    (void)pthread_mutex_lock(&log_lock);
    log_sink(log_sink_ctx, level, category, line);
    (void)pthread_mutex_unlock(&log_lock);
}
