/* How other hosts are reached beside TCP and HTTP: the UDP sockets, the name
 * resolver, and what is spoken over them. Everything here may be absent (no UDP
 * on this machine) without harm to the rest.
 */
#ifndef BTC_ENGINE_REACH_H
#define BTC_ENGINE_REACH_H

#include "engine/internal.h"
#include "engine/neighbours.h"
#include "engine/nodes.h"
#include "engine/udp_trackers.h"

struct reach;

/* After the listener: UDP takes its port. Never NULL. */
struct reach *reach_open(struct engine *s, const struct tcp_host_options *host);
void reach_close(struct reach *r); /* NULL allowed */
struct udp_trackers *reach_udp_trackers(struct reach *r);
struct nodes *reach_nodes(struct reach *r); /* NULL: no DHT */
/* NULL: no local discovery. */
struct neighbours *reach_neighbours(struct reach *r);

#endif
