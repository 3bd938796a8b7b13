/* Wishes about known torrents: keys, finding, start and pause, removal. */
#include "api/api_kit.h"
#include "journal/add.h"
#include "journal/batch.h"
#include "journal/internal.h"

static int64_t add_show(struct kit *k, const char *name, uint8_t salt)
{
    int64_t id = 0;
    char torrent[64];
    (void)snprintf(torrent, sizeof(torrent), "%s.torrent", name);
    kit_show(name, salt);
    assert_int_equal(kit_add(k, torrent, NULL, &id, NULL), 0);
    return id;
}

/* Changes when anybody else has written to the database. */
static int64_t kit_changes(struct journal *db)
{
    int64_t version = 0;
    assert_int_equal(
        journal_query_int(db, "PRAGMA data_version", 0, &version, NULL), 0);
    return version;
}

static void test_keys(void **state)
{
    struct kit *k = *state;
    static const struct {
        const char *key, *value, *column, *expected;
    } cases[] = {
        {"down", "1.5M", "down_limit", "1572864"},
        {"down", "0", "down_limit", "0"},
        {"up", "500K", "up_limit", "512000"},
        {"max-peers", "12", "max_peers", "12"},
        {"sequential", "true", "sequential", "1"},
        {"sequential", "OFF", "sequential", "0"},
        {"seed", "time:2h", "seed_goal", "7200"},
        {"seed", "ratio:0.5", "seed_mode", "ratio"},
        {"seed", "forever", "seed_goal", "0"},
        {"label", "a b", "label", "a b"},
        {"label", "", "label", ""},
    };
    int64_t id = add_show(k, "show", 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(btc_set(k->b, id, cases[i].key, cases[i].value, &k->e),
                         0);
        kit_assert_cell(k, "progress", id, cases[i].column, cases[i].expected);
    }
    assert_int_equal(btc_set(k->b, id, "accept-loss", "yes", &k->e), 0);
    /* each key of the list can be set */
    size_t n = 0;
    for (const struct btc_key *key = btc_set_keys(); key->key; key++, n++) {
        assert_non_null(key->help);
        (void)btc_set(k->b, id, key->key, "?", &k->e);
        assert_null(strstr(k->e.message, "there is no key"));
    }
    assert_int_equal(n, 14);
}

/* btc_set_check says what btc_set would, and writes nothing: each key with a
 * good value and a bad one. */
static void test_check(void **state)
{
    struct kit *k = *state;
    static const struct {
        const char *key, *good, *bad;
    } cases[] = {
        {"down", "3K", "x"},         {"up", "3K", "x"},
        {"max-peers", "7", "x"},     {"sequential", "true", "x"},
        {"seed", "ratio:3", "x"},    {"label", "l", NULL},
        {"select", "1", "99"},       {"exclude", "1", "99"},
        {"priority.1", "high", "x"}, {"accept-loss", "true", "x"},
        {"peer", "10.0.0.1:1", "x"}, {"tracker", "http://x.test/a", "x"},
        {"verify", "now", "x"},      {"nonsense", NULL, "x"},
    };
    int64_t id = add_show(k, "show", 1);
    struct journal *db = NULL;
    assert_int_equal(journal_open(btc_path(k->b), 0, &db, NULL), 0);
    int64_t before = kit_changes(db);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *key = cases[i].key;
        assert_true(!cases[i].good ||
                    btc_set_check(k->b, id, key, cases[i].good, &k->e) == 0);
        assert_true(!cases[i].bad ||
                    btc_set_check(k->b, id, key, cases[i].bad, &k->e) != 0);
    }
    assert_int_equal(kit_changes(db), before);
    assert_int_equal(btc_set(k->b, id, "down", "3K", &k->e), 0);
    assert_int_not_equal(kit_changes(db), before);
    journal_close(db);
}

static void test_bad_values(void **state)
{
    struct kit *k = *state;
    static const struct {
        const char *key, *value;
        int status;
        const char *says;
    } cases[] = {
        {"down", "fast", BTC_STATUS_USAGE, "down takes bytes per second"},
        {"down", "-1", BTC_STATUS_USAGE, "'-1'"},
        {"up", "99999999999999999999", BTC_STATUS_USAGE, "up takes"},
        {"up", "16000000T", BTC_STATUS_USAGE, "up takes"},
        {"max-peers", "65536", BTC_STATUS_USAGE, "65535"},
        {"max-peers", "", BTC_STATUS_USAGE, "max-peers takes"},
        {"sequential", "maybe", BTC_STATUS_USAGE, "true or false"},
        {"accept-loss", "2", BTC_STATUS_USAGE, "true or false"},
        {"seed", "ratio:x", BTC_STATUS_USAGE, "ratio:x"},
        {"select", "7", BTC_STATUS_USAGE, "has 5"},
        {"exclude", "1-5", BTC_STATUS_USAGE, "leaves no file"},
        {"priority.1", "urgent", BTC_STATUS_USAGE, "off, low, normal"},
        {"priority.1", "8", BTC_STATUS_USAGE, "0 to 7"},
        {"priority.x", "high", BTC_STATUS_USAGE, "priority.x"},
        {"priority.", "high", BTC_STATUS_USAGE, "names no file"},
        {"priority.0", "high", BTC_STATUS_NOT_FOUND, "no file 0"},
        {"priority.6", "high", BTC_STATUS_NOT_FOUND, "no file 6"},
        {"priority.2", "high", BTC_STATUS_NOT_FOUND, "no file 2"}, /* pad */
        {"peer", "somewhere", BTC_STATUS_USAGE, "HOST:PORT"},
        {"tracker", "tracker.example", BTC_STATUS_USAGE, "URL"},
        {"tracker", "http://", BTC_STATUS_USAGE, "URL"},
        {"tracker", "ftp://a/b", BTC_STATUS_USAGE, "URL"},
        {"tracker", "http://a b/", BTC_STATUS_USAGE, "URL"},
        {"colour", "red", BTC_STATUS_USAGE, "priority.N"},
        {"Down", "1", BTC_STATUS_USAGE, "there is no key 'Down'"},
    };
    int64_t id = add_show(k, "show", 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(btc_set(k->b, id, cases[i].key, cases[i].value, &k->e),
                         cases[i].status);
        assert_int_equal(k->e.status, cases[i].status);
        kit_assert_says(k, cases[i].says);
    }
    kit_assert_priorities(k, id, "4444");
    static const char *const keys[][2] = {
        {"down", "1"},           {"label", "x"},   {"select", "1"},
        {"priority.1", "high"},  {"seed", "none"}, {"peer", "127.0.0.1:1"},
        {"tracker", "http://a/"}};
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        assert_int_equal(btc_set(k->b, 99, keys[i][0], keys[i][1], &k->e),
                         BTC_STATUS_NOT_FOUND);
        kit_assert_says(k, "99");
    }
}

static void test_files(void **state)
{
    struct kit *k = *state;
    static const struct {
        const char *key, *value, *expected;
    } steps[] = {
        {"priority.3", "high", "4744"},  {"priority.5", "low", "4741"},
        {"priority.1", "off", "0741"},   {"exclude", "sample*", "0740"},
        {"select", "3-5", "0744"}, /* what was chosen keeps its own */
        {"select", "1", "4000"},         {"select", "", "4444"},
        {"exclude", "season 1", "4004"}, {"priority.4", "6", "4064"},
    };
    int64_t id = add_show(k, "show", 1);
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        assert_int_equal(btc_set(k->b, id, steps[i].key, steps[i].value, &k->e),
                         0);
        kit_assert_priorities(k, id, steps[i].expected);
    }
}

static void test_sources(void **state)
{
    struct kit *k = *state;
    int64_t id = add_show(k, "show", 1);
    for (int i = 0; i < 2; i++) { /* the second time says nothing new */
        assert_int_equal(
            btc_set(k->b, id, "tracker", "udp://t.example:6969", &k->e), 0);
        assert_int_equal(btc_set(k->b, id, "peer", "[::1]:7000", &k->e), 0);
    }
    assert_string_equal(
        kit_cell_where(k, "tracker_list", id, "url", "tier", 2).text,
        "udp://t.example:6969");
    assert_string_equal(
        kit_cell_where(k, "tracker_list", id, "url", "tier", 3).text, "");
    kit_assert_cell(k, "peer_list", id, "address", "::1");
}

static void test_find(void **state)
{
    struct kit *k = *state;
    int64_t one = add_show(k, "one", 1);
    int64_t two = add_show(k, "two", 2);
    struct btc_add_options o = {.name = "one more"};
    int64_t id = 0, three = 0;
    kit_show("one", 3);
    assert_int_equal(kit_add(k, "one.torrent", &o, &three, NULL), 0);
    assert_int_equal(btc_find(k->b, "2", &id, &k->e), 0);
    assert_int_equal(id, two);
    assert_int_equal(btc_find(k->b, "one", &id, &k->e), 0);
    assert_int_equal(id, one);
    struct kit_cell hash =
        kit_cell_where(k, "progress", three, "info_hash", NULL, 0);
    assert_int_equal(btc_find(k->b, hash.text, &id, &k->e), 0);
    assert_int_equal(id, three);
    hash.text[8] = '\0';
    assert_int_equal(btc_find(k->b, hash.text, &id, &k->e), 0);
    assert_int_equal(id, three);
    static const char *const none[] = {"", "9", "-1", "zzzz", "one%", "ffff"};
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
        assert_int_equal(btc_find(k->b, none[i], &id, &k->e),
                         BTC_STATUS_NOT_FOUND);
        assert_int_equal(id, 0);
    }
}

/* Two info hashes that begin alike: the candidates are named. */
static void test_ambiguous(void **state)
{
    struct kit *k = *state;
    struct journal *db = NULL;
    struct err e = {0};
    int64_t id = 0;
    assert_int_equal(journal_open(btc_path(k->b), 0, &db, &e), 0);
    for (uint8_t i = 1; i <= 2; i++) {
        char name[] = "x1";
        struct journal_add a = {.torrent = {.name = name, .save_path = k->dir}};
        name[1] = (char)('0' + i);
        memset(a.torrent.info_hash, 0xab, sizeof(a.torrent.info_hash));
        a.torrent.info_hash[19] = i;
        assert_int_equal(journal_add_torrent(db, &a, &id, &e), 0);
    }
    journal_close(db);
    assert_int_equal(btc_find(k->b, "ababab", &id, &k->e),
                     BTC_STATUS_NOT_FOUND);
    kit_assert_says(k, "x1");
    kit_assert_says(k, "x2");
}

static void test_start_pause(void **state)
{
    struct kit *k = *state;
    int64_t id = add_show(k, "show", 1);
    assert_int_equal(btc_pause(k->b, id, &k->e), 0);
    kit_assert_cell(k, "progress", id, "wanted", "pause");
    kit_assert_cell(k, "progress", id, "state", "paused");
    assert_int_equal(btc_start(k->b, id, &k->e), 0);
    kit_assert_cell(k, "progress", id, "wanted", "run");
    assert_int_equal(btc_start(k->b, 77, &k->e), BTC_STATUS_NOT_FOUND);
    assert_int_equal(btc_pause(k->b, 77, &k->e), BTC_STATUS_NOT_FOUND);
}

static void test_remove(void **state)
{
    struct kit *k = *state;
    int64_t id = add_show(k, "show", 1);
    kit_write("show/readme.txt", "x", 1);
    assert_int_equal(btc_remove(k->b, id, false, &k->e), 0);
    kit_assert_cell(k, "progress", 0, "id", "");
    assert_true(kit_exists("show/readme.txt"));
    assert_int_equal(btc_remove(k->b, id, true, &k->e), BTC_STATUS_NOT_FOUND);
}

/* Files of the torrent "show", by their index. */
static const char *const test_show[] = {
    "show/readme.txt", NULL, "show/Season 1/e1.mkv", "show/Season 1/e2.mkv",
    "show/sample.mkv"};

/* The journal takes the file as it is now for one that btc has made. */
static void test_own(struct kit *k, int64_t id, uint32_t file)
{
    struct journal *db = NULL;
    struct stat st;
    assert_int_equal(stat(test_show[file], &st), 0);
    struct journal_file_state f = {.has_print = true,
                                   .dev = st.st_dev,
                                   .ino = st.st_ino,
                                   .size = (uint64_t)st.st_size,
                                   .mtime_ns =
                                       (int64_t)st.st_mtim.tv_sec * 1000000000 +
                                       st.st_mtim.tv_nsec};
    struct journal_batch *b = journal_batch_new();
    journal_put_file(b, id, file, &f);
    assert_int_equal(journal_open(btc_path(k->b), 0, &db, NULL), 0);
    assert_int_equal(journal_apply(db, b, NULL), 0);
    journal_close(db);
    journal_batch_free(b);
}

/* A torrent that never ran: what has the names of its files is somebody's. */
static void test_remove_foreign(void **state)
{
    struct kit *k = *state;
    int64_t id = add_show(k, "show", 1);
    kit_write(test_show[0], "x", 1);
    assert_int_equal(btc_remove(k->b, id, true, &k->e), 0);
    kit_assert_cell(k, "progress", 0, "id", "");
    assert_true(kit_exists(test_show[0]));
}

/* Somebody has put a file of his own in the place of ours: it stays, and so
 * does the torrent. */
static void test_remove_replaced(void **state)
{
    struct kit *k = *state;
    int64_t id = add_show(k, "show", 1);
    kit_write(test_show[0], "ours", 4);
    kit_write(test_show[2], "ours", 4);
    test_own(k, id, 0);
    test_own(k, id, 2);
    assert_int_equal(rename(test_show[0], "away"), 0);
    kit_write(test_show[0], "mine", 4);
    assert_int_equal(btc_remove(k->b, id, true, &k->e), BTC_STATUS_EXISTS);
    kit_assert_says(k, "readme.txt");
    kit_assert_says(k, "somebody else");
    assert_true(kit_exists(test_show[0]));
    assert_false(kit_exists(test_show[2]));
    kit_assert_cell(k, "progress", id, "wanted", "run");
}

/* Two torrents know one file by different names: it stays with the other. */
static void test_remove_linked(void **state)
{
    struct kit *k = *state;
    int64_t id = add_show(k, "show", 1);
    int64_t other = add_show(k, "other", 2);
    kit_write(test_show[0], "x", 1);
    kit_write(test_show[2], "x", 1);
    test_own(k, id, 0);
    test_own(k, id, 2);
    test_own(k, other, 2);
    assert_int_equal(btc_remove(k->b, id, true, &k->e), 0);
    kit_assert_cell(k, "progress", id, "id", "");
    assert_false(kit_exists(test_show[0]));
    assert_true(kit_exists(test_show[2]));
}

/* Only the torrent's own files go, and folders that they leave empty. */
static void test_remove_data(void **state)
{
    struct kit *k = *state;
    int64_t id = add_show(k, "show", 1);
    kit_write("show/readme.txt", "x", 1);
    kit_write("show/mine.txt", "x", 1);
    kit_write("show/Season 1/e1.mkv", "x", 1);
    kit_write("outside.txt", "x", 1);
    assert_int_equal(symlink("../outside.txt", "show/sample.mkv"), 0);
    test_own(k, id, 0);
    test_own(k, id, 2);
    test_own(k, id, 4);
    assert_int_equal(btc_remove(k->b, id, true, &k->e), 0);
    kit_assert_cell(k, "progress", 0, "id", "");
    assert_false(kit_exists("show/readme.txt"));
    assert_false(kit_exists("show/sample.mkv"));
    assert_false(kit_exists("show/Season 1"));
    assert_true(kit_exists("show/mine.txt"));
    assert_true(kit_exists("outside.txt"));
    /* nothing of it was ever there */
    id = add_show(k, "other", 2);
    assert_int_equal(btc_remove(k->b, id, true, &k->e), 0);
}

/* Data that is out of reach keeps its torrent. */
static void test_remove_absent(void **state)
{
    struct kit *k = *state;
    struct btc_add_options o = {.dir = "usb"};
    int64_t id = 0;
    kit_show("show", 1);
    (void)mkdir("usb", 0700);
    assert_int_equal(kit_add(k, "show.torrent", &o, &id, NULL), 0);
    assert_int_equal(btc_pause(k->b, id, &k->e), 0);
    assert_int_equal(rmdir("usb"), 0);
    assert_int_equal(btc_remove(k->b, id, true, &k->e), BTC_STATUS_STORAGE);
    kit_assert_says(k, "/usb");
    kit_assert_cell(k, "progress", id, "wanted", "pause");
    assert_int_equal(btc_remove(k->b, id, false, &k->e), 0);
    kit_assert_cell(k, "progress", 0, "id", "");
}

/* Something of another kind in a file's place: said, and the torrent stays. */
static void test_remove_fails(void **state)
{
    struct kit *k = *state;
    int64_t id = add_show(k, "show", 1);
    kit_write("show/readme.txt/in the way", "x", 1);
    test_own(k, id, 0);
    assert_int_equal(btc_remove(k->b, id, true, &k->e), BTC_STATUS_EXISTS);
    kit_assert_says(k, "readme.txt");
    kit_assert_cell(k, "progress", id, "wanted", "run");
    assert_true(kit_exists("show/readme.txt/in the way"));
}

/* With an engine at work it is a wish, and nothing is touched here. */
static void test_remove_wish(void **state)
{
    struct kit *k = *state;
    struct journal *engine = NULL;
    int64_t id = add_show(k, "show", 1);
    kit_write("show/readme.txt", "x", 1);
    assert_int_equal(
        journal_open(btc_path(k->b), JOURNAL_ENGINE, &engine, NULL), 0);
    assert_int_equal(btc_remove(k->b, id, true, &k->e), 0);
    kit_assert_cell(k, "progress", id, "wanted", "remove-data");
    assert_true(kit_exists("show/readme.txt"));
    journal_close(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keys, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_check, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_bad_values, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_files, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_sources, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_find, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_ambiguous, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_start_pause, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_remove, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_remove_foreign, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_remove_replaced, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_remove_linked, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_remove_data, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_remove_absent, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_remove_fails, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_remove_wish, kit_setup,
                                        kit_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
