/* Rows out of the journal. Each loader gives a malloc'ed array, in the order of
 * the tables' keys; on failure it gives nothing.
 */
#include "journal/load.h"

#include "journal/internal.h"
#include "journal/query.h"

#include "base/mem.h"
#include "model/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A text column into memory of our own; NULL stays NULL. */
static char *journal_col_str(sqlite3_stmt *s, int i)
{
    return mem_strdup((const char *)sqlite3_column_text(s, i));
}

/* A text column into a field, cut to fit; NULL gives "". */
static void journal_col_text(sqlite3_stmt *s, int i, char *dst, size_t cap)
{
    const char *text = (const char *)sqlite3_column_text(s, i);
    (void)snprintf(dst, cap, "%s", text ? text : "");
}

/* A count that may be unknown: -1. */
static int64_t journal_col_count(sqlite3_stmt *s, int i)
{
    return sqlite3_column_type(s, i) == SQLITE_NULL
               ? -1
               : sqlite3_column_int64(s, i);
}

/* A size; the schema lets none be negative. */
static uint64_t journal_col_u64(sqlite3_stmt *s, int i)
{
    int64_t v = sqlite3_column_int64(s, i);
    return v < 0 ? 0 : (uint64_t)v;
}

/* All 64 bits. */
static uint64_t journal_col_bits(sqlite3_stmt *s, int i)
{
    int64_t v = sqlite3_column_int64(s, i);
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

/* An index or count that the program holds in 32 bits. */
static uint32_t journal_col_u32(sqlite3_stmt *s, int i)
{
    uint64_t v = journal_col_u64(s, i);
    return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

#define JOURNAL_SELECT_TORRENT                                                \
    "SELECT t.id, info_hash, name, save_path, wanted, sequential, seed_mode," \
    " seed_goal, down_limit, up_limit, max_peers, t.verify_since,"            \
    " accept_loss, alloc_full, is_private, label, added_at, total_size,"      \
    " piece_length, n_pieces, n_files, starts, overwrite "

/* wanted as it stands in the table; the schema knows no other words. */
static enum wanted journal_col_wanted(sqlite3_stmt *s, int i)
{
    struct slice text = slice_str((const char *)sqlite3_column_text(s, i));
    return wanted_from_name(text, WANTED_RUN);
}

/* seed_mode as it stands in the table. */
static enum seed_mode journal_col_seed_mode(sqlite3_stmt *s, int i)
{
    struct slice text = slice_str((const char *)sqlite3_column_text(s, i));
    return seed_mode_from_name(text, SEED_MODE_NONE);
}

/* A row of torrent. */
static void journal_read_torrent(sqlite3_stmt *s, void *row)
{
    struct journal_torrent *t = row;
    t->id = sqlite3_column_int64(s, 0);
    (void)bytes_from_hex(slice_str((const char *)sqlite3_column_text(s, 1)),
                         t->info_hash, sizeof(t->info_hash));
    t->name = journal_col_str(s, 2);
    t->save_path = journal_col_str(s, 3);
    t->wanted = journal_col_wanted(s, 4);
    t->sequential = sqlite3_column_int(s, 5) != 0;
    t->seed_mode = journal_col_seed_mode(s, 6);
    t->seed_goal = sqlite3_column_int64(s, 7);
    t->down_limit = sqlite3_column_int64(s, 8);
    t->up_limit = sqlite3_column_int64(s, 9);
    t->max_peers = sqlite3_column_int64(s, 10);
    t->verify_since = sqlite3_column_int64(s, 11);
    t->accept_loss = sqlite3_column_int(s, 12) != 0;
    t->alloc_full = sqlite3_column_int(s, 13) != 0;
    t->is_private = sqlite3_column_int(s, 14) != 0;
    t->label = journal_col_str(s, 15);
    t->added_at = sqlite3_column_int64(s, 16);
    t->total_size = journal_col_u64(s, 17);
    t->piece_length = journal_col_u32(s, 18);
    t->n_pieces = journal_col_u32(s, 19);
    t->n_files = journal_col_u32(s, 20);
    t->starts = sqlite3_column_int64(s, 21);
    t->overwrite = sqlite3_column_int(s, 22) != 0;
}

/* The torrents of a query. */
static int journal_load_torrents_by(struct journal *db,
                                    const struct journal_query *q,
                                    struct journal_torrent **out, size_t *n,
                                    struct err *e)
{
    struct journal_rows r = {.size = sizeof(**out)};
    int code = journal_load(db, q, &r, e);
    if (code != 0) {
        journal_torrents_free(r.p, r.n);
        r.p = NULL;
        r.n = 0;
    }
    *out = r.p;
    *n = r.n;
    return code;
}

/* All torrents. */
int journal_load_torrents(struct journal *db, struct journal_torrent **out,
                          size_t *n, struct err *e)
{
    const struct journal_query q = {.sql = JOURNAL_SELECT_TORRENT
                                    "FROM torrent AS t ORDER BY t.id",
                                    .read = journal_read_torrent};
    return journal_load_torrents_by(db, &q, out, n, e);
}

/* Those that somebody wrote of. */
int journal_load_news(struct journal *db, int64_t seen,
                      struct journal_torrent **out, size_t *n, struct err *e)
{
    static const char sql[] = JOURNAL_SELECT_TORRENT
        "FROM torrent AS t WHERE t.id IN"
        " (SELECT torrent_id FROM wish_news WHERE seq > ?1) ORDER BY t.id";
    const struct journal_query q = {
        .sql = sql, .id = seen, .read = journal_read_torrent};
    return journal_load_torrents_by(db, &q, out, n, e);
}

/* The one with an id, if there is one. */
int journal_load_by_id(struct journal *db, int64_t id,
                       struct journal_torrent **out, size_t *n, struct err *e)
{
    const struct journal_query q = {.sql = JOURNAL_SELECT_TORRENT
                                    "FROM torrent AS t WHERE t.id = ?1",
                                    .id = id,
                                    .read = journal_read_torrent};
    return journal_load_torrents_by(db, &q, out, n, e);
}

/* The one with a hash, if there is one. */
int journal_load_by_hash(struct journal *db, const uint8_t *info_hash,
                         struct journal_torrent **out, size_t *n, struct err *e)
{
    char hex[41];
    bytes_to_hex(info_hash, 20, hex);
    const struct journal_query q = {.sql = JOURNAL_SELECT_TORRENT
                                    "FROM torrent AS t WHERE info_hash = ?3",
                                    .read = journal_read_torrent,
                                    .text = {hex}};
    return journal_load_torrents_by(db, &q, out, n, e);
}

/* Those of one folder whose paths begin with a name. The first file of each
 * tells, and there is an index of them; CROSS JOIN: that is where to begin. */
int journal_load_named(struct journal *db, const char *folder, const char *name,
                       struct journal_torrent **out, size_t *n, struct err *e)
{
    static const char sql[] = JOURNAL_SELECT_TORRENT
        "FROM file AS f CROSS JOIN torrent AS t ON t.id = f.torrent_id"
        " WHERE f.file = 0 AND t.save_path = ?3"
        " AND f.path >= ?4 AND f.path < ?4 || '0'"
        " AND (f.path = ?4 OR f.path > ?4 || '/')"
        " ORDER BY t.id";
    const struct journal_query q = {
        .sql = sql, .read = journal_read_torrent, .text = {folder, name}};
    return journal_load_torrents_by(db, &q, out, n, e);
}

/* A text in a row of its own. */
static void journal_read_text(sqlite3_stmt *s, void *row)
{
    *(char **)row = journal_col_str(s, 0);
}

int journal_load_last_path(struct journal *db, const char *folder, char **out,
                           struct err *e)
{
    const struct journal_query q = {
        .sql = "SELECT max(save_path) FROM torrent WHERE save_path <= ?3",
        .read = journal_read_text,
        .text = {folder}};
    struct journal_rows r = {.size = sizeof(*out)};
    int code = journal_load(db, &q, &r, e);
    *out = r.n > 0 ? *(char **)r.p : NULL;
    free(r.p);
    return code;
}

/* Those that lie in a folder or below it. */
int journal_load_below(struct journal *db, const char *folder,
                       struct journal_torrent **out, size_t *n, struct err *e)
{
    static const char sql[] = JOURNAL_SELECT_TORRENT
        "FROM torrent AS t WHERE save_path = ?3"
        " OR (save_path > ?3 || '/' AND save_path < ?3 || '0') ORDER BY t.id";
    const struct journal_query q = {
        .sql = sql, .read = journal_read_torrent, .text = {folder}};
    return journal_load_torrents_by(db, &q, out, n, e);
}

/* Frees what journal_load_torrents gave. */
void journal_torrents_free(struct journal_torrent *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(rows[i].name);
        free(rows[i].save_path);
        free(rows[i].label);
    }
    free(rows);
}

/* A row of file. */
static void journal_read_file(sqlite3_stmt *s, void *row)
{
    struct journal_file *f = row;
    f->file = journal_col_u32(s, 0);
    f->path = journal_col_str(s, 1);
    f->offset = journal_col_u64(s, 2);
    f->length = journal_col_u64(s, 3);
    f->pad = sqlite3_column_int(s, 4) != 0;
    f->state.priority = (uint8_t)sqlite3_column_int(s, 5);
    f->state.has_print = sqlite3_column_type(s, 6) != SQLITE_NULL;
    f->state.dev = journal_col_bits(s, 6);
    f->state.ino = journal_col_bits(s, 7);
    f->state.size = journal_col_u64(s, 8);
    f->state.mtime_ns = sqlite3_column_int64(s, 9);
    journal_file_set_since(&f->state, sqlite3_column_int64(s, 10));
    f->state.bytes_done = journal_col_u64(s, 11);
    f->state.ctime_ns = sqlite3_column_int64(s, 12);
    f->part = sqlite3_column_type(s, 13) != SQLITE_NULL ? journal_col_str(s, 13)
                                                        : NULL;
}

/* The files of a torrent, pads too. */
int journal_load_files(struct journal *db, int64_t id,
                       struct journal_file **out, size_t *n, struct err *e)
{
    static const char sql[] =
        "SELECT file, path, \"offset\", length, pad, priority, dev, ino, size,"
        " mtime_ns, verify_since, bytes_done, ctime_ns, part FROM file"
        " WHERE torrent_id = ?1"
        " ORDER BY file";
    const struct journal_query q = {
        .sql = sql, .id = id, .read = journal_read_file};
    struct journal_rows r = {.size = sizeof(**out)};
    int code = journal_load(db, &q, &r, e);
    if (code != 0) {
        journal_files_free(r.p, r.n);
        r.p = NULL;
        r.n = 0;
    }
    *out = r.p;
    *n = r.n;
    return code;
}

/* Frees what journal_load_files gave. */
void journal_files_free(struct journal_file *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(rows[i].path);
        free(rows[i].part);
    }
    free(rows);
}

/* Ends a loader of rows without text of their own. */
static int journal_load_end(int code, struct journal_rows *r, size_t *n)
{
    if (code != 0) {
        free(r->p);
        r->p = NULL;
        r->n = 0;
    }
    *n = r->n;
    return code;
}

/* A row of piece. */
static void journal_read_piece(sqlite3_stmt *s, void *row)
{
    struct journal_piece *p = row;
    p->piece = journal_col_u32(s, 0);
    p->verified_at = sqlite3_column_int64(s, 1);
}

/* The verified pieces of a torrent. */
int journal_load_pieces(struct journal *db, int64_t id,
                        struct journal_piece **out, size_t *n, struct err *e)
{
    static const char sql[] = "SELECT piece, verified_at FROM piece"
                              " WHERE torrent_id = ?1 ORDER BY piece";
    const struct journal_query q = {
        .sql = sql, .id = id, .read = journal_read_piece};
    struct journal_rows r = {.size = sizeof(**out)};
    int code = journal_load(db, &q, &r, e);
    code = journal_load_end(code, &r, n);
    *out = r.p;
    return code;
}

/* A row of block. */
static void journal_read_block(sqlite3_stmt *s, void *row)
{
    struct journal_block *b = row;
    b->piece = journal_col_u32(s, 0);
    b->block = journal_col_u32(s, 1);
}

/* The durable blocks of incomplete pieces. */
int journal_load_blocks(struct journal *db, int64_t id,
                        struct journal_block **out, size_t *n, struct err *e)
{
    static const char sql[] = "SELECT piece, block FROM block"
                              " WHERE torrent_id = ?1 ORDER BY piece, block";
    const struct journal_query q = {
        .sql = sql, .id = id, .read = journal_read_block};
    struct journal_rows r = {.size = sizeof(**out)};
    int code = journal_load(db, &q, &r, e);
    code = journal_load_end(code, &r, n);
    *out = r.p;
    return code;
}

void journal_read_peer(sqlite3_stmt *s, void *row)
{
    struct journal_peer *p = row;
    journal_col_text(s, 0, p->address, sizeof(p->address));
    p->port = (uint16_t)sqlite3_column_int(s, 1);
    journal_col_text(s, 2, p->source, sizeof(p->source));
    journal_col_text(s, 3, p->client, sizeof(p->client));
    p->connected = sqlite3_column_int(s, 4) != 0;
    p->choking = sqlite3_column_int(s, 5) != 0;
    p->interested = sqlite3_column_int(s, 6) != 0;
    p->banned = sqlite3_column_int(s, 7) != 0;
    p->is_seed = sqlite3_column_int(s, 8) != 0;
    p->connectable = sqlite3_column_int(s, 9) != 0;
    p->down_rate = sqlite3_column_int64(s, 10);
    p->up_rate = sqlite3_column_int64(s, 11);
    p->bytes_down = sqlite3_column_int64(s, 12);
    p->bytes_up = sqlite3_column_int64(s, 13);
    p->failures = sqlite3_column_int64(s, 14);
    p->last_seen = sqlite3_column_int64(s, 15);
}

/* Known peers, the best record first. */
int journal_load_peers(struct journal *db, int64_t id, size_t max,
                       struct journal_peer **out, size_t *n, struct err *e)
{
    static const char sql[] =
        "SELECT " JOURNAL_PEER_COLUMNS " FROM peer WHERE torrent_id = ?1"
        " ORDER BY " JOURNAL_PEER_ORDER " LIMIT ?2";
    const struct journal_query q = {.sql = sql,
                                    .id = id,
                                    .max = max > INT32_MAX ? INT32_MAX
                                                           : (int64_t)max,
                                    .read = journal_read_peer};
    struct journal_rows r = {.size = sizeof(**out)};
    int code = journal_load(db, &q, &r, e);
    code = journal_load_end(code, &r, n);
    *out = r.p;
    return code;
}

void journal_read_tracker(sqlite3_stmt *s, void *row)
{
    struct journal_tracker *t = row;
    t->url = journal_col_str(s, 0);
    t->tier = journal_col_u32(s, 1);
    journal_col_text(s, 2, t->state, sizeof(t->state));
    t->last_announce = sqlite3_column_int64(s, 3);
    t->next_announce = sqlite3_column_int64(s, 4);
    t->seeders = journal_col_count(s, 5);
    t->leechers = journal_col_count(s, 6);
    journal_col_text(s, 7, t->error, sizeof(t->error));
    journal_col_text(s, 8, t->tracker_id, sizeof(t->tracker_id));
    t->completed = journal_col_count(s, 9);
    t->not_before = sqlite3_column_int64(s, 10);
    t->failures = journal_col_u32(s, 11);
}

/* The trackers of a torrent, by tier. */
int journal_load_trackers(struct journal *db, int64_t id,
                          struct journal_tracker **out, size_t *n,
                          struct err *e)
{
    static const char sql[] = "SELECT " JOURNAL_TRACKER_COLUMNS " FROM tracker"
                              " WHERE torrent_id = ?1 ORDER BY tier, id";
    const struct journal_query q = {
        .sql = sql, .id = id, .read = journal_read_tracker};
    struct journal_rows r = {.size = sizeof(**out)};
    int code = journal_load(db, &q, &r, e);
    if (code != 0) {
        journal_trackers_free(r.p, r.n);
        r.p = NULL;
        r.n = 0;
    }
    *out = r.p;
    *n = r.n;
    return code;
}

/* Frees what journal_load_trackers gave. */
void journal_trackers_free(struct journal_tracker *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(rows[i].url);
    }
    free(rows);
}

/* The web seeds of a torrent. What was read before an error
 * is given, too. */
int journal_load_web_seeds(struct journal *db, int64_t id, char ***out,
                           size_t *n, struct err *e)
{
    const struct journal_query q = {
        .sql = "SELECT url FROM web_seed WHERE torrent_id = ?1 ORDER BY url",
        .id = id,
        .read = journal_read_text};
    struct journal_rows r = {.size = sizeof(**out)};
    int code = journal_load(db, &q, &r, e);
    *out = r.p;
    *n = r.n;
    return code;
}

/* A row of torrent_stat. */
static void journal_read_stat(sqlite3_stmt *s, void *row)
{
    struct journal_stat *t = row;
    t->state = btc_state_from_name((const char *)sqlite3_column_text(s, 0));
    t->bytes_done = journal_col_u64(s, 1);
    t->bytes_total = journal_col_u64(s, 2);
    t->pieces_done = journal_col_u32(s, 3);
    t->down_rate = sqlite3_column_int64(s, 4);
    t->up_rate = sqlite3_column_int64(s, 5);
    t->eta_s = journal_col_count(s, 6);
    t->peers = sqlite3_column_int64(s, 7);
    t->seeds = sqlite3_column_int64(s, 8);
    t->downloaded = journal_col_u64(s, 9);
    t->uploaded = journal_col_u64(s, 10);
    t->wasted = journal_col_u64(s, 11);
    t->error_code = sqlite3_column_int64(s, 12);
    t->checked_to = journal_col_u32(s, 13);
    t->completed_at = sqlite3_column_int64(s, 14);
    t->seeding_s = sqlite3_column_int64(s, 15);
    t->root_dev = journal_col_bits(s, 16);
    t->updated_at = sqlite3_column_int64(s, 17);
    t->last_run = sqlite3_column_int64(s, 18);
    t->done_owed = sqlite3_column_int(s, 19) != 0;
    t->making_ns = sqlite3_column_int64(s, 20);
}

/* The live facts of a torrent. */
int journal_load_stat(struct journal *db, int64_t id, struct journal_stat *out,
                      struct err *e)
{
    static const char sql[] =
        "SELECT state, bytes_done, bytes_total, pieces_done, down_rate,"
        " up_rate, eta_s, peers, seeds, downloaded, uploaded, wasted,"
        " error_code, checked_to, completed_at, seeding_s, root_dev,"
        " updated_at, last_run, done_owed, making_ns FROM torrent_stat"
        " WHERE torrent_id = ?1";
    const struct journal_query q = {
        .sql = sql, .id = id, .read = journal_read_stat};
    struct journal_rows r = {.size = sizeof(*out)};
    int code = journal_load(db, &q, &r, e);
    const struct journal_stat *row = r.p;
    if (row) {
        *out = *row;
    } else if (code == 0) {
        code = err_set(e, BTC_E_NOTFOUND, "there is no torrent %lld",
                       (long long)id);
    }
    free(r.p);
    return code;
}

/* The info dictionary of a torrent. */
int journal_load_info(struct journal *db, int64_t id, uint8_t **out,
                      size_t *len, struct err *e)
{
    sqlite3_stmt *s = NULL;
    *out = NULL;
    *len = 0;
    int code = journal_take(
        db, "SELECT info FROM metainfo WHERE torrent_id = ?1", &s, e);
    if (code != 0) {
        return code;
    }
    (void)sqlite3_bind_int64(s, 1, id);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        /* A blob of length 0 has no address. */
        const void *blob = sqlite3_column_blob(s, 0);
        *len = (size_t)sqlite3_column_bytes(s, 0);
        *out = mem_dup(blob, *len);
    } else if (rc == SQLITE_DONE) {
        code = err_set(e, BTC_E_NOTFOUND, "torrent %lld has no metadata yet",
                       (long long)id);
    } else {
        code = journal_fail(db, e, "cannot read");
    }
    journal_give(db, s);
    return code;
}
