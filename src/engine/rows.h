/* What a torrent keeps of its rows in the journal. */
#ifndef BTC_ENGINE_ROWS_H
#define BTC_ENGINE_ROWS_H

#include "journal/rows.h"

#include <stddef.h>

struct engine_torrent;
struct info_read;
struct journal_wish_items;
struct rows_loaded;

/* Its info dictionary: see infos.h. */
struct torrent_info {
    struct engine_torrent *prev, *next; /* of those in memory */
    struct info_read *read;             /* owns; it is being read, or NULL */
    uint64_t used_ms;                   /* last; 0 = never */
};

/* Its rows as loaded from the journal. */
struct torrent_rows {
    struct journal_file *files; /* n_files, kept current; paths: facts_path */
    struct journal_piece *pieces;
    struct journal_block *blocks;
    struct journal_peer *peers;
    struct journal_tracker *trackers;
    size_t n_files, n_pieces, n_blocks, n_peers, n_trackers;
    struct journal_wish_items *kept; /* owns; see kept.h */
    struct rows_loaded *loaded;      /* owns; read and not taken yet, or NULL */
    struct torrent_info info;
};

#endif
