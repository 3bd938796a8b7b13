/* The heap: order, moves, removals, against a walk over everything. */
#include "base/heap.h"

#include "base/rng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define N_NODES 200

/* Every child is at least its parent, every node knows its place. */
static void check(const struct heap *h)
{
    for (uint32_t i = 0; i < h->n; i++) {
        assert_int_equal(h->v[i]->at, i + 1);
        assert_true(i == 0 || h->v[(i - 1) / 2]->key <= h->v[i]->key);
    }
}

static void test_empty(void **state)
{
    struct heap h;
    struct heap_node node = {0};

    (void)state;
    heap_init(&h);
    assert_null(heap_first(&h));
    heap_remove(&h, &node); /* is in none */
    heap_put(&h, &node, UINT64_MAX);
    assert_ptr_equal(heap_first(&h), &node);
    heap_remove(&h, &node);
    assert_null(heap_first(&h));
    heap_put(&h, &node, 0);
    heap_fini(&h);
    assert_int_equal(node.at, 0);
    heap_fini(&h);
}

/* They come out sorted, whatever the order they went in. */
static void test_sorts(void **state)
{
    static const uint64_t keys[] = {5, 1, 9, 1, 0, 7, UINT64_MAX, 3, 5};
    struct heap_node nodes[sizeof(keys) / sizeof(keys[0])];
    struct heap h;
    uint64_t before = 0;

    (void)state;
    memset(nodes, 0, sizeof(nodes));
    heap_init(&h);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        heap_put(&h, &nodes[i], keys[i]);
        check(&h);
    }
    for (struct heap_node *n; (n = heap_first(&h)) != NULL;) {
        assert_true(n->key >= before);
        before = n->key;
        heap_remove(&h, n);
        check(&h);
    }
    assert_int_equal(before, UINT64_MAX);
    heap_fini(&h);
}

/* Anything in any order; the first is the smallest of those that are in. */
static void test_random(void **state)
{
    static struct heap_node nodes[N_NODES];
    struct heap h;
    struct rng rng;

    (void)state;
    rng_init(&rng, 7);
    heap_init(&h);
    for (uint32_t step = 0; step < 20000; step++) {
        struct heap_node *n = &nodes[rng_below(&rng, N_NODES)];
        uint64_t smallest = UINT64_MAX;
        uint32_t in = 0;

        if (rng_below(&rng, 3) == 0) {
            heap_remove(&h, n);
        } else {
            heap_put(&h, n, rng_below(&rng, 1000));
        }
        for (uint32_t i = 0; i < N_NODES; i++) {
            bool is_in = nodes[i].at > 0;
            in += is_in;
            smallest =
                is_in && nodes[i].key < smallest ? nodes[i].key : smallest;
        }
        check(&h);
        assert_int_equal(in, h.n);
        assert_true(in == 0 || heap_first(&h)->key == smallest);
    }
    heap_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_sorts),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
