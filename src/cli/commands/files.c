/* btc files. */
#include "cli/commands/commands.h"
#include "cli/rows.h"
#include "front/format.h"

static const struct front_column cli_files_columns[] = {
    {.title = "ID", .right = true, .drop = 2},
    {.title = "#", .right = true},
    {.title = "DONE", .right = true},
    {.title = "SIZE", .right = true, .drop = 1},
    {.title = "PRIO", .drop = 3},
    {.title = "PATH", .min = 20, .end = true}};

/* A priority in a word. */
static const char *cli_files_priority(int64_t n)
{
    static const char *const names[] = {"off",    "low",  "low",  "low",
                                        "normal", "high", "high", "high"};

    if (n >= 0 && n < 8) {
        return names[n];
    }
    return "-";
}

/* A file; its number is the one that --select takes. */
static void cli_files_cells(struct front_table *t, const struct cli_rows *r,
                            size_t row)
{
    char buf[FRONT_FORMAT_MAX];

    cli_rows_cell(t, r, row, "torrent_id");
    snprintf(buf, sizeof(buf), "%lld",
             (long long)cli_rows_int(r, row, "file", 0) + 1);
    front_table_cell(t, buf);
    cli_rows_cell_share(t, r, row, "bytes_done", "length");
    cli_rows_cell_size(t, r, row, "length");
    front_table_cell(t,
                     cli_files_priority(cli_rows_int(r, row, "priority", 4)));
    cli_rows_cell(t, r, row, "path");
}

/* btc files [ID...]. */
static int cli_files_run(struct cli *c)
{
    static const struct cli_rows_view view = {
        .view = "file_progress",
        .key = "files",
        .columns = cli_files_columns,
        .n_columns = sizeof(cli_files_columns) / sizeof(cli_files_columns[0]),
        .cells = cli_files_cells,
        .nothing = "no files are known (yet)"};

    return cli_rows_run(c, &view);
}

const struct cli_command cli_files = {
    .name = "files",
    .args = "[ID...]",
    .group = CLI_GROUP_LOOK,
    .help = "the files and how much of each is there",
    .details = "Shows the files of the torrents (without an ID: of all) and "
               "how much of each is verified. The number under # is the one "
               "that --select, --exclude and `btc set ID priority.N=...` take; "
               "in JSON and SQL `file` counts from 0.",
    .example = "btc files ubuntu",
    .options = CLI_SET_READ,
    .max_args = CLI_ARGS_MANY,
    .run = cli_files_run};
