/* Which block to ask of whom.
 *
 * Each piece is in exactly one state. Blocks of an active piece are free,
 * requested (by one peer, by several in the endgame) or received (from one
 * origin, kept for blame). Peers are integer ids, the peerset's, stable for a
 * run. The picker knows no connection, no clock and no memory of data.
 *
 * Order of picking for a peer: free blocks of pieces this peer already works
 * on; free blocks of other active pieces, fullest first (few half-done pieces);
 * a new piece: highest priority, then rarest, ties at random (sequential:
 * lowest index); in the endgame, blocks that others were asked for, fewest
 * askers first. The cost per block does not grow with the number of pieces.
 */
#ifndef BTC_CORE_CONTENT_PICKER_PICKER_H
#define BTC_CORE_CONTENT_PICKER_PICKER_H

#include "base/bits.h"
#include "base/rng.h"
#include "core/content/layout.h"

#define PICKER_MAX_ASKERS  3 /* peers asked for one block in the endgame */
#define PICKER_PRIO_OFF    0 /* not wanted */
#define PICKER_PRIO_NORMAL 4
#define PICKER_PRIO_MAX    7
/* Origins that are no peer. */
#define PICKER_ORIGIN_NONE UINT32_MAX /* block not received */
#define PICKER_ORIGIN_JOURNAL                                            \
    (UINT32_MAX - 1)                       /* received in an earlier run \
                                            */
#define PICKER_ORIGIN_PAD (UINT32_MAX - 2) /* zeros of a pad file */

enum picker_state {
    PICKER_MISSING,  /* nothing of it asked for or here */
    PICKER_ACTIVE,   /* some block requested or received */
    PICKER_FULL,     /* every block received, the verdict is awaited */
    PICKER_CHECKING, /* data of unknown worth is being hashed; not picked */
    PICKER_HAVE      /* verified */
};

struct picker_block {
    uint32_t piece;
    uint32_t block;
};

struct picker; /* opaque */

/* `g` and `rng` are borrowed. All pieces MISSING, priority normal. */
struct picker *picker_new(const struct layout *g, struct rng *rng);
void picker_free(struct picker *p);

enum picker_state picker_state(const struct picker *p, uint32_t piece);
uint32_t picker_n_have(const struct picker *p);
uint32_t picker_n_wanted_left(const struct picker *p);  /* wanted, not HAVE */
const struct bits *picker_have(const struct picker *p); /* the HAVE pieces */
/* No free block is left in wanted pieces that some peer could be asked for:
 * every missing block is requested or received (and one is requested). */
bool picker_is_endgame(const struct picker *p);

/* Somebody might be given a block; false: nobody, whatever it has. `duplicates`
 * as with PICKER_ENDGAME. */
bool picker_has_more(const struct picker *p, bool duplicates);

/* From the journal, a check or a verdict; any state to any of these. Blocks of
 * an active piece are forgotten. */
void picker_set_have(struct picker *p, uint32_t piece);
void picker_set_missing(struct picker *p, uint32_t piece);
void picker_set_checking(struct picker *p, uint32_t piece);
/* A durable block of an incomplete piece (MISSING or ACTIVE before). When it
 * was the last one the piece becomes FULL. */
void picker_restore_block(struct picker *p, uint32_t piece, uint32_t block);

/* A piece that lies in pad files whole is never picked, for there is nothing to
 * ask for, and makes no peer interesting. This gives the next wanted one that
 * is MISSING, FULL now (every block received, PICKER_ORIGIN_PAD), its verdict
 * to be found as for any other; false when there is none. To be called at the
 * start and after such a piece was set missing or became wanted. */
bool picker_next_pad_piece(struct picker *p, uint32_t *piece);

void picker_set_priority(struct picker *p, uint32_t piece, uint8_t prio);
uint8_t picker_priority(const struct picker *p, uint32_t piece);
void picker_set_sequential(struct picker *p, bool on);

/* Availability. `have` as the peer announced it. */
void picker_add_peer(struct picker *p, const struct bits *have);
void picker_remove_peer(struct picker *p, const struct bits *have);
void picker_peer_has(struct picker *p, uint32_t piece); /* a HAVE message */
uint32_t picker_availability(const struct picker *p, uint32_t piece);
/* The peer has a wanted piece that we do not have. */
bool picker_is_interesting(const struct picker *p, const struct bits *have);
bool picker_is_todo(const struct picker *p, uint32_t piece); /* such a one */
bool picker_has_todo(const struct picker *p);                /* there is one */

enum {
    PICKER_ENDGAME = 1, /* duplicates are welcome when nothing is free */
    PICKER_NO_NEW = 2   /* only blocks of pieces that are active already */
};
/* Up to `max` blocks for the peer, marked as requested by it. `only` (NULL:
 * all) restricts to a set of pieces (allowed-fast while choked). */
size_t picker_pick(struct picker *p, uint32_t peer, const struct bits *have,
                   const struct bits *only, unsigned flags,
                   struct picker_block *out, size_t max);

/* A block arrived whole (that it was asked for is the caller's to know: one of
 * a MISSING piece makes it ACTIVE). True when it is new: it is marked received
 * with the peer as origin, whoever was asked for it; the piece may be FULL now.
 * False when it is already here or not wanted any more (drop the data). */
bool picker_on_block(struct picker *p, uint32_t peer, struct picker_block b);
/* The request will not be answered (choke, reject, time-out, close): free for
 * others again. Without effect when it is not requested by that peer. */
void picker_on_dropped(struct picker *p, uint32_t peer, struct picker_block b);
/* A received block was lost (its write failed): free again. */
void picker_on_lost(struct picker *p, struct picker_block b);
bool picker_is_received(const struct picker *p, struct picker_block b);
/* Peers asked for the block and not yet answered; at most PICKER_MAX_ASKERS. */
size_t picker_askers(const struct picker *p, struct picker_block b,
                     uint32_t out[PICKER_MAX_ASKERS]);
/* Who sent it; PICKER_ORIGIN_*. */
uint32_t picker_origin(const struct picker *p, struct picker_block b);

/* For tests: aborts when counts, positions or states contradict each other
 * (O(n)). */
void picker_check_invariant(const struct picker *p);

#endif
