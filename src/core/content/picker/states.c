/* The state and the priority of each piece.
 *
 * Every change of one of them takes the piece out of the counts and maps that
 * it stands in (unfile) and puts it into those it belongs to then (file), so
 * that nothing can be forgotten at one of the many transitions.
 */
#include "core/content/picker/internal.h"

#include "base/err.h"

/* The piece is wanted, whatever its state. */
bool picker_is_wanted(const struct picker *p, uint32_t piece)
{
    return p->pieces[piece].prio != PICKER_PRIO_OFF;
}

/* Takes the piece out of all counts and maps. */
static void picker_unfile(struct picker *p, uint32_t piece)
{
    bool wanted = picker_is_wanted(p, piece);
    enum picker_state s = picker_state(p, piece);

    if (bits_get(&p->pickable, piece)) {
        (void)bits_clear(&p->pickable, piece);
        picker_order_remove(p, piece);
    }
    (void)bits_clear(&p->todo, piece);
    (void)bits_clear(&p->have, piece);
    p->n_wanted_left -= wanted && s != PICKER_HAVE;
    p->pads.n_missing -=
        wanted && s == PICKER_MISSING && bits_get(&p->pads.only, piece);
}

/* Puts the piece into the counts and maps that it belongs to now. */
static void picker_file(struct picker *p, uint32_t piece)
{
    bool wanted = picker_is_wanted(p, piece);
    bool only_pad = bits_get(&p->pads.only, piece);
    enum picker_state s = picker_state(p, piece);

    if (s == PICKER_HAVE) {
        (void)bits_set(&p->have, piece);
        return;
    }
    if (!wanted) {
        return;
    }
    p->n_wanted_left++;
    if (only_pad) {
        p->pads.n_missing += s == PICKER_MISSING;
        return;
    }
    (void)bits_set(&p->todo, piece);
    if (s == PICKER_MISSING) {
        (void)bits_set(&p->pickable, piece);
        picker_order_add(p, piece);
    }
}

/* A piece goes from one state to another; its entry in the table of active
 * pieces is the caller's. */
void picker_set_state(struct picker *p, uint32_t piece, enum picker_state state)
{
    if (picker_state(p, piece) == state) {
        return;
    }
    picker_unfile(p, piece);
    p->pieces[piece].state = (uint8_t)state;
    picker_file(p, piece);
}

/* The piece's state. */
enum picker_state picker_state(const struct picker *p, uint32_t piece)
{
    BTC_ASSERT(piece < p->n);
    return (enum picker_state)p->pieces[piece].state;
}

/* A change within the order is cheaper than taking the piece out and in. */
void picker_change_priority(struct picker *p, uint32_t piece, uint8_t prio)
{
    struct picker_piece *pc = &p->pieces[piece];

    if (bits_get(&p->pickable, piece) && prio != PICKER_PRIO_OFF) {
        uint32_t from = picker_bucket(p, piece);

        pc->prio = prio;
        picker_order_move(p, piece, from);
        return;
    }
    picker_unfile(p, piece);
    pc->prio = prio;
    picker_file(p, piece);
}
