/* The layers below the command line: the environment, then the config file. */
#include "cli/options/options.h"

#include <stdlib.h>

#include "base/mem.h"
#include "front/text.h"

/* The file that is looked at: --config, BTC_CONFIG, the XDG folder; free(). */
static char *cli_options_config_path(const struct cli_options *o, bool *must)
{
    const char *base = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    const char *named = getenv("BTC_CONFIG");
    struct front_text path = {0};

    *must = true;
    if (o->config != NULL) {
        return mem_strdup(o->config);
    }
    if (named != NULL && *named != '\0') {
        return mem_strdup(named);
    }
    *must = false;
    if (base != NULL && base[0] == '/') {
        front_text_puts(&path, base);
    } else if (home != NULL && home[0] == '/') {
        front_text_puts(&path, home);
        front_text_puts(&path, "/.config");
    } else {
        return NULL;
    }
    front_text_puts(&path, "/btc/btc.conf");
    return path.data;
}

/* Options that make sense on the command line alone. */
#define CLI_OPTIONS_TYPED                                                   \
    (CLI_OPTION_BIT(CLI_OPTION_HELP) | CLI_OPTION_BIT(CLI_OPTION_VERSION) | \
     CLI_OPTION_BIT(CLI_OPTION_CONFIG))

/* The options of `set` that the environment has and nobody gave yet. */
int cli_options_load_env(struct cli_options *o, uint64_t set,
                         struct btc_error *e)
{
    const struct cli_origin from = {.layer = CLI_LAYER_ENVIRONMENT};
    char name[CLI_OPTIONS_ENV_MAX];

    set &= ~(CLI_OPTIONS_TYPED | o->given);
    for (unsigned id = 0; id < CLI_OPTION_N; id++) {
        if ((set & CLI_OPTION_BIT(id)) == 0) {
            continue;
        }
        cli_options_env(name, cli_option_table[id].name);
        const char *value = getenv(name);
        if (value == NULL || *value == '\0') {
            continue; /* an empty variable is an unset one */
        }
        int status =
            cli_options_set(o, (enum cli_option_id)id, value, &from, e);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

/* The weaker layers, below what the command line gave. */
int cli_options_load(struct cli_options *o, uint64_t set, struct btc_error *e)
{
    bool must = false;

    set &= ~CLI_OPTIONS_TYPED;
    o->typed = o->given;
    int status = cli_options_load_env(o, set, e);
    if (status != 0) {
        return status;
    }
    free(o->config_path);
    o->config_path = cli_options_config_path(o, &must);
    if (o->config_path == NULL) {
        return 0;
    }
    return cli_config_load(o, o->config_path, must, set & ~o->given, e);
}
