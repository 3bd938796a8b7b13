/* The peers and trackers of a torrent: who is dialled and let in, what is asked
 * of whom and served to whom, and whom we tell what we have.
 *
 * A swarm uses content (what is here, what is needed) and is never called by
 * it. It can be there before the content is: then connections are made, held
 * and shaken hands with, metadata is asked for, and what peers say of their
 * pieces is remembered, until swarm_learn tells what the content is.
 *
 * The owner gives the time of each event with swarm_set_time before it passes
 * the event on; no call uses an older time than the last one given.
 *
 * Invariants:
 * - Every request in a peer's window that is not late has one reservation in
 * the pool; a block that is arriving has one buffer of it.
 * - Peers are marked PEER_CLOSED while an event is worked on and freed by
 *   swarm_settle at its end, so no handler sees a peer vanish.
 */
#ifndef BTC_CORE_SWARM_SWARM_H
#define BTC_CORE_SWARM_SWARM_H

#include "base/rate.h"
#include "base/vote.h"
#include "core/action/actions.h"
#include "core/content/content.h"
#include "core/swarm/announce/announce.h"
#include "core/swarm/idlers.h"
#include "core/swarm/peerset/peerset.h"

#define SWARM_DEF_PEERS 80 /* connections, unless set */
#define SWARM_MAX_PEERS 4000
#define SWARM_TICK_MS   250 /* while connections are there */

/* Torrents that want more of the run's upload limit than there is. */
struct swarm_share {
    uint64_t epoch_ms; /* the count began */
    uint32_t epoch;
    uint32_t n_counted; /* in this epoch so far */
    uint32_t n_waiting; /* in the last one, or in this one when that is more */
};

/* What all swarms of a run share; owned by the engine. */
struct swarm_shared {
    struct rng *rng;   /* borrows */
    struct pool *pool; /* borrows; the same as content's */
    struct bucket up;  /* all uploads */
    struct swarm_share share;
    uint8_t peer_id[20]; /* BEP 20 */
    uint32_t key;        /* for trackers */
    uint16_t port;       /* where we listen, 0 = nowhere */
    bool has_dht;        /* we have a node: others may name theirs */
    uint16_t dht_port;   /* of our node, told by PORT; 0: it answers nobody */
    bool allow_local;    /* PEX may name local addresses */
    const char *client;  /* "btc 0.1.0", for the extension handshake */
    struct vote own4, own6; /* where peers see us (BEP 10, `yourip`) */
    struct idlers idlers;   /* zeroed at first */
};

/* What the swarm is for; the torrent's state, as far as peers matter. */
enum swarm_mode {
    SWARM_OFF,         /* nobody is dialled or let in */
    SWARM_BROKEN,      /* the disk failed: who is there is served */
    SWARM_CHECKING,    /* nothing is known to be here yet */
    SWARM_DOWNLOADING, /* something wanted is missing */
    SWARM_SEEDING      /* all wanted is here */
};

struct swarm_config {
    struct swarm_shared *shared; /* borrows */
    struct actions *actions;     /* borrows */
    struct content *content;     /* borrows; NULL: not known yet */
    const uint8_t *info_hash;    /* borrows; 20 bytes */
    struct slice info;  /* borrows; the info dictionary, empty: not known;
                         * without bytes: see swarm_give_info */
    bool use_pex;       /* peer exchange; never for a private torrent */
    bool use_dht;       /* PORT messages; likewise */
    uint32_t max_peers; /* 0 = default */
    uint64_t up_limit;  /* bytes/s, 0 = none */
    uint64_t downloaded, uploaded, wasted; /* of earlier runs */
};

struct swarm; /* opaque */
struct metadata;

struct swarm *swarm_new(const struct swarm_config *c, uint64_t now_ms);
/* No upload may be out (swarm_is_quiet). NULL allowed. */
void swarm_free(struct swarm *w);

void swarm_set_time(struct swarm *w, uint64_t now_ms, int64_t unix_now);
void swarm_set_mode(struct swarm *w, enum swarm_mode mode);
void swarm_set_limits(struct swarm *w, uint64_t up_limit, uint32_t max_peers,
                      uint64_t now_ms);

/* --- lifecycle --- */
void swarm_start(struct swarm *w);
/* All connections end, `stopped` goes to the trackers. */
void swarm_stop(struct swarm *w);
/* The trackers have answered to `stopped`. */
bool swarm_is_idle(const struct swarm *w);
bool swarm_is_quiet(const struct swarm *w); /* no upload is out */
/* A magnet's content is known: the swarm goes on with it, and with the
 * connections that it has. `content` and `info` as in swarm_config. */
void swarm_learn(struct swarm *w, struct content *content, struct slice info);
/* The info dictionary, after ACTION_INFO or at any time: borrowed, of the
 * length that was told. Without bytes it is not in memory (any more): who waits
 * for it is refused, who asks later makes an ACTION_INFO. */
void swarm_give_info(struct swarm *w, struct slice info);
/* The torrent turns out to be private (BEP 27): no peer exchange, no DHT, and
 * nobody who came of these. */
void swarm_set_private(struct swarm *w);
/* Once per SWARM_TICK_MS at most: rates, time-outs, the choker. */
void swarm_tick(struct swarm *w);
/* Frees what was closed since the last call. */
void swarm_settle(struct swarm *w);
/* Dials while there is room. */
void swarm_dial(struct swarm *w);
/* Announces that are due. */
void swarm_announce(struct swarm *w);
/* By a user's wish. */
void swarm_announce_now(struct swarm *w, uint64_t now_ms);
/* Everything wanted is here; `whole`: fetched in this run, nothing left out. */
void swarm_completed(struct swarm *w, bool whole);
/* When something is due; UINT64_MAX = never. */
uint64_t swarm_deadline(const struct swarm *w, bool may_announce);

/* --- events --- */
/* An id for an accepted connection; 0: no room, or the address is banned. */
uint32_t swarm_new_conn(struct swarm *w, const struct addr *a, uint64_t now_ms);
void swarm_connected(struct swarm *w, uint32_t conn);
void swarm_accepted(struct swarm *w, uint32_t conn,
                    const struct wire_handshake *h);
void swarm_data(struct swarm *w, uint32_t conn, struct slice data);
void swarm_closed(struct swarm *w, uint32_t conn, int result);
void swarm_uploaded(struct swarm *w, const struct event *ev);
void swarm_announced(struct swarm *w, const struct event *ev);
void swarm_scraped(struct swarm *w, const struct event *ev);
/* A record of an earlier run keeps its worth: quality, failures, bans. */
void swarm_add_peer(struct swarm *w, const struct addr *a,
                    enum peer_source source, const struct peerset_entry *old);
int swarm_add_tracker(struct swarm *w, const char *url, uint32_t tier);

/* --- outcomes of content --- */
void swarm_piece_verified(struct swarm *w, uint32_t piece); /* HAVE to all */
void swarm_wants_changed(struct swarm *w); /* other pieces are wanted now */
/* It had a part in a piece that passed its hash. */
void swarm_good(struct swarm *w, uint32_t peer);
void swarm_suspect(struct swarm *w, uint32_t peer);
void swarm_stalled(struct swarm *w, uint32_t peer);
void swarm_ban(struct swarm *w, uint32_t peer, const char *why);
void swarm_fill(struct swarm *w); /* everybody is asked for what is free */
/* Nothing is asked for any more. */
void swarm_drop_requests(struct swarm *w);

/* --- messages out, before the actions --- */
/* The next SEND; what it lends is the peer's until swarm_take_back. */
bool swarm_next_send(struct swarm *w, struct action *out);
void swarm_take_back(struct swarm *w);

/* --- facts --- */
struct swarm_stats {
    uint64_t down_rate, up_rate;           /* payload */
    uint64_t downloaded, uploaded, wasted; /* payload, all runs */
    uint32_t peers, seeds, connecting;
    uint64_t last_payload_ms; /* 0 = none in this run */
    bool had_peer;            /* a handshake was done in this run */
};
void swarm_get_stats(const struct swarm *w, uint64_t now_ms,
                     struct swarm_stats *out);
/* The same without the rest. */
uint64_t swarm_last_payload_ms(const struct swarm *w);
struct peerset *swarm_peerset(struct swarm *w);
struct announce *swarm_trackers(struct swarm *w);
/* What there is of the info dictionary; NULL: the content is known. */
struct metadata *swarm_metadata(struct swarm *w);

/* One connected peer, for the peer view; false when not connected. */
struct swarm_peer_info {
    const char *client;
    bool choking, interested; /* the peer's side: it chokes us, it wants us */
    bool am_choking, am_interested;
    bool incoming, is_seed;
    uint64_t down_rate, up_rate;
};
bool swarm_peer_info(const struct swarm *w, uint32_t peer, uint64_t now_ms,
                     struct swarm_peer_info *out);

#endif
