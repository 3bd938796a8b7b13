/* What a torrent tells its trackers: numbers and events over a whole life. */
#include "core/torrent/torrent_kit.h"

#define SPLIT (2ull * KIT_PIECE)

/* The value of a parameter of the last announce, as the URL has it; "-": it is
 * not there. */
static const char *announced(struct kit *k, const char *name)
{
    static char value[64];
    size_t len = strlen(name);
    const char *p = strchr(k->url, '?');
    while (p != NULL) {
        p++;
        if (strncmp(p, name, len) == 0 && p[len] == '=') {
            size_t n = strcspn(p + len + 1, "&");
            assert_true(n < sizeof value);
            memcpy(value, p + len + 1, n);
            value[n] = '\0';
            return value;
        }
        p = strchr(p, '&');
    }
    return "-";
}

static void expect_at(struct kit *k, const char *event, uint64_t left, int line)
{
    char want[24];
    (void)snprintf(want, sizeof want, "%" PRIu64, left);
    if (strcmp(announced(k, "event"), event) != 0 ||
        strcmp(announced(k, "left"), want) != 0) {
        fail_msg("line %d: not event %s with left %s: %s", line, event, want,
                 k->url);
    }
    k->url[0] = '\0';
}
#define EXPECT_ANNOUNCED(k, event, left) \
    expect_at((k), (event), (left), __LINE__)

/* The tracker's answer: a minute, nobody. */
static void answer(struct kit *k)
{
    struct event ev = {.type = EVENT_ANNOUNCED};
    ev.announced.status = 200;
    ev.announced.body =
        slice_str("d8:intervali60e12:min intervali60e5:peers0:e");
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
        assert_string_equal(k->url, "");
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
    torrent_set_priority(k->t, 1, PICKER_PRIO_OFF);
    run(k);
    conn = seed(k);
    fetch(k, conn, 0);
    fetch(k, conn, 1);
    assert_int_equal(torrent_state(k->t), TORRENT_SEEDING);
    assert_string_equal(k->url, "");
    for (int i = 0; i < 2; i++) {
        kit_wait(k, 60000);
        EXPECT_ANNOUNCED(k, "paused", KIT_TOTAL - SPLIT);
        answer(k);
    }
    torrent_set_priority(k->t, 1, PICKER_PRIO_NORMAL);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_partial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
