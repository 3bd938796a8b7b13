/* The look at all files of a torrent before it is called complete, and before a
 * run that has served it is done with it. */
#ifndef BTC_ENGINE_FINAL_LOOK_H
#define BTC_ENGINE_FINAL_LOOK_H

#include "engine/internal.h"

/* The torrent is not complete, or not any more: a look is owed when it is. */
void final_look_owe(struct engine_torrent *st);

/* Everything is here, and the journal says so: LIFE_FINISHED, now or later.
 * Before that, files that somebody else may have written to while others were
 * fetched are hashed again; then everything is here once more, or not. */
void final_look(struct engine_torrent *st);

/* It was complete, and has been served since: LIFE_FINISHED once more when it
 * still is. May be called as long as that has not come. */
void final_look_again(struct engine_torrent *st);

#endif
