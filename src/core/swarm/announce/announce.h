/* When to announce what to which tracker: tiers (BEP 12), events (BEP 3),
 * intervals, retry (BEP 31) and back-off. Knows no HTTP: it gives jobs and
 * takes results. Times are monotonic milliseconds that come in. */
#ifndef BTC_CORE_SWARM_ANNOUNCE_ANNOUNCE_H
#define BTC_CORE_SWARM_ANNOUNCE_ANNOUNCE_H

#include "base/rng.h"
#include "proto/tracker/tracker.h"

#define ANNOUNCE_MAX_TRACKERS 256
#define ANNOUNCE_RETRY_MS     5000 /* after the first failure, doubles */
#define ANNOUNCE_RETRY_MAX_MS 1800000
#define ANNOUNCE_STOP_MS      3000   /* a `stopped` announce may take this */
#define ANNOUNCE_SLOW_MS      5000   /* then the next one has its turn too */
#define ANNOUNCE_MIN_MS       120000 /* min_ms when the tracker names none */
#define ANNOUNCE_AGAIN_MS     5000   /* between the answers of two runs */
#define ANNOUNCE_PAST_MS      120000 /* the longest back-off of an earlier run */
#define ANNOUNCE_FEW_PEERS    5      /* fewer: we lack peers all the same */
#define ANNOUNCE_VAIN_MS      20000  /* so long nothing comes of its peers */

enum announce_state {
    ANNOUNCE_IDLE,        /* waits for its time or its turn in the tier */
    ANNOUNCE_BUSY,        /* a job is out */
    ANNOUNCE_WORKING,     /* answered; waits for the next interval */
    ANNOUNCE_FAILING,     /* the last one failed; waits for the retry */
    ANNOUNCE_UNSUPPORTED, /* a scheme we do not speak */
    ANNOUNCE_DISABLED     /* the tracker said: never again (BEP 31) */
};
const char *announce_state_name(enum announce_state s);
/* IDLE for what is no name. */
enum announce_state announce_state_from_name(const char *name);

struct announce_tracker {
    char *url; /* owns */
    uint32_t tier;
    enum announce_state state;
    bool started; /* it knows us: owes it `stopped` */
    bool completed_sent;
    uint32_t failures; /* in a row, those of earlier runs too */
    uint32_t n_tried;  /* announces of this run that have ended */
    uint64_t next_ms;  /* not before this */
    uint64_t min_ms;   /* never before this, even when peers lack */
    int64_t last_unix; /* wall clock of the last answer, 0 never */
    int64_t seeders, leechers, downloaded; /* -1 unknown */
    char *error;      /* owns; failure or warning text, "" = none */
    char *tracker_id; /* owns; "" = none */
};

struct announce_job {
    uint32_t tracker; /* index */
    enum tracker_event event;
};

struct announce; /* opaque */

struct announce *announce_new(struct rng *rng);
void announce_free(struct announce *a);
/* Index, or BTC_E_LIMIT. Only http and https are spoken now; others are kept as
 * UNSUPPORTED. Doubles give the index of the first. */
int announce_add(struct announce *a, const char *url, uint32_t tier);
/* What an earlier run left behind, before announce_start. Times are of the wall
 * clock, 0 = not known. */
struct announce_past {
    enum announce_state state;
    uint32_t failures;
    int64_t last_unix; /* the last answer */
    int64_t next_unix; /* when it was to be asked */
    int64_t min_unix;  /* what the tracker said of the earliest time */
    const char *error;
    const char *tracker_id;
};
/* A tracker that failed is asked when the earlier run would have: not before
 * what it said itself, but its back-off alone ends ANNOUNCE_PAST_MS from now.
 * One that said "never" stays out. One that answered is told `started` at once,
 * as this run has a new peer id, but for two runs within seconds. */
void announce_restore(struct announce *a, uint32_t i,
                      const struct announce_past *past, uint64_t now_ms,
                      int64_t unix_now);
uint32_t announce_count(const struct announce *a);
const struct announce_tracker *announce_get(const struct announce *a,
                                            uint32_t i);

/* The torrent runs: `started` is due everywhere by the rules of tiers. */
void announce_start(struct announce *a, uint64_t now_ms);
/* The torrent's last piece came in this run: `completed` where we are known. */
void announce_complete(struct announce *a, uint64_t now_ms);
/* `stopped` to all that know us; afterwards announce_is_idle tells when they
 * have answered. The caller gives up after ANNOUNCE_STOP_MS. */
void announce_stop(struct announce *a, uint64_t now_ms);
bool announce_is_idle(const struct announce *a); /* no job out, none due */
/* We lack peers: announce again at min_ms instead of next_ms, and where a tier
 * answered with less than ANNOUNCE_FEW_PEERS, to the tier behind it as well. */
void announce_want_peers(struct announce *a, bool want);
/* Something has come from a peer, last at this time: the peers that were named
 * are of use. While peers lack, a tier whose peers bring nothing for
 * ANNOUNCE_VAIN_MS lets the next one in, too. */
void announce_moved(struct announce *a, uint64_t last_ms);
/* Something changed that trackers should know: all are due at min_ms. */
void announce_now(struct announce *a, uint64_t now_ms);
/* By a user's wish: the same, and those that said "never" are asked again. */
void announce_insist(struct announce *a, uint64_t now_ms);

/* The next job that is due (marked BUSY); false when there is none. */
bool announce_next(struct announce *a, uint64_t now_ms,
                   struct announce_job *out);
uint64_t announce_deadline(const struct announce *a); /* UINT64_MAX = none */
/* The result of the job that is out for this tracker; dropped when none is. A
 * reply with a failure text counts as a failure that the tracker told. */
void announce_on_reply(struct announce *a, uint32_t tracker,
                       const struct tracker_reply *r, uint64_t now_ms,
                       int64_t unix_now);
/* So many of the peers in the reply that was just taken were not known. While
 * nobody new is named, the early announces of announce_want_peers come half as
 * often each time, down to the tracker's interval. */
void announce_on_new_peers(struct announce *a, uint32_t tracker, uint32_t n);
void announce_on_error(struct announce *a, uint32_t tracker, const char *text,
                       uint64_t now_ms);
/* Scrapes, for numbers that a tracker's answers do not have. The next one that
 * is due, at the tracker of that index; its result comes with
 * announce_on_scrape, `r` NULL = none came. */
#define ANNOUNCE_SCRAPE_MS 1000u /* after the first answer */
#define ANNOUNCE_SCRAPE_AGAIN_MS                                             \
    3600000u                             /* then; doubles while it fails ... \
                                          */
#define ANNOUNCE_SCRAPE_MAX_MS 86400000u /* ... up to this */
bool announce_scrape_next(struct announce *a, uint64_t now_ms,
                          uint32_t *tracker);
uint64_t announce_scrape_deadline(const struct announce *a);
void announce_on_scrape(struct announce *a, uint32_t tracker,
                        const struct tracker_reply *r, uint64_t now_ms);
/* For tests and debug builds: aborts when the order of the tiers is broken. */
void announce_check_invariant(const struct announce *a);

#endif
