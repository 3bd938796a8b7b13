/* Makes a v1 .torrent from a file or folder (`btc create`): walks it, hashes
 * its pieces on all cores, writes the result. Blocks its caller; needs no
 * database and no network.
 */
#ifndef BTC_CREATE_CREATE_H
#define BTC_CREATE_CREATE_H

#include "base/err.h"
#include "proto/metainfo/metainfo.h"

#include <limits.h>
#include <stdatomic.h>

/* Pieces that an automatic piece length aims at, and its bounds. */
#define CREATE_PIECES_AIM    1500u
#define CREATE_PIECE_LEN_MIN 16384u
#define CREATE_PIECE_LEN_MAX (16u << 20)

/* `done` of `total` bytes are hashed. On the caller's thread, some times a
 * second, and once at the end. */
typedef void create_progress_fn(void *ctx, uint64_t done, uint64_t total);

struct create_options {
    const char *path;            /* a regular file or a folder */
    const char *output;          /* NULL: "<name>.torrent" here; "-": stdout */
    const char *const *trackers; /* each a tier; "a,b": both in one tier */
    size_t n_trackers;
    const char *const *web_seeds; /* http or https */
    size_t n_web_seeds;
    const char *comment;             /* NULL or empty: none */
    int64_t creation_date;           /* unix seconds; 0: now, below: left out */
    create_progress_fn *on_progress; /* NULL allowed */
    void *ctx;
    const atomic_bool *cancel; /* NULL allowed; set it to stop */
    uint64_t piece_length;     /* a power of two from 16 KiB on; 0: by size */
    uint32_t threads;          /* 0: one per core */
    bool is_private;
    bool force; /* replace an output that differs */
};

struct create_result {
    uint8_t info_hash[SHA1_LEN];
    uint64_t total_size;
    uint32_t piece_length;
    uint32_t n_pieces;
    uint32_t n_files;
    uint32_t n_left_out;   /* links, pipes, devices, sockets */
    char output[PATH_MAX]; /* where the torrent is */
};

/* Folders are walked in the order of their names' bytes; symbolic links below
 * `path` are not followed, and they, devices, pipes and sockets are left out,
 * as is the output itself. The torrent appears whole or not at all. 0 (also
 * when an output with the same content is there already), or with the text in
 * `e`: USAGE (an option makes no sense), NOTFOUND, PERMISSION, IO, NOSPACE,
 * EXISTS (the output is there and differs), CANCELLED, SHORT (a file changed
 * meanwhile), METAINFO (nothing to share, or names that a torrent cannot
 * carry), LIMIT. */
int create_torrent(const struct create_options *o, struct create_result *res,
                   struct err *e);

/* The automatic piece length for so many bytes. */
uint32_t create_piece_length(uint64_t total);

#endif
