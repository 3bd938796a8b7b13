/* Progress on standard error. The log sink may be called from any thread: lines
 * of a live view wait in it for the next frame, others are printed at once. */
#include "cli/run/progress.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/run/live.h"
#include "cli/run/repeats.h"
#include "cli/run/signal.h"
#include "cli/run/view.h"
#include "front/format.h"
#include "front/json.h"

#define CLI_PROGRESS_BAR_MS   250 /* between frames */
#define CLI_PROGRESS_TICK_MS  1000
#define CLI_PROGRESS_PLAIN_MS 10000 /* between plain lines */
#define CLI_PROGRESS_EACH     4     /* more torrents: one line for all */

struct cli_progress {
    struct cli *c; /* borrows */
    struct btc *b; /* borrows */
    enum cli_progress_choice how;
    bool daemon;                 /* plain lines only when something changes */
    struct cli_live *live;       /* owns; BAR */
    struct cli_repeats *repeats; /* owns */
    struct front_screen screen;
    int64_t line_ms; /* the last plain lines */
    bool ended;      /* the last frame */
};

/* What `auto` means here. */
static enum cli_progress_choice cli_progress_choose(const struct cli *c)
{
    if (c->o.quiet && !cli_options_has(&c->o, CLI_OPTION_PROGRESS)) {
        return CLI_PROGRESS_NONE;
    }
    if (c->o.progress != CLI_PROGRESS_AUTO) {
        return (enum cli_progress_choice)c->o.progress;
    }
    if (c->o.ndjson && c->out_screen.tty) {
        return CLI_PROGRESS_NONE; /* the events are progress enough */
    }
    if (c->err_screen.tty && !c->err_screen.dumb) {
        return CLI_PROGRESS_BAR;
    }
    return CLI_PROGRESS_PLAIN;
}

/* A line for people: above the view, or just so. */
static void cli_progress_say(struct cli_progress *p, const char *line)
{
    struct front_text text = {0};

    cli_advise(p->c, line, &text);
    if (p->live != NULL) {
        cli_live_log(p->live, front_text_str(&text));
    } else {
        fprintf(p->c->err, "%s\n", front_text_str(&text));
    }
    front_text_free(&text);
}

/* A log line of the library; from any thread. */
static void cli_progress_log(void *ctx, enum btc_log_level level,
                             const char *category, const char *line)
{
    static const char *const names[] = {"error", "warning", "info", "debug",
                                        "trace"};
    struct cli_progress *p = ctx;
    struct front_text text = {0};

    front_text_printf(&text,
                      "btc: %s: ", names[level <= BTC_LOG_TRACE ? level : 0]);
    if (level > BTC_LOG_INFO) {
        front_text_printf(&text, "%s: ", category);
    }
    front_text_clean(&text, line, p->screen.utf8);
    if (cli_repeats_take(p->repeats, front_text_str(&text))) {
        cli_progress_say(p, front_text_str(&text));
    }
    front_text_free(&text);
}

/* Log lines that came again, as far as they are due. */
static void cli_progress_repeats(struct cli_progress *p, int64_t now_ms)
{
    struct front_text text = {0};

    while (cli_repeats_next(p->repeats, now_ms, &text)) {
        cli_progress_say(p, front_text_str(&text));
        front_text_free(&text);
    }
}

/* Begins. */
struct cli_progress *cli_progress_new(struct cli *c, struct btc *b)
{
    struct cli_progress *p = mem_calloc(1, sizeof(*p));

    p->c = c;
    p->b = b;
    p->how = cli_progress_choose(c);
    p->screen = c->err_screen;
    p->repeats = cli_repeats_new();
    p->daemon = strcmp(c->command->name, "daemon") == 0;
    if (p->how == CLI_PROGRESS_BAR) {
        p->live = cli_live_new(fileno(c->err));
    }
    btc_set_log(cli_log_level(&c->o), cli_progress_log, p);
    return p;
}

/* Ends. */
void cli_progress_free(struct cli_progress *p)
{
    if (p == NULL) {
        return;
    }
    btc_set_log(cli_log_level(&p->c->o), NULL, NULL);
    cli_progress_repeats(p, INT64_MAX);
    cli_repeats_free(p->repeats);
    cli_live_free(p->live);
    free(p);
}

/* How often STATS events are wanted. */
uint32_t cli_progress_tick_ms(const struct cli_progress *p)
{
    if (p->how == CLI_PROGRESS_BAR) {
        return CLI_PROGRESS_BAR_MS;
    }
    return CLI_PROGRESS_TICK_MS;
}

/* "12:00:01 debian.iso  43.1 %  1.2/2.8 GiB  11.2 MiB/s  ETA 2m10s  12 peers"
 */
void cli_progress_line(const struct front_screen *s, int64_t at,
                       const struct btc_progress *p, struct front_text *out)
{
    char buf[FRONT_FORMAT_MAX];
    char state[64];

    front_text_puts(out, front_format_clock(buf, at));
    front_text_puts(out, " ");
    front_text_clean(out, p->name, s->utf8);
    if (p->state != BTC_STATE_DOWNLOADING) {
        front_text_printf(out, "  %s", cli_track_state(p, state));
    }
    if (p->bytes_total > 0) {
        front_text_printf(
            out, "  %s",
            front_format_percent(buf, p->bytes_done, p->bytes_total));
        front_text_printf(
            out, "  %s",
            front_format_share(buf, p->bytes_done, p->bytes_total));
    }
    if (p->state == BTC_STATE_DOWNLOADING && p->pieces_checking > 0) {
        front_text_printf(out, "  %u more pieces to check", p->pieces_checking);
    }
    if (p->state == BTC_STATE_DOWNLOADING || p->down_rate > 0) {
        front_text_printf(out, "  %s", front_format_rate(buf, p->down_rate));
    }
    if (p->up_rate > 0) {
        front_text_printf(out, "  up %s", front_format_rate(buf, p->up_rate));
    }
    if (p->eta_s >= 0 && !cli_track_is_done(p)) {
        front_text_printf(out, "  ETA %s",
                          front_format_duration(buf, p->eta_s));
    }
    if (p->peers > 0 || p->state == BTC_STATE_DOWNLOADING) {
        front_text_printf(out, "  %u peer%s", p->peers,
                          front_text_plural(p->peers));
    }
    if (p->error != NULL) {
        front_text_puts(out, "  ");
        front_text_clean(out, p->error, s->utf8);
    }
}

/* One line on one torrent. */
static void cli_progress_one(struct cli_progress *p, int64_t at,
                             const struct btc_progress *facts)
{
    struct front_text line = {0};

    cli_progress_line(&p->screen, at, facts, &line);
    cli_progress_say(p, front_text_str(&line));
    front_text_free(&line);
}

/* A line on each torrent, or one on all of them. */
static void cli_progress_all(struct cli_progress *p, int64_t at,
                             const struct cli_track *track, bool asked)
{
    char buf[FRONT_FORMAT_MAX];
    struct cli_totals sum = cli_track_totals(track);
    struct front_text line = {0};

    if (track->n <= CLI_PROGRESS_EACH) {
        for (size_t i = 0; i < track->n; i++) {
            if (asked || !cli_track_is_done(&track->items[i].p)) {
                cli_progress_one(p, at, &track->items[i].p);
            }
        }
        return;
    }
    front_text_printf(&line, "%s ", front_format_clock(buf, at));
    front_text_printf(&line, "%zu of %zu torrents done", sum.n_done, track->n);
    front_text_printf(
        &line, "  %s",
        front_format_percent(buf, sum.bytes_done, sum.bytes_total));
    front_text_printf(&line, "  %s",
                      front_format_share(buf, sum.bytes_done, sum.bytes_total));
    front_text_printf(&line, "  %s", front_format_rate(buf, sum.down_rate));
    front_text_printf(&line, "  ETA %s", front_format_duration(buf, sum.eta_s));
    front_text_printf(&line, "  %u peers", sum.peers);
    cli_progress_say(p, front_text_str(&line));
    front_text_free(&line);
}

/* Draws a frame. */
static void cli_progress_draw(struct cli_progress *p,
                              const struct cli_track *track)
{
    struct front_text frame = {0};
    struct cli_view view = {.screen = &p->screen, .track = track};
    struct btc_cell *cells = NULL;

    front_term_resize(&p->screen, fileno(p->c->err));
    if (cli_signal_resumed()) {
        cli_live_restart(p->live);
    }
    if (cli_signal_stops() > 0 && !p->ended) {
        view.note = "stopping: saving what is here (once more: at once)";
    }
    if (track->n == 1 && track->items[0].p.pieces_total > 0) {
        size_t n = cli_view_cells(&p->screen, track->items[0].p.pieces_total,
                                  CLI_VIEW_MAP_LINES);
        cells = mem_calloc(n, sizeof(*cells));
        if (btc_map(p->b, track->items[0].p.id, cells, n, NULL) == 0) {
            view.cells = cells;
            view.n_cells = n;
        }
    }
    cli_view_render(&view, &frame);
    cli_live_draw(p->live, front_text_str(&frame), p->screen.width);
    front_text_free(&frame);
    free(cells);
}

/* A tick. */
static void cli_progress_stats(struct cli_progress *p,
                               const struct btc_event *ev,
                               struct cli_track *track, int64_t now_ms)
{
    if (ev->asked) {
        cli_progress_all(p, ev->at, track, true);
    }
    if (p->how == CLI_PROGRESS_BAR) {
        cli_progress_draw(p, track);
    } else if (p->how == CLI_PROGRESS_PLAIN && !p->daemon && !ev->asked) {
        if (p->line_ms == 0) {
            p->line_ms = now_ms;
        }
        if (now_ms - p->line_ms >= CLI_PROGRESS_PLAIN_MS) {
            p->line_ms = now_ms;
            cli_progress_all(p, ev->at, track, false);
        }
    } else if (p->how == CLI_PROGRESS_JSON) {
        front_json_line(p->c->err, front_json_event(ev));
    }
}

/* A file is complete, or something failed. */
static void cli_progress_note(struct cli_progress *p,
                              const struct btc_event *ev,
                              const struct cli_track *track)
{
    const struct cli_torrent *item = cli_track_find(track, ev->id);
    const char *who = "btc";
    const char *what = "error";
    char buf[FRONT_FORMAT_MAX];
    struct front_text line = {0};

    front_text_printf(&line, "%s ", front_format_clock(buf, ev->at));
    if (item != NULL) {
        who = item->p.name;
    }
    if (ev->type == BTC_EVENT_FILE) {
        what = "file complete";
    }
    front_text_clean(&line, who, p->screen.utf8);
    front_text_printf(&line, "  %s: ", what);
    front_text_clean(&line,
                     front_text_or(ev->text, btc_status_text(ev->status)),
                     p->screen.utf8);
    cli_progress_say(p, front_text_str(&line));
    front_text_free(&line);
}

/* Shows an event. */
void cli_progress_event(struct cli_progress *p, const struct btc_event *ev,
                        struct cli_track *track, int64_t now_ms)
{
    bool lines = p->how == CLI_PROGRESS_PLAIN;

    switch (ev->type) {
    case BTC_EVENT_STATS:
        cli_progress_repeats(p, now_ms);
        cli_progress_stats(p, ev, track, now_ms);
        break;
    case BTC_EVENT_ERROR: /* told also where no progress is wanted */
        if (p->how == CLI_PROGRESS_JSON) {
            front_json_line(p->c->err, front_json_event(ev));
        } else {
            cli_progress_note(p, ev, track);
        }
        break;
    case BTC_EVENT_FILE:
        if ((lines || p->how == CLI_PROGRESS_BAR) && p->c->o.verbose > 0) {
            cli_progress_note(p, ev, track);
        }
        break;
    case BTC_EVENT_STATE:
        if (lines && ev->n > 0) {
            struct btc_progress facts = ev->progress[0];
            facts.error = NULL; /* ERROR has told it */
            cli_progress_one(p, ev->at, &facts);
        }
        break;
    case BTC_EVENT_ADDED:
    case BTC_EVENT_METADATA:
    case BTC_EVENT_CHECKING:
    case BTC_EVENT_PIECE:
    case BTC_EVENT_DONE:
    case BTC_EVENT_RELOAD:
        break;
    }
}

/* The last frame stays. */
void cli_progress_end(struct cli_progress *p, struct cli_track *track)
{
    for (size_t i = 0; i < track->n; i++) {
        track->items[i].p.down_rate = 0;
        track->items[i].p.up_rate = 0;
        track->items[i].p.eta_s = -1;
    }
    p->ended = true;
    if (p->live != NULL) {
        cli_progress_draw(p, track);
    }
}
