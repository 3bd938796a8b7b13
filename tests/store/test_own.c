/* The journal's files are no payload, whatever path leads to them. */
#include "disk_kit.h"
#include "store/own.h"

#include <dirent.h>

static const char own_text[] = "this is a database\n";

/* A folder with a journal in it: j/btc.db and what lies beside it. Ways to it:
 * the link `way`, the hard link `hard`. */
static void own_open(struct kit *k)
{
    char from[256], to[256];
    kit_open(k, 2);
    kit_mkdir(k, "j");
    kit_put(k, "j/btc.db", own_text, sizeof(own_text));
    kit_put(k, "j/btc.db-wal", own_text, sizeof(own_text));
    kit_put(k, "j/btc.db-lock", own_text, sizeof(own_text));
    assert_int_equal(link(kit_path(k, "j/btc.db-wal", from, sizeof(from)),
                          kit_path(k, "hard", to, sizeof(to))),
                     0);
    assert_int_equal(symlink("j", kit_path(k, "way", to, sizeof(to))), 0);
    store_set_own(k->d, store_own_new(kit_path(k, "j/btc.db", to, sizeof(to))));
}

/* Nothing has come to them, and nothing has been put beside them. */
static void own_check(struct kit *k)
{
    char path[256];
    int n = 0;
    kit_expect(k, "j/btc.db", own_text, sizeof(own_text));
    kit_expect(k, "j/btc.db-wal", own_text, sizeof(own_text));
    kit_expect(k, "j/btc.db-lock", own_text, sizeof(own_text));
    DIR *d = opendir(kit_path(k, "j", path, sizeof(path)));
    assert_non_null(d);
    while (readdir(d)) {
        n++;
    }
    (void)closedir(d);
    assert_int_equal(n, 2 + 3);
}

/* Who opens a file of the journal and closes it again has dropped its locks. A
 * folder is opened as such, so a file in its place is not. */
struct own_watch {
    const char *path;
    uint32_t opened;
};

static int own_on_call(void *ctx, const char *op, const char *path)
{
    struct own_watch *w = ctx;
    size_t len = strlen(path), end = strlen(w->path);
    w->opened += len > end && strcmp(path + len - end, w->path) == 0 &&
                 strcmp(op, "open") == 0;
    return 0;
}

/* No job gets at a file with this path. */
static void own_expect_refused(const char *path)
{
    struct kit k;
    struct kit_torrent t;
    struct own_watch watch = {.path = path};
    struct store_file files[] = {{.path = path, .length = 40000}};
    own_open(&k);
    kit_torrent_init(&t, files, 1, 65536);
    store_set_fault(k.d, own_on_call, &watch);
    struct store_tree *s = kit_store(&k, &t);
    struct store_job job = {.op = STORE_STAT, .store = s};
    assert_int_equal(kit_run(&k, &job), 0);
    assert_false(job.prints[0].exists);
    free(job.prints);
    job = (struct store_job){
        .op = STORE_CREATE, .store = s, .create.overwrite = true};
    assert_int_equal(kit_run(&k, &job), BTC_E_EXISTS);
    assert_non_null(strstr(job.fail.text, "btc's own database"));
    assert_null(job.prints);
    assert_true(kit_piece_do(&k, s, STORE_WRITE, &t, 0) < 0);
    assert_true(kit_piece_do(&k, s, STORE_FINISH, &t, 0) < 0);
    assert_true(kit_piece_do(&k, s, STORE_HASH, &t, 0) < 0);
    (void)kit_do(&k, s, STORE_DELETE);
    job = (struct store_job){.op = STORE_SCAN,
                             .store = s,
                             .scan.piece_length = t.piece_length,
                             .scan.n_pieces = t.n_pieces};
    assert_int_equal(kit_run(&k, &job), 0);
    bits_fini(&job.scan.found);
    job = (struct store_job){.op = STORE_LOOK, .store = s};
    assert_int_equal(kit_run(&k, &job), 0);
    assert_false(job.look.used);
    assert_int_equal(watch.opened, 0);
    store_tree_free(s);
    own_check(&k);
    kit_torrent_fini(&t);
    kit_close(&k);
}

static void test_paths(void **state)
{
    static const char *const paths[] = {
        "j/btc.db",           "j/btc.db-wal",
        "j/btc.db-shm",       "j/btc.db-lock",
        "j/btc.db-journal",   "j/btc.db.backup-v3",
        "j/BTC.db-wal",       "j/btc.db.restore-77",
        "way/btc.db-shm",     "way/btc.db",
        "j/btc.db-wal/inner", "j/btc.db.replaced-1/a/b",
        "way/btc.db-x/in",    "hard"};
    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        own_expect_refused(paths[i]);
    }
}

/* What only looks like one is nobody's business. */
static void test_others(void **state)
{
    struct kit k;
    struct kit_torrent t;
    struct store_file files[] = {{.path = "j/btc.dbx", .length = 10},
                                 {.path = "j/my-btc.db", .length = 10},
                                 {.path = "j/sub/btc.db", .length = 10},
                                 {.path = "btc.db", .length = 10},
                                 {.path = "btc.db-wal/x", .length = 10}};
    (void)state;
    own_open(&k);
    kit_torrent_init(&t, files, 5, 16384);
    struct store_tree *s = kit_store(&k, &t);
    assert_int_equal(kit_create(&k, s).result, 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 0), 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_HASH, &t, 0), 0);
    store_tree_free(s);
    kit_torrent_fini(&t);
    kit_close(&k);
}

/* What was kept out of sight does not go there either. */
static void test_taken(void **state)
{
    struct kit k;
    struct kit_torrent t;
    struct store_file files[] = {
        {.path = "j/btc.db.backup-v9", .from = "part/0", .length = 10}};
    (void)state;
    own_open(&k);
    kit_mkdir(&k, "part");
    kit_put(&k, "part/0", own_text, 10);
    struct fingerprint own = {.exists = true, .size = 10};
    files[0].own = &own;
    kit_torrent_init(&t, files, 1, 16384);
    struct store_tree *s = kit_store(&k, &t);
    struct store_job job = kit_do(&k, s, STORE_STAT);
    assert_int_equal(job.result, BTC_E_EXISTS);
    free(job.prints);
    assert_true(kit_exists(&k, "part/0"));
    store_tree_free(s);
    own_check(&k);
    kit_torrent_fini(&t);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
