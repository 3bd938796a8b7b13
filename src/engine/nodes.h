/* Our node of the distributed hash table in a run: core/dht over the shared UDP
 * sockets, its nodes in the journal, its bootstrap hosts looked up.
 *
 * Torrents that run and are not private are searched for, again and again, and
 * announced; peers come to their core as those of the source `dht`. Before the
 * first of them runs, nothing is sent and nobody is answered: beside private
 * torrents alone the DHT is silent.
 */
#ifndef BTC_ENGINE_NODES_H
#define BTC_ENGINE_NODES_H

#include "engine/internal.h"
#include "net/resolve.h"
#include "net/udp.h"

struct nodes;

/* While the run has the database still; NULL when there is no UDP. */
struct nodes *nodes_open(struct engine *s, struct udp *udp,
                         struct resolve *resolve);
/* What is to be saved goes to the database thread. NULL allowed, as below. */
void nodes_close(struct nodes *n);
/* The torrent runs: looks for its peers when that is due. Once a second. */
void nodes_second(struct nodes *n, struct engine_torrent *st);
/* The DHT may still find peers of it: some node is known or looked for, and the
 * torrent was not searched for in vain several times. */
bool nodes_has_hope(const struct nodes *n, const struct engine_torrent *st);
/* A peer has a node there. */
void nodes_add(struct nodes *n, const struct addr *a);

#endif
