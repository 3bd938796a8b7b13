/* Facts on their way into the journal. Those of a torrent's pieces and files
 * are its member's and stay in order; events, peers and trackers are the
 * engine's and wait for no drive. See core/durable/commit.h. */
#ifndef BTC_ENGINE_FACTS_H
#define BTC_ENGINE_FACTS_H

#include "engine/internal.h"

/* ACTION_PERSIST. */
void facts_put(struct engine_torrent *st, const struct action *a);
/* A piece is not claimed any more: its row goes, and what counts it in `file`
 * may not stay behind; as long as the disk is in doubt, nothing is counted
 * anew. Returns its bytes in wanted files. */
uint64_t facts_unclaim(struct engine_torrent *st, uint32_t piece);
/* A peer's row as it is now, by its peerset id. */
void facts_peer(struct engine_torrent *st, uint32_t id);
/* An `event` row, and a line in the log. */
void facts_event(struct engine_torrent *st, enum level level, const char *kind,
                 const char *text);
/* Its stat row goes into the next commit, when it differs. */
void facts_stat(struct engine_torrent *st);
/* A piece or file that is told of after the commit that makes it true. */
void facts_fresh_piece(struct engine_torrent *st, uint32_t piece);
void facts_fresh_file(struct engine_torrent *st, uint32_t file);
/* The check of existing data ended: what was owed is done. */
void facts_checked(struct engine_torrent *st);
/* Everything wanted is here: told after the next commit, which comes soon. */
void facts_complete(struct engine_torrent *st);
/* Facts of a torrent whose files are gone are dropped. */
void facts_forget(struct engine_torrent *st);
/* A SYNC failed: the claims about what was written until now are dropped. The
 * data is found again, if it is there, by hashing when the torrent begins anew.
 */
void facts_doubt(struct engine_torrent *st);

/* Where a file has its place, below the save path. */
const char *facts_path(const struct engine_torrent *st, uint32_t file);
/* Where its bytes lie, which may be out of sight; below the save path, too. */
const char *facts_place(const struct engine_torrent *st, uint32_t file);
/* A file's fingerprint into its row. */
void facts_print(struct journal_file_state *f, const struct fingerprint *seen);

#endif
