/* The startup verification in three steps, each answered by the event of the
 * life that life.h names; see startup.c. */
#ifndef BTC_ENGINE_STARTUP_H
#define BTC_ENGINE_STARTUP_H

#include "engine/internal.h"

/* Fingerprints: LIFE_STATED. */
void startup_stat(struct engine_torrent *st);
/* Data beyond the journal: LIFE_SCANNED. */
void startup_scan(struct engine_torrent *st);
/* Room for what is missing, and the files that are absent: LIFE_CREATED. */
void startup_space(struct engine_torrent *st);
/* Gives the core what is trusted and what is to be hashed. */
void startup_hand_over(struct engine_torrent *st);
/* btc verify: a wanted file is longer than the torrent's; which, and what
 * helps, as a text. */
bool startup_is_too_long(const struct engine_torrent *st, char *text,
                         size_t size);
/* btc verify: something is in the place of a wanted file, and no piece of that
 * is good. */
bool startup_is_in_the_way(const struct engine_torrent *st, char *text,
                           size_t size);
/* Hash again on a wish, while it runs: everything verified before `since`. */
void startup_verify(struct engine_torrent *st, int64_t since);

#endif
