/* Trackers: replies, refusals, nonsense, silence. */
#include "sim/sim_node.h"

#include "proto/tracker/http.h"

/* An answer under way; lives in its event's data. */
struct sim_answer {
    struct sim_torrent *st;
    uint32_t epoch;
    uint32_t tracker;
    enum sim_tracker_mode mode;
};

/* See sim.h. */
struct sim_tracker *sim_tracker_new(struct sim *s, enum sim_tracker_mode mode)
{
    struct sim_tracker *k = mem_zalloc(sizeof *k);
    uint32_t n = 1;
    for (const struct sim_tracker *o = s->trackers; o != NULL; o = o->next) {
        n++;
    }
    (void)snprintf(k->url, sizeof k->url, "http://tracker%u.test/announce", n);
    k->mode = mode;
    k->next = s->trackers;
    s->trackers = k;
    return k;
}

/* See sim.h. */
void sim_tracker_add(struct sim *s, struct sim_tracker *k, const struct addr *a,
                     const struct sim_content *c)
{
    (void)s;
    for (uint32_t i = 0; i < k->n_members; i++) {
        if (k->members[i].c == c && addr_eq(&k->members[i].addr, a)) {
            return;
        }
    }
    if (k->n_members == k->cap_members) {
        k->cap_members = k->cap_members > 0 ? k->cap_members * 2 : 16;
        k->members =
            mem_resize(k->members, k->cap_members, sizeof(*k->members));
    }
    k->members[k->n_members++] = (struct sim_member){.addr = *a, .c = c};
}

/* The tracker that a URL names. */
static struct sim_tracker *sim_tracker_find(struct sim *s, const char *url)
{
    for (struct sim_tracker *k = s->trackers; k != NULL; k = k->next) {
        if (strncmp(url, k->url, strlen(k->url)) == 0) {
            return k;
        }
    }
    return NULL;
}

/* Up to 50 members of the swarm, from a random one on. */
static void sim_tracker_body(struct sim *s, const struct sim_tracker *k,
                             const struct sim_content *c, struct buf *out)
{
    uint8_t peers[50 * ADDR_COMPACT_4];
    size_t n = 0;
    uint32_t start = k->n_members > 0 ? sim_below(s, k->n_members) : 0;
    for (uint32_t i = 0; i < k->n_members && n + 6 <= sizeof peers; i++) {
        const struct sim_member *m = &k->members[(start + i) % k->n_members];
        if (m->c == c) {
            n += addr_to_compact(&m->addr, peers + n);
        }
    }
    (void)buf_printf(out, "d8:intervali120e12:min intervali60e5:peers%zu:", n);
    (void)buf_append(out, peers, n);
    (void)buf_append_str(out, "e");
}

/* The answer arrives. */
static void sim_on_answer(struct sim *s, struct sim_event *e)
{
    struct sim_answer a;
    memcpy(&a, e->data, sizeof a);
    if (a.epoch != a.st->epoch || a.st->t == NULL) {
        return;
    }
    struct event ev = {.type = EVENT_ANNOUNCED};
    struct tracker_reply reply = {.n_peers = 0};
    struct err err = {0};
    struct buf body;
    buf_init(&body, 4096);
    ev.announced.tracker = a.tracker;
    long status = 200;
    switch (a.mode) {
    case SIM_TRACKER_OK:
        sim_tracker_body(s, e->ctx, a.st->c, &body);
        break;
    case SIM_TRACKER_REFUSES:
        (void)buf_append_str(&body, "d14:failure reason7:go awaye");
        break;
    case SIM_TRACKER_HTML:
        status = 502;
        (void)buf_append_str(&body, "<html><body>Bad Gateway</body></html>");
        break;
    default:
        ev.result = BTC_E_TIMEOUT;
        ev.announced.error = "timed out";
        break;
    }
    if (ev.result == 0) {
        ev.result =
            tracker_http_decode(status, 0, buf_slice(&body), &reply, &err);
        ev.announced.reply = &reply;
        ev.announced.error = err.msg;
    }
    sim_input(a.st, &ev);
    tracker_reply_fini(&reply);
    buf_fini(&body);
}

/* See sim.h. */
void sim_tracker_announce(struct sim_torrent *st, const struct action *a)
{
    struct sim *s = st->node->s;
    struct sim_tracker *k = sim_tracker_find(
        s, announce_get(torrent_announce(st->t), a->announce.tracker)->url);
    SIM_CHECK(s, k != NULL);
    struct sim_answer answer = {.st = st,
                                .epoch = st->epoch,
                                .tracker = a->announce.tracker,
                                .mode = k->mode};
    k->n_announces++;
    if (answer.mode == SIM_TRACKER_FLAKY) {
        answer.mode =
            sim_chance(s, 2)
                ? SIM_TRACKER_OK
                : (enum sim_tracker_mode)sim_below(s, SIM_TRACKER_FLAKY);
    }
    if (answer.mode == SIM_TRACKER_OK && !st->node->host.deaf) {
        sim_tracker_add(s, k, &st->node->host.addr, st->c);
    }
    uint32_t ms =
        answer.mode == SIM_TRACKER_HANGS ? 60000 : 5 + sim_below(s, 300);
    struct sim_event *e = sim_at(s, ms, sim_on_answer, k);
    e->data = mem_dup(&answer, sizeof answer);
    e->len = sizeof answer;
}
