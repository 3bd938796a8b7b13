/* Rows out. Arrays are malloc'ed: free them with journal_*_free. */
#ifndef BTC_JOURNAL_LOAD_H
#define BTC_JOURNAL_LOAD_H

#include "journal/journal.h"
#include "journal/rows.h"

int journal_load_torrents(struct journal *db, struct journal_torrent **out,
                          size_t *n, struct err *e); /* ascending ids */
/* The one with the hash, or with the id: *n is 0 or 1. */
int journal_load_by_hash(struct journal *db, const uint8_t *info_hash,
                         struct journal_torrent **out, size_t *n,
                         struct err *e);
int journal_load_by_id(struct journal *db, int64_t id,
                       struct journal_torrent **out, size_t *n, struct err *e);
void journal_torrents_free(struct journal_torrent *rows, size_t n);
int journal_load_files(struct journal *db, int64_t id,
                       struct journal_file **out, size_t *n, struct err *e);
void journal_files_free(struct journal_file *rows, size_t n);
int journal_load_pieces(struct journal *db, int64_t id,
                        struct journal_piece **out, size_t *n,
                        struct err *e); /* ascending */
int journal_load_blocks(struct journal *db, int64_t id,
                        struct journal_block **out, size_t *n,
                        struct err *e); /* ascending */
int journal_load_peers(struct journal *db, int64_t id, size_t max,
                       struct journal_peer **out, size_t *n,
                       struct err *e); /* best record first */
int journal_load_trackers(struct journal *db, int64_t id,
                          struct journal_tracker **out, size_t *n,
                          struct err *e);
void journal_trackers_free(struct journal_tracker *rows, size_t n);
/* Texts, each malloc'ed as their array is. */
int journal_load_web_seeds(struct journal *db, int64_t id, char ***out,
                           size_t *n, struct err *e);
int journal_load_stat(struct journal *db, int64_t id, struct journal_stat *out,
                      struct err *e);
int journal_load_info(struct journal *db, int64_t id, uint8_t **out,
                      size_t *len, struct err *e);

#endif
