/* pex: differences told, and what hostile senders gain. */
#include "core/swarm/pex.h"

#include "base/err.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MODEL_PEERS  300
#define MODEL_ROUNDS 400

static struct addr test_addr(uint32_t i)
{
    struct addr a = {.family = ADDR_V4, .port = 6881};

    (void)bytes_put_be32(a.ip, 0x08000000u + i);
    return a;
}

static uint32_t test_index(const struct addr *a)
{
    return bytes_get_be32(a->ip) - 0x08000000u;
}

static struct addr test_parse(const char *text)
{
    struct addr a;

    assert_true(addr_parse(slice_str(text), &a));
    return a;
}

static void test_difference(void **state)
{
    struct ut_pex_peer live[4] = {{.addr = test_addr(3), .flags = 0x10},
                                  {.addr = test_addr(3), .flags = 0x10},
                                  {.addr = test_addr(1), .flags = 0x02},
                                  {.addr = test_addr(2), .flags = 0}};
    struct addr self = test_addr(2);
    struct pex_out o;
    struct ut_pex msg;

    (void)state;
    pex_sort(live, 4);
    pex_out_init(&o);
    assert_false(pex_out_next(&o, live, 0, &self, 1000, &msg));
    /* Having nothing to tell does not make the first message wait. */
    assert_true(pex_out_next(&o, live, 4, &self, 1001, &msg));
    assert_int_equal(msg.n_added, 2);
    assert_int_equal(msg.n_dropped, 0);
    assert_int_equal(test_index(&msg.added[0].addr), 1);
    assert_int_equal(msg.added[0].flags, 2);
    assert_int_equal(test_index(&msg.added[1].addr), 3);
    /* Once a minute. */
    assert_false(pex_out_next(&o, live, 0, &self, 61000, &msg));
    assert_false(pex_out_next(&o, live, 4, &self, 61001, &msg));
    assert_true(pex_out_next(&o, live, 1, &self, 61002, &msg));
    assert_int_equal(msg.n_added, 0);
    assert_int_equal(msg.n_dropped, 1);
    assert_int_equal(test_index(&msg.dropped[0]), 3);
    /* One that left and came back between two messages is no news. */
    assert_false(pex_out_next(&o, live, 1, &self, 200000, &msg));
    pex_out_fini(&o);
}

/* What the other side knows after the messages, held against what we think. */
struct test_model {
    bool known[MODEL_PEERS];
    bool live[MODEL_PEERS];
};

static void test_model_apply(struct test_model *m, const struct ut_pex *msg)
{
    assert_true(msg->n_added <= PEX_MESSAGE_MAX);
    assert_true(msg->n_dropped <= PEX_MESSAGE_MAX);
    for (uint32_t i = 0; i < msg->n_added; i++) {
        uint32_t k = test_index(&msg->added[i].addr);
        assert_false(m->known[k]);
        assert_true(m->live[k]);
        m->known[k] = true;
    }
    for (uint32_t i = 0; i < msg->n_dropped; i++) {
        uint32_t k = test_index(&msg->dropped[i]);
        assert_true(m->known[k]);
        assert_false(m->live[k]);
        m->known[k] = false;
    }
}

static uint32_t test_model_live(const struct test_model *m,
                                struct ut_pex_peer live[MODEL_PEERS])
{
    uint32_t n = 0;

    for (uint32_t k = MODEL_PEERS; k-- > 0;) {
        if (m->live[k]) {
            live[n++] = (struct ut_pex_peer){.addr = test_addr(k)};
        }
    }
    pex_sort(live, n);
    return n;
}

/* Peers come and go; the other side learns all of it in the end. */
static void test_churn(void **state)
{
    struct test_model m = {.known = {false}};
    struct ut_pex_peer live[MODEL_PEERS];
    struct addr self = addr_none();
    struct ut_pex msg;
    struct pex_out o;
    struct rng rng;
    uint64_t now = 0;

    (void)state;
    rng_init(&rng, 7);
    pex_out_init(&o);
    for (int round = 0; round < MODEL_ROUNDS; round++) {
        for (int i = 0; i < 100 && round < MODEL_ROUNDS - 20; i++) {
            uint32_t k = rng_below(&rng, MODEL_PEERS);
            m.live[k] = !m.live[k];
        }
        now += PEX_INTERVAL_MS;
        if (pex_out_next(&o, live, test_model_live(&m, live), &self, now,
                         &msg)) {
            test_model_apply(&m, &msg);
        }
    }
    assert_memory_equal(m.known, m.live, sizeof m.live);
    pex_out_fini(&o);
}

/* The set of those told is bounded, whatever is connected. */
static void test_told_is_bounded(void **state)
{
    static struct ut_pex_peer live[PEX_TOLD_MAX + 500];
    struct addr self = addr_none();
    struct ut_pex msg;
    struct pex_out o;

    (void)state;
    for (uint32_t i = 0; i < PEX_TOLD_MAX + 500; i++) {
        live[i].addr = test_addr(i);
    }
    pex_sort(live, PEX_TOLD_MAX + 500);
    pex_out_init(&o);
    for (uint64_t i = 0; i < 40; i++) {
        (void)pex_out_next(&o, live, PEX_TOLD_MAX + 500, &self,
                           i * PEX_INTERVAL_MS, &msg);
        assert_true(o.n_told <= PEX_TOLD_MAX);
    }
    assert_int_equal(o.n_told, PEX_TOLD_MAX);
    pex_out_fini(&o);
}

/* A message with n peers of different hosts from `first` on. */
static void test_message(struct ut_pex *msg, uint32_t first, uint32_t n)
{
    *msg = (struct ut_pex){.n_added = n};
    for (uint32_t i = 0; i < n; i++) {
        msg->added[i].addr = test_addr(first + i);
    }
}

static void test_caps(void **state)
{
    struct ut_pex_peer out[PEX_MESSAGE_MAX];
    struct pex_rules rules = {.sender = test_addr(9999)};
    struct pex_in in;
    struct ut_pex msg;

    (void)state;
    pex_in_init(&in);
    test_message(&msg, 0, UT_PEX_MAX_PEERS);
    assert_int_equal(pex_in_take(&in, &msg, &rules, 5, out), PEX_MESSAGE_MAX);
    /* The same again is nothing new, with other ports either. */
    for (uint32_t i = 0; i < msg.n_added; i++) {
        msg.added[i].addr.port = 80;
    }
    msg.n_added = PEX_MESSAGE_MAX;
    assert_int_equal(pex_in_take(&in, &msg, &rules, 60005, out), 0);
    /* Too early: not looked at, in the end an offence. */
    test_message(&msg, 1000, 10);
    for (uint32_t i = 0; i < PEX_EARLY_MAX; i++) {
        assert_int_equal(pex_in_take(&in, &msg, &rules, 60006, out), 0);
    }
    assert_int_equal(pex_in_take(&in, &msg, &rules, 60006, out), BTC_E_PROTO);
    assert_int_equal(pex_in_take(&in, &msg, &rules, 120005, out), 10);
    /* One host, many ports. */
    for (uint32_t i = 0; i < UT_PEX_MAX_PEERS; i++) {
        msg.added[i].addr = test_addr(5000);
        msg.added[i].addr.port = (uint16_t)(i + 1);
    }
    msg.n_added = UT_PEX_MAX_PEERS;
    assert_int_equal(pex_in_take(&in, &msg, &rules, 180005, out), 1);
    assert_int_equal(out[0].addr.port, 1);
}

static void test_rules(void **state)
{
    static const struct {
        const char *sender;
        const char *peer;
        bool allow_local;
        int want;
    } rows[] = {
        {"8.8.8.8:1", "9.9.9.9:1", false, 1},
        {"8.8.8.8:1", "127.0.0.1:1", false, 0},
        {"8.8.8.8:1", "[::1]:1", false, 0},
        {"8.8.8.8:1", "192.168.1.1:80", false, 0},
        {"8.8.8.8:1", "[fe80::1]:80", false, 0},
        {"192.168.1.2:1", "192.168.1.1:80", false, 1},
        {"192.168.1.2:1", "127.0.0.1:80", false, 0},
        {"127.0.0.1:1", "127.0.0.1:80", false, 0},
        {"8.8.8.8:1", "127.0.0.1:1", true, 1},
        {"8.8.8.8:1", "192.168.1.1:80", true, 1},
        {"8.8.8.8:1", "224.0.0.1:80", true, 0},
    };
    struct ut_pex_peer out[PEX_MESSAGE_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pex_rules rules = {.sender = test_parse(rows[i].sender),
                                  .allow_local = rows[i].allow_local};
        struct ut_pex msg = {.n_added = 1};
        struct pex_in in;

        pex_in_init(&in);
        msg.added[0].addr = test_parse(rows[i].peer);
        if (pex_in_take(&in, &msg, &rules, 0, out) != rows[i].want) {
            fail_msg("row %zu: %s", i, rows[i].peer);
        }
        rules.is_private = true;
        assert_int_equal(pex_in_take(&in, &msg, &rules, 60000, out),
                         BTC_E_PROTO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_difference),      cmocka_unit_test(test_churn),
        cmocka_unit_test(test_told_is_bounded), cmocka_unit_test(test_caps),
        cmocka_unit_test(test_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
