/* Active pieces: the table, their blocks, who was asked and who sent what; see
 * internal.h for the vocabulary.
 *
 * A block is free (no origin, no askers), asked (no origin, askers) or received
 * (an origin; askers that have not answered yet may be left, so that they can
 * be told to cancel). A peer works on a piece as long as it is asker or origin
 * of one of its blocks; the workers are counted, so that the question costs no
 * walk over the blocks.
 */
#include "core/content/picker/internal.h"

#include "base/err.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

/* The entry of a piece that is ACTIVE or FULL, else NULL. */
struct picker_active *picker_active_get(const struct picker *p, uint32_t piece)
{
    BTC_ASSERT(piece < p->n);
    enum picker_state s = (enum picker_state)p->pieces[piece].state;

    if (s != PICKER_ACTIVE && s != PICKER_FULL) {
        return NULL;
    }
    return &p->active.rows[p->pos[piece]];
}

/* The cell of a block of an entry. */
static struct picker_cell *picker_active_cell(const struct picker_active *a,
                                              uint32_t block)
{
    BTC_ASSERT(block < a->n_blocks);
    return &a->cells[block];
}

/* The cell of a block; NULL when its piece is not active. */
static struct picker_cell *picker_cell_of(const struct picker *p,
                                          struct picker_block b)
{
    struct picker_active *a = picker_active_get(p, b.piece);

    return a ? picker_active_cell(a, b.block) : NULL;
}

/* Peers asked and not yet answered. */
uint32_t picker_cell_n_askers(const struct picker_cell *c)
{
    uint32_t n = 0;

    while (n < PICKER_MAX_ASKERS && c->askers[n] != PICKER_ORIGIN_NONE) {
        n++;
    }
    return n;
}

/* True when the peer is one of the askers. */
bool picker_cell_is_asked(const struct picker_cell *c, uint32_t peer)
{
    for (uint32_t i = 0; i < PICKER_MAX_ASKERS; i++) {
        if (c->askers[i] == peer) {
            return true;
        }
    }
    return false;
}

/* Takes the peer off the askers; false when it was not one. */
static bool picker_cell_unask(struct picker_cell *c, uint32_t peer)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < PICKER_MAX_ASKERS; i++) {
        if (c->askers[i] != peer) {
            c->askers[n++] = c->askers[i];
        }
    }
    bool found = n < PICKER_MAX_ASKERS;
    while (n < PICKER_MAX_ASKERS) {
        c->askers[n++] = PICKER_ORIGIN_NONE;
    }
    return found;
}

/* The peer's entry among the workers, or NULL. */
static struct picker_worker *picker_worker_find(const struct picker_active *a,
                                                uint32_t peer)
{
    for (uint32_t i = 0; i < a->n_workers; i++) {
        if (a->workers[i].peer == peer) {
            return &a->workers[i];
        }
    }
    return NULL;
}

/* True when a block of the piece was asked of the peer or came from it. */
bool picker_active_has_worker(const struct picker_active *a, uint32_t peer)
{
    return picker_worker_find(a, peer) != NULL;
}

/* One more part of the peer in the piece. */
static void picker_worker_ref(struct picker_active *a, uint32_t peer)
{
    struct picker_worker *w = picker_worker_find(a, peer);

    if (w) {
        w->n++;
        return;
    }
    if (a->n_workers == a->cap_workers) {
        a->cap_workers = a->cap_workers ? 2 * a->cap_workers : 4;
        a->workers =
            mem_resize(a->workers, a->cap_workers, sizeof(a->workers[0]));
    }
    a->workers[a->n_workers++] = (struct picker_worker){.peer = peer, .n = 1};
}

/* One part of the peer less. */
static void picker_worker_unref(struct picker_active *a, uint32_t peer)
{
    struct picker_worker *w = picker_worker_find(a, peer);

    BTC_ASSERT(w && w->n > 0);
    if (--w->n == 0) {
        *w = a->workers[--a->n_workers];
    }
}

/* Puts the piece in or out of `open`. */
void picker_active_reopen(struct picker *p, struct picker_active *a)
{
    bool open = a->n_free > 0 && picker_is_wanted(p, a->piece) &&
                p->pieces[a->piece].state == PICKER_ACTIVE;

    if (open == (a->open_pos != PICKER_NO_POS)) {
        return;
    }
    if (open) {
        a->open_pos = p->active.n_open;
        p->active.open[p->active.n_open++] = a->piece;
        return;
    }
    uint32_t last = p->active.open[--p->active.n_open];
    struct picker_active *moved = picker_active_get(p, last);
    BTC_ASSERT(moved);
    p->active.open[a->open_pos] = last;
    moved->open_pos = a->open_pos;
    a->open_pos = PICKER_NO_POS;
}

/* Room for one more entry. */
static void picker_active_grow(struct picker *p)
{
    if (p->active.n < p->active.cap) {
        return;
    }
    p->active.cap = p->active.cap ? 2 * p->active.cap : 16;
    p->active.rows =
        mem_resize(p->active.rows, p->active.cap, sizeof(p->active.rows[0]));
    p->active.open =
        mem_resize(p->active.open, p->active.cap, sizeof(p->active.open[0]));
}

/* A MISSING piece becomes ACTIVE, or FULL when it is nothing but pads. */
struct picker_active *picker_active_add(struct picker *p, uint32_t piece)
{
    uint32_t n = layout_n_blocks(p->g, piece);

    BTC_ASSERT(p->pieces[piece].state == PICKER_MISSING);
    picker_set_state(p, piece, PICKER_ACTIVE);
    picker_active_grow(p);
    struct picker_active *a = &p->active.rows[p->active.n];
    *a = (struct picker_active){
        .piece = piece, .n_blocks = n, .n_free = n, .open_pos = PICKER_NO_POS};
    a->cells = mem_array(n, sizeof(a->cells[0]));
    memset(a->cells, 0xff, n * sizeof(a->cells[0])); /* all NONE */
    p->pos[piece] = p->active.n++;
    p->work += n;
    for (uint32_t b = 0; p->pads.only.n > 0 && b < n; b++) {
        if (layout_block_is_pad(p->g, piece, b)) {
            a->cells[b].origin = PICKER_ORIGIN_PAD;
            a->n_free--;
            a->n_received++;
            a->n_pads++;
        }
    }
    if (a->n_received == n) {
        picker_set_state(p, piece, PICKER_FULL);
    }
    picker_active_reopen(p, a);
    return a;
}

/* Forgets the entry of a piece, if it has one; the state is the caller's. */
void picker_active_drop(struct picker *p, uint32_t piece)
{
    struct picker_active *a = picker_active_get(p, piece);

    if (!a) {
        return;
    }
    p->active.n_asked -= a->n_asked;
    a->n_free = 0;
    picker_active_reopen(p, a);
    free(a->cells);
    free(a->workers);
    struct picker_active *last = &p->active.rows[--p->active.n];
    if (a != last) {
        *a = *last;
        p->pos[a->piece] = p->pos[piece];
    }
    p->pos[piece] = PICKER_NO_POS;
}

/* Makes the piece's state and its place in `open` right after a change of its
 * blocks; `a` may be gone then. */
static void picker_active_settle(struct picker *p, struct picker_active *a)
{
    uint32_t piece = a->piece;

    if (a->n_received == a->n_blocks) {
        picker_set_state(p, piece, PICKER_FULL);
    } else if (a->n_asked > 0 || a->n_received > a->n_pads) {
        picker_set_state(p, piece, PICKER_ACTIVE);
    } else {
        picker_active_drop(p, piece);
        picker_set_state(p, piece, PICKER_MISSING);
        return;
    }
    picker_active_reopen(p, a);
}

/* Counts the block in n_by; with -1 before its cell changes, with 1 after. */
static void picker_active_count(struct picker_active *a,
                                const struct picker_cell *c, int delta)
{
    uint32_t n = picker_cell_n_askers(c);

    if (c->origin == PICKER_ORIGIN_NONE && n > 0) {
        a->n_by[n] += (uint32_t)delta;
    }
}

/* Marks a block as asked of the peer, which has not been asked for it yet. */
void picker_active_ask(struct picker *p, struct picker_active *a,
                       uint32_t block, uint32_t peer)
{
    struct picker_cell *c = picker_active_cell(a, block);
    uint32_t n = picker_cell_n_askers(c);

    BTC_ASSERT(c->origin == PICKER_ORIGIN_NONE && n < PICKER_MAX_ASKERS);
    picker_active_count(a, c, -1);
    c->askers[n] = peer;
    picker_active_count(a, c, 1);
    picker_worker_ref(a, peer);
    if (n == 0) {
        a->n_free--;
        a->n_asked++;
        p->active.n_asked++;
        picker_active_reopen(p, a);
    }
}

/* A block without origin gets one. */
static void picker_active_receive(struct picker *p, struct picker_active *a,
                                  uint32_t block, uint32_t origin)
{
    struct picker_cell *c = picker_active_cell(a, block);

    if (picker_cell_n_askers(c) > 0) {
        a->n_asked--;
        p->active.n_asked--;
    } else {
        a->n_free--;
    }
    a->n_received++;
    picker_active_count(a, c, -1);
    c->origin = origin;
    if (origin < PICKER_ORIGIN_PAD) {
        picker_worker_ref(a, origin);
    }
    if (picker_cell_unask(c, origin)) {
        picker_worker_unref(a, origin);
    }
    picker_active_settle(p, a);
}

/* A durable block of an earlier run. */
void picker_restore_block(struct picker *p, uint32_t piece, uint32_t block)
{
    BTC_ASSERT(piece < p->n);
    if (p->pieces[piece].state == PICKER_MISSING) {
        (void)picker_active_add(p, piece);
    }
    struct picker_active *a = picker_active_get(p, piece);
    if (!a) {
        return;
    }
    if (picker_active_cell(a, block)->origin == PICKER_ORIGIN_NONE) {
        picker_active_receive(p, a, block, PICKER_ORIGIN_JOURNAL);
    } else {
        picker_active_settle(p, a); /* opened for a pad block only: back */
    }
}

/* A block arrived; true when its data is to be kept. */
bool picker_on_block(struct picker *p, uint32_t peer, struct picker_block b)
{
    BTC_ASSERT(peer < PICKER_ORIGIN_PAD && b.piece < p->n);
    if (bits_get(&p->pickable, b.piece)) {
        (void)picker_active_add(p, b.piece);
    }
    struct picker_active *a = picker_active_get(p, b.piece);
    if (!a) {
        return false;
    }
    struct picker_cell *c = picker_active_cell(a, b.block);
    if (c->origin == PICKER_ORIGIN_NONE) {
        picker_active_receive(p, a, b.block, peer);
        return true;
    }
    if (picker_cell_unask(c, peer)) {
        picker_worker_unref(a, peer);
    }
    picker_active_settle(p, a); /* opened for a pad block only: back */
    return false;
}

/* A block has neither origin nor asker any more. */
static void picker_active_free(struct picker_active *a, uint32_t block)
{
    a->n_free++;
    if (block < a->free_from) {
        a->free_from = block;
    }
}

/* A request will not be answered. */
void picker_on_dropped(struct picker *p, uint32_t peer, struct picker_block b)
{
    struct picker_active *a = picker_active_get(p, b.piece);

    BTC_ASSERT(peer < PICKER_ORIGIN_PAD);
    if (!a) {
        return;
    }
    struct picker_cell *c = picker_active_cell(a, b.block);
    if (!picker_cell_is_asked(c, peer)) {
        return;
    }
    picker_active_count(a, c, -1);
    (void)picker_cell_unask(c, peer);
    picker_active_count(a, c, 1);
    picker_worker_unref(a, peer);
    if (c->origin == PICKER_ORIGIN_NONE && picker_cell_n_askers(c) == 0) {
        a->n_asked--;
        p->active.n_asked--;
        picker_active_free(a, b.block);
        picker_active_settle(p, a);
    }
}

/* A received block was lost. */
void picker_on_lost(struct picker *p, struct picker_block b)
{
    struct picker_active *a = picker_active_get(p, b.piece);

    if (!a) {
        return;
    }
    struct picker_cell *c = picker_active_cell(a, b.block);
    if (c->origin == PICKER_ORIGIN_NONE || c->origin == PICKER_ORIGIN_PAD) {
        return;
    }
    if (c->origin < PICKER_ORIGIN_PAD) {
        picker_worker_unref(a, c->origin);
    }
    c->origin = PICKER_ORIGIN_NONE;
    picker_active_count(a, c, 1);
    a->n_received--;
    if (picker_cell_n_askers(c) > 0) {
        a->n_asked++;
        p->active.n_asked++;
    } else {
        picker_active_free(a, b.block);
    }
    picker_active_settle(p, a);
}

/* True when the block is here (of a piece that is HAVE: no). */
bool picker_is_received(const struct picker *p, struct picker_block b)
{
    const struct picker_cell *c = picker_cell_of(p, b);

    return c && c->origin != PICKER_ORIGIN_NONE;
}

/* The peers asked for the block. */
size_t picker_askers(const struct picker *p, struct picker_block b,
                     uint32_t out[PICKER_MAX_ASKERS])
{
    const struct picker_cell *c = picker_cell_of(p, b);
    uint32_t n = c ? picker_cell_n_askers(c) : 0;

    for (uint32_t i = 0; i < n; i++) {
        out[i] = c->askers[i];
    }
    return n;
}

/* Who sent the block. */
uint32_t picker_origin(const struct picker *p, struct picker_block b)
{
    const struct picker_cell *c = picker_cell_of(p, b);

    return c ? c->origin : PICKER_ORIGIN_NONE;
}
