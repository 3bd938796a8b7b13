/* Excerpts of bodies; see excerpt.h. Only the first EXCERPT_LOOK bytes are
 * looked at, whatever the length. */
#include "proto/tracker/excerpt.h"

#include "proto/field.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define EXCERPT_LOOK  1024u
#define EXCERPT_BYTES 12u /* that are shown of binary data */

static bool excerpt_is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct slice excerpt_trim(struct slice s)
{
    if (slice_has_prefix(s, "\xef\xbb\xbf")) {
        s = slice_sub(s, 3, s.len);
    }
    while (s.len > 0 && excerpt_is_blank(s.p[0])) {
        s = slice_sub(s, 1, s.len);
    }
    return s;
}

bool excerpt_is_html(struct slice body)
{
    static const char *const start[] = {"<html", "<!doctype", "<head", "<body"};
    struct slice s = excerpt_trim(body);

    for (size_t i = 0; i < sizeof(start) / sizeof(start[0]); i++) {
        size_t len = strlen(start[i]);
        if (s.len >= len &&
            strncasecmp((const char *)s.p, start[i], len) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether it is no text: a control character or bytes that are no UTF-8. What
 * is cut at the end may have cut a character. */
static bool excerpt_is_binary(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < 0x20 && !excerpt_is_blank(s.p[i]) && s.p[i] != 0x1b) {
            return true;
        }
    }
    for (size_t cut = 0; cut < 4 && cut <= s.len; cut++) {
        if (bytes_is_utf8(slice_sub(s, 0, s.len - cut))) {
            return false;
        }
    }
    return true;
}

/* Names binary data. */
static void excerpt_put_binary(struct slice s, char dst[EXCERPT_MAX])
{
    char hex[2 * EXCERPT_BYTES + 1];
    struct slice head = slice_sub(s, 0, EXCERPT_BYTES);

    if (slice_has_prefix(s, "\x1f\x8b")) {
        (void)snprintf(dst, EXCERPT_MAX, "gzip data that is not labelled so");
        return;
    }
    bytes_to_hex(head.p, head.len, hex);
    (void)snprintf(dst, EXCERPT_MAX, "binary data (hex %s...)", hex);
}

/* The text outside of <...>, with one blank for any run of blanks and tags. */
static struct slice excerpt_strip(struct slice s, uint8_t dst[EXCERPT_LOOK])
{
    size_t n = 0;
    bool in_tag = false;

    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.p[i];
        bool is_gap = in_tag || c == '<' || excerpt_is_blank(c);

        if (c == '<' || (c == '>' && in_tag)) {
            in_tag = c == '<';
        }
        if (!is_gap) {
            dst[n++] = c;
        } else if (n > 0 && dst[n - 1] != ' ') {
            dst[n++] = ' ';
        }
    }
    return slice_of(dst, n);
}

void excerpt_put(struct slice body, char dst[EXCERPT_MAX])
{
    uint8_t text[EXCERPT_LOOK];
    struct slice s = excerpt_trim(slice_sub(body, 0, EXCERPT_LOOK));

    if (excerpt_is_binary(s)) {
        excerpt_put_binary(s, dst);
    } else {
        field_text(excerpt_strip(s, text), dst, EXCERPT_MAX);
    }
}
