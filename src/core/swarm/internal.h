/* The inside of a swarm, shared by its files and its tests.
 *
 * From the top down; a file calls only those below it:
 *   swarm.c      what others call
 *   messages.c   every message in
 *   learn.c      a magnet's content is known now
 *   handshake.c  both handshakes, what we say first
 *   evict.c      who makes room for whom
 *   extend.c     metadata asked for and served
 *   conns.c      dialling, the end of a connection, bans
 *   twins.c      connections of one client
 *   have.c       which pieces each peer has
 *   upload.c     serving
 *   share.c      who is served next when uploads are limited
 *   request.c    what is asked of whom, and the blocks that come
 *   trackers.c   announces; owners.c of suspect pieces, who brought what
 *   slots.c      the table of connections, who has output; totals.c rates
 *   peer.c       one connection's state
 */
#ifndef BTC_CORE_SWARM_INTERNAL_H
#define BTC_CORE_SWARM_INTERNAL_H

#include "core/swarm/choker.h"
#include "core/swarm/evict.h"
#include "core/swarm/metadata.h"
#include "core/swarm/peer.h"
#include "core/swarm/swarm.h"
#include "core/swarm/twins.h"
#include "model/block.h"

struct swarm_slots {
    struct peer **peer; /* owns; index = low 16 bits of a conn id */
    uint16_t *gen;      /* owns */
    uint32_t n;
    struct peer *by_id;  /* borrows; those that are not closed */
    struct peer *closed; /* owns; a list, freed at the end of the event */
};

struct swarm_counts {
    uint32_t max;        /* connections */
    uint32_t peers;      /* of all phases but CLOSED */
    uint32_t active;     /* handshakes done */
    uint32_t connecting; /* by us */
    uint32_t seeds;
    uint32_t askable; /* may be asked and answer; as of the last tick */
    bool is_queue;    /* others wait to be dialled; likewise */
};

struct swarm_output {
    struct peer **list; /* owns; peers with output */
    uint32_t n, cap;
    struct peer *sending; /* its `out` is lent to the last SEND */
};

/* Active peers that lack pieces: who hears of ours. */
struct swarm_lacking {
    struct peer **list; /* owns; no order */
    uint32_t n, cap;
};

struct swarm_clock {
    uint64_t now_ms; /* of the current event, as is unix_now */
    int64_t unix_now;
    uint64_t tick_ms, choke_ms; /* of the last tick and choker run */
    uint64_t heard_ms;          /* a sign of life came from the network */
};

struct swarm_rates {
    struct rate down, up;
};

struct swarm_totals {
    struct swarm_rates *rates; /* owns; NULL: nothing has moved */
    uint64_t downloaded, uploaded, wasted;
    uint64_t old_down, old_up; /* of earlier runs: no tracker hears of it */
    uint64_t last_payload_ms;
    bool had_peer;
};

/* Extensions: what is gathered while the content is not known, then served. */
struct swarm_extend {
    struct metadata *metadata; /* owns; NULL: the content is known */
    bool is_whole;             /* NOTIFY_METADATA was told */
    size_t early_len;          /* bytes that peers' `early` take */
    struct slice info; /* borrows; empty: nothing to serve; without bytes: not
                        * in memory */
    struct bucket served;  /* of `info`, while uploads are limited */
    bool info_asked;       /* ACTION_INFO was, and is not answered yet */
    bool use_pex, use_dht; /* never for a private torrent (BEP 27) */
    uint64_t pex_ms;       /* of the last round */
    uint64_t learned_ms;   /* swarm_learn; 0 = there was none */
};

/* When somebody had to make room last; 0 = never. */
struct swarm_evict {
    uint64_t slow_ms, again_ms; /* the slowest; for one that was tried before */
    bool dialled; /* the last place that a caller could have was dialled */
};

struct swarm_upload {
    struct bucket bucket; /* of this torrent */
    uint32_t jobs;        /* UPLOADs out */
    uint64_t turn;        /* of the peer that was served last */
    int64_t quota;        /* of the run's limit, 1/1000 bytes */
    uint32_t epoch;       /* in which we were counted */
};

struct swarm {
    struct swarm_shared *shared; /* borrows */
    struct actions *actions;     /* borrows */
    struct content *content;     /* borrows; NULL: not known yet */
    const uint8_t *info_hash;    /* borrows */
    enum swarm_mode mode;
    struct peerset *peerset;   /* owns */
    struct announce *announce; /* owns */
    struct choker choker;
    struct swarm_upload up;
    struct swarm_evict evict;
    uint32_t fill_from; /* slot whose turn it is to be asked first */
    struct swarm_slots slots;
    struct swarm_counts count;
    struct swarm_output output;
    struct swarm_lacking lacking;
    struct swarm_clock clock;
    struct swarm_totals total;
    struct swarm_extend extend;
};

/* --- slots.c --- */
/* NULL for a stale or unknown id. */
struct peer *slots_by_conn(struct swarm *w, uint32_t conn);
struct peer *slots_by_id(const struct swarm *w, uint32_t id);
struct peer *slots_open(struct swarm *w, uint32_t id, const struct addr *a,
                        bool incoming);
/* Out of the table; freed by slots_sweep. */
void slots_close(struct swarm *w, struct peer *p);
void slots_sweep(struct swarm *w);
void slots_output(struct swarm *w, struct peer *p); /* it has output */
/* Among those that lack pieces, or not any more. */
void slots_set_lacking(struct swarm *w, struct peer *p, bool lacks);
void slots_fini(struct swarm *w);
/* for each peer that is not closed */
#define SWARM_EACH_PEER(p, w)                                  \
    for (uint32_t each_i = 0; each_i < (w)->slots.n; each_i++) \
        if (((p) = (w)->slots.peer[each_i]) != NULL &&         \
            (p)->phase != PEER_CLOSED)

/* --- totals.c --- */
void totals_add_down(struct swarm *w, uint64_t n); /* now */
void totals_add_up(struct swarm *w, uint64_t n);
void totals_rest(struct swarm *w); /* nothing moves any more */
void totals_get(const struct swarm *w, uint64_t now_ms, uint64_t *down,
                uint64_t *up);

/* --- have.c; negative: the connection must end --- */
/* BITFIELD, HAVE_ALL, HAVE_NONE: the whole of what it has. */
int have_map(struct swarm *w, struct peer *p, const struct wire_msg *m);
/* One more piece. */
int have_piece(struct swarm *w, struct peer *p, uint32_t piece);
void have_interest(struct swarm *w, struct peer *p); /* is told, if new */
/* Any of these while nobody knows the pieces. */
int have_early(struct swarm *w, struct peer *p, const struct wire_msg *m);
void have_forget_early(struct swarm *w, struct peer *p);
/* The pieces are known: from now on those that it has count. */
int have_join(struct swarm *w, struct peer *p);

/* --- request.c --- */
void request_fill(struct swarm *w, struct peer *p);
void request_fill_all(struct swarm *w);
/* Takes all its requests back; `late` = answers may still come. */
void request_drop_all(struct swarm *w, struct peer *p, bool late);
void request_disown(struct swarm *w, struct peer *p); /* what is others' */
void request_rejected(struct swarm *w, struct peer *p,
                      const struct wire_block *wire);
void request_tick(struct swarm *w, struct peer *p, uint64_t elapsed_ms);
int request_block_begin(struct swarm *w, struct peer *p,
                        const struct wire_block *wire);
void request_block_data(struct swarm *w, struct peer *p,
                        const struct wire_payload *data);
void request_block_abandon(struct swarm *w, struct peer *p);

/* --- upload.c; negative: the connection must end --- */
int upload_request(struct swarm *w, struct peer *p, const struct wire_block *b);
int upload_cancel(struct swarm *w, struct peer *p, const struct wire_block *b);
int upload_pump(struct swarm *w, struct peer *p);
/* `p`: NULL when its connection is gone. */
int upload_done(struct swarm *w, struct peer *p, const struct event *ev);
void upload_interested(struct swarm *w, struct peer *p);
void upload_rank(struct swarm *w);
void upload_give_slots(struct swarm *w); /* that are free, or hardly used */
void upload_grant_fast(struct swarm *w, struct peer *p);

/* --- share.c --- */
#define UPLOAD_RUN 262144u /* bytes of one UPLOAD at most */
/* Ranges of files in one UPLOAD of several requests. */
#define SHARE_RUN_RANGES 256u
/* Ranges of files that a block consists of. */
uint32_t share_ranges(const struct swarm *w, const struct wire_block *b);
uint64_t share_limit(const struct swarm *w); /* bytes/s; 0 = none */
/* Bytes of one UPLOAD, if the first request of it is not longer. */
uint32_t share_run(const struct swarm *w);
/* It has asked for something, and what is under way for it is not too much. */
bool share_may_start(const struct swarm *w, const struct peer *p);
bool share_has_room(struct swarm *w);     /* the limits allow something now */
struct peer *share_next(struct swarm *w); /* whose turn it is, or NULL */
void share_take(struct swarm *w, struct peer *p, uint32_t len);
void share_tick(struct swarm *w, uint64_t elapsed_ms);

/* --- conns.c --- */
#define CONNS_CONNECTING 30 /* half-open connections at once */
void conns_dial(struct swarm *w);
bool conns_is_queue(struct swarm *w); /* others wait that were not tried yet */
bool conns_is_mute(const struct swarm *w, const struct peer *p); /* too long */
/* An accepted connection; 0: the address is banned or there are too many. */
uint32_t conns_take(struct swarm *w, const struct addr *a);
/* Takes everything back and marks it CLOSED. `tell`: the driver must close it
 * (a CLOSE action); `result`: why. */
void conns_close(struct swarm *w, struct peer *p, bool tell, int result);
void conns_ban(struct swarm *w, uint32_t id, const char *why);
/* A sign of life: whoever failed in a silence before it is tried again. */
void conns_heard(struct swarm *w);

/* --- extend.c; negative: the connection must end --- */
int extend_message(struct swarm *w, struct peer *p,
                   const struct wire_extended *x);
/* Its extension handshake came. */
int extend_offered(struct swarm *w, struct peer *p);
void extend_closed(struct swarm *w, const struct peer *p);
void extend_tick(struct swarm *w);
/* The bytes of the info dictionary came, or are not to be had now. */
void extend_answer_all(struct swarm *w);
void extend_put_port(struct swarm *w, struct peer *p); /* ours (BEP 5) */
/* PORT: it has a node of the DHT there. */
void extend_node(struct swarm *w, struct peer *p, uint16_t port);

/* --- handshake.c --- */
void handshake_put(struct swarm *w, struct peer *p);     /* ours */
void handshake_put_ext(struct swarm *w, struct peer *p); /* BEP 10, ours */
int handshake_take(struct swarm *w, struct peer *p,
                   const struct wire_handshake *h); /* the peer's */

/* --- messages.c --- */
void messages_data(struct swarm *w, struct peer *p, struct slice data);

/* --- trackers.c --- */
void trackers_pump(struct swarm *w);
void trackers_result(struct swarm *w, const struct event *ev);
void trackers_scraped(struct swarm *w, const struct event *ev);

#endif
