/* Which pieces each peer has: BITFIELD, HAVE and the like, and what follows
 * from them. As long as nobody knows the pieces, what is said is remembered
 * (early.h).
 */
#include "base/err.h"
#include "core/swarm/internal.h"
#include "core/swarm/outcome.h"
#include "model/names.h"

/* Bytes that are remembered of all peers together. */
#define HAVE_EARLY_MAX (16u << 20)

/* It is a seed now, or none any more. */
static void have_count_seed(struct swarm *w, struct peer *p, bool was_seed)
{
    bool is_seed = peer_is_seed(p);
    slots_set_lacking(w, p, !is_seed);
    if (is_seed == was_seed) {
        return;
    }
    if (is_seed) {
        w->count.seeds++;
    } else {
        w->count.seeds--;
    }
    struct peerset_entry *e = peerset_get(w->peerset, p->id);
    if (e != NULL) {
        e->is_seed = is_seed;
    }
}

/* As long as nobody knows the pieces any of them will do: peers give their
 * slots out every ten seconds, and whoever says late that it is interested
 * waits for the next turn. */
static bool have_is_wanted(const struct swarm *w, const struct peer *p)
{
    if (w->content == NULL) {
        return w->mode == SWARM_DOWNLOADING &&
               (p->am_interested || early_has_any(&p->have.early));
    }
    return w->mode != SWARM_OFF &&
           content_is_interesting(w->content, &p->have.bits);
}

void have_interest(struct swarm *w, struct peer *p)
{
    bool want = have_is_wanted(w, p);
    if (want == p->am_interested) {
        return;
    }
    p->am_interested = want;
    if (want) {
        p->window.blink_ms = 0; /* an UNCHOKE is the answer to this */
        (void)peer_put_simple(p, WIRE_INTERESTED);
    } else {
        (void)peer_put_simple(p, WIRE_NOT_INTERESTED);
    }
    slots_output(w, p);
}

/* After any change of what it has. */
static void have_changed(struct swarm *w, struct peer *p, bool was_seed)
{
    have_count_seed(w, p, was_seed);
    have_interest(w, p);
    request_fill(w, p);
}

/* --- before the pieces are known --- */

void have_forget_early(struct swarm *w, struct peer *p)
{
    w->extend.early_len -= p->have.early.len;
    early_fini(&p->have.early);
}

/* What is remembered has grown. A peer for which there is no room is dialled
 * again when the pieces are known; until then it may go on with metadata. */
static void have_count_early(struct swarm *w, struct peer *p, uint32_t before)
{
    w->extend.early_len += p->have.early.len - before;
    if (w->extend.early_len > HAVE_EARLY_MAX) {
        have_forget_early(w, p);
        early_lose(&p->have.early);
    }
}

int have_early(struct swarm *w, struct peer *p, const struct wire_msg *m)
{
    struct early *e = &p->have.early;
    uint32_t before = e->len;
    int err = 0;
    if ((m->type == WIRE_HAVE_ALL || m->type == WIRE_HAVE_NONE) &&
        !p->fast.on) {
        return BTC_E_PROTO;
    }
    if (m->type == WIRE_BITFIELD) {
        err = early_bitfield(e, m->bitfield);
    } else if (m->type == WIRE_HAVE_ALL) {
        err = early_all(e);
    } else if (m->type == WIRE_HAVE_NONE) {
        err = early_none(e);
    } else {
        err = early_have(e, m->piece);
    }
    have_count_early(w, p, before);
    if (err == 0) {
        have_interest(w, p);
    }
    return err;
}

/* --- with content --- */

int have_join(struct swarm *w, struct peer *p)
{
    uint32_t n = content_layout(w->content)->n_pieces;
    int err = bits_init(&p->have.bits, n);
    BTC_ASSERT(err == 0);
    wire_decoder_set_pieces(&p->wire.decoder, n);
    err = early_load(&p->have.early, &p->have.bits);
    p->have.told = p->have.early.told;
    have_forget_early(w, p);
    content_peer_joined(w->content, &p->have.bits);
    p->have.counted = true;
    have_count_seed(w, p, false);
    for (uint32_t i = 0; err == 0 && i < p->fast.n_in; i++) {
        if (p->fast.in[i] >= n) {
            err = BTC_E_PROTO;
        }
    }
    if (err == BTC_E_PROTO) {
        p->record.broke = outcome_of_message(WIRE_BITFIELD);
    }
    return err;
}

/* aria2 says a BITFIELD again where many HAVEs would be longer, and HAVE_ALL
 * when it is done. What would let five bytes cost a walk over all pieces, again
 * and again, is not heard: all after all, none after anything. */
int have_map(struct swarm *w, struct peer *p, const struct wire_msg *m)
{
    bool was_seed = peer_is_seed(p);
    if ((m->type != WIRE_BITFIELD && !p->fast.on) ||
        (m->type == WIRE_HAVE_NONE && p->have.told)) {
        return BTC_E_PROTO;
    }
    if (m->type == WIRE_HAVE_ALL && was_seed) {
        return 0;
    }
    p->have.told = true;
    content_peer_left(w->content, &p->have.bits);
    int err = 0;
    if (m->type == WIRE_BITFIELD) {
        err = bits_load(&p->have.bits, m->bitfield);
    } else if (m->type == WIRE_HAVE_ALL) {
        bits_fill(&p->have.bits);
    } else {
        bits_zero(&p->have.bits);
    }
    content_peer_joined(w->content, &p->have.bits);
    if (err == 0) {
        have_changed(w, p, was_seed);
    }
    return err;
}

/* One that we do not want changes nothing that we would ask: a walk over all
 * pieces for five bytes is not for them to cause. */
int have_piece(struct swarm *w, struct peer *p, uint32_t piece)
{
    if (!layout_has_piece(content_layout(w->content), piece)) {
        return BTC_E_PROTO;
    }
    if (bits_get(&p->have.bits, piece)) {
        return 0;
    }
    /* The picker counts full maps apart, so the last bit goes the long way. */
    if (p->have.bits.count + 1 == p->have.bits.n) {
        content_peer_left(w->content, &p->have.bits);
        bits_set(&p->have.bits, piece);
        content_peer_joined(w->content, &p->have.bits);
    } else {
        bits_set(&p->have.bits, piece);
        content_peer_has(w->content, piece);
    }
    if (peer_is_seed(p) || content_is_todo(w->content, piece)) {
        have_changed(w, p, false);
    }
    return 0;
}
