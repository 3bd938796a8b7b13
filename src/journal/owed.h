/* What is wished of a torrent that is complete, and that no run has carried out
 * yet. Anybody may have wished it while no engine ran. */
#ifndef BTC_JOURNAL_OWED_H
#define BTC_JOURNAL_OWED_H

#include <stdbool.h>
#include <stdint.h>

struct journal;

/* Whether the rows of a torrent ask for more than what an earlier run has told
 * to be complete: a check, a file that is wanted and not in its place, a new
 * start where the storage is gone or something is in the way, a .torrent that
 * is to be kept. What cannot be read counts as owed. */
bool journal_is_owed(struct journal *db, int64_t id);

#endif
