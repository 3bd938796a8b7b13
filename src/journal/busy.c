/* Patience with other programs that hold the database's write lock: SQLite asks
 * again and again whether it is to wait on. The patience may change while it
 * waits, from any thread: who ends a run does not wait as long as one that
 * works. */
#include "journal/busy.h"

#include <time.h>

/* Between two tries; the first ones come sooner. */
#define BUSY_SLEEP_MS 20
#define BUSY_FIRST    10 /* tries of a tenth of that */

/* Monotonic. */
static int64_t journal_busy_now_ms(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* For SQLite: 0 = give up. `n` counts the calls for one lock. */
static int journal_busy(void *ctx, int n)
{
    struct journal *db = ctx;
    int64_t now = journal_busy_now_ms();
    if (n == 0) {
        db->busy_since_ms = now;
    }
    if (now - db->busy_since_ms >= atomic_load(&db->patience_ms)) {
        return 0;
    }
    long ms = BUSY_SLEEP_MS;
    if (n < BUSY_FIRST) {
        ms /= BUSY_FIRST;
    }
    struct timespec t = {.tv_sec = 0, .tv_nsec = ms * 1000000};
    (void)nanosleep(&t, NULL);
    return 1;
}

void journal_busy_begin(struct journal *db)
{
    journal_set_patience(db, JOURNAL_BUSY_MS);
    (void)sqlite3_busy_handler(db->sql, journal_busy, db);
}

int journal_set_patience(struct journal *db, int ms)
{
    return atomic_exchange(&db->patience_ms, ms);
}
