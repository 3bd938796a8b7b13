/* The choice of blocks for a peer; see picker.h for the order of picking and
 * internal.h for the vocabulary.
 *
 * A new piece is found by walking the order from its head, which for a peer
 * that has most of what we lack ends after a few places. A peer that has little
 * of it would make that walk long, so it is bounded, and what is left is found
 * by scanning its map against ours a word at a time, taking the rarest of the
 * candidates seen: no pick costs more than PICKER_WALK_MAX places and one scan.
 */
#include "core/content/picker/internal.h"

#include "base/err.h"

/* One call of picker_pick. */
struct picker_job {
    struct picker *p;
    uint32_t peer;
    const struct bits *have; /* borrows */
    const struct bits *only; /* borrows; NULL: all */
    struct picker_block *out;
    size_t max;
    size_t n;
};

/* The peer may be asked for the piece. */
static bool picker_job_allows(const struct picker_job *j, uint32_t piece)
{
    return bits_get(j->have, piece) && (!j->only || bits_get(j->only, piece));
}

/* Asks the peer for a block. */
static void picker_job_ask(struct picker_job *j, struct picker_active *a,
                           uint32_t block)
{
    picker_active_ask(j->p, a, block, j->peer);
    j->out[j->n++] = (struct picker_block){.piece = a->piece, .block = block};
    j->p->work++;
}

/* Asks for free blocks of an active piece until there are enough. */
static void picker_job_take(struct picker_job *j, struct picker_active *a)
{
    while (a->n_free > 0 && j->n < j->max) {
        const struct picker_cell *c = &a->cells[a->free_from];

        if (c->origin == PICKER_ORIGIN_NONE &&
            c->askers[0] == PICKER_ORIGIN_NONE) {
            picker_job_ask(j, a, a->free_from);
        }
        a->free_from++;
    }
}

/* Makes a piece active and asks for its blocks. */
static void picker_job_start(struct picker_job *j, uint32_t piece)
{
    picker_job_take(j, picker_active_add(j->p, piece));
}

/* Which of two open pieces goes first: one the peer works on, the lower one
 * (sequential), the fuller one. */
static bool picker_open_is_better(const struct picker_job *j,
                                  const struct picker_active *a,
                                  const struct picker_active *b)
{
    bool own_a = picker_active_has_worker(a, j->peer);
    bool own_b = picker_active_has_worker(b, j->peer);

    if (own_a != own_b) {
        return own_a;
    }
    if (j->p->sequential) {
        return a->piece < b->piece;
    }
    return a->n_free < b->n_free;
}

/* Free blocks of active pieces. Each round empties a piece or ends the job. */
static void picker_pick_open(struct picker_job *j)
{
    struct picker *p = j->p;

    while (j->n < j->max) {
        struct picker_active *best = NULL;

        for (uint32_t i = 0; i < p->active.n_open; i++) {
            struct picker_active *a = picker_active_get(p, p->active.open[i]);

            p->work++;
            if (picker_job_allows(j, a->piece) &&
                (!best || picker_open_is_better(j, a, best))) {
                best = a;
            }
        }
        if (!best) {
            return;
        }
        picker_job_take(j, best);
    }
}

/* Walks a bucket of the order; false when the budget is used up. */
static bool picker_walk_bucket(struct picker_job *j, uint32_t bucket,
                               uint32_t *budget)
{
    struct picker *p = j->p;
    uint32_t i = picker_bucket_start(p, bucket);

    /* A piece that is taken leaves its place to another one of the bucket. */
    while (i < p->order.end[bucket] && j->n < j->max && !p->order.stale) {
        uint32_t piece = p->order.places[i];

        if (*budget == 0) {
            return false;
        }
        (*budget)--;
        p->work++;
        if (picker_job_allows(j, piece)) {
            picker_job_start(j, piece);
        } else {
            i++;
        }
    }
    return true;
}

/* New pieces, by the order; false when the budget is used up before its end. */
static bool picker_pick_walk(struct picker_job *j)
{
    struct picker *p = j->p;
    uint32_t budget = PICKER_WALK_MAX;
    bool full = bits_is_full(j->have);

    do {
        picker_order_refresh(p);
        for (uint32_t b = 0; b < PICKER_BUCKETS && !p->order.stale; b++) {
            if (j->n == j->max) {
                return true;
            }
            /* An incomplete peer has no piece of avail 0. */
            if (p->order.count[b] == 0 || (!full && b % PICKER_LEVELS == 0)) {
                continue;
            }
            if (!picker_walk_bucket(j, b, &budget)) {
                return false;
            }
        }
    } while (p->order.stale && j->n < j->max);
    return true;
}

/* Up to PICKER_SCAN_MAX pickable pieces that the peer has, from a random place
 * on; the number found. */
static uint32_t picker_scan_collect(struct picker_job *j,
                                    uint32_t found[PICKER_SCAN_MAX])
{
    struct picker *p = j->p;
    uint32_t start = rng_below(p->rng, p->n);
    uint32_t n = 0;

    for (uint32_t i = start; n < PICKER_SCAN_MAX; i++) {
        i = picker_scan(&p->pickable, j->have, j->only, i, &p->work);
        if (i >= p->n) {
            break;
        }
        found[n++] = i;
    }
    for (uint32_t i = 0; n < PICKER_SCAN_MAX; i++) {
        i = picker_scan(&p->pickable, j->have, j->only, i, &p->work);
        if (i >= start) {
            break;
        }
        found[n++] = i;
    }
    return n;
}

/* The best of the candidates is taken out of them. */
static uint32_t picker_scan_best(const struct picker *p, uint32_t *found,
                                 uint32_t n)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < n; i++) {
        if (picker_bucket(p, found[i]) < picker_bucket(p, found[best])) {
            best = i;
        }
    }
    uint32_t piece = found[best];
    found[best] = found[n - 1];
    return piece;
}

/* New pieces, by the maps. */
static void picker_pick_scan(struct picker_job *j)
{
    uint32_t found[PICKER_SCAN_MAX];
    uint32_t n = 0;
    bool all = false; /* the candidates were all that there are */

    while (j->n < j->max) {
        if (n == 0) {
            if (all) {
                return;
            }
            n = picker_scan_collect(j, found);
            all = n < PICKER_SCAN_MAX;
            if (n == 0) {
                return;
            }
        }
        uint32_t piece = picker_scan_best(j->p, found, n--);
        j->p->work += n;
        picker_job_start(j, piece);
    }
}

/* Moves the priority's cursor to its lowest pickable piece. */
static void picker_sequential_advance(struct picker *p, uint32_t prio,
                                      uint32_t *budget)
{
    uint32_t i = p->order.cursor[prio];

    for (; *budget > 0; i++, (*budget)--) {
        i = picker_scan(&p->pickable, &p->pickable, NULL, i, &p->work);
        if (i >= p->n || p->pieces[i].prio == prio) {
            break;
        }
    }
    p->order.cursor[prio] = i;
}

/* New pieces of one priority, lowest index first. */
static void picker_sequential_level(struct picker_job *j, uint32_t prio,
                                    uint32_t *budget)
{
    struct picker *p = j->p;

    picker_sequential_advance(p, prio, budget);
    for (uint32_t i = p->order.cursor[prio]; *budget > 0 && j->n < j->max;
         i++) {
        i = picker_scan(&p->pickable, j->have, j->only, i, &p->work);
        if (i >= p->n) {
            return;
        }
        (*budget)--;
        if (p->pieces[i].prio == prio) {
            picker_job_start(j, i);
        }
    }
}

/* New pieces, lowest index first within a priority; false when the budget is
 * used up before the end. */
static bool picker_pick_sequential(struct picker_job *j)
{
    struct picker *p = j->p;
    uint32_t budget = PICKER_WALK_MAX;

    for (uint32_t b = 0; b < PICKER_BUCKETS && budget > 0; b++) {
        if (p->order.count[b] > 0) {
            uint32_t level = b / PICKER_LEVELS;

            picker_sequential_level(j, PICKER_PRIO_MAX - level, &budget);
            b = (level + 1) * PICKER_LEVELS - 1; /* its last bucket */
        }
    }
    return budget > 0;
}

/* New pieces, the way that is cheap for this peer. */
static void picker_pick_new(struct picker_job *j)
{
    struct picker *p = j->p;
    uint64_t hits = (uint64_t)j->have->count * PICKER_WALK_MAX;

    if (p->pickable.count == 0 || j->n == j->max) {
        return;
    }
    if (p->sequential && picker_pick_sequential(j)) {
        return;
    }
    /* So few pieces that a walk would hardly meet one. */
    bool sparse = j->only || hits < p->pickable.count;
    if (sparse || !picker_pick_walk(j)) {
        picker_pick_scan(j);
    }
}

/* Blocks of one piece that others were asked for, by `n_askers` of them. */
static void picker_endgame_take(struct picker_job *j, struct picker_active *a,
                                uint32_t n_askers)
{
    for (uint32_t b = 0; b < a->n_blocks && j->n < j->max; b++) {
        const struct picker_cell *c = &a->cells[b];

        if (c->origin == PICKER_ORIGIN_NONE &&
            picker_cell_n_askers(c) == n_askers &&
            !picker_cell_is_asked(c, j->peer)) {
            picker_job_ask(j, a, b);
        }
    }
    j->p->work += a->n_blocks;
}

/* Duplicates, fewest askers first, from a random piece on, so that peers do not
 * all go for the same blocks. */
static void picker_pick_endgame(struct picker_job *j)
{
    struct picker *p = j->p;

    if (j->n == j->max || p->active.n_asked == 0) {
        return;
    }
    uint32_t start = rng_below(p->rng, p->active.n);
    for (uint32_t k = 1; k < PICKER_MAX_ASKERS; k++) {
        for (uint32_t i = 0; i < p->active.n && j->n < j->max; i++) {
            struct picker_active *a =
                &p->active.rows[(start + i) % p->active.n];

            p->work++;
            if (a->n_by[k] > 0 && picker_is_wanted(p, a->piece) &&
                picker_job_allows(j, a->piece)) {
                picker_endgame_take(j, a, k);
            }
        }
    }
}

/* Chooses blocks for the peer. */
/* NOLINTNEXTLINE(readability-function-size): seven are what it takes */
size_t picker_pick(struct picker *p, uint32_t peer, const struct bits *have,
                   const struct bits *only, unsigned flags,
                   struct picker_block *out, size_t max)
{
    struct picker_job j = {.p = p,
                           .peer = peer,
                           .have = have,
                           .only = only,
                           .out = out,
                           .max = max};

    BTC_ASSERT(peer < PICKER_ORIGIN_PAD);
    if (have->n != p->n || have->count == 0 || (only && only->n != p->n)) {
        return 0;
    }
    picker_order_begin(p);
    picker_pick_open(&j);
    if ((flags & PICKER_NO_NEW) == 0) {
        picker_pick_new(&j);
    }
    if ((flags & PICKER_ENDGAME) != 0) {
        picker_pick_endgame(&j);
    }
    return j.n;
}
