/* Writes a v1 .torrent (BEP 3, 12, 19, 27, 47). Keys go out in sorted order, as
 * BEP 3 wants them, so the info hash is the one that any other client computes.
 *
 * Errors stick: the first one is kept in the writer and the rest of the
 * document is still walked, which keeps the functions free of checks.
 */
#include "proto/metainfo/internal.h"

#include <string.h>

struct metainfo_writer {
    struct buf *out; /* borrows */
    int rc;          /* first error */
};

static void metainfo_put_raw(struct metainfo_writer *w, char c)
{
    if (w->rc == 0) {
        w->rc = bencode_put_raw(w->out, c);
    }
}

static void metainfo_put_slice(struct metainfo_writer *w, struct slice s)
{
    if (w->rc == 0) {
        w->rc = bencode_put_str(w->out, s);
    }
}

static void metainfo_put_str(struct metainfo_writer *w, const char *s)
{
    metainfo_put_slice(w, slice_str(s));
}

static void metainfo_put_int(struct metainfo_writer *w, uint64_t v)
{
    if (w->rc == 0) {
        if (v > INT64_MAX) {
            w->rc = BTC_E_RANGE;
        } else {
            w->rc = bencode_put_int(w->out, (int64_t)v);
        }
    }
}

/* A relative path as a list of its elements. */
static void metainfo_put_path(struct metainfo_writer *w, const char *path)
{
    metainfo_put_raw(w, 'l');
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        if (len == 0) {
            if (w->rc == 0) {
                w->rc = BTC_E_RANGE;
            }
        }
        metainfo_put_slice(w, slice_of(path, len));
        path += len + (path[len] == '/');
    }
    metainfo_put_raw(w, 'e');
}

static void metainfo_put_attr(struct metainfo_writer *w,
                              const struct metainfo_file *file)
{
    if (file->pad || file->executable) {
        metainfo_put_str(w, "attr");
        metainfo_put_str(w, file->pad ? "p" : "x");
    }
}

static void metainfo_put_files(struct metainfo_writer *w,
                               const struct metainfo_spec *spec)
{
    metainfo_put_str(w, "files");
    metainfo_put_raw(w, 'l');
    for (uint32_t i = 0; i < spec->n_files; i++) {
        metainfo_put_raw(w, 'd');
        metainfo_put_attr(w, &spec->files[i]);
        metainfo_put_str(w, "length");
        metainfo_put_int(w, spec->files[i].length);
        metainfo_put_str(w, "path");
        metainfo_put_path(w, spec->files[i].path);
        metainfo_put_raw(w, 'e');
    }
    metainfo_put_raw(w, 'e');
}

static void metainfo_put_info(struct metainfo_writer *w,
                              const struct metainfo_spec *spec)
{
    metainfo_put_str(w, "info");
    metainfo_put_raw(w, 'd');
    if (spec->multi_file) {
        metainfo_put_files(w, spec);
    } else {
        metainfo_put_attr(w, &spec->files[0]);
        metainfo_put_str(w, "length");
        metainfo_put_int(w, spec->files[0].length);
    }
    metainfo_put_str(w, "name");
    metainfo_put_str(w, spec->name);
    metainfo_put_str(w, "piece length");
    metainfo_put_int(w, spec->piece_length);
    metainfo_put_str(w, "pieces");
    metainfo_put_slice(
        w, slice_of(spec->piece_hashes, (size_t)spec->n_pieces * SHA1_LEN));
    if (spec->is_private) {
        metainfo_put_str(w, "private");
        metainfo_put_int(w, 1);
    }
    metainfo_put_raw(w, 'e');
}

/* BEP 12: the list is only needed when `announce` does not say it all. */
static void metainfo_put_trackers(struct metainfo_writer *w,
                                  const struct metainfo_spec *spec)
{
    if (spec->n_trackers == 0) {
        return;
    }
    metainfo_put_str(w, "announce");
    metainfo_put_str(w, spec->trackers[0].url);
    if (spec->n_trackers == 1) {
        return;
    }
    metainfo_put_str(w, "announce-list");
    metainfo_put_raw(w, 'l');
    for (uint32_t i = 0; i < spec->n_trackers; i++) {
        if (i == 0 || spec->trackers[i].tier != spec->trackers[i - 1].tier) {
            metainfo_put_raw(w, 'l');
        }
        metainfo_put_str(w, spec->trackers[i].url);
        if (i + 1 == spec->n_trackers ||
            spec->trackers[i].tier != spec->trackers[i + 1].tier) {
            metainfo_put_raw(w, 'e');
        }
    }
    metainfo_put_raw(w, 'e');
}

static void metainfo_put_web_seeds(struct metainfo_writer *w,
                                   const struct metainfo_spec *spec)
{
    if (spec->n_web_seeds == 0) {
        return;
    }
    metainfo_put_str(w, "url-list");
    metainfo_put_raw(w, 'l');
    for (uint32_t i = 0; i < spec->n_web_seeds; i++) {
        metainfo_put_str(w, spec->web_seeds[i]);
    }
    metainfo_put_raw(w, 'e');
}

static void metainfo_put_text(struct metainfo_writer *w, const char *key,
                              const char *text)
{
    if (text != NULL) {
        metainfo_put_str(w, key);
        metainfo_put_str(w, text);
    }
}

/* True when names, sizes and counts fit each other. */
static bool metainfo_is_spec_sound(const struct metainfo_spec *spec)
{
    uint64_t total = 0;
    uint64_t pieces;

    if (spec->name == NULL || spec->name[0] == '\0' ||
        spec->piece_length < METAINFO_MIN_PIECE_LEN ||
        spec->piece_length > METAINFO_MAX_PIECE_LEN || spec->n_files == 0 ||
        spec->n_files > METAINFO_MAX_FILES ||
        (!spec->multi_file && spec->n_files != 1)) {
        return false;
    }
    for (uint32_t i = 0; i < spec->n_files; i++) {
        const struct metainfo_file *file = &spec->files[i];
        if (file->length > (uint64_t)INT64_MAX - total ||
            (spec->multi_file &&
             (file->path == NULL || file->path[0] == '\0'))) {
            return false;
        }
        total += file->length;
    }
    pieces = total / spec->piece_length + (total % spec->piece_length != 0);
    return pieces == spec->n_pieces && pieces <= METAINFO_MAX_PIECES;
}

/* What stands in front of the info dictionary. */
static void metainfo_put_head(struct metainfo_writer *w,
                              const struct metainfo_spec *spec)
{
    metainfo_put_raw(w, 'd');
    metainfo_put_trackers(w, spec);
    metainfo_put_text(w, "comment", spec->comment);
    metainfo_put_text(w, "created by", spec->created_by);
    if (spec->creation_date > 0) {
        metainfo_put_str(w, "creation date");
        metainfo_put_int(w, (uint64_t)spec->creation_date);
    }
}

/* And what stands behind it. */
static void metainfo_put_tail(struct metainfo_writer *w,
                              const struct metainfo_spec *spec)
{
    metainfo_put_web_seeds(w, spec);
    metainfo_put_raw(w, 'e');
}

/* Appends the .torrent; the buffer may hold a part of it after an error. */
int metainfo_write(const struct metainfo_spec *spec, struct buf *out)
{
    struct metainfo_writer w = {.out = out, .rc = 0};

    if (!metainfo_is_spec_sound(spec)) {
        return BTC_E_RANGE;
    }
    metainfo_put_head(&w, spec);
    metainfo_put_info(&w, spec);
    metainfo_put_tail(&w, spec);
    return w.rc;
}

int metainfo_wrap(struct slice info, const struct metainfo_spec *spec,
                  struct buf *out)
{
    struct metainfo_writer w = {.out = out, .rc = 0};

    metainfo_put_head(&w, spec);
    metainfo_put_str(&w, "info");
    if (w.rc == 0) {
        w.rc = buf_append(out, info.p, info.len);
    }
    metainfo_put_tail(&w, spec);
    return w.rc;
}
