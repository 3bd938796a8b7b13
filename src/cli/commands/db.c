/* btc db: care of the database. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands/commands.h"
#include "front/json.h"

/* A problem that the check found. */
static int cli_db_problem(void *ctx, const struct btc_value *v, size_t n)
{
    struct cli *c = ctx;
    struct front_text line = {0};

    if (c->o.ndjson) {
        front_json_line(c->out, front_json_row(v, n));
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        char number[32];
        snprintf(number, sizeof(number), "%lld", (long long)v[i].i);
        front_text_puts(&line, i == 0 ? "" : "  ");
        if (v[i].type == BTC_TEXT) {
            front_text_clean(&line, v[i].text, c->out_screen.utf8);
        } else if (v[i].type == BTC_INT) {
            front_text_puts(&line, number);
        }
    }
    fprintf(c->out, "%s\n", front_text_str(&line));
    front_text_free(&line);
    return 0;
}

/* A problem as a row of an array. */
static int cli_db_keep(void *ctx, const struct btc_value *v, size_t n)
{
    json_array_append_new(ctx, front_json_row(v, n));
    return 0;
}

/* btc db check. */
static int cli_db_check(struct cli *c, struct btc *b)
{
    struct btc_error e = {0};
    json_t *problems = json_array();
    int status = c->o.json ? btc_db_check(b, cli_db_keep, problems, &e)
                           : btc_db_check(b, cli_db_problem, c, &e);

    if (c->o.json) {
        json_t *o = front_json_object();
        json_object_set(o, "problems", problems);
        json_object_set_new(o, "status", json_integer(status));
        if (status != 0) {
            json_object_set_new(o, "error",
                                front_json_error(status, e.message));
        }
        front_json_print(c->out, o);
    }
    json_decref(problems);
    if (status != 0) {
        e.status = status;
        cli_say_error(c, &e);
        return status;
    }
    cli_say(c, "%s is in order", btc_path(b));
    return 0;
}

/* A text as it is, or as the only value of an object. */
static void cli_db_print(struct cli *c, const char *key, const char *text)
{
    if (!c->o.json && !c->o.ndjson) {
        size_t n = strlen(text);
        fputs(text, c->out);
        fputs(n > 0 && text[n - 1] == '\n' ? "" : "\n", c->out);
        return;
    }
    json_t *o = front_json_object();
    json_object_set_new(o, key, front_json_text(text));
    if (c->o.json) {
        front_json_print(c->out, o);
    } else {
        front_json_line(c->out, o);
    }
}

/* btc db backup FILE. */
static int cli_db_backup(struct cli *c, struct btc *b)
{
    struct btc_error e = {0};

    if (btc_db_backup(b, c->args[1], &e) != 0) {
        return cli_fail(c, &e);
    }
    if (c->o.json || c->o.ndjson) {
        cli_db_print(c, "backup", c->args[1]);
    }
    cli_say(c, "saved as %s", c->args[1]);
    return 0;
}

/* btc db path. */
static int cli_db_path(struct cli *c)
{
    char *standard = c->o.db == NULL ? btc_default_db() : NULL;
    const char *path = c->o.db == NULL ? standard : c->o.db;

    if (path == NULL) {
        return cli_fail_text(c, BTC_STATUS_USAGE,
                             "there is no home folder to keep a database in: "
                             "say --db FILE or set XDG_STATE_HOME");
    }
    cli_db_print(c, "path", path);
    free(standard);
    return 0;
}

/* check and backup need the database itself. */
static int cli_db_with(struct cli *c, int (*fn)(struct cli *c, struct btc *b))
{
    struct btc *b = NULL;
    int status = cli_open(c, BTC_OPEN_READ_ONLY, &b);

    if (status == 0) {
        status = fn(c, b);
        btc_close(b);
    }
    return status;
}

/* btc db check|backup FILE|path|schema. */
static int cli_db_run(struct cli *c)
{
    const char *what = c->args[0];
    bool backup = strcmp(what, "backup") == 0;

    if (backup != (c->n_args == 2)) {
        return cli_fail_text(c, BTC_STATUS_USAGE, "%s",
                             backup ? "something is missing: btc db backup FILE"
                                    : "too many words: btc db "
                                      "check|backup FILE|path|schema");
    }
    if (backup) {
        return cli_db_with(c, cli_db_backup);
    }
    if (strcmp(what, "check") == 0) {
        return cli_db_with(c, cli_db_check);
    }
    if (strcmp(what, "path") == 0) {
        return cli_db_path(c);
    }
    if (strcmp(what, "schema") == 0) {
        cli_db_print(c, "sql", btc_db_schema());
        return 0;
    }
    return cli_fail_text(c, BTC_STATUS_USAGE,
                         "'%s' is none of check, backup, path, schema", what);
}

const struct cli_command cli_db = {
    .name = "db",
    .args = "check|backup FILE|path|schema",
    .group = CLI_GROUP_TOOLS,
    .help = "care of the database",
    .details = "check   looks for damage (exit 14)\n"
               "backup  writes a consistent copy while btc runs\n"
               "path    prints where the database is\n"
               "schema  prints its SQL",
    .example = "btc db backup ~/btc-backup.db",
    .options = CLI_SET_READ,
    .min_args = 1,
    .max_args = 2,
    .run = cli_db_run};
