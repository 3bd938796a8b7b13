/* btc pause: wish that torrents rest. */
#include "cli/commands/commands.h"
#include "cli/wish.h"

/* One torrent. */
static int cli_pause_one(struct cli *c, struct btc *b, struct cli_wish *w,
                         struct btc_error *e)
{
    (void)c;
    return btc_pause(b, w->id, e);
}

/* btc pause ID... */
static int cli_pause_run(struct cli *c)
{
    static const struct cli_wish_kind kind = {.did = "paused",
                                              .fn = cli_pause_one};

    return cli_wish_run(c, &kind);
}

const struct cli_command cli_pause = {
    .name = "pause",
    .args = "ID...",
    .group = CLI_GROUP_WISH,
    .help = "stop torrents until started again",
    .details =
        "Wishes that torrents rest. An engine that runs takes it up; `btc "
        "resume` and `btc daemon` leave them alone until `btc start ID`.",
    .example = "btc pause 3",
    .options = CLI_SET_DB | CLI_SET(JSON),
    .min_args = 1,
    .max_args = CLI_ARGS_MANY,
    .run = cli_pause_run};
