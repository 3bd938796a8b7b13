/* Before a piece of a file that was whole is mended: who else has the file? A
 * torrent asks for the files that it lacks something of when it begins
 * (others.h); one that was whole then, or has come to be, may be shared by
 * hard links since. Found bad, its piece would be fetched and written over what
 * the other one has. */
#ifndef BTC_ENGINE_MEND_H
#define BTC_ENGINE_MEND_H

#include "engine/internal.h"

/* `job` is an answer to HASH, of a piece that is claimed and found bad. Gives
 * it to `done`, on the loop thread, maybe at once. Before that no file of the
 * piece that another has may be written any more, and the torrent is told that
 * it cannot go on. */
void mend_ask(struct store_job *job, store_done_fn *done);

#endif
