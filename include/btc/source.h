/* Sources: torrents and magnets, before they stand in a database and as they
 * are written out of it again. Part of btc.h.
 */
#ifndef BTC_BTC_SOURCE_H
#define BTC_BTC_SOURCE_H

#include <btc/database.h>
#include <stddef.h>

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
/* How a URL is fetched. */
struct btc_fetch_options {
    const char *bind;   /* IP or interface; NULL = any */
    int64_t max_time_s; /* then STALLED; 0 = a minute, then NETWORK */
};
/* `src`: a file, "-" (standard input), an http(s) URL, a magnet, 40 or 64 hex.
 */
BTC_API int btc_source_load(const char *src, unsigned flags,
                            struct btc_source **out, struct btc_error *e);
/* The same; `how` is NULL when nothing is wished for. */
BTC_API int btc_source_load_by(const char *src, unsigned flags,
                               const struct btc_fetch_options *how,
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

#endif
