/* btc log. */
#include "cli/commands/commands.h"
#include "cli/rows.h"

#define CLI_LOG_LIMIT 100 /* rows without --limit */

static const struct front_column cli_log_columns[] = {
    {.title = "TIME"},
    {.title = "ID", .right = true, .drop = 2},
    {.title = "LEVEL", .drop = 1},
    {.title = "KIND", .drop = 3},
    {.title = "TEXT", .min = 18}};

/* An event. */
static void cli_log_cells(struct front_table *t, const struct cli_rows *r,
                          size_t row)
{
    cli_rows_cell_time(t, r, row, "at");
    cli_rows_cell(t, r, row, "torrent_id");
    cli_rows_cell(t, r, row, "level");
    cli_rows_cell(t, r, row, "kind");
    cli_rows_cell(t, r, row, "text");
}

/* btc log [ID...]. */
static int cli_log_run(struct cli *c)
{
    struct cli_rows_view view = {.view = "log",
                                 .key = "log",
                                 .columns = cli_log_columns,
                                 .n_columns = sizeof(cli_log_columns) /
                                              sizeof(cli_log_columns[0]),
                                 .cells = cli_log_cells,
                                 .nothing = "nothing has happened yet",
                                 .limit = CLI_LOG_LIMIT};

    if (cli_options_has(&c->o, CLI_OPTION_LIMIT)) {
        view.limit = (int64_t)c->o.limit;
    }
    return cli_rows_run(c, &view);
}

const struct cli_command cli_log = {
    .name = "log",
    .args = "[ID...]",
    .group = CLI_GROUP_LOOK,
    .help = "what happened",
    .details = "Shows what happened to the torrents, newest last.",
    .example = "btc log --limit 20",
    .options = CLI_SET_READ | CLI_SET(LIMIT),
    .max_args = CLI_ARGS_MANY,
    .run = cli_log_run};
