/* The objects of a run as the files of the engine share them, each nested by
 * concern. The functions stand in the headers of the files.
 * Everything runs on the loop thread. From the top down:
 *   engine.c    a run is opened and closed; run.c: its turns and its end
 *   inbound.c   incoming connections until they belong to a torrent
 *   wishes.c    foreign writes to the database become events of the life
 *   torrent.c   carries out what core/durable/life.h decides
 *   watch.c, startup.c, adopt.c, made.c (others.c: whose files), removal.c
 *   delete.c, kept.c, load.c  the objects, made from their rows (rows.c), freed
 *   commit.c    carries out the order flush, sync, commit, tell; ledger.c: what
 *               the rows say, final_look.c; silence.c: drives without answer
 *   drive.c     actions of the core into calls of mend.c, nodes.c, magnet.c,
 *               neighbours.c, links.c, uploads.c, trackers.c, infos.c, limits.c
 *   judge.c, facts.c, report.c, jobs.c (disk jobs), pipes.c, turn.c: the leaf
 * A lower file never calls a higher one: it posts an event (turn_post).
 */
#ifndef BTC_ENGINE_INTERNAL_H
#define BTC_ENGINE_INTERNAL_H

#include "base/heap.h"
#include "base/map.h"
#include "core/durable/life.h"
#include "core/durable/pipeline.h"
#include "core/torrent/torrent.h"
#include "engine/engine.h"
#include "engine/rows.h"
#include "engine/search.h"
#include "journal/runs.h"
#include "journal/writer.h"
#include "model/names.h"
#include "model/seed_goal.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/tcp.h"
#include "proto/metainfo/metainfo.h"
#include "store/store.h"
#include <utlist.h>

struct magnet_state;
struct reach;

/* Where a torrent stands in the lists of the turn. */
struct turn_place {
    struct heap_node due;                /* when it waits for a time */
    struct engine_torrent *next_touched; /* to be settled */
    bool touched;
    struct engine_torrent *next_to_load;
    bool draining;     /* the actions of its core are being carried out */
    bool told;         /* as STATS told it last, unless its rates fall */
    struct mail *mail; /* owns; events of its life, oldest first */
};

/* The startup verification, and what of it is still owed. */
struct torrent_startup {
    uint64_t bytes_missing;        /* what the wanted files may still take */
    struct bits claimed, to_check; /* pieces: of the journal; to be hashed */
    struct bits select, changed;   /* files: to make; changed by others */
    struct {                      /* whose the files on disk are: see adopt.h */
        struct bits strangers;    /* files that are not known as its own */
        struct bits taken;        /* files that STAT takes to their place */
        struct bits writes;       /* of `select`, those that lack data */
        struct made_there *there; /* owns; before CREATE; see made.h */
        char *label;      /* owns; who holds its files, while they are made */
        struct bits used; /* verify: somebody's things in their place */
        struct journal_others *others; /* owns; see others.h; NULL = none */
        struct fingerprint refused;    /* a file of which no piece matched */
        uint32_t refused_file;         /* which it is, when `refused` exists */
    } adopt;
    bool verify_all;  /* everything is to be hashed */
    bool verify_more; /* and an earlier run had begun with it */
    bool scan_needed;
    struct fingerprint longer; /* verify: a file that is too long, or none */
    char longer_help[112];     /* why it must not be cut, or "" */
    uint32_t longer_file, checked_from; /* which; a check goes on here */
    uint32_t n_lacking;   /* verify: files without bytes that are not there */
    int64_t verify_taken; /* the wish to verify that was carried out last */
    struct journal_run last_run; /* that may have written its files */
};

/* Its connections and requests to trackers. */
struct torrent_net {
    struct link **links; /* by slot (low 16 bits of the conn id) */
    uint32_t n_links;
    uint64_t n_granted;        /* links, while grants are given */
    struct bucket down_bucket; /* its own download limit */
    bool limited, insists; /* in n_limited; `start` was wished: ask trackers */
    struct announcing *announces; /* requests that are out */
    struct magnet_state *magnet;  /* owns; NULL: its content is known */
};

/* Pieces or files that are told of after the commit that makes them true. */
struct fresh {
    uint32_t *list; /* owns */
    size_t n;
    uint32_t cap;
    size_t n_taken; /* of this commit */
};

/* What is on the way into the journal, and told of that. The facts themselves
 * are the member's. */
struct torrent_ledger {
    struct commit_member member;
    uint32_t looks; /* owed to its files when it is complete: final_look.c */
    bool looking;   /* a look is under way */
    bool done_pending, done_taken; /* complete; and this commit makes it so */
    bool stat_known; /* `stat` was read; else nothing is put over the row */
    bool stat_dirty; /* put the stat row also for seeding time alone */
    struct journal_stat told_stat;  /* as last put, and durable */
    char *told_error, *next_error;  /* own; the errors of the two, or NULL */
    struct journal_stat *next_stat; /* owns; of the facts taken; NULL: none */
    uint32_t lost, lost_taken;      /* pieces given up since `told_stat`, */
    uint64_t lost_bytes, lost_bytes_taken; /* bytes of wanted files in them */
    struct fresh pieces, files;
    struct fresh counted; /* files whose rows go into the commit under way */
    struct torrent_refusals *refusals; /* owns; see refusals.h; NULL = none */
    uint64_t n_peer_rows; /* written for the first time in this run */
};

struct torrent_watch { /* once a second */
    uint64_t space_ms; /* last look at free space */
    bool space_busy;
    uint64_t seeding_ms; /* of the last tick that counted */
    uint64_t silent_ms;  /* its drive was heard last; 0 = it answers */
    bool left;           /* and the end of the run does not wait for it */
    int disk_code;       /* the result that `disk_error` tells of */
    bool changed, anew;  /* it tells of that; and it begins anew */
    uint32_t n_changed;  /* so often it began anew, see jobs.c */
    struct torrent_search search;
};

struct engine_torrent {
    struct engine *s; /* borrows */
    int64_t id;
    UT_hash_handle hh;          /* by id, in the order of coming */
    struct journal_torrent row; /* owns its strings: the wishes as last seen */
    struct journal_stat stat;
    struct metainfo *meta;     /* owns; NULL: a magnet */
    struct layout geom;        /* its files are those of `store` */
    struct store_tree *store;  /* owns */
    struct torrent *t;         /* owns; NULL unless loaded */
    bool ran;                  /* t knows what is here: it was started */
    bool asked, told_added;    /* of the ids this run is for; ADDED was told */
    enum btc_state told_state; /* last STATE told; UNKNOWN = none */
    struct life life;
    char *error;      /* owns; what ended it; NULL while life.code is 0 */
    char *disk_error; /* owns; why a disk job failed, NULL = none did */
    uint32_t n_jobs;  /* disk jobs and steps of a removal that are out */
    struct turn_place turn;
    struct torrent_rows rows;
    struct torrent_startup startup;
    struct torrent_net net;
    struct torrent_ledger ledger;
    struct torrent_watch watch;
    struct removing *removing; /* owns; the step that is under way, or NULL */
};

struct engine_turn { /* the lists of the turn, over all torrents */
    struct engine_torrent *touched; /* to be settled */
    struct heap due;                /* by the time that is theirs */
    struct engine_torrent *to_load; /* they wait for others to be loaded */
    uint32_t n_loading;
};

struct engine_net {
    struct tcp_host *host;
    struct tcp_listener *listener;
    struct http *http;
    struct tracker_hosts *hosts;
    struct link *links;        /* all open ones */
    struct incoming *incoming; /* accepted, before their handshake */
    uint32_t n_incoming;
    struct bucket down_bucket;
    uint32_t n_limited; /* running torrents with a limit of their own */
    uint64_t limit_ms;  /* last read grants */
};

struct engine_commit {
    struct pipeline_set pipes;
    uint32_t interval_ms;
    uint64_t peers_ms;     /* rows of connected peers were put */
    uint64_t alive_ms;     /* anything was put */
    uint64_t failed_ms;    /* commits fail since then; 0 = they do not */
    int failed_code;       /* with this */
    bool last;             /* the last commits of the run are under way */
    bool dead;             /* they could not be made */
    uint32_t n_last_fails; /* of them */
    char *schema; /* owns; what of it somebody has changed; NULL = nothing */
    bool schema_cost; /* and rows of torrents could not be written since */
};

enum end_phase {
    END_NOT,
    END_ASKED,   /* somebody has called turn_end */
    END_WINDING, /* torrents wind down, then the last commit */
    END_OVER
};

struct engine_end {
    enum end_phase phase;
    bool hurry;     /* a second STOP: no torrent is waited for */
    bool left;      /* a drive does not answer: its jobs are left behind */
    bool told_wait; /* that one is waited for */
    bool told_journal, no_journal; /* of the database's: told, left behind */
    struct keeping *keeping; /* .torrent files that are written: see keep.h */
    int status;              /* enum btc_err */
    char error[512];
};

struct engine_clock {
    uint64_t started_ms;
    uint64_t tick_ms;    /* last STATS */
    uint64_t second_ms;  /* last look at all torrents */
    uint64_t payload_ms; /* last payload seen, for the stall */
    bool silent;         /* the drive of some torrent, at the last second */
};

struct engine {
    struct engine_signals *signals; /* borrows */
    struct reach *reach;            /* UDP and what is spoken over it */
    struct btc_run_options o; /* borrowed pointers live as long as the run */
    struct seed_goal seed;    /* o.seed, when that is given */
    struct loop *loop;
    struct loop_wakeup *wakeup; /* engine_signal */
    struct store *disk;
    struct journal *db; /* NULL while the thread has it */
    struct journal_thread *journal_thread;
    struct journal_run before; /* the run before this one */
    bool hash_free;            /* fewer HASH jobs are out than may be */
    struct rng rng;
    struct pool pool;
    struct torrent_shared shared;
    struct engine_torrent *torrents;   /* owns; a hash, hh.next: all of them */
    struct engine_torrent *unfinished; /* one that a run waits for, or NULL */
    struct engine_turn turn;
    struct engine_net net;
    struct infos *infos; /* owns; see infos.h */
    struct engine_commit commit;
    struct engine_end end;
    struct engine_clock clock;
    struct {          /* torrents removed in this run: see removal_is_done */
        int64_t *ids; /* owns */
        uint32_t n, cap;
    } removed;
    struct {                      /* as STATS told it last */
        struct btc_progress *all; /* owns */
        uint32_t n, cap;
    } progress;
};

#endif
