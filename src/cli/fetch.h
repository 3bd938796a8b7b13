/* A magnet becomes a torrent: by the database that knows it, or by peers. */
#ifndef BTC_CLI_FETCH_H
#define BTC_CLI_FETCH_H

#include "cli/cli.h"

/* Puts the torrent in the place of the magnet *s; what is none stays as it is.
 * Nothing is left behind in the database of --db. Exit status; a failure is
 * said. */
int cli_fetch(struct cli *c, struct btc_source **s);

#endif
