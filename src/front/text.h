/* Text for people: a growing buffer, and how wide UTF-8 is on a terminal.
 *
 * Names, tracker replies and client strings come from strangers: they pass
 * front_text_clean or front_text_fit before a terminal sees them, which take
 * away control characters (an escape sequence in a file name would run) and the
 * marks that turn the direction of writing.
 */
#ifndef BTC_FRONT_TEXT_H
#define BTC_FRONT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct front_text {
    char *data; /* owns; NUL-ended when not NULL */
    size_t len;
    size_t cap;
};

void front_text_free(struct front_text *t);
void front_text_clear(struct front_text *t);
const char *front_text_str(const struct front_text *t); /* "" when empty */
void front_text_add(struct front_text *t, const char *s, size_t n);
void front_text_puts(struct front_text *t, const char *s);
void front_text_repeat(struct front_text *t, const char *s, size_t times);
void front_text_printf(struct front_text *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The text, or what is shown for one that is not known (NULL). */
const char *front_text_or(const char *s, const char *unknown);
/* What a noun ends with when there are `n` of it: "s", but "" for one. */
const char *front_text_plural(uint64_t n);
/* The blank before a word that may be missing (NULL or ""): " " or "". */
const char *front_text_gap(const char *word);

/* One character; bytes used (>= 1 unless at the end: 0). U+FFFD stands for a
 * byte that is not UTF-8. */
size_t front_text_decode(const char *s, uint32_t *cp);
/* Columns of a string; colour sequences (ESC [ ... m) take none. */
size_t front_text_width(const char *s);
/* Appends `s` as something a terminal may be shown; `utf8` false: ASCII only.
 */
void front_text_clean(struct front_text *t, const char *s, bool utf8);
/* The same, cut with an ellipsis to `width` columns; gives the columns used. */
size_t front_text_fit(struct front_text *t, const char *s, size_t width,
                      bool utf8);
/* The same, but its end is kept: what tells paths apart stands there. */
size_t front_text_fit_end(struct front_text *t, const char *s, size_t width,
                          bool utf8);

#endif
