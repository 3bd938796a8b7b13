/* The node as its own files see it. dht.c takes events in and calls, from the
 * top down: keep.c (the table's health), search.c (tasks and searches),
 * answer.c, query.c, out.c.
 *
 * A net is what one family has. A task is one lookup under way: to bootstrap,
 * to refresh a bucket, or one family's part of a search. Tasks go by ids that
 * are never used twice, so a late call finds nobody.
 */
#ifndef BTC_CORE_DHT_INTERNAL_H
#define BTC_CORE_DHT_INTERNAL_H

#include "base/map.h"
#include "base/vote.h"
#include "core/dht/calls.h"
#include "core/dht/dht.h"
#include "core/dht/limiter.h"
#include "core/dht/lookup.h"
#include "core/dht/table.h"
#include "core/dht/token.h"

#define DHT_FAMILIES  2
#define DHT_TASKS_MAX 18u /* each family: the active searches and one more */
/* Slots for the addresses that a search has told: twice as many. */
#define DHT_FOUND_SLOTS 1024u

/* Why a lookup runs. */
enum dht_purpose {
    DHT_FOR_TABLE, /* find_node towards our own id or a stale bucket */
    DHT_FOR_SEARCH /* get_peers */
};

enum dht_task_state {
    DHT_TASK_LOOKING,
    DHT_TASK_ANNOUNCING
};

struct dht_net;
struct dht_search;

struct dht_task {
    uint32_t id; /* its slot is id % DHT_TASKS_MAX */
    enum dht_purpose purpose;
    enum dht_task_state state;
    struct dht_net *net;
    struct dht_search *search; /* FOR_SEARCH; borrows, outlives the task */
    uint32_t n_announcing;     /* announcements under way */
    struct dht_lookup lookup;
};

enum dht_part_state {
    DHT_PART_WAITING, /* for nodes */
    DHT_PART_RUNNING, /* a task looks or announces */
    DHT_PART_OVER
};

struct dht_search {
    uint16_t port;
    bool implied_port;
    bool is_active;                          /* it has its turn */
    bool has_steps;                          /* result.steps is final */
    uint64_t since_ms;                       /* when its turn began */
    enum dht_part_state parts[DHT_FAMILIES]; /* by net */
    struct dht_search_result result;         /* its info_hash is the key */
    uint64_t *found; /* owns: hashes of told addresses; 0 = free slot */
    UT_hash_handle hh;
};

enum dht_boot_state {
    DHT_BOOT_IDLE,
    DHT_BOOT_STARTING,  /* a lookup of our own id runs, or has just ended */
    DHT_BOOT_REFRESHING /* the same for a bucket */
};

struct dht_net {
    enum addr_family family;
    bool is_on;
    struct dht_table *table; /* owns */
    struct vote vote;
    uint64_t replied_ms; /* when anybody last answered us; 0 = never */
    struct {
        struct krpc_node *nodes; /* owns; DHT_SAVED_MAX, NULL until needed */
        uint32_t n;
        uint32_t next; /* to go on with; n or more means the first */
    } saved;
    struct {
        struct addr addrs[DHT_BOOTSTRAP_MAX];
        uint32_t n;
    } hosts;
    struct {
        enum dht_boot_state state;
        uint32_t task;     /* its lookup FOR_TABLE; 0 once that is over */
        bool is_wanted;    /* look our own id up again: it is new */
        uint32_t n_filled; /* far buckets looked up since the start */
        uint32_t n_tries;  /* bootstraps in a row that left the table poor */
        uint64_t next_ms;  /* no bootstrap before */
    } boot;
};

/* One action that waits, with its bytes behind it. */
struct dht_out {
    struct dht_out *next; /* owns */
    struct dht_action action;
    uint8_t data[]; /* a datagram */
};

struct dht {
    struct dht_config config;
    struct rng *rng; /* borrows */
    struct dht_net nets[DHT_FAMILIES];
    struct dht_store *store; /* owns */
    struct dht_tokens tokens;
    struct dht_limiter limiter;
    struct dht_calls calls;
    struct dht_task *tasks[DHT_TASKS_MAX]; /* owns */
    uint32_t last_task;                    /* id given out last */
    struct dht_search *searches;           /* owns; a map, oldest first */
    struct {
        uint64_t next_ms;
        uint64_t expire_ms; /* the store is looked through then */
    } keep;
    struct {
        struct dht_out *first; /* owns */
        struct dht_out **last; /* where the next one is hung */
        struct dht_out *taken; /* owns; what dht_next_action gave last */
        uint32_t n_sends;
    } out;
};

/* The net of ADDR_V4 or ADDR_V6, also one that is off. */
static inline struct dht_net *dht_net_of(struct dht *d, uint8_t family)
{
    return &d->nets[family == ADDR_V6];
}

/* Whether we deal with an address that `who` named. */
static inline bool dht_accepts(struct dht *d, const struct addr *named,
                               const struct addr *who)
{
    return addr_is_dialable(named) && dht_net_of(d, named->family)->is_on &&
           dht_place_is_nameable(named, who, d->config.allow_local);
}

/* out.c: the queue of actions. */
void dht_out_init(struct dht *d);
void dht_out_fini(struct dht *d);
/* Encodes and queues a datagram; gives its length, 0 when it was dropped. */
size_t dht_out_send(struct dht *d, const struct addr *to,
                    const struct krpc_msg *msg);
/* Queues found peers; the array of `found` is copied. */
void dht_out_peers(struct dht *d, const struct dht_found *found);
void dht_out_done(struct dht *d, const struct dht_search_result *result);
void dht_out_node(struct dht *d, enum dht_action_type type,
                  const struct krpc_node *node);
void dht_out_self(struct dht *d, enum dht_action_type type,
                  const struct dht_net *net);

/* query.c: asks one node. False when too many calls are under way. */
bool dht_query_ping(struct dht *d, struct dht_net *net,
                    const struct dht_whom *to, uint64_t now_ms);
bool dht_query_lookup(struct dht *d, const struct dht_task *task,
                      const struct dht_whom *to, uint64_t now_ms);
bool dht_query_announce(struct dht *d, const struct dht_task *task,
                        const struct dht_candidate *to, uint64_t now_ms);

/* answer.c: answers one query, if the limits allow it; `rc` is what
 * krpc_decode said about it. */
void dht_answer(struct dht *d, struct dht_net *net, const struct addr *from,
                const struct krpc_msg *query, int rc, uint64_t now_ms);

/* search.c: tasks and searches. */
/* Starts a lookup of a target for the table from the nodes we have; the caller
 * may add more to task->lookup. */
struct dht_task *dht_search_start_for_table(struct dht *d, struct dht_net *net,
                                            const uint8_t target[DHT_ID_LEN],
                                            uint64_t now_ms);
/* One more address to ask, for a lookup that may be over already. */
void dht_search_add_address(struct dht *d, uint32_t task,
                            const struct addr *addr);
void dht_search_start(struct dht *d, const struct dht_event *event);
void dht_search_cancel(struct dht *d, const uint8_t info_hash[DHT_ID_LEN]);
/* What became of a call of a task. */
void dht_search_on_reply(struct dht *d, const struct dht_call *call,
                         const struct krpc_msg *msg);
void dht_search_on_slow(struct dht *d, const struct dht_call *call);
void dht_search_on_failure(struct dht *d, const struct dht_call *call);
/* Begins, continues and ends whatever can. */
void dht_search_run(struct dht *d, uint64_t now_ms);
uint64_t dht_search_deadline(const struct dht *d);
void dht_search_fini(struct dht *d);

/* keep.c: the health of the tables. */
void dht_keep_on_reply(struct dht *d, struct dht_net *net,
                       const struct krpc_node *node, uint64_t now_ms);
void dht_keep_on_timeout(struct dht *d, const struct dht_call *call);
/* Nodes that somebody named become candidates while the table is small; later
 * only who answers a lookup or asks us comes in. */
void dht_keep_on_named(struct dht *d, const struct addr *from,
                       const struct krpc_response *r);
void dht_keep_on_ip(struct dht *d, struct dht_net *net, const struct addr *from,
                    const struct addr *ip, uint64_t now_ms);
/* There are no saved nodes, or they have failed before. */
bool dht_keep_needs_hosts(const struct dht_net *net);
void dht_keep_run(struct dht *d, uint64_t now_ms);

#endif
