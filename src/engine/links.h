/* The connections of a torrent's peers: data in, data out, by conn id. */
#ifndef BTC_ENGINE_LINKS_H
#define BTC_ENGINE_LINKS_H

#include "engine/internal.h"

/* One connection between a conn and a torrent's peer. */
struct link {
    struct engine_torrent *st; /* borrows */
    struct tcp_conn *conn;     /* NULL once closed */
    uint32_t id;               /* conn id of the torrent */
    uint32_t refs;             /* 1 for the table + uploads under way */
    struct link *next, *prev;  /* of all links, for read grants */
};

/* ACTION_CONNECT; when it fails at once the core hears so. */
void links_connect(struct engine_torrent *st, uint32_t id,
                   const struct addr *a);
/* An accepted connection becomes the torrent's. */
void links_accept(struct engine_torrent *st, uint32_t id, struct tcp_conn *c);
/* The number of pieces is known now: what each connection may hold grows. */
void links_set_pieces(struct engine_torrent *st);
/* The link of a conn id; NULL when it is gone. */
struct link *links_find(struct engine_torrent *st, uint32_t id);
/* Whoever holds a link across a job keeps its memory. */
struct link *links_ref(struct link *l);
void links_unref(struct link *l);
void links_send(struct engine_torrent *st, uint32_t id, struct slice data);
void links_close(struct engine_torrent *st, uint32_t id);
void links_close_all(struct engine_torrent *st);

#endif
