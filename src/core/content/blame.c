/* Who sent bad data.
 *
 * A piece that fails with blocks of one sender bans that sender. With several,
 * the hash of each block and its sender are kept as a suspect, and from then on
 * the piece has one owner: nobody else is asked for it. Either the next try
 * fails, then its one sender is banned; or it passes, then the blocks that
 * differ from those kept tell who lied. So every bad piece costs at most one
 * more per liar, however many honest peers had a part in it.
 *
 * A block that came back from our own disk with other bytes than it went there
 * with counts as one of an earlier run: nobody is banned for it.
 *
 * An owner is drawn among the peers that answer, those that were of use with
 * more lots; one that stands still loses the piece to another. By lot, for any
 * order can be played: who is always first in it could keep the piece for ever.
 */
#include "base/err.h"
#include "base/mem.h"
#include "core/torrent/internal.h"
#include <stdlib.h>
#include <string.h>

#define SUSPECT_MAX      64    /* failed pieces remembered; the oldest goes */
#define SUSPECT_STILL_MS 5000  /* an owner brings a block this often ... */
#define SUSPECT_OWN_MS   10000 /* ... and is not much slower than another */
#define SUSPECT_LOTS     4     /* of one that was of use */

static struct suspect_piece *torrent_suspect_find(const struct torrent *t,
                                                  uint32_t piece)
{
    struct suspect_piece *s = NULL;
    if (t->suspects != NULL) {
        HASH_FIND(hh, t->suspects, &piece, sizeof piece, s);
    }
    return s;
}

static void torrent_suspect_free(struct torrent *t, struct suspect_piece *s)
{
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): lost in uthash's table */
    HASH_DELETE(hh, t->suspects, s);
    free(s->origin);
    free(s->hashes);
    free(s);
}

bool torrent_blame_wants_hashes(const struct torrent *t, uint32_t piece)
{
    return torrent_suspect_find(t, piece) != NULL;
}

void torrent_blame_passed(struct torrent *t, uint32_t piece,
                          const uint8_t (*hashes)[SHA1_LEN])
{
    struct suspect_piece *s = torrent_suspect_find(t, piece);
    if (s == NULL) {
        return;
    }
    for (uint32_t i = 0; hashes != NULL && i < s->n_blocks; i++) {
        if (s->origin[i] < PICKER_ORIGIN_PAD &&
            memcmp(s->hashes[i], hashes[i], SHA1_LEN) != 0) {
            torrent_ban(t, s->origin[i], "it sent a bad block");
        }
    }
    torrent_suspect_free(t, s);
}

/* The record of a piece, a new one for the oldest when there are too many
 * (uthash keeps the order of insertion). */
static struct suspect_piece *torrent_suspect_get(struct torrent *t,
                                                 uint32_t piece)
{
    struct suspect_piece *s = torrent_suspect_find(t, piece);
    if (s != NULL) {
        return s;
    }
    if (HASH_COUNT(t->suspects) >= SUSPECT_MAX) {
        torrent_suspect_free(t, t->suspects);
    }
    s = mem_zalloc(sizeof *s);
    s->piece = piece;
    s->n_blocks = layout_n_blocks(t->geom, piece);
    s->origin = mem_calloc(s->n_blocks, sizeof *s->origin);
    s->hashes = mem_calloc(s->n_blocks, SHA1_LEN);
    s->owner = PEERSET_NONE;
    HASH_ADD(hh, t->suspects, piece, sizeof s->piece, s);
    return s;
}

/* Several had a part in it: keep what tells them apart later. */
static void torrent_blame_keep(struct torrent *t, uint32_t piece,
                               const uint8_t (*hashes)[SHA1_LEN])
{
    struct suspect_piece *s = torrent_suspect_get(t, piece);
    memcpy(s->hashes, hashes, (size_t)s->n_blocks * SHA1_LEN);
    for (uint32_t i = 0; i < s->n_blocks; i++) {
        s->origin[i] =
            picker_origin(t->picker, (struct picker_block){piece, i});
    }
}

/* No block before this one came from the same peer. */
static bool torrent_blame_is_first(const struct torrent *t, uint32_t piece,
                                   uint32_t block)
{
    uint32_t from =
        picker_origin(t->picker, (struct picker_block){piece, block});
    for (uint32_t i = 0; i < block; i++) {
        if (picker_origin(t->picker, (struct picker_block){piece, i}) == from) {
            return false;
        }
    }
    return true;
}

void torrent_blame_failed(struct torrent *t, uint32_t piece,
                          const uint8_t (*hashes)[SHA1_LEN])
{
    uint32_t one = PICKER_ORIGIN_NONE;
    bool several = false;
    for (uint32_t i = 0; i < layout_n_blocks(t->geom, piece); i++) {
        uint32_t from =
            picker_origin(t->picker, (struct picker_block){piece, i});
        if (from == PICKER_ORIGIN_PAD) {
            continue;
        }
        several |= one != PICKER_ORIGIN_NONE && one != from;
        one = from;
        struct peerset_entry *e = peerset_get(t->peerset, from);
        if (e != NULL && torrent_blame_is_first(t, piece, i)) {
            e->bad_pieces++;
        }
    }
    if (several && hashes != NULL) {
        torrent_blame_keep(t, piece, hashes);
    }
    struct suspect_piece *s = torrent_suspect_find(t, piece);
    if (s != NULL) {
        s->owner = PEERSET_NONE;
    }
    if (!several && one < PICKER_ORIGIN_PAD) {
        torrent_ban(t, one, "it sent a whole bad piece");
    } else if (one == PICKER_ORIGIN_NONE) {
        torrent_fail(t, BTC_E_METAINFO,
                     "the hash of a piece that is nothing "
                     "but padding is wrong");
    }
}

/* --- owners --- */

/* The peer may be asked for blocks, and answers. */
static bool torrent_owner_is_fit(const struct torrent *t, const struct peer *p,
                                 uint32_t piece)
{
    return p->phase == PEER_ACTIVE && !p->peer_choking && !p->snubbed &&
           t->now_ms >= p->ask_ms && bits_get(&p->have, piece);
}

/* The owner stands still, or another one is much faster. */
static bool torrent_owner_is_slow(struct torrent *t,
                                  const struct suspect_piece *s)
{
    const struct peer *owner = torrent_peer_by_id(t, s->owner);
    bool still = t->now_ms - s->block_ms > SUSPECT_STILL_MS;
    if (owner == NULL || !torrent_owner_is_fit(t, owner, s->piece)) {
        return owner == NULL || owner->peer_choking || still;
    }
    bool old = t->now_ms - s->owned_ms > SUSPECT_OWN_MS;
    uint64_t rate = rate_get(&owner->down, t->now_ms);
    const struct peer *p;
    TORRENT_EACH_PEER(p, t)
    {
        if (p != owner && torrent_owner_is_fit(t, p, s->piece) &&
            !peer_is_late(p) &&
            (still || (old && rate_get(&p->down, t->now_ms) > rate * 4))) {
            return true;
        }
    }
    return false;
}

/* Lots of a peer in the draw. Those that do not answer, and the one that is to
 * lose the piece, have one where the others have many: they are what is left
 * when there is nobody else. */
static uint32_t torrent_owner_lots(const struct torrent *t,
                                   const struct suspect_piece *s,
                                   const struct peer *p)
{
    if (p->phase != PEER_ACTIVE || p->peer_choking ||
        !bits_get(&p->have, s->piece)) {
        return 0;
    }
    if (p->id == s->owner || peer_is_late(p) ||
        !torrent_owner_is_fit(t, p, s->piece)) {
        return 1;
    }
    return TORRENT_MAX_PEERS * (p->was_useful ? SUSPECT_LOTS : 1);
}

/* Gives the piece to one of those that have it. */
static void torrent_owner_choose(struct torrent *t, struct suspect_piece *s)
{
    struct peer *p, *best = NULL;
    uint32_t sum = 0;
    TORRENT_EACH_PEER(p, t)
    {
        uint32_t lots = torrent_owner_lots(t, s, p);
        sum += lots;
        if (lots > 0 && rng_below(t->shared->rng, sum) < lots) {
            best = p;
        }
    }
    s->owner = best != NULL ? best->id : PEERSET_NONE;
    if (best != NULL) {
        t->refill = true;
        s->owned_ms = s->block_ms = t->now_ms;
    }
}

void torrent_blame_tick(struct torrent *t)
{
    struct suspect_piece *s, *next;
    HASH_ITER (hh, t->suspects, s, next) {
        if (picker_state(t->picker, s->piece) == PICKER_HAVE) {
            torrent_suspect_free(t, s);
        } else if (s->owner == PEERSET_NONE || torrent_owner_is_slow(t, s)) {
            torrent_owner_choose(t, s);
        }
    }
}

bool torrent_blame_allows(const struct torrent *t, const struct peer *p,
                          uint32_t piece)
{
    const struct suspect_piece *s = torrent_suspect_find(t, piece);
    return s == NULL || s->owner == p->id;
}

void torrent_blame_block(struct torrent *t, const struct peer *p,
                         uint32_t piece)
{
    struct suspect_piece *s = torrent_suspect_find(t, piece);
    if (s != NULL && s->owner == p->id) {
        s->block_ms = t->now_ms;
    }
}

void torrent_blame_mask(struct torrent *t, const struct peer *p,
                        struct bits *only)
{
    const struct suspect_piece *s;
    for (s = t->suspects; s != NULL; s = s->hh.next) {
        if (!bits_get(&p->have, s->piece) || s->owner == p->id) {
            continue;
        }
        if (only->n == 0 && bits_init(only, p->have.n) == 0) {
            bits_fill(only);
        }
        (void)bits_clear(only, s->piece);
    }
}

void torrent_blame_free(struct torrent *t)
{
    struct suspect_piece *s, *next;
    HASH_ITER (hh, t->suspects, s, next) {
        torrent_suspect_free(t, s);
    }
}
