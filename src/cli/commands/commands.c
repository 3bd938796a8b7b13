/* The table of commands, in the order of `btc help`. */
#include "cli/commands/commands.h"

const struct cli_command *const cli_commands[] = {
    &cli_get,   &cli_resume,   &cli_daemon, &cli_status, &cli_files,
    &cli_peers, &cli_trackers, &cli_pieces, &cli_log,    &cli_why,
    &cli_add,   &cli_start,    &cli_pause,  &cli_rm,     &cli_move,
    &cli_set,   &cli_info,     &cli_create, &cli_verify, &cli_db,
    &cli_help,  &cli_version,  NULL};
