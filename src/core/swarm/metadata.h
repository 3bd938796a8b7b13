/* The info dictionary of a magnet, gathered from several peers at once (BEP 9)
 * and judged as a whole by the info hash. Pure; knows peers by an id.
 *
 * Each piece is asked of one peer; when nothing comes for METADATA_LATE_MS, of
 * everybody, so that an honest one need not wait until all silent ones had
 * their turn.
 *
 * Peers may lie about the size, a piece, or both. One size is tried at a time;
 * what came under another size is dropped. When all is there and the hash is
 * wrong: a single sender is the liar; of several one is, so that the next try
 * asks one peer alone. A size that gets nowhere gives way to another one that
 * was offered: to the one that was given up least often, so that peers who
 * offer false sizes and are silent hold up an honest one for a turn each, and
 * no more.
 * What had come under the old size is parked meanwhile, so that a silent liar
 * does not cost it, either.
 */
#ifndef BTC_CORE_SWARM_METADATA_H
#define BTC_CORE_SWARM_METADATA_H

#include "base/hash.h"
#include "proto/peer/ut_metadata.h"
#include <stdbool.h>

#define METADATA_MAX_BYTES (32u << 20) /* of an info dictionary */
#define METADATA_PEERS \
    64 /* that are asked; more have to wait until one fails */
#define METADATA_WINDOW     2    /* pieces asked of one peer at a time */
#define METADATA_LATE_MS    4000 /* then the piece is asked of others, too */
#define METADATA_STUCK_MS   20000
#define METADATA_REFUSED_MS 10000 /* after a reject the peer is left alone */
#define METADATA_FAILS_MAX  5     /* doublings of that */

#define METADATA_NONE UINT32_MAX

struct metadata; /* opaque */

enum metadata_result {
    METADATA_IGNORED, /* not asked for, or there already */
    METADATA_TAKEN,
    METADATA_WHOLE, /* the last piece came and the hash is right */
    METADATA_WRONG, /* the last piece came and the hash is wrong: all is gone.
                       When `liar` is set, that peer sent all of it */
    METADATA_BAD    /* no piece of what the peer itself has offered */
};

struct metadata *metadata_new(const uint8_t info_hash[SHA1_LEN]);
void metadata_free(struct metadata *m); /* NULL allowed */
/* What an earlier run journaled; wrong sizes are left out. */
void metadata_restore(struct metadata *m, uint32_t size, uint32_t piece,
                      struct slice data);
/* A peer offers metadata of that size; false: the size makes no sense. */
bool metadata_offer(struct metadata *m, uint32_t peer, uint64_t size,
                    uint64_t now_ms);
void metadata_leave(struct metadata *m, uint32_t peer);
/* The next piece to ask of the peer; METADATA_NONE: none now. It counts as
 * asked. */
uint32_t metadata_next(struct metadata *m, uint32_t peer, uint64_t now_ms);
enum metadata_result metadata_take(struct metadata *m, uint32_t peer,
                                   const struct ut_metadata *data,
                                   uint64_t now_ms, uint32_t *liar);
void metadata_reject(struct metadata *m, uint32_t peer, uint32_t piece,
                     uint64_t now_ms);
/* Time passes: late requests are free again, another size is tried. True when
 * what was there is dropped. */
bool metadata_tick(struct metadata *m, uint64_t now_ms);

uint32_t metadata_size(const struct metadata *m); /* 0 = not known */
uint32_t metadata_n_pieces(const struct metadata *m);
uint32_t metadata_n_have(const struct metadata *m);
/* A piece that is there; after METADATA_WHOLE the whole dictionary. */
struct slice metadata_piece(const struct metadata *m, uint32_t piece);
struct slice metadata_info(const struct metadata *m);

#endif
