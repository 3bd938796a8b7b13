/* The events of an engine in another process, read from the database; see
 * btc_follow in btc.h.
 *
 * Everything is a comparison of a row of the view `progress` with the row
 * before; single pieces and files are not told. Rows are read every
 * API_FOLLOW_MS, so a torrent that is done is told soon, and told in STATS
 * every tick.
 *
 * An error may be older than this command: the engine needs a moment to see the
 * wish that came with it. So trouble counts only once it outlasts a grace. So
 * does `complete` while a file that is wanted by now is not.
 */
#include "api/api.h"

#include "base/mem.h"
#include "base/num.h"
#include "journal/load.h"
#include "model/names.h"
#include "net/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define API_TICK_MS      1000u /* between two STATS, unless set */
#define API_FOLLOW_MS    250u  /* rows are read this often, or every tick */
#define API_SLICE_MS     50u   /* signals are looked at this often */
#define API_GRACE_MS     2000u /* for an error that was there at the start */
#define API_GRACE_ABSENT 7000u /* storage, space: looked at every 5 s */

/* One torrent that is followed. */
struct api_followed {
    struct btc_progress p; /* its texts are these: */
    char *name;            /* owns */
    char *save_path;       /* owns */
    char *error;           /* owns */
    bool seen;             /* ADDED was told */
    bool here;             /* its row is in the view */
    bool over;
    int status; /* of its end: enum btc_err, 0 = done */
    int64_t error_code;
    int64_t checked_to;
};

struct api_follow {
    struct btc *b;
    const struct btc_run_options *o;
    struct journal *db;
    struct api_followed *items; /* owns */
    size_t n;
    struct btc_progress *progress; /* owns; scratch for STATS */
    uint64_t start_ms, read_ms, tick_ms;
    int64_t pid; /* the engine at the start */
};

/* Milliseconds that never jump. */
static uint64_t api_now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Tells an event. */
static void api_tell(const struct api_follow *f, struct btc_event *ev)
{
    ev->at = loop_unix_now();
    if (f->o->on_event) {
        f->o->on_event(f->o->ctx, ev);
    }
}

/* Tells an event of one torrent. */
static void api_tell_of(const struct api_follow *f,
                        const struct api_followed *t, enum btc_event_type type,
                        int status, const char *text)
{
    struct btc_event ev = {.type = type,
                           .id = t->p.id,
                           .progress = &t->p,
                           .n = t->seen ? 1 : 0,
                           .status = err_exit(status),
                           .text = text};
    api_tell(f, &ev);
}

/* All torrents at once. */
static void api_tell_stats(struct api_follow *f, bool asked)
{
    struct btc_event ev = {.type = BTC_EVENT_STATS, .asked = asked};
    for (size_t i = 0; i < f->n; i++) {
        if (f->items[i].seen) {
            f->progress[ev.n++] = f->items[i].p;
        }
    }
    ev.progress = f->progress;
    api_tell(f, &ev);
}

/* --- rows ------------------------------------------------------------------
 */

/* A state that a newer version may have written is trouble. */
static enum btc_state api_state(const struct journal_value *v)
{
    char name[32] = "";
    if (v->type == JOURNAL_TEXT && v->text.len < sizeof(name)) {
        memcpy(name, v->text.p, v->text.len);
        name[v->text.len] = '\0';
    }
    enum btc_state state = btc_state_from_name(name);
    if (state == BTC_STATE_UNKNOWN) {
        return BTC_STATE_ERROR;
    }
    return state;
}

/* A text of a row. What stays the same keeps its memory. */
static const char *api_take_text(char **own, const struct journal_value *v)
{
    bool none = v->type != JOURNAL_TEXT || v->text.len == 0;
    if (none || !*own || !slice_eq_str(v->text, *own)) {
        free(*own);
        *own = none ? NULL : mem_strndup((const char *)v->text.p, v->text.len);
    }
    return *own;
}

/* The columns that are texts. */
static void api_take_texts(struct api_followed *t,
                           const struct journal_value *v)
{
    struct btc_progress *p = &t->p;
    if (strcmp(v->column, "name") == 0) {
        p->name = api_take_text(&t->name, v);
    } else if (strcmp(v->column, "save_path") == 0) {
        p->save_path = api_take_text(&t->save_path, v);
    } else if (strcmp(v->column, "error") == 0) {
        p->error = api_take_text(&t->error, v);
    } else if (strcmp(v->column, "state") == 0) {
        p->state = api_state(v);
    } else if (strcmp(v->column, "info_hash") == 0) {
        (void)snprintf(p->info_hash, sizeof(p->info_hash), "%.*s",
                       (int)v->text.len, (const char *)v->text.p);
    }
}

/* A count of the view; never negative there. */
static uint64_t api_count(const struct journal_value *v)
{
    if (v->type == JOURNAL_INT && v->i > 0) {
        return (uint64_t)v->i;
    }
    return 0;
}

/* The same in 32 bits. */
static uint32_t api_count32(const struct journal_value *v)
{
    return (uint32_t)num_min_u64(api_count(v), UINT32_MAX);
}

/* The columns that are numbers. */
static void api_take_number(struct api_followed *t,
                            const struct journal_value *v)
{
    struct btc_progress *p = &t->p;
    const struct {
        const char *column;
        uint64_t *to;
    } wide[] = {
        {"bytes_done", &p->bytes_done}, {"bytes_total", &p->bytes_total},
        {"down_rate", &p->down_rate},   {"up_rate", &p->up_rate},
        {"downloaded", &p->downloaded}, {"uploaded", &p->uploaded},
        {"wasted", &p->wasted}};
    const struct {
        const char *column;
        uint32_t *to;
    } narrow[] = {{"pieces_done", &p->pieces_done},
                  {"pieces_total", &p->pieces_total},
                  {"piece_length", &p->piece_length},
                  {"peers", &p->peers},
                  {"seeds", &p->seeds}};
    for (size_t i = 0; i < sizeof(wide) / sizeof(*wide); i++) {
        if (strcmp(v->column, wide[i].column) == 0) {
            *wide[i].to = api_count(v);
        }
    }
    for (size_t i = 0; i < sizeof(narrow) / sizeof(*narrow); i++) {
        if (strcmp(v->column, narrow[i].column) == 0) {
            *narrow[i].to = api_count32(v);
        }
    }
    if (strcmp(v->column, "eta_s") == 0) {
        if (v->type == JOURNAL_INT) {
            p->eta_s = v->i;
        } else {
            p->eta_s = -1;
        }
    } else if (strcmp(v->column, "ratio") == 0) {
        if (v->type == JOURNAL_REAL) {
            p->ratio = v->real;
        } else {
            p->ratio = (double)v->i;
        }
    } else if (strcmp(v->column, "error_code") == 0) {
        t->error_code = v->i;
    } else if (strcmp(v->column, "checked_to") == 0) {
        t->checked_to = v->i;
    }
}

/* A row of the view `progress`. */
static int api_take_row(void *ctx, const struct journal_value *v, size_t n)
{
    struct api_followed *t = ctx;
    t->here = true;
    for (size_t i = 0; i < n; i++) {
        api_take_texts(t, &v[i]);
        api_take_number(t, &v[i]);
    }
    bool checking = t->p.state == BTC_STATE_CHECKING;
    int64_t left = (int64_t)t->p.pieces_total - t->checked_to;
    if (checking && left > 0) {
        t->p.pieces_checking = (uint32_t)left;
    } else {
        t->p.pieces_checking = 0;
    }
    return 0;
}

/* --- what the rows mean ----------------------------------------------------
 */

/* Everything wanted is here. A paused torrent may be complete, too. */
static bool api_is_done(const struct api_followed *t)
{
    const struct btc_progress *p = &t->p;
    if (p->state == BTC_STATE_COMPLETE || p->state == BTC_STATE_SEEDING) {
        return true;
    }
    return p->state == BTC_STATE_PAUSED && p->bytes_total > 0 &&
           p->bytes_done >= p->bytes_total;
}

/* The torrent's end in trouble: enum btc_err, 0 = it goes on. */
static int api_trouble(const struct api_followed *t, uint64_t followed_ms)
{
    enum btc_state state = t->p.state;
    int given = BTC_E_INTERNAL;
    if (t->error_code < 0 && t->error_code > -1000) {
        given = (int)t->error_code;
    }
    if (state == BTC_STATE_ERROR) {
        if (followed_ms < API_GRACE_MS) {
            return 0;
        }
        return given;
    }
    if (followed_ms < API_GRACE_ABSENT) {
        return 0;
    }
    if (state == BTC_STATE_WAITING_STORAGE) {
        /* without a code its drive only does not answer now */
        return t->error_code != 0 ? BTC_E_STORAGE : 0;
    }
    if (state == BTC_STATE_WAITING_SPACE) {
        return BTC_E_NOSPACE;
    }
    return 0;
}

/* The rows of the files that are wanted now say so, too. */
static bool api_has_files(const struct api_follow *f,
                          const struct api_followed *t)
{
    struct journal_file *files = NULL;
    size_t n = 0;
    bool all = journal_load_files(f->db, t->p.id, &files, &n, NULL) == 0;
    for (size_t i = 0; all && i < n; i++) {
        all = files[i].pad || files[i].state.priority == 0 ||
              files[i].state.bytes_done >= files[i].length;
    }
    journal_files_free(files, n);
    return all;
}

/* Done, and whether a command is owed now. */
static void api_tell_done(const struct api_follow *f,
                          const struct api_followed *t)
{
    struct journal_stat stat = {0};
    struct btc_event ev = {.type = BTC_EVENT_DONE,
                           .id = t->p.id,
                           .progress = &t->p,
                           .n = t->seen ? 1 : 0};
    if (journal_load_stat(f->db, t->p.id, &stat, NULL) == 0) {
        ev.owed = stat.done_owed;
    }
    api_tell(f, &ev);
}

/* Ends one torrent. */
static void api_end_one(const struct api_follow *f, struct api_followed *t,
                        int status, const char *text)
{
    t->over = true;
    t->status = status;
    if (status == 0) {
        api_tell_done(f, t);
    } else {
        api_tell_of(f, t, BTC_EVENT_ERROR, status, text);
    }
}

/* Tells a state that is new. */
static void api_tell_state(const struct api_follow *f,
                           const struct api_followed *t, enum btc_state before)
{
    if (before == BTC_STATE_METADATA) {
        api_tell_of(f, t, BTC_EVENT_METADATA, 0, NULL);
    }
    if (before != BTC_STATE_UNKNOWN) {
        api_tell_of(f, t, BTC_EVENT_STATE, 0, NULL);
    }
    if (t->p.state == BTC_STATE_CHECKING) {
        api_tell_of(f, t, BTC_EVENT_CHECKING, 0, NULL);
    }
}

/* What changed in one torrent. */
static void api_compare(const struct api_follow *f, struct api_followed *t,
                        enum btc_state state_before, uint64_t now)
{
    if (!t->here) {
        if (!t->over) {
            api_end_one(f, t, BTC_E_NOTFOUND, "the torrent was removed");
        }
        return;
    }
    if (!t->seen) {
        t->seen = true;
        api_tell_of(f, t, BTC_EVENT_ADDED, 0, NULL);
    }
    if (state_before != t->p.state) {
        api_tell_state(f, t, state_before);
    }
    if (t->over) {
        return;
    }
    int trouble = api_trouble(t, now - f->start_ms);
    if (api_is_done(t)) {
        if (now - f->start_ms >= API_GRACE_ABSENT || api_has_files(f, t)) {
            api_end_one(f, t, 0, NULL);
        }
    } else if (trouble != 0) {
        api_end_one(f, t, trouble, t->p.error ? t->p.error : err_text(trouble));
    }
}

/* Reads all rows and tells what changed. */
static int api_follow_read(struct api_follow *f, uint64_t now, struct err *e)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < f->n; i++) {
        struct api_followed *t = &f->items[i];
        enum btc_state state = t->p.state;
        t->here = false;
        code = journal_query_view(f->db, "progress", t->p.id, 0, api_take_row,
                                  t, e);
        if (code == 0) {
            api_compare(f, t, state, now);
        }
    }
    /* Another program holds the database for long: that may pass. */
    if (code == BTC_E_LOCKED) {
        return 0;
    }
    return code;
}

/* --- the run of it ---------------------------------------------------------
 */

/* Everything is over. */
static bool api_follow_is_over(const struct api_follow *f)
{
    for (size_t i = 0; i < f->n; i++) {
        if (!f->items[i].over) {
            return false;
        }
    }
    return true;
}

/* What it all ended with: as the engine itself would say. */
static int api_follow_outcome(const struct api_follow *f, struct err *e)
{
    const struct api_followed *first = NULL;
    bool good = false, mixed = false;
    for (size_t i = 0; i < f->n; i++) {
        const struct api_followed *t = &f->items[i];
        if (t->status == 0) {
            good = true;
        } else if (!first) {
            first = t;
        } else {
            mixed = mixed || t->status != first->status;
        }
    }
    if (!first) {
        return 0;
    }
    const char *text = first->p.error && first->here ? first->p.error
                                                     : err_text(first->status);
    return err_set(e, good || mixed ? BTC_E_SOME : first->status, "%.100s: %s",
                   first->p.name ? first->p.name : "torrent", text);
}

/* btc_signal; true when it is to end. */
static bool api_follow_signals(struct api_follow *f)
{
    if (atomic_exchange(&f->b->signals.n_stats, 0) > 0) {
        api_tell_stats(f, true);
    }
    if (atomic_exchange(&f->b->signals.n_reload, 0) > 0) {
        struct btc_event ev = {.type = BTC_EVENT_RELOAD};
        api_tell(f, &ev);
    }
    return atomic_exchange(&f->b->signals.n_stop, 0) > 0;
}

/* One look: 1 = go on, else the end's code. */
static int api_follow_step(struct api_follow *f, struct err *e)
{
    uint64_t now = api_now_ms();
    uint64_t tick = API_TICK_MS;
    if (f->o->tick_ms > 0) {
        tick = f->o->tick_ms;
    }
    uint64_t read = API_FOLLOW_MS;
    if (tick < API_FOLLOW_MS) {
        read = tick;
    }
    if (api_follow_signals(f)) {
        return err_set(e, BTC_E_INTERRUPTED,
                       "interrupted; the engine that runs goes on");
    }
    if (now - f->read_ms < read) {
        return 1;
    }
    /* Asked before the rows are read: an engine that ended wrote them all. */
    bool gone = journal_engine_pid(f->b->path) == 0;
    f->read_ms = now;
    int code = api_follow_read(f, now, e);
    if (code != 0) {
        return code;
    }
    bool over = api_follow_is_over(f);
    if (now - f->tick_ms >= tick || over) {
        f->tick_ms = now;
        api_tell_stats(f, false);
    }
    if (over) {
        return api_follow_outcome(f, e);
    }
    if (gone) {
        return err_set(e, BTC_E_INTERRUPTED,
                       "the engine (pid %lld) ended before everything was "
                       "done; `btc resume` goes on",
                       (long long)f->pid);
    }
    if (f->o->patience.max_time_s > 0 &&
        now - f->start_ms >= (uint64_t)f->o->patience.max_time_s * 1000) {
        return err_set(e, BTC_E_STALLED,
                       "the time limit was reached; the engine that runs goes "
                       "on");
    }
    return 1;
}

/* The torrents: those that were named, or all that are wished to run. */
static int api_follow_items(struct api_follow *f, struct err *e)
{
    struct journal_torrent *rows = NULL;
    size_t n = 0;
    int code = 0;
    if (f->o->n_ids == 0) {
        code = journal_load_torrents(f->db, &rows, &n, e);
    }
    for (size_t i = 0; code == 0 && i < f->o->n_ids; i++) {
        struct journal_stat stat;
        code = journal_load_stat(f->db, f->o->ids[i], &stat, e);
    }
    size_t cap = f->o->n_ids + n;
    f->items = mem_calloc(cap > 0 ? cap : 1, sizeof(*f->items));
    f->progress = mem_calloc(cap > 0 ? cap : 1, sizeof(*f->progress));
    for (size_t i = 0; i < cap; i++) {
        if (f->o->n_ids > 0) {
            f->items[f->n++].p.id = f->o->ids[i];
        } else if (rows[i].wanted == WANTED_RUN) {
            f->items[f->n++].p.id = rows[i].id;
        }
    }
    journal_torrents_free(rows, n);
    return code;
}

/* A command follows those that are not done yet. */
static int api_follow_owe(struct api_follow *f, struct err *e)
{
    int code = 0;
    for (size_t i = 0; f->o->owes_done && code == 0 && i < f->n; i++) {
        struct journal_stat stat;
        int64_t id = f->items[i].p.id;
        code = journal_load_stat(f->db, id, &stat, e);
        if (code == 0 &&
            (stat.bytes_total == 0 || stat.bytes_done < stat.bytes_total)) {
            code = api_hook_owe(f->db, id, e);
        }
    }
    return code;
}

/* Frees what the rows gave. */
static void api_follow_fini(struct api_follow *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->items[i].name);
        free(f->items[i].save_path);
        free(f->items[i].error);
    }
    free(f->items);
    free(f->progress);
}

/* Sleeps a slice; a signal on this thread ends it at once. */
static void api_follow_sleep(void)
{
    struct timespec t = {.tv_sec = 0, .tv_nsec = API_SLICE_MS * 1000000L};
    (void)nanosleep(&t, NULL);
}

int btc_follow(struct btc *b, const struct btc_run_options *o,
               struct btc_error *e)
{
    struct err err = {0};
    struct api_follow f = {.b = b, .o = o, .start_ms = api_now_ms()};
    int code = b->run ? err_set(&err, BTC_E_USAGE, "the engine runs here")
                      : api_db(b, &f.db, &err);
    if (code == 0) {
        f.tick_ms = f.start_ms;
        f.pid = journal_engine_pid(b->path);
        code = api_follow_items(&f, &err);
        code = code == 0 ? api_follow_owe(&f, &err) : code;
        while (code == 0 && (code = api_follow_step(&f, &err)) == 1) {
            api_follow_sleep();
            code = 0;
        }
        api_follow_fini(&f);
    }
    return api_status(e, code, &err);
}
