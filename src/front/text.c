/* Text for people: a growing buffer, and how wide UTF-8 is on a terminal. */
#include "front/text.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define FRONT_TEXT_BAD 0xFFFDU /* the replacement character */

/* Gives the memory back; `t` is empty and usable afterwards. */
void front_text_free(struct front_text *t)
{
    free(t->data);
    *t = (struct front_text){0};
}

/* Empties `t` and keeps its memory. */
void front_text_clear(struct front_text *t)
{
    t->len = 0;
    if (t->data != NULL) {
        t->data[0] = '\0';
    }
}

/* A default for a missing text. */
const char *front_text_or(const char *s, const char *unknown)
{
    if (s == NULL) {
        return unknown;
    }
    return s;
}

const char *front_text_plural(uint64_t n)
{
    if (n == 1) {
        return "";
    }
    return "s";
}

const char *front_text_gap(const char *word)
{
    if (word == NULL || *word == '\0') {
        return "";
    }
    return " ";
}

/* The text as a string. */
const char *front_text_str(const struct front_text *t)
{
    return front_text_or(t->data, "");
}

/* Appends `n` bytes. */
void front_text_add(struct front_text *t, const char *s, size_t n)
{
    if (n >= t->cap - t->len) {
        t->cap = (t->len + n + 1) * 2;
        t->data = mem_resize(t->data, t->cap, 1);
    }
    if (n > 0) {
        memcpy(t->data + t->len, s, n);
    }
    t->len += n;
    t->data[t->len] = '\0';
}

/* Appends a string. */
void front_text_puts(struct front_text *t, const char *s)
{
    front_text_add(t, s, strlen(s));
}

/* Appends a string `times` times. */
void front_text_repeat(struct front_text *t, const char *s, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        front_text_puts(t, s);
    }
}

/* Appends formatted text. */
void front_text_printf(struct front_text *t, const char *fmt, ...)
{
    char *s = NULL;
    va_list args;

    va_start(args, fmt);
    int n = vasprintf(&s, fmt, args);
    va_end(args);
    if (n < 0) {
        return;
    }
    front_text_add(t, s, (size_t)n);
    free(s);
}

/* How many bytes a character has by its first one; 0 = not a first byte. */
static size_t front_text_length(unsigned char first)
{
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xC2 && first < 0xE0) {
        return 2;
    }
    if (first >= 0xE0 && first < 0xF0) {
        return 3;
    }
    if (first >= 0xF0 && first < 0xF5) {
        return 4;
    }
    return 0;
}

/* Decodes one character (RFC 3629: no surrogates, no overlong forms). */
size_t front_text_decode(const char *s, uint32_t *cp)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)s[0];
    size_t n = front_text_length(first);

    *cp = first;
    if (first == 0) {
        return 0;
    }
    if (n == 1) {
        return 1;
    }
    *cp = FRONT_TEXT_BAD;
    if (n == 0) {
        return 1;
    }
    uint32_t value = first & (0xFFU >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if ((c & 0xC0U) != 0x80) {
            return 1;
        }
        value = value << 6 | (c & 0x3FU);
    }
    if (value < least[n] || value > 0x10FFFF ||
        (value >= 0xD800 && value < 0xE000)) {
        return 1;
    }
    *cp = value;
    return n;
}

/* Columns of one character as libc sees it; unknown ones count as one. */
static unsigned front_text_columns(uint32_t cp)
{
    int n = wcwidth((wchar_t)cp);

    if (n < 0) {
        return 1;
    }
    return (unsigned)n;
}

/* Bytes of a colour sequence at `s`, 0 = none. */
static size_t front_text_escape(const char *s)
{
    if (s[0] != '\033' || s[1] != '[') {
        return 0;
    }
    size_t n = 2 + strspn(s + 2, "0123456789;");
    if (s[n] == 'm') {
        return n + 1;
    }
    return 0;
}

/* How many characters at the beginning are printable ASCII: a byte and a column
 * each, and shown as they are. Most texts are nothing else. */
static size_t front_text_plain(const char *s)
{
    size_t n = 0;
    while (s[n] >= 0x20 && s[n] < 0x7f) {
        n++;
    }
    return n;
}

/* Columns of a string. */
size_t front_text_width(const char *s)
{
    size_t width = front_text_plain(s);
    uint32_t cp = 0;

    s += width;
    while (*s != '\0') {
        size_t skip = front_text_escape(s);
        if (skip == 0) {
            skip = front_text_decode(s, &cp);
            width += front_text_columns(cp);
        }
        s += skip;
    }
    return width;
}

/* Whether a terminal may see this character. */
static bool front_text_is_safe(uint32_t cp)
{
    if (cp < 0x20 || (cp >= 0x7F && cp < 0xA0)) {
        return false;
    }
    /* marks that turn or hide the direction of writing, line separators */
    if ((cp >= 0x200B && cp <= 0x200F) || (cp >= 0x2028 && cp <= 0x202E) ||
        (cp >= 0x2060 && cp <= 0x206F) || cp == 0xFEFF || cp == 0x061C) {
        return false;
    }
    return wcwidth((wchar_t)cp) >= 0;
}

/* Takes the next character of *s as it may be shown; its columns. */
static size_t front_text_next(const char **s, const char **shown, size_t *len,
                              bool utf8)
{
    uint32_t cp = 0;
    size_t used = front_text_decode(*s, &cp);

    *shown = *s;
    *len = used;
    *s += used;
    bool bad = cp == FRONT_TEXT_BAD || !front_text_is_safe(cp);
    if (!utf8 && (bad || cp >= 0x80)) {
        *shown = "?";
        *len = 1;
        return 1;
    }
    if (bad) {
        *shown = "\xEF\xBF\xBD";
        *len = 3;
        return 1;
    }
    return front_text_columns(cp);
}

/* Appends a stranger's text. */
void front_text_clean(struct front_text *t, const char *s, bool utf8)
{
    const char *shown = NULL;
    size_t len = front_text_plain(s);

    front_text_add(t, s, len);
    s += len;
    while (*s != '\0') {
        front_text_next(&s, &shown, &len, utf8);
        front_text_add(t, shown, len);
    }
}

/* What stands for what was cut, and its columns: nothing where it does not fit.
 */
static const char *front_text_dots(size_t width, bool utf8, size_t *columns)
{
    const char *dots = "...";

    *columns = 3;
    if (utf8) {
        dots = "\xE2\x80\xA6";
        *columns = 1;
    }
    if (width < *columns) {
        *columns = 0;
        return "";
    }
    return dots;
}

/* The beginning of `at` in `width` columns, with dots behind it. */
static size_t front_text_cut_end(struct front_text *t, const char *at,
                                 size_t width, bool utf8)
{
    size_t n_dots = 0;
    const char *dots = front_text_dots(width, utf8, &n_dots);
    size_t used = 0;
    uint32_t cp = 0;

    while (*at != '\0') {
        size_t n = front_text_decode(at, &cp);
        size_t columns = front_text_columns(cp);
        if (used + columns > width - n_dots) {
            break;
        }
        front_text_add(t, at, n);
        used += columns;
        at += n;
    }
    front_text_puts(t, dots);
    return used + n_dots;
}

/* The end of `at`, which has `left` columns, with dots before it. What combines
 * with a letter that was cut goes, too. */
static size_t front_text_cut_begin(struct front_text *t, const char *at,
                                   size_t left, size_t width, bool utf8)
{
    size_t n_dots = 0;
    const char *dots = front_text_dots(width, utf8, &n_dots);
    uint32_t cp = 0;

    while (*at != '\0') {
        size_t n = front_text_decode(at, &cp);
        size_t columns = front_text_columns(cp);
        if (left <= width - n_dots && columns > 0) {
            break;
        }
        left -= columns;
        at += n;
    }
    front_text_puts(t, dots);
    front_text_puts(t, at);
    return left + n_dots;
}

/* Appends a stranger's text in at most `width` columns, cut at either end. */
static size_t front_text_fit_either(struct front_text *t, const char *s,
                                    size_t width, bool utf8, bool end)
{
    struct front_text whole = {0};
    size_t plain = front_text_plain(s);

    if (s[plain] == '\0' && plain <= width) {
        front_text_add(t, s, plain);
        return plain;
    }
    front_text_clean(&whole, s, utf8);
    const char *at = front_text_str(&whole);
    size_t used = front_text_width(at);
    if (used <= width) {
        front_text_puts(t, at);
    } else if (end) {
        used = front_text_cut_begin(t, at, used, width, utf8);
    } else {
        used = front_text_cut_end(t, at, width, utf8);
    }
    front_text_free(&whole);
    return used;
}

size_t front_text_fit(struct front_text *t, const char *s, size_t width,
                      bool utf8)
{
    return front_text_fit_either(t, s, width, utf8, false);
}

size_t front_text_fit_end(struct front_text *t, const char *s, size_t width,
                          bool utf8)
{
    return front_text_fit_either(t, s, width, utf8, true);
}
