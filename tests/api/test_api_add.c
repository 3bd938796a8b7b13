/* Adding: rows, choices, names, places, torrents that are known. */
#include "api/api_kit.h"
#include "journal/load.h"
#include "model/names.h"

/* The options with their fields, and what they must give. */
static void test_rows(void **state)
{
    struct kit *k = *state;
    const char *const peers[] = {"127.0.0.1:6881", "[::1]:6882",
                                 "localhost:6883", "127.0.0.1:6881"};
    struct btc_add_options o = {.dir = "files",
                                .seed = "ratio:1.5",
                                .label = "films",
                                .sequential = true,
                                .alloc_full = true,
                                .accept_loss = true,
                                .down_limit = 1000,
                                .up_limit = UINT64_MAX,
                                .max_peers = 7,
                                .peers = peers,
                                .n_peers = 4};
    int64_t id = 0;
    bool known = true;
    kit_show("show", 1);
    (void)mkdir("files", 0700);
    assert_int_equal(kit_add(k, "show.torrent", &o, &id, &known), 0);
    assert_false(known);
    assert_true(id > 0);
    char *place = mem_printf("%s/files", k->dir);
    kit_assert_cell(k, "progress", id, "save_path", place);
    free(place);
    kit_assert_cell(k, "progress", id, "name", "show");
    kit_assert_cell(k, "progress", id, "wanted", "run");
    kit_assert_cell(k, "progress", id, "bytes_total", "93100");
    kit_assert_cell(k, "progress", id, "pieces_total", "7");
    kit_assert_cell(k, "progress", id, "label", "films");
    kit_assert_cell(k, "progress", id, "sequential", "1");
    kit_assert_cell(k, "progress", id, "seed_mode", "ratio");
    kit_assert_cell(k, "progress", id, "seed_goal", "1500");
    kit_assert_cell(k, "progress", id, "down_limit", "1000");
    kit_assert_cell(k, "progress", id, "up_limit", "9223372036854775807");
    kit_assert_cell(k, "progress", id, "max_peers", "7");
    kit_assert_cell(k, "tracker_list", id, "url",
                    "http://127.0.0.1:1/announce");
    kit_assert_cell(k, "peer_list", id, "source", "user");
    assert_string_equal(
        kit_cell_where(k, "peer_list", id, "address", "port", 6882).text,
        "::1");
    assert_string_not_equal(
        kit_cell_where(k, "peer_list", id, "address", "port", 6883).text, "");
    kit_assert_cell(k, "log", id, "text", "added: show");
    kit_assert_priorities(k, id, "4444");
}

/* The journal holds the info dictionary byte for byte. */
static void test_info(void **state)
{
    struct kit *k = *state;
    struct journal *db = NULL;
    struct err e = {0};
    uint8_t *info = NULL;
    uint8_t hash[SHA1_LEN];
    char hex[2 * SHA1_LEN + 1];
    size_t len = 0;
    int64_t id = 0;
    kit_show("show", 1);
    assert_int_equal(kit_add(k, "show.torrent", NULL, &id, NULL), 0);
    assert_int_equal(journal_open(btc_path(k->b), JOURNAL_READ_ONLY, &db, &e),
                     0);
    assert_int_equal(journal_load_info(db, id, &info, &len, &e), 0);
    hash_sha1(slice_of(info, len), hash);
    bytes_to_hex(hash, sizeof(hash), hex);
    kit_assert_cell(k, "progress", id, "info_hash", hex);
    struct journal_torrent *rows = NULL;
    size_t n = 0;
    assert_int_equal(journal_load_torrents(db, &rows, &n, &e), 0);
    assert_int_equal(n, 1);
    assert_int_equal(rows[0].n_files, 5);
    assert_int_equal(rows[0].total_size, 109384);
    assert_int_equal(rows[0].seed_mode, SEED_MODE_NONE);
    journal_torrents_free(rows, n);
    free(info);
    journal_close(db);
}

static void test_choices(void **state)
{
    struct kit *k = *state;
    static const struct {
        const char *select, *exclude, *priorities, *total;
    } cases[] = {{"3,5", NULL, "0404", "43000"},
                 {"*.mkv", "sample*", "0440", "90000"},
                 {NULL, "1", "0444", "93000"}};
    for (uint8_t i = 0; i < 3; i++) {
        struct btc_add_options o = {.select = cases[i].select,
                                    .exclude = cases[i].exclude};
        char name[16], torrent[32];
        int64_t id = 0;
        (void)snprintf(name, sizeof(name), "show%u", i);
        (void)snprintf(torrent, sizeof(torrent), "%s.torrent", name);
        kit_show(name, i);
        assert_int_equal(kit_add(k, torrent, &o, &id, NULL), 0);
        kit_assert_priorities(k, id, cases[i].priorities);
        kit_assert_cell(k, "progress", id, "bytes_total", cases[i].total);
    }
}

/* What is wrong is said, and leaves no rows. */
static void test_refused(void **state)
{
    struct kit *k = *state;
    static const char *const bad_peer[] = {"nobody"};
    static const char *const zero_peer[] = {"0.0.0.0:1"};
    static const char *const no_port[] = {"127.0.0.1:0"};
    static const char *const bare_v6[] = {"::1:6881"};
    static const char *const unknown[] = {"host.invalid:1"};
    static const struct {
        struct btc_add_options o;
        int status;
        const char *says;
    } cases[] = {
        {{.dir = "absent/x"}, BTC_STATUS_STORAGE, "mkdir -p absent/x"},
        {{.dir = "new", .select = "9"}, BTC_STATUS_USAGE, "no file 9"},
        {{.dir = "show.torrent/x"}, BTC_STATUS_STORAGE, "no such folder"},
        {{.dir = "show.torrent"}, BTC_STATUS_IO, "not a folder"},
        {{.select = "9"}, BTC_STATUS_USAGE, "no file 9"},
        {{.select = "*.avi"}, BTC_STATUS_USAGE, "*.avi"},
        {{.select = "3", .exclude = "3"}, BTC_STATUS_USAGE, "no file"},
        {{.seed = "always"}, BTC_STATUS_USAGE, "always"},
        {{.name = "a/b"}, BTC_STATUS_USAGE, "a/b"},
        {{.name = ".."}, BTC_STATUS_USAGE, "--out"},
        {{.name = ""}, BTC_STATUS_USAGE, "--out"},
        {{.max_peers = 70000}, BTC_STATUS_USAGE, "65535"},
        {{.peers = bad_peer, .n_peers = 1}, BTC_STATUS_USAGE, "HOST:PORT"},
        {{.peers = zero_peer, .n_peers = 1}, BTC_STATUS_USAGE, "0.0.0.0:1"},
        {{.peers = no_port, .n_peers = 1}, BTC_STATUS_USAGE, "127.0.0.1:0"},
        {{.peers = bare_v6, .n_peers = 1}, BTC_STATUS_USAGE, "[IPv6]"},
        {{.peers = unknown, .n_peers = 1}, BTC_STATUS_NETWORK, "resolved"},
    };
    kit_show("show", 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int64_t id = 9;
        int status = kit_add(k, "show.torrent", &cases[i].o, &id, NULL);
        assert_int_equal(status, cases[i].status);
        assert_int_equal(id, 0);
        kit_assert_says(k, cases[i].says);
        kit_assert_cell(k, "progress", 0, "id", "");
        assert_false(kit_exists("new") || kit_exists("absent"));
    }
}

/* A magnet is a row without files, with what is wished for later. */
static void test_magnet(void **state)
{
    struct kit *k = *state;
    const struct btc_add_options o = {.select = "*.iso", .name = "other"};
    static const char hash[] = "0123456789abcdef0123456789abcdef01234567";
    int64_t id = 0;
    bool known = true;
    assert_int_equal(kit_add(k, hash, &o, &id, &known), 0);
    assert_int_not_equal(id, 0);
    assert_false(known);
    kit_assert_cell(k, "progress", id, "state", "metadata");
    kit_assert_cell(k, "progress", id, "name", hash);
    kit_assert_cell(k, "progress", id, "n_files", "0");
    int64_t again = 0;
    assert_int_equal(kit_add(k, hash, NULL, &again, &known), 0);
    assert_true(known);
    assert_int_equal(again, id);
    static const char *const bad[] = {"..", ".", "a/b", "../x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct btc_add_options named = {.name = bad[i]};
        assert_int_equal(kit_add(k, "fedcba9876543210fedcba9876543210fedcba98",
                                 &named, &again, NULL),
                         BTC_STATUS_USAGE);
        kit_assert_says(k, "is no name");
    }
}

static void test_names(void **state)
{
    struct kit *k = *state;
    const struct kit_file one = {NULL, 1000, false};
    struct btc_add_options o = {.name = "other name"};
    int64_t id = 0;
    kit_show("show", 1);
    kit_torrent("single.bin", &one, 1, 2);
    assert_int_equal(kit_add(k, "show.torrent", &o, &id, NULL), 0);
    kit_assert_cell(k, "file_progress", id, "path", "other name/readme.txt");
    kit_assert_cell(k, "progress", id, "name", "other name");
    assert_string_equal(
        kit_cell_where(k, "file_progress", id, "path", "file", 2).text,
        "other name/Season 1/e1.mkv");
    /* the same again is fine, another name cannot be had any more */
    bool known = false;
    assert_int_equal(kit_add(k, "show.torrent", &o, &id, &known), 0);
    assert_true(known);
    o.name = "third";
    assert_int_equal(kit_add(k, "show.torrent", &o, &id, &known),
                     BTC_STATUS_EXISTS);
    kit_assert_says(k, "third");
    kit_assert_says(k, "other name");
    o.name = "a\001b."; /* mended, as a torrent's own name is */
    assert_int_equal(kit_add(k, "single.bin.torrent", &o, &id, NULL), 0);
    struct kit_cell c = kit_cell_where(k, "file_progress", id, "path", NULL, 0);
    assert_null(strchr(c.text, '\001'));
    kit_assert_cell(k, "progress", id, "name", c.text);
}

static void test_known(void **state)
{
    struct kit *k = *state;
    const char *const peers[] = {"127.0.0.1:9999"};
    struct btc_add_options o = {.dir = "files", .seed = "forever"};
    int64_t first = 0, id = 0;
    bool known = true;
    kit_show("show", 1);
    (void)mkdir("files", 0700);
    (void)mkdir("other", 0700);
    assert_int_equal(kit_add(k, "show.torrent", &o, &first, &known), 0);
    assert_false(known);
    assert_int_equal(btc_pause(k->b, first, &k->e), 0);
    kit_assert_cell(k, "progress", first, "wanted", "pause");
    /* without a folder, with the same one by another way, with more */
    struct btc_add_options again = {.paused = true};
    assert_int_equal(kit_add(k, "show.torrent", &again, &id, &known), 0);
    assert_true(known);
    assert_int_equal(id, first);
    kit_assert_cell(k, "progress", first, "wanted", "pause");
    again = (struct btc_add_options){.dir = "./other/../files",
                                     .select = "1",
                                     .label = "new",
                                     .up_limit = 5,
                                     .max_peers = 3,
                                     .sequential = true,
                                     .peers = peers,
                                     .n_peers = 1};
    assert_int_equal(kit_add(k, "show.torrent", &again, &id, &known), 0);
    assert_true(known);
    assert_int_equal(id, first);
    kit_assert_cell(k, "progress", first, "wanted", "run");
    kit_assert_cell(k, "progress", first, "label", "new");
    kit_assert_cell(k, "progress", first, "up_limit", "5");
    kit_assert_cell(k, "progress", first, "max_peers", "3");
    kit_assert_cell(k, "progress", first, "sequential", "1");
    kit_assert_cell(k, "progress", first, "seed_mode", "forever");
    kit_assert_cell(k, "peer_list", first, "port", "9999");
    kit_assert_priorities(k, first, "4000");
    /* elsewhere: both folders are named */
    again = (struct btc_add_options){.dir = "other"};
    assert_int_equal(kit_add(k, "show.torrent", &again, &id, &known),
                     BTC_STATUS_EXISTS);
    kit_assert_says(k, "/files");
    kit_assert_says(k, "/other");
    /* a removal that no engine has carried out yet is taken back */
    struct journal *db = NULL;
    assert_int_equal(journal_open(btc_path(k->b), JOURNAL_ENGINE, &db, NULL),
                     0);
    assert_int_equal(btc_remove(k->b, first, false, &k->e), 0);
    kit_assert_cell(k, "progress", first, "wanted", "remove");
    assert_int_equal(kit_add(k, "show.torrent", &o, &id, &known), 0);
    kit_assert_cell(k, "progress", first, "wanted", "run");
    journal_close(db);
}

/* Two torrents never write the same file. */
static void test_conflict(void **state)
{
    struct kit *k = *state;
    static const struct kit_file nested = {"e1.mkv", 10, false};
    struct btc_add_options o = {0};
    int64_t first = 0, below = 0, id = 0;
    kit_show("show", 1);
    assert_int_equal(kit_add(k, "show.torrent", NULL, &first, NULL), 0);
    kit_show("show", 2);
    assert_int_equal(kit_add(k, "show.torrent", NULL, &id, NULL),
                     BTC_STATUS_EXISTS);
    kit_assert_says(k, "/show/readme.txt");
    kit_assert_says(k, "torrent 1 (show)");
    /* by way of another save path: DIR/show + "Season 1/e1.mkv" */
    kit_torrent("Season 1", &nested, 1, 3);
    (void)mkdir("show", 0700);
    o.dir = "show";
    assert_int_equal(kit_add(k, "Season 1.torrent", &o, &id, NULL),
                     BTC_STATUS_EXISTS);
    kit_assert_says(k, "/show/Season 1/e1.mkv");
    /* and the other way round: what lies in a folder below */
    kit_torrent("Season 2", &nested, 1, 6);
    assert_int_equal(kit_add(k, "Season 2.torrent", &o, &below, NULL), 0);
    static const struct kit_file deep = {"Season 2/e1.mkv", 10, false};
    kit_torrent("show", &deep, 1, 7);
    assert_int_equal(btc_remove(k->b, first, false, &k->e), 0);
    assert_int_equal(kit_add(k, "show.torrent", NULL, &id, NULL),
                     BTC_STATUS_EXISTS);
    kit_assert_says(k, "/show/Season 2/e1.mkv");
    assert_int_equal(btc_remove(k->b, below, false, &k->e), 0);
    kit_show("show", 1);
    assert_int_equal(kit_add(k, "show.torrent", NULL, &first, NULL), 0);
    kit_show("show", 2);
    /* with another name, or elsewhere, it may come */
    o = (struct btc_add_options){.name = "show 2"};
    assert_int_equal(kit_add(k, "show.torrent", &o, &id, NULL), 0);
    kit_show("show", 4);
    (void)mkdir("sho", 0700); /* a prefix, but no folder above */
    o = (struct btc_add_options){.dir = "sho"};
    assert_int_equal(kit_add(k, "show.torrent", &o, &id, NULL), 0);
    assert_int_equal(btc_remove(k->b, first, false, &k->e), 0);
    kit_show("show", 2);
    kit_show("show", 5);
    assert_int_equal(kit_add(k, "show.torrent", NULL, &id, NULL), 0);
}

/* No torrent has the files of the database, whatever path leads to them. */
static void test_own_files(void **state)
{
    struct kit *k = *state;
    static const struct kit_file single = {NULL, 10, false};
    static const char *const names[] = {"btc.db", "btc.db-wal", "Btc.DB-shm",
                                        "btc.db.backup-v1"};
    struct btc_add_options o = {.dir = "state"};
    int64_t id = 0;
    (void)symlink("state", "way");
    for (uint8_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        kit_torrent(names[i], &single, 1, i);
        char *torrent = mem_printf("%s.torrent", names[i]);
        assert_int_equal(kit_add(k, torrent, &o, &id, NULL), BTC_STATUS_EXISTS);
        kit_assert_says(k, names[i]);
        kit_assert_says(k, "btc's own database");
        free(torrent);
    }
    kit_torrent("btc.db", &single, 1, 40);
    o.dir = "way";
    assert_int_equal(kit_add(k, "btc.db.torrent", &o, &id, NULL),
                     BTC_STATUS_EXISTS);
    /* by another name */
    assert_int_equal(link("state/btc.db-wal", "hard"), 0);
    o = (struct btc_add_options){.name = "hard"};
    assert_int_equal(kit_add(k, "btc.db.torrent", &o, &id, NULL),
                     BTC_STATUS_EXISTS);
    kit_assert_says(k, "btc's own database");
    assert_int_equal(unlink("hard"), 0);
    /* as a folder */
    kit_show("btc.db-x", 41);
    o = (struct btc_add_options){.dir = "state"};
    assert_int_equal(kit_add(k, "btc.db-x.torrent", &o, &id, NULL),
                     BTC_STATUS_EXISTS);
    /* and where it is nobody's */
    assert_int_equal(kit_add(k, "btc.db-x.torrent", NULL, &id, NULL), 0);
    assert_int_equal(kit_add(k, "btc.db.torrent", NULL, &id, NULL), 0);
}

/* Many at once, more than one transaction takes: each on its own merits, so one
 * that is in the way of another, one twice and a magnet. */
#define ALL_TORRENTS 600
static void test_all(void **state)
{
    struct kit *k = *state;
    enum {
        TWICE = ALL_TORRENTS,
        CLASH,
        MAGNET,
        COUNT
    };
    struct btc_addition *a = mem_calloc(COUNT, sizeof(*a));
    struct btc_source **s = mem_calloc(COUNT, sizeof(*s));
    const char *const peers[] = {"127.0.0.1:9999"};
    struct btc_add_options o = {.peers = peers, .n_peers = 1};
    static const struct kit_file one = {NULL, 5, false};
    for (unsigned i = 0; i <= CLASH; i++) {
        char *name = mem_printf("t%u", i % ALL_TORRENTS);
        char *path = mem_printf("%s.torrent", name);
        kit_torrent(name, &one, 1, i == CLASH ? 2 : 1);
        assert_int_equal(btc_source_load(path, 0, &s[i], &k->e), 0);
        free(path);
        free(name);
    }
    assert_int_equal(
        btc_source_load("magnet:?xt=urn:btih:"
                        "0123456789012345678901234567890123456789&dn=m",
                        0, &s[MAGNET], &k->e),
        0);
    for (unsigned i = 0; i < COUNT; i++) {
        a[i].source = s[i];
    }
    assert_int_equal(btc_add_all(k->b, a, COUNT, &o), BTC_STATUS_EXISTS);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(a[i].error.status, i == CLASH ? BTC_STATUS_EXISTS : 0);
        assert_int_equal(a[i].known, i == TWICE);
    }
    assert_int_equal(a[TWICE].id, a[0].id);
    assert_int_equal(a[CLASH].id, 0);
    assert_non_null(strstr(a[CLASH].error.message, "/t1 "));
    kit_assert_cell(k, "progress", a[ALL_TORRENTS - 1].id, "name", "t599");
    kit_assert_cell(k, "peer_list", a[ALL_TORRENTS - 1].id, "port", "9999");
    kit_assert_cell(k, "progress", a[MAGNET].id, "name", "m");
    kit_assert_cell(k, "peer_list", a[MAGNET].id, "port", "9999");
    kit_assert_cell(k, "log", a[MAGNET].id, "text", "added: m");
    /* what is wrong with the options is wrong with each of them */
    o = (struct btc_add_options){.dir = "no/such/folder"};
    assert_int_equal(btc_add_all(k->b, a, 3, &o), BTC_STATUS_STORAGE);
    assert_int_equal(a[2].error.status, BTC_STATUS_STORAGE);
    for (unsigned i = 0; i < COUNT; i++) {
        btc_source_free(s[i]);
    }
    free(s);
    free(a);
}

/* A folder that cannot be written will do for what is there already. */
static void test_read_only_folder(void **state)
{
    struct kit *k = *state;
    static const struct kit_file one = {NULL, 5, false};
    struct btc_add_options o = {.dir = "ro"};
    int64_t id = 0;
    if (getuid() == 0) {
        skip(); /* root may write everywhere */
    }
    kit_torrent("one.bin", &one, 1, 1);
    (void)mkdir("ro", 0500);
    assert_int_equal(kit_add(k, "one.bin.torrent", &o, &id, NULL),
                     BTC_STATUS_IO);
    (void)chmod("ro", 0700);
    kit_write("ro/one.bin", "12345", 5);
    (void)chmod("ro", 0500);
    assert_int_equal(kit_add(k, "one.bin.torrent", &o, &id, NULL), 0);
    (void)chmod("ro", 0700);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_info, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_choices, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_refused, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_magnet, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_names, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_known, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_conflict, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_own_files, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_all, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_read_only_folder, kit_setup,
                                        kit_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
