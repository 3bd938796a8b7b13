/* The .torrent of a magnet is kept as a file (--save-torrent), by a thread of
 * its own: the drive that it goes to need not answer, and neither the loop nor
 * the journal waits for it. */
#ifndef BTC_ENGINE_KEEP_H
#define BTC_ENGINE_KEEP_H

#include "engine/internal.h"

/* Begins; both are copied. What comes of it is told in the log. */
void keep_file(struct engine_torrent *st, const char *path,
               struct slice content);
/* A second has passed: a run that is to end does not wait for ever. */
void keep_second(struct engine *s);
/* Nothing is being written, or is waited for. */
bool keep_is_quiet(const struct engine *s);

#endif
