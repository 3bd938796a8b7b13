/* The layers of the options, and what is said when one does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "cli/options/options.h"

#define ALL (~UINT64_C(0))

static char folder[] = "/tmp/btc-cli-XXXXXX";

/* Writes the config file of this test; NULL takes it away. */
static void write_config(const char *text)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/btc.conf", folder);
    if (text == NULL) {
        unlink(path);
        return;
    }
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    setenv("BTC_CONFIG", path, 1);
}

/* Sets one option as the command line does. */
static int set_typed(struct cli_options *o, enum cli_option_id id,
                     const char *value, struct btc_error *e)
{
    const struct cli_origin from = {.layer = CLI_LAYER_OPTION};

    return cli_options_set(o, id, value, &from, e);
}

static void test_layers(void **state)
{
    static const struct {
        const char *typed, *env, *file;
        uint64_t down;
    } cases[] = {{NULL, NULL, NULL, 0},
                 {NULL, NULL, "down = 3\n", 3},
                 {NULL, "2", "down = 3\n", 2},
                 {"1", "2", "down = 3\n", 1},
                 {"1", NULL, NULL, 1},
                 {NULL, "", "down = 3\n", 3}, /* empty is unset */
                 {"0", "2", "down = 3\n", 0},
                 {"1", "not a rate", "down = neither\n", 1},
                 {NULL, "5M", "# no\n; no\n\n[any]\nup=1\n", 5242880},
                 {NULL, NULL, "up=1\n \t down :  4K  ; why not\n", 4096}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cli_options o = {0};
        struct btc_error e = {0};
        write_config(cases[i].file == NULL ? "" : cases[i].file);
        unsetenv("BTC_DOWN");
        if (cases[i].env != NULL) {
            setenv("BTC_DOWN", cases[i].env, 1);
        }
        if (cases[i].typed != NULL) {
            assert_int_equal(set_typed(&o, CLI_OPTION_DOWN, cases[i].typed, &e),
                             0);
        }
        assert_int_equal(cli_options_load(&o, ALL, &e), 0);
        assert_int_equal(o.down, cases[i].down);
        cli_options_fini(&o);
    }
    unsetenv("BTC_DOWN");
}

static void test_lists(void **state)
{
    struct cli_options o = {0};
    struct btc_error e = {0};

    (void)state;
    write_config("peer = f:1\npeer = f:2\n");
    assert_int_equal(cli_options_load(&o, ALL, &e), 0);
    assert_int_equal(o.peers.n, 2);
    assert_string_equal(o.peers.items[1], "f:2");
    cli_options_fini(&o);

    setenv("BTC_PEER", " e:1  e:2 e:3", 1);
    assert_int_equal(cli_options_load(&o, ALL, &e), 0);
    assert_int_equal(o.peers.n, 3);
    assert_string_equal(o.peers.items[0], "e:1");
    assert_string_equal(o.peers.items[2], "e:3");
    cli_options_fini(&o);

    assert_int_equal(set_typed(&o, CLI_OPTION_PEER, "o:1", &e), 0);
    assert_int_equal(cli_options_load(&o, ALL, &e), 0);
    assert_int_equal(o.peers.n, 1);
    assert_string_equal(o.peers.items[0], "o:1");
    cli_options_fini(&o);
    unsetenv("BTC_PEER");
    write_config("");
}

static void test_only_its_own(void **state)
{
    struct cli_options o = {0};
    struct btc_error e = {0};

    (void)state;
    /* a value that this command does not take is not looked at */
    write_config("port = no number\nseed = nonsense\ndown = 7\n");
    assert_int_equal(cli_options_load(&o, CLI_SET(DOWN), &e), 0);
    assert_int_equal(o.down, 7);
    assert_false(cli_options_has(&o, CLI_OPTION_PORT));
    cli_options_fini(&o);
    write_config("");
}

static void test_values(void **state)
{
    static const struct {
        enum cli_option_id id;
        const char *value;
        bool ok;
    } cases[] = {{CLI_OPTION_PORT, "0", true},
                 {CLI_OPTION_PORT, "65535", true},
                 {CLI_OPTION_PORT, "65536", false},
                 {CLI_OPTION_PORT, "-1", false},
                 {CLI_OPTION_PORT, "1 ", false},
                 {CLI_OPTION_PORT, "", false},
                 {CLI_OPTION_PORT, "18446744073709551617", false},
                 {CLI_OPTION_MAX_PEERS, "0", false},
                 {CLI_OPTION_SEED, "none", true},
                 {CLI_OPTION_SEED, "forever", true},
                 {CLI_OPTION_SEED, "ratio:1.0", true},
                 {CLI_OPTION_SEED, "ratio:2", true},
                 {CLI_OPTION_SEED, "ratio:", false},
                 {CLI_OPTION_SEED, "ratio:1.", false},
                 {CLI_OPTION_SEED, "ratio:-1", false},
                 {CLI_OPTION_SEED, "ratio:1x", false},
                 {CLI_OPTION_SEED, "time:60m", true},
                 {CLI_OPTION_SEED, "time:soon", false},
                 {CLI_OPTION_SEED, "", false},
                 {CLI_OPTION_VERIFY, "auto", true},
                 {CLI_OPTION_VERIFY, "full", true},
                 {CLI_OPTION_VERIFY, "fu", false},
                 {CLI_OPTION_VERIFY, "auto|full", false},
                 {CLI_OPTION_VERIFY, "", false},
                 {CLI_OPTION_ALLOC, "full", true},
                 {CLI_OPTION_ALLOC, "none", false},
                 {CLI_OPTION_SEQUENTIAL, "true", true},
                 {CLI_OPTION_SEQUENTIAL, "OFF", true},
                 {CLI_OPTION_SEQUENTIAL, "maybe", false},
                 {CLI_OPTION_CACHE, "16M", true},
                 {CLI_OPTION_CACHE, "16", false},
                 {CLI_OPTION_MAX_TIME, "90", true},
                 {CLI_OPTION_MAX_TIME, "later", false},
                 {CLI_OPTION_DIR, "", false},
                 {CLI_OPTION_JOURNAL_INTERVAL, "1000", true},
                 {CLI_OPTION_JOURNAL_INTERVAL, "1", false},
                 {CLI_OPTION_VERBOSE, "2", true},
                 {CLI_OPTION_VERBOSE, "9", false}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cli_options o = {0};
        struct btc_error e = {0};
        int status = set_typed(&o, cases[i].id, cases[i].value, &e);
        if ((status == 0) != cases[i].ok) {
            fail_msg("--%s=%s: %d", cli_option_table[cases[i].id].name,
                     cases[i].value, status);
        }
        if (!cases[i].ok) {
            assert_int_equal(e.status, BTC_STATUS_USAGE);
            assert_non_null(
                strstr(e.message, cli_option_table[cases[i].id].name));
        }
        cli_options_fini(&o);
    }
}

static void test_texts(void **state)
{
    struct cli_options o = {0};
    struct btc_error e = {0};
    char expected[256];

    (void)state;
    assert_int_equal(set_typed(&o, CLI_OPTION_PORT, "x", &e), 2);
    assert_string_equal(e.message, "option --port: 'x' does not fit; allowed: "
                                   "0 to 65535 (0: any free one)");
    setenv("BTC_MAX_PEERS", "many", 1);
    assert_int_equal(cli_options_load(&o, ALL, &e), 2);
    assert_string_equal(e.message, "environment variable BTC_MAX_PEERS: 'many' "
                                   "does not fit; allowed: 1 to 65535");
    unsetenv("BTC_MAX_PEERS");
    cli_options_fini(&o);

    write_config("# mine\nverify = often\n");
    assert_int_equal(cli_options_load(&o, ALL, &e), 2);
    snprintf(expected, sizeof(expected),
             "%s/btc.conf line 2, verify: 'often' does not fit; allowed: "
             "auto|full|none",
             folder);
    assert_string_equal(e.message, expected);
    cli_options_fini(&o);

    write_config("up = 1\n\nmax_peers = 3\n");
    assert_int_equal(cli_options_load(&o, 0, &e), 2);
    snprintf(expected, sizeof(expected),
             "%s/btc.conf line 3: there is no option 'max_peers'; did you mean "
             "'max-peers'?",
             folder);
    assert_string_equal(e.message, expected);
    cli_options_fini(&o);

    write_config("up\n");
    assert_int_equal(cli_options_load(&o, ALL, &e), 2);
    snprintf(expected, sizeof(expected),
             "%s/btc.conf line 1: this is not `option = value`", folder);
    assert_string_equal(e.message, expected);
    cli_options_fini(&o);
    write_config("");
}

static void test_file(void **state)
{
    struct cli_options o = {0};
    struct btc_error e = {0};
    char longer[600] = "dir = /";

    (void)state;
    /* a file that is named must be there, the default one need not */
    setenv("BTC_CONFIG", "/nonexistent/btc.conf", 1);
    assert_int_equal(cli_options_load(&o, ALL, &e), 2);
    cli_options_fini(&o);
    unsetenv("BTC_CONFIG");
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    assert_int_equal(cli_options_load(&o, ALL, &e), 0);
    assert_string_equal(o.config_path, "/nonexistent/btc/btc.conf");
    cli_options_fini(&o);
    unsetenv("XDG_CONFIG_HOME");
    setenv("HOME", "/home/nobody-here", 1);
    assert_int_equal(cli_options_load(&o, ALL, &e), 0);
    assert_string_equal(o.config_path,
                        "/home/nobody-here/.config/btc/btc.conf");
    cli_options_fini(&o);
    /* a line that is too long is refused, never cut */
    memset(longer + 7, 'x', sizeof(longer) - 9);
    longer[sizeof(longer) - 2] = '\n';
    longer[sizeof(longer) - 1] = '\0';
    write_config(longer);
    assert_int_equal(cli_options_load(&o, ALL, &e), 2);
    assert_non_null(strstr(e.message, "line 1: the line is too long"));
    cli_options_fini(&o);
    /* no newline at the end of the file */
    write_config("down = 9");
    assert_int_equal(cli_options_load(&o, ALL, &e), 0);
    assert_int_equal(o.down, 9);
    cli_options_fini(&o);
    write_config("");
}

static void test_nearest(void **state)
{
    static const char *const words[] = {"status", "start", "resume", "rm",
                                        "get",    "peers", NULL};
    static const struct {
        const char *text, *near;
    } cases[] = {
        {"stauts", "status"}, {"statsu", "status"},
        {"strat", "start"},   {"resum", "resume"},
        {"gte", "get"},       {"re", "resume"},
        {"peer", "peers"},    {"sta", "status"},
        {"stat", "status"},   {"rn", "rm"},
        {"elephant", NULL},   {"x", NULL},
        {"", NULL},           {"a-word-that-is-far-too-long-to-be-one", NULL}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *near = cli_options_nearest(cases[i].text, words);
        if (cases[i].near == NULL) {
            assert_null(near);
        } else {
            assert_non_null(near);
            assert_string_equal(near, cases[i].near);
        }
    }
}

static void test_number(void **state)
{
    uint64_t n = 0;

    (void)state;
    assert_true(cli_options_parse_number("18446744073709551615", &n));
    assert_true(n == UINT64_MAX);
    assert_false(cli_options_parse_number("18446744073709551616", &n));
    assert_false(cli_options_parse_number("+1", &n));
    assert_false(cli_options_parse_number(" 1", &n));
    assert_false(cli_options_parse_number("0x10", &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers),       cmocka_unit_test(test_lists),
        cmocka_unit_test(test_only_its_own), cmocka_unit_test(test_values),
        cmocka_unit_test(test_texts),        cmocka_unit_test(test_file),
        cmocka_unit_test(test_nearest),      cmocka_unit_test(test_number)};

    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    write_config(NULL);
    rmdir(folder);
    return failed;
}
