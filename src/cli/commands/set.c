/* btc set: wishes by name. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands/commands.h"
#include "cli/rows.h"
#include "front/json.h"

/* The keys there are, as an object. */
static int cli_set_list_json(struct cli *c)
{
    json_t *keys = json_object();
    json_t *o = front_json_object();

    for (const struct btc_key *k = btc_set_keys(); k->key != NULL; k++) {
        json_object_set_new(keys, k->key, json_string(k->help));
    }
    json_object_set_new(o, "keys", keys);
    front_json_print(c->out, o);
    return 0;
}

/* The keys there are, a line each. */
static int cli_set_list(struct cli *c)
{
    for (const struct btc_key *k = btc_set_keys(); k->key != NULL; k++) {
        fprintf(c->out, "  %-14s %s\n", k->key, k->help);
    }
    return 0;
}

/* btc_set or btc_set_check. */
typedef int cli_set_fn(struct btc *b, int64_t id, const char *key,
                       const char *value, struct btc_error *e);

/* One key=value for one torrent. */
static int cli_set_one(struct cli *c, struct btc *b, int64_t id,
                       const char *word, cli_set_fn *set)
{
    struct btc_error e = {0};
    struct front_text key = {0};
    size_t n = strcspn(word, "=");

    if (word[n] != '=' || n == 0) {
        return cli_fail_text(c, BTC_STATUS_USAGE,
                             "'%s' is not key=value; `btc set` alone lists the "
                             "keys",
                             word);
    }
    front_text_add(&key, word, n);
    int status = set(b, id, front_text_str(&key), word + n + 1, &e);
    front_text_free(&key);
    if (status != 0) {
        return cli_fail(c, &e);
    }
    return 0;
}

/* For programs: the torrent as it is wished now. */
static int cli_set_print(struct cli *c, struct btc *b, int64_t id)
{
    struct btc_error e = {0};
    struct cli_rows *rows = cli_rows_load(b, "progress", id, 0, &e);

    if (rows == NULL) {
        return cli_fail(c, &e);
    }
    front_json_print_rows(c->out, front_json_object(), "torrents",
                          cli_rows_all(rows), false);
    cli_rows_free(rows);
    return 0;
}

/* btc set [ID key=value...]. */
static int cli_set_run(struct cli *c)
{
    struct btc *b = NULL;
    struct btc_error e = {0};
    int64_t id = 0;

    if (c->n_args == 0) {
        if (c->o.json) {
            return cli_set_list_json(c);
        }
        return cli_set_list(c);
    }
    if (c->n_args == 1) {
        return cli_fail_text(c, BTC_STATUS_USAGE,
                             "something is missing: btc set ID key=value...; "
                             "`btc set` alone lists the keys");
    }
    int status = cli_open(c, 0, &b);
    if (status != 0) {
        return status;
    }
    if (btc_find(b, c->args[0], &id, &e) != 0) {
        status = cli_fail(c, &e);
    }
    for (size_t i = 1; status == 0 && i < c->n_args; i++) {
        status = cli_set_one(c, b, id, c->args[i], btc_set_check);
    }
    /* all can be set: none is before that is known */
    for (size_t i = 1; status == 0 && i < c->n_args; i++) {
        status = cli_set_one(c, b, id, c->args[i], btc_set);
    }
    if (status == 0 && c->o.json) {
        status = cli_set_print(c, b, id);
    }
    btc_close(b);
    return status;
}

const struct cli_command cli_set = {
    .name = "set",
    .args = "ID KEY=VALUE...",
    .group = CLI_GROUP_WISH,
    .help = "limits, priorities, seeding goals; alone: lists the keys",
    .details = "Sets what is wished of a torrent; `btc set` alone lists the "
               "keys. An engine that runs takes it up at once.",
    .example = "btc set 3 down=2M seed=ratio:1.5 priority.2=off",
    .options = CLI_SET_DB | CLI_SET(JSON),
    .max_args = CLI_ARGS_MANY,
    .run = cli_set_run};
