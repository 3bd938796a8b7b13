/* Who gets a place when all are taken by peers that are of use (BEP 40). */
#include "core/torrent/torrent_kit.h"

#include "core/swarm/canonical.h"
#include "core/swarm/internal.h"
#include "core/torrent/internal.h"

#define PLACES 4

static const struct addr own = {
    .family = ADDR_V4, .port = 6881, .ip = {123, 213, 32, 10}};

/* A newcomer in 10.0.0.0/16: its own priority is all that matters of it. */
static uint32_t call(struct kit *k, uint8_t last)
{
    struct addr a = {
        .family = ADDR_V4, .port = 7000, .ip = {10, last, 0, last}};
    uint32_t conn = torrent_new_conn(k->t, &a, k->now_ms);
    kit_drain(k);
    return conn;
}

/* All of them move as much as the others, whatever has come. */
static void make_busy(struct kit *k)
{
    struct peer *p;
    SWARM_EACH_PEER(p, k->t->swarm)
    {
        rate_init(&p->rate.down);
        rate_add(&p->rate.down, 1u << 20, k->now_ms);
    }
}

/* The lowest priority of those that are connected. */
static uint32_t lowest(struct kit *k)
{
    uint32_t least = UINT32_MAX;
    const struct peer *p;
    SWARM_EACH_PEER(p, k->t->swarm)
    {
        uint32_t priority = canonical_priority(&own, &p->addr);
        if (priority < least) {
            least = priority;
        }
    }
    return least;
}

/* An address whose priority is above or below all that are connected. */
static uint8_t find(struct kit *k, bool above, uint8_t from)
{
    for (uint8_t i = from; i < 255; i++) {
        struct addr a = {.family = ADDR_V4, .ip = {10, i, 0, i}};
        if ((canonical_priority(&own, &a) > lowest(k)) == above) {
            return i;
        }
    }
    fail_msg("there is none");
    return 0;
}

static void test_places(void **state)
{
    struct kit *k = kit_new();
    (void)state;
    k->shared.swarm.own4.elected = own;
    torrent_set_limits(k->t, 0, PLACES, k->now_ms);
    kit_event(k, EVENT_START);
    for (int i = 0; i < PLACES; i++) {
        (void)kit_peer(k, false);
    }
    /* They have all had their time, and move something. */
    kit_wait(k, 40000);
    kit_forget(k);
    make_busy(k);
    uint32_t before = lowest(k);
    assert_int_equal(call(k, find(k, false, 20)), 0);
    KIT_EXPECT(k, "");
    uint8_t one = find(k, true, 20);
    assert_int_not_equal(call(k, one), 0);
    assert_non_null(strstr(buf_cstr(&k->log), ": close\n"));
    assert_true(lowest(k) > before);
    /* The next one not before the turn is over. */
    kit_event(k, EVENT_TICK);
    make_busy(k);
    uint8_t other = find(k, true, (uint8_t)(one + 1));
    assert_int_equal(call(k, other), 0);
    kit_wait(k, 11000);
    make_busy(k);
    assert_int_not_equal(call(k, other), 0);
    kit_free(k);
}

/* Without an address of our own nobody goes who is of use. */
static void test_own_unknown(void **state)
{
    struct kit *k = kit_new();
    (void)state;
    torrent_set_limits(k->t, 0, PLACES, k->now_ms);
    kit_event(k, EVENT_START);
    for (int i = 0; i < PLACES; i++) {
        (void)kit_peer(k, false);
    }
    kit_wait(k, 40000);
    make_busy(k);
    for (uint8_t i = 20; i < 120; i++) {
        assert_int_equal(call(k, i), 0);
    }
    kit_free(k);
}

/* What peers say of our address counts when most of five places agree. */
static void test_told_by_peers(void **state)
{
    static const char said[] = "d1:md11:ut_metadatai1ee6:yourip4:{\xd5\x20\x0a"
                               "e";
    struct kit *k = kit_new();
    (void)state;
    kit_event(k, EVENT_START);
    for (uint8_t i = 1; i <= 6; i++) {
        struct event ev = {.type = EVENT_ACCEPTED};
        struct wire_msg msg = {.type = WIRE_EXTENDED};
        struct addr a = {.family = ADDR_V4, .port = 7000, .ip = {i, i, i, i}};
        uint8_t m[WIRE_HEADER_MAX];
        ev.conn = torrent_new_conn(k->t, &a, k->now_ms);
        ev.accepted.addr = a;
        memcpy(ev.accepted.handshake.info_hash, k->info_hash, SHA1_LEN);
        memset(ev.accepted.handshake.peer_id, 'A' + i, 20);
        ev.accepted.handshake.reserved[5] = 0x10;
        kit_input(k, &ev);
        msg.extended.payload = slice_of(said, sizeof(said) - 1);
        kit_bytes(k, ev.conn, m, wire_encode(&msg, m));
        kit_bytes(k, ev.conn, said, sizeof(said) - 1);
        assert_int_equal(k->shared.swarm.own4.elected.family != ADDR_NONE,
                         i >= 5);
    }
    assert_true(addr_eq_ip(&k->shared.swarm.own4.elected, &own));
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_own_unknown),
        cmocka_unit_test(test_told_by_peers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
