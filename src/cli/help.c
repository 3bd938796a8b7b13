/* btc help: made from the tables of commands and options. */
#include <string.h>

#include "cli/cli.h"
#include "cli/commands/commands.h"

#define CLI_HELP_COLUMN 26 /* where the texts begin */
#define CLI_HELP_WIDTH  80 /* where they end */
#define CLI_HELP_STATES 17 /* exit statuses are 0 .. 16 */

/* Writes words up to the right edge, the lines after the first from a column
 * on; a line end in the text ends the line. */
static void cli_help_wrap(FILE *f, size_t column, const char *text)
{
    size_t at = column;

    while (*text != '\0') {
        size_t word = strcspn(text, " \n");
        if (at > column && at + 1 + word > CLI_HELP_WIDTH) {
            fprintf(f, "\n%*s", (int)column, "");
            at = column;
        } else if (at > column) {
            fputc(' ', f);
            at++;
        }
        fprintf(f, "%.*s", (int)word, text);
        at += word;
        text += word;
        if (*text == '\n') {
            fprintf(f, "\n%*s", (int)column, "");
            at = column;
        }
        if (*text != '\0') {
            text++;
        }
    }
    fputc('\n', f);
}

/* "  LEFT            TEXT", the text wrapped at its column. */
static void cli_help_line(FILE *f, const char *left, const char *text)
{
    size_t at = front_text_width(left) + 2;

    fprintf(f, "  %s", left);
    if (at + 2 > CLI_HELP_COLUMN) {
        fputc('\n', f);
        at = 0;
    }
    fprintf(f, "%*s", (int)(CLI_HELP_COLUMN - at), "");
    cli_help_wrap(f, CLI_HELP_COLUMN, text);
}

/* A heading in bold where that can be. */
static void cli_help_heading(const struct cli *c, FILE *f, const char *text)
{
    const struct front_screen *s = &c->err_screen;

    if (f == c->out) {
        s = &c->out_screen;
    }
    fprintf(f, "\n%s%s%s\n", front_term_colour(s, FRONT_COLOUR_BOLD), text,
            front_term_colour(s, FRONT_COLOUR_NONE));
}

/* All commands, a line each. */
void cli_help_summary(const struct cli *c, FILE *f)
{
    const char *group = "";

    fputs("btc downloads torrents and never loses its place.\n\n"
          "usage: btc COMMAND [OPTIONS] [ARGUMENTS]\n"
          "       btc SRC...       the same as btc get SRC...\n",
          f);
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        const struct cli_command *cmd = cli_commands[i];
        char left[64];
        if (strcmp(cmd->group, group) != 0) {
            group = cmd->group;
            cli_help_heading(c, f, group);
        }
        snprintf(left, sizeof(left), "%s %s", cmd->name, cmd->args);
        cli_help_line(f, left, cmd->help);
    }
    fputs(
        "\nSRC: a .torrent file, - (standard input), an http(s) URL, a magnet "
        "link or an\ninfo hash. ID: a row id, a name or the first digits of "
        "the info hash.\n"
        "\n`btc help COMMAND` shows its options, `btc help exit` the exit "
        "statuses.\nStop it as you like, even with kill -9: `btc resume` "
        "goes on.\n",
        f);
}

/* One option, as "  -d, --dir=DIR". */
static void cli_help_option(FILE *f, const struct cli_option *opt)
{
    char left[64];
    char letter[8] = "    ";

    if (opt->letter != 0) {
        snprintf(letter, sizeof(letter), "-%c, ", opt->letter);
    }
    snprintf(left, sizeof(left), "%s--%s%s%s", letter, opt->name,
             front_text_gap(opt->arg), front_text_or(opt->arg, ""));
    cli_help_line(f, left, opt->help);
}

/* One command with its options and an example. */
void cli_help_command(const struct cli *c, const struct cli_command *command,
                      FILE *f)
{
    fprintf(f, "usage: btc %s%s%s%s\n\n", command->name,
            command->options == 0 ? "" : " [OPTIONS]",
            front_text_gap(command->args), command->args);
    cli_help_wrap(f, 0, command->details);
    if (command->options != 0) {
        cli_help_heading(c, f, "Options");
    }
    for (unsigned id = 0; id < CLI_OPTION_N; id++) {
        if ((command->options & CLI_OPTION_BIT(id)) != 0) {
            cli_help_option(f, &cli_option_table[id]);
        }
    }
    cli_help_heading(c, f, "Example");
    fprintf(f, "  %s\n", command->example);
}

/* What the exit statuses mean. */
static int cli_help_exit(struct cli *c)
{
    fputs("btc ends with one of these; * is worth another try:\n\n", c->out);
    for (int status = 0; status < CLI_HELP_STATES; status++) {
        fprintf(c->out, "  %2d %c %s\n", status,
                btc_status_is_retryable(status) ? '*' : ' ',
                btc_status_text(status));
    }
    fputs(
        "\nuntil btc resume; do sleep 60; done    goes on until all is done\n",
        c->out);
    return 0;
}

/* btc help [COMMAND|exit]. */
static int cli_help_run(struct cli *c)
{
    if (c->n_args == 0) {
        cli_help_summary(c, c->out);
        return 0;
    }
    if (strcmp(c->args[0], "exit") == 0) {
        return cli_help_exit(c);
    }
    const struct cli_command *command = cli_command_find(c->args[0]);
    if (command == NULL) {
        const char *near = cli_command_guess(c->args[0]);
        if (near != NULL) {
            return cli_fail_text(c, BTC_STATUS_USAGE,
                                 "there is no help on '%s'; did you mean `btc "
                                 "help %s`?",
                                 c->args[0], near);
        }
        return cli_fail_text(c, BTC_STATUS_USAGE,
                             "there is no help on '%s'; `btc help` shows the "
                             "commands",
                             c->args[0]);
    }
    cli_help_command(c, command, c->out);
    return 0;
}

const struct cli_command cli_help = {
    .name = "help",
    .args = "[COMMAND|exit]",
    .group = CLI_GROUP_TOOLS,
    .help = "show the commands, one command's options, the exit statuses",
    .details = "Shows all commands, or one command with its options, or what "
               "the exit statuses mean. `man btc` tells it all.",
    .example = "btc help get",
    .options = CLI_SET(HELP),
    .max_args = 1,
    .run = cli_help_run};
