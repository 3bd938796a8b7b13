/* Threads of the store, and the lanes in which drives are synced. */
#ifndef BTC_STORE_LANE_H
#define BTC_STORE_LANE_H

#include "store/store.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

struct store_queue {
    struct store_job *head;
    struct store_job *tail;
};

/* A thread with what it works with. */
struct store_worker {
    struct store *d;
    pthread_t thread;
    struct store_lane *lane;   /* takes its SYNCs; NULL: takes all else */
    struct hash *hash;         /* owns */
    uint8_t *buf;              /* owns; STORE_CHUNK_LEN */
    struct iovec *iov;         /* owns; STORE_MAX_IOV */
    atomic_uint beats;         /* system calls that it has begun */
    struct {                   /* under the store's lock */
        struct store_job *job; /* what it does, NULL = nothing */
        uint32_t beats;        /* as the last look found them */
        uint64_t since_ms;     /* no sign of life since that look */
        bool looked;           /* at this job */
        bool silent;           /* for STORE_SILENT_MS; its like are parked */
        bool low;              /* the job counts in n_low */
    } at;
};

/* How many files may stand open, and how many while most of them are dirty. */
struct store_room {
    uint32_t open, dirty;
};

/* SYNCs one after the other. A drive that hangs holds up only its own lane. */
struct store_lane {
    struct store_queue queue;
    pthread_cond_t work; /* a job came, or the end */
    struct store_worker worker;
    bool runs; /* its thread was started */
};

/* silent.c. A worker gives a beat before each system call. */
void store_beat(struct store *d);
/* The rest under `lock`. The worker has a job from now on, or has none. */
void store_silent_begin(struct store_worker *w, struct store_job *job,
                        bool low);
void store_silent_end(struct store_worker *w);
/* Who gives signs of life; true: one that was silent is heard again. */
bool store_silent_look(struct store *d, uint64_t now_ms);
/* The job would only wait beside a worker that is silent. */
bool store_silent_is_hopeless(const struct store *d,
                              const struct store_job *job);
/* Workers that are heard, but for those of the lanes. */
uint32_t store_silent_left(const struct store *d);

#endif
