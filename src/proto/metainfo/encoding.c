/* Names in another character set than UTF-8: old torrents say which in
 * `encoding` ("GBK", "Big5", "Shift_JIS"). Only names that are not UTF-8 are
 * converted, because many that say GBK have UTF-8 all the same. What iconv does
 * not know, or cannot convert whole, is mended like any other text.
 */
#include "proto/metainfo/internal.h"

#include <iconv.h>
#include <string.h>

#define METAINFO_ENCODING_MAX 32 /* bytes of its name */

/* Letters, digits and '-', '_', '.', ':': nothing that tells iconv more than a
 * name. */
static bool metainfo_is_encoding(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.p[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && !(c == '-' || c == '_' || c == '.')) {
            return false;
        }
    }
    return s.len > 0 && s.len <= METAINFO_ENCODING_MAX;
}

void metainfo_encoding_open(struct metainfo_parser *p,
                            struct bencode_dict *root)
{
    char name[METAINFO_ENCODING_MAX + 1] = {0};
    struct slice s;
    if (!bencode_str(bencode_dict_get(root, "encoding"), &s) ||
        !metainfo_is_encoding(s)) {
        return;
    }
    memcpy(name, s.p, s.len);
    iconv_t to = iconv_open("UTF-8", name);
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): so iconv says it */
    p->converts = to != (iconv_t)-1;
    if (p->converts) {
        p->converter = to;
    } else {
        p->converter = NULL;
    }
}

void metainfo_encoding_close(struct metainfo_parser *p)
{
    if (p->converts) {
        (void)iconv_close(p->converter);
        p->converts = false;
    }
}

/* Bytes of UTF-8 in `out`; 0: it is no text of that character set. */
static size_t metainfo_convert(const struct metainfo_parser *p, struct slice in,
                               char *out, size_t size)
{
    char text[METAINFO_NAME_MAX];
    char *from = text;
    char *to = out;
    size_t left = in.len;
    size_t room = size;
    memcpy(text, in.p, in.len);
    (void)iconv(p->converter, NULL, NULL, NULL, NULL);
    size_t rc = iconv(p->converter, &from, &left, &to, &room);
    if (rc == (size_t)-1 || left > 0) {
        return 0;
    }
    return size - room;
}

int metainfo_push(struct metainfo_parser *p, struct slice element)
{
    char utf8[METAINFO_NAME_MAX * 4];
    if (p->converts && element.len > 0 && element.len <= METAINFO_NAME_MAX &&
        !bytes_is_utf8(element)) {
        size_t len = metainfo_convert(p, element, utf8, sizeof(utf8));
        if (len > 0) {
            element = slice_of((const uint8_t *)utf8, len);
        }
    }
    return metainfo_path_push(&p->path, element);
}
