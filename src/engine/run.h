/* The turns of a run's loop, and its end. */
#ifndef BTC_ENGINE_RUN_H
#define BTC_ENGINE_RUN_H

#include "engine/internal.h"

/* For the loop: its one timer, the end of each batch of events, and a signal
 * that came in. */
void run_on_timer(void *ctx);
void run_on_idle(void *ctx);
void run_on_signal(void *ctx);

#endif
