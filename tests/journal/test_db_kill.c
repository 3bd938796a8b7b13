/* kill -9 while batches are applied: each is there or is not, those before it
 * are there, and the file opens. A child applies numbered batches and says so
 * after each commit; it is killed at a random moment, again and again on the
 * same database.
 */
#include "journal/db_kit.h"

#include "base/rng.h"
#include "journal/batch.h"
#include "journal/internal.h"
#include "journal/load.h"
#include "journal/runs.h"
#include "model/names.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define N_KILLS   25
#define PER_BATCH 20

/* One batch: PER_BATCH blocks of piece `n`, the piece before becomes whole, and
 * the count of all in the live row. */
static void fill(struct journal_batch *b, int64_t id, uint32_t n)
{
    struct journal_stat s = {
        .state = BTC_STATE_DOWNLOADING, .eta_s = -1, .downloaded = n + 1};
    for (uint32_t i = 0; i < PER_BATCH; i++) {
        journal_put_block(b, id, n, i);
    }
    if (n > 0) {
        journal_put_piece(b, id, n - 1, 1);
    }
    journal_put_stat(b, id, &s);
    journal_put_event(b, id, LEVEL_INFO, "n", "one more");
}

/* The child: batches from `n` on until it dies. */
static void child(const char *path, int64_t id, uint32_t n, int out)
{
    struct journal *db = NULL;
    struct journal_run before;
    struct err e = {0};
    if (journal_open(path, JOURNAL_ENGINE, &db, &e) != 0 ||
        journal_begin_run(db, &before, &e) != 0) {
        (void)fprintf(stderr, "%s\n", e.msg);
        _exit(1);
    }
    for (;; n++) {
        struct journal_batch *b = journal_batch_new();
        fill(b, id, n);
        if (journal_apply(db, b, &e) != 0) {
            (void)fprintf(stderr, "%s\n", e.msg);
            _exit(1);
        }
        journal_batch_free(b);
        if (write(out, &n, sizeof(n)) != sizeof(n)) {
            _exit(0);
        }
    }
}

/* The number of batches that are in the file; all of it must fit together. */
static uint32_t check(struct journal *db, int64_t id)
{
    struct journal_piece *pieces;
    struct journal_block *blocks;
    struct journal_stat s;
    struct err e = {0};
    size_t n_pieces;
    size_t n_blocks;
    test_db_is_sound(db);
    assert_int_equal(journal_load_stat(db, id, &s, &e), 0);
    uint32_t n = (uint32_t)s.downloaded;
    assert_int_equal(journal_load_pieces(db, id, &pieces, &n_pieces, &e), 0);
    assert_int_equal(n_pieces, n > 0 ? n - 1 : 0);
    for (size_t i = 0; i < n_pieces; i++) {
        assert_int_equal(pieces[i].piece, i);
    }
    assert_int_equal(journal_load_blocks(db, id, &blocks, &n_blocks, &e), 0);
    assert_int_equal(n_blocks, n > 0 ? PER_BATCH : 0);
    for (size_t i = 0; i < n_blocks; i++) {
        assert_int_equal(blocks[i].piece, n - 1);
    }
    free(pieces);
    free(blocks);
    return n;
}

static void test_kill(void **state)
{
    struct test_db *t = *state;
    struct rng rng;
    uint64_t seed = (uint64_t)time(NULL);
    rng_init(&rng, seed);
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_db_add(db, 1);
    journal_close(db);
    uint32_t there = 0;
    for (int i = 0; i < N_KILLS; i++) {
        int fds[2];
        uint32_t last = there;
        uint32_t got;
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        if (pid == 0) {
            (void)close(fds[0]);
            child(t->path, id, there, fds[1]);
        }
        (void)close(fds[1]);
        /* some commits, then a moment that is short of the next ones */
        uint64_t rounds = rng_below(&rng, 12);
        for (uint64_t k = 0; k < rounds; k++) {
            assert_int_equal(read(fds[0], &got, sizeof(got)), sizeof(got));
            last = got + 1;
        }
        struct timespec ts = {.tv_nsec = (long)rng_below(&rng, 3000000)};
        (void)nanosleep(&ts, NULL);
        assert_int_equal(kill(pid, SIGKILL), 0);
        while (read(fds[0], &got, sizeof(got)) == sizeof(got)) {
            last = got + 1;
        }
        (void)close(fds[0]);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        db = test_db_open(t->path, i % 2 ? JOURNAL_READ_ONLY : 0);
        there = check(db, id);
        journal_close(db);
        if (there < last || there > last + 1) {
            print_error("seed %llu, kill %d: said %u, there %u\n",
                        (unsigned long long)seed, i, last, there);
        }
        /* what it said is there; at most one more, not yet said */
        assert_true(there >= last && there <= last + 1);
    }
    assert_true(there > 0);
    char n[16];
    (void)snprintf(n, sizeof(n), "%u", there);
    TEST_DB_IS(t->path, "SELECT sum(downloaded) FROM history", n);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, test_db_setup, test_db_teardown)
    const struct CMUnitTest tests[] = {T(test_kill)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
