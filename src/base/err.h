/* Error codes and texts: one table for the whole program.
 *
 * A function that can fail returns int: 0 or a count on success, a negative
 * `enum btc_err` on failure. errno never crosses a module border: it is turned
 * into a code at the system call's line (err_from_errno). Human text exists
 * only at the edges, in a `struct err` that grows a prefix on its way up.
 *
 * Each code maps to one process exit status (the frozen list in btc.h).
 */
#ifndef BTC_BASE_ERR_H
#define BTC_BASE_ERR_H

#include <stddef.h>

/* X(name, code, exit status, text). */
/* clang-format off */
#define ERR_MAP(X)                                                         \
    X(INTERNAL,     1,  1, "internal error")                               \
    X(USAGE,        2,  2, "wrong usage")                                  \
    X(NOTFOUND,     3,  3, "not found")                                    \
    X(METAINFO,     4,  4, "bad torrent, magnet or metadata")              \
    X(STALLED,      5,  5, "stalled or time limit reached")                \
    X(NETWORK,      6,  6, "network or tracker unusable")                  \
    X(INTERRUPTED,  7,  7, "interrupted, state saved")                     \
    X(VERIFY,       8,  8, "bad or missing pieces")                        \
    X(NOSPACE,      9,  9, "no space left")                                \
    X(IO,          10, 10, "input/output error")                           \
    X(STORAGE,     11, 11, "storage absent")                               \
    X(LOCKED,      12, 12, "another btc holds this database")              \
    X(EXISTS,      13, 13, "exists and differs")                           \
    X(DB,          14, 14, "database damaged or of a newer schema")        \
    X(DAEMON,      15, 15, "daemon unreachable")                           \
    X(SOME,        16, 16, "some of several failed")                       \
    X(PROTO,       20,  6, "the other side broke the protocol")            \
    X(LIMIT,       21,  1, "over a limit")                                 \
    X(RANGE,       22,  1, "out of range")                                 \
    X(SYNTAX,      23,  1, "bad syntax")                                   \
    X(TIMEOUT,     24,  6, "timed out")                                    \
    X(REFUSED,     25,  6, "connection refused")                           \
    X(CLOSED,      26,  6, "connection closed")                            \
    X(CANCELLED,   27,  1, "cancelled")                                    \
    X(HASH,        28,  8, "hash mismatch")                                \
    X(SHORT,       29, 10, "file shorter than expected")                   \
    X(PERMISSION,  30, 10, "permission denied")                            \
    X(UNSUPPORTED, 31,  4, "not supported")
/* clang-format on */

enum btc_err {
    BTC_OK = 0,
#define ERR_ENUM(name, code, status, text) BTC_E_##name = -(code),
    ERR_MAP(ERR_ENUM)
#undef ERR_ENUM
};

#define ERR_MSG_MAX 512

/* An error with its text. The text is a full sentence part: what failed, on
 * which input, why, and where it helps what to do next. */
struct err {
    int code; /* 0 or enum btc_err */
    char msg[ERR_MSG_MAX];
};

/* The constant's name ("NOSPACE"), "OK" for 0, "?" when unknown. */
const char *err_name(int code);
/* The short text of the table. */
const char *err_text(int code);
/* The process exit status for a code; 0 for 0, 1 when unknown. */
int err_exit(int code);
/* ENOSPC, EDQUOT -> NOSPACE; EACCES, EPERM, EROFS -> PERMISSION;
 * ENOENT, ENOTDIR -> NOTFOUND; ETIMEDOUT -> TIMEOUT;
 * ECONNREFUSED -> REFUSED; ECONNRESET, EPIPE -> CLOSED; other -> IO. */
int err_from_errno(int errno_value);

/* Fills `e` (NULL allowed) and gives `code` back, for `return err_set(...)`. */
int err_set(struct err *e, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Like err_set with ": <strerror>" added; code from err_from_errno. */
int err_set_errno(struct err *e, int errno_value, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Another code for the text that stands there; gives it back. */
int err_set_code(struct err *e, int code);
/* Puts "prefix: " in front of the text; gives e->code (INTERNAL for NULL). */
int err_prefix(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Our own bugs, never the input's: always on, prints expression and place,
 * aborts. The expression must have no side effect. */
#define BTC_ASSERT(expr) \
    ((expr) ? (void)0 : err_assert_failed(#expr, __FILE__, __LINE__))
_Noreturn void err_assert_failed(const char *expr, const char *file, int line);

#endif
