/* What the files of the journal share. Nobody else includes this.
 *
 *   open.c     open and close
 *   file.c     the path, the log beside it, durable names
 *   sql.c      SQLite's results as ours, statements, values; kept.c: kept ones
 *   transaction.c  transactions and their parts; busy.c: patience with others
 *   lock.c     the engine lock
 *   filesystem.c  where a database may live
 *   migrate.c  schema versions and the backup before a migration; copy.c: a
 *              copy as it stands
 *   load.c     rows out, by query.c; runs.c: the table of runs
 *   add.c      what a front writes: torrents and wishes; find.c: which one is
 *              meant
 *   facts.c    the table of facts; batch.c: they are gathered; apply.c: and
 *              written; isolate.c: row by row
 *   instance.c which file a log belongs to; beside.c: whether it is in place
 *   restore.c  a backup becomes the database; salvage.c: what can be read does;
 *              replace.c: the change itself
 *   heal.c     rows that belong to nothing; ids.c: numbers that are used up
 *   removal.c  the steps by which a torrent is taken away
 *   shared.c   torrents that have files in common
 *   wishes.c   all that is wished; writer.c: the thread that commits
 *   views.c    reading for people; each.c: row by row; check.c: is it whole
 */
#ifndef BTC_JOURNAL_INTERNAL_H
#define BTC_JOURNAL_INTERNAL_H

#include "journal/facts.h"
#include "journal/journal.h"
#include "journal/kept.h"
#include "journal/rows.h"
#include "model/names.h"

#include <sqlite3.h>
#include <stdatomic.h>

/* A number as a part of SQL. */
#define JOURNAL_TEXT_OF(x)     #x
#define JOURNAL_TEXT_OF2(x)    JOURNAL_TEXT_OF(x)
#define JOURNAL_APPLICATION_ID 0x62746331 /* "btc1": of our files */
/* Peers kept per torrent: enough to start from, and loaded at once. */
#define JOURNAL_PEERS_MAX      500
#define JOURNAL_PEERS_LIVE_MAX 4000 /* while an engine runs: it knows more */
/* The best record first: who was named by hand, who gave most, who answers. */
#define JOURNAL_PEER_ORDER                                             \
    "source = 'user' DESC, banned, bytes_down DESC, connectable DESC," \
    " failures, last_seen DESC"
/* A WAL of this size is told, and each time that it has doubled since. */
#define JOURNAL_WAL_WARN (64 << 20)
#define JOURNAL_RUNS_MAX 1000 /* runs kept */

struct journal {
    char *path;         /* owns; absolute, symbolic links resolved */
    sqlite3 *sql;       /* owns */
    unsigned flags;     /* as given to journal_open */
    int lock_fd;        /* the engine lock: FILE-lock, -1 = not ours */
    bool is_signed;     /* FILE-lock says who we are */
    int file_fd;        /* the database file, for its lock; -1 = never locked */
    uint64_t beside[2]; /* what SQLite has open beside it; 0 = not yet known */
    uint32_t n_frames;  /* of the log, at the last look; 0 = none */
    int64_t run_id;     /* our row in run, 0 = none */
    int64_t wal_warn;   /* size of the WAL that is told next */
    int64_t busy_since_ms; /* see busy.c */
    atomic_int patience_ms;
    sqlite3_stmt *facts[JOURNAL_N_OPS][JOURNAL_FACT_SQL]; /* own, or NULL */
    struct journal_kept kept;
    uint64_t n_prepared; /* statements made by journal_take, for tests */
    unsigned depth;      /* journal_begin without its journal_end */
    bool is_many;        /* by journal_begin_many */
};

struct journal_migration {
    int version; /* 1, 2, ... without a gap */
    const char *name;
    const char *sql;
};
extern const struct journal_migration journal_migrations[];
extern const size_t journal_n_migrations;
extern const char journal_all_sql[];   /* all of them, one behind the other */
extern const char journal_whole_sql[]; /* the schema that they lead to */

/* --- sql.c --- */
/* SQLite's last error as ours: code and "<what>: <SQLite's text>". */
int journal_fail(struct journal *db, struct err *e, const char *what);
/* Code for a result of SQLite (0 for OK, ROW and DONE). */
int journal_code(sqlite3 *sql, int rc);
int journal_exec(struct journal *db, const char *sql, struct err *e);
/* One statement, prepared for this use: finalize it. */
int journal_prepare(struct journal *db, const char *sql, sqlite3_stmt **out,
                    struct err *e);
/* Runs a statement that gives no rows, then resets it. */
int journal_run_stmt(struct journal *db, sqlite3_stmt *s, struct err *e);
/* The first integer that a query gives; `none` when it gives no row. */
int journal_query_int(struct journal *db, const char *sql, int64_t none,
                      int64_t *out, struct err *e);
/* Bind helpers: text "" or NULL as NULL; 0 (time) or < 0 (count) as NULL. */
void journal_bind_text(sqlite3_stmt *s, int i, const char *text);
void journal_bind_time(sqlite3_stmt *s, int i, int64_t t);
void journal_bind_count(sqlite3_stmt *s, int i, int64_t n);
/* A size: what does not fit into 63 bits is cut to the largest. */
void journal_bind_u64(sqlite3_stmt *s, int i, uint64_t v);
/* An opaque number (device, inode): all 64 bits kept. */
void journal_bind_bits(sqlite3_stmt *s, int i, uint64_t v);

/* --- file.c --- */
int64_t journal_now(void); /* unix seconds */
/* Whether this connection may checkpoint. */
void journal_set_checkpoints(struct journal *db, bool on);
/* True when nothing is left in it. */
bool journal_empty_wal(struct journal *db);
/* A URI that opens the file without its log and without locks; malloc. */
char *journal_immutable_uri(const char *path);
/* Makes a new name in the folder of a path durable. */
int journal_sync_folder(const char *path, struct err *e);
/* Bytes of the WAL beside a database, 0 when there is none. */
int64_t journal_wal_size(const char *path);
/* Forces a file or folder to disk. */
int journal_sync_path(const char *path, struct err *e);
/* Absolute path with links resolved; the file itself may be absent. malloc. */
char *journal_resolve(const char *path);

/* --- apply.c --- */
struct journal_batch;
/* Finalizes the statements of facts, before the connection is closed. */
void journal_apply_drop(struct journal *db);
/* All ops of a batch, inside a transaction of the caller's. */
int journal_apply_ops(struct journal *db, const struct journal_batch *b,
                      struct err *e);

/* --- load.c --- */
#define JOURNAL_PEER_COLUMNS                                         \
    "address, port, source, client, connected, choking, interested," \
    " banned, is_seed, connectable, down_rate, up_rate, bytes_down," \
    " bytes_up, failures, last_seen"
#define JOURNAL_TRACKER_COLUMNS                                          \
    "url, tier, state, last_announce, next_announce, seeders, leechers," \
    " error, tracker_id, completed, not_before, failures"
/* Rows of these columns into zeroed or fresh memory. */
void journal_read_peer(sqlite3_stmt *s, void *row);
void journal_read_tracker(sqlite3_stmt *s, void *row);
/* Those of which there are news (wish_news) behind a number. */
int journal_load_news(struct journal *db, int64_t seen,
                      struct journal_torrent **out, size_t *n, struct err *e);
/* Torrents whose save path is `folder` and whose files' paths begin with the
 * element `name`. */
int journal_load_named(struct journal *db, const char *folder, const char *name,
                       struct journal_torrent **out, size_t *n, struct err *e);
/* The last save path in the order of bytes up to `folder`; NULL: there is none,
 * free(). */
int journal_load_last_path(struct journal *db, const char *folder, char **out,
                           struct err *e);
/* Those whose save path is `folder` or lies below it. */
int journal_load_below(struct journal *db, const char *folder,
                       struct journal_torrent **out, size_t *n, struct err *e);

/* --- lock.c --- */
/* The engine lock, without a look at the file's names or a word in FILE-lock:
 * what a killed engine left there stays. The file is made where it may be. */
int journal_lock_hold(struct journal *db, struct err *e);
/* Takes the engine lock and signs it with the pid. */
int journal_lock_take(struct journal *db, struct err *e);
void journal_lock_drop(struct journal *db); /* nothing when it is not ours */
/* Who we are, and the instance ("" = unknown), for when we are killed. */
void journal_lock_sign(struct journal *db, const char *instance);
/* Nobody was killed: the file and its log belong together. */
void journal_lock_forget(struct journal *db);
/* What a killed engine left in FILE-lock, when there is no log that it could
 * speak of. */
void journal_lock_tidy(const char *path);
/* 0 while the locked file is what stands at the path, under this name alone,
 * with its log; else BTC_E_DB with a text for people. */
int journal_lock_check(struct journal *db, struct err *e);
int journal_beside_check(struct journal *db, struct err *e);
/* Ours was cut, or there is another: it must not go into the file. */
bool journal_beside_is_broken(struct journal *db);

/* --- filesystem.c --- */
/* 0, or BTC_E_DB when the path is to lie on a network file system. */
int journal_fs_check(const char *path, struct err *e);
/* The name of a network file system; NULL when it is none. `type` is f_type of
 * statfs, `mount_type` the word of the mount table ("" = unknown). */
const char *journal_fs_network(uint32_t type, const char *mount_type);

/* --- replace.c --- */
#define JOURNAL_WORD_REPLACED "replaced"
#define JOURNAL_WORD_DAMAGED  "damaged"
/* The finished, durable file `tmp` becomes the database whose lock is held.
 * What stood there is kept as *aside, FILE.<word>-N; malloc, NULL: nothing. */
int journal_replace(const struct journal *held, const char *tmp,
                    const char *word, char **aside, struct err *e);
/* Holds the engine lock of a database that nobody opens: db->sql is NULL. A
 * replacement that was begun is finished. */
int journal_hold(const char *path, unsigned flags, struct journal **out,
                 struct err *e);
/* A replacement that a killed program has begun is finished, unless somebody
 * has the engine lock. */
int journal_replace_left(const char *path, unsigned flags, struct err *e);
/* FILE.<word>-N that neither a file nor a log has; malloc. */
int journal_aside_name(const char *path, const char *word, char **out,
                       struct err *e);
/* Moves FILE<suffix> to ASIDE<suffix>; absent is no error. */
int journal_move_aside(const char *path, const char *aside, const char *suffix,
                       struct err *e);
/* Deletes a database of ours that nobody needs, with all that SQLite makes. */
void journal_clean_files(const char *path);

/* --- heal.c --- */
/* Deletes rows that belong to nothing, in the caller's transaction. */
int journal_heal(struct journal *db, int64_t *n_deleted, struct err *e);
/* Of them, those whose torrent does not exist. */
int journal_heal_orphans(struct journal *db, int64_t *n_deleted, struct err *e);

/* --- migrate.c --- */
/* Brings the schema to the list's last version. `fresh` tells a db that may be
 * created from one that may not. */
int journal_migrate(struct journal *db, const struct journal_migration *list,
                    size_t n, struct err *e);

/* --- copy.c --- */
/* A copy by VACUUM INTO, durable, put in place at once; with `replace` over an
 * older one, else BTC_E_EXISTS. */
int journal_copy_to(struct journal *db, const char *to, bool replace,
                    struct err *e);

/* --- sql.c, add.c, runs.c --- */
/* Copies text for a row: bytes that are not UTF-8 or not printable become '?'
 * (a peer's client or a tracker's error ends up on somebody's terminal). */
void journal_clean_text(char *dst, size_t cap, const char *src);
/* A numeric address and a port that the schema takes. */
bool journal_is_address(const char *address, uint16_t port);
/* The id of this boot of the machine, "" when the system has none: runs.c. */
void journal_boot_id(char *out, size_t cap);

/* --- add.c --- */
struct journal_add;
/* The info dictionary and the files of a torrent, inside a transaction. */
int journal_insert_info(struct journal *db, int64_t id,
                        const struct journal_add *a, struct err *e);
int journal_insert_files(struct journal *db, int64_t id,
                         const struct journal_add *a, struct err *e);

#endif
