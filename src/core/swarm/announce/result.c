/* What came of an announce: back-off, intervals, what the tracker said.
 *
 * A failure counts, makes the next wait longer and leaves the tracker where it
 * is in its tier; an answer forgets all failures and brings it to the front. A
 * result that nobody waits for is dropped.
 */
#include "core/swarm/announce/internal.h"

#include <string.h>

/* A failure that the tracker itself told does not go away in seconds, and who
 * was refused several times is asked for patience: thousands of torrents may be
 * refused by one tracker. */
#define ANNOUNCE_TOLD_MS    ((uint64_t)TRACKER_MIN_INTERVAL * 1000)
#define ANNOUNCE_TOLD_TIMES 4

/* The entry whose job is out; NULL when the result comes from nowhere. */
static struct announce_entry *
announce_take_result(struct announce *a, uint32_t tracker, uint64_t now_ms)
{
    a->now_ms = now_ms;
    if (tracker >= a->n || a->entry[tracker].t.state != ANNOUNCE_BUSY) {
        return NULL;
    }
    a->entry[tracker].t.n_tried++;
    return &a->entry[tracker];
}

/* After a `stopped`, however it went: it does not know us any more, and what it
 * says of the next time counts for nothing. */
static void announce_end(struct announce_entry *e, uint64_t now_ms)
{
    e->t.started = false;
    e->t.state = ANNOUNCE_IDLE;
    e->t.next_ms = now_ms;
    e->t.min_ms = now_ms;
}

/* The wait after this many failures in a row: `ms` and `times` as much for each
 * further one, with a quarter of chance so that many clients do not come back
 * together. */
static uint64_t announce_backoff(struct announce *a, uint64_t ms,
                                 uint32_t times, uint32_t failures)
{
    while (--failures > 0 && ms < ANNOUNCE_RETRY_MAX_MS) {
        ms *= times;
    }
    ms += rng_below(a->rng, (uint32_t)(ms / 4) + 1);
    if (ms > ANNOUNCE_RETRY_MAX_MS) {
        ms = ANNOUNCE_RETRY_MAX_MS -
             rng_below(a->rng, ANNOUNCE_RETRY_MAX_MS / 4);
    }
    return ms;
}

/* After a failure of whatever kind. */
static uint64_t announce_wait(struct announce *a,
                              const struct announce_entry *e)
{
    if (e->refusals > 0) {
        return announce_backoff(a, ANNOUNCE_TOLD_MS, ANNOUNCE_TOLD_TIMES,
                                e->refusals);
    }
    return announce_backoff(a, ANNOUNCE_RETRY_MS, 2, e->t.failures);
}

/* Counts a failure; the retry is not before `least_ms` from now. */
static void announce_fail(struct announce *a, struct announce_entry *e,
                          bool refused, uint64_t least_ms, uint64_t now_ms)
{
    uint64_t wait_ms = 0;

    if (e->t.failures < UINT32_MAX) {
        e->t.failures++;
    }
    if (!refused) {
        e->refusals = 0;
    } else if (e->refusals < UINT32_MAX) {
        e->refusals++;
    }
    if (e->event == TRACKER_EVENT_STARTED) {
        e->owes_completed = false; /* the next `started` says it all */
    }
    wait_ms = announce_wait(a, e);
    e->t.state = ANNOUNCE_FAILING;
    e->t.next_ms = now_ms + (wait_ms > least_ms ? wait_ms : least_ms);
    e->t.min_ms = now_ms + least_ms;
}

/* Puts what was said for people where they find it. */
static void announce_set_error(struct announce_entry *e, const char *text)
{
    announce_set_text(&e->t.error, text, TRACKER_TEXT_MAX);
}

/* The job failed: no answer, or one that is none. */
void announce_on_error(struct announce *a, uint32_t tracker, const char *text,
                       uint64_t now_ms)
{
    struct announce_entry *e = announce_take_result(a, tracker, now_ms);

    if (e == NULL) {
        return;
    }
    announce_set_error(e, text);
    if (e->event == TRACKER_EVENT_STOPPED) {
        announce_end(e, now_ms);
        return;
    }
    announce_fail(a, e, false, ANNOUNCE_RETRY_MS, now_ms);
}

/* BEP 12: who answers comes to the front of its tier. */
static void announce_to_front(struct announce *a, uint32_t idx)
{
    uint32_t k = 0;
    uint32_t first = 0;

    while (a->order[k] != idx) {
        k++;
    }
    first = k;
    while (first > 0 &&
           a->entry[a->order[first - 1]].t.tier == a->entry[idx].t.tier) {
        first--;
    }
    memmove(a->order + first + 1, a->order + first,
            (k - first) * sizeof a->order[0]);
    a->order[first] = idx;
}

/* The tracker refused us; BEP 31 may say for how long. */
static void announce_on_failure(struct announce *a, struct announce_entry *e,
                                const struct tracker_reply *r, uint64_t now_ms)
{
    uint32_t said = r->min_interval > 0 ? r->min_interval : r->interval;
    uint64_t least_ms = (uint64_t)said * 1000;

    if (r->retry_in > 0) {
        least_ms = (uint64_t)r->retry_in * 1000;
    } else if (least_ms < ANNOUNCE_TOLD_MS) {
        least_ms = ANNOUNCE_TOLD_MS;
    }
    announce_set_error(e, r->failure);
    announce_fail(a, e, true, least_ms, now_ms);
    if (r->retry_in > 0) {
        e->t.next_ms = now_ms + least_ms;
    } else if (r->retry_in < 0) {
        e->t.state = ANNOUNCE_DISABLED;
        e->t.next_ms = UINT64_MAX;
        e->t.min_ms = UINT64_MAX;
        e->t.started = false;
        e->owes_completed = false;
        e->owes_stopped = false;
    }
}

/* Keeps what the reply says of the swarm; silence changes nothing. */
static void announce_take_facts(struct announce_entry *e,
                                const struct tracker_reply *r)
{
    if (r->seeders >= 0) {
        e->t.seeders = r->seeders;
    }
    if (r->leechers >= 0) {
        e->t.leechers = r->leechers;
    }
    if (r->downloaded >= 0) {
        e->t.downloaded = r->downloaded;
    }
    if (r->tracker_id[0] != '\0') {
        announce_set_text(&e->t.tracker_id, r->tracker_id, TRACKER_ID_MAX);
    }
    e->n_peers = r->n_peers;
}

/* When a tracker that answered may and will be asked again. */
static void announce_schedule(struct announce_entry *e,
                              const struct tracker_reply *r, uint64_t now_ms)
{
    uint32_t interval = r->interval > 0 ? r->interval : TRACKER_DEF_INTERVAL;
    uint64_t wait_ms = (uint64_t)interval * 1000;
    uint64_t min_ms = (uint64_t)r->min_interval * 1000;

    if (min_ms == 0) {
        if (wait_ms < ANNOUNCE_MIN_MS) {
            min_ms = wait_ms;
        } else {
            min_ms = ANNOUNCE_MIN_MS;
        }
    }
    e->t.min_ms = e->early_ms = now_ms + min_ms;
    e->t.next_ms = now_ms + (wait_ms > min_ms ? wait_ms : min_ms);
}

/* How much the reply was worth. */
void announce_on_new_peers(struct announce *a, uint32_t tracker, uint32_t n)
{
    struct announce_entry *e = &a->entry[tracker];
    uint64_t wait_ms = 0;
    if (e->t.min_ms > a->now_ms) {
        wait_ms = e->t.min_ms - a->now_ms;
    }

    if (n > 0) {
        e->n_vain = 0;
    } else {
        e->n_vain += e->n_vain < UINT32_MAX;
    }
    for (uint32_t i = 0;
         wait_ms > 0 && i < e->n_vain && a->now_ms + wait_ms < e->t.next_ms;
         i++) {
        wait_ms *= 2;
    }
    e->early_ms = a->now_ms + wait_ms;
}

/* The job was answered. */
void announce_on_reply(struct announce *a, uint32_t tracker,
                       const struct tracker_reply *r, uint64_t now_ms,
                       int64_t unix_now)
{
    struct announce_entry *e = announce_take_result(a, tracker, now_ms);

    if (e == NULL) {
        return;
    }
    e->t.last_unix = unix_now;
    if (e->event == TRACKER_EVENT_STOPPED) {
        announce_set_error(e, r->failure[0] != '\0' ? r->failure : r->warning);
        announce_end(e, now_ms);
        return;
    }
    if (r->failure[0] != '\0') {
        announce_on_failure(a, e, r, now_ms);
        return;
    }
    announce_set_error(e, r->warning);
    announce_take_facts(e, r);
    announce_scrape_plan(e, r, now_ms);
    announce_schedule(e, r, now_ms);
    announce_to_front(a, tracker);
    e->t.failures = 0;
    e->refusals = 0;
    if (!e->t.started) {
        e->known_ms = now_ms;
    }
    e->t.started = true;
    e->t.state = ANNOUNCE_WORKING;
    if (e->event == TRACKER_EVENT_COMPLETED) {
        e->t.completed_sent = true;
        e->owes_completed = false;
    }
    /* It came to know us while we were about to leave. */
    e->owes_stopped = !a->running;
}
