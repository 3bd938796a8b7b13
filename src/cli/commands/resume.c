/* btc resume: go on with everything that is unfinished. */
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
    bool has_hook;      /* --on-done is given */
    struct cli_ids run; /* owns; unfinished and wished to run */
    size_t paused;      /* and unfinished */
    size_t unwanted;    /* wished away */
};

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
        if (!cli_resume_is_left(n, rows, i)) {
            continue;
        }
        if (wanted != NULL && strcmp(wanted, "pause") == 0) {
            n->paused++;
        } else if (wanted == NULL || strcmp(wanted, "run") == 0) {
            n->run.ids =
                mem_resize(n->run.ids, n->run.n + 1, sizeof(*n->run.ids));
            n->run.ids[n->run.n++] = row;
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
                             const struct cli_ids *ids)
{
    struct cli_run r;
    struct btc_error e = {0};

    cli_run_init(&r, c, b);
    if (ids->n > 0) {
        r.options.ids = ids->ids;
    }
    r.options.n_ids = ids->n;
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
    bool idle = cli_resume_is_idle(&n, serve && ids->n > 0);
    if (status == 0 && !idle) {
        status = cli_resume_peers(c, b, ids->n > 0 ? ids : &n.run, &e);
    }
    if (status != 0) {
        status = cli_fail(c, &e);
    } else if (idle) {
        status = cli_resume_nothing(c, &n);
    } else {
        status = cli_resume_engine(c, b, ids);
    }
    free(n.run.ids);
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
        "ran is carried out, too: a check, more files, a removal.",
    .example = "until btc resume; do sleep 60; done",
    .options = CLI_SET_READ | CLI_SET_BOTH | CLI_SET_RUN | CLI_SET_LIMITS |
               CLI_SET(PEER) | CLI_SET(OVERWRITE),
    .max_args = CLI_ARGS_MANY,
    .run = cli_resume_run};
