/* Queries under way: who may answer, when they are slow and over. */
#include "core/dht/calls.h"
#include "core/dht/dht_kit.h"

static struct slice test_tid(const struct dht_call *call,
                             uint8_t tid[DHT_TID_LEN])
{
    dht_call_tid(call, tid);
    return slice_of(tid, DHT_TID_LEN);
}

static void test_match(void **state)
{
    struct dht_calls c;
    struct dht_whom to = {.addr = kit_addr("8.8.8.8:1")};
    struct addr other = kit_addr("8.8.8.8:2");
    struct dht_call *call = NULL;
    uint8_t tid[DHT_TID_LEN];
    struct slice t;
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    dht_calls_init(&c);
    call = dht_calls_add(&c, &to, &rng, 1);
    t = test_tid(call, tid);
    assert_ptr_equal(dht_calls_match(&c, t, &to.addr), call);
    assert_ptr_equal(dht_calls_find(&c, &to.addr), call);
    assert_null(dht_calls_find(&c, &other));
    assert_null(dht_calls_match(&c, t, &other));
    assert_null(dht_calls_match(&c, slice_of(tid, 3), &to.addr));
    tid[3] ^= 1;
    assert_null(dht_calls_match(&c, t, &to.addr));
    tid[3] ^= 1;
    tid[0] = 0xff;
    assert_null(dht_calls_match(&c, t, &to.addr));
    t = test_tid(call, tid);
    dht_calls_remove(&c, call);
    assert_null(dht_calls_match(&c, t, &to.addr));
    dht_calls_fini(&c);
}

static void test_due(void **state)
{
    struct dht_calls c;
    struct dht_whom to = {.addr = kit_addr("8.8.8.8:1")};
    struct dht_call *call = NULL;
    bool is_over = false;
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    dht_calls_init(&c);
    assert_true(dht_calls_deadline(&c) == UINT64_MAX);
    call = dht_calls_add(&c, &to, &rng, 100);
    assert_int_equal(dht_calls_deadline(&c), 100 + DHT_CALL_SLOW_MS);
    assert_null(dht_calls_next_due(&c, 100 + DHT_CALL_SLOW_MS - 1, &is_over));
    assert_ptr_equal(dht_calls_next_due(&c, 100 + DHT_CALL_SLOW_MS, &is_over),
                     call);
    assert_false(is_over);
    assert_null(dht_calls_next_due(&c, 100 + DHT_CALL_SLOW_MS, &is_over));
    assert_ptr_equal(
        dht_calls_next_due(&c, 100 + DHT_CALL_TIMEOUT_MS, &is_over), call);
    assert_true(is_over);
    dht_calls_remove(&c, call);
    assert_true(dht_calls_deadline(&c) == UINT64_MAX);
    dht_calls_fini(&c);
}

static void test_full(void **state)
{
    struct dht_calls c;
    struct dht_whom to = {.addr = kit_addr("8.8.8.8:1")};
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    dht_calls_init(&c);
    for (size_t i = 0; i < DHT_CALLS_MAX; i++) {
        assert_non_null(dht_calls_add(&c, &to, &rng, 1));
    }
    assert_null(dht_calls_add(&c, &to, &rng, 1));
    dht_calls_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_due),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
