/* When to announce what to which tracker: tiers (BEP 12), events (BEP 3),
 * intervals, retry (BEP 31) and back-off.
 *
 * Vocabulary. A tracker `knows` us from the answer to `started` to the answer
 * to `stopped`. `order` is the way in which trackers have their turn: by tier,
 * and in a tier shuffled once (a new one is put at a random place) with the
 * last that answered in front.
 *
 * Whose turn it is. The order is walked from its start; trackers that wait for
 * a retry are passed over, and the first other one decides: its time has come
 * and it gets a job, or everybody waits. So a tier behind is only asked when
 * all before it fail, and a failed one in front is tried again at its own pace.
 * Two exceptions keep a bad tracker from holding up the rest: one that does not
 * know us and is silent for ANNOUNCE_SLOW_MS is passed over too, and a tier
 * that answered with next to no peers while we lack them, or with peers that
 * bring nothing, lets the next one in.
 *
 * Invariants. At most one job is out per tracker. `completed` and `stopped` go
 * only to trackers that know us, each once, whosever turn it is. Nothing but
 * an event is sent before min_ms, and no retry before next_ms.
 */
#include "core/swarm/announce/internal.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The words of the journal. */
const char *announce_state_name(enum announce_state s)
{
    switch (s) {
    case ANNOUNCE_IDLE:
        return "idle";
    case ANNOUNCE_BUSY:
        return "busy";
    case ANNOUNCE_WORKING:
        return "working";
    case ANNOUNCE_FAILING:
        return "failing";
    case ANNOUNCE_UNSUPPORTED:
        return "unsupported";
    case ANNOUNCE_DISABLED:
        return "disabled";
    }
    return "?";
}

enum announce_state announce_state_from_name(const char *name)
{
    for (enum announce_state s = ANNOUNCE_IDLE; s <= ANNOUNCE_DISABLED; s++) {
        if (strcmp(name, announce_state_name(s)) == 0) {
            return s;
        }
    }
    return ANNOUNCE_IDLE;
}

/* Without trackers, stopped. */
struct announce *announce_new(struct rng *rng)
{
    struct announce *a = mem_zalloc(sizeof *a);

    a->rng = rng;
    return a;
}

/* NULL allowed. */
void announce_free(struct announce *a)
{
    if (a == NULL) {
        return;
    }
    for (uint32_t i = 0; i < a->n; i++) {
        free(a->entry[i].t.url);
        free(a->entry[i].t.error);
        free(a->entry[i].t.tracker_id);
    }
    free(a->entry);
    free(a->order);
    free(a);
}

/* How many trackers there are. */
uint32_t announce_count(const struct announce *a)
{
    return a->n;
}

/* One of them, until the next is added. */
const struct announce_tracker *announce_get(const struct announce *a,
                                            uint32_t i)
{
    BTC_ASSERT(i < a->n);
    return &a->entry[i].t;
}

/* Schemes that we speak. */
static bool announce_is_supported(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 ||
           strncasecmp(url, "https://", 8) == 0 ||
           strncasecmp(url, "udp://", 6) == 0;
}

/* Whether this tracker is out of the game for good. */
static bool announce_is_out(const struct announce_entry *e)
{
    return e->t.state == ANNOUNCE_UNSUPPORTED ||
           e->t.state == ANNOUNCE_DISABLED;
}

/* Puts a new index into the order: a random place in its tier, but while we run
 * not in front of the one that has its turn now. */
static void announce_insert(struct announce *a, uint32_t idx)
{
    uint32_t tier = a->entry[idx].t.tier;
    uint32_t first = 0;
    uint32_t n = 0;
    uint32_t at = 0;

    while (first < a->n && a->entry[a->order[first]].t.tier < tier) {
        first++;
    }
    while (first + n < a->n && a->entry[a->order[first + n]].t.tier == tier) {
        n++;
    }
    at = first + (a->running && n > 0 ? 1 + rng_below(a->rng, n)
                                      : rng_below(a->rng, n + 1));
    memmove(a->order + at + 1, a->order + at, (a->n - at) * sizeof a->order[0]);
    a->order[at] = idx;
}

void announce_set_text(char **at, const char *text, size_t max)
{
    char *copy = mem_strndup(text, strnlen(text, max - 1));
    free(*at);
    *at = copy;
}

/* Adds a tracker; its index. */
int announce_add(struct announce *a, const char *url, uint32_t tier)
{
    for (uint32_t i = 0; i < a->n; i++) {
        if (strcmp(a->entry[i].t.url, url) == 0) {
            return (int)i;
        }
    }
    if (a->n == ANNOUNCE_MAX_TRACKERS) {
        return BTC_E_LIMIT;
    }
    if (a->n == a->cap) {
        a->cap = a->cap * 2 + 1; /* most torrents have one */
        a->entry = mem_resize(a->entry, a->cap, sizeof a->entry[0]);
        a->order = mem_resize(a->order, a->cap, sizeof a->order[0]);
    }
    a->entry[a->n] = (struct announce_entry){
        .t = {.url = mem_strdup(url),
              .error = mem_strdup(""),
              .tracker_id = mem_strdup(""),
              .tier = tier,
              .state = announce_is_supported(url) ? ANNOUNCE_IDLE
                                                  : ANNOUNCE_UNSUPPORTED,
              .next_ms = a->now_ms,
              .min_ms = a->now_ms,
              .seeders = -1,
              .leechers = -1,
              .downloaded = -1}};
    if (a->entry[a->n].t.state == ANNOUNCE_UNSUPPORTED) {
        announce_set_text(
            &a->entry[a->n].t.error,
            "not asked: btc speaks to http, https and udp trackers only",
            TRACKER_TEXT_MAX);
    }
    announce_insert(a, a->n);
    return (int)a->n++;
}

/* Due as soon as it may be asked. */
static void announce_make_due(struct announce *a, struct announce_tracker *t)
{
    t->next_ms = num_min_u64(t->next_ms, num_max_u64(t->min_ms, a->now_ms));
}

/* The torrent runs: whoever does not know us any more gets `started`. */
void announce_start(struct announce *a, uint64_t now_ms)
{
    a->now_ms = now_ms;
    if (a->running) {
        return;
    }
    a->running = true;
    for (uint32_t i = 0; i < a->n; i++) {
        a->entry[i].owes_stopped = false;
        if (a->entry[i].t.state != ANNOUNCE_FAILING) {
            announce_make_due(a, &a->entry[i].t);
        }
    }
}

void announce_now(struct announce *a, uint64_t now_ms)
{
    a->now_ms = now_ms;
    for (uint32_t i = 0; i < a->n; i++) {
        announce_make_due(a, &a->entry[i].t);
    }
}

/* By a user's wish. */
void announce_insist(struct announce *a, uint64_t now_ms)
{
    for (uint32_t i = 0; i < a->n; i++) {
        struct announce_tracker *t = &a->entry[i].t;

        if (t->state == ANNOUNCE_DISABLED) {
            t->state = ANNOUNCE_IDLE;
            t->min_ms = t->next_ms = now_ms;
        }
    }
    announce_now(a, now_ms);
}

/* The last piece came in. A tracker whose `started` is under way was
 * told of bytes left, so it is owed the event like those that know us; one that
 * hears of us later never saw us incomplete (BEP 3). */
void announce_complete(struct announce *a, uint64_t now_ms)
{
    a->now_ms = now_ms;
    for (uint32_t i = 0; i < a->n; i++) {
        struct announce_entry *e = &a->entry[i];

        e->owes_completed =
            !e->t.completed_sent &&
            (e->t.started || (e->t.state == ANNOUNCE_BUSY &&
                              e->event == TRACKER_EVENT_STARTED));
    }
}

/* Says good-bye to all that know us. */
void announce_stop(struct announce *a, uint64_t now_ms)
{
    a->now_ms = now_ms;
    if (!a->running) {
        return;
    }
    a->running = false;
    for (uint32_t i = 0; i < a->n; i++) {
        struct announce_entry *e = &a->entry[i];
        bool said =
            e->t.state == ANNOUNCE_BUSY && e->event == TRACKER_EVENT_STOPPED;

        e->owes_completed = false;
        e->owes_stopped = e->t.started && !said && !announce_is_out(e);
    }
}

/* Whether peers lack. */
void announce_want_peers(struct announce *a, bool want)
{
    a->want_peers = want;
}

void announce_moved(struct announce *a, uint64_t last_ms)
{
    a->moved_ms = last_ms;
}

/* When a tracker whose turn it is gets its job; it is neither out nor busy. */
static uint64_t announce_due(const struct announce *a,
                             const struct announce_entry *e)
{
    bool early = e->t.state == ANNOUNCE_WORKING && a->want_peers &&
                 e->early_ms < e->t.next_ms;

    if (early) {
        return e->early_ms;
    }
    return e->t.next_ms;
}

/* What came of looking for work. */
struct announce_turn {
    struct announce_entry *entry; /* borrows; gets a job now, or NULL */
    uint64_t wake_ms;             /* else: when to look again */
};

/* Notes a time at which things change. */
static void announce_turn_wake(struct announce_turn *turn, uint64_t ms)
{
    if (ms < turn->wake_ms) {
        turn->wake_ms = ms;
    }
}

/* Events that are owed whosever turn it is. */
static void announce_find_owed(const struct announce *a, uint64_t now_ms,
                               struct announce_turn *turn)
{
    for (uint32_t i = 0; i < a->n && turn->entry == NULL; i++) {
        struct announce_entry *e = &a->entry[i];
        uint64_t due = now_ms;

        if (e->t.state == ANNOUNCE_BUSY || announce_is_out(e) ||
            !(a->running ? e->owes_completed : e->owes_stopped)) {
            continue;
        }
        /* A good-bye is tried once, at once; a `completed` can wait. */
        if (a->running && e->t.state == ANNOUNCE_FAILING) {
            due = e->t.next_ms;
        }
        if (due <= now_ms) {
            turn->entry = e;
        }
        announce_turn_wake(turn, due);
    }
}

/* What a tracker in the order means for those behind it. */
enum announce_step {
    ANNOUNCE_STEP_PASS,     /* the next one has its turn */
    ANNOUNCE_STEP_NEXTTIER, /* the first one of the next tier has */
    ANNOUNCE_STEP_END       /* nobody else has */
};

/* Peers lack all the same: it has named next to none, or nothing comes of those
 * that it has named, for they may be inventions. */
static bool announce_is_vain(const struct announce *a,
                             const struct announce_entry *e, uint64_t now_ms,
                             struct announce_turn *turn)
{
    uint64_t vain_ms = num_max_u64(e->known_ms, a->moved_ms) + ANNOUNCE_VAIN_MS;

    if (!a->want_peers) {
        return false;
    }
    if (e->n_peers < ANNOUNCE_FEW_PEERS || vain_ms <= now_ms) {
        return true;
    }
    announce_turn_wake(turn, vain_ms);
    return false;
}

/* Looks at one tracker that is not out. */
static enum announce_step announce_look(const struct announce *a,
                                        struct announce_entry *e,
                                        uint64_t now_ms,
                                        struct announce_turn *turn)
{
    uint64_t due = 0;

    if (e->t.state == ANNOUNCE_BUSY) {
        uint64_t slow_ms = e->busy_ms + ANNOUNCE_SLOW_MS;

        if (!e->t.started && slow_ms <= now_ms) {
            return ANNOUNCE_STEP_PASS;
        }
        if (!e->t.started) {
            announce_turn_wake(turn, slow_ms);
        }
        return ANNOUNCE_STEP_END;
    }
    due = announce_due(a, e);
    announce_turn_wake(turn, due);
    if (due <= now_ms) {
        turn->entry = e;
        return ANNOUNCE_STEP_END;
    }
    if (e->t.state == ANNOUNCE_FAILING) {
        return ANNOUNCE_STEP_PASS;
    }
    if (announce_is_vain(a, e, now_ms, turn)) {
        return ANNOUNCE_STEP_NEXTTIER;
    }
    return ANNOUNCE_STEP_END;
}

/* Walks the order; see the head of the file. */
static void announce_find_turn(const struct announce *a, uint64_t now_ms,
                               struct announce_turn *turn)
{
    uint32_t k = 0;

    while (k < a->n) {
        struct announce_entry *e = &a->entry[a->order[k++]];
        enum announce_step step = ANNOUNCE_STEP_PASS;

        if (!announce_is_out(e)) {
            step = announce_look(a, e, now_ms, turn);
        }
        if (step == ANNOUNCE_STEP_END) {
            return;
        }
        while (step == ANNOUNCE_STEP_NEXTTIER && k < a->n &&
               a->entry[a->order[k]].t.tier == e->t.tier) {
            k++;
        }
    }
}

/* Who is to be asked at this time, or when to look again. */
static struct announce_turn announce_find(const struct announce *a,
                                          uint64_t now_ms)
{
    struct announce_turn turn = {.entry = NULL, .wake_ms = UINT64_MAX};

    announce_find_owed(a, now_ms, &turn);
    if (turn.entry == NULL && a->running) {
        announce_find_turn(a, now_ms, &turn);
    }
    return turn;
}

/* The next job. */
bool announce_next(struct announce *a, uint64_t now_ms,
                   struct announce_job *out)
{
    struct announce_entry *e = NULL;

    a->now_ms = now_ms;
    e = announce_find(a, now_ms).entry;
    if (e == NULL) {
        return false;
    }
    if (!a->running) {
        e->event = TRACKER_EVENT_STOPPED;
        e->owes_stopped = false;
    } else if (!e->t.started) {
        e->event = TRACKER_EVENT_STARTED;
    } else if (e->owes_completed) {
        e->event = TRACKER_EVENT_COMPLETED;
    } else {
        e->event = TRACKER_EVENT_NONE;
    }
    e->t.state = ANNOUNCE_BUSY;
    e->busy_ms = now_ms;
    out->tracker = (uint32_t)(e - a->entry);
    out->event = e->event;
    return true;
}

/* When announce_next is worth a call. */
uint64_t announce_deadline(const struct announce *a)
{
    return announce_find(a, a->now_ms).wake_ms;
}

/* No job out, none due. */
bool announce_is_idle(const struct announce *a)
{
    for (uint32_t i = 0; i < a->n; i++) {
        if (a->entry[i].t.state == ANNOUNCE_BUSY) {
            return false;
        }
    }
    return announce_find(a, a->now_ms).entry == NULL;
}

/* Every index once in the order, and the order by tiers. */
void announce_check_invariant(const struct announce *a)
{
    bool seen[ANNOUNCE_MAX_TRACKERS] = {false};

    for (uint32_t k = 0; k < a->n; k++) {
        const struct announce_entry *e = NULL;

        BTC_ASSERT(a->order[k] < a->n);
        BTC_ASSERT(!seen[a->order[k]]);
        seen[a->order[k]] = true;
        e = &a->entry[a->order[k]];
        BTC_ASSERT(k == 0 || a->entry[a->order[k - 1]].t.tier <= e->t.tier);
        BTC_ASSERT(!e->owes_stopped || e->t.started);
        BTC_ASSERT(!e->owes_stopped || !a->running);
        BTC_ASSERT(e->t.min_ms <= e->t.next_ms);
    }
}
