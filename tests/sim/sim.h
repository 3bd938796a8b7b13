/* A simulated world for struct torrent: network, disks, journals, trackers,
 * hostile peers and a clock that jumps from event to event. Everything follows
 * from one seed.
 *
 * Vocabulary: a host has an address and a bandwidth. A node is a host that runs
 * our core (one pool, some torrents); a fake is a host that plays a script. A
 * content is what a torrent is about, its true bytes included. A link is a
 * connection of two hosts; a side of it is 0 (who dialled) or 1.
 *
 * The rules that must hold at any time are checked where their events pass
 * (sim_node.c, sim_disk.c); a broken one prints the seed and aborts.
 */
#ifndef BTC_TESTS_SIM_SIM_H
#define BTC_TESTS_SIM_SIM_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/torrent/torrent.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIM_UNIX        1700000000
#define SIM_MAX_FILES   16
#define SIM_DIAL_MS     10000 /* a dial that nobody answers */
#define SIM_JOURNAL_MS  1000
#define SIM_MAX_ACTIONS 200000 /* of a torrent in one simulated second */
#define SIM_STEPS_MAX   40000000

#define SIM_CHECK(s, cond) \
    ((cond) ? (void)0 : sim_failed((s), #cond, __FILE__, __LINE__))

struct sim;
struct sim_link;
struct sim_torrent;
struct sim_node;
struct sim_fake;
struct sim_event;
typedef void sim_fn(struct sim *s, struct sim_event *e);

struct sim_event {
    uint64_t at;
    uint64_t seq; /* equal times: in the order of their making */
    sim_fn *fn;
    void *ctx;
    uint32_t id;
    int result;
    uint8_t *data; /* owns */
    size_t len;
};

struct sim_host {
    struct addr addr;
    uint64_t rate;  /* bytes/s it can send */
    uint64_t tx_us; /* its line is busy until then */
    uint32_t latency_ms;
    bool deaf; /* nobody reaches it */
    /* A connection came in; NULL: nobody listens. */
    void (*on_accept)(void *ctx, struct sim *s, struct sim_link *l);
    void *ctx;
};

struct sim_side {
    struct sim_host *host;
    bool open;
    uint64_t last_ms; /* its last bytes arrive then */
    void (*on_open)(void *ctx, struct sim *s);
    void (*on_data)(void *ctx, struct sim *s, struct slice data);
    void (*on_close)(void *ctx, struct sim *s, int result);
    void *ctx;
};

struct sim_link {
    struct sim_side side[2];
    uint32_t latency_ms;
    struct sim_link *next;
};

struct sim_content {
    struct layout geom;
    struct layout_file files[SIM_MAX_FILES];
    uint8_t *data;   /* owns; what is true */
    uint8_t *hashes; /* owns */
    uint8_t info_hash[20];
    uint8_t *info; /* owns; what magnets fetch of it, or NULL */
    size_t info_len;
    struct sim_content *next;
};

enum sim_tracker_mode {
    SIM_TRACKER_OK,
    SIM_TRACKER_REFUSES, /* failure reason */
    SIM_TRACKER_HTML,
    SIM_TRACKER_DEAD, /* error */
    SIM_TRACKER_HANGS,
    SIM_TRACKER_FLAKY /* any of these */
};

struct sim_member {
    struct addr addr;
    const struct sim_content *c;
};

struct sim_tracker {
    char url[64];
    enum sim_tracker_mode mode;
    struct sim_member *members; /* owns */
    uint32_t n_members, cap_members;
    uint32_t n_announces;
    struct sim_tracker *next;
};

struct sim {
    uint64_t seed;
    struct rng rng;
    uint64_t now_ms;
    uint64_t seq;
    struct sim_event **heap; /* owns */
    size_t n_heap, cap_heap;
    uint64_t steps;
    uint32_t n_hosts;
    uint32_t cut_one_in; /* a link is cut with a chance of 1/n per delivery */
    struct sim_link *links;
    struct sim_content *contents;
    struct sim_tracker *trackers;
    struct sim_node *nodes;
    struct sim_fake *fakes;
};

/* --- sim.c: the world --- */
struct sim *sim_new(uint64_t seed);
/* Stops what runs and checks that nothing is left of it. */
void sim_free(struct sim *s);
_Noreturn void sim_failed(const struct sim *s, const char *what,
                          const char *file, int line);
uint32_t sim_below(struct sim *s, uint32_t n); /* n > 0 */
bool sim_chance(struct sim *s, uint32_t one_in);
/* An event at `in_ms` from now. */
struct sim_event *sim_at(struct sim *s, uint64_t in_ms, sim_fn *fn, void *ctx);
void sim_run(struct sim *s, uint64_t ms);
/* The clock is so much later, and nothing has happened since: all processes
 * were stopped, and what was due comes first when they go on. */
void sim_jump(struct sim *s, uint64_t ms);
/* False when it did not come true in time. */
bool sim_run_until(struct sim *s, bool (*done)(void *ctx), void *ctx,
                   uint64_t ms);
/* Runs the body for seeds 1..n, or for the one in BTC_SIM_SEED; BTC_SIM_RUNS
 * seeds from there, for a long search; BTC_SIM_SHARE=N runs one in N of them.
 */
void sim_each_seed(uint32_t n, void (*body)(struct sim *s));

struct sim_shape {
    uint64_t total;
    uint32_t piece_length;
    uint32_t n_files; /* 0 = 1 */
    bool pads;        /* files are padded to pieces (BEP 47) */
};
struct sim_content *sim_content_new(struct sim *s, const struct sim_shape *sh);
/* Its info dictionary, as far as a core looks at it: so many bytes that have
 * the info hash. Before torrents of it are made. */
void sim_content_give_info(struct sim *s, struct sim_content *c, size_t len);
/* The block as a span of the content. */
struct slice sim_content_block(const struct sim_content *c, uint32_t piece,
                               uint32_t begin, uint32_t len);

/* --- sim_net.c --- */
void sim_host_init(struct sim *s, struct sim_host *h, uint64_t rate);
/* Side 0 is the caller's to fill (callbacks) before the next event. */
struct sim_link *sim_dial(struct sim *s, struct sim_host *from,
                          const struct addr *to);
/* When the bytes have left, in simulated time. */
uint64_t sim_send(struct sim *s, struct sim_link *l, uint32_t side,
                  struct slice data);
void sim_close(struct sim *s, struct sim_link *l, uint32_t side);

/* --- sim_tracker.c --- */
struct sim_tracker *sim_tracker_new(struct sim *s, enum sim_tracker_mode mode);
void sim_tracker_add(struct sim *s, struct sim_tracker *k, const struct addr *a,
                     const struct sim_content *c);
void sim_tracker_announce(struct sim_torrent *st, const struct action *a);

#endif
