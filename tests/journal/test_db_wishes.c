/* Wishes as differences: what one costs, and that none is lost. */
#include "journal/db_kit.h"

#include "journal/batch.h"
#include "journal/internal.h"
#include "journal/wishes.h"

/* A reader of wishes, as the engine is one. */
struct reader {
    struct test_db *t;
    struct journal *db;
    int64_t seen;
};

static void reader_begin(struct reader *r, void **state, unsigned n)
{
    r->t = *state;
    r->db = test_db_open(r->t->path, JOURNAL_CREATE);
    r->seen = JOURNAL_SEEN_NOTHING;
    for (unsigned i = 0; i < n; i++) {
        (void)test_db_add(r->db, i + 1);
    }
}

static struct journal_wishes *reader_look(struct reader *r)
{
    struct err e = {0};
    struct journal_wishes *w = journal_load_wishes(r->db, &r->seen, &e);
    if (!w) {
        print_error("%s\n", e.msg);
    }
    assert_non_null(w);
    return w;
}

/* Everything has been seen. */
static void reader_catch_up(struct reader *r)
{
    struct journal_wishes *w = reader_look(r);
    assert_true(w->whole);
    journal_wishes_free(w);
    w = reader_look(r);
    assert_false(w->whole);
    assert_int_equal(w->n + w->n_gone, 0);
    journal_wishes_free(w);
}

static void reader_end(struct reader *r)
{
    journal_close(r->db);
}

static void other(struct reader *r, const char *sql)
{
    assert_int_equal(test_db_sql(r->t->path, sql), SQLITE_OK);
}

/* Adds the steps of SQLite's machine. */
static int on_profile(unsigned what, void *ctx, void *s, void *ns)
{
    int64_t *steps = ctx;
    (void)what;
    (void)ns;
    *steps += sqlite3_stmt_status(s, SQLITE_STMTSTATUS_VM_STEP, 1);
    return 0;
}

/* What it costs to hear of one wish among `n` torrents. */
static int64_t cost_among(void **state, unsigned n, const char *wish)
{
    struct reader r;
    int64_t steps = 0;
    reader_begin(&r, state, n);
    (void)sqlite3_trace_v2(r.db->sql, SQLITE_TRACE_PROFILE, on_profile, &steps);
    reader_catch_up(&r);
    other(&r, wish);
    steps = 0; /* kept statements had steps before */
    struct journal_wishes *w = reader_look(&r);
    (void)sqlite3_trace_v2(r.db->sql, 0, NULL, NULL);
    assert_false(w->whole);
    assert_int_equal(w->n, 1);
    journal_wishes_free(w);
    reader_end(&r);
    assert_int_equal(unlink(r.t->path), 0);
    return steps;
}

/* One wish costs the same among few and among many, and little. */
static void test_cost(void **state)
{
    static const char *const wishes[] = {
        "UPDATE torrent SET up_limit = 7 WHERE id = 2",
        "UPDATE file SET priority = 7 WHERE torrent_id = 2 AND file = 2",
        "INSERT INTO peer (torrent_id, address, port) VALUES (2, '::1', 9)",
        "INSERT INTO tracker (torrent_id, url) VALUES (2, 'http://x/y')"};
    for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
        int64_t few = cost_among(state, 3, wishes[i]);
        int64_t many = cost_among(state, 90, wishes[i]);
        assert_in_range(few, 1, 400);
        assert_in_range(many, few - 20, few + 20);
    }
}

/* Each kind of wish comes, once, and alone. */
static void test_kinds(void **state)
{
    struct reader r;
    reader_begin(&r, state, 3);
    reader_catch_up(&r);
    other(&r, "UPDATE file SET priority = 0 WHERE torrent_id = 3 AND file = 2;"
              "UPDATE tracker SET tier = 5 WHERE torrent_id = 1"
              " AND url GLOB 'udp*'");
    struct journal_wishes *w = reader_look(&r);
    assert_int_equal(w->n, 2);
    assert_int_equal(w->torrents[0].id, 1);
    assert_int_equal(w->items[0].n_trackers, 1);
    assert_int_equal(w->items[0].trackers[0].tier, 5);
    assert_int_equal(w->items[0].n_files, 0);
    assert_int_equal(w->torrents[1].id, 3);
    assert_int_equal(w->items[1].n_files, 1);
    assert_int_equal(w->items[1].files[0].file, 2);
    assert_int_equal(w->items[1].files[0].priority, 0);
    journal_wishes_free(w);
    int64_t id = test_db_add(r.db, 9);
    other(&r, "UPDATE torrent SET wanted = 'remove' WHERE id = 2;"
              "DELETE FROM torrent WHERE id = 2");
    w = reader_look(&r);
    assert_int_equal(w->n, 1);
    assert_int_equal(w->torrents[0].id, id);
    assert_int_equal(w->items[0].n_peers, 1);
    assert_int_equal(w->n_gone, 1);
    assert_int_equal(w->gone[0], 2);
    journal_wishes_free(w);
    reader_end(&r);
}

/* What the engine writes is no wish. */
static void test_facts(void **state)
{
    struct reader r;
    struct journal_batch *b = journal_batch_new();
    struct journal_file_state f = {.has_print = true, .size = 5};
    struct journal_peer p = {.address = "10.9.9.9", .port = 5, .source = "pex"};
    struct journal_stat s = {.state = BTC_STATE_DOWNLOADING};
    reader_begin(&r, state, 1);
    reader_catch_up(&r);
    journal_put_file(b, 1, 0, &f);
    journal_put_peer(b, 1, &p);
    journal_put_stat(b, 1, &s);
    journal_put_piece(b, 1, 0, 1);
    assert_int_equal(journal_apply(r.db, b, NULL), 0);
    struct journal_wishes *w = reader_look(&r);
    assert_int_equal(w->n, 0);
    assert_false(w->whole);
    journal_wishes_free(w);
    journal_batch_free(b);
    reader_end(&r);
}

static int64_t news(struct reader *r)
{
    int64_t n = 0;
    assert_int_equal(
        journal_query_int(r->db, "SELECT count(*) FROM wish_news", 0, &n, NULL),
        0);
    return n;
}

/* Somebody writes very many rows: everything is read, once, and what he wrote
 * leaves nothing behind. */
static void test_flood(void **state)
{
    struct reader r;
    reader_begin(&r, state, 1);
    reader_catch_up(&r);
    other(&r, "INSERT INTO file (torrent_id, file, path, offset, length)"
              " WITH RECURSIVE i (n) AS (SELECT 10 UNION ALL"
              " SELECT n + 1 FROM i WHERE n < 9999)"
              " SELECT 1, n, 'x/' || n, 0, 1 FROM i");
    assert_int_equal(news(&r), 4); /* those of the adding */
    other(&r, "UPDATE file SET priority = 1");
    assert_in_range(news(&r), 4000, 4096);
    other(&r, "UPDATE file SET priority = 2 WHERE file = 9999");
    struct journal_wishes *w = reader_look(&r);
    assert_true(w->whole);
    assert_int_equal(w->items[0].n_files, 9993);
    assert_int_equal(w->items[0].files[9992].priority, 2);
    journal_wishes_free(w);
    assert_int_equal(news(&r), 0);
    other(&r, "UPDATE file SET priority = 3 WHERE file = 77");
    w = reader_look(&r);
    assert_false(w->whole);
    assert_int_equal(w->items[0].n_files, 1);
    journal_wishes_free(w);
    reader_end(&r);
}

/* Many wishes, one after the other, leave few rows behind. */
static void test_trim(void **state)
{
    struct reader r;
    reader_begin(&r, state, 1);
    reader_catch_up(&r);
    for (int i = 0; i < 700; i++) {
        assert_int_equal(
            journal_exec(r.db, "UPDATE torrent SET up_limit = up_limit + 1",
                         NULL),
            0);
        struct journal_wishes *w = reader_look(&r);
        assert_false(w->whole);
        assert_int_equal(w->n, 1);
        assert_int_equal(w->torrents[0].up_limit, i + 1);
        journal_wishes_free(w);
        assert_in_range(news(&r), 0, 300);
    }
    reader_end(&r);
}

/* After each of these nobody can know what is new. */
static void test_gaps(void **state)
{
    static const char *const harm[] = {
        "DELETE FROM wish_news",
        "DELETE FROM wish_news WHERE seq = (SELECT max(seq) FROM wish_news)",
        "DELETE FROM wish_news; UPDATE sqlite_sequence SET seq = 0"
        " WHERE name = 'wish_news'",
        "DELETE FROM wish_news; DELETE FROM sqlite_sequence"
        " WHERE name = 'wish_news'",
        "UPDATE wish_news SET seq = seq + 1000"};
    for (size_t i = 0; i < sizeof(harm) / sizeof(harm[0]); i++) {
        struct reader r;
        reader_begin(&r, state, 2);
        reader_catch_up(&r);
        other(&r, "UPDATE torrent SET down_limit = 5;"
                  "UPDATE torrent SET max_peers = 5 WHERE id = 2");
        other(&r, harm[i]);
        struct journal_wishes *w = reader_look(&r);
        assert_true(w->whole);
        assert_int_equal(w->n, 2);
        journal_wishes_free(w);
        w = reader_look(&r);
        assert_false(w->whole);
        journal_wishes_free(w);
        reader_end(&r);
        assert_int_equal(unlink(r.t->path), 0);
    }
}

/* Without the list everything is read each time. */
static void test_absent(void **state)
{
    struct reader r;
    reader_begin(&r, state, 2);
    reader_catch_up(&r);
    other(&r, "DROP TABLE wish_news");
    for (int i = 0; i < 2; i++) {
        struct journal_wishes *w = reader_look(&r);
        assert_true(w->whole);
        assert_int_equal(w->n, 2);
        journal_wishes_free(w);
    }
    reader_end(&r);
}

/* While somebody else writes, wishes are read all the same. */
static void test_writer(void **state)
{
    struct reader r;
    reader_begin(&r, state, 1);
    (void)sqlite3_busy_timeout(r.db->sql, 20);
    reader_catch_up(&r);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(
            journal_exec(r.db, "UPDATE torrent SET up_limit = 9", NULL), 0);
    }
    sqlite3 *sql = test_db_foreign(r.t->path);
    assert_int_equal(sqlite3_exec(sql, "BEGIN IMMEDIATE", 0, 0, 0), SQLITE_OK);
    struct journal_wishes *w = reader_look(&r);
    assert_int_equal(w->n, 1);
    journal_wishes_free(w);
    assert_int_equal(news(&r), 300 + 4); /* and those of the adding */
    (void)sqlite3_close(sql);
    reader_end(&r);
}

/* What was kept in two steps is one list. */
static void test_append(void **state)
{
    struct journal_wish_items all = {0};
    (void)state;
    for (uint32_t i = 0; i < 20; i++) {
        struct journal_wish_items one = {
            .files = mem_calloc(i + 1, sizeof(*one.files)),
            .n_files = i + 1,
            .peers = mem_calloc(1, sizeof(*one.peers)),
            .n_peers = 1};
        one.files[i].file = i;
        one.peers[0].port = (uint16_t)i;
        journal_wish_items_append(&all, &one);
        assert_null(one.files);
        assert_int_equal(one.n_files, 0);
    }
    assert_int_equal(all.n_files, 210);
    assert_int_equal(all.files[209].file, 19);
    assert_int_equal(all.n_peers, 20);
    assert_int_equal(all.peers[19].port, 19);
    journal_wish_items_fini(&all);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, test_db_setup, test_db_teardown)
    const struct CMUnitTest tests[] = {
        T(test_cost),   T(test_kinds),  T(test_facts),
        T(test_flood),  T(test_trim),   T(test_gaps),
        T(test_absent), T(test_writer), T(test_append),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
