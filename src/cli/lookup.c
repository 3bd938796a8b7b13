/* Commands by their names, and by what other programs call them. */
#include "cli/cli.h"

#include <string.h>

/* The command of that name. */
const struct cli_command *cli_command_find(const char *name)
{
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        if (strcmp(cli_commands[i]->name, name) == 0) {
            return cli_commands[i];
        }
    }
    return NULL;
}

/* The command that other programs call so; NULL = none. */
static const char *cli_command_elsewhere(const char *word)
{
    static const char *const names[][2] = {
        {"ls", "status"},      {"list", "status"},   {"show", "status"},
        {"download", "get"},   {"fetch", "get"},     {"dl", "get"},
        {"remove", "rm"},      {"delete", "rm"},     {"stop", "pause"},
        {"continue", "start"}, {"unpause", "start"}, {"run", "daemon"},
        {"check", "verify"},   {"hash", "verify"},   {"make", "create"}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i][0], word) == 0) {
            return names[i][1];
        }
    }
    return NULL;
}

/* The command that a word may be meant for; NULL = none. */
const char *cli_command_guess(const char *word)
{
    const char *names[40];
    size_t n = 0;

    for (; cli_commands[n] != NULL && n < 39; n++) {
        names[n] = cli_commands[n]->name;
    }
    names[n] = NULL;
    const char *known = cli_command_elsewhere(word);
    if (known != NULL) {
        return known;
    }
    return cli_options_nearest(word, names);
}
