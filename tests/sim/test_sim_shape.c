/* Shapes of torrents, and what a person changes while they run. */
#include "sim/sim_fake.h"
#include "sim/sim_node.h"

#define KIB 1024ull
#define MIB (1024ull * 1024)

/* A torrent of this shape, downloaded from a fake, then served by us. */
static void run_shape(struct sim *s, const struct sim_shape *sh)
{
    struct sim_content *c = sim_content_new(s, sh);
    struct sim_node *n = sim_node_new(s, 4 * MIB, MIB);
    struct sim_node *m = sim_node_new(s, 4 * MIB, MIB);
    struct sim_torrent *a = sim_torrent_new(n, c, NULL, false);
    struct sim_torrent *b = sim_torrent_new(m, c, NULL, false);
    struct sim_fake *f = sim_fake_new(s, c, SIM_HONEST, 4 * MIB);
    sim_start(a);
    sim_start(b);
    sim_add_peer(a, &f->host);
    sim_add_peer(b, &n->host);
    SIM_CHECK(s, sim_run_until(s, sim_all_complete, s, 60000));
    SIM_CHECK(s, a->told_complete && b->told_complete);
    SIM_CHECK(s, a->journal.piece.count == c->geom.n_pieces);
    SIM_CHECK(s, torrent_state(b->t) == TORRENT_SEEDING);
    for (uint32_t i = 0; i < c->geom.n_files; i++) {
        SIM_CHECK(s, torrent_file_done(b->t, i) == c->files[i].length);
    }
    /* A stop and a start change nothing. */
    sim_stop(b);
    SIM_CHECK(s, sim_run_until(s, sim_is_stopped, b, 4000));
    sim_restart(b);
    sim_run(s, 1000);
    SIM_CHECK(s, torrent_state(b->t) == TORRENT_SEEDING);
}

static void body_shape(struct sim *s)
{
    const struct sim_shape shapes[] = {
        {.total = 300 * KIB + 100, .piece_length = KIB},
        {.total = 1, .piece_length = 16384},
        {.total = 20000, .piece_length = 65536},
        {.total = 16384, .piece_length = 16384},
        {.total = 65537, .piece_length = 65536},
        {.total = 0, .piece_length = 16384},
        {.total = 600 * KIB, .piece_length = 32768, .n_files = 7, .pads = true},
        {.total = 900 * KIB,
         .piece_length = 262144,
         .n_files = 4,
         .pads = true},
        {.total = 100 * KIB, .piece_length = KIB, .n_files = 8, .pads = true},
        {.total = 2 * MIB + 1, .piece_length = 2 * MIB, .n_files = 3},
        {.total = 50 * KIB, .piece_length = 16384, .n_files = 8},
    };
    run_shape(s, &shapes[s->seed % (sizeof shapes / sizeof shapes[0])]);
}

static void test_shapes(void **state)
{
    (void)state;
    sim_each_seed(55, body_shape);
}

/* Whole pieces of nothing but padding are there without anybody asked. */
static void body_pad_pieces(struct sim *s)
{
    struct sim_shape sh = {.total = 640 * KIB, .piece_length = 16384};
    struct sim_content *c = sim_content_new(s, &sh);
    c->files[0] = (struct layout_file){.length = 100 * KIB};
    c->files[1] = (struct layout_file){
        .offset = 100 * KIB, .length = 400 * KIB, .pad = true};
    c->files[2] =
        (struct layout_file){.offset = 500 * KIB, .length = 140 * KIB};
    c->geom.n_files = 3;
    memset(c->data + 100 * KIB, 0, 400 * KIB);
    for (uint32_t i = 0; i < c->geom.n_pieces; i++) {
        hash_sha1(sim_content_block(c, i, 0, 16384),
                  c->hashes + (size_t)i * SHA1_LEN);
    }
    struct sim_node *n = sim_node_new(s, MIB, MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    struct sim_fake *f = sim_fake_new(s, c, SIM_HONEST, MIB);
    bool bad = sim_chance(s, 2);
    if (bad) {
        c->hashes[20ull * SHA1_LEN] ^= 1; /* nobody can ever satisfy this */
    }
    sim_start(st);
    sim_add_peer(st, &f->host);
    sim_run(s, 20000);
    SIM_CHECK(s, bad ? st->error == BTC_E_METAINFO : sim_is_complete(st));
    SIM_CHECK(s, f->n_blocks <= 18);
}

static void test_pad_pieces(void **state)
{
    (void)state;
    sim_each_seed(10, body_pad_pieces);
}

/* Priorities, order, limits change in mid-flight. */
static void body_wishes(struct sim *s)
{
    struct sim_shape sh = {.total = 4 * MIB,
                           .piece_length = 32768u << sim_below(s, 3),
                           .n_files = 8};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, MIB, MIB << sim_below(s, 3));
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    struct sim_fake *leech = sim_fake_new(s, c, SIM_LEECH, MIB);
    sim_start(st);
    for (int i = 0; i < 3; i++) {
        struct sim_fake *f =
            sim_fake_new(s, c, i == 2 ? SIM_CHURN : SIM_HONEST, MIB / 4);
        sim_add_peer(st, &f->host);
    }
    sim_fake_dial(leech, &n->host);
    for (int i = 0; i < 30; i++) {
        sim_run(s, sim_below(s, 400));
        sim_set_priority(st, sim_below(s, c->geom.n_files),
                         (uint8_t)sim_below(s, PICKER_PRIO_MAX + 1));
        torrent_set_sequential(st->t, sim_chance(s, 2));
        torrent_set_limits(st->t, sim_chance(s, 2) ? 0 : sim_below(s, 100000),
                           1 + sim_below(s, 10), s->now_ms);
        sim_input(st, &(struct event){.type = EVENT_TICK});
    }
    /* Nothing is wanted: complete, and nothing more is asked for. */
    for (uint32_t i = 0; i < c->geom.n_files; i++) {
        sim_set_priority(st, i, PICKER_PRIO_OFF);
    }
    sim_run(s, 5000);
    uint64_t asked = st->n_requests;
    SIM_CHECK(s, sim_is_complete(st));
    sim_run(s, 5000);
    SIM_CHECK(s, st->n_requests == asked);
    /* All is wanted; nobody but the clock tells the torrent. */
    torrent_set_limits(st->t, 0, 10, s->now_ms);
    for (uint32_t i = 0; i < c->geom.n_files; i++) {
        sim_set_priority(st, i, PICKER_PRIO_NORMAL);
    }
    sim_wake(st);
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 120000));
    sim_fake_dial(leech, &n->host); /* there may have been no room before */
    sim_run(s, 30000);
    SIM_CHECK(s, leech->bytes_got > 0);
}

static void test_wishes(void **state)
{
    (void)state;
    sim_each_seed(40, body_wishes);
}

/* Serving stays within the limit, and knows none when it is lifted. */
static void body_limits(struct sim *s)
{
    struct sim_shape sh = {.total = 4 * MIB, .piece_length = 65536};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, 4 * MIB, 4 * MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, true);
    struct sim_node *m = sim_node_new(s, 4 * MIB, 4 * MIB);
    struct sim_torrent *other = sim_torrent_new(m, c, NULL, false);
    torrent_set_limits(st->t, 100000, 50, s->now_ms);
    sim_start(st);
    sim_start(other);
    sim_add_peer(other, &n->host);
    uint64_t before = s->now_ms;
    sim_run(s, 20000);
    uint64_t most = 100000 * (s->now_ms - before) / 1000;
    SIM_CHECK(s, st->served > most / 2);
    SIM_CHECK(s, st->served < most + 700000);
    torrent_set_limits(st->t, 0, 50, s->now_ms);
    SIM_CHECK(s, sim_run_until(s, sim_all_complete, s, 30000));
}

static void test_limits(void **state)
{
    (void)state;
    sim_each_seed(5, body_limits);
}

/* Several torrents share a node's memory and its slots for hashing. */
static void body_several(struct sim *s)
{
    struct sim_node *n = sim_node_new(s, 2 * MIB, MIB);
    struct sim_tracker *k = sim_tracker_new(s, SIM_TRACKER_FLAKY);
    for (int i = 0; i < 4; i++) {
        struct sim_shape sh = {.total = MIB + 100, .piece_length = 262144};
        struct sim_content *c = sim_content_new(s, &sh);
        struct sim_torrent *st = sim_torrent_new(n, c, k, false);
        struct sim_node *m = sim_node_new(s, MIB, MIB);
        struct sim_torrent *seed = sim_torrent_new(m, c, k, true);
        for (uint32_t p = 0; i % 2 == 0 && p < c->geom.n_pieces; p++) {
            sim_disk_fill(&st->disk);
            torrent_check_piece(st->t, p, false);
        }
        st->disk.delay_ms = 500;
        sim_start(st);
        sim_start(seed);
    }
    SIM_CHECK(s, sim_run_until(s, sim_all_complete, s, 7200000));
}

static void test_several(void **state)
{
    (void)state;
    sim_each_seed(20, body_several);
}

/* No peer, no tracker: only the hash slots that another torrent holds. */
static void body_hash_slots(struct sim *s)
{
    struct sim_node *n = sim_node_new(s, MIB, MIB);
    for (int i = 0; i < 3; i++) {
        struct sim_shape sh = {.total = 40 * 16384ull, .piece_length = 16384};
        struct sim_content *c = sim_content_new(s, &sh);
        struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
        sim_disk_fill(&st->disk);
        for (uint32_t p = 0; p < c->geom.n_pieces; p++) {
            torrent_check_piece(st->t, p, true);
        }
        if (i == 1) {
            torrent_set_check_only(st->t);
        }
        st->disk.delay_ms = 100;
        sim_start(st);
    }
    SIM_CHECK(s, sim_run_until(s, sim_all_complete, s, 30000));
}

static void test_hash_slots(void **state)
{
    (void)state;
    sim_each_seed(5, body_hash_slots);
}

/* A tracker tells us our own address: we learn that it is ours, once. */
static void body_self(struct sim *s)
{
    struct sim_shape sh = {.total = MIB, .piece_length = 65536};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, MIB, MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, s->seed % 2 == 0);
    sim_start(st);
    sim_add_peer(st, &n->host);
    sim_run(s, 120000);
    const struct peerset_entry *e =
        peerset_find(torrent_peerset(st->t), &n->host.addr);
    SIM_CHECK(s, e != NULL && e->is_self && e->failures == 1);
}

static void test_self(void **state)
{
    (void)state;
    sim_each_seed(6, body_self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),  cmocka_unit_test(test_pad_pieces),
        cmocka_unit_test(test_wishes),  cmocka_unit_test(test_limits),
        cmocka_unit_test(test_several), cmocka_unit_test(test_hash_slots),
        cmocka_unit_test(test_self),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
