/* Announces to UDP trackers; see udp_trackers.h.
 *
 * An announce is WAITING for its turn (net/host_queue.h), RESOLVING its host's
 * name, then ASKING one address of each family. Nothing calls its owner from
 * inside udp_trackers_announce: what fails at once is told by the timer.
 */
#include "engine/udp_trackers.h"

#include "base/mem.h"
#include "core/swarm/udp_tracker.h"
#include "net/guard.h"
#include "net/host_queue.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum udp_announce_state {
    UDP_ANNOUNCE_WAITING,
    UDP_ANNOUNCE_RESOLVING,
    UDP_ANNOUNCE_ASKING,
    UDP_ANNOUNCE_FAILED /* to be told */
};

struct udp_announce {
    struct udp_trackers *owner; /* borrows */
    struct udp_announce *next, *prev;
    struct host_queue_entry turn;
    enum udp_announce_state state;
    struct tracker_udp_url url;
    enum udp_tracker_kind kind;
    struct tracker_request request;
    struct resolve_job *job; /* RESOLVING */
    uint32_t asked[2];       /* ids of the requests that are out; 0 = none */
    bool is_told;            /* on_done was called */
    int result;
    char error[TRACKER_TEXT_MAX];
    struct udp_announce_fns fns;
    void *ctx; /* borrows */
};

struct udp_trackers {
    struct udp_trackers_options o;
    struct udp_user user;
    struct udp_tracker *core; /* owns */
    struct loop_timer *timer; /* owns */
    struct udp_announce *all; /* owns; oldest first */
    struct host_queue *queue; /* owns; their turns */
};

/* --- the core's timer and datagrams --- */

/* The nearest thing that is due. */
static void udp_trackers_arm(struct udp_trackers *u, bool now)
{
    uint64_t at = udp_tracker_deadline(u->core);
    if (now || (u->all != NULL && u->all->state == UDP_ANNOUNCE_FAILED)) {
        at = loop_now_ms(u->o.loop);
    }
    loop_timer_arm(u->timer, at);
}

/* Out of the list; what it has out is given up. */
static void udp_announce_free(struct udp_announce *a)
{
    struct udp_trackers *u = a->owner;
    host_queue_remove(u->queue, &a->turn);
    resolve_cancel(a->job);
    udp_tracker_cancel(u->core, a->asked[0]);
    udp_tracker_cancel(u->core, a->asked[1]);
    DL_DELETE(u->all, a);
    free(a);
}

/* It has ended without an answer; the timer tells. */
static void udp_announce_fail(struct udp_announce *a, int result,
                              const char *error)
{
    struct udp_trackers *u = a->owner;
    host_queue_remove(u->queue, &a->turn);
    a->state = UDP_ANNOUNCE_FAILED;
    a->result = result;
    (void)snprintf(a->error, sizeof(a->error), "%s", error);
    udp_trackers_arm(u, true);
}

/* The host is silent, or has no address: it is not asked by each that waits for
 * it. One that answered others has failed only this one. */
static void udp_announce_fail_host(struct udp_announce *a, int result,
                                   const char *error)
{
    struct udp_trackers *u = a->owner;
    struct host_queue_entry *e = NULL;
    char key[HOST_QUEUE_KEY_MAX];
    bool is_silent = host_queue_is_silent(&a->turn);
    (void)snprintf(key, sizeof(key), "%s", host_queue_key(&a->turn));
    udp_announce_fail(a, result, error);
    while (is_silent && (e = host_queue_first(u->queue, key)) != NULL) {
        udp_announce_fail(e->owner, result, error);
    }
}

/* Which announce a request of the core belongs to. */
static struct udp_announce *udp_trackers_find(struct udp_trackers *u,
                                              uint32_t id, int *which)
{
    struct udp_announce *a;
    DL_FOREACH(u->all, a)
    {
        for (int i = 0; i < 2; i++) {
            if (a->asked[i] == id) {
                *which = i;
                return a;
            }
        }
    }
    return NULL;
}

/* A request of the core has ended. The owner may cancel any announce from
 * inside its call, this one too, so `a` is not touched after the last one. */
static void udp_trackers_on_done(struct udp_trackers *u,
                                 const struct udp_tracker_action *done)
{
    int which = 0;
    struct udp_announce *a = udp_trackers_find(u, done->id, &which);
    if (a == NULL) {
        return;
    }
    a->asked[which] = 0;
    bool last = a->asked[1 - which] == 0;
    struct udp_announce_fns fns = a->fns;
    void *ctx = a->ctx;
    if (done->result != 0) {
        if (last && !a->is_told) {
            udp_announce_fail_host(a, done->result, done->error);
        } else if (last) {
            udp_announce_free(a);
            fns.on_over(ctx);
        }
        return;
    }
    bool more = a->is_told;
    a->is_told = true;
    host_queue_answered(&a->turn);
    if (last) {
        udp_announce_free(a);
    }
    if (more) {
        fns.on_more(ctx, done->reply);
    } else {
        fns.on_done(ctx, 0, done->reply, "");
    }
    if (last) {
        fns.on_over(ctx);
    }
}

/* What the core wants. */
static void udp_trackers_drain(struct udp_trackers *u)
{
    struct udp_tracker_action a;
    while (udp_tracker_next(u->core, &a)) {
        if (a.type == UDP_TRACKER_SEND) {
            (void)udp_send(u->o.udp, &a.to, a.data);
        } else {
            udp_trackers_on_done(u, &a);
        }
    }
}

/* --- names --- */

/* The first address of a family that may be asked. */
static const struct addr *udp_trackers_pick(const struct udp_trackers *u,
                                            const struct resolve_result *r,
                                            enum addr_family family,
                                            bool is_guarded, bool *refused)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct addr *a = &r->addrs[i];
        if (a->family != family || !udp_has_family(u->o.udp, family)) {
            continue;
        }
        if (guard_may_reach(is_guarded, a)) {
            return a;
        }
        *refused = true;
    }
    return NULL;
}

/* Asks one address of each family. */
static void udp_announce_ask(struct udp_announce *a,
                             const struct resolve_result *r)
{
    static const enum addr_family families[2] = {ADDR_V4, ADDR_V6};
    struct udp_trackers *u = a->owner;
    bool is_guarded = !u->o.allow_local && !guard_host_is_local(a->url.host);
    bool refused = false;
    a->state = UDP_ANNOUNCE_ASKING;
    for (int i = 0; i < 2; i++) {
        const struct addr *to =
            udp_trackers_pick(u, r, families[i], is_guarded, &refused);
        struct udp_tracker_request q = {
            .kind = a->kind, .announce = a->request, .path = a->url.path};
        if (to != NULL) {
            q.to = *to;
            a->asked[i] = udp_tracker_ask(u->core, &q, loop_now_ms(u->o.loop));
        }
    }
    if (a->asked[0] != 0 || a->asked[1] != 0) {
        udp_trackers_arm(u, true);
    } else if (refused) {
        udp_announce_fail(a, BTC_E_REFUSED, GUARD_REFUSED);
    } else {
        udp_announce_fail(a, BTC_E_NETWORK,
                          "no address of it can be reached from here");
    }
}

/* The host's addresses, or why there are none. */
static void udp_announce_on_resolved(void *ctx, const struct resolve_result *r)
{
    struct udp_announce *a = ctx;
    a->job = NULL;
    if (r->code != 0) {
        udp_announce_fail_host(a, r->code, r->error);
    } else {
        udp_announce_ask(a, r);
    }
}

/* Those that wait have their turn. */
static void udp_trackers_pump(struct udp_trackers *u)
{
    struct host_queue_entry *e = NULL;
    while ((e = host_queue_next(u->queue)) != NULL) {
        struct udp_announce *a = e->owner;
        a->state = UDP_ANNOUNCE_RESOLVING;
        a->job = resolve_start(u->o.resolve, a->url.host, a->url.port,
                               udp_announce_on_resolved, a);
    }
}

/* Tells of those that failed, one by one: each call may change the list. */
static void udp_trackers_tell(struct udp_trackers *u)
{
    struct udp_announce *a = u->all;
    while (a != NULL) {
        /* The analyser loses sight of the list.
         * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        if (a->state != UDP_ANNOUNCE_FAILED) {
            a = a->next;
            continue;
        }
        struct udp_announce copy = *a;
        udp_announce_free(a);
        copy.fns.on_done(copy.ctx, copy.result, NULL, copy.error);
        copy.fns.on_over(copy.ctx);
        a = u->all;
    }
}

/* Something is due. */
static void udp_trackers_on_timer(void *ctx)
{
    struct udp_trackers *u = ctx;
    udp_trackers_tell(u);
    udp_trackers_pump(u);
    udp_tracker_tick(u->core, loop_now_ms(u->o.loop));
    udp_trackers_drain(u);
    udp_trackers_pump(u); /* some have ended */
    udp_trackers_arm(u, false);
    if (u->o.udp != NULL) {
        udp_flush(u->o.udp);
    }
}

/* A datagram that may be an answer. */
static bool udp_trackers_on_datagram(void *ctx, const struct addr *from,
                                     struct slice data)
{
    struct udp_trackers *u = ctx;
    if (!udp_tracker_datagram(u->core, from, data, loop_now_ms(u->o.loop))) {
        return false;
    }
    udp_trackers_arm(u, true); /* what follows is done outside this call */
    return true;
}

/* --- the face --- */

struct udp_trackers *udp_trackers_new(const struct udp_trackers_options *o)
{
    struct udp_trackers *u = mem_zalloc(sizeof(*u));
    u->o = *o;
    u->core = udp_tracker_new(o->rng);
    u->queue = host_queue_new(UDP_TRACKERS_ACTIVE, UDP_TRACKERS_PER_HOST);
    u->timer = loop_timer_new(o->loop, udp_trackers_on_timer, u);
    u->user =
        (struct udp_user){.on_datagram = udp_trackers_on_datagram, .ctx = u};
    if (o->udp != NULL) {
        udp_add_user(o->udp, &u->user);
    }
    return u;
}

void udp_trackers_free(struct udp_trackers *u)
{
    if (u == NULL) {
        return;
    }
    while (u->all != NULL) {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): as above */
        udp_announce_free(u->all);
    }
    if (u->o.udp != NULL) {
        udp_remove_user(u->o.udp, &u->user);
    }
    host_queue_free(u->queue);
    loop_timer_close(u->timer);
    udp_tracker_free(u->core);
    free(u);
}

/* One that asks nothing yet. */
static struct udp_announce *udp_announce_new(struct udp_trackers *u,
                                             const struct udp_announce_fns *fns,
                                             void *ctx)
{
    struct udp_announce *a = mem_zalloc(sizeof(*a));
    a->owner = u;
    a->turn.owner = a;
    a->fns = *fns;
    a->ctx = ctx;
    DL_APPEND(u->all, a);
    return a;
}

/* It waits for its host's turn, or fails. */
static void udp_announce_start(struct udp_announce *a, const char *url)
{
    char key[HOST_QUEUE_KEY_MAX];
    struct udp_trackers *u = a->owner;
    if (u->o.udp == NULL) {
        udp_announce_fail(a, BTC_E_NETWORK, "there is no UDP socket");
    } else if (!tracker_udp_url_parse(url, &a->url)) {
        udp_announce_fail(a, BTC_E_SYNTAX,
                          "the URL has no host and port, as in udp://host:80");
    } else {
        (void)snprintf(key, sizeof(key), "%s:%u", a->url.host, a->url.port);
        host_queue_add(u->queue, &a->turn, key);
        udp_trackers_arm(u, true);
    }
}

struct udp_announce *udp_trackers_announce(struct udp_trackers *u,
                                           const char *url,
                                           const struct tracker_request *r,
                                           const struct udp_announce_fns *fns,
                                           void *ctx)
{
    struct udp_announce *a = udp_announce_new(u, fns, ctx);
    a->kind = UDP_TRACKER_ANNOUNCE;
    a->request = *r;
    udp_announce_start(a, url);
    return a;
}

struct udp_announce *udp_trackers_scrape(struct udp_trackers *u,
                                         const char *url,
                                         const uint8_t info_hash[20],
                                         const struct udp_announce_fns *fns,
                                         void *ctx)
{
    struct udp_announce *a = udp_announce_new(u, fns, ctx);
    a->kind = UDP_TRACKER_SCRAPE;
    memcpy(a->request.info_hash, info_hash, 20);
    udp_announce_start(a, url);
    return a;
}

void udp_trackers_cancel(struct udp_announce *a)
{
    if (a != NULL) {
        struct udp_trackers *u = a->owner;
        udp_announce_free(a);
        udp_trackers_arm(u, true); /* for one that waits */
    }
}
