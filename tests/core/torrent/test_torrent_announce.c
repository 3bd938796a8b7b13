/* What a torrent tells its trackers: numbers and events over a whole life. */
#include "core/torrent/torrent_kit.h"

#define SPLIT (2ull * KIT_PIECE)

/* The event of the last announce in a word; "-": none, "paused": none, of a
 * partial seed; "": nothing was announced since the last look. */
static const char *announced(const struct kit *k)
{
    static const char *const names[] = {[TRACKER_EVENT_NONE] = "-",
                                        [TRACKER_EVENT_STARTED] = "started",
                                        [TRACKER_EVENT_COMPLETED] = "completed",
                                        [TRACKER_EVENT_STOPPED] = "stopped"};
    const struct tracker_request *r = &k->announced;
    if (r->info_hash[0] == 0) {
        return "";
    }
    if (r->event == TRACKER_EVENT_NONE && r->partial_seed) {
        return "paused";
    }
    return names[r->event];
}

static void expect_at(struct kit *k, const char *event, uint64_t left, int line)
{
    if (strcmp(announced(k), event) != 0 || k->announced.left != left) {
        fail_msg("line %d: not event %s with left %" PRIu64 ": %s %" PRIu64,
                 line, event, left, announced(k), k->announced.left);
    }
    assert_memory_equal(k->announced.info_hash, k->info_hash, SHA1_LEN);
    assert_memory_equal(k->announced.peer_id, k->shared.swarm.peer_id, 20);
    memset(&k->announced, 0, sizeof k->announced);
}
#define EXPECT_ANNOUNCED(k, event, left) \
    expect_at((k), (event), (left), __LINE__)

/* The tracker's answer: a minute, nobody. */
static void answer(struct kit *k)
{
    struct event ev = {.type = EVENT_ANNOUNCED};
    struct tracker_reply r = {.interval = 60,
                              .min_interval = 60,
                              .seeders = -1,
                              .leechers = -1,
                              .downloaded = -1};
    ev.announced.reply = &r;
    kit_input(k, &ev);
}

static void fetch(struct kit *k, uint32_t conn, uint32_t piece)
{
    for (uint32_t i = 0; i < layout_n_blocks(&k->geom, piece); i++) {
        kit_block(k, conn, piece, i, true);
    }
    kit_answer(k, EVENT_FINISHED, piece, 0);
}

/* A seed that has unchoked us. */
static uint32_t seed(struct kit *k)
{
    uint32_t conn = kit_peer(k, true);
    kit_simple(k, conn, WIRE_HAVE_ALL);
    kit_simple(k, conn, WIRE_UNCHOKE);
    return conn;
}

/* Runs, announced. */
static void run(struct kit *k)
{
    (void)torrent_add_tracker(k->t, "http://t/a", 0);
    torrent_set_sequential(k->t, true);
    kit_event(k, EVENT_START);
    EXPECT_ANNOUNCED(k, "started", KIT_TOTAL);
    answer(k);
}

/* All of it: `completed`, once. */
static void test_whole(void **state)
{
    struct kit *k = kit_new_split(SPLIT);
    uint32_t conn;
    (void)state;
    run(k);
    conn = seed(k);
    for (uint32_t i = 0; i < KIT_PIECES; i++) {
        assert_string_equal(announced(k), "");
        fetch(k, conn, i);
    }
    EXPECT_ANNOUNCED(k, "completed", 0);
    answer(k);
    kit_wait(k, 60000);
    EXPECT_ANNOUNCED(k, "-", 0);
    answer(k);
    kit_event(k, EVENT_STOP);
    EXPECT_ANNOUNCED(k, "stopped", 0);
    answer(k);
    kit_free(k);
}

/* A part is no seed: no `completed`, what is not wanted counts as left, and
 * each announce says so (BEP 21), until the rest is wanted, too, and comes. */
static void test_partial(void **state)
{
    struct kit *k = kit_new_split(SPLIT);
    uint32_t conn;
    (void)state;
    torrent_set_priorities(k->t,
                           (uint8_t[]){PICKER_PRIO_NORMAL, PICKER_PRIO_OFF});
    run(k);
    conn = seed(k);
    fetch(k, conn, 0);
    fetch(k, conn, 1);
    assert_int_equal(torrent_state(k->t), TORRENT_SEEDING);
    assert_string_equal(announced(k), "");
    for (int i = 0; i < 2; i++) {
        kit_wait(k, 60000);
        EXPECT_ANNOUNCED(k, "paused", KIT_TOTAL - SPLIT);
        answer(k);
    }
    torrent_set_priorities(k->t,
                           (uint8_t[]){PICKER_PRIO_NORMAL, PICKER_PRIO_NORMAL});
    kit_wait(k, 60000);
    EXPECT_ANNOUNCED(k, "-", KIT_TOTAL - SPLIT);
    answer(k);
    conn = seed(k); /* the first one has been idle for long */
    fetch(k, conn, 2);
    fetch(k, conn, 3);
    EXPECT_ANNOUNCED(k, "completed", 0);
    answer(k);
    kit_event(k, EVENT_STOP);
    EXPECT_ANNOUNCED(k, "stopped", 0);
    answer(k);
    kit_free(k);
}

/* Nobody is there yet: the next tier is asked at once, and the first one again
 * long before its interval is over. Time goes on as it does in the engine, from
 * deadline to deadline. */
static void test_nobody_yet(void **state)
{
    struct kit *k = kit_new();
    struct tracker_reply empty = {.interval = 1800, .min_interval = 60};
    uint32_t n[2] = {0, 0};
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        empty.seeders = empty.leechers = empty.downloaded = -1;
        (void)torrent_add_tracker(k->t, i == 0 ? "http://a/a" : "http://b/a",
                                  i);
    }
    uint64_t start = k->now_ms;
    kit_event(k, EVENT_START);
    while (k->now_ms < start + 900000) {
        for (uint32_t i = 0; i < 2; i++) {
            const struct announce_tracker *t =
                announce_get(torrent_announce(k->t), i);
            struct event ev = {.type = EVENT_ANNOUNCED};
            if (t->state == ANNOUNCE_BUSY) {
                n[i]++;
                ev.announced.tracker = i;
                ev.announced.reply = &empty;
                kit_input(k, &ev);
            }
        }
        if (k->now_ms == start) {
            assert_int_equal(n[0], 1);
            assert_int_equal(n[1], 1);
        }
        uint64_t at = torrent_deadline(k->t);
        k->now_ms = at > k->now_ms ? at : k->now_ms + 1;
        kit_event(k, EVENT_TICK);
    }
    assert_in_range(n[0], 3, 15);
    assert_in_range(n[1], 3, 15);
    kit_event(k, EVENT_STOP);
    k->now_ms += ANNOUNCE_STOP_MS;
    kit_event(k, EVENT_TICK);
    kit_free(k);
}

/* An error is told once, whatever carried the announce; a tracker id comes back
 * to the tracker that gave it. */
static void test_errors(void **state)
{
    struct kit *k = kit_new();
    struct event ev = {.type = EVENT_ANNOUNCED, .result = BTC_E_TIMEOUT};
    struct tracker_reply r = {.interval = 60, .min_interval = 60};
    (void)state;
    (void)torrent_add_tracker(k->t, "http://t/a", 0);
    kit_event(k, EVENT_START);
    kit_forget(k);
    kit_input(k, &ev);
    KIT_EXPECT(k, "event tracker\n");
    assert_string_equal(announce_get(torrent_announce(k->t), 0)->error,
                        err_text(BTC_E_TIMEOUT));
    kit_wait(k, 10000);
    EXPECT_ANNOUNCED(k, "started", KIT_TOTAL);
    kit_forget(k);
    ev.announced.error = "HTTP status 502";
    kit_input(k, &ev);
    KIT_EXPECT(k, "event tracker\n");
    kit_wait(k, 20000);
    EXPECT_ANNOUNCED(k, "started", KIT_TOTAL);
    kit_forget(k);
    kit_input(k, &ev);
    KIT_EXPECT(k, "");
    kit_wait(k, 40000);
    EXPECT_ANNOUNCED(k, "started", KIT_TOTAL);
    ev.result = 0;
    ev.announced.reply = &r;
    memcpy(r.tracker_id, "its id", sizeof "its id");
    kit_input(k, &ev);
    kit_wait(k, 60000);
    assert_string_equal(k->announced.tracker_id, "its id");
    EXPECT_ANNOUNCED(k, "-", KIT_TOTAL);
    ev.announced.tracker = 7; /* no such tracker */
    kit_input(k, &ev);
    ev.announced.tracker = 0;
    kit_input(k, &ev);
    kit_event(k, EVENT_STOP);
    kit_input(k, &ev);
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_partial),
        cmocka_unit_test(test_nobody_yet),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
