/* Signals of the commands that run the engine. They are taken before anything
 * is written: INT and TERM stop, HUP too (the daemon reads its limits again
 * instead), USR1 asks for a status line. What comes before the engine runs is
 * kept for it. */
#ifndef BTC_CLI_RUN_SIGNAL_H
#define BTC_CLI_RUN_SIGNAL_H

#include <stdbool.h>

#include "btc/btc.h"

/* What is left to be said when a signal ends the program. */
struct cli_signal_words {
    const char *out, *err; /* NULL: nothing; borrowed */
    int status;            /* exit status */
};

/* From now on a stop is counted, for cli_signal_start. */
void cli_signal_take(bool daemon);
/* From now on a stop ends the program at once, with these words; so does one
 * that came before and was for no engine. NULL: it is counted again. */
void cli_signal_ends(const struct cli_signal_words *words);
/* The engine is about to run and gets what has come and what comes; not any
 * more after cli_signal_end. */
void cli_signal_start(struct btc *b);
void cli_signal_end(void);
void cli_signal_release(void); /* the old handlers again */
int cli_signal_stops(void);    /* how many stops came */
bool cli_signal_resumed(void); /* CONT came since the last call */

#endif
