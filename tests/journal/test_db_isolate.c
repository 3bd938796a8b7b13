/* Rows that a rule of the database forbids: they are left out and named, all
 * others are committed, whatever way the rule refuses. */
#include "db_kit.h"

#include "journal/ops.h"

static void rule(struct journal *db, const char *sql)
{
    struct err e = {0};
    assert_int_equal(journal_exec(db, sql, &e), 0);
}

static int64_t count(struct journal *db, const char *sql)
{
    int64_t n = -1;
    struct err e = {0};
    assert_int_equal(journal_query_int(db, sql, 0, &n, &e), 0);
    return n;
}

/* Pieces 0 to 3, an event, and the row that counts them. */
static struct journal_batch *batch_of(int64_t id)
{
    struct journal_batch *b = journal_batch_new();
    struct journal_stat s = {
        .state = BTC_STATE_DOWNLOADING, .eta_s = -1, .pieces_done = 4};
    for (uint32_t i = 0; i < 4; i++) {
        journal_put_piece(b, id, i, 1000 + i);
    }
    journal_put_event(b, id, LEVEL_INFO, "test", "text");
    journal_put_stat(b, id, &s);
    return b;
}

/* What the rule `sql` makes of it: the pieces that are there, as bits. */
static void expect(struct test_db *t, const char *sql, int64_t pieces,
                   size_t n_refused, const char *first, const char *reason)
{
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_db_add(db, 1);
    struct err e = {0};
    size_t n = 0;
    rule(db, sql);
    struct journal_batch *b = batch_of(id);
    assert_int_equal(journal_apply(db, b, &e), BTC_E_INTERNAL);
    assert_int_equal(count(db, "SELECT count(*) FROM piece"), 0);
    assert_int_equal(journal_apply_each(db, b, &e), 0);
    const struct journal_refused *r = journal_batch_refused(b, &n);
    assert_int_equal(n, n_refused);
    assert_true(r[0].id == id && r[0].weighs);
    assert_string_equal(r[0].row, first);
    assert_non_null(strstr(r[0].reason, reason));
    assert_int_equal(count(db, "SELECT coalesce(sum(1 << piece), 0)"
                               " FROM piece"),
                     pieces);
    assert_int_equal(count(db, "SELECT count(*) FROM event"
                               " WHERE kind = 'test'"),
                     1);
    int64_t counted = 4;
    if (r[0].is_piece) {
        counted = 0; /* what would have counted it is left out */
    }
    assert_int_equal(count(db, "SELECT pieces_done FROM torrent_stat"),
                     counted);
    journal_batch_free(b);
    journal_close(db);
}

static void test_abort(void **state)
{
    expect(*state,
           "CREATE TRIGGER r BEFORE INSERT ON piece WHEN new.piece = 2 BEGIN"
           " SELECT RAISE(ABORT, 'two is mine'); END",
           0xb, 1, "piece 2", "two is mine");
}

/* A trigger that leaves what it did itself. */
static void test_fail(void **state)
{
    expect(*state,
           "CREATE TRIGGER r AFTER INSERT ON piece WHEN new.piece IN (0, 1)"
           " BEGIN DELETE FROM piece; SELECT RAISE(FAIL, 'half'); END",
           0xc, 2, "piece 0", "half");
}

static void test_rollback(void **state)
{
    expect(*state,
           "CREATE TRIGGER r BEFORE INSERT ON piece WHEN new.piece IN (1, 3)"
           " BEGIN SELECT RAISE(ROLLBACK, 'all'); END",
           0x5, 2, "piece 1", "all");
}

static void test_broken(void **state)
{
    expect(*state,
           "CREATE TRIGGER r AFTER INSERT ON piece BEGIN"
           " INSERT INTO nowhere VALUES (1); END",
           0, 4, "piece 0", "nowhere");
}

static void test_index(void **state)
{
    expect(*state, "CREATE UNIQUE INDEX r ON piece (piece / 2)", 0x5, 2,
           "piece 1", "UNIQUE");
}

/* Refused only when the transaction is committed. */
static void test_deferred_key(void **state)
{
    expect(*state,
           "CREATE TABLE want (n INTEGER REFERENCES torrent (id)"
           " DEFERRABLE INITIALLY DEFERRED);"
           "CREATE TRIGGER r AFTER INSERT ON piece WHEN new.piece = 3 BEGIN"
           " INSERT INTO want VALUES (77); END",
           0x7, 1, "piece 3", "foreign key");
}

/* A doubt about a file is no claim; what a doubtful SYNC drops leaves it. */
static void test_drop_claims(void **state)
{
    struct journal_file_state f = {.has_print = true};
    struct journal_batch *b = journal_batch_new();
    (void)state;
    journal_put_file(b, 1, 1, &f);
    journal_put_doubt(b, 1, 1, &f);
    journal_put_piece(b, 1, 0, 1);
    journal_del_piece(b, 1, 1);
    journal_batch_drop_claims(b);
    assert_int_equal(b->n_ops, 2);
    assert_int_equal(b->ops[0].kind, JOURNAL_OP_PUT_DOUBT);
    assert_int_equal(b->ops[1].kind, JOURNAL_OP_DEL_PIECE);
    journal_batch_free(b);
}

/* The clock was set back: what was verified before the doubt has a later time,
 * and is doubted nevertheless. */
static void test_doubt_by_an_older_clock(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_db_add(db, 1);
    struct journal_file_state f = {.has_print = true};
    struct err e = {0};
    for (int64_t since = 0; since <= 1000; since += 1000) {
        struct journal_batch *b = journal_batch_new();
        journal_file_set_since(&f, since);
        for (uint32_t i = 0; i < 5; i++) {
            journal_put_piece(b, id, i, i == 0 ? 999 : 2000);
        }
        journal_put_doubt(b, id, 0, &f);
        assert_int_equal(journal_apply(db, b, &e), 0);
        journal_batch_free(b);
        TEST_DB_IS(t->path, "SELECT group_concat(verified_at) FROM piece",
                   since == 0 ? "999,2000,2000,2000,2000"
                              : "999,0,2000,2000,2000");
    }
    journal_close(db);
}

/* A claim that cannot be withdrawn stands. Nothing of the same batch vouches
 * for its file then, whatever came first; what doubts it is written. */
static void test_withdrawal(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_db_add(db, 1);
    struct journal_file_state f = {.has_print = true, .mtime_ns = 77};
    struct err e = {0};
    size_t n = 0;
    struct journal_batch *b = journal_batch_new();
    journal_put_piece(b, id, 2, 1000);
    assert_int_equal(journal_apply(db, b, &e), 0);
    journal_batch_free(b);
    rule(db, "UPDATE torrent SET verify_since = 5;"
             "CREATE TRIGGER r BEFORE DELETE ON piece WHEN old.piece = 2 BEGIN"
             " SELECT RAISE(ABORT, 'it stays'); END");

    b = journal_batch_new();
    journal_put_file(b, id, 0, &f);
    journal_put_verify_done(b, id, 10);
    journal_del_piece(b, id, 2);
    assert_int_equal(journal_apply(db, b, &e), BTC_E_INTERNAL);
    assert_int_equal(journal_apply_each(db, b, &e), 0);
    const struct journal_refused *r = journal_batch_refused(b, &n);
    assert_int_equal(n, 1);
    assert_true(r[0].is_withdrawal && !r[0].is_piece && r[0].weighs);
    assert_int_equal(r[0].piece, 2);
    assert_int_equal(count(db, "SELECT count(*) FROM file"
                               " WHERE mtime_ns IS NOT NULL"),
                     0);
    assert_int_equal(count(db, "SELECT verify_since FROM torrent"), 5);
    journal_batch_free(b);

    b = journal_batch_new();
    f.since = 9;
    journal_put_doubt(b, id, 0, &f);
    journal_del_piece(b, id, 2);
    assert_int_equal(journal_apply_each(db, b, &e), 0);
    assert_int_equal(count(db, "SELECT verify_since FROM file"
                               " WHERE mtime_ns = 77"),
                     9);
    journal_batch_free(b);
    journal_close(db);
}

/* So many rows roll everything back that their kind is given up: each of them
 * is told as refused, or somebody would think that it is journaled. */
static void test_too_many(void **state)
{
    enum {
        N = 100
    };
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_db_add(db, 1);
    struct err e = {0};
    size_t n = 0;
    rule(db, "CREATE TRIGGER r BEFORE INSERT ON block BEGIN"
             " SELECT RAISE(ROLLBACK, 'none'); END");
    struct journal_batch *b = journal_batch_new();
    for (uint32_t i = 0; i < N; i++) {
        journal_put_block(b, id, 0, i);
    }
    journal_put_piece(b, id, 1, 1000);
    assert_int_equal(journal_apply_each(db, b, &e), 0);
    (void)journal_batch_refused(b, &n);
    assert_int_equal(n, N);
    assert_int_equal(count(db, "SELECT count(*) FROM piece"), 1);
    journal_batch_free(b);
    journal_close(db);
}

#define T(f) cmocka_unit_test_setup_teardown(f, test_db_setup, test_db_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_abort),
        T(test_fail),
        T(test_rollback),
        T(test_broken),
        T(test_index),
        T(test_deferred_key),
        T(test_doubt_by_an_older_clock),
        T(test_withdrawal),
        T(test_too_many),
        cmocka_unit_test(test_drop_claims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
