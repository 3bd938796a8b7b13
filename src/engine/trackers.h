/* Announces of torrents, carried out: an ACTION_ANNOUNCE goes in, one
 * EVENT_ANNOUNCED comes back through `done`, unless the torrent's announces are
 * cancelled first.
 */
#ifndef BTC_ENGINE_TRACKERS_H
#define BTC_ENGINE_TRACKERS_H

#include "engine/engine.h"

typedef void trackers_done_fn(struct engine_torrent *st,
                              const struct event *ev);

/* `a` is an ACTION_ANNOUNCE. May call `done` before it returns. */
void trackers_announce(struct engine_torrent *st, const struct action *a,
                       trackers_done_fn *done);
/* Forgets all that are out: nothing comes back. */
void trackers_cancel(struct engine_torrent *st);

#endif
