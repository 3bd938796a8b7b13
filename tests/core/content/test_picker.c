/* The picker, rule by rule. A swarm is rows of text, one per peer, a column per
 * piece: '*' the peer has it, ' ' it lacks it.
 */
#include "core/content/picker/internal.h"

#include "base/rng.h"
#include "model/block.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_ROWS   70
#define MAX_PIECES 64

struct swarm {
    struct layout g;
    struct layout_file files[4];
    struct rng rng;
    struct picker *p;
    uint32_t n_peers;
    struct bits have[MAX_ROWS];
};

static void swarm_join(struct swarm *s, const char *row)
{
    struct bits *have = &s->have[s->n_peers++];

    assert_int_equal(strlen(row), s->g.n_pieces);
    assert_int_equal(bits_init(have, s->g.n_pieces), 0);
    for (uint32_t i = 0; row[i]; i++) {
        if (row[i] == '*') {
            (void)bits_set(have, i);
        }
    }
    picker_add_peer(s->p, have);
}

/* A torrent of `blocks` blocks per piece and its peers; ends with NULL. */
static void swarm_init(struct swarm *s, uint64_t seed, uint32_t blocks,
                       const char *const *rows)
{
    memset(s, 0, sizeof(*s));
    s->g.n_pieces = (uint32_t)strlen(rows[0]);
    s->g.piece_length = blocks * BLOCK_LEN;
    s->g.total = (uint64_t)s->g.n_pieces * s->g.piece_length;
    s->g.n_files = 1;
    s->g.files = s->files;
    s->files[0].length = s->g.total;
    rng_init(&s->rng, seed);
    s->p = picker_new(&s->g, &s->rng);
    for (; *rows; rows++) {
        swarm_join(s, *rows);
    }
}

/* Blocks of a piece that are here before it is whole. */
static uint32_t blocks_received(const struct swarm *s, uint32_t piece)
{
    uint32_t n = 0;

    for (uint32_t b = 0; b < layout_n_blocks(&s->g, piece); b++) {
        n += picker_is_received(s->p, (struct picker_block){piece, b});
    }
    return n;
}

static void swarm_fini(struct swarm *s)
{
    picker_check_invariant(s->p);
    picker_free(s->p);
    for (uint32_t i = 0; i < s->n_peers; i++) {
        bits_fini(&s->have[i]);
    }
}

/* One block for a peer; piece UINT32_MAX when there is none. */
static struct picker_block pick_flags(struct swarm *s, uint32_t peer,
                                      unsigned flags)
{
    struct picker_block b = {.piece = UINT32_MAX, .block = UINT32_MAX};

    (void)picker_pick(s->p, peer, &s->have[peer], NULL, flags, &b, 1);
    picker_check_invariant(s->p);
    return b;
}

static struct picker_block pick(struct swarm *s, uint32_t peer)
{
    return pick_flags(s, peer, 0);
}

static uint32_t pick_piece(struct swarm *s, uint32_t peer)
{
    return pick(s, peer).piece;
}

static struct picker_block at(uint32_t piece, uint32_t block)
{
    return (struct picker_block){.piece = piece, .block = block};
}

#define ROWS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_rarest_first(void **state)
{
    struct swarm s;

    (void)state;
    swarm_init(&s, 1, 1,
               ROWS("*******", /* the one we pick from */
                    "**** **", /**/
                    "** * **", /**/
                    "*  * **"));
    /* Availability: 4 3 2 4 1 4 4 */
    assert_int_equal(picker_availability(s.p, 2), 2);
    assert_int_equal(pick_piece(&s, 0), 4);
    assert_int_equal(pick_piece(&s, 0), 2);
    assert_int_equal(pick_piece(&s, 0), 1);
    uint32_t next = pick_piece(&s, 0);
    assert_true(next == 0 || next == 3 || next == 5 || next == 6);
    swarm_fini(&s);
}

/* Each of several equally rare pieces is the first one about equally often. */
static void test_ties_by_lot(void **state)
{
    uint32_t first[6] = {0};
    uint32_t first_partial[6] = {0};

    (void)state;
    for (uint64_t seed = 0; seed < 1200; seed++) {
        struct swarm s;

        swarm_init(&s, seed, 1, ROWS("******", "**** *"));
        picker_set_priority(s.p, 4, PICKER_PRIO_OFF);
        first[pick_piece(&s, 0)]++;
        first_partial[pick_piece(&s, 1)]++;
        swarm_fini(&s);
    }
    for (uint32_t i = 0; i < 6; i++) {
        if (i != 4) {
            assert_in_range(first[i], 180, 300); /* 240 expected */
            assert_in_range(first_partial[i], 180, 300);
        }
    }
    assert_int_equal(first[4] + first_partial[4], 0);
}

static void test_only_what_the_peer_has(void **state)
{
    struct swarm s;

    (void)state;
    swarm_init(&s, 1, 1, ROWS(" *  * ", "***** "));
    uint32_t a = pick_piece(&s, 0);
    uint32_t b = pick_piece(&s, 0);
    assert_true((a == 1 && b == 4) || (a == 4 && b == 1));
    assert_int_equal(pick_piece(&s, 0), UINT32_MAX);
    for (int i = 0; i < 3; i++) {
        assert_in_range(pick_piece(&s, 1), 0, 3);
    }
    assert_int_equal(pick_piece(&s, 1), UINT32_MAX);
    swarm_fini(&s);
}

static void test_priority_before_rarity(void **state)
{
    struct swarm s;

    (void)state;
    swarm_init(&s, 1, 1, ROWS("*****", "*** *", "** * "));
    picker_set_priority(s.p, 0, PICKER_PRIO_MAX);
    picker_set_priority(s.p, 1, 5);
    picker_set_priority(s.p, 3, 1);
    picker_set_priority(s.p, 4, PICKER_PRIO_OFF);
    assert_int_equal(picker_n_wanted_left(s.p), 4);
    assert_int_equal(pick_piece(&s, 0), 0);
    assert_int_equal(pick_piece(&s, 0), 1);
    assert_int_equal(pick_piece(&s, 0), 2);
    assert_int_equal(pick_piece(&s, 0), 3);
    assert_int_equal(pick_piece(&s, 0), UINT32_MAX);
    swarm_fini(&s);
}

/* A piece once begun is finished, by whoever has it, before a new one. */
static void test_partial_pieces_first(void **state)
{
    struct swarm s;

    (void)state;
    swarm_init(&s, 1, 4, ROWS("****", "****", "** *"));
    uint32_t begun = pick_piece(&s, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pick_piece(&s, 1), begun);
    }
    assert_int_not_equal(pick_piece(&s, 1), begun);
    assert_int_equal(s.p->active.n, 2);
    swarm_fini(&s);
}

/* Of several begun pieces the fullest goes first. */
static void test_fullest_first(void **state)
{
    struct swarm s;

    (void)state;
    swarm_init(&s, 1, 4, ROWS("****", "****"));
    picker_restore_block(s.p, 0, 0);
    picker_restore_block(s.p, 2, 1);
    picker_restore_block(s.p, 2, 3);
    picker_restore_block(s.p, 3, 2);
    struct picker_block b = pick(&s, 0);
    assert_int_equal(b.piece, 2);
    assert_int_equal(b.block, 0);
    b = pick(&s, 1);
    assert_int_equal(b.piece, 2);
    assert_int_equal(b.block, 2);
    swarm_fini(&s);
}

/* A peer goes on with the piece that it works on, though another is fuller. */
static void test_own_pieces_first(void **state)
{
    struct swarm s;

    (void)state;
    swarm_init(&s, 1, 4, ROWS("****", "****"));
    struct picker_block mine = pick(&s, 0);
    uint32_t other = mine.piece == 0 ? 1 : 0;
    picker_restore_block(s.p, other, 0);
    picker_restore_block(s.p, other, 1);
    picker_restore_block(s.p, other, 2);
    assert_int_equal(pick_piece(&s, 0), mine.piece);
    /* It is its own by what came from it, too. */
    assert_true(picker_on_block(s.p, 0, mine));
    picker_on_dropped(s.p, 0, at(mine.piece, mine.block + 1));
    assert_int_equal(pick_piece(&s, 0), mine.piece);
    assert_int_equal(pick_piece(&s, 1), other);
    swarm_fini(&s);
}

static void test_many_at_once(void **state)
{
    struct picker_block out[32];
    struct swarm s;

    (void)state;
    swarm_init(&s, 1, 3, ROWS("*****"));
    assert_int_equal(picker_pick(s.p, 0, &s.have[0], NULL, 0, out, 0), 0);
    assert_int_equal(s.p->active.n, 0);
    assert_int_equal(picker_pick(s.p, 0, &s.have[0], NULL, 0, out, 4), 4);
    assert_int_equal(s.p->active.n, 2);
    assert_int_equal(picker_pick(s.p, 0, &s.have[0], NULL, 0, out + 4, 28), 11);
    for (int i = 0; i < 15; i++) {
        for (int k = 0; k < i; k++) {
            assert_false(out[i].piece == out[k].piece &&
                         out[i].block == out[k].block);
        }
    }
    assert_int_equal(picker_pick(s.p, 0, &s.have[0], NULL, 0, out, 32), 0);
    swarm_fini(&s);
}

static void test_flags_and_set(void **state)
{
    struct picker_block out[8];
    struct bits only = {0};
    struct swarm s;

    (void)state;
    swarm_init(&s, 1, 2, ROWS("*****", "*****"));
    assert_int_equal(pick_flags(&s, 0, PICKER_NO_NEW).piece, UINT32_MAX);
    uint32_t begun = pick_piece(&s, 1);
    assert_int_equal(pick_flags(&s, 0, PICKER_NO_NEW).piece, begun);
    assert_int_equal(pick_flags(&s, 0, PICKER_NO_NEW).piece, UINT32_MAX);
    assert_int_equal(bits_init(&only, 5), 0);
    assert_int_equal(picker_pick(s.p, 0, &s.have[0], &only, 0, out, 8), 0);
    (void)bits_set(&only, (begun + 1) % 5);
    (void)bits_set(&only, begun);
    assert_int_equal(picker_pick(s.p, 0, &s.have[0], &only, 0, out, 8), 2);
    assert_int_equal(out[0].piece, (begun + 1) % 5);
    assert_int_equal(out[1].piece, (begun + 1) % 5);
    bits_fini(&only);
    swarm_fini(&s);
}

/* Nothing announced, nothing there, nothing in the torrent. */
static void test_nothing(void **state)
{
    struct bits none = {0};
    struct layout empty = {.piece_length = BLOCK_LEN};
    struct picker_block b;
    struct swarm s;

    (void)state;
    swarm_init(&s, 1, 1, ROWS("  ", "**"));
    assert_int_equal(pick_piece(&s, 0), UINT32_MAX);
    assert_int_equal(picker_pick(s.p, 0, &none, NULL, 0, &b, 1), 0);
    assert_false(picker_is_interesting(s.p, &none));
    assert_false(picker_is_interesting(s.p, &s.have[0]));
    assert_true(picker_is_interesting(s.p, &s.have[1]));
    picker_add_peer(s.p, &none);
    picker_remove_peer(s.p, &none);
    assert_int_equal(picker_availability(s.p, 0), 1);
    swarm_fini(&s);
    struct picker *p = picker_new(&empty, &s.rng);
    picker_add_peer(p, &none);
    assert_int_equal(picker_pick(p, 0, &none, NULL, PICKER_ENDGAME, &b, 1), 0);
    assert_int_equal(picker_n_wanted_left(p), 0);
    assert_false(picker_is_endgame(p));
    picker_check_invariant(p);
    picker_free(p);
    picker_free(NULL);
}

static void test_life_of_a_piece(void **state)
{
    struct swarm s;

    (void)state;
    swarm_init(&s, 1, 2, ROWS("*", "*"));
    assert_int_equal(picker_state(s.p, 0), PICKER_MISSING);
    struct picker_block a = pick(&s, 0);
    struct picker_block b = pick(&s, 1);
    assert_int_equal(picker_state(s.p, 0), PICKER_ACTIVE);
    assert_int_equal(a.block, 0);
    assert_int_equal(b.block, 1);
    assert_true(picker_on_block(s.p, 0, a));
    assert_false(picker_on_block(s.p, 1, a)); /* it is here */
    assert_int_equal(blocks_received(&s, 0), 1);
    assert_true(picker_on_block(s.p, 1, b));
    assert_int_equal(picker_state(s.p, 0), PICKER_FULL);
    assert_int_equal(picker_origin(s.p, a), 0);
    assert_int_equal(picker_origin(s.p, b), 1);
    assert_int_equal(s.p->active.n, 1);
    assert_true(picker_is_interesting(s.p, &s.have[0]));
    /* A bad one starts over, a good one is here. */
    picker_set_missing(s.p, 0);
    assert_int_equal(picker_origin(s.p, a), PICKER_ORIGIN_NONE);
    assert_int_equal(s.p->active.n, 0);
    assert_int_equal(pick_piece(&s, 0), 0);
    picker_set_have(s.p, 0);
    assert_false(picker_on_block(s.p, 0, a)); /* not wanted any more */
    picker_on_dropped(s.p, 0, a);
    picker_on_lost(s.p, a);
    assert_int_equal(picker_state(s.p, 0), PICKER_HAVE);
    assert_int_equal(picker_n_have(s.p), 1);
    assert_int_equal(picker_n_wanted_left(s.p), 0);
    assert_true(bits_is_full(picker_have(s.p)));
    assert_false(picker_is_interesting(s.p, &s.have[0]));
    assert_int_equal(pick_piece(&s, 0), UINT32_MAX);
    swarm_fini(&s);
}

static void test_checking(void **state)
{
    struct swarm s;

    (void)state;
    swarm_init(&s, 1, 2, ROWS("**"));
    picker_set_checking(s.p, 1);
    assert_int_equal(picker_state(s.p, 1), PICKER_CHECKING);
    assert_int_equal(picker_n_wanted_left(s.p), 2);
    assert_int_equal(pick_piece(&s, 0), 0);
    assert_int_equal(pick_piece(&s, 0), 0);
    assert_int_equal(pick_piece(&s, 0), UINT32_MAX);
    assert_false(picker_on_block(s.p, 0, at(1, 0)));
    picker_restore_block(s.p, 1, 0);
    assert_int_equal(blocks_received(&s, 1), 0);
    picker_set_missing(s.p, 1);
    assert_int_equal(picker_state(s.p, 1), PICKER_MISSING);
    assert_int_equal(pick_piece(&s, 0), 1);
    swarm_fini(&s);
}

/* A dropped request is free for others; the last one gives the piece back. */
static void test_dropped(void **state)
{
    struct swarm s;

    (void)state;
    swarm_init(&s, 1, 2, ROWS("**", "**"));
    struct picker_block a = pick(&s, 0);
    struct picker_block b = pick(&s, 0);
    picker_on_dropped(s.p, 1, a); /* not asked of that one */
    assert_int_equal(picker_askers(s.p, a, (uint32_t[3]){0}), 1);
    picker_on_dropped(s.p, 0, a);
    picker_on_dropped(s.p, 0, a);
    assert_int_equal(picker_askers(s.p, a, (uint32_t[3]){0}), 0);
    assert_int_equal(picker_state(s.p, a.piece), PICKER_ACTIVE);
    struct picker_block c = pick(&s, 1);
    assert_int_equal(c.piece, a.piece);
    assert_int_equal(c.block, a.block);
    picker_on_dropped(s.p, 1, c);
    picker_on_dropped(s.p, 0, b);
    assert_int_equal(picker_state(s.p, a.piece), PICKER_MISSING);
    assert_int_equal(s.p->active.n, 0);
    /* It comes all the same: kept. */
    assert_true(picker_on_block(s.p, 0, b));
    assert_int_equal(picker_state(s.p, b.piece), PICKER_ACTIVE);
    swarm_fini(&s);
}

static void test_lost(void **state)
{
    struct swarm s;

    (void)state;
    swarm_init(&s, 1, 2, ROWS("*", "*"));
    struct picker_block a = pick(&s, 0);
    struct picker_block b = pick(&s, 0);
    picker_on_lost(s.p, a); /* not here yet */
    assert_int_equal(picker_askers(s.p, a, (uint32_t[3]){0}), 1);
    assert_true(picker_on_block(s.p, 0, a));
    assert_true(picker_on_block(s.p, 0, b));
    assert_int_equal(picker_state(s.p, 0), PICKER_FULL);
    picker_on_lost(s.p, b);
    assert_int_equal(picker_state(s.p, 0), PICKER_ACTIVE);
    assert_false(picker_is_received(s.p, b));
    assert_true(picker_is_received(s.p, a));
    assert_int_equal(pick(&s, 1).block, b.block);
    picker_on_dropped(s.p, 1, b);
    picker_on_lost(s.p, a);
    assert_int_equal(picker_state(s.p, 0), PICKER_MISSING);
    swarm_fini(&s);
}

static void test_restore(void **state)
{
    struct swarm s;

    (void)state;
    swarm_init(&s, 1, 3, ROWS("**"));
    picker_restore_block(s.p, 1, 2);
    picker_restore_block(s.p, 1, 2);
    picker_restore_block(s.p, 1, 0);
    assert_int_equal(picker_state(s.p, 1), PICKER_ACTIVE);
    assert_int_equal(blocks_received(&s, 1), 2);
    assert_int_equal(picker_origin(s.p, at(1, 0)), PICKER_ORIGIN_JOURNAL);
    struct picker_block b = pick(&s, 0);
    assert_int_equal(b.piece, 1);
    assert_int_equal(b.block, 1);
    picker_restore_block(s.p, 1, 1);
    assert_int_equal(picker_state(s.p, 1), PICKER_FULL);
    assert_int_equal(s.p->active.n, 1);
    assert_int_equal(s.p->active.rows[0].piece, 1);
    /* The asked one still answers: too late. */
    assert_false(picker_on_block(s.p, 0, b));
    assert_int_equal(picker_askers(s.p, b, (uint32_t[3]){0}), 0);
    picker_set_have(s.p, 0);
    picker_restore_block(s.p, 0, 0);
    assert_int_equal(picker_state(s.p, 0), PICKER_HAVE);
    swarm_fini(&s);
}

/* In the endgame each block is asked of up to three peers, never twice of one,
 * those with the fewest askers first. */
static void test_endgame(void **state)
{
    struct picker_block b;
    struct swarm s;
    uint32_t who[PICKER_MAX_ASKERS];

    (void)state;
    swarm_init(&s, 1, 1, ROWS("**", "**", "**", "**"));
    assert_false(picker_is_endgame(s.p));
    struct picker_block first = pick(&s, 0);
    assert_false(picker_is_endgame(s.p));
    assert_int_not_equal(pick_flags(&s, 1, PICKER_ENDGAME).piece, first.piece);
    assert_true(picker_is_endgame(s.p));
    assert_int_equal(pick(&s, 2).piece, UINT32_MAX); /* not without the flag */
    /* Peer 1 gets what peer 0 was asked for, and nothing more. */
    assert_int_equal(pick_flags(&s, 1, PICKER_ENDGAME).piece, first.piece);
    assert_int_equal(pick_flags(&s, 1, PICKER_ENDGAME).piece, UINT32_MAX);
    /* The other one has one asker only. */
    b = pick_flags(&s, 2, PICKER_ENDGAME);
    assert_int_not_equal(b.piece, first.piece);
    assert_int_equal(pick_flags(&s, 2, PICKER_ENDGAME).piece, first.piece);
    assert_int_equal(picker_askers(s.p, first, who), 3);
    assert_int_equal(who[0], 0);
    assert_int_equal(who[1], 1);
    assert_int_equal(who[2], 2);
    assert_int_equal(pick_flags(&s, 3, PICKER_ENDGAME).piece, b.piece);
    assert_int_equal(pick_flags(&s, 3, PICKER_ENDGAME).piece, UINT32_MAX);
    /* One answers: the others are still to be told. */
    assert_true(picker_on_block(s.p, 1, first));
    assert_int_equal(picker_origin(s.p, first), 1);
    assert_int_equal(picker_askers(s.p, first, who), 2);
    assert_int_equal(who[0], 0);
    assert_int_equal(who[1], 2);
    picker_on_dropped(s.p, 0, first);
    assert_false(picker_on_block(s.p, 2, first));
    assert_int_equal(picker_askers(s.p, first, who), 0);
    swarm_fini(&s);
}

/* Pieces that nobody has, or that nobody wants, do not put the endgame off. */
static void test_endgame_of_the_reachable(void **state)
{
    struct swarm s;

    (void)state;
    swarm_init(&s, 1, 2, ROWS("** ", "*  "));
    picker_restore_block(s.p, 2, 0);
    picker_set_priority(s.p, 1, PICKER_PRIO_OFF);
    assert_false(picker_is_endgame(s.p)); /* nothing asked */
    assert_int_equal(pick_piece(&s, 0), 0);
    assert_false(picker_is_endgame(s.p));
    assert_int_equal(pick_piece(&s, 0), 0);
    assert_true(picker_is_endgame(s.p));
    picker_set_priority(s.p, 1, 1);
    assert_false(picker_is_endgame(s.p));
    picker_set_priority(s.p, 1, PICKER_PRIO_OFF);
    assert_true(picker_is_endgame(s.p));
    swarm_join(&s, "***");
    assert_false(picker_is_endgame(s.p));
    picker_remove_peer(s.p, &s.have[2]);
    assert_true(picker_is_endgame(s.p));
    (void)bits_set(&s.have[1], 2);
    picker_peer_has(s.p, 2);
    assert_false(picker_is_endgame(s.p));
    swarm_fini(&s);
}

/* A crowd need not be looked at when nobody could be asked for anything: all is
 * asked for, and in the end of as many as may be asked. */
static void test_has_more(void **state)
{
    struct swarm s;

    (void)state;
    swarm_init(&s, 1, 1, ROWS("* ", "* ", "* ", "* "));
    assert_true(picker_has_more(s.p, false));
    for (uint32_t peer = 0; peer < PICKER_MAX_ASKERS; peer++) {
        struct picker_block b;

        assert_true(picker_has_more(s.p, true));
        assert_int_equal(
            picker_pick(s.p, peer, &s.have[peer], NULL, PICKER_ENDGAME, &b, 1),
            1);
        assert_false(picker_has_more(s.p, false));
    }
    assert_false(picker_has_more(s.p, true));
    picker_on_dropped(s.p, 1, (struct picker_block){0});
    assert_true(picker_has_more(s.p, true));
    swarm_join(&s, " *");
    assert_true(picker_has_more(s.p, false));
    swarm_fini(&s);
}

static void test_sequential(void **state)
{
    struct swarm s;

    (void)state;
    swarm_init(&s, 1, 1, ROWS("********", " * * ***", "********"));
    picker_set_sequential(s.p, true);
    picker_set_priority(s.p, 6, PICKER_PRIO_MAX);
    picker_set_priority(s.p, 0, 1);
    assert_int_equal(pick_piece(&s, 0), 6);
    assert_int_equal(pick_piece(&s, 1), 1);
    assert_int_equal(pick_piece(&s, 0), 2);
    assert_int_equal(pick_piece(&s, 1), 3);
    assert_int_equal(pick_piece(&s, 1), 5);
    picker_set_have(s.p, 4);
    /* One that comes back is the lowest again. */
    picker_set_missing(s.p, 1);
    assert_int_equal(pick_piece(&s, 2), 1);
    picker_set_priority(s.p, 0, PICKER_PRIO_NORMAL);
    assert_int_equal(pick_piece(&s, 2), 0);
    assert_int_equal(pick_piece(&s, 2), 7);
    assert_int_equal(pick_piece(&s, 2), UINT32_MAX);
    swarm_fini(&s);
}

/* An unwanted piece is not picked further, but what is asked for may come. */
static void test_off_while_active(void **state)
{
    struct swarm s;

    (void)state;
    swarm_init(&s, 1, 3, ROWS("*", "*"));
    struct picker_block a = pick(&s, 0);
    struct picker_block b = pick(&s, 0);
    assert_true(picker_on_block(s.p, 0, a));
    picker_set_priority(s.p, 0, PICKER_PRIO_OFF);
    assert_int_equal(picker_n_wanted_left(s.p), 0);
    assert_false(picker_is_interesting(s.p, &s.have[0]));
    assert_int_equal(pick_flags(&s, 1, PICKER_ENDGAME).piece, UINT32_MAX);
    assert_true(picker_on_block(s.p, 0, b));
    assert_int_equal(picker_state(s.p, 0), PICKER_ACTIVE);
    assert_int_equal(blocks_received(&s, 0), 2);
    picker_set_priority(s.p, 0, PICKER_PRIO_NORMAL);
    assert_int_equal(pick(&s, 1).block, 2);
    /* Off again, the last request dropped, nothing received: back, unpicked. */
    picker_set_priority(s.p, 0, PICKER_PRIO_OFF);
    picker_on_lost(s.p, a);
    picker_on_lost(s.p, b);
    picker_on_dropped(s.p, 1, at(0, 2));
    assert_int_equal(picker_state(s.p, 0), PICKER_MISSING);
    assert_false(picker_on_block(s.p, 0, a));
    assert_int_equal(pick_piece(&s, 0), UINT32_MAX);
    swarm_fini(&s);
}

/* Pieces of 2 blocks: 0 data; 1 data, then zeros; 2 only zeros; 3 data. */
static void swarm_init_pads(struct swarm *s)
{
    uint64_t len = 2 * (uint64_t)BLOCK_LEN;

    memset(s, 0, sizeof(*s));
    s->files[0] = (struct layout_file){.length = len + 100};
    s->files[1] = (struct layout_file){
        .offset = len + 100, .length = 2 * len - 100, .pad = true};
    s->files[2] = (struct layout_file){.offset = 3 * len, .length = len};
    s->g = (struct layout){.total = 4 * len,
                           .piece_length = (uint32_t)len,
                           .n_pieces = 4,
                           .n_files = 3,
                           .files = s->files};
    rng_init(&s->rng, 1);
    s->p = picker_new(&s->g, &s->rng);
    swarm_join(s, "****");
    swarm_join(s, "  * ");
}

static void test_pads(void **state)
{
    struct picker_block out[16];
    struct swarm s;
    uint32_t piece = 0;

    (void)state;
    swarm_init_pads(&s);
    assert_int_equal(picker_n_wanted_left(s.p), 4);
    assert_false(picker_is_interesting(s.p, &s.have[1]));
    assert_int_equal(picker_pick(s.p, 0, &s.have[0], NULL, 0, out, 16), 5);
    for (int i = 0; i < 5; i++) {
        assert_int_not_equal(out[i].piece, 2);
        assert_true(out[i].piece != 1 || out[i].block == 0);
    }
    assert_int_equal(picker_origin(s.p, at(1, 1)), PICKER_ORIGIN_PAD);
    assert_int_equal(blocks_received(&s, 1), 1);
    picker_on_lost(s.p, at(1, 1)); /* zeros cannot be lost */
    assert_true(picker_on_block(s.p, 0, at(1, 0)));
    assert_int_equal(picker_state(s.p, 1), PICKER_FULL);
    assert_true(picker_next_pad_piece(s.p, &piece));
    assert_int_equal(piece, 2);
    assert_int_equal(picker_state(s.p, 2), PICKER_FULL);
    assert_false(picker_next_pad_piece(s.p, &piece));
    picker_set_missing(s.p, 2);
    assert_true(picker_next_pad_piece(s.p, &piece));
    picker_set_have(s.p, 2);
    assert_false(picker_next_pad_piece(s.p, &piece));
    assert_int_equal(picker_n_wanted_left(s.p), 3);
    swarm_fini(&s);
}

/* Pads alone do not keep a piece active, and nobody can open it by them. */
static void test_pads_do_not_hold(void **state)
{
    struct swarm s;
    uint32_t piece = 0;

    (void)state;
    swarm_init_pads(&s);
    assert_false(picker_on_block(s.p, 0, at(1, 1)));
    assert_int_equal(picker_state(s.p, 1), PICKER_MISSING);
    picker_restore_block(s.p, 1, 1);
    assert_int_equal(picker_state(s.p, 1), PICKER_MISSING);
    assert_true(picker_on_block(s.p, 0, at(1, 0)));
    assert_int_equal(picker_state(s.p, 1), PICKER_FULL);
    picker_on_lost(s.p, at(1, 0));
    assert_int_equal(picker_state(s.p, 1), PICKER_MISSING);
    assert_false(picker_on_block(s.p, 0, at(2, 0)));
    picker_set_priority(s.p, 2, PICKER_PRIO_OFF);
    assert_false(picker_next_pad_piece(s.p, &piece));
    picker_set_priority(s.p, 2, 1);
    assert_true(picker_next_pad_piece(s.p, &piece));
    swarm_fini(&s);
}

/* Availability through joins, HAVEs and leaves, with peers that become seeds
 * and go, more often than the debt allows. */
static void test_availability(void **state)
{
    struct swarm s;

    (void)state;
    swarm_init(&s, 1, 1, ROWS("* *", "***"));
    for (uint32_t k = 0; k < 60; k++) {
        swarm_join(&s, k % 2 ? "   " : " * ");
        for (uint32_t i = 0; i < 3; i++) {
            if (bits_set(&s.have[s.n_peers - 1], i)) {
                picker_peer_has(s.p, i);
            }
        }
        picker_remove_peer(s.p, &s.have[s.n_peers - 1]);
        picker_check_invariant(s.p);
        assert_int_equal(picker_availability(s.p, 0), 2);
        assert_int_equal(picker_availability(s.p, 1), 1);
        assert_int_equal(picker_availability(s.p, 2), 2);
    }
    assert_int_equal(pick_piece(&s, 1), 1);
    picker_remove_peer(s.p, &s.have[1]);
    assert_int_equal(picker_availability(s.p, 1), 0);
    assert_int_not_equal(pick_piece(&s, 0), 1);
    swarm_fini(&s);
}

/* What more peers have than are told apart is equally common, never wrong. */
static void test_many_peers(void **state)
{
    struct swarm s;

    (void)state;
    swarm_init(&s, 1, 1, ROWS("****", "*   "));
    for (int i = 0; i < 66; i++) {
        swarm_join(&s, i < 30 ? "** *" : "* * ");
    }
    /* 68 31 37 31 */
    uint32_t a = pick_piece(&s, 0);
    uint32_t b = pick_piece(&s, 0);
    assert_int_equal(a + b, 4);
    assert_int_equal(pick_piece(&s, 0), 2);
    assert_int_equal(pick_piece(&s, 0), 0);
    swarm_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rarest_first),
        cmocka_unit_test(test_ties_by_lot),
        cmocka_unit_test(test_only_what_the_peer_has),
        cmocka_unit_test(test_priority_before_rarity),
        cmocka_unit_test(test_partial_pieces_first),
        cmocka_unit_test(test_fullest_first),
        cmocka_unit_test(test_own_pieces_first),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_flags_and_set),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_life_of_a_piece),
        cmocka_unit_test(test_checking),
        cmocka_unit_test(test_dropped),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_restore),
        cmocka_unit_test(test_endgame),
        cmocka_unit_test(test_endgame_of_the_reachable),
        cmocka_unit_test(test_has_more),
        cmocka_unit_test(test_sequential),
        cmocka_unit_test(test_off_while_active),
        cmocka_unit_test(test_pads),
        cmocka_unit_test(test_pads_do_not_hold),
        cmocka_unit_test(test_availability),
        cmocka_unit_test(test_many_peers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
