/* What the files of the announce schedule share: announce.c has the trackers,
 * the wishes and whose turn it is; result.c takes what came of a job, scrape.c
 * asks for what answers lack, past.c has what an earlier run left behind.
 */
#ifndef BTC_CORE_SWARM_ANNOUNCE_INTERNAL_H
#define BTC_CORE_SWARM_ANNOUNCE_INTERNAL_H

#include "core/swarm/announce/announce.h"

struct announce_entry {
    struct announce_tracker t;
    enum tracker_event event; /* of the job that is out */
    uint64_t busy_ms;         /* when it went out */
    uint32_t n_peers;         /* in the last reply */
    uint32_t n_vain;          /* replies in a row that named nobody new */
    uint64_t known_ms;        /* it knows us since */
    uint64_t early_ms; /* when peers lack: between t.min_ms and t.next_ms */
    uint32_t refusals; /* of this run: failures in a row that it told itself */
    bool owes_completed;
    bool owes_stopped;
    struct {
        uint64_t at_ms;    /* 0 = not planned */
        uint32_t failures; /* in a row */
        bool is_out;
    } scrape;
};

struct announce {
    struct rng *rng;              /* borrows */
    struct announce_entry *entry; /* owns n of them; the index is the id */
    uint32_t *order;              /* owns n indexes: who has its turn when */
    uint32_t n;
    uint32_t cap;
    bool running;
    bool want_peers;
    uint64_t moved_ms; /* announce_moved */
    uint64_t now_ms;   /* of the last input */
};

/* Puts a text of less than `max` bytes in the place of the one before. */
void announce_set_text(char **at, const char *text, size_t max);
/* An answer to an announce came: a scrape may have to fill it up. */
void announce_scrape_plan(struct announce_entry *e,
                          const struct tracker_reply *r, uint64_t now_ms);

#endif
