/* Download limits and the limit of free space; see limits.h. */
#include "engine/limits.h"

#include "engine/links.h"

#define LIMITS_MIN_FREE (8u << 20)

bool limits_are_set(const struct engine *s)
{
    return s->net.down_bucket.rate > 0 || s->net.n_limited > 0;
}

void limits_count(struct engine_torrent *st)
{
    bool limited = st->net.down_bucket.rate > 0 && life_has_core(&st->life);
    if (limited && !st->net.limited) {
        st->s->net.n_limited++;
    } else if (!limited && st->net.limited) {
        st->s->net.n_limited--;
    }
    st->net.limited = limited;
}

void limits_forget(struct engine_torrent *st)
{
    if (st->net.limited) {
        st->s->net.n_limited--;
    }
    st->net.limited = false;
}

/* A bucket's tokens in equal parts; UINT64_MAX without a limit. */
static uint64_t grant_part(struct bucket *b, uint64_t n, uint64_t now)
{
    if (b->rate > 0 && n > 0) {
        return bucket_available(b, now) / n;
    }
    return UINT64_MAX;
}

/* All connections share the run's limit, those of a torrent its own: what one
 * does not use is there again at the next turn. */
void limits_grant(struct engine *s)
{
    uint64_t now = loop_now_ms(s->loop);
    uint64_t n = 0;
    for (const struct link *l = s->net.links; l != NULL; l = l->next) {
        l->st->net.n_granted = 0;
        n++;
    }
    for (const struct link *l = s->net.links; l != NULL; l = l->next) {
        l->st->net.n_granted++;
    }
    uint64_t all = grant_part(&s->net.down_bucket, n, now);
    for (const struct link *l = s->net.links; l != NULL; l = l->next) {
        uint64_t own =
            grant_part(&l->st->net.down_bucket, l->st->net.n_granted, now);
        if (l->conn != NULL) {
            tcp_grant_read(l->conn, own < all ? own : all);
        }
    }
}

/* Of a limited torrent a connection waits for its share. */
void limits_begin(struct engine_torrent *st, struct tcp_conn *c)
{
    if (st->s->net.down_bucket.rate > 0 || st->net.down_bucket.rate > 0) {
        tcp_grant_read(c, LIMITS_FIRST);
    }
}

void limits_take(struct engine_torrent *st, size_t n)
{
    bucket_take(&st->s->net.down_bucket, n);
    bucket_take(&st->net.down_bucket, n);
}

uint64_t limits_min_free(const struct engine *s)
{
    if (s->o.min_free == UINT64_MAX) {
        return 0;
    }
    if (s->o.min_free > 0) {
        return s->o.min_free;
    }
    return LIMITS_MIN_FREE;
}
