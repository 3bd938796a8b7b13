/* The good cases: one seed, swarms, shapes of content. */
#include "model/block.h"
#include "sim/sim_fake.h"
#include "sim/sim_node.h"

#define MIB (1024ull * 1024)

/* A torrent of ours and an honest seed. */
static void body_one_seed(struct sim *s)
{
    struct sim_shape sh = {.total = 4 * MIB - sim_below(s, 40000),
                           .piece_length = 65536u << sim_below(s, 3),
                           .n_files = 1 + sim_below(s, 5)};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, 4 * MIB, 8 * MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    struct sim_fake *f = sim_fake_new(s, c, SIM_HONEST, 4 * MIB);
    sim_start(st);
    sim_add_peer(st, &f->host);
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 10000));
    SIM_CHECK(s,
              st->told_complete && st->journal.piece.count == c->geom.n_pieces);
    SIM_CHECK(s, f->n_blocks * BLOCK_LEN < sh.total + sh.total / 4);
}

static void test_one_seed(void **state)
{
    (void)state;
    sim_each_seed(20, body_one_seed);
}

/* Many leechers and one seed, all of our own core, through a tracker. */
static void body_swarm(struct sim *s)
{
    struct sim_shape sh = {.total = 2 * MIB, .piece_length = 65536};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_tracker *k = sim_tracker_new(s, SIM_TRACKER_OK);
    for (int i = 0; i < 51; i++) {
        struct sim_node *n = sim_node_new(s, MIB, 4 * MIB);
        sim_start(sim_torrent_new(n, c, k, i == 0));
    }
    SIM_CHECK(s, sim_run_until(s, sim_all_complete, s, 300000));
}

static void test_swarm(void **state)
{
    (void)state;
    sim_each_seed(3, body_swarm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_seed),
        cmocka_unit_test(test_swarm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
