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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metadata_test_honest),
        cmocka_unit_test(metadata_test_sizes),
        cmocka_unit_test(metadata_test_liar),
        cmocka_unit_test(metadata_test_mixed),
        cmocka_unit_test(metadata_test_stuck),
        cmocka_unit_test(metadata_test_restore),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
