/* Error codes, their texts, and the struct that carries a message upward. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longest prefix that err_prefix puts in front. */
#define ERR_PREFIX_MAX 256

struct err_row {
    int code;
    int status;
    const char *name;
    const char *text;
};

static const struct err_row err_rows[] = {{0, 0, "OK", "no error"},
#define ERR_ROW(name, code, status, text) {-(code), status, #name, text},
                                          ERR_MAP(ERR_ROW)
#undef ERR_ROW
};

/* The table row of a code, NULL when unknown. */
static const struct err_row *err_find(int code)
{
    for (size_t i = 0; i < sizeof(err_rows) / sizeof(err_rows[0]); i++) {
        if (err_rows[i].code == code) {
            return &err_rows[i];
        }
    }
    return NULL;
}

/* The constant's name without its BTC_E_. */
const char *err_name(int code)
{
    const struct err_row *row = err_find(code);
    if (row) {
        return row->name;
    }
    return "?";
}

/* The short text of the table. */
const char *err_text(int code)
{
    const struct err_row *row = err_find(code);
    if (row) {
        return row->text;
    }
    return "unknown error";
}

/* The process exit status for a code. */
int err_exit(int code)
{
    const struct err_row *row = err_find(code);
    if (row) {
        return row->status;
    }
    return 1;
}

/* Turns errno into one of our codes. */
int err_from_errno(int errno_value)
{
    switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
        return BTC_E_NOSPACE;
    case EACCES:
    case EPERM:
    case EROFS:
        return BTC_E_PERMISSION;
    case ENOENT:
    case ENOTDIR:
        return BTC_E_NOTFOUND;
    case ETIMEDOUT:
        return BTC_E_TIMEOUT;
    case ECONNREFUSED:
        return BTC_E_REFUSED;
    case ECONNRESET:
    case EPIPE:
        return BTC_E_CLOSED;
    default:
        return BTC_E_IO;
    }
}

/* Puts code and text into the struct; gives the code back. */
int err_set(struct err *e, int code, const char *fmt, ...)
{
    if (e) {
        va_list ap;
        va_start(ap, fmt);
        e->code = code;
        (void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
        va_end(ap);
    }
    return code;
}

/* err_set with the text of errno behind it. */
int err_set_errno(struct err *e, int errno_value, const char *fmt, ...)
{
    int code = err_from_errno(errno_value);
    if (e) {
        char text[128];
        va_list ap;
        va_start(ap, fmt);
        e->code = code;
        (void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
        va_end(ap);
        size_t len = strlen(e->msg);
        (void)snprintf(e->msg + len, sizeof(e->msg) - len, ": %s%s",
                       strerror_r(errno_value, text, sizeof(text)),
                       errno_value == EMFILE ? " (ulimit -n)" : "");
    }
    return code;
}

/* Keeps the text. */
int err_set_code(struct err *e, int code)
{
    if (e) {
        e->code = code;
    }
    return code;
}

/* Puts "prefix: " in front of the text, which is cut when it grows too long. */
int err_prefix(struct err *e, const char *fmt, ...)
{
    if (!e) {
        return BTC_E_INTERNAL;
    }
    char prefix[ERR_PREFIX_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(prefix, sizeof(prefix) - 2, fmt, ap);
    va_end(ap);
    size_t len = strlen(prefix);
    prefix[len++] = ':';
    prefix[len++] = ' ';
    size_t text = strlen(e->msg);
    if (text > sizeof(e->msg) - 1 - len) {
        text = sizeof(e->msg) - 1 - len;
    }
    memmove(e->msg + len, e->msg, text);
    memcpy(e->msg, prefix, len);
    e->msg[len + text] = '\0';
    return e->code;
}

/* Where a failed BTC_ASSERT ends. */
_Noreturn void err_assert_failed(const char *expr, const char *file, int line)
{
    (void)fprintf(stderr, "btc: bug at %s:%d: %s\n", file, line, expr);
    abort();
}
