/* Rows in, rows out: what is put into a batch is what is loaded, all of it or
 * nothing. And wishes: of the program and of people with sqlite3.
 */
#include "journal/db_kit.h"

#include "journal/batch.h"
#include "journal/find.h"
#include "journal/internal.h"
#include "journal/load.h"
#include "journal/removal.h"
#include "journal/runs.h"
#include "model/names.h"

/* Applies and frees a batch; it must work. */
static void apply(struct journal *db, struct journal_batch *b)
{
    struct err e = {0};
    int code = journal_apply(db, b, &e);
    if (code != 0) {
        print_error("journal_apply: %s\n", e.msg);
    }
    assert_int_equal(code, 0);
    journal_batch_free(b);
}

static void test_add_and_load(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_db_add(db, 1);
    assert_true(test_db_add(db, 2) > id);
    struct journal_torrent *torrents;
    struct journal_file *files;
    struct journal_tracker *trackers;
    struct journal_peer *peers;
    size_t n;
    assert_int_equal(journal_load_torrents(db, &torrents, &n, NULL), 0);
    assert_int_equal(n, 2);
    assert_int_equal(torrents[0].id, id);
    assert_string_equal(torrents[0].name, "torrent 1");
    assert_string_equal(torrents[0].save_path, "/srv/data");
    assert_int_equal(torrents[0].info_hash[19], 0xa1);
    assert_int_equal(torrents[0].wanted, WANTED_RUN);
    assert_int_equal(torrents[0].seed_mode, SEED_MODE_RATIO);
    assert_int_equal(torrents[0].seed_goal, 2000);
    assert_int_equal(torrents[0].total_size, 281072);
    assert_int_equal(torrents[0].piece_length, 65536);
    assert_int_equal(torrents[0].n_pieces, 5);
    assert_int_equal(torrents[0].n_files, 3);
    assert_null(torrents[0].label);
    assert_true(torrents[0].added_at > 1000000000);
    journal_torrents_free(torrents, n);
    assert_int_equal(journal_load_files(db, id, &files, &n, NULL), 0);
    assert_int_equal(n, 3);
    assert_string_equal(files[0].path, "x/one");
    assert_true(files[1].pad);
    assert_int_equal(files[2].offset, 131072);
    assert_int_equal(files[2].length, 150000);
    assert_int_equal(files[2].state.priority, 4);
    assert_false(files[2].state.has_print);
    journal_files_free(files, n);
    assert_int_equal(journal_load_trackers(db, id, &trackers, &n, NULL), 0);
    assert_int_equal(n, 2);
    assert_string_equal(trackers[0].url, "http://tracker.test/announce");
    assert_int_equal(trackers[1].tier, 1);
    assert_int_equal(trackers[1].seeders, -1);
    journal_trackers_free(trackers, n);
    assert_int_equal(journal_load_peers(db, id, 100, &peers, &n, NULL), 0);
    assert_int_equal(n, 1);
    assert_string_equal(peers[0].address, "10.1.2.3");
    assert_int_equal(peers[0].port, 6881);
    assert_string_equal(peers[0].source, "user");
    free(peers);
    uint8_t *info;
    assert_int_equal(journal_load_info(db, id, &info, &n, NULL), 0);
    assert_int_equal(n, 11);
    assert_memory_equal(info, "d4:name1:xe", 11);
    free(info);
    struct err e = {0};
    assert_int_equal(journal_load_info(db, 99, &info, &n, &e), BTC_E_NOTFOUND);
    struct journal_stat stat;
    assert_int_equal(journal_load_stat(db, id, &stat, NULL), 0);
    assert_int_equal(stat.state, BTC_STATE_QUEUED);
    assert_int_equal(stat.bytes_total, 250000); /* no pads */
    assert_int_equal(stat.eta_s, -1);
    assert_int_equal(journal_load_stat(db, 99, &stat, &e), BTC_E_NOTFOUND);
    journal_close(db);
    TEST_DB_IS(t->path, "SELECT url FROM web_seed", "http://seed.test/x/");
}

static void test_add_again(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_db_add(db, 1);
    int64_t again = 0;
    char name[] = "n";
    char path[] = "/p";
    char bad[] = "relative";
    char url[] = "http://other.test/a";
    char no_url[] = "what";
    struct err e = {0};
    struct journal_add a = {.torrent = {.name = name, .save_path = path}};
    memset(a.torrent.info_hash, 0xa1, 20);
    assert_int_equal(journal_add_torrent(db, &a, &again, &e), BTC_E_EXISTS);
    assert_int_equal(again, id);
    /* what the schema refuses leaves nothing behind */
    memset(a.torrent.info_hash, 1, 20);
    a.torrent.save_path = bad;
    assert_int_equal(journal_add_torrent(db, &a, &again, &e), BTC_E_USAGE);
    assert_non_null(strstr(e.msg, "save_path must be an absolute path"));
    TEST_DB_IS(t->path, "SELECT count(*) FROM torrent", "1");
    /* sources of a known one; a url that is none is left out */
    struct journal_tracker trackers[] = {{.url = url, .tier = 2},
                                         {.url = no_url}};
    struct journal_peer peers[] = {
        {.address = "10.1.2.3", .port = 6881, .source = "tracker"},
        {.address = "2001:db8::1", .port = 1}};
    a.trackers = trackers;
    a.n_trackers = 2;
    a.peers = peers;
    a.n_peers = 2;
    assert_int_equal(journal_add_sources(db, id, &a, &e), 0);
    assert_int_equal(journal_add_sources(db, id, &a, &e), 0);
    assert_int_equal(journal_add_sources(db, 77, &a, &e), BTC_E_NOTFOUND);
    journal_close(db);
    TEST_DB_IS(t->path, "SELECT count(*) FROM tracker", "3");
    TEST_DB_IS(t->path,
               "SELECT group_concat(address || source, ' ') FROM"
               " (SELECT * FROM peer ORDER BY address)",
               "10.1.2.3user 2001:db8::1user");
}

/* Somebody has a rule that no address belongs to two torrents: it is his that
 * counts, and the row of the other torrent is nobody's to change. */
static void test_add_against_a_rule(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    struct journal_peer peer = {.address = "10.1.2.3", .port = 6881};
    struct journal_add a = {.peers = &peer, .n_peers = 1};
    struct err e = {0};
    (void)test_db_add(db, 1);
    int64_t id = test_db_add(db, 2);
    assert_int_equal(
        test_db_sql(t->path,
                    "DELETE FROM peer WHERE torrent_id = 2;"
                    "UPDATE peer SET source = 'tracker';"
                    "CREATE UNIQUE INDEX rule ON peer (address, port)"),
        SQLITE_OK);
    assert_int_equal(journal_add_sources(db, id, &a, &e), BTC_E_USAGE);
    assert_non_null(strstr(e.msg, "UNIQUE"));
    journal_close(db);
    TEST_DB_IS(t->path, "SELECT group_concat(torrent_id || source) FROM peer",
               "1tracker");
}

static char batch_url[] = "udp://tracker.test:6969";
#define BATCH_FILE 2
static const struct journal_file_state batch_file = {.has_print = true,
                                                     .dev = UINT64_MAX,
                                                     .ino = 1ull << 63,
                                                     .size = 77,
                                                     .mtime_ns = -5,
                                                     .ctime_ns = -4,
                                                     .since = 9,
                                                     .bytes_done = 65000};
static const struct journal_tracker batch_tracker = {.url = batch_url,
                                                     .state = "working",
                                                     .last_announce = 10,
                                                     .next_announce = 20,
                                                     .seeders = 0,
                                                     .leechers = -1,
                                                     .error =
                                                         "bad \x1b[31m\xff",
                                                     .tracker_id = "tid"};
static const struct journal_stat batch_stat = {.state = BTC_STATE_DOWNLOADING,
                                               .bytes_done = 65000,
                                               .bytes_total = 250000,
                                               .pieces_done = 1,
                                               .down_rate = 5000,
                                               .up_rate = 6,
                                               .eta_s = 37,
                                               .peers = 3,
                                               .seeds = 2,
                                               .downloaded = 70000,
                                               .uploaded = 35000,
                                               .wasted = 3,
                                               .error_code = -9,
                                               .error = "no space",
                                               .checked_to = 4,
                                               .seeding_s = 8,
                                               .root_dev = UINT64_MAX - 1};

/* Every kind of fact. */
static void put_all(struct journal *db, int64_t id)
{
    struct journal_batch *b = journal_batch_new();
    assert_true(journal_batch_is_empty(b));
    assert_int_equal(journal_apply(db, b, NULL), 0);
    journal_put_block(b, id, 1, 3);
    journal_put_block(b, id, 1, 1);
    journal_put_block(b, id, 2, 0);
    journal_put_block(b, id, 2, 0); /* twice is once */
    journal_put_piece(b, id, 0, 1234);
    journal_put_file(b, id, BATCH_FILE, &batch_file);
    journal_put_tracker(b, id, &batch_tracker);
    journal_put_stat(b, id, &batch_stat);
    journal_put_event(b, id, LEVEL_WARN, "file", "one is missing");
    journal_put_event(b, 0, LEVEL_INFO, "start", "");
    journal_put_heartbeat(b);
    assert_false(journal_batch_is_empty(b));
    assert_true(test_db_batch_bytes(b) > 1000);
    apply(db, b);
}

/* What put_all put is what is loaded. */
static void expect_all(struct journal *db, int64_t id)
{
    struct journal_block *blocks;
    struct journal_piece *pieces;
    struct journal_file *files;
    struct journal_tracker *trackers;
    struct journal_stat got;
    size_t n;
    assert_int_equal(journal_load_blocks(db, id, &blocks, &n, NULL), 0);
    assert_int_equal(n, 3);
    assert_int_equal(blocks[0].block, 1);
    assert_int_equal(blocks[1].block, 3);
    assert_int_equal(blocks[2].piece, 2);
    free(blocks);
    assert_int_equal(journal_load_pieces(db, id, &pieces, &n, NULL), 0);
    assert_int_equal(n, 1);
    assert_int_equal(pieces[0].verified_at, 1234);
    free(pieces);
    assert_int_equal(journal_load_files(db, id, &files, &n, NULL), 0);
    assert_true(files[2].state.has_print);
    assert_true(files[2].state.dev == UINT64_MAX &&
                files[2].state.ino == 1ull << 63);
    assert_int_equal(files[2].state.size, 77);
    assert_int_equal(files[2].state.mtime_ns, -5);
    assert_int_equal(files[2].state.ctime_ns, -4);
    assert_int_equal(files[2].state.since, 9);
    assert_int_equal(files[2].state.bytes_done, 65000);
    journal_files_free(files, n);
    assert_int_equal(journal_load_trackers(db, id, &trackers, &n, NULL), 0);
    assert_string_equal(trackers[1].state, "working");
    assert_string_equal(trackers[1].error, "bad ?[31m?");
    assert_string_equal(trackers[1].tracker_id, "tid");
    assert_int_equal(trackers[1].seeders, 0);
    assert_int_equal(trackers[1].leechers, -1);
    assert_int_equal(trackers[1].next_announce, 20);
    journal_trackers_free(trackers, n);
    memset(&got, 0, sizeof(got));
    assert_int_equal(journal_load_stat(db, id, &got, NULL), 0);
    assert_true(got.updated_at > 0 && got.updated_at <= journal_now());
    got.updated_at = 0;           /* is not put */
    got.error = batch_stat.error; /* is not loaded */
    assert_memory_equal(&got, &batch_stat, sizeof(got));
}

/* A time that the small field cannot hold is never before a piece's. */
static void test_file_since(void **state)
{
    static const struct {
        int64_t in, out;
    } cases[] = {{0, 0},
                 {-7, 0},
                 {INT64_MIN, 0},
                 {1, 1},
                 {UINT32_MAX - 1, UINT32_MAX - 1},
                 {UINT32_MAX, INT64_MAX},
                 {(int64_t)UINT32_MAX + 5, INT64_MAX},
                 {INT64_MAX, INT64_MAX}};
    struct journal_file_state f = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        journal_file_set_since(&f, cases[i].in);
        assert_true(journal_file_since(&f) == cases[i].out);
    }
}

/* Facts that replace others: a piece takes its blocks with it. */
static void put_more(struct journal *db, int64_t id)
{
    struct journal_file_state f = batch_file;
    struct journal_stat s = batch_stat;
    struct journal_batch *b = journal_batch_new();
    journal_put_piece(b, id, 1, 2000);
    journal_put_piece(b, id, 0, 3000);
    journal_del_blocks(b, id, 2);
    f.has_print = false;
    journal_put_file(b, id, BATCH_FILE, &f);
    s.uploaded += 100;
    s.eta_s = -1;
    s.error = NULL;
    journal_put_stat(b, id, &s);
    apply(db, b);
}

static void test_batch(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
    struct journal_run before;
    int64_t id = test_db_add(db, 1);
    assert_int_equal(journal_begin_run(db, &before, NULL), 0);
    put_all(db, id);
    expect_all(db, id);
    TEST_DB_IS(t->path, "SELECT error FROM torrent_stat", "no space");
    put_more(db, id);
    TEST_DB_IS(t->path, "SELECT count(*) FROM block", "0");
    TEST_DB_IS(t->path,
               "SELECT group_concat(piece || ':' || verified_at) FROM piece",
               "0:3000,1:2000");
    TEST_DB_IS(t->path, "SELECT count(*) FROM file WHERE dev IS NULL", "3");
    TEST_DB_IS(t->path,
               "SELECT sum(downloaded) || ' ' || sum(uploaded) FROM history",
               "70000 35100");
    TEST_DB_IS(t->path, "SELECT eta_s IS NULL AND error IS NULL FROM progress",
               "1");
    struct journal_batch *b = journal_batch_new();
    journal_del_piece(b, id, 1);
    journal_put_run_end(b);
    apply(db, b);
    TEST_DB_IS(t->path, "SELECT count(*) FROM piece", "1");
    TEST_DB_IS(t->path, "SELECT ended_at > 0 FROM run", "1");
    TEST_DB_IS(t->path, "SELECT down_rate + peers FROM torrent_stat", "0");
    journal_close(db);
}

static void test_append(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_db_add(db, 1);
    struct journal_batch *a = journal_batch_new();
    struct journal_batch *b = journal_batch_new();
    journal_put_event(a, id, LEVEL_INFO, "one", "first");
    journal_put_event(b, id, LEVEL_INFO, "two", "second");
    journal_put_block(b, id, 0, 0);
    journal_put_event(b, id, LEVEL_INFO, "three", "third");
    journal_batch_append(a, b);
    assert_true(journal_batch_is_empty(b));
    journal_put_event(b, id, LEVEL_INFO, "four", "fourth");
    journal_batch_append(a, b);
    journal_batch_append(a, b);
    apply(db, a);
    journal_batch_free(b);
    journal_batch_free(NULL);
    journal_close(db);
    TEST_DB_IS(t->path, "SELECT group_concat(kind || '-' || text) FROM log",
               "one-first,two-second,three-third,four-fourth");
}

/* Only what changed is written: the same facts again write no row. */
static void test_unchanged(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_db_add(db, 1);
    struct journal_stat s = {.state = BTC_STATE_SEEDING, .eta_s = -1};
    struct journal_peer p = {.address = "10.0.0.9",
                             .port = 5,
                             .source = "dht",
                             .client = "x",
                             .last_seen = 7};
    struct journal_file_state f = {.has_print = true, .dev = 1};
    struct journal_tracker tr = {
        .state = "working", .seeders = -1, .leechers = 2};
    char url[] = "udp://tracker.test:6969";
    tr.url = url;
    int before = 0;
    for (int i = 0; i < 3; i++) {
        struct journal_batch *b = journal_batch_new();
        journal_put_stat(b, id, &s);
        journal_put_peer(b, id, &p);
        journal_put_file(b, id, 0, &f);
        journal_put_tracker(b, id, &tr);
        journal_put_piece(b, id, 3, 77);
        journal_put_block(b, id, 2, 2);
        apply(db, b);
        if (i > 0) {
            assert_int_equal(sqlite3_total_changes(db->sql), before);
        }
        before = sqlite3_total_changes(db->sql);
    }
    journal_close(db);
}

/* What belongs to a torrent that is gone is skipped; the rest stays whole. */
static void test_gone(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t gone = test_db_add(db, 1);
    int64_t id = test_db_add(db, 2);
    struct journal_batch *b = journal_batch_new();
    struct journal_removal r;
    assert_int_equal(journal_set_wish(db, gone, "wanted", "remove", NULL), 0);
    assert_int_equal(journal_remove_torrent(db, gone, false, &r, NULL), 0);
    assert_int_equal(r.step, JOURNAL_REMOVAL_GONE);
    journal_put_block(b, gone, 0, 1);
    journal_put_event(b, gone, LEVEL_INFO, "x", "y");
    journal_put_block(b, id, 0, 2);
    journal_put_block(b, gone, 0, 3);
    journal_put_block(b, 4711, 0, 4);
    journal_put_verify_done(b, 4711, INT64_MAX);
    journal_put_event(b, 0, LEVEL_INFO, "gone", "it is removed");
    apply(db, b);
    TEST_DB_IS(t->path, "SELECT group_concat(block) FROM block", "2");
    TEST_DB_IS(t->path, "SELECT group_concat(kind) FROM event", "removed,gone");
    static const char *const tables[] = {"torrent_stat WHERE torrent_id = 1",
                                         "metainfo WHERE torrent_id = 1",
                                         "file WHERE torrent_id = 1",
                                         "tracker WHERE torrent_id = 1",
                                         "web_seed WHERE torrent_id = 1",
                                         "peer WHERE torrent_id = 1",
                                         "torrent WHERE id = 1"};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        char sql[96];
        (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", tables[i]);
        TEST_DB_IS(t->path, sql, "0");
    }
    /* its id is not given away again */
    assert_true(test_db_add(db, 1) > id);
    journal_close(db);
}

/* Whatever was wished when a removal began: what is wished now is done. */
static void test_removal(void **state)
{
    struct test_db *t = *state;
    static const struct {
        const char *wanted;
        bool data_gone;
        enum journal_removal_step step;
        const char *left; /* rows of torrent, piece, block */
    } cases[] = {{"run", false, JOURNAL_REMOVAL_KEEP, "1 1 1"},
                 {"pause", false, JOURNAL_REMOVAL_KEEP, "1 1 1"},
                 {"remove-data", false, JOURNAL_REMOVAL_DELETE, "1 1 1"},
                 {"run", true, JOURNAL_REMOVAL_KEEP, "1 0 0"},
                 {"pause", true, JOURNAL_REMOVAL_KEEP, "1 0 0"},
                 {"remove-data", true, JOURNAL_REMOVAL_GONE, "0 0 0"},
                 {"remove", false, JOURNAL_REMOVAL_GONE, "0 0 0"},
                 {"remove", true, JOURNAL_REMOVAL_GONE, "0 0 0"}};
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t id = test_db_add(db, (unsigned)i + 1);
        struct journal_batch *b = journal_batch_new();
        struct journal_removal r;
        char left[32];
        journal_put_piece(b, id, 0, 7);
        journal_put_block(b, id, 1, 0);
        apply(db, b);
        assert_int_equal(
            journal_set_wish(db, id, "wanted", cases[i].wanted, NULL), 0);
        assert_int_equal(
            journal_remove_torrent(db, id, cases[i].data_gone, &r, NULL), 0);
        assert_int_equal(r.step, cases[i].step);
        assert_int_equal(r.n_files > 0, r.step == JOURNAL_REMOVAL_DELETE);
        journal_removal_fini(&r);
        (void)test_db_get(t->path,
                          "SELECT (SELECT count(*) FROM torrent) || ' ' ||"
                          " (SELECT count(*) FROM piece) || ' ' ||"
                          " (SELECT count(*) FROM block)",
                          left, sizeof(left));
        assert_string_equal(left, cases[i].left);
        assert_int_equal(journal_set_wish(db, id, "wanted", "remove", NULL),
                         r.step == JOURNAL_REMOVAL_GONE ? BTC_E_NOTFOUND : 0);
        assert_int_equal(journal_remove_torrent(db, id, false, &r, NULL), 0);
        assert_int_equal(r.step,
                         JOURNAL_REMOVAL_GONE); /* also when it was gone */
    }
    TEST_DB_IS(t->path, "SELECT count(*) FROM event WHERE kind = 'removed'",
               "8");
    journal_close(db);
}

static void test_flags_back(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_db_add(db, 1);
    assert_int_equal(journal_set_wish(db, id, "verify_since", "99", NULL), 0);
    assert_int_equal(journal_set_wish(db, id, "accept_loss", "1", NULL), 0);
    TEST_DB_IS(t->path, "SELECT verify_since + accept_loss FROM torrent",
               "100");
    struct journal_batch *b = journal_batch_new();
    journal_put_verify_done(b, id, INT64_MAX);
    journal_put_accepted_loss(b, id);
    apply(db, b);
    TEST_DB_IS(t->path, "SELECT verify_since + accept_loss FROM torrent", "0");
    journal_close(db);
}

/* A failing commit leaves nothing, and the batch goes in when there is room. */
static void test_full(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_db_add(db, 1);
    struct journal_batch *b = journal_batch_new();
    struct err e = {0};
    journal_put_piece(b, id, 4, 5);
    for (uint32_t i = 0; i < 50000; i++) {
        journal_put_block(b, id, i / 16, i % 16);
    }
    int64_t pages;
    char sql[64];
    assert_int_equal(
        journal_query_int(db, "PRAGMA page_count", 0, &pages, NULL), 0);
    for (int64_t room = 0; room < 40; room += 7) {
        int64_t max = pages + room;
        (void)snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %lld",
                       (long long)max);
        assert_int_equal(journal_query_int(db, sql, 0, &(int64_t){0}, NULL), 0);
        assert_int_equal(journal_apply(db, b, &e), BTC_E_NOSPACE);
        assert_int_equal(e.code, BTC_E_NOSPACE);
        assert_non_null(strstr(e.msg, "make room"));
        TEST_DB_IS(t->path, "SELECT count(*) FROM piece", "0");
        TEST_DB_IS(t->path, "SELECT count(*) FROM block", "0");
    }
    assert_int_equal(journal_query_int(db, "PRAGMA max_page_count = 1000000", 0,
                                       &pages, NULL),
                     0);
    apply(db, b);
    TEST_DB_IS(t->path, "SELECT count(*) FROM block", "50000");
    TEST_DB_IS(t->path, "SELECT count(*) FROM piece", "1");
    journal_close(db);
}

/* Interrupts SQLite's n-th look at the handler. */
static int interrupt_nth(void *ctx)
{
    int *left = ctx;
    return --*left == 0;
}

/* Whatever instruction a commit fails at: all of it or nothing. */
static void test_nth_step(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_db_add(db, 1);
    bool done = false;
    for (int nth = 1; !done; nth += 3) {
        int left = nth;
        struct journal_batch *b = journal_batch_new();
        journal_put_piece(b, id, 0, 1);
        journal_put_block(b, id, 1, 1);
        journal_put_event(b, id, LEVEL_INFO, "k", "t");
        sqlite3_progress_handler(db->sql, 1, interrupt_nth, &left);
        int code = journal_apply(db, b, NULL);
        sqlite3_progress_handler(db->sql, 0, NULL, NULL);
        assert_true(sqlite3_get_autocommit(db->sql));
        char got[8];
        (void)test_db_get(t->path,
                          "SELECT (SELECT count(*) FROM piece)"
                          " + (SELECT count(*) FROM block)"
                          " + (SELECT count(*) FROM event)",
                          got, sizeof(got));
        /* Behind the commit, only the answer is interrupted. */
        done = strcmp(got, "3") == 0;
        assert_true(done || (code != 0 && strcmp(got, "0") == 0));
        journal_batch_free(b);
        assert_true(nth < 10000);
    }
    journal_close(db);
}

/* A record that the schema refuses is our bug, and says so. */
static void test_bug(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_db_add(db, 1);
    struct journal_stat s = {.state = BTC_STATE_HASHING};
    struct journal_batch *b = journal_batch_new();
    struct err e = {0};
    journal_put_stat(b, id, &s);
    assert_int_equal(journal_apply(db, b, &e), BTC_E_INTERNAL);
    assert_int_equal(e.code, BTC_E_INTERNAL);
    assert_non_null(strstr(e.msg, "state must be"));
    journal_batch_free(b);
    journal_close(db);
}

/* A reader that never ends holds up no commit; that the WAL grows behind him is
 * told once, and again when it has doubled. */
static void test_endless_reader(void **state)
{
    struct test_db *t = *state;
    static const char told[] =
        "SELECT count(*) FROM event WHERE kind = 'reader' AND level = 'warn'"
        " AND text LIKE '%-wal has grown to 1 MiB%'";
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
    int64_t id = test_db_add(db, 1);
    sqlite3 *other = test_db_foreign(t->path);
    assert_int_equal(db->wal_warn, JOURNAL_WAL_WARN);
    db->wal_warn = 1 << 20;
    assert_int_equal(sqlite3_exec(other, "BEGIN; SELECT * FROM run", 0, 0, 0),
                     SQLITE_OK);
    uint32_t n = 0;
    for (; journal_wal_size(t->path) < 2 << 20 && n < 5000; n++) {
        struct journal_batch *b = journal_batch_new();
        journal_put_block(b, id, n, 0);
        assert_int_equal(journal_apply(db, b, NULL), 0);
        journal_batch_free(b);
    }
    assert_true(n < 5000);
    TEST_DB_IS(t->path, told, "1");
    assert_true(db->wal_warn >= 2 << 20);
    (void)sqlite3_close(other);
    journal_close(db);
}

/* The worst go, but who is connected or was named by hand stays. */
static void test_trim_peers(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_db_add(db, 1);
    struct journal_batch *b = journal_batch_new();
    char got[40];
    for (unsigned i = 0; i < 5000; i++) {
        struct journal_peer p = {
            .port = 1, .connected = i == 1, .bytes_down = i};
        (void)snprintf(p.source, sizeof(p.source), "%s",
                       i == 0 ? "user" : "tracker");
        (void)snprintf(p.address, sizeof(p.address), "10.0.%u.%u", i / 256,
                       i % 256);
        journal_put_peer(b, id, &p);
    }
    journal_trim_peers(b, id);
    assert_int_equal(journal_apply(db, b, NULL), 0);
    (void)test_db_get(t->path,
                      "SELECT count(*) || ' ' || min(bytes_down) || ' ' ||"
                      " sum(bytes_down < 999) FROM peer",
                      got, sizeof(got));
    assert_string_equal(got, "4001 0 3"); /* two users: test_db_add's */
    journal_batch_free(b);
    journal_close(db);
}

static void test_peers(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_db_add(db, 1);
    struct journal_run before;
    struct journal_batch *b = journal_batch_new();
    for (unsigned i = 0; i < 700; i++) {
        struct journal_peer p = {.port = 1,
                                 .source = "tracker",
                                 .connected = true,
                                 .down_rate = 5,
                                 .bytes_down = i,
                                 .banned = i > 690};
        (void)snprintf(p.address, sizeof(p.address), "10.0.%u.%u", i / 256,
                       i % 256);
        journal_put_peer(b, id, &p);
    }
    struct journal_peer user = {.address = "10.1.2.3",
                                .port = 6881,
                                .source = "pex",
                                .client = "c\xc3\xa4\x01"};
    journal_put_peer(b, id, &user);
    user.port = 0; /* nobody can dial it */
    journal_put_peer(b, id, &user);
    journal_del_peer(b, id, "10.0.2.100", 1);
    apply(db, b);
    assert_int_equal(journal_begin_run(db, &before, NULL), 0);
    TEST_DB_IS(t->path, "SELECT count(*) FROM peer", "500");
    TEST_DB_IS(t->path, "SELECT sum(connected + down_rate) FROM peer", "0");
    struct journal_peer *peers;
    size_t n;
    assert_int_equal(journal_load_peers(db, id, 3, &peers, &n, NULL), 0);
    assert_int_equal(n, 3);
    assert_string_equal(peers[0].source, "user"); /* stays the user's */
    assert_string_equal(peers[0].client, "c\xc3\xa4?");
    assert_int_equal(peers[1].bytes_down, 690);
    assert_false(peers[1].banned);
    free(peers);
    TEST_DB_IS(t->path, "SELECT count(*) FROM peer WHERE address='10.0.2.100'",
               "0");
    journal_close(db);
}

static void test_runs(void **state)
{
    struct test_db *t = *state;
    struct journal_run before;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
    assert_int_equal(journal_begin_run(db, &before, NULL), 0);
    assert_int_equal(before.id, 0);
    journal_close(db); /* as after a kill: no end */
    db = test_db_open(t->path, JOURNAL_ENGINE);
    assert_int_equal(journal_begin_run(db, &before, NULL), 0);
    assert_int_equal(before.id, 1);
    assert_int_equal(before.ended_at, 0);
    assert_true(before.started_at > 0 && before.heartbeat_at > 0);
    if (access("/proc/sys/kernel/random/boot_id", R_OK) == 0) {
        assert_int_equal(strlen(before.boot_id), 36);
    }
    struct journal_batch *b = journal_batch_new();
    journal_put_run_end(b);
    apply(db, b);
    journal_close(db);
    db = test_db_open(t->path, JOURNAL_ENGINE);
    assert_int_equal(journal_begin_run(db, &before, NULL), 0);
    assert_int_equal(before.id, 2);
    assert_true(before.ended_at > 0);
    journal_close(db);
    TEST_DB_IS(t->path, "SELECT version FROM run", BTC_VERSION);
}

static void test_find(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t one = test_db_add(db, 1);
    int64_t two = test_db_add(db, 2);
    int64_t id;
    struct err e = {0};
    const struct {
        const char *text;
        int64_t want; /* 0: not found */
    } rows[] = {
        {"1", one},
        {"2", two},
        {"3", 0},
        {"-1", 0},
        {"torrent 1", one},
        {"torrent", 0},
        {"a1a1", one},
        {"A2A2a2", two},
        {"a1a", 0},
        {"", 0},
        {"zzzz", 0},
        {"a1a1%", 0},
        {"a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1", one},
        {"a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1", 0},
        {"99999999999999999999999", 0},
        {"9223372036854775807", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int code = journal_find(db, rows[i].text, &id, &e);
        if (id != rows[i].want) {
            print_error("'%s'\n", rows[i].text);
        }
        assert_int_equal(id, rows[i].want);
        assert_int_equal(code, rows[i].want ? 0 : BTC_E_NOTFOUND);
    }
    assert_int_equal(
        test_db_sql(t->path, "UPDATE torrent SET name = 'torrent 1'"),
        SQLITE_OK);
    assert_int_equal(journal_find(db, "torrent 1", &id, &e), BTC_E_NOTFOUND);
    assert_non_null(strstr(e.msg, "1 (a1a1a1a1 torrent 1), 2 (a2a2"));
    journal_close(db);
}

/* Wishes by the program. */
static void test_wishes(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_db_add(db, 1);
    const struct {
        const char *column;
        const char *value;
        int want;
        const char *text; /* in the error */
    } rows[] = {
        {"wanted", "pause", 0, ""},
        {"wanted", "stop", BTC_E_USAGE, "wanted must be run, pause"},
        {"wanted", NULL, BTC_E_USAGE, "NOT NULL"},
        {"sequential", "1", 0, ""},
        {"sequential", "2", BTC_E_USAGE, "sequential must be 0 or 1"},
        {"down_limit", "1048576", 0, ""},
        {"down_limit", "-1", BTC_E_USAGE, "must not be negative"},
        {"down_limit", "fast", BTC_E_USAGE, "cannot store TEXT"},
        {"down_limit", "1.5", BTC_E_USAGE, "cannot store"},
        {"up_limit", "0", 0, ""},
        {"max_peers", "70000", BTC_E_USAGE, "max_peers must be"},
        {"seed_mode", "time", 0, ""},
        {"seed_mode", "sometimes", BTC_E_USAGE, "seed_mode must be"},
        {"seed_goal", "3600", 0, ""},
        {"label", "films", 0, ""},
        {"label", "", 0, ""},
        {"label", "it's; --", 0, ""},
        {"save_path", "/mnt/x", 0, ""},
        {"save_path", "x", BTC_E_USAGE, "absolute"},
        {"name", "", BTC_E_USAGE, "empty"},
        {"total_size", "5", BTC_E_USAGE, "nothing that can be wished"},
        {"id", "5", BTC_E_USAGE, "nothing that can be wished"},
        {"wanted = 'run' --", "x", BTC_E_USAGE, "nothing"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err e = {0};
        int code = journal_set_wish(db, id, rows[i].column, rows[i].value, &e);
        if (code != rows[i].want || !strstr(e.msg, rows[i].text)) {
            print_error("%s=%s: %s\n", rows[i].column, rows[i].value, e.msg);
        }
        assert_int_equal(code, rows[i].want);
        assert_non_null(strstr(e.msg, rows[i].text));
    }
    struct err e = {0};
    assert_int_equal(journal_set_wish(db, 99, "wanted", "run", &e),
                     BTC_E_NOTFOUND);
    assert_int_equal(journal_set_file_priority(db, id, 2, 7, &e), 0);
    assert_int_equal(journal_set_file_priority(db, id, 2, 8, &e), BTC_E_USAGE);
    assert_non_null(strstr(e.msg, "priority must be 0 to 7"));
    assert_int_equal(journal_set_file_priority(db, id, 1, 0, &e),
                     BTC_E_NOTFOUND);
    assert_int_equal(journal_set_file_priority(db, id, 3, 0, &e),
                     BTC_E_NOTFOUND);
    assert_int_equal(
        journal_event_now(db, id, LEVEL_ERROR, "note", "by hand", &e), 0);
    struct journal_torrent *rows2;
    size_t n;
    assert_int_equal(journal_load_torrents(db, &rows2, &n, NULL), 0);
    assert_int_equal(rows2[0].wanted, WANTED_PAUSE);
    assert_int_equal(rows2[0].seed_mode, SEED_MODE_TIME);
    assert_int_equal(rows2[0].seed_goal, 3600);
    assert_int_equal(rows2[0].down_limit, 1048576);
    assert_string_equal(rows2[0].label, "it's; --");
    journal_torrents_free(rows2, n);
    journal_close(db);
    TEST_DB_IS(t->path, "SELECT level || text FROM log", "errorby hand");
}

/* Wishes by people, with none of our settings on their connection. */
static void test_foreign(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    (void)test_db_add(db, 1);
    const struct {
        const char *sql;
        bool good;
    } rows[] = {
        {"UPDATE torrent SET wanted='pause' WHERE id=1", true},
        {"UPDATE torrent SET wanted='remove-data', name='x'", true},
        {"UPDATE torrent SET wanted='run', label=NULL", true},
        {"UPDATE torrent SET wanted='paused'", false},
        {"UPDATE torrent SET down_limit='1 MB'", false},
        {"UPDATE torrent SET info_hash=replace(info_hash,'a','b')", false},
        {"UPDATE torrent SET id=7", false},
        {"UPDATE torrent SET total_size=1", false},
        {"UPDATE torrent SET piece_length=0", false},
        {"UPDATE torrent SET n_files=1, wanted='run'", false},
        {"UPDATE torrent SET total_size=total_size", true},
        {"DELETE FROM torrent", false},
        {"UPDATE file SET priority=0 WHERE file=2", true},
        {"UPDATE file SET priority=9", false},
        {"UPDATE file SET path='/etc/passwd'", false},
        {"UPDATE file SET length=1", false},
        {"INSERT INTO tracker(torrent_id,tier,url)"
         " VALUES(1,5,'http://t.test/a')",
         true},
        {"INSERT INTO tracker(torrent_id,url) VALUES(1,'t.test')", false},
        {"DELETE FROM tracker WHERE tier=5", true},
        {"INSERT INTO peer(torrent_id,address,port) VALUES(1,'10.9.9.9',1)",
         true},
        {"INSERT INTO peer(torrent_id,address,port) VALUES(1,'host',1)", false},
        {"INSERT INTO peer(torrent_id,address,port) VALUES(1,'::1',0)", false},
        {"INSERT INTO setting VALUES('down','1M')", true},
        {"INSERT INTO setting VALUES('','1M')", false},
        {"UPDATE torrent_stat SET state='asleep'", false},
        {"UPDATE progress SET percent=100", false},
        {"INSERT INTO torrent(info_hash,name,save_path)"
         " VALUES('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','m','/m')",
         true},
        {"INSERT INTO torrent(info_hash,name,save_path)"
         " VALUES('BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB','m','/m')",
         false},
        /* a magnet learns what it is, once */
        {"UPDATE torrent SET total_size=5, piece_length=16384, n_pieces=1,"
         " n_files=1 WHERE name='m'",
         true},
        {"UPDATE torrent SET n_pieces=2 WHERE name='m'", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int rc = test_db_sql(t->path, rows[i].sql);
        if ((rc == SQLITE_OK) != rows[i].good) {
            print_error("%s: %d\n", rows[i].sql, rc);
        }
        assert_true((rc == SQLITE_OK) == rows[i].good);
    }
    struct err e = {0};
    assert_int_equal(journal_check(db, NULL, NULL, &e), 0);
    journal_close(db);
}

/* 100,000 rows are a matter of less than a second. */
static void test_many(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    int64_t id = test_db_add(db, 1);
    struct journal_batch *b = journal_batch_new();
    for (uint32_t i = 0; i < 100000; i++) {
        journal_put_block(b, id, i / 16, i % 16);
    }
    assert_true(test_db_batch_bytes(b) < 8u << 20);
    apply(db, b);
    b = journal_batch_new();
    for (uint32_t i = 0; i < 6250; i++) {
        journal_put_piece(b, id, i, 1);
    }
    apply(db, b);
    TEST_DB_IS(t->path, "SELECT count(*) FROM block", "0");
    b = journal_batch_new(); /* the log is capped */
    for (int i = 0; i < 10500; i++) {
        journal_put_event(b, i % 2 ? id : 0, LEVEL_INFO, "k", "t");
    }
    apply(db, b);
    TEST_DB_IS(t->path, "SELECT count(*) || ' ' || min(id) FROM event",
               "10000 501");
    journal_close(db);
}

/* Numbers that somebody has written cost nobody else anything: neither the log
 * nor the wish that a torrent runs. */
static void test_high_numbers(void **state)
{
    struct test_db *t = *state;
    struct err e = {0};
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
    int64_t id = test_db_add(db, 1);
    for (int i = 0; i < 150; i++) {
        assert_int_equal(
            journal_event_now(db, id, LEVEL_INFO, "before", "t", &e), 0);
    }
    assert_int_equal(
        test_db_sql(t->path,
                    "INSERT INTO event (id, at, level, kind, text) VALUES"
                    " (1000000000000000000, 1, 'info', 'mine', 't')"),
        SQLITE_OK);
    for (int i = 0; i < 150; i++) {
        assert_int_equal(
            journal_event_now(db, id, LEVEL_INFO, "behind", "t", &e), 0);
    }
    TEST_DB_IS(t->path,
               "SELECT group_concat(n || kind) FROM (SELECT count(*) AS n, kind"
               " FROM event WHERE kind IN ('before', 'mine', 'behind')"
               " GROUP BY kind ORDER BY min(id))",
               "150before,1mine,150behind");

    assert_int_equal(test_db_sql(t->path, "UPDATE torrent SET"
                                          " starts = 9223372036854775807"),
                     SQLITE_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(journal_set_wish(db, id, "wanted", "run", &e), 0);
    }
    TEST_DB_IS(t->path, "SELECT starts FROM torrent", "1");
    journal_close(db);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, test_db_setup, test_db_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_since),
        T(test_add_and_load),
        T(test_add_again),
        T(test_batch),
        T(test_append),
        T(test_unchanged),
        T(test_gone),
        T(test_removal),
        T(test_flags_back),
        T(test_full),
        T(test_nth_step),
        T(test_bug),
        T(test_endless_reader),
        T(test_trim_peers),
        T(test_peers),
        T(test_runs),
        T(test_find),
        T(test_wishes),
        T(test_foreign),
        T(test_many),
        T(test_add_against_a_rule),
        T(test_high_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
