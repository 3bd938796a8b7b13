/* Shares of a limited upload: which peer is served next, and how much of the
 * run's limit a torrent may use.
 *
 * Each peer has a turn, a number of bytes that grows with what it is sent; who
 * waits with the smallest turn is next (start-time fair queueing). Somebody who
 * did not wait for a while goes on at the turn of the last one served, so that
 * it neither pays nor is paid for its pause. What one connection of a host
 * gets, all of that host's have had: more connections are not more shares. A
 * run of requests is as short as the limit is low: else one peer would get all
 * of a second.
 *
 * Torrents share the limit of the run in equal parts while several want more
 * than there is. A part that its torrent leaves over stays in the bucket, and
 * when the bucket is half full anybody may take it.
 */
#include "base/num.h"
#include "core/swarm/internal.h"

#define SHARE_RUNS_A_SECOND 64    /* of a limit, if requests are that short */
#define SHARE_MIN_BYTES     65536 /* under way for one peer */
#define SHARE_MAX_RANGES    1024  /* of files, under way for one peer ... */
#define SHARE_FEW_RANGES    16    /* ... if a request has more than this */
#define SHARE_EPOCH_MS      500   /* torrents that wait are counted anew */
#define SHARE_UNIT          1000  /* of a quota: thousandths, as in a bucket */
#define SHARE_QUOTA_MS      500   /* a quota goes on filling for so long */

/* The lower of the two limits; 0 = none. */
uint64_t share_limit(const struct swarm *w)
{
    uint64_t all = w->shared->up.rate;
    uint64_t own = w->up.bucket.rate;

    if (all == 0 || own == 0) {
        return num_max(all, own);
    }
    return num_min_u64(all, own);
}

/* Bytes of a peer that may be under way. */
static uint32_t share_inflight(const struct swarm *w)
{
    uint64_t limit = share_limit(w);

    if (limit == 0) {
        return PEER_UPLOAD_BYTES;
    }
    limit = num_min_u64(limit, PEER_UPLOAD_BYTES);
    return (uint32_t)num_max(limit, SHARE_MIN_BYTES);
}

uint32_t share_run(const struct swarm *w)
{
    uint64_t limit = share_limit(w);

    if (limit == 0) {
        return UPLOAD_RUN;
    }
    return (uint32_t)num_min_u64(limit / SHARE_RUNS_A_SECOND, UPLOAD_RUN);
}

uint32_t share_ranges(const struct swarm *w, const struct wire_block *b)
{
    const struct layout *g = content_layout(w->content);
    uint64_t at = layout_piece_offset(g, b->piece) + b->begin;

    return layout_file_at(g, at + b->len - 1) - layout_file_at(g, at) + 1;
}

/* What waits in a connection is bounded by ranges of files, too: a block of a
 * torrent of tiny files has hundreds of them. One job may always go. */
static bool share_has_ranges(const struct swarm *w, const struct peer *p)
{
    uint32_t n = share_ranges(w, peer_up_at(p, 0));

    return p->up.jobs == 0 || n <= SHARE_FEW_RANGES ||
           (p->up.jobs + 1) * num_max(n, SHARE_RUN_RANGES) <= SHARE_MAX_RANGES;
}

bool share_may_start(const struct swarm *w, const struct peer *p)
{
    return p->up.n > 0 && p->up.jobs < PEER_UPLOAD_JOBS &&
           p->up.inflight < share_inflight(w) && p->phase == PEER_ACTIVE &&
           w->mode != SWARM_OFF && share_has_ranges(w, p);
}

/* This torrent's part of the run's limit is used up, and others want theirs. */
static bool share_is_spent(struct swarm *w)
{
    const struct bucket *all = &w->shared->up;

    return all->rate > 0 && w->shared->share.n_waiting > 1 &&
           w->up.quota <= 0 &&
           bucket_available(&w->shared->up, w->clock.now_ms) < all->rate / 4;
}

bool share_has_room(struct swarm *w)
{
    uint64_t now_ms = w->clock.now_ms;

    return bucket_available(&w->shared->up, now_ms) > 0 &&
           bucket_available(&w->up.bucket, now_ms) > 0 && !share_is_spent(w);
}

struct peer *share_next(struct swarm *w)
{
    struct peer *p, *best = NULL;
    SWARM_EACH_PEER(p, w)
    {
        if (share_may_start(w, p) &&
            (best == NULL || p->up.turn < best->up.turn)) {
            best = p;
        }
    }
    return best;
}

/* The others of its host go on where it does. */
static void share_take_host(struct swarm *w, const struct peer *p)
{
    struct peer *q;
    SWARM_EACH_PEER(q, w)
    {
        if (!q->am_choking && addr_eq_host(&q->addr, &p->addr)) {
            q->up.turn = p->up.turn;
        }
    }
}

void share_take(struct swarm *w, struct peer *p, uint32_t len)
{
    uint64_t turn = num_max_u64(p->up.turn, w->up.turn);

    bucket_take(&w->shared->up, len);
    bucket_take(&w->up.bucket, len);
    if (w->shared->up.rate > 0) {
        w->up.quota -= (int64_t)len * SHARE_UNIT;
    }
    w->up.turn = turn;
    p->up.turn = turn + len;
    if (share_limit(w) > 0) {
        share_take_host(w, p);
    }
}

/* How many torrents wait is what was counted in the last epoch, or is already
 * more in this one. */
static void share_count(struct swarm *w)
{
    struct swarm_share *s = &w->shared->share;

    if (w->clock.now_ms - s->epoch_ms >= SHARE_EPOCH_MS) {
        s->epoch_ms = w->clock.now_ms;
        s->epoch++;
        s->n_waiting = s->n_counted;
        s->n_counted = 0;
    }
    if (w->up.epoch != s->epoch && share_next(w) != NULL) {
        w->up.epoch = s->epoch;
        s->n_counted++;
        if (s->n_waiting < s->n_counted) {
            s->n_waiting = s->n_counted;
        }
    }
}

void share_tick(struct swarm *w, uint64_t elapsed_ms)
{
    uint64_t rate = w->shared->up.rate;

    if (rate == 0) {
        return;
    }
    share_count(w);
    uint64_t parts = num_max(w->shared->share.n_waiting, 1);
    rate = num_min_u64(rate, INT64_MAX / SHARE_QUOTA_MS / 4);
    int64_t most = (int64_t)(rate * SHARE_QUOTA_MS);
    w->up.quota +=
        (int64_t)(rate * num_min_u64(elapsed_ms, SHARE_QUOTA_MS) / parts);
    if (w->up.quota > most) {
        w->up.quota = most;
    }
}
