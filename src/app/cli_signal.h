/* Signals while an engine runs: INT and TERM stop it, HUP too (the daemon reads
 * its limits again instead), USR1 asks for a status line, TSTP shows the cursor
 * before the shell takes over. */
#ifndef BTC_APP_CLI_SIGNAL_H
#define BTC_APP_CLI_SIGNAL_H

#include <stdbool.h>

#include "btc/btc.h"

void cli_signal_start(struct btc *b, bool daemon);
void cli_signal_end(void);     /* the old handlers again */
int cli_signal_stops(void);    /* how many INT and TERM came */
bool cli_signal_resumed(void); /* CONT came since the last call */

#endif
