/* --on-done and --on-error: shell commands that run beside the engine. */
#ifndef BTC_CLI_RUN_HOOKS_H
#define BTC_CLI_RUN_HOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "btc/btc.h"

/* A command that runs. */
struct cli_hook {
    pid_t pid;
    int64_t id;   /* of its torrent */
    bool is_done; /* of --on-done: owed until it has ended */
};

struct cli_hooks {
    FILE *err;              /* where failures are said */
    struct btc *b;          /* and journaled */
    struct cli_hook *items; /* owns */
    size_t n;
};

/* Starts `command` with the torrent in its environment: BTC_ID, BTC_NAME,
 * BTC_INFO_HASH, BTC_DIR, BTC_STATUS and TR_TORRENT_ID, _NAME, _HASH, _DIR.
 * NULL does nothing. What it prints goes to standard error. Status 0: it is
 * --on-done, which is owed until it has ended by itself. */
void cli_hooks_start(struct cli_hooks *h, const char *command,
                     const struct btc_progress *p, int status);
/* Collects those that ended; `wait`: all of them. */
void cli_hooks_reap(struct cli_hooks *h, bool wait);
void cli_hooks_fini(struct cli_hooks *h); /* waits */

#endif
