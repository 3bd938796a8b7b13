/* How much we answer: a place has its rate, all have their bytes. */
#include "core/dht/dht_kit.h"
#include "core/dht/limiter.h"

#define TEST_NOW 1000000u

static void test_place(void **state)
{
    struct dht_limiter l;
    struct addr loud = kit_addr("8.8.8.8:1");
    struct addr port = kit_addr("8.8.8.8:2");
    struct addr quiet = kit_addr("9.9.9.9:1");
    uint32_t n = 0;

    (void)state;
    dht_limiter_init(&l, 1);
    for (uint32_t i = 0; i < 1000; i++) {
        n += dht_limiter_admits(&l, &loud, TEST_NOW + i);
        n += dht_limiter_admits(&l, &port, TEST_NOW + i);
    }
    assert_in_range(n, DHT_LIMIT_PER_PLACE, 2 * DHT_LIMIT_PER_PLACE);
    assert_true(dht_limiter_admits(&l, &quiet, TEST_NOW + 1000));
}

static void test_bytes(void **state)
{
    struct dht_limiter l;
    uint64_t bytes = 0;

    (void)state;
    dht_limiter_init(&l, 1);
    for (uint32_t i = 0; i < 10000; i++) {
        struct addr a = kit_addr_at(i);

        if (dht_limiter_admits(&l, &a, TEST_NOW + i / 10)) {
            dht_limiter_count(&l, 500);
            bytes += 500;
        }
    }
    assert_in_range(bytes, DHT_LIMIT_BYTES, 2 * DHT_LIMIT_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
