/* btc resume: go on with everything that is unfinished. Nobody watches what is
 * complete and at rest, so its files are looked at first: what became of them
 * may leave something to do. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/commands/commands.h"
#include "cli/rows.h"
#include "cli/run/run.h"
#include "cli/run/signal.h"

#define CLI_RESUME_SEED "none" /* without --seed */

/* What stands in the database. */
struct cli_resume_count {
    struct btc *b;
    bool has_hook;          /* --on-done is given */
    struct cli_ids run;     /* owns; unfinished and wished to run */
    struct cli_ids rest;    /* owns; complete, and to stay so */
    struct cli_ids changed; /* owns; of those, what was harmed; also in `run` */
    size_t paused;          /* and unfinished */
    size_t unwanted;        /* wished away */
};

static void cli_resume_fini(struct cli_resume_count *n)
{
    free(n->run.ids);
    free(n->rest.ids);
    free(n->changed.ids);
}

static void cli_resume_add(struct cli_ids *to, int64_t id)
{
    to->ids = mem_resize(to->ids, to->n + 1, sizeof(*to->ids));
    to->ids[to->n++] = id;
}

/* Whether a row of `progress` has something left to do. */
static bool cli_resume_is_unfinished(const struct cli_rows *r, size_t row)
{
    enum btc_state state = btc_state_from_name(cli_rows_text(r, row, "state"));

    return (state != BTC_STATE_COMPLETE && state != BTC_STATE_SEEDING) ||
           cli_rows_int(r, row, "bytes_left", 0) > 0;
}

/* Something is left to do, if only the command of --on-done. */
static bool cli_resume_is_left(const struct cli_resume_count *n,
                               const struct cli_rows *rows, size_t i)
{
    int64_t id = cli_rows_int(rows, i, "id", 0);

    return cli_resume_is_unfinished(rows, i) || btc_is_owed(n->b, id) ||
           (n->has_hook && btc_hook_is_owed(n->b, id));
}

/* Counts the rows of one torrent, or of all. */
static int cli_resume_count(struct cli_resume_count *n, int64_t id,
                            struct btc_error *e)
{
    struct cli_rows *rows = cli_rows_load(n->b, "progress", id, 0, e);

    if (rows == NULL) {
        return e->status;
    }
    for (size_t i = 0; i < cli_rows_count(rows); i++) {
        const char *wanted = cli_rows_text(rows, i, "wanted");
        int64_t row = cli_rows_int(rows, i, "id", 0);
        if (wanted != NULL && strncmp(wanted, "remove", 6) == 0) {
            n->unwanted++;
            continue;
        }
        bool is_left = cli_resume_is_left(n, rows, i);
        if (wanted != NULL && strcmp(wanted, "pause") == 0) {
            n->paused += is_left ? 1 : 0;
        } else if (wanted == NULL || strcmp(wanted, "run") == 0) {
            cli_resume_add(is_left ? &n->run : &n->rest, row);
        }
    }
    cli_rows_free(rows);
    return 0;
}

/* The named torrents are wished to run, whatever was wished before. */
static int cli_resume_start(struct cli_resume_count *n,
                            const struct cli_ids *ids, struct btc_error *e)
{
    int status = 0;

    for (size_t i = 0; status == 0 && i < ids->n; i++) {
        status = btc_start(n->b, ids->ids[i], e);
        if (status == 0) {
            status = cli_resume_count(n, ids->ids[i], e);
        }
    }
    return status;
}

/* A drive that does not answer keeps nobody. */
static void cli_resume_silent(struct cli *c, const struct cli_ids *rest,
                              const enum btc_seen *seen)
{
    size_t n = 0;

    for (size_t i = 0; i < rest->n; i++) {
        n += seen[i] == BTC_SEEN_SILENT ? 1 : 0;
    }
    if (n > 0) {
        cli_say(c,
                "btc: warning: %zu complete torrent%s not looked at: its drive "
                "does not answer",
                n, n == 1 ? " was" : "s were");
    }
}

/* Looks at what is complete. What an engine has, it looks at itself. */
static int cli_resume_look(struct cli *c, struct cli_resume_count *n,
                           struct btc_error *e)
{
    if (n->rest.n == 0 || btc_engine_pid(btc_path(n->b)) != 0) {
        return 0;
    }
    enum btc_seen *seen = mem_calloc(n->rest.n, sizeof(*seen));
    cli_signal_start(n->b);
    int status = btc_look(n->b, n->rest.ids, n->rest.n, seen, e);
    cli_signal_end();
    for (size_t i = 0; status == 0 && i < n->rest.n; i++) {
        if (seen[i] == BTC_SEEN_CHANGED) {
            cli_resume_add(&n->run, n->rest.ids[i]);
            cli_resume_add(&n->changed, n->rest.ids[i]);
        }
    }
    if (status == 0) {
        cli_resume_silent(c, &n->rest, seen);
    }
    free(seen);
    return status;
}

/* Nothing is left: says so. */
static int cli_resume_nothing(struct cli *c, const struct cli_resume_count *n)
{
    if (n->paused > 0) {
        cli_say(c,
                "nothing to resume; %zu unfinished torrent%s paused: `btc "
                "resume ID` goes on with one",
                n->paused, n->paused == 1 ? " is" : "s are");
    } else {
        cli_say(c, "nothing to resume");
    }
    if (c->o.json) {
        json_t *o = front_json_object();
        json_object_set_new(o, "status", json_integer(0));
        json_object_set_new(o, "retryable", json_false());
        json_object_set_new(o, "error", json_null());
        json_object_set_new(o, "torrents", json_array());
        front_json_print(c->out, o);
    }
    return 0;
}

/* There is nothing that a run would do. */
static bool cli_resume_is_idle(const struct cli_resume_count *n, bool serves)
{
    return n->run.n == 0 && n->unwanted == 0 && !serves;
}

/* --peer: of each torrent that is to run. */
static int cli_resume_peers(const struct cli *c, struct btc *b,
                            const struct cli_ids *ids, struct btc_error *e)
{
    const struct cli_list *peers = &c->o.peers;
    int status = 0;

    for (size_t i = 0; status == 0 && i < ids->n * peers->n; i++) {
        status = btc_set(b, ids->ids[i / peers->n], "peer",
                         peers->items[i % peers->n], e);
    }
    return status;
}

/* Runs what is to be run. */
static int cli_resume_engine(struct cli *c, struct btc *b,
                             const struct cli_ids *ids,
                             const struct cli_ids *changed)
{
    struct cli_run r;
    struct btc_error e = {0};

    cli_run_init(&r, c, b);
    if (ids->n > 0) {
        r.options.ids = ids->ids;
    }
    r.options.n_ids = ids->n;
    r.options.also = (struct btc_ids){.ids = changed->ids, .n = changed->n};
    r.options.seed = front_text_or(c->o.seed, CLI_RESUME_SEED);
    int status = cli_run_engine(&r, false, &e);
    status = cli_run_report(&r, status, &e, NULL);
    cli_run_fini(&r);
    return status;
}

/* What is left is counted, then run. A torrent that a killed move has paused is
 * wished to run first, as it was. */
static int cli_resume_open(struct cli *c, struct btc *b,
                           const struct cli_ids *ids)
{
    struct btc_error e = {0};
    struct cli_resume_count n = {.b = b, .has_hook = c->o.on_done != NULL};
    bool serve = c->o.seed != NULL && strcmp(c->o.seed, "none") != 0;
    int status = btc_recover(b, &e);

    if (status == 0 && ids->n > 0) {
        status = cli_resume_start(&n, ids, &e);
    } else if (status == 0) {
        status = cli_resume_count(&n, 0, &e);
    }
    if (status == 0) {
        status = cli_resume_look(c, &n, &e);
    }
    bool idle = cli_resume_is_idle(&n, serve && ids->n > 0);
    if (status == 0 && !idle) {
        status = cli_resume_peers(c, b, ids->n > 0 ? ids : &n.run, &e);
    }
    if (status != 0) {
        status = cli_fail(c, &e);
    } else if (idle) {
        status = cli_resume_nothing(c, &n);
    } else {
        status = cli_resume_engine(c, b, ids, &n.changed);
    }
    cli_resume_fini(&n);
    return status;
}

/* btc resume [ID...]. */
static int cli_resume_run(struct cli *c)
{
    struct btc *b = NULL;
    struct cli_ids ids = {0};

    cli_signal_take(false);
    int status = cli_open(c, 0, &b);
    if (status != 0) {
        return status;
    }
    status = cli_open_ids(c, b, &ids);
    if (status == 0) {
        status = cli_resume_open(c, b, &ids);
    }
    free(ids.ids);
    btc_close(b);
    return status;
}

const struct cli_command cli_resume = {
    .name = "resume",
    .args = "[ID...]",
    .group = CLI_GROUP_FETCH,
    .help = "go on with everything unfinished, or just these",
    .details =
        "Goes on with every unfinished torrent of the database that is "
        "not paused, or with the given ones. It needs nothing but the "
        "database: not the .torrent file, not the options of then. What "
        "is journaled is not fetched again. What was wished while nothing "
        "ran is carried out, too: a check, more files, a removal. Complete "
        "torrents are looked at, without reading them: files that were "
        "changed since are hashed, what is not the torrent's any more is "
        "fetched. To keep what you have edited, pause the torrent.",
    .example = "until btc resume; do sleep 60; done",
    .options = CLI_SET_READ | CLI_SET_BOTH | CLI_SET_RUN | CLI_SET_LIMITS |
               CLI_SET(PEER) | CLI_SET(OVERWRITE),
    .max_args = CLI_ARGS_MANY,
    .run = cli_resume_run};
