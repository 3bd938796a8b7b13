/* The engine: owns all objects of a run, turns results of io into events of the
 * core, drains the core's actions into io, keeps the journal, reconciles
 * wishes.
 *
 * Everything here runs on the loop thread. Read engine.c (a run from start to
 * end), then torrent.c (one torrent from its rows to running and back),
 * startup.c (what of the data on disk is trusted), drive.c
 * (actions into io, results into events), commit.c (the order write,
 * sync, commit), wishes.c, report.c.
 */
#ifndef BTC_ENGINE_ENGINE_H
#define BTC_ENGINE_ENGINE_H

#include "base/heap.h"
#include "base/map.h"
#include "btc/btc.h"
#include "core/torrent/torrent.h"
#include "engine/handle.h"
#include "journal/journal.h"
#include "net/http.h"
#include "net/tcp.h"
#include "proto/metainfo/metainfo.h"
#include "store/store.h"

#define ENGINE_JOURNAL_MS  1000u
#define ENGINE_CACHE_BYTES (32u << 20)
#define ENGINE_MIN_FREE    (8u << 20)
#define ENGINE_TICK_MS     1000u
#define ENGINE_SECOND_MS   1000u  /* all torrents are looked at this often */
#define ENGINE_STORAGE_MS  5000u  /* look for absent storage this often */
#define ENGINE_ERROR_MS    60000u /* try again after an error */
#define ENGINE_SPACE_MS    1000u  /* look at free space this often */
#define ENGINE_EARLY_BYTES                             \
    (256u << 20) /* commit before the interval is over \
                  */
#define ENGINE_PEERS_LOADED 500
#define ENGINE_TRACKER_TRIES                                                   \
    3                            /* of every tracker, before a run without any \
                                  * peer gives up (exit 6) */
#define ENGINE_TRIM_PEERS   2000 /* new rows of peers, then the worst go */
#define ENGINE_LIMIT_MS     50   /* download limit: grants this often */
#define ENGINE_LIMIT_FIRST  1024 /* bytes of a connection before them */
#define ENGINE_HANDSHAKE_MS 20000 /* of incoming connections */
#define ENGINE_MAX_INCOMING 200   /* without a handshake yet */

enum phase {
    PHASE_IDLE,    /* not wished to run, or not begun */
    PHASE_LOADING, /* rows are read on the database thread */
    PHASE_STAT,    /* startup: fingerprints */
    PHASE_SCAN,    /* startup: data beyond the journal */
    PHASE_CREATE,  /* startup: files that are absent are made */
    PHASE_RUN,     /* the core runs */
    PHASE_STOPPING,
    PHASE_STORAGE, /* waiting-storage */
    PHASE_SPACE,   /* waiting-space, not running */
    PHASE_ERROR
};

struct engine;
struct engine_torrent;

struct engine_torrent {
    struct engine *s; /* borrows */
    int64_t id;
    UT_hash_handle hh;    /* by id, in the order of coming */
    struct heap_node due; /* in the engine's heap, when it waits */
    struct engine_torrent *next_touched; /* of those to be settled */
    bool touched;
    struct engine_torrent *next_moved; /* of those that the journal asks */
    bool moved;
    struct engine_torrent *next_committing; /* of those in this commit */
    bool committing;
    bool limited;               /* counted in n_limited */
    struct journal_torrent row; /* owns its strings: the wishes as last seen */
    struct metainfo *meta;      /* owns */
    struct layout_file *layout_files; /* owns */
    struct layout geom;
    struct store_tree *store; /* owns */
    struct torrent *t;        /* owns; NULL unless loaded */
    bool ran;                 /* t knows what is here: it was started */
    enum phase phase;
    bool asked;          /* of the ids this run is for */
    bool announced_done; /* DONE was told */
    bool done_pending;   /* complete; DONE after the next commit */
    bool goal_reached;   /* done, and seeding goals too */
    bool remove;         /* wished away: rows go when stopped */
    bool deleting;       /* a step of a removal is under way */
    bool data_gone;      /* its files are deleted, its rows are still there */
    bool restart;        /* run again once stopped */
    bool let_go;         /* at rest, its files are closed */
    int status;          /* enum btc_err that ended it, 0 = none */
    char error[256];
    const char *told_state; /* last STATE told */
    bool told_added;        /* ADDED was told */

    /* as loaded from the journal */
    struct journal_file *files; /* n_files; fingerprints kept current */
    size_t n_files;
    struct journal_piece *pieces;
    size_t n_pieces;
    struct journal_block *blocks;
    size_t n_blocks;
    struct journal_peer *peers;
    size_t n_peers;
    struct journal_tracker *trackers;
    size_t n_trackers;
    struct journal_stat stat;
    bool stat_known; /* `stat` was read; else nothing is put over the row */
    struct journal_run last_run; /* that may have written its files */
    struct {                     /* read on the database thread, not taken */
        struct journal_stat stat;
        bool known;
        struct journal_run run;
    } loaded;
    struct err load_error;

    uint64_t bytes_missing; /* startup: what the wanted files may still take */
    struct bits select;     /* startup: the files to make */
    struct {
        struct bits strangers; /* files that are not known as its own */
        struct bits taken;     /* files that STAT takes to their place */
        struct bits writes;    /* of `select`, those that lack data */
        char label[80];        /* how the holders of its files are called */
    } adopt;                   /* startup */
    struct bits claimed;       /* pieces that the journal has verified */
    struct bits to_check;      /* startup: hash these */
    bool verify_all;           /* everything is to be hashed */
    bool verify_more;          /* and an earlier run had begun with it */
    bool scan_needed;
    uint32_t checked_from; /* startup: a check goes on here */
    int64_t verify_taken;  /* the wish to verify that was carried out last */

    struct announcing *announces; /* requests to trackers that are out */
    uint64_t n_granted;           /* links, while grants are given */
    struct bucket down_bucket;    /* its own download limit */
    bool draining;
    struct link **links; /* by slot (low 16 bits of the conn id) */
    uint32_t n_links;

    /* the journal */
    struct journal_batch *facts;   /* owns; depend on data not yet synced */
    struct journal_batch *syncing; /* owns; a SYNC covers them */
    bool dirty;                    /* data was written since the last SYNC */
    bool stat_dirty;     /* put the stat row also for seeding time alone */
    bool sync_now;       /* a SYNC is about to be submitted */
    bool collected;      /* this commit covers `syncing` */
    bool done_collected; /* and makes DONE true */
    size_t n_collected, n_files_collected; /* of the fresh lists */
    struct journal_stat told_stat;         /* as last put */
    struct journal_stat next_stat; /* as of the facts that were collected */
    bool stat_due;                 /* next_stat goes into this commit */
    bool tainted;      /* a SYNC failed: what is written is not claimed */
    uint64_t space_ms; /* last look at free space */
    bool space_busy;
    uint32_t *fresh_pieces; /* owns; verified, told after the commit */
    size_t n_fresh, fresh_cap;
    uint32_t *fresh_files; /* owns */
    size_t n_fresh_files, fresh_files_cap;
    uint64_t n_peer_rows; /* written for the first time in this run */
    uint64_t seeding_ms;  /* of the last tick that counted */
    uint64_t retry_ms;    /* waiting states: look again */
    uint32_t n_jobs;      /* disk jobs and steps of a removal that are out */
};

enum commit_phase {
    COMMIT_IDLE,
    COMMIT_FLUSHING, /* blocks of incomplete pieces are being written */
    COMMIT_SYNCING,  /* fdatasync */
    COMMIT_COMMITTING
};

struct engine {
    struct btc *b;            /* borrows */
    struct btc_run_options o; /* borrowed pointers live as long as the run */
    struct loop *loop;
    struct tcp_host *host;
    struct tcp_listener *listener;
    struct http *http;
    struct store *disk;
    struct journal *db; /* NULL while the thread has it */
    struct journal_thread *journal_thread;
    struct journal_run before;  /* the run before this one */
    struct loop_wakeup *wakeup; /* btc_signal */
    struct rng rng;
    struct pool pool;
    struct torrent_shared shared;
    struct bucket down_bucket;
    struct engine_torrent *torrents;   /* owns; a hash, hh.next: all of them */
    struct engine_torrent *touched;    /* a list: to be settled */
    struct engine_torrent *moved;      /* a list: may have facts */
    struct engine_torrent *committing; /* a list: in the commit under way */
    struct engine_torrent *unfinished; /* one that a run waits for, or NULL */
    struct heap due;                   /* torrents by the time that is theirs */
    uint32_t
        n_limited; /* running torrents with a download limit of their own */
    struct link *links; /* all open ones */
    int64_t *removed;   /* owns; ids, see engine_is_removed */
    size_t n_removed, removed_cap;
    struct incoming *incoming; /* accepted, before their handshake */
    uint32_t n_incoming;
    uint32_t n_open_http;
    bool hash_free; /* fewer HASH jobs are out than may be */

    enum commit_phase journal;
    struct journal_batch *batch;  /* facts without data, for the next commit */
    struct journal_batch *failed; /* a commit that failed, to be tried again */
    uint64_t journal_ms;          /* the last one began */
    uint64_t journal_bytes;       /* payload since */
    uint32_t journal_interval_ms;
    bool journal_now;     /* before the interval is over */
    bool journal_final;   /* the last one: run end */
    bool journal_dead;    /* the database cannot be written */
    uint32_t n_failures;  /* commits in a row that failed */
    uint64_t peers_ms;    /* rows of connected peers were put */
    uint32_t n_syncs;     /* SYNC jobs out */
    uint32_t n_writes[2]; /* WRITE jobs out, by the turn they began in */
    unsigned write_turn;  /* 0 or 1, changed by each flush */

    uint64_t started_ms;
    uint64_t tick_ms;    /* last STATS */
    uint64_t second_ms;  /* last look at all torrents */
    uint64_t space_ms;   /* last look at free space */
    uint64_t limit_ms;   /* last read grants */
    uint64_t payload_ms; /* last payload seen, for the stall */
    uint64_t stop_ms;
    bool stopping;
    bool hurry; /* a second STOP */
    bool finished;
    int status; /* enum btc_err for the end of the run */
    char error[512];
    struct btc_progress *progress; /* owns; scratch for events */
    size_t progress_cap;
};

/* The whole of btc_run. */
int engine_run(struct btc *b, const struct btc_run_options *o, struct err *e);
/* What another part of the interface may ask of a run. */
struct engine_torrent *engine_find(struct engine *s, int64_t id);
void engine_wake(struct engine *s); /* arms the timer anew */
void engine_grant_reads(struct engine *s);
int engine_map(struct engine *s, int64_t id, struct btc_cell *cells, size_t n);

#endif
