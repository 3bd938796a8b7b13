/* What became of the files of complete torrents while no engine ran; see
 * btc_look in btc.h. Their rows say how the last run left them, a survey says
 * how they are. Torrents are taken some at a time, so that a database of very
 * many files does not stand in memory as a whole.
 */
#include "api/api.h"

#include "base/file.h"
#include "base/limit.h"
#include "base/mem.h"
#include "core/durable/trust.h"
#include "journal/load.h"
#include "store/store.h"
#include "store/survey.h"

#include <stdlib.h>

/* Of one survey, but for a single torrent of more. */
#define LOOK_FILES 20000u
/* Nothing was heard of any drive for so long: those that are left are silent.
 * One that was asleep may need as long. */
#define LOOK_SILENT_MS 12000u
#define LOOK_SLICE_MS  50u /* signals are looked at this often */

/* A torrent of the survey. */
struct look_torrent {
    struct journal_file *files; /* owns */
    size_t n;
    size_t first; /* its first place; each file that is known has one */
};

/* Some torrents, looked at together. */
struct look {
    struct btc *b;
    struct journal *db;
    struct survey *survey;    /* owns */
    struct look_torrent *all; /* owns */
    size_t n, n_places;
};

/* There is to be a file. */
static bool look_is_known(const struct journal_file *f)
{
    return !f->pad && f->state.has_print;
}

/* All paths lead below the save path; else the engine says which does not. */
static bool look_is_clean(const struct look_torrent *t)
{
    for (size_t i = 0; i < t->n; i++) {
        const char *path = journal_file_place(&t->files[i]);
        if (look_is_known(&t->files[i]) &&
            (path == NULL || !store_path_is_clean(path))) {
            return false;
        }
    }
    return true;
}

static void look_add_places(struct look *l, const struct look_torrent *t,
                            const char *save_path, uint64_t drive)
{
    for (size_t i = 0; i < t->n; i++) {
        if (look_is_known(&t->files[i])) {
            char *path = file_join(save_path, journal_file_place(&t->files[i]));
            survey_add(l->survey, path, drive);
            l->n_places++;
            free(path);
        }
    }
}

/* The next torrent of a survey. What its rows do not tell is for a run. */
static int look_add(struct look *l, int64_t id, enum btc_seen *out,
                    struct err *e)
{
    struct look_torrent *t = &l->all[l->n++];
    struct journal_torrent *row = NULL;
    struct journal_stat stat = {0};
    size_t n = 0;
    *t = (struct look_torrent){.first = l->n_places};
    int code = journal_load_by_id(l->db, id, &row, &n, e);
    if (code == 0) {
        code = journal_load_stat(l->db, id, &stat, e);
    }
    if (code == 0) {
        code = journal_load_files(l->db, id, &t->files, &t->n, e);
    }
    *out = BTC_SEEN_CHANGED;
    if (code == 0 && n > 0 && look_is_clean(t)) {
        look_add_places(l, t, row->save_path, stat.root_dev);
        *out = BTC_SEEN_SAME;
    }
    journal_torrents_free(row, n);
    if (code == BTC_E_LOCKED) {
        return code;
    }
    return 0;
}

/* What is to be without bytes: an empty file, or a link of the torrent's, which
 * its number and its birth tell from another thing. */
static bool look_is_empty(const struct journal_file *f,
                          const struct fingerprint *now)
{
    if (now->is_file) {
        return now->size == 0;
    }
    return now->exists && !journal_file_is_another(&f->state, now);
}

/* Whether it is not as it was left. A file system that numbers files anew at
 * each look has the same file. */
static bool look_differs(const struct journal_file *f,
                         const struct fingerprint *now)
{
    const struct fingerprint left = journal_file_print(&f->state);
    if (f->length == 0) {
        return !look_is_empty(f, now);
    }
    return !trust_is_left(&left, now);
}

/* The answers for one torrent. */
static enum btc_seen look_judge(struct look *l, const struct look_torrent *t)
{
    enum btc_seen seen = BTC_SEEN_SAME;
    size_t at = t->first;
    for (size_t i = 0; i < t->n; i++) {
        struct fingerprint now;
        if (!look_is_known(&t->files[i])) {
            continue;
        }
        enum survey_answer answer = survey_get(l->survey, at++, &now);
        if (answer == SURVEY_SILENT) {
            seen = BTC_SEEN_SILENT;
        } else if (answer == SURVEY_FAILED ||
                   look_differs(&t->files[i], &now)) {
            return BTC_SEEN_CHANGED;
        }
    }
    return seen;
}

/* Until all drives have answered, or the rest is silent. */
static int look_wait(struct look *l, struct err *e)
{
    unsigned silent_ms = 0;
    size_t seen = 0;
    while (!survey_wait(l->survey, LOOK_SLICE_MS) &&
           silent_ms < LOOK_SILENT_MS) {
        size_t now = survey_count(l->survey);
        silent_ms = now > seen ? 0 : silent_ms + LOOK_SLICE_MS;
        seen = now;
        if (atomic_exchange(&l->b->signals.n_stop, 0) > 0) {
            return err_set(e, BTC_E_INTERRUPTED, "interrupted");
        }
    }
    return 0;
}

/* One survey: as many of the torrents as fit. `n_done` are over then. */
static int look_some(struct look *l, const int64_t *ids, size_t n,
                     enum btc_seen *out, size_t *n_done, struct err *e)
{
    int code = 0;
    l->survey = survey_new();
    l->n = l->n_places = 0;
    while (code == 0 && l->n < n && l->n_places < LOOK_FILES) {
        size_t at = l->n;
        code = look_add(l, ids[at], &out[at], e);
    }
    if (code == 0 && survey_begin(l->survey) != 0) {
        code = limit_threads(e);
    }
    if (code == 0) {
        code = look_wait(l, e);
    }
    for (size_t i = 0; i < l->n; i++) {
        if (code == 0 && out[i] == BTC_SEEN_SAME) {
            out[i] = look_judge(l, &l->all[i]);
        }
        journal_files_free(l->all[i].files, l->all[i].n);
    }
    survey_free(l->survey);
    *n_done = l->n;
    return code;
}

int btc_look(struct btc *b, const int64_t *ids, size_t n, enum btc_seen *out,
             struct btc_error *e)
{
    struct err err = {0};
    struct look l = {.b = b};
    int code = api_db(b, &l.db, &err);
    l.all = mem_calloc(n > 0 ? n : 1, sizeof(*l.all));
    for (size_t at = 0; code == 0 && at < n;) {
        size_t n_done = 0;
        code = look_some(&l, &ids[at], n - at, &out[at], &n_done, &err);
        at += n_done;
    }
    free(l.all);
    return api_status(e, code, &err);
}
