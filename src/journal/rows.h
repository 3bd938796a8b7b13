/* The rows of the tables as structs. */
#ifndef BTC_JOURNAL_ROWS_H
#define BTC_JOURNAL_ROWS_H

#include "base/bytes.h"
#include "btc/state.h"
#include "model/fingerprint.h"
#include "model/names.h"

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
/* What of a file's row changes while its torrent runs. */
struct journal_file_state {
    bool has_print;   /* the fingerprint below is known */
    uint8_t priority; /* wish: 0 off .. 4 normal .. 7 */
    uint32_t since;   /* see journal_file_since; small, as there are many */
    uint64_t dev, ino, size;
    int64_t mtime_ns;
    int64_t ctime_ns;    /* 0 = not known */
    uint64_t bytes_done; /* fact */
};
/* `verify_since` like the torrent's, for this file's pieces. A time that is
 * beyond 2106 is for ever. */
static inline int64_t journal_file_since(const struct journal_file_state *f)
{
    if (f->since == UINT32_MAX) {
        return INT64_MAX;
    }
    return f->since;
}
static inline void journal_file_set_since(struct journal_file_state *f,
                                          int64_t unix_time)
{
    f->since = UINT32_MAX;
    if (unix_time < UINT32_MAX) {
        f->since = unix_time > 0 ? (uint32_t)unix_time : 0;
    }
}
/* A `verify_since` for whatever was verified until now. Even where the clock
 * says a year before 1970 it is a wish: 0 is none. */
static inline int64_t journal_since_now(int64_t unix_now)
{
    if (unix_now < 0) {
        return 1;
    }
    return unix_now + 1;
}
struct journal_file {
    uint32_t file;
    bool pad;
    char *path; /* owns */
    char *part; /* owns; where its bytes lie while it is off, or NULL */
    uint64_t offset;
    uint64_t length;
    struct journal_file_state state;
};
/* Below the save path: where its bytes lie. */
static inline const char *journal_file_place(const struct journal_file *f)
{
    return f->part != NULL ? f->part : f->path;
}
/* The file on disk that the row tells of; it `exists` when there is one. */
static inline struct fingerprint
journal_file_print(const struct journal_file_state *f)
{
    return (struct fingerprint){.exists = f->has_print,
                                .dev = f->dev,
                                .ino = f->ino,
                                .size = f->size,
                                .mtime_ns = f->mtime_ns,
                                .ctime_ns = f->ctime_ns};
}
/* Somebody has put another file in the place of the one that btc made or took
 * over. It is his until a piece of the torrent is found in it: see
 * engine/adopt.h. Its length and time prove nothing, even to the nanosecond:
 * the kernel's clock ticks in milliseconds, and two files written at once have
 * the same. */
static inline bool journal_file_is_another(const struct journal_file_state *f,
                                           const struct fingerprint *now)
{
    const struct fingerprint then = journal_file_print(f);
    return then.exists && now->exists &&
           (then.ino != now->ino || fingerprint_is_reborn(&then, now));
}
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
    enum btc_state state; /* UNKNOWN: nothing was read or put */
    uint64_t bytes_done;  /* verified and durable, wanted files only */
    uint64_t bytes_total; /* wanted files */
    uint32_t pieces_done; /* verified and durable, all */
    int64_t down_rate, up_rate;
    int64_t eta_s;                 /* -1 unknown */
    int64_t peers, seeds;          /* connected */
    uint64_t downloaded, uploaded; /* payload ever */
    uint64_t wasted;               /* payload that was thrown away, ever */
    int64_t error_code;            /* 0 or enum btc_err */
    const char *error;             /* borrows; put alone: NULL = none */
    uint32_t checked_to; /* an interrupted check goes on here; n_pieces: done */
    int64_t completed_at; /* unix, 0 = not yet */
    int64_t seeding_s;    /* seconds spent seeding, ever */
    uint64_t root_dev;    /* filesystem of the save path when data was there */
    int64_t updated_at;   /* unix; loaded alone: the commit stamps the row */
    int64_t last_run;     /* loaded alone: the newest run that may have written
                           * its files; 0 = none or not known */
    bool writes;          /* put alone: this run is one */
    bool done_owed;       /* loaded alone: a command is owed once it is done */
    int64_t making_ns;    /* loaded alone: since then files are made of which
                           * no row tells yet; 0 = none */
};

#endif
