/* The .torrent of a torrent, made again of what the database has. */
#ifndef BTC_ENGINE_TORRENT_FILE_H
#define BTC_ENGINE_TORRENT_FILE_H

#include "base/buf.h"
#include "journal/journal.h"

/* Appends it to `out`: the info dictionary byte for byte, the trackers and web
 * seeds that are known now. NOTFOUND for a magnet that has no info dictionary
 * yet; LIMIT when `out` is too small. */
int torrent_file_make(struct journal *db, int64_t id, struct buf *out,
                      struct err *e);

#endif
