/* What a stream can show: its size, its characters, colours. */
#ifndef BTC_FRONT_TERM_H
#define BTC_FRONT_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct front_screen {
    bool tty;
    bool utf8;     /* may be shown more than ASCII; true for a file or a pipe */
    bool colour;   /* a terminal, not TERM=dumb, no NO_COLOR */
    bool dumb;     /* the cursor cannot be moved */
    size_t width;  /* columns; 0 = no limit (not a terminal) */
    size_t height; /* rows; 0 = no limit */
};

/* Once at the start: the locale, and UTF-8 widths in any locale. */
void front_term_init(void);
struct front_screen front_term_screen(FILE *f);
/* Asks for the size again (a terminal may have been resized). */
void front_term_resize(struct front_screen *s, int fd);
/* Its columns, or so many where there is no limit. */
size_t front_term_width(const struct front_screen *s, size_t unlimited);
/* A sign in UTF-8, or in ASCII where no more may be shown. */
const char *front_term_sign(const struct front_screen *s, const char *utf8,
                            const char *ascii);

/* Colours, as ESC sequences or "" where they are not wanted. */
enum front_colour {
    FRONT_COLOUR_NONE,
    FRONT_COLOUR_BOLD,
    FRONT_COLOUR_DIM,
    FRONT_COLOUR_RED,
    FRONT_COLOUR_GREEN,
    FRONT_COLOUR_YELLOW,
    FRONT_COLOUR_CYAN
};
const char *front_term_colour(const struct front_screen *s,
                              enum front_colour c);

#endif
