/* Blocks on their way to the disk, and the verdict over pieces.
 *
 * A block lives in pool memory until its piece is whole (FINISH: hash in
 * memory, one vectored write) or until the journal's tick or a lack of memory
 * sends it ahead (WRITE: a block of an incomplete piece, durable at the next
 * commit). The facts follow the writes, never the other way round.
 */
#include "base/err.h"
#include "base/mem.h"
#include "core/content/internal.h"
#include "model/names.h"
#include <stdlib.h>
#include <string.h>

#define RELIEVE_SHARE 4 /* of the pool may wait for the rest of pieces */

bool pieces_is_gone(int result)
{
    return result == BTC_E_HASH || result == BTC_E_SHORT ||
           result == BTC_E_EXISTS; /* no regular file */
}

/* --- open pieces --- */

static struct partial_piece *pieces_find(struct content *c, uint32_t piece)
{
    struct partial_piece *o;
    HASH_FIND(hh, c->pieces.table, &piece, sizeof piece, o);
    return o;
}

/* Finds or makes. */
static struct partial_piece *pieces_get(struct content *c, uint32_t piece)
{
    struct partial_piece *o = pieces_find(c, piece);
    if (o != NULL) {
        return o;
    }
    o = mem_zalloc(sizeof *o);
    o->piece = piece;
    o->n_blocks = layout_n_blocks(c->layout, piece);
    o->mem = mem_calloc(o->n_blocks, sizeof *o->mem);
    o->writing = mem_calloc(o->n_blocks, sizeof *o->writing);
    o->place = mem_zalloc(o->n_blocks);
    HASH_ADD(hh, c->pieces.table, piece, sizeof o->piece, o);
    return o;
}

/* So many blocks wait for the rest of their piece no more. */
static void pieces_mem_less(struct content *c, uint32_t n)
{
    c->pieces.n_mem -= n;
    c->shared->mem_partial -= n;
}

/* Gives its memory back and forgets it. No job may be out. */
static void pieces_free(struct content *c, struct partial_piece *o)
{
    BTC_ASSERT(o->job == PIECE_JOB_NONE);
    for (uint32_t i = 0; i < o->n_blocks; i++) {
        pool_give(c->shared->pool, o->mem[i]);
    }
    pieces_mem_less(c, o->n_mem);
    HASH_DELETE(hh, c->pieces.table, o);
    free(o->mem);
    free(o->writing);
    free(o->place);
    free(o->sums);
    free(o);
}

/* The last block is here: hash over memory and disk, then write. */
static void pieces_finish(struct content *c, struct partial_piece *o)
{
    o->job = PIECE_JOB_FINISH;
    pieces_mem_less(c, o->n_mem);
    o->n_mem = 0;
    c->pieces.n_jobs++;
    struct action *a = actions_push(c->actions, ACTION_FINISH);
    a->piece = o->piece;
    a->write.blocks = o->mem;
    a->write.n_blocks = o->n_blocks;
    a->write.want_block_hashes = blame_is_suspect(c, o->piece);
}

/* Sends the blocks that are in memory ahead. */
static void pieces_write(struct content *c, struct partial_piece *o)
{
    for (uint32_t i = 0; i < o->n_blocks; i++) {
        bool mem = o->place[i] == BLOCK_MEM;
        if (mem) {
            o->writing[i] = o->mem[i];
        } else {
            o->writing[i] = NULL;
        }
        if (mem) {
            o->place[i] = BLOCK_WRITING;
        }
    }
    o->job = PIECE_JOB_WRITE;
    pieces_mem_less(c, o->n_mem);
    o->n_mem = 0;
    c->pieces.n_jobs++;
    struct action *a = actions_push(c->actions, ACTION_WRITE);
    a->piece = o->piece;
    a->write.blocks = o->writing;
    a->write.n_blocks = o->n_blocks;
    a->write.want_block_hashes = true;
}

/* A new block of a piece. */
void pieces_add(struct content *c, struct picker_block b, uint8_t *mem)
{
    struct partial_piece *o = pieces_get(c, b.piece);
    BTC_ASSERT(o->mem[b.block] == NULL);
    o->mem[b.block] = mem;
    o->place[b.block] = BLOCK_MEM;
    o->n_mem++;
    c->pieces.n_mem++;
    c->shared->mem_partial++;
    if (picker_state(c->picker, b.piece) == PICKER_FULL &&
        o->job == PIECE_JOB_NONE) {
        pieces_finish(c, o);
    } else if (c->shared->mem_partial > c->shared->pool->max / 2) {
        pieces_relieve(c);
    }
}

void pieces_restore(struct content *c, uint32_t piece, uint32_t block)
{
    pieces_get(c, piece)->place[block] = BLOCK_DISK;
    if (picker_state(c->picker, piece) != PICKER_CHECKING) {
        picker_restore_block(c->picker, piece, block);
    }
}

void pieces_reclaim(struct content *c, uint32_t piece)
{
    struct partial_piece *o = pieces_find(c, piece);
    for (uint32_t i = 0; o != NULL && i < o->n_blocks; i++) {
        if (o->place[i] == BLOCK_DISK) {
            picker_restore_block(c->picker, piece, i);
        }
    }
    if (o != NULL && picker_state(c->picker, piece) == PICKER_FULL) {
        pieces_forget(c, piece); /* whole, and just found bad */
        picker_set_missing(c->picker, piece);
    }
}

bool pieces_is_busy(struct content *c, uint32_t piece)
{
    const struct partial_piece *o = pieces_find(c, piece);
    return o != NULL && (o->job != PIECE_JOB_NONE || o->n_mem > 0);
}

/* The piece's blocks count no more. */
void pieces_forget(struct content *c, uint32_t piece)
{
    struct partial_piece *o = pieces_find(c, piece);
    if (o != NULL && o->job == PIECE_JOB_NONE) {
        pieces_free(c, o);
        actions_fact(c->actions, FACT_BLOCKS_LOST, piece, 0);
    }
}

/* One block is not here any more; true when the journal claims it. */
static bool pieces_drop(struct content *c, struct partial_piece *o, uint32_t i)
{
    bool claimed = o->place[i] == BLOCK_DISK;
    if (o->place[i] == BLOCK_MEM) {
        pool_give(c->shared->pool, o->mem[i]);
        o->mem[i] = NULL;
        o->n_mem--;
        pieces_mem_less(c, 1);
    }
    o->place[i] = BLOCK_NONE;
    picker_on_lost(c->picker, (struct picker_block){o->piece, i});
    return claimed;
}

/* The journal knows blocks by their piece: all go, and what stays comes back.
 */
static void pieces_claim(struct content *c, const struct partial_piece *o)
{
    actions_fact(c->actions, FACT_BLOCKS_LOST, o->piece, 0);
    for (uint32_t i = 0; i < o->n_blocks; i++) {
        if (o->place[i] == BLOCK_DISK) {
            actions_fact(c->actions, FACT_BLOCK, o->piece, i);
        }
    }
}

/* Of a piece that is on its way with a WRITE, blocks that are in the job go
 * when it is back. A FINISH has all blocks of the piece and decides over them.
 */
static bool pieces_purge_block(struct content *c, struct partial_piece *o,
                               uint32_t i)
{
    if (o->place[i] == BLOCK_WRITING) {
        o->place[i] = BLOCK_BANNED;
        return false;
    }
    return pieces_drop(c, o, i);
}

/* Forgets blocks of bad origins in one piece. */
static void pieces_purge_piece(struct content *c, struct partial_piece *o,
                               content_is_bad_fn *is_bad, const void *ctx)
{
    bool claimed = false;
    for (uint32_t i = 0; i < o->n_blocks && o->job != PIECE_JOB_FINISH; i++) {
        struct picker_block b = {o->piece, i};
        if (o->place[i] == BLOCK_NONE || o->place[i] == BLOCK_BANNED ||
            !is_bad(ctx, picker_origin(c->picker, b))) {
            continue;
        }
        claimed |= pieces_purge_block(c, o, i);
        outcomes_post_free(c);
    }
    if (claimed) {
        pieces_claim(c, o);
    }
}

void pieces_purge(struct content *c, content_is_bad_fn *is_bad, const void *ctx)
{
    struct partial_piece *o, *tmp;
    HASH_ITER (hh, c->pieces.table, o, tmp) {
        pieces_purge_piece(c, o, is_bad, ctx);
    }
}

/* The block came from another peer than the one that is wanted. */
static bool pieces_is_foreign(const void *ctx, uint32_t peer)
{
    const uint32_t *wanted = ctx;
    return peer < PICKER_ORIGIN_PAD && peer != *wanted;
}

void pieces_keep_only(struct content *c, uint32_t piece, uint32_t peer)
{
    struct partial_piece *o = pieces_find(c, piece);
    if (o != NULL) {
        pieces_purge_piece(c, o, pieces_is_foreign, &peer);
    }
}

/* Pieces whose last block was journaled before their verdict was. */
void pieces_start(struct content *c)
{
    struct partial_piece *o, *tmp;
    HASH_ITER (hh, c->pieces.table, o, tmp) {
        if (picker_state(c->picker, o->piece) == PICKER_FULL &&
            o->job == PIECE_JOB_NONE) {
            pieces_finish(c, o);
        }
    }
}

/* Nothing of them is asked of anybody; they are hashed as zeros. */
void pieces_start_pads(struct content *c)
{
    uint32_t piece;
    while (picker_next_pad_piece(c->picker, &piece)) {
        struct partial_piece *o = pieces_get(c, piece);
        if (o->job == PIECE_JOB_NONE) {
            pieces_finish(c, o);
        }
    }
}

/* The piece with most blocks in memory goes ahead, if these blocks are what
 * memory is short of: what jobs and requests have comes back by itself, and to
 * write ahead costs a second look at the piece. */
void pieces_relieve(struct content *c)
{
    struct partial_piece *o, *tmp, *best = NULL;
    if (c->pieces.n_mem == 0 ||
        c->shared->mem_partial <= c->shared->pool->max / RELIEVE_SHARE) {
        return;
    }
    HASH_ITER (hh, c->pieces.table, o, tmp) {
        if (o->job == PIECE_JOB_NONE && o->n_mem > 0 &&
            (best == NULL || o->n_mem > best->n_mem)) {
            best = o;
        }
    }
    if (best != NULL && c->state != CONTENT_BROKEN) {
        pieces_write(c, best);
    }
}

void pieces_flush(struct content *c)
{
    struct partial_piece *o, *tmp;
    if (c->state == CONTENT_BROKEN) {
        return;
    }
    HASH_ITER (hh, c->pieces.table, o, tmp) {
        if (o->job == PIECE_JOB_NONE && o->n_mem > 0) {
            pieces_write(c, o);
        }
    }
}

/* --- answers --- */

void pieces_verified(struct content *c, uint32_t piece, bool fetched)
{
    if (picker_state(c->picker, piece) == PICKER_HAVE) {
        return;
    }
    picker_set_have(c->picker, piece);
    files_count(c, piece, true, true);
    actions_fact(c->actions, FACT_PIECE, piece, 0);
    actions_notify(c->actions, NOTIFY_PIECE, piece, 0);
    struct content_outcome *out = outcomes_post(c, CONTENT_PIECE_VERIFIED);
    out->piece = piece;
    out->fetched = fetched;
}

/* A block that was written ahead comes back from the disk as it came from its
 * sender. */
static bool pieces_is_same(const struct partial_piece *o, uint32_t i,
                           const uint8_t (*hashes)[SHA1_LEN])
{
    return o->sums != NULL && hashes != NULL &&
           memcmp(o->sums[i], hashes[i], SHA1_LEN) == 0;
}

/* Of blocks that our own disk changed nobody is the origin. */
static void pieces_disown(struct content *c, const struct partial_piece *o,
                          const uint8_t (*hashes)[SHA1_LEN])
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < o->n_blocks; i++) {
        struct picker_block b = {o->piece, i};
        if (o->place[i] == BLOCK_DISK &&
            picker_origin(c->picker, b) < PICKER_ORIGIN_PAD &&
            !pieces_is_same(o, i, hashes)) {
            picker_on_lost(c->picker, b);
            picker_restore_block(c->picker, o->piece, i);
            n++;
        }
    }
    if (n > 0) {
        actions_event(c->actions, LEVEL_ERROR, "disk-changed",
                      "%u blocks of piece %u are not what was written there", n,
                      o->piece);
    }
}

/* The piece did not match: nothing of it was written by this job. */
static void pieces_failed(struct content *c, struct partial_piece *o,
                          const uint8_t (*hashes)[SHA1_LEN])
{
    uint32_t piece = o->piece;
    c->wasted += layout_piece_size(c->layout, piece);
    actions_event(c->actions, LEVEL_WARN, "hash-failed",
                  "piece %u does not match its hash and is fetched again",
                  piece);
    pieces_disown(c, o, hashes);
    blame_failed(c, piece, hashes);
    pieces_free(c, o);
    picker_set_missing(c->picker, piece);
    actions_fact(c->actions, FACT_BLOCKS_LOST, piece, 0);
    outcomes_post_free(c);
}

/* What was in memory did not come to the disk (no room, no right, no disk). It
 * waits there for the stop that follows, which writes what it can, for the
 * next run: often enough it was one call that failed. What is on the disk
 * already stays good. */
static void pieces_unwritten(struct content *c, struct partial_piece *o)
{
    for (uint32_t i = 0; i < o->n_blocks; i++) {
        o->n_mem += o->place[i] == BLOCK_MEM ? 1 : 0;
    }
    c->pieces.n_mem += o->n_mem;
    c->shared->mem_partial += o->n_mem;
    if (c->state == CONTENT_STOPPING && o->n_mem > 0) {
        pieces_write(c, o);
    }
}

/* The answer to a FINISH job. */
void pieces_finished(struct content *c, uint32_t piece, int result,
                     bool unwritten, const uint8_t (*hashes)[SHA1_LEN])
{
    struct partial_piece *o = pieces_find(c, piece);
    if (o == NULL || o->job != PIECE_JOB_FINISH) {
        return;
    }
    o->job = PIECE_JOB_NONE;
    c->pieces.n_jobs--;
    outcomes_post_free(c); /* memory comes free */
    if (result == 0) {
        blame_passed(c, piece, hashes);
        blame_credit(c, piece);
        pieces_free(c, o);
        pieces_verified(c, piece, true);
    } else if (result == BTC_E_HASH) {
        pieces_failed(c, o, hashes);
    } else if (pieces_is_gone(result) || (result == BTC_E_IO && !unwritten)) {
        /* Blocks that were on disk are gone: fetch the piece again. */
        pieces_free(c, o);
        picker_set_missing(c->picker, piece);
        actions_fact(c->actions, FACT_BLOCKS_LOST, piece, 0);
        if (result != BTC_E_SHORT) {
            outcomes_post_failed(c, result, "a piece could not be written");
        }
    } else {
        pieces_unwritten(c, o);
        outcomes_post_failed(c, result, "a piece could not be written");
    }
}

/* Remembers what was written. */
static void pieces_sum(struct partial_piece *o, uint32_t i,
                       const uint8_t (*hashes)[SHA1_LEN])
{
    if (hashes != NULL && o->sums == NULL) {
        o->sums = mem_calloc(o->n_blocks, SHA1_LEN);
    }
    if (hashes != NULL) {
        bytes_put(o->sums[i], hashes[i], SHA1_LEN);
    }
}

/* A block of a WRITE that is back. One that could not be written waits for the
 * stop that follows, see pieces_unwritten; it has no third try. */
static void pieces_written_block(struct content *c, struct partial_piece *o,
                                 uint32_t i, int result,
                                 const uint8_t (*hashes)[SHA1_LEN])
{
    bool good = result == 0 && o->place[i] == BLOCK_WRITING;
    if (result < 0 && o->place[i] == BLOCK_WRITING &&
        c->state != CONTENT_STOPPING) {
        o->place[i] = BLOCK_MEM;
        o->writing[i] = NULL;
        o->n_mem++;
        c->pieces.n_mem++;
        c->shared->mem_partial++;
        return;
    }
    pool_give(c->shared->pool, o->mem[i]);
    o->mem[i] = NULL;
    o->writing[i] = NULL;
    if (good) {
        o->place[i] = BLOCK_DISK;
        pieces_sum(o, i, hashes);
        actions_fact(c->actions, FACT_BLOCK, o->piece, i);
    } else {
        o->place[i] = BLOCK_NONE;
        picker_on_lost(c->picker, (struct picker_block){o->piece, i});
    }
}

/* The answer to a WRITE job: only now are its blocks facts. */
void pieces_written(struct content *c, uint32_t piece, int result,
                    const uint8_t (*hashes)[SHA1_LEN])
{
    struct partial_piece *o = pieces_find(c, piece);
    if (o == NULL || o->job != PIECE_JOB_WRITE) {
        return;
    }
    o->job = PIECE_JOB_NONE;
    c->pieces.n_jobs--;
    outcomes_post_free(c);
    for (uint32_t i = 0; i < o->n_blocks; i++) {
        if (o->place[i] == BLOCK_WRITING || o->place[i] == BLOCK_BANNED) {
            pieces_written_block(c, o, i, result, hashes);
        }
    }
    if (result < 0) {
        outcomes_post_failed(c, result, "blocks could not be written");
    } else if (picker_state(c->picker, piece) == PICKER_FULL) {
        pieces_finish(c, o);
    } else if (c->state == CONTENT_STOPPING && o->n_mem > 0) {
        pieces_write(c, o); /* came while the WRITE was out */
    }
}

void pieces_fini(struct content *c)
{
    struct partial_piece *o, *next_open;
    HASH_ITER (hh, c->pieces.table, o, next_open) {
        pieces_free(c, o);
    }
}
