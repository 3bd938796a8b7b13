/* btc peers. */
#include <string.h>

#include "cli/commands/commands.h"
#include "cli/rows.h"
#include "front/format.h"

static const struct front_column cli_peers_columns[] = {
    {.title = "ID", .right = true, .drop = 3},
    {.title = "ADDRESS", .min = 15},
    {.title = "FLAGS", .drop = 5},
    {.title = "DOWN", .right = true},
    {.title = "UP", .right = true, .drop = 1},
    {.title = "GOT", .right = true, .drop = 2},
    {.title = "GAVE", .right = true, .drop = 6},
    {.title = "FROM", .drop = 7},
    {.title = "CLIENT", .drop = 4, .min = 8},
    {.title = "WHAT HAPPENED", .drop = 8, .min = 12}};

/* An address with its port; IPv6 in brackets. */
static void cli_peers_address(struct front_table *t, const struct cli_rows *r,
                              size_t row)
{
    const char *address = front_text_or(cli_rows_text(r, row, "address"), "?");
    long long port = cli_rows_int(r, row, "port", 0);
    struct front_text text = {0};

    if (strchr(address, ':') != NULL) {
        front_text_printf(&text, "[%s]:%lld", address, port);
    } else {
        front_text_printf(&text, "%s:%lld", address, port);
    }
    front_table_cell(t, front_text_str(&text));
    front_text_free(&text);
}

/* c connected, C it chokes us, i it wants from us. */
static void cli_peers_flags(struct front_table *t, const struct cli_rows *r,
                            size_t row)
{
    char flags[5] = "";
    size_t n = 0;

    if (cli_rows_int(r, row, "connected", 0) != 0) {
        flags[n++] = 'c';
        if (cli_rows_int(r, row, "choking", 0) != 0) {
            flags[n++] = 'C';
        }
        if (cli_rows_int(r, row, "interested", 0) != 0) {
            flags[n++] = 'i';
        }
    }
    if (cli_rows_int(r, row, "banned", 0) != 0) {
        flags[n++] = 'B';
    }
    front_table_cell(t, n == 0 ? NULL : flags);
}

/* How its last connection ended, how often, when. */
static void cli_peers_outcome(struct front_table *t, const struct cli_rows *r,
                              size_t row)
{
    const char *outcome = cli_rows_text(r, row, "outcome");
    long long times = cli_rows_int(r, row, "outcome_count", 0);
    struct front_text text = {0};
    char at[FRONT_FORMAT_MAX];

    if (outcome == NULL) {
        front_table_cell(t, NULL);
        return;
    }
    front_text_puts(&text, outcome);
    if (times > 1) {
        front_text_printf(&text, ", %lld times", times);
    }
    front_text_printf(
        &text, " (%s)",
        front_format_time(at, cli_rows_int(r, row, "outcome_at", 0)));
    front_table_cell(t, front_text_str(&text));
    front_text_free(&text);
}

/* A peer. */
static void cli_peers_cells(struct front_table *t, const struct cli_rows *r,
                            size_t row)
{
    cli_rows_cell(t, r, row, "torrent_id");
    cli_peers_address(t, r, row);
    cli_peers_flags(t, r, row);
    cli_rows_cell_rate(t, r, row, "down_rate");
    cli_rows_cell_rate(t, r, row, "up_rate");
    cli_rows_cell_size(t, r, row, "bytes_down");
    cli_rows_cell_size(t, r, row, "bytes_up");
    cli_rows_cell(t, r, row, "source");
    cli_rows_cell(t, r, row, "client");
    cli_peers_outcome(t, r, row);
}

/* btc peers [ID...]. */
static int cli_peers_run(struct cli *c)
{
    static const struct cli_rows_view view = {
        .view = "peer_list",
        .key = "peers",
        .columns = cli_peers_columns,
        .n_columns = sizeof(cli_peers_columns) / sizeof(cli_peers_columns[0]),
        .cells = cli_peers_cells,
        .nothing = "no peers are known"};

    return cli_rows_run(c, &view);
}

const struct cli_command cli_peers = {
    .name = "peers",
    .args = "[ID...]",
    .group = CLI_GROUP_LOOK,
    .help = "the peers that are known, and what came from each",
    .details =
        "Shows the known peers of the torrents. FLAGS: c connected, C it "
        "chokes us, i it wants something from us, B banned for bad data. The "
        "last column says how the last connection ended, how often, and when.",
    .example = "btc peers 1",
    .options = CLI_SET_READ,
    .max_args = CLI_ARGS_MANY,
    .run = cli_peers_run};
