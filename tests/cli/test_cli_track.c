/* The torrents of a run: found by id in whatever order they come, and shown by
 * id.
 */
#include "cli/run/track.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT 997 /* a prime: each step below is a permutation */

static void update(struct cli_track *t, int64_t id, uint64_t downloaded)
{
    const struct btc_progress p = {
        .id = id, .name = "name", .downloaded = downloaded};
    const struct cli_torrent *item = cli_track_update(t, &p, id);

    assert_true(item->p.id == id);
    assert_true(item->p.downloaded == downloaded);
    assert_true(item->first_ms == id);
}

static void test_order(void **state)
{
    const size_t steps[] = {1, COUNT - 1, 389};

    (void)state;
    for (size_t s = 0; s < sizeof(steps) / sizeof(*steps); s++) {
        struct cli_track t = {0};
        for (size_t i = 0; i < COUNT; i++) {
            int64_t id = (int64_t)(i * steps[s] % COUNT) + 1;
            assert_null(cli_track_find(&t, id));
            update(&t, id, i);
            assert_int_equal(t.n, i + 1);
        }
        for (int64_t id = 1; id <= COUNT; id++) {
            assert_ptr_equal(cli_track_find(&t, id), &t.items[id - 1]);
            update(&t, id, (uint64_t)id);
        }
        assert_int_equal(t.n, COUNT);
        assert_null(cli_track_find(&t, 0));
        assert_null(cli_track_find(&t, COUNT + 1));
        cli_track_fini(&t);
    }
}

/* Events that name some of the torrents, again and again. */
static void test_some(void **state)
{
    struct cli_track t = {0};

    (void)state;
    for (uint64_t round = 0; round < 3; round++) {
        for (int64_t id = 10; id <= 90; id += 20) {
            update(&t, id, round);
        }
        update(&t, 50, round);
    }
    assert_int_equal(t.n, 5);
    cli_track_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_some),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
