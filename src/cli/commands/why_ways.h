/* The part of `btc why` on how peers are looked for beside trackers. */
#ifndef BTC_CLI_COMMANDS_WHY_WAYS_H
#define BTC_CLI_COMMANDS_WHY_WAYS_H

#include "cli/rows.h"

/* Adds what is to be said of the ways of a torrent to an array of texts (NULL:
 * nothing is said). The rows of way_list for it, as a new reference; NULL when
 * they cannot be read. */
json_t *cli_why_ways(struct btc *b, int64_t id, bool is_private,
                     json_t *reasons);

#endif
