/* One engine per database file, whatever its names are; and what follows from
 * holding the lock: who notices that the file went, who checkpoints, where a
 * database may live. */
#include "journal/batch.h"
#include "journal/db_kit.h"
#include "journal/internal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

/* The lock is the file's, not the name's. */
static void test_engine_lock_is_the_files(void **state)
{
    struct test_db *t = *state;
    char lock[128], moved[128];
    (void)snprintf(lock, sizeof(lock), "%s-lock", t->path);
    (void)snprintf(moved, sizeof(moved), "%s/moved.db", t->dir);
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(journal_engine_pid(t->path), getpid());
    test_db_refused(t->path, JOURNAL_ENGINE, BTC_E_LOCKED, "lock file");
    assert_int_equal(rename(t->path, moved), 0);
    test_db_refused(moved, JOURNAL_ENGINE, BTC_E_LOCKED, "another name");
    journal_close(db);
    journal_close(test_db_open(moved, JOURNAL_ENGINE));
}

/* The question who has the lock must not drop the locks that SQLite has in this
 * process: a shell that closes would take itself for the last user, and delete
 * the log under us. */
static void test_asking_keeps_sqlites_locks(void **state)
{
    struct test_db *t = *state;
    char lock[128];
    struct err e = {0};
    (void)snprintf(lock, sizeof(lock), "%s-lock", t->path);
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    assert_int_equal(access(lock, F_OK), -1);
    assert_int_equal(journal_engine_pid(t->path), 0);
    assert_int_equal(journal_lock_engine(db, &e), 0);
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(journal_engine_pid(t->path), getpid());
    pid_t pid = fork();
    if (pid == 0) {
        _exit(test_db_sql(t->path, "SELECT count(*) FROM torrent") == SQLITE_OK
                  ? 0
                  : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(
        journal_event_now(db, 0, LEVEL_INFO, "test", "still here", &e), 0);
    TEST_DB_IS(t->path, "SELECT text FROM event WHERE kind = 'test'",
               "still here");
    journal_close(db);
}

/* Takes and drops many locks until it is killed. */
static void lock_and_unlock(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    for (bool on = true;; on = !on) {
        for (int i = 0; i < 400; i++) {
            struct flock l = {.l_type = on ? F_WRLCK : F_UNLCK,
                              .l_whence = SEEK_SET,
                              .l_start = 2 * i,
                              .l_len = 1};
            (void)fcntl(fd, F_SETLK, &l);
        }
    }
}

/* The kernel lists the locks of the machine in parts, and others come and go
 * meanwhile. */
static void test_asking_while_others_lock(void **state)
{
    struct test_db *t = *state;
    char other[128], lock[128];
    (void)snprintf(other, sizeof(other), "%s/other", t->dir);
    (void)snprintf(lock, sizeof(lock), "%s-lock", t->path);
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
    assert_int_equal(unlink(lock), 0);
    pid_t pid = fork();
    if (pid == 0) {
        lock_and_unlock(other);
    }
    int missed = 0;
    for (int i = 0; i < 300; i++) {
        missed += journal_engine_pid(t->path) != getpid();
    }
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(missed, 0);
    journal_close(db);
}

static void test_hard_links_are_refused(void **state)
{
    struct test_db *t = *state;
    char other[128];
    (void)snprintf(other, sizeof(other), "%s/other.db", t->dir);
    journal_close(test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE));
    assert_int_equal(link(t->path, other), 0);
    test_db_refused(t->path, JOURNAL_ENGINE, BTC_E_DB, "2 names");
    test_db_refused(other, JOURNAL_ENGINE, BTC_E_DB, "2 names");
    assert_int_equal(journal_engine_pid(t->path), 0);
    assert_int_equal(unlink(other), 0);
    journal_close(test_db_open(t->path, JOURNAL_ENGINE));
}

/* A batch is refused once the file is not what stands at the path. */
static void refuse_batch(struct journal *db, const char *text)
{
    struct err e = {0};
    struct journal_batch *b = journal_batch_new();
    journal_put_event(b, 0, LEVEL_INFO, "test", "text");
    assert_int_equal(journal_apply(db, b, &e), BTC_E_DB);
    assert_non_null(strstr(e.msg, text));
    journal_batch_free(b);
}

static void test_file_goes_while_it_is_open(void **state)
{
    struct test_db *t = *state;
    char moved[128];
    struct err e = {0};
    (void)snprintf(moved, sizeof(moved), "%s/moved.db", t->dir);
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
    assert_int_equal(rename(t->path, moved), 0);
    refuse_batch(db, "was moved");
    assert_int_equal(rename(moved, t->path), 0);
    assert_int_equal(link(t->path, moved), 0);
    refuse_batch(db, "2 names");
    assert_int_equal(unlink(moved), 0);
    struct journal_batch *b = journal_batch_new();
    journal_put_event(b, 0, LEVEL_INFO, "test", "text");
    assert_int_equal(journal_apply(db, b, &e), 0);
    journal_batch_free(b);
    assert_int_equal(unlink(t->path), 0);
    refuse_batch(db, "deleted");
    journal_close(db);
}

/* The log is a part of the database. What it has goes into the file at the end,
 * unless there is another by then. */
static void test_log_goes_while_it_is_open(void **state)
{
    static const char *const names[] = {"-wal", "-shm"};
    struct test_db *t = *state;
    char name[128];
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(name, sizeof(name), "%s%s", t->path, names[i]);
        struct journal *db =
            test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
        struct journal_batch *b = journal_batch_new();
        struct err e = {0};
        journal_put_event(b, 0, LEVEL_INFO, "test", "text");
        assert_int_equal(journal_apply(db, b, &e), 0);
        assert_int_equal(journal_apply(db, b, &e), 0);
        journal_batch_free(b);
        assert_int_equal(unlink(name), 0);
        refuse_batch(db, names[i]);
        journal_close(db);
        TEST_DB_IS(t->path, "SELECT count(*) FROM event WHERE kind = 'test'",
                   i == 0 ? "2" : "4");
        TEST_DB_IS(t->path, "PRAGMA integrity_check", "ok");
    }
}

/* The index tells of frames that are gone: nothing is written behind them, and
 * nothing is moved into the file. With `hole`, the log is as long as it was, as
 * after another program has written behind them. */
static void cut_log(const char *path, bool moved, bool hole)
{
    char wal[128];
    struct err e = {0};
    (void)snprintf(wal, sizeof(wal), "%s-wal", path);
    struct journal *db = test_db_open(path, JOURNAL_CREATE | JOURNAL_ENGINE);
    struct journal_batch *b = journal_batch_new();
    journal_put_event(b, 0, LEVEL_INFO, "test", "text");
    for (int i = 0; i < 100; i++) {
        assert_int_equal(journal_apply(db, b, &e), 0);
    }
    journal_batch_free(b);
    if (moved) {
        assert_int_equal(sqlite3_wal_checkpoint_v2(db->sql, NULL,
                                                   SQLITE_CHECKPOINT_PASSIVE,
                                                   NULL, NULL),
                         SQLITE_OK);
    }
    int64_t size = journal_wal_size(path);
    assert_int_equal(truncate(wal, moved ? size / 2 : 0), 0);
    if (hole) {
        assert_int_equal(truncate(wal, size), 0);
    }
    refuse_batch(db, "-wal was cut");
    journal_close(db);
    TEST_DB_IS(path, "SELECT count(*) FROM event WHERE kind = 'test'",
               moved ? "100" : "0");
    TEST_DB_IS(path, "PRAGMA integrity_check", "ok");
    assert_int_equal(test_db_sql(path, "DELETE FROM event"), SQLITE_OK);
}

static void test_log_is_cut_while_it_is_open(void **state)
{
    struct test_db *t = *state;
    cut_log(t->path, false, false);
    cut_log(t->path, false, true);
    cut_log(t->path, true, false);
    cut_log(t->path, true, true);
}

/* Only who has the engine lock checkpoints. */
static void test_front_does_not_checkpoint(void **state)
{
    struct test_db *t = *state;
    struct err e = {0};
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
    struct journal *front = test_db_open(t->path, 0);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(
            journal_event_now(front, 0, LEVEL_INFO, "test", "text", &e), 0);
    }
    int64_t wal = journal_wal_size(t->path);
    assert_true(wal > 6 << 20);
    journal_close(front);
    assert_int_equal(journal_wal_size(t->path), wal);
    journal_close(db);
    assert_int_equal(journal_wal_size(t->path), 0);
}

static void test_network_file_systems(void **state)
{
    (void)state;
    assert_string_equal(journal_fs_network(0x6969, ""), "NFS");
    assert_string_equal(journal_fs_network(0xff534d42, ""), "CIFS");
    assert_string_equal(journal_fs_network(0x01021997, ""), "9p");
    assert_string_equal(journal_fs_network(0x65735546, "fuse.sshfs"), "sshfs");
    assert_null(journal_fs_network(0x65735546, "fuseblk"));
    assert_null(journal_fs_network(0x65735546, ""));
    assert_null(journal_fs_network(0xef53, "ext4"));
    assert_null(journal_fs_network(0x01021994, "tmpfs"));
}

/* Its drive was unmounted under a command that had written: what is in that
 * place now gets nothing of ours. */
static void test_nothing_in_another_place(void **state)
{
    struct test_db *t = *state;
    char place[96], away[96], path[128], lock[160];
    (void)snprintf(place, sizeof(place), "%s/drive", t->dir);
    (void)snprintf(away, sizeof(away), "%s/away", t->dir);
    (void)snprintf(path, sizeof(path), "%s/btc.db", place);
    (void)snprintf(lock, sizeof(lock), "%s-lock", path);
    assert_int_equal(mkdir(place, 0700), 0);
    struct journal *db = test_db_open(path, JOURNAL_CREATE);
    (void)test_db_add(db, 1);
    assert_int_equal(rename(place, away), 0);
    assert_int_equal(mkdir(place, 0700), 0);
    journal_close(db);
    assert_int_equal(access(lock, F_OK), -1);
    assert_int_equal(rmdir(place), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, test_db_setup, test_db_teardown)
    const struct CMUnitTest tests[] = {
        T(test_engine_lock_is_the_files),    T(test_asking_keeps_sqlites_locks),
        T(test_asking_while_others_lock),    T(test_hard_links_are_refused),
        T(test_file_goes_while_it_is_open),  T(test_log_goes_while_it_is_open),
        T(test_log_is_cut_while_it_is_open), T(test_nothing_in_another_place),
        T(test_front_does_not_checkpoint),   T(test_network_file_systems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
