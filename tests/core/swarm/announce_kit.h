/* Simulated trackers for the tests of the announce schedule: a clock that jumps
 * from event to event, trackers that answer, refuse, are slow or dead. Every
 * job is checked against the rules that hold for any tracker at any time
 * (sim_check_job). The log is "seconds tracker event;". */
#ifndef BTC_TESTS_CORE_SWARM_ANNOUNCE_KIT_H
#define BTC_TESTS_CORE_SWARM_ANNOUNCE_KIT_H

#include "base/buf.h"
#include "base/err.h"
#include "core/swarm/announce/announce.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIM_MAX      8
#define SIM_LATENCY  10 /* ms */
#define SIM_UNIX     1700000000
#define SIM_LOG_MAX  65536
#define SIM_JOBS_MAX 100000 /* more in one run is hammering */

struct fake {
    /* the scene */
    bool dead;           /* error after latency_ms */
    uint64_t latency_ms; /* until the answer or the error */
    struct tracker_reply reply;
    /* what the simulation knows */
    bool out;
    enum tracker_event event;
    uint64_t out_ms;    /* sent */
    uint64_t result_ms; /* will answer */
    bool known;         /* said `started`, not yet `stopped` */
    uint32_t n_sent[4]; /* by event */
    uint32_t n_ok[4];   /* of these answered well */
    uint64_t floor_ms;  /* no regular announce before */
    uint64_t retry_ms;  /* nothing before, after a failure */
    bool failed;        /* the last one did */
};

struct sim {
    struct announce *a;
    struct rng rng;
    uint64_t seed;
    uint64_t now_ms;
    struct fake fake[SIM_MAX];
    uint32_t n;
    bool stopping;
    struct buf log;
};

void sim_init(struct sim *s, uint64_t seed);

void sim_fini(struct sim *s);

/* A tracker that answers with an hour's interval and enough peers; named 'a',
 * 'b', ... by index. */
struct fake *sim_add(struct sim *s, uint32_t tier);

void sim_send(struct sim *s, const struct announce_job *j);

void sim_answer(struct sim *s, uint32_t i);

/* Lets the clock run for so many seconds. */
void sim_run(struct sim *s, uint64_t seconds);

void sim_start(struct sim *s);

void sim_stop(struct sim *s);

/* The log since the last call. */
void sim_expect(struct sim *s, const char *want);

const struct announce_tracker *sim_get(struct sim *s, uint32_t i);

#endif
