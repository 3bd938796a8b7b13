/* Simulated trackers for the tests of the announce schedule: a clock that jumps
 * from event to event, trackers that answer, refuse, are slow or dead. Every
 * job is checked against the rules that hold for any tracker at any time
 * (sim_check_job). The log is "seconds tracker event;". */
#ifndef BTC_TESTS_CORE_SWARM_ANNOUNCE_SIM_H
#define BTC_TESTS_CORE_SWARM_ANNOUNCE_SIM_H

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

static inline void sim_init(struct sim *s, uint64_t seed)
{
    *s = (struct sim){.seed = seed, .now_ms = 1000000};
    rng_init(&s->rng, seed);
    s->a = announce_new(&s->rng);
    buf_init(&s->log, SIM_LOG_MAX);
}

static inline void sim_fini(struct sim *s)
{
    announce_free(s->a);
    buf_fini(&s->log);
}

/* A tracker that answers with an hour's interval and enough peers; named 'a',
 * 'b', ... by index. */
static inline struct fake *sim_add(struct sim *s, uint32_t tier)
{
    char url[32];
    struct fake *f = &s->fake[s->n];

    assert_true(s->n < SIM_MAX);
    snprintf(url, sizeof url, "http://%c.test/announce", 'a' + (int)s->n);
    assert_int_equal(announce_add(s->a, url, tier), s->n);
    f->latency_ms = SIM_LATENCY;
    f->reply = (struct tracker_reply){.interval = 3600,
                                      .seeders = -1,
                                      .leechers = -1,
                                      .downloaded = -1,
                                      .n_peers = 50};
    s->n++;
    return f;
}

static inline const char *sim_event_name(enum tracker_event e)
{
    static const char *const name[] = {"-", "started", "completed", "stopped"};

    return name[e];
}

/* What holds for every job. */
static inline void sim_check_job(struct sim *s, const struct announce_job *j)
{
    const struct fake *f = &s->fake[j->tracker];
    bool ok = !f->out;

    switch (j->event) {
    case TRACKER_EVENT_STARTED:
        ok = ok && !f->known && !s->stopping && s->now_ms >= f->retry_ms;
        break;
    case TRACKER_EVENT_NONE:
        ok = ok && f->known && !s->stopping && s->now_ms >= f->floor_ms &&
             s->now_ms >= f->retry_ms;
        break;
    case TRACKER_EVENT_COMPLETED:
        ok = ok && f->known && !s->stopping &&
             f->n_ok[TRACKER_EVENT_COMPLETED] == 0 && s->now_ms >= f->retry_ms;
        break;
    case TRACKER_EVENT_STOPPED:
        ok = ok && f->known && s->stopping;
        break;
    }
    if (!ok) {
        fail_msg("seed %" PRIu64 ", at %" PRIu64 ": %c must not get %s now",
                 s->seed, s->now_ms, 'a' + (int)j->tracker,
                 sim_event_name(j->event));
    }
}

static inline void sim_send(struct sim *s, const struct announce_job *j)
{
    struct fake *f = &s->fake[j->tracker];

    sim_check_job(s, j);
    assert_int_equal(announce_get(s->a, j->tracker)->state, ANNOUNCE_BUSY);
    f->out = true;
    f->event = j->event;
    f->out_ms = s->now_ms;
    f->result_ms = s->now_ms + f->latency_ms;
    f->n_sent[j->event]++;
    if (j->event == TRACKER_EVENT_STOPPED) {
        f->known = false;
    }
    if (buf_len(&s->log) < SIM_LOG_MAX - 64) {
        assert_int_equal(buf_printf(&s->log, "%" PRIu64 " %c %s;",
                                    (s->now_ms - 1000000) / 1000,
                                    'a' + (int)j->tracker,
                                    sim_event_name(j->event)),
                         0);
    }
}

/* The floors that this answer sets. */
static inline void sim_note_answer(struct sim *s, struct fake *f)
{
    const struct tracker_reply *r = &f->reply;

    if (f->event == TRACKER_EVENT_STOPPED) {
        f->retry_ms = 0;
        return;
    }
    f->failed = f->dead || r->failure[0] != '\0';
    if (f->failed) {
        f->retry_ms = s->now_ms + ANNOUNCE_RETRY_MS;
        if (!f->dead && r->retry_in != 0) {
            f->retry_ms = r->retry_in < 0
                              ? UINT64_MAX
                              : s->now_ms + (uint64_t)r->retry_in * 1000;
        }
        return;
    }
    f->known = true;
    f->n_ok[f->event]++;
    f->retry_ms = 0;
    f->floor_ms = s->now_ms + (uint64_t)r->min_interval * 1000;
}

static inline void sim_answer(struct sim *s, uint32_t i)
{
    struct fake *f = &s->fake[i];

    f->out = false;
    sim_note_answer(s, f);
    if (f->dead) {
        announce_on_error(s->a, i, "connection refused", s->now_ms);
    } else {
        announce_on_reply(s->a, i, &f->reply, s->now_ms,
                          SIM_UNIX + (int64_t)(s->now_ms / 1000));
    }
    announce_check_invariant(s->a);
}

/* Lets the clock run for so many seconds. */
static inline void sim_run(struct sim *s, uint64_t seconds)
{
    uint64_t end_ms = s->now_ms + seconds * 1000;
    uint32_t n_jobs = 0;

    for (;;) {
        struct announce_job job;
        uint64_t next_ms = 0;

        while (announce_next(s->a, s->now_ms, &job)) {
            sim_send(s, &job);
            assert_true(++n_jobs < SIM_JOBS_MAX);
        }
        announce_check_invariant(s->a);
        next_ms = announce_deadline(s->a);
        assert_true(next_ms > s->now_ms);
        for (uint32_t i = 0; i < s->n; i++) {
            if (s->fake[i].out && s->fake[i].result_ms < next_ms) {
                next_ms = s->fake[i].result_ms;
            }
        }
        if (next_ms > end_ms) {
            s->now_ms = end_ms;
            return;
        }
        s->now_ms = next_ms;
        for (uint32_t i = 0; i < s->n; i++) {
            if (s->fake[i].out && s->fake[i].result_ms <= s->now_ms) {
                sim_answer(s, i);
            }
        }
    }
}

static inline void sim_start(struct sim *s)
{
    s->stopping = false;
    announce_start(s->a, s->now_ms);
}

static inline void sim_stop(struct sim *s)
{
    s->stopping = true;
    announce_stop(s->a, s->now_ms);
}

/* The log since the last call. */
static inline void sim_expect(struct sim *s, const char *want)
{
    assert_string_equal(buf_cstr(&s->log), want);
    buf_clear(&s->log);
}

static inline const struct announce_tracker *sim_get(struct sim *s, uint32_t i)
{
    return announce_get(s->a, i);
}

#endif
