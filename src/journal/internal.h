/* What the files of the db module share. Nobody else includes this.
 *
 * db.c       open, close, paths
 * db_sql.c   SQLite's results as ours, statements, transactions, values
 * db_lock.c  the engine lock
 * db_migrate.c  schema versions and the backup before a migration
 * db_load.c  rows out; db_run.c  runs; db_add.c  the front's writes
 * db_batch.c batches are filled; db_apply.c  and applied
 * db_thread.c   the thread; db_view.c  reading for people
 */
#ifndef BTC_JOURNAL_INTERNAL_H
#define BTC_JOURNAL_INTERNAL_H

#include "journal/journal.h"

#include <sqlite3.h>

/* A number as a part of SQL. */
#define DB_TEXT_OF(x)  #x
#define DB_TEXT_OF2(x) DB_TEXT_OF(x)

/* "btc1": PRAGMA application_id of our files. */
#define DB_APPLICATION_ID 0x62746331
/* Peers kept per torrent: enough to start from, small enough to load at once.
 */
#define DB_PEERS_MAX 500
/* Peers kept while an engine runs, which knows more of them. */
#define DB_PEERS_LIVE_MAX 4000
/* The best record first: who was named by hand, who gave most, who answers. */
#define DB_PEER_ORDER                                                  \
    "source = 'user' DESC, banned, bytes_down DESC, connectable DESC," \
    " failures, last_seen DESC"
/* A WAL of this size is told, and each time that it has doubled since. */
#define DB_WAL_WARN (64 << 20)
/* Runs kept. */
#define DB_RUNS_MAX 1000

/* Every statement that is run more than once, prepared when first needed. */
enum db_stmt {
    DB_STMT_HAS_TORRENT,
    DB_STMT_PUT_PIECE,
    DB_STMT_DEL_PIECE,
    DB_STMT_PUT_BLOCK,
    DB_STMT_DEL_BLOCKS,
    DB_STMT_PUT_FILE,
    DB_STMT_PUT_PEER,
    DB_STMT_DEL_PEER,
    DB_STMT_TRIM_PEERS,
    DB_STMT_PUT_TRACKER,
    DB_STMT_PUT_STAT,
    DB_STMT_PUT_EVENT,
    DB_STMT_VERIFY_DONE,
    DB_STMT_ACCEPTED_LOSS,
    DB_STMT_HEARTBEAT,
    DB_STMT_RUN_END,
    DB_STMT_RUN_END_STATS,
    DB_STMT_RUN_END_PEERS,
    DB_STMT_DATA_VERSION,
    DB_STMT_COUNT
};

struct db {
    char *path;       /* owns; absolute, symbolic links resolved */
    sqlite3 *sql;     /* owns */
    unsigned flags;   /* as given to db_open */
    int lock_fd;      /* the engine lock, -1 = not ours */
    int64_t run_id;   /* our row in run, 0 = none */
    int64_t wal_warn; /* size of the WAL that is told next */
    sqlite3_stmt *stmts[DB_STMT_COUNT]; /* own; NULL until first use */
};

struct db_migration {
    int version; /* 1, 2, ... without a gap */
    const char *name;
    const char *sql;
};
extern const struct db_migration db_migrations[];
extern const size_t db_n_migrations;
extern const char db_all_sql[]; /* all of them, one behind the other */

/* --- db_sql.c --- */
/* SQLite's last error as ours: code and "<what>: <SQLite's text>". */
int db_fail(struct db *db, struct err *e, const char *what);
/* Code for a result of SQLite (0 for OK, ROW and DONE). */
int db_code(sqlite3 *sql, int rc);
int db_exec(struct db *db, const char *sql, struct err *e);
/* One statement, prepared for this use: finalize it. */
int db_prepare(struct db *db, const char *sql, sqlite3_stmt **out,
               struct err *e);
/* A kept statement, reset and without bindings. */
int db_stmt(struct db *db, enum db_stmt which, sqlite3_stmt **out,
            struct err *e);
/* Runs a statement that gives no rows, then resets it. */
int db_run_stmt(struct db *db, sqlite3_stmt *s, struct err *e);
/* The first integer that a query gives; `none` when it gives no row. */
int db_query_int(struct db *db, const char *sql, int64_t none, int64_t *out,
                 struct err *e);
int db_begin(struct db *db, struct err *e);
/* Commits when code is 0, else rolls back; gives what came of it. */
int db_end(struct db *db, int code, struct err *e);
/* Bind helpers: text "" or NULL as NULL; 0 (time) or < 0 (count) as NULL. */
void db_bind_text(sqlite3_stmt *s, int i, const char *text);
void db_bind_time(sqlite3_stmt *s, int i, int64_t t);
void db_bind_count(sqlite3_stmt *s, int i, int64_t n);
/* A size: what does not fit into 63 bits is cut to the largest. */
void db_bind_u64(sqlite3_stmt *s, int i, uint64_t v);
/* An opaque number (device, inode): all 64 bits kept. */
void db_bind_bits(sqlite3_stmt *s, int i, uint64_t v);

/* --- db.c --- */
int64_t db_now(void); /* unix seconds */
/* Bytes of the WAL beside a database, 0 when there is none. */
int64_t db_wal_size(const char *path);
/* Forces a file or folder to disk. */
int db_sync_path(const char *path, struct err *e);
/* Absolute path with links resolved; the file itself may be absent. malloc. */
char *db_resolve(const char *path);

/* --- db_load.c --- */
struct db_wishes *db_load_wishes(struct db *db, struct err *e);
int db_load_user_peers(struct db *db, int64_t id, struct db_peer **out,
                       size_t *n, struct err *e);

/* --- db_apply.c --- */
/* All ops of a batch, inside a transaction of the caller's. */
int db_apply_ops(struct db *db, const struct db_batch *b, struct err *e);

/* --- db_load.c --- */
/* Torrents whose save path is `folder` and whose files' paths begin with the
 * element `name`. */
int db_load_named(struct db *db, const char *folder, const char *name,
                  struct db_torrent **out, size_t *n, struct err *e);
/* Those whose save path is `folder` or lies below it. */
int db_load_below(struct db *db, const char *folder, struct db_torrent **out,
                  size_t *n, struct err *e);

/* --- db_lock.c --- */
int db_lock_take(const char *path, int *fd, struct err *e);
void db_lock_drop(int fd);

/* --- db_migrate.c --- */
/* Brings the schema to the list's last version. `fresh` tells a db that may be
 * created from one that may not. */
int db_migrate(struct db *db, const struct db_migration *list, size_t n,
               struct err *e);
/* A copy by VACUUM INTO, durable, put in place at once; with `replace` over an
 * older one, else BTC_E_EXISTS. */
int db_copy_to(struct db *db, const char *to, bool replace, struct err *e);

/* --- names of enums, as they stand in the tables --- */
const char *db_wanted_name(enum db_wanted w);
const char *db_seed_mode_name(enum db_seed_mode m);
const char *db_level_name(enum db_level level);

/* Copies text for a row: bytes that are not UTF-8 or not printable become '?'
 * (a peer's client or a tracker's error ends up on somebody's terminal). */
void db_clean_text(char *dst, size_t cap, const char *src);
/* A numeric address and a port that the schema takes. */
bool db_is_address(const char *address, uint16_t port);

#endif
