/* One iterative lookup: the nodes nearest to a target, found by asking ever
 * nearer ones (BEP 5).
 *
 * Candidates stand in a list sorted by distance, at most
 * DHT_LOOKUP_CANDIDATES; who failed falls out first, then the farthest. The
 * goal is the DHT_LOOKUP_GOAL nearest candidates that have not failed: the
 * lookup is done when all of them have answered. Who lies gains nothing:
 * - a candidate counts only once it has answered from its address with its id;
 * - one place (an IPv4 address, an IPv6 /64) has one answer in the goal and is
 *   asked at most DHT_LOOKUP_PLACE_TRIES times;
 * - ids that do not fit their address (BEP 42) fill at most
 *   DHT_LOOKUP_UNFIT places of the goal;
 * - whoever named DHT_LOOKUP_MAX_BLAME candidates that failed, and not half as
 *   many that answered, loses all others it has named.
 * - of whoever named none that answered, DHT_LOOKUP_UNPROVEN are asked at a
 *   time, and others go on beside them.
 * Times and messages are the caller's: see dht.h for the whole.
 */
#ifndef BTC_CORE_DHT_LOOKUP_H
#define BTC_CORE_DHT_LOOKUP_H

#include "core/dht/node_id.h"

#define DHT_LOOKUP_GOAL        8  /* K */
#define DHT_LOOKUP_ALPHA       4  /* queries under way, slow ones aside */
#define DHT_LOOKUP_SLOW_MAX    12 /* slow ones under way beside them */
#define DHT_LOOKUP_CANDIDATES  64
#define DHT_LOOKUP_MAX_QUERIES 200 /* then it is done, whatever it found */
#define DHT_LOOKUP_PLACE_TRIES 2
#define DHT_LOOKUP_UNFIT       4
#define DHT_LOOKUP_MAX_BLAME   3
#define DHT_LOOKUP_UNPROVEN    2

enum dht_candidate_state {
    DHT_CANDIDATE_FRESH,    /* not asked */
    DHT_CANDIDATE_ASKED,    /* asked, no answer yet */
    DHT_CANDIDATE_SLOW,     /* the same, for so long that others go on */
    DHT_CANDIDATE_ANSWERED, /* it is who it says it is */
    DHT_CANDIDATE_FAILED    /* no answer, an error, another id, or blamed */
};

struct dht_candidate {
    struct krpc_node node;
    enum dht_candidate_state state;
    bool has_id;     /* false for a bootstrap address: asked first */
    bool fits;       /* BEP 42 */
    uint8_t steps;   /* 0 = from our table, else one more than who named it */
    uint8_t n_token; /* bytes; 0 = none */
    uint16_t namer;  /* index into namers of who named it; 0 = our own table */
    uint64_t place;
    uint8_t token[KRPC_TOKEN_MAX];
};

/* What became of those whom one node has named. */
struct dht_namer {
    uint8_t open;   /* asked, no answer yet */
    uint8_t blame;  /* failed */
    uint8_t credit; /* answered */
};

struct dht_lookup {
    uint8_t target[DHT_ID_LEN];
    uint16_t n;         /* candidates */
    uint16_t n_queries; /* asked so far */
    uint16_t n_answers; /* so many namers are in use, from 1 on */
    uint8_t steps;      /* of the farthest step that answered */
    struct dht_namer namers[DHT_LOOKUP_MAX_QUERIES + 1];
    struct dht_candidate list[DHT_LOOKUP_CANDIDATES]; /* nearest first */
};

/* What a node said about our query. */
struct dht_reply {
    struct addr from;
    const uint8_t *id;             /* borrows */
    const struct krpc_node *nodes; /* borrows */
    size_t n_nodes;
    struct slice token;
};

void dht_lookup_init(struct dht_lookup *l, const uint8_t target[DHT_ID_LEN]);
/* A start: a node that we know, or an address whose id we do not. */
void dht_lookup_add(struct dht_lookup *l, const struct krpc_node *node);
void dht_lookup_add_address(struct dht_lookup *l, const struct addr *addr);
/* The next node to ask, marked as asked; false when there is none now. */
bool dht_lookup_next(struct dht_lookup *l, struct dht_whom *out);
/* Gives the steps that led to who answered, or -1 when nobody was asked at that
 * address or it has another id than it was named with: then what it says does
 * not count. */
int dht_lookup_on_reply(struct dht_lookup *l, const struct dht_reply *r);
void dht_lookup_on_slow(struct dht_lookup *l, const struct addr *addr);
void dht_lookup_on_failure(struct dht_lookup *l, const struct addr *addr);
/* Nothing is to be asked and nothing that matters is under way. */
bool dht_lookup_is_done(const struct dht_lookup *l);
/* The goal: the nearest that answered; at most DHT_LOOKUP_GOAL plus
 * DHT_LOOKUP_UNFIT. Borrowed until the next change. */
size_t dht_lookup_goal(const struct dht_lookup *l,
                       const struct dht_candidate *out[]);
#define DHT_LOOKUP_GOAL_MAX (DHT_LOOKUP_GOAL + DHT_LOOKUP_UNFIT)

#endif
