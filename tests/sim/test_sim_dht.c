/* A DHT of some hundred nodes: peers are found in few steps, whatever is lost,
 * leaves or lies. `sim_dht --nodes 10000` shows the same at its full size. */
#include "sim_dht.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* Runs and prints, so that a failure shows its figures. */
static struct sim_dht_report test_run(const struct sim_dht_params *params)
{
    struct sim_dht_report r;

    sim_dht_run(params, &r);
    (void)printf("%u nodes: found %u of %u, steps %.2f (max %u), queries %.1f, "
                 "%.0f ms\n",
                 params->n_nodes, r.n_found, r.n_searches, r.mean_steps,
                 r.max_steps, r.mean_queries, r.mean_ms);
    assert_int_equal(r.n_searches, params->n_searches);
    return r;
}

/* Nothing goes wrong: everything is found, and all announcements are taken. */
static void test_quiet(void **state)
{
    struct sim_dht_params params = {
        .seed = 1, .n_nodes = 300, .n_hashes = 20, .n_searches = 100};
    struct sim_dht_report r = test_run(&params);

    (void)state;
    assert_int_equal(r.n_found, r.n_searches);
    assert_true(r.max_steps <= 5);
    assert_true(r.mean_queries < 20);
    assert_true(r.n_announced >= params.n_hashes * SIM_DHT_PEERS * 7);
}

/* Loss, churn and 10 % liars. */
static void test_hostile(void **state)
{
    struct sim_dht_params params = {.n_nodes = 400,
                                    .n_hashes = 20,
                                    .n_searches = 100,
                                    .liars_percent = 10,
                                    .loss_percent = 5,
                                    .churn_percent = 50};

    (void)state;
    for (params.seed = 1; params.seed <= 3; params.seed++) {
        struct sim_dht_report r = test_run(&params);

        assert_true(r.n_found >= r.n_searches * 98 / 100);
        assert_true(r.mean_steps <= 4);
        assert_true(r.mean_queries < 40);
    }
}

static void test_ipv6(void **state)
{
    struct sim_dht_params params = {.seed = 4,
                                    .n_nodes = 300,
                                    .n_hashes = 20,
                                    .n_searches = 100,
                                    .liars_percent = 10,
                                    .loss_percent = 5,
                                    .churn_percent = 50,
                                    .is_ipv6 = true};
    struct sim_dht_report r = test_run(&params);

    (void)state;
    assert_true(r.n_found >= r.n_searches * 98 / 100);
}

/* Ten times the nodes cost a few more steps, not ten times as many. */
static void test_growth(void **state)
{
    struct sim_dht_params params = {
        .seed = 5, .n_nodes = 100, .n_hashes = 20, .n_searches = 100};
    struct sim_dht_report few = test_run(&params);
    struct sim_dht_report many;

    (void)state;
    params.n_nodes = 1000;
    many = test_run(&params);
    assert_int_equal(many.n_found, many.n_searches);
    assert_true(many.mean_steps <= few.mean_steps + 2);
    assert_true(many.mean_queries <= few.mean_queries * 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quiet),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_growth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
