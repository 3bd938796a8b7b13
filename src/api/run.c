/* The engine on the calling thread, and what may be said to it; see btc_run in
 * btc.h and engine.h.
 */
#include "api/api.h"

#include "base/mem.h"
#include "journal/care.h"
#include "journal/load.h"
#include "journal/owed.h"
#include "model/seed_goal.h"

#include <stdlib.h>
#include <string.h>

#define API_CELL_FULL 8u

/* What cannot be run is refused before the lock is taken. */
static int api_run_check(struct btc *b, const struct btc_run_options *o,
                         struct err *e)
{
    struct seed_goal goal;
    struct journal_stat stat;
    int code = 0;
    if (b->run) {
        return err_set(e, BTC_E_USAGE, "the engine runs already");
    }
    if (b->flags & BTC_OPEN_READ_ONLY) {
        return err_set(e, BTC_E_USAGE,
                       "the database was opened for reading only");
    }
    if (o->seed) {
        code = seed_goal_parse(o->seed, &goal, e);
    }
    if (code == 0) {
        code = journal_check_schema(b->db, NULL, NULL, e);
    }
    for (size_t i = 0; code == 0 && i < o->n_ids; i++) {
        code = journal_load_stat(b->db, o->ids[i], &stat, e);
    }
    return code;
}

/* The engine lock is held. */
static int api_run(struct btc *b, const struct btc_run_options *o,
                   struct err *e)
{
    int code = engine_open(b->db, &b->signals, o, &b->run, e);
    if (code == 0) {
        code = engine_run(b->run, e);
    }
    bool left = engine_has_left_journal(b->run);
    engine_close(b->run);
    b->run = NULL;
    if (left) { /* closing them would wait for the drive */
        b->db = NULL;
        b->side = NULL;
    }
    return code;
}

/* See btc.h. Signals that came during the run are spent with it; one that came
 * before still counts for the next. */
int btc_run(struct btc *b, const struct btc_run_options *o, struct btc_error *e)
{
    struct err err = {0};
    int code = api_run_check(b, o, &err);
    if (code == 0) {
        code = journal_lock_engine(b->db, &err);
        if (code == 0) {
            code = api_move_recover(b->db, &err);
            if (code == 0) {
                code = api_run(b, o, &err);
            }
            if (b->db != NULL) {
                journal_unlock_engine(b->db);
            }
            journal_close(b->side);
            b->side = NULL;
            engine_signals_clear(&b->signals);
        }
    }
    return api_status(e, code, &err);
}

bool btc_is_owed(struct btc *b, int64_t id)
{
    struct err e = {0};
    struct journal *db = NULL;
    return api_db(b, &db, &e) == 0 && journal_is_owed(db, id);
}

void btc_set_limits(struct btc *b, uint64_t down, uint64_t up)
{
    if (b->run) {
        engine_set_limits(b->run, down, up);
    }
}

/* --- the map of pieces -----------------------------------------------------
 */

/* What of each piece is known. */
enum api_piece {
    API_PIECE_MISSING,
    API_PIECE_PARTIAL,
    API_PIECE_VERIFIED
};

/* One cell over pieces [from, to). */
static struct btc_cell api_cell(const uint8_t *pieces, uint64_t from,
                                uint64_t to, uint32_t checked_to, bool checking)
{
    struct btc_cell c = {0};
    uint64_t verified = 0;
    for (uint64_t i = from; i < to; i++) {
        verified += pieces[i] == API_PIECE_VERIFIED;
        c.active |= pieces[i] == API_PIECE_PARTIAL;
    }
    c.done = (uint8_t)(verified * API_CELL_FULL / (to - from));
    c.checking = checking && checked_to >= from && checked_to < to;
    return c;
}

/* Draws the pieces; a torrent with fewer pieces than cells has some twice. */
static void api_draw(const uint8_t *pieces, uint32_t n_pieces,
                     struct btc_cell *cells, size_t n,
                     const struct journal_stat *stat)
{
    bool checking = stat->state == BTC_STATE_CHECKING;
    for (size_t i = 0; i < n; i++) {
        uint64_t from = (uint64_t)i * n_pieces / n;
        uint64_t to = (uint64_t)(i + 1) * n_pieces / n;
        if (to <= from) {
            to = from + 1;
        }
        cells[i] = api_cell(pieces, from, to, stat->checked_to, checking);
    }
}

/* The states of all pieces from the journal. */
static int api_load_map(struct journal *db, int64_t id, uint8_t *pieces,
                        uint32_t n_pieces, struct err *e)
{
    struct journal_piece *verified = NULL;
    struct journal_block *blocks = NULL;
    size_t n = 0;
    int code = journal_load_blocks(db, id, &blocks, &n, e);
    for (size_t i = 0; i < n; i++) {
        if (blocks[i].piece < n_pieces) {
            pieces[blocks[i].piece] = API_PIECE_PARTIAL;
        }
    }
    n = 0;
    if (code == 0) {
        code = journal_load_pieces(db, id, &verified, &n, e);
    }
    for (size_t i = 0; i < n; i++) {
        if (verified[i].piece < n_pieces) {
            pieces[verified[i].piece] = API_PIECE_VERIFIED;
        }
    }
    free(verified);
    free(blocks);
    return code;
}

/* Pieces of a torrent; NOTFOUND when there is none. */
static int api_n_pieces(struct journal *db, int64_t id, uint32_t *out,
                        struct err *e)
{
    struct journal_torrent *row = NULL;
    size_t n = 0;
    int code = journal_load_by_id(db, id, &row, &n, e);
    if (code == 0 && n == 0) {
        code = err_set(e, BTC_E_NOTFOUND, "there is no torrent %lld",
                       (long long)id);
    }
    *out = n > 0 ? row->n_pieces : 0;
    journal_torrents_free(row, n);
    return code;
}

/* The map from the journal. */
static int api_map_rows(struct journal *db, int64_t id, struct btc_cell *cells,
                        size_t n, struct err *e)
{
    struct journal_stat stat;
    uint32_t n_pieces;
    memset(cells, 0, n * sizeof(*cells));
    int code = api_n_pieces(db, id, &n_pieces, e);
    if (code == 0) {
        code = journal_load_stat(db, id, &stat, e);
    }
    if (code != 0 || n_pieces == 0) {
        return code;
    }
    uint8_t *pieces = mem_calloc(n_pieces, 1);
    code = api_load_map(db, id, pieces, n_pieces, e);
    if (code == 0) {
        api_draw(pieces, n_pieces, cells, n, &stat);
    }
    free(pieces);
    return code;
}

int btc_map(struct btc *b, int64_t id, struct btc_cell *cells, size_t n,
            struct btc_error *e)
{
    struct err err = {0};
    struct journal *db;
    if (b->run && engine_map(b->run, id, cells, n) == 0) {
        return 0;
    }
    int code = api_db(b, &db, &err);
    if (code == 0) {
        code = api_map_rows(db, id, cells, n, &err);
    }
    return api_status(e, code, &err);
}
