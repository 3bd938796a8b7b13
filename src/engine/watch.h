/* What is looked at once a second. */
#ifndef BTC_ENGINE_WATCH_H
#define BTC_ENGINE_WATCH_H

#include "engine/internal.h"

/* A second has passed for a torrent: time spent seeding, the seeding goal, the
 * free space, and whether there is hope of a peer. */
void watch_second(struct engine_torrent *st);
/* Whether anything came in, for --stall-timeout. */
void watch_payload(struct engine *s, uint64_t now_ms);

#endif
