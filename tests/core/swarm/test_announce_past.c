/* What an earlier run left behind: what is honoured, and how long. */
#include "announce_kit.h"

struct test_past {
    enum announce_state state;
    int last, min, next; /* seconds from now on; 0 = not known */
    int asked;           /* seconds until it is asked; -1 = never */
};

/* clang-format off */
static const struct test_past test_pasts[] = {
    /* nothing known, or it was said good-bye */
    {ANNOUNCE_IDLE, 0, 0, 0, 0},
    {ANNOUNCE_IDLE, -1, 0, 0, 0},
    {ANNOUNCE_IDLE, -1, 0, 1700, 0},
    /* killed: it still knows the earlier run */
    {ANNOUNCE_WORKING, -1, 119, 1799, 4},
    {ANNOUNCE_WORKING, -4, 0, 0, 1},
    {ANNOUNCE_WORKING, -5, 115, 1795, 0},
    {ANNOUNCE_WORKING, -3000, 0, 0, 0},
    {ANNOUNCE_WORKING, 3000, 0, 0, 0}, /* the clock was set back */
    /* failed: the retry is where it was, our own back-off is cut */
    {ANNOUNCE_FAILING, 0, 3, 17, 17},
    {ANNOUNCE_FAILING, 0, 0, 0, 0},
    {ANNOUNCE_FAILING, 0, -10, -3, 0},
    {ANNOUNCE_FAILING, 0, 0, 1500, 120},
    {ANNOUNCE_FAILING, 0, 0, 2000000000, 120},
    /* told so by the tracker: not before */
    {ANNOUNCE_FAILING, -1, 300, 300, 300},
    {ANNOUNCE_FAILING, -1, 3600, 3600, 3600},
    {ANNOUNCE_FAILING, -1, 300, 2000, 300},
    {ANNOUNCE_FAILING, -1, 2000000000, 2000000000, 86400},
    {ANNOUNCE_DISABLED, -1, 0, 0, -1},
    {ANNOUNCE_DISABLED, -99999999, 0, 0, -1},
};
/* clang-format on */

static int64_t test_unix(int seconds)
{
    return seconds == 0 ? 0 : SIM_UNIX + (int64_t)seconds;
}

static void test_restore(struct sim *s, const struct test_past *t)
{
    struct announce_past past = {.state = t->state,
                                 .failures = 2,
                                 .last_unix = test_unix(t->last),
                                 .next_unix = test_unix(t->next),
                                 .min_unix = test_unix(t->min),
                                 .error = "what it said",
                                 .tracker_id = "id"};

    announce_restore(s->a, 0, &past, s->now_ms, SIM_UNIX);
}

/* Seconds until the first job; -1 when there is none. */
static int test_asked(struct sim *s)
{
    uint64_t at = announce_deadline(s->a);
    struct announce_job job;

    if (announce_next(s->a, s->now_ms, &job)) {
        assert_int_equal(job.event, TRACKER_EVENT_STARTED);
        return 0;
    }
    if (at == UINT64_MAX) {
        return -1;
    }
    assert_false(announce_next(s->a, at - 1, &job));
    assert_true(announce_next(s->a, at, &job));
    assert_int_equal(job.event, TRACKER_EVENT_STARTED);
    return (int)((at - s->now_ms) / 1000);
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(test_pasts) / sizeof(test_pasts[0]); i++) {
        struct sim s;

        sim_init(&s, i + 1);
        sim_add(&s, 0);
        test_restore(&s, &test_pasts[i]);
        announce_check_invariant(s.a);
        announce_start(s.a, s.now_ms);
        assert_string_equal(sim_get(&s, 0)->error, "what it said");
        assert_string_equal(sim_get(&s, 0)->tracker_id, "id");
        assert_int_equal(test_asked(&s), test_pasts[i].asked);
        sim_fini(&s);
    }
}

/* The back-off goes on where it was, and counts tries of this run apart. */
static void test_failures_go_on(void **state)
{
    struct sim s;
    struct announce_job job;
    const struct test_past past = {ANNOUNCE_FAILING, 0, 0, 0, 0};
    uint64_t wait_ms = 0;

    (void)state;
    sim_init(&s, 7);
    sim_add(&s, 0);
    test_restore(&s, &past);
    announce_start(s.a, s.now_ms);
    assert_int_equal(sim_get(&s, 0)->n_tried, 0);
    assert_true(announce_next(s.a, s.now_ms, &job));
    announce_on_error(s.a, 0, "again", s.now_ms);
    assert_int_equal(sim_get(&s, 0)->failures, 3);
    assert_int_equal(sim_get(&s, 0)->n_tried, 1);
    wait_ms = sim_get(&s, 0)->next_ms - s.now_ms;
    assert_in_range(wait_ms, 4 * ANNOUNCE_RETRY_MS, 5 * ANNOUNCE_RETRY_MS);
    sim_fini(&s);
}

/* A user's wish: at once, but not before what a tracker that only waits said;
 * who said "never" is asked again. */
static void test_insist(void **state)
{
    static const struct test_past pasts[] = {
        {ANNOUNCE_FAILING, 0, 0, 60, 0},
        {ANNOUNCE_FAILING, -1, 300, 300, 300},
        {ANNOUNCE_DISABLED, -1, 0, 0, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(pasts) / sizeof(pasts[0]); i++) {
        struct sim s;

        sim_init(&s, 9);
        sim_add(&s, 0);
        test_restore(&s, &pasts[i]);
        announce_insist(s.a, s.now_ms);
        announce_start(s.a, s.now_ms);
        assert_int_equal(test_asked(&s), pasts[i].asked);
        sim_fini(&s);
    }
}

/* A tier whose trackers wait does not hold up the next one. */
static void test_next_tier(void **state)
{
    struct sim s;
    struct announce_job job;
    const struct test_past past = {ANNOUNCE_FAILING, 0, 600, 600, 0};

    (void)state;
    sim_init(&s, 11);
    sim_add(&s, 0);
    sim_add(&s, 1);
    test_restore(&s, &past);
    announce_start(s.a, s.now_ms);
    assert_true(announce_next(s.a, s.now_ms, &job));
    assert_int_equal(job.tracker, 1);
    assert_false(announce_next(s.a, s.now_ms, &job));
    sim_fini(&s);
}

static void test_names(void **state)
{
    (void)state;
    for (enum announce_state s = ANNOUNCE_IDLE; s <= ANNOUNCE_DISABLED; s++) {
        assert_int_equal(announce_state_from_name(announce_state_name(s)), s);
    }
    assert_int_equal(announce_state_from_name("new"), ANNOUNCE_IDLE);
    assert_int_equal(announce_state_from_name(""), ANNOUNCE_IDLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table), cmocka_unit_test(test_failures_go_on),
        cmocka_unit_test(test_insist), cmocka_unit_test(test_next_tier),
        cmocka_unit_test(test_names)};

    return cmocka_run_group_tests_name("announce_past", tests, NULL, NULL);
}
