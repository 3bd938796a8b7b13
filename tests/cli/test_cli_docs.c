/* The manual and the completions know exactly the commands and options that the
 * tables have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"

/* Reads a file of src/app; free(). */
static char *read_file(const char *name)
{
    char path[512];
    char *text = NULL;
    size_t size = 0;

    snprintf(path, sizeof(path), "%s/%s", BTC_CLI_DIR, name);
    FILE *f = fopen(path, "re");
    if (f == NULL || getdelim(&text, &size, '\0', f) < 0) {
        fail_msg("cannot read %s", path);
    }
    fclose(f);
    return text;
}

/* Whether `word` stands in the first `n` bytes of `text`, with borders. */
static bool has_word(const char *text, size_t n, const char *word)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz-";
    size_t len = strlen(word);

    for (size_t i = 0; i + len <= n; i++) {
        if (memcmp(text + i, word, len) == 0 &&
            (i == 0 || strchr(letters, text[i - 1]) == NULL) &&
            (i + len == n || strchr(letters, text[i + len]) == NULL)) {
            return true;
        }
    }
    return false;
}

/* How many words "[a-z-]+" there are. */
static size_t count_words(const char *text, size_t n)
{
    size_t words = 0;
    bool inside = false;

    for (size_t i = 0; i < n; i++) {
        bool letter = strchr("abcdefghijklmnopqrstuvwxyz-", text[i]) != NULL;
        words += letter && !inside ? 1 : 0;
        inside = letter;
    }
    return words;
}

/* A list of options, each with `dashes` before it, is what the command takes.
 */
static void check_list(const char *file, const struct cli_command *cmd,
                       const char *list, size_t n, const char *dashes)
{
    size_t expected = 0;

    for (unsigned id = 0; id < CLI_OPTION_N; id++) {
        char word[40];
        bool has = (cmd->options & CLI_OPTION_BIT(id)) != 0;
        snprintf(word, sizeof(word), "%s%s", dashes, cli_option_table[id].name);
        expected += has ? 1 : 0;
        if (has_word(list, n, word) != has) {
            fail_msg("%s: btc %s: %s is %s", file, cmd->name, word,
                     has ? "missing" : "too much");
        }
    }
    if (count_words(list, n) != expected) {
        fail_msg("%s: btc %s: unknown words", file, cmd->name);
    }
}

/* Files where a line "    COMMAND<begin>" starts the command's list. */
static void check_lists(const char *file, const char *begin, char end,
                        const char *dashes)
{
    char *text = read_file(file);

    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        char start[64];
        snprintf(start, sizeof(start), "\n    %s%s", cli_commands[i]->name,
                 begin);
        const char *list = strstr(text, start);
        if (list == NULL) {
            fail_msg("%s: no list of btc %s", file, cli_commands[i]->name);
            return;
        }
        list += strlen(start);
        const char *last = strchr(list, end);
        assert_non_null(last);
        check_list(file, cli_commands[i], list, (size_t)(last - list), dashes);
    }
    free(text);
}

static void test_bash(void **state)
{
    (void)state;
    check_lists("completion/btc.bash", ") echo \"", '"', "--");
}

static void test_zsh(void **state)
{
    char *text = read_file("completion/_btc");

    (void)state;
    check_lists("completion/_btc", " '", '\'', "");
    for (unsigned id = 0; id < CLI_OPTION_N; id++) {
        const struct cli_option *opt = &cli_option_table[id];
        char spec[80];
        snprintf(spec, sizeof(spec), "\n    %s) specs+=(", opt->name);
        if (id != CLI_OPTION_VERSION && strstr(text, spec) == NULL) {
            fail_msg("_btc: no specification of --%s", opt->name);
        }
    }
    free(text);
}

/* The line that tells fish about an option; its length goes to *n. */
static const char *fish_line(const char *text, const char *name, size_t *n)
{
    char word[64];

    snprintf(word, sizeof(word), " -l %s ", name);
    const char *line = strstr(text, word);
    if (line == NULL) {
        fail_msg("btc.fish: no --%s", name);
        return NULL;
    }
    while (line > text && line[-1] != '\n') {
        line--;
    }
    *n = strcspn(line, "\n");
    return line;
}

static void test_fish(void **state)
{
    char *text = read_file("completion/btc.fish");

    (void)state;
    for (unsigned id = 0; id < CLI_OPTION_N; id++) {
        const struct cli_option *opt = &cli_option_table[id];
        char letter[16];
        size_t n = 0;
        if (id == CLI_OPTION_VERSION) {
            continue;
        }
        const char *line = fish_line(text, opt->name, &n);
        const char *list = strstr(line, "_from ") + 6;
        size_t len = strcspn(list, "'");
        for (size_t i = 0; cli_commands[i] != NULL; i++) {
            bool has = (cli_commands[i]->options & CLI_OPTION_BIT(id)) != 0;
            if (has_word(list, len, cli_commands[i]->name) != has) {
                fail_msg("btc.fish: --%s and btc %s", opt->name,
                         cli_commands[i]->name);
            }
        }
        snprintf(letter, sizeof(letter), " -s %c ", opt->letter);
        if (opt->letter != 0) {
            const char *at = strstr(line, letter);
            assert_true(at != NULL && at < line + n);
        }
    }
    free(text);
}

static void test_manual(void **state)
{
    char *text = read_file("btc.1");

    (void)state;
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        char item[40];
        snprintf(item, sizeof(item), "\n.It Cm %s", cli_commands[i]->name);
        if (strstr(text, item) == NULL) {
            fail_msg("btc.1: no command %s", cli_commands[i]->name);
        }
    }
    for (unsigned id = 0; id < CLI_OPTION_N; id++) {
        const struct cli_option *opt = &cli_option_table[id];
        char item[64];
        char other[64];
        if (opt->letter != 0) {
            snprintf(item, sizeof(item), "\n.It Fl %c , -%s", opt->letter,
                     opt->name);
            snprintf(other, sizeof(other), "%s", item);
        } else {
            snprintf(item, sizeof(item), "\n.It Fl -%s", opt->name);
            snprintf(other, sizeof(other), " , Fl -%s", opt->name);
        }
        if (strstr(text, item) == NULL && strstr(text, other) == NULL) {
            fail_msg("btc.1: no option --%s", opt->name);
        }
    }
    free(text);
}

/* The table itself: names and letters are unique, every row is filled. */
static void test_table(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CLI_OPTION_N; i++) {
        const struct cli_option *a = &cli_option_table[i];
        assert_non_null(a->name);
        assert_non_null(a->help);
        assert_true(a->arg == NULL || a->allowed != NULL);
        assert_int_equal(cli_options_find(a->name), i);
        for (unsigned j = 0; j < i; j++) {
            const struct cli_option *b = &cli_option_table[j];
            assert_true(a->offset != b->offset);
            assert_true(a->letter == 0 || a->letter != b->letter);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bash), cmocka_unit_test(test_zsh),
        cmocka_unit_test(test_fish), cmocka_unit_test(test_manual),
        cmocka_unit_test(test_table)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
