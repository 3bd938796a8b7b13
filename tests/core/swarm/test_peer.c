/* One connection's windows: our requests, the peer's, and the depth. */
#include "core/swarm/peer.h"

#include "base/err.h"
#include "base/rng.h"
#include "model/block.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct peer *peer_make(void)
{
    struct addr a = {.family = ADDR_V4, .port = 1, .ip = {127, 0, 0, 1}};
    return peer_new(65536, 1, &a, false, 1000);
}

static struct picker_block block_of(uint32_t n)
{
    return (struct picker_block){.piece = n / 8, .block = n % 8};
}

/* The ring against an array that does the same in the simplest way. */
static void test_requests(void **state)
{
    struct peer *p = peer_make();
    struct rng rng;
    uint32_t model[3000];
    uint32_t n = 0, next = 0;
    (void)state;
    rng_init(&rng, 7);
    for (int step = 0; step < 20000; step++) {
        uint32_t grow = step % 5000 < 2500 ? 6 : 4; /* wax and wane */
        if (n == 0 || (n < 2000 && rng_below(&rng, 10) < grow)) {
            peer_req_push(p, block_of(next), 1000 + next);
            model[n++] = next++;
        } else {
            uint32_t i = rng_below(&rng, n < 4 ? n : 4); /* near the front */
            assert_int_equal(peer_req_find(p, block_of(model[i])), i);
            peer_req_remove(p, i);
            memmove(model + i, model + i + 1, (n - i - 1) * sizeof(model[0]));
            n--;
        }
        assert_int_equal(p->window.n, n);
        for (uint32_t i = 0; i < n; i += 1 + n / 10) {
            assert_int_equal(peer_req_at(p, i)->asked_ms, 1000 + model[i]);
            assert_int_equal(peer_req_at(p, i)->b.piece, model[i] / 8);
        }
    }
    assert_int_equal(peer_req_find(p, block_of(next)), p->window.n);
    while (p->window.n > 0) {
        peer_req_remove(p, p->window.n - 1);
    }
    peer_free(p);
}

/* The peer's requests: in order, bounded, removable anywhere. */
static void test_uploads(void **state)
{
    struct peer *p = peer_make();
    (void)state;
    for (uint32_t i = 0; i < PEER_OUR_REQQ; i++) {
        struct wire_block b = {.piece = i, .begin = 0, .len = 16384};
        assert_true(peer_up_push(p, &b));
    }
    struct wire_block more = {.piece = 9999, .len = 1};
    assert_false(peer_up_push(p, &more));
    peer_up_remove(p, 0);
    peer_up_remove(p, 100);
    assert_int_equal(peer_up_at(p, 0)->piece, 1);
    assert_int_equal(peer_up_at(p, 99)->piece, 100);
    assert_int_equal(peer_up_at(p, 100)->piece, 102);
    assert_true(peer_up_push(p, &more));
    assert_int_equal(peer_up_at(p, p->up.n - 1)->piece, 9999);
    peer_free(p);
}

/* The last 64 requests that were taken back are known again, once each. */
static void test_dropped(void **state)
{
    struct peer *p = peer_make();
    (void)state;
    assert_false(peer_dropped_take(p, block_of(0)));
    for (uint32_t i = 0; i < PEER_MAX_DROPPED + 10; i++) {
        peer_dropped_add(p, block_of(i));
    }
    assert_int_equal(p->dropped.n_awaited, PEER_MAX_DROPPED + 10);
    assert_false(peer_dropped_take(p, block_of(9)));
    assert_true(peer_dropped_take(p, block_of(10)));
    assert_false(peer_dropped_take(p, block_of(10)));
    assert_true(peer_dropped_take(p, block_of(PEER_MAX_DROPPED + 9)));
    peer_free(p);
}

/* A steady rate for three seconds; the depth that comes of it. */
static void test_depth(void **state)
{
    static const struct {
        uint64_t rate;
        uint32_t latency_ms, share, reqq;
        bool snubbed;
        uint32_t block_len, min, max;
    } rows[] = {
        /* nothing known: the start depth, within the share */
        {0, 0, 4096, 250, false, 16384, PEER_START_DEPTH, PEER_START_DEPTH},
        {0, 0, 2, 250, false, 16384, 2, 2},
        {0, 0, 0, 250, false, 16384, 1, 1},
        /* half a second of it, and more with latency */
        {1 << 20, 0, 4096, 250, false, 16384, 32, 40},
        {1 << 20, 500, 4096, 250, false, 16384, 90, 105},
        {16384, 0, 4096, 250, false, 16384, 4, 5},
        /* tiny blocks: as many bytes, so more of them */
        {1 << 20, 0, 4096, 2000, false, 1024, 500, 600},
        /* nearly what the peer queues, what we have, the end of all */
        {100 << 20, 10, 4096, 250, false, 16384, 235, 235},
        {100 << 20, 10, 4096, 2000, false, 16384, PEER_MAX_DEPTH,
         PEER_MAX_DEPTH},
        {100 << 20, 10, 100, 2000, false, 16384, 100, 100},
        {100 << 20, 10, 4096, 0, false, 16384, 1, 1},
        {100 << 20, 10, 4096, 250, true, 16384, 1, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct peer *p = peer_make();
        p->rate.latency_ms = rows[i].latency_ms;
        p->ext.reqq = rows[i].reqq;
        p->window.snubbed = rows[i].snubbed;
        for (int tick = 0; tick < 12; tick++) {
            p->rate.tick_bytes = rows[i].rate / 4;
            p->time.block_ms = rows[i].rate > 0 ? 1 : 0;
            peer_update_depth(p, 250, rows[i].block_len, rows[i].share);
        }
        if (p->window.depth < rows[i].min || p->window.depth > rows[i].max) {
            fail_msg("row %zu: depth %u", i, p->window.depth);
        }
        peer_free(p);
    }
}

/* A pipe that is kept full opens the window twofold from tick to tick. */
static void test_depth_grows(void **state)
{
    struct peer *p = peer_make();
    uint32_t ticks = 0;
    (void)state;
    p->ext.reqq = 2000;
    p->rate.latency_ms = 20;
    p->time.block_ms = 1;
    for (; p->window.depth < PEER_MAX_DEPTH && ticks < 100; ticks++) {
        p->rate.tick_bytes = (uint64_t)p->window.depth * BLOCK_LEN;
        peer_update_depth(p, 250, BLOCK_LEN, 4096);
    }
    assert_in_range(ticks, 1, 8);
    /* and a pause of a second shuts it by half at most */
    uint32_t before = p->window.depth;
    for (int i = 0; i < 3; i++) {
        peer_update_depth(p, 250, BLOCK_LEN, 4096);
    }
    assert_true(p->window.depth >= before / 2);
    peer_free(p);
}

/* A quick one may have more out than its share, as long as it is. */
static void test_batch(void **state)
{
    static const struct {
        uint64_t gaps_ms;
        uint32_t n_gaps;
        bool snubbed, tight;
        uint32_t batch;
    } ticks[] = {
        {0, 0, false, false, PEER_MIN_BATCH}, /* no block behind another */
        {3 * PEER_BATCH_MS, 3, false, false, PEER_MIN_BATCH * 2},
        {0, 1, false, false, PEER_MAX_BATCH},
        {0, 7, false, false, PEER_MAX_BATCH},
        {0, 0, false, false, PEER_MAX_BATCH},
        {2 * PEER_BATCH_MS, 1, false, false, PEER_MAX_BATCH},
        {2 * PEER_BATCH_MS + 1, 1, false, false, PEER_MAX_BATCH / 2},
        {1000, 7, false, false, PEER_MIN_BATCH},
        {1000, 7, false, false, PEER_MIN_BATCH},
        {1, 1, false, false, PEER_MIN_BATCH * 2},
        {1, 1, true, false, PEER_MIN_BATCH},
        {1, 1, false, false, PEER_MIN_BATCH * 2},
        {1, 1, false, true, PEER_MIN_BATCH},
    };
    struct peer *p = peer_make();
    (void)state;
    for (size_t i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
        p->rate.gaps_ms = ticks[i].gaps_ms;
        p->rate.n_gaps = ticks[i].n_gaps;
        p->window.snubbed = ticks[i].snubbed;
        peer_update_batch(p, ticks[i].tight);
        assert_int_equal(p->window.batch, ticks[i].batch);
        assert_int_equal(p->rate.gaps_ms + p->rate.n_gaps, 0);
    }
    peer_free(p);
}

/* Messages that do not fit are refused whole. */
static void test_output(void **state)
{
    struct peer *p = peer_make();
    (void)state;
    size_t n = 0;
    while (peer_put_piece_idx(p, WIRE_HAVE, 1) == 0) {
        n += 9;
    }
    assert_int_equal(buf_len(&p->wire.out), n);
    assert_true(n <= PEER_OUT_MAX && n > PEER_OUT_MAX - 9);
    assert_int_equal(peer_put_simple(p, WIRE_CHOKE) < 0, PEER_OUT_MAX - n < 5);
    peer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests), cmocka_unit_test(test_uploads),
        cmocka_unit_test(test_dropped),  cmocka_unit_test(test_batch),
        cmocka_unit_test(test_depth),    cmocka_unit_test(test_depth_grows),
        cmocka_unit_test(test_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
