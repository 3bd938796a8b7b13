/* The promise, as far as one engine can keep it: whatever dies when, whatever
 * fails, whoever changes the files meanwhile, the journal claims nothing that
 * is not there, and in the end all is there. And the proof that these rules see
 * something: mistakes that are planted are found.
 *
 *   test_sim_durable --seeds 10000 --from 1 [--bug NAME]
 *
 * runs that many worlds and says what happened in them. */
#include "sim/sim_durable.h"

#include <sys/wait.h>
#include <unistd.h>

#define KIB   1024ull
#define SEEDS 500
/* Worlds in which a planted mistake must show at least once. */
#define BUG_SEEDS 300

/* What befell the worlds. */
struct tally {
    uint64_t worlds, kills, cuts, strangers, commits, changes, refused;
};

static struct sim_ledger *any_ledger(struct sim *s, struct sim_durable *d)
{
    return d->ledgers[sim_below(s, d->n_ledgers)];
}

/* A torrent rests, its files go to other devices, and it goes on. */
static void meddle_move(struct sim *s, struct sim_ledger *g)
{
    sim_durable_wish(g, WANTED_PAUSE);
    if (sim_run_until(s, sim_ledger_is_paused, g, 5000)) {
        sim_durable_move(g);
    }
    sim_durable_wish(g, WANTED_RUN);
}

/* People, drives and rules while a process runs. */
static void meddle(struct sim *s, struct sim_durable *d)
{
    struct sim_ledger *g = any_ledger(s, d);
    switch (sim_below(s, 8)) {
    case 0:
        sim_durable_wish(g, sim_chance(s, 2) ? WANTED_RUN : WANTED_PAUSE);
        break;
    case 1:
        sim_durable_lock(d, sim_below(s, 3000));
        break;
    case 2:
        sim_durable_hang(d, sim_platter_print(&g->platter, 0).dev);
        break;
    case 3:
        sim_durable_hang(d, 0);
        break;
    case 4:
        sim_durable_refuse(d);
        break;
    case 5:
        sim_durable_allow(d);
        break;
    case 6:
        meddle_move(s, g);
        break;
    default:
        sim_durable_stranger(d);
        break;
    }
}

/* A process runs for a while, and ends, in order or not. */
static void live_process(struct sim *s, struct sim_durable *d)
{
    if (sim_chance(s, 4)) {
        sim_durable_lock(d, sim_below(s, 3000));
    }
    sim_durable_begin(d);
    sim_run(s, sim_below(s, 3000));
    while (sim_chance(s, 2)) {
        meddle(s, d);
        sim_run(s, sim_below(s, 1500));
    }
    if (sim_chance(s, 4)) {
        sim_durable_hang(d, 0);
        sim_durable_leave(d);
        SIM_CHECK(s, sim_run_until(s, sim_durable_is_gone, d, 200000));
    } else {
        sim_durable_die(d, sim_chance(s, 2));
    }
}

/* The world has its way with a process and its files. */
static void live_once(struct sim *s, struct sim_durable *d)
{
    live_process(s, d);
    if (sim_chance(s, 2)) {
        sim_run(s, sim_below(s, sim_chance(s, 2) ? 3000 : 20000));
    }
    if (sim_chance(s, 3)) {
        sim_durable_stranger(d);
    }
    if (sim_chance(s, 2)) {
        sim_run(s, sim_below(s, 20000));
    }
}

static void wish_all(struct sim_durable *d, enum wanted wanted)
{
    for (uint32_t i = 0; i < d->n_ledgers; i++) {
        sim_durable_wish(d->ledgers[i], wanted);
    }
}

/* All of it is there. */
static void check_whole(struct sim *s, const struct sim_ledger *g)
{
    for (uint32_t i = 0; i < g->rows.piece.n; i++) {
        SIM_CHECK(s, bits_get(&g->rows.piece, i));
        SIM_CHECK(s, sim_platter_has(&g->platter, i));
    }
}

/* Nothing fails any more: all is fetched, told, and stays. A torrent that was
 * paused may go to other drives first. */
static void live_well(struct sim *s, struct sim_durable *d)
{
    struct sim_ledger *g = any_ledger(s, d);
    d->sync_fails = d->commit_fails = 0;
    sim_durable_allow(d);
    sim_durable_hang(d, 0);
    wish_all(d, WANTED_RUN);
    sim_durable_begin(d);
    if (sim_chance(s, 3)) {
        sim_run(s, sim_below(s, 2000));
        sim_durable_wish(g, WANTED_PAUSE);
        SIM_CHECK(s, sim_run_until(s, sim_ledger_is_paused, g, 200000));
        sim_durable_move(g);
        sim_durable_wish(g, WANTED_RUN);
    }
    SIM_CHECK(s, sim_run_until(s, sim_durable_is_done, d, 400000));
    sim_durable_leave(d);
    SIM_CHECK(s, sim_run_until(s, sim_durable_is_gone, d, 200000));
    for (uint32_t i = 0; i < d->n_ledgers; i++) {
        check_whole(s, d->ledgers[i]);
    }
}

/* A torrent of at most so many bytes, and who has it. */
static struct sim_ledger *add_torrent(struct sim *s, struct sim_durable *d,
                                      uint64_t most)
{
    struct sim_shape sh = {.total = 200 * KIB + sim_below(s, (uint32_t)most),
                           .piece_length = 16384u << sim_below(s, 4),
                           .n_files = 1 + sim_below(s, 4)};
    struct sim_content *c = sim_content_new(s, &sh);
    for (int i = 0; i < 2; i++) {
        (void)sim_fake_new(s, c, SIM_HONEST, 100 * KIB << sim_below(s, 3));
    }
    return sim_durable_add(d, c);
}

static void tally_add(struct tally *t, const struct sim_durable *d)
{
    t->worlds++;
    t->kills += d->n_kills;
    t->cuts += d->n_cuts;
    t->commits += d->n_commits;
    t->changes += d->n_changes;
    t->refused += d->n_refused;
    for (uint32_t i = 0; i < d->n_ledgers; i++) {
        t->strangers += d->ledgers[i]->platter.n_spoilt;
    }
}

static void live(uint64_t seed, enum sim_bug bug, struct tally *t)
{
    struct sim *s = sim_new(seed);
    struct sim_durable *d = sim_durable_new(s, bug);
    d->delay_ms = 1 + sim_below(s, sim_chance(s, 3) ? 1500 : 400);
    d->sync_fails = sim_chance(s, 3) ? 3 + sim_below(s, 10) : 0;
    d->commit_fails = sim_chance(s, 3) ? 2 + sim_below(s, 10) : 0;
    uint32_t n_torrents = 1 + sim_below(s, SIM_MAX_LEDGERS);
    for (uint32_t i = 0; i < n_torrents; i++) {
        (void)add_torrent(s, d, 900 * KIB / n_torrents);
    }
    uint32_t n = 2 + sim_below(s, 6);
    for (uint32_t i = 0; i < n; i++) {
        live_once(s, d);
    }
    live_well(s, d);
    tally_add(t, d);
    sim_durable_free(d);
    sim_free(s);
}

static struct tally live_all(uint64_t from, uint64_t seeds, enum sim_bug bug)
{
    struct tally t = {0};
    for (uint64_t i = 0; i < seeds; i++) {
        live(from + i, bug, &t);
    }
    return t;
}

static void test_promise(void **state)
{
    const char *text = getenv("BTC_SIM_SEED");
    uint64_t seed;
    (void)state;
    if (text != NULL && bytes_parse_u64(slice_str(text), &seed)) {
        (void)live_all(seed, 1, SIM_BUG_NONE);
        return;
    }
    struct tally t = live_all(1, SEEDS, SIM_BUG_NONE);
    assert_true(t.kills > SEEDS && t.cuts > SEEDS && t.strangers > SEEDS);
    assert_true(t.changes > SEEDS && t.refused > SEEDS);
}

/* A drive hangs, and a row of another torrent is refused: who has nothing to do
 * with either goes on to its end. When both are over, so do these. */
static void bystander(struct sim *s)
{
    struct sim_durable *d = sim_durable_new(s, SIM_BUG_NONE);
    struct sim_ledger *g[SIM_MAX_LEDGERS];
    for (uint32_t i = 0; i < SIM_MAX_LEDGERS; i++) {
        g[i] = add_torrent(s, d, 300 * KIB);
        sim_platter_put(&g[i]->platter, i);
    }
    sim_durable_hang(d, sim_platter_root(&g[1]->platter));
    d->rule =
        (struct sim_rule){.of = g[2],
                          .kinds = 1u << SIM_PUT_PIECE | 1u << SIM_PUT_STAT,
                          .one_in = 1};
    sim_durable_begin(d);
    SIM_CHECK(s, sim_run_until(s, sim_ledger_is_done, g[0], 200000));
    sim_run(s, 100000);
    SIM_CHECK(s, sim_ledger_is_done(g[0]) && !sim_ledger_is_done(g[1]));
    SIM_CHECK(s, !sim_ledger_is_done(g[2]) && d->n_refused > 0);
    SIM_CHECK(s, g[1]->rows.piece.count == 0 && g[2]->rows.piece.count == 0);
    sim_durable_hang(d, 0);
    sim_durable_allow(d);
    SIM_CHECK(s, sim_run_until(s, sim_durable_is_done, d, 400000));
    sim_durable_leave(d);
    SIM_CHECK(s, sim_run_until(s, sim_durable_is_gone, d, 200000));
    sim_durable_free(d);
}

static void test_bystander(void **state)
{
    (void)state;
    sim_each_seed(20, bystander);
}

/* In a process of its own: a rule that is broken ends it. True when one was. */
static bool is_caught(enum sim_bug bug)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)freopen("/dev/null", "w", stderr);
        (void)freopen("/dev/null", "w", stdout);
        (void)live_all(1, BUG_SEEDS, bug);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void test_planted_bugs(void **state)
{
    (void)state;
    assert_false(is_caught(SIM_BUG_NONE));
    for (int bug = SIM_BUG_NONE + 1; bug < SIM_N_BUGS; bug++) {
        if (!is_caught((enum sim_bug)bug)) {
            fail_msg("%s: nobody noticed", sim_bug_name((enum sim_bug)bug));
        }
    }
}

/* False: not an option that there is. */
static bool search_option(const char *name, const char *value, uint64_t *seeds,
                          uint64_t *from, enum sim_bug *bug)
{
    if (strcmp(name, "--seeds") == 0) {
        return bytes_parse_u64(slice_str(value), seeds);
    }
    if (strcmp(name, "--from") == 0) {
        return bytes_parse_u64(slice_str(value), from);
    }
    for (int i = 0; strcmp(name, "--bug") == 0 && i < SIM_N_BUGS; i++) {
        if (strcmp(value, sim_bug_name((enum sim_bug)i)) == 0) {
            *bug = (enum sim_bug)i;
            return true;
        }
    }
    return false;
}

/* The long search. */
static int search(int argc, char **argv)
{
    uint64_t seeds = SEEDS, from = 1;
    enum sim_bug bug = SIM_BUG_NONE;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc ||
            !search_option(argv[i], argv[i + 1], &seeds, &from, &bug)) {
            (void)fprintf(stderr, "--seeds N --from S --bug NAME\n");
            return 2;
        }
    }
    struct tally t = live_all(from, seeds, bug);
    (void)printf("worlds %" PRIu64 ", kills and ends %" PRIu64
                 ", power cuts %" PRIu64 ", strangers %" PRIu64
                 ", commits %" PRIu64 ", changes of pipelines %" PRIu64
                 ", refused rows %" PRIu64 ": no rule was broken\n",
                 t.worlds, t.kills, t.cuts, t.strangers, t.commits, t.changes,
                 t.refused);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_promise),
        cmocka_unit_test(test_bystander),
        cmocka_unit_test(test_planted_bugs),
    };
    if (argc > 1) {
        return search(argc, argv);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
