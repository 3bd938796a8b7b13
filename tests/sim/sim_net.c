/* Hosts and links: latency, bandwidth, cuts at arbitrary points, links that
 * break. Bytes of one side arrive in their order. */
#include "sim/sim_fake.h"
#include "sim/sim_node.h"

/* See sim.h. Every host has an IP of its own. */
void sim_host_init(struct sim *s, struct sim_host *h, uint64_t rate)
{
    uint32_t n = ++s->n_hosts;
    *h = (struct sim_host){.rate = rate, .latency_ms = 1 + sim_below(s, 30)};
    h->addr = (struct addr){
        .family = ADDR_V4,
        .port = 6881,
        .ip = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

/* Who listens there. */
static struct sim_host *sim_host_at(struct sim *s, const struct addr *a)
{
    for (struct sim_node *n = s->nodes; n != NULL; n = n->next) {
        if (addr_eq(&n->host.addr, a)) {
            return &n->host;
        }
    }
    for (struct sim_fake *f = s->fakes; f != NULL; f = f->next) {
        if (addr_eq(&f->host.addr, a)) {
            return &f->host;
        }
    }
    return NULL;
}

/* The side is told once that it is over. */
static void sim_side_end(struct sim *s, struct sim_side *side, int result)
{
    if (side->open) {
        side->open = false;
        side->on_close(side->ctx, s, result);
    }
}

/* The dial arrives at the other host. */
static void sim_on_dialled(struct sim *s, struct sim_event *e)
{
    struct sim_link *l = e->ctx;
    struct sim_host *to = l->side[1].host;
    if (!l->side[0].open) {
        return;
    }
    if (to == NULL || to->deaf || to->on_accept == NULL) {
        sim_side_end(s, &l->side[0], e->result);
        return;
    }
    l->side[1].open = true;
    to->on_accept(to->ctx, s, l);
    if (l->side[0].open) {
        l->side[0].on_open(l->side[0].ctx, s);
    }
}

/* See sim.h. */
struct sim_link *sim_dial(struct sim *s, struct sim_host *from,
                          const struct addr *to)
{
    struct sim_link *l = mem_zalloc(sizeof *l);
    struct sim_host *other = sim_host_at(s, to);
    l->next = s->links;
    s->links = l;
    l->side[0].host = from;
    l->side[0].open = true;
    l->side[1].host = other;
    l->latency_ms = from->latency_ms + (other != NULL ? other->latency_ms : 0);
    bool deaf = other == NULL || other->deaf;
    struct sim_event *e =
        sim_at(s, deaf ? SIM_DIAL_MS : l->latency_ms * 2ull, sim_on_dialled, l);
    e->result = deaf ? BTC_E_TIMEOUT : BTC_E_REFUSED;
    return l;
}

/* Both ends see it break. */
static void sim_link_break(struct sim *s, struct sim_link *l)
{
    sim_side_end(s, &l->side[0], BTC_E_CLOSED);
    sim_side_end(s, &l->side[1], BTC_E_CLOSED);
}

/* Bytes arrive, in one part or in several. */
static void sim_on_bytes(struct sim *s, struct sim_event *e)
{
    struct sim_link *l = e->ctx;
    struct sim_side *to = &l->side[e->id];
    size_t at = 0;
    if (to->open && sim_chance(s, s->cut_one_in)) {
        sim_link_break(s, l);
        return;
    }
    bool crumbs = e->len < 300 && sim_chance(s, 16);
    bool whole = sim_chance(s, 2);
    while (at < e->len && to->open) {
        size_t left = e->len - at;
        size_t n = crumbs              ? 1
                   : whole || left < 2 ? left
                                       : 1 + sim_below(s, (uint32_t)left);
        to->on_data(to->ctx, s, slice_of(e->data + at, n));
        at += n;
    }
}

/* See sim.h. */
uint64_t sim_send(struct sim *s, struct sim_link *l, uint32_t side,
                  struct slice data)
{
    struct sim_side *from = &l->side[side];
    struct sim_host *h = from->host;
    uint64_t us = s->now_ms * 1000;
    if (!from->open || data.len == 0) {
        return s->now_ms;
    }
    h->tx_us = (h->tx_us > us ? h->tx_us : us) +
               data.len * 1000000 / (h->rate > 0 ? h->rate : 1);
    uint64_t left = h->tx_us / 1000;
    uint64_t at = left + l->latency_ms;
    at = at > from->last_ms ? at : from->last_ms;
    from->last_ms = at;
    struct sim_event *e = sim_at(s, at - s->now_ms, sim_on_bytes, l);
    e->id = 1 - side;
    e->data = mem_dup(data.p, data.len);
    e->len = data.len;
    return left;
}

/* The close arrives behind the bytes. */
static void sim_on_closed(struct sim *s, struct sim_event *e)
{
    struct sim_link *l = e->ctx;
    sim_side_end(s, &l->side[e->id], BTC_E_CLOSED);
}

/* See sim.h. */
void sim_close(struct sim *s, struct sim_link *l, uint32_t side)
{
    struct sim_side *from = &l->side[side];
    if (!from->open) {
        return;
    }
    from->open = false;
    uint64_t at = s->now_ms + l->latency_ms;
    at = at > from->last_ms ? at : from->last_ms;
    sim_at(s, at - s->now_ms, sim_on_closed, l)->id = 1 - side;
}
