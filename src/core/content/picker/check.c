/* The picker's invariants, counted anew; see internal.h. For tests and debug
 * runs: a contradiction aborts. */
#include "core/content/picker/internal.h"

#include "base/err.h"
#include "base/mem.h"
#include <stdlib.h>

/* A worker's parts are its askings and its blocks. */
static void picker_check_workers(const struct picker_active *a)
{
    uint64_t parts = 0;
    uint64_t counted = 0;

    for (uint32_t b = 0; b < a->n_blocks; b++) {
        parts += picker_cell_n_askers(&a->cells[b]);
        parts += a->cells[b].origin < PICKER_ORIGIN_PAD;
    }
    for (uint32_t i = 0; i < a->n_workers; i++) {
        uint32_t n = 0;

        for (uint32_t b = 0; b < a->n_blocks; b++) {
            n += a->cells[b].origin == a->workers[i].peer;
            n += picker_cell_is_asked(&a->cells[b], a->workers[i].peer);
        }
        BTC_ASSERT(n > 0 && n == a->workers[i].n);
        counted += n;
    }
    BTC_ASSERT(parts == counted);
}

/* Askers are packed and different, and none of them is the origin. */
static void picker_check_cell(const struct picker_cell *c)
{
    uint32_t n = picker_cell_n_askers(c);

    for (uint32_t i = 0; i < PICKER_MAX_ASKERS; i++) {
        BTC_ASSERT((i < n) == (c->askers[i] != PICKER_ORIGIN_NONE));
        BTC_ASSERT(i >= n || c->askers[i] < PICKER_ORIGIN_PAD);
        BTC_ASSERT(i >= n || c->askers[i] != c->origin);
        for (uint32_t k = 0; k < i && i < n; k++) {
            BTC_ASSERT(c->askers[i] != c->askers[k]);
        }
    }
}

/* Counts of one entry. */
static void picker_check_entry(const struct picker *p,
                               const struct picker_active *a)
{
    uint32_t n_free = 0;
    uint32_t n_asked = 0;
    uint32_t n_pads = 0;
    uint32_t n_by[PICKER_MAX_ASKERS + 1] = {0};
    enum picker_state s = picker_state(p, a->piece);

    for (uint32_t b = 0; b < a->n_blocks; b++) {
        const struct picker_cell *c = &a->cells[b];
        bool received = c->origin != PICKER_ORIGIN_NONE;

        picker_check_cell(c);
        if (!received && picker_cell_n_askers(c) == 0) {
            BTC_ASSERT(b >= a->free_from);
            n_free++;
        }
        n_asked += !received && picker_cell_n_askers(c) > 0;
        n_by[picker_cell_n_askers(c)] += !received;
        n_pads += c->origin == PICKER_ORIGIN_PAD;
    }
    BTC_ASSERT(n_free == a->n_free && n_asked == a->n_asked);
    BTC_ASSERT(n_pads == a->n_pads);
    for (uint32_t k = 1; k <= PICKER_MAX_ASKERS; k++) {
        BTC_ASSERT(n_by[k] == a->n_by[k]);
    }
    BTC_ASSERT(a->n_blocks == n_free + n_asked + a->n_received);
    BTC_ASSERT(s ==
               (a->n_received == a->n_blocks ? PICKER_FULL : PICKER_ACTIVE));
    BTC_ASSERT(s == PICKER_FULL || n_asked > 0 || a->n_received > n_pads);
    bool open =
        s == PICKER_ACTIVE && n_free > 0 && picker_is_wanted(p, a->piece);
    BTC_ASSERT(open == (a->open_pos != PICKER_NO_POS));
    BTC_ASSERT(!open || (a->open_pos < p->active.n_open &&
                         p->active.open[a->open_pos] == a->piece));
    picker_check_workers(a);
}

/* The table and `open`. */
static void picker_check_active(const struct picker *p)
{
    uint64_t n_asked = 0;
    uint32_t n_open = 0;

    for (uint32_t i = 0; i < p->active.n; i++) {
        const struct picker_active *a = &p->active.rows[i];

        BTC_ASSERT(p->pos[a->piece] == i);
        picker_check_entry(p, a);
        n_asked += a->n_asked;
        n_open += a->open_pos != PICKER_NO_POS;
    }
    BTC_ASSERT(n_asked == p->active.n_asked && n_open == p->active.n_open);
}

/* The order holds each pickable piece once, in its bucket. */
static void picker_check_order(const struct picker *p)
{
    uint32_t at = 0;

    BTC_ASSERT(p->order.count); /* there was a pick */
    for (uint32_t b = 0; b < PICKER_BUCKETS; b++) {
        BTC_ASSERT(p->order.end[b] == at + p->order.count[b]);
        for (; at < p->order.end[b]; at++) {
            uint32_t piece = p->order.places[at];
            bool pickable = bits_get(&p->pickable, piece);
            uint32_t bucket = picker_bucket(p, piece);

            BTC_ASSERT(p->pos[piece] == at);
            BTC_ASSERT(pickable && bucket == b);
        }
    }
    BTC_ASSERT(at == p->pickable.count);
}

/* What the loop over the pieces counts. */
struct picker_totals {
    uint32_t count[PICKER_BUCKETS];
    uint32_t n_have, n_todo, n_pickable;
    uint32_t n_wanted_left, n_active, n_pad_missing;
};

/* Counts a piece; its bits agree with its state. */
static void picker_check_piece(const struct picker *p, uint32_t i,
                               struct picker_totals *t)
{
    enum picker_state s = picker_state(p, i);
    bool left = picker_is_wanted(p, i) && s != PICKER_HAVE;
    bool only_pad = bits_get(&p->pads.only, i);
    bool todo = left && !only_pad;
    bool pickable = todo && s == PICKER_MISSING;
    bool in_have = bits_get(&p->have, i);
    bool in_todo = bits_get(&p->todo, i);
    bool in_pickable = bits_get(&p->pickable, i);

    BTC_ASSERT(p->pieces[i].prio <= PICKER_PRIO_MAX);
    BTC_ASSERT((int64_t)p->base + p->pieces[i].avail >= 0);
    BTC_ASSERT(in_have == (s == PICKER_HAVE));
    BTC_ASSERT(in_todo == todo && in_pickable == pickable);
    t->n_have += s == PICKER_HAVE;
    t->n_todo += todo;
    t->n_wanted_left += left;
    t->n_active += s == PICKER_ACTIVE || s == PICKER_FULL;
    t->n_pad_missing += left && only_pad && s == PICKER_MISSING;
    if (pickable) {
        BTC_ASSERT(p->order.cursor[p->pieces[i].prio] <= i);
        t->n_pickable++;
        t->count[picker_bucket(p, i)]++;
    }
}

/* Aborts when something does not add up. */
void picker_check_invariant(const struct picker *p)
{
    struct picker_totals *t = mem_zalloc(sizeof(*t));

    for (uint32_t i = 0; i < p->n; i++) {
        picker_check_piece(p, i, t);
    }
    for (uint32_t b = 0; p->order.count && b < PICKER_BUCKETS; b++) {
        BTC_ASSERT(t->count[b] == p->order.count[b]);
    }
    BTC_ASSERT(t->n_have == p->have.count && t->n_todo == p->todo.count);
    BTC_ASSERT(t->n_pickable == p->pickable.count);
    BTC_ASSERT(t->n_wanted_left == p->n_wanted_left);
    BTC_ASSERT(t->n_active == p->active.n);
    BTC_ASSERT(t->n_pad_missing == p->pads.n_missing);
    BTC_ASSERT(p->base > -PICKER_DEBT_MAX);
    picker_check_active(p);
    if (!p->order.stale) {
        picker_check_order(p);
    }
    free(t);
}
