/* The mailbox of content: a ring of outcomes that the torrent empties. */
#include "base/vec.h"
#include "core/content/internal.h"

struct content_outcome *outcomes_post(struct content *c,
                                      enum content_outcome_type type)
{
    struct content_outcomes *o = &c->outcomes;
    o->ring =
        vec_ring_room(o->ring, o->n, &o->head, &o->cap, 16, sizeof *o->ring);
    struct content_outcome *out = &o->ring[(o->head + o->n) & (o->cap - 1)];
    o->n++;
    *out = (struct content_outcome){.type = type};
    return out;
}

void outcomes_post_free(struct content *c)
{
    if (!c->outcomes.has_free) {
        c->outcomes.has_free = true;
        (void)outcomes_post(c, CONTENT_BLOCKS_FREE);
    }
}

void outcomes_post_ban(struct content *c, uint32_t peer, const char *why)
{
    struct content_outcome *out = outcomes_post(c, CONTENT_BAN);
    out->peer = peer;
    out->text = why;
}

void outcomes_post_failed(struct content *c, int result, const char *text)
{
    if (c->state == CONTENT_BROKEN) {
        return;
    }
    if (c->state != CONTENT_STOPPING) {
        c->state = CONTENT_BROKEN;
    }
    struct content_outcome *out = outcomes_post(c, CONTENT_FAILED);
    out->result = result;
    out->text = text;
}

bool outcomes_next(struct content *c, struct content_outcome *out)
{
    struct content_outcomes *o = &c->outcomes;
    if (o->n == 0) {
        return false;
    }
    *out = o->ring[o->head];
    o->head = (o->head + 1) & (o->cap - 1);
    o->n--;
    if (out->type == CONTENT_BLOCKS_FREE) {
        o->has_free = false;
    }
    return true;
}

void outcomes_fini(struct content *c)
{
    free(c->outcomes.ring);
}
