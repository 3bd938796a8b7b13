/* btc rm: forget torrents; --data deletes their files, too. */
#include <string.h>
#include <unistd.h>

#include "cli/commands/commands.h"
#include "cli/wish.h"
#include "front/format.h"
#include "front/json.h"

/* What would go. */
static void cli_rm_list(struct cli *c, const struct cli_wish *list, size_t n)
{
    char buf[FRONT_FORMAT_MAX];

    for (size_t i = 0; i < n; i++) {
        fprintf(c->err, "  %lld  %s", (long long)list[i].id, list[i].name);
        if (c->o.data) {
            fprintf(c->err, ", and its data: %s in %s",
                    front_format_size(buf, (uint64_t)list[i].bytes_done),
                    list[i].save_path);
        }
        fputs("\n", c->err);
    }
}

/* What would go, for programs. */
static void cli_rm_print(struct cli *c, const struct cli_wish *list, size_t n)
{
    json_t *o = front_json_object();
    json_t *torrents = json_array();

    for (size_t i = 0; i < n; i++) {
        json_array_append_new(torrents, cli_wish_json(&list[i]));
    }
    json_object_set_new(o, "would_remove", torrents);
    front_json_print(c->out, o);
}

/* Reads an answer. */
static bool cli_rm_answer(void)
{
    char answer[16];

    if (fgets(answer, sizeof(answer), stdin) == NULL) {
        return false;
    }
    answer[strcspn(answer, "\n")] = '\0';
    return strcmp(answer, "y") == 0 || strcmp(answer, "Y") == 0 ||
           strcmp(answer, "yes") == 0;
}

/* Asks before data is deleted. */
static int cli_rm_ask(struct cli *c, const struct cli_wish *list, size_t n)
{
    if (c->o.dry_run && c->o.json) {
        cli_rm_print(c, list, n);
        return 0;
    }
    if (c->o.dry_run) {
        fputs("would remove:\n", c->err);
        cli_rm_list(c, list, n);
        return 0;
    }
    if (!c->o.data || c->o.yes) {
        return 0;
    }
    if (isatty(STDIN_FILENO) == 0 || !c->err_screen.tty) {
        return cli_fail_text(c, BTC_STATUS_USAGE,
                             "--data deletes files and there is no terminal to "
                             "ask on: say -y if you mean it");
    }
    fputs("This deletes:\n", c->err);
    cli_rm_list(c, list, n);
    fputs("Go on? [y/N] ", c->err);
    fflush(c->err);
    if (cli_rm_answer()) {
        return 0;
    }
    cli_say(c, "nothing was removed");
    return BTC_STATUS_OTHER;
}

/* Something is not the torrent's own. */
static void cli_rm_stays(void *ctx, const char *path, const char *why)
{
    json_t *stay = json_object();

    json_object_set_new(stay, "path", front_json_text(path));
    json_object_set_new(stay, "why", json_string(why));
    json_array_append_new(ctx, stay);
}

/* One torrent. */
static int cli_rm_one(struct cli *c, struct btc *b, struct cli_wish *w,
                      struct btc_error *e)
{
    if (!c->o.data) {
        return btc_remove(b, w->id, false, e);
    }
    if (btc_engine_pid(btc_path(b)) == 0) {
        w->stays = json_array();
    }
    return btc_remove_data(b, w->id, w->stays != NULL ? cli_rm_stays : NULL,
                           w->stays, e);
}

/* btc rm ID... */
static int cli_rm_run(struct cli *c)
{
    struct cli_wish_kind kind = {.did = "removed",
                                 .wished = "the engine that runs removes",
                                 .ask = cli_rm_ask,
                                 .fn = cli_rm_one};

    if (c->o.data) {
        kind.did = "removed, data and all:";
        kind.partly = "removed, with the data that is its own:";
        kind.wished = "the engine that runs removes, with the data that is its "
                      "own (`btc log` tells what stays):";
    }
    return cli_wish_run(c, &kind);
}

const struct cli_command cli_rm = {
    .name = "rm",
    .args = "ID...",
    .group = CLI_GROUP_WISH,
    .help = "forget torrents; --data deletes their files, too",
    .details =
        "Removes torrents from the database; their files stay, unless --data "
        "is given. That asks on a terminal and needs -y elsewhere. It follows "
        "no link out of the torrent's folder, and other people's files in it "
        "stay.",
    .example = "btc rm --data 3",
    .options = CLI_SET_DB | CLI_SET(DATA) | CLI_SET(YES) | CLI_SET(DRY_RUN) |
               CLI_SET(JSON),
    .min_args = 1,
    .max_args = CLI_ARGS_MANY,
    .run = cli_rm_run};
