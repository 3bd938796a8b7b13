/* Incoming connections until their handshake says which torrent they are for,
 * and the download limit's grants. */
#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"
#include <stdlib.h>
#include <string.h>

/* Accepted; its handshake is awaited. */
struct incoming {
    struct engine *s;
    struct tcp_conn *conn;
    uint64_t since_ms;
    uint8_t bytes[WIRE_HANDSHAKE_LEN];
    size_t n;
    struct incoming *next;
};

/* Off the list; the conn is somebody else's or closed by the caller. */
static void incoming_drop(struct incoming *in)
{
    struct incoming **at = &in->s->incoming;
    while (*at != in) {
        at = &(*at)->next;
    }
    *at = in->next;
    in->s->n_incoming--;
    free(in);
}

/* The running torrent of an info hash. */
static struct engine_torrent *incoming_torrent(struct engine *s,
                                               const uint8_t *info_hash)
{
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        if (st->phase == PHASE_RUN &&
            memcmp(st->meta->info_hash, info_hash, SHA1_LEN) == 0) {
            return st;
        }
    }
    return NULL;
}

/* The handshake is whole: the connection goes to its torrent or away. What came
 * behind the handshake goes with it. */
static void incoming_route(struct incoming *in, struct slice rest)
{
    struct engine *s = in->s;
    struct tcp_conn *c = in->conn;
    struct wire_decoder d;
    struct wire_msg m;
    wire_decoder_init(&d);
    ptrdiff_t n = wire_decode(&d, slice_of(in->bytes, in->n), &m);
    incoming_drop(in);
    struct engine_torrent *st =
        n > 0 ? incoming_torrent(s, m.handshake.info_hash) : NULL;
    uint32_t id = st != NULL ? torrent_new_conn(st->t, tcp_remote(c),
                                                loop_now_ms(s->loop))
                             : 0;
    if (id == 0) {
        tcp_close(c);
        return;
    }
    engine_link_accepted(st, id, c);
    struct event ev = {.type = EVENT_ACCEPTED, .conn = id};
    ev.accepted.addr = *tcp_remote(c);
    ev.accepted.handshake = m.handshake;
    engine_event(st, &ev);
    if (rest.len > 0) {
        struct event data = {.type = EVENT_DATA, .conn = id, .data = rest};
        engine_event(st, &data);
    }
}

static void incoming_on_data(void *ctx, struct slice data)
{
    struct incoming *in = ctx;
    size_t want = sizeof in->bytes - in->n;
    size_t take = data.len < want ? data.len : want;
    memcpy(in->bytes + in->n, data.p, take);
    in->n += take;
    struct wire_decoder d;
    struct wire_msg m;
    wire_decoder_init(&d);
    if (wire_decode(&d, slice_of(in->bytes, in->n), &m) < 0) {
        struct tcp_conn *c = in->conn;
        incoming_drop(in);
        tcp_close(c);
    } else if (in->n == sizeof in->bytes) {
        incoming_route(in, slice_sub(data, take, data.len - take));
    }
}

static void incoming_on_close(void *ctx, int err)
{
    (void)err;
    incoming_drop(ctx);
}

/* Too many that have not said who they are: the oldest goes, for a crowd that
 * says nothing must not keep those out that do. New ones stand in front. */
static void incoming_drop_oldest(struct engine *s)
{
    struct incoming *in = s->incoming;
    while (in->next != NULL) {
        in = in->next;
    }
    struct tcp_conn *c = in->conn;
    incoming_drop(in);
    tcp_close(c);
}

static void incoming_on_accept(void *ctx, struct tcp_conn *c)
{
    static const struct tcp_callbacks callbacks = {
        .on_data = incoming_on_data, .on_close = incoming_on_close};
    struct engine *s = ctx;
    if (s->stopping) {
        tcp_close(c);
        return;
    }
    if (s->n_incoming >= ENGINE_MAX_INCOMING) {
        incoming_drop_oldest(s);
    }
    struct incoming *in = mem_zalloc(sizeof *in);
    in->s = s;
    in->conn = c;
    in->since_ms = loop_now_ms(s->loop);
    in->next = s->incoming;
    s->incoming = in;
    s->n_incoming++;
    tcp_set_callbacks(c, &callbacks, in);
}

/* Those that say nothing go. */
void engine_incoming_tick(struct engine *s)
{
    uint64_t now = loop_now_ms(s->loop);
    for (struct incoming *in = s->incoming; in != NULL;) {
        struct incoming *next = in->next;
        if (now - in->since_ms > ENGINE_HANDSHAKE_MS) {
            struct tcp_conn *c = in->conn;
            incoming_drop(in);
            tcp_close(c);
        }
        in = next;
    }
}

void engine_incoming_free(struct engine *s)
{
    for (struct incoming *in = s->incoming; in != NULL;) {
        struct incoming *next = in->next;
        tcp_close(in->conn);
        free(in);
        in = next;
    }
    s->incoming = NULL;
    s->n_incoming = 0;
}

/* See engine.h. A port that was not chosen is any free one. */
int engine_listen(struct engine *s, struct err *e)
{
    s->listener = tcp_listen(s->host, s->o.port, incoming_on_accept, s, e);
    if (s->listener == NULL) {
        return e != NULL && e->code != 0 ? e->code : BTC_E_NETWORK;
    }
    s->shared.swarm.port = tcp_listener_port(s->listener);
    log_write(LOG_INFO, "engine", "listening on port %u", s->shared.swarm.port);
    return 0;
}

bool engine_is_limited(const struct engine *s)
{
    return s->down_bucket.rate > 0 || s->n_limited > 0;
}

/* A bucket's tokens in equal parts; UINT64_MAX without a limit. */
static uint64_t grant_part(struct bucket *b, uint64_t n, uint64_t now)
{
    return b->rate > 0 && n > 0 ? bucket_available(b, now) / n : UINT64_MAX;
}

/* All connections share the run's limit, those of a torrent its own: what one
 * does not use is there again at the next turn. */
void engine_grant_reads(struct engine *s)
{
    uint64_t now = loop_now_ms(s->loop);
    uint64_t n = 0;
    for (const struct link *l = s->links; l != NULL; l = l->next) {
        l->st->n_granted = 0;
        n++;
    }
    for (const struct link *l = s->links; l != NULL; l = l->next) {
        l->st->n_granted++;
    }
    uint64_t all = grant_part(&s->down_bucket, n, now);
    for (const struct link *l = s->links; l != NULL; l = l->next) {
        uint64_t own = grant_part(&l->st->down_bucket, l->st->n_granted, now);
        if (l->conn != NULL) {
            tcp_grant_read(l->conn, own < all ? own : all);
        }
    }
}
