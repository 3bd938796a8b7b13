/* One torrent of a run: carries out what its life (core/durable/life.h)
 * decides. */
#ifndef BTC_ENGINE_TORRENT_H
#define BTC_ENGINE_TORRENT_H

#include "engine/internal.h"

enum settled {
    SETTLED_DONE,
    SETTLED_WAITS, /* for the journal or a job: looked at in the next turn */
    SETTLED_GONE   /* it was removed and freed */
};

/* The end of a turn: reads its mail, goes on where it can, places it in the
 * heap. */
enum settled engine_torrent_settle(struct engine_torrent *st);
/* Its time has come. */
void engine_torrent_tick(struct engine_torrent *st);

#endif
