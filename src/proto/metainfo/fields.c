/* What the parts of the parser do alike: say what is wrong and where, take a
 * number that must be there, read a file's attributes, give a file its place
 * in the torrent's byte stream.
 */
#include "proto/metainfo/internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int metainfo_fail(const struct metainfo_parser *p, struct slice at,
                  const char *fmt, ...)
{
    char text[ERR_MSG_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (at.p == NULL) {
        return err_set(p->e, BTC_E_METAINFO, "%s", text);
    }
    return err_set(p->e, BTC_E_METAINFO, "%s (at byte %zu)", text,
                   (size_t)(at.p - p->doc.p));
}

int metainfo_read_int(const struct metainfo_parser *p, struct slice dict,
                      struct slice value, const char *key, uint64_t max,
                      uint64_t *out)
{
    int64_t v;

    if (value.len == 0) {
        return metainfo_fail(p, dict, "'%s' is missing", key);
    }
    if (!bencode_int(value, &v)) {
        return metainfo_fail(p, value, "'%s' is not an integer", key);
    }
    if (v < 0) {
        return metainfo_fail(p, value, "'%s' is negative: %" PRId64, key, v);
    }
    if ((uint64_t)v > max) {
        return metainfo_fail(
            p, value, "'%s' is %" PRId64 ", at most %" PRIu64 " is accepted",
            key, v, max);
    }
    *out = (uint64_t)v;
    return 0;
}

int metainfo_need_int(const struct metainfo_parser *p,
                      struct bencode_dict *dict, const char *key, uint64_t max,
                      uint64_t *out)
{
    return metainfo_read_int(p, dict->value, bencode_dict_get(dict, key), key,
                             max, out);
}

bool metainfo_has_attr(struct slice value, char flag)
{
    struct slice attr;

    return bencode_str(value, &attr) && attr.len > 0 &&
           memchr(attr.p, flag, attr.len) != NULL;
}

/* Completes a file with offset and length, and the torrent's total with it. */
int metainfo_add_file(struct metainfo_parser *p, struct slice at,
                      struct metainfo_file *file, uint64_t length)
{
    struct metainfo *m = p->m;

    if (length > METAINFO_MAX_SIZE - m->total_size) {
        return metainfo_fail(p, at, "the files' lengths overflow");
    }
    file->offset = m->total_size;
    file->length = length;
    m->total_size += length;
    return 0;
}
