/* The engine by way of the public interface: what may be called while it runs,
 * the map, signals. The engine itself is tested elsewhere.
 */
#include "api/api_kit.h"
#include "journal/batch.h"

#include <pthread.h>
#include <stdatomic.h>

#define DATA_LEN 200000u

/* A folder with a file of real data, and its torrent. */
static int64_t make_real(struct kit *k, bool with_data)
{
    static uint8_t data[DATA_LEN];
    struct btc_create_result r = {0};
    struct btc_create_options o = {.path = "real",
                                   .output = "real.torrent",
                                   .piece_length = KIT_PIECE,
                                   .force = true};
    int64_t id = 0;
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    }
    kit_write("real/a.bin", data, sizeof(data));
    assert_int_equal(btc_create(&o, &r, &k->e), 0);
    assert_int_equal(r.total_size, DATA_LEN);
    assert_int_equal(r.piece_count, (DATA_LEN + KIT_PIECE - 1) / KIT_PIECE);
    assert_int_equal(strlen(r.info_hash), 40);
    if (!with_data) {
        assert_int_equal(unlink("real/a.bin"), 0);
    }
    assert_int_equal(kit_add(k, "real.torrent", NULL, &id, NULL), 0);
    return id;
}

static void test_create_refuses(void **state)
{
    struct kit *k = *state;
    struct btc_create_options o = {.path = "absent", .output = "x.torrent"};
    assert_int_equal(btc_create(&o, NULL, &k->e), BTC_STATUS_NOT_FOUND);
    kit_assert_says(k, "absent");
}

/* --- the map from the journal --- */

static void test_map(void **state)
{
    struct kit *k = *state;
    struct journal *db = NULL;
    struct btc_cell cells[13], few[2], many[26];
    int64_t id = make_real(k, false);
    assert_int_equal(btc_map(k->b, id, cells, 13, &k->e), 0);
    for (int i = 0; i < 13; i++) {
        assert_int_equal(cells[i].done + cells[i].active, 0);
    }
    assert_int_equal(journal_open(btc_path(k->b), 0, &db, NULL), 0);
    struct journal_batch *batch = journal_batch_new();
    struct journal_stat stat = {
        .state = BTC_STATE_CHECKING, .checked_to = 9, .eta_s = -1};
    for (uint32_t i = 0; i < 6; i++) {
        journal_put_piece(batch, id, i, 1700000000);
    }
    journal_put_block(batch, id, 8, 0);
    journal_put_stat(batch, id, &stat);
    assert_int_equal(journal_apply(db, batch, NULL), 0);
    journal_batch_free(batch);
    journal_close(db);
    assert_int_equal(btc_map(k->b, id, cells, 13, &k->e), 0);
    assert_int_equal(cells[5].done, 8);
    assert_int_equal(cells[6].done, 0);
    assert_int_equal(cells[8].active, 1);
    assert_int_equal(cells[7].active, 0);
    assert_int_equal(cells[9].checking, 1);
    assert_int_equal(cells[8].checking, 0);
    assert_int_equal(btc_map(k->b, id, few, 2, &k->e), 0);
    assert_int_equal(few[0].done, 8); /* pieces 0 to 5 of 13 */
    assert_int_equal(few[1].done, 0);
    assert_int_equal(few[1].active, 1);
    assert_int_equal(btc_map(k->b, id, many, 26, &k->e), 0);
    assert_int_equal(many[11].done, 8); /* each piece twice */
    assert_int_equal(many[12].done, 0);
    assert_int_equal(btc_map(k->b, 99, cells, 13, &k->e), BTC_STATUS_NOT_FOUND);
}

/* --- inside a run --- */

struct run {
    struct kit *k;
    int64_t id;
    int n_added, n_done, n_stats, n_reload;
    bool looked;
};

/* Everything that a front may do while its own thread runs the engine. */
static void look_around(struct run *r)
{
    struct kit *k = r->k;
    struct btc_run_options none = {0};
    struct btc_cell cells[4];
    int64_t id = 0;
    r->looked = true;
    kit_assert_cell(k, "progress", r->id, "name", "real");
    assert_int_equal(btc_find(k->b, "real", &id, &k->e), 0);
    assert_int_equal(id, r->id);
    assert_int_equal(btc_map(k->b, r->id, cells, 4, &k->e), 0);
    assert_int_equal(btc_set(k->b, r->id, "label", "inside", &k->e), 0);
    assert_int_equal(btc_run(k->b, &none, &k->e), BTC_STATUS_USAGE);
    assert_int_equal(btc_follow(k->b, &none, &k->e), BTC_STATUS_USAGE);
    assert_int_equal(btc_engine_pid(btc_path(k->b)), getpid());
    btc_set_limits(k->b, 1000, 2000);
    btc_set_limits(k->b, 0, 0);
    btc_signal(k->b, BTC_SIGNAL_RELOAD);
    btc_signal(k->b, BTC_SIGNAL_STATS);
}

static void on_event(void *ctx, const struct btc_event *ev)
{
    struct run *r = ctx;
    r->n_added += ev->type == BTC_EVENT_ADDED;
    r->n_done += ev->type == BTC_EVENT_DONE;
    r->n_stats += ev->type == BTC_EVENT_STATS && ev->asked;
    r->n_reload += ev->type == BTC_EVENT_RELOAD;
    if (ev->type == BTC_EVENT_ADDED && !r->looked) {
        look_around(r);
    }
}

/* Data that is there already: verified, journaled, done. */
static void test_run_complete(void **state)
{
    struct run r = {.k = *state};
    r.id = make_real(r.k, true);
    struct btc_run_options o = {.ids = &r.id,
                                .n_ids = 1,
                                .bind = "127.0.0.1",
                                .tick_ms = 50,
                                .on_event = on_event,
                                .ctx = &r};
    assert_int_equal(btc_run(r.k->b, &o, &r.k->e), 0);
    assert_true(r.looked);
    assert_int_equal(r.n_done, 1);
    assert_int_equal(r.n_added, 1);
    kit_assert_cell(r.k, "progress", r.id, "state", "complete");
    kit_assert_cell(r.k, "progress", r.id, "label", "inside");
    kit_assert_cell(r.k, "progress", r.id, "percent", "100.000");
    assert_int_equal(btc_engine_pid(btc_path(r.k->b)), 0);
    struct btc_cell cells[3];
    assert_int_equal(btc_map(r.k->b, r.id, cells, 3, &r.k->e), 0);
    assert_int_equal(cells[0].done + cells[1].done + cells[2].done, 24);
}

/* A check looks for bad pieces, not for peers: that nobody could give them is
 * no news of it. */
static void test_run_check(void **state)
{
    struct kit *k = *state;
    int64_t id = make_real(k, true);
    struct btc_run_options o = {
        .ids = &id, .n_ids = 1, .bind = "127.0.0.1", .check_only = true};
    assert_int_equal(btc_run(k->b, &o, &k->e), 0);
    int fd = open("real/a.bin", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "spoiled", 7, 3 * KIT_PIECE), 7);
    assert_int_equal(close(fd), 0);
    assert_int_equal(btc_run(k->b, &o, &k->e), BTC_STATUS_VERIFY);
    kit_assert_says(k, "1 of 13 pieces");
}

/* Without ids a run is for what is not done: nothing of it is told again,
 * unless it is to be served or more of it is wished for. */
static void test_run_leaves_done(void **state)
{
    struct run r = {.k = *state};
    r.id = make_real(r.k, true);
    struct btc_run_options o = {
        .bind = "127.0.0.1", .tick_ms = 50, .on_event = on_event, .ctx = &r};
    assert_int_equal(btc_run(r.k->b, &o, &r.k->e), 0);
    assert_int_equal(r.n_done, 1);
    assert_int_equal(btc_run(r.k->b, &o, &r.k->e), 0);
    assert_int_equal(r.n_added, 1);
    assert_int_equal(r.n_done, 1);
    assert_int_equal(btc_set(r.k->b, r.id, "verify", "now", &r.k->e), 0);
    assert_int_equal(btc_run(r.k->b, &o, &r.k->e), 0);
    assert_int_equal(r.n_done, 2);
    o.ids = &r.id;
    o.n_ids = 1;
    assert_int_equal(btc_run(r.k->b, &o, &r.k->e), 0);
    assert_int_equal(r.n_done, 3);
}

static void test_run_refused(void **state)
{
    struct kit *k = *state;
    int64_t id = 99;
    struct btc_run_options o = {.ids = &id, .n_ids = 1};
    assert_int_equal(btc_run(k->b, &o, &k->e), BTC_STATUS_NOT_FOUND);
    kit_assert_says(k, "99");
    o = (struct btc_run_options){.seed = "long"};
    assert_int_equal(btc_run(k->b, &o, &k->e), BTC_STATUS_USAGE);
    kit_assert_says(k, "'long'");
    assert_int_equal(btc_engine_pid(btc_path(k->b)), 0);
}

/* A STOP from another thread, at any moment of a run, ends it; one that comes
 * when it is over hurts nobody. */
static void *stop_run(void *ctx)
{
    struct btc *b = ctx;
    for (int i = 0; i < 3; i++) {
        btc_signal(b, BTC_SIGNAL_STATS);
        btc_signal(b, BTC_SIGNAL_STOP);
    }
    return NULL;
}

/* A save path that cannot even be looked at (a loop of links here; elsewhere a
 * server or a stick that died under its mount) is told; nothing is lost. */
static void test_run_unreadable_place(void **state)
{
    struct kit *k = *state;
    struct btc_add_options add = {.dir = "place"};
    int64_t id = make_real(k, true);
    struct btc_run_options o = {.ids = &id, .n_ids = 1, .bind = "127.0.0.1"};
    assert_int_equal(btc_remove(k->b, id, false, &k->e), 0);
    assert_int_equal(mkdir("place", 0700), 0);
    assert_int_equal(rename("real", "place/real"), 0);
    assert_int_equal(kit_add(k, "real.torrent", &add, &id, NULL), 0);
    assert_int_equal(rename("place", "away"), 0);
    assert_int_equal(symlink("place", "place"), 0);
    assert_int_equal(btc_run(k->b, &o, &k->e), BTC_STATUS_IO);
    kit_assert_says(k, "/place: ");
    assert_int_equal(unlink("place"), 0);
    assert_int_equal(rename("away", "place"), 0);
    assert_int_equal(btc_run(k->b, &o, &k->e), 0);
}

static void test_run_stopped(void **state)
{
    struct kit *k = *state;
    int64_t id = make_real(k, false);
    struct btc_run_options o = {
        .ids = &id, .n_ids = 1, .bind = "127.0.0.1", .tick_ms = 50};
    for (int i = 0; i < 10; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, stop_run, k->b), 0);
        assert_int_equal(btc_run(k->b, &o, &k->e), BTC_STATUS_INTERRUPTED);
        (void)pthread_join(thread, NULL);
        /* what came too late for that run is for the next */
        btc_signal(k->b, BTC_SIGNAL_STOP);
        assert_int_equal(btc_run(k->b, &o, &k->e), BTC_STATUS_INTERRUPTED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_create_refuses, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_map, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_run_complete, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_run_check, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_run_leaves_done, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_run_refused, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_run_unreadable_place, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_run_stopped, kit_setup,
                                        kit_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
