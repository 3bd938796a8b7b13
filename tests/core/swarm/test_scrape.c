/* announce/scrape.c: when a tracker is asked for the numbers that it did not
 * say. */
#include "core/swarm/announce/announce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TEST_NOW 1000000u

struct kit {
    struct rng rng;
    struct announce *a;
};

/* A tracker that works; its first answer has these numbers. */
static void kit_init(struct kit *k, const struct tracker_reply *first)
{
    struct announce_job job;
    rng_init(&k->rng, 1);
    k->a = announce_new(&k->rng);
    assert_int_equal(announce_add(k->a, "udp://t.example:80", 0), 0);
    announce_start(k->a, TEST_NOW);
    assert_true(announce_next(k->a, TEST_NOW, &job));
    announce_on_reply(k->a, 0, first, TEST_NOW, 1700000000);
}

/* Whether a scrape goes at that time. */
static bool kit_goes(struct kit *k, uint64_t now)
{
    uint32_t tracker = 99;
    bool goes = announce_scrape_next(k->a, now, &tracker);
    assert_true(!goes || tracker == 0);
    return goes;
}

static struct tracker_reply kit_reply(int64_t seeders, int64_t leechers,
                                      int64_t downloaded)
{
    return (struct tracker_reply){.interval = 1800,
                                  .seeders = seeders,
                                  .leechers = leechers,
                                  .downloaded = downloaded};
}

/* Whoever says everything is not asked. */
static void test_not_needed(void **state)
{
    struct kit k;
    struct tracker_reply r = kit_reply(0, 0, 0);
    (void)state;
    kit_init(&k, &r);
    assert_true(announce_scrape_deadline(k.a) == UINT64_MAX);
    assert_false(kit_goes(&k, TEST_NOW + 86400000));
    announce_free(k.a);
}

/* Each number that may be missing; soon, then once an hour. */
static void test_schedule(void **state)
{
    static const int64_t cases[3][3] = {{-1, 2, 3}, {1, -1, 3}, {1, 2, -1}};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct kit k;
        struct tracker_reply r =
            kit_reply(cases[i][0], cases[i][1], cases[i][2]);
        uint64_t at = TEST_NOW + ANNOUNCE_SCRAPE_MS;
        kit_init(&k, &r);
        assert_true(announce_scrape_deadline(k.a) == at);
        assert_false(kit_goes(&k, at - 1));
        assert_true(kit_goes(&k, at));
        assert_false(kit_goes(&k, at + 7200000)); /* it is out */
        r = kit_reply(7, 8, 9);
        announce_on_scrape(k.a, 0, &r, at + 50);
        const struct announce_tracker *t = announce_get(k.a, 0);
        assert_int_equal(t->seeders, 7);
        assert_int_equal(t->leechers, 8);
        assert_int_equal(t->downloaded, 9);
        at += 50 + ANNOUNCE_SCRAPE_AGAIN_MS;
        assert_true(announce_scrape_deadline(k.a) == at);
        assert_false(kit_goes(&k, at - 1));
        assert_true(kit_goes(&k, at));
        announce_free(k.a);
    }
}

/* Silence and refusals: the wait doubles up to a day, what was known stays, and
 * the announces go on. */
static void test_failures(void **state)
{
    struct kit k;
    struct tracker_reply r = kit_reply(4, 5, -1);
    struct tracker_reply no = {.failure = "no", .seeders = 1};
    uint64_t now = TEST_NOW + ANNOUNCE_SCRAPE_MS;
    uint64_t last = 0;
    (void)state;
    kit_init(&k, &r);
    for (int i = 0; i < 10; i++) {
        assert_true(kit_goes(&k, now));
        announce_on_scrape(k.a, 0, i % 2 == 0 ? NULL : &no, now);
        uint64_t pause = announce_scrape_deadline(k.a) - now;
        assert_true(pause >= last && pause > ANNOUNCE_SCRAPE_AGAIN_MS);
        last = pause;
        now += pause;
    }
    assert_in_range(last, ANNOUNCE_SCRAPE_MAX_MS, 2 * ANNOUNCE_SCRAPE_MAX_MS);
    assert_int_equal(announce_get(k.a, 0)->seeders, 4);
    assert_int_equal(announce_get(k.a, 0)->failures, 0);
    assert_int_equal(announce_get(k.a, 0)->state, ANNOUNCE_WORKING);
    announce_free(k.a);
}

/* A torrent that stops scrapes nothing; a result that nobody waits for, or of
 * no tracker, is dropped. */
static void test_stopped(void **state)
{
    struct kit k;
    struct tracker_reply r = kit_reply(-1, -1, -1);
    (void)state;
    kit_init(&k, &r);
    r = kit_reply(7, 7, 7);
    announce_on_scrape(k.a, 0, &r, TEST_NOW);
    announce_on_scrape(k.a, 5, &r, TEST_NOW);
    assert_int_equal(announce_get(k.a, 0)->seeders, -1);
    announce_stop(k.a, TEST_NOW);
    assert_false(kit_goes(&k, TEST_NOW + 86400000));
    assert_true(announce_scrape_deadline(k.a) == UINT64_MAX);
    announce_free(k.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_needed), cmocka_unit_test(test_schedule),
        cmocka_unit_test(test_failures), cmocka_unit_test(test_stopped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
