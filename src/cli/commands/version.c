/* btc version. */
#include "cli/commands/commands.h"
#include "front/json.h"

/* The version of the library, which is the program's. */
static int cli_version_run(struct cli *c)
{
    if (c->o.json) {
        json_t *o = front_json_object();
        json_object_set_new(o, "version", front_json_text(btc_version()));
        front_json_print(c->out, o);
    } else {
        fprintf(c->out, "btc %s\n", btc_version());
    }
    return 0;
}

const struct cli_command cli_version = {.name = "version",
                                        .args = "",
                                        .group = CLI_GROUP_TOOLS,
                                        .help = "show the version",
                                        .details = "Shows the version of btc.",
                                        .example = "btc version",
                                        .options =
                                            CLI_SET(HELP) | CLI_SET(JSON),
                                        .run = cli_version_run};
