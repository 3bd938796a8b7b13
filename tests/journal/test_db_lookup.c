/* Finding the torrents that a new one may meet: the right ones, at a cost that
 * does not grow with those that are far away.
 */
#include "journal/db_kit.h"

#include "journal/internal.h"
#include "journal/load.h"
#include "journal/shared.h"

/* Adds a torrent with a first file and a save path by plain SQL. */
static void put(const struct test_db *t, unsigned id, const char *save_path,
                const char *path)
{
    char sql[512];
    (void)snprintf(sql, sizeof(sql),
                   "INSERT INTO torrent (id, info_hash, name, save_path)"
                   " VALUES (%u, printf('%%040x', %u), 't', '%s');"
                   "INSERT INTO file (torrent_id, file, path, \"offset\","
                   " length) VALUES (%u, 0, '%s', 0, 1),"
                   " (%u, 1, 'elsewhere/%u', 1, 1)",
                   id, id, save_path, id, path, id, id);
    assert_int_equal(test_db_sql(t->path, sql), SQLITE_OK);
}

/* The ids as text. Frees the rows. */
static void assert_ids(struct journal_torrent *rows, size_t n, const char *want)
{
    char got[64] = "";
    for (size_t i = 0; i < n; i++) {
        size_t at = strlen(got);
        (void)snprintf(got + at, sizeof(got) - at, "%s%lld", i ? " " : "",
                       (long long)rows[i].id);
    }
    journal_torrents_free(rows, n);
    assert_string_equal(got, want);
}

static void test_found(void **state)
{
    struct test_db *t = *state;
    struct err e = {0};
    struct journal_torrent *rows;
    size_t n;
    uint8_t hash[20] = {[19] = 3};
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    put(t, 1, "/a", "show");
    put(t, 2, "/a", "show/one");
    put(t, 3, "/a", "show.nfo");
    put(t, 4, "/a/show", "one");
    put(t, 5, "/a/show/deep", "one");
    put(t, 6, "/a/show2", "one");
    put(t, 7, "/", "show");
    put(t, 8, "/a", "sho");
    assert_int_equal(journal_load_named(db, "/a", "show", &rows, &n, &e), 0);
    assert_ids(rows, n, "1 2");
    assert_int_equal(journal_load_named(db, "/", "show", &rows, &n, &e), 0);
    assert_ids(rows, n, "7");
    assert_int_equal(journal_load_named(db, "/a", "elsewhere", &rows, &n, &e),
                     0);
    assert_ids(rows, n, "");
    assert_int_equal(journal_load_below(db, "/a/show", &rows, &n, &e), 0);
    assert_ids(rows, n, "4 5");
    assert_int_equal(journal_load_by_hash(db, hash, &rows, &n, &e), 0);
    assert_ids(rows, n, "3");
    hash[0] = 1;
    assert_int_equal(journal_load_by_hash(db, hash, &rows, &n, &e), 0);
    assert_ids(rows, n, "");
    assert_int_equal(journal_load_by_id(db, 6, &rows, &n, &e), 0);
    assert_ids(rows, n, "6");
    assert_int_equal(journal_load_by_id(db, 60, &rows, &n, &e), 0);
    assert_ids(rows, n, "");
    journal_close(db);
}

/* What journal_near has told: "other:file ". */
static int note_meeting(void *ctx, const struct journal_torrent *other,
                        uint32_t file, const char *path)
{
    char *got = ctx;
    size_t at = strlen(got);
    assert_int_equal(*path, '/');
    (void)snprintf(got + at, 64 - at, "%lld:%u ", (long long)other->id, file);
    return other->id == 9 ? 77 : 0;
}

/* Each place that another torrent has, wherever the two split it. */
static void test_near(void **state)
{
    struct test_db *t = *state;
    struct err e = {0};
    char got[64] = "", one[] = "show/one", two[] = "show/two", pad[] = "show/p";
    const struct journal_file files[] = {
        {.path = one}, {.path = pad, .pad = true}, {.path = two}};
    struct journal_near_files ours = {
        .id = 1, .save_path = "/a/b", .files = files, .n = 3};
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    put(t, 1, "/a/b", "show/one"); /* ourselves */
    put(t, 2, "/a/b", "show/two");
    put(t, 3, "/a", "b/show/one");
    put(t, 4, "/", "a/b/show/two");
    put(t, 5, "/a/b/show", "one");
    put(t, 6, "/a/b", "show/p"); /* ours is a pad */
    put(t, 7, "/a/b", "show/one2");
    put(t, 8, "/a/b", "show/one");
    assert_int_equal(test_db_sql(t->path, "UPDATE torrent SET wanted = 'remove'"
                                          " WHERE id = 8"),
                     SQLITE_OK);
    assert_int_equal(journal_near(db, &ours, note_meeting, got, &e), 0);
    assert_string_equal(got, "2:2 3:0 4:2 5:0 ");
    put(t, 9, "/a", "b/show/one"); /* ends the walk */
    ours.id = 0;
    got[0] = '\0';
    assert_int_equal(journal_near(db, &ours, note_meeting, got, &e), 77);
    assert_string_equal(got, "1:0 2:2 3:0 9:0 ");
    ours.n = 0;
    got[0] = '\0';
    assert_int_equal(journal_near(db, &ours, note_meeting, got, &e), 0);
    assert_string_equal(got, "");
    journal_close(db);
}

/* Folders above are found whatever other save paths stand between them. */
static void test_near_above(void **state)
{
    struct test_db *t = *state;
    struct err e = {0};
    char one[] = "show/one";
    const struct journal_file files[] = {{.path = one}};
    struct journal_near_files ours = {
        .save_path = "/m/n/o/p", .files = files, .n = 1};
    static const char *const rows[][2] = {
        {"/m/n/o/p", "show/one"},   {"/m/n/o", "p/show/one"},
        {"/m/n", "o/p/show/one"},   {"/m", "n/o/p/show/one"},
        {"/", "m/n/o/p/show/one"},  {"/m/n/o/b", "show/one"},
        {"/m/n/o-", "p/show/one"},  {"/m/n/a", "p/show/one"},
        {"/m/n-", "o/p/show/one"},  {"/m/a", "n/o/p/show/one"},
        {"/a", "m/n/o/p/show/one"}, {"/z", "m/n/o/p/show/one"}};
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    for (unsigned with = 0; with < 1u << 5; with++) {
        char got[64] = "", want[64] = "";
        assert_int_equal(
            test_db_sql(t->path, "UPDATE torrent SET wanted = 'remove';"
                                 "DELETE FROM file; DELETE FROM torrent_stat;"
                                 "DELETE FROM torrent"),
            SQLITE_OK);
        for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
            bool near = i < 5 && (with >> i & 1) != 0;
            if (near || (i >= 5 && (with >> (i % 5) & 1) == 0)) {
                put(t, 100 + i, rows[i][0], rows[i][1]);
            }
            if (near) {
                size_t at = strlen(want);
                (void)snprintf(want + at, sizeof(want) - at, "%u:0 ", 100 + i);
            }
        }
        assert_int_equal(journal_near(db, &ours, note_meeting, got, &e), 0);
        assert_string_equal(got, want);
    }
    journal_close(db);
}

/* Called for each step of SQLite's machine. */
static int count_step(void *ctx)
{
    ++*(unsigned *)ctx;
    return 0;
}

/* Steps of all three lookups when they find nothing. */
static unsigned lookup_steps(struct journal *db)
{
    static const uint8_t hash[20] = {9};
    struct err e = {0};
    struct journal_torrent *rows;
    size_t n;
    unsigned steps = 0;
    sqlite3_progress_handler(db->sql, 1, count_step, &steps);
    assert_int_equal(journal_load_named(db, "/a", "new", &rows, &n, &e), 0);
    assert_ids(rows, n, "");
    assert_int_equal(journal_load_below(db, "/a/new", &rows, &n, &e), 0);
    assert_ids(rows, n, "");
    assert_int_equal(journal_load_by_hash(db, hash, &rows, &n, &e), 0);
    assert_ids(rows, n, "");
    sqlite3_progress_handler(db->sql, 0, NULL, NULL);
    return steps;
}

static void test_cost(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    char name[32];
    put(t, 1, "/a", "first");
    unsigned few = lookup_steps(db);
    for (unsigned i = 2; i < 300; i++) {
        (void)snprintf(name, sizeof(name), "name %u", i);
        put(t, i, i % 2 ? "/a" : "/b", name);
    }
    assert_true(few > 10);
    assert_true(lookup_steps(db) < few + few / 2);
    journal_close(db);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, test_db_setup, test_db_teardown)
    const struct CMUnitTest tests[] = {T(test_found), T(test_near),
                                       T(test_near_above), T(test_cost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
