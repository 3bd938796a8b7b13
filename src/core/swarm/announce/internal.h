/* What the files of the announce schedule share: announce.c has the trackers,
 * the wishes and whose turn it is; announce_result.c takes what came of a job.
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
    uint64_t early_ms; /* when peers lack: between t.min_ms and t.next_ms */
    bool owes_completed;
    bool owes_stopped;
};

struct announce {
    struct rng *rng;              /* borrows */
    struct announce_entry *entry; /* owns n of them; the index is the id */
    uint32_t *order;              /* owns n indexes: who has its turn when */
    uint32_t n;
    uint32_t cap;
    bool running;
    bool want_peers;
    uint64_t now_ms; /* of the last input */
};

#endif
