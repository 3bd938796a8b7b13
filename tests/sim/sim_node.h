/* Our core in the simulated world: nodes, their torrents, disks and journals.
 */
#ifndef BTC_TESTS_SIM_SIM_NODE_H
#define BTC_TESTS_SIM_SIM_NODE_H

#include "sim/sim.h"

struct sim_platter;
struct sim_ledger;

struct sim_disk {
    struct sim *s;
    const struct sim_content *c;
    uint8_t *data;        /* owns */
    struct bits *written; /* owns; per piece, its blocks */
    uint32_t delay_ms;    /* at most, per job */
    uint32_t fail_in;     /* the n-th write from now fails; 0 = none */
    uint32_t fail_for;    /* and so many after it */
    int fail_result;
    int read_result;        /* of reads, when not 0 ... */
    uint32_t read_fails;    /* ... for so many of them */
    uint32_t spoils_one_in; /* a block written ahead is changed; 0 = none */
    bool lossy;             /* a fault took data away: claims may be wrong */
    uint32_t n_writes;
    struct sim_platter *platter; /* borrows; NULL: all is durable at once */
};

struct sim_journal {
    struct bits piece;
    struct bits *block; /* owns; per piece */
};

/* One connection of a torrent of ours. */
struct sim_conn {
    struct sim_torrent *st;
    uint32_t id; /* 0: not routed yet */
    struct sim_link *link;
    uint32_t side;
    bool gone; /* the torrent knows */
    struct wire_decoder sent;
    uint8_t hello[WIRE_HANDSHAKE_LEN];
    size_t n_hello;
    struct sim_conn *next;
};

struct sim_torrent {
    struct sim_node *node;
    struct sim_content *c;
    struct torrent *t;
    struct sim_disk disk;
    struct sim_journal journal;
    struct sim_conn **conns; /* owns; by slot */
    uint32_t n_conns;
    uint8_t *job;      /* owns; per piece: a job is out */
    uint64_t timer_ms; /* armed */
    uint32_t epoch;    /* of the process */
    uint32_t learn_ms; /* a magnet's: the startup beside its core, at most */
    bool dying;        /* the power is gone: nothing has an effect any more */
    bool draining;
    bool started;
    bool told_complete;
    int error;
    uint32_t n_failed; /* pieces that failed their hash */
    uint64_t second;   /* of n_actions */
    uint32_t n_actions, max_actions;
    uint64_t n_requests, n_sends, n_dials;
    uint64_t first_request_ms, complete_ms;
    uint64_t served;
    struct sim_tracker *tracker; /* the first one */
    struct torrent_config config;
    struct sim_ledger *ledger; /* borrows: who keeps its journal, or NULL */
    struct sim_torrent *next;
};

struct sim_node {
    struct sim *s;
    struct sim_host host;
    struct pool pool;
    struct torrent_shared shared;
    struct sim_torrent *torrents;
    struct sim_conn *all; /* owns */
    struct sim_node *next;
};

/* --- sim_disk.c --- */
void sim_disk_init(struct sim_disk *d, struct sim *s, struct sim_content *c);
void sim_disk_fini(struct sim_disk *d);
void sim_disk_fill(struct sim_disk *d); /* a seed's */
/* Takes the bytes of a block away: reads are too short there. */
void sim_disk_lose(struct sim_disk *d, uint32_t piece, uint32_t block);
void sim_disk_spoil(struct sim_disk *d, uint32_t piece); /* other bytes */
void sim_disk_action(struct sim_torrent *st, const struct action *a);
/* The power is gone: what is under way gets an answer at once. */
void sim_disk_abort(struct sim_torrent *st);
void sim_journal_init(struct sim_journal *j, const struct sim_content *c);
void sim_journal_fini(struct sim_journal *j, const struct sim_content *c);
void sim_journal_fact(struct sim_torrent *st, const struct action *a);
/* Everything that is claimed is on the disk. */
void sim_journal_check(struct sim_torrent *st);

/* --- sim_node.c: our core --- */
struct sim_node *sim_node_new(struct sim *s, uint64_t rate,
                              uint64_t pool_bytes);
/* Not started; `seed`: has everything. Tracker NULL: none. */
struct sim_torrent *sim_torrent_new(struct sim_node *n, struct sim_content *c,
                                    struct sim_tracker *k, bool seed);
/* Of a content with info: knows nothing of it until peers have told, and goes
 * on with it some time later. */
struct sim_torrent *sim_magnet_new(struct sim_node *n, struct sim_content *c,
                                   struct sim_tracker *k);
void sim_start(struct sim_torrent *st);
void sim_stop(struct sim_torrent *st);
void sim_input(struct sim_torrent *st, const struct event *ev);
void sim_drain(struct sim_torrent *st);
/* Something was set from outside: the deadline is looked at again. */
void sim_wake(struct sim_torrent *st);
/* The process dies; a new one starts from disk and journal. */
void sim_power_cut(struct sim_torrent *st);
/* No job is out; the core goes, the rest stays. */
void sim_torrent_close(struct sim_torrent *st);
void sim_restart(struct sim_torrent *st); /* after STOP was carried out */
void sim_add_peer(struct sim_torrent *st, const struct sim_host *h);
void sim_torrent_check(struct sim_torrent *st);
/* NULL while a magnet does not know its content. */
const struct picker *sim_picker(const struct sim_torrent *st);
bool sim_is_complete(void *st); /* for sim_run_until */
bool sim_is_stopped(void *st);
bool sim_all_complete(void *s); /* every torrent of every node */
bool sim_is_banned(struct sim_torrent *st, const struct sim_host *h);
void sim_node_free(struct sim_node *n);

/* --- sim_look.c --- */
/* Memory is reserved for what is asked, and for nothing else. */
void sim_node_check_books(struct sim_node *n);
void sim_torrent_dump(const struct sim_torrent *st, FILE *f);
/* Of one file; all others keep theirs. */
void sim_set_priority(struct sim_torrent *st, uint32_t file, uint8_t prio);

#endif
