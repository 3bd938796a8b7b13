/* The engine: owns all objects of a run, turns results of io into events of
 * the core, drains the core's actions into io, keeps the journal, reconciles
 * wishes. Opaque: whoever wants to know more of a run reads the database or
 * follows its events.
 *
 * Use: engine_open takes a database whose engine lock is held; engine_run
 * blocks until the run ends; engine_close gives the database back. The others
 * may be called from inside the run's callback, engine_signal from anywhere.
 */
#ifndef BTC_ENGINE_ENGINE_H
#define BTC_ENGINE_ENGINE_H

#include "base/err.h"
#include "btc/btc.h"
#include <stdatomic.h>

struct engine;
struct journal;
struct loop_wakeup;

/* Signals for a run: they live longer than it, for one may come before it
 * begins. Zeroed memory is a value without signals. */
struct engine_signals {
    _Atomic(struct loop_wakeup *) wakeup; /* NULL while no run listens */
    atomic_int n_stop, n_stats, n_reload;
    atomic_int n_sending; /* calls of engine_signal that may use `wakeup` */
};

/* Safe in signal handlers and from other threads. */
void engine_signal(struct engine_signals *g, enum btc_signal s);
/* Forgets what came in. */
void engine_signals_clear(struct engine_signals *g);

/* `db` and `g` are borrowed; the pointers of `o` live as long as the run. Gives
 * 0 and a run, or an error that e tells; db is as before then. */
int engine_open(struct journal *db, struct engine_signals *g,
                const struct btc_run_options *o, struct engine **out,
                struct err *e);
/* The whole of btc_run. */
int engine_run(struct engine *s, struct err *e);
/* The drive of the database does not answer, and the run has ended without it:
 * nobody may touch the connection any more. NULL allowed. */
bool engine_has_left_journal(const struct engine *s);
/* Frees it. NULL allowed. */
void engine_close(struct engine *s);

/* Facts that speak of no data, moved from the batch into the next commit. */
struct journal_batch;
void engine_put_free(struct engine *s, struct journal_batch *b);
/* Bytes per second over all torrents; 0 = none. */
void engine_set_limits(struct engine *s, uint64_t down, uint64_t up);
/* See btc_map. NOTFOUND when nothing of the torrent is in memory. */
int engine_map(const struct engine *s, int64_t id, struct btc_cell *cells,
               size_t n);

#endif
