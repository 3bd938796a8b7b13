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
 * When the piece gets another owner, what others sent for it is dropped: so
 * each try has one sender, and a fast liar cannot hide among those it shares
 * with.
 *
 * An owner is drawn among the peers that answer, with the more lots the more it
 * has brought: a crowd that brings little seldom wins. One that stands still
 * loses the piece to another. By lot, for any order can be played: who is
 * always first in it could keep the piece for ever.
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "core/content/internal.h"
#include "model/block.h"
#include <stdlib.h>
#include <string.h>

#define SUSPECT_MAX      64    /* failed pieces remembered; the oldest goes */
#define SUSPECT_STILL_MS 5000  /* an owner brings a block this often ... */
#define SUSPECT_OWN_MS   10000 /* ... and is not much slower than another */
#define SUSPECT_GROWS    6     /* doublings of that, with each owner */
#define SUSPECT_FIT_LOTS 64    /* lots of one that answers, times: */
#define SUSPECT_FIRST    16    /* so many, and one for each block it brought */
#define SUSPECT_MOST     4096  /* blocks that count */

static struct suspect_piece *blame_find(const struct content *c, uint32_t piece)
{
    struct suspect_piece *s = NULL;
    if (c->suspects != NULL) {
        HASH_FIND(hh, c->suspects, &piece, sizeof piece, s);
    }
    return s;
}

static void blame_free(struct content *c, struct suspect_piece *s)
{
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): lost in uthash's table */
    HASH_DELETE(hh, c->suspects, s);
    free(s->origin);
    free(s->hashes);
    free(s);
}

bool blame_is_suspect(const struct content *c, uint32_t piece)
{
    return blame_find(c, piece) != NULL;
}

void blame_passed(struct content *c, uint32_t piece,
                  const uint8_t (*hashes)[SHA1_LEN])
{
    struct suspect_piece *s = blame_find(c, piece);
    if (s == NULL) {
        return;
    }
    for (uint32_t i = 0; hashes != NULL && i < s->n_blocks; i++) {
        if (s->origin[i] < PICKER_ORIGIN_PAD &&
            memcmp(s->hashes[i], hashes[i], SHA1_LEN) != 0) {
            outcomes_post_ban(c, s->origin[i], "it sent a bad block");
        }
    }
    blame_free(c, s);
}

/* The record of a piece, a new one for the oldest when there are too many
 * (uthash keeps the order of insertion). */
static struct suspect_piece *blame_get(struct content *c, uint32_t piece)
{
    struct suspect_piece *s = blame_find(c, piece);
    if (s != NULL) {
        return s;
    }
    if (HASH_COUNT(c->suspects) >= SUSPECT_MAX) {
        blame_free(c, c->suspects);
    }
    s = mem_zalloc(sizeof *s);
    s->piece = piece;
    s->n_blocks = layout_n_blocks(c->layout, piece);
    s->origin = mem_calloc(s->n_blocks, sizeof *s->origin);
    s->hashes = mem_calloc(s->n_blocks, SHA1_LEN);
    s->owner = PICKER_ORIGIN_NONE;
    HASH_ADD(hh, c->suspects, piece, sizeof s->piece, s);
    return s;
}

/* Several had a part in it: keep what tells them apart later. */
static void blame_keep(struct content *c, uint32_t piece,
                       const uint8_t (*hashes)[SHA1_LEN])
{
    struct suspect_piece *s = blame_get(c, piece);
    memcpy(s->hashes, hashes, (size_t)s->n_blocks * SHA1_LEN);
    for (uint32_t i = 0; i < s->n_blocks; i++) {
        s->origin[i] =
            picker_origin(c->picker, (struct picker_block){piece, i});
    }
}

/* No block before this one came from the same peer. Who sent several sent them
 * in a row as a rule, so the nearest is asked first. */
static bool blame_is_first(const struct content *c, uint32_t piece,
                           uint32_t block)
{
    uint32_t from =
        picker_origin(c->picker, (struct picker_block){piece, block});
    for (uint32_t i = block; i > 0; i--) {
        struct picker_block before = {piece, i - 1};
        if (picker_origin(c->picker, before) == from) {
            return false;
        }
    }
    return true;
}

void blame_credit(struct content *c, uint32_t piece)
{
    for (uint32_t i = 0; i < layout_n_blocks(c->layout, piece); i++) {
        uint32_t from =
            picker_origin(c->picker, (struct picker_block){piece, i});
        if (from < PICKER_ORIGIN_PAD && blame_is_first(c, piece, i)) {
            outcomes_post(c, CONTENT_GOOD)->peer = from;
        }
    }
}

void blame_failed(struct content *c, uint32_t piece,
                  const uint8_t (*hashes)[SHA1_LEN])
{
    uint32_t one = PICKER_ORIGIN_NONE;
    bool several = false;
    for (uint32_t i = 0; i < layout_n_blocks(c->layout, piece); i++) {
        uint32_t from =
            picker_origin(c->picker, (struct picker_block){piece, i});
        if (from == PICKER_ORIGIN_PAD) {
            continue;
        }
        several |= one != PICKER_ORIGIN_NONE && one != from;
        one = from;
        if (from < PICKER_ORIGIN_PAD && blame_is_first(c, piece, i)) {
            outcomes_post(c, CONTENT_SUSPECT)->peer = from;
        }
    }
    if (several && hashes != NULL) {
        blame_keep(c, piece, hashes);
    }
    struct suspect_piece *s = blame_find(c, piece);
    if (s != NULL) {
        s->owner = PICKER_ORIGIN_NONE;
    }
    if (!several && one < PICKER_ORIGIN_PAD) {
        outcomes_post_ban(c, one, "it sent a whole bad piece");
    } else if (one == PICKER_ORIGIN_NONE) {
        outcomes_post_failed(c, BTC_E_METAINFO,
                             "the hash of a piece that is nothing "
                             "but padding is wrong");
    }
}

/* --- owners --- */

/* How long an owner is left in peace. Longer each time, for a slow honest one
 * must come to the end of a large piece. */
static uint64_t blame_peace_ms(const struct suspect_piece *s)
{
    return (uint64_t)SUSPECT_OWN_MS
           << num_min_u32(s->n_owners - 1, SUSPECT_GROWS);
}

/* The owner stands still, or another one is much faster, or has nothing to do:
 * in the end all wait for owners, and nobody shows how fast it is. */
static bool blame_is_slow(const struct suspect_piece *s,
                          const struct content_candidate *all, size_t n,
                          uint64_t now_ms)
{
    const struct content_candidate *owner = NULL;
    bool still = now_ms - s->block_ms > SUSPECT_STILL_MS;
    bool old = now_ms - s->owned_ms > blame_peace_ms(s);
    for (size_t i = 0; i < n; i++) {
        if (all[i].peer == s->owner) {
            owner = &all[i];
        }
    }
    if (owner == NULL || owner->choking) {
        return true;
    }
    if (!owner->fit || !bits_get(owner->have, s->piece)) {
        return still;
    }
    for (size_t i = 0; i < n; i++) {
        const struct content_candidate *p = &all[i];
        if (p != owner && p->fit && !p->late && bits_get(p->have, s->piece) &&
            (still ||
             (old && (p->idle || p->down_rate > owner->down_rate * 4)))) {
            return true;
        }
    }
    return false;
}

/* Lots of a peer in the draw. Those that do not answer, and the one that is to
 * lose the piece, have one where the others have many: they are what is left
 * when there is nobody else. */
static uint32_t blame_lots(const struct suspect_piece *s,
                           const struct content_candidate *p)
{
    if (p->choking || !bits_get(p->have, s->piece)) {
        return 0;
    }
    if (p->peer == s->owner || p->late || !p->fit) {
        return 1;
    }
    uint64_t blocks = num_min_u64(p->brought / BLOCK_LEN, SUSPECT_MOST);
    return SUSPECT_FIT_LOTS * (SUSPECT_FIRST + (uint32_t)blocks);
}

/* Gives the piece to one of those that have it. */
static void blame_draw(struct content *c, struct suspect_piece *s,
                       const struct content_candidate *all, size_t n,
                       uint64_t now_ms)
{
    uint32_t owner = PICKER_ORIGIN_NONE;
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t lots = blame_lots(s, &all[i]);
        sum += lots;
        if (lots > 0 && rng_below(c->shared->rng, sum) < lots) {
            owner = all[i].peer;
        }
    }
    s->owner = owner;
    if (owner != PICKER_ORIGIN_NONE) {
        outcomes_post_free(c);
        s->owned_ms = s->block_ms = now_ms;
        s->n_owners++;
    }
}

bool blame_choose(struct content *c, struct suspect_piece *s,
                  const struct content_candidate *all, size_t n,
                  uint64_t now_ms)
{
    uint32_t before = s->owner;
    if (before != PICKER_ORIGIN_NONE && !blame_is_slow(s, all, n, now_ms)) {
        return false;
    }
    blame_draw(c, s, all, n, now_ms);
    return s->owner != before && s->owner != PICKER_ORIGIN_NONE;
}

void blame_forget_here(struct content *c)
{
    struct suspect_piece *s, *next;
    HASH_ITER (hh, c->suspects, s, next) {
        if (picker_state(c->picker, s->piece) == PICKER_HAVE) {
            blame_free(c, s);
        }
    }
}

bool blame_allows(const struct content *c, uint32_t peer, uint32_t piece)
{
    const struct suspect_piece *s = blame_find(c, piece);
    return s == NULL || s->owner == peer;
}

void blame_block(struct content *c, uint32_t peer, uint32_t piece,
                 uint64_t now_ms)
{
    struct suspect_piece *s = blame_find(c, piece);
    if (s != NULL && s->owner == peer) {
        s->block_ms = now_ms;
    }
}

bool blame_owned(const struct content *c, const struct content_asker *who,
                 struct bits *out)
{
    const struct suspect_piece *s;
    for (s = c->suspects; s != NULL; s = s->hh.next) {
        bool asked = bits_get(who->have, s->piece) &&
                     (who->only == NULL || bits_get(who->only, s->piece));
        if (s->owner != who->peer || !asked) {
            continue;
        }
        if (out->n == 0 && bits_init(out, who->have->n) != 0) {
            return false;
        }
        (void)bits_set(out, s->piece);
    }
    return out->n > 0;
}

void blame_mask(const struct content *c, const struct content_asker *who,
                struct bits *only)
{
    const struct suspect_piece *s;
    for (s = c->suspects; s != NULL; s = s->hh.next) {
        if (!bits_get(who->have, s->piece) || s->owner == who->peer) {
            continue;
        }
        if (only->n == 0 && bits_init(only, who->have->n) == 0) {
            bits_fill(only);
        }
        (void)bits_clear(only, s->piece);
    }
}

void blame_fini(struct content *c)
{
    struct suspect_piece *s, *next;
    HASH_ITER (hh, c->suspects, s, next) {
        blame_free(c, s);
    }
}
