/* The picker's inside, shared by its files and its tests; nobody else includes
 * this.
 *
 * From the top down; a file calls only those below it:
 *   pick.c    the choice itself
 *   picker.c  birth and end; what a check or a verdict says of whole pieces
 *   active.c  blocks of active pieces: who was asked, who sent what
 *   states.c  states and priorities of pieces
 *   order.c   MISSING pieces in the order of picking; availability
 *
 * Vocabulary: a piece is `pickable` when it is MISSING, wanted and has a block
 * to ask for; only pickable pieces stand in the order. It is `todo` when it is
 * wanted, not HAVE and not only pads: having one makes a peer interesting. An
 * active piece is `open` when it is ACTIVE, wanted and has a free block.
 *
 * Availability of a piece = base + pieces[i].avail. A peer that has everything
 * counts in `base` alone, so that it comes and goes in O(1). A peer that became
 * complete by HAVE messages was counted in avail and is taken off base, which
 * may therefore be negative (the debt, settled when it reaches
 * PICKER_DEBT_MAX). What never fails: avail of a piece is at least the number
 * of incomplete peers that have it, so no incomplete peer has a piece whose
 * avail is 0.
 *
 * The order: its places hold the pickable pieces in buckets, highest priority
 * first, within a priority lowest avail first; end[b] is where bucket b ends.
 * A piece goes to the next bucket by one swap and a step of the border. Within
 * a bucket the places are random. After mass changes the order is `stale`, no
 * longer kept, and built anew before the next pick; count[] is always kept once
 * there was a pick.
 */
#ifndef BTC_CORE_CONTENT_PICKER_INTERNAL_H
#define BTC_CORE_CONTENT_PICKER_INTERNAL_H

#include "core/content/picker/picker.h"

/* Availabilities told apart; what more peers have is equally common. */
#define PICKER_LEVELS  64
#define PICKER_BUCKETS (PICKER_PRIO_MAX * PICKER_LEVELS)
/* Complete peers taken off base beyond those that were added to it. */
#define PICKER_DEBT_MAX 16
/* Places of the order looked at in one pick, before the maps are scanned. */
#define PICKER_WALK_MAX 1024
/* Candidates that a scan of the maps collects. */
#define PICKER_SCAN_MAX 256
#define PICKER_NO_POS   UINT32_MAX

struct picker_piece {
    uint16_t avail; /* peers that have it, less those in base */
    uint8_t prio;
    uint8_t state; /* enum picker_state */
};

struct picker_cell {
    /* Peers asked and not yet answered, oldest first, then NONE. */
    uint32_t askers[PICKER_MAX_ASKERS];
    uint32_t origin; /* PICKER_ORIGIN_NONE: not received */
};

/* A peer's part in an active piece: blocks asked of it or received from it. */
struct picker_worker {
    uint32_t peer;
    uint32_t n;
};

struct picker_active {
    uint32_t piece;
    uint32_t n_blocks; /* = n_free + n_asked + n_received */
    uint32_t n_free;
    uint32_t n_asked; /* requested and not received */
    uint32_t n_received;
    /* The asked ones by their number of askers ([0] is not used), so that the
     * endgame skips pieces that have nothing to offer. */
    uint32_t n_by[PICKER_MAX_ASKERS + 1];
    uint32_t n_pads;    /* of the received ones */
    uint32_t free_from; /* no free block before this one */
    uint32_t open_pos;  /* in `open` of the table, or PICKER_NO_POS */
    uint32_t n_workers;
    uint32_t cap_workers;
    struct picker_worker *workers; /* owns; no order */
    struct picker_cell *cells;     /* owns */
};

/* The order of picking; see above. */
struct picker_order {
    bool stale;     /* places, end and pos of pickable pieces are not kept */
    uint64_t churn; /* steps spent on the order since the last pick */
    /* The memory comes with the first pick: most torrents of a large set have
     * no peer. */
    uint32_t *places; /* owns */
    uint32_t *end;    /* owns; of each bucket, in order */
    uint32_t *count;  /* owns; pickable pieces of each bucket */
    /* Sequential: no pickable piece of the priority lies before this one. */
    uint32_t cursor[PICKER_PRIO_MAX + 1];
};

/* The active pieces. */
struct picker_table {
    struct picker_active *rows; /* owns; no order */
    uint32_t n, cap;
    uint32_t *open; /* owns; pieces, no order; room for cap */
    uint32_t n_open;
    uint64_t n_asked; /* blocks, over all of them */
};

/* Pieces of nothing but pads. */
struct picker_pads {
    struct bits only;   /* nothing to ask for; 0 bits without pad files */
    uint32_t from;      /* where the search for the next one goes on */
    uint32_t n_missing; /* wanted and MISSING */
};

struct picker {
    const struct layout *g; /* borrows */
    struct rng *rng;        /* borrows */
    uint32_t n;             /* pieces */
    bool sequential;
    int32_t base; /* see above */

    struct picker_piece *pieces; /* owns */
    /* Place in the order of a pickable piece, in the table of an active one. */
    uint32_t *pos;        /* owns */
    struct bits have;     /* HAVE */
    struct bits todo;     /* see above */
    struct bits pickable; /* see above */
    uint32_t n_wanted_left;

    struct picker_order order;
    struct picker_table active;
    struct picker_pads pads;

    uint64_t work; /* elementary steps so far, for tests of the cost */
};

/* states.c */
bool picker_is_wanted(const struct picker *p, uint32_t piece);
void picker_set_state(struct picker *p, uint32_t piece,
                      enum picker_state state);
/* To another one than before. */
void picker_change_priority(struct picker *p, uint32_t piece, uint8_t prio);

/* active.c: pieces in the table are ACTIVE or FULL. */
struct picker_active *picker_active_get(const struct picker *p, uint32_t piece);
/* A MISSING piece becomes ACTIVE (or FULL); its pad blocks are received. */
struct picker_active *picker_active_add(struct picker *p, uint32_t piece);
void picker_active_drop(struct picker *p, uint32_t piece); /* if it is there */
/* Puts the piece in or out of `open` as its state demands. */
void picker_active_reopen(struct picker *p, struct picker_active *a);
/* Marks a block that is free, or (endgame) not asked of the peer, as asked. */
void picker_active_ask(struct picker *p, struct picker_active *a,
                       uint32_t block, uint32_t peer);
uint32_t picker_cell_n_askers(const struct picker_cell *c);
bool picker_cell_is_asked(const struct picker_cell *c, uint32_t peer);
bool picker_active_has_worker(const struct picker_active *a, uint32_t peer);

/* order.c */
uint32_t picker_bucket(const struct picker *p, uint32_t piece);
void picker_order_add(struct picker *p, uint32_t piece);
void picker_order_remove(struct picker *p, uint32_t piece);
/* The piece's bucket was `from`, its avail or prio has changed since. */
void picker_order_move(struct picker *p, uint32_t piece, uint32_t from);
/* Counts the buckets, if nobody has yet: before anything else of a pick. */
void picker_order_begin(struct picker *p);
/* Ready for a walk. */
void picker_order_refresh(struct picker *p);
uint32_t picker_bucket_start(const struct picker *p, uint32_t bucket);
/* Pickable pieces that some peer has. */
uint32_t picker_n_reachable(const struct picker *p);

/* First index at or after `from` that is set in a, b and (unless NULL) c, all
 * of the same length; their length when there is none. Steps go to *work
 * (NULL: nobody counts). */
uint32_t picker_scan(const struct bits *a, const struct bits *b,
                     const struct bits *c, uint32_t from, uint64_t *work);

#endif
