/* Mending of names and texts that came in a torrent or a magnet.
 *
 * What comes out is valid UTF-8 without control characters, so that it can be
 * shown on a terminal and used as a file name. Bytes that are not UTF-8 become
 * U+FFFD; control characters (C0, DEL, C1) become '_', and so do the characters
 * that change the direction of writing: with those a name may show another
 * extension than it has.
 */
#include "proto/metainfo/internal.h"

#include <string.h>

/* Of a longer element only the ends are looked at: its middle is cut anyway. */
#define METAINFO_ELEMENT_HEAD 4032
#define METAINFO_ELEMENT_TAIL 64

#define METAINFO_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Length of the UTF-8 sequence that a first byte announces; 0: none. */
static size_t metainfo_utf8_len(uint8_t first)
{
    if (first < 0x80) {
        return 1;
    }
    if (first < 0xc2 || first > 0xf4) {
        return 0;
    }
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* The character at the front of s (not empty): its length, or 0 when the first
 * byte begins none. */
static size_t metainfo_utf8_next(struct slice s, uint32_t *out)
{
    size_t len = metainfo_utf8_len(s.p[0]);
    struct slice c = slice_sub(s, 0, len);

    if (len == 0 || c.len < len || !bytes_is_utf8(c)) {
        return 0;
    }
    *out = len == 1 ? c.p[0] : c.p[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        *out = *out << 6 | (c.p[i] & 0x3fu);
    }
    return len;
}

/* Control characters and the bidirectional overrides and isolates. */
static bool metainfo_is_unfit(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) ||
           (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* Appends `in` mended; characters in `keep` stay, those in `drop` become '_'.
 * What does not fit is left out. */
static void metainfo_mend(struct slice in, const char *keep, const char *drop,
                          struct buf *out)
{
    while (in.len > 0) {
        uint32_t c = 0;
        size_t len = metainfo_utf8_next(in, &c);
        bool ascii = len == 1 && c != 0;
        int rc;

        if (len == 0) {
            len = 1;
            rc = buf_append_str(out, METAINFO_REPLACEMENT);
        } else if ((metainfo_is_unfit(c) &&
                    !(ascii && strchr(keep, (int)c) != NULL)) ||
                   (ascii && strchr(drop, (int)c) != NULL)) {
            rc = buf_append_byte(out, '_');
        } else {
            rc = buf_append(out, in.p, len);
        }
        if (rc < 0) {
            return;
        }
        in = slice_sub(in, len, in.len - len);
    }
}

/* A text for people, as a string of its own. */
char *metainfo_mend_text(struct slice in)
{
    struct buf b;
    char *text;

    buf_init(&b, 3 * METAINFO_MAX_TEXT + 1);
    metainfo_mend(slice_sub(in, 0, METAINFO_MAX_TEXT), "\n\t", "", &b);
    text = buf_take_str(&b);
    buf_fini(&b);
    return text;
}

size_t metainfo_ext_len(struct slice name)
{
    for (size_t n = 1; n < name.len && n <= METAINFO_MAX_EXT; n++) {
        if (name.p[name.len - n] == '.') {
            return n;
        }
    }
    return 0;
}

size_t metainfo_cut(struct slice utf8, size_t max)
{
    if (utf8.len <= max) {
        return utf8.len;
    }
    while (max > 0 && (utf8.p[max] & 0xc0) == 0x80) {
        max--;
    }
    return max;
}

/* The common case, made cheap. */
bool metainfo_is_plain(struct slice element)
{
    if (element.len == 0 || element.len > METAINFO_MAX_ELEMENT ||
        element.p[0] == '.') {
        return false;
    }
    for (size_t i = 0; i < element.len; i++) {
        if (element.p[i] < 0x20 || element.p[i] >= 0x7f ||
            element.p[i] == '/') {
            return false;
        }
    }
    return true;
}

/* One sanitised path element into `out` (cleared first). */
void metainfo_sanitize(struct slice element, struct buf *out)
{
    size_t all = METAINFO_ELEMENT_HEAD + METAINFO_ELEMENT_TAIL;
    size_t ext;
    struct buf b;
    struct slice s;

    buf_clear(out);
    if (metainfo_is_plain(element)) {
        (void)buf_append_slice(out, element);
        return;
    }
    buf_init(&b, 3 * all);
    if (element.len > all) {
        size_t tail = element.len - METAINFO_ELEMENT_TAIL;
        metainfo_mend(slice_sub(element, 0, METAINFO_ELEMENT_HEAD), "", "/",
                      &b);
        element = slice_sub(element, tail, METAINFO_ELEMENT_TAIL);
    }
    metainfo_mend(element, "", "/", &b);
    s = buf_slice(&b);
    if (s.len == 0 || slice_eq_str(s, ".") || slice_eq_str(s, "..")) {
        (void)buf_append_byte(out, '_');
    } else if (s.len <= METAINFO_MAX_ELEMENT) {
        (void)buf_append_slice(out, s);
    } else {
        ext = metainfo_ext_len(s);
        (void)buf_append(out, s.p, metainfo_cut(s, METAINFO_MAX_ELEMENT - ext));
        (void)buf_append(out, s.p + s.len - ext, ext);
    }
    buf_fini(&b);
}

void metainfo_shorten(struct slice element, size_t max, struct buf *out)
{
    uint8_t sum[SHA1_LEN];
    char mark[10] = "~";
    buf_clear(out);
    if (element.len <= max) {
        (void)buf_append_slice(out, element);
        return;
    }
    size_t ext = metainfo_ext_len(element);
    size_t room = max - ext - (sizeof(mark) - 1);
    hash_sha1(element, sum);
    bytes_to_hex(sum, 4, mark + 1);
    (void)buf_append(out, element.p, metainfo_cut(element, room));
    (void)buf_append_str(out, mark);
    (void)buf_append(out, element.p + element.len - ext, ext);
}
