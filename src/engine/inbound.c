/* Incoming connections; see inbound.h. */
#include "engine/inbound.h"

#include "base/log.h"
#include "base/mem.h"
#include "engine/drive.h"
#include "engine/links.h"
#include "engine/turn.h"

#include <stdlib.h>
#include <string.h>

#define INBOUND_HANDSHAKE_MS 20000 /* for the handshake of a connection */
#define INBOUND_MAX          200   /* without a handshake yet */

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
    struct incoming **at = &in->s->net.incoming;
    while (*at != in) {
        at = &(*at)->next;
    }
    *at = in->next;
    in->s->net.n_incoming--;
    free(in);
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
    struct engine_torrent *st = NULL;
    if (n > 0) {
        st = turn_find(s, m.handshake.info_hash);
    }
    if (st != NULL) {
        drive_drain(st); /* a slot that the core has freed is free here, too */
    }
    uint32_t id = 0;
    if (st != NULL) {
        id = torrent_new_conn(st->t, tcp_remote(c), loop_now_ms(s->loop));
    }
    if (id == 0) {
        if (st != NULL) {
            turn_touch(st); /* somebody may have left for another one */
        }
        tcp_close(c);
        return;
    }
    links_accept(st, id, c);
    struct event ev = {.type = EVENT_ACCEPTED, .conn = id};
    ev.accepted.addr = *tcp_remote(c);
    ev.accepted.handshake = m.handshake;
    turn_input(st, &ev);
    if (rest.len > 0) {
        struct event data = {.type = EVENT_DATA, .conn = id, .data = rest};
        turn_input(st, &data);
    }
}

static void incoming_on_data(void *ctx, struct slice data)
{
    struct incoming *in = ctx;
    size_t want = sizeof(in->bytes) - in->n;
    size_t take = want;
    if (data.len < want) {
        take = data.len;
    }
    memcpy(in->bytes + in->n, data.p, take);
    in->n += take;
    struct wire_decoder d;
    struct wire_msg m;
    wire_decoder_init(&d);
    if (wire_decode(&d, slice_of(in->bytes, in->n), &m) < 0) {
        struct tcp_conn *c = in->conn;
        incoming_drop(in);
        tcp_close(c);
    } else if (in->n == sizeof(in->bytes)) {
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
    struct incoming *in = s->net.incoming;
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
    if (turn_is_ending(s)) {
        tcp_close(c);
        return;
    }
    if (s->net.n_incoming >= INBOUND_MAX) {
        incoming_drop_oldest(s);
    }
    struct incoming *in = mem_zalloc(sizeof(*in));
    in->s = s;
    in->conn = c;
    in->since_ms = loop_now_ms(s->loop);
    in->next = s->net.incoming;
    s->net.incoming = in;
    s->net.n_incoming++;
    tcp_set_callbacks(c, &callbacks, in);
}

/* Those that say nothing go. */
void inbound_tick(struct engine *s)
{
    uint64_t now = loop_now_ms(s->loop);
    for (struct incoming *in = s->net.incoming; in != NULL;) {
        struct incoming *next = in->next;
        if (now - in->since_ms > INBOUND_HANDSHAKE_MS) {
            struct tcp_conn *c = in->conn;
            incoming_drop(in);
            tcp_close(c);
        }
        in = next;
    }
}

void inbound_free(struct engine *s)
{
    for (struct incoming *in = s->net.incoming; in != NULL;) {
        struct incoming *next = in->next;
        tcp_close(in->conn);
        free(in);
        in = next;
    }
    s->net.incoming = NULL;
    s->net.n_incoming = 0;
}

int inbound_listen(struct engine *s, struct err *e)
{
    s->net.listener =
        tcp_listen(s->net.host, s->o.port, incoming_on_accept, s, e);
    if (s->net.listener == NULL) {
        if (e != NULL && e->code != 0) {
            return e->code;
        }
        return BTC_E_NETWORK;
    }
    s->shared.swarm.port = tcp_listener_port(s->net.listener);
    log_write(LOG_INFO, "engine", "listening on port %u", s->shared.swarm.port);
    return 0;
}
