/* The engine's facts: batches, each of them applied in one transaction. */
#ifndef BTC_JOURNAL_BATCH_H
#define BTC_JOURNAL_BATCH_H

#include "journal/journal.h"
#include "journal/rows.h"

/* A batch is filled on the loop thread and applied in one transaction. */
struct journal_batch;
struct journal_batch *journal_batch_new(void);
void journal_batch_free(struct journal_batch *b); /* NULL allowed */
/* Takes out what claims that data is there (pieces, blocks, files, a finished
 * verification); what takes claims back and the rest stay. */
void journal_batch_drop_claims(struct journal_batch *b);
bool journal_batch_is_empty(const struct journal_batch *b);
/* Moves everything behind what dst holds; src is empty then, and the caller's
 * to free. */
void journal_batch_append(struct journal_batch *dst, struct journal_batch *src);

void journal_put_piece(struct journal_batch *b, int64_t id, uint32_t piece,
                       int64_t verified_at); /* its block rows go */
void journal_del_piece(struct journal_batch *b, int64_t id, uint32_t piece);
void journal_put_block(struct journal_batch *b, int64_t id, uint32_t piece,
                       uint32_t block);
void journal_del_blocks(struct journal_batch *b, int64_t id, uint32_t piece);
void journal_put_file(struct journal_batch *b, int64_t id, uint32_t file,
                      const struct journal_file_state *f);
/* fingerprint, verify_since and bytes_done only */
void journal_put_doubt(struct journal_batch *b, int64_t id, uint32_t file,
                       const struct journal_file_state *f);
/* the same, but it is no claim: with verify_since it doubts those there are */
void journal_put_less(struct journal_batch *b, int64_t id, uint32_t file,
                      uint64_t bytes_done); /* at most; also in doubt */
void journal_put_part(struct journal_batch *b, int64_t id, uint32_t file,
                      const char *part); /* NULL: at its path */
void journal_put_peer(struct journal_batch *b, int64_t id,
                      const struct journal_peer *p);
void journal_del_peer(struct journal_batch *b, int64_t id, const char *address,
                      uint16_t port);
/* Keeps those that are connected or the user's, and the best of the rest. */
void journal_trim_peers(struct journal_batch *b, int64_t id);
void journal_put_tracker(struct journal_batch *b, int64_t id,
                         const struct journal_tracker *t);
void journal_put_stat(struct journal_batch *b, int64_t id,
                      const struct journal_stat *s);
/* Its drive has not answered since then (unix; 0 = it does), so its state is
 * this one, and why. The rest of the live facts stays as it is. */
void journal_put_silence(struct journal_batch *b, int64_t id, int64_t since,
                         enum btc_state state, const char *error);
/* A command is owed once it is done, or not any more. */
void journal_put_owed(struct journal_batch *b, int64_t id, bool owed);
/* The .torrent that was owed is kept, or cannot be. */
void journal_put_kept(struct journal_batch *b, int64_t id);
/* From `since` on files are made of which no row tells; 0: all are told of. */
void journal_put_making(struct journal_batch *b, int64_t id, int64_t since);
void journal_put_event(struct journal_batch *b, int64_t id, enum level level,
                       const char *kind,
                       const char *text); /* id 0: the engine */
/* verify_since = 0, unless it was wished for again after `until`. */
void journal_put_verify_done(struct journal_batch *b, int64_t id,
                             int64_t until);
void journal_put_accepted_loss(struct journal_batch *b,
                               int64_t id); /* accept_loss=0 */
void journal_put_overwritten(struct journal_batch *b,
                             int64_t id); /* overwrite=0 */
/* Facts are written now: what changed on disk until now may be our work. */
void journal_put_heartbeat(struct journal_batch *b);
/* Nothing is written but this: the engine lives. */
void journal_put_alive(struct journal_batch *b);
void journal_put_run_end(struct journal_batch *b);
/* Applies in one transaction; on failure nothing of it has happened. INTERNAL:
 * a rule of the database forbids a row: see refused.h. */
int journal_apply(struct journal *db, struct journal_batch *b, struct err *e);

#endif
