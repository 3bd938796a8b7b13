/* The database's thread: commits in order, wishes of others, calls, the end. */
#include "journal/db_kit.h"

#include "journal/internal.h"
#include "journal/load.h"
#include "journal/wishes.h"
#include "journal/writer.h"
#include "model/names.h"

/* A loop with a thread on it, and what came back. */
struct rig {
    struct loop *loop;
    struct journal *db;
    struct journal_thread *thread;
    int64_t id;
    size_t n_ok;
    size_t n_failed;
    int last_code;
    struct journal_batch *back; /* the last one that failed */
    bool resubmit;
    size_t n_wishes;
    struct journal_wishes *wishes; /* the newest */
    size_t n_calls;
    size_t call_rows;
    size_t want_ok, want_wishes, want_calls, want_failed;
};

/* Has everything come that is waited for? */
static bool rig_is_content(const struct rig *r)
{
    return r->n_ok >= r->want_ok && r->n_wishes >= r->want_wishes &&
           r->n_calls >= r->want_calls && r->n_failed >= r->want_failed;
}

/* Stops the loop when it has. */
static void rig_look(struct rig *r)
{
    if (rig_is_content(r)) {
        loop_stop(r->loop);
    }
}

/* Runs the loop until then. */
static void rig_run(struct rig *r)
{
    while (!rig_is_content(r)) {
        loop_run(r->loop);
    }
}

static void rig_on_committed(void *ctx, struct journal_batch *b, int code,
                             const struct err *e)
{
    struct rig *r = ctx;
    r->last_code = code;
    if (code == 0) {
        r->n_ok++;
        journal_batch_free(b);
    } else {
        assert_true(e->msg[0] != '\0');
        assert_int_equal(e->code, code);
        assert_false(journal_batch_is_empty(b));
        r->n_failed++;
        if (r->resubmit) {
            journal_thread_submit(r->thread, b);
        } else {
            journal_batch_free(r->back);
            r->back = b;
        }
    }
    rig_look(r);
}

static void rig_on_wishes(void *ctx, struct journal_wishes *w)
{
    struct rig *r = ctx;
    journal_wishes_free(r->wishes);
    r->wishes = w;
    r->n_wishes++;
    rig_look(r);
}

static void rig_call(void *ctx, struct journal *db)
{
    struct rig *r = ctx;
    struct journal_block *blocks;
    assert_int_equal(
        journal_load_blocks(db, r->id, &blocks, &r->call_rows, NULL), 0);
    free(blocks);
}

static void rig_on_called(void *ctx)
{
    struct rig *r = ctx;
    r->n_calls++;
    rig_look(r);
}

static void rig_start(struct rig *r, const char *path)
{
    const struct journal_thread_callbacks cb = {
        .on_committed = rig_on_committed, .on_wishes = rig_on_wishes};
    memset(r, 0, sizeof(*r));
    r->db = test_db_open(path, JOURNAL_CREATE | JOURNAL_ENGINE);
    r->id = test_db_add(r->db, 1);
    (void)sqlite3_busy_timeout(r->db->sql, 20);
    r->loop = loop_new();
    r->thread = journal_thread_start(r->db, r->loop, &cb, r);
    /* the wishes as they are at the start */
    r->want_wishes = 1;
    rig_run(r);
    assert_int_equal(r->n_wishes, 1);
}

static void rig_stop(struct rig *r)
{
    assert_ptr_equal(journal_thread_stop(r->thread), r->db);
    loop_free(r->loop);
    journal_close(r->db);
    journal_wishes_free(r->wishes);
    journal_batch_free(r->back);
}

static void submit_block(struct rig *r, uint32_t i)
{
    struct journal_batch *b = journal_batch_new();
    journal_put_block(b, r->id, i, 0);
    journal_thread_submit(r->thread, b);
}

static void test_commits(void **state)
{
    struct test_db *t = *state;
    struct rig r;
    rig_start(&r, t->path);
    for (uint32_t i = 0; i < 50; i++) {
        submit_block(&r, i);
    }
    journal_thread_call(r.thread, rig_call, rig_on_called, &r);
    r.want_ok = 50;
    r.want_calls = 1;
    rig_run(&r);
    assert_int_equal(r.call_rows, 50); /* the call came after them */
    assert_int_equal(r.n_failed, 0);
    TEST_DB_IS(t->path, "SELECT count(*) FROM block", "50");
    rig_stop(&r);
}

/* Everything that is queued is done by the end, callbacks too. */
static void test_stop(void **state)
{
    struct test_db *t = *state;
    struct rig r;
    rig_start(&r, t->path);
    for (uint32_t i = 0; i < 30; i++) {
        submit_block(&r, i);
    }
    journal_thread_call(r.thread, rig_call, rig_on_called, &r);
    rig_stop(&r);
    assert_int_equal(r.n_ok, 30);
    assert_int_equal(r.n_calls, 1);
    TEST_DB_IS(t->path, "SELECT count(*) FROM block", "30");
}

/* Wishes of somebody else arrive; our own commits are no news. */
static void test_wishes(void **state)
{
    struct test_db *t = *state;
    struct rig r;
    rig_start(&r, t->path);
    assert_int_equal(r.wishes->n, 1);
    assert_int_equal(r.wishes->torrents[0].wanted, WANTED_RUN);
    assert_true(r.wishes->whole);
    assert_int_equal(r.wishes->items[0].n_files, 3);
    assert_int_equal(r.wishes->items[0].n_peers, 1);
    assert_int_equal(r.wishes->items[0].n_trackers, 2);
    submit_block(&r, 1);
    r.want_ok = 1;
    rig_run(&r);
    assert_int_equal(
        test_db_sql(t->path, "UPDATE torrent SET wanted='pause', up_limit=5;"),
        SQLITE_OK);
    r.want_wishes = 2;
    rig_run(&r);
    assert_int_equal(r.wishes->torrents[0].wanted, WANTED_PAUSE);
    assert_int_equal(r.wishes->torrents[0].up_limit, 5);
    assert_int_equal(
        test_db_sql(t->path,
                    "BEGIN; UPDATE file SET priority=0 WHERE file=2;"
                    "INSERT INTO peer(torrent_id,address,port)"
                    " VALUES(1,'::1',7); DELETE FROM tracker WHERE tier=1;"
                    "COMMIT"),
        SQLITE_OK);
    r.want_wishes = 3;
    rig_run(&r);
    assert_false(r.wishes->whole);
    assert_int_equal(r.wishes->items[0].n_files, 1);
    assert_int_equal(r.wishes->items[0].files[0].file, 2);
    assert_int_equal(r.wishes->items[0].files[0].priority, 0);
    assert_int_equal(r.wishes->items[0].n_peers, 1);
    assert_string_equal(r.wishes->items[0].peers[0].address, "::1");
    assert_int_equal(r.wishes->items[0].n_trackers, 0);
    assert_int_equal(r.n_wishes, 3); /* one each, none for our commit */
    rig_stop(&r);
}

/* Counts statements and the steps of SQLite's machine. */
struct cost {
    int64_t n_statements, n_steps;
};

static int on_profile(unsigned what, void *ctx, void *s, void *ns)
{
    struct cost *c = ctx;
    (void)what;
    (void)ns;
    c->n_statements++;
    c->n_steps += sqlite3_stmt_status(s, SQLITE_STMTSTATUS_VM_STEP, 1);
    return 0;
}

/* What all wishes cost in a database of `n` torrents with three files each. */
static struct cost wishes_cost(const char *path, int n)
{
    struct cost c = {0};
    int64_t seen = JOURNAL_SEEN_NOTHING;
    struct journal *db = test_db_open(path, JOURNAL_CREATE);
    for (int i = 0; i < n; i++) {
        (void)test_db_add(db, (unsigned)i + 1);
    }
    (void)sqlite3_trace_v2(db->sql, SQLITE_TRACE_PROFILE, on_profile, &c);
    struct journal_wishes *w = journal_load_wishes(db, &seen, NULL);
    (void)sqlite3_trace_v2(db->sql, 0, NULL, NULL);
    assert_non_null(w);
    assert_int_equal(w->n, n);
    for (int i = 0; i < n; i++) {
        assert_int_equal(w->items[i].n_files, 3);
        assert_int_equal(w->items[i].n_peers, 1);
        assert_int_equal(w->items[i].n_trackers, 2);
        assert_string_equal(w->items[i].peers[0].source, "user");
    }
    journal_wishes_free(w);
    journal_close(db);
    return c;
}

/* No statement more for many torrents, and a fair price for each row. */
static void test_wishes_cost(void **state)
{
    struct test_db *t = *state;
    char other[128];
    (void)snprintf(other, sizeof(other), "%s-many", t->path);
    struct cost one = wishes_cost(t->path, 1);
    struct cost many = wishes_cost(other, 51);
    assert_int_equal(one.n_statements, many.n_statements);
    assert_in_range(many.n_steps - one.n_steps, 1, 50 * 200);
}

/* A commit that fails comes back whole and goes in later. */
static void test_failing(void **state)
{
    struct test_db *t = *state;
    struct rig r;
    rig_start(&r, t->path);
    sqlite3 *other = test_db_foreign(t->path);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", 0, 0, 0),
                     SQLITE_OK);
    submit_block(&r, 7);
    r.want_failed = 1;
    rig_run(&r);
    assert_int_equal(r.last_code, BTC_E_LOCKED);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", 0, 0, 0), SQLITE_OK);
    journal_thread_submit(r.thread, r.back);
    r.back = NULL;
    r.want_ok = 1;
    rig_run(&r);
    TEST_DB_IS(t->path, "SELECT piece FROM block", "7");
    (void)sqlite3_close(other);
    rig_stop(&r);
}

/* The end comes also when a batch never goes in. */
static void test_failing_stop(void **state)
{
    struct test_db *t = *state;
    struct rig r;
    rig_start(&r, t->path);
    sqlite3 *other = test_db_foreign(t->path);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", 0, 0, 0),
                     SQLITE_OK);
    r.resubmit = true;
    submit_block(&r, 7);
    rig_stop(&r);
    assert_true(r.n_failed > 1 && r.n_ok == 0);
    (void)sqlite3_close(other);
}

static void rig_on_timer(void *ctx)
{
    struct rig *r = ctx;
    loop_stop(r->loop);
}

/* An idle database is not written to. */
static void test_idle(void **state)
{
    struct test_db *t = *state;
    char wal[128];
    struct stat before;
    struct stat after;
    struct rig r;
    rig_start(&r, t->path);
    (void)snprintf(wal, sizeof(wal), "%s-wal", t->path);
    assert_int_equal(stat(wal, &before), 0);
    loop_set_timer_fn(r.loop, rig_on_timer, &r);
    loop_arm_timer(r.loop, loop_now_ms(r.loop) + 3ul * JOURNAL_WISH_POLL_MS);
    loop_run(r.loop);
    assert_int_equal(stat(wal, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    assert_int_equal(r.n_wishes, 1);
    rig_stop(&r);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, test_db_setup, test_db_teardown)
    const struct CMUnitTest tests[] = {
        T(test_commits),     T(test_stop),         T(test_wishes),
        T(test_failing),     T(test_failing_stop), T(test_idle),
        T(test_wishes_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
