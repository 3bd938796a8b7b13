/* A lookup: order, goal, and what liars gain: nothing. */
#include "core/dht/dht_kit.h"
#include "core/dht/lookup.h"

static const uint8_t test_target[DHT_ID_LEN]; /* all zero */

/* A node answers as itself and names others. */
static int test_answer(struct dht_lookup *l, const struct krpc_node *from,
                       const struct krpc_node *nodes, size_t n)
{
    struct dht_reply r = {.from = from->addr,
                          .id = from->id,
                          .nodes = nodes,
                          .n_nodes = n,
                          .token = slice_str("token")};

    return dht_lookup_on_reply(l, &r);
}

/* The same for one that was to be asked: it is who it should be. */
static void test_answer_asked(struct dht_lookup *l, const struct dht_whom *whom,
                              const struct krpc_node *nodes, size_t n)
{
    struct krpc_node from = {.addr = whom->addr};

    memcpy(from.id, whom->id, DHT_ID_LEN);
    test_answer(l, &from, nodes, n);
}

static void test_order(void **state)
{
    struct dht_lookup l;
    struct dht_whom out;
    struct krpc_node far = kit_node(0x80, 0, 1);
    struct krpc_node mid = kit_node(0x40, 0, 2);
    struct krpc_node near = kit_node(0x20, 0, 3);
    const struct dht_candidate *goal[DHT_LOOKUP_GOAL_MAX];

    (void)state;
    dht_lookup_init(&l, test_target);
    assert_true(dht_lookup_is_done(&l));
    dht_lookup_add(&l, &far);
    dht_lookup_add(&l, &mid);
    assert_false(dht_lookup_is_done(&l));
    assert_true(dht_lookup_next(&l, &out));
    assert_true(addr_eq(&out.addr, &mid.addr));
    assert_int_equal(test_answer(&l, &mid, &near, 1), 0);
    assert_true(dht_lookup_next(&l, &out));
    assert_true(addr_eq(&out.addr, &near.addr));
    assert_true(dht_lookup_next(&l, &out));
    assert_true(addr_eq(&out.addr, &far.addr));
    assert_false(dht_lookup_next(&l, &out));
    assert_int_equal(test_answer(&l, &near, NULL, 0), 1);
    assert_false(dht_lookup_is_done(&l));
    dht_lookup_on_failure(&l, &far.addr);
    assert_true(dht_lookup_is_done(&l));
    assert_int_equal(dht_lookup_goal(&l, goal), 2);
    assert_true(addr_eq(&goal[0]->node.addr, &near.addr));
    assert_int_equal(goal[0]->n_token, 5);
    assert_int_equal(l.steps, 1);
}

static void test_alpha(void **state)
{
    struct dht_lookup l;
    struct dht_whom out;

    (void)state;
    dht_lookup_init(&l, test_target);
    for (uint32_t i = 0; i < 20; i++) {
        struct krpc_node n = kit_node(0x80, (uint8_t)i, i);

        dht_lookup_add(&l, &n);
    }
    for (uint32_t i = 0; i < DHT_LOOKUP_ALPHA; i++) {
        assert_true(dht_lookup_next(&l, &out));
    }
    assert_false(dht_lookup_next(&l, &out));
    dht_lookup_on_slow(&l, &out.addr);
    assert_true(dht_lookup_next(&l, &out));
    assert_false(dht_lookup_next(&l, &out));
}

/* A bootstrap address is asked after nodes, and moves to where its id
 * belongs. */
static void test_address(void **state)
{
    struct dht_lookup l;
    struct dht_whom out;
    struct krpc_node host = kit_node(0x01, 0, 7);
    struct krpc_node node = kit_node(0xff, 0, 8);
    const struct dht_candidate *goal[DHT_LOOKUP_GOAL_MAX];

    (void)state;
    dht_lookup_init(&l, test_target);
    dht_lookup_add_address(&l, &host.addr);
    dht_lookup_add(&l, &node);
    assert_true(dht_lookup_next(&l, &out));
    assert_true(addr_eq(&out.addr, &node.addr));
    assert_true(dht_lookup_next(&l, &out));
    assert_true(addr_eq(&out.addr, &host.addr));
    assert_int_equal(test_answer(&l, &host, NULL, 0), 0);
    assert_int_equal(test_answer(&l, &node, NULL, 0), 0);
    assert_int_equal(dht_lookup_goal(&l, goal), 2);
    assert_memory_equal(goal[0]->node.id, host.id, DHT_ID_LEN);
}

/* An answer with another id, from an address nobody asked, or twice. */
static void test_wrong_answers(void **state)
{
    struct dht_lookup l;
    struct dht_whom out;
    struct krpc_node a = kit_node(0x40, 0, 1);
    struct krpc_node liar = kit_node(0x40, 0, 1);
    struct krpc_node stranger = kit_node(0x01, 0, 2);

    (void)state;
    dht_lookup_init(&l, test_target);
    dht_lookup_add(&l, &a);
    assert_int_equal(test_answer(&l, &a, &stranger, 1), -1);
    assert_true(dht_lookup_next(&l, &out));
    assert_int_equal(test_answer(&l, &stranger, NULL, 0), -1);
    liar.id[0] = 0;
    assert_int_equal(test_answer(&l, &liar, &stranger, 1), -1);
    assert_int_equal(test_answer(&l, &a, &stranger, 1), -1);
    assert_true(dht_lookup_is_done(&l));
    assert_int_equal(l.n_answers, 0);
}

/* One place has one answer in the goal and is asked twice at most. */
static void test_one_place(void **state)
{
    struct dht_lookup l;
    struct dht_whom out;
    const struct dht_candidate *goal[DHT_LOOKUP_GOAL_MAX];
    size_t n = 0;

    (void)state;
    dht_lookup_init(&l, test_target);
    for (uint8_t i = 0; i < 50; i++) {
        struct krpc_node sybil = kit_node(0, i, 1);

        sybil.addr.port = (uint16_t)(1000 + i);
        dht_lookup_add(&l, &sybil);
    }
    while (dht_lookup_next(&l, &out)) {
        n++;
        test_answer_asked(&l, &out, NULL, 0);
    }
    assert_int_equal(n, 1);
    assert_int_equal(dht_lookup_goal(&l, goal), 1);
}

/* Ids that do not fit their addresses take a few places beside the others. */
static void test_unfit(void **state)
{
    struct dht_lookup l;
    struct dht_whom out;
    const struct dht_candidate *goal[DHT_LOOKUP_GOAL_MAX];
    size_t n_unfit = 0;
    size_t n = 0;

    (void)state;
    dht_lookup_init(&l, test_target);
    for (uint32_t i = 0; i < 20; i++) {
        struct krpc_node sybil = kit_node(0, (uint8_t)i, i);
        struct krpc_node honest = kit_node(0x40, (uint8_t)i, 100 + i);

        sybil.addr.ip[0] = 8; /* a public address */
        sybil.id[19] = (uint8_t)(8 * i);
        assert_false(dht_id_fits(sybil.id, &sybil.addr));
        dht_lookup_add(&l, &sybil);
        dht_lookup_add(&l, &honest);
    }
    while (dht_lookup_next(&l, &out)) {
        test_answer_asked(&l, &out, NULL, 0);
    }
    n = dht_lookup_goal(&l, goal);
    assert_int_equal(n, DHT_LOOKUP_GOAL + DHT_LOOKUP_UNFIT);
    for (size_t i = 0; i < n; i++) {
        n_unfit += !goal[i]->fits;
    }
    assert_int_equal(n_unfit, DHT_LOOKUP_UNFIT);
}

/* Who names nodes that do not exist: few are asked, others go on at once, and
 * the goal is what it is without it. */
static void test_inventions(void **state)
{
    struct dht_lookup l;
    struct dht_whom out;
    struct krpc_node liar = kit_node(0x40, 0, 1);
    struct krpc_node fakes[KRPC_LIST_MAX];
    const struct dht_candidate *goal[DHT_LOOKUP_GOAL_MAX];
    size_t n_fakes = 0;

    (void)state;
    dht_lookup_init(&l, test_target);
    dht_lookup_add(&l, &liar);
    assert_true(dht_lookup_next(&l, &out));
    for (uint8_t i = 0; i < KRPC_LIST_MAX; i++) {
        fakes[i] = kit_node(0, i, 200u + i);
    }
    test_answer(&l, &liar, fakes, KRPC_LIST_MAX);
    for (uint8_t i = 0; i < DHT_LOOKUP_GOAL; i++) {
        struct krpc_node honest = kit_node(0x80, i, 100u + i);

        dht_lookup_add(&l, &honest);
    }
    /* two inventions under way, then honest ones beside them */
    for (size_t i = 0; i < DHT_LOOKUP_ALPHA; i++) {
        assert_true(dht_lookup_next(&l, &out));
        assert_int_equal(out.id[0], i < DHT_LOOKUP_UNPROVEN ? 0 : 0x80);
        n_fakes += out.id[0] == 0;
    }
    assert_false(dht_lookup_next(&l, &out));
    for (size_t i = 0; i < l.n; i++) {
        struct krpc_node n = l.list[i].node;

        if (l.list[i].state == DHT_CANDIDATE_ASKED && n.id[0] == 0x80) {
            test_answer(&l, &n, NULL, 0);
        }
    }
    dht_lookup_on_failure(&l, &fakes[0].addr);
    dht_lookup_on_failure(&l, &fakes[1].addr);
    while (dht_lookup_next(&l, &out)) {
        if (out.id[0] == 0) {
            n_fakes++;
            dht_lookup_on_failure(&l, &out.addr);
        } else {
            test_answer_asked(&l, &out, NULL, 0);
        }
    }
    assert_true(dht_lookup_is_done(&l));
    assert_int_equal(n_fakes, DHT_LOOKUP_MAX_BLAME);
    assert_int_equal(dht_lookup_goal(&l, goal), DHT_LOOKUP_GOAL);
}

/* A crowd of liars that name each other without end is left in the end. */
static void test_endless(void **state)
{
    struct dht_lookup l;
    struct krpc_node first = kit_node(0x80, 0, 0);
    struct dht_whom out;
    struct krpc_node named[KRPC_LIST_MAX];
    uint32_t n = 0;
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    dht_lookup_init(&l, test_target);
    dht_lookup_add(&l, &first);
    while (dht_lookup_next(&l, &out)) {
        for (size_t i = 0; i < KRPC_LIST_MAX; i++) {
            uint32_t depth = n / 2 < 150 ? n / 2 : 150;

            named[i].addr = kit_addr_at(1000 + 8 * n + (uint32_t)i);
            dht_id_random_at(test_target, depth, &rng, named[i].id);
        }
        n++;
        test_answer_asked(&l, &out, named, KRPC_LIST_MAX);
        assert_true(l.n <= DHT_LOOKUP_CANDIDATES);
    }
    assert_true(n <= DHT_LOOKUP_MAX_QUERIES);
    assert_true(dht_lookup_is_done(&l));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),      cmocka_unit_test(test_alpha),
        cmocka_unit_test(test_address),    cmocka_unit_test(test_wrong_answers),
        cmocka_unit_test(test_one_place),  cmocka_unit_test(test_unfit),
        cmocka_unit_test(test_inventions), cmocka_unit_test(test_endless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
