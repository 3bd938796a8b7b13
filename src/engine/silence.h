/* Drives that do not answer: told as a state with its cause, journaled beside
 * the pipeline that waits for them, and not waited for when the run ends. */
#ifndef BTC_ENGINE_SILENCE_H
#define BTC_ENGINE_SILENCE_H

#include "engine/internal.h"

/* A run that is to end waits so long for a drive when it was told to hurry. */
#define SILENCE_HURRY_MS 2000u

/* How long a run that is to end waits for an answer; when it was told to hurry:
 * `hurry_ms`. */
uint64_t silence_patience_ms(const struct engine *s, uint64_t hurry_ms);
/* A second has passed. */
void silence_second(struct engine *s);
/* Its drive does not answer, and the run that is to end does not wait for it
 * any more: its jobs stay out, what it has to say is lost. */
bool silence_is_left(const struct engine_torrent *st);
/* There is one of those: what its jobs use must stay. */
bool silence_has_left(const struct engine *s);
/* The drive of the database is one: its thread and its connection stay as they
 * are. */
bool silence_has_left_journal(const struct engine *s);
/* Commits of this pipeline will not be made any more. */
bool silence_has_pipe(const struct engine *s, const struct pipeline *p);

#endif
