/* The hash function, and uthash with it. */
#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MAP_TEST_N 5000

struct map_item {
    uint32_t key;
    uint32_t value;
    UT_hash_handle hh;
};

/* Small numbers as keys spread over the buckets, and length counts. */
static void map_test_spread(void **state)
{
    (void)state;
    enum {
        BUCKETS = 64
    };
    unsigned seen[BUCKETS] = {0};
    for (uint32_t i = 0; i < BUCKETS * 100; i++) {
        seen[map_hash(&i, sizeof(i)) % BUCKETS]++;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        assert_in_range(seen[i], 50, 170);
    }
    static const uint8_t zeros[32];
    for (size_t a = 0; a < sizeof(zeros); a++) {
        for (size_t b = 0; b < a; b++) {
            assert_true(map_hash(zeros, a) != map_hash(zeros, b));
        }
    }
    assert_true(map_hash("abcdefghi", 9) == map_hash("abcdefghij", 9));
}

static void map_test_items(void **state)
{
    (void)state;
    struct map_item *head = NULL;
    for (uint32_t i = 0; i < MAP_TEST_N; i++) {
        struct map_item *item = mem_zalloc(sizeof(*item));
        item->key = i * 7;
        item->value = i;
        HASH_ADD(hh, head, key, sizeof(item->key), item);
    }
    assert_int_equal(HASH_COUNT(head), MAP_TEST_N);
    for (uint32_t key = 0; key < MAP_TEST_N * 7; key++) {
        struct map_item *item = NULL;
        HASH_FIND(hh, head, &key, sizeof(key), item);
        assert_int_equal(item != NULL, key % 7 == 0);
        assert_true(!item || item->value == key / 7);
    }
    struct map_item *item = NULL;
    struct map_item *next = NULL;
    uint32_t n = 0;
    HASH_ITER (hh, head, item, next) {
        assert_int_equal(item->value, n++);
        HASH_DEL(head, item);
        free(item);
    }
    assert_int_equal(n, MAP_TEST_N);
    assert_null(head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_test_spread),
        cmocka_unit_test(map_test_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
