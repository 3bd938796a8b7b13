/* Rows of a magnet: wishes for later, pieces of metadata, and the time when its
 * content is known. */
#include "journal/db_kit.h"
#include "journal/magnet.h"

static const uint8_t test_info[] = "d4:name3:onee";

/* A magnet of its own info hash. */
static int64_t test_add(struct journal *db)
{
    char given[] = "a link";
    char select[] = "*.iso";
    char path[] = "/srv/data";
    struct journal_magnet m = {.given_name = given, .selected = select};
    struct journal_add a = {.torrent = {.name = given, .save_path = path},
                            .magnet = &m};
    int64_t id = 0;
    struct err e = {0};
    memset(a.torrent.info_hash, 0x77, 20);
    assert_int_equal(journal_add_torrent(db, &a, &id, &e), 0);
    return id;
}

static void test_put(struct journal *db, int64_t id, uint32_t size,
                     uint32_t piece, const char *data)
{
    struct err e = {0};
    assert_int_equal(
        journal_put_metadata(db, id, size, piece, slice_str(data), &e), 0);
}

/* Wishes and pieces come back as they were given. */
static void test_load(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_add(db);
    struct journal_magnet m;
    struct err e = {0};
    test_put(db, id, 40000, 2, "two");
    test_put(db, id, 40000, 0, "zero");
    test_put(db, id, 40000, 2, "2");
    journal_close(db);
    db = test_db_open(t->path, 0);
    assert_int_equal(journal_load_magnet(db, id, &m, &e), 0);
    assert_string_equal(m.given_name, "a link");
    assert_string_equal(m.selected, "*.iso");
    assert_null(m.excluded);
    assert_null(m.out_name);
    assert_int_equal(m.size, 40000);
    assert_int_equal(m.n_pieces, 2);
    assert_int_equal(m.pieces[0].piece, 0);
    assert_int_equal(m.pieces[0].len, 4);
    assert_int_equal(m.pieces[1].piece, 2);
    assert_memory_equal(m.pieces[1].data, "2", 1);
    journal_magnet_fini(&m);
    assert_int_equal(journal_load_magnet(db, id + 1, &m, &e), BTC_E_NOTFOUND);
    journal_magnet_fini(&m);
    journal_close(db);
}

/* Another size: the pieces of the first one are of another dictionary. */
static void test_other_size(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_add(db);
    struct err e = {0};
    test_put(db, id, 40000, 0, "zero");
    test_put(db, id, 50000, 1, "one");
    TEST_DB_IS(t->path, "SELECT group_concat(piece) FROM metadata_piece", "1");
    TEST_DB_IS(t->path, "SELECT metadata_size FROM magnet", "50000");
    assert_int_equal(journal_drop_metadata(db, id, &e), 0);
    TEST_DB_IS(t->path, "SELECT count(*) FROM metadata_piece", "0");
    test_put(db, id + 1, 1, 0, "of nobody");
    TEST_DB_IS(t->path, "SELECT count(*) FROM metadata_piece", "0");
    journal_close(db);
}

/* The content of test_add's magnet: one file. */
static int test_learn(struct journal *db, int64_t id)
{
    char name[] = "one";
    char file[] = "one";
    struct journal_file files[] = {
        {.path = file, .length = 5, .state.priority = 4}};
    struct journal_add a = {.torrent = {.name = name,
                                        .is_private = true,
                                        .total_size = 5,
                                        .piece_length = 16384,
                                        .n_pieces = 1,
                                        .n_files = 1},
                            .info = test_info,
                            .info_len = sizeof(test_info) - 1,
                            .files = files};
    struct err e = {0};
    return journal_learn(db, id, &a, &e);
}

/* Whole: identity and files stand, the magnet's rows are gone. It happens once.
 */
static void test_whole(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_add(db);
    test_put(db, id, 13, 0, (const char *)test_info);
    assert_int_equal(test_learn(db, id), 0);
    TEST_DB_IS(t->path,
               "SELECT name || is_private || total_size || n_pieces"
               " FROM torrent",
               "one151");
    TEST_DB_IS(t->path, "SELECT path || length FROM file", "one5");
    TEST_DB_IS(t->path, "SELECT length(info) FROM metainfo", "13");
    TEST_DB_IS(t->path,
               "SELECT (SELECT count(*) FROM magnet) +"
               " (SELECT count(*) FROM metadata_piece)",
               "0");
    assert_int_equal(test_learn(db, id), BTC_E_NOTFOUND);
    TEST_DB_IS(t->path, "SELECT count(*) FROM file", "1");
    journal_close(db);
}

/* How much of the dictionary is here, as `progress` shows it: what is
 * journaled, and never 100 %. */
static void test_percent(void **state)
{
    static const char sql[] = "SELECT percent || ' ' || bytes_done || ' ' ||"
                              " bytes_total || ' ' || bytes_left"
                              " FROM progress";
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_add(db);
    TEST_DB_IS(t->path, sql, "0.0 0 0 0");
    test_put(db, id, 8, 1, "four");
    TEST_DB_IS(t->path, sql, "50.0 4 8 4");
    test_put(db, id, 8, 0, "four");
    TEST_DB_IS(t->path, sql, "99.99 8 8 0");
    assert_int_equal(test_learn(db, id), 0);
    TEST_DB_IS(t->path, sql, "0.0 0 5 5");
    TEST_DB_IS(t->path, "SELECT state FROM progress", "queued");
    journal_close(db);
}

/* A name that somebody wished for meanwhile is kept. */
static void test_renamed(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_add(db);
    assert_int_equal(test_db_sql(t->path, "UPDATE torrent SET name = 'mine'"),
                     SQLITE_OK);
    assert_int_equal(test_learn(db, id), 0);
    TEST_DB_IS(t->path, "SELECT name FROM torrent", "mine");
    journal_close(db);
}

/* The database cannot take the files: nothing is learnt, nothing is lost. */
static void test_refused(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_add(db);
    test_put(db, id, 13, 0, (const char *)test_info);
    assert_int_equal(test_db_sql(t->path,
                                 "CREATE TRIGGER no_file BEFORE INSERT ON file"
                                 " BEGIN SELECT RAISE(ABORT, 'no'); END"),
                     SQLITE_OK);
    assert_true(test_learn(db, id) != 0);
    TEST_DB_IS(t->path,
               "SELECT piece_length || (SELECT count(*) FROM magnet) ||"
               " (SELECT count(*) FROM metadata_piece) ||"
               " (SELECT count(*) FROM metainfo) FROM torrent",
               "0110");
    assert_int_equal(test_db_sql(t->path, "DROP TRIGGER no_file"), SQLITE_OK);
    assert_int_equal(test_learn(db, id), 0);
    journal_close(db);
}

#define TEST(f) \
    cmocka_unit_test_setup_teardown(f, test_db_setup, test_db_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_load),  TEST(test_other_size), TEST(test_percent),
        TEST(test_whole), TEST(test_renamed),    TEST(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
