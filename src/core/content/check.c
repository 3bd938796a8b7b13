/* Hashing existing data beside everything else, in disk order, a bounded number
 * of pieces at once. A piece under verification is neither picked nor offered.
 */
#include "base/err.h"
#include "base/num.h"
#include "base/vec.h"
#include "core/content/internal.h"
#include <stdlib.h>

#define CHECK_MAX_UNREAD 3 /* read errors in a row: not a bad spot any more */

void check_init(struct content *c)
{
    int err = bits_init(&c->check.todo, c->layout->n_pieces);
    BTC_ASSERT(err == 0); /* metainfo limits the pieces */
    err = bits_init(&c->check.claimed, c->layout->n_pieces);
    BTC_ASSERT(err == 0);
}

void check_fini(struct content *c)
{
    bits_fini(&c->check.todo);
    bits_fini(&c->check.claimed);
    free(c->check.hashing);
}

/* A piece waits for its turn. */
static void check_queue(struct content *c, uint32_t piece, bool claimed)
{
    bits_set(&c->check.todo, piece);
    if (claimed) {
        bits_set(&c->check.claimed, piece);
    }
    c->check.low = num_min_u32(c->check.low, piece);
}

void check_add(struct content *c, uint32_t piece, bool claimed)
{
    if (picker_state(c->picker, piece) == PICKER_CHECKING ||
        pieces_is_busy(c, piece)) {
        return;
    }
    if (picker_state(c->picker, piece) == PICKER_HAVE) {
        files_count(c, piece, false, false);
    }
    picker_set_checking(c->picker, piece);
    check_queue(c, piece, claimed);
    c->check.next = num_min_u32(c->check.next, piece);
    outcomes_post_free(c); /* an input is wanted */
}

/* Queued and under way. */
uint32_t check_left(const struct content *c)
{
    return c->check.todo.count + c->check.n_hashing;
}

/* The lowest piece without its verdict. */
uint32_t check_floor(const struct content *c)
{
    uint32_t floor = c->check.todo.n;
    if (c->check.todo.count > 0) {
        floor = bits_next_set(&c->check.todo, c->check.low);
    }
    for (uint32_t i = 0; i < c->check.n_hashing; i++) {
        floor = num_min_u32(floor, c->check.hashing[i]);
    }
    return floor;
}

/* A HASH job goes out or has come back. */
static void check_begin(struct content *c, uint32_t piece)
{
    c->check.hashing = vec_room(c->check.hashing, c->check.n_hashing,
                                &c->check.cap, sizeof *c->check.hashing);
    c->check.hashing[c->check.n_hashing++] = piece;
    c->shared->hash_busy++;
}

static void check_end(struct content *c, uint32_t piece)
{
    for (uint32_t i = 0; i < c->check.n_hashing; i++) {
        if (c->check.hashing[i] == piece) {
            c->check.hashing[i] = c->check.hashing[--c->check.n_hashing];
            break;
        }
    }
    c->shared->hash_busy--;
}

/* The next piece of the queue, which is not empty, in the order of the disk;
 * one that could not be read has its turn when the others had theirs. */
static uint32_t check_take(struct content *c)
{
    struct content_check *k = &c->check;
    uint32_t from = k->next;
    uint32_t piece = bits_next_set(&k->todo, from);
    if (piece == k->todo.n) {
        from = k->low;
        piece = bits_next_set(&k->todo, from);
    }
    if (from <= k->low) {
        k->low = piece + 1;
    }
    k->next = piece + 1;
    bits_clear(&k->todo, piece);
    return piece;
}

/* Starts as many as the run's workers want. */
void check_pump(struct content *c)
{
    while (c->check.todo.count > 0 && c->state == CONTENT_OPEN &&
           c->shared->hash_busy < c->shared->hash_jobs) {
        uint32_t piece = check_take(c);
        check_begin(c, piece);
        struct action *a = actions_push(c->actions, ACTION_HASH);
        a->piece = piece;
        a->claimed = bits_get(&c->check.claimed, piece);
    }
}

/* The storage is away or not to be read now, or fails at one piece after the
 * other: what is claimed there is not lost. A single bad spot is: its piece is
 * fetched again. */
static bool check_is_blind(struct content *c, int result)
{
    if (result == 0 || pieces_is_gone(result)) {
        c->check.n_unread = 0;
        return false;
    }
    return result != BTC_E_IO || ++c->check.n_unread >= CHECK_MAX_UNREAD;
}

/* What is on disk is not the piece, or cannot be read. */
static void check_lost(struct content *c, uint32_t piece, bool claimed,
                       int result)
{
    picker_set_missing(c->picker, piece);
    if (result == BTC_E_IO) {
        actions_event(c->actions, LEVEL_WARN, "read-error",
                      "piece %u cannot be read from the disk: it counts as "
                      "missing",
                      piece);
    } else if (claimed) {
        actions_event(
            c->actions, LEVEL_WARN, "piece-lost",
            "piece %u on disk is not what it was: it counts as missing", piece);
    }
    if (claimed) {
        actions_fact(c->actions, FACT_PIECE_LOST, piece, 0);
    }
    pieces_reclaim(c, piece);
    outcomes_post(c, CONTENT_PIECE_LOST)->piece = piece;
    outcomes_post_free(c);
}

/* The answer to a HASH job. */
void check_hashed(struct content *c, uint32_t piece, int result)
{
    check_end(c, piece);
    if (picker_state(c->picker, piece) != PICKER_CHECKING) {
        return;
    }
    bool claimed = bits_clear(&c->check.claimed, piece);
    /* What could not be read says nothing about the piece: it stays owed. */
    if (result == BTC_E_CANCELLED) {
        check_queue(c, piece, claimed);
    } else if (check_is_blind(c, result)) {
        check_queue(c, piece, claimed);
        outcomes_post_failed(c, result, "existing data could not be read");
    } else if (result == 0) {
        picker_set_missing(c->picker, piece);
        pieces_forget(c, piece);
        pieces_verified(c, piece, false);
    } else {
        check_lost(c, piece, claimed, result);
    }
}
