/* btc move: a torrent's data goes to another folder. */
#include <stdlib.h>
#include <time.h>

#include "cli/commands/commands.h"
#include "cli/rows.h"
#include "cli/run/signal.h"
#include "front/format.h"
#include "front/json.h"

#define CLI_MOVE_LINE_S 2 /* between two lines of progress */

/* What a copy tells as it goes on. */
struct cli_move {
    struct cli *c;
    time_t told; /* the last line */
};

/* A line now and then; a stop ends the move. */
static bool cli_move_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct cli_move *m = ctx;
    struct timespec now;
    char a[FRONT_FORMAT_MAX];
    char b[FRONT_FORMAT_MAX];

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    if (m->told == 0) {
        m->told = now.tv_sec;
    }
    if (total > 0 && now.tv_sec - m->told >= CLI_MOVE_LINE_S) {
        m->told = now.tv_sec;
        cli_say(m->c, "copied %s of %s", front_format_size(a, done),
                front_format_size(b, total));
    }
    return cli_signal_stops() == 0;
}

/* How it was done, for people. */
static void cli_move_say(struct cli *c, int64_t id, const struct btc_moved *r)
{
    struct front_text line = {0};

    front_text_printf(&line, "%lld  is in ", (long long)id);
    front_text_clean(&line, r->to, c->err_screen.utf8);
    if (c->o.here || r->n_files == 0) {
        front_text_puts(&line, " now; no file was touched");
    } else {
        front_text_printf(&line, " now: %u file%s, %u of them copied",
                          r->n_files, front_text_plural(r->n_files),
                          r->n_copied);
    }
    cli_say(c, "%s", front_text_str(&line));
    if (r->n_left > 0) {
        cli_say(c, "%u old file%s could not be taken away from %s", r->n_left,
                front_text_plural(r->n_left), r->from);
    }
    front_text_free(&line);
}

/* For programs. */
static void cli_move_print(struct cli *c, int64_t id, const struct btc_moved *r)
{
    json_t *o = front_json_object();
    json_t *list = json_array();
    json_t *t = json_object();

    json_object_set_new(t, "id", json_integer(id));
    json_object_set_new(t, "from", front_json_text(r->from));
    json_object_set_new(t, "save_path", front_json_text(r->to));
    json_object_set_new(t, "files_moved", json_integer(r->n_files));
    json_object_set_new(t, "files_copied", json_integer(r->n_copied));
    json_object_set_new(t, "files_left", json_integer(r->n_left));
    json_array_append_new(list, t);
    json_object_set_new(o, "torrents", list);
    front_json_print(c->out, o);
}

/* btc move ID DIR. */
static int cli_move_run(struct cli *c)
{
    struct cli_move m = {.c = c};
    const struct btc_move_options o = {.dir = c->args[1],
                                       .here = c->o.here,
                                       .on_progress = cli_move_progress,
                                       .ctx = &m};
    struct btc_moved r = {0};
    struct btc *b = NULL;
    struct btc_error e = {0};
    int64_t id = 0;

    int status = cli_need_name(c, "the folder", o.dir);
    if (status != 0) {
        return status;
    }
    cli_signal_take(false);
    status = cli_open(c, 0, &b);
    if (status != 0) {
        return status;
    }
    status = btc_find(b, c->args[0], &id, &e);
    if (status == 0) {
        status = btc_move(b, id, &o, &r, &e);
    }
    if (status != 0) {
        status = cli_fail(c, &e);
    } else if (c->o.json) {
        cli_move_print(c, id, &r);
    } else {
        cli_move_say(c, id, &r);
    }
    free(r.from);
    free(r.to);
    btc_close(b);
    return status;
}

const struct cli_command cli_move = {
    .name = "move",
    .args = "ID DIR",
    .group = CLI_GROUP_WISH,
    .help = "move the data of a torrent to another folder; --here",
    .details =
        "Moves the data of a torrent to the folder DIR, on this drive or "
        "another, and journals where it is. The old files go when the new ones "
        "are durable, so nothing is lost whenever it is interrupted. What the "
        "journal vouches for is not hashed again. With --here the data has "
        "been moved already, and nothing is touched. An engine that runs lets "
        "go of the torrent meanwhile. Exit 9: no room; 11: DIR, or the data "
        "there, is absent; 13: something else is in the way.",
    .example = "btc move 3 /mnt/big",
    .options = CLI_SET_DB | CLI_SET(JSON) | CLI_SET(HERE),
    .min_args = 2,
    .max_args = 2,
    .run = cli_move_run};
