/* Running the engine, or following one that runs, with all that belongs to it:
 * signals, progress, events, hooks; what get, resume, verify and daemon share.
 */
#ifndef BTC_CLI_RUN_RUN_H
#define BTC_CLI_RUN_RUN_H

#include "cli/cli.h"
#include "cli/run/hooks.h"
#include "cli/run/progress.h"
#include "cli/run/track.h"
#include "front/json.h"

struct cli_run {
    struct cli *c;
    struct btc *b;
    struct btc_run_options options;
    struct cli_track track;
    struct cli_hooks hooks;
    struct cli_progress *progress;
    int status;       /* exit status, once it is told */
    bool followed;    /* another engine did the work */
    bool broken;      /* standard output is gone */
    bool checked;     /* btc verify: the command tells what it found itself */
    bool hook_failed; /* on-error has run for a torrent */
    char last_error[512]; /* as it was shown */
    int64_t began_ms;
};

/* Fills r->options from the command line. */
void cli_run_init(struct cli_run *r, struct cli *c, struct btc *b);
void cli_run_fini(struct cli_run *r);
/* Runs, or follows where another engine runs and `may_follow`. Exit status;
 * what was not shown yet is said by cli_run_report. */
int cli_run_engine(struct cli_run *r, bool may_follow, struct btc_error *e);
/* Says how it ended, for people and for programs; gives the exit status back.
 */
int cli_run_report(struct cli_run *r, int status, const struct btc_error *e,
                   json_t *errors);
int64_t cli_run_now_ms(void); /* monotonic */

#endif
