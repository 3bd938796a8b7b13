/* btc start: wish that torrents run. */
#include "cli/commands/commands.h"
#include "cli/wish.h"

/* One torrent. */
static int cli_start_one(struct cli *c, struct btc *b, struct cli_wish *w,
                         struct btc_error *e)
{
    (void)c;
    return btc_start(b, w->id, e);
}

/* btc start ID... */
static int cli_start_run(struct cli *c)
{
    static const struct cli_wish_kind kind = {
        .did = "may run:",
        .idle = "no engine runs: `btc resume` or `btc daemon` goes on with it",
        .fn = cli_start_one};

    return cli_wish_run(c, &kind);
}

const struct cli_command cli_start = {
    .name = "start",
    .args = "ID...",
    .group = CLI_GROUP_WISH,
    .help = "let paused torrents run",
    .details = "Wishes that torrents run. An engine that runs takes it up; "
               "without one `btc resume` or `btc daemon` does.",
    .example = "btc start 3",
    .options = CLI_SET_DB | CLI_SET(JSON),
    .min_args = 1,
    .max_args = CLI_ARGS_MANY,
    .run = cli_start_run};
