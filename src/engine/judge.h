/* What of a torrent's data is trusted when it begins. */
#ifndef BTC_ENGINE_JUDGE_H
#define BTC_ENGINE_JUDGE_H

#include "engine/internal.h"

/* Fills `to_check`, takes out of `claimed` what is lost, sets scan_needed,
 * bytes_missing and checked_from, and notes all of it as facts. False: the
 * storage is gone, and nothing has changed. `job` is an answer to STAT. */
bool judge_files(struct engine_torrent *st, const struct store_job *job);
/* A person insists: what is in the way of the torrent's files goes. */
bool judge_may_overwrite(const struct engine_torrent *st);
/* It went, or nothing was in the way: the wish is over. */
void judge_end_overwrite(struct engine_torrent *st);
/* Nor is anything lost: wishes for such a case are over. */
void judge_answer(struct engine_torrent *st);
/* No piece matches in a file that btc does not know: no piece is claimed in it.
 * Blocks of unfinished pieces stay in the journal. Nothing tells whether they
 * are good but the hash of the whole piece, so one that is lost cannot be found
 * again in the torrent's own file, when that is put back; and no piece is ever
 * claimed by them alone. */
void judge_refused(struct engine_torrent *st, uint32_t file);
/* The torrent does not come to run, so nobody hashes what is in `changed`:
 * no piece is claimed in it meanwhile. The next startup looks for data there.
 */
void judge_withdraw(struct engine_torrent *st);
/* The check of everything that was in doubt has ended: no file owes one. */
void judge_checked(struct engine_torrent *st);

/* The journal's claim of a piece could not be withdrawn: its files are not
 * trusted by any run to come before they have been hashed. */
void judge_distrust(struct engine_torrent *st, uint32_t piece);

/* Somebody has written to a file while it was served: nothing of it is served
 * until it has been hashed again, in a later run if need be. */
void judge_touched(struct engine_torrent *st, uint32_t file);

#endif
