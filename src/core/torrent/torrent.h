/* One torrent: content (the bytes) and swarm (the peers), tied together.
 *
 * Pure: events and a clock value in, actions out. Use: torrent_new, then what
 * the journal knows (torrent_restore_*), then EVENT_START. After every
 * torrent_input, torrent_next_action until it gives false; then arm a timer for
 * torrent_deadline and send EVENT_TICK.
 *
 * Read torrent.c first (lifecycle, events, what content tells swarm), then
 * core/content/content.h and core/swarm/swarm.h; facts.c is what the torrent is
 * told beside events and what it tells when asked.
 */
#ifndef BTC_CORE_TORRENT_TORRENT_H
#define BTC_CORE_TORRENT_TORRENT_H

#include "core/action/action.h"
#include "core/content/content.h"
#include "core/swarm/swarm.h"

#define TORRENT_TICK_MS SWARM_TICK_MS

enum torrent_state {
    TORRENT_STOPPED,     /* before START, after STOP has wound down */
    TORRENT_CHECKING,    /* nothing trusted yet to go on from */
    TORRENT_DOWNLOADING, /* also while a check runs beside it */
    TORRENT_SEEDING,     /* all wanted is here */
    TORRENT_STOPPING,
    TORRENT_FAILED,   /* the disk: waits to be stopped */
    TORRENT_METADATA, /* what the content is, has to come from peers */
    TORRENT_LEARNED   /* it is known; START begins with it */
};

/* What all torrents of a run share; owned by the engine. */
struct torrent_shared {
    struct content_shared content;
    struct swarm_shared swarm;
};

struct torrent_config {
    struct torrent_shared *shared; /* borrowed */
    const struct layout *geom;     /* borrowed, lives longer; NULL: not known */
    struct slice info; /* borrowed; the info dictionary, served to others;
                        * without bytes when it is not in memory */
    const uint8_t *info_hash; /* 20 bytes, borrowed */
    uint32_t max_peers;       /* 0 = default */
    bool sequential;
    bool is_private; /* BEP 27: no PEX, no DHT */
    bool no_pex;
    uint64_t up_limit;                     /* bytes/s, 0 = none */
    uint64_t downloaded, uploaded, wasted; /* of earlier runs */
};

struct torrent;

struct torrent *torrent_new(const struct torrent_config *c, uint64_t now_ms);
/* What the content is, of a torrent that asks peers for it (TORRENT_METADATA):
 * `c` as torrent_new would take it, its geom and info set. Then what the
 * journal says, then EVENT_START once more. Connections, peers and trackers
 * stay as they are all the while. */
void torrent_learn(struct torrent *t, const struct torrent_config *c);
/* No job may be out (torrent_is_quiet). NULL allowed. */
void torrent_free(struct torrent *t);

/* --- before START: what the journal says --- */
void torrent_restore_piece(struct torrent *t, uint32_t piece);
void torrent_restore_block(struct torrent *t, uint32_t piece, uint32_t block);
/* Data of unknown worth: to be hashed; kept if good. `claimed`: the journal has
 * it as verified, so its loss is a fact. Allowed while running, too. */
void torrent_check_piece(struct torrent *t, uint32_t piece, bool claimed);
/* Of a torrent whose content is not known: a piece of its info dictionary. */
void torrent_restore_metadata(struct torrent *t, uint32_t size, uint32_t piece,
                              struct slice data);
int torrent_add_tracker(struct torrent *t, const char *url, uint32_t tier);
void torrent_restore_tracker(struct torrent *t, uint32_t tracker,
                             const struct announce_past *past,
                             int64_t unix_now);
/* At any time. */
void torrent_add_peer(struct torrent *t, const struct addr *a,
                      enum peer_source source, const struct peerset_entry *old);
/* Of all files at once; those of pads count for nothing. A piece may hold a
 * part of each file, so one by one would cost the square of their number. */
void torrent_set_priorities(struct torrent *t, const uint8_t *prio);
void torrent_set_sequential(struct torrent *t, bool on);
void torrent_set_limits(struct torrent *t, uint64_t up_limit,
                        uint32_t max_peers, uint64_t now_ms);
/* Only hash what is to be checked; no peers, no trackers. */
void torrent_set_check_only(struct torrent *t);
/* Pieces are to be hashed and none is, for want of a job: EVENT_TICK when
 * hash_busy falls. */
bool torrent_waits_to_hash(const struct torrent *t);
/* By a user's wish. */
void torrent_announce_now(struct torrent *t, uint64_t now_ms);

/* --- events and actions --- */
void torrent_input(struct torrent *t, const struct event *ev, uint64_t now_ms,
                   int64_t unix_now);
bool torrent_next_action(struct torrent *t, struct action *out);
uint64_t torrent_deadline(const struct torrent *t); /* UINT64_MAX = none */
/* An id for an accepted connection; 0 when there is no room or the address is
 * banned (close it). It needs the time of its own, for the last input may be
 * long ago. */
uint32_t torrent_new_conn(struct torrent *t, const struct addr *a,
                          uint64_t now_ms);
/* Everything received goes towards the disk now: WRITE actions for the blocks
 * of incomplete pieces (the journal's tick). */
void torrent_flush(struct torrent *t);

/* --- the info dictionary, once the content is known --- */
/* Answers ACTION_INFO; see swarm_give_info. Nothing before it is known. */
void torrent_give_info(struct torrent *t, struct slice info);

/* --- the info dictionary, while the content is not known --- */
struct torrent_metadata {
    uint32_t size; /* bytes; 0 = not known */
    uint32_t n_pieces, n_have;
};
void torrent_get_metadata(const struct torrent *t,
                          struct torrent_metadata *out);
/* A piece that is there. After NOTIFY_METADATA: all of it. */
struct slice torrent_metadata_piece(const struct torrent *t, uint32_t piece);
struct slice torrent_metadata_info(const struct torrent *t);

/* --- facts --- */
enum torrent_state torrent_state(const struct torrent *t);
/* When payload last moved either way; 0 = not in this run. */
uint64_t torrent_last_payload_ms(const struct torrent *t);
bool torrent_is_quiet(const struct torrent *t); /* no disk job is out */
bool torrent_is_stopped(
    const struct torrent *t); /* STOP has been carried out */
bool torrent_is_complete(
    const struct torrent *t); /* nothing wanted is missing */
const struct picker *torrent_picker(const struct torrent *t);
struct peerset *torrent_peerset(struct torrent *t);
const struct announce *torrent_announce(const struct torrent *t);

struct torrent_stats {
    uint64_t bytes_done;  /* verified, of wanted files, without pads */
    uint64_t bytes_total; /* wanted files, without pads */
    uint32_t pieces_done; /* verified, all */
    uint32_t pieces_checking;
    uint32_t checked_to; /* every piece before this has its verdict; n_pieces
                          * when nothing is left to check */
    uint64_t down_rate, up_rate;           /* payload */
    uint64_t downloaded, uploaded, wasted; /* payload, all runs */
    uint32_t peers, seeds, connecting;
    uint64_t last_payload_ms; /* 0 = none in this run */
    bool had_peer;            /* a handshake was done in this run */
};
void torrent_get_stats(const struct torrent *t, uint64_t now_ms,
                       struct torrent_stats *out);
uint64_t torrent_file_done(const struct torrent *t, uint32_t file);
/* Some byte of the file is wanted or shares a piece with a wanted one. */
bool torrent_file_needed(const struct torrent *t, uint32_t file);

/* One connected peer, for the peer view; false when not connected. */
bool torrent_peer_info(const struct torrent *t, uint32_t peerset_id,
                       uint64_t now_ms, struct swarm_peer_info *out);

#endif
