/* btc daemon: the engine for all torrents until told to stop. */
#include "cli/commands/commands.h"
#include "cli/run/run.h"
#include "cli/run/signal.h"

/* btc daemon. */
static int cli_daemon_run(struct cli *c)
{
    struct btc *b = NULL;
    struct cli_run r;
    struct btc_error e = {0};

    cli_signal_take(true);
    int status = cli_open(c, BTC_OPEN_CREATE, &b);
    if (status != 0) {
        return status;
    }
    cli_run_init(&r, c, b);
    r.options.follow_wishes = true;
    status = cli_run_engine(&r, false, &e);
    if (status == BTC_STATUS_INTERRUPTED) {
        cli_say(c, "btc: stopped, everything is saved");
        status = 0; /* being told to stop is how a daemon ends */
    } else if (status != 0) {
        e.status = status;
        cli_fail(c, &e);
    }
    r.status = status;
    cli_run_fini(&r);
    btc_close(b);
    return status;
}

const struct cli_command cli_daemon = {
    .name = "daemon",
    .args = "",
    .group = CLI_GROUP_FETCH,
    .help = "run all torrents until told to stop",
    .details = "Runs the engine in the foreground for every torrent of the "
               "database and takes up what `btc add`, start, pause, rm and set "
               "wish, until INT or TERM. HUP reads --down and --up from "
               "environment and config file again. Without a terminal it "
               "prints a line when something changes, so that it fits systemd.",
    .example = "btc daemon --port 51413 --up 1M",
    .options = (CLI_SET_DB | CLI_SET_BOTH | CLI_SET_RUN | CLI_SET(NDJSON)),
    .run = cli_daemon_run};
