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
 * has brought: a crowd that brings little seldom wins. One that stands still,
 * or drips while others have nothing to do, loses the piece to another and
 * seldom wins again. By lot, for any order can be played: who is always first
 * in it could keep the piece for ever. Nobody owns more than it can soon bring:
 * the other pieces are tried with others meanwhile, who may be liars, but each
 * of them that comes to its end is one less.
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "core/content/internal.h"
#include "model/block.h"
#include <stdlib.h>
#include <string.h>

#define SUSPECT_MAX      256    /* failed pieces remembered; the oldest goes */
#define SUSPECT_STILL_MS 5000   /* an owner brings a block this often ... */
#define SUSPECT_OWN_MS   10000  /* ... and is done with it in such a time, */
#define SUSPECT_BLOCK_MS 160ull /* ... or for its blocks, as many as it has */
#define SUSPECT_SHOW_MS  5000   /* as far as it shows after this */
#define SUSPECT_ROUND    4      /* owners at least; then each has twice that, */
#define SUSPECT_GROWS    6      /* ... so many times */
#define SUSPECT_BUSY     (512u << 10) /* bytes that one owner has before it */
#define SUSPECT_FIRST    4    /* blocks that each seems to have brought ... */
#define SUSPECT_MOST     1024 /* ... at least and at most: SWARM_MAX_PEERS */
                              /* times the square of it fit into 32 bits */
#define SUSPECT_STALLS 3      /* pieces it was too slow for that count */

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

/* How long an owner may take for the piece while others of `n` wait. Longer in
 * each round of them, for a slow honest one must come to the end of a large
 * piece. */
static uint64_t blame_peace_ms(const struct suspect_piece *s, size_t n)
{
    uint64_t own_ms =
        num_max_u64(SUSPECT_OWN_MS, s->n_blocks * SUSPECT_BLOCK_MS);
    size_t round = (s->n_owners - 1) / num_max_u64(n, SUSPECT_ROUND);
    return own_ms << num_min_u64(round, SUSPECT_GROWS);
}

/* With what it brings it would take longer. It shows soon: who drips need not
 * be waited for. */
static bool blame_is_tardy(const struct suspect_piece *s, size_t n,
                           uint64_t now_ms)
{
    uint64_t took = now_ms - s->owned_ms;
    return took > SUSPECT_SHOW_MS &&
           s->n_came * blame_peace_ms(s, n) < s->n_blocks * took;
}

/* The owner stands still, or takes long while another one is much faster or has
 * nothing to do: in the end all wait for owners, and nobody shows how fast it
 * is. */
static bool blame_is_slow(const struct suspect_piece *s,
                          const struct content_candidate *all, size_t n,
                          uint64_t now_ms)
{
    const struct content_candidate *owner = NULL;
    bool still = now_ms - s->block_ms > SUSPECT_STILL_MS;
    bool tardy = blame_is_tardy(s, n, now_ms);
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
    if (owner->fit && owner->idle && !owner->late) {
        /* for want of memory it was not asked, as far as that can be seen */
        return now_ms - s->owned_ms > blame_peace_ms(s, n);
    }
    for (size_t i = 0; i < n; i++) {
        const struct content_candidate *p = &all[i];
        if (p != owner && p->fit && !p->late && bits_get(p->have, s->piece) &&
            (still ||
             (tardy && (p->idle || p->down_rate > owner->down_rate * 4)))) {
            return true;
        }
    }
    return false;
}

/* It has enough to do with suspect pieces that are its own already. Others wait
 * for it or go to somebody else: one quick peer must not stand for all. */
static bool blame_is_busy(const struct content *c,
                          const struct content_candidate *p)
{
    uint64_t left = 0;
    const struct suspect_piece *s;
    for (s = c->suspects; s != NULL; s = s->hh.next) {
        left += s->owner == p->peer ? s->n_blocks : 0;
    }
    return left * BLOCK_LEN >= num_max_u64(SUSPECT_BUSY, p->down_rate);
}

/* Lots of a peer in the draw: the square of the blocks that it has brought, for
 * who is twice as fast may also lie twice as often. Each suspect piece that it
 * was too slow for makes the blocks sixteen times fewer. Those that do not
 * answer, and the one that is to lose the piece, have none: they are the `rest`
 * that is left when there is nobody else. */
static uint32_t blame_lots(const struct content *c,
                           const struct suspect_piece *s,
                           const struct content_candidate *p, bool rest)
{
    if (p->choking || !bits_get(p->have, s->piece)) {
        return 0;
    }
    if (p->peer == s->owner || p->late || !p->fit) {
        return rest ? 1 : 0;
    }
    if (rest || blame_is_busy(c, p)) {
        return 0;
    }
    uint64_t brought = SUSPECT_FIRST + p->brought / BLOCK_LEN;
    uint32_t blocks = (uint32_t)num_min_u64(brought, SUSPECT_MOST);
    blocks >>= 4 * num_min_u32(p->n_stalls, SUSPECT_STALLS);
    return blocks > 0 ? blocks * blocks : 1;
}

/* One of those that have the piece, or PICKER_ORIGIN_NONE. */
static uint32_t blame_draw(struct content *c, const struct suspect_piece *s,
                           const struct content_candidate *all, size_t n,
                           bool rest)
{
    uint32_t owner = PICKER_ORIGIN_NONE;
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t lots = blame_lots(c, s, &all[i], rest);
        sum += lots;
        if (lots > 0 && rng_below(c->shared->rng, sum) < lots) {
            owner = all[i].peer;
        }
    }
    return owner;
}

/* Gives the piece to one of them. */
static void blame_give(struct content *c, struct suspect_piece *s,
                       const struct content_candidate *all, size_t n,
                       uint64_t now_ms)
{
    uint32_t owner = blame_draw(c, s, all, n, false);
    if (owner == PICKER_ORIGIN_NONE) {
        owner = blame_draw(c, s, all, n, true);
    }
    s->owner = owner;
    if (owner != PICKER_ORIGIN_NONE) {
        outcomes_post_free(c);
        s->owned_ms = s->block_ms = now_ms;
        s->n_came = 0;
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
    if (before != PICKER_ORIGIN_NONE) {
        outcomes_post(c, CONTENT_STALLED)->peer = before;
    }
    blame_give(c, s, all, n, now_ms);
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
        s->n_came++;
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
