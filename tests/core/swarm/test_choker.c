/* The choker: tables of one run, and small swarms over time. */
#include "core/swarm/choker.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MAX_PEERS 40

/* The seed under test, printed behind the test, so also when it fails. */
static uint64_t last_seed;

static int print_seed(void **state)
{
    (void)state;
    print_message("last seed %" PRIu64 "\n", last_seed);
    return 0;
}

static size_t count_unchoked(const struct choker_peer *peers, size_t n)
{
    size_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum += peers[i].unchoked;
    }
    return sum;
}

/* A row: a letter per peer. 'i' interested, '.' not, 's' interested and
 * snubbed; rates are the down rates (while seeding, the up rates). `earned`:
 * '*' where a slot must be earned; the others may get at most `turns`. */
static const struct {
    const char *peers;
    uint64_t rates[8];
    uint32_t slots;
    bool seeding;
    const char *earned;
    size_t turns;
} rows[] = {
    {"iiiiii", {10, 60, 30, 50, 20, 40}, 4, false, " * * *", 1},
    {"iiiiii", {10, 60, 30, 50, 20, 40}, 1, false, "      ", 1},
    {"iiiiii", {10, 60, 30, 50, 20, 40}, 0, false, "      ", 0},
    {"iii", {1, 2, 3}, 4, false, "***", 0},
    {"......", {10, 60, 30, 50, 20, 40}, 4, false, "      ", 0},
    {"i....i", {1, 60, 30, 50, 20, 1}, 3, false, "*    *", 0},
    {"isiiis", {1, 60, 2, 3, 4, 90}, 4, false, "  *** ", 1},
    {"ss", {5, 9}, 4, false, "**", 0},
    {"iiiiii", {10, 60, 30, 50, 20, 40}, 4, true, " * *  ", 2},
    {"", {0}, 4, false, "", 0},
};

static void test_one_run(void **state)
{
    (void)state;
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        struct choker_peer peers[8] = {0};
        size_t n = strlen(rows[r].peers);
        size_t turns = 0;
        struct choker c;
        struct rng rng;

        rng_init(&rng, r);
        choker_init(&c);
        for (size_t i = 0; i < n; i++) {
            peers[i].id = (uint32_t)i;
            peers[i].interested = rows[r].peers[i] != '.';
            peers[i].snubbed = rows[r].peers[i] == 's';
            *(rows[r].seeding ? &peers[i].up_rate : &peers[i].down_rate) =
                rows[r].rates[i];
        }
        choker_run(&c, peers, n, rows[r].slots, rows[r].seeding, 1000000, &rng);
        for (size_t i = 0; i < n; i++) {
            assert_true(rows[r].earned[i] != '*' || peers[i].unchoked);
            assert_true(peers[i].interested || !peers[i].unchoked);
            turns += peers[i].unchoked && rows[r].earned[i] != '*';
        }
        assert_int_equal(turns, rows[r].turns);
        assert_true(count_unchoked(peers, n) <= rows[r].slots);
    }
}

/* A swarm over time: what each peer gives and gets is fixed by the test, and
 * the choker runs at its interval. */
struct swarm {
    struct choker c;
    struct rng rng;
    struct choker_peer peers[MAX_PEERS];
    size_t n;
    uint64_t now_ms;
    uint32_t runs[MAX_PEERS];    /* runs in which the peer had a slot */
    uint32_t changes[MAX_PEERS]; /* chokes and unchokes */
};

static void swarm_init(struct swarm *w, size_t n, uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    rng_init(&w->rng, seed);
    choker_init(&w->c);
    w->n = n;
    w->now_ms = 1000000;
    for (size_t i = 0; i < n; i++) {
        w->peers[i].id = (uint32_t)(100 + i);
        w->peers[i].interested = true;
    }
}

static void swarm_run(struct swarm *w, uint32_t slots, bool seeding)
{
    bool was[MAX_PEERS] = {false};

    for (size_t i = 0; i < w->n; i++) {
        was[i] = w->peers[i].unchoked;
    }
    choker_run(&w->c, w->peers, w->n, slots, seeding, w->now_ms, &w->rng);
    assert_true(count_unchoked(w->peers, w->n) <= slots);
    for (size_t i = 0; i < w->n; i++) {
        struct choker_peer *p = &w->peers[i];

        if (p->unchoked != was[i]) {
            w->changes[i]++;
            p->unchoked_ms = p->unchoked ? w->now_ms : 0;
        }
        w->runs[i] += p->unchoked;
    }
    w->now_ms += CHOKER_INTERVAL_MS;
}

/* Downloading: the fast ones keep their slots all the time, and each of the
 * others gets an optimistic turn. */
static void test_fast_keep_and_all_get_turns(void **state)
{
    (void)state;
    for (last_seed = 1; last_seed <= 50; last_seed++) {
        struct swarm w;

        swarm_init(&w, 20, last_seed);
        for (size_t i = 0; i < w.n; i++) {
            w.peers[i].down_rate = i < 3 ? 100000 + i : 100;
        }
        for (int run = 0; run < 600; run++) {
            swarm_run(&w, 4, false);
            assert_int_equal(count_unchoked(w.peers, w.n), 4);
        }
        for (size_t i = 0; i < w.n; i++) {
            assert_true(i < 3 ? w.runs[i] == 600 : w.runs[i] >= 3);
            assert_true(i >= 3 || w.changes[i] == 1);
        }
    }
}

/* A turn lasts three runs, neither more nor less. */
static void test_turns_last(void **state)
{
    struct swarm w;
    uint32_t last = UINT32_MAX;
    int same = 0;

    (void)state;
    swarm_init(&w, 10, 7);
    for (int run = 0; run < 300; run++) {
        swarm_run(&w, 3, false);
        assert_true(w.c.optimistic != UINT32_MAX);
        if (w.c.optimistic == last) {
            same++;
            assert_true(same <= 3);
        } else {
            assert_true(last == UINT32_MAX || same == 3);
            last = w.c.optimistic;
            same = 1;
        }
    }
}

/* Rates that wobble by a tenth around the same value move nobody. */
static void test_no_flapping(void **state)
{
    (void)state;
    for (last_seed = 1; last_seed <= 50; last_seed++) {
        struct swarm w;
        uint32_t changes = 0;

        swarm_init(&w, 12, last_seed);
        for (int run = 0; run < 300; run++) {
            for (size_t i = 0; i < w.n; i++) {
                w.peers[i].down_rate = 1000 + rng_below(&w.rng, 100);
            }
            swarm_run(&w, 5, false);
        }
        for (size_t i = 0; i < w.n; i++) {
            changes += w.changes[i];
        }
        /* The turns (two changes each, every third run) and the start. */
        assert_in_range(changes, 150, 2 * 100 + 2 * 5);
    }
}

/* A peer that becomes clearly faster takes an earned slot at the next run, and
 * one that is snubbed loses its own. */
static void test_changes_of_rank(void **state)
{
    struct swarm w;

    (void)state;
    swarm_init(&w, 8, 3);
    for (size_t i = 0; i < w.n; i++) {
        w.peers[i].down_rate = 1000 * (i + 1);
    }
    swarm_run(&w, 4, false);
    assert_true(w.peers[7].unchoked && w.peers[6].unchoked &&
                w.peers[5].unchoked);
    w.peers[0].down_rate = 50000;
    w.peers[7].snubbed = true;
    swarm_run(&w, 4, false);
    assert_true(w.peers[0].unchoked && w.peers[6].unchoked &&
                w.peers[5].unchoked);
    assert_false(w.peers[7].unchoked);
    w.peers[0].interested = false;
    swarm_run(&w, 4, false);
    assert_false(w.peers[0].unchoked);
}

/* The optimistic peer that leaves or loses interest frees its slot at once. */
static void test_optimistic_leaves(void **state)
{
    struct swarm w;

    (void)state;
    swarm_init(&w, 10, 5);
    for (int run = 0; run < 100; run++) {
        swarm_run(&w, 3, false);
        assert_int_equal(count_unchoked(w.peers, w.n), 3);
        uint32_t who = w.c.optimistic;
        for (size_t i = 0; i < w.n; i++) {
            w.peers[i].interested = w.peers[i].id != who;
        }
        swarm_run(&w, 3, false);
        assert_int_equal(count_unchoked(w.peers, w.n), 3);
        assert_int_not_equal(w.c.optimistic, who);
    }
}

/* Young peers win the lot about three times as often. */
static void test_young_peers(void **state)
{
    uint32_t young = 0;
    const uint32_t rounds = 4000;

    (void)state;
    for (uint32_t i = 0; i < rounds; i++) {
        struct swarm w;

        swarm_init(&w, 20, i);
        for (size_t k = 0; k < 10; k++) {
            w.peers[k].connected_ms = w.now_ms - CHOKER_NEW_PEER_MS + 1;
        }
        swarm_run(&w, 1, false);
        young += w.c.optimistic < 110;
    }
    /* 3 of 4 expected; 5 sigma is 3.5 per cent. */
    assert_in_range(young, rounds * 3 / 4 - 140, rounds * 3 / 4 + 140);
}

/* Seeding: everybody gets turns, fast ones more of them, and at least one peer
 * in two keeps its slot from run to run. */
static void test_seeding_rotates(void **state)
{
    (void)state;
    for (last_seed = 1; last_seed <= 50; last_seed++) {
        struct swarm w;

        swarm_init(&w, 30, last_seed);
        for (int run = 0; run < 600; run++) {
            for (size_t i = 0; i < w.n; i++) {
                uint64_t rate = i < 4 ? 50000 : 1000;

                w.peers[i].up_rate = w.peers[i].unchoked ? rate : 0;
            }
            swarm_run(&w, 8, true);
            assert_int_equal(count_unchoked(w.peers, w.n), 8);
        }
        for (size_t i = 0; i < w.n; i++) {
            assert_true(w.runs[i] >= (i < 4 ? 300 : 20));
            assert_true(i >= 4 || w.changes[i] <= 21);
        }
    }
}

/* One slot is nobody's for good. */
static void test_one_slot(void **state)
{
    (void)state;
    for (int seeding = 0; seeding < 2; seeding++) {
        struct swarm w;

        swarm_init(&w, 5, 11);
        w.peers[0].down_rate = w.peers[0].up_rate = 1000000;
        for (int run = 0; run < 300; run++) {
            swarm_run(&w, 1, seeding == 1);
            assert_int_equal(count_unchoked(w.peers, w.n), 1);
        }
        for (size_t i = 0; i < w.n; i++) {
            assert_in_range(w.runs[i], 30, 120);
        }
    }
}

/* Light peers stay unchoked and take no slot from those that wait; who is not
 * interested has none, light or not. */
static void test_light_ones_take_no_slot(void **state)
{
    (void)state;
    for (int seeding = 0; seeding < 2; seeding++) {
        struct swarm w;
        swarm_init(&w, 12, 3);
        for (size_t i = 0; i < 6; i++) {
            w.peers[i].unchoked = true;
            w.peers[i].light = true;
        }
        w.peers[5].interested = false;
        choker_run(&w.c, w.peers, w.n, 4, seeding, w.now_ms, &w.rng);
        assert_int_equal(count_unchoked(w.peers, 6), 5);
        assert_false(w.peers[5].unchoked);
        assert_int_equal(count_unchoked(w.peers + 6, 6), 4);
    }
}

/* However many connections a host has: each of the others gets a slot, and no
 * slot stays free for it. */
static void test_a_host_has_its_part(void **state)
{
    (void)state;
    for (last_seed = 1; last_seed <= 20; last_seed++) {
        struct swarm w;
        bool seeding = last_seed % 2 == 0;
        swarm_init(&w, 20, last_seed);
        for (size_t i = 0; i < w.n; i++) {
            w.peers[i].host = i < 15 ? 7 : 100 + i;
            w.peers[i].up_rate = w.peers[i].down_rate = i < 15 ? 9000 : 100;
        }
        for (int run = 0; run < 20; run++) {
            swarm_run(&w, 8, seeding);
            assert_int_equal(count_unchoked(w.peers, w.n), 8);
        }
        for (size_t i = 15; i < w.n; i++) {
            assert_true(w.runs[i] >= 16);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_run),
        cmocka_unit_test_teardown(test_fast_keep_and_all_get_turns, print_seed),
        cmocka_unit_test(test_turns_last),
        cmocka_unit_test_teardown(test_no_flapping, print_seed),
        cmocka_unit_test(test_changes_of_rank),
        cmocka_unit_test(test_optimistic_leaves),
        cmocka_unit_test(test_young_peers),
        cmocka_unit_test_teardown(test_seeding_rotates, print_seed),
        cmocka_unit_test(test_one_slot),
        cmocka_unit_test(test_light_ones_take_no_slot),
        cmocka_unit_test_teardown(test_a_host_has_its_part, print_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
