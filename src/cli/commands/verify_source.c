/* btc verify SRC -d DIR: data against a torrent, without a database. */
#include "cli/commands/verify_source.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/run/signal.h"
#include "cli/sources.h"
#include "front/format.h"
#include "front/json.h"
#include "front/table.h"

#define CLI_CHECK_LINE_S 2 /* between two lines of progress */

/* What is told while it goes on. */
struct cli_check {
    const struct cli *c;
    time_t told; /* the last line */
};

/* A line now and then; a stop ends it. */
static bool cli_check_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct cli_check *k = ctx;
    struct timespec now;
    char buf[FRONT_FORMAT_MAX];

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    if (k->told == 0) {
        k->told = now.tv_sec;
    }
    if (k->c->o.progress != CLI_PROGRESS_NONE &&
        now.tv_sec - k->told >= CLI_CHECK_LINE_S) {
        k->told = now.tv_sec;
        cli_say(k->c, "hashed %s", front_format_percent(buf, done, total));
    }
    return cli_signal_stops() == 0;
}

/* What a file is, in a word. */
static const char *cli_check_state(const struct btc_checked_file *f)
{
    if (!f->wanted) {
        return "off";
    }
    if (f->size < 0) {
        return "missing";
    }
    if (f->good < f->length) {
        return "bad";
    }
    if ((uint64_t)f->size > f->length) {
        return "longer";
    }
    return "good";
}

/* How much of a file is good; NULL = it has no bytes. */
static const char *cli_check_percent(char buf[FRONT_FORMAT_MAX],
                                     const struct btc_checked_file *f)
{
    if (f->length == 0) {
        return NULL;
    }
    return front_format_percent(buf, f->good, f->length);
}

/* The files as a table. */
static void cli_check_table(struct cli *c, const struct btc_checked *r)
{
    static const struct front_column columns[] = {
        {.title = "#", .right = true},
        {.title = "STATE"},
        {.title = "GOOD", .right = true},
        {.title = "SIZE", .right = true},
        {.title = "PATH", .min = 20, .end = true}};
    struct front_table *t = front_table_new(columns, 5);
    char buf[FRONT_FORMAT_MAX];

    for (size_t i = 0; i < r->n_files; i++) {
        const struct btc_checked_file *f = &r->files[i];
        snprintf(buf, sizeof(buf), "%u", f->number);
        front_table_cell(t, buf);
        front_table_cell(t, cli_check_state(f));
        front_table_cell(t, cli_check_percent(buf, f));
        front_table_cell(t, front_format_size(buf, f->length));
        front_table_cell(t, f->path);
    }
    front_table_print(t, &c->out_screen, c->out);
    front_table_free(t);
}

/* One file for programs. */
static json_t *cli_check_file(const struct btc_checked_file *f)
{
    json_t *o = json_object();

    json_object_set_new(o, "file", json_integer((json_int_t)f->number - 1));
    json_object_set_new(o, "path", front_json_text(f->path));
    json_object_set_new(o, "length", front_json_uint(f->length));
    json_object_set_new(o, "size", front_json_known(f->size));
    json_object_set_new(o, "bytes_done", front_json_uint(f->good));
    json_object_set_new(o, "wanted", json_boolean(f->wanted));
    json_object_set_new(o, "state", json_string(cli_check_state(f)));
    return o;
}

/* All of it for programs. */
static void cli_check_print(struct cli *c, const struct btc_source_info *info,
                            const struct btc_checked *r, int status,
                            const struct btc_error *e)
{
    json_t *o = front_json_object();
    json_t *files = json_array();

    for (size_t i = 0; i < r->n_files; i++) {
        json_array_append_new(files, cli_check_file(&r->files[i]));
    }
    json_object_set_new(o, "status", json_integer(status));
    json_object_set_new(o, "retryable",
                        json_boolean(btc_status_is_retryable(status)));
    json_object_set_new(o, "error", json_null());
    if (status != 0) {
        json_object_set_new(o, "error", front_json_error(status, e->message));
    }
    json_object_set_new(o, "name", front_json_text(info->name));
    json_object_set_new(o, "info_hash", front_json_text(info->info_hash_v1));
    json_object_set_new(o, "pieces_done", json_integer(r->n_good));
    json_object_set_new(o, "pieces_total", json_integer(r->n_pieces));
    json_object_set_new(o, "files", files);
    if (c->o.json) {
        front_json_print(c->out, o);
    } else {
        front_json_line(c->out, o);
    }
}

/* The source is loaded. */
static int cli_check_source(struct cli *c, const struct btc_source *s)
{
    struct cli_check k = {.c = c};
    struct btc_checked r = {0};
    struct btc_error e = {0};
    const struct btc_check_options o = {.dir = c->o.dir,
                                        .name = c->o.out,
                                        .select = c->o.select,
                                        .exclude = c->o.exclude,
                                        .on_progress = cli_check_progress,
                                        .ctx = &k};

    int status = btc_check(s, &o, &r, &e);
    if (c->o.json || c->o.ndjson) {
        cli_check_print(c, btc_source_info(s), &r, status, &e);
    } else if (r.n_files > 0) {
        cli_check_table(c, &r);
        if (r.n_pieces == 0) {
            cli_say(c, "nothing that is wanted has bytes: no pieces");
        } else {
            cli_say(c, "%u of %u pieces are good", r.n_good, r.n_pieces);
        }
    }
    if (status != 0) {
        cli_say_error(c, &e);
    }
    btc_checked_fini(&r);
    return status;
}

int cli_verify_source(struct cli *c)
{
    struct btc_source *s = NULL;
    struct btc_error e = {0};

    if (c->n_args != 1) {
        return cli_fail_text(c, BTC_STATUS_USAGE,
                             "--dir needs one source: btc verify SRC -d DIR");
    }
    cli_signal_take(false);
    int status = cli_sources_open(c, c->args[0], 0, &s, &e);
    if (status != 0) {
        return cli_fail(c, &e);
    }
    status = cli_check_source(c, s);
    btc_source_free(s);
    return status;
}
