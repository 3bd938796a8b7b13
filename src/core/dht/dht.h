/* A node of the distributed hash table (BEP 5, 32, 42, 43): it finds the peers
 * of info hashes, announces us, and answers others. Pure: datagrams and a clock
 * go in, datagrams and findings come out.
 *
 * Use. dht_new; then one DHT_EVENT_SAVED per node of the journal (newest
 * first), one DHT_EVENT_BOOTSTRAP per resolved bootstrap address, and
 * DHT_EVENT_TICK to begin. For each event: dht_input, then dht_next_action
 * until it gives false, then arm a timer for dht_deadline and input
 * DHT_EVENT_TICK when it has come. `now_ms` is any monotonic clock; it starts
 * above 0 and never steps back.
 *
 * Families. IPv4 and IPv6 are two tables with an id of their own each (BEP 42
 * ties an id to an address). A search runs in both. A family takes part when
 * its flag stands in `families`; then its datagrams are sent and received by
 * one socket of that family, whose address as the other side sees it does not
 * change from datagram to datagram.
 *
 * Nodes. Saved nodes are asked first; bootstrap addresses only when no saved
 * node answers. The journal keeps what DHT_ACTION_SAVE_NODE names, keyed by
 * address and port, until DHT_ACTION_FORGET_NODE names it. An outage of our own
 * line forgets nobody.
 *
 * Searches. DHT_EVENT_SEARCH looks one info hash up once and, with a port,
 * announces us to the nodes nearest to it. Peers come as they are found, each
 * address once per search. DHT_ACTION_SEARCH_DONE ends it, and the owner
 * searches again after DHT_SEARCH_AGAIN_MS (an announcement lasts 30 minutes),
 * or earlier while it lacks peers, but not before DHT_SEARCH_SOON_MS. A private
 * torrent (BEP 27) is never searched: that is the owner's duty.
 *
 * Limits. Everything that others make us remember or send is bounded; see the
 * constants here and in table.h, lookup.h, store.h, calls.h, limiter.h. Nodes
 * and peers at loopback addresses, and private ones named from the internet,
 * are ignored unless `allow_local`.
 */
#ifndef BTC_CORE_DHT_DHT_H
#define BTC_CORE_DHT_DHT_H

#include "core/dht/node_id.h"
#include "core/dht/store.h"
#include "core/dht/token.h"

#define DHT_SEARCH_AGAIN_MS 900000u
#define DHT_SEARCH_SOON_MS  60000u
#define DHT_SEARCHES_MAX    16384 /* that wait; more are refused */
#define DHT_SEARCHES_ACTIVE 8     /* at a time; the others wait their turn */
#define DHT_SEARCH_PEERS    512   /* told of one search */
#define DHT_SAVED_MAX       256   /* of a family; more are ignored */
#define DHT_BOOTSTRAP_MAX   16    /* of a family; more are ignored */

struct dht; /* opaque */

struct dht_config {
    uint8_t families;   /* enum krpc_lists: KRPC_NODES4 | KRPC_NODES6 */
    bool read_only;     /* ask only, answer nobody (BEP 43): short runs */
    bool allow_local;   /* --allow-local */
    uint8_t version[4]; /* `v` of our messages; all zero = none */
    struct addr ip4;    /* external addresses of an earlier run, if known */
    struct addr ip6;    /* family NONE = not known */
    uint8_t id4[DHT_ID_LEN]; /* ids of an earlier run; all zero = none */
    uint8_t id6[DHT_ID_LEN];
    uint8_t secret[DHT_SECRET_LEN]; /* from the kernel; tokens grow of it */
};

enum dht_event_type {
    DHT_EVENT_TICK,      /* dht_deadline has come */
    DHT_EVENT_DATAGRAM,  /* addr: who sent it; data */
    DHT_EVENT_BOOTSTRAP, /* addr: a resolved bootstrap host */
    DHT_EVENT_SAVED,     /* node: of the journal */
    DHT_EVENT_NODE,   /* addr: from a peer's PORT message: its IP, that port */
    DHT_EVENT_SEARCH, /* search; while one of this hash runs, only its port
                         changes */
    DHT_EVENT_CANCEL, /* search.info_hash: no SEARCH_DONE follows */
    DHT_EVENT_READ_ONLY /* read_only */
};

struct dht_event {
    enum dht_event_type type;
    union {
        struct {
            struct addr addr;  /* DATAGRAM, BOOTSTRAP, NODE */
            struct slice data; /* DATAGRAM; borrowed for the call */
        };
        struct krpc_node node; /* SAVED */
        struct {               /* SEARCH, CANCEL */
            uint8_t info_hash[DHT_ID_LEN];
            uint16_t port;     /* TCP port to announce; 0 = only look */
            bool implied_port; /* others take the UDP source port instead: when
                                  both are one port behind one NAT */
        } search;
        bool read_only; /* READ_ONLY */
    };
};

enum dht_action_type {
    DHT_ACTION_SEND,        /* a datagram */
    DHT_ACTION_PEERS,       /* peers of an info hash */
    DHT_ACTION_SEARCH_DONE, /* a search has ended */
    DHT_ACTION_SAVE_NODE,   /* node: it answered and has a place in the table */
    DHT_ACTION_FORGET_NODE, /* node: it has left, or never answered */
    DHT_ACTION_EXTERNAL_IP, /* self: others agree on our address */
    DHT_ACTION_OWN_ID /* self: we have a new id, to keep for the next run */
};

/* The figures of one search. */
struct dht_search_result {
    uint8_t info_hash[DHT_ID_LEN];
    uint32_t n_peers;   /* different addresses */
    uint32_t n_queries; /* sent for it, announcements aside */
    uint32_t n_answers; /* nodes that answered; 0 = the DHT is not reachable */
    uint32_t n_announced; /* nodes that took our announcement */
    uint32_t steps;       /* from our table to the first peer; to the nearest
                             node when none was found */
};

struct dht_found {
    uint8_t info_hash[DHT_ID_LEN];
    struct addr from; /* the node that told them */
    uint32_t steps;   /* that led to it: 1 = it was in our table */
    size_t n_peers;
    const struct addr *peers;
};

struct dht_action {
    enum dht_action_type type;
    union { /* what is borrowed lives until the next call on this dht */
        struct {
            struct addr to;
            struct slice data;
        } send;
        struct dht_found found; /* PEERS */
        struct dht_search_result done;
        struct krpc_node node; /* SAVE_NODE, FORGET_NODE */
        struct {
            struct addr ip; /* port 0; family NONE in OWN_ID when not known */
            enum addr_family family;
            uint8_t id[DHT_ID_LEN]; /* our id in this family */
        } self;                     /* EXTERNAL_IP, OWN_ID */
    };
};

/* `rng` is borrowed and must outlive the dht. */
struct dht *dht_new(const struct dht_config *config, struct rng *rng,
                    uint64_t now_ms);
void dht_free(struct dht *d); /* NULL allowed */
void dht_input(struct dht *d, const struct dht_event *event, uint64_t now_ms);
bool dht_next_action(struct dht *d, struct dht_action *out);
/* When the next DHT_EVENT_TICK is due; UINT64_MAX = never. */
uint64_t dht_deadline(const struct dht *d);

struct dht_family_stats {
    uint32_t n_nodes; /* in the table */
    uint32_t n_good;  /* of them, known to answer */
    bool is_starting; /* a bootstrap lookup runs */
    struct addr ip;   /* voted; family NONE = not known */
    uint8_t id[DHT_ID_LEN];
};

struct dht_stats {
    struct dht_family_stats v4, v6;
};
void dht_get_stats(const struct dht *d, uint64_t now_ms, struct dht_stats *out);

#endif
