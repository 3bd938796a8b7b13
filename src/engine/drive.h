/* The core's actions carried out with io; see drive.c. */
#ifndef BTC_ENGINE_DRIVE_H
#define BTC_ENGINE_DRIVE_H

#include "engine/internal.h"

/* Until the core wants nothing more. */
void drive_drain(struct engine_torrent *st);

#endif
