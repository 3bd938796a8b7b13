/* The part of `btc why` on whom the data can come from: what happened with each
 * peer, and what each tracker said last. */
#ifndef BTC_CLI_COMMANDS_WHY_SOURCES_H
#define BTC_CLI_COMMANDS_WHY_SOURCES_H

#include "cli/rows.h"

/* Both add to an array of texts. The rows that they speak of, as a new
 * reference; NULL when they cannot be read. */
json_t *cli_why_peers(struct btc *b, int64_t id, json_t *reasons);
json_t *cli_why_trackers(struct btc *b, int64_t id, json_t *reasons);

#endif
