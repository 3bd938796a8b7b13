/* One connection's protocol state: flags, windows of requests in both
 * directions, extension ids, the block that is just arriving. Owned by its
 * torrent; sees neither picker nor disk.
 */
#ifndef BTC_CORE_SWARM_PEER_H
#define BTC_CORE_SWARM_PEER_H

#include "base/bits.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/rate.h"
#include "core/content/picker/picker.h"
#include "core/swarm/early.h"
#include "core/swarm/pex.h"
#include "proto/peer/ext.h"
#include "proto/peer/wire.h"

#define PEER_MAX_DEPTH    1024 /* requests that we have out at one peer */
#define PEER_DEF_REQQ     250  /* what a peer queues that does not say */
#define PEER_START_DEPTH  16   /* before its rate is known */
#define PEER_MIN_DEPTH    4
#define PEER_MIN_BATCH    2   /* requests out, however little memory there is */
#define PEER_MAX_BATCH    8   /* the same, of a quick one */
#define PEER_BATCH_MS     8   /* quick: blocks are so far apart */
#define PEER_OUR_REQQ     500 /* requests of a peer that we queue */
#define PEER_UPLOAD_BYTES 524288u /* of its requests, under way */
#define PEER_UPLOAD_JOBS  64      /* of them, in so many jobs */
#define PEER_OUT_MAX      (WIRE_MAX_BITFIELD + (1u << 18)) /* in one SEND */
#define PEER_KEEP_MEM     16384 /* of `in` and `out` while they are empty */
#define PEER_HANDSHAKE_MS 20000
#define PEER_KEEPALIVE_MS 100000 /* we say something at least this often */
#define PEER_IDLE_MS      180000 /* it must say something this often */
#define PEER_MAX_DROPPED  64     /* requests taken back that may still come */
#define PEER_MAX_STRIKES  64     /* blocks nobody asked for, then goodbye */
#define PEER_MAX_FAST     32     /* allowed-fast pieces kept */
#define PEER_OUR_FAST     8      /* allowed-fast pieces we grant (BEP 6: k) */
#define PEER_METADATA_MAX 4      /* pieces of metadata that wait to be read */
#define PEER_FAST_BYTES   (4u << 20) /* for a beginner; then rejected */

enum peer_phase {
    PEER_CONNECTING,
    PEER_HANDSHAKE, /* ours is sent, the peer's awaited */
    PEER_ACTIVE,
    PEER_CLOSED /* freed at the end of the event */
};

/* A late request was taken back: others may be asked and it holds no memory,
 * but it keeps its place in the window, for the peer still has it. */
struct peer_request {
    uint64_t asked_ms; /* it was asked for */
    struct picker_block b;
    bool late;
    bool passed; /* a later one was answered before it */
};

/* The block that is arriving. */
struct peer_arriving {
    struct picker_block b;
    uint8_t *mem; /* the pool's; NULL: thrown away */
    uint32_t off; /* bytes that are here */
    bool active;
    bool late;         /* others may be asked for it */
    bool asked;        /* it was in the window when it began */
    bool owed;         /* or was asked once and taken back: we wanted it */
    uint64_t ms;       /* its first byte came */
    uint64_t asked_ms; /* memory is kept for it since then */
};

/* Peer exchange in both directions (BEP 11). */
struct peer_pex {
    struct pex_out out;
    struct pex_in in;
};

/* The bytes of the connection, and messages made of them. */
struct peer_wire {
    struct wire_decoder decoder;
    struct buf in;   /* an incomplete message */
    struct buf out;  /* messages for the next SEND */
    bool out_listed; /* is in the torrent's list of peers with output */
    bool first_done; /* the message in which a bitfield may come is over */
};

/* The extension protocol (BEP 10). */
struct peer_ext {
    bool on;                                /* both speak it */
    struct ext_handshake said;              /* what it said; client "" before */
    uint32_t reqq;                          /* requests that it queues */
    struct peer_pex *pex;                   /* owns; NULL: no peer exchange */
    uint32_t metadata[PEER_METADATA_MAX];   /* pieces that it waits for */
    uint32_t n_metadata, n_served, n_ports; /* the last two: so far */
};

/* The fast extension (BEP 6), and pieces that may be had while choked. */
struct peer_fast {
    bool on;                    /* both speak it */
    uint32_t in[PEER_MAX_FAST]; /* it grants us */
    uint32_t n_in;
    uint32_t out[PEER_OUR_FAST]; /* we grant it */
    uint32_t n_out;
};

/* The pieces that it has. */
struct peer_have {
    struct bits bits;  /* no bits before the pieces are known */
    bool told;         /* a BITFIELD, HAVE_ALL or HAVE_NONE came */
    bool counted;      /* `bits` is in the picker's availability */
    uint32_t lacks_at; /* its place among those that lack pieces + 1; 0: none */
    struct early early; /* what came before the pieces were known */
};

/* What we asked of it. */
struct peer_window {
    struct peer_request *ring; /* owns; requests, `cap` of them */
    uint32_t head, n, cap;
    uint32_t n_late;    /* of them */
    uint32_t depth;     /* requests to have out */
    uint32_t batch;     /* of them, however many peers share the memory */
    uint32_t n_refused; /* REJECTs since the last good block */
    uint64_t from_ms;   /* nothing is asked for before this */
    uint64_t blink_ms;  /* of the last UNCHOKE that was answered at once */
    uint32_t most, n_answered, n_trial, trial; /* see request_ask_less */
    bool snubbed;
};

/* Requests that we took back. */
struct peer_dropped {
    struct picker_block ring[PEER_MAX_DROPPED];
    uint32_t n;         /* ever; the ring's head */
    uint32_t n_awaited; /* of those ever dropped, not answered yet */
};

/* What it asked of us. */
struct peer_uploads {
    struct wire_block *ring; /* owns; requests, `cap` of them */
    uint32_t head, n, cap;
    uint32_t inflight; /* bytes handed to the disk and the socket */
    uint32_t jobs;     /* in so many jobs */
    uint64_t turn;     /* share.c: whoever has the smallest is next */
};

/* Its turns in an upload slot. */
struct peer_slot {
    uint64_t unchoked_ms; /* its turn began; 0 = choked */
    uint64_t turn_ms;     /* the same of its last turn */
    uint64_t wait_ms;     /* it waits for a slot since; 0 = it does not */
};

/* How fast it is. */
struct peer_rates {
    struct rate down, up; /* payload */
    uint64_t tick_bytes;  /* since the last tick */
    double quick;         /* bytes/s, quick to rise; for the depth */
    uint32_t latency_ms;  /* smallest seen from request to block; 0 unknown */
    uint64_t last_ms;     /* its last block came */
    uint64_t gaps_ms;     /* behind one, to the next that was under way then */
    uint32_t n_gaps;      /* since the last tick */
};

/* When what happened last. */
struct peer_times {
    uint64_t opened_ms, active_ms; /* connect or accept; handshake done */
    uint64_t recv_ms, sent_ms, block_ms;
    uint64_t rival_ms; /* beside a caller of its id and host; 0 = never */
};

/* What we hold of it. */
struct peer_record {
    bool was_useful;   /* sent us a block of a piece that passed */
    const char *broke; /* a literal: which rule; NULL = none */
    uint32_t strikes;  /* blocks nobody asked for */
};

struct peer {
    uint32_t conn; /* id of the connection */
    uint32_t id;   /* in the peerset: also the picker's and the blame's */
    struct addr addr;
    uint8_t peer_id[20]; /* since its handshake */
    enum peer_phase phase;
    struct peer *next_closed; /* of those to be freed */
    bool incoming;
    bool has_twin; /* another one said the same peer id */

    bool am_choking, am_interested;     /* what BEP 3 calls the state of a */
    bool peer_choking, peer_interested; /* connection */

    struct peer_wire wire;
    struct peer_ext ext;
    struct peer_fast fast;
    struct peer_have have;
    struct peer_window window;
    struct peer_dropped dropped;
    struct peer_arriving rx;
    struct peer_uploads up;
    struct peer_slot slot;
    struct peer_rates rate;
    struct peer_times time;
    struct peer_record record;
    UT_hash_handle hh; /* by id; the closed have no place there */
};

struct peer *peer_new(uint32_t conn, uint32_t id, const struct addr *a,
                      bool incoming, uint64_t now_ms);
/* All requests must have been taken back (peer_req_pop) and rx_mem given. */
void peer_free(struct peer *p);
uint64_t peer_payload_rate(const struct peer *p, uint64_t now_ms); /* both */
/* No peer exchange with it from now on. */
void peer_end_pex(struct peer *p);

/* Our requests that are out, oldest first. */
struct peer_request *peer_req_at(struct peer *p, uint32_t i);
void peer_req_push(struct peer *p, struct picker_block b, uint64_t now_ms);
/* Index of the block or window.n. */
uint32_t peer_req_find(struct peer *p, struct picker_block b);
void peer_req_remove(struct peer *p, uint32_t i);
/* It is asked and will not be asked for it again: the block stands in its
 * window or is arriving. */
bool peer_req_has(struct peer *p, struct picker_block b);
/* It has not answered in time, as far as we know now. */
bool peer_is_late(const struct peer *p);
/* Remembers a request taken back, whose answer may still come. */
void peer_dropped_add(struct peer *p, struct picker_block b);
bool peer_dropped_take(struct peer *p, struct picker_block b);

/* The peer's requests, oldest first. False when the queue is full. */
bool peer_up_push(struct peer *p, const struct wire_block *b);
struct wire_block *peer_up_at(const struct peer *p, uint32_t i);
void peer_up_remove(struct peer *p, uint32_t i);

/* Messages into `out`; BTC_E_LIMIT when the peer does not take them. */
int peer_put(struct peer *p, const uint8_t *bytes, size_t len);
int peer_put_simple(struct peer *p, enum wire_type type);
int peer_put_piece_idx(struct peer *p, enum wire_type type, uint32_t piece);
int peer_put_block(struct peer *p, enum wire_type type,
                   const struct wire_block *b);

/* It has every piece (and there are some). */
bool peer_is_seed(const struct peer *p);
bool peer_has_fast_in(const struct peer *p, uint32_t piece);
bool peer_has_fast_out(const struct peer *p, uint32_t piece);

/* Once per tick, before the depth; `tight`: memory waits for slow peers. */
void peer_update_batch(struct peer *p, bool tight);
/* Once per tick: the quick rate and the depth that follows from it, in blocks
 * of block_len bytes (less than usual where pieces are tiny). `share` bounds
 * the depth: this peer's part of the memory. */
void peer_update_depth(struct peer *p, uint64_t elapsed_ms, uint32_t block_len,
                       uint32_t share);

#endif
