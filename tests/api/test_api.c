/* The public interface: opening, texts, numbers, the log, seeding goals. */
#include "api/api_kit.h"

#include "api/api.h"
#include "base/log.h"
#include "model/names.h"

static void test_status_texts(void **state)
{
    (void)state;
    static const int retryable[] = {5, 6, 7, 11};
    for (int i = 0; i <= 16; i++) {
        bool expected = false;
        for (size_t n = 0; n < 4; n++) {
            expected = expected || retryable[n] == i;
        }
        assert_string_not_equal(btc_status_text(i), "unknown");
        assert_int_equal(btc_status_is_retryable(i), expected);
    }
    assert_string_equal(btc_status_text(0), "done");
    assert_string_equal(btc_status_text(7), "interrupted, state saved");
    assert_string_equal(btc_status_text(17), "unknown");
    assert_string_equal(btc_status_text(-1), "unknown");
    assert_string_equal(btc_status_text(INT32_MIN), "unknown");
}

static void test_numbers(void **state)
{
    (void)state;
    uint64_t v = 0;
    assert_true(btc_parse_size("1.5M", &v));
    assert_int_equal(v, 1536 * 1024);
    assert_false(btc_parse_size("1.5X", &v));
    assert_false(btc_parse_size(NULL, &v));
    assert_true(btc_parse_duration_ms("2m", &v));
    assert_int_equal(v, 120000);
    assert_false(btc_parse_duration_ms("", &v));
}

static void test_state_names(void **state)
{
    (void)state;
    for (int i = BTC_STATE_METADATA; i <= BTC_STATE_HASHING; i++) {
        const char *name = btc_state_name((enum btc_state)i);
        assert_true(name[0] != '\0');
        assert_int_equal(btc_state_from_name(name), i);
    }
    assert_string_equal(btc_state_name(BTC_STATE_WAITING_STORAGE),
                        "waiting-storage");
    assert_string_equal(btc_state_name((enum btc_state)99), "");
    assert_int_equal(btc_state_from_name("seedin"), BTC_STATE_UNKNOWN);
    assert_int_equal(btc_state_from_name(NULL), BTC_STATE_UNKNOWN);
}

static void test_default_db(void **state)
{
    (void)state;
    char *path;
    (void)setenv("XDG_STATE_HOME", "/xdg", 1);
    (void)setenv("HOME", "/home/me", 1);
    path = btc_default_db();
    assert_string_equal(path, "/xdg/btc/btc.db");
    free(path);
    (void)setenv("XDG_STATE_HOME", "relative", 1); /* to be ignored */
    path = btc_default_db();
    assert_string_equal(path, "/home/me/.local/state/btc/btc.db");
    free(path);
    (void)unsetenv("XDG_STATE_HOME");
    (void)unsetenv("HOME");
    assert_null(btc_default_db());
    struct btc *b = NULL;
    struct btc_error e = {0};
    assert_int_equal(btc_open(NULL, 0, &b, &e), BTC_STATUS_USAGE);
    assert_null(b);
    assert_int_equal(btc_engine_pid(NULL), 0);
}

static void test_open(void **state)
{
    struct kit *k = *state;
    struct btc *b = NULL;
    assert_int_equal(btc_path(k->b)[0], '/');
    assert_non_null(strstr(btc_path(k->b), "/state/btc.db"));
    assert_int_equal(btc_open("absent.db", 0, &b, &k->e), BTC_STATUS_NOT_FOUND);
    assert_int_equal(k->e.status, BTC_STATUS_NOT_FOUND);
    kit_assert_says(k, "absent.db");
    assert_null(b);
    kit_write("text.db", "no database at all", 18);
    assert_int_equal(btc_open("text.db", 0, &b, &k->e), BTC_STATUS_DB);
    assert_int_equal(btc_open(k->dir, 0, &b, NULL), BTC_STATUS_DB);
    assert_int_equal(btc_open("state/btc.db", BTC_OPEN_READ_ONLY, &b, &k->e),
                     0);
    assert_int_not_equal(btc_start(b, 1, &k->e), 0);
    struct btc_run_options o = {0};
    assert_int_equal(btc_run(b, &o, &k->e), BTC_STATUS_USAGE);
    btc_close(b);
    btc_close(NULL);
}

static void test_db_care(void **state)
{
    struct kit *k = *state;
    assert_int_equal(btc_db_check(k->b, NULL, NULL, &k->e), 0);
    assert_int_equal(btc_db_backup(k->b, "copy.db", &k->e), 0);
    assert_true(kit_exists("copy.db"));
    assert_int_equal(btc_db_backup(k->b, "copy.db", &k->e), BTC_STATUS_EXISTS);
    assert_non_null(strstr(btc_db_schema(), "CREATE TABLE torrent"));
    struct kit_cell c = {.column = "id"};
    assert_int_equal(btc_query(k->b, "no_view", 0, 0, kit_take_cell, &c, &k->e),
                     BTC_STATUS_USAGE);
    kit_assert_says(k, "no_view");
}

static void test_engine_pid(void **state)
{
    struct kit *k = *state;
    struct journal *engine = NULL;
    struct err e = {0};
    struct btc_run_options o = {0};
    assert_int_equal(btc_engine_pid(btc_path(k->b)), 0);
    assert_int_equal(journal_open(btc_path(k->b), JOURNAL_ENGINE, &engine, &e),
                     0);
    assert_int_equal(btc_engine_pid(btc_path(k->b)), getpid());
    assert_int_equal(btc_run(k->b, &o, &k->e), BTC_STATUS_LOCKED);
    char pid[32];
    (void)snprintf(pid, sizeof(pid), "%lld", (long long)getpid());
    kit_assert_says(k, pid);
    kit_assert_says(k, "btc status");
    journal_close(engine);
    assert_int_equal(btc_engine_pid(btc_path(k->b)), 0);
}

struct test_log {
    int n;
    enum btc_log_level level;
    char line[128];
};

static void test_log_line(void *ctx, enum btc_log_level level,
                          const char *category, const char *line)
{
    struct test_log *log = ctx;
    log->n++;
    log->level = level;
    (void)snprintf(log->line, sizeof(log->line), "%s: %s", category, line);
}

static void test_log(void **state)
{
    (void)state;
    struct test_log log = {0};
    btc_set_log(BTC_LOG_INFO, test_log_line, &log);
    log_write(LOG_DEBUG, "test", "not this");
    log_write(LOG_INFO, "test", "number %d", 7);
    assert_int_equal(log.n, 1);
    assert_int_equal(log.level, BTC_LOG_INFO);
    assert_string_equal(log.line, "test: number 7");
    btc_set_log(BTC_LOG_ERROR, NULL, NULL);
    log_write(LOG_INFO, "test", "nor this");
    assert_int_equal(log.n, 1);
    btc_set_log(BTC_LOG_WARN, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_texts),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_state_names),
        cmocka_unit_test(test_default_db),
        cmocka_unit_test(test_log),
        cmocka_unit_test_setup_teardown(test_open, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_db_care, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_engine_pid, kit_setup,
                                        kit_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
