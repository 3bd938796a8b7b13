/* Crowds: peers that hold things up, many of them, and little memory. */
#include "sim/sim_fake.h"
#include "sim/sim_node.h"

#define MIB (1024ull * 1024)

/* Slow, stuck and silent peers take blocks first and hold them; the honest one
 * is done as if they were not there, or a second or so later. */
static void body_last_block(struct sim *s)
{
    static const enum sim_script scripts[] = {SIM_SLOW, SIM_TRICKLE, SIM_SILENT,
                                              SIM_CUTS, SIM_REJECTS};
    struct sim_shape sh = {.total = 8 * MIB,
                           .piece_length = 32768u << sim_below(s, 6)};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, MIB, 16 * MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    sim_start(st);
    for (int i = 0; i < 5; i++) {
        struct sim_fake *f = sim_fake_new(s, c, scripts[sim_below(s, 5)], MIB);
        sim_add_peer(st, &f->host);
    }
    sim_run(s, 1000);
    struct sim_fake *good = sim_fake_new(s, c, SIM_HONEST, MIB);
    sim_add_peer(st, &good->host);
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 8000 + 1500));
}

static void test_last_block(void **state)
{
    (void)state;
    sim_each_seed(40, body_last_block);
}

/* More silent peers than connections, and somewhere one seed. */
static void body_silent_crowd(struct sim *s)
{
    static const enum sim_script scripts[] = {SIM_SILENT, SIM_CHOKER, SIM_SLOW,
                                              SIM_TRICKLE, SIM_MUTE};
    struct sim_shape sh = {.total = 2 * MIB, .piece_length = 65536};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, MIB, MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    torrent_set_limits(st->t, 0, 40, s->now_ms);
    sim_start(st);
    for (int i = 0; i < 200; i++) {
        struct sim_fake *f = sim_fake_new(s, c, scripts[sim_below(s, 5)], MIB);
        sim_add_peer(st, &f->host);
    }
    sim_run(s, 5000);
    struct sim_fake *good = sim_fake_new(s, c, SIM_HONEST, MIB);
    sim_add_peer(st, &good->host);
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 300000));
    SIM_CHECK(s, good->n_blocks > 0);
}

static void test_silent_crowd(void **state)
{
    (void)state;
    sim_each_seed(5, body_silent_crowd);
}

/* Many liars, many honest ones, pieces of many blocks: each liar costs a
 * bounded number of pieces. */
static void body_liars(struct sim *s)
{
    static const enum sim_script scripts[] = {SIM_LIAR, SIM_LIAR_SOME,
                                              SIM_LIAR_PIECES};
    struct sim_shape sh = {.total = 8 * MIB,
                           .piece_length = 65536u << sim_below(s, 5)};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, MIB, 16 * MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    uint32_t liars = 1 + sim_below(s, 5);
    sim_start(st);
    for (uint32_t i = 0; i < 5 + liars; i++) {
        struct sim_fake *f = sim_fake_new(
            s, c, i < liars ? scripts[sim_below(s, 3)] : SIM_HONEST, MIB);
        sim_add_peer(st, &f->host);
    }
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 60000));
    uint32_t banned = 0;
    for (struct sim_fake *f = s->fakes; f != NULL; f = f->next) {
        SIM_CHECK(s, sim_script_is_liar(f->script) ||
                         !sim_is_banned(st, &f->host));
        banned += sim_is_banned(st, &f->host);
    }
    SIM_CHECK(s, banned > 0 || st->n_failed == 0);
    SIM_CHECK(s, st->n_failed <= liars * 12 + 4);
}

static void test_liars(void **state)
{
    (void)state;
    sim_each_seed(40, body_liars);
}

/* A peer that rejects all is not asked without end; a flood of requests, of
 * HAVE or of handshakes makes us neither busy nor talkative. */
static void body_calm(struct sim *s)
{
    static const enum sim_script scripts[] = {
        SIM_REJECTS, SIM_FLOOD,  SIM_HAVES, SIM_EXTENDED,
        SIM_CHURN,   SIM_SILENT, SIM_SLOW};
    struct sim_shape sh = {.total = 4 * MIB, .piece_length = 65536};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, MIB, 16 * MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    enum sim_script script = scripts[s->seed % 7];
    struct sim_fake *f = sim_fake_new(s, c, script, MIB);
    sim_start(st);
    sim_add_peer(st, &f->host);
    sim_run(s, 120000);
    bool serves =
        script == SIM_CHURN || script == SIM_HAVES || script == SIM_EXTENDED;
    SIM_CHECK(s, serves == sim_is_complete(st));
    SIM_CHECK(s, st->n_requests < (serves ? 1000 : 200));
    /* A refusal per request is what BEP 6 demands. */
    SIM_CHECK(s,
              serves || st->max_actions < (script == SIM_FLOOD ? 1500 : 200));
}

static void test_calm(void **state)
{
    (void)state;
    sim_each_seed(14, body_calm);
}

/* A thousand peers at one torrent. */
static void body_thousand(struct sim *s)
{
    struct sim_shape sh = {.total = 8 * MIB, .piece_length = 65536};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, 8 * MIB, 8 * MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    torrent_set_limits(st->t, 0, 2000, s->now_ms);
    sim_start(st);
    for (uint32_t i = 0; i < 1000; i++) {
        enum sim_script script = i < 100   ? SIM_HONEST
                                 : i < 400 ? SIM_LEECH
                                           : SIM_SILENT;
        struct sim_fake *f = sim_fake_new(s, c, script, 65536);
        if (i % 2 == 0) {
            sim_fake_dial(f, &n->host);
        } else {
            sim_add_peer(st, &f->host);
        }
    }
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 60000));
    struct torrent_stats ts;
    torrent_get_stats(st->t, s->now_ms, &ts);
    SIM_CHECK(s, ts.peers > 900);
}

static void test_thousand(void **state)
{
    (void)state;
    sim_each_seed(1, body_thousand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_block), cmocka_unit_test(test_silent_crowd),
        cmocka_unit_test(test_liars),      cmocka_unit_test(test_calm),
        cmocka_unit_test(test_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
