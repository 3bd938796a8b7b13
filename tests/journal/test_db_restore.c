/* Backups that come back, logs that belong to another file, damaged files and
 * rows that belong to nothing. */
#include "journal/care.h"
#include "journal/db_kit.h"
#include "journal/internal.h"
#include "journal/runs.h"

#include <signal.h>
#include <sys/wait.h>

static const char one_torrent[] =
    "INSERT INTO torrent (info_hash, name, save_path, total_size, piece_length,"
    " n_pieces, n_files) VALUES (printf('%%040d', %d), 't%d', '/here',"
    " 16384, 16384, 1, 1)";

static void add_torrent(const char *path, int n)
{
    char sql[512];
    (void)snprintf(sql, sizeof(sql), one_torrent, n, n);
    assert_int_equal(test_db_sql(path, sql), SQLITE_OK);
}

/* Copies bytes from file to file, as cp does. */
static void copy_file(const char *from, const char *to)
{
    char cmd[512];
    (void)snprintf(cmd, sizeof(cmd), "cp '%s' '%s'", from, to);
    assert_int_equal(system(cmd), 0);
}

/* An engine that is killed with its last commits in the log. */
static void kill_an_engine(const char *path, int n_torrents)
{
    int ready[2];
    char c = 0;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct journal *db = NULL;
        struct err e = {0};
        int code = journal_open(path, JOURNAL_CREATE | JOURNAL_ENGINE, &db, &e);
        for (int i = 1; code == 0 && i <= n_torrents; i++) {
            char sql[512];
            (void)snprintf(sql, sizeof(sql), one_torrent, i, i);
            code = journal_exec(db, sql, &e);
        }
        (void)!write(ready[1], code == 0 ? "y" : "n", 1);
        (void)pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_int_equal(c, 'y');
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

static void make_backup(const char *path, const char *to)
{
    struct err e = {0};
    struct journal *db = test_db_open(path, JOURNAL_READ_ONLY);
    assert_int_equal(journal_backup(db, to, &e), 0);
    journal_close(db);
}

/* A killed engine's log is replayed over its own file, as it must be. */
static void test_kill_without_a_copy(void **state)
{
    struct test_db *t = *state;
    kill_an_engine(t->path, 3);
    assert_true(journal_wal_size(t->path) > 0);
    struct journal *db = test_db_open(t->path, JOURNAL_ENGINE);
    journal_close(db);
    TEST_DB_IS(t->path, "SELECT count(*) FROM torrent", "3");
}

/* cp backup.db btc.db after a kill: everybody refuses, restore goes on. */
static void test_copy_over_a_killed_one(void **state)
{
    struct test_db *t = *state;
    char backup[128], *kept = NULL;
    struct err e = {0};
    (void)snprintf(backup, sizeof(backup), "%s/backup.db", t->dir);
    journal_close(test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE));
    add_torrent(t->path, 7);
    make_backup(t->path, backup);
    kill_an_engine(t->path, 3);
    copy_file(backup, t->path);

    test_db_refused(t->path, JOURNAL_READ_ONLY, BTC_E_DB, "btc db restore");
    test_db_refused(t->path, 0, BTC_E_DB, "was replaced");
    test_db_refused(t->path, JOURNAL_ENGINE, BTC_E_DB, "was replaced");

    assert_int_equal(journal_restore(t->path, t->path, 0, &kept, &e), 0);
    assert_non_null(kept);
    free(kept);
    journal_close(test_db_open(t->path, JOURNAL_ENGINE));
    TEST_DB_IS(t->path, "SELECT group_concat(name) FROM torrent", "t7");
    TEST_DB_IS(t->path, "PRAGMA integrity_check", "ok");
}

/* A front leaves no log behind that a copy could be damaged by. */
static void test_copy_after_a_front(void **state)
{
    struct test_db *t = *state;
    char backup[128];
    (void)snprintf(backup, sizeof(backup), "%s/backup.db", t->dir);
    journal_close(test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE));
    make_backup(t->path, backup);
    struct journal *db = test_db_open(t->path, 0);
    (void)test_db_add(db, 1);
    assert_true(journal_wal_size(t->path) > 0);
    journal_close(db);
    assert_int_equal(journal_wal_size(t->path), 0);
    copy_file(backup, t->path);
    journal_close(test_db_open(t->path, JOURNAL_ENGINE));
    TEST_DB_IS(t->path, "SELECT count(*) FROM torrent", "0");
}

/* A backup of a running engine: that run is no reason to trust what changed. */
static void test_restored_runs(void **state)
{
    struct test_db *t = *state;
    char backup[128], *kept = NULL;
    struct err e = {0};
    (void)snprintf(backup, sizeof(backup), "%s/backup.db", t->dir);
    journal_close(test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE));
    assert_int_equal(test_db_sql(t->path,
                                 "INSERT INTO run (pid, version, boot_id,"
                                 " started_at, heartbeat_at)"
                                 " VALUES (1, 'v', 'b', 5, 6)"),
                     SQLITE_OK);
    make_backup(t->path, backup);
    assert_int_equal(journal_restore(t->path, backup, 0, &kept, &e), 0);
    free(kept);
    TEST_DB_IS(t->path, "SELECT ended_at FROM run", "6");
}

/* The proper way, over a killed one, over a good one and over nothing. */
static void test_restore(void **state)
{
    struct test_db *t = *state;
    char backup[128], old[160], *kept = NULL;
    struct err e = {0};
    (void)snprintf(backup, sizeof(backup), "%s/backup.db", t->dir);
    journal_close(test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE));
    add_torrent(t->path, 7);
    make_backup(t->path, backup);
    kill_an_engine(t->path, 3);

    assert_int_equal(journal_restore(t->path, backup, 0, &kept, &e), 0);
    journal_close(test_db_open(t->path, JOURNAL_ENGINE));
    TEST_DB_IS(t->path, "SELECT group_concat(name) FROM torrent", "t7");
    (void)snprintf(old, sizeof(old), "%s", kept);
    free(kept);
    TEST_DB_IS(old, "SELECT count(*) FROM torrent", "4"); /* with its log */

    assert_int_equal(journal_restore(t->path, backup, 0, &kept, &e), 0);
    assert_string_not_equal(kept, old); /* nothing is written over */
    free(kept);
    assert_int_equal(unlink(t->path), 0);
    assert_int_equal(journal_restore(t->path, backup, 0, &kept, &e), 0);
    assert_null(kept);
    journal_close(test_db_open(t->path, JOURNAL_ENGINE));
    TEST_DB_IS(t->path, "SELECT group_concat(name) FROM torrent", "t7");
}

/* What cannot be a backup changes nothing, and a killed engine's mark stays. */
static void test_restore_refuses(void **state)
{
    struct test_db *t = *state;
    char bad[128], *kept = NULL;
    struct err e = {0};
    (void)snprintf(bad, sizeof(bad), "%s/bad.db", t->dir);
    kill_an_engine(t->path, 2);
    assert_int_equal(journal_restore(t->path, bad, 0, &kept, &e),
                     BTC_E_NOTFOUND);
    assert_int_equal(test_db_sql(bad, "CREATE TABLE x (y)"), SQLITE_OK);
    assert_int_equal(journal_restore(t->path, bad, 0, &kept, &e), BTC_E_DB);
    struct journal *db = test_db_open(t->path, JOURNAL_ENGINE);
    assert_int_equal(journal_restore(t->path, bad, 0, &kept, &e), BTC_E_LOCKED);
    journal_close(db);
    TEST_DB_IS(t->path, "SELECT count(*) FROM torrent", "2");
}

static void test_salvage(void **state)
{
    struct test_db *t = *state;
    struct journal_salvaged s;
    struct err e = {0};
    struct stat st;
    journal_close(test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE));
    for (int i = 1; i <= 300; i++) {
        add_torrent(t->path, i);
    }
    journal_close(test_db_open(t->path, JOURNAL_ENGINE)); /* empties the log */
    assert_int_equal(stat(t->path, &st), 0);
    /* Damage behind the schema: zeros over an eighth of the file. */
    int fd = open(t->path, O_WRONLY);
    static const char zeros[4096];
    for (off_t at = st.st_size / 2; at < st.st_size * 5 / 8; at += 4096) {
        assert_int_equal(pwrite(fd, zeros, sizeof(zeros), at), sizeof(zeros));
    }
    (void)close(fd);
    int code = journal_salvage(t->path, 0, &s, &e);
    if (code != 0) {
        print_error("%s: rows %lld refused %lld torn %lld\n", e.msg,
                    (long long)s.n_rows, (long long)s.n_refused,
                    (long long)s.n_torn);
    }
    assert_int_equal(code, 0);
    assert_true(s.n_torrents > 0);
    assert_non_null(s.aside);
    assert_int_equal(access(s.aside, F_OK), 0);
    free(s.aside);
    struct journal *db = test_db_open(t->path, JOURNAL_ENGINE);
    journal_close(db);
    TEST_DB_IS(t->path, "PRAGMA integrity_check", "ok");
    TEST_DB_IS(t->path, "SELECT count(*) FROM torrent WHERE verify_since = 0",
               "0");
}

/* A database with a torrent and these rows by hand, salvaged; how many of all
 * rows were refused. */
static int64_t salvage_with(const struct test_db *t, const char *sql)
{
    struct journal_salvaged s;
    struct err e = {0};
    journal_close(test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE));
    add_torrent(t->path, 1);
    assert_int_equal(test_db_sql(t->path, sql), SQLITE_OK);
    assert_int_equal(journal_salvage(t->path, 0, &s, &e), 0);
    free(s.aside);
    return s.n_refused;
}

/* A row that the schema refuses is told of. */
static void test_salvage_refuses(void **state)
{
    struct test_db *t = *state;
    assert_int_equal(
        salvage_with(t, "PRAGMA ignore_check_constraints = ON;"
                        "INSERT INTO peer (torrent_id, address, port)"
                        " VALUES (1, '10.0.0.1', 70000), (1, '10.0.0.1', 7)"),
        1);
    TEST_DB_IS(t->path, "SELECT group_concat(port) FROM peer", "7");
}

/* Nothing to be read: nothing is changed. */
static void test_salvage_of_nothing(void **state)
{
    struct test_db *t = *state;
    struct journal_salvaged s;
    struct err e = {0};
    int fd = open(t->path, O_WRONLY | O_CREAT, 0644);
    assert_int_equal(write(fd, "this is no database, is it?", 27), 27);
    (void)close(fd);
    assert_int_equal(journal_salvage(t->path, 0, &s, &e), BTC_E_DB);
    assert_null(s.aside);
    char cmd[256];
    (void)snprintf(cmd, sizeof(cmd), "grep -q 'no database' '%s'", t->path);
    assert_int_equal(system(cmd), 0);
}

/* A row of facts that somebody deleted is made anew. */
static void test_repair_stats(void **state)
{
    struct test_db *t = *state;
    struct err e = {0};
    int64_t n = 0;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
    (void)test_db_add(db, 1);
    (void)test_db_add(db, 2);
    assert_int_equal(
        test_db_sql(t->path,
                    "INSERT INTO piece VALUES (2, 0, 1), (2, 3, 1);"
                    "UPDATE file SET bytes_done = 65536 WHERE torrent_id = 2"
                    " AND file = 0;"
                    "UPDATE file SET priority = 0 WHERE torrent_id = 2"
                    " AND file = 2;"
                    "DELETE FROM torrent_stat WHERE torrent_id = 2"),
        SQLITE_OK);
    assert_int_equal(journal_repair(db, NULL, NULL, &n, &e), 0);
    TEST_DB_IS(t->path,
               "SELECT state || bytes_done || '/' || bytes_total || ' '"
               " || pieces_done FROM torrent_stat WHERE torrent_id = 2",
               "queued65536/100000 2");
    TEST_DB_IS(t->path, "SELECT count(*) FROM torrent_stat", "2");
    TEST_DB_IS(t->path, "SELECT count(*) FROM progress", "2");
    journal_close(db);
}

/* Somebody has written the last number there is: no disk is full, and the rows
 * that follow are taken once it is given back. */
static void use_up(struct test_db *t, const char *sql, const char *table)
{
    struct err e = {0};
    int64_t n = 0;
    journal_close(test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE));
    assert_int_equal(test_db_sql(t->path, sql), SQLITE_OK);
    struct journal *db = test_db_open(t->path, JOURNAL_ENGINE);
    struct journal_run before;
    int code = journal_begin_run(db, &before, &e);
    if (code == 0) {
        code = journal_event_now(db, 0, LEVEL_INFO, "test", "text", &e);
    }
    assert_int_equal(code, BTC_E_DB);
    assert_non_null(strstr(e.msg, table));
    assert_int_equal(journal_check_ids(db, NULL, NULL, &e), BTC_E_DB);
    assert_int_equal(journal_repair(db, NULL, NULL, &n, &e), 0);
    assert_int_equal(journal_check_ids(db, NULL, NULL, &e), 0);
    assert_int_equal(journal_begin_run(db, &before, &e), 0);
    assert_int_equal(journal_event_now(db, 0, LEVEL_INFO, "test", "text", &e),
                     0);
    journal_close(db);
}

static void test_numbers_used_up(void **state)
{
    struct test_db *t = *state;
    use_up(t,
           "INSERT INTO event (id, at, level, kind, text) VALUES"
           " (9223372036854775806, 1, 'info', 'mine', 'a'),"
           " (9223372036854775807, 1, 'info', 'mine', 'b')",
           "table event");
    TEST_DB_IS(t->path,
               "SELECT group_concat(text, '') FROM"
               " (SELECT text FROM event ORDER BY id)",
               "abtext");
    TEST_DB_IS(t->path, "SELECT max(id) < 100 FROM event", "1");
    use_up(t, "UPDATE event SET id = 9223372036854775807 WHERE text = 'b'",
           "table event");
    use_up(
        t,
        "INSERT INTO run VALUES (9223372036854775807, 1, '1', 'b', 1, 1, 1, 1)",
        "table run");
    use_up(t,
           "UPDATE sqlite_sequence SET seq = 9223372036854775807"
           " WHERE name = 'run'",
           "table run");
}

/* A torrent deleted by hand leaves orphans; migrations and --repair heal. */
static void test_orphans(void **state)
{
    struct test_db *t = *state;
    struct err e = {0};
    int64_t n = 0;
    journal_close(test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE));
    add_torrent(t->path, 1);
    add_torrent(t->path, 2);
    assert_int_equal(
        test_db_sql(
            t->path,
            "INSERT INTO file (torrent_id, file, path, offset, length)"
            " VALUES (1, 0, 'a', 0, 16384), (2, 0, 'a', 0, 16384);"
            "INSERT INTO piece (torrent_id, piece, verified_at)"
            " VALUES (1, 0, 5), (2, 0, 5);"
            "UPDATE torrent SET wanted = 'remove' WHERE id = 1;"
            "PRAGMA foreign_keys = OFF; DELETE FROM torrent WHERE id = 1"),
        SQLITE_OK);
    TEST_DB_IS(t->path, "SELECT count(*) > 0 FROM pragma_foreign_key_check",
               "1");
    struct journal *db = test_db_open(t->path, JOURNAL_ENGINE);
    assert_int_equal(journal_repair(db, NULL, NULL, &n, &e), 0);
    journal_close(db);
    assert_true(n >= 2);
    TEST_DB_IS(t->path, "SELECT count(*) FROM pragma_foreign_key_check", "0");
    TEST_DB_IS(t->path, "SELECT group_concat(torrent_id) FROM piece", "2");
}

/* Somebody's own table refers to what is not there, by a name of his. Then a
 * torrent is deleted by hand, and claims are written that none can have. */
static const char belongs_to_nothing[] =
    "PRAGMA foreign_keys = OFF;"
    "CREATE TABLE mine (who INTEGER REFERENCES torrent (id));"
    "INSERT INTO mine VALUES (77);"
    "INSERT INTO piece (torrent_id, piece, verified_at)"
    " VALUES (1, 0, 5), (2, 0, 5), (2, 1, 5), (2, 9223372036854775807, 5);"
    "INSERT INTO block (torrent_id, piece, block)"
    " VALUES (2, 0, 0), (2, 0, 1), (2, 1, 0), (2, 0, 9223372036854775807);"
    "UPDATE torrent SET wanted = 'remove' WHERE id = 1;"
    "DELETE FROM torrent WHERE id = 1";

static void expect_mended(const struct test_db *t)
{
    TEST_DB_IS(t->path,
               "SELECT group_concat(torrent_id || '.' || piece)"
               " FROM piece",
               "2.0");
    TEST_DB_IS(t->path, "SELECT group_concat(piece || '.' || block) FROM block",
               "0.0");
    TEST_DB_IS(t->path, "SELECT count(*) FROM torrent", "1");
}

/* None of it keeps a backup from coming back, a salvage from being of use or a
 * repair from mending what is ours. */
static void test_belongs_to_nothing(void **state)
{
    struct test_db *t = *state;
    char backup[128], odd[128], *kept = NULL;
    struct journal_salvaged s;
    struct err e = {0};
    int64_t n = 0;
    (void)snprintf(backup, sizeof(backup), "%s/backup.db", t->dir);
    (void)snprintf(odd, sizeof(odd), "%s/odd.db", t->dir);
    journal_close(test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE));
    add_torrent(t->path, 1);
    add_torrent(t->path, 2);
    assert_int_equal(test_db_sql(t->path, belongs_to_nothing), SQLITE_OK);
    make_backup(t->path, backup);
    copy_file(backup, odd);

    assert_int_equal(journal_restore(t->path, backup, 0, &kept, &e), 0);
    free(kept);
    expect_mended(t);
    TEST_DB_IS(t->path, "SELECT who FROM mine", "77");

    copy_file(odd, t->path);
    struct journal *db = test_db_open(t->path, JOURNAL_ENGINE);
    assert_int_equal(journal_check(db, NULL, NULL, &e), BTC_E_DB);
    assert_int_equal(journal_repair(db, NULL, NULL, &n, &e), 0);
    journal_close(db);
    expect_mended(t);
    TEST_DB_IS(t->path, "SELECT count(*) FROM pragma_foreign_key_check", "1");

    copy_file(odd, t->path);
    assert_int_equal(journal_salvage(t->path, 0, &s, &e), 0);
    free(s.aside);
    expect_mended(t);
}

/* A salvage gives numbers back, too. */
static void test_salvage_numbers(void **state)
{
    struct test_db *t = *state;
    struct err e = {0};
    (void)salvage_with(t, "INSERT INTO event (id, at, level, kind, text) VALUES"
                          " (9223372036854775807, 1, 'info', 'mine', 'a');"
                          "INSERT INTO run VALUES"
                          " (9223372036854775807, 1, '1', 'b', 1, 1, 1, 1)");
    struct journal *db = test_db_open(t->path, JOURNAL_ENGINE);
    assert_int_equal(journal_check_ids(db, NULL, NULL, &e), 0);
    journal_close(db);
    TEST_DB_IS(t->path, "SELECT text FROM event WHERE kind = 'mine'", "a");
}

/* An older schema is read as it is by who asks for that. */
static void test_any_version(void **state)
{
    struct test_db *t = *state;
    journal_close(test_db_open(t->path, JOURNAL_CREATE));
    assert_int_equal(test_db_sql(t->path, "PRAGMA user_version = 1"),
                     SQLITE_OK);
    test_db_refused(t->path, JOURNAL_READ_ONLY, BTC_E_DB, "schema 1");
    journal_close(
        test_db_open(t->path, JOURNAL_READ_ONLY | JOURNAL_ANY_VERSION));
    assert_int_equal(test_db_sql(t->path, "PRAGMA user_version = 1000"),
                     SQLITE_OK);
    test_db_refused(t->path, JOURNAL_READ_ONLY | JOURNAL_ANY_VERSION, BTC_E_DB,
                    "newer btc");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, test_db_setup, test_db_teardown)
    const struct CMUnitTest tests[] = {
        T(test_repair_stats),
        T(test_numbers_used_up),
        T(test_kill_without_a_copy),
        T(test_copy_over_a_killed_one),
        T(test_copy_after_a_front),
        T(test_restored_runs),
        T(test_restore),
        T(test_restore_refuses),
        T(test_salvage),
        T(test_salvage_refuses),
        T(test_salvage_of_nothing),
        T(test_orphans),
        T(test_belongs_to_nothing),
        T(test_salvage_numbers),
        T(test_any_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
