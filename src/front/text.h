/* Text for people: a growing buffer, and how wide UTF-8 is on a terminal.
 *
 * Names, tracker replies and client strings come from strangers: they pass
 * cli_text_clean or cli_text_fit before a terminal sees them, which take away
 * control characters (an escape sequence in a file name would run) and the
 * marks that turn the direction of writing.
 */
#ifndef BTC_FRONT_TEXT_H
#define BTC_FRONT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cli_text {
    char *data; /* owns; NUL-ended when not NULL */
    size_t len;
    size_t cap;
};

void cli_text_free(struct cli_text *t);
void cli_text_clear(struct cli_text *t);
const char *cli_text_str(const struct cli_text *t); /* "" when empty */
void cli_text_add(struct cli_text *t, const char *s, size_t n);
void cli_text_puts(struct cli_text *t, const char *s);
void cli_text_repeat(struct cli_text *t, const char *s, size_t times);
void cli_text_printf(struct cli_text *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* One character; bytes used (>= 1 unless at the end: 0). U+FFFD stands for a
 * byte that is not UTF-8. */
size_t cli_text_decode(const char *s, uint32_t *cp);
/* Columns of one character, never negative. */
unsigned cli_text_columns(uint32_t cp);
/* Columns of a string; colour sequences (ESC [ ... m) take none. */
size_t cli_text_width(const char *s);
/* Appends `s` as something a terminal may be shown; `utf8` false: ASCII only.
 */
void cli_text_clean(struct cli_text *t, const char *s, bool utf8);
/* The same, cut with an ellipsis to `width` columns; gives the columns used. */
size_t cli_text_fit(struct cli_text *t, const char *s, size_t width, bool utf8);
/* The same, but its end is kept: what tells paths apart stands there. */
size_t cli_text_fit_end(struct cli_text *t, const char *s, size_t width,
                        bool utf8);

#endif
