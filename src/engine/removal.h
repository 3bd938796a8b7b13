/* A torrent that is wished away; see removal.c. */
#ifndef BTC_ENGINE_REMOVAL_H
#define BTC_ENGINE_REMOVAL_H

#include "engine/internal.h"

/* Asks the journal for the next step: LIFE_DELETE_DUE, LIFE_KEPT,
 * LIFE_ROWS_GONE or LIFE_REMOVAL_FAILED. No commit may be under way. */
void removal_ask(struct engine_torrent *st);
/* After LIFE_DELETE_DUE: LIFE_DELETED or LIFE_REMOVAL_FAILED. */
void removal_delete(struct engine_torrent *st);
/* Removed in this run: a snapshot of wishes may show its row still. */
bool removal_is_done(const struct engine *s, int64_t id);

#endif
