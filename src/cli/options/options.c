/* The options: setting one from its text. */
#include "cli/options/options.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/text.h"

/* Whether somebody gave this option a value. */
bool cli_options_has(const struct cli_options *o, enum cli_option_id id)
{
    return (o->given & CLI_OPTION_BIT(id)) != 0;
}

/* Keeps a copy. */
const char *cli_options_keep(struct cli_options *o, const char *text)
{
    o->owned = mem_resize(o->owned, o->n_owned + 1, sizeof(*o->owned));
    o->owned[o->n_owned] = mem_strdup(text);
    return o->owned[o->n_owned++];
}

/* Frees what the options own. */
void cli_options_fini(struct cli_options *o)
{
    for (size_t i = 0; i < o->n_owned; i++) {
        free(o->owned[i]);
    }
    free(o->owned);
    free(o->config_path);
    free(o->peers.items);
    free(o->trackers.items);
    free(o->web_seeds.items);
    free(o->dht_bootstrap.items);
    *o = (struct cli_options){0};
}

/* The option of that name. */
enum cli_option_id cli_options_find(const char *name)
{
    unsigned id = 0;

    while (id < CLI_OPTION_N && strcmp(cli_option_table[id].name, name) != 0) {
        id++;
    }
    return (enum cli_option_id)id;
}

/* The environment's name of an option. */
void cli_options_env(char out[CLI_OPTIONS_ENV_MAX], const char *name)
{
    snprintf(out, CLI_OPTIONS_ENV_MAX, "BTC_%s", name);
    for (; *out != '\0'; out++) {
        if (*out == '-') {
            *out = '_';
        } else if (*out >= 'a' && *out <= 'z') {
            *out = (char)(*out - 'a' + 'A');
        }
    }
}

/* Fills `e` for a value that is not allowed; gives USAGE. */
static int cli_options_refuse(const struct cli_option *opt, const char *value,
                              const struct cli_origin *from,
                              struct btc_error *e)
{
    char env[CLI_OPTIONS_ENV_MAX];
    char where[300];

    cli_options_env(env, opt->name);
    switch (from->layer) {
    case CLI_LAYER_OPTION:
        snprintf(where, sizeof(where), "option --%s", opt->name);
        break;
    case CLI_LAYER_ENVIRONMENT:
        snprintf(where, sizeof(where), "environment variable %s", env);
        break;
    case CLI_LAYER_FILE:
        snprintf(where, sizeof(where), "%.200s line %u, %s", from->file,
                 from->line, opt->name);
        break;
    }
    const char *allowed = opt->allowed;
    if (opt->type == CLI_TYPE_FLAG) {
        allowed = "true or false";
    }
    e->status = BTC_STATUS_USAGE;
    snprintf(e->message, sizeof(e->message),
             "%s: '%.80s' does not fit; allowed: %s", where, value, allowed);
    return BTC_STATUS_USAGE;
}

/* Decimal digits only. */
bool cli_options_parse_number(const char *text, uint64_t *out)
{
    uint64_t n = 0;

    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        unsigned digit = (unsigned)(*text - '0');
        if (n > (UINT64_MAX - digit) / 10) {
            return false;
        }
        n = n * 10 + digit;
    }
    *out = n;
    return true;
}

/* true, yes, on, 1 and their opposites. */
static bool cli_options_parse_bool(const char *text, bool *out)
{
    static const char *const words[] = {"false", "true", "no", "yes",
                                        "off",   "on",   "0",  "1"};

    for (unsigned i = 0; i < 8; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *out = i % 2 == 1;
            return true;
        }
    }
    return false;
}

/* The index of a word in "a|b|c". */
static bool cli_options_parse_choice(const char *text, const char *allowed,
                                     uint64_t *out)
{
    size_t len = strlen(text);

    for (*out = 0; allowed != NULL; ++*out) {
        size_t word = strcspn(allowed, "|");
        if (word == len && strncmp(allowed, text, len) == 0) {
            return true;
        }
        if (allowed[word] == '|') {
            allowed = allowed + word + 1;
        } else {
            allowed = NULL;
        }
    }
    return false;
}

/* Seconds of a duration, rounded up. */
static bool cli_options_parse_seconds(const char *text, uint64_t *out)
{
    uint64_t ms = 0;

    if (!btc_parse_duration_ms(text, &ms)) {
        return false;
    }
    *out = ms / 1000 + (ms % 1000 != 0);
    return *out <= INT64_MAX / 1000;
}

/* Whether a text is a seeding goal. */
static bool cli_options_is_seed(const char *text)
{
    uint64_t ms = 0;

    if (strcmp(text, "none") == 0 || strcmp(text, "forever") == 0) {
        return true;
    }
    if (strncmp(text, "time:", 5) == 0) {
        return btc_parse_duration_ms(text + 5, &ms);
    }
    if (strncmp(text, "ratio:", 6) != 0) {
        return false;
    }
    const char *digits = text + 6;
    size_t whole = strspn(digits, "0123456789");
    if (whole == 0 || whole > 6) {
        return false;
    }
    digits += whole;
    if (*digits == '.') {
        size_t part = strspn(digits + 1, "0123456789");
        if (part > 0) {
            digits += 1 + part;
        }
    }
    return *digits == '\0';
}

/* Parses a value that is a number in the end. */
static bool cli_options_parse(const struct cli_option *opt, const char *value,
                              uint64_t *n)
{
    bool ok = false;

    switch (opt->type) {
    case CLI_TYPE_NUMBER:
    case CLI_TYPE_REPEAT:
        ok = cli_options_parse_number(value, n);
        break;
    case CLI_TYPE_SIZE:
        ok = btc_parse_size(value, n);
        break;
    case CLI_TYPE_SECONDS:
        return cli_options_parse_seconds(value, n);
    case CLI_TYPE_CHOICE:
        return cli_options_parse_choice(value, opt->allowed, n);
    case CLI_TYPE_FLAG:
    case CLI_TYPE_TEXT:
    case CLI_TYPE_LIST:
    case CLI_TYPE_SEED:
        break;
    }
    return ok && *n >= opt->min && *n <= opt->max;
}

/* Appends to a list. */
static void cli_options_push(struct cli_list *list, const char *value)
{
    list->items = mem_resize(list->items, list->n + 1, sizeof(*list->items));
    list->items[list->n++] = value;
}

/* A list's value: one item of the command line or of a line of the file, words
 * of an environment variable. */
static void cli_options_set_list(struct cli_options *o, struct cli_list *list,
                                 const char *value,
                                 const struct cli_origin *from)
{
    if (from->layer != CLI_LAYER_ENVIRONMENT) {
        cli_options_push(list, value);
        return;
    }
    while (*value != '\0') {
        value += strspn(value, " \t\n");
        size_t n = strcspn(value, " \t\n");
        if (n > 0) {
            struct front_text word = {0};
            front_text_add(&word, value, n);
            cli_options_push(list, cli_options_keep(o, front_text_str(&word)));
            front_text_free(&word);
        }
        value += n;
    }
}

/* Sets one option. */
int cli_options_set(struct cli_options *o, enum cli_option_id id,
                    const char *value, const struct cli_origin *from,
                    struct btc_error *e)
{
    const struct cli_option *opt = &cli_option_table[id];
    void *field = (char *)o + opt->offset;
    uint64_t n = 0;
    bool ok = true;

    switch (opt->type) {
    case CLI_TYPE_FLAG:
        ok = cli_options_parse_bool(value, field);
        break;
    case CLI_TYPE_SEED:
        ok = cli_options_is_seed(value);
        if (ok) {
            *(const char **)field = value;
        }
        break;
    case CLI_TYPE_TEXT:
        ok = *value != '\0';
        *(const char **)field = value;
        break;
    case CLI_TYPE_LIST:
        cli_options_set_list(o, field, value, from);
        break;
    case CLI_TYPE_REPEAT:
    case CLI_TYPE_NUMBER:
    case CLI_TYPE_SIZE:
    case CLI_TYPE_SECONDS:
    case CLI_TYPE_CHOICE:
        ok = cli_options_parse(opt, value, &n);
        *(uint64_t *)field = n;
        break;
    }
    if (!ok) {
        return cli_options_refuse(opt, value, from, e);
    }
    o->given |= CLI_OPTION_BIT(id);
    return 0;
}
