/* The journal: SQLite behind rows. One connection (struct journal) is used by
 * one thread at a time; the engine hands its connection to a journal_thread,
 * which groups commits and watches for foreign writes (wishes).
 *
 * Nothing here knows the protocol: rows in, rows out. The SQL of the schema,
 * its views and guards lives in schema/NNN_name.sql, embedded at build time.
 * Every step's result is checked; SQLITE_BUSY is BTC_E_LOCKED, SQLITE_FULL is
 * NOSPACE, SQLITE_IOERR is IO, CORRUPT and NOTADB are DB.
 */
#ifndef BTC_JOURNAL_JOURNAL_H
#define BTC_JOURNAL_JOURNAL_H

#include "base/bytes.h"
#include "base/err.h"
#include "model/names.h"
#include "net/loop.h"

#define JOURNAL_BUSY_MS      5000 /* patience with another writer */
#define JOURNAL_WISH_POLL_MS 250  /* PRAGMA data_version this often */
#define JOURNAL_HURRY_MS     1000 /* the same when the run is to end */
#define JOURNAL_NAME_MAX     256

struct journal;

enum {
    JOURNAL_CREATE =
        1, /* make the file, its folder and the schema when absent */
    JOURNAL_READ_ONLY = 2,
    JOURNAL_ENGINE =
        4, /* take the engine lock: BTC_E_LOCKED when another has it */
    JOURNAL_NETWORK = 8, /* also where locks and shared memory may not work */
    JOURNAL_ANY_VERSION = 16 /* READ_ONLY: an older schema is read as it is */
};

/* Opens, checks the header and user_version, migrates (in one transaction, with
 * a backup FILE.backup-vN beside it first). BTC_E_NOTFOUND without
 * JOURNAL_CREATE; BTC_E_DB for damage, no database, a newer schema;
 * BTC_E_LOCKED. The engine lock is two flocks that the kernel drops with the
 * process: one on FILE-lock, which holds the pid for people, and one on the
 * file itself, so that no other name of it leads a second engine in. Pragmas:
 * WAL, synchronous FULL, foreign_keys on, a busy handler.
 */
int journal_open(const char *path, unsigned flags, struct journal **out,
                 struct err *e);
void journal_close(struct journal *db); /* NULL allowed; releases the lock */
const char *journal_path(const struct journal *db);
/* The engine lock on a handle that was opened without JOURNAL_ENGINE. */
int journal_lock_engine(struct journal *db, struct err *e);
void journal_unlock_engine(struct journal *db);
/* Pid of the engine that holds the lock now; 0 = no engine, -1 = one that has
 * not signed yet. Needs no lock. */
int64_t journal_engine_pid(const char *path);

/* --- rows --- */

/* Wishes of a torrent: written by anybody, read by the engine. */
struct journal_torrent {
    int64_t id;
    uint8_t info_hash[20];
    char *name;      /* owns */
    char *save_path; /* owns; absolute */
    enum wanted wanted;
    int64_t starts; /* times that `run` was wished: more than before is news */
    bool sequential;
    enum seed_mode seed_mode;
    int64_t seed_goal;
    int64_t down_limit; /* bytes/s, 0 = none */
    int64_t up_limit;
    int64_t max_peers;    /* 0 = default */
    int64_t verify_since; /* unix: pieces verified before this are not trusted
                           * until hashed again; 0 = none */
    bool accept_loss;     /* start over when the storage is gone */
    bool overwrite;       /* write over what is there and not the torrent's */
    bool alloc_full;
    bool is_private;
    char *label; /* owns; NULL = none */
    int64_t added_at;
    /* identity */
    uint64_t total_size;
    uint32_t piece_length;
    uint32_t n_pieces;
    uint32_t n_files;
};
struct journal_file {
    uint32_t file;
    char *path; /* owns */
    uint64_t offset;
    uint64_t length;
    bool pad;
    uint8_t priority; /* wish: 0 off .. 4 normal .. 7 */
    char *part;       /* owns; where its bytes lie while it is off, or NULL */
    bool has_print;   /* the fingerprint below is known */
    uint64_t dev, ino, size;
    int64_t mtime_ns;
    int64_t ctime_ns;     /* 0 = not known */
    int64_t verify_since; /* like the torrent's, for this file's pieces */
    uint64_t bytes_done;  /* fact */
};
struct journal_piece {
    uint32_t piece;
    int64_t verified_at; /* unix */
};
struct journal_block {
    uint32_t piece;
    uint32_t block;
};
struct journal_peer {
    char address[48]; /* numeric IP */
    uint16_t port;
    char source[16];
    char client[64];
    bool connected, choking, interested, banned, is_seed, connectable;
    int64_t down_rate, up_rate;   /* bytes/s, 0 when not connected */
    int64_t bytes_down, bytes_up; /* ever */
    int64_t failures;
    int64_t last_seen; /* unix, 0 = never */
    char outcome[80];  /* how the last connection ended; "" = as it stands */
    int64_t outcome_at;
    int64_t outcome_count; /* in a row */
};
struct journal_tracker {
    char *url; /* owns */
    uint32_t tier;
    char state[16];
    int64_t last_announce; /* unix, 0 = never */
    int64_t next_announce;
    int64_t not_before; /* nothing is sent before this, 0 = no such time */
    uint32_t failures;  /* in a row */
    int64_t seeders, leechers, completed; /* -1 unknown */
    char error[256];
    char tracker_id[256];
};
/* Live facts: one row per torrent in torrent_stat. */
struct journal_stat {
    char state[20];       /* a state of the list in schema/README.md */
    uint64_t bytes_done;  /* verified and durable, wanted files only */
    uint64_t bytes_total; /* wanted files */
    uint32_t pieces_done; /* verified and durable, all */
    int64_t down_rate, up_rate;
    int64_t eta_s;                 /* -1 unknown */
    int64_t peers, seeds;          /* connected */
    uint64_t downloaded, uploaded; /* payload ever */
    uint64_t wasted;               /* payload that was thrown away, ever */
    int64_t error_code;            /* 0 or enum btc_err */
    char error[256];               /* "" = none */
    uint32_t checked_to; /* an interrupted check goes on here; n_pieces: done */
    int64_t completed_at; /* unix, 0 = not yet */
    int64_t seeding_s;    /* seconds spent seeding, ever */
    uint64_t root_dev;    /* filesystem of the save path when data was there */
    int64_t updated_at;   /* unix; loaded alone: the commit stamps the row */
    int64_t last_run;     /* loaded alone: the newest run that may have written
                           * its files; 0 = none or not known */
    bool writes;          /* put alone: this run is one */
};
/* --- the front's side: immediate, own transaction each --- */

struct journal_add {
    struct journal_torrent torrent; /* id ignored */
    uint64_t root_dev;   /* filesystem of the save path; 0 = none to tell */
    const uint8_t *info; /* exact info dictionary -> metainfo */
    size_t info_len;
    const struct journal_file *files;
    const struct journal_tracker *trackers; /* url, tier */
    uint32_t n_trackers;
    char *const *web_seeds;
    uint32_t n_web_seeds;
    const struct journal_peer *peers; /* address, port, source */
    uint32_t n_peers;
    const struct journal_magnet *magnet; /* magnet.h; NULL: info is there */
};
/* Begins a transaction, or inside one a part that can be undone by itself. (A
 * part of a part is undone with the part, so its failure must be passed on.) */
int journal_begin(struct journal *db, struct err *e);
/* Commits when code is 0, else rolls back; gives what came of it. Of a part:
 * keeps it, or undoes it alone. */
int journal_end(struct journal *db, int code, struct err *e);
/* *id and 0; BTC_E_EXISTS with *id of the torrent that has the hash. */
int journal_add_torrent(struct journal *db, const struct journal_add *a,
                        int64_t *id, struct err *e);
/* Adds trackers, peers that are not there yet to a known torrent. */
int journal_add_sources(struct journal *db, int64_t id,
                        const struct journal_add *a, struct err *e);
/* A wish: `column` is one of the wish columns of `torrent` (checked against a
 * list); the value is bound as text or int by the schema's guards: a refused
 * one gives BTC_E_USAGE with SQLite's reason. */
int journal_set_wish(struct journal *db, int64_t id, const char *column,
                     const char *value, struct err *e);
int journal_set_file_priority(struct journal *db, int64_t id, uint32_t file,
                              uint8_t priority, struct err *e);
/* Those of all files at once (pads are left alone), in one transaction. */
int journal_set_priorities(struct journal *db, int64_t id,
                           const uint8_t *priority, uint32_t n_files,
                           struct err *e);
/* Row id, name, or unique prefix (>= 4 digits) of the info hash. NOTFOUND (also
 * when ambiguous, with the candidates in the text). */
int journal_find(struct journal *db, const char *text, int64_t *id,
                 struct err *e);
int journal_event_now(struct journal *db, int64_t torrent_id, enum level level,
                      const char *kind, const char *text, struct err *e);

/* --- loading (arrays malloc'ed; free with journal_free_*) --- */

int journal_load_torrents(struct journal *db, struct journal_torrent **out,
                          size_t *n, struct err *e); /* ascending ids */
/* The one with the hash, or with the id: *n is 0 or 1. */
int journal_load_by_hash(struct journal *db, const uint8_t *info_hash,
                         struct journal_torrent **out, size_t *n,
                         struct err *e);
int journal_load_by_id(struct journal *db, int64_t id,
                       struct journal_torrent **out, size_t *n, struct err *e);
void journal_torrents_free(struct journal_torrent *rows, size_t n);
int journal_load_files(struct journal *db, int64_t id,
                       struct journal_file **out, size_t *n, struct err *e);
void journal_files_free(struct journal_file *rows, size_t n);
int journal_load_pieces(struct journal *db, int64_t id,
                        struct journal_piece **out, size_t *n,
                        struct err *e); /* ascending */
int journal_load_blocks(struct journal *db, int64_t id,
                        struct journal_block **out, size_t *n,
                        struct err *e); /* ascending */
int journal_load_peers(struct journal *db, int64_t id, size_t max,
                       struct journal_peer **out, size_t *n,
                       struct err *e); /* best record first */
int journal_load_trackers(struct journal *db, int64_t id,
                          struct journal_tracker **out, size_t *n,
                          struct err *e);
void journal_trackers_free(struct journal_tracker *rows, size_t n);
/* Texts, each malloc'ed as their array is. */
int journal_load_web_seeds(struct journal *db, int64_t id, char ***out,
                           size_t *n, struct err *e);
int journal_load_stat(struct journal *db, int64_t id, struct journal_stat *out,
                      struct err *e);
int journal_load_info(struct journal *db, int64_t id, uint8_t **out,
                      size_t *len, struct err *e);
/* The run before this one. */
struct journal_run {
    int64_t id; /* 0 = there was none */
    char boot_id[40];
    int64_t started_at, heartbeat_at, ended_at; /* unix; ended 0 = not clean */
};
/* The run of an id; its id is 0 when its row is not there any more. */
int journal_load_run(struct journal *db, int64_t id, struct journal_run *out,
                     struct err *e);
/* This run's, 0 before journal_begin_run. */
int64_t journal_run_id(const struct journal *db);
/* Inserts this run's row (version, pid, boot id) and gives the one before. */
int journal_begin_run(struct journal *db, struct journal_run *before,
                      struct err *e);

/* --- the engine's side: batches of facts --- */

/* A batch is filled on the loop thread and applied in one transaction. */
struct journal_batch;
struct journal_batch *journal_batch_new(void);
void journal_batch_free(struct journal_batch *b); /* NULL allowed */
/* Takes out what claims that data is there (pieces, blocks, files, a finished
 * verification); what takes claims back and the rest stay. */
void journal_batch_drop_claims(struct journal_batch *b);
bool journal_batch_is_empty(const struct journal_batch *b);
size_t journal_batch_bytes(const struct journal_batch *b); /* memory it takes */
/* Moves everything behind what dst holds; src is empty then, and the caller's
 * to free. */
void journal_batch_append(struct journal_batch *dst, struct journal_batch *src);

void journal_put_piece(struct journal_batch *b, int64_t id, uint32_t piece,
                       int64_t verified_at); /* its block rows go */
void journal_del_piece(struct journal_batch *b, int64_t id, uint32_t piece);
void journal_put_block(struct journal_batch *b, int64_t id, uint32_t piece,
                       uint32_t block);
void journal_del_blocks(struct journal_batch *b, int64_t id, uint32_t piece);
void journal_put_file(struct journal_batch *b, int64_t id,
                      const struct journal_file *f);
/* fingerprint, verify_since and bytes_done only */
void journal_put_doubt(struct journal_batch *b, int64_t id,
                       const struct journal_file *f);
/* the same, but it is no claim: with verify_since it doubts those there are */
void journal_put_part(struct journal_batch *b, int64_t id, uint32_t file,
                      const char *part); /* NULL: at its path */
void journal_put_peer(struct journal_batch *b, int64_t id,
                      const struct journal_peer *p);
void journal_del_peer(struct journal_batch *b, int64_t id, const char *address,
                      uint16_t port);
/* Keeps those that are connected or the user's, and the best of the rest. */
void journal_trim_peers(struct journal_batch *b, int64_t id);
void journal_put_tracker(struct journal_batch *b, int64_t id,
                         const struct journal_tracker *t);
void journal_put_stat(struct journal_batch *b, int64_t id,
                      const struct journal_stat *s);
/* Its drive has not answered since then (unix; 0 = it does), so its state is
 * this one, and why. The rest of the live facts stays as it is. */
void journal_put_silence(struct journal_batch *b, int64_t id, int64_t since,
                         const char *state, const char *error);
void journal_put_event(struct journal_batch *b, int64_t id, enum level level,
                       const char *kind,
                       const char *text); /* id 0: the engine */
/* verify_since = 0, unless it was wished for again after `until`. */
void journal_put_verify_done(struct journal_batch *b, int64_t id,
                             int64_t until);
void journal_put_accepted_loss(struct journal_batch *b,
                               int64_t id); /* accept_loss=0 */
void journal_put_overwritten(struct journal_batch *b,
                             int64_t id); /* overwrite=0 */
/* Facts are written now: what changed on disk until now may be our work. */
void journal_put_heartbeat(struct journal_batch *b);
/* Nothing is written but this: the engine lives. */
void journal_put_alive(struct journal_batch *b);
void journal_put_run_end(struct journal_batch *b);
/* Applies in one transaction; on failure nothing of it has happened. INTERNAL:
 * a rule of the database forbids a row: see refused.h. */
int journal_apply(struct journal *db, struct journal_batch *b, struct err *e);

/* --- removal --- */

enum journal_removal_step {
    JOURNAL_REMOVAL_GONE,   /* no row of it is left */
    JOURNAL_REMOVAL_DELETE, /* its files are to be deleted first: the fields
                               below */
    JOURNAL_REMOVAL_KEEP    /* it is wished back: `wanted` */
};

struct journal_removal {
    enum journal_removal_step step;
    enum wanted wanted;         /* as it stands in the row */
    char *save_path;            /* owns */
    struct journal_file *files; /* owns */
    size_t n_files;
    bool *shared;      /* owns; per file: another torrent has it, too */
    uint64_t root_dev; /* filesystem on which data was; 0 = none, unknown */
};

/* The next step of taking a torrent away, by what is wished of it now. Its rows
 * go, and the event "removed" comes, when `remove` is wished, or `remove-data`
 * and the caller has deleted its files (`data_gone`). When its files are gone
 * and it is wished back, it has no claims any more. */
int journal_remove_torrent(struct journal *db, int64_t id, bool data_gone,
                           struct journal_removal *out, struct err *e);
void journal_removal_fini(struct journal_removal *r);

/* Files of a torrent that is there (`id`) or is to come (0). */
struct journal_near_files {
    int64_t id;
    const char *save_path;
    const struct journal_file *files; /* path, pad */
    size_t n;
};
/* `other` has the place of `file`, which is `path`. Other than 0 ends the walk
 * and is given back. */
typedef int journal_near_fn(void *ctx, const struct journal_torrent *other,
                            uint32_t file, const char *path);
/* Each file that another torrent has, too, but for one that is only to be
 * forgotten. */
int journal_near(struct journal *db, const struct journal_near_files *ours,
                 journal_near_fn *fn, void *ctx, struct err *e);

/* --- the thread --- */

struct journal_thread;
struct journal_wishes; /* wishes.h */
struct journal_thread_callbacks {
    /* A batch was committed (code 0) or failed (the text in `e`); the batch
     * comes back: the caller frees it or submits it again. Loop thread. */
    void (*on_committed)(void *ctx, struct journal_batch *b, int code,
                         const struct err *e);
    /* Somebody else wrote wishes, to be freed with journal_wishes_free. Called
     * once at the start with all that there are. Loop thread. */
    void (*on_wishes)(void *ctx, struct journal_wishes *w);
};

/* Takes over the connection (db must not be used until journal_thread_stop). */
struct journal_thread *
journal_thread_start(struct journal *db, struct loop *l,
                     const struct journal_thread_callbacks *cb, void *ctx);
void journal_thread_submit(struct journal_thread *t, struct journal_batch *b);
/* The same by journal_apply_each. */
void journal_thread_submit_each(struct journal_thread *t,
                                struct journal_batch *b);
/* Other writers are waited for no longer than JOURNAL_HURRY_MS from now on,
 * until journal_thread_stop. */
void journal_thread_hurry(struct journal_thread *t);
/* Runs `fn` on the database thread (loading a torrent while the engine runs);
 * `done` on the loop thread afterwards. */
void journal_thread_call(struct journal_thread *t,
                         void (*fn)(void *ctx, struct journal *db),
                         void (*done)(void *ctx), void *ctx);
/* Finishes what is queued (callbacks included), ends the thread and gives the
 * connection back. */
struct journal *journal_thread_stop(struct journal_thread *t);

/* --- reading for people --- */

enum journal_type {
    JOURNAL_NULL,
    JOURNAL_INT,
    JOURNAL_REAL,
    JOURNAL_TEXT,
    JOURNAL_BLOB
};
struct journal_value {
    const char *column; /* its name */
    enum journal_type type;
    int64_t i;
    double real;
    struct slice text; /* TEXT and BLOB */
};
/* One call per row; a value other than 0 ends the query and is given back. */
typedef int journal_row_fn(void *ctx, const struct journal_value *v, size_t n);
/* SELECT * FROM a view of INTERFACE (checked against a list: progress,
 * file_progress, piece_map, peer_list, tracker_list, way_list, storage_list,
 * log, why), for one torrent (0 = all), `limit` rows (0 = all; for log the
 * newest). */
int journal_query_view(struct journal *db, const char *view, int64_t id,
                       int64_t limit, journal_row_fn *fn, void *ctx,
                       struct err *e);

#endif
