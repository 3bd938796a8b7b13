/* The live view as text. One torrent takes a name line, a bar, a line of
 * figures and its map; several take a line each and one for all. Where a screen
 * is too narrow, figures go in the order of their priority. */
#include "cli/run/view.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "front/format.h"

#define CLI_VIEW_FIELDS  8
#define CLI_VIEW_FIELD   160 /* bytes of one figure */
#define CLI_VIEW_PERCENT 7   /* columns of " 43.1 %" */
#define CLI_VIEW_NAME    12  /* columns that a name should have at least */
#define CLI_VIEW_MIN     10  /* narrower screens are taken as this */

/* A figure of a line. */
struct cli_field {
    char text[CLI_VIEW_FIELD];
    unsigned drop; /* the largest goes first; 0 = stays, cut if need be */
};
struct cli_fields {
    struct cli_field items[CLI_VIEW_FIELDS];
    size_t n;
};

/* Columns that a line may take. */
static size_t cli_view_width(const struct front_screen *s)
{
    size_t width = front_term_width(s, 80);

    if (width < CLI_VIEW_MIN) {
        return CLI_VIEW_MIN;
    }
    return width - 1;
}

/* The next figure. */
static char *cli_view_field(struct cli_fields *f, unsigned drop)
{
    struct cli_field *field = &f->items[0];

    if (f->n < CLI_VIEW_FIELDS) {
        field = &f->items[f->n++];
    }
    field->drop = drop;
    return field->text;
}

/* Columns of all figures with three blanks between. */
static size_t cli_view_fields_width(const struct cli_fields *f)
{
    size_t width = 0;

    for (size_t i = 0; i < f->n; i++) {
        if (i > 0) {
            width += 3;
        }
        width += front_text_width(f->items[i].text);
    }
    return width;
}

/* Takes the figure away that goes first; false = none may. */
static bool cli_view_fields_drop(struct cli_fields *f)
{
    size_t worst = 0;

    for (size_t i = 1; i < f->n; i++) {
        if (f->items[i].drop >= f->items[worst].drop) {
            worst = i;
        }
    }
    if (f->n == 0 || f->items[worst].drop == 0) {
        return false;
    }
    f->n--;
    for (size_t i = worst; i < f->n; i++) {
        f->items[i] = f->items[i + 1];
    }
    return true;
}

/* Writes the figures that fit as one line. */
static void cli_view_fields(const struct front_screen *s, struct cli_fields *f,
                            struct front_text *out)
{
    struct front_text line = {0};
    size_t width = cli_view_width(s);

    while (cli_view_fields_width(f) > width && cli_view_fields_drop(f)) {
    }
    for (size_t i = 0; i < f->n; i++) {
        if (i > 0) {
            front_text_puts(&line, "   ");
        }
        front_text_puts(&line, f->items[i].text);
    }
    front_text_fit(out, front_text_str(&line), width, s->utf8);
    front_text_puts(out, "\n");
    front_text_free(&line);
}

/* The colour of a torrent's state. */
static enum front_colour cli_view_colour(const struct btc_progress *p)
{
    if (p->state == BTC_STATE_UNKNOWN || p->state == BTC_STATE_ERROR) {
        return FRONT_COLOUR_RED;
    }
    if (cli_track_is_done(p)) {
        return FRONT_COLOUR_GREEN;
    }
    if (p->state == BTC_STATE_WAITING_STORAGE ||
        p->state == BTC_STATE_WAITING_SPACE) {
        return FRONT_COLOUR_YELLOW;
    }
    return FRONT_COLOUR_CYAN;
}

/* A bar of `width` columns, its ends included. */
static void cli_view_bar(const struct front_screen *s,
                         const struct btc_progress *p, size_t width,
                         struct front_text *out)
{
    static const char *const parts[] = {"",
                                        "\xE2\x96\x8F",
                                        "\xE2\x96\x8E",
                                        "\xE2\x96\x8D",
                                        "\xE2\x96\x8C",
                                        "\xE2\x96\x8B",
                                        "\xE2\x96\x8A",
                                        "\xE2\x96\x89"};
    size_t inner = width - 2;
    size_t steps = 1; /* signs that fill a column more and more */
    if (s->utf8) {
        steps = 8;
    }
    size_t fill = inner * steps *
                  front_format_permille(p->bytes_done, p->bytes_total) / 1000;
    size_t rest = inner - fill / steps;

    front_text_puts(out, front_term_sign(s, "\xE2\x96\x95", "["));
    front_text_puts(out, front_term_colour(s, cli_view_colour(p)));
    front_text_repeat(out, front_term_sign(s, "\xE2\x96\x88", "#"),
                      fill / steps);
    if (s->utf8 && fill % 8 != 0) {
        front_text_puts(out, parts[fill % 8]);
        rest--;
    }
    front_text_puts(out, front_term_colour(s, FRONT_COLOUR_NONE));
    front_text_repeat(out, " ", rest);
    front_text_puts(out, front_term_sign(s, "\xE2\x96\x8F", "]"));
}

/* The share done, right in its columns. */
static void cli_view_percent(const struct btc_progress *p,
                             struct front_text *out)
{
    char percent[FRONT_FORMAT_MAX];

    if (p->bytes_total == 0) {
        snprintf(percent, sizeof(percent), "-");
    } else {
        front_format_percent(percent, p->bytes_done, p->bytes_total);
    }
    front_text_printf(out, "%*s", CLI_VIEW_PERCENT, percent);
}

/* Whether a state of so many columns has room beside the name. */
static bool cli_view_has_state(const struct front_screen *s, size_t columns)
{
    return cli_view_width(s) >= columns + 2 + CLI_VIEW_NAME;
}

/* The name, and the state at the right end where there is room. */
static void cli_view_head(const struct front_screen *s,
                          const struct btc_progress *p, struct front_text *out)
{
    char state[64];
    size_t width = cli_view_width(s);
    size_t right = strlen(cli_track_state(p, state));
    bool both = cli_view_has_state(s, right);
    size_t room = width;
    if (both) {
        room = width - right - 2;
    }

    front_text_puts(out, front_term_colour(s, FRONT_COLOUR_BOLD));
    size_t used = front_text_fit(out, p->name, room, s->utf8);
    front_text_puts(out, front_term_colour(s, FRONT_COLOUR_NONE));
    if (both) {
        front_text_repeat(out, " ", width - right - used);
        front_text_puts(out, front_term_colour(s, cli_view_colour(p)));
        front_text_puts(out, state);
        front_text_puts(out, front_term_colour(s, FRONT_COLOUR_NONE));
    }
    front_text_puts(out, "\n");
}

/* "down" or an arrow, and a rate. */
static void cli_view_rate(const struct front_screen *s, char *out, bool down,
                          uint64_t rate)
{
    char buf[FRONT_FORMAT_MAX];
    const char *sign = front_term_sign(s, "\xE2\x86\x91", "up");

    if (down) {
        sign = front_term_sign(s, "\xE2\x86\x93", "down");
    }
    snprintf(out, CLI_VIEW_FIELD, "%s %s", sign, front_format_rate(buf, rate));
}

/* Peers, and how many of them have everything. */
static void cli_view_peers(char *out, const struct btc_progress *p)
{
    const char *peers = front_text_plural(p->peers);

    if (p->peers == 0) {
        snprintf(out, CLI_VIEW_FIELD, "no peers");
    } else if (p->seeds > 0) {
        snprintf(out, CLI_VIEW_FIELD, "%u peer%s (%u seed%s)", p->peers, peers,
                 p->seeds, front_text_plural(p->seeds));
    } else {
        snprintf(out, CLI_VIEW_FIELD, "%u peer%s", p->peers, peers);
    }
}

/* The figures of one torrent. */
static void cli_view_figures(const struct front_screen *s,
                             const struct btc_progress *p,
                             struct front_text *out)
{
    struct cli_fields f = {0};
    char buf[FRONT_FORMAT_MAX];
    char state[64];
    bool done = cli_track_is_done(p);

    if (p->error != NULL) {
        snprintf(cli_view_field(&f, 0), CLI_VIEW_FIELD, "%s", p->error);
        cli_view_fields(s, &f, out);
        return;
    }
    if (p->state == BTC_STATE_METADATA) {
        snprintf(cli_view_field(&f, 0), CLI_VIEW_FIELD,
                 "asking peers for the metadata");
    } else if (p->state != BTC_STATE_DOWNLOADING && !done &&
               !cli_view_has_state(s, strlen(cli_track_state(p, state)))) {
        snprintf(cli_view_field(&f, 0), CLI_VIEW_FIELD, "%s", state);
    }
    if (p->bytes_total > 0) {
        snprintf(cli_view_field(&f, 3), CLI_VIEW_FIELD, "%s",
                 front_format_share(buf, p->bytes_done, p->bytes_total));
    }
    if (!done && (p->bytes_total > 0 || p->down_rate > 0)) {
        cli_view_rate(s, cli_view_field(&f, f.n == 2 ? 2 : 0), true,
                      p->down_rate);
    }
    if (done || p->up_rate > 0) {
        cli_view_rate(s, cli_view_field(&f, done ? 0 : 5), false, p->up_rate);
    }
    if (p->eta_s >= 0 && !done) {
        snprintf(cli_view_field(&f, 1), CLI_VIEW_FIELD, "ETA %s",
                 front_format_duration(buf, p->eta_s));
    }
    if (done) {
        snprintf(cli_view_field(&f, 2), CLI_VIEW_FIELD, "ratio %.2f", p->ratio);
    }
    cli_view_peers(cli_view_field(&f, 4), p);
    cli_view_fields(s, &f, out);
}

/* One torrent over several lines. */
static void cli_view_single(const struct cli_view *v, struct front_text *out)
{
    const struct front_screen *s = v->screen;
    const struct btc_progress *p = &v->track->items[0].p;
    size_t width = cli_view_width(s);

    cli_view_head(s, p, out);
    cli_view_bar(s, p, width - CLI_VIEW_PERCENT, out);
    cli_view_percent(p, out);
    front_text_puts(out, "\n");
    cli_view_figures(s, p, out);
    if (v->n_cells > 0 && (s->height == 0 || s->height > 7)) {
        cli_view_map(s, v->cells, v->n_cells, out);
    }
}

/* What is being hashed. */
void cli_view_hashing(const struct front_screen *s,
                      const struct btc_progress *p, struct front_text *out)
{
    struct cli_fields f = {0};
    char buf[FRONT_FORMAT_MAX];

    cli_view_head(s, p, out);
    cli_view_bar(s, p, cli_view_width(s) - CLI_VIEW_PERCENT, out);
    cli_view_percent(p, out);
    front_text_puts(out, "\n");
    snprintf(cli_view_field(&f, 2), CLI_VIEW_FIELD, "%s",
             front_format_share(buf, p->bytes_done, p->bytes_total));
    snprintf(cli_view_field(&f, 0), CLI_VIEW_FIELD, "%s",
             front_format_rate(buf, p->down_rate));
    if (p->eta_s >= 0) {
        snprintf(cli_view_field(&f, 1), CLI_VIEW_FIELD, "ETA %s",
                 front_format_duration(buf, p->eta_s));
    }
    cli_view_fields(s, &f, out);
}

/* Columns of the bar of a compact line; 0 where there is no room for one. */
static size_t cli_view_bar_width(size_t width)
{
    if (width >= 120) {
        return 30;
    }
    if (width >= 48) {
        return 12;
    }
    return 0;
}

/* Columns of a compact line that are not the name's. */
static size_t cli_view_rest(size_t width)
{
    static const struct {
        size_t from; /* shown in a line of so many columns */
        size_t takes;
    } parts[] = {{32, 17},  /* rate or state */
                 {48, 2},   /* the gap before the bar */
                 {64, 9},   /* time left */
                 {90, 22}}; /* share */
    size_t rest = CLI_VIEW_PERCENT + cli_view_bar_width(width);

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (width >= parts[i].from) {
            rest += parts[i].takes;
        }
    }
    return rest;
}

/* Appends a figure of a compact line, left or right in its columns. */
static void cli_view_column(struct front_text *out, const char *text,
                            size_t width)
{
    size_t used = front_text_width(text);

    front_text_repeat(out, " ", 2 + num_sub(width, used));
    front_text_puts(out, text);
}

/* One torrent of several in one line. */
static void cli_view_compact(const struct front_screen *s,
                             const struct btc_progress *p,
                             struct front_text *out)
{
    char buf[CLI_VIEW_FIELD];
    char size[FRONT_FORMAT_MAX];
    char state[64];
    size_t width = cli_view_width(s);
    bool moving = p->state == BTC_STATE_DOWNLOADING;
    size_t bar = cli_view_bar_width(width);
    size_t rest = cli_view_rest(width);
    enum front_colour colour = cli_view_colour(p);
    const char *text = cli_track_state(p, state);

    size_t used = front_text_fit(out, p->name, width - rest, s->utf8);
    front_text_repeat(out, " ", width - rest - used);
    if (width >= 48) {
        front_text_puts(out, "  ");
        cli_view_bar(s, p, bar, out);
    }
    cli_view_percent(p, out);
    if (width >= 90) {
        cli_view_column(
            out, front_format_share(size, p->bytes_done, p->bytes_total), 20);
    }
    if (width >= 32) {
        if (moving) {
            cli_view_rate(s, buf, true, p->down_rate);
            text = buf;
            colour = FRONT_COLOUR_NONE;
        }
        front_text_puts(out, front_term_colour(s, colour));
        struct front_text cut = {0};
        front_text_fit(&cut, text, 15, s->utf8);
        cli_view_column(out, front_text_str(&cut), 15);
        front_text_free(&cut);
        front_text_puts(out, front_term_colour(s, FRONT_COLOUR_NONE));
    }
    if (width >= 64 && moving) {
        cli_view_column(out, front_format_duration(size, p->eta_s), 7);
    }
    front_text_puts(out, "\n");
}

/* The line for all torrents. */
static void cli_view_total(const struct cli_view *v, struct front_text *out)
{
    struct cli_totals sum = cli_track_totals(v->track);
    struct cli_fields f = {0};
    char buf[FRONT_FORMAT_MAX];

    snprintf(cli_view_field(&f, 4), CLI_VIEW_FIELD, "%zu of %zu done",
             sum.n_done, v->track->n);
    snprintf(cli_view_field(&f, 0), CLI_VIEW_FIELD, "%s",
             front_format_percent(buf, sum.bytes_done, sum.bytes_total));
    snprintf(cli_view_field(&f, 3), CLI_VIEW_FIELD, "%s",
             front_format_share(buf, sum.bytes_done, sum.bytes_total));
    cli_view_rate(v->screen, cli_view_field(&f, 1), true, sum.down_rate);
    if (sum.up_rate > 0) {
        cli_view_rate(v->screen, cli_view_field(&f, 6), false, sum.up_rate);
    }
    if (sum.eta_s >= 0) {
        snprintf(cli_view_field(&f, 2), CLI_VIEW_FIELD, "ETA %s",
                 front_format_duration(buf, sum.eta_s));
    }
    snprintf(cli_view_field(&f, 5), CLI_VIEW_FIELD, "%u peer%s", sum.peers,
             front_text_plural(sum.peers));
    cli_view_fields(v->screen, &f, out);
}

/* Several torrents: those that are not done first when not all fit. */
static void cli_view_several(const struct cli_view *v, struct front_text *out)
{
    size_t n = v->track->n;
    size_t height = v->screen->height;
    size_t rows = n;
    size_t shown = 0;

    if (height > 0 && n + 3 > height) {
        rows = num_max(num_sub(height, 4), 1);
    }
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < n && shown < rows; i++) {
            const struct btc_progress *p = &v->track->items[i].p;
            bool second = rows < n && cli_track_is_done(p);
            if (second == (pass == 1)) {
                cli_view_compact(v->screen, p, out);
                shown++;
            }
        }
    }
    if (shown < n) {
        front_text_printf(out, "and %zu more\n", n - shown);
    }
    cli_view_total(v, out);
}

/* The whole view. */
void cli_view_render(const struct cli_view *v, struct front_text *out)
{
    if (v->track->n == 1) {
        cli_view_single(v, out);
    } else if (v->track->n > 1) {
        cli_view_several(v, out);
    }
    if (v->note != NULL) {
        front_text_fit(out, v->note, cli_view_width(v->screen),
                       v->screen->utf8);
        front_text_puts(out, "\n");
    }
}
