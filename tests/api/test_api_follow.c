/* Following an engine in another process. The engine is played by the test: it
 * holds the lock, and what it writes next is written in the follower's own
 * callback, so the order is certain and nothing waits.
 */
#include "api/api_kit.h"
#include "journal/add.h"
#include "journal/batch.h"
#include "journal/load.h"
#include "journal/removal.h"
#include "journal/runs.h"

#include <stdatomic.h>

#define MAX_SHOWS 3

struct play {
    struct kit *k;
    struct journal *engine; /* owns; holds the lock */
    int64_t ids[MAX_SHOWS];
    char log[1024]; /* "ADDED:1 STATE:1=downloading ..." without STATS */
    int n_stats;
    int status; /* of the last ERROR */
    char text[256];
    struct btc_progress last; /* of the last event; strings are not kept */
    void (*on)(struct play *p, const struct btc_event *ev);
};

static const char *const event_names[] = {
    "ADDED", "METADATA", "CHECKING", "PIECE", "FILE",
    "STATS", "STATE",    "DONE",     "ERROR", "RELOAD"};

/* All files of a torrent are there. */
static void play_files(struct play *p, int which, struct journal_batch *batch)
{
    struct journal_file *files = NULL;
    size_t n = 0;
    assert_int_equal(
        journal_load_files(p->engine, p->ids[which], &files, &n, NULL), 0);
    for (size_t i = 0; i < n; i++) {
        files[i].state.bytes_done = files[i].length;
        journal_put_file(batch, p->ids[which], (uint32_t)i, &files[i].state);
    }
    journal_files_free(files, n);
}

/* What the engine would write. */
static void play_stat(struct play *p, int which, const char *state,
                      uint64_t done, const char *error)
{
    struct journal_batch *batch = journal_batch_new();
    struct journal_stat stat = {.bytes_done = done,
                                .bytes_total = 93100,
                                .pieces_done = 3,
                                .down_rate = 1000,
                                .eta_s = 60,
                                .peers = 2,
                                .seeds = 1,
                                .downloaded = done,
                                .uploaded = done / 2,
                                .checked_to = 5,
                                .error_code = error ? BTC_E_IO : 0};
    stat.state = btc_state_from_name(state);
    stat.error = error;
    journal_put_stat(batch, p->ids[which], &stat);
    if (done == stat.bytes_total) {
        play_files(p, which, batch);
    }
    assert_int_equal(journal_apply(p->engine, batch, NULL), 0);
    journal_batch_free(batch);
}

static void play_event(void *ctx, const struct btc_event *ev)
{
    struct play *p = ctx;
    size_t at = strlen(p->log);
    assert_true(ev->at > 1600000000);
    if (ev->n > 0) {
        p->last = ev->progress[0];
    }
    if (ev->type == BTC_EVENT_STATS) {
        p->n_stats++;
    } else if (ev->type == BTC_EVENT_STATE) {
        (void)snprintf(p->log + at, sizeof(p->log) - at, "STATE:%lld=%s ",
                       (long long)ev->id, btc_state_name(ev->progress->state));
    } else {
        (void)snprintf(p->log + at, sizeof(p->log) - at, "%s:%lld ",
                       event_names[ev->type], (long long)ev->id);
    }
    if (ev->type == BTC_EVENT_ERROR) {
        p->status = ev->status;
        (void)snprintf(p->text, sizeof(p->text), "%s", ev->text);
    }
    if (p->on) {
        p->on(p, ev);
    }
}

/* An engine with `n` torrents that download. */
static void play_begin(struct play *p, struct kit *k, int n)
{
    struct journal_run before;
    memset(p, 0, sizeof(*p));
    p->k = k;
    for (int i = 0; i < n; i++) {
        char name[16], torrent[32];
        (void)snprintf(name, sizeof(name), "show%d", i);
        (void)snprintf(torrent, sizeof(torrent), "%s.torrent", name);
        kit_show(name, (uint8_t)i);
        assert_int_equal(kit_add(k, torrent, NULL, &p->ids[i], NULL), 0);
    }
    assert_int_equal(
        journal_open(btc_path(k->b), JOURNAL_ENGINE, &p->engine, NULL), 0);
    assert_int_equal(journal_begin_run(p->engine, &before, NULL), 0);
    for (int i = 0; i < n; i++) {
        play_stat(p, i, "downloading", 1000, NULL);
    }
}

static int play_follow(struct play *p, size_t n_ids, int64_t max_time_s)
{
    struct btc_run_options o = {.ids = p->ids,
                                .n_ids = n_ids,
                                .tick_ms = 1,
                                .patience.max_time_s = max_time_s,
                                .on_event = play_event,
                                .ctx = p};
    p->k->e = (struct btc_error){0};
    int status = btc_follow(p->k->b, &o, &p->k->e);
    journal_close(p->engine);
    return status;
}

static void on_download(struct play *p, const struct btc_event *ev)
{
    if (ev->type == BTC_EVENT_STATS && p->n_stats == 1) {
        assert_string_equal(ev->progress->name, "show0");
        assert_int_equal(ev->progress->state, BTC_STATE_DOWNLOADING);
        assert_int_equal(ev->progress->bytes_done, 1000);
        assert_int_equal(ev->progress->bytes_total, 93100);
        assert_int_equal(ev->progress->pieces_total, 7);
        assert_int_equal(ev->progress->pieces_done, 3);
        assert_int_equal(ev->progress->down_rate, 1000);
        assert_int_equal(ev->progress->eta_s, 60);
        assert_int_equal(ev->progress->peers, 2);
        assert_int_equal(ev->progress->seeds, 1);
        assert_int_equal(strlen(ev->progress->info_hash), 40);
        assert_string_equal(ev->progress->save_path, p->k->dir);
        assert_null(ev->progress->error);
        play_stat(p, 0, "checking", 5000, NULL);
    } else if (ev->type == BTC_EVENT_CHECKING) {
        assert_int_equal(ev->progress->pieces_checking, 2);
        play_stat(p, 0, "complete", 93100, NULL);
    }
}

static void on_stale(struct play *p, const struct btc_event *ev)
{
    if (ev->type == BTC_EVENT_STATS && p->n_stats == 1) {
        assert_null(strstr(p->log, "DONE"));
        play_stat(p, 0, "complete", 93100, NULL);
    }
}

/* Complete is what was wanted before; the engine has not looked yet. */
static void test_stale_complete(void **state)
{
    struct play p;
    play_begin(&p, *state, 1);
    p.on = on_stale;
    play_stat(&p, 0, "complete", 50000, NULL);
    assert_int_equal(play_follow(&p, 1, 5), 0);
    assert_string_equal(p.log, "ADDED:1 DONE:1 ");
    assert_true(p.n_stats > 1);
}

static void test_download(void **state)
{
    struct play p;
    play_begin(&p, *state, 1);
    p.on = on_download;
    assert_int_equal(play_follow(&p, 1, 0), 0);
    assert_string_equal(p.log, "ADDED:1 STATE:1=checking CHECKING:1 "
                               "STATE:1=complete DONE:1 ");
    assert_int_equal(p.n_stats, 3);
    assert_int_equal(p.last.bytes_done, 93100);
    assert_true(p.last.ratio > 0.49 && p.last.ratio < 0.51);
}

/* Without ids: what is wished to run. */
static void on_all(struct play *p, const struct btc_event *ev)
{
    if (ev->type == BTC_EVENT_STATS && p->n_stats == 1) {
        assert_int_equal(ev->n, 2);
        play_stat(p, 0, "seeding", 93100, NULL);
        play_stat(p, 2, "complete", 93100, NULL);
    }
}

static void test_all(void **state)
{
    struct play p;
    play_begin(&p, *state, 3);
    assert_int_equal(btc_pause(p.k->b, p.ids[1], &p.k->e), 0);
    p.on = on_all;
    assert_int_equal(play_follow(&p, 0, 0), 0);
    assert_string_equal(p.log, "ADDED:1 ADDED:3 STATE:1=seeding DONE:1 "
                               "STATE:3=complete DONE:3 ");
}

/* A torrent that fails does not end the others. The grace for an error from
 * before is over by the time it counts, so this one takes its 2 s. */
static void on_some(struct play *p, const struct btc_event *ev)
{
    if (ev->type == BTC_EVENT_STATS && p->n_stats == 1) {
        play_stat(p, 0, "error", 1000, "the disk is on fire");
        play_stat(p, 1, "complete", 93100, NULL);
    }
}

static void test_some(void **state)
{
    struct play p;
    play_begin(&p, *state, 2);
    p.on = on_some;
    assert_int_equal(play_follow(&p, 2, 60), BTC_STATUS_SOME);
    assert_non_null(strstr(p.log, "STATE:1=error "));
    assert_non_null(strstr(p.log, "DONE:2 "));
    assert_non_null(strstr(p.log, "ERROR:1 "));
    assert_int_equal(p.status, BTC_STATUS_IO);
    assert_string_equal(p.text, "the disk is on fire");
    kit_assert_says(p.k, "show0: the disk is on fire");
}

/* An error from before that the engine clears in time is none. */
static void on_cleared(struct play *p, const struct btc_event *ev)
{
    if (ev->type == BTC_EVENT_STATS && p->n_stats == 2) {
        play_stat(p, 0, "complete", 93100, NULL);
    }
}

static void test_cleared(void **state)
{
    struct play p;
    play_begin(&p, *state, 1);
    play_stat(&p, 0, "waiting-storage", 0, "gone");
    p.on = on_cleared;
    assert_int_equal(play_follow(&p, 1, 0), 0);
    assert_string_equal(p.log, "ADDED:1 STATE:1=complete DONE:1 ");
}

static void on_end(struct play *p, const struct btc_event *ev)
{
    if (ev->type == BTC_EVENT_STATS && p->engine) {
        journal_close(p->engine);
        p->engine = NULL;
    }
}

static void test_engine_ends(void **state)
{
    struct play p;
    play_begin(&p, *state, 1);
    p.on = on_end;
    assert_int_equal(play_follow(&p, 1, 0), BTC_STATUS_INTERRUPTED);
    kit_assert_says(p.k, "btc resume");
}

/* It ended because all was done: its last rows count. */
static void on_last_rows(struct play *p, const struct btc_event *ev)
{
    if (ev->type == BTC_EVENT_STATS && p->engine) {
        play_stat(p, 0, "complete", 93100, NULL);
        journal_close(p->engine);
        p->engine = NULL;
    }
}

static void test_engine_done(void **state)
{
    struct play p;
    play_begin(&p, *state, 1);
    p.on = on_last_rows;
    assert_int_equal(play_follow(&p, 1, 0), 0);
}

static void on_signals(struct play *p, const struct btc_event *ev)
{
    if (ev->type == BTC_EVENT_ADDED) {
        btc_signal(p->k->b, BTC_SIGNAL_STATS);
        btc_signal(p->k->b, BTC_SIGNAL_RELOAD);
    } else if (ev->type == BTC_EVENT_STATS && ev->asked) {
        btc_signal(p->k->b, BTC_SIGNAL_STOP);
    }
}

static void test_signals(void **state)
{
    struct play p;
    play_begin(&p, *state, 1);
    p.on = on_signals;
    assert_int_equal(play_follow(&p, 1, 0), BTC_STATUS_INTERRUPTED);
    assert_string_equal(p.log, "ADDED:1 RELOAD:0 ");
    kit_assert_says(p.k, "goes on");
}

static void on_removed(struct play *p, const struct btc_event *ev)
{
    if (ev->type == BTC_EVENT_ADDED) {
        struct journal_removal r;
        assert_int_equal(
            journal_set_wish(p->engine, p->ids[0], "wanted", "remove", NULL),
            0);
        assert_int_equal(
            journal_remove_torrent(p->engine, p->ids[0], false, &r, NULL), 0);
    }
}

static void test_removed(void **state)
{
    struct play p;
    play_begin(&p, *state, 1);
    p.on = on_removed;
    assert_int_equal(play_follow(&p, 1, 0), BTC_STATUS_NOT_FOUND);
    assert_string_equal(p.log, "ADDED:1 ERROR:1 ");
    assert_string_equal(p.text, "the torrent was removed");
}

static void test_time_limit(void **state)
{
    struct play p;
    play_begin(&p, *state, 1);
    assert_int_equal(play_follow(&p, 1, 1), BTC_STATUS_STALLED);
    assert_string_equal(p.log, "ADDED:1 ");
}

static void test_unknown_id(void **state)
{
    struct play p;
    play_begin(&p, *state, 1);
    p.ids[0] = 99;
    assert_int_equal(play_follow(&p, 1, 0), BTC_STATUS_NOT_FOUND);
    kit_assert_says(p.k, "99");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stale_complete, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_download, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_all, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_some, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_cleared, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_engine_ends, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_engine_done, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_signals, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_removed, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_time_limit, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_unknown_id, kit_setup,
                                        kit_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
