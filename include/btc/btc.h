/* libbtc: a BitTorrent engine that never loses its place.
 *
 * One database file holds everything. Any program may open it, read the views
 * and write wishes (add, start, pause, remove, limits); one program at a time
 * runs the engine on it (btc_run), which makes the wishes come true. The
 * command line is written with this header alone.
 *
 * Shapes. Bytes, bytes per second and unix seconds are integers; unknown is -1
 * where a comment says so. Strings are UTF-8, NUL-ended; `const char *` results
 * belong to the library unless "free()" is said. Functions give 0 or one of
 * enum btc_status, the program's exit statuses, and fill `e` (NULL allowed).
 *
 * Threads. A struct btc belongs to one thread at a time; btc_signal alone may
 * be called from any thread and from a signal handler.
 */
#ifndef BTC_BTC_H
#define BTC_BTC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BTC_API __attribute__((visibility("default")))

/* What a command ends with; frozen. */
enum btc_status {
    BTC_STATUS_DONE = 0,
    BTC_STATUS_OTHER = 1,
    BTC_STATUS_USAGE = 2,
    BTC_STATUS_NOT_FOUND = 3,   /* source or ID */
    BTC_STATUS_BAD_TORRENT = 4, /* torrent, magnet or metadata */
    BTC_STATUS_STALLED = 5,     /* stall or time limit; retryable */
    BTC_STATUS_NETWORK = 6,     /* network or tracker unusable; retryable */
    BTC_STATUS_INTERRUPTED = 7, /* state saved; retryable */
    BTC_STATUS_VERIFY = 8,      /* bad or missing pieces */
    BTC_STATUS_NO_SPACE = 9,
    BTC_STATUS_IO = 10,
    BTC_STATUS_STORAGE = 11, /* storage absent; retryable */
    BTC_STATUS_LOCKED = 12,  /* another btc holds the database */
    BTC_STATUS_EXISTS = 13,  /* exists and differs, refused */
    BTC_STATUS_DB = 14,      /* database damaged or of a newer schema */
    BTC_STATUS_DAEMON = 15,
    BTC_STATUS_SOME = 16 /* some of several failed */
};

struct btc_error {
    int status;        /* enum btc_status */
    char message[512]; /* what failed, on which input, why, what to do next */
};

/* "interrupted, state saved" ...; "unknown" for other numbers. */
BTC_API const char *btc_status_text(int status);
BTC_API bool btc_status_is_retryable(int status); /* 5, 6, 7, 11 */
BTC_API const char *btc_version(void);            /* "0.1.0" */

enum btc_log_level {
    BTC_LOG_ERROR,
    BTC_LOG_WARN,
    BTC_LOG_INFO,
    BTC_LOG_DEBUG,
    BTC_LOG_TRACE
};
/* Where log lines go (default: stderr from WARN on); may be called from any
 * thread, one line at a time. NULL restores the default. */
typedef void btc_log_fn(void *ctx, enum btc_log_level level,
                        const char *category, const char *line);
BTC_API void btc_set_log(enum btc_log_level max, btc_log_fn *fn, void *ctx);

/* --- the database --- */

struct btc; /* an open database */

enum {
    BTC_OPEN_CREATE = 1,    /* make the file and its folder when absent */
    BTC_OPEN_READ_ONLY = 2, /* views only; works beside an engine */
    BTC_OPEN_NETWORK = 4,   /* also on a network file system, where locks do not
                             * hold: when nobody else opens it */
    BTC_OPEN_ANY_VERSION = 8 /* with READ_ONLY: an older schema as it is */
};
/* `path` NULL: btc_default_db. */
BTC_API int btc_open(const char *path, unsigned flags, struct btc **out,
                     struct btc_error *e);
BTC_API void btc_close(struct btc *b); /* NULL allowed */
BTC_API const char *btc_path(const struct btc *b);
/* $BTC_DB is the caller's business; this is $XDG_STATE_HOME/btc/btc.db, with
 * ~/.local/state for an unset variable. free(). NULL without a home. */
BTC_API char *btc_default_db(void);
/* A database for a short while, in a folder of its own below $TMPDIR that goes
 * when it is closed. It knows the nodes of the DHT that `like` knows (NULL:
 * none), and nothing else. */
BTC_API int btc_open_scratch(struct btc *like, struct btc **out,
                             struct btc_error *e);
/* Pid of the engine that runs on the database now; 0 = none. */
BTC_API int64_t btc_engine_pid(const char *path);

/* --- sources --- */

struct btc_file_info {
    const char *path; /* sanitised, relative to the folder of the download */
    uint64_t length;
    bool pad; /* BEP 47: never on disk */
};
struct btc_url {
    const char *url;
    uint32_t tier;
};
/* A URL of a torrent or a link that is not used. */
struct btc_left_out {
    const char *text; /* printable, may be cut */
    const char *why;  /* "has no scheme, ..." */
};
struct btc_source_info {
    bool is_magnet;
    const char *name;         /* NULL unknown */
    const char *info_hash_v1; /* 40 hex, NULL = none */
    const char *info_hash_v2; /* 64 hex, NULL = none */
    int64_t total_size;       /* without pads; -1 unknown */
    int64_t piece_length;     /* -1 unknown */
    int64_t piece_count;      /* -1 unknown; 0 for pure v2 */
    int is_private;           /* -1 unknown */
    const char *comment;      /* NULL = none */
    const char *created_by;
    int64_t creation_date; /* unix, -1 unknown */
    const struct btc_file_info *files;
    size_t n_files;
    const struct btc_url *trackers; /* ascending tiers */
    size_t n_trackers;
    const char *const *web_seeds;
    size_t n_web_seeds;
    const char *const *peers; /* "host:port" */
    size_t n_peers;
    const uint32_t *select_only; /* BEP 53 */
    size_t n_select_only;
    const struct btc_left_out *left_out; /* trackers and web seeds */
    size_t n_left_out;
    size_t n_left_out_all; /* more may be left out than are told */
};

struct btc_source; /* a parsed torrent or magnet */

enum {
    BTC_SOURCE_NO_NETWORK = 1, /* an http(s) URL is refused (USAGE) */
    BTC_SOURCE_ACCEPT_V2 = 2,  /* a pure v2 torrent may be looked at */
    BTC_SOURCE_KEEP = 4        /* as it is, for btc_source_save */
};
/* `src`: a file, "-" (standard input), an http(s) URL, a magnet, 40 or 64 hex.
 */
BTC_API int btc_source_load(const char *src, unsigned flags,
                            struct btc_source **out, struct btc_error *e);
BTC_API const struct btc_source_info *
btc_source_info(const struct btc_source *s); /* lives as long as s */
/* Which of the n_files files a choice means (as in btc_add_options; pads
 * never): wanted[n_files]. USAGE when it means none, or names what is not
 * there. */
BTC_API int btc_source_select(const struct btc_source *s, const char *select,
                              const char *exclude, bool *wanted,
                              struct btc_error *e);
BTC_API void btc_source_free(struct btc_source *s); /* NULL allowed */
/* A torrent of the database as a source: its info dictionary byte for byte,
 * trackers and web seeds as they stand. NOT_FOUND when it is a magnet still. */
BTC_API int btc_source_of(struct btc *b, int64_t id, struct btc_source **out,
                          struct btc_error *e);
/* Writes a .torrent, whole or not at all; EXISTS when the name is taken. A
 * magnet has nothing to be saved yet: BAD_TORRENT. */
BTC_API int btc_source_save(const struct btc_source *s, const char *path,
                            struct btc_error *e);
struct btc_check_options {
    const char *dir;              /* where the torrent's files lie */
    const char *name;             /* as --out: another name for them */
    const char *select, *exclude; /* as in btc_add_options */
    /* bytes so far, and of all; false: INTERRUPTED. NULL allowed */
    bool (*on_progress)(void *ctx, uint64_t done, uint64_t total);
    void *ctx;
};
struct btc_checked_file {
    char *path;            /* owns; below the folder */
    uint32_t number;       /* from 1, pads counted */
    uint64_t length, good; /* bytes; those that lie in good pieces */
    int64_t size;          /* on disk; -1 absent */
    bool wanted;
};
struct btc_checked {
    struct btc_checked_file *files; /* owns; no pads */
    size_t n_files;
    uint32_t n_pieces, n_good; /* that hold wanted bytes; of them */
};
/* Hashes a folder against a torrent and writes nothing. *out is filled also
 * with VERIFY (bad or missing pieces), EXISTS (a file is longer than the
 * torrent's) and IO (something cannot be read); STORAGE: none of its files is
 * there. */
BTC_API int btc_check(const struct btc_source *s,
                      const struct btc_check_options *o,
                      struct btc_checked *out, struct btc_error *e);
BTC_API void btc_checked_fini(struct btc_checked *c);

/* --- wishes --- */

/* All fields may be 0 / NULL for the default. */
struct btc_add_options {
    const char *dir;     /* save path; NULL = current folder. The last folder of
                          * it is made when it is missing. */
    const char *name;    /* --out: another name for the file or folder */
    const char *select;  /* "1,3-5,8-": numbers of files from 1, pads counted
                          * (their index in the torrent + 1), or a glob over
                          * the path and its tails, without case; a folder
                          * means everything below it */
    const char *exclude; /* the same */
    const char *torrent_file; /* a magnet's .torrent is kept there once it is
                               * known; EXISTS when the name is taken */
    const char *seed;         /* "none", "forever", "ratio:1.0", "time:60m" */
    const char *label;
    bool sequential;
    bool paused;
    bool alloc_full;
    bool accept_loss;
    bool overwrite;      /* write over files that hold nothing of the torrent */
    uint64_t down_limit; /* bytes/s, 0 = none */
    uint64_t up_limit;
    uint32_t max_peers;
    const char *const *peers; /* "HOST:PORT", resolved here */
    size_t n_peers;
};
/* *id of the torrent. A known info hash is no error: *known is set, its wish
 * becomes `run` (unless paused), trackers and peers are merged. EXISTS when it
 * is known at another save path than the one asked for. */
BTC_API int btc_add(struct btc *b, const struct btc_source *s,
                    const struct btc_add_options *o, int64_t *id, bool *known,
                    struct btc_error *e);
/* One source of btc_add_all, and what came of it. */
struct btc_addition {
    const struct btc_source *source;
    int64_t id; /* as of btc_add; 0 when it failed */
    bool known;
    struct btc_error error; /* status 0: it stands in the database */
};
/* btc_add for many sources in few transactions. One that fails spoils no other;
 * gives the status of the first that failed, DONE when none did. */
BTC_API int btc_add_all(struct btc *b, struct btc_addition *items, size_t n,
                        const struct btc_add_options *o);
/* A row id, a name, or a unique prefix of the info hash. */
BTC_API int btc_find(struct btc *b, const char *text, int64_t *id,
                     struct btc_error *e);
BTC_API int btc_start(struct btc *b, int64_t id, struct btc_error *e);
BTC_API int btc_pause(struct btc *b, int64_t id, struct btc_error *e);
/* With an engine running it is a wish; else it is done at once. */
BTC_API int btc_remove(struct btc *b, int64_t id, bool delete_data,
                       struct btc_error *e);
struct btc_move_options {
    const char *dir; /* the new save path; its last folder is made */
    bool here;       /* the data is there already: only say so */
    /* while data is copied; false: INTERRUPTED, nothing is moved. NULL allowed
     */
    bool (*on_progress)(void *ctx, uint64_t done, uint64_t total);
    void *ctx;
};
struct btc_moved {
    char *from, *to;            /* free(); where it was and is */
    uint32_t n_files, n_copied; /* in their new place; copied, not renamed */
    uint32_t n_left;            /* old names that could not be taken away */
};
/* Moves a torrent's data to another folder, linked or copied: the old files are
 * the torrent's until the new ones are durable. What a killed program leaves is
 * taken away by the next run. An engine that runs lets go of it meanwhile. What
 * was as journaled is not hashed again. EXISTS: something is in the way.
 * STORAGE: the folder, or with `here` the data, is absent. LOCKED: somebody
 * else has it. */
BTC_API int btc_move(struct btc *b, int64_t id,
                     const struct btc_move_options *o, struct btc_moved *out,
                     struct btc_error *e);
/* Keys: down, up (sizes per second), max-peers, sequential (true/false), seed,
 * label, select, exclude, priority.N (file number N: off, low, normal, high or
 * 0..7), accept-loss, overwrite, peer (HOST:PORT, adds), tracker (URL, adds),
 * verify (now). */
BTC_API int btc_set(struct btc *b, int64_t id, const char *key,
                    const char *value, struct btc_error *e);
/* Whether btc_set would take it; nothing is written. */
BTC_API int btc_set_check(struct btc *b, int64_t id, const char *key,
                          const char *value, struct btc_error *e);
/* The list of those keys, NULL-ended, with a help text each. */
struct btc_key {
    const char *key;
    const char *help;
};
BTC_API const struct btc_key *btc_set_keys(void);

/* --- reading --- */

enum btc_type {
    BTC_NULL,
    BTC_INT,
    BTC_REAL,
    BTC_TEXT
};
struct btc_value {
    const char *column;
    enum btc_type type;
    int64_t i;
    double real;
    const char *text;
};
/* Other than 0 ends the query and is given back. */
typedef int btc_row_fn(void *ctx, const struct btc_value *v, size_t n);
/* A view of the SQL interface: "progress", "file_progress", "piece_map",
 * "peer_list", "tracker_list", "way_list", "log". id 0: all torrents; limit 0:
 * all rows (the newest for log). */
BTC_API int btc_query(struct btc *b, const char *view, int64_t id,
                      int64_t limit, btc_row_fn *fn, void *ctx,
                      struct btc_error *e);

/* A drawing of the pieces: `n` cells, each a stretch of pieces. */
struct btc_cell {
    uint8_t done;     /* share verified, 0..8 (8 only when all are) */
    uint8_t active;   /* 1 when a piece in it is under way or partial */
    uint8_t checking; /* 1 when a piece in it is being hashed */
};
/* Inside btc_run's callback from memory, else from the journal. */
BTC_API int btc_map(struct btc *b, int64_t id, struct btc_cell *cells, size_t n,
                    struct btc_error *e);

/* --- the engine --- */

/* What a torrent does. The views and JSON have the names. */
#define BTC_STATES(X)                                         \
    X(BTC_STATE_UNKNOWN, "")                                  \
    X(BTC_STATE_METADATA, "metadata")                         \
    X(BTC_STATE_QUEUED, "queued") /* no engine works on it */ \
    X(BTC_STATE_CHECKING, "checking")                         \
    X(BTC_STATE_DOWNLOADING, "downloading")                   \
    X(BTC_STATE_SEEDING, "seeding")                           \
    X(BTC_STATE_PAUSED, "paused")                             \
    X(BTC_STATE_COMPLETE, "complete")                         \
    X(BTC_STATE_WAITING_STORAGE, "waiting-storage")           \
    X(BTC_STATE_WAITING_SPACE, "waiting-space")               \
    X(BTC_STATE_ERROR, "error")                               \
    X(BTC_STATE_HASHING, "hashing") /* btc_create, never in a database */
enum btc_state {
#define BTC_STATE_VALUE(value, name) value,
    BTC_STATES(BTC_STATE_VALUE)
#undef BTC_STATE_VALUE
};
BTC_API const char *btc_state_name(enum btc_state s);
/* UNKNOWN for NULL and for what is no name. */
BTC_API enum btc_state btc_state_from_name(const char *name);

/* The `progress` view's names. */
struct btc_progress {
    int64_t id;
    char info_hash[41];
    const char *name;
    enum btc_state state;
    uint64_t bytes_done; /* verified */
    uint64_t bytes_total;
    uint32_t pieces_done;
    uint32_t pieces_total;
    uint32_t pieces_checking; /* still to be hashed */
    uint64_t down_rate, up_rate;
    int64_t eta_s; /* -1 unknown */
    uint32_t peers, seeds;
    uint64_t downloaded, uploaded; /* payload, over all runs */
    uint64_t wasted;               /* payload thrown away, over all runs */
    double ratio;      /* uploaded / bytes_done; 0 while nothing is done */
    const char *error; /* NULL = none */
    const char *save_path;
};

enum btc_event_type {
    BTC_EVENT_ADDED,    /* the engine took the torrent up; progress[0] */
    BTC_EVENT_METADATA, /* its info dictionary is known */
    BTC_EVENT_CHECKING, /* hashing of existing data began */
    BTC_EVENT_PIECE,    /* `piece` verified and journaled */
    BTC_EVENT_FILE,     /* `file` is complete; text: its path */
    BTC_EVENT_STATS,    /* every tick: all torrents in progress[0..n) */
    BTC_EVENT_STATE,    /* progress[0].state changed */
    BTC_EVENT_DONE,     /* everything wanted is here and durable; progress[0] */
    BTC_EVENT_ERROR,    /* status and text; id 0: the engine itself */
    BTC_EVENT_RELOAD    /* btc_signal(BTC_SIGNAL_RELOAD) reached the engine */
};
struct btc_event {
    enum btc_event_type type;
    int64_t at; /* unix */
    int64_t id; /* torrent, 0 = none */
    const struct btc_progress *progress;
    size_t n;
    uint32_t piece;
    uint32_t file;
    int status;
    const char *text;
    bool asked; /* STATS: answers BTC_SIGNAL_STATS, not a tick */
};
/* On the thread of btc_run. */
typedef void btc_event_fn(void *ctx, const struct btc_event *ev);

enum btc_verify {
    BTC_VERIFY_AUTO, /* by fingerprints */
    BTC_VERIFY_FULL, /* hash everything first */
    BTC_VERIFY_NONE  /* trust everything */
};
/* How peers are found beside trackers, and what strangers may name. */
struct btc_reach {
    bool no_dht, no_pex, no_lsd;      /* ways that are not used */
    bool allow_local;                 /* local addresses may be named */
    const char *const *dht_bootstrap; /* "HOST:PORT" to enter the DHT by */
    size_t n_dht_bootstrap;
};
struct btc_run_options { /* 0 / NULL: the default */
    const int64_t *ids;  /* these torrents; none: all that are wished to run and
                          * are not done */
    size_t n_ids;
    bool follow_wishes; /* daemon: every torrent, new ones too; never ends by
                         * itself */
    bool check_only;    /* btc verify: hash, journal, end; no network */
    bool metadata_only; /* magnets become torrents, their data is not fetched */
    int64_t older_than_s; /* check_only: only pieces verified longer ago */
    const char *seed;     /* instead of each torrent's own; NULL = its own */
    enum btc_verify verify;
    bool accept_loss;
    bool overwrite;   /* write over files that hold nothing of their torrent */
    uint16_t port;    /* 0: any free one */
    const char *bind; /* IP or interface */
    struct btc_reach reach;
    uint64_t down_limit; /* all torrents together; bytes/s, 0 = none */
    uint64_t up_limit;
    uint32_t max_peers;           /* per torrent, 0 = 80 */
    uint32_t journal_interval_ms; /* 0 = 1000 */
    uint64_t cache_bytes;         /* block memory, 0 = 32 MiB */
    uint64_t min_free;            /* stop writing below; bytes, 0 = 8 MiB;
                                   * UINT64_MAX = no floor */
    int64_t max_time_s;           /* then STALLED; 0 = none */
    int64_t stall_timeout_s; /* no payload for so long: STALLED; 0 = none */
    uint32_t tick_ms;        /* between STATS, 0 = 1000 */
    btc_event_fn *on_event;
    void *ctx;
};
/* Runs the engine on the calling thread until everything asked for is done (and
 * the seeding goals are reached), or a signal, or nothing can go on. LOCKED
 * when another engine holds the database. */
BTC_API int btc_run(struct btc *b, const struct btc_run_options *o,
                    struct btc_error *e);
/* The same events read from the database while another engine runs, until the
 * torrents are done, fail, or that engine ends (INTERRUPTED); all but PIECE and
 * FILE. Uses ids, n_ids, tick_ms, max_time_s, on_event, ctx. */
BTC_API int btc_follow(struct btc *b, const struct btc_run_options *o,
                       struct btc_error *e);

enum btc_signal {
    BTC_SIGNAL_STOP,  /* graceful; a second one commits and goes */
    BTC_SIGNAL_STATS, /* one STATS event now */
    BTC_SIGNAL_RELOAD /* one RELOAD event */
};
/* Safe in signal handlers and from other threads. */
BTC_API void btc_signal(struct btc *b, enum btc_signal s);
/* In the callback: new global limits (a reload). 0 = none. */
BTC_API void btc_set_limits(struct btc *b, uint64_t down, uint64_t up);

/* --- making torrents --- */

struct btc_create_options {
    const char *path;            /* file or folder */
    const char *output;          /* the .torrent; "-" is standard output */
    const char *const *trackers; /* each a tier; "a,b" = both in one tier */
    size_t n_trackers;
    const char *const *web_seeds;
    size_t n_web_seeds;
    uint64_t piece_length; /* 0 = chosen by size */
    bool is_private;
    bool force; /* overwrite an existing output */
    const char *comment;
    void (*on_progress)(void *ctx, uint64_t done, uint64_t total);
    void *ctx;
};
struct btc_create_result {
    char info_hash[41];
    uint64_t total_size;
    uint32_t piece_length;
    uint32_t piece_count;
    uint32_t n_files;
    uint32_t n_left_out; /* links, pipes, devices: only files are shared */
};
BTC_API int btc_create(const struct btc_create_options *o,
                       struct btc_create_result *r, struct btc_error *e);

/* --- care of the database --- */

/* Each problem is a row; DB when there was one. */
BTC_API int btc_db_check(struct btc *b, btc_row_fn *fn, void *ctx,
                         struct btc_error *e);
/* Deletes rows that belong to nothing and makes the indexes anew; LOCKED while
 * an engine runs. */
BTC_API int btc_db_repair(struct btc *b, int64_t *n_deleted,
                          struct btc_error *e);
BTC_API int btc_db_backup(struct btc *b, const char *to, struct btc_error *e);
/* Puts a checked copy of the backup `from` in the place of the database at
 * `path` (NULL: btc_default_db), whatever is wrong with that one, and keeps
 * what stood there as *kept (malloc; NULL: nothing did). `from` may be the
 * database itself: then a log that does not belong to it goes aside. */
BTC_API int btc_db_restore(const char *path, const char *from, unsigned flags,
                           char **kept, struct btc_error *e);
struct btc_salvaged {
    char *kept; /* malloc; the damaged file's new name */
    int64_t n_torrents;
    int64_t n_rows;    /* taken over */
    int64_t n_refused; /* read, but of no use */
    int64_t n_torn;    /* tables that could not be read whole */
};
/* A new database from what can be read of a damaged one; what it says of data
 * on disk will be hashed before it is believed. */
BTC_API int btc_db_salvage(const char *path, unsigned flags,
                           struct btc_salvaged *out, struct btc_error *e);
BTC_API const char *btc_db_schema(void); /* the SQL of schema/ */

/* --- numbers as people write them --- */

BTC_API bool btc_parse_size(const char *text, uint64_t *out);
BTC_API bool btc_parse_duration_ms(const char *text, uint64_t *out);

#endif
