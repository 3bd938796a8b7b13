/* What a system call of SQLite says is what btc says: the code and the reason,
 * also when a COMMIT fails, of which the connection notes no errno, and when a
 * page cannot be read, which SQLite calls malformed.
 */
#include "journal/db_kit.h"

#include "journal/batch.h"
#include "journal/internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* Calls on files whose name ends so fail, while `errno_value` is not 0. */
static struct {
    const char *suffix;
    int errno_value;
} fails;

static bool errno_hits(int fd)
{
    char link[64];
    char name[PATH_MAX];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, sizeof(name) - 1);
    if (n < 0 || fails.errno_value == 0) {
        return false;
    }
    name[n] = '\0';
    size_t len = strlen(fails.suffix);
    return (size_t)n >= len && strcmp(name + n - len, fails.suffix) == 0;
}

static ssize_t errno_pwrite(int fd, const void *p, size_t n, off_t at)
{
    if (errno_hits(fd)) {
        errno = fails.errno_value;
        return -1;
    }
    return pwrite(fd, p, n, at);
}

static ssize_t errno_pread(int fd, void *p, size_t n, off_t at)
{
    if (errno_hits(fd)) {
        errno = fails.errno_value;
        return -1;
    }
    return pread(fd, p, n, at);
}

static void errno_install(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    sqlite3_syscall_ptr put = (sqlite3_syscall_ptr)errno_pwrite;
    sqlite3_syscall_ptr get = (sqlite3_syscall_ptr)errno_pread;
    (void)vfs->xSetSystemCall(vfs, "pwrite", put);
    (void)vfs->xSetSystemCall(vfs, "pwrite64", put);
    (void)vfs->xSetSystemCall(vfs, "pread", get);
    (void)vfs->xSetSystemCall(vfs, "pread64", get);
}

static void errno_fail(const char *suffix, int errno_value)
{
    fails.suffix = suffix;
    fails.errno_value = errno_value;
}

static int errno_setup(void **state)
{
    errno_fail("", 0);
    return test_db_setup(state);
}

static struct journal_batch *batch_of(int64_t id, uint32_t piece)
{
    struct journal_batch *b = journal_batch_new();
    journal_put_piece(b, id, piece, 1);
    return b;
}

/* A commit whose write into the WAL fails: an engine waits for room, also when
 * it is a quota that leaves none. */
static void test_commit(void **state)
{
    static const struct {
        int errno_value, code;
        const char *reason;
    } cases[] = {
        {EDQUOT, BTC_E_NOSPACE, "Disk quota exceeded"},
        {ENOSPC, BTC_E_NOSPACE, "disk is full"},
        {EIO, BTC_E_IO, "Input/output error"},
        {EROFS, BTC_E_IO, "Read-only file system"},
        {ESTALE, BTC_E_IO, "Stale file handle"},
    };
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
    int64_t id = test_db_add(db, 1);
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct journal_batch *b = batch_of(id, i);
        struct err e = {0};
        errno_fail("-wal", cases[i].errno_value);
        assert_int_equal(journal_apply(db, b, &e), cases[i].code);
        assert_non_null(strstr(e.msg, cases[i].reason));
        assert_non_null(strstr(e.msg, t->path));
        errno_fail("", 0);
        assert_int_equal(journal_apply(db, b, &e), 0);
        journal_batch_free(b);
    }
    journal_close(db);
}

/* A page that the drive does not read is not a damaged database: nobody is sent
 * to a backup. */
static void test_unreadable(void **state)
{
    struct test_db *t = *state;
    struct err e = {0};
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
    (void)test_db_add(db, 1);
    journal_close(db); /* all of it is in the file now, nothing in memory */
    db = test_db_open(t->path, JOURNAL_ENGINE);
    assert_int_equal(sqlite3_db_release_memory(db->sql), SQLITE_OK);
    errno_fail(".db", EIO);
    assert_int_equal(
        journal_exec(db, "SELECT sum(length(info)) FROM metainfo", &e),
        BTC_E_IO);
    assert_non_null(strstr(e.msg, "Input/output error"));
    assert_null(strstr(e.msg, "salvage"));
    errno_fail("", 0);
    journal_close(db);
}

/* What has nothing to do with the schema does not send anybody to look at it.
 */
static void test_codes(void **state)
{
    (void)state;
    assert_int_equal(journal_code(NULL, SQLITE_PROTOCOL), BTC_E_LOCKED);
    assert_int_equal(journal_code(NULL, SQLITE_NOMEM), BTC_E_LIMIT);
    assert_int_equal(journal_code(NULL, SQLITE_CORRUPT), BTC_E_DB);
    assert_int_equal(journal_code(NULL, SQLITE_IOERR), BTC_E_IO);
}

/* A drive that reads nothing has no damaged database on it. */
static void test_salvage(void **state)
{
    struct test_db *t = *state;
    struct err e = {0};
    struct journal_salvaged out = {0};
    journal_close(test_db_open(t->path, JOURNAL_CREATE));
    errno_fail(".db", EIO);
    int code = journal_salvage(t->path, 0, &out, &e);
    errno_fail("", 0);
    assert_int_equal(code, BTC_E_IO);
    assert_non_null(strstr(e.msg, "disk I/O error"));
}

/* A journal in memory is no file that could be asked. */
static void test_no_file(void **state)
{
    sqlite3 *sql;
    (void)state;
    assert_int_equal(sqlite3_open(":memory:", &sql), SQLITE_OK);
    assert_int_equal(sqlite3_exec(sql,
                                  "CREATE TABLE t (x); BEGIN;"
                                  "INSERT INTO t VALUES (1)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(journal_code(sql, SQLITE_IOERR), BTC_E_IO);
    assert_int_equal(journal_code(sql, SQLITE_CORRUPT), BTC_E_DB);
    assert_int_equal(sqlite3_close(sql), SQLITE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_commit, errno_setup,
                                        test_db_teardown),
        cmocka_unit_test_setup_teardown(test_unreadable, errno_setup,
                                        test_db_teardown),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test_setup_teardown(test_salvage, errno_setup,
                                        test_db_teardown),
    };
    errno_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
