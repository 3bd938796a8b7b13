/* btc get: download in the foreground. */
#include <stdlib.h>

#include "base/mem.h"
#include "cli/commands/commands.h"
#include "cli/run/run.h"
#include "cli/run/signal.h"
#include "cli/sources.h"

#define CLI_GET_SEED    "none" /* without --seed */
#define CLI_GET_STOPPED "interrupted before anything was added"

/* The torrents' ids for the engine, each once; free(). */
static int64_t *cli_get_ids(const struct cli_sources *s, size_t *n)
{
    int64_t *ids = mem_calloc(s->n, sizeof(*ids));

    *n = 0;
    for (size_t i = 0; i < s->n; i++) {
        cli_open_id(ids, n, s->items[i].id);
    }
    return ids;
}

/* What was asked for and wished away before it was here is not done, though the
 * run has nothing more to do: the exit status, as who follows an engine gets.
 */
static int cli_get_removed(const struct cli_run *r, struct btc_error *e)
{
    size_t n_gone = 0;

    for (size_t i = 0; i < r->track.n; i++) {
        const struct cli_torrent *item = &r->track.items[i];
        if (!item->done && item->p.state == BTC_STATE_REMOVING) {
            n_gone++;
            snprintf(e->message, sizeof(e->message),
                     "%.200s was removed before it was done", item->p.name);
        }
    }
    if (n_gone == 0) {
        return 0;
    }
    if (n_gone < r->track.n) {
        return BTC_STATUS_SOME;
    }
    return BTC_STATUS_NOT_FOUND;
}

/* Runs the engine for what was added; exit status. */
static int cli_get_engine(struct cli *c, struct btc *b,
                          const struct cli_sources *s)
{
    struct cli_run r;
    struct btc_error e = {0};
    size_t n = 0;
    int64_t *ids = cli_get_ids(s, &n);

    cli_run_init(&r, c, b);
    r.options.ids = ids;
    r.options.n_ids = n;
    r.options.seed = front_text_or(c->o.seed, CLI_GET_SEED);
    int status = cli_run_engine(&r, true, &e);
    if (status == 0) {
        status = cli_get_removed(&r, &e);
    }
    if (status == 0 && s->n_failed > 0) {
        status = cli_sources_status(c, s);
        e.status = status;
        snprintf(e.message, sizeof(e.message),
                 "%zu of %zu sources could not be used", s->n_failed,
                 c->n_args);
    }
    status = cli_run_report(&r, status, &e, s->errors);
    cli_run_fini(&r);
    free(ids);
    return status;
}

/* Options of an engine; who follows one has no say in them. */
#define CLI_GET_ENGINE                                 \
    (CLI_SET(PORT) | CLI_SET(BIND) | CLI_SET(VERIFY) | \
     CLI_SET(JOURNAL_INTERVAL) | CLI_SET(CACHE) | CLI_SET(MIN_FREE))

/* Says which words of the command line are lost on the engine that runs. */
static void cli_get_tell_lost(const struct cli *c)
{
    struct front_text names = {0};

    for (unsigned id = 0; id < CLI_OPTION_N; id++) {
        if ((c->o.typed & CLI_GET_ENGINE & CLI_OPTION_BIT(id)) != 0) {
            if (names.len > 0) {
                front_text_puts(&names, ", ");
            }
            front_text_printf(&names, "--%s", cli_option_table[id].name);
        }
    }
    if (names.len > 0) {
        cli_say(c,
                "btc: warning: the engine that runs keeps its own settings: no "
                "effect of %s",
                front_text_str(&names));
    }
    front_text_free(&names);
}

/* Adds the sources and runs. */
static int cli_get_sources(struct cli *c, struct cli_sources *s)
{
    struct btc_add_options add = cli_sources_options(c, CLI_GET_SEED);
    struct btc *b = NULL;

    cli_signal_ends(NULL); /* a stop is the engine's now */
    int status = cli_open(c, BTC_OPEN_CREATE, &b);
    if (status != 0) {
        return status;
    }
    if (btc_engine_pid(btc_path(b)) != 0) {
        /* this run's limits can only be kept as the torrent's own */
        add.down_limit = c->o.down;
        add.up_limit = c->o.up;
        cli_get_tell_lost(c);
    }
    cli_sources_add(c, b, &add, s);
    cli_sources_forget(s);
    if (s->n == 0) {
        status = cli_sources_fail(c, s);
    } else {
        status = cli_get_engine(c, b, s);
    }
    btc_close(b);
    return status;
}

/* The object of a stop while sources are read; free(). */
static char *cli_get_object(const struct cli *c, const char *text)
{
    struct front_text out = {0};
    json_t *o;
    size_t how;

    if (c->o.json) {
        o = front_json_failure(BTC_STATUS_INTERRUPTED, text);
        how = JSON_INDENT(2);
    } else {
        o = front_json_failure_event(BTC_STATUS_INTERRUPTED, text);
        how = JSON_COMPACT;
    }
    char *dump = json_dumps(o, how);
    front_text_puts(&out, dump);
    front_text_puts(&out, "\n");
    free(dump);
    json_decref(o);
    return out.data;
}

/* btc get SRC... Sources may take long, and nothing is lost with them. */
static int cli_get_run(struct cli *c)
{
    bool object = c->o.json || c->o.ndjson;
    char *out = NULL;
    if (object) {
        out = cli_get_object(c, CLI_GET_STOPPED);
    }
    const struct cli_signal_words words = {.out = out,
                                           .err = "btc: " CLI_GET_STOPPED "\n",
                                           .status = BTC_STATUS_INTERRUPTED};

    cli_signal_take(false);
    cli_signal_ends(&words);
    int status = cli_sources_run(c, cli_get_sources);
    cli_signal_ends(NULL);
    free(out);
    return status;
}

const struct cli_command cli_get = {
    .name = "get",
    .args = "SRC...",
    .group = CLI_GROUP_FETCH,
    .help = "download in the foreground, exit when done",
    .details =
        "Downloads and exits when all is done. SRC is a .torrent file, - "
        "(standard input), an http(s) URL, a magnet link or an info hash. "
        "Everything is journaled in the database: after an interruption of any "
        "kind `btc resume` goes on. Data that is there already is verified and "
        "used. Where an engine runs on the database, get adds the torrent to "
        "it and follows its progress.",
    .example = "btc get -d ~/Downloads --down 5M ubuntu.torrent",
    .options = CLI_SET_READ | CLI_SET_ADD | CLI_SET_BOTH | CLI_SET_RUN |
               CLI_SET_LIMITS | CLI_SET(DRY_RUN) | CLI_SET(SAVE_TORRENT),
    .min_args = 1,
    .max_args = CLI_ARGS_MANY,
    .run = cli_get_run};
