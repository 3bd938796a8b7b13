/* The announce schedule against simulated trackers. The rules for each single
 * job are checked by the simulation; the tests add what is to happen in their
 * scene. */
#include "core/swarm/announce_kit.h"

static void test_life(void **state)
{
    struct sim s;
    struct fake *a = NULL;

    (void)state;
    sim_init(&s, 1);
    a = sim_add(&s, 0);
    a->reply.interval = 1800;
    a->reply.min_interval = 60;
    assert_int_equal(announce_deadline(s.a), UINT64_MAX);
    assert_true(announce_is_idle(s.a));
    sim_start(&s);
    assert_false(announce_is_idle(s.a));
    sim_run(&s, 4000);
    sim_expect(&s, "0 a started;1800 a -;3600 a -;");
    assert_int_equal(sim_get(&s, 0)->state, ANNOUNCE_WORKING);
    assert_true(announce_is_idle(s.a));
    announce_complete(s.a, s.now_ms);
    sim_run(&s, 2000);
    announce_complete(s.a, s.now_ms);
    sim_run(&s, 1000);
    sim_expect(&s, "4000 a completed;5800 a -;");
    sim_stop(&s);
    assert_false(announce_is_idle(s.a));
    sim_run(&s, 10000);
    sim_expect(&s, "7000 a stopped;");
    assert_true(announce_is_idle(s.a));
    assert_int_equal(announce_deadline(s.a), UINT64_MAX);
    assert_int_equal(sim_get(&s, 0)->state, ANNOUNCE_IDLE);
    sim_start(&s);
    sim_run(&s, 10);
    sim_expect(&s, "17000 a started;");
    sim_fini(&s);
}

static void test_tiers(void **state)
{
    struct sim s;
    struct fake *a = NULL;

    (void)state;
    sim_init(&s, 2);
    a = sim_add(&s, 0);
    a->dead = true;
    sim_add(&s, 1);
    sim_add(&s, 2);
    sim_start(&s);
    sim_run(&s, 4);
    sim_expect(&s, "0 a started;0 b started;");
    assert_int_equal(sim_get(&s, 0)->state, ANNOUNCE_FAILING);
    assert_string_equal(sim_get(&s, 0)->error, "connection refused");
    assert_int_equal(sim_get(&s, 1)->state, ANNOUNCE_WORKING);
    sim_run(&s, 10000);
    assert_true(a->n_sent[TRACKER_EVENT_STARTED] > 5);
    assert_int_equal(s.fake[1].n_sent[TRACKER_EVENT_NONE], 2);
    assert_int_equal(sim_get(&s, 2)->state, ANNOUNCE_IDLE);

    /* the first tier is back: the second rests, but hears of the end */
    a->dead = false;
    sim_run(&s, 10000);
    buf_clear(&s.log);
    assert_int_equal(sim_get(&s, 0)->state, ANNOUNCE_WORKING);
    assert_int_equal(sim_get(&s, 0)->failures, 0);
    assert_string_equal(sim_get(&s, 0)->error, "");
    sim_run(&s, 7200);
    assert_null(strchr(buf_cstr(&s.log), 'b'));
    buf_clear(&s.log);
    announce_complete(s.a, s.now_ms);
    sim_run(&s, 2);
    sim_stop(&s);
    sim_run(&s, 2);
    sim_expect(&s, "27204 a completed;27204 b completed;27206 a stopped;"
                   "27206 b stopped;");
    assert_int_equal(s.fake[2].n_sent[TRACKER_EVENT_STARTED], 0);
    sim_fini(&s);
}

/* All of a tier before any of the next, whatever the shuffle. */
static void test_tier_first(void **state)
{
    uint32_t first[3] = {0};

    (void)state;
    for (uint64_t seed = 1; seed <= 600; seed++) {
        struct sim s;
        const char *log = NULL;

        sim_init(&s, seed);
        for (uint32_t i = 0; i < 5; i++) {
            sim_add(&s, i < 3 ? 0 : 1)->dead = true;
        }
        sim_start(&s);
        sim_run(&s, 1);
        log = buf_cstr(&s.log);
        first[log[2] - 'a']++;
        for (const char *p = log; p < log + 36; p += 12) {
            assert_in_range(p[2], 'a', 'c');
        }
        assert_int_equal(strlen(log), 60);
        for (uint32_t i = 0; i < 5; i++) {
            assert_true(sim_get(&s, i)->failures > 0);
        }
        sim_fini(&s);
    }
    for (uint32_t i = 0; i < 3; i++) {
        assert_in_range(first[i], 150, 250);
    }
}

/* A scene whose first tier is a, b, c in this order. */
static void sim_init_abc(struct sim *s)
{
    for (uint64_t seed = 1;; seed++) {
        bool good = false;

        assert_true(seed < 1000);
        sim_init(s, seed);
        for (uint32_t i = 0; i < 3; i++) {
            sim_add(s, 0)->dead = true;
        }
        sim_start(s);
        sim_run(s, 1);
        good = strcmp(buf_cstr(&s->log),
                      "0 a started;0 b started;0 c started;") == 0;
        sim_fini(s);
        if (good) {
            sim_init(s, seed);
            for (uint32_t i = 0; i < 3; i++) {
                sim_add(s, 0);
            }
            return;
        }
    }
}

/* The example of BEP 12. */
static void test_front(void **state)
{
    struct sim s;

    (void)state;
    sim_init_abc(&s);
    s.fake[0].dead = true;
    sim_start(&s);
    sim_run(&s, 3000);
    sim_expect(&s, "0 a started;0 b started;");
    s.fake[1].dead = true;
    sim_run(&s, 601);
    sim_expect(&s, "3600 b -;3600 a started;3600 c started;");
    s.fake[0].dead = false;
    s.fake[1].dead = false;
    sim_run(&s, 3000);
    sim_expect(&s, "");
    s.fake[2].dead = true;
    sim_run(&s, 602);
    sim_expect(&s, "7200 c -;7200 b -;");
    sim_fini(&s);
}

static void test_backoff(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct sim s;
        struct fake *a = NULL;
        uint64_t base_ms = ANNOUNCE_RETRY_MS;
        uint64_t last_ms = 0;

        sim_init(&s, seed);
        a = sim_add(&s, 0);
        a->dead = true;
        a->latency_ms = 0;
        sim_start(&s);
        sim_run(&s, 0);
        last_ms = s.now_ms;
        for (int i = 0; i < 40; i++) {
            uint64_t gap_ms = announce_deadline(s.a) - last_ms;

            if (base_ms < ANNOUNCE_RETRY_MAX_MS) {
                assert_in_range(gap_ms, base_ms, base_ms + base_ms / 4);
                base_ms *= 2;
            } else {
                assert_in_range(gap_ms, ANNOUNCE_RETRY_MAX_MS / 4 * 3,
                                ANNOUNCE_RETRY_MAX_MS);
            }
            s.now_ms = announce_deadline(s.a);
            last_ms = s.now_ms;
            sim_run(&s, 0);
        }
        assert_int_equal(a->n_sent[TRACKER_EVENT_STARTED], 41);
        assert_int_equal(sim_get(&s, 0)->failures, 41);
        a->dead = false;
        sim_run(&s, 7200);
        assert_int_equal(sim_get(&s, 0)->failures, 0);
        a->dead = true;
        sim_run(&s, 3600);
        assert_true(sim_get(&s, 0)->failures > 0);
        sim_fini(&s);
    }
}

static void test_refused(void **state)
{
    struct sim s;
    struct fake *a = NULL;

    (void)state;
    sim_init(&s, 3);
    a = sim_add(&s, 0);
    snprintf(a->reply.failure, sizeof a->reply.failure, "busy");
    a->reply.interval = 0;
    sim_add(&s, 1);
    sim_start(&s);
    sim_run(&s, 29);
    /* what the tracker told does not go away in seconds */
    sim_expect(&s, "0 a started;0 b started;");
    assert_string_equal(sim_get(&s, 0)->error, "busy");
    assert_true(sim_get(&s, 0)->last_unix > SIM_UNIX);
    a->reply.retry_in = 600;
    sim_run(&s, 11);
    sim_expect(&s, "31 a started;");
    sim_run(&s, 589);
    announce_now(s.a, s.now_ms); /* not even by a user's wish */
    sim_run(&s, 0);
    sim_expect(&s, "629 b -;");
    a->reply.retry_in = -1;
    sim_run(&s, 3);
    sim_expect(&s, "631 a started;");
    sim_fini(&s);
}

/* Who is refused again and again asks seldom, and soon again after an answer
 * or when the failure is of another kind. */
static void test_refused_often(void **state)
{
    struct sim s;
    struct fake *a = NULL;

    (void)state;
    sim_init(&s, 9);
    a = sim_add(&s, 0);
    snprintf(a->reply.failure, sizeof a->reply.failure, "not today");
    a->reply.interval = 0;
    sim_start(&s);
    sim_run(&s, 29);
    assert_int_equal(a->n_sent[TRACKER_EVENT_STARTED], 1);
    sim_run(&s, 10);
    assert_int_equal(a->n_sent[TRACKER_EVENT_STARTED], 2);
    sim_run(&s, 3600);
    assert_in_range(a->n_sent[TRACKER_EVENT_STARTED], 4, 6);
    a->dead = true;
    sim_run(&s, 1800);
    a->dead = false;
    a->reply.failure[0] = '\0';
    a->reply.interval = 1800;
    sim_run(&s, 7200);
    assert_int_equal(sim_get(&s, 0)->failures, 0);
    sim_fini(&s);
}

static void test_never(void **state)
{
    struct sim s;
    struct fake *a = NULL;

    (void)state;
    sim_init(&s, 4);
    a = sim_add(&s, 0);
    snprintf(a->reply.failure, sizeof a->reply.failure, "unregistered");
    a->reply.retry_in = -1;
    sim_start(&s);
    sim_run(&s, 100000);
    sim_expect(&s, "0 a started;");
    assert_int_equal(sim_get(&s, 0)->state, ANNOUNCE_DISABLED);
    assert_true(sim_get(&s, 0)->failures > 0);
    assert_int_equal(announce_deadline(s.a), UINT64_MAX);
    announce_now(s.a, s.now_ms);
    announce_want_peers(s.a, true);
    sim_run(&s, 1000);
    sim_stop(&s);
    sim_run(&s, 10);
    sim_start(&s);
    sim_run(&s, 1000);
    sim_expect(&s, "");
    sim_add(&s, 1);
    sim_run(&s, 10);
    sim_expect(&s, "102010 b started;");
    sim_fini(&s);
}

static void test_want_peers(void **state)
{
    struct sim s;
    struct fake *a = NULL;

    (void)state;
    sim_init(&s, 5);
    a = sim_add(&s, 0);
    a->reply.min_interval = 300;
    announce_want_peers(s.a, true);
    sim_start(&s);
    sim_run(&s, 650);
    sim_expect(&s, "0 a started;300 a -;600 a -;");
    announce_want_peers(s.a, false);
    sim_run(&s, 3600);
    sim_expect(&s, "4200 a -;");
    /* the tracker names no min interval */
    a->reply.min_interval = 0;
    announce_want_peers(s.a, true);
    sim_run(&s, 400);
    sim_expect(&s, "4500 a -;4620 a -;");
    /* the longer of the two intervals counts */
    a->reply.interval = 60;
    a->reply.min_interval = 200;
    sim_run(&s, 500);
    sim_expect(&s, "4740 a -;4940 a -;5140 a -;");
    announce_want_peers(s.a, false);
    sim_run(&s, 300);
    sim_expect(&s, "5340 a -;");
    sim_fini(&s);
}

/* A tracker that names peers of which nothing comes does not keep the next tier
 * to itself; one whose peers are of use does. */
static void test_inventions(void **state)
{
    struct sim s;

    (void)state;
    sim_init(&s, 5);
    sim_add(&s, 0);
    sim_add(&s, 1);
    sim_add(&s, 2);
    announce_want_peers(s.a, true);
    sim_start(&s);
    sim_run(&s, 10);
    announce_moved(s.a, s.now_ms);
    sim_run(&s, 19);
    sim_expect(&s, "0 a started;");
    sim_run(&s, 11);
    sim_expect(&s, "30 b started;");
    announce_moved(s.a, s.now_ms);
    sim_run(&s, 19);
    sim_expect(&s, "");
    announce_want_peers(s.a, false); /* there are enough */
    sim_run(&s, 100);
    sim_expect(&s, "");
    sim_fini(&s);
}

/* A tracker that names nobody new is asked half as often each time, until it
 * does. */
static void test_vain(void **state)
{
    static const uint64_t at[] = {0, 600, 1800, 4200, 7800};
    struct announce_job job;
    struct rng rng;
    uint64_t now_ms = 1000;
    struct tracker_reply r = {.interval = 3600,
                              .min_interval = 300,
                              .seeders = -1,
                              .leechers = -1,
                              .downloaded = -1};

    (void)state;
    rng_init(&rng, 1);
    struct announce *a = announce_new(&rng);
    assert_int_equal(announce_add(a, "http://a.test/announce", 0), 0);
    announce_want_peers(a, true);
    announce_start(a, now_ms);
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        now_ms = 1000 + at[i] * 1000;
        assert_true(i == 0 || !announce_next(a, now_ms - 1, &job));
        assert_true(announce_next(a, now_ms, &job));
        announce_on_reply(a, 0, &r, now_ms, 1);
        announce_on_new_peers(a, 0, 0);
        announce_check_invariant(a);
    }
    assert_true(announce_next(a, now_ms + 3600000, &job));
    now_ms += 3600000;
    announce_on_reply(a, 0, &r, now_ms, 1);
    announce_on_new_peers(a, 0, 1);
    assert_false(announce_next(a, now_ms + 299999, &job));
    assert_true(announce_next(a, now_ms + 300000, &job));
    announce_free(a);
}

static void test_now(void **state)
{
    struct sim s;
    struct fake *a = NULL;

    (void)state;
    sim_init(&s, 6);
    a = sim_add(&s, 0);
    a->reply.min_interval = 300;
    sim_start(&s);
    sim_run(&s, 100);
    announce_now(s.a, s.now_ms);
    sim_run(&s, 900);
    sim_expect(&s, "0 a started;300 a -;");
    announce_now(s.a, s.now_ms);
    sim_run(&s, 100);
    sim_expect(&s, "1000 a -;");
    sim_fini(&s);
}

/* A tier that answers with next to nobody lets the next one in, but only while
 * peers lack. */
static void test_few_peers(void **state)
{
    struct sim s;

    (void)state;
    sim_init(&s, 7);
    sim_add(&s, 0)->reply.n_peers = 1;
    sim_add(&s, 1);
    sim_add(&s, 2);
    sim_start(&s);
    sim_run(&s, 100);
    sim_expect(&s, "0 a started;");
    announce_want_peers(s.a, true);
    sim_run(&s, 10);
    sim_expect(&s, "100 b started;");
    announce_want_peers(s.a, false);
    sim_run(&s, 7190);
    sim_expect(&s, "3600 a -;7200 a -;");
    sim_fini(&s);
}

static void test_slow(void **state)
{
    struct sim s;

    (void)state;
    sim_init(&s, 8);
    sim_add(&s, 0)->latency_ms = 60000;
    sim_add(&s, 1);
    sim_add(&s, 2);
    sim_start(&s);
    sim_run(&s, 59);
    sim_expect(&s, "0 a started;5 b started;");
    assert_int_equal(sim_get(&s, 0)->state, ANNOUNCE_BUSY);
    sim_run(&s, 10);
    assert_int_equal(sim_get(&s, 0)->state, ANNOUNCE_WORKING);
    /* one that knows us may take its time */
    sim_run(&s, 3600);
    sim_expect(&s, "3660 a -;");
    sim_fini(&s);
}

static void test_complete(void **state)
{
    struct sim s;
    struct fake *a = NULL;

    (void)state;
    sim_init(&s, 9);
    sim_add(&s, 0);
    /* complete before anybody knew us: nobody is told */
    announce_complete(s.a, s.now_ms);
    sim_start(&s);
    sim_run(&s, 10);
    sim_expect(&s, "0 a started;");
    sim_fini(&s);

    /* while `started` is under way: told after it */
    sim_init(&s, 9);
    a = sim_add(&s, 0);
    a->latency_ms = 2000;
    sim_start(&s);
    sim_run(&s, 1);
    announce_complete(s.a, s.now_ms);
    sim_run(&s, 10);
    sim_expect(&s, "0 a started;2 a completed;");
    assert_true(sim_get(&s, 0)->completed_sent);
    sim_fini(&s);

    /* `started` fails: the next one says it all */
    sim_init(&s, 9);
    a = sim_add(&s, 0);
    a->latency_ms = 2000;
    a->dead = true;
    sim_start(&s);
    sim_run(&s, 1);
    announce_complete(s.a, s.now_ms);
    sim_run(&s, 2);
    a->dead = false;
    sim_run(&s, 10);
    assert_int_equal(a->n_ok[TRACKER_EVENT_STARTED], 1);
    assert_int_equal(a->n_sent[TRACKER_EVENT_COMPLETED], 0);
    /* it fails: tried again, sent once */
    buf_clear(&s.log);
    announce_complete(s.a, s.now_ms);
    a->dead = true;
    sim_run(&s, 3);
    a->dead = false;
    sim_run(&s, 100);
    assert_int_equal(a->n_sent[TRACKER_EVENT_COMPLETED], 2);
    assert_int_equal(a->n_ok[TRACKER_EVENT_COMPLETED], 1);
    sim_fini(&s);
}

static void test_stop(void **state)
{
    struct sim s;
    struct fake *a = NULL;

    (void)state;
    /* while `started` is under way */
    sim_init(&s, 10);
    a = sim_add(&s, 0);
    a->latency_ms = 2000;
    sim_start(&s);
    sim_run(&s, 1);
    sim_stop(&s);
    assert_false(announce_is_idle(s.a));
    sim_run(&s, 2);
    assert_false(announce_is_idle(s.a));
    sim_run(&s, 10);
    sim_expect(&s, "0 a started;2 a stopped;");
    assert_true(announce_is_idle(s.a));
    sim_fini(&s);

    /* a good-bye is not tried twice */
    sim_init(&s, 10);
    a = sim_add(&s, 0);
    sim_start(&s);
    sim_run(&s, 1);
    a->dead = true;
    sim_stop(&s);
    sim_run(&s, 1000);
    sim_expect(&s, "0 a started;1 a stopped;");
    assert_true(announce_is_idle(s.a));
    assert_false(sim_get(&s, 0)->started);
    sim_fini(&s);

    /* never started: nothing to say */
    sim_init(&s, 10);
    sim_add(&s, 0)->dead = true;
    sim_start(&s);
    sim_run(&s, 1);
    sim_stop(&s);
    assert_true(announce_is_idle(s.a));
    sim_run(&s, 1000);
    sim_expect(&s, "0 a started;");
    sim_fini(&s);
}

static void test_stop_start(void **state)
{
    struct sim s;
    struct fake *a = NULL;

    (void)state;
    sim_init(&s, 11);
    a = sim_add(&s, 0);
    a->reply.min_interval = 60;
    sim_start(&s);
    sim_run(&s, 10);
    /* stopped and started before the good-bye went out: it knows us still */
    sim_stop(&s);
    sim_start(&s);
    sim_run(&s, 10);
    sim_expect(&s, "0 a started;");
    /* started again while the good-bye is under way */
    a->latency_ms = 2000;
    sim_stop(&s);
    sim_run(&s, 1);
    sim_start(&s);
    sim_run(&s, 10);
    sim_expect(&s, "20 a stopped;22 a started;");
    sim_fini(&s);
}

static void test_facts(void **state)
{
    struct sim s;
    struct fake *a = NULL;
    struct tracker_reply stale = {.interval = 1};

    (void)state;
    sim_init(&s, 12);
    a = sim_add(&s, 0);
    a->reply.seeders = 7;
    a->reply.leechers = 3;
    snprintf(a->reply.tracker_id, sizeof a->reply.tracker_id, "xyz");
    snprintf(a->reply.warning, sizeof a->reply.warning, "old url");
    assert_int_equal(sim_get(&s, 0)->seeders, -1);
    sim_start(&s);
    sim_run(&s, 10);
    assert_int_equal(sim_get(&s, 0)->seeders, 7);
    assert_int_equal(sim_get(&s, 0)->leechers, 3);
    assert_int_equal(sim_get(&s, 0)->downloaded, -1);
    assert_string_equal(sim_get(&s, 0)->tracker_id, "xyz");
    assert_string_equal(sim_get(&s, 0)->error, "old url");
    /* silence changes nothing but the warning */
    a->reply.seeders = -1;
    a->reply.tracker_id[0] = '\0';
    a->reply.warning[0] = '\0';
    sim_run(&s, 3600);
    assert_int_equal(sim_get(&s, 0)->seeders, 7);
    assert_string_equal(sim_get(&s, 0)->tracker_id, "xyz");
    assert_string_equal(sim_get(&s, 0)->error, "");
    /* results nobody waits for */
    announce_on_reply(s.a, 0, &stale, s.now_ms, 1);
    announce_on_error(s.a, 0, "late", s.now_ms);
    announce_on_error(s.a, 99, "nobody", s.now_ms);
    assert_int_equal(sim_get(&s, 0)->state, ANNOUNCE_WORKING);
    assert_string_equal(sim_get(&s, 0)->error, "");
    sim_fini(&s);
}

static void test_add(void **state)
{
    struct rng rng;
    struct announce *a = NULL;
    struct announce_job job;
    char url[32];

    (void)state;
    rng_init(&rng, 13);
    a = announce_new(&rng);
    assert_int_equal(announce_add(a, "ftp://t:1/", 0), 0);
    assert_int_equal(announce_add(a, "HTTPS://t/a", 1), 1);
    assert_int_equal(announce_add(a, "wss://t/", 0), 2);
    assert_int_equal(announce_add(a, "httpx://t/", 0), 3);
    assert_int_equal(announce_add(a, "HTTPS://t/a", 9), 1);
    assert_int_equal(announce_get(a, 0)->state, ANNOUNCE_UNSUPPORTED);
    assert_non_null(strstr(announce_get(a, 0)->error, "https and udp"));
    assert_int_equal(announce_get(a, 1)->state, ANNOUNCE_IDLE);
    assert_string_equal(announce_get(a, 1)->error, "");
    assert_int_equal(announce_get(a, 1)->tier, 1);
    assert_int_equal(announce_get(a, 3)->state, ANNOUNCE_UNSUPPORTED);
    announce_start(a, 5);
    assert_true(announce_next(a, 5, &job));
    assert_int_equal(job.tracker, 1);
    assert_int_equal(job.event, TRACKER_EVENT_STARTED);
    assert_false(announce_next(a, 5, &job));
    for (int i = 4; i < ANNOUNCE_MAX_TRACKERS; i++) {
        snprintf(url, sizeof url, "http://%d/", i);
        assert_int_equal(announce_add(a, url, (uint32_t)i % 3), i);
        announce_check_invariant(a);
    }
    assert_int_equal(announce_add(a, "http://one/more", 0), BTC_E_LIMIT);
    assert_int_equal(announce_count(a), ANNOUNCE_MAX_TRACKERS);
    announce_free(a);
    announce_free(NULL);
}

/* One added beside the tracker that works does not take its turn. */
static void test_add_late(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sim s;

        sim_init(&s, seed);
        sim_add(&s, 0);
        sim_start(&s);
        sim_run(&s, 10);
        sim_add(&s, 0);
        sim_add(&s, 0);
        sim_run(&s, 3600);
        sim_expect(&s, "0 a started;3600 a -;");
        sim_fini(&s);
    }
}

static void test_state_names(void **state)
{
    (void)state;
    assert_string_equal(announce_state_name(ANNOUNCE_IDLE), "idle");
    assert_string_equal(announce_state_name(ANNOUNCE_BUSY), "busy");
    assert_string_equal(announce_state_name(ANNOUNCE_WORKING), "working");
    assert_string_equal(announce_state_name(ANNOUNCE_FAILING), "failing");
    assert_string_equal(announce_state_name(ANNOUNCE_UNSUPPORTED),
                        "unsupported");
    assert_string_equal(announce_state_name(ANNOUNCE_DISABLED), "disabled");
}

/* Changes one thing at random. */
static void test_soak_step(struct sim *s, struct rng *r)
{
    struct fake *f = &s->fake[rng_below(r, s->n)];

    switch (rng_below(r, 9)) {
    case 0:
        f->dead = !f->dead;
        break;
    case 1:
        f->latency_ms = rng_below(r, 2) ? 50 : 20000;
        break;
    case 2:
        f->reply.min_interval = rng_below(r, 2) * 900;
        f->reply.interval = rng_below(r, 3600);
        f->reply.n_peers = rng_below(r, 10);
        break;
    case 3:
        snprintf(f->reply.failure, sizeof f->reply.failure, "%s",
                 f->reply.failure[0] ? "" : "no");
        f->reply.retry_in =
            rng_below(r, 20) == 0 ? -1 : (int)rng_below(r, 2) * 60;
        break;
    case 4:
        announce_want_peers(s->a, rng_below(r, 2));
        break;
    case 5:
        announce_now(s->a, s->now_ms);
        break;
    case 6:
        announce_complete(s->a, s->now_ms);
        break;
    case 7:
        sim_stop(s);
        break;
    default:
        sim_start(s);
        break;
    }
}

/* Days of random weather; the rules for every job are checked all the time, and
 * at the end each tracker that knew us has heard the good-bye. */
static void test_soak(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct sim s;
        struct rng r;

        sim_init(&s, seed);
        rng_init(&r, seed + 1000);
        for (uint32_t i = 0; i < 6; i++) {
            sim_add(&s, i / 2);
        }
        sim_start(&s);
        for (int i = 0; i < 300; i++) {
            test_soak_step(&s, &r);
            sim_run(&s, rng_below(&r, 600));
        }
        sim_stop(&s);
        sim_run(&s, 100);
        assert_true(announce_is_idle(s.a));
        for (uint32_t i = 0; i < s.n; i++) {
            bool out = sim_get(&s, i)->state == ANNOUNCE_DISABLED;

            assert_true(out || !s.fake[i].known);
            assert_true(s.fake[i].n_ok[TRACKER_EVENT_COMPLETED] <= 1);
        }
        sim_fini(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_tiers),
        cmocka_unit_test(test_tier_first),
        cmocka_unit_test(test_front),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_vain),
        cmocka_unit_test(test_refused_often),
        cmocka_unit_test(test_never),
        cmocka_unit_test(test_want_peers),
        cmocka_unit_test(test_now),
        cmocka_unit_test(test_few_peers),
        cmocka_unit_test(test_inventions),
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_complete),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_stop_start),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_add_late),
        cmocka_unit_test(test_state_names),
        cmocka_unit_test(test_soak),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
