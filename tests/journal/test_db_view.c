/* The views: what a person with sqlite3 sees, and what journal_query_view
 * gives. */
#include "journal/db_kit.h"

#include "journal/batch.h"
#include "journal/internal.h"
#include "journal/runs.h"
#include "model/names.h"

/* The frozen names and the order of the first columns. */
static const struct {
    const char *view;
    const char *columns; /* of INTERFACE, then a comma */
} frozen[] = {
    {"progress",
     "id,info_hash,name,state,wanted,percent,bytes_done,bytes_total,bytes_left,"
     "pieces_done,pieces_total,down_rate,up_rate,eta_s,peers,seeds,ratio,error,"
     "save_path,updated_at,"},
    {"file_progress",
     "torrent_id,file,path,length,bytes_done,percent,priority,"},
    {"piece_map",
     "torrent_id,piece,state,blocks_done,blocks_total,verified_at,"},
    {"peer_list",
     "torrent_id,address,port,source,client,connected,choking,interested,"
     "down_rate,up_rate,bytes_down,bytes_up,failures,last_seen,"},
    {"tracker_list",
     "torrent_id,tier,url,state,last_announce,next_announce,seeders,leechers,"
     "error,"},
    {"log", "at,torrent_id,level,kind,text,"},
};

static void test_names(void **state)
{
    struct test_db *t = *state;
    journal_close(test_db_open(t->path, JOURNAL_CREATE));
    sqlite3 *sql = test_db_foreign(t->path);
    for (size_t i = 0; i < sizeof(frozen) / sizeof(frozen[0]); i++) {
        char text[64];
        char got[1024] = "";
        sqlite3_stmt *s = NULL;
        (void)snprintf(text, sizeof(text), "SELECT * FROM %s", frozen[i].view);
        assert_int_equal(sqlite3_prepare_v2(sql, text, -1, &s, NULL),
                         SQLITE_OK);
        for (int k = 0; k < sqlite3_column_count(s); k++) {
            size_t at = strlen(got);
            (void)snprintf(got + at, sizeof(got) - at, "%s,",
                           sqlite3_column_name(s, k));
        }
        (void)sqlite3_finalize(s);
        got[strlen(frozen[i].columns)] = '\0';
        assert_string_equal(got, frozen[i].columns);
    }
    (void)sqlite3_close(sql);
}

/* Puts live facts. */
static void put_stat(struct journal *db, int64_t id,
                     const struct journal_stat *s)
{
    struct journal_batch *b = journal_batch_new();
    journal_put_stat(b, id, s);
    assert_int_equal(journal_apply(db, b, NULL), 0);
    journal_batch_free(b);
}

/* A drive that does not answer: its torrent alone is in the list, what else is
 * known of it stays, and with the run it is over. */
static void test_silence(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
    int64_t id = test_db_add(db, 1);
    (void)test_db_add(db, 2);
    struct journal_stat s = {
        .state = BTC_STATE_DOWNLOADING, .bytes_total = 100, .bytes_done = 7};
    struct journal_run before;
    assert_int_equal(journal_begin_run(db, &before, NULL), 0);
    put_stat(db, id, &s);
    struct journal_batch *b = journal_batch_new();
    journal_put_silence(b, id, journal_now() - 12, BTC_STATE_WAITING_STORAGE,
                        "why");
    assert_int_equal(journal_apply(db, b, NULL), 0);
    TEST_DB_IS(t->path,
               "SELECT group_concat(torrent_id || ' ' || (silent_s >= 12) ||"
               " ' ' || (since <= unixepoch() - 12)) FROM storage_list",
               "1 1 1");
    TEST_DB_IS(t->path,
               "SELECT state || ' ' || error || ' ' || bytes_done FROM progress"
               " WHERE id = 1",
               "waiting-storage why 7");
    journal_batch_free(b);
    b = journal_batch_new();
    journal_put_silence(b, id, 0, BTC_STATE_DOWNLOADING, "");
    assert_int_equal(journal_apply(db, b, NULL), 0);
    TEST_DB_IS(t->path, "SELECT count(*) FROM storage_list", "0");
    TEST_DB_IS(t->path,
               "SELECT state || coalesce(error, '-') FROM progress"
               " WHERE id = 1",
               "downloading-");
    journal_batch_free(b);
    b = journal_batch_new();
    journal_put_silence(b, id, journal_now(), BTC_STATE_WAITING_STORAGE, "why");
    journal_put_run_end(b);
    assert_int_equal(journal_apply(db, b, NULL), 0);
    TEST_DB_IS(t->path,
               "SELECT count(*) FROM torrent_stat WHERE storage_since NOT NULL",
               "0");
    journal_batch_free(b);
    journal_close(db);
}

/* percent never says more than is there. */
static void test_percent(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_db_add(db, 1);
    const struct {
        uint64_t done;
        uint64_t total;
        const char *want;
    } rows[] = {
        {0, 250000, "0.0"},
        {1, 250000, "0.0"},
        {25, 250000, "0.01"},
        {249999, 250000, "99.99"},
        {250000, 250000, "100.0"},
        {0, 0, "100.0"},
        {1, 3, "33.33"},
        {2, 3, "66.66"},
        {(1ull << 60) - 1, 1ull << 60, "99.99"},
        {1ull << 60, 1ull << 60, "100.0"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct journal_stat s = {.state = BTC_STATE_DOWNLOADING,
                                 .eta_s = -1,
                                 .bytes_done = rows[i].done,
                                 .bytes_total = rows[i].total};
        put_stat(db, id, &s);
        TEST_DB_IS(t->path, "SELECT percent FROM progress", rows[i].want);
        TEST_DB_IS(t->path, "SELECT typeof(percent) FROM progress", "real");
    }
    journal_close(db);
}

/* The columns that live and die with the engine, as one text. */
static const char live_sql[] =
    "SELECT p.state || ' ' || p.down_rate || ' ' || p.up_rate || ' ' ||"
    " coalesce(eta_s, '-') || ' ' || peers || ' ' || seeds || ' ' ||"
    " (SELECT connected || ' ' || l.down_rate FROM peer_list AS l"
    " WHERE address = '10.0.0.1') FROM progress AS p";

static void test_live(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
    int64_t id = test_db_add(db, 1);
    struct journal_run before;
    struct journal_stat s = {.state = BTC_STATE_DOWNLOADING,
                             .down_rate = 9,
                             .up_rate = 8,
                             .eta_s = 7,
                             .peers = 6,
                             .seeds = 5};
    struct journal_peer p = {.address = "10.0.0.1",
                             .port = 1,
                             .source = "dht",
                             .connected = true,
                             .down_rate = 4};
    assert_int_equal(journal_begin_run(db, &before, NULL), 0);
    struct journal_batch *b = journal_batch_new();
    journal_put_stat(b, id, &s);
    journal_put_peer(b, id, &p);
    assert_int_equal(journal_apply(db, b, NULL), 0);
    journal_batch_free(b);
    TEST_DB_IS(t->path, live_sql, "downloading 9 8 7 6 5 1 4");
    assert_int_equal(journal_set_wish(db, id, "wanted", "pause", NULL), 0);
    TEST_DB_IS(t->path, live_sql, "downloading 9 8 7 6 5 1 4");
    /* nothing was written for long: it was killed */
    assert_int_equal(
        test_db_sql(t->path,
                    "UPDATE torrent_stat SET updated_at = updated_at - 60;"
                    "UPDATE run SET heartbeat_at = heartbeat_at - 60"),
        SQLITE_OK);
    TEST_DB_IS(t->path, live_sql, "paused 0 0 - 0 0 0 0");
    assert_int_equal(journal_set_wish(db, id, "wanted", "run", NULL), 0);
    TEST_DB_IS(t->path, live_sql, "queued 0 0 - 0 0 0 0");
    /* a heartbeat alone brings it back */
    b = journal_batch_new();
    journal_put_heartbeat(b);
    assert_int_equal(journal_apply(db, b, NULL), 0);
    journal_batch_free(b);
    TEST_DB_IS(t->path, live_sql, "downloading 9 8 7 6 5 1 4");
    /* so does an engine that has nothing else to write */
    assert_int_equal(
        test_db_sql(t->path, "UPDATE torrent_stat SET updated_at = 1;"
                             "UPDATE run SET heartbeat_at = 1, alive_at = 1"),
        SQLITE_OK);
    TEST_DB_IS(t->path, "SELECT state FROM progress", "queued");
    b = journal_batch_new();
    journal_put_alive(b);
    assert_int_equal(journal_apply(db, b, NULL), 0);
    journal_batch_free(b);
    TEST_DB_IS(t->path, "SELECT state FROM progress", "downloading");
    TEST_DB_IS(t->path, "SELECT heartbeat_at FROM run", "1");
    /* an idle seed writes nothing, and keeps its peers */
    assert_int_equal(
        test_db_sql(t->path,
                    "UPDATE torrent_stat SET updated_at = 1, state = 'seeding',"
                    " down_rate = 0, up_rate = 0;"
                    "UPDATE run SET heartbeat_at = 1, alive_at = NULL"),
        SQLITE_OK);
    TEST_DB_IS(t->path, live_sql, "seeding 0 0 - 6 5 1 0");
    /* the end of the run ends it all */
    b = journal_batch_new();
    journal_put_run_end(b);
    assert_int_equal(journal_apply(db, b, NULL), 0);
    journal_batch_free(b);
    TEST_DB_IS(t->path, live_sql, "complete 0 0 - 0 0 0 0");
    journal_close(db);
}

/* Sums what piece_map gives. */
struct map {
    size_t n, missing, partial, verified;
    int64_t blocks_done, blocks_total, last;
};

static int on_piece(void *ctx, const struct journal_value *v, size_t n)
{
    struct map *m = ctx;
    assert_int_equal(n, 6);
    assert_string_equal(v[1].column, "piece");
    assert_int_equal(v[1].i, m->last + 1); /* in order, none left out */
    m->last = v[1].i;
    m->n++;
    m->missing += slice_eq_str(v[2].text, "missing");
    m->partial += slice_eq_str(v[2].text, "partial");
    m->verified += slice_eq_str(v[2].text, "verified");
    m->blocks_done += v[3].i;
    m->blocks_total += v[4].i;
    assert_int_equal(v[5].type, slice_eq_str(v[2].text, "verified")
                                    ? JOURNAL_INT
                                    : JOURNAL_NULL);
    return 0;
}

static void test_piece_map(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_db_add(db, 1);
    (void)test_db_add(db, 2);
    struct journal_batch *b = journal_batch_new();
    journal_put_piece(b, id, 4, 99); /* the short one: 18928 bytes */
    journal_put_block(b, id, 2, 0);
    journal_put_block(b, id, 2, 3);
    assert_int_equal(journal_apply(db, b, NULL), 0);
    journal_batch_free(b);
    struct map m = {.last = -1};
    assert_int_equal(
        journal_query_view(db, "piece_map", id, 0, on_piece, &m, NULL), 0);
    assert_int_equal(m.n, 5);
    assert_int_equal(m.missing, 3);
    assert_int_equal(m.partial, 1);
    assert_int_equal(m.verified, 1);
    assert_int_equal(m.blocks_done, 4);
    assert_int_equal(m.blocks_total, 18);
    /* past the borders of the counting's digits */
    assert_int_equal(
        test_db_sql(t->path,
                    "INSERT INTO torrent (info_hash, name, save_path,"
                    " total_size, piece_length, n_pieces, n_files) VALUES"
                    " ('00000000000000000000000000000000000000ff', 'big', '/b',"
                    " 16384 * 131073 - 1, 16384, 131073, 1)"),
        SQLITE_OK);
    m = (struct map){.last = -1};
    assert_int_equal(
        journal_query_view(db, "piece_map", 3, 0, on_piece, &m, NULL), 0);
    assert_int_equal(m.n, 131073);
    assert_int_equal(m.blocks_total, 131073);
    m = (struct map){.last = -1};
    assert_int_equal(
        journal_query_view(db, "piece_map", 3, 10, on_piece, &m, NULL), 0);
    assert_int_equal(m.n, 10);
    journal_close(db);
}

/* Keeps the text of the first column that has a name. */
struct pick {
    const char *column;
    size_t rows;
    char text[256];
    int stop_with;
};

static int on_row(void *ctx, const struct journal_value *v, size_t n)
{
    struct pick *p = ctx;
    p->rows++;
    for (size_t i = 0; i < n; i++) {
        size_t at = strlen(p->text);
        if (strcmp(v[i].column, p->column) != 0) {
            continue;
        }
        if (v[i].type == JOURNAL_TEXT) {
            (void)snprintf(p->text + at, sizeof(p->text) - at, "%.*s,",
                           (int)v[i].text.len, (const char *)v[i].text.p);
        } else if (v[i].type == JOURNAL_INT) {
            (void)snprintf(p->text + at, sizeof(p->text) - at, "%lld,",
                           (long long)v[i].i);
        } else {
            (void)snprintf(p->text + at, sizeof(p->text) - at, "%s,",
                           v[i].type == JOURNAL_REAL ? "real" : "null");
        }
    }
    return p->stop_with;
}

static void test_query(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    (void)test_db_add(db, 1);
    (void)test_db_add(db, 2);
    struct journal_batch *b = journal_batch_new();
    for (int i = 0; i < 5; i++) {
        char text[12];
        (void)snprintf(text, sizeof(text), "%d", i);
        journal_put_event(b, i % 2 + 1, LEVEL_INFO, "k", text);
    }
    assert_int_equal(journal_apply(db, b, NULL), 0);
    journal_batch_free(b);
    const struct {
        const char *view;
        int64_t id;
        int64_t limit;
        const char *column;
        const char *want;
    } rows[] = {
        {"progress", 0, 0, "name", "torrent 1,torrent 2,"},
        {"progress", 2, 0, "name", "torrent 2,"},
        {"progress", 0, 1, "percent", "real,"},
        {"progress", 1, 0, "error", "null,"},
        {"progress", 1, 0, "info_hash",
         "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1,"},
        {"progress", 9, 0, "name", ""},
        {"file_progress", 1, 0, "file", "0,2,"}, /* no pads */
        {"file_progress", 0, 3, "path", "x/one,x/two,x/one,"},
        {"peer_list", 2, 0, "address", "10.1.2.3,"},
        {"tracker_list", 1, 0, "tier", "0,1,"},
        {"log", 0, 0, "text", "0,1,2,3,4,"},
        {"log", 0, 2, "text", "3,4,"}, /* the newest, in order */
        {"log", 1, 2, "text", "2,4,"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pick p = {.column = rows[i].column};
        struct err e = {0};
        assert_int_equal(journal_query_view(db, rows[i].view, rows[i].id,
                                            rows[i].limit, on_row, &p, &e),
                         0);
        assert_string_equal(p.text, rows[i].want);
    }
    struct err e = {0};
    struct pick p = {.column = "x", .stop_with = -77};
    assert_int_equal(journal_query_view(db, "progress", 0, 0, on_row, &p, &e),
                     -77);
    assert_int_equal(p.rows, 1);
    assert_int_equal(
        journal_query_view(db, "sqlite_schema", 0, 0, on_row, &p, &e),
        BTC_E_USAGE);
    assert_int_equal(journal_query_view(db, "why", 0, 0, on_row, &p, &e),
                     BTC_E_UNSUPPORTED);
    journal_close(db);
}

/* Without an engine's lock nothing moves, however fresh the rows look. */
static void test_no_engine(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
    int64_t id = test_db_add(db, 1);
    struct journal_run before;
    struct journal_stat s = {.state = BTC_STATE_DOWNLOADING,
                             .down_rate = 9,
                             .up_rate = 8,
                             .eta_s = 7,
                             .peers = 6,
                             .seeds = 5};
    assert_int_equal(journal_begin_run(db, &before, NULL), 0);
    put_stat(db, id, &s);
    assert_int_equal(journal_set_wish(db, id, "wanted", "pause", NULL), 0);
    static const char *const columns[] = {"down_rate", "peers", "eta_s",
                                          "state"};
    static const char *const running[] = {"9,", "6,", "7,", "downloading,"};
    static const char *const killed[] = {"0,", "0,", "null,", "paused,"};
    for (size_t i = 0; i < 8; i++) {
        struct pick p = {.column = columns[i % 4]};
        if (i == 4) {
            journal_close(db); /* without an end, as when killed */
        }
        struct journal *reader = test_db_open(t->path, JOURNAL_READ_ONLY);
        assert_int_equal(
            journal_query_view(reader, "progress", id, 0, on_row, &p, NULL), 0);
        assert_string_equal(p.text, i < 4 ? running[i] : killed[i - 4]);
        journal_close(reader);
    }
}

/* What a torrent is said to be, by what stands in its row and by whether an
 * engine works on it. */
static void test_states(void **state)
{
    static const struct {
        const char *wanted, *stored; /* as they stand in the tables */
        const char *now;             /* an engine wrote a moment ago */
        const char *killed;          /* it wrote long ago, and has not ended */
        const char *ended;
    } rows[] = {
        {"run", "queued", "queued", "queued", "queued"},
        {"run", "checking", "checking", "queued", "queued"},
        {"run", "downloading", "downloading", "queued", "queued"},
        {"run", "seeding", "seeding", "seeding", "complete"},
        {"run", "complete", "complete", "complete", "complete"},
        {"run", "metadata", "metadata", "metadata", "metadata"},
        {"run", "error", "error", "error", "error"},
        {"run", "waiting-space", "waiting-space", "waiting-space",
         "waiting-space"},
        {"pause", "downloading", "downloading", "paused", "paused"},
        {"pause", "queued", "queued", "paused", "paused"},
        {"pause", "complete", "complete", "complete", "complete"},
        {"remove", "complete", "removing", "removing", "removing"},
        {"remove-data", "seeding", "removing", "removing", "removing"},
        {"remove-data", "paused", "removing", "removing", "removing"},
        {"remove", "metadata", "removing", "removing", "removing"},
        {"remove-data", "waiting-space", "removing", "removing", "removing"},
        {"remove-data", "error", "error", "error", "error"},
        {"remove-data", "waiting-storage", "waiting-storage", "waiting-storage",
         "waiting-storage"},
    };
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
    struct journal_run before;
    int64_t id = test_db_add(db, 1);
    TEST_DB_IS(t->path, "SELECT state FROM progress", "queued");
    assert_int_equal(journal_begin_run(db, &before, NULL), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[200];
        (void)snprintf(text, sizeof(text),
                       "UPDATE torrent SET wanted = '%s';"
                       "UPDATE torrent_stat SET state = '%s', updated_at = 1",
                       rows[i].wanted, rows[i].stored);
        assert_int_equal(test_db_sql(t->path, text), SQLITE_OK);
        static const char *const runs[] = {
            "UPDATE run SET ended_at = NULL, heartbeat_at = unixepoch()",
            "UPDATE run SET ended_at = NULL, heartbeat_at = 1",
            "UPDATE run SET ended_at = unixepoch(), heartbeat_at = 2"};
        const char *const want[] = {rows[i].now, rows[i].killed, rows[i].ended};
        for (size_t k = 0; k < 3; k++) {
            assert_int_equal(test_db_sql(t->path, runs[k]), SQLITE_OK);
            TEST_DB_IS(t->path, "SELECT state FROM progress", want[k]);
        }
    }
    assert_true(id > 0);
    journal_close(db);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, test_db_setup, test_db_teardown)
    const struct CMUnitTest tests[] = {
        T(test_names),     T(test_silence), T(test_percent),   T(test_live),
        T(test_piece_map), T(test_query),   T(test_no_engine), T(test_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
