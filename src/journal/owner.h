/* Whose a file on disk is: other torrents of the journal have data in it, maybe
 * under another name (hard links), and maybe none of this run's. */
#ifndef BTC_JOURNAL_OWNER_H
#define BTC_JOURNAL_OWNER_H

#include "base/err.h"

#include <stdint.h>

struct journal;

/* The first torrent but `id` that has bytes in the file; 0: none, or it cannot
 * be read. */
int64_t journal_owner(struct journal *db, int64_t id, uint64_t dev,
                      uint64_t ino);
/* The file is written to for `id`: all others that have bytes in it claim
 * nothing until they have looked. */
int journal_owner_unclaim(struct journal *db, int64_t id, uint64_t dev,
                          uint64_t ino, struct err *e);

#endif
