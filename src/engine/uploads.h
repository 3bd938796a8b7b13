/* Ranges of pieces on their way from the page cache to a socket. */
#ifndef BTC_ENGINE_UPLOADS_H
#define BTC_ENGINE_UPLOADS_H

#include "engine/internal.h"

/* ACTION_UPLOAD; EVENT_UPLOADED follows. */
void uploads_start(struct engine_torrent *st, const struct action *a);

#endif
