/* The public handle (struct btc) and what the engine needs of the public
 * interface's own files (api_*.c). */
#ifndef BTC_ENGINE_HANDLE_H
#define BTC_ENGINE_HANDLE_H

#include "btc/btc.h"
#include "journal/journal.h"
#include "model/names.h"
#include "net/loop.h"
#include <stdatomic.h>

struct engine;

struct btc {
    char *path; /* owns */
    unsigned flags;
    struct journal *db;                   /* NULL while an engine has it */
    struct engine *run;                   /* while btc_run is on the stack */
    _Atomic(struct loop_wakeup *) wakeup; /* the same; for btc_signal */
    atomic_int n_stop, n_stats, n_reload; /* asked by btc_signal */
    atomic_int n_signalling; /* btc_signal calls that may use `wakeup` */
    struct journal *side;    /* owns; for calls made while an engine has `db` */
};
void api_fill_error(struct btc_error *out, const struct err *e);
/* From now on btc_signal does not touch the loop any more. */
void api_forget_wakeup(struct btc *b);
int api_parse_seed(const char *text, enum seed_mode *mode, int64_t *goal,
                   struct err *e);

#endif
