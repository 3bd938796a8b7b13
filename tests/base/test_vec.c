/* Growth of arrays and rings: nothing is lost or turned around, whatever the
 * place of the first item. */
#include "base/vec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_array(void **state)
{
    uint64_t *items = NULL;
    uint32_t cap = 0;
    size_t moves = 0;
    (void)state;
    for (size_t n = 0; n < 1000; n++) {
        uint32_t before = cap;
        items = vec_room(items, n, &cap, sizeof(*items));
        moves += cap != before;
        assert_true(n < cap);
        items[n] = n * n;
    }
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(items[i], i * i);
    }
    assert_int_equal(cap, 1024);
    assert_int_equal(moves, 8); /* it doubles, it does not creep */
    free(items);
}

/* A ring whose first item is anywhere; n_taken are taken before it is full. */
static void ring_check(uint32_t n_taken)
{
    uint32_t *ring = NULL;
    uint32_t n = 0, head = 0, cap = 0, next = 0, taken = 0;
    for (; next < n_taken; next++) {
        ring = vec_ring_room(ring, n, &head, &cap, 4, sizeof(*ring));
        ring[head & (cap - 1)] = next;
        head = (head + 1) & (cap - 1);
        taken++;
    }
    for (; next < 40; next++, n++) {
        ring = vec_ring_room(ring, n, &head, &cap, 4, sizeof(*ring));
        ring[(head + n) & (cap - 1)] = next;
    }
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(ring[(head + i) & (cap - 1)], taken + i);
    }
    assert_true(n <= cap);
    assert_int_equal(cap & (cap - 1), 0);
    free(ring);
}

static void test_ring(void **state)
{
    (void)state;
    for (uint32_t n_taken = 0; n_taken < 9; n_taken++) {
        ring_check(n_taken);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_array),
        cmocka_unit_test(test_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
