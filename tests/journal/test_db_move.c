/* The rows of a move: begun, switched, ended, undone, and refused. */
#include "journal/db_kit.h"

#include "journal/internal.h"
#include "journal/move.h"

#include <stdlib.h>

/* A torrent, and a move of it that is begun with a file noted. */
static int64_t begin(struct journal *db, struct journal_move *m)
{
    int64_t id = test_db_add(db, 1);
    char path[] = "x/two";
    struct journal_move_file f = {
        .file = 2, .path = path, .old_dev = UINT64_MAX, .old_ino = 7};
    assert_int_equal(journal_move_begin(db, id, "/srv/new", m, NULL), 0);
    assert_int_equal(journal_move_put_files(db, id, &f, 1, NULL), 0);
    f.new_dev = 8;
    f.new_ino = UINT64_MAX - 1;
    assert_int_equal(journal_move_made(db, id, &f, NULL), 0);
    return id;
}

/* The new file as it is journaled. */
static const struct journal_move_file moved = {
    .file = 2,
    .trusted = true,
    .now = {
        .exists = true, .dev = 8, .ino = 9, .mtime_ns = 10, .ctime_ns = 11}};

static void test_whole(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    struct journal_move m, *list;
    struct journal_move_file *files;
    size_t n;
    int64_t id = begin(db, &m);
    TEST_DB_IS(t->path, "SELECT wanted || ' ' || save_path FROM torrent",
               "pause /srv/data");
    assert_int_equal(journal_load_moves(db, &list, &n, NULL), 0);
    assert_int_equal(n, 1);
    assert_int_equal(list[0].id, id);
    assert_string_equal(list[0].from_path, "/srv/data");
    assert_string_equal(list[0].to_path, "/srv/new");
    assert_int_equal(list[0].wanted, WANTED_RUN);
    assert_false(list[0].switched);
    assert_true(journal_move_is_live(&list[0]));
    list[0].boot_id[0] = '?';
    assert_false(journal_move_is_live(&list[0]));
    journal_moves_free(list, n);
    assert_int_equal(journal_load_move_files(db, id, &files, &n, NULL), 0);
    assert_int_equal(n, 1);
    assert_int_equal(files[0].file, 2);
    assert_string_equal(files[0].path, "x/two");
    assert_true(files[0].old_dev == UINT64_MAX && files[0].old_ino == 7);
    assert_true(files[0].made && files[0].new_dev == 8);
    assert_true(files[0].new_ino == UINT64_MAX - 1);
    journal_move_files_free(files, n);
    assert_int_equal(journal_move_switch(db, &m, &moved, 1, 77, NULL), 0);
    TEST_DB_IS(t->path, "SELECT wanted || ' ' || save_path FROM torrent",
               "pause /srv/new");
    TEST_DB_IS(t->path,
               "SELECT dev || ' ' || ino || ' ' || mtime_ns || ' ' || ctime_ns"
               " FROM file WHERE file = 2",
               "8 9 10 11");
    TEST_DB_IS(t->path, "SELECT switched FROM move", "1");
    struct journal_move_file later = moved;
    later.now.ctime_ns = 12;
    later.trusted = false; /* its times are not believed */
    later.now.ino = 13;
    assert_int_equal(journal_move_switch(db, &m, &later, 1, 77, NULL), 0);
    TEST_DB_IS(t->path, "SELECT ino || ' ' || ctime_ns FROM file WHERE file=2",
               "13 11");
    later.trusted = true;
    assert_int_equal(journal_move_end(db, &m, &later, 1, NULL), 0);
    TEST_DB_IS(t->path, "SELECT wanted FROM torrent", "run");
    TEST_DB_IS(t->path, "SELECT ctime_ns FROM file WHERE file = 2", "12");
    TEST_DB_IS(t->path,
               "SELECT (SELECT count(*) FROM move) ||"
               " (SELECT count(*) FROM move_file)",
               "00");
    journal_move_fini(&m);
    journal_close(db);
}

/* What is wished while the data is copied counts. */
static void test_overruled(void **state)
{
    static const struct {
        const char *wish;
        const char *after; /* what is wished when all is over */
    } rows[] = {
        {"UPDATE torrent SET wanted = 'run'", "run"},
        {"UPDATE torrent SET wanted = 'remove'", "remove"},
        {"UPDATE torrent SET wanted = 'run';"
         "UPDATE torrent SET wanted = 'pause'",
         "pause"},
        {"UPDATE move SET pid = pid + 1", "run"},
    };
    struct test_db *t = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
        struct journal_move m;
        struct err e = {0};
        (void)begin(db, &m);
        assert_int_equal(test_db_sql(t->path, rows[i].wish), SQLITE_OK);
        assert_int_equal(journal_move_switch(db, &m, &moved, 1, 77, &e),
                         BTC_E_INTERRUPTED);
        TEST_DB_IS(t->path, "SELECT save_path FROM torrent", "/srv/data");
        TEST_DB_IS(t->path, "SELECT count(*) FROM file WHERE dev NOT NULL",
                   "0");
        assert_int_equal(journal_move_end(db, &m, NULL, 0, NULL), 0);
        TEST_DB_IS(t->path, "SELECT wanted FROM torrent", rows[i].after);
        journal_move_fini(&m);
        assert_int_equal(test_db_sql(t->path,
                                     "UPDATE torrent SET wanted = 'remove';"
                                     "DELETE FROM torrent"),
                         SQLITE_OK);
        journal_close(db);
    }
}

static void test_refused(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    struct journal_move m, other;
    int64_t id = begin(db, &m);
    assert_int_equal(journal_move_begin(db, id, "/srv/b", &other, NULL),
                     BTC_E_LOCKED);
    assert_int_equal(journal_move_begin(db, id + 1, "/srv/b", &other, NULL),
                     BTC_E_NOTFOUND);
    assert_int_equal(journal_move_end(db, &m, NULL, 0, NULL), 0);
    assert_int_equal(
        test_db_sql(t->path, "UPDATE torrent SET wanted = 'remove'"),
        SQLITE_OK);
    assert_int_equal(journal_move_begin(db, id, "/srv/b", &other, NULL),
                     BTC_E_NOTFOUND);
    TEST_DB_IS(t->path, "SELECT count(*) FROM move", "0");
    journal_move_fini(&m);
    journal_close(db);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, test_db_setup, test_db_teardown)
    const struct CMUnitTest tests[] = {
        T(test_whole),
        T(test_overruled),
        T(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
