/* btc trackers. */
#include "cli/commands/commands.h"
#include "cli/rows.h"

static const struct front_column cli_trackers_columns[] = {
    {.title = "ID", .right = true, .drop = 4},
    {.title = "TIER", .right = true, .drop = 5},
    {.title = "STATE"},
    {.title = "SEEDS", .right = true, .drop = 2},
    {.title = "LEECH", .right = true, .drop = 3},
    {.title = "DONE", .right = true, .drop = 8},
    {.title = "LAST", .drop = 7},
    {.title = "NEXT", .drop = 6},
    {.title = "URL", .min = 12},
    {.title = "ERROR", .drop = 1, .min = 10}};

/* A tracker. */
static void cli_trackers_cells(struct front_table *t, const struct cli_rows *r,
                               size_t row)
{
    cli_rows_cell(t, r, row, "torrent_id");
    cli_rows_cell(t, r, row, "tier");
    cli_rows_cell(t, r, row, "state");
    cli_rows_cell(t, r, row, "seeders");
    cli_rows_cell(t, r, row, "leechers");
    cli_rows_cell(t, r, row, "completed");
    cli_rows_cell_time(t, r, row, "last_announce");
    cli_rows_cell_time(t, r, row, "next_announce");
    cli_rows_cell(t, r, row, "url");
    cli_rows_cell(t, r, row, "error");
}

/* btc trackers [ID...]. */
static int cli_trackers_run(struct cli *c)
{
    static const struct cli_rows_view view = {
        .view = "tracker_list",
        .key = "trackers",
        .columns = cli_trackers_columns,
        .n_columns =
            sizeof(cli_trackers_columns) / sizeof(cli_trackers_columns[0]),
        .cells = cli_trackers_cells,
        .nothing = "there are no trackers"};

    return cli_rows_run(c, &view);
}

const struct cli_command cli_trackers = {
    .name = "trackers",
    .args = "[ID...]",
    .group = CLI_GROUP_LOOK,
    .help = "the trackers, what they said and when they are asked again",
    .details = "Shows the trackers of the torrents, their last answer and the "
               "next announce.",
    .example = "btc trackers 1",
    .options = CLI_SET_READ,
    .max_args = CLI_ARGS_MANY,
    .run = cli_trackers_run};
