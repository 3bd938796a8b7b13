/* The live view as text: a pure function of the facts and the screen. Lines are
 * at most width - 1 columns wide, so that the last column never wraps, and each
 * ends with a newline. */
#ifndef BTC_CLI_RUN_VIEW_H
#define BTC_CLI_RUN_VIEW_H

#include "cli/run/track.h"
#include "front/term.h"
#include "front/text.h"

#define CLI_VIEW_MAP_LINES 3 /* of the live view's piece map */

struct cli_view {
    const struct front_screen *screen;
    const struct cli_track *track;
    const struct btc_cell *cells; /* the map of a single torrent */
    size_t n_cells;
    const char *note; /* a last line, NULL = none */
};

void cli_view_render(const struct cli_view *v, struct front_text *out);
/* A bar for hashing (btc create): name, bar, figures. */
void cli_view_hashing(const struct front_screen *s,
                      const struct btc_progress *p, struct front_text *out);
/* How many cells a map of `pieces` pieces in at most `lines` lines has. */
size_t cli_view_cells(const struct front_screen *s, uint32_t pieces,
                      size_t lines);
/* The map alone. */
void cli_view_map(const struct front_screen *s, const struct btc_cell *cells,
                  size_t n, struct front_text *out);
/* What the signs of the map mean, a line. */
void cli_view_legend(const struct front_screen *s, struct front_text *out);

#endif
