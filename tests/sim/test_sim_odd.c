/* What is at an edge: pieces of all sizes in an endgame among many that keep
 * blocks, a single place, tiny limits, a process that was stopped for a while.
 */
#include "sim/sim_fake.h"
#include "sim/sim_node.h"

#define KIB 1024ull
#define MIB (1024ull * 1024)

/* So many of a script; every other one calls again and again. */
static void surround(struct sim *s, struct sim_torrent *st,
                     enum sim_script script, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct sim_fake *f = sim_fake_new(s, st->c, script, MIB / 4);
        if (i % 2 == 0) {
            sim_fake_haunt(f, &st->node->host);
        } else {
            sim_add_peer(st, &f->host);
        }
    }
}

/* Pieces of 128 bytes and of 16 MiB, one piece, one block, one byte: three
 * honest ones among twenty that keep what they are asked for. */
static void body_endgame(struct sim *s)
{
    static const struct sim_shape shapes[] = {
        {.total = 20 * KIB + 5, .piece_length = 128},
        {.total = 20 * MIB + 77, .piece_length = 16 * MIB},
        {.total = 200 * KIB, .piece_length = 256 * KIB},
        {.total = 16 * KIB, .piece_length = 16 * KIB},
        {.total = 1, .piece_length = 16 * KIB},
        {.total = MIB + 100, .piece_length = 256 * KIB},
    };
    static const enum sim_script scripts[] = {
        SIM_HOLD,  SIM_PICKY, SIM_SILENT, SIM_NINETY,  SIM_TRICKLE,
        SIM_STUCK, SIM_TARDY, SIM_FLAP,   SIM_REFUSER, SIM_RESETS,
        SIM_THIEF, SIM_CUTS,  SIM_GRANTS};
    const struct sim_shape *sh = &shapes[s->seed % 6];
    struct sim_content *c = sim_content_new(s, sh);
    struct sim_node *n = sim_node_new(s, 8 * MIB, 20 * MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    sim_start(st);
    surround(s, st, scripts[s->seed / 6 % 13], 20);
    sim_run(s, sim_below(s, 20000));
    for (int i = 0; i < 3; i++) {
        sim_add_peer(st, &sim_fake_new(s, c, SIM_HONEST, MIB / 4)->host);
    }
    uint64_t alone_ms = sh->total * 1000 / (3 * MIB / 4);
    SIM_CHECK(s,
              sim_run_until(s, sim_is_complete, st, alone_ms * 10 / 9 + 10000));
}

static void test_endgame(void **state)
{
    (void)state;
    sim_each_seed(6 * 13, body_endgame);
}

/* There is one place, and somebody bad was there first. */
static void body_one_place(struct sim *s)
{
    enum sim_script script = (enum sim_script)(s->seed % SIM_N_SCRIPTS);
    struct sim_shape sh = {.total = MIB, .piece_length = 65536};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, 8 * MIB, 8 * MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    torrent_set_limits(st->t, 0, 1, s->now_ms);
    sim_start(st);
    struct sim_fake *bad = sim_fake_new(s, c, script, MIB / 4);
    if (s->seed / SIM_N_SCRIPTS % 2 == 0) {
        sim_fake_haunt(bad, &n->host);
    } else {
        sim_add_peer(st, &bad->host);
    }
    sim_run(s, 3000);
    sim_add_peer(st, &sim_fake_new(s, c, SIM_HONEST, MIB / 4)->host);
    /* It drips quickly enough to be worth the place. */
    uint64_t most_ms = script == SIM_PICKY ? 400000 : 120000;
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, most_ms));
}

static void test_one_place(void **state)
{
    (void)state;
    sim_each_seed(SIM_N_SCRIPTS * 2, body_one_place);
}

/* A limit of a few KiB/s, or another one each second: it is used up, no more
 * than it, and equals have equal parts, whether they toggle their interest or
 * not. */
static void body_tiny(struct sim *s)
{
    enum {
        N = 4,
        SECONDS = 300
    };
    uint64_t limit = KIB << sim_below(s, 8);
    struct sim_shape sh = {.total = 4 * MIB, .piece_length = 65536};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, 8 * MIB, 8 * MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, true);
    struct sim_fake *f[N];
    uint64_t sum = 0, earned = 0, least = UINT64_MAX, most = 0, had[N];
    torrent_set_limits(st->t, limit, 50, s->now_ms);
    sim_start(st);
    for (uint32_t i = 0; i < N; i++) {
        f[i] = sim_fake_new(s, c, i % 2 == 0 ? SIM_LEECH : SIM_TOGGLE, MIB);
        sim_fake_dial(f[i], &n->host);
    }
    sim_run(s, 60000);
    for (uint32_t i = 0; i < N; i++) {
        had[i] = f[i]->bytes_got;
    }
    for (int i = 0; i < SECONDS; i++) {
        uint32_t spread = (uint32_t)(2 * limit);
        uint64_t now = s->seed % 2 == 0 ? limit : KIB + sim_below(s, spread);
        torrent_set_limits(st->t, now, 50, s->now_ms);
        earned += now;
        sim_run(s, 1000);
    }
    for (uint32_t i = 0; i < N; i++) {
        uint64_t got = f[i]->bytes_got - had[i];
        sum += got;
        least = got < least ? got : least;
        most = got > most ? got : most;
    }
    SIM_CHECK(s, sum + 2 * 16384 >= earned * 9 / 10);
    SIM_CHECK(s, sum <= earned * 11 / 10 + 2 * 16384);
    SIM_CHECK(s, most - least <= sum / N / 10 + 2 * 16384);
}

static void test_tiny(void **state)
{
    (void)state;
    sim_each_seed(24, body_tiny);
}

/* The other ends have given up. */
static void hang_up(struct sim *s, const struct sim_node *n)
{
    for (struct sim_link *l = s->links; l != NULL; l = l->next) {
        for (uint32_t i = 0; i < 2; i++) {
            if (l->side[i].open && l->side[i].host != &n->host) {
                sim_close(s, l, i);
            }
        }
    }
}

/* The process is stopped, or the machine sleeps, for seconds up to hours, in
 * the middle of a download and of a limited upload, with an announce due: it
 * goes on soon, asks for little twice, and has saved up no credit. */
static void body_pause(struct sim *s)
{
    static const uint32_t pauses[] = {4000,   20000,  90000,
                                      200000, 600000, 36000000};
    uint64_t limit = 200 * KIB;
    struct sim_shape sh = {.total = 16 * MIB, .piece_length = 262144};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_tracker *k = sim_tracker_new(s, SIM_TRACKER_OK);
    struct sim_node *n = sim_node_new(s, 8 * MIB, 8 * MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, k, false);
    torrent_set_limits(st->t, limit, 50, s->now_ms);
    sim_start(st);
    for (int i = 0; i < 3; i++) {
        sim_add_peer(st, &sim_fake_new(s, c, SIM_HONEST, MIB / 2)->host);
    }
    struct sim_fake *leech = sim_fake_new(s, c, SIM_LEECH, MIB);
    sim_fake_haunt(leech, &n->host);
    sim_run(s, 4000);
    if (s->seed / 6 % 2 == 1) {
        hang_up(s, n);
        sim_fake_dial(leech, &n->host);
    }
    uint64_t had = leech->bytes_got;
    uint32_t announces = k->n_announces;
    sim_jump(s, pauses[s->seed % 6]);
    sim_run(s, 2000);
    SIM_CHECK(s, leech->bytes_got - had <= limit * 3);
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 20000));
    SIM_CHECK(s, k->n_announces - announces <= 4);
    struct torrent_stats ts;
    torrent_get_stats(st->t, s->now_ms, &ts);
    SIM_CHECK(s, ts.wasted <= 2 * MIB);
    for (const struct sim_fake *f = s->fakes; f != NULL; f = f->next) {
        SIM_CHECK(s, !sim_is_banned(st, &f->host));
    }
    had = leech->bytes_got;
    sim_run(s, 20000);
    SIM_CHECK(s, leech->bytes_got - had >= limit);
}

static void test_pause(void **state)
{
    (void)state;
    sim_each_seed(36, body_pause);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endgame),
        cmocka_unit_test(test_one_place),
        cmocka_unit_test(test_tiny),
        cmocka_unit_test(test_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
