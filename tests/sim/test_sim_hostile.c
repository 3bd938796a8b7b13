/* Peers that play badly, next to an honest seed: the download completes, liars
 * are banned, honest peers are not. */
#include "sim/sim_fake.h"
#include "sim/sim_node.h"

#define MIB         (1024ull * 1024)
#define SPEED_TOTAL (24 * MIB)
#define SPEED_PIECE 262144
#define SPEED_RATE  (MIB / 2) /* of each honest seed, bytes per second */

/* What holds after a download among fakes. */
static void check_bans(struct sim *s, struct sim_torrent *st)
{
    for (struct sim_fake *f = s->fakes; f != NULL; f = f->next) {
        SIM_CHECK(s, sim_script_is_liar(f->script) ||
                         !sim_is_banned(st, &f->host));
    }
}

/* Each script alone with an honest seed. */
static void body_script(struct sim *s)
{
    enum sim_script script = (enum sim_script)(s->seed % SIM_N_SCRIPTS);
    struct sim_shape sh = {.total = 3 * MIB - sim_below(s, 40000),
                           .piece_length = 32768u << sim_below(s, 4)};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, 4 * MIB, 4 * MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    struct sim_fake *bad = sim_fake_new(s, c, script, MIB);
    struct sim_fake *good = sim_fake_new(s, c, SIM_HONEST, MIB / 4);
    sim_start(st);
    if (sim_chance(s, 2)) {
        sim_fake_dial(bad, &n->host);
    } else {
        sim_add_peer(st, &bad->host);
    }
    sim_run(s, sim_below(s, 4000));
    sim_add_peer(st, &good->host);
    if (!sim_run_until(s, sim_is_complete, st, 120000)) {
        print_message("with %s\n", sim_script_name(script));
        sim_failed(s, "completes", __FILE__, __LINE__);
    }
    check_bans(s, st);
    sim_run(s, 60000); /* seeding to whoever is left */
}

static void test_each_script(void **state)
{
    (void)state;
    sim_each_seed(SIM_N_SCRIPTS * 6, body_script);
}

/* A zoo: three of each kind and one honest seed. */
static void body_zoo(struct sim *s)
{
    struct sim_shape sh = {
        .total = 4 * MIB, .piece_length = 65536, .n_files = 3};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_tracker *k = sim_tracker_new(s, SIM_TRACKER_OK);
    struct sim_node *n = sim_node_new(s, 4 * MIB, 2 * MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, k, false);
    for (int i = 0; i < SIM_N_SCRIPTS * 3; i++) {
        enum sim_script script = (enum sim_script)(i % SIM_N_SCRIPTS);
        struct sim_fake *f = sim_fake_new(
            s, c, i > 3 && script == SIM_HONEST ? SIM_SILENT : script, MIB / 4);
        sim_tracker_add(s, k, &f->host.addr, c);
    }
    s->cut_one_in = 5000;
    sim_start(st);
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 600000));
    check_bans(s, st);
    sim_run(s, 100000);
}

static void test_zoo(void **state)
{
    (void)state;
    sim_each_seed(10, body_zoo);
}

/* A crowd that was there first and keeps to itself what it was asked for: an
 * honest seed is asked soon all the same, however little there is to ask for
 * and however often they come back. */
static void body_crowd(struct sim *s, enum sim_script script)
{
    struct sim_shape sh = {.total = 20000 + sim_below(s, 100000),
                           .piece_length = 65536};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, 4 * MIB, MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    sim_start(st);
    for (uint32_t i = 8 + sim_below(s, 24); i > 0; i--) {
        struct sim_fake *f = sim_fake_new(s, c, script, MIB / 4);
        if (sim_chance(s, 2)) {
            sim_fake_haunt(f, &n->host);
        } else {
            sim_fake_dial(f, &n->host);
        }
    }
    sim_run(s, sim_below(s, 40000));
    struct sim_fake *good = sim_fake_new(s, c, SIM_HONEST, MIB / 4);
    sim_add_peer(st, &good->host);
    if (!sim_run_until(s, sim_is_complete, st, 20000)) {
        print_message("with %s\n", sim_script_name(script));
        sim_failed(s, "completes", __FILE__, __LINE__);
    }
    check_bans(s, st);
}

static void body_crowds(struct sim *s)
{
    static const enum sim_script scripts[] = {SIM_STUCK, SIM_TRICKLE,
                                              SIM_SILENT, SIM_HOLD, SIM_CREEP};
    body_crowd(s, scripts[s->seed % 5]);
}

static void test_crowds(void **state)
{
    (void)state;
    sim_each_seed(100, body_crowds);
}

/* Peers that say anything at any time, in pieces of any size, and come back
 * whenever they are thrown out; memory is small and the honest seed is slow. */
static void body_chaos(struct sim *s)
{
    struct sim_shape sh = {.total = MIB + sim_below(s, 2 * MIB),
                           .piece_length = 16384u << sim_below(s, 5),
                           .n_files = 1 + sim_below(s, 4)};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, 2 * MIB, MIB << sim_below(s, 3));
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    sim_start(st);
    for (uint32_t i = 1 + sim_below(s, 12); i > 0; i--) {
        sim_fake_haunt(sim_fake_new(s, c, SIM_CHAOS, MIB / 4), &n->host);
    }
    struct sim_fake *good = sim_fake_new(s, c, SIM_HONEST, MIB / 4);
    sim_add_peer(st, &good->host);
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 180000));
    check_bans(s, st);
    sim_run(s, 30000);
}

static void test_chaos(void **state)
{
    (void)state;
    sim_each_seed(60, body_chaos);
}

/* How long a download from two honest seeds takes, with so many of a kind
 * around it; UINT64_MAX: it was not done after ten times what it needs. */
static uint64_t download_ms(struct sim *s, enum sim_script script, uint32_t n)
{
    struct sim_shape sh = {.total = SPEED_TOTAL, .piece_length = SPEED_PIECE};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *node = sim_node_new(s, 8 * MIB, 8 * MIB);
    struct sim_torrent *st = sim_torrent_new(node, c, NULL, false);
    uint64_t begun = s->now_ms;
    sim_start(st);
    for (uint32_t i = 0; i < n; i++) {
        struct sim_fake *bad = sim_fake_new(s, c, script, MIB / 4);
        if (i % 2 == 0) {
            sim_fake_haunt(bad, &node->host);
        } else {
            sim_add_peer(st, &bad->host);
        }
    }
    for (int i = 0; i < 2; i++) {
        struct sim_fake *good = sim_fake_new(s, c, SIM_HONEST, SPEED_RATE);
        sim_add_peer(st, &good->host);
    }
    if (!sim_run_until(s, sim_is_complete, st,
                       10 * SPEED_TOTAL * 1000 / (2 * SPEED_RATE))) {
        return UINT64_MAX;
    }
    check_bans(s, st);
    return s->now_ms - begun;
}

/* Honest peers keep nine tenths of their speed beside so many of a kind. */
static void check_speed(struct sim *s, enum sim_script script, uint32_t n)
{
    struct sim *calm = sim_new(s->seed);
    uint64_t alone = download_ms(calm, SIM_HONEST, 0);
    sim_free(calm);
    uint64_t beside = download_ms(s, script, n);
    uint64_t most = alone;
    if (script == SIM_OWNER) { /* each may cost a piece */
        most += n * (SPEED_PIECE * 1000 / SPEED_RATE);
    }
    if (alone == UINT64_MAX || beside > most * 10 / 9) {
        print_message("with %u of %s: %llu ms, alone %llu\n", n,
                      sim_script_name(script), (unsigned long long)beside,
                      (unsigned long long)alone);
        sim_failed(s, "keeps its speed", __FILE__, __LINE__);
    }
}

static void body_speed(struct sim *s)
{
    check_speed(s, (enum sim_script)(s->seed % SIM_N_SCRIPTS),
                1 + sim_below(s, 12));
}

/* Those who mix lies with good work are found last. */
static void body_mixers(struct sim *s)
{
    check_speed(s, SIM_LIAR_PIECES, 4);
}

static void test_speed(void **state)
{
    (void)state;
    sim_each_seed(SIM_N_SCRIPTS, body_speed);
    sim_each_seed(6, body_mixers);
}

/* Twenty who spoil each piece that they have a part in, and then send a block
 * every four seconds, so that they never stand still: the spoilt pieces are not
 * theirs until they have sent all of them, however large they are. */
static void body_owners(struct sim *s)
{
    struct sim_shape sh = {.total = SPEED_TOTAL,
                           .piece_length =
                               s->seed % 2 == 0 ? SPEED_PIECE : 4 * MIB};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, 8 * MIB, 8 * MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    sim_start(st);
    for (int i = 0; i < 20; i++) {
        sim_fake_haunt(sim_fake_new(s, c, SIM_OWNER, MIB / 4), &n->host);
    }
    for (int i = 0; i < 2; i++) {
        sim_add_peer(st, &sim_fake_new(s, c, SIM_HONEST, SPEED_RATE)->host);
    }
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 120000));
    check_bans(s, st);
}

static void test_owners(void **state)
{
    (void)state;
    sim_each_seed(24, body_owners);
}

/* Until the torrent is complete, with so many of a kind that call, and an
 * honest seed of SPEED_RATE that is dialled some time later. */
static bool completes_beside(struct sim *s, const struct sim_shape *sh,
                             enum sim_script script, uint32_t n, uint64_t rate,
                             uint64_t later_ms, uint64_t ms)
{
    struct sim_content *c = sim_content_new(s, sh);
    struct sim_node *node = sim_node_new(s, 8 * MIB, 8 * MIB);
    struct sim_torrent *st = sim_torrent_new(node, c, NULL, false);
    sim_start(st);
    for (uint32_t i = 0; i < n; i++) {
        sim_fake_haunt(sim_fake_new(s, c, script, rate), &node->host);
    }
    sim_run(s, later_ms);
    sim_add_peer(st, &sim_fake_new(s, c, SIM_HONEST, SPEED_RATE)->host);
    bool done = sim_run_until(s, sim_is_complete, st, ms);
    check_bans(s, st);
    return done;
}

/* Slow liars share all pieces of a small torrent with the honest one, which is
 * faster than they are: it is the one to fetch spoilt pieces from. Each liar
 * that has such a piece to itself takes half a minute for it. */
static void body_slow_liars(struct sim *s)
{
    enum sim_script script = s->seed % 2 == 0 ? SIM_LIAR : SIM_LIAR_SOME;
    struct sim_shape sh = {.total = MIB,
                           .piece_length = s->seed % 3 == 0 ? 262144 : MIB};
    SIM_CHECK(s, completes_beside(s, &sh, script, 20, 30000, 0, 120000));
}

/* More liars than places spoil every piece and drip then. */
static void body_many_owners(struct sim *s)
{
    struct sim_shape sh = {.total = SPEED_TOTAL, .piece_length = SPEED_PIECE};
    SIM_CHECK(s, completes_beside(s, &sh, SIM_OWNER, 150, MIB / 4, 0, 270000));
}

/* The one piece is spoilt when the honest seed comes, and all places are taken
 * by peers that drip. */
static void body_late(struct sim *s)
{
    struct sim_shape sh = {.total = MIB, .piece_length = MIB};
    SIM_CHECK(s,
              completes_beside(s, &sh, SIM_OWNER, 80, MIB / 4, 60000, 900000));
}

static void test_slow_liars(void **state)
{
    (void)state;
    sim_each_seed(24, body_slow_liars);
    sim_each_seed(3, body_many_owners);
    sim_each_seed(4, body_late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_script), cmocka_unit_test(test_zoo),
        cmocka_unit_test(test_crowds),      cmocka_unit_test(test_chaos),
        cmocka_unit_test(test_speed),       cmocka_unit_test(test_owners),
        cmocka_unit_test(test_slow_liars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
