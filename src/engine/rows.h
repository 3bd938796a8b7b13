/* What a torrent keeps of its rows in the journal. */
#ifndef BTC_ENGINE_ROWS_H
#define BTC_ENGINE_ROWS_H

#include "journal/rows.h"

#include <stddef.h>

struct engine_torrent;
struct info_read;
struct journal_wish_items;
struct rows_loaded;
struct store_tree;

/* Its info dictionary: see infos.h. */
struct torrent_info {
    struct engine_torrent *prev, *next; /* of those in memory */
    struct info_read *read;             /* owns; it is being read, or NULL */
    uint64_t used_ms;                   /* last; 0 = never */
};

/* A file that is off lies elsewhere, or did when it was loaded. */
struct torrent_parked {
    char *path; /* owns; where it belongs, NULL: where the store has it */
    char *part; /* owns; where its bytes lie; NULL: at its path */
};

/* Its rows as loaded from the journal. Those of the files are for many the most
 * of what a torrent takes, so what others keep as well (the store the paths,
 * the layout the places in the stream) goes when the store is opened. */
struct torrent_rows {
    struct journal_file *files;       /* n_files, or NULL once it is open */
    struct journal_file_state *state; /* n_files from then on, kept current */
    struct torrent_parked *parked;    /* n_files then, or NULL: none is */
    struct journal_piece *pieces;
    struct journal_block *blocks;
    struct journal_peer *peers;
    struct journal_tracker *trackers;
    size_t n_files, n_pieces, n_blocks, n_peers, n_trackers;
    struct journal_wish_items *kept; /* owns; see kept.h */
    struct rows_loaded *loaded;      /* owns; read and not taken yet, or NULL */
    struct torrent_info info;
};

/* Frees all but what `loaded` leads to, and empties it. */
void rows_free(struct torrent_rows *r);
/* Files that have a part. */
size_t rows_n_parts(const struct torrent_rows *r);
/* The store has their paths from here on: `files` becomes `state` and `parked`.
 */
void rows_shrink(struct torrent_rows *r, const struct store_tree *store);

#endif
