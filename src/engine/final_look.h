/* The look at all files of a torrent before it is called complete. */
#ifndef BTC_ENGINE_FINAL_LOOK_H
#define BTC_ENGINE_FINAL_LOOK_H

#include "engine/internal.h"

/* The torrent is not complete, or not any more: a look is owed when it is. */
void final_look_owe(struct engine_torrent *st);

/* Everything is here, and the journal says so: LIFE_FINISHED, now or later.
 * Before that, files that somebody else may have written to while others were
 * fetched are hashed again; then everything is here once more, or not. */
void final_look(struct engine_torrent *st);

#endif
