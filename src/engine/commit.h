/* The journal's pipeline: flush, sync, commit, tell; see commit.c. */
#ifndef BTC_ENGINE_COMMIT_H
#define BTC_ENGINE_COMMIT_H

#include "engine/internal.h"

/* Begins a commit when one is due. */
void engine_commit_tick(struct engine *s);
/* Goes on when the writes that it waits for have ended. */
void engine_commit_settle(struct engine *s);
/* When the next one is due; UINT64_MAX = one is under way. */
uint64_t engine_commit_deadline(const struct engine *s);
/* For the journal's thread. */
void engine_commit_committed(void *ctx, struct journal_batch *b, int code,
                             const struct err *e);
/* A second has passed: rates that have died down and time spent seeding are
 * told, too. */
void engine_commit_second(struct engine_torrent *st);
/* Nothing of any torrent is left to be committed. */
bool engine_commit_is_clean(const struct engine *s);
/* The journal's rows say all there is to say of it, so they may be read again.
 */
bool engine_commit_has_all(const struct engine_torrent *st);

#endif
