/* The set of known peers: candidates, back-off, incoming ones, bans, eviction.
 */
#include "core/swarm/canonical.h"
#include "core/swarm/peerset/internal.h"

#include "base/err.h"
#include "model/names.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct world {
    struct rng rng;
    struct peerset *ps;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    rng_init(&w->rng, 1);
    w->ps = peerset_new(&w->rng);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    peerset_free(w->ps);
    free(w);
    return 0;
}

static struct addr at(const char *text)
{
    struct addr a;

    assert_true(addr_parse(slice_str(text), &a));
    return a;
}

/* The n-th address of a long row of hosts. */
static struct addr host(uint32_t n, uint16_t port)
{
    struct addr a = at("10.0.0.0:1");

    a.ip[1] = (uint8_t)(n >> 16);
    a.ip[2] = (uint8_t)(n >> 8);
    a.ip[3] = (uint8_t)n;
    a.port = port;
    return a;
}

static uint32_t add(struct world *w, const char *text, enum peer_source source)
{
    struct addr a = at(text);
    int64_t id = peerset_add(w->ps, &a, source);

    assert_in_range(id, 0, UINT32_MAX - 1);
    return (uint32_t)id;
}

static uint32_t incoming(struct world *w, const char *text)
{
    struct addr a = at(text);
    int64_t id = peerset_add_incoming(w->ps, &a);

    assert_in_range(id, 0, UINT32_MAX - 1);
    peerset_on_connected(w->ps, (uint32_t)id, 77);
    return (uint32_t)id;
}

/* Every entry is found under its id, and by its address when connectable. */
static void check(struct world *w)
{
    for (uint32_t i = 0; i < peerset_count(w->ps); i++) {
        struct peerset_entry *e = peerset_at(w->ps, i);

        assert_ptr_equal(peerset_get(w->ps, e->id), e);
        assert_true(!e->connectable || peerset_find(w->ps, &e->addr) == e);
        assert_int_equal(e->banned, peerset_is_banned(w->ps, &e->addr));
    }
}

/* When somebody may be dialled, found by looking at everybody. */
static uint64_t soonest(const struct peerset *ps, bool desperate)
{
    uint64_t at = UINT64_MAX;

    for (uint32_t i = 0; i < ps->n; i++) {
        const struct peerset_entry *e = &ps->nodes[i]->e;

        if (e->state == PEERSET_IDLE && e->connectable && !e->banned &&
            e->retry_ms < at &&
            (desperate ||
             peerset_failures(ps->nodes[i]) < PEERSET_MAX_FAILURES)) {
            at = e->retry_ms;
        }
    }
    return at == UINT64_MAX && !desperate ? soonest(ps, true) : at;
}

/* What is remembered is never too late, and not too early when it has been
 * tried. */
static void check_due(struct world *w, uint64_t now_ms)
{
    assert_true(peerset_deadline(w->ps, false) <= soonest(w->ps, false));
    if (soonest(w->ps, false) > now_ms) {
        assert_int_equal(peerset_next(w->ps, false, now_ms), PEERSET_NONE);
        assert_true(peerset_deadline(w->ps, false) > now_ms);
    }
}

static void test_one_entry_per_address(void **state)
{
    struct world *w = *state;
    uint32_t a = add(w, "1.2.3.4:80", PEER_SOURCE_TRACKER);
    struct addr noise = at("1.2.3.4:80");

    assert_int_equal(add(w, "1.2.3.4:80", PEER_SOURCE_PEX), a);
    assert_int_equal(peerset_get(w->ps, a)->source, PEER_SOURCE_TRACKER);
    assert_int_equal(add(w, "1.2.3.4:80", PEER_SOURCE_USER), a);
    assert_int_equal(add(w, "1.2.3.4:80", PEER_SOURCE_DHT), a);
    assert_int_equal(peerset_get(w->ps, a)->source, PEER_SOURCE_USER);
    assert_int_not_equal(add(w, "1.2.3.4:81", PEER_SOURCE_PEX), a);
    assert_int_not_equal(add(w, "[::1]:80", PEER_SOURCE_PEX), a);
    /* What is not part of the value does not count. */
    noise.pad = 9;
    noise.ip[12] = 9;
    assert_int_equal(peerset_add(w->ps, &noise, PEER_SOURCE_PEX), a);
    assert_int_equal(peerset_count(w->ps), 3);
    check(w);
}

static void test_not_dialable(void **state)
{
    static const char *const bad[] = {"1.2.3.4:0",    "0.0.0.0:80",
                                      "224.0.0.1:80", "255.255.255.255:80",
                                      "[::]:80",      "[ff02::1]:80"};
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct addr a = at(bad[i]);

        assert_int_equal(peerset_add(w->ps, &a, PEER_SOURCE_TRACKER),
                         BTC_E_RANGE);
    }
    struct addr none = addr_none();
    assert_int_equal(peerset_add(w->ps, &none, PEER_SOURCE_USER), BTC_E_RANGE);
    assert_int_equal(peerset_add_incoming(w->ps, &none), BTC_E_RANGE);
    assert_int_equal(peerset_count(w->ps), 0);
    assert_int_equal(peerset_next(w->ps, false, 0), PEERSET_NONE);
    assert_true(peerset_deadline(w->ps, false) == UINT64_MAX);
}

/* Of equals the canonical priority decides, as soon as we know our address. */
static void test_canonical(void **state)
{
    struct world *w = *state;
    struct addr own4 = at("123.213.32.10:6881"), own6 = addr_none();
    uint32_t ids[20];
    uint32_t last = UINT32_MAX;

    for (uint32_t i = 0; i < 10; i++) {
        char text[ADDR_TEXT_MAX];
        (void)snprintf(text, sizeof(text), "%u.2.3.4:80", 20 + i * 7);
        ids[i] = add(w, text, PEER_SOURCE_PEX);
    }
    peerset_set_own(w->ps, &own4, &own6);
    for (uint32_t i = 10; i < 20; i++) {
        char text[ADDR_TEXT_MAX];
        (void)snprintf(text, sizeof(text), "%u.2.3.4:80", 20 + i * 7);
        ids[i] = add(w, text, PEER_SOURCE_PEX);
    }
    peerset_get(w->ps, ids[7])->bytes_down = 1;
    assert_int_equal(peerset_next(w->ps, false, 0), ids[7]);
    for (uint32_t i = 0; i < 19; i++) {
        const struct peerset_entry *e =
            peerset_get(w->ps, peerset_next(w->ps, false, 0));
        uint32_t priority = peerset_priority(w->ps, &e->addr);
        assert_int_equal(priority, canonical_priority(&own4, &e->addr));
        assert_true(priority < last);
        last = priority;
    }
    check(w);
}

/* Who is dialled first. */
static void test_best_first(void **state)
{
    struct world *w = *state;
    uint32_t pex = add(w, "1.0.0.1:1", PEER_SOURCE_PEX);
    uint32_t failed = add(w, "1.0.0.2:1", PEER_SOURCE_USER);
    uint32_t user = add(w, "1.0.0.3:1", PEER_SOURCE_USER);
    uint32_t good = add(w, "1.0.0.4:1", PEER_SOURCE_PEX);
    uint32_t better = add(w, "1.0.0.5:1", PEER_SOURCE_DHT);
    uint32_t self = add(w, "1.0.0.6:1", PEER_SOURCE_TRACKER);
    uint32_t later = add(w, "1.0.0.7:1", PEER_SOURCE_USER);
    uint32_t expect[] = {better, user, good, pex, failed, PEERSET_NONE};

    peerset_get(w->ps, failed)->failures = 1;
    peerset_get(w->ps, good)->bytes_down = 5;
    peerset_get(w->ps, better)->bytes_down = 6;
    peerset_get(w->ps, self)->is_self = true;
    peerset_get(w->ps, later)->retry_ms = 1001;
    assert_true(peerset_deadline(w->ps, false) == 0);
    for (size_t i = 0; i < sizeof(expect) / sizeof(expect[0]); i++) {
        assert_int_equal(peerset_next(w->ps, false, 1000), expect[i]);
    }
    assert_int_equal(peerset_get(w->ps, pex)->state, PEERSET_CONNECTING);
    assert_true(peerset_deadline(w->ps, false) == 1001);
    assert_int_equal(peerset_next(w->ps, false, 1001), later);
    assert_true(peerset_deadline(w->ps, false) == UINT64_MAX);
}

/* Equals are dialled in random order. */
static void test_equals_by_lot(void **state)
{
    struct world *w = *state;
    uint32_t first[5] = {0};

    for (int i = 0; i < 5; i++) {
        (void)peerset_add(w->ps,
                          &(struct addr){.family = ADDR_V4,
                                         .port = 1,
                                         .ip = {1, 1, 1, (uint8_t)i}},
                          PEER_SOURCE_TRACKER);
    }
    for (int i = 0; i < 1000; i++) {
        uint32_t id = peerset_next(w->ps, false, 0);

        first[id]++;
        peerset_get(w->ps, id)->state = PEERSET_IDLE;
    }
    for (int i = 0; i < 5; i++) {
        assert_in_range(first[i], 130, 270);
    }
}

static void test_back_off(void **state)
{
    static const uint64_t waits[] = {15000,  30000,  60000,   120000,  240000,
                                     480000, 960000, 1800000, 1800000, 1800000};
    struct world *w = *state;
    uint32_t id = add(w, "1.2.3.4:80", PEER_SOURCE_TRACKER);
    uint64_t now = 1000;

    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        assert_int_equal(peerset_next(w->ps, false, now), id);
        peerset_on_failed(w->ps, id, now);
        assert_true(peerset_deadline(w->ps, false) == now + waits[i]);
        assert_int_equal(peerset_next(w->ps, false, now + waits[i] - 1),
                         PEERSET_NONE);
        now += waits[i];
    }
    /* A connection that works starts anew. */
    assert_int_equal(peerset_next(w->ps, false, now), id);
    peerset_on_connected(w->ps, id, 123456);
    assert_int_equal(peerset_get(w->ps, id)->failures, 0);
    assert_int_equal(peerset_get(w->ps, id)->last_seen, 123456);
    assert_int_equal(peerset_next(w->ps, false, now), PEERSET_NONE);
    peerset_on_closed(w->ps, id, true, now);
    assert_true(peerset_deadline(w->ps, false) == now + PEERSET_RECONNECT_MS);
    peerset_get(w->ps, id)->failures = UINT32_MAX;
    peerset_on_failed(w->ps, id, now);
    assert_int_equal(peerset_get(w->ps, id)->failures, UINT32_MAX);
    assert_true(peerset_deadline(w->ps, false) == now + 1800000);
}

/* A peer that worked once, in an earlier run too, may not know yet that we have
 * been killed: the first try comes again soon, the next ones do not. */
static void test_known_peer_again_soon(void **state)
{
    struct world *w = *state;
    uint32_t id = add(w, "1.2.3.4:80", PEER_SOURCE_RESUME);

    peerset_get(w->ps, id)->last_seen = 5;
    assert_int_equal(peerset_next(w->ps, false, 0), id);
    peerset_on_failed(w->ps, id, 0);
    assert_true(peerset_deadline(w->ps, false) == PEERSET_AGAIN_MS);
    assert_int_equal(peerset_next(w->ps, false, PEERSET_AGAIN_MS), id);
    peerset_on_failed(w->ps, id, PEERSET_AGAIN_MS);
    assert_true(peerset_deadline(w->ps, false) == PEERSET_AGAIN_MS + 30000);
}

/* A peer that lets us in and throws us out is not dialled every five seconds.
 */
static void test_useless_connections_back_off(void **state)
{
    struct world *w = *state;
    uint32_t id = add(w, "1.2.3.4:80", PEER_SOURCE_TRACKER);
    uint64_t now = 0;

    for (uint64_t wait = 15000; wait < 1000000; wait *= 2) {
        assert_int_equal(peerset_next(w->ps, false, now), id);
        peerset_on_connected(w->ps, id, 1);
        peerset_on_closed(w->ps, id, false, now);
        assert_true(peerset_deadline(w->ps, false) == now + wait);
        now += wait;
    }
    assert_int_equal(peerset_next(w->ps, false, now), id);
    peerset_on_connected(w->ps, id, 1);
    peerset_on_closed(w->ps, id, true, now);
    assert_true(peerset_deadline(w->ps, false) == now + PEERSET_RECONNECT_MS);
}

/* Hopeless ones only when nothing else is left. */
static void test_too_many_failures(void **state)
{
    struct world *w = *state;
    uint32_t bad = add(w, "1.2.3.4:80", PEER_SOURCE_TRACKER);
    uint32_t good = add(w, "1.2.3.5:80", PEER_SOURCE_TRACKER);

    peerset_get(w->ps, bad)->failures = PEERSET_MAX_FAILURES;
    peerset_get(w->ps, good)->retry_ms = 500;
    assert_int_equal(peerset_next(w->ps, false, 100), PEERSET_NONE);
    assert_true(peerset_deadline(w->ps, false) == 500);
    assert_int_equal(peerset_next(w->ps, false, 500), good);
    assert_true(peerset_deadline(w->ps, false) == 0);
    assert_int_equal(peerset_next(w->ps, false, 500), bad);
}

static void test_seeds_are_skipped(void **state)
{
    struct world *w = *state;
    uint32_t seed = add(w, "1.2.3.4:80", PEER_SOURCE_TRACKER);

    peerset_get(w->ps, seed)->is_seed = true;
    assert_int_equal(peerset_next(w->ps, true, 0), PEERSET_NONE);
    assert_true(peerset_deadline(w->ps, true) == UINT64_MAX);
    assert_true(peerset_deadline(w->ps, false) == 0);
    assert_int_equal(peerset_next(w->ps, false, 0), seed);
}

/* An incoming stranger cannot be dialled before it says its port. */
static void test_incoming_says_port(void **state)
{
    struct world *w = *state;
    uint32_t id = incoming(w, "1.2.3.4:50000");
    struct addr at_port = at("1.2.3.4:50000");

    assert_false(peerset_get(w->ps, id)->connectable);
    assert_int_equal(peerset_get(w->ps, id)->source, PEER_SOURCE_INCOMING);
    assert_null(peerset_find(w->ps, &at_port));
    peerset_set_port(w->ps, id, 0);
    assert_false(peerset_get(w->ps, id)->connectable);
    peerset_set_port(w->ps, id, 6881);
    at_port.port = 6881;
    assert_ptr_equal(peerset_find(w->ps, &at_port), peerset_get(w->ps, id));
    peerset_on_closed(w->ps, id, true, 0);
    assert_int_equal(peerset_next(w->ps, false, PEERSET_RECONNECT_MS), id);
    check(w);
}

/* It never says its port: it is not dialled, and its next connection finds it.
 */
static void test_incoming_never_says(void **state)
{
    struct world *w = *state;
    uint32_t id = incoming(w, "1.2.3.4:50000");

    peerset_on_closed(w->ps, id, true, 0);
    assert_int_equal(peerset_next(w->ps, false, 1u << 30), PEERSET_NONE);
    assert_true(peerset_deadline(w->ps, false) == UINT64_MAX);
    assert_int_equal(incoming(w, "1.2.3.4:50001"), id);
    assert_int_not_equal(incoming(w, "1.2.3.4:50002"), id);
    assert_int_equal(peerset_count(w->ps), 2);
    check(w);
}

/* The only entry of the IP is taken for the peer that comes in, rightly. */
static void test_guess_is_right(void **state)
{
    struct world *w = *state;
    uint32_t id = add(w, "1.2.3.4:6881", PEER_SOURCE_TRACKER);

    assert_int_equal(incoming(w, "1.2.3.4:50000"), id);
    assert_int_equal(peerset_next(w->ps, false, 0), PEERSET_NONE);
    peerset_set_port(w->ps, id, 6881);
    assert_int_equal(peerset_count(w->ps), 1);
    assert_int_equal(peerset_get(w->ps, id)->state, PEERSET_CONNECTED);
    check(w);
}

/* ... and wrongly: the record goes back to whom it belongs. */
static void test_guess_is_wrong(void **state)
{
    struct world *w = *state;
    uint32_t id = add(w, "1.2.3.4:6881", PEER_SOURCE_USER);
    struct addr old = at("1.2.3.4:6881");
    struct addr new = at("1.2.3.4:7000");

    peerset_get(w->ps, id)->bytes_down = 1000;
    assert_int_equal(incoming(w, "1.2.3.4:50000"), id);
    peerset_set_port(w->ps, id, 7000);
    assert_int_equal(peerset_count(w->ps), 2);
    struct peerset_entry *back = peerset_find(w->ps, &old);
    struct peerset_entry *stranger = peerset_find(w->ps, &new);
    assert_ptr_equal(stranger, peerset_get(w->ps, id));
    assert_int_equal(stranger->state, PEERSET_CONNECTED);
    assert_int_equal(stranger->source, PEER_SOURCE_INCOMING);
    assert_int_equal(stranger->bytes_down, 0);
    assert_int_equal(back->bytes_down, 1000);
    assert_int_equal(back->source, PEER_SOURCE_USER);
    assert_int_equal(back->state, PEERSET_IDLE);
    assert_int_equal(peerset_next(w->ps, false, 0), back->id);
    check(w);
}

/* An address that we dialled ourselves is not moved by what the peer says. */
static void test_dialled_keeps_its_port(void **state)
{
    struct world *w = *state;
    uint32_t id = add(w, "1.2.3.4:6881", PEER_SOURCE_TRACKER);

    assert_int_equal(peerset_next(w->ps, false, 0), id);
    peerset_on_connected(w->ps, id, 1);
    peerset_set_port(w->ps, id, 7000);
    assert_int_equal(peerset_get(w->ps, id)->addr.port, 6881);
    assert_int_equal(peerset_count(w->ps), 1);
}

/* The peer that came in is one we know: one entry, both ids lead to it. */
static void test_merge(void **state)
{
    struct world *w = *state;
    uint32_t known = add(w, "1.2.3.4:6881", PEER_SOURCE_RESUME);
    uint32_t other = add(w, "1.2.3.4:6882", PEER_SOURCE_PEX);

    peerset_get(w->ps, known)->bytes_down = 1000;
    peerset_get(w->ps, known)->bad_pieces = 2;
    uint32_t id = incoming(w, "1.2.3.4:50000"); /* two of that IP: no guess */
    assert_true(id != known && id != other);
    peerset_get(w->ps, id)->bytes_down = 10;
    peerset_set_port(w->ps, id, 6881);
    struct peerset_entry *e = peerset_get(w->ps, id);
    assert_ptr_equal(peerset_get(w->ps, known), e);
    assert_int_equal(peerset_count(w->ps), 2);
    assert_int_equal(e->id, id);
    assert_int_equal(e->addr.port, 6881);
    assert_int_equal(e->state, PEERSET_CONNECTED);
    assert_int_equal(e->bytes_down, 1010);
    assert_int_equal(e->bad_pieces, 2);
    assert_int_equal(e->source, PEER_SOURCE_RESUME);
    check(w);
    /* A second connection from the same peer finds it taken. */
    uint32_t twin = incoming(w, "1.2.3.4:50001");
    peerset_set_port(w->ps, twin, 6881);
    assert_false(peerset_get(w->ps, twin)->connectable);
    /* The old id still works to ban it. */
    peerset_ban(w->ps, known);
    assert_true(peerset_get(w->ps, id)->banned);
    check(w);
}

static void test_bans_are_by_ip(void **state)
{
    struct world *w = *state;
    uint32_t bad = add(w, "1.2.3.4:6881", PEER_SOURCE_TRACKER);
    uint32_t brother = add(w, "1.2.3.4:6882", PEER_SOURCE_TRACKER);
    uint32_t good = add(w, "1.2.3.5:6881", PEER_SOURCE_TRACKER);
    struct addr port = at("1.2.3.4:9999");
    struct addr v6 = at("[1:203:400::]:6881");

    peerset_ban(w->ps, bad);
    peerset_ban(w->ps, bad);
    assert_true(peerset_get(w->ps, brother)->banned);
    assert_false(peerset_get(w->ps, good)->banned);
    assert_true(peerset_is_banned(w->ps, &port));
    assert_false(peerset_is_banned(w->ps, &v6));
    assert_int_equal(peerset_add(w->ps, &port, PEER_SOURCE_PEX), BTC_E_RANGE);
    assert_int_equal(peerset_add_incoming(w->ps, &port), BTC_E_RANGE);
    assert_int_equal(peerset_next(w->ps, false, 0), good);
    assert_int_equal(peerset_next(w->ps, false, 0), PEERSET_NONE);
    assert_int_equal(add(w, "1.2.3.4:6881", PEER_SOURCE_PEX), bad);
    /* From the journal it may come, to be shown; it is banned at once. */
    uint32_t old = add(w, "1.2.3.4:6883", PEER_SOURCE_RESUME);
    assert_true(peerset_get(w->ps, old)->banned);
    check(w);
}

/* An IPv6 /64 that sends one liar after the other is banned whole. */
static void test_bans_of_network(void **state)
{
    struct world *w = *state;
    struct addr next = at("[2001:db8:0:1:9::9]:6881");
    struct addr beside = at("[2001:db8:0:2::1]:6881");

    peerset_ban(w->ps, add(w, "[2001:db8:0:1::1]:6881", PEER_SOURCE_PEX));
    peerset_ban(w->ps, add(w, "[2001:db8:0:1::2]:6881", PEER_SOURCE_PEX));
    peerset_ban(w->ps, add(w, "[2001:db8:0:2::2]:6881", PEER_SOURCE_PEX));
    uint32_t id = add(w, "[2001:db8:0:1::4]:6881", PEER_SOURCE_PEX);
    assert_false(peerset_is_banned(w->ps, &next));
    peerset_ban(w->ps, add(w, "[2001:db8:0:1::3]:6881", PEER_SOURCE_PEX));
    assert_true(peerset_is_banned(w->ps, &next));
    assert_true(peerset_get(w->ps, id)->banned);
    assert_false(peerset_is_banned(w->ps, &beside));
    check(w);
}

/* Bans outlive their entries, and the oldest goes when there are too many. */
static void test_bans_last(void **state)
{
    struct world *w = *state;
    struct addr first = host(0, 1);
    struct addr second = host(1, 1);

    for (uint32_t i = 0; i < 5000; i++) {
        struct addr a = host(i, 1);
        int64_t id = peerset_add(w->ps, &a, PEER_SOURCE_TRACKER);

        assert_true(id >= 0);
        peerset_ban(w->ps, (uint32_t)id);
        if (i == 4095) {
            assert_null(peerset_find(w->ps, &first));
            assert_true(peerset_is_banned(w->ps, &first));
        }
        if (i == 4096) {
            assert_false(peerset_is_banned(w->ps, &first));
            assert_true(peerset_is_banned(w->ps, &second));
        }
    }
    check(w);
}

static void fill(struct world *w)
{
    for (uint32_t i = 0; i < PEERSET_MAX; i++) {
        struct addr a = host(i, 1);

        assert_int_equal(peerset_add(w->ps, &a, PEER_SOURCE_RESUME), i);
    }
    assert_int_equal(peerset_count(w->ps), PEERSET_MAX);
}

/* Who goes when the set is full, one after the other. */
static void test_eviction(void **state)
{
    struct world *w = *state;
    uint32_t order[] = {9, 8, 7, 6, 0, 1};

    fill(w);
    for (uint32_t i = 10; i < PEERSET_MAX; i++) {
        peerset_on_connected(w->ps, i, 5);
    }
    peerset_get(w->ps, 2)->source = PEER_SOURCE_USER;
    peerset_get(w->ps, 3)->state = PEERSET_CONNECTING;
    peerset_get(w->ps, 4)->last_seen = 5;
    peerset_get(w->ps, 4)->bytes_down = 5;
    peerset_get(w->ps, 5)->last_seen = 5;
    peerset_get(w->ps, 6)->failures = 1;
    peerset_get(w->ps, 7)->failures = 2;
    peerset_get(w->ps, 7)->last_seen = 5;
    peerset_get(w->ps, 8)->failures = 2;
    peerset_get(w->ps, 9)->failures = UINT32_MAX;
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        struct addr a = host(10000 + (uint32_t)i, 1);
        int64_t id = peerset_add(w->ps, &a, PEER_SOURCE_PEX);

        assert_int_equal(id, PEERSET_MAX + i); /* never an old id */
        peerset_on_connected(w->ps, (uint32_t)id, 5);
        assert_null(peerset_get(w->ps, order[i]));
        assert_int_equal(peerset_count(w->ps), PEERSET_MAX);
    }
    for (uint32_t i = 2; i <= 5; i++) {
        assert_non_null(peerset_get(w->ps, i));
    }
    check(w);
}

static void test_nobody_may_go(void **state)
{
    struct world *w = *state;
    struct addr a = host(10000, 1);

    fill(w);
    for (uint32_t i = 0; i < PEERSET_MAX; i++) {
        peerset_on_connected(w->ps, i, 5);
    }
    assert_int_equal(peerset_add(w->ps, &a, PEER_SOURCE_USER), BTC_E_LIMIT);
    assert_int_equal(peerset_add_incoming(w->ps, &a), BTC_E_LIMIT);
    check(w);
}

/* A hundred peers that may be dialled, each on a host of its own. */
static void add_honest(struct world *w)
{
    for (uint32_t i = 0; i < 100; i++) {
        struct addr a = host(i, 1);

        assert_int_equal(peerset_add(w->ps, &a, PEER_SOURCE_TRACKER), i);
    }
}

static void check_honest(struct world *w)
{
    for (uint32_t i = 0; i < 100; i++) {
        struct addr a = host(i, 1);

        assert_non_null(peerset_find(w->ps, &a));
    }
    check(w);
}

/* However many ports or addresses of its network a host is named with, it has a
 * few entries. */
static void test_ports_of_a_host(void **state)
{
    static const struct {
        const char *first;
        int byte; /* of the address that differs, too; 0 = none */
        uint32_t most;
    } rows[] = {{"6.6.6.6:1", 0, PEERSET_HOST_MAX},
                {"[2001:db8:1:2::]:1", 9, PEERSET_HOST_MAX},
                {"[2001:db8:1:2::]:1", 15, PEERSET_HOST_MAX},
                {"192.168.1.1:1", 0, PEERSET_LOCAL_MAX},
                {"[::1]:1", 0, PEERSET_LOCAL_MAX}};

    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        struct world *w = NULL;

        teardown(state);
        assert_int_equal(setup(state), 0);
        w = *state;
        add_honest(w);
        for (uint32_t i = 0; i < 2 * PEERSET_MAX; i++) {
            struct addr a = at(rows[k].first);

            a.port = (uint16_t)(1 + i);
            if (rows[k].byte > 0) {
                a.ip[rows[k].byte] = (uint8_t)i;
            }
            (void)peerset_add(w->ps, &a, PEER_SOURCE_PEX);
        }
        assert_int_equal(peerset_count(w->ps), 100 + rows[k].most);
        check_honest(w);
    }
}

/* A peer that says another port in each connection has a few entries, too, and
 * the newest of them is among them. */
static void test_moving_port(void **state)
{
    struct world *w = *state;
    uint32_t id = 0;

    add_honest(w);
    for (uint32_t i = 0; i < 2 * PEERSET_MAX; i++) {
        id = incoming(w, "6.6.6.6:50000");
        peerset_set_port(w->ps, id, (uint16_t)(1 + i));
        peerset_on_closed(w->ps, id, i % 3 == 0, i);
    }
    assert_int_equal(peerset_get(w->ps, id)->addr.port, 2 * PEERSET_MAX);
    assert_true(peerset_count(w->ps) <= 100 + PEERSET_HOST_MAX);
    check_honest(w);
}

/* What one source floods keeps no other out, nor those of its own that were
 * there before and may be good. */
static void test_source_floods(void **state)
{
    static const enum peer_source sources[] = {
        PEER_SOURCE_TRACKER, PEER_SOURCE_PEX, PEER_SOURCE_DHT, PEER_SOURCE_LSD,
        PEER_SOURCE_INCOMING};
    struct world *w = *state;

    add_honest(w);
    for (size_t k = 0; k < sizeof(sources) / sizeof(sources[0]); k++) {
        for (uint32_t i = 0; i < PEERSET_MAX / 2; i++) {
            struct addr a = host(100000 * (uint32_t)(k + 1) + i, 1);

            if (sources[k] == PEER_SOURCE_INCOMING) {
                int64_t id = peerset_add_incoming(w->ps, &a);

                assert_true(id >= 0);
                peerset_on_closed(w->ps, (uint32_t)id, false, 0);
            } else {
                (void)peerset_add(w->ps, &a, sources[k]);
            }
        }
    }
    check_honest(w);
    /* a failed one makes room for the next of its source */
    struct addr next = host(90000, 1);
    assert_int_equal(peerset_add(w->ps, &next, PEER_SOURCE_LSD), BTC_E_LIMIT);
    for (uint32_t i = 0; i < peerset_count(w->ps); i++) {
        if (peerset_at(w->ps, i)->source == PEER_SOURCE_LSD) {
            peerset_at(w->ps, i)->failures = 1;
            break;
        }
    }
    assert_true(peerset_add(w->ps, &next, PEER_SOURCE_LSD) >= 0);
    /* and whom the user names has a place */
    next = host(90001, 1);
    assert_true(peerset_add(w->ps, &next, PEER_SOURCE_USER) >= 0);
}

/* Addresses that answer with our own peer id are not dialled and keep nobody
 * out, be they ever so many. */
static void test_own_addresses(void **state)
{
    struct world *w = *state;
    struct addr own = at("[2001:db8::7]:6881");

    add_honest(w);
    for (uint32_t i = 0; i < PEERSET_MAX + 500; i++) {
        struct addr a = host(200000 + i, 9);
        int64_t id = peerset_add(w->ps, &a, PEER_SOURCE_USER);

        assert_true(id >= 0);
        peerset_set_self(w->ps, (uint32_t)id);
        peerset_set_self(w->ps, (uint32_t)id);
        assert_true(peerset_is_self(w->ps, &a));
    }
    check_honest(w);
    uint32_t id = add(w, "[2001:db8::7]:6881", PEER_SOURCE_TRACKER);
    assert_true(peerset_next(w->ps, false, 0) < 100);
    peerset_set_self(w->ps, id);
    for (uint32_t i = 300000; peerset_get(w->ps, id) != NULL; i++) {
        struct addr a = host(i, 9); /* until its entry has gone */

        assert_true(peerset_add(w->ps, &a, PEER_SOURCE_RESUME) >= 0);
    }
    assert_int_equal(peerset_add(w->ps, &own, PEER_SOURCE_PEX), BTC_E_RANGE);
    peerset_set_self(w->ps, 12345678);
}

/* Banned entries go first: the ban itself is kept elsewhere. */
static void test_banned_go_first(void **state)
{
    struct world *w = *state;
    struct addr next = host(90000, 1);
    struct addr bad = host(17, 1);

    fill(w);
    peerset_get(w->ps, 17)->source = PEER_SOURCE_USER;
    peerset_get(w->ps, 17)->bytes_down = 1;
    peerset_get(w->ps, 18)->failures = 99;
    peerset_ban(w->ps, 17);
    assert_int_equal(peerset_add(w->ps, &next, PEER_SOURCE_PEX), PEERSET_MAX);
    assert_null(peerset_get(w->ps, 17));
    assert_non_null(peerset_get(w->ps, 18));
    assert_true(peerset_is_banned(w->ps, &bad));
    check(w);
}

/* While our own network is down nobody is blamed: a known peer is tried again
 * and again, and all are when the network is back. */
static void test_outage(void **state)
{
    struct world *w = *state;
    uint32_t known = add(w, "1.2.3.4:80", PEER_SOURCE_TRACKER);
    uint32_t never = add(w, "1.2.3.5:80", PEER_SOURCE_TRACKER);
    uint64_t now = 1000;

    peerset_get(w->ps, known)->last_seen = 5;
    while (now < 3600000) {
        uint32_t id = peerset_next(w->ps, false, now);

        if (id == PEERSET_NONE) {
            uint64_t next = peerset_deadline(w->ps, false);

            assert_true(next > now && next <= now + PEERSET_NO_ROUTE_MS);
            now = next;
            continue;
        }
        peerset_on_unreachable(w->ps, id, true, now);
    }
    assert_true(peerset_get(w->ps, never)->retry_ms > now);
    assert_int_equal(peerset_get(w->ps, known)->failures, 0);
    assert_int_equal(peerset_get(w->ps, never)->failures, 0);
    peerset_forgive(w->ps, now);
    assert_int_not_equal(peerset_next(w->ps, false, now), PEERSET_NONE);
    assert_int_not_equal(peerset_next(w->ps, false, now), PEERSET_NONE);
}

/* What a tracker lists again is forgiven, but not at each of its words, and not
 * that it was of no use. */
static void test_listed_again(void **state)
{
    struct world *w = *state;
    uint32_t id = add(w, "1.2.3.4:80", PEER_SOURCE_TRACKER);
    uint64_t now = 1000;

    for (int i = 0; i < 6; i++) {
        assert_int_equal(peerset_next(w->ps, false, now), id);
        peerset_on_failed(w->ps, id, now);
        now = peerset_deadline(w->ps, false);
    }
    peerset_on_failed(w->ps, id, now);
    peerset_listed(w->ps, id, now + 1);
    assert_int_equal(peerset_next(w->ps, false, now + 1), id);
    peerset_on_failed(w->ps, id, now + 1);
    peerset_listed(w->ps, id, now + 2);
    assert_int_equal(peerset_next(w->ps, false, now + 2), PEERSET_NONE);
    now += PEERSET_FORGIVE_MS + 1;
    peerset_on_connected(w->ps, id, 5);
    peerset_on_closed(w->ps, id, false, now);
    peerset_listed(w->ps, id, now);
    assert_int_equal(peerset_next(w->ps, false, now), PEERSET_NONE);
}

/* A seed gives up on those that never answer; a downloader does not. */
static void test_seed_gives_up(void **state)
{
    struct world *w = *state;
    uint32_t id = add(w, "1.2.3.4:80", PEER_SOURCE_TRACKER);

    peerset_get(w->ps, id)->failures = PEERSET_MAX_FAILURES;
    assert_true(peerset_deadline(w->ps, true) == UINT64_MAX);
    assert_int_equal(peerset_next(w->ps, true, 0), PEERSET_NONE);
    assert_int_equal(peerset_next(w->ps, false, 0), id);
}

/* Nobody is blamed in a silence, but those that were not tried yet come first:
 * else the dead ones are dialled again and again before them. */
static void test_untried_first(void **state)
{
    struct world *w = *state;
    uint32_t dead = add(w, "1.2.3.4:80", PEER_SOURCE_TRACKER);
    char text[] = "1.2.4.1:80";

    assert_int_equal(peerset_next(w->ps, false, 0), dead);
    peerset_on_unreachable(w->ps, dead, false, 0);
    for (char i = '1'; i <= '9'; i++) {
        text[6] = i;
        (void)add(w, text, PEER_SOURCE_TRACKER);
    }
    for (int i = 0; i < 9; i++) {
        assert_true(peerset_is_fresh(w->ps, PEERSET_BACKOFF_MS));
        uint32_t id = peerset_next(w->ps, false, PEERSET_BACKOFF_MS);
        assert_true(id != dead && id != PEERSET_NONE);
    }
    assert_false(peerset_is_fresh(w->ps, PEERSET_BACKOFF_MS));
    assert_int_equal(peerset_next(w->ps, false, PEERSET_BACKOFF_MS), dead);
}

/* A second address of a connected client waits without blame. */
static void test_twin_waits(void **state)
{
    struct world *w = *state;
    uint32_t id = add(w, "1.2.3.4:80", PEER_SOURCE_TRACKER);

    assert_int_equal(peerset_next(w->ps, false, 0), id);
    peerset_on_twin(w->ps, id, PEERSET_NONE, 0);
    assert_int_equal(peerset_get(w->ps, id)->failures, 0);
    assert_true(peerset_deadline(w->ps, false) == PEERSET_BACKOFF_MAX_MS);
}

/* ... but only as long as the other one is connected. */
static void test_twin_is_freed(void **state)
{
    struct world *w = *state;
    uint32_t one = add(w, "1.2.3.4:80", PEER_SOURCE_TRACKER);
    uint32_t two = add(w, "1.2.3.5:80", PEER_SOURCE_TRACKER);
    uint32_t three = add(w, "1.2.3.6:80", PEER_SOURCE_TRACKER);

    for (int i = 0; i < 3; i++) {
        assert_true(peerset_next(w->ps, false, 0) != PEERSET_NONE);
    }
    peerset_on_connected(w->ps, one, 1);
    peerset_on_connected(w->ps, three, 1);
    peerset_on_twin(w->ps, two, one, 0);
    peerset_on_closed(w->ps, three, true, 1000);
    assert_int_equal(peerset_next(w->ps, false, 600000), three);
    peerset_on_connected(w->ps, three, 1);
    assert_int_equal(peerset_next(w->ps, false, 600000), PEERSET_NONE);
    peerset_on_closed(w->ps, one, false, 600000);
    assert_int_equal(peerset_next(w->ps, false, 600000 + PEERSET_RECONNECT_MS),
                     two);
}

/* A piece that passes after its sender was closed ends the wait of a useless
 * one. */
static void test_good_after_all(void **state)
{
    struct world *w = *state;
    uint32_t id = add(w, "1.2.3.4:80", PEER_SOURCE_TRACKER);

    for (uint64_t now = 0; now < 3000; now += 1000) {
        peerset_on_connected(w->ps, id, 1);
        peerset_on_closed(w->ps, id, false, now);
    }
    assert_true(peerset_deadline(w->ps, false) == 62000);
    peerset_on_good(w->ps, id, 3000);
    assert_true(peerset_deadline(w->ps, false) == 3000 + PEERSET_RECONNECT_MS);
    peerset_on_good(w->ps, 99, 3000);
}

/* Ids that lead nowhere are late results: no harm. */
static void test_stale_ids(void **state)
{
    struct world *w = *state;

    (void)add(w, "1.2.3.4:80", PEER_SOURCE_TRACKER);
    assert_null(peerset_get(w->ps, 99));
    peerset_on_connected(w->ps, 99, 1);
    peerset_on_failed(w->ps, 99, 1);
    peerset_on_unreachable(w->ps, 99, true, 1);
    peerset_listed(w->ps, 99, 1);
    peerset_on_twin(w->ps, 99, 98, 1);
    peerset_on_closed(w->ps, 99, true, 1);
    peerset_set_port(w->ps, 99, 1);
    peerset_ban(w->ps, 99);
    peerset_free(NULL);
    assert_int_equal(peerset_count(w->ps), 1);
    check(w);
}

/* `a` must be dialled before `b`. */
static bool comes_before(const struct peerset_node *a,
                         const struct peerset_node *b)
{
    bool known_a =
        a->e.source == PEER_SOURCE_USER || a->e.source == PEER_SOURCE_RESUME;
    bool known_b =
        b->e.source == PEER_SOURCE_USER || b->e.source == PEER_SOURCE_RESUME;

    if (peerset_failures(a) != peerset_failures(b)) {
        return peerset_failures(a) < peerset_failures(b);
    }
    if (a->doubts != b->doubts) {
        return a->doubts < b->doubts;
    }
    return known_a && !known_b;
}

/* Nobody who waits and is due has to be dialled before the one that is. */
static uint32_t next_of_all(struct world *w, uint64_t now_ms)
{
    uint32_t id = peerset_next(w->ps, false, now_ms);
    const struct peerset_entry *best = peerset_get(w->ps, id);

    for (uint32_t i = 0; best != NULL && i < w->ps->n; i++) {
        const struct peerset_node *node = w->ps->nodes[i];

        assert_false(node->e.state == PEERSET_IDLE && node->e.connectable &&
                     !node->e.banned && node->e.retry_ms <= now_ms &&
                     comes_before(node, (const struct peerset_node *)best));
    }
    return id;
}

/* One step of anything. */
static void random_step(struct world *w, struct rng *rng, uint32_t step)
{
    struct addr a = host(rng_below(rng, 6), (uint16_t)(1 + rng_below(rng, 4)));
    uint32_t n = peerset_count(w->ps);
    uint32_t id = n > 0 ? peerset_at(w->ps, rng_below(rng, n))->id : 12345;
    struct peerset_entry *e = peerset_get(w->ps, id);
    bool busy = e && e->state != PEERSET_IDLE;
    int64_t in = -1;

    switch (rng_below(rng, 6)) {
    case 0:
        (void)peerset_add(w->ps, &a, (enum peer_source)rng_below(rng, 7));
        break;
    case 1:
        in = n < 60 ? peerset_add_incoming(w->ps, &a) : -1;
        peerset_on_connected(w->ps, in >= 0 ? (uint32_t)in : 12345, step);
        break;
    case 2:
        peerset_set_port(w->ps, id, (uint16_t)rng_below(rng, 5));
        break;
    case 3:
        peerset_on_connected(w->ps, next_of_all(w, step), step);
        break;
    case 4:
        peerset_on_closed(w->ps, busy ? id : 12345, rng_below(rng, 2) == 0,
                          step);
        break;
    default:
        peerset_on_failed(w->ps, busy ? id : 12345, step);
        break;
    }
    if (rng_below(rng, 8000) == 0) {
        peerset_ban(w->ps, id);
    }
}

/* Anything in any order, on few hosts and ports so that they collide. */
static void test_random(void **state)
{
    struct world *w = *state;
    struct rng rng;

    rng_init(&rng, 42);
    for (uint32_t step = 0; step < 30000; step++) {
        random_step(w, &rng, step);
        check(w);
        check_due(w, step);
    }
    assert_true(peerset_count(w->ps) > 5);
}

/* While nobody is due, nobody is looked at: a large set costs each event of its
 * torrent nothing. */
static void test_waiting_is_cheap(void **state)
{
    struct world *w = *state;
    struct addr a = at("1.2.3.4:80");
    int64_t id = peerset_add(w->ps, &a, PEER_SOURCE_TRACKER);
    struct peerset_entry *e = peerset_get(w->ps, (uint32_t)id);

    e->retry_ms = 1000;
    assert_int_equal(peerset_next(w->ps, false, 10), PEERSET_NONE);
    e->retry_ms = 20; /* behind its back: only a walk could see it */
    assert_int_equal(peerset_next(w->ps, false, 999), PEERSET_NONE);
    assert_int_equal(peerset_deadline(w->ps, false), 1000);
    assert_int_equal(peerset_next(w->ps, false, 1000), id);
}

/* An address that finds a place costs the same however many there are. */
static void test_naming_is_cheap(void **state)
{
    struct world *w = *state;
    char text[32];

    for (uint32_t i = 0; i < PEERSET_MAX * 3 / 8; i++) {
        (void)snprintf(text, sizeof(text), "9.%u.%u.%u:80", i / 4 / 256,
                       i / 4 % 256, i % 4);
        struct addr a = at(text);
        assert_true(peerset_add(w->ps, &a, PEER_SOURCE_TRACKER) >= 0);
    }
    assert_int_equal(w->ps->n_looked, 0);
    struct addr more = at("8.8.8.8:80");
    assert_int_equal(peerset_add(w->ps, &more, PEER_SOURCE_TRACKER),
                     BTC_E_LIMIT);
    assert_int_equal(w->ps->n_looked, PEERSET_MAX * 3 / 8);
}

/* Nor does a walk over all of them come with each that is dialled. */
static void test_dialling_is_cheap(void **state)
{
    struct world *w = *state;

    for (uint32_t i = 0; i < PEERSET_MAX; i++) {
        struct addr a = host(1 + i, 80);
        assert_true(peerset_add(w->ps, &a, PEER_SOURCE_USER) >= 0);
    }
    w->ps->n_looked = 0;
    for (uint32_t i = 0; i < PEERSET_MAX; i++) {
        assert_int_equal(peerset_deadline(w->ps, false), 0);
        uint32_t id = peerset_next(w->ps, false, i);
        assert_int_not_equal(id, PEERSET_NONE);
        peerset_on_connected(w->ps, id, 77);
    }
    assert_int_equal(peerset_next(w->ps, false, PEERSET_MAX), PEERSET_NONE);
    assert_true(w->ps->n_looked <= PEERSET_MAX / 4 * (uint64_t)PEERSET_MAX);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_entry_per_address),
        TEST(test_not_dialable),
        TEST(test_best_first),
        TEST(test_canonical),
        TEST(test_equals_by_lot),
        TEST(test_back_off),
        TEST(test_known_peer_again_soon),
        TEST(test_useless_connections_back_off),
        TEST(test_too_many_failures),
        TEST(test_seeds_are_skipped),
        TEST(test_incoming_says_port),
        TEST(test_incoming_never_says),
        TEST(test_guess_is_right),
        TEST(test_guess_is_wrong),
        TEST(test_dialled_keeps_its_port),
        TEST(test_merge),
        TEST(test_bans_are_by_ip),
        TEST(test_bans_of_network),
        TEST(test_bans_last),
        TEST(test_eviction),
        TEST(test_nobody_may_go),
        TEST(test_ports_of_a_host),
        TEST(test_moving_port),
        TEST(test_source_floods),
        TEST(test_own_addresses),
        TEST(test_banned_go_first),
        TEST(test_outage),
        TEST(test_listed_again),
        TEST(test_seed_gives_up),
        TEST(test_untried_first),
        TEST(test_twin_waits),
        TEST(test_twin_is_freed),
        TEST(test_good_after_all),
        TEST(test_stale_ids),
        TEST(test_random),
        TEST(test_waiting_is_cheap),
        TEST(test_naming_is_cheap),
        TEST(test_dialling_is_cheap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
