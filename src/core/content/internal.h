/* The inside of content, shared by its files and its tests.
 *
 * From the top down; a file calls only those below it:
 *   content.c   what others call
 *   check.c     hashing data that is there already
 *   pieces.c    partial pieces: blocks on their way to the disk, the verdict
 *   blame.c     pieces that failed with blocks of several senders
 *   files.c     what is done of each file, and how much it is wanted
 *   outcomes.c  the mailbox
 */
#ifndef BTC_CORE_CONTENT_INTERNAL_H
#define BTC_CORE_CONTENT_INTERNAL_H

#include "base/map.h"
#include "core/content/content.h"

enum block_place {
    BLOCK_NONE,
    BLOCK_MEM,     /* in mem[] */
    BLOCK_WRITING, /* in mem[], a WRITE is out */
    BLOCK_BANNED,  /* the same, and its sender was banned since */
    BLOCK_DISK     /* written (this run or an earlier one) */
};

enum piece_job {
    PIECE_JOB_NONE,
    PIECE_JOB_WRITE,
    PIECE_JOB_FINISH
};

/* A piece with blocks here and no verdict yet. */
struct partial_piece {
    uint32_t piece; /* key */
    uint32_t n_blocks;
    uint32_t n_mem; /* blocks in BLOCK_MEM */
    enum piece_job job;
    uint8_t **mem;             /* owns the array; the blocks are the pool's */
    uint8_t **writing;         /* owns; what the WRITE that is out names */
    uint8_t *place;            /* owns; enum block_place */
    uint8_t (*sums)[SHA1_LEN]; /* owns; of blocks written ahead, as they came */
    UT_hash_handle hh;
};

/* A piece that failed its hash with blocks of several senders: when it passes
 * later, the blocks that differ tell who lied. Until then one peer alone is
 * asked for it. */
struct suspect_piece {
    uint32_t piece; /* key */
    uint32_t n_blocks;
    uint32_t *origin;            /* owns; peers */
    uint8_t (*hashes)[SHA1_LEN]; /* owns */
    uint32_t owner;              /* PICKER_ORIGIN_NONE: nobody yet */
    uint32_t n_owners;           /* that it had */
    uint32_t n_came;             /* blocks of this one */
    uint64_t owned_ms, block_ms; /* since when; its last block */
    UT_hash_handle hh;
};

enum content_state {
    CONTENT_OPEN,
    CONTENT_STOPPING, /* no new checks; blocks go to the disk */
    CONTENT_BROKEN    /* FAILED was told: nothing more goes out */
};

struct content_outcomes {
    struct content_outcome *ring; /* owns; `cap` of them, a power of two */
    uint32_t head, n, cap;
    bool has_free; /* a BLOCKS_FREE is in it: one is enough */
};

struct content_files {
    uint8_t *prio;                      /* owns; per file */
    uint64_t *done;                     /* owns; verified bytes per file */
    uint64_t wanted_bytes, wanted_done; /* of wanted files, without pads */
};

struct content_check {
    struct bits todo;    /* pieces still to be hashed */
    struct bits claimed; /* pieces to be hashed that the journal claims */
    uint32_t next;       /* in disk order */
    uint32_t low;        /* none of `todo` is below it */
    uint32_t *hashing;   /* owns; pieces with a HASH job out */
    uint32_t n_hashing, cap;
    uint32_t n_unread; /* HASH jobs in a row that met a read error */
};

struct content_pieces {
    struct partial_piece *table; /* hash */
    uint32_t n_mem;              /* BLOCK_MEM blocks of pieces without a job */
    uint32_t n_jobs;             /* FINISH and WRITE jobs out */
};

struct content {
    struct content_shared *shared; /* borrows */
    struct actions *actions;       /* borrows */
    const struct layout *layout;   /* borrows */
    struct picker *picker;         /* owns */
    enum content_state state;
    uint64_t wasted;
    struct content_outcomes outcomes;
    struct content_files files;
    struct content_check check;
    struct content_pieces pieces;
    struct suspect_piece *suspects; /* hash */
};

/* --- outcomes.c --- */
struct content_outcome *outcomes_post(struct content *c,
                                      enum content_outcome_type type);
void outcomes_post_free(struct content *c);
void outcomes_post_ban(struct content *c, uint32_t peer, const char *why);
/* The state becomes CONTENT_BROKEN unless we stop anyway. Told once. */
void outcomes_post_failed(struct content *c, int result, const char *text);
bool outcomes_next(struct content *c, struct content_outcome *out);
void outcomes_fini(struct content *c);

/* --- files.c --- */
void files_init(struct content *c);
void files_fini(struct content *c);
/* Adds the piece's bytes to its files, or takes them away; `tell`: FILE when
 * one is complete. */
void files_count(struct content *c, uint32_t piece, bool have, bool tell);
/* Of all files; costs the pieces from the first file that changes to the last.
 */
bool files_set_priorities(struct content *c, const uint8_t *prio);
uint64_t files_left(const struct content *c);
bool files_is_needed(const struct content *c, uint32_t file);

/* --- blame.c --- */
bool blame_is_suspect(const struct content *c, uint32_t piece);
/* The piece passed: bad blocks of an earlier try are known now. */
void blame_passed(struct content *c, uint32_t piece,
                  const uint8_t (*hashes)[SHA1_LEN]);
/* It failed; its blocks are still the picker's. */
/* Those that sent it did good work; its blocks must still be known. */
void blame_credit(struct content *c, uint32_t piece);
void blame_failed(struct content *c, uint32_t piece,
                  const uint8_t (*hashes)[SHA1_LEN]);
/* Those of the asker's pieces that are suspect and its own to fetch, into an
 * empty `out`; false: there are none. */
bool blame_owned(const struct content *c, const struct content_asker *who,
                 struct bits *out);
/* Takes the suspect pieces of others out of `only` (no bits: all pieces). */
void blame_mask(const struct content *c, const struct content_asker *who,
                struct bits *only);
/* Blocks of the piece are taken from this peer. */
bool blame_allows(const struct content *c, uint32_t peer, uint32_t piece);
void blame_block(struct content *c, uint32_t peer, uint32_t piece,
                 uint64_t now_ms); /* a good one came */
/* Forgets suspects that are verified by now. */
void blame_forget_here(struct content *c);
/* True when the piece has another owner now. */
bool blame_choose(struct content *c, struct suspect_piece *s,
                  const struct content_candidate *all, size_t n,
                  uint64_t now_ms);
void blame_fini(struct content *c);

/* --- pieces.c --- */
/* A disk job found other things in the place of the data. */
bool pieces_is_gone(int result);
void pieces_add(struct content *c, struct picker_block b, uint8_t *mem);
void pieces_restore(struct content *c, uint32_t piece, uint32_t block);
/* Blocks of the piece are in memory or on their way. */
bool pieces_is_busy(struct content *c, uint32_t piece);
/* After a check that failed: the blocks that the journal claims come back. */
void pieces_reclaim(struct content *c, uint32_t piece);
void pieces_forget(struct content *c, uint32_t piece);
/* The piece is verified and on disk: counts, facts. */
void pieces_verified(struct content *c, uint32_t piece, bool fetched);
void pieces_start(struct content *c);
void pieces_start_pads(struct content *c); /* pieces of nothing but pads */
void pieces_flush(struct content *c);
void pieces_relieve(struct content *c);
void pieces_purge(struct content *c, content_is_bad_fn *is_bad,
                  const void *ctx);
/* Blocks of the piece that other peers sent are forgotten. */
void pieces_keep_only(struct content *c, uint32_t piece, uint32_t peer);
void pieces_finished(struct content *c, uint32_t piece, int result,
                     bool unwritten, const uint8_t (*hashes)[SHA1_LEN]);
void pieces_written(struct content *c, uint32_t piece, int result,
                    const uint8_t (*hashes)[SHA1_LEN]);
void pieces_fini(struct content *c);

/* --- check.c --- */
void check_init(struct content *c);
void check_fini(struct content *c);
void check_add(struct content *c, uint32_t piece, bool claimed);
void check_pump(struct content *c);
void check_hashed(struct content *c, uint32_t piece, int result);
uint32_t check_left(const struct content *c);
/* The lowest piece without its verdict. */
uint32_t check_floor(const struct content *c);

#endif
