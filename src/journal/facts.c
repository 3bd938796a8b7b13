/* The table of facts: for each the SQL that writes it, the values that go into
 * that, and what it is called when a rule of the database forbids it.
 *
 * Only what changed is written: each update of a wide row has a guard that
 * compares.
 */
#include "journal/facts.h"
#include "journal/internal.h"
#include "model/names.h"

#include <stdio.h>
#include <string.h>

/* --- SQL that is long, or of more than one fact --- */

/* clang-format off */
static const char put_piece[] =
    "INSERT INTO piece (torrent_id, piece, verified_at)"
        " VALUES (?1, ?2, ?4) ON CONFLICT (torrent_id, piece) DO UPDATE"
        " SET verified_at = excluded.verified_at"
        " WHERE verified_at IS NOT excluded.verified_at";

static const char del_blocks[] =
    "DELETE FROM block WHERE torrent_id = ?1 AND piece = ?2";

static const char put_file[] =
    "UPDATE file SET dev = ?3, ino = ?4, size = ?5, mtime_ns = ?6,"
        " verify_since = ?7, bytes_done = ?8, ctime_ns = ?9"
        " WHERE torrent_id = ?1 AND file = ?2"
        " AND (dev, ino, size, mtime_ns, verify_since, bytes_done, ctime_ns)"
        " IS NOT (?3, ?4, ?5, ?6, ?7, ?8, ?9)";

/* The clock went back since pieces of the file were verified: by their time they
 * would be beyond the doubt, when it has come there again. */
static const char doubt_pieces[] =
    "UPDATE piece SET verified_at = 0"
        " WHERE ?7 > 0 AND torrent_id = ?1 AND verified_at >= ?7 AND EXISTS"
        " (SELECT 1 FROM file AS f JOIN torrent AS t ON t.id = f.torrent_id"
        " WHERE f.torrent_id = ?1 AND f.file = ?2 AND f.length > 0"
        " AND piece BETWEEN f.\"offset\" / t.piece_length"
        " AND (f.\"offset\" + f.length - 1) / t.piece_length)";

/* who was named by the user stays the user's: his row is a wish */
static const char put_peer[] =
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
        " coalesce(?20, outcome_count))";

static const char trim_peers[] =
    "DELETE FROM peer WHERE torrent_id = ?1 AND NOT connected"
        " AND source <> 'user' AND (address, port) NOT IN"
        " (SELECT address, port FROM peer WHERE torrent_id = ?1"
        " ORDER BY " JOURNAL_PEER_ORDER
        " LIMIT " JOURNAL_TEXT_OF2(JOURNAL_PEERS_LIVE_MAX) ")";

/* no insert: who deleted the row does not want it back */
static const char put_tracker[] =
    "UPDATE tracker SET state = coalesce(?3, state), last_announce = ?4,"
        " next_announce = ?5, seeders = ?6, leechers = ?7, error = ?8,"
        " tracker_id = ?9, completed = ?10, not_before = ?11, failures = ?12"
        " WHERE torrent_id = ?1 AND url = ?2"
        " AND (state, last_announce, next_announce, seeders, leechers, error,"
        " tracker_id, completed, not_before, failures)"
        " IS NOT (coalesce(?3, state), ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

static const char put_stat[] =
    "UPDATE torrent_stat SET state = ?2, bytes_done = ?3,"
        " bytes_total = ?4, pieces_done = ?5, down_rate = ?6, up_rate = ?7,"
        " eta_s = ?8, peers = ?9, seeds = ?10, downloaded = ?11,"
        " uploaded = ?12, wasted = ?13, error_code = ?14, error = ?15,"
        " checked_to = ?16, completed_at = ?17, seeding_s = ?18,"
        " root_dev = coalesce(?19, root_dev), last_run = iif(?21 AND ?20 NOT NULL, ?20, last_run),"
        " updated_at = unixepoch() WHERE torrent_id = ?1"
        " AND (state, bytes_done, bytes_total, pieces_done, down_rate,"
        " up_rate, eta_s, peers, seeds, downloaded, uploaded, wasted,"
        " error_code, error, checked_to, completed_at, seeding_s, root_dev,"
        " last_run) IS NOT (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,"
        " ?13, ?14, ?15, ?16, ?17, ?18, coalesce(?19, root_dev),"
        " iif(?21 AND ?20 NOT NULL, ?20, last_run))";

static const char end_stats[] =
    "UPDATE torrent_stat SET down_rate = 0, up_rate = 0, eta_s = NULL,"
        " peers = 0, seeds = 0, storage_since = NULL WHERE (down_rate,"
        " up_rate, eta_s, peers, seeds, storage_since)"
        " IS NOT (0, 0, NULL, 0, 0, NULL)";

static const char end_peers[] =
    "UPDATE peer SET connected = 0, choking = 0, interested = 0,"
        " down_rate = 0, up_rate = 0 WHERE connected";

/* clang-format on */

/* --- values --- */

/* A file's facts. */
static void facts_bind_file(sqlite3_stmt *s, const struct journal_op *op,
                            const void *ext)
{
    const struct journal_file_fact *f = ext;
    (void)sqlite3_bind_int64(s, 1, op->id);
    (void)sqlite3_bind_int64(s, 2, op->a);
    if (op->b) {
        journal_bind_bits(s, 3, f->dev);
        journal_bind_bits(s, 4, f->ino);
        journal_bind_u64(s, 5, f->size);
        (void)sqlite3_bind_int64(s, 6, f->mtime_ns);
        (void)sqlite3_bind_int64(s, 9, f->ctime_ns);
    }
    (void)sqlite3_bind_int64(s, 7, op->n > 0 ? op->n : 0);
    journal_bind_u64(s, 8, f->bytes_done);
}

/* A peer's record. */
static void facts_bind_peer(sqlite3_stmt *s, const struct journal_op *op,
                            const void *ext)
{
    const struct journal_peer *p = ext;
    (void)sqlite3_bind_int64(s, 1, op->id);
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
static void facts_bind_tracker(sqlite3_stmt *s, const struct journal_op *op,
                               const void *ext)
{
    const struct journal_tracker *t = ext;
    const char *url = (const char *)(t + 1);
    (void)sqlite3_bind_int64(s, 1, op->id);
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
static void facts_bind_stat(sqlite3_stmt *s, const struct journal_op *op,
                            const void *ext)
{
    const struct journal_stat *t = ext;
    (void)sqlite3_bind_int64(s, 1, op->id);
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
    journal_bind_text(s, 15, (const char *)(t + 1));
    (void)sqlite3_bind_int64(s, 16, t->checked_to);
    journal_bind_time(s, 17, t->completed_at);
    (void)sqlite3_bind_int64(s, 18, t->seeding_s);
    if (t->root_dev != 0) {
        journal_bind_bits(s, 19, t->root_dev);
    }
    (void)sqlite3_bind_int(s, 21, t->writes);
}

/* An event; its first two parameters stand the other way round. */
static void facts_bind_event(sqlite3_stmt *s, const struct journal_op *op,
                             const void *ext)
{
    const char *kind = ext;
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
static void facts_bind_silence(sqlite3_stmt *s, const struct journal_op *op,
                               const void *ext)
{
    const char *state = ext;
    (void)sqlite3_bind_int64(s, 1, op->id);
    journal_bind_time(s, 2, op->n);
    journal_bind_text(s, 3, state);
    journal_bind_text(s, 4, state + strlen(state) + 1);
}

/* A row that a text finds, or that gets it, and a number: a file's other place,
 * a peer. */
static void facts_bind_text(sqlite3_stmt *s, const struct journal_op *op,
                            const void *ext)
{
    (void)sqlite3_bind_int64(s, 1, op->id);
    journal_bind_text(s, 2, ext);
    (void)sqlite3_bind_int64(s, 3, op->a);
}

/* A time in the row of our run. */
static void facts_bind_run(sqlite3_stmt *s, const struct journal_op *op,
                           const void *ext)
{
    (void)ext;
    (void)sqlite3_bind_int64(s, 2, op->n);
}

/* --- names of rows --- */

static void facts_name_piece(char *dst, size_t cap, const struct journal_op *op,
                             const void *ext)
{
    (void)ext;
    (void)snprintf(dst, cap, "piece %u", op->a);
}

static void facts_name_block(char *dst, size_t cap, const struct journal_op *op,
                             const void *ext)
{
    (void)ext;
    (void)snprintf(dst, cap, "block %u of piece %u", op->b, op->a);
}

static void facts_name_blocks(char *dst, size_t cap,
                              const struct journal_op *op, const void *ext)
{
    (void)ext;
    (void)snprintf(dst, cap, "blocks of piece %u", op->a);
}

static void facts_name_file(char *dst, size_t cap, const struct journal_op *op,
                            const void *ext)
{
    (void)ext;
    (void)snprintf(dst, cap, "file %u", op->a);
}

static void facts_name_peer(char *dst, size_t cap, const struct journal_op *op,
                            const void *ext)
{
    const struct journal_peer *p = ext;
    (void)op;
    (void)snprintf(dst, cap, "peer %.47s port %u", p->address, p->port);
}

static void facts_name_address(char *dst, size_t cap,
                               const struct journal_op *op, const void *ext)
{
    const char *address = ext;
    (void)snprintf(dst, cap, "peer %.47s port %u", address, op->a);
}

/* --- the table --- */

const struct journal_fact journal_facts[JOURNAL_N_OPS] = {
    [JOURNAL_OP_PUT_PIECE] =
        {
            /* a verified piece needs no blocks any more */
            .sql = {put_piece, del_blocks},
            .name = facts_name_piece,
            .table = "piece",
            .comes_first = true,
            .is_claim = true,
            .weighs = true,
        },
    [JOURNAL_OP_DEL_PIECE] =
        {
            .sql = {"DELETE FROM piece WHERE torrent_id = ?1 AND piece = ?2"},
            .name = facts_name_piece,
            .table = "piece",
            .comes_first = true,
            .weighs = true,
        },
    [JOURNAL_OP_PUT_BLOCK] =
        {
            .sql = {"INSERT INTO block (torrent_id, piece, block) VALUES (?1, "
                    "?2, ?3)"
                    " ON CONFLICT (torrent_id, piece, block) DO NOTHING"},
            .name = facts_name_block,
            .table = "block",
            .comes_first = true,
            .is_claim = true,
            .weighs = true,
        },
    [JOURNAL_OP_DEL_BLOCKS] =
        {
            .sql = {del_blocks},
            .name = facts_name_blocks,
            .table = "block",
            .comes_first = true,
            .weighs = true,
        },
    [JOURNAL_OP_PUT_FILE] =
        {
            .sql = {put_file},
            .bind = facts_bind_file,
            .name = facts_name_file,
            .table = "file",
            .is_claim = true,
            .is_count = true,
            .weighs = true,
        },
    [JOURNAL_OP_PUT_DOUBT] =
        {
            .sql = {put_file, doubt_pieces},
            .bind = facts_bind_file,
            .name = facts_name_file,
            .table = "file",
            .weighs = true,
        },
    [JOURNAL_OP_PUT_LESS] =
        {
            .sql = {"UPDATE file SET bytes_done = ?4"
                    " WHERE torrent_id = ?1 AND file = ?2 AND bytes_done > ?4"},
            .name = facts_name_file,
            .table = "file",
            .weighs = true,
        },
    [JOURNAL_OP_PUT_PART] =
        {
            .sql = {"UPDATE file SET part = nullif(?2, '')"
                    " WHERE torrent_id = ?1 AND file = ?3"},
            .bind = facts_bind_text,
            .name = facts_name_file,
            .table = "file",
            .weighs = true,
        },
    [JOURNAL_OP_PUT_PEER] =
        {
            .sql = {put_peer},
            .bind = facts_bind_peer,
            .name = facts_name_peer,
            .table = "peer",
        },
    [JOURNAL_OP_DEL_PEER] =
        {
            .sql = {"DELETE FROM peer WHERE torrent_id = ?1 AND address = ?2"
                    " AND port = ?3"},
            .bind = facts_bind_text,
            .name = facts_name_address,
            .table = "peer",
        },
    [JOURNAL_OP_TRIM_PEERS] =
        {
            .sql = {trim_peers},
            .table = "peer",
        },
    [JOURNAL_OP_PUT_TRACKER] =
        {
            .sql = {put_tracker},
            .bind = facts_bind_tracker,
            .table = "tracker",
        },
    [JOURNAL_OP_PUT_STAT] =
        {
            .sql = {put_stat},
            .bind = facts_bind_stat,
            .run_at = 20,
            .table = "torrent_stat",
            .is_count = true,
            .weighs = true,
        },
    [JOURNAL_OP_PUT_SILENCE] =
        {
            .sql = {"UPDATE torrent_stat SET storage_since = ?2, state = ?3, "
                    "error = ?4,"
                    " updated_at = unixepoch() WHERE torrent_id = ?1"},
            .bind = facts_bind_silence,
            .table = "torrent_stat",
        },
    [JOURNAL_OP_PUT_OWED] =
        {
            .sql = {"UPDATE torrent_stat SET done_owed = ?2"
                    " WHERE torrent_id = ?1 AND done_owed <> ?2"},
            .table = "torrent_stat",
        },
    [JOURNAL_OP_PUT_KEPT] =
        {
            .sql = {"UPDATE torrent_stat SET keep_owed = NULL"
                    " WHERE torrent_id = ?1 AND keep_owed NOT NULL"},
            .table = "torrent_stat",
        },
    [JOURNAL_OP_PUT_MAKING] =
        {
            /* what an earlier run made is still not told */
            .sql = {"UPDATE torrent_stat SET making_ns ="
                    " iif(?4 = 0, NULL, coalesce(making_ns, ?4))"
                    " WHERE torrent_id = ?1"},
            .table = "torrent_stat",
            .weighs = true,
        },
    [JOURNAL_OP_PUT_EVENT] =
        {
            .sql = {"INSERT INTO event (at, torrent_id, level, kind, text)"
                    " VALUES (?1, ?2, ?3, ?4, coalesce(?5, ''))"},
            .bind = facts_bind_event,
            .table = "event",
        },
    [JOURNAL_OP_VERIFY_DONE] =
        {
            .sql =
                {"UPDATE torrent SET verify_since = 0"
                 " WHERE id = ?1 AND verify_since <> 0 AND verify_since <= ?4"},
            .table = "torrent",
            .is_claim = true,
            .is_count = true,
            .weighs = true,
        },
    [JOURNAL_OP_ACCEPTED_LOSS] =
        {
            .sql = {"UPDATE torrent SET accept_loss = 0"
                    " WHERE id = ?1 AND accept_loss <> 0"},
            .table = "torrent",
            .weighs = true,
        },
    [JOURNAL_OP_OVERWRITTEN] =
        {
            .sql = {"UPDATE torrent SET overwrite = 0"
                    " WHERE id = ?1 AND overwrite <> 0"},
            .table = "torrent",
            .weighs = true,
        },
    [JOURNAL_OP_HEARTBEAT] =
        {
            .sql = {"UPDATE run SET heartbeat_at = ?2 WHERE id = ?1"},
            .bind = facts_bind_run,
            .run_at = 1,
            .table = "run",
        },
    [JOURNAL_OP_ALIVE] =
        {
            .sql = {"UPDATE run SET alive_at = ?2 WHERE id = ?1"},
            .bind = facts_bind_run,
            .run_at = 1,
            .table = "run",
        },
    [JOURNAL_OP_RUN_END] =
        {
            .sql = {"UPDATE run SET heartbeat_at = ?2, ended_at = ?2 WHERE id "
                    "= ?1",
                    end_stats, end_peers},
            .bind = facts_bind_run,
            .run_at = 1,
            .table = "run",
        },
};
