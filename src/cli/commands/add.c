/* btc add: put torrents into the database and leave. */
#include "cli/commands/commands.h"
#include "cli/sources.h"

#define CLI_ADD_SEED "ratio:2.0" /* without --seed */

/* Says what was added. */
static void cli_add_show(struct cli *c, struct btc *b,
                         const struct cli_sources *s)
{
    bool engine = btc_engine_pid(btc_path(b)) != 0;
    struct front_text line = {0};
    json_t *list = json_array();

    for (size_t i = 0; i < s->n; i++) {
        const struct btc_source_info *info =
            btc_source_info(s->items[i].source);
        const char *hash = info->info_hash_v1;
        json_t *o = json_object();
        json_object_set_new(o, "id", json_integer(s->items[i].id));
        json_object_set_new(o, "info_hash", front_json_text(hash));
        json_object_set_new(o, "name", front_json_text(info->name));
        json_object_set_new(o, "known", json_boolean(s->items[i].known));
        json_array_append_new(list, o);
        front_text_clear(&line);
        front_text_clean(&line, front_text_or(info->name, hash),
                         c->err_screen.utf8);
        cli_say(c, "%s %lld  %s", s->items[i].known ? "known as" : "added as",
                (long long)s->items[i].id, front_text_str(&line));
    }
    if (c->o.json) {
        json_t *o = front_json_object();
        json_object_set(o, "torrents", list);
        json_object_set_new(o, "status",
                            json_integer(cli_sources_status(c, s)));
        if (json_array_size(s->errors) > 0) {
            json_object_set(o, "source_errors", s->errors);
        }
        front_json_print(c->out, o);
    } else if (!engine && !c->o.paused) {
        front_text_clear(&line);
        cli_say(c, "no engine runs: `%s` fetches it",
                cli_open_hint(c, "resume", &line));
    }
    json_decref(list);
    front_text_free(&line);
}

/* Adds to the database. */
static int cli_add_sources(struct cli *c, struct cli_sources *s)
{
    struct btc_add_options add = cli_sources_options(c, CLI_ADD_SEED);
    struct btc *b = NULL;
    int status = cli_open(c, BTC_OPEN_CREATE, &b);

    if (status != 0) {
        return status;
    }
    add.down_limit = c->o.down;
    add.up_limit = c->o.up;
    cli_sources_add(c, b, &add, s);
    if (s->n == 0) {
        status = cli_sources_fail(c, s);
    } else {
        status = cli_sources_status(c, s);
        cli_add_show(c, b, s);
    }
    btc_close(b);
    return status;
}

/* btc add SRC... */
static int cli_add_run(struct cli *c)
{
    return cli_sources_run(c, cli_add_sources);
}

const struct cli_command cli_add = {
    .name = "add",
    .args = "SRC...",
    .group = CLI_GROUP_WISH,
    .help = "put torrents into the database and leave",
    .details =
        "Adds torrents to the database. An engine that runs (`btc daemon`) "
        "takes them up at once; without one `btc resume` fetches them. Unlike "
        "get, add seeds to ratio 2.0 unless --seed says otherwise.",
    .example = "btc add -d /srv/films --seed forever film.torrent",
    .options = CLI_SET_DB | CLI_SET(JSON) | CLI_SET_ADD | CLI_SET_BOTH |
               CLI_SET(PAUSED) | CLI_SET(DRY_RUN) | CLI_SET(SAVE_TORRENT) |
               CLI_SET(BIND),
    .min_args = 1,
    .max_args = CLI_ARGS_MANY,
    .run = cli_add_run};
