/* The connections of a torrent's peers; see links.h.
 *
 * Conn ids have a generation, so a result for a connection that is gone is
 * dropped by the core.
 */
#include "engine/links.h"

#include "base/mem.h"
#include "engine/limits.h"
#include "engine/pipes.h"
#include "engine/turn.h"

#include <stdlib.h>

struct link *links_ref(struct link *l)
{
    l->refs++;
    return l;
}

/* The last reference goes with the memory. */
void links_unref(struct link *l)
{
    if (--l->refs == 0) {
        free(l);
    }
}

/* Out of the tables; uploads under way keep the memory. */
static void link_drop(struct link *l)
{
    struct engine_torrent *st = l->st;
    uint32_t slot = l->id & 0xffffu;
    if (st->net.links[slot] != l) {
        return;
    }
    st->net.links[slot] = NULL;
    if (l->next != NULL) {
        l->next->prev = l->prev;
    }
    if (l->prev != NULL) {
        l->prev->next = l->next;
    } else {
        st->s->net.links = l->next;
    }
    l->conn = NULL;
    links_unref(l);
}

static void link_on_open(void *ctx)
{
    struct link *l = ctx;
    struct event ev = {.type = EVENT_CONNECTED, .conn = l->id};
    turn_input(l->st, &ev);
}

static void link_on_data(void *ctx, struct slice data)
{
    struct link *l = ctx;
    limits_take(l->st, data.len);
    pipes_of(l->st)->bytes += data.len;
    struct event ev = {.type = EVENT_DATA, .conn = l->id, .data = data};
    turn_input(l->st, &ev);
}

static void link_on_close(void *ctx, int err)
{
    struct link *l = ctx;
    struct engine_torrent *st = l->st;
    struct event ev = {.type = EVENT_CLOSED, .conn = l->id, .result = err};
    link_drop(l);
    turn_input(st, &ev);
}

static const struct tcp_callbacks link_callbacks = {.on_open = link_on_open,
                                                    .on_data = link_on_data,
                                                    .on_close = link_on_close};

/* Room in the table for a slot. */
static void link_grow(struct torrent_net *net, uint32_t slot)
{
    uint32_t n = 16;
    if (net->n_links > 0) {
        n = net->n_links;
    }
    while (n <= slot) {
        n *= 2;
    }
    net->links = mem_resize(net->links, n, sizeof(struct link *));
    for (uint32_t i = net->n_links; i < n; i++) {
        net->links[i] = NULL;
    }
    net->n_links = n;
}

/* A link for a conn id. */
static struct link *link_new(struct engine_torrent *st, uint32_t id)
{
    uint32_t slot = id & 0xffffu;
    if (slot >= st->net.n_links) {
        link_grow(&st->net, slot);
    }
    BTC_ASSERT(st->net.links[slot] == NULL);
    struct link *l = mem_zalloc(sizeof(*l));
    l->st = st;
    l->id = id;
    l->refs = 1;
    l->next = st->s->net.links;
    if (l->next != NULL) {
        l->next->prev = l;
    }
    st->s->net.links = l;
    st->net.links[slot] = l;
    return l;
}

struct link *links_find(struct engine_torrent *st, uint32_t id)
{
    uint32_t slot = id & 0xffffu;
    if (slot >= st->net.n_links || st->net.links[slot] == NULL ||
        st->net.links[slot]->id != id) {
        return NULL;
    }
    return st->net.links[slot];
}

/* Besides the usual messages we have a bitfield to send. */
static void link_set_write_max(const struct link *l)
{
    tcp_set_write_max(l->conn, TCP_WRITE_MAX + l->st->geom.n_pieces / 8);
}

void links_set_pieces(struct engine_torrent *st)
{
    for (uint32_t i = 0; i < st->net.n_links; i++) {
        if (st->net.links[i] != NULL && st->net.links[i]->conn != NULL) {
            link_set_write_max(st->net.links[i]);
        }
    }
}

/* What a new connection may do. */
static void link_begin(const struct link *l)
{
    link_set_write_max(l);
    limits_begin(l->st, l->conn);
}

void links_accept(struct engine_torrent *st, uint32_t id, struct tcp_conn *c)
{
    struct link *l = link_new(st, id);
    l->conn = c;
    tcp_set_callbacks(c, &link_callbacks, l);
    link_begin(l);
}

void links_connect(struct engine_torrent *st, uint32_t id, const struct addr *a)
{
    int code = BTC_E_NETWORK;
    struct link *l = link_new(st, id);
    l->conn = tcp_connect(st->s->net.host, a, &link_callbacks, l, &code);
    if (l->conn == NULL) {
        struct event ev = {.type = EVENT_CLOSED, .conn = id, .result = code};
        link_drop(l);
        turn_input(st, &ev);
        return;
    }
    link_begin(l);
}

void links_send(struct engine_torrent *st, uint32_t id, struct slice data)
{
    struct link *l = links_find(st, id);
    if (l != NULL) {
        tcp_send(l->conn, data);
    }
}

/* Out of the tables first: closing calls nobody back then. */
static void link_close(struct link *l)
{
    struct tcp_conn *c = l->conn;
    link_drop(l);
    tcp_close(c);
}

void links_close(struct engine_torrent *st, uint32_t id)
{
    struct link *l = links_find(st, id);
    if (l != NULL) {
        link_close(l);
    }
}

void links_close_all(struct engine_torrent *st)
{
    for (uint32_t i = 0; i < st->net.n_links; i++) {
        if (st->net.links[i] != NULL) {
            link_close(st->net.links[i]);
        }
    }
}
