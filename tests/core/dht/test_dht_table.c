/* The routing table: who gets a place, who keeps it, who goes. */
#include "core/dht/dht_kit.h"
#include "core/dht/table.h"

#define TEST_NOW 1000000u

static const uint8_t test_own[DHT_ID_LEN]; /* all zero */

/* Lets a node answer; true when it has a new place. */
static bool test_reply(struct dht_table *t, const struct krpc_node *n,
                       uint64_t now_ms)
{
    struct krpc_node gone;

    return dht_table_on_reply(t, n, now_ms, &gone);
}

/* Fills bucket 0 with nodes 0..7. */
static void test_fill(struct dht_table *t, uint64_t now_ms)
{
    for (uint32_t i = 0; i < DHT_BUCKET_NODES; i++) {
        struct krpc_node n = kit_node(0x80, (uint8_t)i, i);

        assert_true(test_reply(t, &n, now_ms));
    }
}

static void test_full_bucket(void **state)
{
    struct dht_table *t = dht_table_new(test_own);
    struct krpc_node more = kit_node(0x81, 0, 100);
    struct krpc_node other = kit_node(0x01, 0, 101);
    struct krpc_node gone;
    struct krpc_node ping;

    (void)state;
    test_fill(t, TEST_NOW);
    assert_false(test_reply(t, &more, TEST_NOW));
    assert_true(test_reply(t, &other, TEST_NOW));
    assert_int_equal(dht_table_count(t), DHT_BUCKET_NODES + 1);
    assert_int_equal(dht_table_count_good(t, TEST_NOW), DHT_BUCKET_NODES + 1);
    assert_false(dht_table_next_ping(t, TEST_NOW, &ping));
    /* one node fails twice: it leaves, and the candidate is asked */
    other = kit_node(0x80, 3, 3);
    assert_false(dht_table_on_timeout(t, &other.addr, &gone));
    assert_true(dht_table_on_timeout(t, &other.addr, &gone));
    assert_true(addr_eq(&gone.addr, &other.addr));
    assert_false(dht_table_has(t, &other.addr));
    assert_true(dht_table_next_ping(t, TEST_NOW, &ping));
    assert_true(addr_eq(&ping.addr, &more.addr));
    assert_true(test_reply(t, &more, TEST_NOW));
    dht_table_free(t);
}

/* A node that let a query pass gives way to one that answers. */
static void test_replace_failed(void **state)
{
    struct dht_table *t = dht_table_new(test_own);
    struct krpc_node silent = kit_node(0x80, 5, 5);
    struct krpc_node more = kit_node(0x81, 0, 100);
    struct krpc_node gone;

    (void)state;
    test_fill(t, TEST_NOW);
    assert_false(dht_table_on_timeout(t, &silent.addr, &gone));
    assert_true(dht_table_on_reply(t, &more, TEST_NOW, &gone));
    assert_true(addr_eq(&gone.addr, &silent.addr));
    assert_int_equal(dht_table_count(t), DHT_BUCKET_NODES);
    dht_table_free(t);
}

/* An id that fits its address takes the place of one that does not. */
static void test_replace_unfit(void **state)
{
    struct dht_table *t = dht_table_new(test_own);
    struct krpc_node fit = {.addr = kit_addr("124.31.75.21:1")};
    struct krpc_node unfit = {.addr = kit_addr("8.8.8.8:1")};
    struct krpc_node gone;
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    do {
        dht_id_generate(&fit.addr, &rng, fit.id);
    } while (fit.id[0] < 0x80);
    kit_id(unfit.id, 0x90, 1);
    assert_false(dht_id_fits(unfit.id, &unfit.addr));
    assert_true(test_reply(t, &unfit, TEST_NOW));
    for (uint32_t i = 0; i < DHT_BUCKET_NODES - 1; i++) {
        struct krpc_node n = kit_node(0x80, (uint8_t)i, i);

        assert_true(test_reply(t, &n, TEST_NOW));
    }
    assert_true(dht_table_on_reply(t, &fit, TEST_NOW, &gone));
    assert_true(addr_eq(&gone.addr, &unfit.addr));
    dht_table_free(t);
}

/* One address has one node, whatever ports and ids it shows. */
static void test_one_place(void **state)
{
    struct dht_table *t = dht_table_new(test_own);
    struct krpc_node n = kit_node(0x80, 1, 1);
    struct krpc_node port = n;
    struct krpc_node id = n;
    struct krpc_node gone;

    (void)state;
    assert_true(test_reply(t, &n, TEST_NOW));
    port.addr.port = 7000;
    port.id[1] = 9;
    assert_false(dht_table_on_reply(t, &port, TEST_NOW, &gone));
    assert_int_equal(gone.addr.family, ADDR_NONE);
    /* a good node keeps its place; a questionable one does not */
    assert_true(dht_table_on_reply(t, &port, TEST_NOW + DHT_GOOD_MS, &gone));
    assert_true(addr_eq(&gone.addr, &n.addr));
    /* who changes its id leaves */
    id.addr = port.addr;
    id.id[1] = 10;
    assert_false(dht_table_on_reply(t, &id, TEST_NOW + DHT_GOOD_MS, &gone));
    assert_true(addr_eq(&gone.addr, &port.addr));
    assert_int_equal(dht_table_count(t), 0);
    dht_table_free(t);
}

static void test_questionable(void **state)
{
    struct dht_table *t = dht_table_new(test_own);
    struct krpc_node a = kit_node(0x80, 1, 1);
    struct krpc_node b = kit_node(0x80, 2, 2);
    struct krpc_node ping;
    uint64_t later = TEST_NOW + DHT_GOOD_MS;

    (void)state;
    assert_true(test_reply(t, &a, TEST_NOW));
    assert_true(test_reply(t, &b, TEST_NOW + 1));
    dht_table_on_query(t, &b, later - 1);
    assert_int_equal(dht_table_count_good(t, later), 1);
    assert_int_equal(dht_table_closest(t, a.id, true, later, &ping, 1), 1);
    assert_true(addr_eq(&ping.addr, &b.addr));
    assert_true(dht_table_next_ping(t, later, &ping));
    assert_true(addr_eq(&ping.addr, &a.addr));
    /* not the same again at once */
    assert_false(dht_table_next_ping(t, later, &ping));
    assert_true(dht_table_next_ping(t, later + DHT_PING_AGAIN_MS, &ping));
    assert_false(test_reply(t, &a, later));
    assert_int_equal(dht_table_count_good(t, later), 2);
    dht_table_free(t);
}

/* Strangers that ask or are named have no place before they answered. */
static void test_candidates(void **state)
{
    struct dht_table *t = dht_table_new(test_own);
    struct krpc_node own = {.addr = kit_addr_at(99)};
    struct krpc_node ping;

    (void)state;
    dht_table_on_named(t, &own);
    for (uint32_t i = 0; i < 1000; i++) {
        struct krpc_node n = kit_node(0x80, (uint8_t)i, i);

        dht_table_on_query(t, &n, TEST_NOW);
    }
    assert_int_equal(dht_table_count(t), 0);
    for (uint32_t i = 0; i < DHT_BUCKET_CANDIDATES; i++) {
        struct krpc_node newest = kit_node(0x80, (uint8_t)(999 - i), 999 - i);

        assert_true(dht_table_next_ping(t, TEST_NOW, &ping));
        assert_true(addr_eq(&ping.addr, &newest.addr));
    }
    assert_false(dht_table_next_ping(t, TEST_NOW, &ping));
    dht_table_free(t);
}

static void test_closest(void **state)
{
    struct dht_table *t = dht_table_new(test_own);
    struct krpc_node out[4];
    uint8_t target[DHT_ID_LEN];

    (void)state;
    for (uint32_t i = 1; i < 64; i++) {
        struct krpc_node n = kit_node((uint8_t)(4 * i), 0, i);

        test_reply(t, &n, TEST_NOW);
    }
    kit_id(target, 0x21, 0);
    assert_int_equal(dht_table_closest(t, target, true, TEST_NOW, out, 4), 4);
    assert_int_equal(out[0].id[0], 0x20);
    assert_int_equal(out[1].id[0], 0x24);
    assert_int_equal(out[2].id[0], 0x28);
    assert_int_equal(out[3].id[0], 0x2c);
    dht_table_free(t);
}

static void test_refresh(void **state)
{
    struct dht_table *t = dht_table_new(test_own);
    uint8_t target[DHT_ID_LEN];
    struct krpc_node deep = kit_node(0, 1, 50); /* shares 159 bits */
    struct rng rng;
    uint64_t later = TEST_NOW + DHT_REFRESH_MS;

    (void)state;
    rng_init(&rng, 1);
    test_fill(t, TEST_NOW);
    assert_true(test_reply(t, &deep, TEST_NOW));
    assert_false(dht_table_next_refresh(t, later - 1, &rng, target));
    assert_true(dht_table_next_refresh(t, later, &rng, target));
    assert_int_equal(dht_id_shared_bits(test_own, target), 0);
    /* the bucket is marked; the deep one costs no lookup */
    assert_false(dht_table_next_refresh(t, later, &rng, target));
    dht_table_free(t);
}

static void test_set_own(void **state)
{
    struct dht_table *t = dht_table_new(test_own);
    uint8_t own[DHT_ID_LEN];
    struct krpc_node n = kit_node(0x80, 1, 1);

    (void)state;
    test_fill(t, TEST_NOW);
    kit_id(own, 0x80, 1); /* the id of one of the nodes */
    dht_table_set_own(t, own, TEST_NOW);
    assert_memory_equal(dht_table_own(t), own, DHT_ID_LEN);
    assert_int_equal(dht_table_count(t), DHT_BUCKET_NODES - 1);
    assert_false(dht_table_has(t, &n.addr));
    dht_table_free(t);
}

/* However many nodes answer, from however many ids: the table stays small. */
static void test_flood(void **state)
{
    struct dht_table *t = dht_table_new(test_own);
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    for (uint32_t i = 0; i < 20000; i++) {
        struct krpc_node n = {.addr = kit_addr_at(i)};

        dht_id_random_at(test_own, rng_below(&rng, DHT_ID_BITS), &rng, n.id);
        test_reply(t, &n, TEST_NOW);
    }
    assert_true(dht_table_count(t) <= (size_t)DHT_ID_BITS * DHT_BUCKET_NODES);
    dht_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_bucket),
        cmocka_unit_test(test_replace_failed),
        cmocka_unit_test(test_replace_unfit),
        cmocka_unit_test(test_one_place),
        cmocka_unit_test(test_questionable),
        cmocka_unit_test(test_candidates),
        cmocka_unit_test(test_closest),
        cmocka_unit_test(test_refresh),
        cmocka_unit_test(test_set_own),
        cmocka_unit_test(test_flood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
