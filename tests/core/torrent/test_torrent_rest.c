/* What a torrent that waits for its tracker keeps in memory and does. Counted
 * by the allocator, not timed.
 */
#include "core/torrent/torrent.h"

#include "base/err.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <malloc.h>

#define COUNT     200u
#define REST_MAX  2300u /* bytes of one, without its rows */
#define PIECES    7u
#define ONE_PIECE 16384u

struct world {
    struct rng rng;
    struct pool pool;
    struct torrent_shared shared;
    struct layout_file file;
    struct layout geom;
    struct torrent *all[COUNT];
};

/* One that was started and whose tracker has failed. */
static struct torrent *new_torrent(struct world *w, unsigned n)
{
    uint8_t hash[20] = {0};
    struct event start = {.type = EVENT_START};
    struct event failed = {.type = EVENT_ANNOUNCED, .result = BTC_E_NETWORK};
    struct torrent_config c = {
        .shared = &w->shared, .geom = &w->geom, .info_hash = hash};
    struct action a;
    memcpy(hash, &n, sizeof(n));
    struct torrent *t = torrent_new(&c, 1);
    assert_int_equal(torrent_add_tracker(t, "http://tracker.test/announce", 0),
                     0);
    torrent_input(t, &start, 1, 1);
    while (torrent_next_action(t, &a)) {
    }
    failed.announced.error = "refused";
    torrent_input(t, &failed, 2, 2);
    while (torrent_next_action(t, &a)) {
    }
    return t;
}

static void test_memory(void **state)
{
    struct world *w = mem_zalloc(sizeof(*w));
    (void)state;
    rng_init(&w->rng, 1);
    pool_init(&w->pool, 1u << 20);
    w->file.length = (uint64_t)PIECES * ONE_PIECE;
    w->geom = (struct layout){.total = w->file.length,
                              .piece_length = ONE_PIECE,
                              .n_pieces = PIECES,
                              .n_files = 1,
                              .files = &w->file};
    w->shared = (struct torrent_shared){
        .content = {.rng = &w->rng, .pool = &w->pool, .hash_jobs = 2},
        .swarm = {.rng = &w->rng, .pool = &w->pool, .client = "test"}};
    bucket_init(&w->shared.swarm.up, 0, 1);
    size_t before = mallinfo2().uordblks;
    for (unsigned i = 0; i < COUNT; i++) {
        w->all[i] = new_torrent(w, i);
        /* It waits: nothing of it is looked at before its tracker's time. */
        assert_true(torrent_deadline(w->all[i]) > 4000);
    }
    size_t each = (mallinfo2().uordblks - before) / COUNT;
    print_message("bytes of a torrent at rest: %zu\n", each);
    assert_true(each < REST_MAX);
    for (unsigned i = 0; i < COUNT; i++) {
        torrent_free(w->all[i]);
    }
    pool_fini(&w->pool);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
