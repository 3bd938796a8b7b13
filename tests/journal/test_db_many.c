/* What many torrents cost, counted and not timed: statements that are made,
 * commits, and steps of SQLite's machine.
 */
#include "journal/db_kit.h"

#include "journal/batch.h"
#include "journal/internal.h"
#include "journal/load.h"

/* A torrent of one file. */
static int add_one(struct journal *db, unsigned n, int64_t *id, struct err *e)
{
    char name[32], path[32], url[] = "http://tracker.test/announce";
    char save_path[] = "/srv/data";
    struct journal_file file = {
        .path = path, .length = 100, .state.priority = 4};
    struct journal_tracker tracker = {.url = url};
    struct journal_add a = {.torrent = {.name = name,
                                        .save_path = save_path,
                                        .total_size = 100,
                                        .piece_length = 16384,
                                        .n_pieces = 1,
                                        .n_files = 1},
                            .info = (const uint8_t *)"de",
                            .info_len = 2,
                            .files = &file,
                            .trackers = &tracker,
                            .n_trackers = 1};
    (void)snprintf(name, sizeof(name), "torrent %u", n);
    (void)snprintf(path, sizeof(path), "file %u", n);
    memcpy(a.torrent.info_hash, &n, sizeof(n));
    return journal_add_torrent(db, &a, id, e);
}

/* A torrent of so many files of a byte each. */
static int64_t add_files(struct journal *db, uint32_t n)
{
    char name[] = "torrent", save_path[] = "/srv/data";
    struct journal_file *files = mem_calloc(n, sizeof(*files));
    struct journal_add a = {.torrent = {.name = name,
                                        .save_path = save_path,
                                        .total_size = n,
                                        .piece_length = 16384,
                                        .n_pieces = 1,
                                        .n_files = n},
                            .files = files};
    struct err e = {0};
    int64_t id;
    for (uint32_t i = 0; i < n; i++) {
        files[i] = (struct journal_file){.path = mem_printf("%u/file %u", n, i),
                                         .offset = i,
                                         .length = 1,
                                         .pad = i % 7 == 5,
                                         .state.priority = 4};
    }
    memcpy(a.torrent.info_hash, &n, sizeof(n));
    assert_int_equal(journal_add_torrent(db, &a, &id, &e), 0);
    journal_files_free(files, n);
    return id;
}

/* Adds torrents number `from` to `to` - 1 in one transaction. */
static void add_many(struct journal *db, unsigned from, unsigned to)
{
    struct err e = {0};
    int64_t id;
    assert_int_equal(journal_begin(db, &e), 0);
    for (unsigned i = from; i < to; i++) {
        assert_int_equal(add_one(db, i, &id, &e), 0);
        assert_int_equal(
            journal_event_now(db, id, LEVEL_INFO, "added", "text", &e), 0);
    }
    assert_int_equal(journal_end(db, 0, &e), 0);
}

static int count_commit(void *ctx)
{
    ++*(unsigned *)ctx;
    return 0;
}

static void test_statements_and_commits(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    unsigned commits = 0;
    (void)sqlite3_commit_hook(db->sql, count_commit, &commits);
    add_many(db, 0, 2);
    uint64_t prepared = db->n_prepared;
    assert_true(prepared > 5 && prepared < JOURNAL_KEPT_MAX);
    add_many(db, 2, 200);
    assert_int_equal(db->n_prepared, prepared);
    assert_int_equal(commits, 2);
    journal_close(db);
    TEST_DB_IS(t->path, "SELECT count(*) FROM progress", "200");
}

/* A part that fails takes its own rows back, and no others. */
static void test_parts(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    struct err e = {0};
    int64_t id;
    assert_int_equal(journal_begin(db, &e), 0);
    for (unsigned i = 0; i < 5; i++) {
        int code = 0;
        assert_int_equal(journal_begin(db, &e), 0);
        assert_int_equal(add_one(db, i, &id, &e), 0);
        if (i % 2 == 1) {
            code = BTC_E_USAGE;
        }
        assert_int_equal(journal_end(db, code, &e), code);
    }
    TEST_DB_IS(t->path, "SELECT count(*) FROM torrent", "0");
    assert_int_equal(journal_end(db, 0, &e), 0);
    TEST_DB_IS(t->path, "SELECT group_concat(name, ', ') FROM torrent",
               "torrent 0, torrent 2, torrent 4");
    journal_close(db);
}

/* Temporary files of SQLite that this process has open. */
static unsigned count_temporary(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < 64; fd++) {
        char link[32], path[256];
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ssize_t len = readlink(link, path, sizeof(path) - 1);
        path[len > 0 ? len : 0] = '\0';
        n += strstr(path, "etilqs_") != NULL;
    }
    return n;
}

/* What undoes a part of many is kept in memory, and still undoes it. */
static void test_many_parts(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    struct err e = {0};
    add_many(db, 0, 500);
    assert_int_equal(journal_begin_many(db, &e), 0);
    for (unsigned part = 0; part < 2; part++) {
        int64_t id;
        int code = part == 0 ? BTC_E_USAGE : 0;
        assert_int_equal(journal_begin(db, &e), 0);
        for (unsigned i = 0; i < 50; i++) {
            assert_int_equal(add_one(db, 1000 + 50 * part + i, &id, &e), 0);
        }
        assert_int_equal(count_temporary(), 0);
        assert_int_equal(journal_end(db, code, &e), code);
    }
    assert_int_equal(journal_end(db, 0, &e), 0);
    TEST_DB_IS(t->path, "SELECT count(*) FROM torrent", "550");
    journal_close(db);
}

/* The log tells of what came behind a torrent, and of nothing else. */
static void test_log_added(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    struct err e = {0};
    int64_t id, last = -1;
    assert_int_equal(journal_last_added(db, &last, &e), 0);
    assert_int_equal(last, 0);
    assert_int_equal(add_one(db, 1, &id, &e), 0);
    assert_int_equal(journal_last_added(db, &last, &e), 0);
    assert_int_equal(last, id);
    assert_int_equal(journal_log_added(db, last, &e), 0);
    TEST_DB_IS(t->path, "SELECT count(*) FROM event", "0");
    assert_int_equal(add_one(db, 2, &id, &e), 0);
    assert_int_equal(add_one(db, 3, &id, &e), 0);
    assert_int_equal(journal_log_added(db, last, &e), 0);
    TEST_DB_IS(t->path,
               "SELECT group_concat(torrent_id || level || kind || ' ' || text)"
               " FROM (SELECT * FROM event WHERE at > unixepoch() - 60"
               " ORDER BY id)",
               "2infoadded added: torrent 2,3infoadded added: torrent 3");
    journal_close(db);
}

static int count_run(unsigned what, void *ctx, void *s, void *ns)
{
    (void)what;
    (void)ns;
    *(unsigned *)ctx += strstr(sqlite3_sql(s), "INTO file") != NULL;
    return 0;
}

/* Files are written by few statements, and each as it is. */
static void test_many_files(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    const struct {
        uint32_t files;
        unsigned statements;
    } cases[] = {{1, 1},  {2, 1},  {30, 1},   {31, 1},
                 {32, 1}, {33, 2}, {1000, 32}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        unsigned ran = 0;
        (void)sqlite3_trace_v2(db->sql, SQLITE_TRACE_PROFILE, count_run, &ran);
        int64_t id = add_files(db, cases[i].files);
        (void)sqlite3_trace_v2(db->sql, 0, NULL, NULL);
        assert_int_equal(ran, cases[i].statements);
        struct journal_file *files = NULL;
        struct err e = {0};
        size_t n = 0;
        assert_int_equal(journal_load_files(db, id, &files, &n, &e), 0);
        assert_int_equal(n, cases[i].files);
        for (uint32_t k = 0; k < n; k++) {
            char path[32];
            (void)snprintf(path, sizeof(path), "%u/file %u", cases[i].files, k);
            assert_string_equal(files[k].path, path);
            assert_int_equal(files[k].file, k);
            assert_int_equal(files[k].offset, k);
            assert_int_equal(files[k].length, 1);
            assert_int_equal(files[k].pad, k % 7 == 5);
            assert_int_equal(files[k].state.priority, 4);
        }
        journal_files_free(files, n);
    }
    journal_close(db);
}

/* What was undone as a whole is not gone on with. */
static void test_undone(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    struct err e = {0};
    int64_t id;
    assert_int_equal(journal_begin(db, &e), 0);
    assert_int_equal(add_one(db, 1, &id, &e), 0);
    /* As SQLite does by itself when the disk is full. */
    assert_int_equal(sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(add_one(db, 2, &id, &e), BTC_E_IO);
    assert_int_not_equal(journal_end(db, 0, &e), 0);
    assert_int_equal(add_one(db, 3, &id, &e), 0); /* and the next one works */
    journal_close(db);
    TEST_DB_IS(t->path, "SELECT group_concat(name) FROM torrent", "torrent 3");
}

/* More statements than places: the oldest go, all of them work. */
static void test_kept(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    struct err e = {0};
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < JOURNAL_KEPT_MAX + 10; i++) {
            char sql[32];
            sqlite3_stmt *s = NULL, *same = NULL;
            (void)snprintf(sql, sizeof(sql), "SELECT %d, ?1", i);
            assert_int_equal(journal_take(db, sql, &s, &e), 0);
            assert_int_equal(journal_take(db, sql, &same, &e), 0);
            assert_ptr_not_equal(s, same);
            assert_int_equal(sqlite3_step(s), SQLITE_ROW);
            assert_int_equal(sqlite3_column_int(s, 0), i);
            assert_int_equal(sqlite3_column_type(s, 1), SQLITE_NULL);
            journal_give(db, same);
            (void)sqlite3_reset(s);
            (void)sqlite3_bind_int(s, 1, 7); /* it must not be kept */
            journal_give(db, s);
        }
    }
    journal_close(db);
}

static int count_steps(unsigned what, void *ctx, void *s, void *ns)
{
    int64_t *steps = ctx;
    (void)what;
    (void)ns;
    *steps += sqlite3_stmt_status(s, SQLITE_STMTSTATUS_VM_STEP, 1);
    return 0;
}

/* Steps that SQLite's machine takes to tell of all torrents. */
static int64_t progress_steps(struct journal *db)
{
    int64_t steps = 0;
    (void)sqlite3_trace_v2(db->sql, SQLITE_TRACE_PROFILE, count_steps, &steps);
    assert_int_equal(
        sqlite3_exec(db->sql, "SELECT * FROM progress", NULL, NULL, NULL),
        SQLITE_OK);
    (void)sqlite3_trace_v2(db->sql, 0, NULL, NULL);
    return steps;
}

/* A row of progress is one look at a torrent and at its facts; what it says of
 * the engine is found once, however many rows there are. */
static void test_progress_cost(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    add_many(db, 0, 10);
    int64_t few = progress_steps(db);
    add_many(db, 10, 110);
    assert_in_range(progress_steps(db) - few, 100 * 50, 100 * 190);
    journal_close(db);
}

/* A torrent at rest keeps no memory for facts that it handed over. */
static void test_batch_at_rest(void **state)
{
    struct journal_batch *facts = journal_batch_new();
    struct journal_batch *all = journal_batch_new();
    size_t empty = test_db_batch_bytes(facts);
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        journal_put_event(facts, 1, LEVEL_INFO, "kind", "some text");
    }
    size_t full = test_db_batch_bytes(facts);
    assert_true(full > empty + 100);
    journal_batch_append(all, facts);
    assert_int_equal(test_db_batch_bytes(facts), empty);
    assert_true(journal_batch_is_empty(facts));
    assert_true(test_db_batch_bytes(all) >= full - empty);
    journal_put_event(facts, 1, LEVEL_INFO, "kind", "again");
    journal_batch_append(all, facts);
    journal_batch_free(facts);
    journal_batch_free(all);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, test_db_setup, test_db_teardown)
    const struct CMUnitTest tests[] = {T(test_statements_and_commits),
                                       T(test_batch_at_rest),
                                       T(test_parts),
                                       T(test_undone),
                                       T(test_many_files),
                                       T(test_log_added),
                                       T(test_kept),
                                       T(test_progress_cost),
                                       T(test_many_parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
