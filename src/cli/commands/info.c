/* btc info: show a torrent or a magnet; with --fetch, what peers say of it. */
#include <unistd.h>

#include "cli/commands/commands.h"
#include "cli/fetch.h"
#include "cli/sources.h"
#include "front/format.h"
#include "front/json.h"
#include "front/table.h"

#define CLI_INFO_TAB 14 /* where the values begin */

/* "name          value". */
static void cli_info_line(struct cli *c, const char *name, const char *value)
{
    struct front_text line = {0};

    front_text_printf(&line, "%-*s", CLI_INFO_TAB, name);
    front_text_clean(&line, front_text_or(value, "not known"),
                     c->out_screen.utf8);
    fprintf(c->out, "%s\n", front_text_str(&line));
    front_text_free(&line);
}

/* Sizes and pieces. */
static void cli_info_sizes(struct cli *c, const struct btc_source_info *i)
{
    char buf[FRONT_FORMAT_MAX];
    struct front_text line = {0};

    if (i->total_size >= 0) {
        front_text_printf(&line, "%s (%lld bytes)",
                          front_format_size(buf, (uint64_t)i->total_size),
                          (long long)i->total_size);
        cli_info_line(c, "size", front_text_str(&line));
    } else {
        cli_info_line(c, "size", NULL);
    }
    front_text_clear(&line);
    if (i->piece_length > 0) {
        front_text_printf(&line, "%lld of %s", (long long)i->piece_count,
                          front_format_size(buf, (uint64_t)i->piece_length));
        cli_info_line(c, "pieces", front_text_str(&line));
    }
    front_text_free(&line);
}

/* Who it is. */
static void cli_info_head(struct cli *c, const struct btc_source_info *i)
{
    char buf[FRONT_FORMAT_MAX];

    cli_info_line(c, "name", i->name);
    if (i->info_hash_v1 != NULL) {
        cli_info_line(c, "info hash", i->info_hash_v1);
    }
    if (i->info_hash_v2 != NULL) {
        cli_info_line(c, "info hash v2", i->info_hash_v2);
    }
    cli_info_sizes(c, i);
    if (i->is_private >= 0) {
        cli_info_line(c, "private", i->is_private != 0 ? "yes" : "no");
    }
    if (i->comment != NULL) {
        cli_info_line(c, "comment", i->comment);
    }
    if (i->creation_date > 0) {
        cli_info_line(c, "created", front_format_time(buf, i->creation_date));
    }
    if (i->created_by != NULL) {
        cli_info_line(c, "created by", i->created_by);
    }
}

/* Whom to ask. */
static void cli_info_ways(struct cli *c, const struct btc_source_info *i)
{
    for (size_t n = 0; n < i->n_trackers; n++) {
        char name[40];
        snprintf(name, sizeof(name), "tracker %u", i->trackers[n].tier + 1);
        cli_info_line(c, name, i->trackers[n].url);
    }
    for (size_t n = 0; n < i->n_web_seeds; n++) {
        cli_info_line(c, "web seed", i->web_seeds[n]);
    }
    for (size_t n = 0; n < i->n_peers; n++) {
        cli_info_line(c, "peer", i->peers[n]);
    }
}

/* The trackers and web seeds that are not used. */
static void cli_info_left_out(struct cli *c, const struct btc_source_info *i)
{
    struct front_text line = {0};

    for (size_t n = 0; n < i->n_left_out; n++) {
        front_text_clear(&line);
        front_text_printf(&line, "%s (it %s)", i->left_out[n].text,
                          i->left_out[n].why);
        cli_info_line(c, "left out", front_text_str(&line));
    }
    if (i->n_left_out_all > i->n_left_out) {
        front_text_clear(&line);
        front_text_printf(&line, "%zu more", i->n_left_out_all - i->n_left_out);
        cli_info_line(c, "left out", front_text_str(&line));
    }
    front_text_free(&line);
}

/* The files, numbered as --select counts. */
static void cli_info_files(struct cli *c, const struct btc_source_info *i)
{
    static const struct front_column columns[] = {
        {.title = "#", .right = true},
        {.title = "SIZE", .right = true},
        {.title = "PATH", .min = 20, .end = true}};
    struct front_table *t = front_table_new(columns, 3);
    char buf[FRONT_FORMAT_MAX];

    for (size_t n = 0; n < i->n_files; n++) {
        if (i->files[n].pad) {
            continue;
        }
        snprintf(buf, sizeof(buf), "%zu", n + 1);
        front_table_cell(t, buf);
        front_table_cell(t, front_format_size(buf, i->files[n].length));
        front_table_cell(t, i->files[n].path);
    }
    if (front_table_rows(t) > 0) {
        fputc('\n', c->out);
        front_table_print(t, &c->out_screen, c->out);
    }
    front_table_free(t);
}

/* Shows it. */
static void cli_info_show(struct cli *c, const struct btc_source_info *info)
{
    if (c->o.json) {
        front_json_print(c->out, front_json_info(info));
        return;
    }
    cli_info_head(c, info);
    cli_info_ways(c, info);
    cli_info_left_out(c, info);
    cli_info_files(c, info);
}

/* --fetch and --save-torrent, then it is shown. */
static int cli_info_source(struct cli *c, struct btc_source **s)
{
    struct btc_error e = {0};
    int status = 0;

    if (c->o.meta.fetch) {
        status = cli_fetch(c, s);
    }
    if (status == 0 && c->o.meta.save != NULL &&
        btc_source_save(*s, c->o.meta.save, &e) != 0) {
        status = cli_fail(c, &e);
    }
    if (status == 0) {
        cli_info_show(c, btc_source_info(*s));
    }
    return status;
}

/* btc info SRC. */
static int cli_info_run(struct cli *c)
{
    struct btc_source *s = NULL;
    struct btc_error e = {0};
    unsigned flags = BTC_SOURCE_ACCEPT_V2 | BTC_SOURCE_KEEP;

    if (!c->o.meta.fetch) {
        flags |= BTC_SOURCE_NO_NETWORK;
    }
    if (c->o.meta.save != NULL && access(c->o.meta.save, F_OK) == 0) {
        return cli_fail_text(c, BTC_STATUS_EXISTS, "'%s' exists already",
                             c->o.meta.save);
    }
    if (cli_sources_open(c, c->args[0], flags, &s, &e) != 0) {
        return cli_fail(c, &e);
    }
    int status = cli_info_source(c, &s);
    btc_source_free(s);
    return status;
}

/* How peers are asked. */
#define CLI_INFO_FETCH                                                    \
    (CLI_SET(FETCH) | CLI_SET(DB) | CLI_SET(ALLOW_NETWORK_DB) |           \
     CLI_SET(PORT) | CLI_SET(BIND) | CLI_SET(PEER) | CLI_SET(MAX_PEERS) | \
     CLI_SET(NO_DHT) | CLI_SET(NO_PEX) | CLI_SET(NO_LSD) |                \
     CLI_SET(DHT_BOOTSTRAP) | CLI_SET(ALLOW_LOCAL) | CLI_SET(MAX_TIME) |  \
     CLI_SET(PROGRESS))

const struct cli_command cli_info = {
    .name = "info",
    .args = "SRC",
    .group = CLI_GROUP_TOOLS,
    .help = "show what a .torrent or magnet holds",
    .details = "Shows what a .torrent file (- for standard input), a magnet "
               "link or an info hash says. Nothing is fetched, unless --fetch "
               "is given: then a URL is followed, and peers are asked what a "
               "magnet holds, for at most two minutes unless --max-time says "
               "otherwise. Nothing of its data comes, and the database "
               "stays as it is.",
    .example = "btc info --fetch --save-torrent film.torrent 'magnet:?xt=...'",
    .options =
        CLI_SET_BASE | CLI_SET(JSON) | CLI_INFO_FETCH | CLI_SET(SAVE_TORRENT),
    .min_args = 1,
    .max_args = 1,
    .run = cli_info_run};
