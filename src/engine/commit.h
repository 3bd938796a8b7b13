/* Carries out what core/durable/commit.h decides: the order flush, sync,
 * commit, tell. Nothing is decided here. */
#ifndef BTC_ENGINE_COMMIT_H
#define BTC_ENGINE_COMMIT_H

#include "engine/internal.h"

/* Begins the commits that are due. */
void engine_commit_tick(struct engine *s);
/* When the next one is due; UINT64_MAX = all of them are under way. */
uint64_t engine_commit_deadline(const struct engine *s);
/* Carries out what is to be done now. Whatever was touched is drained. */
void engine_commit_settle(struct engine *s);
/* For the journal's thread. */
void engine_commit_committed(void *ctx, struct journal_batch *b, int code,
                             const struct err *e);
void engine_commit_schema(void *ctx, const struct err *e);
/* The journal's rows say all there is to say of it, so they may be read again.
 */
bool engine_commit_has_all(const struct engine_torrent *st);
/* Everything is quiet: the last commits, the engine's own behind all others.
 * True when they are made, or cannot be made. */
bool engine_commit_wind_down(struct engine *s);

#endif
