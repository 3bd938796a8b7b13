/* Magnets: the metadata comes from peers, and the connections that brought it
 * are those of the download, whatever others have said meanwhile. */
#include "sim/sim_fake.h"
#include "sim/sim_node.h"

#define MIB (1024ull * 1024)

/* Of a few pieces or of many, with metadata of one part or of several. */
static struct sim_content *content(struct sim *s)
{
    struct sim_shape sh = {.total = MIB + sim_below(s, 2 * MIB),
                           .piece_length = 16384u << sim_below(s, 5),
                           .n_files = 1 + sim_below(s, 4)};
    struct sim_content *c = sim_content_new(s, &sh);
    sim_content_give_info(s, c, 1 + sim_below(s, 60000));
    return c;
}

/* A node that has everything and serves metadata, too. */
static struct sim_node *add_seed(struct sim *s, struct sim_content *c)
{
    struct sim_node *n = sim_node_new(s, MIB, 4 * MIB);
    sim_start(sim_torrent_new(n, c, NULL, true));
    return n;
}

/* A magnet that is to come; `ms`: how long its startup takes at most. */
static struct sim_torrent *add_magnet(struct sim *s, struct sim_content *c,
                                      uint32_t ms)
{
    struct sim_node *n = sim_node_new(s, 4 * MIB, 4 * MIB);
    struct sim_torrent *st = sim_magnet_new(n, c, NULL);
    st->learn_ms = ms;
    sim_start(st);
    return st;
}

/* Every peer is dialled once: seeds, and peers that know no metadata and are
 * there before it comes or while the startup is under way. */
static void body_one_dial(struct sim *s)
{
    struct sim_content *c = content(s);
    struct sim_torrent *st = add_magnet(s, c, 3000);
    struct sim_fake *first = sim_fake_new(s, c, SIM_HONEST, MIB);
    struct sim_fake *mute = sim_fake_new(s, c, SIM_CHOKER, MIB);
    sim_add_peer(st, &first->host);
    sim_add_peer(st, &mute->host);
    sim_run(s, sim_below(s, 5000));
    struct sim_node *seed = add_seed(s, c);
    sim_add_peer(st, &seed->host);
    sim_run(s, sim_below(s, 3000));
    struct sim_fake *late = sim_fake_new(s, c, SIM_HONEST, MIB);
    sim_add_peer(st, &late->host);
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 60000));
    SIM_CHECK(s, first->n_blocks > 0);
    SIM_CHECK(s, st->n_dials <= 4); /* `late` may have come too late */
}

static void test_one_dial(void **state)
{
    (void)state;
    sim_each_seed(60, body_one_dial);
}

/* Peers that play badly while nobody knows the pieces and after: the download
 * completes, and no honest one is banned. */
static void body_hostile(struct sim *s)
{
    enum sim_script script = (enum sim_script)(s->seed % SIM_N_SCRIPTS);
    struct sim_content *c = content(s);
    struct sim_torrent *st = add_magnet(s, c, 8000);
    struct sim_fake *good = sim_fake_new(s, c, SIM_HONEST, MIB / 4);
    sim_add_peer(st, &good->host);
    for (uint32_t i = 1 + sim_below(s, 4); i > 0; i--) {
        struct sim_fake *bad = sim_fake_new(s, c, script, MIB);
        if (sim_chance(s, 2)) {
            sim_fake_haunt(bad, &st->node->host);
        } else {
            sim_add_peer(st, &bad->host);
        }
    }
    sim_run(s, sim_below(s, 20000));
    struct sim_node *seed = add_seed(s, c);
    sim_add_peer(st, &seed->host);
    if (!sim_run_until(s, sim_is_complete, st, 180000)) {
        print_message("with %s\n", sim_script_name(script));
        sim_failed(s, "completes", __FILE__, __LINE__);
    }
    SIM_CHECK(s, !sim_is_banned(st, &good->host));
    SIM_CHECK(s, !sim_is_banned(st, &seed->host));
    sim_run(s, 30000);
}

static void test_hostile(void **state)
{
    (void)state;
    sim_each_seed(SIM_N_SCRIPTS * 4, body_hostile);
}

/* A crowd of magnets and one seed, links that break, and some that are stopped
 * at any time, the startup included. */
static void body_crowd(struct sim *s)
{
    struct sim_content *c = content(s);
    struct sim_tracker *k = sim_tracker_new(s, SIM_TRACKER_OK);
    sim_start(sim_torrent_new(sim_node_new(s, MIB, 4 * MIB), c, k, true));
    s->cut_one_in = 3000;
    for (uint32_t i = 2 + sim_below(s, 6); i > 0; i--) {
        struct sim_node *n = sim_node_new(s, MIB, 4 * MIB);
        struct sim_torrent *st = sim_magnet_new(n, c, k);
        st->learn_ms = 4000;
        sim_start(st);
        if (sim_chance(s, 3)) {
            sim_run(s, sim_below(s, 8000));
            sim_stop(st);
            SIM_CHECK(s, sim_run_until(s, sim_is_stopped, st, 60000));
            sim_restart(st);
        }
    }
    SIM_CHECK(s, sim_run_until(s, sim_all_complete, s, 300000));
}

static void test_crowd(void **state)
{
    (void)state;
    sim_each_seed(40, body_crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_dial),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_crowd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
