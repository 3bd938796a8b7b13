/* An info dictionary from honest peers, liars and silent ones. */
#include "core/swarm/metadata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIZE (3 * UT_METADATA_PIECE + 100) /* four pieces */

static uint8_t info[SIZE];
static uint8_t info_hash[SHA1_LEN];

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIZE; i++) {
        info[i] = (uint8_t)(i * 7 + i / 256);
    }
    hash_sha1(slice_of(info, SIZE), info_hash);
    return 0;
}

static struct ut_metadata piece_of(const uint8_t *bytes, uint32_t piece)
{
    struct slice all = slice_of(bytes, SIZE);
    return (struct ut_metadata){
        .type = UT_METADATA_DATA,
        .piece = piece,
        .total_size = SIZE,
        .data = slice_sub(all, (size_t)piece * UT_METADATA_PIECE,
                          UT_METADATA_PIECE)};
}

/* Asks the peer for one piece and has it answered with these bytes. */
static enum metadata_result give(struct metadata *m, uint32_t peer,
                                 const uint8_t *bytes, uint64_t now,
                                 uint32_t *liar)
{
    uint32_t piece = metadata_next(m, peer, now);
    assert_int_not_equal(piece, METADATA_NONE);
    struct ut_metadata u = piece_of(bytes, piece);
    return metadata_take(m, peer, &u, now, liar);
}

/* Several peers are asked for different pieces at once. */
static void metadata_test_honest(void **state)
{
    (void)state;
    uint32_t liar;
    struct metadata *m = metadata_new(info_hash);
    assert_int_equal(metadata_next(m, 1, 0), METADATA_NONE);
    assert_true(metadata_offer(m, 1, SIZE, 0));
    assert_true(metadata_offer(m, 2, SIZE, 0));
    assert_int_equal(metadata_n_pieces(m), 4);
    assert_int_equal(metadata_next(m, 1, 0), 0);
    assert_int_equal(metadata_next(m, 1, 0), 1);
    assert_int_equal(metadata_next(m, 1, 0), METADATA_NONE); /* its window */
    assert_int_equal(metadata_next(m, 2, 0), 2);
    struct ut_metadata u = piece_of(info, 1);
    assert_int_equal(metadata_take(m, 1, &u, 0, &liar), METADATA_TAKEN);
    assert_int_equal(metadata_take(m, 1, &u, 0, &liar), METADATA_IGNORED);
    u = piece_of(info, 3); /* nobody asked for it */
    assert_int_equal(metadata_take(m, 1, &u, 0, &liar), METADATA_IGNORED);
    u = piece_of(info, 0);
    assert_int_equal(metadata_take(m, 1, &u, 0, &liar), METADATA_TAKEN);
    u = piece_of(info, 2);
    assert_int_equal(metadata_take(m, 2, &u, 0, &liar), METADATA_TAKEN);
    assert_int_equal(metadata_n_have(m), 3);
    assert_int_equal(give(m, 1, info, 0, &liar), METADATA_WHOLE);
    assert_true(slice_eq(metadata_info(m), slice_of(info, SIZE)));
    metadata_free(m);
    metadata_free(NULL);
}

/* Sizes that make no sense are refused; a piece of a wrong length, too. */
static void metadata_test_sizes(void **state)
{
    (void)state;
    uint32_t liar;
    struct metadata *m = metadata_new(info_hash);
    assert_false(metadata_offer(m, 1, 0, 0));
    assert_false(metadata_offer(m, 1, METADATA_MAX_BYTES + 1u, 0));
    assert_false(metadata_offer(m, 1, UINT64_MAX, 0));
    assert_int_equal(metadata_size(m), 0);
    assert_true(metadata_offer(m, 1, SIZE, 0));
    struct ut_metadata u = piece_of(info, metadata_next(m, 1, 0));
    u.data.len--;
    assert_int_equal(metadata_take(m, 1, &u, 0, &liar), METADATA_BAD);
    u = piece_of(info, metadata_next(m, 1, 0));
    u.total_size = SIZE + 1;
    assert_int_equal(metadata_take(m, 1, &u, 0, &liar), METADATA_BAD);
    assert_int_equal(metadata_n_have(m), 0);
    metadata_free(m);
}

/* One liar alone is found out; the honest one is asked afterwards. */
static void metadata_test_liar(void **state)
{
    (void)state;
    static uint8_t wrong[SIZE];
    uint32_t liar;
    struct metadata *m = metadata_new(info_hash);
    assert_true(metadata_offer(m, 1, SIZE, 0));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(give(m, 1, wrong, 0, &liar), METADATA_TAKEN);
    }
    assert_int_equal(give(m, 1, wrong, 0, &liar), METADATA_WRONG);
    assert_int_equal(liar, 1);
    assert_int_equal(metadata_n_have(m), 0);
    assert_int_equal(metadata_next(m, 1, 0), METADATA_NONE);
    assert_true(metadata_offer(m, 2, SIZE, 0));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(give(m, 2, info, 0, &liar), METADATA_TAKEN);
    }
    assert_int_equal(give(m, 2, info, 0, &liar), METADATA_WHOLE);
    metadata_free(m);
}

/* A liar among honest ones: then one peer at a time, until it is the honest. */
static void metadata_test_mixed(void **state)
{
    (void)state;
    static uint8_t wrong[SIZE];
    uint32_t liar;
    struct metadata *m = metadata_new(info_hash);
    assert_true(metadata_offer(m, 1, SIZE, 0));
    assert_true(metadata_offer(m, 2, SIZE, 0));
    assert_int_equal(give(m, 1, wrong, 0, &liar), METADATA_TAKEN);
    assert_int_equal(give(m, 2, info, 0, &liar), METADATA_TAKEN);
    assert_int_equal(give(m, 1, wrong, 0, &liar), METADATA_TAKEN);
    assert_int_equal(give(m, 2, info, 0, &liar), METADATA_WRONG);
    assert_int_not_equal(liar, 1);
    assert_int_not_equal(liar, 2);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(give(m, 1, wrong, 0, &liar), METADATA_TAKEN);
        assert_int_equal(metadata_next(m, 2, 0), METADATA_NONE);
    }
    assert_int_equal(give(m, 1, wrong, 0, &liar), METADATA_WRONG);
    assert_int_equal(liar, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(give(m, 2, info, 0, &liar), METADATA_TAKEN);
    }
    assert_int_equal(give(m, 2, info, 0, &liar), METADATA_WHOLE);
    metadata_free(m);
}

/* Silence, rejects, a size that leads nowhere. */
static void metadata_test_stuck(void **state)
{
    (void)state;
    uint32_t liar;
    struct metadata *m = metadata_new(info_hash);
    assert_true(metadata_offer(m, 1, 5000, 1000)); /* a lie, and it is silent */
    assert_true(metadata_offer(m, 2, SIZE, 1000));
    assert_int_equal(metadata_next(m, 1, 1000), 0);
    assert_int_equal(metadata_next(m, 2, 1000), METADATA_NONE);
    assert_false(metadata_tick(m, 1000 + METADATA_STUCK_MS - 1));
    assert_false(metadata_tick(m, 1000 + METADATA_STUCK_MS));
    assert_int_equal(metadata_size(m), SIZE);
    uint64_t now = 1000 + METADATA_STUCK_MS;
    assert_true(metadata_offer(m, 3, SIZE, now));
    assert_int_equal(metadata_next(m, 2, now), 0);
    assert_int_equal(metadata_next(m, 3, now), 1);
    now += METADATA_LATE_MS; /* 2 is silent: its piece is asked of 3 */
    assert_int_equal(metadata_next(m, 3, now), 0);
    metadata_reject(m, 3, 0, now);
    assert_int_equal(metadata_next(m, 3, now), METADATA_NONE);
    assert_int_not_equal(metadata_next(m, 3, now + METADATA_REFUSED_MS),
                         METADATA_NONE);
    metadata_leave(m, 3);
    struct ut_metadata u = piece_of(info, 0);
    assert_int_equal(metadata_take(m, 3, &u, now, &liar), METADATA_IGNORED);
    assert_int_equal(metadata_take(m, 2, &u, now, &liar), METADATA_TAKEN);
    metadata_free(m);
}

/* What an earlier run journaled is not asked for again; nobody is blamed for
 * it. */
static void metadata_test_restore(void **state)
{
    (void)state;
    static uint8_t wrong[UT_METADATA_PIECE];
    uint32_t liar;
    struct slice all = slice_of(info, SIZE);
    struct metadata *m = metadata_new(info_hash);
    metadata_restore(m, 0, 0, all);
    metadata_restore(m, SIZE, 1, slice_sub(all, UT_METADATA_PIECE, 5));
    metadata_restore(m, SIZE, 9, slice_sub(all, 0, UT_METADATA_PIECE));
    assert_int_equal(metadata_n_have(m), 0);
    metadata_restore(m, SIZE, 0, slice_sub(all, 0, UT_METADATA_PIECE));
    metadata_restore(m, SIZE, 2, slice_of(wrong, sizeof(wrong)));
    metadata_restore(m, SIZE + 1, 1, slice_sub(all, 0, UT_METADATA_PIECE));
    assert_int_equal(metadata_n_have(m), 2);
    assert_true(metadata_offer(m, 1, SIZE, 5));
    assert_int_equal(give(m, 1, info, 5, &liar), METADATA_TAKEN);
    assert_int_equal(give(m, 1, info, 5, &liar), METADATA_WRONG);
    assert_int_not_equal(liar, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(give(m, 1, info, 5, &liar), METADATA_TAKEN);
    }
    assert_int_equal(give(m, 1, info, 5, &liar), METADATA_WHOLE);
    metadata_free(m);
}

/* Asks everybody whom it may ask, once a second, as a swarm does; only peer
 * `honest` answers. True when it is whole within that many seconds. */
static bool becomes_whole(struct metadata *m, uint32_t n_peers, uint32_t honest,
                          uint64_t *now, uint64_t seconds)
{
    uint32_t liar;
    for (uint64_t end = *now + 1000 * seconds; *now < end; *now += 1000) {
        (void)metadata_tick(m, *now);
        for (uint32_t peer = 1; peer <= n_peers; peer++) {
            uint32_t piece;
            while ((piece = metadata_next(m, peer, *now)) != METADATA_NONE) {
                struct ut_metadata u = piece_of(info, piece);
                if (peer == honest &&
                    metadata_take(m, peer, &u, *now, &liar) == METADATA_WHOLE) {
                    return true;
                }
            }
        }
    }
    return false;
}

/* Silent peers that offer small sizes hold up an honest one by a turn each. */
static void metadata_test_small_size(void **state)
{
    (void)state;
    for (uint32_t n_silent = 1; n_silent <= 12; n_silent++) {
        struct metadata *m = metadata_new(info_hash);
        uint64_t now = 1000;
        for (uint32_t i = 1; i <= n_silent; i++) {
            assert_true(metadata_offer(m, i, 1 + 69 * (i - 1), now));
        }
        assert_true(metadata_offer(m, n_silent + 1, SIZE, now));
        assert_true(becomes_whole(m, n_silent + 1, n_silent + 1, &now,
                                  2 + n_silent * METADATA_LATE_MS / 1000));
        metadata_free(m);
    }
}

/* A liar that comes again under another size whenever its own is given up wins
 * no turn by that. */
static void metadata_test_comes_again(void **state)
{
    (void)state;
    struct metadata *m = metadata_new(info_hash);
    uint64_t now = 1000;
    assert_true(metadata_offer(m, 1, 7, now));
    assert_true(metadata_offer(m, 2, SIZE, now));
    bool whole = false;
    for (uint32_t i = 3; i < 10 && !whole; i++) {
        assert_true(metadata_offer(m, i, 1000 + i, now));
        metadata_leave(m, i - 2 == 2 ? 1 : i - 2);
        whole = becomes_whole(m, i, 2, &now, METADATA_LATE_MS / 1000);
    }
    assert_true(whole);
    metadata_free(m);
}

/* So does one that says another size whenever it is asked. */
static void metadata_test_changing(void **state)
{
    (void)state;
    struct metadata *m = metadata_new(info_hash);
    uint64_t now = 1000;
    assert_true(metadata_offer(m, 1, 7, now));
    assert_true(metadata_offer(m, 2, SIZE, now));
    bool whole = false;
    for (uint32_t i = 0; i < 5 && !whole; i++) {
        assert_true(metadata_offer(m, 1, 1000 + i, now));
        whole = becomes_whole(m, 2, 2, &now, METADATA_LATE_MS / 1000);
    }
    assert_true(whole);
    metadata_free(m);
}

/* A silent liar alone does not cost what an earlier run has journaled: when an
 * honest peer comes, only the rest is asked for. */
static void metadata_test_parked(void **state)
{
    (void)state;
    for (uint32_t n_liars = 1; n_liars <= 3; n_liars++) {
        struct metadata *m = metadata_new(info_hash);
        uint64_t now = 1000;
        for (uint32_t i = 0; i < 3; i++) {
            metadata_restore(m, SIZE, i, piece_of(info, i).data);
        }
        for (uint32_t i = 1; i <= n_liars; i++) {
            assert_true(metadata_offer(m, i, 7 * i, now));
        }
        assert_false(becomes_whole(m, n_liars, 99, &now, 100));
        assert_int_not_equal(metadata_size(m), SIZE);
        assert_true(metadata_offer(m, 50, SIZE, now));
        while (metadata_size(m) != SIZE) {
            now += 1000;
            assert_false(metadata_tick(m, now));
            assert_true(now < 200000);
        }
        assert_int_equal(metadata_n_have(m), 3);
        assert_int_equal(metadata_next(m, 50, now), 3);
        assert_int_equal(metadata_next(m, 50, now), METADATA_NONE);
        metadata_free(m);
    }
}

/* A size that most offer goes first. */
static void metadata_test_most(void **state)
{
    (void)state;
    struct metadata *m = metadata_new(info_hash);
    uint64_t now = 1000;
    for (uint32_t i = 1; i <= 6; i++) {
        assert_true(metadata_offer(m, i, i, now));
    }
    assert_true(metadata_offer(m, 7, SIZE, now));
    assert_true(metadata_offer(m, 8, SIZE, now));
    assert_true(becomes_whole(m, 8, 8, &now, 2 + 2 * METADATA_LATE_MS / 1000));
    metadata_free(m);
}

/* Silent peers cannot keep the whole table. */
static void metadata_test_full(void **state)
{
    (void)state;
    struct metadata *m = metadata_new(info_hash);
    uint64_t now = 1000;
    for (uint32_t i = 1; i <= METADATA_PEERS; i++) {
        assert_true(metadata_offer(m, i, SIZE, now));
    }
    assert_false(becomes_whole(m, METADATA_PEERS, METADATA_PEERS + 1, &now,
                               2 * METADATA_STUCK_MS / 1000));
    assert_true(metadata_offer(m, METADATA_PEERS + 1, SIZE, now));
    assert_true(becomes_whole(m, METADATA_PEERS + 1, METADATA_PEERS + 1, &now,
                              METADATA_STUCK_MS / 1000));
    metadata_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metadata_test_honest),
        cmocka_unit_test(metadata_test_sizes),
        cmocka_unit_test(metadata_test_liar),
        cmocka_unit_test(metadata_test_mixed),
        cmocka_unit_test(metadata_test_stuck),
        cmocka_unit_test(metadata_test_restore),
        cmocka_unit_test(metadata_test_small_size),
        cmocka_unit_test(metadata_test_comes_again),
        cmocka_unit_test(metadata_test_changing),
        cmocka_unit_test(metadata_test_parked),
        cmocka_unit_test(metadata_test_most),
        cmocka_unit_test(metadata_test_full),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
