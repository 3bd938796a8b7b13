/* btc db: care of the database. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
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
        if (i > 0) {
            front_text_puts(&line, "  ");
        }
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

/* btc db check. `made` is what a repair has made anew, NULL: there was none. */
static int cli_db_check(struct cli *c, struct btc *b, json_t *made)
{
    struct btc_error e = {0};
    json_t *problems = json_array();
    int status;

    if (c->o.json) {
        status = btc_db_check(b, cli_db_keep, problems, &e);
    } else {
        status = btc_db_check(b, cli_db_problem, c, &e);
    }
    if (c->o.json) {
        json_t *o = front_json_object();
        if (made != NULL) {
            json_object_set(o, "made", made);
        }
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
        if (n == 0 || text[n - 1] != '\n') {
            fputs("\n", c->out);
        }
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

/* What became of the database that stood there. */
static void cli_db_kept(struct cli *c, const char *path, char *kept)
{
    if (c->o.json || c->o.ndjson) {
        json_t *o = front_json_object();
        json_object_set_new(o, "database", front_json_text(path));
        json_object_set_new(o, "kept", front_json_text(kept));
        front_json_line(c->out, o);
    }
    if (kept == NULL) {
        return;
    }
    char *wal = mem_printf("%s-wal", kept);
    if (access(wal, F_OK) == 0) {
        cli_say(c, "what stood there is kept as %s and %s", kept, wal);
    } else {
        cli_say(c, "what stood there is kept as %s", kept);
    }
    free(wal);
}

/* Flags of the options that all commands with a database have. */
static unsigned cli_db_flags(const struct cli *c)
{
    if (c->o.allow_network_db) {
        return BTC_OPEN_NETWORK;
    }
    return 0;
}

/* btc db restore FILE. */
static int cli_db_restore(struct cli *c)
{
    struct btc_error e = {0};
    char *kept = NULL;
    if (btc_db_restore(c->o.db, c->args[1], cli_db_flags(c), &kept, &e) != 0) {
        return cli_fail(c, &e);
    }
    cli_db_kept(c, c->args[1], kept);
    cli_say(c,
            "restored from %s: data that it does not know is found again by "
            "`btc verify`, `btc resume` goes on",
            c->args[1]);
    free(kept);
    return 0;
}

/* btc db salvage. */
static int cli_db_salvage(struct cli *c)
{
    struct btc_error e = {0};
    struct btc_salvaged s = {0};
    if (btc_db_salvage(c->o.db, cli_db_flags(c), &s, &e) != 0) {
        free(s.kept);
        return cli_fail(c, &e);
    }
    cli_db_kept(c, c->o.db, s.kept);
    cli_say(c,
            "saved %lld torrents (%lld rows; %lld were of no use, %lld tables "
            "were torn): `btc resume` hashes what is on the disk and goes on",
            (long long)s.n_torrents, (long long)s.n_rows,
            (long long)s.n_refused, (long long)s.n_torn);
    free(s.kept);
    return 0;
}

/* Something was made anew. */
static int cli_db_made(void *ctx, const struct btc_value *v, size_t n)
{
    if (n > 0 && v->type == BTC_TEXT) {
        json_array_append_new(ctx, front_json_text(v->text));
    }
    return 0;
}

/* btc db check. */
static int cli_db_look(struct cli *c, struct btc *b)
{
    return cli_db_check(c, b, NULL);
}

/* btc db check --repair. */
static int cli_db_repair(struct cli *c, struct btc *b)
{
    struct btc_error e = {0};
    json_t *made = json_array();
    int64_t n = 0;
    int status = btc_db_mend(b, cli_db_made, made, &n, &e);
    if (status != 0) {
        status = cli_fail(c, &e);
    } else {
        for (size_t i = 0; i < json_array_size(made); i++) {
            cli_say(c, "made anew: %s",
                    json_string_value(json_array_get(made, i)));
        }
        cli_say(c, "%lld rows that belonged to nothing are gone", (long long)n);
        status = cli_db_check(c, b, made);
    }
    json_decref(made);
    return status;
}

/* btc db path. */
static int cli_db_path(struct cli *c)
{
    char *standard = NULL;
    if (c->o.db == NULL) {
        standard = btc_default_db();
    }
    const char *path = front_text_or(c->o.db, standard);

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
static int cli_db_with(struct cli *c, unsigned flags,
                       int (*fn)(struct cli *c, struct btc *b))
{
    struct btc *b = NULL;
    int status = cli_open(c, flags, &b);

    if (status == 0) {
        status = fn(c, b);
        btc_close(b);
    }
    return status;
}

/* The words behind `btc db`, and whether a file is named. */
enum cli_db_word {
    CLI_DB_CHECK,
    CLI_DB_BACKUP,
    CLI_DB_RESTORE,
    CLI_DB_SALVAGE,
    CLI_DB_PATH,
    CLI_DB_SCHEMA,
    CLI_DB_N_WORDS
};
static const struct {
    const char *word;
    bool has_file;
} cli_db_words[CLI_DB_N_WORDS] = {
    [CLI_DB_CHECK] = {"check", false},    [CLI_DB_BACKUP] = {"backup", true},
    [CLI_DB_RESTORE] = {"restore", true}, [CLI_DB_SALVAGE] = {"salvage", false},
    [CLI_DB_PATH] = {"path", false},      [CLI_DB_SCHEMA] = {"schema", false},
};

/* The word, or CLI_DB_N_WORDS. */
static enum cli_db_word cli_db_find(const char *word)
{
    size_t i = 0;
    while (i < CLI_DB_N_WORDS && strcmp(cli_db_words[i].word, word) != 0) {
        i++;
    }
    return (enum cli_db_word)i;
}

/* btc db WORD [FILE]. */
static int cli_db_run(struct cli *c)
{
    enum cli_db_word word = cli_db_find(c->args[0]);

    if (word == CLI_DB_N_WORDS) {
        return cli_fail_text(c, BTC_STATUS_USAGE,
                             "'%s' is none of check, backup, restore, salvage, "
                             "path, schema",
                             c->args[0]);
    }
    if (cli_db_words[word].has_file && c->n_args < 2) {
        return cli_fail_text(c, BTC_STATUS_USAGE,
                             "something is missing: btc db %s FILE",
                             c->args[0]);
    }
    if (!cli_db_words[word].has_file && c->n_args > 1) {
        return cli_fail_text(c, BTC_STATUS_USAGE,
                             "too many words: btc db %s takes no file",
                             c->args[0]);
    }
    int status =
        cli_need_name(c, "the file", c->n_args > 1 ? c->args[1] : NULL);
    if (status != 0) {
        return status;
    }
    switch (word) {
    case CLI_DB_CHECK:
        if (c->o.repair) {
            return cli_db_with(c, 0, cli_db_repair);
        }
        return cli_db_with(c, BTC_OPEN_READ_ONLY | BTC_OPEN_ANY_VERSION,
                           cli_db_look);
    case CLI_DB_BACKUP:
        return cli_db_with(c, BTC_OPEN_READ_ONLY, cli_db_backup);
    case CLI_DB_RESTORE:
        return cli_db_restore(c);
    case CLI_DB_SALVAGE:
        return cli_db_salvage(c);
    case CLI_DB_PATH:
        return cli_db_path(c);
    default:
        cli_db_print(c, "sql", btc_db_schema());
        return 0;
    }
}

const struct cli_command cli_db = {
    .name = "db",
    .args = "check|backup FILE|restore FILE|salvage|path|schema",
    .group = CLI_GROUP_TOOLS,
    .help = "care of the database",
    .details =
        "check    looks for damage (exit 14); --repair deletes rows that\n"
        "         belong to nothing and makes the indexes anew, and\n"
        "         views and triggers that somebody has dropped or changed\n"
        "backup   writes a consistent copy while btc runs\n"
        "restore  puts a backup in the database's place; what stood\n"
        "         there is kept. A plain copy would meet the old file's\n"
        "         log and be destroyed by it\n"
        "salvage  makes a new database of what can be read of a damaged\n"
        "         one; data on the disk is hashed and kept\n"
        "path     prints where the database is\n"
        "schema   prints its SQL",
    .example = "btc db backup ~/btc-backup.db",
    .options = CLI_SET_READ | CLI_SET(REPAIR),
    .min_args = 1,
    .max_args = 2,
    .run = cli_db_run};
