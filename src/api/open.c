/* The public interface: opening, texts, the log, numbers; see api.h. */
#include "api/api.h"

#include "base/log.h"
#include "base/mem.h"
#include "model/names.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void api_fill_error(struct btc_error *out, const struct err *e)
{
    if (!out) {
        return;
    }
    out->status = err_exit(e->code);
    (void)snprintf(out->message, sizeof(out->message), "%s",
                   e->msg[0] ? e->msg : err_text(e->code));
}

int api_status(struct btc_error *out, int code, const struct err *e)
{
    if (code == 0) {
        return 0;
    }
    struct err fallback = {.code = code};
    api_fill_error(out, e->code == code ? e : &fallback);
    return err_exit(code);
}

int api_db(struct btc *b, struct journal **out, struct err *e)
{
    int code = 0;
    if (!b->run) {
        *out = b->db;
        return 0;
    }
    if (!b->side) {
        unsigned how = 0;
        if (b->flags & BTC_OPEN_NETWORK) {
            how = JOURNAL_NETWORK;
        }
        code = journal_open(b->path, how, &b->side, e);
    }
    *out = b->side;
    return code;
}

/* See btc.h. The codes up to 16 are the statuses. */
const char *btc_status_text(int status)
{
    if (status == BTC_STATUS_DONE) {
        return "done";
    }
    if (status == BTC_STATUS_OTHER) {
        return "failed";
    }
    return status > 0 && status <= BTC_STATUS_SOME ? err_text(-status)
                                                   : "unknown";
}

bool btc_status_is_retryable(int status)
{
    return status == BTC_STATUS_STALLED || status == BTC_STATUS_NETWORK ||
           status == BTC_STATUS_INTERRUPTED || status == BTC_STATUS_STORAGE;
}

const char *btc_version(void)
{
    return BTC_VERSION;
}

/* --- the log ---------------------------------------------------------------
 */

/* A part of the log's sink, the one mutable global of the program. */
static struct {
    btc_log_fn *fn;
    void *ctx;
} api_log;

/* A line from the log. */
static void api_log_line(void *ctx, enum log_level level, const char *category,
                         const char *line)
{
    (void)ctx;
    api_log.fn(api_log.ctx, (enum btc_log_level)level, category, line);
}

void btc_set_log(enum btc_log_level max, btc_log_fn *fn, void *ctx)
{
    log_set_sink(NULL, NULL); /* no line is under way behind this */
    api_log.fn = fn;
    api_log.ctx = ctx;
    if (fn) {
        log_set_sink(api_log_line, NULL);
    }
    log_set_level((enum log_level)max);
}

/* --- the database ----------------------------------------------------------
 */

/* See btc.h. The XDG specification wants a relative path to be ignored. */
char *btc_default_db(void)
{
    const char *state = getenv("XDG_STATE_HOME");
    if (state && state[0] == '/') {
        return mem_printf("%s/btc/btc.db", state);
    }
    const char *home = getenv("HOME");
    if (home && home[0]) {
        return mem_printf("%s/.local/state/btc/btc.db", home);
    }
    return NULL;
}

int btc_open(const char *path, unsigned flags, struct btc **out,
             struct btc_error *e)
{
    struct err err = {0};
    struct journal *db = NULL;
    unsigned how =
        (flags & BTC_OPEN_CREATE ? (unsigned)JOURNAL_CREATE : 0) |
        (flags & BTC_OPEN_READ_ONLY ? (unsigned)JOURNAL_READ_ONLY : 0);
    if (flags & BTC_OPEN_NETWORK) {
        how |= JOURNAL_NETWORK;
    }
    char *own = path ? NULL : btc_default_db();
    int code;
    *out = NULL;
    path = path ? path : own;
    if (path) {
        code = journal_open(path, how, &db, &err);
    } else {
        code = err_set(&err, BTC_E_USAGE,
                       "no place for the database: neither HOME nor "
                       "XDG_STATE_HOME is set; name it with --db FILE");
    }
    if (code == 0) {
        struct btc *b = mem_zalloc(sizeof(*b));
        b->path = mem_strdup(journal_path(db));
        b->flags = flags;
        b->db = db;
        atomic_init(&b->wakeup, (struct loop_wakeup *)NULL);
        atomic_init(&b->n_stop, 0);
        atomic_init(&b->n_stats, 0);
        atomic_init(&b->n_reload, 0);
        atomic_init(&b->n_signalling, 0);
        *out = b;
    }
    free(own);
    return api_status(e, code, &err);
}

void btc_close(struct btc *b)
{
    if (!b) {
        return;
    }
    BTC_ASSERT(b->run == NULL); /* not from inside btc_run */
    journal_close(b->side);
    journal_close(b->db);
    free(b->path);
    free(b);
}

const char *btc_path(const struct btc *b)
{
    return b->path;
}

int64_t btc_engine_pid(const char *path)
{
    char *own = path ? NULL : btc_default_db();
    path = path ? path : own;
    int64_t pid = path ? journal_engine_pid(path) : 0;
    free(own);
    return pid;
}

int btc_db_backup(struct btc *b, const char *to, struct btc_error *e)
{
    struct err err = {0};
    struct journal *db;
    int code = api_db(b, &db, &err);
    if (code == 0) {
        code = journal_backup(db, to, &err);
    }
    return api_status(e, code, &err);
}

const char *btc_db_schema(void)
{
    return journal_schema_text();
}

/* --- signals ---------------------------------------------------------------
 */

/* See btc.h. Only atomics and uv_async_send: safe in a signal handler. */
void btc_signal(struct btc *b, enum btc_signal s)
{
    switch (s) {
    case BTC_SIGNAL_STOP:
        (void)atomic_fetch_add(&b->n_stop, 1);
        break;
    case BTC_SIGNAL_STATS:
        (void)atomic_fetch_add(&b->n_stats, 1);
        break;
    case BTC_SIGNAL_RELOAD:
        (void)atomic_fetch_add(&b->n_reload, 1);
        break;
    }
    (void)atomic_fetch_add(&b->n_signalling, 1);
    struct loop_wakeup *w = atomic_load(&b->wakeup);
    if (w) {
        loop_wakeup_send(w);
    }
    (void)atomic_fetch_sub(&b->n_signalling, 1);
}

/* See handle.h. Whoever counted himself in before the store may still send; a
 * handler on this thread has ended by now, so the wait is short. */
void api_forget_wakeup(struct btc *b)
{
    atomic_store(&b->wakeup, (struct loop_wakeup *)NULL);
    while (atomic_load(&b->n_signalling) > 0) {
        (void)sched_yield();
    }
}

/* --- numbers as people write them ------------------------------------------
 */

bool btc_parse_size(const char *text, uint64_t *out)
{
    return text && bytes_parse_size(slice_str(text), out);
}

bool btc_parse_duration_ms(const char *text, uint64_t *out)
{
    return text && bytes_parse_duration_ms(slice_str(text), out);
}

/* "1.5" as 1500, at most three digits behind the dot. */
static bool api_parse_thousandths(struct slice s, int64_t *out)
{
    static const uint64_t unit[] = {1000, 100, 10, 1};
    const uint8_t *dot = s.len > 0 ? memchr(s.p, '.', s.len) : NULL;
    size_t whole = dot ? (size_t)(dot - s.p) : s.len;
    size_t digits = dot ? s.len - whole - 1 : 0;
    uint64_t n, part = 0;
    if (!bytes_parse_u64(slice_sub(s, 0, whole), &n) || n > 1000000) {
        return false;
    }
    if (dot && (digits == 0 || digits > 3)) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        uint8_t c = s.p[whole + 1 + i];
        if (c < '0' || c > '9') {
            return false;
        }
        part = part * 10 + (uint64_t)(c - '0');
    }
    *out = (int64_t)(n * 1000 + part * unit[digits]);
    return true;
}

int api_parse_seed(const char *text, enum seed_mode *mode, int64_t *goal,
                   struct err *e)
{
    struct slice s = slice_str(text);
    uint64_t ms;
    *goal = 0;
    if (slice_eq_str(s, "none") || slice_eq_str(s, "forever")) {
        *mode = s.p[0] == 'n' ? SEED_MODE_NONE : SEED_MODE_FOREVER;
        return 0;
    }
    if (slice_has_prefix(s, "ratio:") &&
        api_parse_thousandths(slice_sub(s, 6, s.len - 6), goal)) {
        *mode = SEED_MODE_RATIO;
        return 0;
    }
    if (slice_has_prefix(s, "time:") &&
        bytes_parse_duration_ms(slice_sub(s, 5, s.len - 5), &ms)) {
        *mode = SEED_MODE_TIME;
        *goal = (int64_t)(ms / 1000 + (ms % 1000 != 0));
        return 0;
    }
    return err_set(e, BTC_E_USAGE,
                   "seed is none, forever, ratio:NUMBER (ratio:1.5) or "
                   "time:SPAN (time:60m), not '%.100s'",
                   text);
}
