/* Wishes: what a torrent is to do. With an engine running they come true by
 * themselves; without one they wait in the database. Part of btc.h.
 */
#ifndef BTC_BTC_WISH_H
#define BTC_BTC_WISH_H

#include <btc/source.h>

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
/* What btc_add would refuse, by a look alone: nothing is written or made, no
 * name is resolved. `b` is NULL when there is no database yet. */
BTC_API int btc_add_check(struct btc *b, const struct btc_source *s,
                          const struct btc_add_options *o, struct btc_error *e);
/* A row id, a name, or a unique prefix of the info hash. */
BTC_API int btc_find(struct btc *b, const char *text, int64_t *id,
                     struct btc_error *e);
BTC_API int btc_start(struct btc *b, int64_t id, struct btc_error *e);
BTC_API int btc_pause(struct btc *b, int64_t id, struct btc_error *e);
/* With an engine running it is a wish; else it is done at once. */
BTC_API int btc_remove(struct btc *b, int64_t id, bool delete_data,
                       struct btc_error *e);
/* Called for each file or folder that btc_remove_data leaves where it is:
 * somebody else has put it there, or another torrent has it. `why` goes behind
 * the path in a text. Both are borrowed. */
typedef void btc_stays_fn(void *ctx, const char *path, const char *why);
/* btc_remove with the data, which tells what is not the torrent's own and stays
 * (when an engine does it, the log tells). fn NULL allowed. */
BTC_API int btc_remove_data(struct btc *b, int64_t id, btc_stays_fn *fn,
                            void *ctx, struct btc_error *e);
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
 * STORAGE: the folder or the data is absent. LOCKED: somebody
 * else has it. */
BTC_API int btc_move(struct btc *b, int64_t id,
                     const struct btc_move_options *o, struct btc_moved *out,
                     struct btc_error *e);
/* Undoes or finishes the moves that killed programs have left, and gives back
 * what was wished before. btc_move and btc_run begin with it. */
BTC_API int btc_recover(struct btc *b, struct btc_error *e);
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

#endif
