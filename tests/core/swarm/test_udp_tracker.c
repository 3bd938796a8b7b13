/* Conversations with UDP trackers on a clock of our own. */
#include "core/swarm/udp_tracker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct talk {
    struct rng rng;
    struct udp_tracker *u;
    uint64_t now;
    uint8_t sent[TRACKER_UDP_REQUEST_MAX]; /* the last datagram */
    size_t sent_len, n_sent;
    struct addr to;
    uint32_t done_id;
    size_t n_done;
    int result;
    int64_t seeders;
    char failure[TRACKER_TEXT_MAX];
};

static void talk_drain(struct talk *t)
{
    struct udp_tracker_action a;
    while (udp_tracker_next(t->u, &a)) {
        if (a.type == UDP_TRACKER_SEND) {
            memcpy(t->sent, a.data.p, a.data.len);
            t->sent_len = a.data.len;
            t->to = a.to;
            t->n_sent++;
        } else {
            t->n_done++;
            t->done_id = a.id;
            t->result = a.result;
            t->seeders = a.reply->seeders;
            (void)memcpy(t->failure, a.reply->failure, sizeof(t->failure));
        }
    }
}

static void talk_init(struct talk *t)
{
    memset(t, 0, sizeof(*t));
    rng_init(&t->rng, 7);
    t->u = udp_tracker_new(&t->rng);
    t->now = 1000;
}

static struct addr talk_addr(const char *text)
{
    struct addr a;
    assert_true(addr_parse(slice_str(text), &a));
    return a;
}

static uint32_t talk_ask(struct talk *t, enum udp_tracker_kind kind,
                         enum tracker_event event, const char *to)
{
    struct udp_tracker_request r = {.kind = kind, .path = "/x"};
    r.to = talk_addr(to);
    r.announce.event = event;
    uint32_t id = udp_tracker_ask(t->u, &r, t->now);
    assert_int_not_equal(id, 0);
    talk_drain(t);
    return id;
}

static uint32_t talk_sent_action(const struct talk *t)
{
    return bytes_get_be32(t->sent + 8);
}

/* An answer to the last datagram. */
static bool talk_answer(struct talk *t, uint32_t action, const char *from,
                        const void *rest, size_t len)
{
    uint8_t m[256];
    struct addr a = talk_addr(from);
    bytes_put(
        bytes_put_be32(bytes_put_be32(m, action), bytes_get_be32(t->sent + 12)),
        rest, len);
    bool mine = udp_tracker_datagram(t->u, &a, slice_of(m, 8 + len), t->now);
    talk_drain(t);
    return mine;
}

static void talk_tick(struct talk *t, uint64_t ms)
{
    t->now += ms;
    udp_tracker_tick(t->u, t->now);
    talk_drain(t);
}

#define HOST "192.0.2.1:80"

/* Connect, announce; a second request within the minute needs no connect. */
static void udp_test_announce(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t);
    uint32_t id =
        talk_ask(&t, UDP_TRACKER_ANNOUNCE, TRACKER_EVENT_STARTED, HOST);
    assert_int_equal(talk_sent_action(&t), TRACKER_UDP_CONNECT);
    assert_true(talk_answer(&t, 0, HOST, "connid!!", 8));
    assert_int_equal(talk_sent_action(&t), TRACKER_UDP_ANNOUNCE);
    assert_memory_equal(t.sent, "connid!!", 8);
    assert_true(talk_answer(&t, 1, HOST, "\0\0\7\0\0\0\0\1\0\0\0\2", 12));
    assert_int_equal(t.n_done, 1);
    assert_int_equal(t.done_id, id);
    assert_int_equal(t.result, 0);
    assert_int_equal(t.seeders, 2);
    t.now += UDP_TRACKER_CONNECT_MS - 1;
    talk_ask(&t, UDP_TRACKER_SCRAPE, TRACKER_EVENT_NONE, HOST);
    assert_int_equal(talk_sent_action(&t), TRACKER_UDP_SCRAPE);
    assert_true(talk_answer(&t, 2, HOST, "\0\0\0\5\0\0\0\1\0\0\0\2", 12));
    assert_int_equal(t.seeders, 5);
    t.now += 1;
    talk_ask(&t, UDP_TRACKER_SCRAPE, TRACKER_EVENT_NONE, HOST);
    assert_int_equal(talk_sent_action(&t), TRACKER_UDP_CONNECT);
    udp_tracker_free(t.u);
}

/* 15, 30, 60, 120 seconds, then it has failed. */
static void udp_test_silence(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t);
    talk_ask(&t, UDP_TRACKER_ANNOUNCE, TRACKER_EVENT_NONE, HOST);
    uint64_t wait = UDP_TRACKER_RESEND_MS;
    for (unsigned i = 1; i < UDP_TRACKER_SENDS; i++) {
        assert_int_equal(t.n_sent, i);
        assert_true(udp_tracker_deadline(t.u) == t.now + wait);
        talk_tick(&t, wait - 1);
        assert_int_equal(t.n_sent, i);
        talk_tick(&t, 1);
        wait *= 2;
    }
    assert_int_equal(t.n_sent, UDP_TRACKER_SENDS);
    talk_tick(&t, wait);
    assert_int_equal(t.n_done, 1);
    assert_int_equal(t.result, BTC_E_TIMEOUT);
    assert_true(udp_tracker_deadline(t.u) == UINT64_MAX);
    udp_tracker_free(t.u);
}

/* An announce that is lost is sent again with a fresh id when the old one has
 * had its minute. */
static void udp_test_expired(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t);
    talk_ask(&t, UDP_TRACKER_ANNOUNCE, TRACKER_EVENT_NONE, HOST);
    assert_true(talk_answer(&t, 0, HOST, "connid!!", 8));
    talk_tick(&t, 15000);
    assert_int_equal(talk_sent_action(&t), TRACKER_UDP_ANNOUNCE);
    talk_tick(&t, 30000);
    assert_int_equal(talk_sent_action(&t), TRACKER_UDP_ANNOUNCE);
    talk_tick(&t, 60000);
    assert_int_equal(talk_sent_action(&t), TRACKER_UDP_CONNECT);
    udp_tracker_free(t.u);
}

/* `stopped` does not have 15 seconds. */
static void udp_test_stopped(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t);
    talk_ask(&t, UDP_TRACKER_ANNOUNCE, TRACKER_EVENT_STOPPED, HOST);
    talk_tick(&t, UDP_TRACKER_STOP_MS);
    assert_int_equal(t.n_sent, 2);
    udp_tracker_free(t.u);
}

/* Answers from elsewhere, of other requests, of a wrong kind, too short. */
static void udp_test_wrong(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t);
    talk_ask(&t, UDP_TRACKER_ANNOUNCE, TRACKER_EVENT_NONE, HOST);
    assert_false(talk_answer(&t, 0, "192.0.2.1:81", "connid!!", 8));
    assert_false(talk_answer(&t, 0, "192.0.2.2:80", "connid!!", 8));
    t.sent[12] ^= 1;
    assert_false(talk_answer(&t, 0, HOST, "connid!!", 8));
    t.sent[12] ^= 1;
    assert_int_equal(t.n_sent, 1);
    assert_true(talk_answer(&t, 0, HOST, "short", 5));
    assert_int_equal(t.result, BTC_E_PROTO);
    talk_ask(&t, UDP_TRACKER_ANNOUNCE, TRACKER_EVENT_NONE, HOST);
    assert_true(talk_answer(&t, 1, HOST, "\0\0\7\0\0\0\0\1\0\0\0\2", 12));
    assert_int_equal(t.n_done, 2); /* an announce is no answer to a connect */
    assert_int_equal(t.result, BTC_E_PROTO);
    talk_ask(&t, UDP_TRACKER_ANNOUNCE, TRACKER_EVENT_NONE, HOST);
    assert_true(talk_answer(&t, 0, HOST, "connid!!", 8));
    size_t n = t.n_sent;
    assert_true(talk_answer(&t, 0, HOST, "connid??", 8)); /* doubled */
    assert_int_equal(t.n_sent, n);
    assert_true(talk_answer(&t, 3, HOST, "go away", 7));
    assert_int_equal(t.result, 0);
    assert_string_equal(t.failure, "go away");
    /* after an error the id is not trusted */
    talk_ask(&t, UDP_TRACKER_ANNOUNCE, TRACKER_EVENT_NONE, HOST);
    assert_int_equal(talk_sent_action(&t), TRACKER_UDP_CONNECT);
    udp_tracker_free(t.u);
}

/* One connect serves all that wait at that address; cancelled ones are silent.
 */
static void udp_test_shared(void **state)
{
    (void)state;
    struct talk t;
    talk_init(&t);
    uint32_t first =
        talk_ask(&t, UDP_TRACKER_ANNOUNCE, TRACKER_EVENT_NONE, HOST);
    talk_ask(&t, UDP_TRACKER_ANNOUNCE, TRACKER_EVENT_NONE, "192.0.2.9:80");
    uint32_t third =
        talk_ask(&t, UDP_TRACKER_ANNOUNCE, TRACKER_EVENT_NONE, HOST);
    udp_tracker_cancel(t.u, first);
    udp_tracker_cancel(t.u, 12345);
    assert_int_equal(t.n_sent, 3);
    assert_true(talk_answer(&t, 0, HOST, "connid!!", 8));
    assert_int_equal(t.n_sent, 4);
    assert_int_equal(bytes_get_be32(t.sent + 12), third);
    assert_int_equal(t.n_done, 0);
    udp_tracker_free(t.u);
    udp_tracker_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(udp_test_announce), cmocka_unit_test(udp_test_silence),
        cmocka_unit_test(udp_test_expired),  cmocka_unit_test(udp_test_stopped),
        cmocka_unit_test(udp_test_wrong),    cmocka_unit_test(udp_test_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
