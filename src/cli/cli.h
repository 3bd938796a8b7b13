/* The command line of btc: what the commands share.
 *
 * Written against btc/btc.h alone. Data goes to `out`, everything else to
 * `err`. A command is a const descriptor in its own file cli_<command>.c and a
 * row in the table of commands.c.
 */
#ifndef BTC_CLI_CLI_H
#define BTC_CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "btc/btc.h"
#include "cli/options/options.h"
#include "front/term.h"
#include "front/text.h"

struct cli {
    FILE *out; /* standard output */
    FILE *err; /* standard error */
    struct front_screen out_screen;
    struct front_screen err_screen;
    const struct cli_command *command;
    struct cli_options o;
    char **args; /* borrows; what is not an option, behind the command */
    size_t n_args;
};

#define CLI_ARGS_MANY ((size_t)-1)

struct cli_command {
    const char *name;
    const char *args;    /* synopsis of its arguments */
    const char *group;   /* heading in `btc help` */
    const char *help;    /* one line */
    const char *details; /* paragraphs of `btc help COMMAND` */
    const char *example;
    uint64_t options; /* bits of what it takes */
    size_t min_args, max_args;
    int (*run)(struct cli *c); /* gives the exit status */
};
/* NULL-ended. */
extern const struct cli_command *const cli_commands[];

/* lookup.c */
/* NULL = there is none of that name. */
const struct cli_command *cli_command_find(const char *name);
/* The command that a wrong word may be meant for; NULL = none. */
const char *cli_command_guess(const char *word);

/* Sets of options. */
#define CLI_SET(name) CLI_OPTION_BIT(CLI_OPTION_##name)
#define CLI_SET_BASE \
    (CLI_SET(CONFIG) | CLI_SET(QUIET) | CLI_SET(VERBOSE) | CLI_SET(HELP))
#define CLI_SET_DB     (CLI_SET_BASE | CLI_SET(DB) | CLI_SET(ALLOW_NETWORK_DB))
#define CLI_SET_FORMAT (CLI_SET(JSON) | CLI_SET(NDJSON))
#define CLI_SET_READ   (CLI_SET_DB | CLI_SET_FORMAT)
/* how a torrent is to be got */
#define CLI_SET_ADD                                                          \
    (CLI_SET(DIR) | CLI_SET(OUT) | CLI_SET(SELECT) | CLI_SET(EXCLUDE) |      \
     CLI_SET(SEQUENTIAL) | CLI_SET(LABEL) | CLI_SET(PEER) | CLI_SET(ALLOC) | \
     CLI_SET(OVERWRITE))
/* both of a torrent and of a run */
#define CLI_SET_BOTH                                                    \
    (CLI_SET(SEED) | CLI_SET(DOWN) | CLI_SET(UP) | CLI_SET(MAX_PEERS) | \
     CLI_SET(ACCEPT_LOSS))
/* how the engine is to run */
#define CLI_SET_RUN                                                      \
    (CLI_SET(PORT) | CLI_SET(BIND) | CLI_SET(NO_DHT) | CLI_SET(NO_PEX) | \
     CLI_SET(NO_LSD) | CLI_SET(DHT_BOOTSTRAP) | CLI_SET(ALLOW_LOCAL) |   \
     CLI_SET(VERIFY) | CLI_SET(JOURNAL_INTERVAL) | CLI_SET(CACHE) |      \
     CLI_SET(MIN_FREE) | CLI_SET(ON_DONE) | CLI_SET(ON_ERROR) |          \
     CLI_SET(PROGRESS))
#define CLI_SET_LIMITS (CLI_SET(MAX_TIME) | CLI_SET(STALL_TIMEOUT))

/* Refuses "" and "-" (cli.c) for a file or a folder that a command writes: both
 * would be taken for one of that name, and the shell or the habit that gave
 * them means another. NULL is no file. Exit status. */
int cli_need_name(struct cli *c, const char *what, const char *word);

/* The whole program; `argv` may be permuted. Gives the exit status. */
int cli_main(int argc, char **argv, FILE *out, FILE *err);

/* Log lines up to this level are shown. */
enum btc_log_level cli_log_level(const struct cli_options *o);

/* help.c */
void cli_help_summary(const struct cli *c, FILE *f);
void cli_help_command(const struct cli *c, const struct cli_command *command,
                      FILE *f);

#define CLI_STOPPED_MAX 120
/* say.c: to standard error. */
/* "btc: TEXT" unless --quiet. */
void cli_say(const struct cli *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* An error, whatever --quiet says; with --json or --ndjson as an object on
 * standard output, too. Gives e->status (OTHER for 0). */
int cli_fail(struct cli *c, const struct btc_error *e);
/* The exit status of an error, which is never 0. */
int cli_fail_status(const struct btc_error *e);
/* The text of an error alone, to standard error. */
void cli_say_error(const struct cli *c, const struct btc_error *e);
/* The same from a text. */
int cli_fail_text(struct cli *c, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* What is to be said of an engine that is stopped; "" = it is not. */
const char *cli_stopped_text(int64_t pid, char text[CLI_STOPPED_MAX]);

/* " --db FILE" as a shell takes it, when that is not the default. */
void cli_put_db(const struct cli *c, struct front_text *out);
/* A text for people, whose advice (`btc resume`) names the database when that
 * is not the default. All that people read passes here, so that who writes a
 * text need not know how the database was named. */
void cli_advise(const struct cli *c, const char *text, struct front_text *out);

/* open.c */
/* Opens the database of --db; an error is said. Exit status. */
int cli_open(struct cli *c, unsigned flags, struct btc **out);
/* The arguments as torrents; `all` = every torrent when there are none. */
struct cli_ids {
    int64_t *ids; /* owns */
    size_t n;
};
/* Appends an id unless it is there already. */
void cli_open_id(int64_t *ids, size_t *n, int64_t id);
/* Every argument is looked up; those that are not found are said, and the
 * status of the first one is given back. free(out->ids). */
int cli_open_ids(struct cli *c, struct btc *b, struct cli_ids *out);
/* Like btc resume, with --db when that is not the default. */
const char *cli_open_hint(const struct cli *c, const char *command,
                          struct front_text *out);

#endif
