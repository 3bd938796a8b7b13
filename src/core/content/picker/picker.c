/* A picker from its birth to its end: what the journal, a check or a verdict
 * says of whole pieces, and what is counted of them.
 */
#include "core/content/picker/internal.h"

#include "base/err.h"
#include "base/mem.h"
#include <stdlib.h>

/* Marks the pieces that lie in the zeros [from, to) of the stream. */
static void picker_mark_pads(struct picker *p, uint64_t from, uint64_t to)
{
    uint32_t len = p->g->piece_length;
    uint64_t first = from / len + (from % len != 0);
    uint64_t end = to == p->g->total ? p->n : to / len;

    for (uint64_t i = first; i < end; i++) {
        (void)bits_set(&p->pads.only, (uint32_t)i);
    }
}

/* Finds the pieces that are nothing but pads. */
static void picker_find_pads(struct picker *p)
{
    const struct layout *g = p->g;
    uint64_t from = 0; /* zeros reach from here to the file */
    uint64_t zeros = 0;

    for (uint32_t i = 0; i < g->n_files; i++) {
        zeros += g->files[i].pad ? g->files[i].length : 0;
    }
    if (zeros == 0) {
        return;
    }
    int rc = bits_init(&p->pads.only, p->n);
    BTC_ASSERT(rc == 0);
    for (uint32_t i = 0; i < g->n_files; i++) {
        const struct layout_file *f = &g->files[i];

        if (!f->pad && f->length > 0) {
            picker_mark_pads(p, from, f->offset);
            from = f->offset + f->length;
        }
    }
    picker_mark_pads(p, from, g->total);
}

/* A picker for the torrent; nothing is here, everything is wanted. */
struct picker *picker_new(const struct layout *g, struct rng *rng)
{
    struct picker *p = mem_zalloc(sizeof(*p));
    int rc = 0;

    p->g = g;
    p->rng = rng;
    p->n = g->n_pieces;
    rc |= bits_init(&p->have, p->n);
    rc |= bits_init(&p->todo, p->n);
    rc |= bits_init(&p->pickable, p->n);
    BTC_ASSERT(rc == 0); /* nobody makes a geom of more pieces */
    p->pieces = mem_calloc(p->n, sizeof(p->pieces[0]));
    p->pos = mem_array(p->n, sizeof(p->pos[0]));
    picker_find_pads(p);
    bits_fill(&p->todo);
    for (uint32_t i = 0; i < p->n; i++) {
        p->pieces[i].prio = PICKER_PRIO_NORMAL;
        p->pos[i] = PICKER_NO_POS;
    }
    BITS_EACH (i, &p->pads.only) {
        (void)bits_clear(&p->todo, i);
    }
    bits_copy(&p->pickable, &p->todo);
    p->pads.n_missing = p->pads.only.count;
    p->n_wanted_left = p->n;
    p->order.stale = true;
    return p;
}

/* Frees all. */
void picker_free(struct picker *p)
{
    if (!p) {
        return;
    }
    for (uint32_t i = 0; i < p->active.n; i++) {
        free(p->active.rows[i].cells);
        free(p->active.rows[i].workers);
    }
    free(p->active.rows);
    free(p->active.open);
    free(p->pieces);
    free(p->pos);
    free(p->order.places);
    free(p->order.end);
    free(p->order.count);
    bits_fini(&p->have);
    bits_fini(&p->todo);
    bits_fini(&p->pickable);
    bits_fini(&p->pads.only);
    free(p);
}

/* Verified pieces. */
uint32_t picker_n_have(const struct picker *p)
{
    return p->have.count;
}

/* Pieces that are wanted and not verified. */
uint32_t picker_n_wanted_left(const struct picker *p)
{
    return p->n_wanted_left;
}

/* The map of verified pieces; borrowed. */
const struct bits *picker_have(const struct picker *p)
{
    return &p->have;
}

/* A free block of a wanted piece that somebody has. The first open piece that
 * somebody has ends the loop; when nothing is left there is none. */
static bool picker_has_free(const struct picker *p)
{
    if (picker_n_reachable(p) > 0) {
        return true;
    }
    for (uint32_t i = 0; i < p->active.n_open; i++) {
        if (picker_availability(p, p->active.open[i]) > 0) {
            return true;
        }
    }
    return false;
}

/* Nothing is left to ask for but what was asked for already. */
bool picker_is_endgame(const struct picker *p)
{
    return p->active.n_asked > 0 && !picker_has_free(p);
}

bool picker_has_more(const struct picker *p, bool duplicates)
{
    /* Availability is not counted before the first pick. */
    if (!p->order.count || picker_has_free(p)) {
        return true;
    }
    for (uint32_t i = 0; duplicates && i < p->active.n; i++) {
        const struct picker_active *a = &p->active.rows[i];

        if (a->n_asked > a->n_by[PICKER_MAX_ASKERS]) {
            return true;
        }
    }
    return false;
}

/* A piece was verified. */
void picker_set_have(struct picker *p, uint32_t piece)
{
    picker_active_drop(p, piece);
    picker_set_state(p, piece, PICKER_HAVE);
}

/* A piece is not here. */
void picker_set_missing(struct picker *p, uint32_t piece)
{
    picker_active_drop(p, piece);
    picker_set_state(p, piece, PICKER_MISSING);
}

/* A piece is being hashed. */
void picker_set_checking(struct picker *p, uint32_t piece)
{
    picker_active_drop(p, piece);
    picker_set_state(p, piece, PICKER_CHECKING);
}

/* The next piece of nothing but pads becomes FULL. */
bool picker_next_pad_piece(struct picker *p, uint32_t *piece)
{
    if (p->pads.n_missing == 0) {
        return false;
    }
    for (;;) {
        uint32_t i = bits_next_set(&p->pads.only, p->pads.from);

        p->work++;
        if (i >= p->n) {
            p->pads.from = 0;
            continue;
        }
        p->pads.from = i + 1;
        if (picker_state(p, i) == PICKER_MISSING && picker_is_wanted(p, i)) {
            (void)picker_active_add(p, i);
            *piece = i;
            return true;
        }
    }
}

/* Sets how much a piece is wanted. */
void picker_set_priority(struct picker *p, uint32_t piece, uint8_t prio)
{
    BTC_ASSERT(piece < p->n && prio <= PICKER_PRIO_MAX);
    if (p->pieces[piece].prio == prio) {
        return;
    }
    picker_change_priority(p, piece, prio);
    struct picker_active *a = picker_active_get(p, piece);
    if (a) {
        picker_active_reopen(p, a);
    }
}

/* How much a piece is wanted. */
uint8_t picker_priority(const struct picker *p, uint32_t piece)
{
    BTC_ASSERT(piece < p->n);
    return p->pieces[piece].prio;
}

/* Lowest index first, or rarest first. */
void picker_set_sequential(struct picker *p, bool on)
{
    p->sequential = on;
}

/* The piece is wanted, not here, and not only pads. */
bool picker_is_todo(const struct picker *p, uint32_t piece)
{
    return bits_get(&p->todo, piece);
}

bool picker_has_todo(const struct picker *p)
{
    return p->todo.count > 0;
}

/* The peer has a piece that we want. */
bool picker_is_interesting(const struct picker *p, const struct bits *have)
{
    if (have->n != p->n || have->count == 0 || p->todo.count == 0) {
        return false;
    }
    return picker_scan(&p->todo, have, NULL, 0, NULL) < p->n;
}
