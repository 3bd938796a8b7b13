/* The .torrent of a magnet is kept as a file (--save-torrent), by a thread of
 * its own: the drive that it goes to need not answer, and neither the loop nor
 * the journal waits for it.
 *
 * That it is owed is journaled with the info dictionary
 * (torrent_stat.keep_owed) until the file is there, so a run that was killed
 * leaves it to the next one: whoever loads the torrent pays. */
#ifndef BTC_ENGINE_KEEP_H
#define BTC_ENGINE_KEEP_H

#include "base/buf.h"
#include "engine/internal.h"

/* A file that is owed. */
struct keep_debt {
    char *path;         /* owns; NULL: none is */
    struct buf content; /* owns */
    struct err e;       /* why there is no content */
};

/* What is owed of a torrent that is loaded; on the database thread. */
void keep_load(struct journal *db, int64_t id, struct keep_debt *out);
/* Begins, unless it is under way. What comes of it is told in the log. */
void keep_pay(struct engine_torrent *st, const struct keep_debt *debt);
void keep_debt_fini(struct keep_debt *debt);
/* A second has passed: a run that is to end does not wait for ever. */
void keep_second(struct engine *s);
/* Nothing is being written, or is waited for. */
bool keep_is_quiet(const struct engine *s);

#endif
