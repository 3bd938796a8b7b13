/* Disks that fail, power that goes, memory that is short. */
#include "sim/sim_fake.h"
#include "sim/sim_node.h"

#define MIB (1024ull * 1024)
/* Read errors in a row that cost their pieces, before it is the drive. */
#define CHECK_SPOTS 2

/* The power goes again and again; in the end all is here. */
static void body_power(struct sim *s)
{
    struct sim_shape sh = {.total = 4 * MIB + 12345,
                           .piece_length = 32768u << sim_below(s, 5),
                           .n_files = 1 + sim_below(s, 4),
                           .pads = sim_chance(s, 2)};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, MIB, MIB << sim_below(s, 4));
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    st->disk.delay_ms = 1 + sim_below(s, 400);
    sim_start(st);
    for (int i = 0; i < 3; i++) {
        struct sim_fake *f =
            sim_fake_new(s, c, i == 0 ? SIM_HONEST : SIM_CHURN, MIB / 2);
        sim_add_peer(st, &f->host);
    }
    for (int i = 0; i < 6 && !sim_is_complete(st); i++) {
        sim_run(s, 200 + sim_below(s, 3000));
        sim_power_cut(st);
        for (struct sim_fake *f = s->fakes; f != NULL; f = f->next) {
            sim_add_peer(st, &f->host);
        }
    }
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 120000));
}

static void test_power(void **state)
{
    (void)state;
    sim_each_seed(60, body_power);
}

/* STOP at any moment: quiet soon, and the next run goes on. */
static void body_stop(struct sim *s)
{
    struct sim_shape sh = {.total = 3 * MIB + 777,
                           .piece_length = 16384u << sim_below(s, 7)};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_tracker *k =
        sim_tracker_new(s, (enum sim_tracker_mode)sim_below(s, 6));
    struct sim_node *n = sim_node_new(s, MIB, MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, k, false);
    st->disk.delay_ms = 1 + sim_below(s, 5000);
    for (int i = 0; i < 4; i++) {
        (void)sim_fake_new(s, c, i < 2 ? SIM_HONEST : SIM_LIAR_SOME, MIB / 4);
    }
    for (int i = 0; i < 5; i++) {
        sim_start(st);
        for (struct sim_fake *f = s->fakes; f != NULL; f = f->next) {
            sim_add_peer(st, &f->host);
        }
        sim_run(s, sim_below(s, 6000));
        sim_stop(st);
        SIM_CHECK(s, sim_run_until(s, sim_is_stopped, st,
                                   3500 + 4ull * st->disk.delay_ms));
        /* Whatever was received is on the disk and in the journal. */
        SIM_CHECK(s, n->pool.in_use == 0 && n->pool.reserved == 0);
        sim_restart(st);
    }
    st->disk.delay_ms = 20;
    for (struct sim_fake *f = s->fakes; f != NULL; f = f->next) {
        sim_add_peer(st, &f->host);
    }
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 200000));
}

static void test_stop(void **state)
{
    (void)state;
    sim_each_seed(60, body_stop);
}

/* The n-th write fails: the torrent stops, nothing false is claimed, and it
 * goes on when the disk is well again. */
static void body_fault(struct sim *s)
{
    struct sim_shape sh = {.total = 3 * MIB + 777,
                           .piece_length = 16384u << sim_below(s, 7)};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, MIB, MIB << sim_below(s, 3));
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    struct sim_fake *f = sim_fake_new(s, c, SIM_HONEST, MIB);
    st->disk.delay_ms = 1 + sim_below(s, 300);
    st->disk.fail_in = 1 + sim_below(s, 20);
    st->disk.fail_for = 1 + sim_below(s, 3);
    st->disk.fail_result = sim_chance(s, 2) ? BTC_E_NOSPACE : BTC_E_IO;
    sim_start(st);
    sim_add_peer(st, &f->host);
    for (int i = 0; i < 5 && !sim_is_complete(st); i++) {
        sim_run(s, 20000);
        if (st->error != 0) {
            SIM_CHECK(s, st->error == st->disk.fail_result);
            SIM_CHECK(s, sim_run_until(s, sim_is_stopped, st, 10000));
            sim_restart(st);
            sim_add_peer(st, &f->host);
        }
    }
    SIM_CHECK(s, sim_is_complete(st));
}

static void test_fault(void **state)
{
    (void)state;
    sim_each_seed(60, body_fault);
}

/* Blocks in the journal, those of whole pieces too. */
static uint32_t journal_blocks(const struct sim_torrent *st)
{
    const struct layout *g = &st->c->geom;
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n_pieces; i++) {
        n += bits_get(&st->journal.piece, i) ? layout_n_blocks(g, i)
                                             : st->journal.block[i].count;
    }
    return n;
}

/* The drive is pulled, remounted read-only, full, or takes no write, just when
 * pieces whose first blocks are in the journal become whole: the journal keeps
 * them. */
static void body_pulled(struct sim *s)
{
    static const int results[] = {BTC_E_STORAGE, BTC_E_PERMISSION,
                                  BTC_E_TIMEOUT, BTC_E_LIMIT,
                                  BTC_E_NOSPACE, BTC_E_IO};
    struct sim_shape sh = {.total = 8 * MIB,
                           .piece_length = 131072u << sim_below(s, 4)};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, MIB, 4 * MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    struct sim_fake *f = sim_fake_new(s, c, SIM_HONEST, MIB);
    st->disk.delay_ms = 1 + sim_below(s, 20);
    sim_start(st);
    sim_add_peer(st, &f->host);
    uint32_t whole = 0, blocks = 0;
    for (int i = 0; i < 200 && blocks <= whole; i++) {
        torrent_flush(st->t);
        sim_drain(st);
        sim_run(s, 20 + sim_below(s, 50));
        whole = st->journal.piece.count * layout_n_blocks(&c->geom, 0);
        blocks = journal_blocks(st);
    }
    SIM_CHECK(s, blocks > whole);
    st->disk.fail_in = 1;
    st->disk.fail_for = UINT32_MAX;
    st->disk.fail_result = results[sim_below(s, 6)];
    sim_run(s, 20000);
    SIM_CHECK(s, st->error == st->disk.fail_result);
    SIM_CHECK(s, journal_blocks(st) >= blocks);
    SIM_CHECK(s, sim_run_until(s, sim_is_stopped, st, 10000));
    st->disk.fail_for = 0;
    sim_restart(st);
    sim_add_peer(st, &f->host);
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 60000));
}

static void test_pulled(void **state)
{
    (void)state;
    sim_each_seed(40, body_pulled);
}

/* Pieces sixteen times larger than the memory. */
static void body_small_pool(struct sim *s)
{
    struct sim_shape sh = {.total = 36 * MIB, .piece_length = 16 * MIB};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, MIB, MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    st->disk.delay_ms = 1 + sim_below(s, 50);
    sim_start(st);
    for (int i = 0; i < 3; i++) {
        struct sim_fake *f = sim_fake_new(s, c, SIM_HONEST, 4 * MIB);
        sim_add_peer(st, &f->host);
    }
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 120000));
}

static void test_small_pool(void **state)
{
    (void)state;
    sim_each_seed(3, body_small_pool);
}

/* Data of unknown worth is hashed while the rest is downloaded; what was bad is
 * fetched again. Parts vanish and change below us later. */
static void body_check(struct sim *s)
{
    struct sim_shape sh = {.total = 4 * MIB + 5000, .piece_length = 65536};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, MIB, 4 * MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    struct sim_fake *f = sim_fake_new(s, c, SIM_HONEST, MIB);
    struct sim_fake *leech = sim_fake_new(s, c, SIM_LEECH, MIB);
    sim_disk_fill(&st->disk);
    for (uint32_t i = 0; i < c->geom.n_pieces; i++) {
        if (sim_chance(s, 3)) {
            sim_disk_spoil(&st->disk, i);
        } else if (sim_chance(s, 3)) {
            sim_disk_lose(&st->disk, i, 0);
        }
        if (sim_chance(s, 2)) {
            (void)bits_set(&st->journal.piece, i);
            torrent_check_piece(st->t, i, true);
        } else {
            torrent_check_piece(st->t, i, false);
        }
    }
    sim_start(st);
    sim_add_peer(st, &f->host);
    sim_add_peer(st, &leech->host);
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 30000));
    SIM_CHECK(s, st->journal.piece.count == c->geom.n_pieces);
    /* The file is cut short under a running seed. */
    st->told_complete = false;
    for (uint32_t i = c->geom.n_pieces / 2; i < c->geom.n_pieces; i++) {
        sim_disk_lose(&st->disk, i, 0);
    }
    sim_run(s, 300000);
    SIM_CHECK(s, sim_is_complete(st) && leech->bytes_got > 0);
}

static void test_check(void **state)
{
    (void)state;
    sim_each_seed(20, body_check);
}

/* The drive is pulled while it is checked or served from: nothing is lost. A
 * single bad spot costs its piece. */
static void body_unreadable(struct sim *s)
{
    static const int results[] = {BTC_E_STORAGE, BTC_E_PERMISSION,
                                  BTC_E_TIMEOUT, BTC_E_LIMIT, BTC_E_IO};
    struct sim_shape sh = {.total = 2 * MIB, .piece_length = 65536};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, MIB, MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, true);
    struct sim_fake *leech = sim_fake_new(s, c, SIM_LEECH, MIB);
    bool spot = sim_chance(s, 4);
    bool check = sim_chance(s, 2);
    for (uint32_t i = 0; check && i < c->geom.n_pieces; i++) {
        torrent_check_piece(st->t, i, true);
    }
    sim_start(st);
    sim_fake_dial(leech, &n->host);
    sim_run(s, sim_below(s, check ? 100 : 3000));
    st->disk.read_result = spot ? BTC_E_IO : results[sim_below(s, 5)];
    st->disk.read_fails = spot ? 2 : UINT32_MAX;
    sim_run(s, 30000);
    if (!spot) {
        bool seen = st->error != 0;
        SIM_CHECK(s, !seen || st->error == st->disk.read_result);
        SIM_CHECK(s, st->journal.piece.count + CHECK_SPOTS >= 32);
        if (seen) {
            SIM_CHECK(s, sim_run_until(s, sim_is_stopped, st, 4000));
            st->disk.read_fails = 0;
            sim_restart(st);
        }
    } else {
        SIM_CHECK(s, st->error == 0);
        SIM_CHECK(s, st->journal.piece.count + 2 >= 32);
    }
}

static void test_unreadable(void **state)
{
    (void)state;
    sim_each_seed(40, body_unreadable);
}

/* A disk that changes what is written ahead: nobody honest is banned for it,
 * the liar among them is, and when the disk is well again all is here. */
static void body_spoils(struct sim *s)
{
    struct sim_shape sh = {.total = 3 * MIB, .piece_length = 262144};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, MIB, 2 * MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    st->disk.spoils_one_in = 4 + sim_below(s, 40);
    sim_start(st);
    for (uint32_t i = 0; i < 1 + s->seed % 3; i++) {
        sim_add_peer(st, &sim_fake_new(s, c, SIM_HONEST, 100000)->host);
    }
    if (sim_chance(s, 2)) {
        sim_add_peer(st, &sim_fake_new(s, c, SIM_LIAR_SOME, 100000)->host);
    }
    (void)sim_run_until(s, sim_is_complete, st, 20000);
    st->disk.spoils_one_in = 0;
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 120000));
    for (struct sim_fake *f = s->fakes; f != NULL; f = f->next) {
        SIM_CHECK(s, f->script != SIM_HONEST || !sim_is_banned(st, &f->host));
    }
}

static void test_spoils(void **state)
{
    (void)state;
    sim_each_seed(60, body_spoils);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power),      cmocka_unit_test(test_stop),
        cmocka_unit_test(test_fault),      cmocka_unit_test(test_pulled),
        cmocka_unit_test(test_small_pool), cmocka_unit_test(test_check),
        cmocka_unit_test(test_unreadable), cmocka_unit_test(test_spoils),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
