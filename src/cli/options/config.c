/* The config file: `option = value` lines, read by inih. The reader counts the
 * lines, since inih does not tell its handler, and refuses a line that inih
 * would cut. Sections are allowed and mean nothing. */
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

#include "cli/options/options.h"

/* All that inih's callbacks need. */
struct cli_config {
    FILE *file;
    const char *path;
    struct cli_options *o;
    uint64_t set; /* options to take */
    unsigned line;
    int error; /* errno of the last read */
    int status;
    struct btc_error *e;
};

/* Fills the error once; the first one counts. */
static void cli_config_fail(struct cli_config *c, const char *what,
                            const char *name, const char *hint)
{
    if (c->status != 0) {
        return;
    }
    c->status = BTC_STATUS_USAGE;
    c->e->status = BTC_STATUS_USAGE;
    snprintf(c->e->message, sizeof(c->e->message), "%.200s line %u: %s%.60s%s",
             c->path, c->line, what, name, hint);
}

/* The next line for inih. */
static char *cli_config_line(char *line, int size, void *stream)
{
    struct cli_config *c = stream;

    if (c->status != 0 || fgets(line, size, c->file) == NULL) {
        c->error = errno; /* of a folder, say */
        return NULL;
    }
    c->line++;
    if (strchr(line, '\n') == NULL && !feof(c->file)) {
        cli_config_fail(c, "the line is too long", "", "");
        return NULL;
    }
    /* inih takes an indented line for more of the one before: not here */
    size_t blanks = strspn(line, " \t");
    memmove(line, line + blanks, strlen(line) - blanks + 1);
    return line;
}

/* Names of all options, for a suggestion. */
static const char *cli_config_suggest(const char *name)
{
    const char *names[CLI_OPTION_N + 1];

    for (unsigned i = 0; i < CLI_OPTION_N; i++) {
        names[i] = cli_option_table[i].name;
    }
    names[CLI_OPTION_N] = NULL;
    return cli_options_nearest(name, names);
}

/* One `name = value`. */
static int cli_config_value(void *ctx, const char *section, const char *name,
                            const char *value)
{
    struct cli_config *c = ctx;
    const struct cli_origin from = {CLI_LAYER_FILE, c->path, c->line};
    enum cli_option_id id = cli_options_find(name);

    (void)section;
    if (c->status != 0) {
        return 1;
    }
    if (id == CLI_OPTION_N) {
        char hint[80] = "' (`man btc` lists the options)";
        const char *near = cli_config_suggest(name);
        if (near != NULL) {
            snprintf(hint, sizeof(hint), "'; did you mean '%s'?", near);
        }
        cli_config_fail(c, "there is no option '", name, hint);
        return 1;
    }
    if ((c->set & CLI_OPTION_BIT(id)) != 0) {
        c->status = cli_options_set(c->o, id, cli_options_keep(c->o, value),
                                    &from, c->e);
    }
    return 1;
}

/* Fills the error of a file that cannot be read. */
static int cli_config_unread(const char *path, int error, struct btc_error *e)
{
    e->status = BTC_STATUS_USAGE;
    snprintf(e->message, sizeof(e->message),
             "cannot read the config file %.300s: %s", path, strerror(error));
    return BTC_STATUS_USAGE;
}

/* Reads the whole file. */
int cli_config_load(struct cli_options *o, const char *path, bool must,
                    uint64_t set, struct btc_error *e)
{
    struct cli_config c = {.path = path, .o = o, .set = set, .e = e};

    c.file = fopen(path, "re");
    if (c.file == NULL) {
        if (!must && (errno == ENOENT || errno == ENOTDIR)) {
            return 0;
        }
        return cli_config_unread(path, errno, e);
    }
    int bad = ini_parse_stream(cli_config_line, &c, cli_config_value, &c);
    int failed = 0;
    if (ferror(c.file) != 0) {
        failed = c.error;
    }
    fclose(c.file);
    if (failed != 0) {
        return cli_config_unread(path, failed, e);
    }
    if (bad > 0) {
        c.line = (unsigned)bad;
        cli_config_fail(&c, "this is not `option = value`", "", "");
    }
    return c.status;
}
