/* The public interface: opening, texts, the log, numbers; see api.h. */
#include "api/api.h"

#include "base/log.h"
#include "base/mem.h"
#include "journal/nodes.h"
#include "model/names.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Texts for people. */
static void api_fill_error(struct btc_error *out, const struct err *e)
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
    if (!b->run && !b->db) {
        return err_set(e, BTC_E_STORAGE,
                       "the drive of the database does not answer");
    }
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
    if (status > 0 && status <= BTC_STATUS_SOME) {
        return err_text(-status);
    }
    return "unknown";
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
    if (flags & BTC_OPEN_ANY_VERSION) {
        how |= JOURNAL_ANY_VERSION;
    }
    char *own = NULL;
    if (!path) {
        own = btc_default_db();
    }
    int code;
    *out = NULL;
    if (!path) {
        path = own;
    }
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
        *out = b;
    }
    free(own);
    return api_status(e, code, &err);
}

/* Who knows nodes of the DHT needs no bootstrap host. Without them it goes on
 * all the same. */
static void api_scratch_take_nodes(struct journal *to, struct journal *from)
{
    struct journal_node *nodes = NULL;
    size_t n = 0;
    if (journal_load_nodes(from, &nodes, &n, NULL) == 0 && n > 0) {
        (void)journal_save_nodes(to, nodes, n, NULL);
    }
    free(nodes);
}

int btc_open_scratch(struct btc *like, struct btc **out, struct btc_error *e)
{
    struct err err = {0};
    struct btc *b = NULL;
    char *folder = api_scratch_make(&err);
    *out = NULL;
    if (folder == NULL) {
        return api_status(e, err.code, &err);
    }
    char *path = mem_printf("%s/btc.db", folder);
    int status = btc_open(path, BTC_OPEN_CREATE | BTC_OPEN_NETWORK, &b, e);
    free(path);
    if (b == NULL) {
        api_scratch_fini(folder);
        return status;
    }
    b->scratch = folder;
    if (like != NULL) {
        api_scratch_take_nodes(b->db, like->db);
    }
    *out = b;
    return 0;
}

void btc_close(struct btc *b)
{
    if (!b) {
        return;
    }
    BTC_ASSERT(b->run == NULL); /* not from inside btc_run */
    journal_close(b->side);
    journal_close(b->db);
    api_scratch_fini(b->scratch);
    free(b->path);
    free(b);
}

const char *btc_path(const struct btc *b)
{
    return b->path;
}

int64_t btc_engine_pid(const char *path)
{
    char *own = NULL;
    if (!path) {
        own = btc_default_db();
    }
    if (!path) {
        path = own;
    }
    int64_t pid = 0;
    if (path) {
        pid = journal_engine_pid(path);
    }
    free(own);
    return pid;
}

bool btc_engine_is_stopped(int64_t pid)
{
    char text[512];
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
    int fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return false;
    }
    ssize_t n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    /* The name of the program may hold anything, also a parenthesis. */
    const char *end = strrchr(text, ')');
    return end != NULL && strncmp(end, ") T", 3) == 0;
}

/* --- signals ---------------------------------------------------------------
 */

void btc_signal(struct btc *b, enum btc_signal s)
{
    engine_signal(&b->signals, s);
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
