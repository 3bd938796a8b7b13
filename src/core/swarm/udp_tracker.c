/* Conversations with UDP trackers; see udp_tracker.h.
 *
 * A request is CONNECTING until its tracker has given a connection id, then
 * ASKING, then DONE. The connection id belongs to the address: whoever has a
 * fresh one shares it with all other requests to that address. The times of
 * retransmission run on through both states, as BEP 15 wants it; when the id
 * gets too old in between, the request connects anew.
 */
#include "core/swarm/udp_tracker.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/num.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UDP_TRACKER_IDS_MAX 1024 /* addresses with a connection id */

enum udp_tracker_state {
    UDP_TRACKER_CONNECTING,
    UDP_TRACKER_ASKING,
    UDP_TRACKER_ENDED /* the outcome is to be told */
};

/* A connection id that a tracker gave. */
struct udp_tracker_id {
    struct addr addr; /* key */
    uint64_t connection;
    uint64_t until_ms;
    UT_hash_handle hh; /* oldest first */
};

struct udp_tracker_job {
    uint32_t id; /* key; also the transaction id */
    enum udp_tracker_state state;
    struct udp_tracker_request request;
    char *path; /* owns */
    bool due;   /* a datagram is to be sent now */
    uint32_t n_sent;
    uint64_t resend_ms;
    int result;
    struct tracker_reply reply;
    char error[TRACKER_TEXT_MAX];
    UT_hash_handle hh;
};

struct udp_tracker {
    struct rng *rng;               /* borrows */
    struct udp_tracker_job *jobs;  /* owns; a hash */
    struct udp_tracker_id *ids;    /* owns; a hash */
    struct udp_tracker_job *ended; /* owns; lent out with the last DONE */
    uint32_t n_pending;            /* jobs with something to be taken */
    uint64_t now_ms;               /* of the last input */
    struct buf out;                /* the datagram of the last SEND */
};

struct udp_tracker *udp_tracker_new(struct rng *rng)
{
    struct udp_tracker *u = mem_zalloc(sizeof(*u));
    u->rng = rng;
    buf_init(&u->out, TRACKER_UDP_REQUEST_MAX);
    return u;
}

/* Frees a job that is in no table. */
static void udp_tracker_job_free(struct udp_tracker_job *j)
{
    if (j != NULL) {
        tracker_reply_fini(&j->reply);
        free(j->path);
        free(j);
    }
}

/* Takes a job out of the table. */
static void udp_tracker_unlink(struct udp_tracker *u, struct udp_tracker_job *j)
{
    if (j->due || j->state == UDP_TRACKER_ENDED) {
        u->n_pending--;
    }
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): lost in uthash's table */
    HASH_DELETE(hh, u->jobs, j);
}

void udp_tracker_free(struct udp_tracker *u)
{
    if (u == NULL) {
        return;
    }
    while (u->jobs != NULL) {
        struct udp_tracker_job *j = u->jobs;
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): lost in uthash's table */
        udp_tracker_unlink(u, j);
        udp_tracker_job_free(j);
    }
    while (u->ids != NULL) {
        struct udp_tracker_id *i = u->ids;
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): lost in uthash's table */
        HASH_DELETE(hh, u->ids, i);
        free(i);
    }
    udp_tracker_job_free(u->ended);
    buf_fini(&u->out);
    free(u);
}

/* --- connection ids --- */

/* The fresh id of an address; NULL when there is none. */
static struct udp_tracker_id *udp_tracker_find_id(struct udp_tracker *u,
                                                  const struct addr *a)
{
    struct udp_tracker_id *i = NULL;
    HASH_FIND(hh, u->ids, a, sizeof(*a), i);
    if (i != NULL && u->now_ms < i->until_ms) {
        return i;
    }
    return NULL;
}

/* The address has no id any more. */
static void udp_tracker_forget_id(struct udp_tracker *u, const struct addr *a)
{
    struct udp_tracker_id *i = NULL;
    HASH_FIND(hh, u->ids, a, sizeof(*a), i);
    if (i != NULL) {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): lost in uthash's table */
        HASH_DELETE(hh, u->ids, i);
        free(i);
    }
}

/* A tracker gave one; the oldest makes room. */
static void udp_tracker_keep_id(struct udp_tracker *u, const struct addr *a,
                                uint64_t connection)
{
    udp_tracker_forget_id(u, a);
    if (HASH_COUNT(u->ids) >= UDP_TRACKER_IDS_MAX) {
        struct addr oldest = u->ids->addr;
        udp_tracker_forget_id(u, &oldest);
    }
    struct udp_tracker_id *i = mem_zalloc(sizeof(*i));
    i->addr = *a;
    i->connection = connection;
    i->until_ms = u->now_ms + UDP_TRACKER_CONNECT_MS;
    HASH_ADD(hh, u->ids, addr, sizeof(i->addr), i);
}

/* --- requests --- */

/* Between the last datagram and the next. */
static uint64_t udp_tracker_wait(const struct udp_tracker_job *j)
{
    bool stops = j->request.kind == UDP_TRACKER_ANNOUNCE &&
                 j->request.announce.event == TRACKER_EVENT_STOPPED;
    if (stops) {
        return UDP_TRACKER_STOP_MS;
    }
    if (j->n_sent == 0) {
        return UDP_TRACKER_RESEND_MS;
    }
    return (uint64_t)UDP_TRACKER_RESEND_MS << (j->n_sent - 1);
}

/* A datagram of it is to be sent. */
static void udp_tracker_set_due(struct udp_tracker *u,
                                struct udp_tracker_job *j)
{
    u->n_pending += j->due ? 0 : 1;
    j->due = true;
    if (udp_tracker_find_id(u, &j->request.to) != NULL) {
        j->state = UDP_TRACKER_ASKING;
    } else {
        j->state = UDP_TRACKER_CONNECTING;
    }
}

/* It is over; the outcome is told by udp_tracker_next. */
static void udp_tracker_end(struct udp_tracker *u, struct udp_tracker_job *j,
                            int result, const char *error)
{
    u->n_pending += j->due ? 0 : 1;
    j->due = false;
    j->state = UDP_TRACKER_ENDED;
    j->result = result;
    (void)snprintf(j->error, sizeof(j->error), "%s", error);
}

/* An id that no job has and nobody can guess. */
static uint32_t udp_tracker_new_id(struct udp_tracker *u)
{
    for (;;) {
        struct udp_tracker_job *j = NULL;
        uint32_t id = (uint32_t)rng_u64(u->rng);
        HASH_FIND(hh, u->jobs, &id, sizeof(id), j);
        if (id != 0 && j == NULL) {
            return id;
        }
    }
}

uint32_t udp_tracker_ask(struct udp_tracker *u,
                         const struct udp_tracker_request *r, uint64_t now_ms)
{
    u->now_ms = now_ms;
    if (HASH_COUNT(u->jobs) >= UDP_TRACKER_MAX) {
        return 0;
    }
    struct udp_tracker_job *j = mem_zalloc(sizeof(*j));
    j->id = udp_tracker_new_id(u);
    j->request = *r;
    j->path = mem_strdup(r->path);
    j->request.path = j->path;
    HASH_ADD(hh, u->jobs, id, sizeof(j->id), j);
    udp_tracker_set_due(u, j);
    return j->id;
}

void udp_tracker_cancel(struct udp_tracker *u, uint32_t id)
{
    struct udp_tracker_job *j = NULL;
    HASH_FIND(hh, u->jobs, &id, sizeof(id), j);
    if (j != NULL) {
        udp_tracker_unlink(u, j);
        udp_tracker_job_free(j);
    }
}

/* --- answers --- */

/* An id came: everybody who waited for one at this address asks now. */
static void udp_tracker_connected(struct udp_tracker *u, const struct addr *a,
                                  uint64_t connection)
{
    udp_tracker_keep_id(u, a, connection);
    for (struct udp_tracker_job *j = u->jobs; j != NULL; j = j->hh.next) {
        if (j->state == UDP_TRACKER_CONNECTING && addr_eq(&j->request.to, a)) {
            j->n_sent = 0; /* the tracker lives: the schedule begins anew */
            udp_tracker_set_due(u, j);
        }
    }
}

/* A refusal, or news that our connection id is not good (any more). */
static int udp_tracker_on_error(struct udp_tracker *u,
                                struct udp_tracker_job *j, struct slice data)
{
    udp_tracker_forget_id(u, &j->request.to);
    return tracker_udp_error_parse(data, &j->reply);
}

/* The answer to a request that is out. */
static void udp_tracker_answered(struct udp_tracker *u,
                                 struct udp_tracker_job *j,
                                 enum tracker_udp_action action,
                                 struct slice data)
{
    bool announce = j->request.kind == UDP_TRACKER_ANNOUNCE;
    uint64_t connection = 0;
    int rc = BTC_E_PROTO;
    if (action == TRACKER_UDP_ERROR) {
        rc = udp_tracker_on_error(u, j, data);
    } else if (j->state == UDP_TRACKER_CONNECTING) {
        if (action == TRACKER_UDP_CONNECT) {
            rc = tracker_udp_connect_parse(data, &connection);
        }
        if (rc == 0) {
            udp_tracker_connected(u, &j->request.to, connection);
            return;
        }
    } else if (action == TRACKER_UDP_CONNECT) {
        return; /* a second answer to a CONNECT that was sent twice */
    } else if (announce && action == TRACKER_UDP_ANNOUNCE) {
        rc = tracker_udp_announce_parse(
            data, (enum addr_family)j->request.to.family, &j->reply);
    } else if (!announce && action == TRACKER_UDP_SCRAPE) {
        rc = tracker_udp_scrape_parse(data, &j->reply);
    }
    udp_tracker_end(u, j, rc, rc == 0 ? "" : "the answer makes no sense");
}

bool udp_tracker_datagram(struct udp_tracker *u, const struct addr *from,
                          struct slice data, uint64_t now_ms)
{
    struct tracker_udp_head head;
    struct udp_tracker_job *j = NULL;
    u->now_ms = now_ms;
    if (!tracker_udp_head_parse(data, &head)) {
        return false;
    }
    HASH_FIND(hh, u->jobs, &head.transaction, sizeof(head.transaction), j);
    if (j == NULL || !addr_eq(&j->request.to, from)) {
        return false;
    }
    if (j->state != UDP_TRACKER_ENDED) {
        udp_tracker_answered(u, j, head.action, data);
    }
    return true;
}

/* --- time and actions --- */

void udp_tracker_tick(struct udp_tracker *u, uint64_t now_ms)
{
    u->now_ms = now_ms;
    for (struct udp_tracker_job *j = u->jobs; j != NULL; j = j->hh.next) {
        if (j->state == UDP_TRACKER_ENDED || j->due || now_ms < j->resend_ms) {
            continue;
        }
        if (j->n_sent >= UDP_TRACKER_SENDS) {
            udp_tracker_end(u, j, BTC_E_TIMEOUT, "the tracker does not answer");
        } else {
            udp_tracker_set_due(u, j);
        }
    }
}

/* Makes the datagram that is due. */
static void udp_tracker_send(struct udp_tracker *u, struct udp_tracker_job *j,
                             struct udp_tracker_action *out)
{
    const struct udp_tracker_id *i = udp_tracker_find_id(u, &j->request.to);
    buf_clear(&u->out);
    if (i == NULL) {
        j->state = UDP_TRACKER_CONNECTING;
        tracker_udp_put_connect(j->id, &u->out);
    } else if (j->request.kind == UDP_TRACKER_SCRAPE) {
        tracker_udp_put_scrape(i->connection, j->id,
                               j->request.announce.info_hash, &u->out);
    } else {
        tracker_udp_put_announce(i->connection, j->id, &j->request.announce,
                                 j->path, &u->out);
    }
    j->due = false;
    u->n_pending--;
    j->n_sent++;
    j->resend_ms = u->now_ms + udp_tracker_wait(j);
    *out = (struct udp_tracker_action){.type = UDP_TRACKER_SEND,
                                       .to = j->request.to,
                                       .data = buf_slice(&u->out)};
}

bool udp_tracker_next(struct udp_tracker *u, struct udp_tracker_action *out)
{
    udp_tracker_job_free(u->ended);
    u->ended = NULL;
    if (u->n_pending == 0) {
        return false;
    }
    struct udp_tracker_job *j = u->jobs;
    while (j != NULL && !j->due && j->state != UDP_TRACKER_ENDED) {
        j = j->hh.next;
    }
    BTC_ASSERT(j != NULL);
    if (j->due) {
        udp_tracker_send(u, j, out);
        return true;
    }
    udp_tracker_unlink(u, j);
    u->ended = j;
    *out = (struct udp_tracker_action){.type = UDP_TRACKER_DONE,
                                       .id = j->id,
                                       .result = j->result,
                                       .reply = &j->reply,
                                       .error = j->error};
    return true;
}

uint64_t udp_tracker_deadline(const struct udp_tracker *u)
{
    uint64_t at = UINT64_MAX;
    for (const struct udp_tracker_job *j = u->jobs; j != NULL; j = j->hh.next) {
        if (j->due || j->state == UDP_TRACKER_ENDED) {
            return u->now_ms;
        }
        at = num_min_u64(at, j->resend_ms);
    }
    return at;
}
