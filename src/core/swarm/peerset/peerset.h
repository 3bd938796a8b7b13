/* Known peers of a torrent: candidates with back-off, bans and quality, one
 * entry per address. Ids are stable for a run and never used again. */
#ifndef BTC_CORE_SWARM_PEERSET_PEERSET_H
#define BTC_CORE_SWARM_PEERSET_PEERSET_H

#include "base/addr.h"
#include "base/rng.h"
#include "model/names.h"

#define PEERSET_MAX            4000 /* entries; the worst unconnected one goes */
#define PEERSET_HOST_MAX       16   /* of an IPv4 address or an IPv6 /64 ... */
#define PEERSET_LOCAL_MAX      256  /* ... and of one of our own networks */
#define PEERSET_BACKOFF_MS     15000 /* after the first failure, doubles ... */
#define PEERSET_BACKOFF_MAX_MS 1800000 /* ... up to this */
#define PEERSET_RECONNECT_MS   5000    /* after a connection that worked */
#define PEERSET_AGAIN_MS       1000 /* after the first failure of a known one */
#define PEERSET_MAX_FAILURES   8    /* then only when nothing else is left */
#define PEERSET_NO_ROUTE_MS    5000 /* a known one, while there is no route */
#define PEERSET_SILENT_MS      120000 /* ... while the network is silent */
#define PEERSET_FORGIVE_MS     600000 /* a tracker's word counts this often */
#define PEERSET_NONE           UINT32_MAX

enum peerset_state {
    PEERSET_IDLE,
    PEERSET_CONNECTING,
    PEERSET_CONNECTED
};

struct peerset_entry {
    uint32_t id;
    struct addr addr; /* with the listen port */
    bool connectable; /* addr's port is one it listens on */
    enum peer_source source;
    enum peerset_state state;
    bool banned; /* by its IP: bad data */
    bool is_seed;
    bool is_self;        /* answered with our own peer id: never dialled */
    uint32_t failures;   /* connects in a row that failed */
    uint32_t bad_pieces; /* suspicions (hash failures it had a part in) */
    uint32_t n_stalls;   /* such pieces that were its own, and it was slow */
    uint64_t retry_ms;   /* not before this */
    int64_t last_seen;   /* unix seconds of the last connection; 0 never */
    uint64_t bytes_down; /* ever, over all runs */
    uint64_t bytes_up;
    struct {               /* how its last connection ended */
        const char *what;  /* a literal: "refused the connection"; NULL */
        int64_t unix_time; /* when that was seen last */
        uint32_t n;        /* how often in a row, in this run */
    } outcome;
    struct addr journaled; /* the driver's own: where its row stands, or NONE */
};

struct peerset; /* opaque */

struct peerset *peerset_new(struct rng *rng);
void peerset_free(struct peerset *ps);
/* Adds or finds: the id, or BTC_E_LIMIT (its host or its source has as many
 * entries as it may) or BTC_E_RANGE (not dialable, our own, or of a banned IP
 * and neither from the user nor the journal). An entry keeps the source that it
 * came from first, unless the user names it. */
int64_t peerset_add(struct peerset *ps, const struct addr *a,
                    enum peer_source source);
/* For an incoming connection, whose port is not a listen port: finds the entry
 * of that IP when it is idle and the only one, else makes one that cannot be
 * dialled; BTC_E_RANGE for a banned IP. */
int64_t peerset_add_incoming(struct peerset *ps, const struct addr *a);
/* The extension handshake said its listen port: the entry becomes dialable, or
 * merges with the idle entry that has that address, whose id leads to this one
 * from then on. */
void peerset_set_port(struct peerset *ps, uint32_t id, uint16_t port);
/* It is not dialled any more, unless somebody names it again. */
void peerset_set_undialable(struct peerset *ps, uint32_t id);
/* NULL when unknown. Who makes an idle entry dialable in it (a seed that is
 * none any more, a failure forgiven) is heard at the next change of the set. */
struct peerset_entry *peerset_get(struct peerset *ps, uint32_t id);
struct peerset_entry *peerset_find(struct peerset *ps, const struct addr *a);
uint32_t peerset_count(const struct peerset *ps);
/* Iteration: i from 0 to peerset_count-1. */
struct peerset_entry *peerset_at(struct peerset *ps, uint32_t i);

/* Where others see us, one address of each family or NONE: canonical priorities
 * follow from it. */
void peerset_set_own(struct peerset *ps, const struct addr *own4,
                     const struct addr *own6);
/* Of an address; 0 = it is not known. */
uint32_t peerset_priority(const struct peerset *ps, const struct addr *a);
/* The best candidate that may be dialled now, marked CONNECTING; PEERSET_NONE
 * when there is none. Best: fewest failures and doubts, good record
 * (bytes_down), user and journal before others, then canonical priority (BEP
 * 40) as far as our own address is known, else random. Seeds are skipped when
 * `seeding`. */
uint32_t peerset_next(struct peerset *ps, bool seeding, uint64_t now_ms);
/* The soonest time at which peerset_next may give one; UINT64_MAX = never. Both
 * cost next to nothing until then. */
uint64_t peerset_deadline(struct peerset *ps, bool seeding);
void peerset_on_connected(struct peerset *ps, uint32_t id, int64_t unix_now);
void peerset_on_failed(struct peerset *ps, uint32_t id, uint64_t now_ms);
void peerset_on_closed(struct peerset *ps, uint32_t id, bool was_useful,
                       uint64_t now_ms);
/* It could not be reached, and maybe nobody can: our own network is down.
 * Nothing is counted, and one that we have known is tried again soon, all the
 * sooner when there is not even a route. */
void peerset_on_unreachable(struct peerset *ps, uint32_t id, bool no_route,
                            uint64_t now_ms);
/* The network is back: those that could not be reached may be dialled now. */
void peerset_forgive(struct peerset *ps, uint64_t now_ms);
/* A tracker names it (again): failed dials are forgiven, now and then. */
void peerset_listed(struct peerset *ps, uint32_t id, uint64_t now_ms);
/* It is a second address of a client that is connected as `other`
 * (PEERSET_NONE: not known): no need to dial it for long, or until that
 * connection ends. */
void peerset_on_twin(struct peerset *ps, uint32_t id, uint32_t other,
                     uint64_t now_ms);
/* That connection does not answer any more: no need to wait for its end. */
void peerset_free_twins(struct peerset *ps, uint32_t id, uint64_t now_ms);
/* What it sent before it was closed turned out to be good. */
void peerset_on_good(struct peerset *ps, uint32_t id, uint64_t now_ms);
/* The candidate that is due has not failed or disappointed us yet. */
bool peerset_is_fresh(struct peerset *ps, uint64_t now_ms);
/* The address answered with our own peer id: it is not dialled or taken in
 * again. */
void peerset_set_self(struct peerset *ps, uint32_t id);
bool peerset_is_self(const struct peerset *ps, const struct addr *a);
/* How a connection to it ended; `what` is a literal. */
void peerset_note(struct peerset *ps, uint32_t id, const char *what,
                  int64_t unix_now);
/* The IP: no entry of it is dialled, no connection of it accepted; after a few
 * of an IPv6 /64, nor any of that. */
void peerset_ban(struct peerset *ps, uint32_t id);
bool peerset_is_banned(const struct peerset *ps, const struct addr *a);

#endif
