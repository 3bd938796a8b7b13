/* btc status: what stands in the database, engine running or not. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/commands/commands.h"
#include "cli/rows.h"
#include "cli/run/live.h"
#include "front/format.h"
#include "front/json.h"

static const struct front_column cli_status_columns[] = {
    {.title = "ID", .right = true},
    {.title = "NAME", .min = 10},
    {.title = "STATE", .drop = 1},
    {.title = "DONE", .right = true},
    {.title = "SIZE", .right = true, .drop = 4},
    {.title = "DOWN", .right = true, .drop = 2},
    {.title = "UP", .right = true, .drop = 5},
    {.title = "ETA", .right = true, .drop = 3},
    {.title = "PEERS", .right = true, .drop = 6},
    {.title = "RATIO", .right = true, .drop = 7}};
#define CLI_STATUS_COLUMNS \
    (sizeof(cli_status_columns) / sizeof(cli_status_columns[0]))

/* Set by INT and TERM while --watch runs. */
static volatile sig_atomic_t cli_status_over;

/* No magnet of which not even the metadata's size is known. */
static bool cli_status_is_known(const struct cli_rows *r, size_t row)
{
    return cli_rows_int(r, row, "bytes_total", 0) > 0 ||
           cli_rows_is_known(r, row);
}

/* A torrent. */
static void cli_status_cells(struct front_table *t, const struct cli_rows *r,
                             size_t row)
{
    char buf[FRONT_FORMAT_MAX];
    int64_t left = cli_rows_int(r, row, "bytes_left", 0);
    int64_t eta = -1;
    if (left > 0) {
        eta = cli_rows_int(r, row, "eta_s", -1);
    }

    cli_rows_cell(t, r, row, "id");
    cli_rows_cell(t, r, row, "name");
    cli_rows_cell(t, r, row, "state");
    cli_rows_cell_share(t, r, row, "bytes_done", "bytes_total");
    if (cli_status_is_known(r, row)) {
        cli_rows_cell_size(t, r, row, "bytes_total");
    } else {
        front_table_cell(t, NULL);
    }
    cli_rows_cell_rate(t, r, row, "down_rate");
    cli_rows_cell_rate(t, r, row, "up_rate");
    if (eta >= 0) {
        front_table_cell(t, front_format_duration(buf, eta));
    } else {
        front_table_cell(t, NULL);
    }
    cli_rows_cell(t, r, row, "peers");
    cli_rows_cell(t, r, row, "ratio");
}

/* Appends the rows that are asked for; 0 or the exit status, `e` filled. */
static int cli_status_load(struct btc *b, const struct cli_ids *ids,
                           struct cli_rows **rows, struct btc_error *e)
{
    int64_t only = 0; /* 0: all */
    if (ids->n == 1) {
        only = ids->ids[0];
    }
    *rows = cli_rows_load(b, "progress", only, 0, e);
    if (*rows == NULL) {
        return e->status;
    }
    if (ids->n > 1) {
        cli_rows_keep_ids(*rows, "id", ids->ids, ids->n);
    }
    int64_t pid = btc_engine_pid(btc_path(b));
    if (pid == 0 || btc_engine_is_stopped(pid)) {
        cli_rows_rest(*rows);
    }
    return 0;
}

/* The table and what goes wrong, as text. */
static void cli_status_text(const struct cli *c, const struct cli_rows *rows,
                            struct front_text *out)
{
    struct front_screen s = c->out_screen;

    if (s.width > 0) {
        s.width--; /* the last column would wrap in the live view */
    }
    struct front_table *t =
        front_table_new(cli_status_columns, CLI_STATUS_COLUMNS);
    for (size_t i = 0; i < cli_rows_count(rows); i++) {
        cli_status_cells(t, rows, i);
    }
    front_table_render(t, &s, out);
    front_table_free(t);
    for (size_t i = 0; i < cli_rows_count(rows); i++) {
        const char *error = cli_rows_text(rows, i, "error");
        if (error != NULL) {
            struct front_text line = {0};
            front_text_printf(&line, "%lld: %s",
                              (long long)cli_rows_int(rows, i, "id", 0), error);
            front_text_fit(out, front_text_str(&line),
                           front_term_width(&s, line.len), s.utf8);
            front_text_puts(out, "\n");
            front_text_free(&line);
        }
    }
}

/* Whether a torrent waits for an engine: nobody has paused it, and it is not
 * done. */
static bool cli_status_waits(const struct cli_rows *rows, size_t row)
{
    enum btc_state state =
        btc_state_from_name(cli_rows_text(rows, row, "state"));

    return state != BTC_STATE_COMPLETE && state != BTC_STATE_PAUSED;
}

/* The command that goes on, when no engine runs and something is left to be
 * done; else NULL. */
static const char *cli_status_next(const struct cli *c, struct btc *b,
                                   const struct cli_rows *rows,
                                   struct front_text *out)
{
    if (btc_engine_pid(btc_path(b)) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < cli_rows_count(rows); i++) {
        if (cli_status_waits(rows, i)) {
            return cli_open_hint(c, "resume", out);
        }
    }
    return NULL;
}

/* Whether an engine runs, for people. That one runs is no news in a file. */
static void cli_status_engine(const struct cli *c, struct btc *b,
                              const struct cli_rows *rows)
{
    struct front_text hint = {0};
    int64_t pid = btc_engine_pid(btc_path(b));
    const char *next = cli_status_next(c, b, rows, &hint);
    char stopped[CLI_STOPPED_MAX];

    if (*cli_stopped_text(pid, stopped) != '\0') {
        cli_say(c, "%s", stopped);
    } else if (next != NULL) {
        cli_say(c, "no engine runs; `%s` goes on", next);
    } else if (pid != 0 && c->out_screen.tty) {
        cli_say(c, "the engine runs (pid %lld)", (long long)pid);
    }
    front_text_free(&hint);
}

/* All as one object, but for the rows. */
static json_t *cli_status_object(const struct cli *c, struct btc *b,
                                 const struct cli_rows *rows)
{
    struct front_text hint = {0};
    json_t *o = front_json_object();
    int64_t pid = btc_engine_pid(btc_path(b));

    json_object_set_new(o, "engine_pid", front_json_id(pid));
    json_object_set_new(o, "engine_stopped",
                        json_boolean(btc_engine_is_stopped(pid)));
    json_object_set_new(o, "next",
                        front_json_text(cli_status_next(c, b, rows, &hint)));
    front_text_free(&hint);
    return o;
}

/* Shows it once. */
static void cli_status_show(struct cli *c, struct btc *b,
                            const struct cli_rows *rows)
{
    if (c->o.json) {
        front_json_print_rows(c->out, cli_status_object(c, b, rows), "torrents",
                              cli_rows_all(rows), false);
    } else if (c->o.ndjson) {
        json_t *o = json_object();
        json_object_set_new(o, "event", json_string("stats"));
        json_object_set_new(o, "at", json_integer(time(NULL)));
        front_json_print_rows(c->out, o, "torrents", cli_rows_all(rows), true);
    } else if (cli_rows_count(rows) == 0) {
        cli_say(c, "no torrents; `btc get SRC` downloads one, `btc add SRC` "
                   "keeps one for later");
    } else {
        struct front_text text = {0};
        cli_status_text(c, rows, &text);
        fputs(front_text_str(&text), c->out);
        fflush(c->out);
        front_text_free(&text);
        cli_status_engine(c, b, rows);
    }
}

/* Ends --watch. */
static void cli_status_handle(int number)
{
    (void)number;
    cli_status_over = 1;
}

/* The table over itself, as many rows as there is room for. */
static void cli_status_draw(struct cli *c, const struct cli_rows *rows,
                            struct cli_live *live)
{
    struct front_text text = {0};

    front_term_resize(&c->out_screen, fileno(c->out));
    if (cli_rows_count(rows) == 0) {
        front_text_puts(&text, "no torrents\n");
    } else {
        cli_status_text(c, rows, &text);
    }
    char *end = text.data;
    for (size_t line = 1; line < c->out_screen.height && *end != '\0'; line++) {
        end += strcspn(end, "\n");
        if (*end == '\n') {
            end++;
        }
    }
    *end = '\0';
    cli_live_draw(live, text.data, c->out_screen.width);
    front_text_free(&text);
}

/* Again and again; on a terminal over itself. */
static int cli_status_watch(struct cli *c, struct btc *b,
                            const struct cli_ids *ids)
{
    const struct timespec second = {.tv_sec = 1};
    struct sigaction sa = {.sa_handler = cli_status_handle};
    struct cli_live *live = NULL;
    struct btc_error e = {0};
    int status = 0;

    cli_status_over = 0;
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    bool redraw =
        c->out_screen.tty && !c->out_screen.dumb && !c->o.json && !c->o.ndjson;
    if (redraw) {
        live = cli_live_new(fileno(c->out));
    }
    while (cli_status_over == 0 && status == 0 && ferror(c->out) == 0) {
        struct cli_rows *rows = NULL;
        status = cli_status_load(b, ids, &rows, &e);
        if (status == 0 && live != NULL) {
            cli_status_draw(c, rows, live);
        } else if (status == 0) {
            cli_status_show(c, b, rows);
        }
        cli_rows_free(rows);
        fflush(c->out);
        if (cli_status_over == 0 && status == 0) {
            nanosleep(&second, NULL);
        }
    }
    cli_live_free(live);
    if (status != 0) {
        return cli_fail(c, &e);
    }
    return 0;
}

/* btc status [ID...]. */
static int cli_status_run(struct cli *c)
{
    struct btc *b = NULL;
    struct cli_ids ids = {0};
    struct cli_rows *rows = NULL;
    struct btc_error e = {0};
    int status = cli_open(c, BTC_OPEN_READ_ONLY, &b);

    if (status != 0) {
        return status;
    }
    status = cli_open_ids(c, b, &ids);
    if (status == 0 && c->o.watch) {
        status = cli_status_watch(c, b, &ids);
    } else if (status == 0) {
        status = cli_status_load(b, &ids, &rows, &e);
        if (status != 0) {
            cli_fail(c, &e);
        } else {
            cli_status_show(c, b, rows);
        }
        cli_rows_free(rows);
    }
    free(ids.ids);
    btc_close(b);
    return status;
}

const struct cli_command cli_status = {
    .name = "status",
    .args = "[ID...]",
    .group = CLI_GROUP_LOOK,
    .help = "all torrents and how far they are; --watch",
    .details =
        "Shows what stands in the database, whether an engine runs or not. "
        "With --watch it is shown again every second until interrupted.",
    .example = "btc status --json | jq '.torrents[].percent'",
    .options = CLI_SET_READ | CLI_SET(WATCH),
    .max_args = CLI_ARGS_MANY,
    .run = cli_status_run};
