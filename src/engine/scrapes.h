/* Scrapes of torrents, carried out (BEP 48): an ACTION_SCRAPE goes in, one
 * EVENT_SCRAPED comes back, unless the torrent's scrapes are cancelled first.
 */
#ifndef BTC_ENGINE_SCRAPES_H
#define BTC_ENGINE_SCRAPES_H

#include "engine/internal.h"

/* Of the tracker with that index. */
void scrapes_start(struct engine_torrent *st, uint32_t tracker);
/* Forgets all that are out: nothing comes back. */
void scrapes_cancel(struct engine_torrent *st);

#endif
