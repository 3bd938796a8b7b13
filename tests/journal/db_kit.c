/* See db_kit.h. */
#include "journal/db_kit.h"

#include "journal/ops.h"

/* Removes one entry of the folder. */
static int test_db_remove(const char *path, const struct stat *st, int flag,
                          struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

int test_db_setup(void **state)
{
    struct test_db *t = mem_zalloc(sizeof(*t));
    (void)snprintf(t->dir, sizeof(t->dir), "/tmp/btc-test-db-XXXXXX");
    if (!mkdtemp(t->dir)) {
        return -1;
    }
    (void)snprintf(t->path, sizeof(t->path), "%s/btc.db", t->dir);
    *state = t;
    return 0;
}

int test_db_teardown(void **state)
{
    struct test_db *t = *state;
    (void)nftw(t->dir, test_db_remove, 8, FTW_DEPTH | FTW_PHYS);
    free(t);
    return 0;
}

struct journal *test_db_open(const char *path, unsigned flags)
{
    struct journal *db = NULL;
    struct err e = {0};
    int code = journal_open(path, flags, &db, &e);
    if (code != 0) {
        print_error("journal_open: %s %s\n", err_name(code), e.msg);
    }
    assert_int_equal(code, 0);
    return db;
}

void test_db_refused(const char *path, unsigned flags, int want,
                     const char *text)
{
    struct journal *db = NULL;
    struct err e = {0};
    int code = journal_open(path, flags, &db, &e);
    assert_null(db);
    if (code != want || !strstr(e.msg, text)) {
        print_error("%s: %s, wanted '%s'\n", err_name(code), e.msg, text);
    }
    assert_int_equal(code, want);
    assert_int_equal(e.code, want);
    assert_non_null(strstr(e.msg, text));
}

sqlite3 *test_db_foreign(const char *path)
{
    sqlite3 *sql = NULL;
    assert_int_equal(sqlite3_open(path, &sql), SQLITE_OK);
    (void)sqlite3_busy_timeout(sql, 2000);
    return sql;
}

int test_db_sql(const char *path, const char *text)
{
    sqlite3 *sql = test_db_foreign(path);
    int rc = sqlite3_exec(sql, text, NULL, NULL, NULL);
    (void)sqlite3_close(sql);
    return rc;
}

const char *test_db_get(const char *path, const char *text, char *out,
                        size_t cap)
{
    sqlite3 *sql = test_db_foreign(path);
    sqlite3_stmt *s = NULL;
    out[0] = '\0';
    int rc = sqlite3_prepare_v2(sql, text, -1, &s, NULL);
    if (rc != SQLITE_OK) {
        print_error("%s: %s\n", text, sqlite3_errmsg(sql));
    }
    assert_int_equal(rc, SQLITE_OK);
    if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_text(s, 0)) {
        (void)snprintf(out, cap, "%s", (const char *)sqlite3_column_text(s, 0));
    }
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(sql);
    return out;
}

int64_t test_db_add(struct journal *db, unsigned n)
{
    static const uint8_t info[] = "d4:name1:xe";
    char name[32];
    char file0[] = "x/one";
    char file1[] = "x/.pad/1";
    char file2[] = "x/two";
    char path[] = "/srv/data";
    char url0[] = "http://tracker.test/announce";
    char url1[] = "udp://tracker.test:6969";
    char seed[] = "http://seed.test/x/";
    char *seeds[] = {seed};
    struct journal_file files[] = {
        {.path = file0, .offset = 0, .length = 100000, .state.priority = 4},
        {.path = file1,
         .offset = 100000,
         .length = 31072,
         .pad = true,
         .state.priority = 4},
        {.path = file2,
         .offset = 131072,
         .length = 150000,
         .state.priority = 4},
    };
    struct journal_tracker trackers[] = {{.url = url0, .tier = 0},
                                         {.url = url1, .tier = 1}};
    struct journal_peer peers[] = {
        {.address = "10.1.2.3", .port = 6881, .source = "user"},
        {.address = "not an address", .port = 1, .source = "user"},
    };
    struct journal_add a = {
        .torrent = {.name = name,
                    .save_path = path,
                    .seed_mode = SEED_MODE_RATIO,
                    .seed_goal = 2000,
                    .total_size = 281072,
                    .piece_length = 65536,
                    .n_pieces = 5,
                    .n_files = 3},
        .info = info,
        .info_len = sizeof(info) - 1,
        .files = files,
        .trackers = trackers,
        .n_trackers = 2,
        .web_seeds = seeds,
        .n_web_seeds = 1,
        .peers = peers,
        .n_peers = 2,
    };
    int64_t id = 0;
    struct err e = {0};
    (void)snprintf(name, sizeof(name), "torrent %u", n);
    memset(a.torrent.info_hash, (int)(0xa0 + n), 20);
    int code = journal_add_torrent(db, &a, &id, &e);
    if (code != 0) {
        print_error("journal_add_torrent: %s\n", e.msg);
    }
    assert_int_equal(code, 0);
    assert_true(id > 0);
    return id;
}

size_t test_db_batch_bytes(const struct journal_batch *b)
{
    return sizeof(*b) + b->cap_ops * sizeof(*b->ops) +
           b->cap_ext * sizeof(*b->ext);
}

void test_db_is_sound(struct journal *db)
{
    struct err e = {0};
    int64_t broken = -1;
    assert_int_equal(journal_check_form(db, NULL, NULL, &e), 0);
    assert_int_equal(
        journal_query_int(db, "SELECT count(*) FROM pragma_foreign_key_check",
                          0, &broken, &e),
        0);
    assert_int_equal(broken, 0);
}
