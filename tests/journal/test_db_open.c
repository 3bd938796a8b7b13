/* The journal's file: made, opened, refused, locked, migrated, copied. */
#include "journal/db_kit.h"

#include "journal/batch.h"
#include "journal/care.h"
#include "journal/find.h"
#include "journal/internal.h"
#include "journal/load.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* A new database has our mark, the version, and the engine's settings. */
static void test_create(void **state)
{
    struct test_db *t = *state;
    char deep[160];
    char mark[32];
    struct stat st;
    test_db_refused("", JOURNAL_CREATE, BTC_E_USAGE, "empty");
    test_db_refused(t->path, 0, BTC_E_NOTFOUND, "btc get");
    test_db_refused(t->path, JOURNAL_CREATE | JOURNAL_READ_ONLY, BTC_E_NOTFOUND,
                    "no database");
    (void)snprintf(deep, sizeof(deep), "%s/a/b/btc.db", t->dir);
    struct journal *db = test_db_open(deep, JOURNAL_CREATE);
    assert_string_equal(journal_path(db), deep);
    (void)snprintf(mark, sizeof(mark), "%d", JOURNAL_APPLICATION_ID);
    TEST_DB_IS(deep, "PRAGMA application_id", mark);
    (void)snprintf(mark, sizeof(mark), "%d",
                   journal_migrations[journal_n_migrations - 1].version);
    TEST_DB_IS(deep, "PRAGMA user_version", mark);
    TEST_DB_IS(deep, "PRAGMA journal_mode", "wal");
    TEST_DB_IS(deep, "PRAGMA integrity_check", "ok");
    int64_t v;
    assert_int_equal(journal_query_int(db, "PRAGMA synchronous", -1, &v, NULL),
                     0);
    assert_int_equal(v, 2);
    assert_int_equal(journal_query_int(db, "PRAGMA foreign_keys", -1, &v, NULL),
                     0);
    assert_int_equal(v, 1);
    assert_int_equal(
        journal_query_int(db, "PRAGMA trusted_schema", -1, &v, NULL), 0);
    assert_int_equal(v, 0);
    journal_close(db);
    journal_close(NULL);
    /* private folders, made on the way */
    (void)snprintf(deep, sizeof(deep), "%s/a", t->dir);
    assert_int_equal(stat(deep, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

/* The SQL that the program shows makes the same database. */
static void test_schema_text(void **state)
{
    struct test_db *t = *state;
    assert_int_equal(test_db_sql(t->path, journal_schema_text()), SQLITE_OK);
    journal_close(test_db_open(t->path, 0));
}

/* Every kind of file that is not our database, with and without CREATE. */
static void test_not_ours(void **state)
{
    struct test_db *t = *state;
    static const size_t sizes[] = {1, 15, 16, 99, 100, 511, 512, 4096, 9000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (int fill = 0; fill < 2; fill++) {
            FILE *f = fopen(t->path, "w");
            for (size_t k = 0; k < sizes[i]; k++) {
                (void)fputc(fill ? (int)(k * 7 + 3) & 0xff : 0, f);
            }
            assert_int_equal(fclose(f), 0);
            test_db_refused(t->path, 0, BTC_E_DB, "not a database");
            test_db_refused(t->path, JOURNAL_CREATE | JOURNAL_ENGINE, BTC_E_DB,
                            "not a database");
            test_db_refused(t->path, JOURNAL_READ_ONLY, BTC_E_DB,
                            "not a database");
            struct stat st; /* nothing was written to it */
            assert_int_equal(stat(t->path, &st), 0);
            assert_int_equal(st.st_size, sizes[i]);
        }
    }
    assert_int_equal(unlink(t->path), 0);
    test_db_refused(t->dir, JOURNAL_CREATE, BTC_E_DB, "folder");
    assert_int_equal(test_db_sql(t->path, "CREATE TABLE other (a)"), SQLITE_OK);
    test_db_refused(t->path, JOURNAL_CREATE, BTC_E_DB, "another program");
    assert_int_equal(
        test_db_sql(t->path, "PRAGMA application_id = 7; DROP TABLE other"),
        SQLITE_OK);
    test_db_refused(t->path, JOURNAL_CREATE, BTC_E_DB, "another program");
}

/* An empty file (a crash while it was made) becomes a database; so does one
 * that SQLite has begun. */
static void test_empty(void **state)
{
    struct test_db *t = *state;
    FILE *f = fopen(t->path, "w");
    assert_int_equal(fclose(f), 0);
    test_db_refused(t->path, 0, BTC_E_DB, "is empty: `btc get`");
    test_db_refused(t->path, JOURNAL_READ_ONLY | JOURNAL_CREATE, BTC_E_DB,
                    "is empty");
    journal_close(test_db_open(t->path, JOURNAL_CREATE));
    journal_close(test_db_open(t->path, 0));
    assert_int_equal(unlink(t->path), 0);
    assert_int_equal(test_db_sql(t->path, "PRAGMA journal_mode = WAL"),
                     SQLITE_OK);
    test_db_refused(t->path, 0, BTC_E_DB, "is empty");
    journal_close(test_db_open(t->path, JOURNAL_CREATE));
}

static void test_newer(void **state)
{
    struct test_db *t = *state;
    journal_close(test_db_open(t->path, JOURNAL_CREATE));
    assert_int_equal(test_db_sql(t->path, "PRAGMA user_version = 1000"),
                     SQLITE_OK);
    test_db_refused(t->path, 0, BTC_E_DB, "schema 1000");
    test_db_refused(t->path, JOURNAL_CREATE | JOURNAL_ENGINE, BTC_E_DB,
                    "newer btc");
    test_db_refused(t->path, JOURNAL_READ_ONLY, BTC_E_DB, "knows up to");
    /* the refused engine does not keep the lock */
    assert_int_equal(journal_engine_pid(t->path), 0);
}

/* One engine; also within a process, and by way of a link. */
static void test_engine_lock(void **state)
{
    struct test_db *t = *state;
    char other[128];
    assert_int_equal(journal_engine_pid(t->path), 0);
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
    assert_int_equal(journal_engine_pid(t->path), getpid());
    test_db_refused(t->path, JOURNAL_ENGINE, BTC_E_LOCKED, "another btc (pid ");
    (void)snprintf(other, sizeof(other), "%s/link.db", t->dir);
    assert_int_equal(symlink(t->path, other), 0);
    test_db_refused(other, JOURNAL_ENGINE, BTC_E_LOCKED, "another btc");
    assert_int_equal(journal_engine_pid(other), getpid());
    journal_close(test_db_open(other, 0)); /* a front needs no lock */
    journal_close(db);
    assert_int_equal(journal_engine_pid(t->path), 0);
    journal_close(test_db_open(other, JOURNAL_ENGINE));
}

/* A link to a file that is not there yet: who made it by way of the link holds
 * the lock that all others find. */
static void test_engine_lock_link(void **state)
{
    struct test_db *t = *state;
    char link1[128], link2[128];
    (void)snprintf(link1, sizeof(link1), "%s/link1", t->dir);
    (void)snprintf(link2, sizeof(link2), "%s/link2", t->dir);
    assert_int_equal(symlink("link2", link1), 0);
    assert_int_equal(symlink(t->path, link2), 0);
    struct journal *db = test_db_open(link1, JOURNAL_CREATE | JOURNAL_ENGINE);
    assert_string_equal(journal_path(db), t->path);
    test_db_refused(t->path, JOURNAL_ENGINE, BTC_E_LOCKED, "another btc");
    test_db_refused(link1, JOURNAL_ENGINE, BTC_E_LOCKED, "another btc");
    assert_int_equal(journal_engine_pid(link2), getpid());
    journal_close(db);
    assert_int_equal(unlink(t->path), 0);
    assert_int_equal(unlink(link2), 0);
    assert_int_equal(symlink("link1", link2), 0); /* a ring */
    test_db_refused(link1, JOURNAL_CREATE | JOURNAL_ENGINE, BTC_E_IO, "link1");
}

/* The lock goes with a killed engine. */
static void test_engine_killed(void **state)
{
    struct test_db *t = *state;
    int ready[2];
    char c;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct journal *db = NULL;
        int code =
            journal_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE, &db, NULL);
        (void)!write(ready[1], code == 0 ? "y" : "n", 1);
        (void)pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_int_equal(c, 'y');
    assert_int_equal(journal_engine_pid(t->path), pid);
    test_db_refused(t->path, JOURNAL_ENGINE, BTC_E_LOCKED, "pid ");
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(journal_engine_pid(t->path), 0);
    journal_close(test_db_open(t->path, JOURNAL_ENGINE));
    (void)close(ready[0]);
    (void)close(ready[1]);
}

/* Readers: while an engine works, when none does, and without the right to
 * write into the folder. */
static void test_read_only(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
    (void)test_db_add(db, 1);
    struct journal *reader = test_db_open(t->path, JOURNAL_READ_ONLY);
    int64_t id = 0;
    assert_int_equal(journal_find(reader, "torrent 1", &id, NULL), 0);
    struct err e = {0};
    assert_int_equal(journal_set_wish(reader, id, "wanted", "pause", &e),
                     BTC_E_PERMISSION);
    journal_close(reader);
    journal_close(db);
    reader = test_db_open(t->path, JOURNAL_READ_ONLY);
    assert_int_equal(journal_find(reader, "torrent 1", &id, NULL), 0);
    journal_close(reader);
}

/* In a process of its own, as nobody: reading a folder that cannot be written.
 * 0 = good. */
static int read_as_nobody(const char *path, bool wal)
{
    char name[128];
    struct journal *db = NULL;
    int64_t id;
    if (!wal) {
        (void)snprintf(name, sizeof(name), "%s-wal", path);
        (void)unlink(name);
        (void)snprintf(name, sizeof(name), "%s-shm", path);
        (void)unlink(name);
    }
    if (setgid(65534) != 0 || setuid(65534) != 0) {
        return 1;
    }
    if (journal_open(path, 0, &db, NULL) != BTC_E_PERMISSION || db) {
        return 2;
    }
    struct err e = {0};
    if (journal_open(path, JOURNAL_READ_ONLY, &db, &e) != 0) {
        (void)fprintf(stderr, "%s\n", e.msg);
        return 3;
    }
    int code = journal_find(db, "torrent 1", &id, NULL);
    journal_close(db);
    return code == 0 ? 0 : 4;
}

static void test_other_user(void **state)
{
    struct test_db *t = *state;
    char self[512] = "";
    if (getuid() != 0) {
        skip();
    }
    assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    assert_int_equal(chmod(t->dir, 0755), 0);
    for (int mode = 0; mode < 3; mode++) { /* running, at rest, WAL gone */
        struct journal *db =
            test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
        if (mode == 0) {
            (void)test_db_add(db, 1);
        } else {
            journal_close(db);
        }
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            (void)execl(self, self, "--as-nobody", t->path,
                        mode != 2 ? "wal" : "no-wal", (char *)NULL);
            _exit(99);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status != 0) {
            print_error("mode %d\n", mode);
        }
        assert_int_equal(status, 0);
        if (mode == 0) {
            journal_close(db);
        }
    }
}

/* A foreign transaction that does not end. */
static void test_busy(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    sqlite3 *other = test_db_foreign(t->path);
    struct err e = {0};
    (void)sqlite3_busy_timeout(db->sql, 50); /* the test has less patience */
    int64_t id = test_db_add(db, 1);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", 0, 0, 0),
                     SQLITE_OK);
    assert_int_equal(journal_set_wish(db, id, "wanted", "pause", &e),
                     BTC_E_LOCKED);
    assert_non_null(strstr(e.msg, "another program"));
    struct journal_batch *b = journal_batch_new();
    journal_put_block(b, id, 1, 1);
    assert_int_equal(journal_apply(db, b, &e), BTC_E_LOCKED);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", 0, 0, 0), SQLITE_OK);
    assert_int_equal(journal_apply(db, b, &e), 0);
    journal_batch_free(b);
    (void)sqlite3_close(other);
    journal_close(db);
    TEST_DB_IS(t->path, "SELECT count(*) FROM block", "1");
}

/* --- migrations, with a list of our own --- */

static const char mig1[] = "PRAGMA application_id = 0x62746331;"
                           "CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT);";
static const char mig2[] = "ALTER TABLE a ADD COLUMN w INTEGER;"
                           "UPDATE a SET w = id * 2;";
static const char mig3[] = "CREATE TABLE b (id INTEGER REFERENCES a (id));";
static const char mig3_bad[] = "CREATE TABLE b (id INTEGER);"
                               "INSERT INTO missing VALUES (1);";
static const char mig3_orphan[] =
    "CREATE TABLE b (id INTEGER REFERENCES a (id));"
    "INSERT INTO b VALUES (99);";

/* A connection on a bare file, for journal_migrate. */
static struct journal *open_bare(const char *path)
{
    struct journal *db = mem_zalloc(sizeof(*db));
    db->path = mem_strdup(path);
    db->lock_fd = -1;
    db->file_fd = -1;
    assert_int_equal(sqlite3_open(path, &db->sql), SQLITE_OK);
    return db;
}

static void test_migrate(void **state)
{
    struct test_db *t = *state;
    char backup[128];
    struct err e = {0};
    const struct journal_migration list[] = {
        {1, "001_a", mig1}, {2, "002_b", mig2}, {3, "003_c", mig3}};
    struct journal *db = open_bare(t->path);
    assert_int_equal(journal_migrate(db, list, 1, &e), 0);
    assert_int_equal(
        journal_exec(db,
                     "INSERT INTO a VALUES (5, 'five');"
                     "PRAGMA foreign_keys = OFF;"
                     /* somebody's own, and nobody's business */
                     "CREATE TABLE mine (who INTEGER REFERENCES a (id));"
                     "INSERT INTO mine VALUES (77)",
                     &e),
        0);
    (void)snprintf(backup, sizeof(backup), "%s.backup-v1", t->path);
    assert_int_equal(access(backup, F_OK), -1); /* nothing was worth one */
    assert_int_equal(journal_migrate(db, list, 3, &e), 0);
    journal_close(db);
    TEST_DB_IS(t->path, "PRAGMA user_version", "3");
    TEST_DB_IS(t->path, "SELECT w FROM a", "10");
    TEST_DB_IS(backup, "PRAGMA user_version", "1");
    TEST_DB_IS(backup, "SELECT v FROM a", "five");
    /* again: nothing to do; and an older program refuses */
    db = open_bare(t->path);
    assert_int_equal(journal_migrate(db, list, 3, &e), 0);
    assert_int_equal(journal_migrate(db, list, 2, &e), BTC_E_DB);
    assert_non_null(strstr(e.msg, "schema 3"));
    assert_int_equal(db->lock_fd, -1);
    journal_close(db);
}

/* A database of each version that there was is brought up to date: what is in
 * it stays, somebody's own views, too, and its schema is that of a new one. */
static void test_every_version(void **state)
{
    static const char row[] =
        "INSERT INTO torrent (info_hash, name, save_path) VALUES"
        " ('0123456789abcdef0123456789abcdef01234567', 'old', '/here')";
    static const char mine[] =
        "CREATE VIEW mine AS SELECT name, state FROM progress;"
        "CREATE VIEW mine_too AS SELECT m.name, f.path FROM mine AS m"
        " JOIN file_progress AS f";
    static const char all[] =
        "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema"
        " WHERE sql NOT NULL AND name NOT LIKE 'mine%' ORDER BY type, name)";
    struct test_db *t = *state;
    struct err e = {0};
    static char fresh[65536], now[sizeof(fresh)];
    journal_close(test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE));
    (void)test_db_get(t->path, all, fresh, sizeof(fresh));
    assert_in_range(strlen(fresh), 1000, sizeof(fresh) - 2);
    for (size_t n = 1; n < journal_n_migrations; n++) {
        assert_int_equal(unlink(t->path), 0);
        struct journal *db = open_bare(t->path);
        assert_int_equal(journal_migrate(db, journal_migrations, n, &e), 0);
        assert_int_equal(journal_exec(db, row, &e), 0);
        assert_int_equal(journal_exec(db, mine, &e), 0);
        journal_close(db);
        journal_close(test_db_open(t->path, JOURNAL_ENGINE));
        TEST_DB_IS(t->path, "SELECT name FROM torrent", "old");
        TEST_DB_IS(t->path, "SELECT name FROM mine", "old");
        TEST_DB_IS(t->path, "SELECT count(*) FROM mine_too", "0");
        (void)test_db_get(t->path, all, now, sizeof(now));
        assert_string_equal(now, fresh);
    }
}

/* Counts statements that change a table that is there. */
static int count_alter(unsigned type, void *ctx, void *stmt, void *text)
{
    (void)type;
    (void)stmt;
    *(uint32_t *)ctx += strncmp(text, "ALTER", 5) == 0;
    return 0;
}

static uint32_t n_alter;

/* For every connection that is opened. */
static int count_on_open(sqlite3 *db, char **error,
                         const struct sqlite3_api_routines *api)
{
    (void)error;
    (void)api;
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, count_alter, &n_alter);
}

/* A new database is not taken through the versions: each ALTER TABLE reads the
 * whole schema again. */
static void test_new_at_once(void **state)
{
    struct test_db *t = *state;
    struct err e = {0};
    n_alter = 0;
    assert_int_equal(sqlite3_auto_extension((void (*)(void))count_on_open),
                     SQLITE_OK);
    journal_close(test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE));
    assert_int_equal(n_alter, 0);
    assert_int_equal(unlink(t->path), 0);
    struct journal *db = open_bare(t->path);
    assert_int_equal(
        journal_migrate(db, journal_migrations, journal_n_migrations - 1, &e),
        0);
    journal_close(db);
    assert_true(n_alter > 0); /* it would have been seen */
    sqlite3_reset_auto_extension();
}

/* A migration that fails leaves the version before it, whole. */
static void test_migrate_fails(void **state)
{
    struct test_db *t = *state;
    const char *const bad[] = {mig3_bad, mig3_orphan};
    struct err e = {0};
    for (size_t i = 0; i < 2; i++) {
        const struct journal_migration list[] = {
            {1, "001_a", mig1}, {2, "002_b", mig2}, {3, "003_bad", bad[i]}};
        struct journal *db = open_bare(t->path);
        assert_int_equal(journal_migrate(db, list, 1, &e), 0);
        assert_true(journal_migrate(db, list, 3, &e) < 0);
        assert_non_null(strstr(e.msg, "003_bad"));
        assert_int_equal(db->lock_fd, -1);
        journal_close(db);
        TEST_DB_IS(t->path, "PRAGMA user_version", "2");
        TEST_DB_IS(t->path, "SELECT count(*) FROM sqlite_schema", "1");
        assert_int_equal(unlink(t->path), 0);
    }
}

/* Not under an engine of an older btc, and not by a reader. */
static void test_migrate_locked(void **state)
{
    struct test_db *t = *state;
    const struct journal_migration list[] = {{1, "001_a", mig1},
                                             {2, "002_b", mig2}};
    struct err e = {0};
    struct journal *db = open_bare(t->path);
    assert_int_equal(journal_migrate(db, list, 1, &e), 0);
    struct journal *other = open_bare(t->path);
    assert_int_equal(journal_lock_take(other, &e), 0);
    assert_int_equal(journal_migrate(db, list, 2, &e), BTC_E_LOCKED);
    journal_close(other);
    db->flags = JOURNAL_READ_ONLY;
    assert_int_equal(journal_migrate(db, list, 2, &e), BTC_E_DB);
    assert_non_null(strstr(e.msg, "btc resume"));
    db->flags = 0;
    assert_int_equal(journal_migrate(db, list, 2, &e), 0);
    journal_close(db);
}

/* Two programs that make the same database at the same time. */
static void test_create_race(void **state)
{
    struct test_db *t = *state;
    pid_t pids[4];
    for (size_t i = 0; i < 4; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            struct journal *db = NULL;
            struct err e = {0};
            int code = journal_open(t->path, JOURNAL_CREATE, &db, &e);
            if (code != 0) {
                (void)fprintf(stderr, "%s\n", e.msg);
            }
            journal_close(db);
            _exit(code == 0 ? 0 : 1);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        int status = -1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    journal_close(test_db_open(t->path, 0));
}

static void test_backup(void **state)
{
    struct test_db *t = *state;
    char to[128];
    struct err e = {0};
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
    int64_t id = test_db_add(db, 1);
    assert_true(id > 0);
    (void)snprintf(to, sizeof(to), "%s/copy", t->dir);
    assert_int_equal(journal_backup(db, "", &e), BTC_E_USAGE);
    assert_int_equal(journal_backup(db, to, &e), 0);
    assert_int_equal(journal_backup(db, to, &e), BTC_E_EXISTS);
    assert_int_equal(journal_backup(db, t->path, &e), BTC_E_EXISTS);
    journal_close(db);
    db = test_db_open(to, 0);
    assert_int_equal(journal_find(db, "torrent 1", &id, &e), 0);
    journal_close(db);
    (void)snprintf(to, sizeof(to), "%s/no/such/copy", t->dir);
    db = test_db_open(t->path, JOURNAL_READ_ONLY);
    assert_true(journal_backup(db, to, &e) < 0);
    journal_close(db);
}

/* From here on this process can make no second name of a file, as on a stick
 * with a FAT. */
static bool test_forbid_links(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef __NR_link
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_link, 1, 0),
#endif
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_linkat, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof(code) / sizeof(code[0]),
                                .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/* A copy onto a file system without hard links. */
static void test_backup_no_links(void **state)
{
    struct test_db *t = *state;
    char to[128];
    int status = -1;
    (void)snprintf(to, sizeof(to), "%s/copy", t->dir);
    journal_close(test_db_open(t->path, JOURNAL_CREATE));
    pid_t pid = fork();
    if (pid == 0) {
        struct journal *db = NULL;
        int code = journal_open(t->path, 0, &db, NULL);
        if (!test_forbid_links()) {
            _exit(77);
        }
        code = code != 0 ? 1 : journal_backup(db, to, NULL) != 0 ? 2 : 0;
        if (code == 0 && journal_backup(db, to, NULL) != BTC_E_EXISTS) {
            code = 3;
        }
        _exit(code);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        skip();
    }
    assert_int_equal(status, 0);
    journal_close(test_db_open(to, 0));
}

/* Counts rows of a check. */
static int count_row(void *ctx, const struct journal_value *v, size_t n)
{
    (void)v;
    assert_true(n > 0);
    ++*(size_t *)ctx;
    return 0;
}

/* Flipped bytes and cut files: an error or a good answer, never a crash. */
static void test_damage(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    size_t n = 0;
    struct err e = {0};
    for (unsigned i = 0; i < 20; i++) {
        (void)test_db_add(db, i);
    }
    assert_int_equal(journal_check(db, count_row, &n, &e), 0);
    assert_int_equal(n, 0);
    journal_close(db);
    assert_int_equal(test_db_sql(t->path, "PRAGMA wal_checkpoint(TRUNCATE)"),
                     SQLITE_OK);
    struct stat st;
    assert_int_equal(stat(t->path, &st), 0);
    unsigned refused = 0;
    for (off_t at = 0; at < st.st_size; at += 1499) {
        unsigned char c;
        int fd = open(t->path, O_RDWR | O_CLOEXEC);
        assert_int_equal(pread(fd, &c, 1, at), 1);
        unsigned char flipped = c ^ 0xff;
        assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
        struct journal *damaged = NULL;
        int code = journal_open(t->path, JOURNAL_READ_ONLY, &damaged, &e);
        if (code == 0) {
            struct journal_torrent *rows;
            size_t n_rows;
            (void)journal_load_torrents(damaged, &rows, &n_rows, &e);
            journal_torrents_free(rows, n_rows);
            code = journal_check(damaged, count_row, &n, &e);
            journal_close(damaged);
        }
        assert_true(code == 0 || code == BTC_E_DB);
        refused += code != 0;
        assert_int_equal(pwrite(fd, &c, 1, at), 1);
        (void)close(fd);
    }
    assert_true(refused > 5);
    assert_int_equal(truncate(t->path, st.st_size / 2), 0);
    int code = journal_open(t->path, 0, &db, &e);
    if (code == 0) {
        code = journal_check(db, count_row, &n, &e);
        journal_close(db);
    }
    assert_int_equal(code, BTC_E_DB);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--as-nobody") == 0) {
        return read_as_nobody(argv[2], strcmp(argv[3], "wal") == 0);
    }
#define T(f) cmocka_unit_test_setup_teardown(f, test_db_setup, test_db_teardown)
    const struct CMUnitTest tests[] = {
        T(test_create),
        T(test_schema_text),
        T(test_not_ours),
        T(test_empty),
        T(test_newer),
        T(test_engine_lock),
        T(test_engine_lock_link),
        T(test_engine_killed),
        T(test_read_only),
        T(test_other_user),
        T(test_busy),
        T(test_migrate),
        T(test_every_version),
        T(test_new_at_once),
        T(test_migrate_fails),
        T(test_migrate_locked),
        T(test_create_race),
        T(test_backup),
        T(test_backup_no_links),
        T(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
