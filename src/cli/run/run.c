/* Running the engine with all that belongs to it. */
#include "cli/run/run.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/run/signal.h"
#include "front/format.h"

/* Milliseconds that never jump. */
int64_t cli_run_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Takes the facts of an event over; marks what it changes. */
static void cli_run_take(struct cli_run *r, const struct btc_event *ev,
                         int64_t now_ms)
{
    for (size_t i = 0; i < ev->n; i++) {
        cli_track_update(&r->track, &ev->progress[i], now_ms);
    }
    struct cli_torrent *item = cli_track_find(&r->track, ev->id);
    if (item == NULL) {
        return;
    }
    if (ev->type == BTC_EVENT_DONE && !item->done) {
        item->done = true;
        item->done_ms = now_ms;
    } else if (ev->type == BTC_EVENT_ERROR) {
        cli_track_fail(item, ev->status, ev->text);
    }
}

/* Starts the commands that belong to an event. A daemon that starts finds its
 * complete torrents done, which is no news, unless an earlier run was killed
 * before its command had ended. */
static void cli_run_hook(struct cli_run *r, const struct btc_event *ev)
{
    struct cli_torrent *item = cli_track_find(&r->track, ev->id);

    if (item == NULL) {
        return;
    }
    if (ev->type == BTC_EVENT_DONE &&
        (item->missed || ev->owed || !r->options.follow_wishes)) {
        item->missed = false;
        cli_hooks_start(&r->hooks, r->c->o.on_done, &item->p, 0);
    } else if (ev->type == BTC_EVENT_ERROR) {
        r->hook_failed = true;
        cli_hooks_start(&r->hooks, r->c->o.on_error, &item->p, ev->status);
    }
}

/* The daemon's limits again, from environment and config file. */
static void cli_run_reload(struct cli_run *r)
{
    struct cli_options fresh = {.config = r->c->o.config};
    struct btc_error e = {0};

    fresh.given = r->c->o.typed; /* the command line still beats them */
    fresh.down = r->c->o.down;
    fresh.up = r->c->o.up;
    if ((r->c->o.typed & CLI_SET(DOWN)) == 0) {
        fresh.down = 0;
    }
    if ((r->c->o.typed & CLI_SET(UP)) == 0) {
        fresh.up = 0;
    }
    if (cli_options_load(&fresh, CLI_SET(DOWN) | CLI_SET(UP), &e) != 0) {
        cli_say_error(r->c, &e);
    } else {
        btc_set_limits(r->b, fresh.down, fresh.up);
        cli_say(r->c, "btc: configuration read again");
    }
    cli_options_fini(&fresh);
}

/* Everything that happens comes through here. */
static void cli_run_event(void *ctx, const struct btc_event *ev)
{
    struct cli_run *r = ctx;
    int64_t now_ms = cli_run_now_ms();

    cli_run_take(r, ev, now_ms);
    if (r->c->o.ndjson && !r->broken) {
        front_json_line(r->c->out, front_json_event(ev));
        if (ferror(r->c->out) != 0) {
            r->broken = true; /* nobody reads any more: stop in order */
            btc_signal(r->b, BTC_SIGNAL_STOP);
        }
    }
    cli_progress_event(r->progress, ev, &r->track, now_ms);
    if (ev->type == BTC_EVENT_ERROR && ev->text != NULL) {
        snprintf(r->last_error, sizeof(r->last_error), "%s", ev->text);
    }
    if (ev->type == BTC_EVENT_RELOAD) {
        cli_run_reload(r);
    }
    cli_run_hook(r, ev);
    cli_hooks_reap(&r->hooks, false);
}

/* Nodes that have been there for years, each kept by a client's makers. */
static const char *const cli_run_dht_hosts[] = {
    "router.bittorrent.com:6881", "dht.transmissionbt.com:6881",
    "dht.libtorrent.org:25401", "router.utorrent.com:6881"};

/* By which nodes the DHT is entered: those that were named, or the well-known
 * ones; none when that was said. */
static void cli_run_bootstrap(struct cli_run *r)
{
    const struct cli_list *named = &r->c->o.dht_bootstrap;
    if (named->n == 0) {
        r->options.reach.dht_bootstrap = cli_run_dht_hosts;
        r->options.reach.n_dht_bootstrap =
            sizeof(cli_run_dht_hosts) / sizeof(cli_run_dht_hosts[0]);
    } else if (named->n > 1 || strcmp(named->items[0], "none") != 0) {
        r->options.reach.dht_bootstrap = named->items;
        r->options.reach.n_dht_bootstrap = named->n;
    }
}

/* The options of the run. */
void cli_run_init(struct cli_run *r, struct cli *c, struct btc *b)
{
    static const enum btc_verify how[] = {BTC_VERIFY_AUTO, BTC_VERIFY_FULL,
                                          BTC_VERIFY_NONE};
    const struct cli_options *o = &c->o;
    bool all_space =
        cli_options_has(o, CLI_OPTION_MIN_FREE) && o->min_free == 0;

    *r = (struct cli_run){.c = c, .b = b, .hooks = {.err = c->err, .b = b}};
    r->options = (struct btc_run_options){
        .seed = o->seed,
        .verify = how[o->verify],
        .accept_loss = o->accept_loss,
        .overwrite = o->overwrite,
        .port = (uint16_t)o->port,
        .bind = o->bind,
        .reach = {.no_dht = o->no.dht,
                  .no_pex = o->no.pex,
                  .no_lsd = o->no.lsd,
                  .allow_local = o->allow_local},
        .down_limit = o->down,
        .up_limit = o->up,
        .max_peers = (uint32_t)o->max_peers,
        .journal_interval_ms = (uint32_t)o->journal_interval_ms,
        .cache_bytes = o->cache,
        .min_free = all_space ? UINT64_MAX : o->min_free,
        .patience = {.max_time_s = (int64_t)o->max_time_s,
                     .stall_timeout_s = (int64_t)o->stall_timeout_s},
        .owes_done = o->on_done != NULL,
        .on_event = cli_run_event};
    cli_run_bootstrap(r);
    r->began_ms = cli_run_now_ms();
}

/* Frees; waits for hooks, unless a signal does not. */
void cli_run_fini(struct cli_run *r)
{
    const struct cli_signal_words words = {.status = r->status};

    cli_progress_free(r->progress);
    r->progress = NULL;
    fflush(r->c->out); /* all is told */
    if (r->hooks.n > 0) {
        cli_signal_ends(&words);
    }
    cli_hooks_fini(&r->hooks);
    cli_signal_ends(NULL);
    cli_track_fini(&r->track);
}

/* Runs or follows once. */
static int cli_run_once(struct cli_run *r, bool follow, struct btc_error *e)
{
    r->followed = follow;
    if (follow) {
        return btc_follow(r->b, &r->options, e);
    }
    return btc_run(r->b, &r->options, e);
}

/* on-error for those that were left behind without an event of their own. */
static void cli_run_hook_rest(struct cli_run *r, int status)
{
    if (status == 0 || status == BTC_STATUS_INTERRUPTED || r->hook_failed) {
        return;
    }
    for (size_t i = 0; i < r->track.n; i++) {
        if (!r->track.items[i].done) {
            cli_hooks_start(&r->hooks, r->c->o.on_error, &r->track.items[i].p,
                            status);
        }
    }
}

/* Follows the engine that runs, else is the engine. An engine that ends leaves
 * its followers to go on by themselves; one that begins in between is followed.
 */
static int cli_run_some(struct cli_run *r, bool may_follow, struct btc_error *e)
{
    bool late = false; /* another one began between the look and the lock */
    char stopped[CLI_STOPPED_MAX];
    for (;;) {
        int64_t pid = 0;
        if (may_follow) {
            pid = btc_engine_pid(btc_path(r->b));
        }
        bool follow = pid != 0 || late;
        if (pid != 0) {
            cli_say(r->c, "following the engine that runs already (pid %lld)",
                    (long long)pid);
        }
        if (*cli_stopped_text(pid, stopped) != '\0') {
            cli_say(r->c, "%s", stopped);
        }
        *e = (struct btc_error){0};
        int status = cli_run_once(r, follow, e);
        bool left = follow && status == BTC_STATUS_INTERRUPTED &&
                    btc_engine_pid(btc_path(r->b)) == 0;
        late = may_follow && !follow && status == BTC_STATUS_LOCKED;
        if ((!left && !late) || cli_signal_stops() > 0) {
            return status;
        }
        if (left) {
            cli_say(r->c, "that engine has ended: going on without it");
        }
    }
}

/* Runs or follows, with progress, signals and hooks around it. */
int cli_run_engine(struct cli_run *r, bool may_follow, struct btc_error *e)
{
    r->options.ctx = r;
    r->progress = cli_progress_new(r->c, r->b);
    r->options.tick_ms = cli_progress_tick_ms(r->progress);
    cli_signal_start(r->b);
    int status = cli_run_some(r, may_follow, e);
    cli_progress_end(r->progress, &r->track);
    cli_progress_free(r->progress);
    r->progress = NULL;
    cli_signal_end();
    cli_run_hook_rest(r, status);
    return status;
}

/* Where a torrent's files lie: the folder and its name, or just the folder. */
static void cli_run_place(const struct btc_progress *p, struct front_text *out,
                          bool utf8)
{
    struct front_text path = {0};
    struct stat st;

    front_text_puts(&path, front_text_or(p->save_path, "."));
    size_t len = path.len;
    front_text_puts(&path, "/");
    front_text_puts(&path, p->name);
    if (stat(front_text_str(&path), &st) != 0) {
        path.data[len] = '\0';
    }
    front_text_clean(out, front_text_str(&path), utf8);
    front_text_free(&path);
}

/* How much of it this run has fetched, and how fast. */
static void cli_run_fetched(const struct btc_progress *p, uint64_t fetched,
                            uint64_t ms, struct front_text *out)
{
    char buf[FRONT_FORMAT_MAX];
    char all[FRONT_FORMAT_MAX];

    if (fetched == 0) {
        front_text_puts(out, ", nothing to fetch");
        return;
    }
    front_format_size(buf, fetched);
    front_format_size(all, p->bytes_total);
    if (fetched < p->bytes_total && strcmp(buf, all) != 0) {
        front_text_printf(out, ", %s of it",
                          buf); /* the rest was here before */
    }
    front_text_printf(out, " in %s",
                      front_format_duration(buf, (int64_t)(ms / 1000)));
    front_text_printf(
        out, ", %s",
        front_format_rate(buf, fetched / ms * 1000 + fetched % ms * 1000 / ms));
}

/* How long a torrent took until now, or until it was done: 1 or more. */
static uint64_t cli_run_took_ms(const struct cli_run *r,
                                const struct cli_torrent *item)
{
    int64_t end_ms = item->done_ms;

    if (end_ms == 0) {
        end_ms = cli_run_now_ms();
    }
    if (end_ms <= r->began_ms) {
        return 1;
    }
    return (uint64_t)(end_ms - r->began_ms);
}

/* The line on a torrent that is done. */
static void cli_run_summary(const struct cli_run *r,
                            const struct cli_torrent *item)
{
    const struct front_screen *s = &r->c->err_screen;
    const struct btc_progress *p = &item->p;
    uint64_t fetched = p->downloaded - item->first_downloaded;
    char buf[FRONT_FORMAT_MAX];
    struct front_text line = {0};

    front_text_puts(&line, front_term_colour(s, FRONT_COLOUR_GREEN));
    front_text_puts(&line, s->utf8 && s->tty ? "\xE2\x9C\x93 " : "done: ");
    front_text_puts(&line, front_term_colour(s, FRONT_COLOUR_NONE));
    front_text_clean(&line, p->name, s->utf8);
    front_text_printf(&line, "  %s", front_format_size(buf, p->bytes_total));
    cli_run_fetched(p, fetched, cli_run_took_ms(r, item), &line);
    front_text_puts(&line, "  ");
    cli_run_place(p, &line, s->utf8);
    cli_say(r->c, "%s", front_text_str(&line));
    front_text_free(&line);
}

/* The line on a torrent that was wished away. */
static void cli_run_removed(const struct cli_run *r,
                            const struct cli_torrent *item)
{
    struct front_text line = {0};

    front_text_clean(&line, item->p.name, r->c->err_screen.utf8);
    cli_say(r->c, "removed: %s", front_text_str(&line));
    front_text_free(&line);
}

/* Whether what is unfinished is paused, all of it: a bare resume would leave it
 * alone. Gives the torrent when it is only one. */
static bool cli_run_is_paused(const struct cli_run *r,
                              const struct btc_progress **only)
{
    size_t n = 0;

    *only = NULL;
    for (size_t i = 0; i < r->track.n; i++) {
        const struct btc_progress *p = &r->track.items[i].p;
        if (cli_track_is_done(p)) {
            continue;
        }
        if (p->state != BTC_STATE_PAUSED) {
            return false;
        }
        n++;
        *only = NULL;
        if (n == 1) {
            *only = p;
        }
    }
    return n > 0;
}

/* How far all of it is, " at 12.3 %", as far as that can be said. */
static void cli_run_share(const struct cli_totals *sum, char *out, size_t size)
{
    char buf[FRONT_FORMAT_MAX];

    out[0] = '\0';
    if (sum->is_known && sum->bytes_total > 0) {
        snprintf(out, size, " at %s",
                 front_format_percent(buf, sum->bytes_done, sum->bytes_total));
    }
}

/* What an end before its time leaves; `how` it came. */
static void cli_run_left(const struct cli_run *r, const char *how)
{
    struct cli_totals sum = cli_track_totals(&r->track);
    struct front_text hint = {0};
    char share[FRONT_FORMAT_MAX + 8];
    const struct btc_progress *only;

    cli_open_hint(r->c, "resume", &hint);
    cli_run_share(&sum, share, sizeof(share));
    if (cli_run_is_paused(r, &only)) {
        front_text_puts(&hint, " ");
        if (only == NULL) {
            front_text_puts(&hint, "ID");
        } else {
            front_text_printf(&hint, "%lld", (long long)only->id);
        }
        cli_say(r->c, "paused%s, state saved; `%s` goes on", share,
                front_text_str(&hint));
    } else if (r->followed) {
        cli_say(r->c, "left%s; the engine that runs goes on", share);
    } else if (r->track.n > 0 && sum.n_done == r->track.n) {
        cli_say(r->c, "stopped; everything is here and saved");
    } else {
        cli_say(r->c, "%s%s, state saved; `%s` goes on", how, share,
                front_text_str(&hint));
    }
    front_text_free(&hint);
}

/* The object of --json at the end. */
static void cli_run_print(struct cli_run *r, int status, const char *message,
                          json_t *errors)
{
    json_t *o = front_json_object();
    json_t *torrents = json_array();

    for (size_t i = 0; i < r->track.n; i++) {
        json_array_append_new(torrents,
                              front_json_progress(&r->track.items[i].p));
    }
    json_object_set_new(o, "status", json_integer(status));
    json_object_set_new(o, "retryable",
                        json_boolean(btc_status_is_retryable(status)));
    json_object_set_new(o, "error",
                        status == 0 ? json_null()
                                    : front_json_error(status, message));
    json_object_set_new(o, "torrents", torrents);
    if (errors != NULL && json_array_size(errors) > 0) {
        json_object_set(o, "source_errors", errors);
    }
    front_json_print(r->c->out, o);
}

/* Says how it ended. */
int cli_run_report(struct cli_run *r, int status, const struct btc_error *e,
                   json_t *errors)
{
    r->status = status;
    for (size_t i = 0; !r->checked && i < r->track.n; i++) {
        const struct cli_torrent *item = &r->track.items[i];
        if (item->done || (status == 0 && cli_track_is_done(&item->p))) {
            cli_run_summary(r, item);
        } else if (status == 0 && item->p.state == BTC_STATE_REMOVING) {
            cli_run_removed(r, item);
        }
    }
    if (status == BTC_STATUS_INTERRUPTED) {
        cli_run_left(r, "interrupted");
    } else if (status != 0 && (strcmp(e->message, r->last_error) != 0 ||
                               e->message[0] == '\0')) {
        struct btc_error shown = *e;
        shown.status = status;
        cli_say_error(r->c, &shown);
    }
    if (status == BTC_STATUS_STALLED && !r->followed && !r->checked) {
        cli_run_left(r, "given up");
    }
    if (r->c->o.json) {
        cli_run_print(r, status, e->message, errors);
    } else if (r->c->o.ndjson && status != 0 && !r->broken) {
        front_json_line(r->c->out,
                        front_json_failure_event(status, e->message));
    }
    return status;
}
