/* Words and values of the database: each word leads back to its value. */
#include "model/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_wanted(void **state)
{
    (void)state;
    for (int i = WANTED_RUN; i <= WANTED_REMOVE_DATA; i++) {
        struct slice word = slice_str(wanted_name((enum wanted)i));
        assert_int_equal(wanted_from_name(word, WANTED_RUN), i);
    }
    assert_string_equal(wanted_name(WANTED_REMOVE_DATA), "remove-data");
    assert_string_equal(wanted_name((enum wanted)99), "?");
    assert_int_equal(wanted_from_name(slice_str("runs"), WANTED_PAUSE),
                     WANTED_PAUSE);
}

static void test_seed_mode(void **state)
{
    (void)state;
    for (int i = SEED_MODE_NONE; i <= SEED_MODE_TIME; i++) {
        struct slice word = slice_str(seed_mode_name((enum seed_mode)i));
        assert_int_equal(seed_mode_from_name(word, SEED_MODE_NONE), i);
    }
    assert_int_equal(seed_mode_from_name(slice_str(""), SEED_MODE_TIME),
                     SEED_MODE_TIME);
}

static void test_source(void **state)
{
    (void)state;
    static const char *const words[] = {"tracker", "user", "resume", "incoming",
                                        "pex",     "dht",  "lsd"};
    for (int i = PEER_SOURCE_TRACKER; i <= PEER_SOURCE_LSD; i++) {
        struct slice word = slice_str(words[i]);
        assert_string_equal(peer_source_name((enum peer_source)i), words[i]);
        assert_int_equal(peer_source_from_name(word, PEER_SOURCE_USER), i);
    }
    assert_int_equal(
        peer_source_from_name(slice_str("journal"), PEER_SOURCE_RESUME),
        PEER_SOURCE_RESUME);
}

static void test_level(void **state)
{
    (void)state;
    assert_string_equal(level_name(LEVEL_ERROR), "error");
    assert_string_equal(level_name(LEVEL_WARN), "warn");
    assert_string_equal(level_name(LEVEL_INFO), "info");
    assert_string_equal(level_name((enum level)3), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wanted),
        cmocka_unit_test(test_seed_mode),
        cmocka_unit_test(test_source),
        cmocka_unit_test(test_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
