/* Applies a batch in one transaction, with kept statements.
 *
 * Only what changed is written: each update of a wide row has a guard that
 * compares. Ops of a torrent that is gone are skipped: somebody took it away
 * while they were on their way, and they must not hold up the others.
 */
#include "journal/ops.h"
#include "model/names.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
static const char *const journal_sql[JOURNAL_STMT_COUNT] = {
    [JOURNAL_STMT_HAS_TORRENT] = "SELECT 1 FROM torrent WHERE id = ?1",
    [JOURNAL_STMT_PUT_PIECE] =
        "INSERT INTO piece (torrent_id, piece, verified_at)"
        " VALUES (?1, ?2, ?3) ON CONFLICT (torrent_id, piece) DO UPDATE"
        " SET verified_at = excluded.verified_at"
        " WHERE verified_at IS NOT excluded.verified_at",
    [JOURNAL_STMT_DEL_PIECE] =
        "DELETE FROM piece WHERE torrent_id = ?1 AND piece = ?2",
    [JOURNAL_STMT_PUT_BLOCK] =
        "INSERT INTO block (torrent_id, piece, block) VALUES (?1, ?2, ?3)"
        " ON CONFLICT (torrent_id, piece, block) DO NOTHING",
    [JOURNAL_STMT_DEL_BLOCKS] =
        "DELETE FROM block WHERE torrent_id = ?1 AND piece = ?2",
    [JOURNAL_STMT_PUT_FILE] =
        "UPDATE file SET dev = ?3, ino = ?4, size = ?5, mtime_ns = ?6,"
        " verify_since = ?7, bytes_done = ?8, ctime_ns = ?9"
        " WHERE torrent_id = ?1 AND file = ?2"
        " AND (dev, ino, size, mtime_ns, verify_since, bytes_done, ctime_ns)"
        " IS NOT (?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [JOURNAL_STMT_PUT_PART] =
        "UPDATE file SET part = nullif(?2, '')"
        " WHERE torrent_id = ?1 AND file = ?3",
    /* who was named by the user stays the user's: his row is a wish */
    [JOURNAL_STMT_PUT_PEER] =
        "INSERT INTO peer (torrent_id, address, port, source, client,"
        " connected, choking, interested, banned, is_seed, connectable,"
        " down_rate, up_rate, bytes_down, bytes_up, failures, last_seen,"
        " outcome, outcome_at, outcome_count)"
        " VALUES (?1, ?2, ?3, coalesce(?4, '?'), ?5, ?6, ?7, ?8, ?9, ?10,"
        " ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, coalesce(?20, 0))"
        " ON CONFLICT (torrent_id, address, port) DO UPDATE SET source ="
        " CASE source WHEN 'user' THEN 'user' ELSE excluded.source END,"
        " client = coalesce(?5, client), connected = ?6, choking = ?7,"
        " interested = ?8, banned = ?9, is_seed = ?10, connectable = ?11,"
        " down_rate = ?12, up_rate = ?13, bytes_down = ?14, bytes_up = ?15,"
        " failures = ?16, last_seen = coalesce(?17, last_seen),"
        " outcome = coalesce(?18, outcome),"
        " outcome_at = coalesce(?19, outcome_at),"
        " outcome_count = coalesce(?20, outcome_count)"
        " WHERE (client, connected, choking, interested, banned, is_seed,"
        " connectable, down_rate, up_rate, bytes_down, bytes_up, failures,"
        " last_seen, outcome, outcome_at, outcome_count)"
        " IS NOT (coalesce(?5, client), ?6, ?7, ?8, ?9, ?10, ?11,"
        " ?12, ?13, ?14, ?15, ?16, coalesce(?17, last_seen),"
        " coalesce(?18, outcome), coalesce(?19, outcome_at),"
        " coalesce(?20, outcome_count))",
    [JOURNAL_STMT_DEL_PEER] =
        "DELETE FROM peer WHERE torrent_id = ?1 AND address = ?2"
        " AND port = ?3",
    [JOURNAL_STMT_TRIM_PEERS] =
        "DELETE FROM peer WHERE torrent_id = ?1 AND NOT connected"
        " AND source <> 'user' AND (address, port) NOT IN"
        " (SELECT address, port FROM peer WHERE torrent_id = ?1"
        " ORDER BY " JOURNAL_PEER_ORDER
        " LIMIT " JOURNAL_TEXT_OF2(JOURNAL_PEERS_LIVE_MAX) ")",
    /* no insert: who deleted the row does not want it back */
    [JOURNAL_STMT_PUT_TRACKER] =
        "UPDATE tracker SET state = coalesce(?3, state), last_announce = ?4,"
        " next_announce = ?5, seeders = ?6, leechers = ?7, error = ?8,"
        " tracker_id = ?9, completed = ?10, not_before = ?11, failures = ?12"
        " WHERE torrent_id = ?1 AND url = ?2"
        " AND (state, last_announce, next_announce, seeders, leechers, error,"
        " tracker_id, completed, not_before, failures)"
        " IS NOT (coalesce(?3, state), ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    [JOURNAL_STMT_PUT_STAT] =
        "UPDATE torrent_stat SET state = ?2, bytes_done = ?3,"
        " bytes_total = ?4, pieces_done = ?5, down_rate = ?6, up_rate = ?7,"
        " eta_s = ?8, peers = ?9, seeds = ?10, downloaded = ?11,"
        " uploaded = ?12, wasted = ?13, error_code = ?14, error = ?15,"
        " checked_to = ?16, completed_at = ?17, seeding_s = ?18,"
        " root_dev = ?19, last_run = coalesce(?20, last_run),"
        " updated_at = unixepoch() WHERE torrent_id = ?1"
        " AND (state, bytes_done, bytes_total, pieces_done, down_rate,"
        " up_rate, eta_s, peers, seeds, downloaded, uploaded, wasted,"
        " error_code, error, checked_to, completed_at, seeding_s, root_dev,"
        " last_run) IS NOT (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,"
        " ?13, ?14, ?15, ?16, ?17, ?18, ?19, coalesce(?20, last_run))",
    [JOURNAL_STMT_PUT_SILENCE] =
        "UPDATE torrent_stat SET storage_since = ?2, state = ?3, error = ?4,"
        " updated_at = unixepoch() WHERE torrent_id = ?1",
    [JOURNAL_STMT_PUT_OWED] =
        "UPDATE torrent_stat SET done_owed = ?2"
        " WHERE torrent_id = ?1 AND done_owed <> ?2",
    [JOURNAL_STMT_PUT_EVENT] =
        "INSERT INTO event (at, torrent_id, level, kind, text)"
        " VALUES (?1, ?2, ?3, ?4, coalesce(?5, ''))",
    [JOURNAL_STMT_VERIFY_DONE] =
        "UPDATE torrent SET verify_since = 0"
        " WHERE id = ?1 AND verify_since <> 0 AND verify_since <= ?3",
    [JOURNAL_STMT_ACCEPTED_LOSS] =
        "UPDATE torrent SET accept_loss = 0"
        " WHERE id = ?1 AND accept_loss <> 0",
    [JOURNAL_STMT_OVERWRITTEN] = "UPDATE torrent SET overwrite = 0"
                                 " WHERE id = ?1 AND overwrite <> 0",
    [JOURNAL_STMT_HEARTBEAT] = "UPDATE run SET heartbeat_at = ?2 WHERE id = ?1",
    [JOURNAL_STMT_ALIVE] = "UPDATE run SET alive_at = ?2 WHERE id = ?1",
    [JOURNAL_STMT_RUN_END] =
        "UPDATE run SET heartbeat_at = ?2, ended_at = ?2 WHERE id = ?1",
    [JOURNAL_STMT_RUN_END_STATS] =
        "UPDATE torrent_stat SET down_rate = 0, up_rate = 0, eta_s = NULL,"
        " peers = 0, seeds = 0, storage_since = NULL WHERE (down_rate,"
        " up_rate, eta_s, peers, seeds, storage_since)"
        " IS NOT (0, 0, NULL, 0, 0, NULL)",
    [JOURNAL_STMT_RUN_END_PEERS] =
        "UPDATE peer SET connected = 0, choking = 0, interested = 0,"
        " down_rate = 0, up_rate = 0 WHERE connected",
    [JOURNAL_STMT_DATA_VERSION] = "PRAGMA data_version",
};
/* clang-format on */

/* A kept statement, ready to bind. */
int journal_stmt(struct journal *db, enum journal_stmt which,
                 sqlite3_stmt **out, struct err *e)
{
    if (!db->stmts[which] &&
        sqlite3_prepare_v3(db->sql, journal_sql[which], -1,
                           SQLITE_PREPARE_PERSISTENT, &db->stmts[which],
                           NULL) != SQLITE_OK) {
        *out = NULL;
        return journal_fail(db, e, "database");
    }
    *out = db->stmts[which];
    (void)sqlite3_clear_bindings(*out);
    return 0;
}

/* Statement of an op whose parameters are ints: the torrent, a, b or n. */
static int journal_apply_ints(struct journal *db, enum journal_stmt which,
                              const struct journal_op *op, int64_t third,
                              struct err *e)
{
    sqlite3_stmt *s;
    int code = journal_stmt(db, which, &s, e);
    if (code != 0) {
        return code;
    }
    int n = sqlite3_bind_parameter_count(s);
    (void)sqlite3_bind_int64(s, 1, op->id);
    if (n > 1) {
        (void)sqlite3_bind_int64(s, 2, op->a);
    }
    if (n > 2) {
        (void)sqlite3_bind_int64(s, 3, third);
    }
    return journal_run_stmt(db, s, e);
}

/* A file's facts. */
static void journal_bind_file(sqlite3_stmt *s, const struct journal_file *f)
{
    (void)sqlite3_bind_int64(s, 2, f->file);
    if (f->has_print) {
        journal_bind_bits(s, 3, f->dev);
        journal_bind_bits(s, 4, f->ino);
        journal_bind_u64(s, 5, f->size);
        (void)sqlite3_bind_int64(s, 6, f->mtime_ns);
        (void)sqlite3_bind_int64(s, 9, f->ctime_ns);
    }
    (void)sqlite3_bind_int64(s, 7, f->verify_since > 0 ? f->verify_since : 0);
    journal_bind_u64(s, 8, f->bytes_done);
}

/* A peer's record. */
static void journal_bind_peer(sqlite3_stmt *s, const struct journal_peer *p)
{
    journal_bind_text(s, 2, p->address);
    (void)sqlite3_bind_int(s, 3, p->port);
    journal_bind_text(s, 4, p->source);
    journal_bind_text(s, 5, p->client);
    (void)sqlite3_bind_int(s, 6, p->connected);
    (void)sqlite3_bind_int(s, 7, p->choking);
    (void)sqlite3_bind_int(s, 8, p->interested);
    (void)sqlite3_bind_int(s, 9, p->banned);
    (void)sqlite3_bind_int(s, 10, p->is_seed);
    (void)sqlite3_bind_int(s, 11, p->connectable);
    (void)sqlite3_bind_int64(s, 12, p->connected ? p->down_rate : 0);
    (void)sqlite3_bind_int64(s, 13, p->connected ? p->up_rate : 0);
    (void)sqlite3_bind_int64(s, 14, p->bytes_down);
    (void)sqlite3_bind_int64(s, 15, p->bytes_up);
    (void)sqlite3_bind_int64(s, 16, p->failures);
    journal_bind_time(s, 17, p->last_seen);
    journal_bind_text(s, 18, p->outcome);
    journal_bind_time(s, 19, p->outcome_at);
    journal_bind_time(s, 20, p->outcome_count);
}

/* A tracker's state. */
static void journal_bind_tracker(sqlite3_stmt *s,
                                 const struct journal_tracker *t)
{
    const char *url = (const char *)(t + 1);
    journal_bind_text(s, 2, url);
    journal_bind_text(s, 3, t->state);
    journal_bind_time(s, 4, t->last_announce);
    journal_bind_time(s, 5, t->next_announce);
    journal_bind_count(s, 6, t->seeders);
    journal_bind_count(s, 7, t->leechers);
    journal_bind_text(s, 8, t->error);
    journal_bind_text(s, 9, t->tracker_id);
    journal_bind_count(s, 10, t->completed);
    journal_bind_time(s, 11, t->not_before);
    (void)sqlite3_bind_int64(s, 12, t->failures);
}

/* A torrent's live row. */
static void journal_bind_stat(const struct journal *db, sqlite3_stmt *s,
                              const struct journal_stat *t)
{
    journal_bind_text(s, 2, btc_state_name(t->state));
    journal_bind_u64(s, 3, t->bytes_done);
    journal_bind_u64(s, 4, t->bytes_total);
    (void)sqlite3_bind_int64(s, 5, t->pieces_done);
    (void)sqlite3_bind_int64(s, 6, t->down_rate);
    (void)sqlite3_bind_int64(s, 7, t->up_rate);
    journal_bind_count(s, 8, t->eta_s);
    (void)sqlite3_bind_int64(s, 9, t->peers);
    (void)sqlite3_bind_int64(s, 10, t->seeds);
    journal_bind_u64(s, 11, t->downloaded);
    journal_bind_u64(s, 12, t->uploaded);
    journal_bind_u64(s, 13, t->wasted);
    (void)sqlite3_bind_int64(s, 14, t->error_code);
    journal_bind_text(s, 15, t->error);
    (void)sqlite3_bind_int64(s, 16, t->checked_to);
    journal_bind_time(s, 17, t->completed_at);
    (void)sqlite3_bind_int64(s, 18, t->seeding_s);
    if (t->root_dev != 0) {
        journal_bind_bits(s, 19, t->root_dev);
    }
    if (t->writes && db->run_id != 0) {
        (void)sqlite3_bind_int64(s, 20, db->run_id);
    }
}

/* An event; its first two parameters stand the other way round. */
static void journal_bind_event(sqlite3_stmt *s, const struct journal_op *op,
                               const char *kind)
{
    (void)sqlite3_bind_int64(s, 1, op->n);
    if (op->id != 0) {
        (void)sqlite3_bind_int64(s, 2, op->id);
    } else {
        (void)sqlite3_bind_null(s, 2);
    }
    journal_bind_text(s, 3, level_name((enum level)op->a));
    journal_bind_text(s, 4, kind);
    journal_bind_text(s, 5, kind + strlen(kind) + 1);
}

/* A drive that does not answer. */
static void journal_bind_silence(sqlite3_stmt *s, const struct journal_op *op,
                                 const char *state)
{
    journal_bind_time(s, 2, op->n);
    journal_bind_text(s, 3, state);
    journal_bind_text(s, 4, state + strlen(state) + 1);
}

/* An op with bump memory. */
static int journal_apply_row(struct journal *db, enum journal_stmt which,
                             const struct journal_op *op, const void *ext,
                             struct err *e)
{
    sqlite3_stmt *s;
    BTC_ASSERT(ext != NULL);
    int code = journal_stmt(db, which, &s, e);
    if (code != 0) {
        return code;
    }
    (void)sqlite3_bind_int64(s, 1, op->id);
    if (which == JOURNAL_STMT_PUT_FILE) {
        journal_bind_file(s, ext);
    } else if (which == JOURNAL_STMT_PUT_PEER) {
        journal_bind_peer(s, ext);
    } else if (which == JOURNAL_STMT_PUT_TRACKER) {
        journal_bind_tracker(s, ext);
    } else if (which == JOURNAL_STMT_PUT_STAT) {
        journal_bind_stat(db, s, ext);
    } else if (which == JOURNAL_STMT_DEL_PEER ||
               which == JOURNAL_STMT_PUT_PART) {
        journal_bind_text(s, 2, ext);
        (void)sqlite3_bind_int64(s, 3, op->a);
    } else if (which == JOURNAL_STMT_PUT_SILENCE) {
        journal_bind_silence(s, op, ext);
    } else {
        journal_bind_event(s, op, ext);
    }
    return journal_run_stmt(db, s, e);
}

/* A verified piece needs no blocks any more. */
static int journal_apply_piece(struct journal *db, const struct journal_op *op,
                               struct err *e)
{
    int code = journal_apply_ints(db, JOURNAL_STMT_PUT_PIECE, op, op->n, e);
    if (code) {
        return code;
    }
    return journal_apply_ints(db, JOURNAL_STMT_DEL_BLOCKS, op, 0, e);
}

/* A time in the row of our run. */
static int journal_apply_time(struct journal *db, enum journal_stmt id,
                              int64_t at, struct err *e)
{
    sqlite3_stmt *s;
    int code = journal_stmt(db, id, &s, e);
    if (code == 0) {
        (void)sqlite3_bind_int64(s, 1, db->run_id);
        (void)sqlite3_bind_int64(s, 2, at);
        code = journal_run_stmt(db, s, e);
    }
    return code;
}

/* The end of our run: nothing is live any more. */
static int journal_apply_end(struct journal *db, int64_t at, struct err *e)
{
    static const enum journal_stmt more[] = {JOURNAL_STMT_RUN_END_STATS,
                                             JOURNAL_STMT_RUN_END_PEERS};
    int code = journal_apply_time(db, JOURNAL_STMT_RUN_END, at, e);
    for (size_t i = 0; code == 0 && i < sizeof(more) / sizeof(more[0]); i++) {
        sqlite3_stmt *s;
        code = journal_stmt(db, more[i], &s, e);
        if (code == 0) {
            code = journal_run_stmt(db, s, e);
        }
    }
    return code;
}

int journal_apply_op(struct journal *db, const struct journal_op *op,
                     const void *ext, struct err *e)
{
    switch (op->kind) {
    case JOURNAL_OP_PUT_PIECE:
        return journal_apply_piece(db, op, e);
    case JOURNAL_OP_DEL_PIECE:
        return journal_apply_ints(db, JOURNAL_STMT_DEL_PIECE, op, 0, e);
    case JOURNAL_OP_PUT_BLOCK:
        return journal_apply_ints(db, JOURNAL_STMT_PUT_BLOCK, op, op->b, e);
    case JOURNAL_OP_DEL_BLOCKS:
        return journal_apply_ints(db, JOURNAL_STMT_DEL_BLOCKS, op, 0, e);
    case JOURNAL_OP_PUT_FILE:
        return journal_apply_row(db, JOURNAL_STMT_PUT_FILE, op, ext, e);
    case JOURNAL_OP_PUT_PART:
        return journal_apply_row(db, JOURNAL_STMT_PUT_PART, op, ext, e);
    case JOURNAL_OP_PUT_PEER:
        return journal_apply_row(db, JOURNAL_STMT_PUT_PEER, op, ext, e);
    case JOURNAL_OP_DEL_PEER:
        return journal_apply_row(db, JOURNAL_STMT_DEL_PEER, op, ext, e);
    case JOURNAL_OP_TRIM_PEERS:
        return journal_apply_ints(db, JOURNAL_STMT_TRIM_PEERS, op, 0, e);
    case JOURNAL_OP_PUT_TRACKER:
        return journal_apply_row(db, JOURNAL_STMT_PUT_TRACKER, op, ext, e);
    case JOURNAL_OP_PUT_STAT:
        return journal_apply_row(db, JOURNAL_STMT_PUT_STAT, op, ext, e);
    case JOURNAL_OP_PUT_SILENCE:
        return journal_apply_row(db, JOURNAL_STMT_PUT_SILENCE, op, ext, e);
    case JOURNAL_OP_PUT_OWED:
        return journal_apply_ints(db, JOURNAL_STMT_PUT_OWED, op, 0, e);
    case JOURNAL_OP_PUT_EVENT:
        return journal_apply_row(db, JOURNAL_STMT_PUT_EVENT, op, ext, e);
    case JOURNAL_OP_VERIFY_DONE:
        return journal_apply_ints(db, JOURNAL_STMT_VERIFY_DONE, op, op->n, e);
    case JOURNAL_OP_ACCEPTED_LOSS:
        return journal_apply_ints(db, JOURNAL_STMT_ACCEPTED_LOSS, op, 0, e);
    case JOURNAL_OP_OVERWRITTEN:
        return journal_apply_ints(db, JOURNAL_STMT_OVERWRITTEN, op, 0, e);
    case JOURNAL_OP_HEARTBEAT:
        return journal_apply_time(db, JOURNAL_STMT_HEARTBEAT, op->n, e);
    case JOURNAL_OP_ALIVE:
        return journal_apply_time(db, JOURNAL_STMT_ALIVE, op->n, e);
    case JOURNAL_OP_RUN_END:
        return journal_apply_end(db, op->n, e);
    }
    return err_set(e, BTC_E_INTERNAL, "unknown op in a batch");
}

int journal_apply_has(struct journal *db, int64_t id, bool *has, struct err *e)
{
    sqlite3_stmt *s;
    int code = journal_stmt(db, JOURNAL_STMT_HAS_TORRENT, &s, e);
    if (code != 0) {
        return code;
    }
    (void)sqlite3_bind_int64(s, 1, id);
    int rc = sqlite3_step(s);
    *has = rc == SQLITE_ROW;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        code = journal_fail(db, e, "database");
    }
    (void)sqlite3_reset(s);
    return code;
}

int journal_apply_ops(struct journal *db, const struct journal_batch *b,
                      struct err *e)
{
    int64_t id = 0; /* the torrent that `has` is about */
    bool has = true;
    for (size_t i = 0; i < b->n_ops; i++) {
        const struct journal_op *op = &b->ops[i];
        int code = 0;
        if (op->id != id) {
            id = op->id;
            has = true;
            if (id != 0) {
                code = journal_apply_has(db, id, &has, e);
            } else {
                code = 0;
            }
        }
        if (code == 0 && has) {
            const void *ext = b->ext ? b->ext + op->ext : NULL;
            code = journal_apply_op(db, op, ext, e);
        }
        if (code != 0) {
            return code;
        }
    }
    return 0;
}

/* SQLite cannot use the WAL anew while somebody reads what stood there before:
 * a transaction left open in another program lets it grow without an end. */
static int journal_apply_warning(struct journal *db, int64_t wal, struct err *e)
{
    char text[256];
    sqlite3_stmt *s;
    int code = journal_stmt(db, JOURNAL_STMT_PUT_EVENT, &s, e);
    if (code != 0) {
        return code;
    }
    (void)snprintf(text, sizeof(text),
                   "some program reads this database in one transaction for "
                   "very long: the file beside it that ends in -wal has grown "
                   "to %lld MiB; end that program",
                   (long long)wal >> 20);
    (void)sqlite3_bind_int64(s, 1, journal_now());
    journal_bind_text(s, 3, level_name(LEVEL_WARN));
    journal_bind_text(s, 4, "reader");
    journal_bind_text(s, 5, text);
    return journal_run_stmt(db, s, e);
}

/* Inside the transaction: the ops, and what there is to tell. */
static int journal_apply_all(struct journal *db, const struct journal_batch *b,
                             int64_t wal, struct err *e)
{
    int code = journal_apply_ops(db, b, e);
    if (code == 0 && wal >= db->wal_warn) {
        code = journal_apply_warning(db, wal, e);
    }
    return code;
}

/* Applies a batch: all of it or nothing. */
int journal_apply(struct journal *db, struct journal_batch *b, struct err *e)
{
    if (b->n_ops == 0) {
        return 0;
    }
    int64_t wal = 0;
    int code = journal_lock_check(db, e);
    if (code == 0 && db->lock_fd >= 0) {
        wal = journal_wal_size(db->path);
    }
    if (code == 0) {
        code = journal_begin(db, e);
    }
    if (code == 0) {
        code = journal_end(db, journal_apply_all(db, b, wal, e), e);
    }
    if (code == 0 && wal >= db->wal_warn) {
        db->wal_warn = wal * 2; /* it has been told */
    }
    /* A row that the schema refuses is a bug of ours, not wrong usage. */
    if (code == BTC_E_USAGE) {
        code = BTC_E_INTERNAL;
        if (e) {
            e->code = code;
        }
    }
    return code;
}
