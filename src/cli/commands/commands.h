/* The descriptors of all commands: each stands in cli_<command>.c. */
#ifndef BTC_CLI_COMMANDS_COMMANDS_H
#define BTC_CLI_COMMANDS_COMMANDS_H

#include "cli/cli.h"

#define CLI_GROUP_FETCH "Download"
#define CLI_GROUP_LOOK  "Look"
#define CLI_GROUP_WISH  "Change"
#define CLI_GROUP_TOOLS "Tools"

extern const struct cli_command cli_get, cli_resume, cli_daemon, cli_status,
    cli_files, cli_peers, cli_trackers, cli_pieces, cli_log, cli_why, cli_add,
    cli_start, cli_pause, cli_rm, cli_move, cli_set, cli_info, cli_create,
    cli_verify, cli_db, cli_help, cli_version;

#endif
