/* Foreign writes to the database; see wishes.c. */
#ifndef BTC_ENGINE_WISHES_H
#define BTC_ENGINE_WISHES_H

#include "engine/internal.h"

/* For the journal's thread: somebody else wrote. */
void wishes_read(void *ctx, struct journal_wishes *w);

#endif
