/* A torrent's data goes to another folder; see btc_move in btc.h.
 *
 * The steps, and what holds when the program is killed behind each:
 *
 * 1. The rows of the move are there, and the wish to pause: the old files are
 *    the torrent's.
 * 2. An engine that runs has let go of it: the same.
 * 3. The new files are linked or copied, and synced: the same; the next run
 *    takes the new ones away.
 * 4. save_path and the fingerprints are written, in one transaction: the new
 *    files are the torrent's.
 * 5. The old names are taken away: the same; the next run goes on with it.
 * 6. The rows of the move go, and the old wish is back.
 */
#include "journal/move.h"
#include "api/api.h"
#include "store/relocate.h"

#include "base/file.h"
#include "base/mem.h"
#include "journal/load.h"
#include "journal/shared.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define API_MOVE_SLICE_MS 50u    /* an engine is looked at this often */
#define API_MOVE_LEAST_MS 1000u  /* it needs so long to see a wish */
#define API_MOVE_MOST_MS  60000u /* and then it has to let go */

/* --- an engine that runs --- */

static void api_move_sleep(void)
{
    const struct timespec t = {.tv_nsec = API_MOVE_SLICE_MS * 1000000L};
    (void)nanosleep(&t, NULL);
}

/* The engine rests: it has written of it for the last time. */
static bool api_move_is_at_rest(struct journal *db, int64_t id)
{
    struct journal_stat stat;
    if (journal_load_stat(db, id, &stat, NULL) != 0) {
        return false;
    }
    return stat.state == BTC_STATE_PAUSED || stat.state == BTC_STATE_COMPLETE;
}

/* Waits until no engine works on the torrent. */
static int api_move_wait(struct api_move *m, struct err *e)
{
    const char *path = journal_path(m->db);
    uint64_t waited = 0;
    while (journal_engine_pid(path) != 0) {
        int code = journal_move_stands(m->db, m->row, e);
        if (code != 0) {
            return code; /* it runs again: it will not let go */
        }
        if (waited >= API_MOVE_LEAST_MS &&
            api_move_is_at_rest(m->db, m->row->id)) {
            return 0;
        }
        if (waited >= API_MOVE_MOST_MS) {
            return err_set(e, BTC_E_LOCKED,
                           "the engine (pid %lld) does not let go of torrent "
                           "%lld; try again",
                           (long long)journal_engine_pid(path),
                           (long long)m->row->id);
        }
        if (m->o->on_progress != NULL && !m->o->on_progress(m->o->ctx, 0, 0)) {
            return err_set(e, BTC_E_INTERRUPTED,
                           "interrupted; the data stays where it was");
        }
        api_move_sleep();
        waited += API_MOVE_SLICE_MS;
    }
    return 0;
}

/* --- what is refused --- */

/* Another torrent has one of the places. */
static int api_move_refuse(void *ctx, const struct journal_torrent *other,
                           uint32_t file, const char *path)
{
    (void)file;
    return err_set(ctx, BTC_E_EXISTS,
                   "%.200s belongs to torrent %lld (%.100s); choose another "
                   "folder",
                   path, (long long)other->id, other->name);
}

/* With --here: a file that the journal knows is there. */
static bool api_move_sees(const char *to, const struct journal_file *files,
                          size_t n)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        struct fingerprint p;
        if (files[i].pad || files[i].state.bytes_done == 0) {
            continue;
        }
        any = true;
        char *path = file_join(to, files[i].path);
        bool there = relocate_look(path, &p) == 0 && p.is_file;
        free(path);
        if (there) {
            return true;
        }
    }
    return !any; /* there was nothing yet */
}

/* Whether the data can go there, before anything is written. */
static int api_move_check(struct journal *db, int64_t id,
                          struct api_place *place, bool here, struct err *e)
{
    const char *to = place->save_path;
    struct journal_file *files = NULL;
    size_t n = 0;
    int code = journal_load_files(db, id, &files, &n, e);
    const struct journal_near_files near = {
        .id = id, .save_path = to, .files = files, .n = n};
    if (code == 0) {
        code = place_own(place->own, to, files, n, e);
    }
    if (code == 0) {
        code = journal_near(db, &near, api_move_refuse, e, e);
    }
    if (code == 0 && here && !api_move_sees(to, files, n)) {
        code = err_set(e, BTC_E_STORAGE,
                       "%.300s: no file of torrent %lld is there; name the "
                       "folder that its files lie in",
                       to, (long long)id);
    }
    if (code == 0 && !here) {
        code = api_place_check(place, files, n, e);
    }
    journal_files_free(files, n);
    return code;
}

/* --- the move --- */

/* Both names lead to one folder: there is nothing to move. */
static bool api_move_is_same(const struct journal_move *row)
{
    struct stat a, b;
    return stat(row->from_path, &a) == 0 && stat(row->to_path, &b) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* The new files, if any are to be made, and the switch. */
static int api_move_go(struct api_move *m, struct err *e)
{
    struct stat st = {0};
    bool makes = !m->o->here && !api_move_is_same(m->row);
    int code = api_move_wait(m, e);
    if (code == 0 && makes) {
        code = api_move_find(m, e);
    }
    if (code == 0 && makes) {
        code = api_move_make(m, e);
    }
    if (code == 0 && stat(m->row->to_path, &st) != 0) {
        code = err_set_errno(e, errno, "%.300s", m->row->to_path);
    }
    if (code == 0) {
        code = journal_move_switch(m->db, m->row, m->files, m->n,
                                   (uint64_t)st.st_dev, e);
    }
    return code;
}

/* The old place is left. What somebody else has emptied is his. */
static void api_move_leave(struct api_move *m)
{
    api_move_drop_old(m, !m->row->by_hand && !api_move_is_same(m->row));
}

/* After the switch nothing is undone any more; before it, everything is. */
static int api_move_finish(struct api_move *m, int code, struct err *e)
{
    if (code != 0) {
        api_move_undo(m);
        (void)journal_move_end(m->db, m->row, NULL, 0, NULL);
        return code;
    }
    api_move_leave(m);
    m->out->n_files = (uint32_t)m->n;
    return journal_move_end(m->db, m->row, m->files, m->n, e);
}

/* The folder is good, the torrent is there. */
static int api_move_run(struct journal *db, int64_t id, struct api_place *place,
                        const struct btc_move_options *o, struct btc_moved *out,
                        struct err *e)
{
    struct journal_move row;
    struct api_move m = {.db = db, .o = o, .row = &row, .out = out};
    int code = api_move_check(db, id, place, o->here, e);
    if (code == 0) {
        code = journal_move_begin(db, id, place->save_path, &row, e);
    }
    if (code != 0) {
        return code;
    }
    row.by_hand = o->here;
    code = api_move_finish(&m, api_move_go(&m, e), e);
    out->from = mem_strdup(row.from_path);
    out->to = mem_strdup(row.to_path);
    journal_move_files_free(m.files, m.n);
    journal_move_fini(&row);
    return code;
}

int btc_move(struct btc *b, int64_t id, const struct btc_move_options *o,
             struct btc_moved *out, struct btc_error *e)
{
    struct err err = {0};
    struct api_place place = {.named_by = ""};
    const struct btc_add_options where = {.dir = o->dir};
    int code = 0;
    *out = (struct btc_moved){0};
    if (b->run) {
        code = err_set(&err, BTC_E_USAGE, "the engine runs here");
    }
    if (code == 0) {
        code = api_place_init(&place, &where, &err);
    }
    if (code == 0) {
        place.own = store_own_new(journal_path(b->db));
        code = api_move_recover(b->db, &err);
    }
    if (code == 0) {
        code = api_move_run(b->db, id, &place, o, out, &err);
    }
    if (code != 0 && place.is_made) {
        (void)rmdir(place.save_path); /* nobody has asked for an empty folder */
    }
    api_place_fini(&place);
    return api_status(e, code, &err);
}

/* --- what a killed program has left --- */

/* One move: undone before the switch, finished after it. */
static int api_move_recover_one(struct journal *db, struct journal_move *row,
                                struct err *e)
{
    struct btc_moved out = {0};
    struct api_move m = {.db = db, .row = row, .out = &out};
    int code = journal_load_move_files(db, row->id, &m.files, &m.n, e);
    for (size_t i = 0; code == 0 && i < m.n; i++) {
        char *to = mem_printf("%s/%s", row->to_path, m.files[i].path);
        (void)relocate_look(to, &m.files[i].now);
        free(to);
    }
    if (code == 0 && row->switched) {
        api_move_leave(&m);
    } else if (code == 0) {
        api_move_undo(&m);
    }
    if (code == 0) {
        code = journal_move_end(db, row, NULL, 0, e);
    }
    journal_move_files_free(m.files, m.n);
    return code;
}

int api_move_recover(struct journal *db, struct err *e)
{
    struct journal_move *rows = NULL;
    size_t n = 0;
    int code = journal_load_moves(db, &rows, &n, e);
    for (size_t i = 0; code == 0 && i < n; i++) {
        if (!journal_move_is_live(&rows[i])) {
            code = api_move_recover_one(db, &rows[i], e);
        }
    }
    journal_moves_free(rows, n);
    return code;
}

int btc_recover(struct btc *b, struct btc_error *e)
{
    struct err err = {0};
    struct journal *db = NULL;
    int code = api_db(b, &db, &err);
    if (code == 0) {
        code = api_move_recover(db, &err);
    }
    return api_status(e, code, &err);
}
