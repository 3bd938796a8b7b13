/* The inside of a peerset, shared by its files; nobody else includes this.
 *
 * From the top down; a file calls only those below it:
 *   peerset.c  entries, incoming connections, bans
 *   admit.c    who gets a place and who loses one
 *   dial.c     who is dialled when
 *   table.c    the hash tables
 */
#ifndef BTC_CORE_SWARM_PEERSET_INTERNAL_H
#define BTC_CORE_SWARM_PEERSET_INTERNAL_H

#include "core/swarm/peerset/peerset.h"

#include "base/map.h"

#define PEERSET_MAX_BANS     4096 /* the oldest is forgotten beyond */
#define PEERSET_NETWORK_BANS 3    /* of addresses of one /64, then all of it */
#define PEERSET_MAX_SELF     32   /* own addresses; the oldest is forgotten */
#define PEERSET_AHEAD        8    /* candidates that one walk finds */
#define PEERSET_FIRST        8 /* places at first; doubled up to PEERSET_MAX */
#define PEERSET_SOURCES      (PEER_SOURCE_LSD + 1)

struct peerset_node {
    struct peerset_entry e; /* first: an entry is its node */
    uint32_t at;            /* in peerset.nodes */
    uint32_t useless;       /* connections in a row that brought nothing */
    uint32_t doubts;        /* failures that may be our own network's */
    uint64_t forgiven_ms;   /* a tracker listed it again; 0 = never */
    uint32_t twin;          /* waits because this one is connected, or NONE */
    uint32_t priority;      /* canonical (BEP 40); 0 = not known */
    uint32_t lot;           /* among equals; of the last look at it */
    bool is_guess;          /* connected from e.addr's IP, maybe not e's peer */
    struct peerset_id *ids; /* owns; a list of all ids that lead here */
    UT_hash_handle hh;      /* by e.addr; only connectable ones */
};

struct peerset_id {
    uint32_t id;
    struct peerset_node *node; /* borrows */
    struct peerset_id *next;   /* of the same node */
    UT_hash_handle hh;         /* by id */
};

struct peerset_bannee {
    struct addr ip;    /* port 0 */
    UT_hash_handle hh; /* by ip; the table keeps the order of time */
};

/* When the next candidate may be dialled. */
struct peerset_due {
    bool known;
    uint64_t at_ms; /* not after the true time; UINT64_MAX = never */
};

/* The best candidates that are due, in order, as of one walk over the set. */
struct peerset_ahead {
    uint16_t places[PEERSET_AHEAD]; /* in peerset.nodes */
    uint8_t at, n;                  /* places[at .. n-1] are left */
    bool known;                     /* nothing has changed since the walk */
    bool seeding;                   /* the question that they answer */
    uint64_t until_ms;              /* then others are due, too */
};

/* Addresses that answered with our own peer id; a ring. */
struct peerset_self {
    struct addr *at; /* owns; PEERSET_MAX_SELF, NULL until there is one */
    uint32_t n;      /* ever put into the ring */
};

struct peerset {
    struct rng *rng; /* borrows */
    uint64_t key[2]; /* of the hashes, so that nobody can choose collisions */
    struct peerset_node **nodes; /* owns; no order; PEERSET_MAX at most */
    uint32_t n, cap;
    uint32_t of_source[PEERSET_SOURCES]; /* entries by source */
    uint16_t *hosts; /* owns; `cap` counts of entries by the hash of the host:
                      * no host has more than its count says */
    uint32_t next_id;
    uint32_t n_doubts; /* dials since the last sign of life that failed */
    struct peerset_due due[2];     /* by `seeding` */
    struct peerset_ahead ahead[2]; /* of all; of those that are untried */
    bool turn; /* the next dial goes to one that is untried, if there is one */
    bool has_twins; /* somebody may wait for another entry's end */
    struct peerset_node *by_addr;   /* borrows */
    struct peerset_id *by_id;       /* borrows; the nodes own them */
    struct peerset_bannee *bannees; /* owns */
    struct peerset_self self;
    struct addr own4, own6; /* as others see us, or NONE */
    uint64_t n_looked;      /* at entries, in walks over the set; for tests */
};

/* Puts a node into the place that it was admitted to. */
void peerset_insert(struct peerset *ps, struct peerset_node *node);
void peerset_set_source(struct peerset *ps, struct peerset_node *node,
                        enum peer_source source);
/* Takes a node out and frees it; its ids lead nowhere then. */
void peerset_remove(struct peerset *ps, struct peerset_node *node);
/* A place for one more address of this source; false: there is none for it. */
bool peerset_admit(struct peerset *ps, const struct addr *a,
                   enum peer_source source);

/* Of the host alone, as addr_eq_host tells hosts apart. */
unsigned peerset_hash_host(const struct peerset *ps, const struct addr *a);
/* The address as a key with another port: what is not its value is zero. */
struct addr peerset_key(const struct addr *a, uint16_t port);
/* The connectable node of an address, or NULL. */
struct peerset_node *peerset_by_addr(const struct peerset *ps,
                                     const struct addr *a);
/* A connectable node is in the table of addresses. */
void peerset_link_addr(struct peerset *ps, struct peerset_node *node);
void peerset_unlink_addr(struct peerset *ps, struct peerset_node *node);
/* The node that an id leads to, or NULL. */
struct peerset_node *peerset_by_id(const struct peerset *ps, uint32_t id);
void peerset_link_id(struct peerset *ps, struct peerset_node *node,
                     struct peerset_id *i);
/* Takes out one of the node's ids, which the caller owns then; NULL when none
 * is left. */
struct peerset_id *peerset_unlink_id(struct peerset *ps,
                                     struct peerset_node *node);
/* The ban of an address' IP, or NULL. */
struct peerset_bannee *peerset_bannee_find(const struct peerset *ps,
                                           const struct addr *a);
void peerset_bannee_add(struct peerset *ps, const struct addr *a);
void peerset_bannee_remove(struct peerset *ps, struct peerset_bannee *b);
uint32_t peerset_n_bannees(const struct peerset *ps);

/* Somebody may be due sooner than before or before others, or is gone: an entry
 * is new, idle again, dialable, worth more, not banned any more, or removed. */
void peerset_changed(struct peerset *ps);
/* Failures of both kinds: no connection, and nothing useful of it. */
static inline uint32_t peerset_failures(const struct peerset_node *node)
{
    uint64_t n = (uint64_t)node->e.failures + node->useless;

    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

#endif
