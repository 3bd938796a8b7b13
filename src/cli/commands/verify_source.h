/* btc verify SRC -d DIR. */
#ifndef BTC_CLI_COMMANDS_VERIFY_SOURCE_H
#define BTC_CLI_COMMANDS_VERIFY_SOURCE_H

#include "cli/cli.h"

/* Hashes the data below --dir against the torrent that the one argument names;
 * a table of its files, or an object. No database is opened. Exit status. */
int cli_verify_source(struct cli *c);

#endif
