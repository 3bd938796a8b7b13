/* The order of MISSING pieces and the availability that it goes by; see
 * internal.h for the vocabulary and the invariants.
 *
 * A move between neighbouring buckets is one swap. Coming in and going out are
 * walks to and from the end of the last bucket. Whole maps of peers and long
 * runs of changes (a start from the journal, new file priorities) make the
 * order stale as soon as building it anew is cheaper.
 */
#include "core/content/picker/internal.h"

#include "base/mem.h"

#include "base/err.h"
#include <string.h>

/* Availability of a piece, as the peers have announced it. */
uint32_t picker_availability(const struct picker *p, uint32_t piece)
{
    BTC_ASSERT(piece < p->n);
    int64_t v = (int64_t)p->base + p->pieces[piece].avail;
    BTC_ASSERT(v >= 0);
    return (uint32_t)v;
}

/* The bucket that a pickable piece belongs to. */
uint32_t picker_bucket(const struct picker *p, uint32_t piece)
{
    const struct picker_piece *pc = &p->pieces[piece];
    uint32_t level = pc->avail < PICKER_LEVELS ? pc->avail : PICKER_LEVELS - 1;

    return (uint32_t)(PICKER_PRIO_MAX - pc->prio) * PICKER_LEVELS + level;
}

/* First place of a bucket. */
uint32_t picker_bucket_start(const struct picker *p, uint32_t bucket)
{
    return bucket == 0 ? 0 : p->order.end[bucket - 1];
}

/* Swaps the pieces of two places. */
static void picker_order_swap(struct picker *p, uint32_t i, uint32_t j)
{
    uint32_t a = p->order.places[i];
    uint32_t b = p->order.places[j];

    p->order.places[i] = b;
    p->order.places[j] = a;
    p->pos[b] = i;
    p->pos[a] = j;
}

/* Gives the piece a random place in its bucket. */
static void picker_order_mix(struct picker *p, uint32_t piece, uint32_t bucket)
{
    uint32_t start = picker_bucket_start(p, bucket);

    picker_order_swap(p, p->pos[piece],
                      start + rng_below(p->rng, p->order.end[bucket] - start));
}

/* Takes the piece from one bucket to another, a step at a time. */
static void picker_order_step(struct picker *p, uint32_t piece, uint32_t from,
                              uint32_t to)
{
    for (uint32_t b = from; b < to; b++) {
        picker_order_swap(p, p->pos[piece], --p->order.end[b]);
    }
    for (uint32_t b = from; b > to; b--) {
        picker_order_swap(p, p->pos[piece], p->order.end[b - 1]++);
    }
}

/* Counts steps; when they would cost as much as building the order anew, the
 * order is given up until the next pick. True when there is no order to keep.
 */
static bool picker_order_is_stale(struct picker *p, uint32_t steps)
{
    p->order.churn += steps;
    p->work += p->order.stale ? 1 : steps;
    if (p->order.churn > (uint64_t)p->n + 1024) {
        p->order.stale = true;
    }
    return p->order.stale;
}

/* Counts a piece in a bucket, or off it. */
static void picker_order_count(struct picker *p, uint32_t bucket, int delta)
{
    if (p->order.count) {
        p->order.count[bucket] += (uint32_t)delta;
    }
}

/* A piece became pickable. */
void picker_order_add(struct picker *p, uint32_t piece)
{
    uint32_t bucket = picker_bucket(p, piece);
    uint32_t prio = p->pieces[piece].prio;

    picker_order_count(p, bucket, 1);
    if (p->order.cursor[prio] > piece) {
        p->order.cursor[prio] = piece;
    }
    if (picker_order_is_stale(p, PICKER_BUCKETS - bucket)) {
        return;
    }
    uint32_t at = p->order.end[PICKER_BUCKETS - 1]++;
    p->order.places[at] = piece;
    p->pos[piece] = at;
    picker_order_step(p, piece, PICKER_BUCKETS - 1, bucket);
    picker_order_mix(p, piece, bucket);
}

/* A piece is pickable no longer; its avail and prio are still those it had. */
void picker_order_remove(struct picker *p, uint32_t piece)
{
    uint32_t bucket = picker_bucket(p, piece);

    picker_order_count(p, bucket, -1);
    if (!picker_order_is_stale(p, PICKER_BUCKETS - bucket)) {
        picker_order_step(p, piece, bucket, PICKER_BUCKETS - 1);
        picker_order_swap(p, p->pos[piece], --p->order.end[PICKER_BUCKETS - 1]);
    }
    p->pos[piece] = PICKER_NO_POS;
}

/* Follows a change of a pickable piece's avail or prio. */
void picker_order_move(struct picker *p, uint32_t piece, uint32_t from)
{
    uint32_t to = picker_bucket(p, piece);
    uint32_t prio = p->pieces[piece].prio;

    if (p->order.cursor[prio] > piece) {
        p->order.cursor[prio] = piece;
    }
    if (from == to) {
        return;
    }
    picker_order_count(p, from, -1);
    picker_order_count(p, to, 1);
    if (picker_order_is_stale(p, from < to ? to - from : from - to)) {
        return;
    }
    picker_order_step(p, piece, from, to);
    picker_order_mix(p, piece, to);
}

/* Counts all buckets anew. */
static void picker_order_count_all(struct picker *p)
{
    memset(p->order.count, 0, (size_t)PICKER_BUCKETS * sizeof(*p->order.count));
    BITS_EACH (i, &p->pickable) {
        p->order.count[picker_bucket(p, i)]++;
    }
}

void picker_order_begin(struct picker *p)
{
    if (!p->order.count) {
        p->order.count =
            mem_array((size_t)PICKER_BUCKETS, sizeof(*p->order.count));
        picker_order_count_all(p);
        p->work += p->n;
    }
}

/* Builds the order: pieces into their buckets, then each bucket shuffled. */
static void picker_order_build(struct picker *p)
{
    uint32_t next[PICKER_BUCKETS];
    uint32_t at = 0;

    if (!p->order.end) {
        p->order.end =
            mem_calloc((size_t)PICKER_BUCKETS, sizeof(*p->order.end));
        p->order.places = mem_array(p->n, sizeof(*p->order.places));
    }
    for (uint32_t b = 0; b < PICKER_BUCKETS; b++) {
        next[b] = at;
        at += p->order.count[b];
        p->order.end[b] = at;
    }
    BITS_EACH (i, &p->pickable) {
        p->order.places[next[picker_bucket(p, i)]++] = i;
    }
    for (uint32_t b = 0; b < PICKER_BUCKETS; b++) {
        uint32_t start = picker_bucket_start(p, b);

        for (uint32_t k = p->order.count[b]; k > 1; k--) {
            uint32_t j = start + rng_below(p->rng, k);
            uint32_t tmp = p->order.places[j];

            p->order.places[j] = p->order.places[start + k - 1];
            p->order.places[start + k - 1] = tmp;
        }
    }
    for (uint32_t i = 0; i < at; i++) {
        p->pos[p->order.places[i]] = i;
    }
    p->work += p->n;
    p->order.stale = false;
}

/* Brings the order up to date. */
void picker_order_refresh(struct picker *p)
{
    if (p->order.stale) {
        picker_order_build(p);
    }
    p->order.churn = 0;
}

/* Adds to the avail of a piece. */
static void picker_avail_change(struct picker *p, uint32_t piece, int delta)
{
    struct picker_piece *pc = &p->pieces[piece];

    BTC_ASSERT(delta > 0 ? pc->avail < UINT16_MAX : pc->avail > 0);
    if (bits_get(&p->pickable, piece)) {
        uint32_t from = picker_bucket(p, piece);

        pc->avail = (uint16_t)(pc->avail + delta);
        picker_order_move(p, piece, from);
    } else {
        pc->avail = (uint16_t)(pc->avail + delta);
        p->work++;
    }
}

/* Takes the debt off each piece, so that the levels stay apart. */
static void picker_avail_settle(struct picker *p)
{
    for (uint32_t i = 0; i < p->n; i++) {
        int64_t v = (int64_t)p->pieces[i].avail + p->base;

        BTC_ASSERT(v >= 0);
        p->pieces[i].avail = (uint16_t)v;
    }
    if (p->order.count) {
        picker_order_count_all(p);
    }
    p->base = 0;
    p->order.stale = true;
    p->work += p->n;
}

/* A peer came with these pieces. */
void picker_add_peer(struct picker *p, const struct bits *have)
{
    if (have->n != p->n) {
        return; /* has announced nothing */
    }
    if (bits_is_full(have)) {
        p->base++;
        p->work++;
        return;
    }
    BITS_EACH (i, have) {
        picker_avail_change(p, i, 1);
    }
}

/* A peer went that had these pieces in the end. */
void picker_remove_peer(struct picker *p, const struct bits *have)
{
    if (have->n != p->n) {
        return;
    }
    if (bits_is_full(have)) {
        p->base--;
        p->work++;
        if (p->base <= -PICKER_DEBT_MAX) {
            picker_avail_settle(p);
        }
        return;
    }
    BITS_EACH (i, have) {
        picker_avail_change(p, i, -1);
    }
}

/* A peer got one more piece. */
void picker_peer_has(struct picker *p, uint32_t piece)
{
    BTC_ASSERT(piece < p->n);
    picker_avail_change(p, piece, 1);
}

/* Pickable pieces that some peer has, once there was a pick: all but those at
 * availability 0, which stand in one bucket per priority. */
uint32_t picker_n_reachable(const struct picker *p)
{
    uint32_t n = p->pickable.count;

    if (p->base > 0) {
        return n;
    }
    for (uint32_t prio = 0; prio < PICKER_PRIO_MAX; prio++) {
        n -= p->order.count[prio * PICKER_LEVELS + (uint32_t)-p->base];
    }
    return n;
}

/* Set bits of a byte of up to three maps. */
static uint8_t picker_scan_byte(const struct bits *a, const struct bits *b,
                                const struct bits *c, size_t at)
{
    return (uint8_t)(a->p[at] & b->p[at] & (c ? c->p[at] : 0xff));
}

/* Eight bytes at once; only "none" and "some" are told apart. */
static bool picker_scan_is_empty(const struct bits *a, const struct bits *b,
                                 const struct bits *c, size_t at)
{
    uint64_t x = 0;
    uint64_t y = 0;
    uint64_t z = UINT64_MAX;

    memcpy(&x, a->p + at, sizeof(x));
    memcpy(&y, b->p + at, sizeof(y));
    if (c) {
        memcpy(&z, c->p + at, sizeof(z));
    }
    return (x & y & z) == 0;
}

/* The next index in all maps; their length when there is none. */
uint32_t picker_scan(const struct bits *a, const struct bits *b,
                     const struct bits *c, uint32_t from, uint64_t *work)
{
    size_t len = bits_bytes(a->n);
    size_t at = from >> 3;

    BTC_ASSERT(a->n == b->n && (!c || a->n == c->n));
    if (from >= a->n) {
        return a->n;
    }
    unsigned byte = picker_scan_byte(a, b, c, at) & (0xffu >> (from & 7));
    while (byte == 0) {
        at++;
        while (len - at >= 8 && picker_scan_is_empty(a, b, c, at)) {
            at += 8;
        }
        if (at >= len) {
            break;
        }
        byte = picker_scan_byte(a, b, c, at);
    }
    if (work) {
        *work += (at - (from >> 3)) / 8 + 1;
    }
    /* Spare bits are zero in every map. */
    return byte == 0 ? a->n
                     : (uint32_t)at * 8 + (uint32_t)__builtin_clz(byte) - 24;
}
