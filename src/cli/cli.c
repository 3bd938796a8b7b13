/* From argv to a command: getopt_long over the one table of options (they may
 * stand anywhere), the command word or a bare source, the weaker layers, the
 * checks that every command shares, and the last look at standard output. */
#include "cli/cli.h"
#include "base/num.h"
#include "cli/run/signal.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLI_LONG_BASE 1000 /* getopt's value of option 0 */

/* Fills getopt's tables from ours. */
static void cli_getopt_tables(struct option longs[CLI_OPTION_N + 1],
                              char shorts[3 * CLI_OPTION_N + 2])
{
    size_t n = 0;

    shorts[n++] = ':'; /* a missing value is ':', not '?' */
    for (unsigned id = 0; id < CLI_OPTION_N; id++) {
        const struct cli_option *opt = &cli_option_table[id];
        longs[id] = (struct option){
            .name = opt->name,
            .has_arg = opt->arg != NULL ? required_argument : optional_argument,
            .val = CLI_LONG_BASE + (int)id};
        if (opt->letter != 0) {
            shorts[n++] = opt->letter;
            if (opt->arg != NULL) {
                shorts[n++] = ':';
            }
        }
    }
    longs[CLI_OPTION_N] = (struct option){0};
    shorts[n] = '\0';
}

/* The option that getopt means. */
static enum cli_option_id cli_getopt_id(int got)
{
    unsigned id = 0;

    if (got >= CLI_LONG_BASE) {
        return (enum cli_option_id)(got - CLI_LONG_BASE);
    }
    while (id < CLI_OPTION_N && cli_option_table[id].letter != got) {
        id++;
    }
    return (enum cli_option_id)id;
}

/* Says what is wrong with an option that getopt refused. */
static int cli_getopt_refuse(struct cli *c, int got, const char *word)
{
    const char *names[CLI_OPTION_N + 1];

    if (got == ':') {
        enum cli_option_id id = cli_getopt_id(optopt);
        const struct cli_option *opt = &cli_option_table[id];
        return cli_fail_text(c, BTC_STATUS_USAGE,
                             "option --%s needs a value: --%s=%s; allowed: %s",
                             opt->name, opt->name, opt->arg, opt->allowed);
    }
    if (optopt != 0) { /* a letter; `word` may be the word before its own */
        return cli_fail_text(c, BTC_STATUS_USAGE,
                             "there is no option -%c; `btc help` shows the "
                             "commands, `btc help COMMAND` their options",
                             optopt);
    }
    for (unsigned i = 0; i < CLI_OPTION_N; i++) {
        names[i] = cli_option_table[i].name;
    }
    names[CLI_OPTION_N] = NULL;
    char name[64];
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
    const char *near = cli_options_nearest(name, names);
    if (near != NULL) {
        return cli_fail_text(c, BTC_STATUS_USAGE,
                             "there is no option --%s; did you mean --%s?",
                             name, near);
    }
    return cli_fail_text(c, BTC_STATUS_USAGE,
                         "there is no option --%s; `btc help COMMAND` shows "
                         "the options of a command",
                         name);
}

/* Sets one option of the command line. */
static int cli_getopt_set(struct cli *c, enum cli_option_id id)
{
    const struct cli_origin from = {.layer = CLI_LAYER_OPTION};
    const struct cli_option *opt = &cli_option_table[id];
    struct btc_error e = {0};
    const char *value = optarg;
    char times[24];

    if (value == NULL && opt->type == CLI_TYPE_REPEAT) {
        unsigned long long n = num_min_u64(c->o.verbose, 2) + 1;
        snprintf(times, sizeof(times), "%llu", n);
        value = cli_options_keep(&c->o, times);
    } else if (value == NULL) {
        value = "true";
    }
    if (cli_options_set(&c->o, id, value, &from, &e) != 0) {
        return cli_fail(c, &e);
    }
    return 0;
}

/* All options of the command line; the other words stand from optind on. */
static int cli_getopt_run(struct cli *c, int argc, char **argv)
{
    struct option longs[CLI_OPTION_N + 1];
    char shorts[3 * CLI_OPTION_N + 2];

    cli_getopt_tables(longs, shorts);
    optind = 0; /* begin anew, also in a second call */
    opterr = 0;
    for (;;) {
        int got = getopt_long(argc, argv, shorts, longs, NULL);
        if (got == -1) {
            return 0;
        }
        if (got == '?' || got == ':') {
            return cli_getopt_refuse(c, got, argv[optind - 1]);
        }
        int status = cli_getopt_set(c, cli_getopt_id(got));
        if (status != 0) {
            return status;
        }
    }
}

/* Whether a word looks like something to download. */
static bool cli_is_source(const char *word)
{
    size_t hex = strspn(word, "0123456789abcdefABCDEF");

    return strcmp(word, "-") == 0 || strpbrk(word, ":/.") != NULL ||
           (word[hex] == '\0' && (hex == 40 || hex == 64)) ||
           access(word, F_OK) == 0;
}

/* Says that a word is no command. */
static int cli_command_refuse(struct cli *c, const char *word)
{
    const char *near = cli_command_guess(word);

    if (near != NULL) {
        return cli_fail_text(c, BTC_STATUS_USAGE,
                             "'%s' is no command; did you mean `btc %s`?", word,
                             near);
    }
    return cli_fail_text(c, BTC_STATUS_USAGE,
                         "'%s' is neither a command nor a file, URL, magnet or "
                         "info hash; `btc help` shows the commands",
                         word);
}

/* Finds the command in the words that are left. */
static int cli_choose(struct cli *c)
{
    const char *word = NULL;
    if (c->n_args > 0) {
        word = c->args[0];
    }

    if (c->o.version || (word == NULL && c->o.help)) {
        c->command = cli_command_find("help");
        if (c->o.version) {
            c->command = cli_command_find("version");
        }
        c->n_args = 0;
        return 0;
    }
    if (word == NULL) {
        cli_help_summary(c, c->err);
        return BTC_STATUS_USAGE;
    }
    c->command = cli_command_find(word);
    if (c->command != NULL) {
        c->args++;
        c->n_args--;
        return 0;
    }
    if (!cli_is_source(word)) {
        return cli_command_refuse(c, word);
    }
    c->command = cli_command_find("get");
    return 0;
}

/* Refuses options that the command does not have, and a wrong number of words.
 */
static int cli_check(struct cli *c)
{
    const struct cli_command *cmd = c->command;

    for (unsigned id = 0; id < CLI_OPTION_N; id++) {
        uint64_t bit = CLI_OPTION_BIT(id);
        if ((c->o.given & bit) != 0 &&
            ((cmd->options | CLI_SET(VERSION)) & bit) == 0) {
            return cli_fail_text(c, BTC_STATUS_USAGE,
                                 "`btc %s` has no option --%s; `btc help %s` "
                                 "shows what it has",
                                 cmd->name, cli_option_table[id].name,
                                 cmd->name);
        }
    }
    if (c->n_args < cmd->min_args) {
        return cli_fail_text(c, BTC_STATUS_USAGE,
                             "something is missing: btc %s %s", cmd->name,
                             cmd->args);
    }
    if (c->n_args > cmd->max_args) {
        return cli_fail_text(c, BTC_STATUS_USAGE,
                             "'%s' is too much: btc %s%s%s",
                             c->args[cmd->max_args], cmd->name,
                             front_text_gap(cmd->args), cmd->args);
    }
    return 0;
}

int cli_need_name(struct cli *c, const char *what, const char *word)
{
    if (word == NULL || (*word != '\0' && strcmp(word, "-") != 0)) {
        return 0;
    }
    return cli_fail_text(c, BTC_STATUS_USAGE, "%s is '%s'%s", what, word,
                         *word == '\0'
                             ? ": is a variable of the shell unset?"
                             : ", but nothing goes to standard output "
                               "here: give a name");
}

/* Checks that go over several options. */
static int cli_check_together(struct cli *c)
{
    int status = cli_need_name(c, "--save-torrent", c->o.meta.save);

    /* of create alone it is standard output */
    if (status == 0 && strcmp(c->command->name, "create") != 0) {
        status = cli_need_name(c, "--out", c->o.out);
    }
    if (status != 0) {
        return status;
    }
    if (c->o.json && c->o.ndjson) {
        return cli_fail_text(c, BTC_STATUS_USAGE,
                             "--json and --ndjson do not go together: take one "
                             "object or an object per line");
    }
    return 0;
}

/* Log lines up to this level are shown. */
enum btc_log_level cli_log_level(const struct cli_options *o)
{
    static const enum btc_log_level levels[] = {BTC_LOG_WARN, BTC_LOG_INFO,
                                                BTC_LOG_DEBUG, BTC_LOG_TRACE};

    if (o->quiet) {
        return BTC_LOG_ERROR;
    }
    return levels[num_min_u64(o->verbose, 3)];
}

/* The weaker layers. What has no --config works whatever stands in the file:
 * help is for those who have erred. */
static int cli_load(struct cli *c, struct btc_error *e)
{
    uint64_t set = c->command->options;

    if ((set & CLI_SET(CONFIG)) != 0) {
        return cli_options_load(&c->o, set, e);
    }
    return cli_options_load_env(&c->o, set, e);
}

/* Everything between argv and the exit status. */
static int cli_run(struct cli *c, int argc, char **argv)
{
    struct btc_error e = {0};

    int status = cli_getopt_run(c, argc, argv);
    if (status != 0) {
        return status;
    }
    c->args = argv + optind;
    c->n_args = (size_t)(argc - optind);
    status = cli_choose(c);
    if (status != 0 || c->command == NULL) {
        return status;
    }
    if (c->o.help) {
        cli_help_command(c, c->command, c->out);
        return 0;
    }
    status = cli_check(c);
    if (status != 0) {
        return status;
    }
    if (cli_load(c, &e) != 0) {
        return cli_fail(c, &e);
    }
    status = cli_check_together(c);
    if (status != 0) {
        return status;
    }
    btc_set_log(cli_log_level(&c->o), NULL, NULL);
    return c->command->run(c);
}

/* Data that could not be written is no success. */
static int cli_finish(struct cli *c, int status)
{
    errno = 0;
    if (fflush(c->out) == 0 && ferror(c->out) == 0) {
        return status;
    }
    /* what was flushed before has left no errno */
    fprintf(c->err, "btc: cannot write to standard output: %s\n",
            errno == 0 ? "it is full or closed" : strerror(errno));
    if (status == 0) {
        return BTC_STATUS_IO;
    }
    return status;
}

/* Whether the words before `--` ask for an object: an error of the options must
 * be one, too. */
static bool cli_wants_json(int argc, char *const *argv, const char *word)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], word) == 0) {
            return true;
        }
    }
    return false;
}

/* The whole program. */
int cli_main(int argc, char **argv, FILE *out, FILE *err)
{
    struct cli c = {.out = out, .err = err};

    front_term_init();
    c.out_screen = front_term_screen(out);
    c.err_screen = front_term_screen(err);
    c.o.json = cli_wants_json(argc, argv, "--json");
    c.o.ndjson = !c.o.json && cli_wants_json(argc, argv, "--ndjson");
    int status = cli_finish(&c, cli_run(&c, argc, argv));
    cli_signal_release();
    cli_options_fini(&c.o);
    return status;
}
