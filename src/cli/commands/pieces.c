/* btc pieces: the map of the pieces. */
#include <stdlib.h>

#include "base/mem.h"
#include "cli/commands/commands.h"
#include "cli/rows.h"
#include "cli/run/view.h"
#include "front/format.h"

#define CLI_PIECES_LINES 16 /* of one map */

/* Draws the map of row `row` of `progress`. */
static int cli_pieces_draw(struct cli *c, struct btc *b,
                           const struct cli_rows *rows, size_t row)
{
    struct btc_error e = {0};
    struct front_text out = {0};
    char percent[FRONT_FORMAT_MAX];
    int64_t total = cli_rows_int(rows, row, "pieces_total", 0);
    int64_t size = cli_rows_int(rows, row, "bytes_total", 0);
    const char *name = cli_rows_text(rows, row, "name");
    int status = 0;

    front_text_clean(&out, front_text_or(name, "?"), c->out_screen.utf8);
    if (total <= 0) { /* a magnet waits for its metadata */
        fprintf(c->out, "%s  no pieces%s\n", front_text_str(&out),
                cli_rows_is_known(rows, row) ? ": its files are empty"
                                             : " are known yet");
        front_text_free(&out);
        return 0;
    }
    if (size <= 0) { /* nothing is wanted of it */
        front_format_percent(percent, 1, 1);
    } else {
        front_format_percent(percent,
                             (uint64_t)cli_rows_int(rows, row, "bytes_done", 0),
                             (uint64_t)size);
    }
    front_text_printf(&out, "  %lld of %lld pieces, %s\n",
                      (long long)cli_rows_int(rows, row, "pieces_done", 0),
                      (long long)total, percent);
    size_t n =
        cli_view_cells(&c->out_screen, (uint32_t)total, CLI_PIECES_LINES);
    if (n > 0) {
        struct btc_cell *cells = mem_calloc(n, sizeof(*cells));
        status = btc_map(b, cli_rows_int(rows, row, "id", 0), cells, n, &e);
        if (status == 0) {
            cli_view_map(&c->out_screen, cells, n, &out);
        }
        free(cells);
    }
    fputs(front_text_str(&out), c->out);
    front_text_free(&out);
    if (status != 0) {
        return cli_fail(c, &e);
    }
    return 0;
}

/* The maps of the torrents asked for. */
static int cli_pieces_maps(struct cli *c, struct btc *b,
                           const struct cli_ids *ids)
{
    struct btc_error e = {0};
    struct front_text legend = {0};
    struct cli_rows *rows = cli_rows_load(b, "progress", 0, 0, &e);
    int status = 0;

    if (rows == NULL) {
        return cli_fail(c, &e);
    }
    if (ids->n > 0) {
        cli_rows_keep_ids(rows, "id", ids->ids, ids->n);
    }
    for (size_t i = 0; status == 0 && i < cli_rows_count(rows); i++) {
        status = cli_pieces_draw(c, b, rows, i);
    }
    if (cli_rows_count(rows) == 0) {
        cli_say(c, "there are no torrents");
    } else if (status == 0) {
        cli_view_legend(&c->out_screen, &legend);
        fputs(front_text_str(&legend), c->out);
        front_text_free(&legend);
    }
    cli_rows_free(rows);
    return status;
}

/* btc pieces [ID...]. */
static int cli_pieces_run(struct cli *c)
{
    static const struct cli_rows_view view = {.view = "piece_map",
                                              .key = "pieces"};
    struct btc *b = NULL;
    struct cli_ids ids = {0};

    if (c->o.json || c->o.ndjson) {
        return cli_rows_run(c, &view);
    }
    int status = cli_open(c, BTC_OPEN_READ_ONLY, &b);
    if (status != 0) {
        return status;
    }
    status = cli_open_ids(c, b, &ids);
    if (status == 0) {
        status = cli_pieces_maps(c, b, &ids);
    }
    free(ids.ids);
    btc_close(b);
    return status;
}

const struct cli_command cli_pieces = {
    .name = "pieces",
    .args = "[ID...]",
    .group = CLI_GROUP_LOOK,
    .help = "a drawing of the pieces",
    .details = "Draws which pieces are there: a sign per piece, or per stretch "
               "of pieces where there are many. With --json: a row per piece.",
    .example = "btc pieces ubuntu",
    .options = CLI_SET_READ,
    .max_args = CLI_ARGS_MANY,
    .run = cli_pieces_run};
