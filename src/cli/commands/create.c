/* btc create: make a .torrent. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands/commands.h"
#include "cli/run/live.h"
#include "cli/run/run.h"
#include "cli/run/view.h"
#include "front/format.h"
#include "front/json.h"

#define CLI_CREATE_TICK_MS 100 /* between frames */

/* What the progress callback needs. */
struct cli_create {
    struct cli *c;
    struct cli_live *live;  /* owns; NULL: no bar */
    struct cli_track track; /* one row: what is being hashed */
    int64_t drawn_ms;
};

/* The last part of a path without slashes at its end, of what "." stands for
 * where there is none; free(). */
static char *cli_create_name(const char *given)
{
    size_t dots = strspn(given, "./");
    char *real = NULL;
    if (given[dots] == '\0' || strstr(given + dots, "/..") != NULL) {
        real = realpath(given, NULL);
    }
    const char *path = front_text_or(real, given);
    size_t end = strlen(path);

    while (end > 1 && path[end - 1] == '/') {
        end--;
    }
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/') {
        begin--;
    }
    struct front_text name = {0};
    front_text_add(&name, path + begin, end - begin);
    free(real);
    return name.data;
}

/* Draws how far the hashing is. */
static void cli_create_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct cli_create *w = ctx;
    int64_t now_ms = cli_run_now_ms();

    if (w->live == NULL ||
        (done < total && now_ms - w->drawn_ms < CLI_CREATE_TICK_MS)) {
        return;
    }
    w->drawn_ms = now_ms;
    struct btc_progress *p = &w->track.items[0].p;
    int64_t ms = now_ms - w->track.items[0].first_ms;
    p->bytes_done = done;
    p->bytes_total = total;
    p->down_rate = 0;
    p->eta_s = -1;
    if (ms > 0) {
        p->down_rate = done / (uint64_t)ms * 1000;
    }
    if (p->down_rate > 0) {
        p->eta_s = (int64_t)((total - done) / p->down_rate);
    }
    struct front_text frame = {0};
    front_term_resize(&w->c->err_screen, fileno(w->c->err));
    cli_view_hashing(&w->c->err_screen, p, &frame);
    cli_live_draw(w->live, front_text_str(&frame), w->c->err_screen.width);
    front_text_free(&frame);
}

/* Appends text as it may stand in a URI. */
static void cli_create_escape(struct front_text *out, const char *s)
{
    static const char hex[] = "0123456789ABCDEF";

    for (; *s != '\0'; s++) {
        unsigned char ch = (unsigned char)*s;
        bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                     (ch >= '0' && ch <= '9') || strchr("-._~", ch) != NULL;
        if (plain) {
            front_text_add(out, s, 1);
        } else {
            front_text_printf(out, "%%%c%c", hex[ch >> 4], hex[ch & 15]);
        }
    }
}

/* The magnet link of what was made. */
static void cli_create_magnet(const struct cli *c, const char *hash,
                              const char *name, struct front_text *out)
{
    front_text_printf(out, "magnet:?xt=urn:btih:%s&dn=", hash);
    cli_create_escape(out, name);
    for (size_t i = 0; i < c->o.trackers.n; i++) {
        const char *urls = c->o.trackers.items[i];
        while (*urls != '\0') {
            size_t n = strcspn(urls, ",");
            struct front_text url = {0};
            front_text_add(&url, urls, n);
            front_text_puts(out, "&tr=");
            cli_create_escape(out, front_text_str(&url));
            front_text_free(&url);
            urls += n;
            if (*urls == ',') {
                urls++;
            }
        }
    }
}

/* Says what was made. */
static void cli_create_show(struct cli *c, const char *output, const char *name,
                            const struct btc_create_result *r)
{
    char size[FRONT_FORMAT_MAX];
    char piece[FRONT_FORMAT_MAX];
    const char *where = output;
    FILE *out = c->out;
    struct front_text magnet = {0};

    if (strcmp(output, "-") == 0) { /* the torrent itself is in c->out */
        where = "standard output";
        out = c->err;
    }
    if (r->n_left_out > 0) {
        cli_say(c,
                "btc: warning: left out %u that %s no regular file%s: links, "
                "pipes, devices",
                r->n_left_out, r->n_left_out == 1 ? "is" : "are",
                front_text_plural(r->n_left_out));
    }
    cli_create_magnet(c, r->info_hash, name, &magnet);
    if (c->o.json) {
        json_t *o = front_json_object();
        json_object_set_new(o, "output", front_json_text(output));
        json_object_set_new(o, "name", front_json_text(name));
        json_object_set_new(o, "info_hash_v1", front_json_text(r->info_hash));
        json_object_set_new(o, "total_size", front_json_uint(r->total_size));
        json_object_set_new(o, "piece_length", json_integer(r->piece_length));
        json_object_set_new(o, "piece_count", json_integer(r->piece_count));
        json_object_set_new(o, "file_count", json_integer(r->n_files));
        json_object_set_new(o, "magnet", front_json_text(magnet.data));
        front_json_print(c->out, o);
    } else {
        cli_say(c, "%s: %s in %u file%s, %u pieces of %s", where,
                front_format_size(size, r->total_size), r->n_files,
                front_text_plural(r->n_files), r->piece_count,
                front_format_size(piece, r->piece_length));
        fprintf(out, "%s\n%s\n", r->info_hash, magnet.data);
    }
    front_text_free(&magnet);
}

/* The library's options from ours. */
static struct btc_create_options
cli_create_options(struct cli *c, const char *output, struct cli_create *w)
{
    return (struct btc_create_options){.path = c->args[0],
                                       .output = output,
                                       .trackers = c->o.trackers.items,
                                       .n_trackers = c->o.trackers.n,
                                       .web_seeds = c->o.web_seeds.items,
                                       .n_web_seeds = c->o.web_seeds.n,
                                       .piece_length = c->o.piece_length,
                                       .is_private = c->o.is_private,
                                       .force = c->o.force,
                                       .comment = c->o.comment,
                                       .on_progress = cli_create_progress,
                                       .ctx = w};
}

/* Whether a bar is drawn. */
static bool cli_create_has_bar(const struct cli *c)
{
    if (c->o.progress == CLI_PROGRESS_AUTO) {
        return c->err_screen.tty && !c->err_screen.dumb && !c->o.quiet;
    }
    return c->o.progress == CLI_PROGRESS_BAR;
}

/* Makes it and shows what was made. */
static int cli_create_make(struct cli *c)
{
    struct cli_create w = {.c = c};
    struct btc_create_result r = {0};
    struct btc_error e = {0};
    char *name = cli_create_name(c->args[0]);
    struct front_text output = {0};
    const struct btc_progress p = {.name = name, .state = BTC_STATE_HASHING};

    if (c->o.out != NULL) {
        front_text_puts(&output, c->o.out);
    } else {
        front_text_printf(&output, "%s.torrent", name);
    }
    cli_track_update(&w.track, &p, cli_run_now_ms());
    if (cli_create_has_bar(c)) {
        w.live = cli_live_new(fileno(c->err));
    }
    struct btc_create_options o =
        cli_create_options(c, front_text_str(&output), &w);
    int status = btc_create(&o, &r, &e);
    cli_live_free(w.live);
    if (status == 0) {
        cli_create_show(c, front_text_str(&output), name, &r);
    } else {
        cli_fail(c, &e);
    }
    cli_track_fini(&w.track);
    front_text_free(&output);
    free(name);
    return status;
}

/* btc create PATH [-o OUT]. */
static int cli_create_run(struct cli *c)
{
    if (c->o.json && c->o.out != NULL && strcmp(c->o.out, "-") == 0) {
        return cli_fail_text(c, BTC_STATUS_USAGE,
                             "--json and -o - both want standard output");
    }
    return cli_create_make(c);
}

const struct cli_command cli_create = {
    .name = "create",
    .args = "PATH",
    .group = CLI_GROUP_TOOLS,
    .help = "make a .torrent of a file or folder",
    .details = "Hashes PATH and writes a .torrent (default: NAME.torrent in "
               "the current folder). Prints the info hash and the magnet link. "
               "In a folder, symbolic links are left out. With -o - the "
               "torrent goes to standard output, the rest to standard error.",
    .example = "btc create film/ -o film.torrent -t http://tracker/announce",
    .options = CLI_SET_BASE | CLI_SET(OUT) | CLI_SET(TRACKER) |
               CLI_SET(WEB_SEED) | CLI_SET(PIECE_LENGTH) | CLI_SET(PRIVATE) |
               CLI_SET(COMMENT) | CLI_SET(FORCE) | CLI_SET(JSON) |
               CLI_SET(PROGRESS),
    .min_args = 1,
    .max_args = 1,
    .run = cli_create_run};
