/* What a stream can show: its size, its characters, colours. */
#ifndef BTC_FRONT_TERM_H
#define BTC_FRONT_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct cli_screen {
    bool tty;
    bool utf8;     /* may be shown more than ASCII; true for a file or a pipe */
    bool colour;   /* a terminal, not TERM=dumb, no NO_COLOR */
    bool dumb;     /* the cursor cannot be moved */
    size_t width;  /* columns; 0 = no limit (not a terminal) */
    size_t height; /* rows; 0 = no limit */
};

/* Once at the start: the locale, and UTF-8 widths in any locale. */
void cli_term_init(void);
struct cli_screen cli_term_screen(FILE *f);
/* Asks for the size again (a terminal may have been resized). */
void cli_term_resize(struct cli_screen *s, int fd);

/* Colours, as ESC sequences or "" where they are not wanted. */
enum cli_colour {
    CLI_COLOUR_NONE,
    CLI_COLOUR_BOLD,
    CLI_COLOUR_DIM,
    CLI_COLOUR_RED,
    CLI_COLOUR_GREEN,
    CLI_COLOUR_YELLOW,
    CLI_COLOUR_CYAN
};
const char *cli_term_colour(const struct cli_screen *s, enum cli_colour c);

#endif
