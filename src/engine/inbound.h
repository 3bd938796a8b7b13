/* Incoming connections until their handshake says which torrent they are for.
 */
#ifndef BTC_ENGINE_INBOUND_H
#define BTC_ENGINE_INBOUND_H

#include "engine/internal.h"

/* A port that was not chosen is any free one. */
int inbound_listen(struct engine *s, struct err *e);
/* Those that say nothing go. */
void inbound_tick(struct engine *s);
void inbound_free(struct engine *s);

#endif
