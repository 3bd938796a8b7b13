/* --on-done and --on-error: shell commands that run beside the engine. */
#ifndef BTC_CLI_RUN_HOOKS_H
#define BTC_CLI_RUN_HOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "btc/btc.h"

struct cli_hooks {
    FILE *err;   /* where failures are said */
    pid_t *pids; /* owns; commands that run */
    size_t n;
};

/* Starts `command` with the torrent in its environment: BTC_ID, BTC_NAME,
 * BTC_INFO_HASH, BTC_DIR, BTC_STATUS and TR_TORRENT_ID, _NAME, _HASH, _DIR.
 * NULL does nothing. What it prints goes to standard error. */
void cli_hooks_start(struct cli_hooks *h, const char *command,
                     const struct btc_progress *p, int status);
/* Collects those that ended; `wait`: all of them. */
void cli_hooks_reap(struct cli_hooks *h, bool wait);
void cli_hooks_fini(struct cli_hooks *h); /* waits */

#endif
