/* Blocks on their way to the disk, and the verdict over pieces.
 *
 * A block lives in pool memory until its piece is whole (FINISH: hash in
 * memory, one vectored write) or until the journal's tick or a lack of memory
 * sends it ahead (WRITE: a block of an incomplete piece, durable at the next
 * commit). The facts follow the writes, never the other way round.
 */
#include "base/err.h"
#include "base/mem.h"
#include "core/torrent/internal.h"
#include "model/names.h"
#include <stdlib.h>
#include <string.h>

#define RELIEVE_SHARE 4 /* of the pool may wait for the rest of pieces */

bool torrent_is_gone(int result)
{
    return result == BTC_E_HASH || result == BTC_E_SHORT ||
           result == BTC_E_EXISTS; /* no regular file */
}

/* --- open pieces --- */

static struct open_piece *torrent_open_find(struct torrent *t, uint32_t piece)
{
    struct open_piece *o;
    HASH_FIND(hh, t->open, &piece, sizeof piece, o);
    return o;
}

/* Finds or makes. */
static struct open_piece *torrent_open_get(struct torrent *t, uint32_t piece)
{
    struct open_piece *o = torrent_open_find(t, piece);
    if (o != NULL) {
        return o;
    }
    o = mem_zalloc(sizeof *o);
    o->piece = piece;
    o->n_blocks = layout_n_blocks(t->geom, piece);
    o->mem = mem_calloc(o->n_blocks, sizeof *o->mem);
    o->writing = mem_calloc(o->n_blocks, sizeof *o->writing);
    o->place = mem_zalloc(o->n_blocks);
    HASH_ADD(hh, t->open, piece, sizeof o->piece, o);
    return o;
}

/* So many blocks wait for the rest of their piece no more. */
static void torrent_mem_less(struct torrent *t, uint32_t n)
{
    t->mem_open -= n;
    t->shared->mem_open -= n;
}

/* Gives its memory back and forgets it. No job may be out. */
static void torrent_open_free(struct torrent *t, struct open_piece *o)
{
    BTC_ASSERT(o->job == PIECE_JOB_NONE);
    for (uint32_t i = 0; i < o->n_blocks; i++) {
        pool_give(t->shared->pool, o->mem[i]);
    }
    torrent_mem_less(t, o->n_mem);
    HASH_DELETE(hh, t->open, o);
    free(o->mem);
    free(o->writing);
    free(o->place);
    free(o->sums);
    free(o);
}

/* The last block is here: hash over memory and disk, then write. */
static void torrent_open_finish(struct torrent *t, struct open_piece *o)
{
    o->job = PIECE_JOB_FINISH;
    torrent_mem_less(t, o->n_mem);
    o->n_mem = 0;
    t->n_jobs++;
    struct action *a = torrent_push(t, ACTION_FINISH);
    a->piece = o->piece;
    a->write.blocks = o->mem;
    a->write.n_blocks = o->n_blocks;
    a->write.want_block_hashes = torrent_blame_wants_hashes(t, o->piece);
}

/* Sends the blocks that are in memory ahead. */
static void torrent_open_write(struct torrent *t, struct open_piece *o)
{
    for (uint32_t i = 0; i < o->n_blocks; i++) {
        bool mem = o->place[i] == BLOCK_MEM;
        o->writing[i] = mem ? o->mem[i] : NULL;
        if (mem) {
            o->place[i] = BLOCK_WRITING;
        }
    }
    o->job = PIECE_JOB_WRITE;
    torrent_mem_less(t, o->n_mem);
    o->n_mem = 0;
    t->n_jobs++;
    struct action *a = torrent_push(t, ACTION_WRITE);
    a->piece = o->piece;
    a->write.blocks = o->writing;
    a->write.n_blocks = o->n_blocks;
    a->write.want_block_hashes = true;
}

/* A new block of a piece. */
void torrent_disk_block(struct torrent *t, struct picker_block b, uint8_t *mem)
{
    struct open_piece *o = torrent_open_get(t, b.piece);
    BTC_ASSERT(o->mem[b.block] == NULL);
    o->mem[b.block] = mem;
    o->place[b.block] = BLOCK_MEM;
    o->n_mem++;
    t->mem_open++;
    t->shared->mem_open++;
    if (picker_state(t->picker, b.piece) == PICKER_FULL &&
        o->job == PIECE_JOB_NONE) {
        torrent_open_finish(t, o);
    } else if (t->shared->mem_open > t->shared->pool->max / 2) {
        torrent_disk_relieve(t);
    }
}

void torrent_disk_restore(struct torrent *t, uint32_t piece, uint32_t block)
{
    torrent_open_get(t, piece)->place[block] = BLOCK_DISK;
    if (picker_state(t->picker, piece) != PICKER_CHECKING) {
        picker_restore_block(t->picker, piece, block);
    }
}

void torrent_disk_reclaim(struct torrent *t, uint32_t piece)
{
    struct open_piece *o = torrent_open_find(t, piece);
    for (uint32_t i = 0; o != NULL && i < o->n_blocks; i++) {
        if (o->place[i] == BLOCK_DISK) {
            picker_restore_block(t->picker, piece, i);
        }
    }
    if (o != NULL && picker_state(t->picker, piece) == PICKER_FULL) {
        torrent_disk_forget(t, piece); /* whole, and just found bad */
        picker_set_missing(t->picker, piece);
    }
}

bool torrent_disk_is_busy(struct torrent *t, uint32_t piece)
{
    const struct open_piece *o = torrent_open_find(t, piece);
    return o != NULL && (o->job != PIECE_JOB_NONE || o->n_mem > 0);
}

/* The piece's blocks count no more. */
void torrent_disk_forget(struct torrent *t, uint32_t piece)
{
    struct open_piece *o = torrent_open_find(t, piece);
    if (o != NULL && o->job == PIECE_JOB_NONE) {
        torrent_open_free(t, o);
        torrent_fact(t, FACT_BLOCKS_LOST, piece, 0);
    }
}

/* One block is not here any more; true when the journal claims it. */
static bool torrent_open_drop(struct torrent *t, struct open_piece *o,
                              uint32_t i)
{
    bool claimed = o->place[i] == BLOCK_DISK;
    if (o->place[i] == BLOCK_MEM) {
        pool_give(t->shared->pool, o->mem[i]);
        o->mem[i] = NULL;
        o->n_mem--;
        torrent_mem_less(t, 1);
    }
    o->place[i] = BLOCK_NONE;
    picker_on_lost(t->picker, (struct picker_block){o->piece, i});
    return claimed;
}

/* The journal knows blocks by their piece: all go, and what stays comes back.
 */
static void torrent_open_claim(struct torrent *t, const struct open_piece *o)
{
    torrent_fact(t, FACT_BLOCKS_LOST, o->piece, 0);
    for (uint32_t i = 0; i < o->n_blocks; i++) {
        if (o->place[i] == BLOCK_DISK) {
            torrent_fact(t, FACT_BLOCK, o->piece, i);
        }
    }
}

/* The sender of the block is banned. */
static bool torrent_block_is_bad(struct torrent *t, const struct open_piece *o,
                                 uint32_t i)
{
    const struct peerset_entry *e = peerset_get(
        t->peerset,
        picker_origin(t->picker, (struct picker_block){o->piece, i}));
    return e != NULL && e->banned;
}

void torrent_disk_purge(struct torrent *t)
{
    struct open_piece *o, *tmp;
    t->purge = false;
    HASH_ITER (hh, t->open, o, tmp) {
        bool claimed = false;
        for (uint32_t i = 0; i < o->n_blocks; i++) {
            if (!torrent_block_is_bad(t, o, i)) {
                continue;
            }
            if (o->job != PIECE_JOB_NONE) {
                t->purge = true; /* when it is back */
                break;
            }
            claimed |= torrent_open_drop(t, o, i);
            t->refill = true;
        }
        if (claimed) {
            torrent_open_claim(t, o);
        }
    }
}

/* Pieces whose last block was journaled before their verdict was. */
void torrent_disk_start(struct torrent *t)
{
    struct open_piece *o, *tmp;
    HASH_ITER (hh, t->open, o, tmp) {
        if (picker_state(t->picker, o->piece) == PICKER_FULL &&
            o->job == PIECE_JOB_NONE) {
            torrent_open_finish(t, o);
        }
    }
}

/* Nothing of them is asked of anybody; they are hashed as zeros. */
void torrent_disk_pads(struct torrent *t)
{
    uint32_t piece;
    while (picker_next_pad_piece(t->picker, &piece)) {
        struct open_piece *o = torrent_open_get(t, piece);
        if (o->job == PIECE_JOB_NONE) {
            torrent_open_finish(t, o);
        }
    }
}

/* The piece with most blocks in memory goes ahead, if these blocks are what
 * memory is short of: what jobs and requests have comes back by itself, and to
 * write ahead costs a second look at the piece. */
void torrent_disk_relieve(struct torrent *t)
{
    struct open_piece *o, *tmp, *best = NULL;
    if (t->mem_open == 0 ||
        t->shared->mem_open <= t->shared->pool->max / RELIEVE_SHARE) {
        return;
    }
    HASH_ITER (hh, t->open, o, tmp) {
        if (o->job == PIECE_JOB_NONE && o->n_mem > 0 &&
            (best == NULL || o->n_mem > best->n_mem)) {
            best = o;
        }
    }
    if (best != NULL && t->state != TORRENT_FAILED) {
        torrent_open_write(t, best);
    }
}

void torrent_flush(struct torrent *t)
{
    struct open_piece *o, *tmp;
    if (t->state == TORRENT_FAILED) {
        return;
    }
    HASH_ITER (hh, t->open, o, tmp) {
        if (o->job == PIECE_JOB_NONE && o->n_mem > 0) {
            torrent_open_write(t, o);
        }
    }
}

/* --- answers --- */

/* A block that was written ahead comes back from the disk as it came from its
 * sender. */
static bool torrent_block_is_same(const struct open_piece *o, uint32_t i,
                                  const uint8_t (*hashes)[SHA1_LEN])
{
    return o->sums != NULL && hashes != NULL &&
           memcmp(o->sums[i], hashes[i], SHA1_LEN) == 0;
}

/* Of blocks that our own disk changed nobody is the origin. */
static void torrent_open_disown(struct torrent *t, const struct open_piece *o,
                                const uint8_t (*hashes)[SHA1_LEN])
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < o->n_blocks; i++) {
        struct picker_block b = {o->piece, i};
        if (o->place[i] == BLOCK_DISK &&
            picker_origin(t->picker, b) < PICKER_ORIGIN_PAD &&
            !torrent_block_is_same(o, i, hashes)) {
            picker_on_lost(t->picker, b);
            picker_restore_block(t->picker, o->piece, i);
            n++;
        }
    }
    if (n > 0) {
        torrent_event(t, LEVEL_ERROR, "disk-changed",
                      "%u blocks of piece %u are not what was written there", n,
                      o->piece);
    }
}

/* The piece did not match: nothing of it was written by this job. */
static void torrent_piece_failed(struct torrent *t, struct open_piece *o,
                                 const uint8_t (*hashes)[SHA1_LEN])
{
    uint32_t piece = o->piece;
    t->wasted += layout_piece_size(t->geom, piece);
    torrent_event(t, LEVEL_WARN, "hash-failed",
                  "piece %u does not match its hash and is fetched again",
                  piece);
    torrent_open_disown(t, o, hashes);
    torrent_blame_failed(t, piece, hashes);
    torrent_open_free(t, o);
    picker_set_missing(t->picker, piece);
    torrent_fact(t, FACT_BLOCKS_LOST, piece, 0);
    t->refill = true;
}

/* What was in memory did not come to the disk (no room, no right, no disk);
 * what is there already stays good for the next run. */
static void torrent_open_unwritten(struct torrent *t, struct open_piece *o)
{
    for (uint32_t i = 0; i < o->n_blocks; i++) {
        if (o->place[i] == BLOCK_MEM) {
            pool_give(t->shared->pool, o->mem[i]);
            o->mem[i] = NULL;
            o->place[i] = BLOCK_NONE;
            picker_on_lost(t->picker, (struct picker_block){o->piece, i});
        }
    }
}

/* EVENT_FINISHED. */
void torrent_disk_finished(struct torrent *t, const struct event *ev)
{
    struct open_piece *o = torrent_open_find(t, ev->piece);
    if (o == NULL || o->job != PIECE_JOB_FINISH) {
        return;
    }
    o->job = PIECE_JOB_NONE;
    t->n_jobs--;
    t->refill = true; /* memory comes free */
    if (ev->result == 0) {
        torrent_blame_passed(t, ev->piece, ev->finished.block_hashes);
        torrent_open_free(t, o);
        torrent_got_piece(t, ev->piece, true);
    } else if (ev->result == BTC_E_HASH) {
        torrent_piece_failed(t, o, ev->finished.block_hashes);
    } else if (torrent_is_gone(ev->result) || ev->result == BTC_E_IO) {
        /* Blocks that were on disk are gone: fetch the piece again. */
        torrent_open_free(t, o);
        picker_set_missing(t->picker, ev->piece);
        torrent_fact(t, FACT_BLOCKS_LOST, ev->piece, 0);
        if (ev->result != BTC_E_SHORT) {
            torrent_fail(t, ev->result, "a piece could not be written");
        }
    } else {
        torrent_open_unwritten(t, o);
        torrent_fail(t, ev->result, "a piece could not be written");
    }
}

/* Remembers what was written. */
static void torrent_open_sum(struct open_piece *o, uint32_t i,
                             const uint8_t (*hashes)[SHA1_LEN])
{
    if (hashes != NULL && o->sums == NULL) {
        o->sums = mem_calloc(o->n_blocks, SHA1_LEN);
    }
    if (hashes != NULL) {
        bytes_put(o->sums[i], hashes[i], SHA1_LEN);
    }
}

/* EVENT_WRITTEN: only now are they facts. */
void torrent_disk_written(struct torrent *t, const struct event *ev)
{
    struct open_piece *o = torrent_open_find(t, ev->piece);
    if (o == NULL || o->job != PIECE_JOB_WRITE) {
        return;
    }
    o->job = PIECE_JOB_NONE;
    t->n_jobs--;
    t->refill = true;
    for (uint32_t i = 0; i < o->n_blocks; i++) {
        if (o->place[i] != BLOCK_WRITING) {
            continue;
        }
        pool_give(t->shared->pool, o->mem[i]);
        o->mem[i] = NULL;
        o->writing[i] = NULL;
        if (ev->result == 0) {
            o->place[i] = BLOCK_DISK;
            torrent_open_sum(o, i, ev->finished.block_hashes);
            torrent_fact(t, FACT_BLOCK, ev->piece, i);
        } else {
            o->place[i] = BLOCK_NONE;
            picker_on_lost(t->picker, (struct picker_block){ev->piece, i});
        }
    }
    if (ev->result < 0) {
        torrent_fail(t, ev->result, "blocks could not be written");
    } else if (picker_state(t->picker, ev->piece) == PICKER_FULL) {
        torrent_open_finish(t, o);
    } else if (t->state == TORRENT_STOPPING && o->n_mem > 0) {
        torrent_open_write(t, o); /* came while the WRITE was out */
    }
}

/* The end of the torrent. */
void torrent_disk_free(struct torrent *t)
{
    struct open_piece *o, *next_open;
    HASH_ITER (hh, t->open, o, next_open) {
        torrent_open_free(t, o);
    }
}
