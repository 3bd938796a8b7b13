/* The thread that has the connection while an engine runs: it groups commits
 * and watches for foreign writes.
 */
#ifndef BTC_JOURNAL_WRITER_H
#define BTC_JOURNAL_WRITER_H

#include "journal/batch.h"
#include "net/loop.h"

struct journal_thread;
struct journal_wishes; /* wishes.h */
struct journal_thread_callbacks {
    /* A batch was committed (code 0) or failed (the text in `e`); the batch
     * comes back: the caller frees it or submits it again. Loop thread. */
    void (*on_committed)(void *ctx, struct journal_batch *b, int code,
                         const struct err *e);
    /* Somebody else wrote wishes, to be freed with journal_wishes_free. Called
     * once at the start with all that there are. Loop thread. */
    void (*on_wishes)(void *ctx, struct journal_wishes *w);
    /* Somebody has changed the schema, which was whole at the start: BTC_E_DB
     * and what is wrong with it, or 0: it is whole again. Before the rows that
     * cannot be written for that. NULL allowed. Loop thread. */
    void (*on_schema)(void *ctx, const struct err *e);
};

/* Takes over the connection (db must not be used until journal_thread_stop).
 * NULL: the system gives no thread, and db is still the caller's. */
struct journal_thread *
journal_thread_start(struct journal *db, struct loop *l,
                     const struct journal_thread_callbacks *cb, void *ctx);
void journal_thread_submit(struct journal_thread *t, struct journal_batch *b);
/* The same by journal_apply_each. */
void journal_thread_submit_each(struct journal_thread *t,
                                struct journal_batch *b);
/* Other writers are waited for no longer than JOURNAL_HURRY_MS from now on,
 * until journal_thread_stop. */
void journal_thread_hurry(struct journal_thread *t);
/* Runs `fn` on the database thread (loading a torrent while the engine runs);
 * `done` on the loop thread afterwards. */
void journal_thread_call(struct journal_thread *t,
                         void (*fn)(void *ctx, struct journal *db),
                         void (*done)(void *ctx), void *ctx);
/* For how long the call that the thread is in has not come back; 0: it waits
 * for something to do. The drive of the database may not answer. */
uint64_t journal_thread_silent_ms(struct journal_thread *t);
/* Finishes what is queued (callbacks included), ends the thread and gives the
 * connection back. */
struct journal *journal_thread_stop(struct journal_thread *t);

#endif
