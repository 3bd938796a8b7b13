/* The picker against a naive model of its header: thousands of random steps,
 * the invariants checked after each, each choice judged by walking over
 * everything.
 */
#include "core/content/picker/internal.h"

#include "base/mem.h"
#include "model/block.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_PIECES 40
#define MAX_BLOCKS 4
#define MAX_PEERS  12
#define MAX_FILES  8
#define MAX_PICK   10
#define STEPS      400
#define SEEDS      300

struct cell {
    uint32_t origin;
    uint32_t askers[PICKER_MAX_ASKERS];
    uint32_t n_askers;
    bool pad;
};

struct piece {
    enum picker_state state;
    uint8_t prio;
    uint32_t n_blocks;
    struct cell cells[MAX_BLOCKS];
};

struct model {
    struct layout g;
    struct layout_file files[MAX_FILES];
    struct rng chance; /* of the test */
    struct rng rng;    /* of the picker */
    struct picker *p;
    struct piece pieces[MAX_PIECES];
    struct bits have[MAX_PEERS];
    bool connected[MAX_PEERS];
    bool sequential;
};

/* What is under test, printed behind it, so also when it fails. */
static uint64_t last_seed;
static int last_step;

static int print_seed(void **state)
{
    (void)state;
    print_message("last seed %" PRIu64 ", step %d\n", last_seed, last_step);
    return 0;
}

static uint32_t below(struct model *m, uint32_t n)
{
    return rng_below(&m->chance, n);
}

static bool one_in(struct model *m, uint32_t n)
{
    return below(m, n) == 0;
}

static void cell_clear(struct cell *c)
{
    c->origin = PICKER_ORIGIN_NONE;
    c->n_askers = 0;
}

static bool cell_is_asked(const struct cell *c, uint32_t peer)
{
    for (uint32_t i = 0; i < c->n_askers; i++) {
        if (c->askers[i] == peer) {
            return true;
        }
    }
    return false;
}

static void cell_unask(struct cell *c, uint32_t peer)
{
    for (uint32_t i = 0; i < c->n_askers; i++) {
        if (c->askers[i] == peer) {
            c->n_askers--;
            memmove(&c->askers[i], &c->askers[i + 1],
                    (c->n_askers - i) * sizeof(c->askers[0]));
            return;
        }
    }
}

static bool cell_is_free(const struct cell *c)
{
    return c->origin == PICKER_ORIGIN_NONE && c->n_askers == 0;
}

static void model_init_geom(struct model *m)
{
    uint32_t n = 1 + below(m, MAX_FILES);
    bool pads = one_in(m, 2);

    m->g.files = m->files;
    m->g.n_files = n;
    m->g.piece_length = (1 + below(m, MAX_BLOCKS)) * BLOCK_LEN;
    if (one_in(m, 4)) {
        m->g.piece_length -= below(m, BLOCK_LEN);
    }
    for (uint32_t i = 0; i < n; i++) {
        m->files[i].offset = m->g.total;
        m->files[i].pad = pads && one_in(m, 3);
        m->files[i].length =
            below(m, m->g.piece_length * (MAX_PIECES / MAX_FILES));
        m->g.total += m->files[i].length;
    }
    m->g.n_pieces =
        (uint32_t)((m->g.total + (m->g.piece_length - 1)) / m->g.piece_length);
}

static void model_init(struct model *m, uint64_t seed)
{
    memset(m, 0, sizeof(*m));
    rng_init(&m->chance, seed);
    rng_init(&m->rng, seed + 1);
    model_init_geom(m);
    m->p = picker_new(&m->g, &m->rng);
    for (uint32_t i = 0; i < m->g.n_pieces; i++) {
        struct piece *pc = &m->pieces[i];

        pc->prio = PICKER_PRIO_NORMAL;
        pc->n_blocks = layout_n_blocks(&m->g, i);
        for (uint32_t b = 0; b < pc->n_blocks; b++) {
            cell_clear(&pc->cells[b]);
            pc->cells[b].pad = layout_block_is_pad(&m->g, i, b);
        }
    }
}

static void model_fini(struct model *m)
{
    picker_free(m->p);
    for (uint32_t i = 0; i < MAX_PEERS; i++) {
        bits_fini(&m->have[i]);
    }
}

static bool model_is_only_pad(const struct piece *pc)
{
    for (uint32_t b = 0; b < pc->n_blocks; b++) {
        if (!pc->cells[b].pad) {
            return false;
        }
    }
    return true;
}

static bool model_is_pickable(const struct piece *pc)
{
    return pc->state == PICKER_MISSING && pc->prio != PICKER_PRIO_OFF &&
           !model_is_only_pad(pc);
}

static uint32_t model_availability(const struct model *m, uint32_t piece)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < MAX_PEERS; i++) {
        n += m->connected[i] && bits_get(&m->have[i], piece);
    }
    return n;
}

static void model_forget(struct piece *pc, enum picker_state s)
{
    pc->state = s;
    for (uint32_t b = 0; b < pc->n_blocks; b++) {
        cell_clear(&pc->cells[b]);
    }
}

static void model_start(struct piece *pc)
{
    pc->state = PICKER_ACTIVE;
    for (uint32_t b = 0; b < pc->n_blocks; b++) {
        if (pc->cells[b].pad) {
            pc->cells[b].origin = PICKER_ORIGIN_PAD;
        }
    }
}

/* The state that the cells of an active piece make. */
static void model_settle(struct piece *pc)
{
    uint32_t received = 0;
    bool busy = false;

    if (pc->state != PICKER_ACTIVE && pc->state != PICKER_FULL) {
        return;
    }
    for (uint32_t b = 0; b < pc->n_blocks; b++) {
        const struct cell *c = &pc->cells[b];

        received += c->origin != PICKER_ORIGIN_NONE;
        busy = busy ||
               (c->origin != PICKER_ORIGIN_NONE ? c->origin != PICKER_ORIGIN_PAD
                                                : c->n_askers > 0);
    }
    if (received == pc->n_blocks) {
        pc->state = PICKER_FULL;
    } else if (busy) {
        pc->state = PICKER_ACTIVE;
    } else {
        model_forget(pc, PICKER_MISSING);
    }
}

static uint32_t model_n_free(const struct piece *pc)
{
    uint32_t n = 0;

    for (uint32_t b = 0; b < pc->n_blocks; b++) {
        n += cell_is_free(&pc->cells[b]);
    }
    return n;
}

static bool model_is_open(const struct piece *pc)
{
    return pc->state == PICKER_ACTIVE && pc->prio != PICKER_PRIO_OFF &&
           model_n_free(pc) > 0;
}

static bool model_is_own(const struct piece *pc, uint32_t peer)
{
    for (uint32_t b = 0; b < pc->n_blocks; b++) {
        if (pc->cells[b].origin == peer || cell_is_asked(&pc->cells[b], peer)) {
            return true;
        }
    }
    return false;
}

/* One call of pick and what has come out of it so far. */
struct pick {
    struct model *m;
    uint32_t peer;
    const struct bits *only;
    unsigned flags;
};

static bool pick_allows(const struct pick *k, uint32_t piece)
{
    return bits_get(&k->m->have[k->peer], piece) &&
           (!k->only || bits_get(k->only, piece));
}

/* Smaller goes first. */
static uint64_t pick_rank_open(const struct pick *k, uint32_t piece)
{
    const struct piece *pc = &k->m->pieces[piece];
    uint64_t own = model_is_own(pc, k->peer) ? 0 : 1;

    return own << 32 | (k->m->sequential ? piece : model_n_free(pc));
}

static uint64_t pick_rank_new(const struct pick *k, uint32_t piece)
{
    const struct piece *pc = &k->m->pieces[piece];
    uint64_t low = (uint64_t)(PICKER_PRIO_MAX - pc->prio);

    return low << 32 |
           (k->m->sequential ? piece : model_availability(k->m, piece));
}

/* The smallest rank among open (or new) pieces; UINT64_MAX without any. */
static uint64_t pick_best(const struct pick *k, bool open)
{
    uint64_t best = UINT64_MAX;

    for (uint32_t i = 0; i < k->m->g.n_pieces; i++) {
        const struct piece *pc = &k->m->pieces[i];

        if (pick_allows(k, i) &&
            (open ? model_is_open(pc) : model_is_pickable(pc))) {
            uint64_t rank = open ? pick_rank_open(k, i) : pick_rank_new(k, i);

            best = rank < best ? rank : best;
        }
    }
    return best;
}

/* Fewest askers of a block that may be asked for once more. */
static uint32_t pick_fewest_askers(const struct pick *k)
{
    uint32_t fewest = PICKER_MAX_ASKERS;

    for (uint32_t i = 0; i < k->m->g.n_pieces; i++) {
        const struct piece *pc = &k->m->pieces[i];

        if (pc->state != PICKER_ACTIVE || pc->prio == PICKER_PRIO_OFF ||
            !pick_allows(k, i)) {
            continue;
        }
        for (uint32_t b = 0; b < pc->n_blocks; b++) {
            const struct cell *c = &pc->cells[b];

            if (c->origin == PICKER_ORIGIN_NONE && c->n_askers > 0 &&
                c->n_askers < fewest && !cell_is_asked(c, k->peer)) {
                fewest = c->n_askers;
            }
        }
    }
    return fewest;
}

/* Nothing that is free could have been given. */
static void pick_check_exhausted(const struct pick *k)
{
    assert_true(pick_best(k, true) == UINT64_MAX);
    if ((k->flags & PICKER_NO_NEW) == 0) {
        assert_true(pick_best(k, false) == UINT64_MAX);
    }
}

/* Judges a block that was given, and follows. */
static void pick_follow(const struct pick *k, struct picker_block b,
                        bool same_piece)
{
    struct piece *pc = &k->m->pieces[b.piece];
    struct cell *c = &pc->cells[b.block];

    assert_true(b.piece < k->m->g.n_pieces && b.block < pc->n_blocks);
    assert_true(pick_allows(k, b.piece));
    assert_int_not_equal(pc->prio, PICKER_PRIO_OFF);
    if (pc->state == PICKER_MISSING) {
        assert_int_equal(k->flags & PICKER_NO_NEW, 0);
        assert_true(model_is_pickable(pc));
        assert_true(pick_best(k, true) == UINT64_MAX);
        assert_true(pick_rank_new(k, b.piece) == pick_best(k, false));
        model_start(pc);
        assert_true(cell_is_free(c));
    } else if (cell_is_free(c)) {
        assert_int_equal(pc->state, PICKER_ACTIVE);
        assert_true(same_piece ||
                    pick_rank_open(k, b.piece) == pick_best(k, true));
    } else {
        assert_int_equal(pc->state, PICKER_ACTIVE);
        assert_int_equal(c->origin, PICKER_ORIGIN_NONE);
        assert_false(cell_is_asked(c, k->peer));
        assert_true((k->flags & PICKER_ENDGAME) != 0);
        assert_int_equal(c->n_askers, pick_fewest_askers(k));
        pick_check_exhausted(k);
    }
    assert_true(c->n_askers < PICKER_MAX_ASKERS);
    c->askers[c->n_askers++] = k->peer;
}

static uint32_t any_peer(struct model *m)
{
    uint32_t peer = below(m, MAX_PEERS);

    for (uint32_t i = 0; i < MAX_PEERS && !m->connected[peer]; i++) {
        peer = (peer + 1) % MAX_PEERS;
    }
    return peer;
}

static void step_pick(struct model *m)
{
    struct pick k = {.m = m, .peer = any_peer(m), .flags = below(m, 4)};
    struct picker_block out[MAX_PICK];
    struct bits only = {0};
    size_t max = below(m, MAX_PICK + 1);

    if (one_in(m, 5)) {
        assert_int_equal(bits_init(&only, m->g.n_pieces), 0);
        for (uint32_t i = 0; i < m->g.n_pieces; i++) {
            if (one_in(m, 3)) {
                (void)bits_set(&only, i);
            }
        }
        k.only = &only;
    }
    if (m->connected[k.peer]) {
        bool more = picker_has_more(m->p, (k.flags & PICKER_ENDGAME) != 0);
        size_t n = picker_pick(m->p, k.peer, &m->have[k.peer], k.only, k.flags,
                               out, max);
        assert_true(n == 0 || more);

        assert_true(n <= max);
        for (size_t i = 0; i < n; i++) {
            pick_follow(&k, out[i], i > 0 && out[i - 1].piece == out[i].piece);
        }
        if (n < max) {
            pick_check_exhausted(&k);
            assert_true((k.flags & PICKER_ENDGAME) == 0 ||
                        pick_fewest_askers(&k) == PICKER_MAX_ASKERS);
        }
    }
    bits_fini(&only);
}

static struct picker_block any_block(struct model *m)
{
    uint32_t piece = below(m, m->g.n_pieces);

    /* Rather one where something goes on. */
    for (uint32_t i = 0; i < m->g.n_pieces; i++) {
        if (m->pieces[piece].state == PICKER_ACTIVE && !one_in(m, 6)) {
            break;
        }
        piece = (piece + 1) % m->g.n_pieces;
    }
    return (struct picker_block){.piece = piece,
                                 .block = below(m, m->pieces[piece].n_blocks)};
}

/* A peer to answer for a block: rather one that was asked. */
static uint32_t any_asker(struct model *m, struct picker_block b)
{
    const struct cell *c = &m->pieces[b.piece].cells[b.block];

    return c->n_askers > 0 && !one_in(m, 4) ? c->askers[below(m, c->n_askers)]
                                            : below(m, MAX_PEERS);
}

static void step_block(struct model *m)
{
    struct picker_block b = any_block(m);
    uint32_t peer = any_asker(m, b);
    struct piece *pc = &m->pieces[b.piece];
    struct cell *c = &pc->cells[b.block];

    if (model_is_pickable(pc)) {
        model_start(pc);
    }
    bool fresh = (pc->state == PICKER_ACTIVE || pc->state == PICKER_FULL) &&
                 c->origin == PICKER_ORIGIN_NONE;
    assert_int_equal(picker_on_block(m->p, peer, b), fresh);
    cell_unask(c, peer);
    if (fresh) {
        c->origin = peer;
    }
    model_settle(pc);
}

static void step_dropped(struct model *m)
{
    struct picker_block b = any_block(m);
    uint32_t peer = any_asker(m, b);

    picker_on_dropped(m->p, peer, b);
    cell_unask(&m->pieces[b.piece].cells[b.block], peer);
    model_settle(&m->pieces[b.piece]);
}

static void step_lost(struct model *m)
{
    struct picker_block b = any_block(m);
    struct cell *c = &m->pieces[b.piece].cells[b.block];

    picker_on_lost(m->p, b);
    if (c->origin != PICKER_ORIGIN_PAD) {
        c->origin = PICKER_ORIGIN_NONE;
    }
    model_settle(&m->pieces[b.piece]);
}

static void step_restore(struct model *m)
{
    struct picker_block b = any_block(m);
    struct piece *pc = &m->pieces[b.piece];
    struct cell *c = &pc->cells[b.block];

    picker_restore_block(m->p, b.piece, b.block);
    if (pc->state == PICKER_MISSING) {
        model_start(pc);
    }
    if (pc->state == PICKER_ACTIVE && c->origin == PICKER_ORIGIN_NONE) {
        c->origin = PICKER_ORIGIN_JOURNAL;
    }
    model_settle(pc);
}

static void step_state(struct model *m)
{
    uint32_t piece = below(m, m->g.n_pieces);
    bool full = m->pieces[piece].state == PICKER_FULL;

    switch (below(m, full ? 2 : 12)) {
    case 0:
        picker_set_have(m->p, piece);
        model_forget(&m->pieces[piece], PICKER_HAVE);
        break;
    case 1:
        picker_set_missing(m->p, piece);
        model_forget(&m->pieces[piece], PICKER_MISSING);
        break;
    case 2:
        picker_set_checking(m->p, piece);
        model_forget(&m->pieces[piece], PICKER_CHECKING);
        break;
    default:
        break;
    }
}

static void step_priority(struct model *m)
{
    uint32_t piece = below(m, m->g.n_pieces);
    uint8_t prio = (uint8_t)below(m, PICKER_PRIO_MAX + 1);

    if (one_in(m, 3)) {
        prio = PICKER_PRIO_NORMAL;
    }
    picker_set_priority(m->p, piece, prio);
    m->pieces[piece].prio = prio;
}

static void step_pad_piece(struct model *m)
{
    uint32_t piece = UINT32_MAX;
    bool any = false;

    for (uint32_t i = 0; i < m->g.n_pieces; i++) {
        const struct piece *pc = &m->pieces[i];

        any = any || (pc->state == PICKER_MISSING &&
                      pc->prio != PICKER_PRIO_OFF && model_is_only_pad(pc));
    }
    assert_int_equal(picker_next_pad_piece(m->p, &piece), any);
    if (any) {
        assert_true(model_is_only_pad(&m->pieces[piece]));
        assert_int_equal(m->pieces[piece].state, PICKER_MISSING);
        model_start(&m->pieces[piece]);
        model_settle(&m->pieces[piece]);
    }
}

static void peer_leave(struct model *m, uint32_t peer)
{
    picker_remove_peer(m->p, &m->have[peer]);
    m->connected[peer] = false;
    bits_fini(&m->have[peer]);
    for (uint32_t i = 0; i < m->g.n_pieces; i++) {
        for (uint32_t b = 0; b < m->pieces[i].n_blocks; b++) {
            picker_on_dropped(m->p, peer, (struct picker_block){i, b});
            cell_unask(&m->pieces[i].cells[b], peer);
        }
        model_settle(&m->pieces[i]);
    }
}

static void peer_join(struct model *m, uint32_t peer)
{
    struct bits *have = &m->have[peer];
    uint32_t kind = below(m, 4);

    assert_int_equal(bits_init(have, m->g.n_pieces), 0);
    for (uint32_t i = 0; i < m->g.n_pieces; i++) {
        if (kind == 0 || (kind == 1 && one_in(m, 2)) ||
            (kind == 2 && !one_in(m, 8))) {
            (void)bits_set(have, i);
        }
    }
    m->connected[peer] = true;
    picker_add_peer(m->p, have);
}

static void step_peer(struct model *m)
{
    uint32_t peer = below(m, MAX_PEERS);

    if (!m->connected[peer]) {
        peer_join(m, peer);
    } else if (one_in(m, 4)) {
        peer_leave(m, peer);
    } else {
        /* Rather quickly to the whole, to exercise peers that become seeds. */
        for (uint32_t k = below(m, 12); k > 0; k--) {
            uint32_t i = bits_next_clear(&m->have[peer], 0);

            if (i < m->g.n_pieces) {
                (void)bits_set(&m->have[peer], i);
                picker_peer_has(m->p, i);
            }
        }
    }
}

static void check_block(const struct model *m, uint32_t i, uint32_t b)
{
    const struct cell *c = &m->pieces[i].cells[b];
    struct picker_block at = {.piece = i, .block = b};
    uint32_t askers[PICKER_MAX_ASKERS];

    assert_int_equal(picker_origin(m->p, at), c->origin);
    assert_int_equal(picker_is_received(m->p, at),
                     c->origin != PICKER_ORIGIN_NONE);
    assert_int_equal(picker_askers(m->p, at, askers), c->n_askers);
    for (uint32_t k = 0; k < c->n_askers; k++) {
        assert_int_equal(askers[k], c->askers[k]);
    }
}

/* Each piece and block as the model has them; gives what is counted. */
static void check_pieces(const struct model *m, bool *any_free, bool *any_asked)
{
    for (uint32_t i = 0; i < m->g.n_pieces; i++) {
        const struct piece *pc = &m->pieces[i];

        assert_int_equal(picker_state(m->p, i), pc->state);
        assert_int_equal(picker_priority(m->p, i), pc->prio);
        assert_int_equal(picker_availability(m->p, i),
                         model_availability(m, i));
        for (uint32_t b = 0; b < pc->n_blocks; b++) {
            const struct cell *c = &pc->cells[b];

            check_block(m, i, b);
            *any_asked = *any_asked ||
                         (c->origin == PICKER_ORIGIN_NONE && c->n_askers > 0);
        }
        *any_free =
            *any_free || ((model_is_open(pc) || model_is_pickable(pc)) &&
                          model_availability(m, i) > 0);
    }
}

static void check_counts(const struct model *m)
{
    uint32_t n_have = 0;
    uint32_t n_left = 0;
    uint32_t n_active = 0;

    for (uint32_t i = 0; i < m->g.n_pieces; i++) {
        const struct piece *pc = &m->pieces[i];

        n_have += pc->state == PICKER_HAVE;
        n_left += pc->state != PICKER_HAVE && pc->prio != PICKER_PRIO_OFF;
        n_active += pc->state == PICKER_ACTIVE || pc->state == PICKER_FULL;
        assert_int_equal(bits_get(picker_have(m->p), i),
                         pc->state == PICKER_HAVE);
    }
    assert_int_equal(picker_n_have(m->p), n_have);
    assert_int_equal(picker_n_wanted_left(m->p), n_left);
    assert_int_equal(m->p->active.n, n_active);
    for (uint32_t i = 0; i < n_active; i++) {
        enum picker_state s = m->pieces[m->p->active.rows[i].piece].state;

        assert_true(s == PICKER_ACTIVE || s == PICKER_FULL);
    }
}

static void check_interest(const struct model *m)
{
    for (uint32_t k = 0; k < MAX_PEERS; k++) {
        bool interesting = false;

        for (uint32_t i = 0; m->connected[k] && i < m->g.n_pieces; i++) {
            const struct piece *pc = &m->pieces[i];

            interesting =
                interesting ||
                (bits_get(&m->have[k], i) && pc->state != PICKER_HAVE &&
                 pc->prio != PICKER_PRIO_OFF && !model_is_only_pad(pc));
        }
        assert_int_equal(picker_is_interesting(m->p, &m->have[k]), interesting);
    }
}

static void check_all(const struct model *m)
{
    bool any_free = false;
    bool any_asked = false;

    picker_check_invariant(m->p);
    check_pieces(m, &any_free, &any_asked);
    check_counts(m);
    check_interest(m);
    assert_int_equal(picker_is_endgame(m->p), any_asked && !any_free);
}

static void run_step(struct model *m)
{
    static void (*const steps[])(struct model *) = {
        step_pick,    step_pick,     step_pick,      step_pick,
        step_block,   step_block,    step_block,     step_block,
        step_dropped, step_dropped,  step_lost,      step_restore,
        step_state,   step_priority, step_pad_piece, step_peer,
    };

    if (one_in(m, 50)) {
        m->sequential = !m->sequential;
        picker_set_sequential(m->p, m->sequential);
        return;
    }
    steps[below(m, sizeof(steps) / sizeof(steps[0]))](m);
}

static void test_like_the_model(void **state)
{
    (void)state;
    for (last_seed = 1; last_seed <= SEEDS; last_seed++) {
        struct model m;

        model_init(&m, last_seed);
        for (last_step = 0; m.g.n_pieces > 0 && last_step < STEPS;
             last_step++) {
            run_step(&m);
            check_all(&m);
        }
        model_fini(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_like_the_model, print_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
