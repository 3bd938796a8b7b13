/* What a run tells: progress and events. Part of btc.h. */
#ifndef BTC_BTC_EVENT_H
#define BTC_BTC_EVENT_H

#include <btc/state.h>
#include <btc/status.h>
#include <stddef.h>
#include <stdint.h>

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
    uint32_t piece_length;    /* 0: a magnet, its files are not known yet */
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
    bool owed;  /* DONE: btc_run_options.owes_done of this run or another */
};
/* On the thread of btc_run. */
typedef void btc_event_fn(void *ctx, const struct btc_event *ev);

#endif
