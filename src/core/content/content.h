/* The bytes of a torrent: which pieces are here, which blocks are on their way
 * to the disk, which must be hashed first, and who sent bad ones.
 *
 * Content knows no peer but an id and no clock but the one it is told. A swarm
 * asks it for blocks (content_pick), brings them (content_add_block) or gives
 * them back (content_drop). The driver's answers to the jobs FINISH, WRITE and
 * HASH come in as content_finished, content_written and content_hashed. Content
 * calls nobody: jobs and facts go into the queue of actions, and what others
 * must know goes into a mailbox of outcomes, which the torrent empties after
 * each event. So content can be there without any peer, for a check.
 *
 * Invariants:
 * - A partial piece has at most one disk job out; buffers named in that job
 *   stay untouched until the answer.
 * - The facts follow the writes, never the other way round.
 */
#ifndef BTC_CORE_CONTENT_CONTENT_H
#define BTC_CORE_CONTENT_CONTENT_H

#include "base/hash.h"
#include "core/action/actions.h"
#include "core/content/layout.h"
#include "core/content/picker/picker.h"
#include "core/content/pool.h"

/* What the contents of all torrents of a run share; owned by the engine. */
struct content_shared {
    struct rng *rng;      /* borrows */
    struct pool *pool;    /* borrows */
    uint32_t mem_partial; /* blocks that wait for the rest of their piece */
    uint32_t hash_jobs;   /* checks under way at once, over all torrents */
    uint32_t hash_busy;
};

struct content_config {
    struct content_shared *shared; /* borrows */
    struct actions *actions;       /* borrows */
    const struct layout *layout;   /* borrows, lives longer */
    bool sequential;
};

enum content_outcome_type {
    CONTENT_PIECE_VERIFIED, /* piece, fetched */
    CONTENT_PIECE_LOST,     /* piece: claimed before, not there any more */
    CONTENT_GOOD,           /* peer: it had a part in a piece that passed */
    CONTENT_SUSPECT,        /* peer: it had a part in a piece that failed */
    CONTENT_STALLED,        /* peer: a suspect piece was its own, and it slow */
    CONTENT_BAN,            /* peer, text: it sent bad data */
    CONTENT_BLOCKS_FREE,    /* blocks or memory for them have become free */
    CONTENT_FAILED          /* result, text: the disk let us down */
};

struct content_outcome {
    enum content_outcome_type type;
    uint32_t piece;
    uint32_t peer;
    bool fetched; /* in this run, not found by hashing */
    int result;
    const char *text; /* a literal */
};

struct content; /* opaque */

struct content *content_new(const struct content_config *c);
/* No job may be out. NULL allowed. */
void content_free(struct content *c);

/* --- lifecycle --- */
/* Jobs may go out: pieces that are whole already get their verdict. */
void content_start(struct content *c);
/* No new checks; everything received goes to the disk. */
void content_stop(struct content *c);
/* Blocks of incomplete pieces go ahead to the disk (the journal's tick). */
void content_flush(struct content *c);
/* Sends out checks while the run's workers want more. */
void content_check_pump(struct content *c);
bool content_is_quiet(const struct content *c); /* no job is out */

/* --- what the journal says, and users --- */
void content_restore_piece(struct content *c, uint32_t piece);
void content_restore_block(struct content *c, uint32_t piece, uint32_t block);
/* Data of unknown worth is hashed and kept if it is good. `claimed`: the
 * journal has it as verified, so its loss is a fact. */
void content_check_piece(struct content *c, uint32_t piece, bool claimed);
/* True when something changed. */
bool content_set_priorities(struct content *c, const uint8_t *prio);
void content_set_sequential(struct content *c, bool on);

/* --- answers to jobs --- */
/* `hashes` of the blocks: NULL when they were not wanted or are not known.
 * `unwritten`: the piece matched, and writing what of it was in memory failed.
 */
void content_finished(struct content *c, uint32_t piece, int result,
                      bool unwritten, const uint8_t (*hashes)[SHA1_LEN]);
void content_written(struct content *c, uint32_t piece, int result,
                     const uint8_t (*hashes)[SHA1_LEN]);
void content_hashed(struct content *c, uint32_t piece, int result);

/* --- the mailbox --- */
bool content_next_outcome(struct content *c, struct content_outcome *out);
bool content_has_outcomes(const struct content *c);
/* Asks whoever empties the mailbox to look for work again. */
void content_wake(struct content *c);

/* --- for a swarm --- */
void content_peer_joined(struct content *c, const struct bits *have);
void content_peer_left(struct content *c, const struct bits *have);
void content_peer_has(struct content *c, uint32_t piece); /* one more */
bool content_is_interesting(const struct content *c, const struct bits *have);
bool content_is_todo(const struct content *c, uint32_t piece);
bool content_has_todo(const struct content *c); /* there is one */
bool content_is_endgame(const struct content *c);
/* Somebody might be given a block to ask for (picker_has_more). */
bool content_has_more(const struct content *c, bool duplicates);

struct content_asker {
    uint32_t peer;
    const struct bits *have; /* borrows */
    const struct bits *only; /* borrows; NULL: all that it has */
    unsigned flags;          /* PICKER_* */
};
/* Up to `max` blocks for the peer, marked as requested by it. */
size_t content_pick(struct content *c, const struct content_asker *who,
                    struct picker_block *out, size_t max);
/* A picked block that was not asked for after all. */
void content_unpick(struct content *c, uint32_t peer, struct picker_block b);
/* The request will not be answered in time: others may be asked. */
void content_drop(struct content *c, uint32_t peer, struct picker_block b);
/* Peers that were asked for the block and have not answered. */
size_t content_askers(const struct content *c, struct picker_block b,
                      uint32_t out[PICKER_MAX_ASKERS]);
/* A block that nobody waits for is of use all the same. */
bool content_wants_block(const struct content *c, uint32_t peer,
                         struct picker_block b);
bool content_has_block(const struct content *c, struct picker_block b);
/* A whole block in memory of the pool, which is taken over when it is new;
 * false when it is here already or not wanted any more. */
bool content_add_block(struct content *c, uint32_t peer, struct picker_block b,
                       uint8_t *mem, uint64_t now_ms);
/* Memory is short: blocks that only wait for their piece go to the disk. */
void content_relieve(struct content *c);
/* Blocks that only wait for their piece have an eighth of the memory. */
bool content_is_tight(const struct content *c);

/* Whether blocks of this origin are not to be trusted any more. */
typedef bool content_is_bad_fn(const void *ctx, uint32_t peer);
/* Forgets blocks of incomplete pieces that came from bad origins. */
void content_purge(struct content *c, content_is_bad_fn *is_bad,
                   const void *ctx);

/* Peers among which the owners of suspect pieces are drawn. */
struct content_candidate {
    uint32_t peer;
    const struct bits *have; /* borrows */
    uint64_t down_rate;
    uint64_t brought;  /* bytes, by this connection */
    uint32_t n_stalls; /* CONTENT_STALLED */
    bool choking;      /* it may not be asked at all */
    bool fit;          /* it may be asked, and answers */
    bool late;         /* it owes us something */
    bool idle;         /* and nothing is asked of it now */
};
bool content_has_suspects(const struct content *c);
/* False: the piece is suspect, and another one's. */
bool content_may_send(const struct content *c, uint32_t peer, uint32_t piece);
/* True when a piece has another owner now. */
bool content_choose_owners(struct content *c,
                           const struct content_candidate *all, size_t n,
                           uint64_t now_ms);

/* --- facts --- */
struct content_stats {
    uint64_t bytes_done;  /* verified, of wanted files, without pads */
    uint64_t bytes_total; /* wanted files, without pads */
    uint32_t pieces_done;
    uint32_t pieces_checking;
    uint32_t checked_to; /* every piece before this has its verdict */
    uint64_t wasted;     /* bytes of pieces that failed, in this run */
};
void content_get_stats(const struct content *c, struct content_stats *out);
const struct layout *content_layout(const struct content *c);
const struct picker *content_picker(const struct content *c);
const struct bits *content_have(const struct content *c);
bool content_has_piece(const struct content *c, uint32_t piece);
uint32_t content_check_left(const struct content *c);  /* pieces */
bool content_waits_to_hash(const struct content *c);   /* for want of a job */
uint32_t content_wanted_left(const struct content *c); /* pieces */
/* Nothing wanted is missing or in doubt. */
bool content_is_complete(const struct content *c);
/* Bytes missing of the whole torrent, wanted or not. A tracker treats `left=0`
 * as a full seed, so a partial seed must not send it. */
uint64_t content_left(const struct content *c);
uint64_t content_file_done(const struct content *c, uint32_t file);
/* Some byte of the file is wanted or shares a piece with a wanted one. */
bool content_file_needed(const struct content *c, uint32_t file);

#endif
