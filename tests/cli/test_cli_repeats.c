/* The same line again is counted, and the count is told. */
#include "cli/run/repeats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* The next line that is due; "" = none. */
static void expect_next(struct cli_repeats *r, int64_t now_ms, const char *line)
{
    struct front_text text = {0};

    assert_int_equal(cli_repeats_next(r, now_ms, &text), line[0] != '\0');
    assert_string_equal(front_text_str(&text), line);
    front_text_free(&text);
}

static void test_counted(void **state)
{
    struct cli_repeats *r = cli_repeats_new();

    (void)state;
    expect_next(r, 5000, "");
    assert_true(cli_repeats_take(r, "no"));
    assert_true(cli_repeats_take(r, "other"));
    for (int i = 0; i < 9999; i++) {
        assert_false(cli_repeats_take(r, "no"));
    }
    expect_next(r, 5000 + CLI_REPEATS_MS - 1, "");
    expect_next(r, 5000 + CLI_REPEATS_MS, "no (9999 more times)");
    expect_next(r, 5000 + CLI_REPEATS_MS, "");
    assert_true(cli_repeats_take(r, "no")); /* it is news again */
    assert_true(cli_repeats_take(r, "other"));
    assert_false(cli_repeats_take(r, "other"));
    expect_next(r, INT64_MAX, "other (1 more time)");
    expect_next(r, INT64_MAX, "");
    cli_repeats_free(r);
}

/* What cannot be remembered is said each time. */
static void test_many(void **state)
{
    struct cli_repeats *r = cli_repeats_new();
    char line[16];

    (void)state;
    for (int i = 0; i < CLI_REPEATS_MAX; i++) {
        (void)snprintf(line, sizeof(line), "%d", i);
        assert_true(cli_repeats_take(r, line));
    }
    assert_true(cli_repeats_take(r, "one more"));
    assert_true(cli_repeats_take(r, "one more"));
    assert_false(cli_repeats_take(r, "0"));
    expect_next(r, CLI_REPEATS_MS, "0 (1 more time)");
    assert_true(cli_repeats_take(r, "one more"));
    assert_false(cli_repeats_take(r, "one more"));
    cli_repeats_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_counted),
                                       cmocka_unit_test(test_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
