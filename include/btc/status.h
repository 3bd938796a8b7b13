/* What a call ends with, and what the library says on the way. Part of btc.h.
 */
#ifndef BTC_BTC_STATUS_H
#define BTC_BTC_STATUS_H

#include <stdbool.h>

#define BTC_API __attribute__((visibility("default")))

/* What a command ends with; frozen. */
enum btc_status {
    BTC_STATUS_DONE = 0,
    BTC_STATUS_OTHER = 1,
    BTC_STATUS_USAGE = 2,
    BTC_STATUS_NOT_FOUND = 3,   /* source or ID */
    BTC_STATUS_BAD_TORRENT = 4, /* torrent, magnet or metadata */
    BTC_STATUS_STALLED = 5,     /* stall or time limit; retryable */
    BTC_STATUS_NETWORK = 6,     /* network or tracker unusable; retryable */
    BTC_STATUS_INTERRUPTED = 7, /* state saved; retryable */
    BTC_STATUS_VERIFY = 8,      /* bad or missing pieces */
    BTC_STATUS_NO_SPACE = 9,
    BTC_STATUS_IO = 10,
    BTC_STATUS_STORAGE = 11, /* storage absent; retryable */
    BTC_STATUS_LOCKED = 12,  /* another btc holds the database */
    BTC_STATUS_EXISTS = 13,  /* exists and differs, refused */
    BTC_STATUS_DB = 14,      /* database damaged or of a newer schema */
    BTC_STATUS_DAEMON = 15,
    BTC_STATUS_SOME = 16 /* some of several failed */
};

struct btc_error {
    int status;        /* enum btc_status */
    char message[512]; /* what failed, on which input, why, what to do next */
};

/* "interrupted, state saved" ...; "unknown" for other numbers. */
BTC_API const char *btc_status_text(int status);
BTC_API bool btc_status_is_retryable(int status); /* 5, 6, 7, 11 */
BTC_API const char *btc_version(void);            /* "0.1.0" */

enum btc_log_level {
    BTC_LOG_ERROR,
    BTC_LOG_WARN,
    BTC_LOG_INFO,
    BTC_LOG_DEBUG,
    BTC_LOG_TRACE
};
/* Where log lines go (default: stderr from WARN on); may be called from any
 * thread, one line at a time. NULL restores the default. */
typedef void btc_log_fn(void *ctx, enum btc_log_level level,
                        const char *category, const char *line);
BTC_API void btc_set_log(enum btc_log_level max, btc_log_fn *fn, void *ctx);

#endif
