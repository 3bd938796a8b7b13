/* Hosts of trackers: who is asked, who waits, who fails, and for how long. */
#include "engine/tracker_hosts.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define URL "http://tracker.test:80/announce"

/* Asks until somebody would have to wait; how many may go. */
static unsigned ask_all(struct tracker_host *h, uint64_t now)
{
    unsigned n = 0;
    while (n < 1000 && tracker_host_ask(h, now) == TRACKER_HOST_ASK) {
        n++;
    }
    return n;
}

static void lose(struct tracker_host *h, unsigned n, uint64_t now)
{
    for (unsigned i = 0; i < n; i++) {
        tracker_host_failed(h, BTC_E_NETWORK, "refused", now);
    }
}

static void test_origin(void **state)
{
    struct tracker_hosts *all = tracker_hosts_new();
    struct tracker_host *h = tracker_hosts_get(all, URL);
    (void)state;
    assert_string_equal(h->origin, "http://tracker.test:80");
    assert_ptr_equal(tracker_hosts_get(all, "http://tracker.test:80"), h);
    assert_ptr_equal(tracker_hosts_get(all, "http://tracker.test:80?a=/"), h);
    assert_ptr_not_equal(tracker_hosts_get(all, "https://tracker.test:80/"), h);
    assert_ptr_not_equal(tracker_hosts_get(all, "http://tracker.test:8/"), h);
    assert_ptr_not_equal(tracker_hosts_get(all, "odd"), h);
    tracker_hosts_free(all);
    tracker_hosts_free(NULL);
}

/* A torrent may name any number of hosts. */
static void test_bounded(void **state)
{
    struct tracker_hosts *all = tracker_hosts_new();
    char url[64];
    (void)state;
    for (unsigned i = 0; i < TRACKER_HOSTS_MAX; i++) {
        (void)snprintf(url, sizeof(url), "http://h%u.test/a", i);
        assert_non_null(tracker_hosts_get(all, url));
    }
    assert_null(tracker_hosts_get(all, URL));
    assert_non_null(tracker_hosts_get(all, url));
    tracker_hosts_free(all);
}

/* One that nobody knows is probed, and then open to all. */
static void test_up(void **state)
{
    struct tracker_hosts *all = tracker_hosts_new();
    struct tracker_host *h = tracker_hosts_get(all, URL);
    (void)state;
    assert_int_equal(ask_all(h, 0), TRACKER_HOST_PROBES);
    assert_int_equal(tracker_host_ask(h, 0), TRACKER_HOST_WAIT);
    tracker_host_cancelled(h); /* it makes room for another */
    assert_int_equal(ask_all(h, 0), 1);
    tracker_host_answered(h);
    assert_int_equal(ask_all(h, 0), 1000);
    tracker_hosts_free(all);
}

/* A failure of one that answered is no more than a doubt. */
static void test_doubt(void **state)
{
    struct tracker_hosts *all = tracker_hosts_new();
    struct tracker_host *h = tracker_hosts_get(all, URL);
    (void)state;
    assert_int_equal(ask_all(h, 0), TRACKER_HOST_PROBES);
    tracker_host_answered(h);
    lose(h, 1, 10);
    assert_int_equal(h->state, TRACKER_HOST_DOUBT);
    assert_int_equal(ask_all(h, 10), 2);
    tracker_host_answered(h);
    assert_int_equal(h->state, TRACKER_HOST_UP);
    lose(h, 2, 20);
    assert_int_equal(h->state, TRACKER_HOST_DOWN);
    assert_int_equal(tracker_host_ask(h, 20), TRACKER_HOST_FAIL);
    assert_int_equal(h->code, BTC_E_NETWORK);
    assert_string_equal(h->error, "refused");
    tracker_hosts_free(all);
}

/* The pause doubles with each round of probes, to its end; an answer forgets
 * it. Late failures of the same round are not another one. */
static void test_down(void **state)
{
    struct tracker_hosts *all = tracker_hosts_new();
    struct tracker_host *h = tracker_hosts_get(all, URL);
    uint64_t now = 1000, pause = TRACKER_HOST_DOWN_MS;
    (void)state;
    for (unsigned round = 0; round < 12; round++) {
        assert_int_equal(ask_all(h, now), TRACKER_HOST_PROBES);
        lose(h, TRACKER_HOST_PROBES, now);
        assert_int_equal(h->failures, round + 1);
        assert_int_equal(h->retry_ms, now + pause);
        assert_int_equal(tracker_host_ask(h, now + pause - 1),
                         TRACKER_HOST_FAIL);
        now += pause;
        pause = pause * 2 > TRACKER_HOST_DOWN_LAST ? TRACKER_HOST_DOWN_LAST
                                                   : pause * 2;
    }
    assert_int_equal(ask_all(h, now), TRACKER_HOST_PROBES);
    tracker_host_answered(h);
    lose(h, 2, now);
    assert_int_equal(h->retry_ms, now + TRACKER_HOST_DOWN_MS);
    tracker_hosts_free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origin), cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_up), cmocka_unit_test(test_doubt),
        cmocka_unit_test(test_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
