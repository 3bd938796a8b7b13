/* Levelled log with categories. The sink is the one mutable global of the
 * program: by default lines go to stderr; the engine may replace it (to clear
 * the live view first, or to write `event` rows).
 */
#ifndef BTC_BASE_LOG_H
#define BTC_BASE_LOG_H

enum log_level {
    LOG_ERROR,
    LOG_WARN,
    LOG_INFO,
    LOG_DEBUG, /* -v */
    LOG_TRACE  /* -vv */
};

/* One call per line, without newline; may come from any thread, one at a time
 * (the log holds a lock). */
typedef void log_sink_fn(void *ctx, enum log_level level, const char *category,
                         const char *line);

/* Lines above `max` are dropped before formatting. Default LOG_WARN. */
void log_set_level(enum log_level max);
/* NULL restores the stderr sink. */
void log_set_sink(log_sink_fn *fn, void *ctx);
const char *log_level_name(enum log_level level);

/* `category` is the module's name, a string literal. */
void log_write(enum log_level level, const char *category, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
