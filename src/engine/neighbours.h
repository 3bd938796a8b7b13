/* Peers of the local network (BEP 14, local service discovery) in a run: what
 * core/lan decides, over the multicast groups of both families.
 *
 * Torrents that run and are not private are announced; who announces one of
 * them comes to its core as a peer of the source `lsd`. Before the first of
 * them runs, no group is joined.
 */
#ifndef BTC_ENGINE_NEIGHBOURS_H
#define BTC_ENGINE_NEIGHBOURS_H

#include "engine/internal.h"

struct neighbours;

/* NULL when we listen on no port. */
struct neighbours *neighbours_open(struct engine *s,
                                   const struct tcp_host_options *host);
void neighbours_close(struct neighbours *n); /* NULL allowed, as below */
/* The torrent runs: it is announced when that is due. Once a second. */
void neighbours_second(struct neighbours *n, struct engine_torrent *st);
/* All torrents were seen in this second: what is due goes out. */
void neighbours_send(struct neighbours *n);
/* A neighbour may still answer the announces that were just made. */
bool neighbours_have_hope(const struct neighbours *n,
                          const struct engine_torrent *st);

#endif
