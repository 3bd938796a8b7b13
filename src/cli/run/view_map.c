/* The map of the pieces: a sign per cell, darker the more of it is verified. */
#include "cli/run/view.h"

#include "base/num.h"

#define CLI_MAP_WIDTH 80 /* where there is no screen */

/* How a cell looks. */
enum cli_map_sign {
    CLI_MAP_MISSING,
    CLI_MAP_ACTIVE,
    CLI_MAP_SOME,
    CLI_MAP_MOST,
    CLI_MAP_ALL,
    CLI_MAP_CHECKING
};
struct cli_map_look {
    const char *utf8;
    const char *ascii;
    enum front_colour colour;
    const char *meaning;
};
static const struct cli_map_look cli_map_looks[] = {
    [CLI_MAP_MISSING] = {"\xC2\xB7", ".", FRONT_COLOUR_DIM, "missing"},
    [CLI_MAP_ACTIVE] = {"\xE2\x96\x91", "-", FRONT_COLOUR_YELLOW, "under way"},
    [CLI_MAP_SOME] = {"\xE2\x96\x92", "+", FRONT_COLOUR_GREEN, "some verified"},
    [CLI_MAP_MOST] = {"\xE2\x96\x93", "*", FRONT_COLOUR_GREEN, "most"},
    [CLI_MAP_ALL] = {"\xE2\x96\x88", "#", FRONT_COLOUR_GREEN, "all"},
    [CLI_MAP_CHECKING] = {"\xE2\x96\x9A", "?", FRONT_COLOUR_CYAN, "checking"}};

/* The sign of a cell. */
static enum cli_map_sign cli_map_sign(const struct btc_cell *cell)
{
    if (cell->checking != 0) {
        return CLI_MAP_CHECKING;
    }
    if (cell->done >= 8) {
        return CLI_MAP_ALL;
    }
    if (cell->done >= 4) {
        return CLI_MAP_MOST;
    }
    if (cell->done > 0) {
        return CLI_MAP_SOME;
    }
    if (cell->active != 0) {
        return CLI_MAP_ACTIVE;
    }
    return CLI_MAP_MISSING;
}

/* Columns of a map's line. */
static size_t cli_map_width(const struct front_screen *s)
{
    size_t width = front_term_width(s, CLI_MAP_WIDTH);

    if (width < 3) {
        return 2;
    }
    return width - 1;
}

/* A cell per piece, or as many as there is room for. */
size_t cli_view_cells(const struct front_screen *s, uint32_t pieces,
                      size_t lines)
{
    size_t room = cli_map_width(s) * lines;

    return num_min(pieces, room);
}

/* Writes one sign; the colour changes only where it must. */
static void cli_map_put(const struct front_screen *s, enum cli_map_sign sign,
                        enum front_colour *colour, struct front_text *out)
{
    const struct cli_map_look *look = &cli_map_looks[sign];

    if (look->colour != *colour) {
        front_text_puts(out, front_term_colour(s, FRONT_COLOUR_NONE));
        front_text_puts(out, front_term_colour(s, look->colour));
        *colour = look->colour;
    }
    front_text_puts(out, front_term_sign(s, look->utf8, look->ascii));
}

/* Draws the cells; fewer than a line of them are stretched to a whole one. */
void cli_view_map(const struct front_screen *s, const struct btc_cell *cells,
                  size_t n, struct front_text *out)
{
    size_t width = cli_map_width(s);
    size_t signs = num_max(n, width);
    enum front_colour colour = FRONT_COLOUR_NONE;

    if (n == 0) {
        return;
    }
    for (size_t i = 0; i < signs; i++) {
        cli_map_put(s, cli_map_sign(&cells[i * n / signs]), &colour, out);
        if (i % width == width - 1 || i == signs - 1) {
            front_text_puts(out, front_term_colour(s, FRONT_COLOUR_NONE));
            front_text_puts(out, "\n");
            colour = FRONT_COLOUR_NONE;
        }
    }
}

/* Says what the signs mean. */
void cli_view_legend(const struct front_screen *s, struct front_text *out)
{
    static const enum cli_map_sign order[] = {
        CLI_MAP_MISSING, CLI_MAP_ACTIVE, CLI_MAP_SOME,
        CLI_MAP_MOST,    CLI_MAP_ALL,    CLI_MAP_CHECKING};

    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        const struct cli_map_look *look = &cli_map_looks[order[i]];
        if (i > 0) {
            front_text_puts(out, "  ");
        }
        front_text_puts(out, front_term_colour(s, look->colour));
        front_text_puts(out, front_term_sign(s, look->utf8, look->ascii));
        front_text_puts(out, front_term_colour(s, FRONT_COLOUR_NONE));
        front_text_puts(out, " ");
        front_text_puts(out, look->meaning);
    }
    front_text_puts(out, "\n");
}
