/* What an earlier run knew of the trackers.
 *
 * A script may start btc again and again (`until btc resume`), so what a
 * tracker was promised holds over the end of a run: `retry in`, "never", and
 * the wait after failures. The last is our own guess, and whoever starts btc by
 * hand may have mended the network, so it is cut at ANNOUNCE_PAST_MS.
 *
 * Wall clocks jump: a time that lies further ahead than any tracker may ask for
 * counts as that far, and a clock that was set back makes nobody wait longer
 * than the earlier run would have.
 */
#include "core/swarm/announce/internal.h"

#include "base/err.h"
#include "base/num.h"

/* Milliseconds between two times of the wall clock; 0 when `to` is earlier. */
static uint64_t announce_span(int64_t from, int64_t to)
{
    if (to <= from) {
        return 0;
    }
    return num_min_u64((uint64_t)to - (uint64_t)from, TRACKER_MAX_INTERVAL) *
           1000;
}

/* The last try failed: the retry is where it was. */
static void announce_restore_failing(struct announce_tracker *t,
                                     const struct announce_past *past,
                                     uint64_t now_ms, int64_t unix_now)
{
    uint64_t min_ms = announce_span(unix_now, past->min_unix);
    uint64_t next_ms = announce_span(unix_now, past->next_unix);

    t->state = ANNOUNCE_FAILING;
    t->min_ms = now_ms + min_ms;
    t->next_ms =
        now_ms + num_max_u64(min_ms, num_min_u64(next_ms, ANNOUNCE_PAST_MS));
}

/* It answered: told of this run at once, but not twice within seconds. */
static void announce_restore_answered(struct announce_tracker *t,
                                      const struct announce_past *past,
                                      uint64_t now_ms, int64_t unix_now)
{
    uint64_t age_ms = announce_span(past->last_unix, unix_now);

    if (past->state == ANNOUNCE_WORKING && past->last_unix <= unix_now &&
        age_ms < ANNOUNCE_AGAIN_MS) {
        t->min_ms = t->next_ms = now_ms + ANNOUNCE_AGAIN_MS - age_ms;
    }
}

void announce_restore(struct announce *a, uint32_t i,
                      const struct announce_past *past, uint64_t now_ms,
                      int64_t unix_now)
{
    struct announce_tracker *t = NULL;

    BTC_ASSERT(i < a->n);
    t = &a->entry[i].t;
    announce_set_text(&t->tracker_id, past->tracker_id, TRACKER_ID_MAX);
    t->last_unix = past->last_unix;
    if (t->state == ANNOUNCE_UNSUPPORTED) {
        return;
    }
    announce_set_text(&t->error, past->error, TRACKER_TEXT_MAX);
    t->failures = past->failures;
    if (past->state == ANNOUNCE_DISABLED) {
        t->state = ANNOUNCE_DISABLED;
        t->min_ms = t->next_ms = UINT64_MAX;
    } else if (past->state == ANNOUNCE_FAILING) {
        announce_restore_failing(t, past, now_ms, unix_now);
    } else {
        announce_restore_answered(t, past, now_ms, unix_now);
    }
}
