/* See announce_kit.h. */
#include "core/swarm/announce_kit.h"

void sim_init(struct sim *s, uint64_t seed)
{
    *s = (struct sim){.seed = seed, .now_ms = 1000000};
    rng_init(&s->rng, seed);
    s->a = announce_new(&s->rng);
    buf_init(&s->log, SIM_LOG_MAX);
}

void sim_fini(struct sim *s)
{
    announce_free(s->a);
    buf_fini(&s->log);
}

struct fake *sim_add(struct sim *s, uint32_t tier)
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

static const char *sim_event_name(enum tracker_event e)
{
    static const char *const name[] = {"-", "started", "completed", "stopped"};

    return name[e];
}

/* What holds for every job. */
static void sim_check_job(struct sim *s, const struct announce_job *j)
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

void sim_send(struct sim *s, const struct announce_job *j)
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
static void sim_note_answer(struct sim *s, struct fake *f)
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

void sim_answer(struct sim *s, uint32_t i)
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

void sim_run(struct sim *s, uint64_t seconds)
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

void sim_start(struct sim *s)
{
    s->stopping = false;
    announce_start(s->a, s->now_ms);
}

void sim_stop(struct sim *s)
{
    s->stopping = true;
    announce_stop(s->a, s->now_ms);
}

void sim_expect(struct sim *s, const char *want)
{
    assert_string_equal(buf_cstr(&s->log), want);
    buf_clear(&s->log);
}

const struct announce_tracker *sim_get(struct sim *s, uint32_t i)
{
    return announce_get(s->a, i);
}
