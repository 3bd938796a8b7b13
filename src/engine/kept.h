/* What is wished of a torrent's files, peers and trackers. Each wish is told
 * only once, so what comes while the torrent's rows are being read is kept
 * until they are there. */
#ifndef BTC_ENGINE_KEPT_H
#define BTC_ENGINE_KEPT_H

#include "engine/internal.h"
#include "journal/wishes.h"

/* Carries them out or keeps them; of one that is not loaded nothing is needed,
 * because its rows are read when it is. Empties `items`. */
void kept_wish(struct engine_torrent *st, struct journal_wish_items *items);
/* The rows are there and the core is made. */
void kept_take(struct engine_torrent *st);

#endif
