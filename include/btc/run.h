/* The engine: running it, following one that runs elsewhere. Part of btc.h. */
#ifndef BTC_BTC_RUN_H
#define BTC_BTC_RUN_H

#include <btc/database.h>
#include <btc/event.h>

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
struct btc_ids {
    const int64_t *ids;
    size_t n;
};
/* After this a run ends with STALLED; 0 = never. */
struct btc_patience {
    int64_t max_time_s;
    int64_t stall_timeout_s; /* no payload for so long */
};
struct btc_run_options { /* 0 / NULL: the default */
    const int64_t *ids;  /* these torrents; none: all that are wished to run and
                          * are not done */
    size_t n_ids;
    struct btc_ids also; /* without `ids`: these too, though all was here when
                          * their last run ended; see btc_look */
    bool follow_wishes;  /* daemon: every torrent, new ones too; never ends by
                          * itself */
    bool check_only;     /* btc verify: hash, journal, end; no network */
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
    uint64_t cache_bytes;         /* block memory, 0 = 29 MiB */
    uint64_t min_free;            /* stop writing below; bytes, 0 = 8 MiB;
                                   * UINT64_MAX = no floor */
    struct btc_patience patience;
    uint32_t tick_ms; /* between STATS, 0 = 1000 */
    bool owes_done;   /* a command follows DONE: that is journaled as owed until
                       * btc_hook_ended, and told again by the next such run */
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
 * FILE. Uses ids, n_ids, tick_ms, patience.max_time_s, owes_done, on_event,
 * ctx. */
BTC_API int btc_follow(struct btc *b, const struct btc_run_options *o,
                       struct btc_error *e);

/* Whether more is wished of a torrent that is complete than a run has carried
 * out: a check, files that are not in their place, a new start where the
 * storage is gone. btc_run does it when it is asked for the torrent, or for
 * all. */
BTC_API bool btc_is_owed(struct btc *b, int64_t id);

enum btc_seen {
    BTC_SEEN_SAME,    /* its files are as the journal has them */
    BTC_SEEN_CHANGED, /* written to, replaced, gone; or that cannot be said */
    BTC_SEEN_SILENT   /* their drive does not answer: not waited for */
};
/* Looks at the files of torrents that no engine has, one system call for each;
 * `out` gets an answer for each of the `n` ids. Nothing is read and nothing
 * journaled: that is for a run with these torrents, which hashes what changed
 * and fetches what is missing. INTERRUPTED: BTC_SIGNAL_STOP came. */
BTC_API int btc_look(struct btc *b, const int64_t *ids, size_t n,
                     enum btc_seen *out, struct btc_error *e);
/* Whether a command is owed once the torrent is done. */
BTC_API bool btc_hook_is_owed(struct btc *b, int64_t id);
/* A command that was started for a torrent has ended; also while the engine
 * runs. `failure` becomes a row of the log, NULL: it went well. `paid`: what
 * was owed after DONE is done. */
BTC_API int btc_hook_ended(struct btc *b, int64_t id, bool paid,
                           const char *failure, struct btc_error *e);

enum btc_signal {
    BTC_SIGNAL_STOP,  /* graceful; a second one commits and goes */
    BTC_SIGNAL_STATS, /* one STATS event now */
    BTC_SIGNAL_RELOAD /* one RELOAD event */
};
/* Safe in signal handlers and from other threads. */
BTC_API void btc_signal(struct btc *b, enum btc_signal s);
/* In the callback: new global limits (a reload). 0 = none. */
BTC_API void btc_set_limits(struct btc *b, uint64_t down, uint64_t up);

#endif
