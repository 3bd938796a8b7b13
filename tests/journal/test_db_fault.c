/* A disk that fails at any write, sync or truncate, and power cuts: a commit is
 * there whole or not at all, and one that was reported is there.
 */
#include "journal/db_kit.h"

#include "journal/batch.h"
#include "journal/fault_kit.h"
#include "journal/internal.h"
#include "journal/load.h"

/* The n-th batch: one piece, two blocks of the next. */
static struct journal_batch *batch_of(int64_t id, uint32_t n)
{
    struct journal_stat s = {
        .state = BTC_STATE_DOWNLOADING, .eta_s = -1, .pieces_done = n + 1};
    struct journal_batch *b = journal_batch_new();
    journal_put_piece(b, id, n, 1);
    journal_put_block(b, id, n + 1, 0);
    journal_put_block(b, id, n + 1, 1);
    journal_put_stat(b, id, &s);
    return b;
}

/* Exactly n batches are there, and they fit together. */
static void expect_batches(struct journal *db, int64_t id, uint32_t n)
{
    struct journal_stat s;
    struct journal_piece *pieces;
    struct journal_block *blocks;
    size_t n_pieces;
    size_t n_blocks;
    struct err e = {0};
    int code = journal_load_stat(db, id, &s, &e);
    if (code != 0) {
        print_error("%s\n", e.msg);
    }
    assert_int_equal(code, 0);
    assert_int_equal(s.pieces_done, n);
    assert_int_equal(journal_load_pieces(db, id, &pieces, &n_pieces, &e), 0);
    assert_int_equal(n_pieces, n);
    assert_int_equal(journal_load_blocks(db, id, &blocks, &n_blocks, &e), 0);
    assert_int_equal(n_blocks, n > 0 ? 2 : 0);
    free(pieces);
    free(blocks);
    test_db_is_sound(db);
}

/* Applies batches while the n-th operation and all behind it fail, for each n.
 * The same batch goes in when the disk is well again. */
static void fail_commits(const char *path, int rc, int want)
{
    struct journal *db = test_db_open(path, JOURNAL_CREATE | JOURNAL_ENGINE);
    int64_t id = test_db_add(db, 1);
    uint32_t there = 0;
    bool done = false;
    /* a small WAL, so that checkpoints fail too */
    assert_int_equal(journal_exec(db, "PRAGMA wal_autocheckpoint = 5", NULL),
                     0);
    fault_rc = rc;
    for (int n = 1; !done; n++) {
        struct journal_batch *b = batch_of(id, there);
        struct err e = {0};
        fault_left = n;
        int code = journal_apply(db, b, &e);
        done = fault_left != 0;
        fault_left = -1;
        /* what comes behind the commit (a checkpoint) may fail unseen */
        if (code != 0) {
            assert_true(code == want || code == BTC_E_IO);
            expect_batches(db, id, there);
            assert_int_equal(journal_apply(db, b, &e), 0);
        }
        there++;
        expect_batches(db, id, there);
        journal_batch_free(b);
        assert_true(n < 1000);
    }
    assert_true(there > 5);
    journal_close(db);
    db = test_db_open(path, JOURNAL_ENGINE);
    expect_batches(db, id, there);
    journal_close(db);
}

static void test_io_error(void **state)
{
    struct test_db *t = *state;
    fail_commits(t->path, SQLITE_IOERR, BTC_E_IO);
}

static void test_disk_full(void **state)
{
    struct test_db *t = *state;
    fail_commits(t->path, SQLITE_FULL, BTC_E_NOSPACE);
}

/* A database that is made on a failing disk: whatever is left, the next try
 * makes it. */
static void test_create(void **state)
{
    struct test_db *t = *state;
    bool done = false;
    fault_rc = SQLITE_IOERR;
    for (int n = 1; !done; n++) {
        char path[128];
        struct journal *db = NULL;
        struct err e = {0};
        (void)snprintf(path, sizeof(path), "%s/%d.db", t->dir, n);
        fault_left = n;
        int code = journal_open(path, JOURNAL_CREATE | JOURNAL_ENGINE, &db, &e);
        done = fault_left != 0;
        fault_left = -1;
        assert_true(done ? code == 0 : (code == BTC_E_IO || code == 0));
        assert_true(code == 0 || e.msg[0] != '\0');
        journal_close(db);
        db = test_db_open(path, JOURNAL_CREATE | JOURNAL_ENGINE);
        (void)test_db_add(db, 1);
        assert_int_equal(journal_check(db, NULL, NULL, &e), 0);
        journal_close(db);
        assert_true(n < 1000);
    }
}

/* Copies what survives the cut to another name. */
static void take_image(const char *path, const char *image)
{
    static const char *const parts[] = {"", "-wal", "-journal"};
    for (size_t i = 0; i < 3; i++) {
        char from[160];
        char to[160];
        (void)snprintf(from, sizeof(from), "%s%s.safe", path, parts[i]);
        (void)snprintf(to, sizeof(to), "%s%s", image, parts[i]);
        (void)unlink(to);
        if (access(from, F_OK) == 0) {
            FILE *in = fopen(from, "re");
            FILE *out = fopen(to, "we");
            int c;
            while ((c = getc(in)) != EOF) {
                (void)putc(c, out);
            }
            (void)fclose(in);
            (void)fclose(out);
        }
    }
    char shm[160];
    (void)snprintf(shm, sizeof(shm), "%s-shm", image);
    (void)unlink(shm);
}

/* The power goes behind each commit; everything not synced is lost. */
static void test_power_cut(void **state)
{
    struct test_db *t = *state;
    char image[128];
    (void)snprintf(image, sizeof(image), "%s/image.db", t->dir);
    fault_keep = true;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
    int64_t id = test_db_add(db, 1);
    assert_int_equal(journal_exec(db, "PRAGMA wal_autocheckpoint = 9", NULL),
                     0);
    for (uint32_t n = 0; n < 40; n++) {
        fault_keep = false;
        take_image(t->path, image);
        struct journal *cut =
            test_db_open(image, JOURNAL_CREATE | JOURNAL_ENGINE);
        expect_batches(cut, id, n);
        journal_close(cut);
        fault_keep = true;
        struct journal_batch *b = batch_of(id, n);
        assert_int_equal(journal_apply(db, b, NULL), 0);
        journal_batch_free(b);
    }
    journal_close(db);
    fault_keep = false;
}

static int setup(void **state)
{
    fault_install();
    fault_left = -1;
    return test_db_setup(state);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, test_db_teardown)
    const struct CMUnitTest tests[] = {T(test_io_error), T(test_disk_full),
                                       T(test_create), T(test_power_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
