/* How long a torrent is served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "model/seed_goal.h"

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        enum seed_mode mode;
        int64_t goal;
    } cases[] = {{"none", 0, SEED_MODE_NONE, 0},
                 {"forever", 0, SEED_MODE_FOREVER, 0},
                 {"ratio:1.0", 0, SEED_MODE_RATIO, 1000},
                 {"ratio:2", 0, SEED_MODE_RATIO, 2000},
                 {"ratio:0.05", 0, SEED_MODE_RATIO, 50},
                 {"ratio:1.234", 0, SEED_MODE_RATIO, 1234},
                 {"time:60m", 0, SEED_MODE_TIME, 3600},
                 {"time:1500ms", 0, SEED_MODE_TIME, 2},
                 {"ratio:1.2345", BTC_E_USAGE, 0, 0},
                 {"ratio:", BTC_E_USAGE, 0, 0},
                 {"ratio:.5", BTC_E_USAGE, 0, 0},
                 {"ratio:1.", BTC_E_USAGE, 0, 0},
                 {"ratio:-1", BTC_E_USAGE, 0, 0},
                 {"ratio:1.-5", BTC_E_USAGE, 0, 0},
                 {"ratio:99999999", BTC_E_USAGE, 0, 0},
                 {"time:soon", BTC_E_USAGE, 0, 0},
                 {"time:", BTC_E_USAGE, 0, 0},
                 {"", BTC_E_USAGE, 0, 0},
                 {"forever ", BTC_E_USAGE, 0, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct seed_goal goal;
        struct err e = {0};
        int code = seed_goal_parse(cases[i].text, &goal, &e);
        assert_int_equal(code, cases[i].code);
        if (code == 0) {
            assert_int_equal(goal.mode, cases[i].mode);
            assert_int_equal(goal.value, cases[i].goal);
        } else {
            assert_non_null(strstr(e.msg, "ratio:NUMBER"));
        }
    }
}

static void test_reached(void **state)
{
    (void)state;
    static const struct {
        struct seed_goal goal;
        uint64_t uploaded, size;
        int64_t seconds;
        bool reached;
    } cases[] = {{{SEED_MODE_NONE, 0}, 0, 100, 0, true},
                 {{SEED_MODE_FOREVER, 0}, 1000, 100, 1000, false},
                 {{SEED_MODE_RATIO, 1500}, 149, 100, 0, false},
                 {{SEED_MODE_RATIO, 1500}, 150, 100, 0, true},
                 {{SEED_MODE_RATIO, 0}, 0, 100, 0, true},
                 {{SEED_MODE_RATIO, 2000}, UINT64_MAX, UINT64_MAX, 0, false},
                 {{SEED_MODE_TIME, 60}, 0, 100, 59, false},
                 {{SEED_MODE_TIME, 60}, 0, 100, 60, true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(seed_goal_is_reached(&cases[i].goal, cases[i].uploaded,
                                              cases[i].size, cases[i].seconds),
                         cases[i].reached);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse),
                                       cmocka_unit_test(test_reached)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
