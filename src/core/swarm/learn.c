/* A magnet's content is known now. The connections that brought it stay: what
 * each peer has said of its pieces counts from now on, and it hears what we
 * have and serve.
 */
#include "base/err.h"
#include "core/swarm/internal.h"
#include "core/swarm/outcome.h"

/* What we have. It was told that we have nothing, so each piece is said. */
static void learn_put_have(struct swarm *w, struct peer *p)
{
    const struct bits *have = content_have(w->content);
    if (peer_is_seed(p)) {
        return; /* see swarm_piece_verified */
    }
    BITS_EACH (i, have) {
        (void)peer_put_piece_idx(p, WIRE_HAVE, i);
    }
}

/* One connection. Whoever has said what does not fit the torrent goes; one of
 * which too much was said to be remembered is dialled again. */
static void learn_peer(struct swarm *w, struct peer *p)
{
    int err = have_join(w, p);
    if (err < 0) {
        conns_close(w, p, true, err);
        return;
    }
    learn_put_have(w, p);
    if (p->ext.on) {
        handshake_put_ext(w, p); /* metadata is served now */
    }
    upload_grant_fast(w, p);
    slots_output(w, p);
}

/* BEP 27: a peer of a private torrent comes from its tracker, from the user, or
 * by itself. Where those of an earlier run came from is not known any more. */
static bool learn_is_of_private(enum peer_source source)
{
    return source == PEER_SOURCE_TRACKER || source == PEER_SOURCE_USER ||
           source == PEER_SOURCE_INCOMING;
}

void swarm_set_private(struct swarm *w)
{
    struct peer *p;
    w->extend.use_pex = w->extend.use_dht = false;
    SWARM_EACH_PEER(p, w)
    {
        const struct peerset_entry *e = peerset_get(w->peerset, p->id);
        peer_end_pex(p);
        if (e != NULL && !learn_is_of_private(e->source)) {
            p->record.broke = "is no peer of a private torrent: we closed";
            conns_close(w, p, true, BTC_E_CANCELLED);
        }
    }
    for (uint32_t i = 0; i < peerset_count(w->peerset); i++) {
        const struct peerset_entry *e = peerset_at(w->peerset, i);
        if (!learn_is_of_private(e->source)) {
            peerset_set_undialable(w->peerset, e->id);
            actions_fact(w->actions, FACT_PEER, 0, e->id);
        }
    }
}

void swarm_learn(struct swarm *w, struct content *content, struct slice info)
{
    struct peer *p;
    BTC_ASSERT(w->content == NULL);
    w->content = content;
    w->extend.info = info;
    w->extend.learned_ms = w->clock.now_ms;
    SWARM_EACH_PEER(p, w)
    {
        if (p->phase == PEER_ACTIVE) {
            learn_peer(w, p);
        }
    }
    swarm_wants_changed(w);
    request_fill_all(w);
    metadata_free(w->extend.metadata);
    w->extend.metadata = NULL;
    w->extend.is_whole = false;
}
