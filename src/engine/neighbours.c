/* Local service discovery in a run; see neighbours.h. */
#include "engine/neighbours.h"

#include "base/log.h"
#include "base/mem.h"
#include "engine/turn.h"
#include "net/multicast.h"
#include <stdlib.h>

#define NEIGHBOURS_REFRESH_MS 60000u /* interfaces are looked at this often */

struct neighbours {
    struct engine *s;             /* borrows */
    struct tcp_host_options host; /* --bind */
    struct multicast *net;        /* owns; NULL: not started, or no socket */
    bool is_started;              /* a torrent that is not private has run */
    struct lan *lan;              /* owns */
    uint64_t refresh_ms;          /* the next look at the interfaces */
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
    if (s->shared.swarm.port == 0) {
        return NULL;
    }
    struct neighbours *n = mem_zalloc(sizeof(*n));
    n->s = s;
    n->host = *host;
    n->lan = lan_new(&s->rng);
    return n;
}

/* The first torrent that may be announced: until then we are not even a member
 * of the groups. */
static void neighbours_start(struct neighbours *n)
{
    struct multicast_options o = {
        .host = &n->host, .fn = neighbours_on_datagram, .ctx = n};
    struct err e = {0};
    if (n->is_started) {
        return;
    }
    n->is_started = true;
    n->refresh_ms = loop_now_ms(n->s->loop) + NEIGHBOURS_REFRESH_MS;
    (void)addr_parse_ip(slice_str(LSD_GROUP_V4), LSD_PORT, &o.groups[0]);
    (void)addr_parse_ip(slice_str(LSD_GROUP_V6), LSD_PORT, &o.groups[1]);
    n->net = multicast_new(n->s->loop, &o, &e);
    if (n->net == NULL) {
        log_write(LOG_INFO, "lsd", "no search in the local network: %s", e.msg);
    }
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
    if (n == NULL || st->row.is_private) {
        return;
    }
    neighbours_start(n);
    if (n->net != NULL) {
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
    if (n == NULL || n->net == NULL) {
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
    return n != NULL && n->net != NULL && !st->row.is_private &&
           lan_has_hope(&st->watch.search.lan, loop_now_ms(n->s->loop));
}
