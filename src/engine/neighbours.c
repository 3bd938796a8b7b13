/* Local service discovery in a run; see neighbours.h. */
#include "engine/neighbours.h"

#include "base/log.h"
#include "base/mem.h"
#include "engine/turn.h"
#include "net/multicast.h"
#include <stdlib.h>

#define NEIGHBOURS_REFRESH_MS 60000u /* interfaces are looked at this often */

struct neighbours {
    struct engine *s;      /* borrows */
    struct multicast *net; /* owns */
    struct lan *lan;       /* owns */
    uint64_t refresh_ms;   /* the next look at the interfaces */
};

/* Somebody announces torrents: those that are ours get a peer. */
static void neighbours_on_datagram(void *ctx, const struct addr *from,
                                   struct slice data)
{
    struct neighbours *n = ctx;
    struct lsd_announce a;
    if (!lan_take(n->lan, from, data, loop_now_ms(n->s->loop), &a)) {
        return;
    }
    for (uint32_t i = 0; i < a.n_hashes; i++) {
        struct engine_torrent *st = turn_find(n->s, a.info_hash[i]);
        if (st == NULL || st->row.is_private) {
            continue;
        }
        struct event ev = {.type = EVENT_PEER};
        ev.peer.addr = *from;
        ev.peer.addr.port = a.port;
        ev.peer.source = PEER_SOURCE_LSD;
        turn_input(st, &ev);
    }
}

struct neighbours *neighbours_open(struct engine *s,
                                   const struct tcp_host_options *host)
{
    struct multicast_options o = {.host = host, .fn = neighbours_on_datagram};
    struct err e = {0};
    (void)addr_parse_ip(slice_str(LSD_GROUP_V4), LSD_PORT, &o.groups[0]);
    (void)addr_parse_ip(slice_str(LSD_GROUP_V6), LSD_PORT, &o.groups[1]);
    if (s->shared.swarm.port == 0) {
        return NULL;
    }
    struct neighbours *n = mem_zalloc(sizeof(*n));
    n->s = s;
    n->refresh_ms = loop_now_ms(s->loop) + NEIGHBOURS_REFRESH_MS;
    o.ctx = n;
    n->net = multicast_new(s->loop, &o, &e);
    if (n->net == NULL) {
        log_write(LOG_INFO, "lsd", "no search in the local network: %s", e.msg);
        free(n);
        return NULL;
    }
    n->lan = lan_new(&s->rng);
    return n;
}

void neighbours_close(struct neighbours *n)
{
    if (n != NULL) {
        multicast_free(n->net);
        lan_free(n->lan);
        free(n);
    }
}

void neighbours_second(struct neighbours *n, struct engine_torrent *st)
{
    if (n != NULL && !st->row.is_private) {
        lan_offer(n->lan, &st->watch.search.lan, st->row.info_hash,
                  loop_now_ms(n->s->loop));
    }
}

/* The announce of one family. */
static void neighbours_send_family(struct neighbours *n,
                                   enum addr_family family)
{
    struct buf out;
    buf_init(&out, LSD_MAX_BYTES);
    if (lan_encode(n->lan, n->s->shared.swarm.port, family == ADDR_V6, &out) ==
        0) {
        (void)multicast_send(n->net, family, buf_slice(&out));
    }
    buf_fini(&out);
}

void neighbours_send(struct neighbours *n)
{
    if (n == NULL) {
        return;
    }
    uint64_t now = loop_now_ms(n->s->loop);
    if (now >= n->refresh_ms) {
        n->refresh_ms = now + NEIGHBOURS_REFRESH_MS;
        (void)multicast_refresh(n->net);
    }
    if (lan_is_due(n->lan, now)) {
        neighbours_send_family(n, ADDR_V4);
        neighbours_send_family(n, ADDR_V6);
        lan_sent(n->lan, now);
    }
}

bool neighbours_have_hope(const struct neighbours *n,
                          const struct engine_torrent *st)
{
    return n != NULL && !st->row.is_private &&
           lan_has_hope(&st->watch.search.lan, loop_now_ms(n->s->loop));
}
