/* A torrent of as many files as metainfo takes, all in one piece: whatever goes
 * over files must not go over all of them for each of them.
 */
#include "core/torrent/torrent.h"

#include "base/mem.h"
#include "proto/metainfo/metainfo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs the four above. */
#include <cmocka.h>

#define N_FILES METAINFO_MAX_FILES

struct world {
    struct rng rng;
    struct pool pool;
    struct torrent_shared shared;
    struct layout geom;
    struct torrent *t;
    uint8_t *prio;
};

static const uint8_t zeros[20];

static int world_setup(void **state)
{
    struct world *w = mem_zalloc(sizeof *w);
    struct layout_file *files = mem_calloc(N_FILES, sizeof *files);
    for (uint32_t i = 0; i < N_FILES; i++) {
        files[i] = (struct layout_file){.offset = i, .length = 1};
    }
    w->geom = (struct layout){.total = N_FILES,
                              .piece_length = N_FILES,
                              .n_pieces = 1,
                              .n_files = N_FILES,
                              .files = files};
    rng_init(&w->rng, 1);
    pool_init(&w->pool, 1u << 20);
    w->shared = (struct torrent_shared){
        .content = {.rng = &w->rng, .pool = &w->pool, .hash_jobs = 1},
        .swarm = {.rng = &w->rng, .pool = &w->pool, .client = "test"}};
    struct torrent_config c = {
        .shared = &w->shared, .geom = &w->geom, .info_hash = zeros};
    w->t = torrent_new(&c, 0);
    w->prio = mem_alloc(N_FILES);
    memset(w->prio, PICKER_PRIO_NORMAL, N_FILES);
    *state = w;
    return 0;
}

static int world_teardown(void **state)
{
    struct world *w = *state;
    struct action a;
    struct event stop = {.type = EVENT_STOP};
    torrent_input(w->t, &stop, 2, 2);
    while (torrent_next_action(w->t, &a)) {
    }
    torrent_free(w->t);
    pool_fini(&w->pool);
    free(w->prio);
    const struct layout_file *files = w->geom.files;
    struct layout_file *mine;
    memcpy(&mine, &files, sizeof mine);
    free(mine);
    free(w);
    return 0;
}

/* Starts it with its one piece to be checked, and says that it is good. */
static uint32_t world_check(struct world *w)
{
    struct event start = {.type = EVENT_START};
    struct event good = {.type = EVENT_HASHED};
    struct action a;
    uint32_t n_files = 0, n_hash = 0;
    torrent_check_piece(w->t, 0, false);
    torrent_input(w->t, &start, 1, 1);
    while (torrent_next_action(w->t, &a)) {
        n_hash += a.type == ACTION_HASH;
    }
    assert_int_equal(n_hash, 1);
    torrent_input(w->t, &good, 1, 1);
    while (torrent_next_action(w->t, &a)) {
        n_files +=
            a.type == ACTION_NOTIFY && a.notify.type == NOTIFY_FILE ? 1 : 0;
    }
    return n_files;
}

/* Each file is told, however many a piece completes. */
static void test_one_piece_completes_all(void **state)
{
    struct world *w = *state;
    assert_int_equal(world_check(w), N_FILES);
    assert_true(torrent_is_complete(w->t));
}

/* What is wanted and what of it is here, before and after the piece. */
static void test_priorities(void **state)
{
    struct world *w = *state;
    struct torrent_stats s;
    for (uint32_t i = 0; i < N_FILES; i++) {
        w->prio[i] = i % 4 == 0 ? PICKER_PRIO_MAX : PICKER_PRIO_OFF;
    }
    torrent_set_priorities(w->t, w->prio);
    assert_int_equal(picker_priority(torrent_picker(w->t), 0), PICKER_PRIO_MAX);
    torrent_get_stats(w->t, 1, &s);
    assert_int_equal(s.bytes_total, N_FILES / 4);
    assert_int_equal(s.bytes_done, 0);
    (void)world_check(w);
    torrent_get_stats(w->t, 1, &s);
    assert_int_equal(s.bytes_done, N_FILES / 4);
    memset(w->prio, PICKER_PRIO_OFF, N_FILES);
    w->prio[N_FILES - 1] = PICKER_PRIO_NORMAL;
    w->prio[0] = PICKER_PRIO_NORMAL;
    torrent_set_priorities(w->t, w->prio);
    torrent_get_stats(w->t, 1, &s);
    assert_int_equal(s.bytes_total, 2);
    assert_int_equal(s.bytes_done, 2);
    assert_int_equal(torrent_file_done(w->t, 1), 1);
    w->prio[0] = PICKER_PRIO_OFF;
    w->prio[N_FILES - 1] = PICKER_PRIO_OFF;
    torrent_set_priorities(w->t, w->prio);
    torrent_get_stats(w->t, 1, &s);
    assert_int_equal(s.bytes_total + s.bytes_done, 0);
    assert_int_equal(picker_priority(torrent_picker(w->t), 0), PICKER_PRIO_OFF);
}

#define FEW_FILES  9
#define FEW_PIECES 12

/* The highest priority of the files that a piece holds bytes of. */
static uint8_t piece_prio(const struct layout *g, const uint8_t *prio,
                          uint32_t piece)
{
    uint64_t from = (uint64_t)piece * g->piece_length;
    uint8_t most = PICKER_PRIO_OFF;
    for (uint32_t i = 0; i < g->n_files; i++) {
        const struct layout_file *f = &g->files[i];
        if (f->length > 0 && f->offset < from + g->piece_length &&
            f->offset + f->length > from && prio[i] > most) {
            most = prio[i];
        }
    }
    return most;
}

/* Whichever files change, each piece follows those that it holds. */
static void test_pieces_follow_their_files(void **state)
{
    static const uint32_t lengths[FEW_FILES] = {1, 0, 30, 5, 16, 0, 40, 27, 1};
    struct world *w = *state;
    struct layout_file files[FEW_FILES];
    struct layout g = {.piece_length = 10,
                       .n_pieces = FEW_PIECES,
                       .n_files = FEW_FILES,
                       .files = files};
    uint8_t prio[FEW_FILES];
    for (uint32_t i = 0; i < FEW_FILES; i++) {
        files[i] =
            (struct layout_file){.offset = g.total, .length = lengths[i]};
        g.total += lengths[i];
        prio[i] = PICKER_PRIO_NORMAL;
    }
    struct torrent_config c = {
        .shared = &w->shared, .geom = &g, .info_hash = zeros};
    struct torrent *t = torrent_new(&c, 0);
    for (uint32_t round = 0; round < 1000; round++) {
        for (uint32_t n = rng_below(&w->rng, 3) + 1; n > 0; n--) {
            prio[rng_below(&w->rng, FEW_FILES)] =
                (uint8_t)rng_below(&w->rng, PICKER_PRIO_MAX + 1);
        }
        torrent_set_priorities(t, prio);
        for (uint32_t i = 0; i < FEW_PIECES; i++) {
            assert_int_equal(picker_priority(torrent_picker(t), i),
                             piece_prio(&g, prio, i));
        }
    }
    torrent_free(t);
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_one_piece_completes_all),
        T(test_priorities),
        T(test_pieces_follow_their_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
