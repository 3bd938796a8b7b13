/* Announces of torrents, carried out: an ACTION_ANNOUNCE goes in, one
 * EVENT_ANNOUNCED comes back, unless the torrent's announces are cancelled
 * first.
 */
#ifndef BTC_ENGINE_TRACKERS_H
#define BTC_ENGINE_TRACKERS_H

#include "engine/internal.h"

/* `a` is an ACTION_ANNOUNCE. */
void trackers_announce(struct engine_torrent *st, const struct action *a);
/* Forgets all that are out, scrapes too: nothing comes back. */
void trackers_cancel(struct engine_torrent *st);

#endif
