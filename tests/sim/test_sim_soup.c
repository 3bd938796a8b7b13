/* Everything at once and at random: peers of all kinds, wishes, stops, power
 * cuts, full disks, cut links. In the end the torrent is complete. */
#include "sim/sim_fake.h"
#include "sim/sim_node.h"

#define MIB (1024ull * 1024)

/* After a restart nobody is known but those that are named again. */
static void meet_all(struct sim *s, struct sim_torrent *st)
{
    for (struct sim_fake *f = s->fakes; f != NULL; f = f->next) {
        if (sim_chance(s, 4)) {
            sim_fake_dial(f, &st->node->host);
        } else {
            sim_add_peer(st, &f->host);
        }
    }
}

/* The torrent runs again after whatever stopped it. */
static void revive(struct sim *s, struct sim_torrent *st)
{
    if (st->error != 0 || torrent_state(st->t) == TORRENT_STOPPING ||
        torrent_state(st->t) == TORRENT_STOPPED) {
        SIM_CHECK(s, sim_run_until(s, sim_is_stopped, st, 20000));
        sim_restart(st);
        meet_all(s, st);
    }
}

/* One thing that happens to it. */
static void stir(struct sim *s, struct sim_torrent *st)
{
    uint32_t file = sim_below(s, st->c->geom.n_files);
    switch (sim_below(s, 11)) {
    case 0:
        sim_power_cut(st);
        meet_all(s, st);
        break;
    case 1:
        sim_stop(st);
        break;
    case 2:
        st->disk.fail_in = 1 + sim_below(s, 10);
        st->disk.fail_for = 1;
        st->disk.fail_result = sim_chance(s, 2) ? BTC_E_NOSPACE : BTC_E_IO;
        break;
    case 3:
        st->disk.delay_ms = sim_below(s, 3) == 0 ? 2000 : 10;
        break;
    case 4:
        sim_set_priority(st, file, (uint8_t)sim_below(s, 8));
        break;
    case 5:
        torrent_set_sequential(st->t, sim_chance(s, 2));
        break;
    case 6:
        torrent_set_limits(st->t, sim_below(s, 200000), sim_below(s, 20),
                           s->now_ms);
        break;
    case 7:
        torrent_announce_now(st->t, s->now_ms);
        break;
    case 8:
        torrent_check_piece(st->t, sim_below(s, st->c->geom.n_pieces),
                            sim_chance(s, 2));
        break;
    case 9:
        (void)sim_fake_new(
            s, st->c, (enum sim_script)sim_below(s, SIM_N_SCRIPTS), MIB / 4);
        meet_all(s, st);
        break;
    default:
        s->cut_one_in = sim_chance(s, 2) ? 0 : 200;
        break;
    }
    sim_wake(st);
}

static void body_soup(struct sim *s)
{
    struct sim_shape sh = {.total = 1 + sim_below(s, 5 * 1024 * 1024),
                           .piece_length = 1024u << sim_below(s, 11),
                           .n_files = 1 + sim_below(s, 6),
                           .pads = sim_chance(s, 2)};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_tracker *k = sim_tracker_new(s, SIM_TRACKER_FLAKY);
    struct sim_node *n = sim_node_new(s, MIB, MIB << sim_below(s, 4));
    struct sim_torrent *st = sim_torrent_new(n, c, k, false);
    for (uint32_t i = 0; i < 2 + sim_below(s, 12); i++) {
        (void)sim_fake_new(s, c, (enum sim_script)sim_below(s, SIM_N_SCRIPTS),
                           MIB / 4);
    }
    sim_start(st);
    meet_all(s, st);
    for (int i = 0; i < 40; i++) {
        sim_run(s, sim_below(s, 1500));
        stir(s, st);
        if (sim_chance(s, 3)) {
            sim_run(s, sim_below(s, 200));
            revive(s, st);
        }
    }
    /* Calm again, and somebody honest is there. */
    s->cut_one_in = 0;
    st->disk.fail_in = 0;
    st->disk.delay_ms = 20;
    revive(s, st);
    for (uint32_t i = 0; i < c->geom.n_files; i++) {
        sim_set_priority(st, i, PICKER_PRIO_NORMAL);
    }
    torrent_set_limits(st->t, 0, 60, s->now_ms);
    struct sim_fake *good = sim_fake_new(s, c, SIM_HONEST, MIB);
    sim_add_peer(st, &good->host);
    sim_wake(st);
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 120000));
    for (struct sim_fake *f = s->fakes; f != NULL; f = f->next) {
        SIM_CHECK(s, sim_script_is_liar(f->script) ||
                         f->script == SIM_TRICKLE ||
                         !sim_is_banned(st, &f->host));
    }
}

static void test_soup(void **state)
{
    (void)state;
    sim_each_seed(60, body_soup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_soup)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
