/* The inside of a torrent, shared by the torrent_*.c files and nobody else.
 *
 * Invariants:
 * - Every request in a peer's window has one reservation in the pool; a block
 *   that is arriving (rx_mem) or kept (open_piece.mem) has one buffer of it.
 * - An open piece has at most one disk job out (`job`); its buffers named in
 * that job stay untouched until the answer.
 * - Peers are marked PEER_CLOSED while an event is worked on and freed at its
 *   end, so no handler sees a peer vanish.
 */
#ifndef BTC_CORE_TORRENT_INTERNAL_H
#define BTC_CORE_TORRENT_INTERNAL_H

#include "base/map.h"
#include "core/swarm/choker.h"
#include "core/swarm/peer.h"
#include "core/torrent/torrent.h"
#include "model/names.h"

#define TORRENT_UPLOAD_SLOTS   8
#define TORRENT_CONNECTING     30      /* half-open connections at once */
#define TORRENT_UPLOAD_RUN     262144u /* bytes of one UPLOAD at most */
#define TORRENT_SNUB_MS        15000   /* no block for so long: snubbed */
#define TORRENT_OVERDUE_MS     5000    /* a request: others may be asked, too */
#define TORRENT_ENDGAME_MS     500     /* in the endgame: this late already */
#define TORRENT_FORGET_MS      30000 /* a late request leaves its peer's window */
#define TORRENT_REFUSED_MS     250 /* after a REJECT: nothing is asked for ... */
#define TORRENT_REFUSED_MAX_MS 10000 /* ... growing with each, up to this */
#define TORRENT_BLINK_MS       1000  /* an UNCHOKE counts once in this time */
#define TORRENT_EVICT_RATE     256   /* bytes/s: fewer are of no use */
#define TORRENT_EVICT_MS       30000 /* a peer may be of no use for so long */

enum block_place {
    BLOCK_NONE,
    BLOCK_MEM,     /* in mem[] */
    BLOCK_WRITING, /* in mem[], a WRITE is out */
    BLOCK_DISK     /* written (this run or an earlier one) */
};

enum piece_job {
    PIECE_JOB_NONE,
    PIECE_JOB_WRITE,
    PIECE_JOB_FINISH
};

/* A piece with blocks here and no verdict yet. */
struct open_piece {
    uint32_t piece; /* key */
    uint32_t n_blocks;
    uint32_t n_mem; /* blocks in BLOCK_MEM */
    enum piece_job job;
    uint8_t **mem;             /* owns the array; the blocks are the pool's */
    uint8_t **writing;         /* owns; what the WRITE that is out names */
    uint8_t *place;            /* enum block_place */
    uint8_t (*sums)[SHA1_LEN]; /* owns; of blocks written ahead, as they came */
    UT_hash_handle hh;
};

/* A piece that failed its hash with blocks of several senders: when it passes
 * later, the blocks that differ tell who lied. Until then one peer alone is
 * asked for it, by peerset id; PEERSET_NONE: nobody who could be. */
struct suspect_piece {
    uint32_t piece; /* key */
    uint32_t n_blocks;
    uint32_t *origin;            /* owns; peerset ids */
    uint8_t (*hashes)[SHA1_LEN]; /* owns */
    uint32_t owner;
    uint64_t owned_ms, block_ms; /* since when; its last block */
    UT_hash_handle hh;
};

struct torrent {
    struct torrent_shared *shared;           /* borrows */
    const struct layout *geom;               /* borrows */
    const uint8_t *info_hash, *piece_hashes; /* borrows */
    struct picker *picker;                   /* owns */
    struct peerset *peerset;                 /* owns */
    struct announce *announce;               /* owns */
    struct choker choker;
    enum torrent_state state;
    bool running; /* between START and STOP */
    bool check_only, hold, is_private;
    bool complete;          /* COMPLETE was notified */
    bool fetched, had_peer; /* in this run: a piece, a connection */
    uint32_t max_peers;
    struct bucket up_bucket;

    struct peer **slots; /* owns; index = low 16 bits of a conn id */
    uint16_t *slot_gen;
    uint32_t n_slots, n_peers; /* peers of all phases but CLOSED */
    uint32_t n_active, n_connecting /* by us */, n_seeds;
    struct peer **dirty; /* peers with output */
    uint32_t n_dirty, dirty_cap;
    bool refill;        /* free blocks appeared: ask everybody again */
    bool purge;         /* somebody was banned: his blocks go */
    uint32_t fill_from; /* slot whose turn it is to be asked first */

    struct open_piece *open;        /* hash */
    struct suspect_piece *suspects; /* hash */
    uint32_t mem_open;   /* BLOCK_MEM blocks of pieces without a job */
    uint32_t n_jobs;     /* disk jobs out: FINISH, WRITE, HASH, UPLOAD */
    uint8_t *file_prio;  /* owns; per file */
    uint64_t *file_done; /* owns; verified bytes per file */
    uint64_t wanted_bytes, wanted_done; /* of wanted files, without pads */

    struct bits check;         /* pieces still to be hashed */
    struct bits check_claimed; /* of those: the journal claims them */
    uint32_t check_next;       /* in disk order */
    uint32_t n_hashing;        /* HASH jobs out */
    uint32_t *hashing;         /* owns; their pieces */
    uint32_t hashing_cap;
    bool checked_notified;
    uint32_t n_unread; /* HASH jobs in a row that met a read error */

    uint64_t now_ms; /* of the current input, as is unix_now */
    int64_t unix_now;
    uint64_t tick_ms, choke_ms; /* of the last tick and choker run */
    uint64_t stop_ms;           /* STOP came */
    struct rate down, up;
    uint64_t downloaded, uploaded, wasted;
    uint64_t old_down, old_up; /* of earlier runs: no tracker hears of it */
    uint64_t last_payload_ms;

    struct action *queue; /* owns; a ring of queue_cap */
    uint32_t queue_head, n_queue, queue_cap;
    struct peer *sending; /* its `out` is lent to the last SEND */
    void *lent;           /* owns; memory of the last action given */
};

/* torrent.c */
struct action *torrent_push(struct torrent *t, enum action_type type);
void torrent_fact(struct torrent *t, enum fact_type type, uint32_t piece,
                  uint32_t index);
void torrent_event(struct torrent *t, enum level level, const char *kind,
                   const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void torrent_notify(struct torrent *t, enum notify_type type, uint32_t piece,
                    uint32_t file);
void torrent_fail(struct torrent *t, int result, const char *text);
/* Adds (or takes away) the piece's bytes to its files; `tell`: FILE when one is
 * complete. */
void torrent_count_files(struct torrent *t, uint32_t piece, bool have,
                         bool tell);
/* The piece is verified and on disk: counts, HAVE to all, facts. */
void torrent_got_piece(struct torrent *t, uint32_t piece, bool downloaded);

/* conns.c */
struct peer *torrent_peer_by_conn(struct torrent *t, uint32_t conn);
struct peer *torrent_peer_by_id(struct torrent *t, uint32_t id);
struct peer *torrent_peer_open(struct torrent *t, uint32_t id,
                               const struct addr *a, bool incoming);
void torrent_peer_connected(struct torrent *t, struct peer *p);
void torrent_peer_accepted(struct torrent *t, struct peer *p,
                           const struct wire_handshake *h);
void torrent_peer_data(struct torrent *t, struct peer *p, struct slice data);
/* Takes everything back and marks it CLOSED. `tell`: the engine must close it
 * (a CLOSE action); `result`: why. */
void torrent_peer_close(struct torrent *t, struct peer *p, bool tell,
                        int result);
void torrent_peer_sweep(struct torrent *t);
void torrent_peer_tick(struct torrent *t, struct peer *p, uint64_t elapsed_ms);
void torrent_peer_output(struct torrent *t, struct peer *p); /* has output */
void torrent_peer_interest(struct torrent *t, struct peer *p);
void torrent_dial(struct torrent *t);
void torrent_ban(struct torrent *t, uint32_t id, const char *why);
/* for each peer that is not closed */
#define TORRENT_EACH_PEER(p, t)                                \
    for (uint32_t each_i = 0; each_i < (t)->n_slots; each_i++) \
        if (((p) = (t)->slots[each_i]) != NULL && (p)->phase != PEER_CLOSED)

/* evict.c */
void torrent_peer_evict(struct torrent *t); /* makes room for others */
bool torrent_make_room(struct torrent *t, const struct addr *a); /* for him */

/* request.c */
void torrent_request_fill(struct torrent *t, struct peer *p);
void torrent_request_fill_all(struct torrent *t);
/* Takes all its requests back; `late` = answers may still come. */
void torrent_request_drop_all(struct torrent *t, struct peer *p, bool late);
void torrent_request_rejected(struct torrent *t, struct peer *p,
                              const struct wire_block *w);
void torrent_request_overdue(struct torrent *t, struct peer *p);
int torrent_block_begin(struct torrent *t, struct peer *p,
                        const struct wire_block *w);
void torrent_block_data(struct torrent *t, struct peer *p,
                        const struct wire_payload *data);
void torrent_block_abandon(struct torrent *t, struct peer *p);

/* pieces.c */
/* A disk job found other things in the place of the data. */
bool torrent_is_gone(int result);
void torrent_disk_block(struct torrent *t, struct picker_block b, uint8_t *mem);
void torrent_disk_restore(struct torrent *t, uint32_t piece, uint32_t block);
/* Blocks of the piece are in memory or on their way. */
bool torrent_disk_is_busy(struct torrent *t, uint32_t piece);
/* After a check that failed: the blocks that the journal claims come back. */
void torrent_disk_reclaim(struct torrent *t, uint32_t piece);
void torrent_disk_forget(struct torrent *t, uint32_t piece);
void torrent_disk_start(struct torrent *t);
void torrent_disk_pads(struct torrent *t);    /* pieces of nothing but pads */
void torrent_disk_relieve(struct torrent *t); /* memory is short */
void torrent_disk_purge(struct torrent *t);   /* blocks of banned peers go */
void torrent_disk_finished(struct torrent *t, const struct event *ev);
void torrent_disk_written(struct torrent *t, const struct event *ev);
void torrent_disk_free(struct torrent *t);

/* blame.c */
bool torrent_blame_wants_hashes(const struct torrent *t, uint32_t piece);
/* The piece passed: bad blocks of an earlier try are known now. */
void torrent_blame_passed(struct torrent *t, uint32_t piece,
                          const uint8_t (*hashes)[SHA1_LEN]);
/* It failed; its blocks are still the picker's. */
void torrent_blame_failed(struct torrent *t, uint32_t piece,
                          const uint8_t (*hashes)[SHA1_LEN]);
/* Takes the suspect pieces of others out of `only` (no bits: all pieces), which
 * restricts what the peer is asked for. */
void torrent_blame_mask(struct torrent *t, const struct peer *p,
                        struct bits *only);
/* Blocks of the piece are taken from this peer. */
bool torrent_blame_allows(const struct torrent *t, const struct peer *p,
                          uint32_t piece);
void torrent_blame_block(struct torrent *t, const struct peer *p,
                         uint32_t piece); /* a good one came */
void torrent_blame_tick(struct torrent *t);
void torrent_blame_free(struct torrent *t);

/* upload.c */
void torrent_upload_request(struct torrent *t, struct peer *p,
                            const struct wire_block *b);
void torrent_upload_cancel(struct torrent *t, struct peer *p,
                           const struct wire_block *b);
void torrent_upload_pump(struct torrent *t, struct peer *p);
void torrent_upload_done(struct torrent *t, const struct event *ev);
void torrent_upload_choke(struct torrent *t, struct peer *p, bool choke);
void torrent_upload_interested(struct torrent *t, struct peer *p);
void torrent_upload_rank(struct torrent *t);
void torrent_upload_grant_fast(struct torrent *t, struct peer *p);

/* check.c */
void torrent_check_pump(struct torrent *t);
void torrent_check_hashed(struct torrent *t, const struct event *ev);
uint32_t torrent_check_left(const struct torrent *t);
uint32_t torrent_check_floor(const struct torrent *t);

/* trackers.c */
uint64_t torrent_left(const struct torrent *t); /* of all, wanted or not */
void torrent_announce_pump(struct torrent *t);
void torrent_announce_result(struct torrent *t, const struct event *ev);

#endif
