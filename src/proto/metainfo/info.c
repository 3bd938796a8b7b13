/* The info dictionary (BEP 3, 27, 47; hybrids of BEP 52 through their v1 side).
 *
 * Symlinks (BEP 47, attr `l`) take no bytes of the torrent, whatever length
 * they say; see links.c. Pad files are known by attr `p` alone: by its name
 * none is known to hold zeros, and who sends what the hashes want would be
 * taken for a liar. A pad file needs no path.
 */
#include "proto/metainfo/internal.h"

#include "base/mem.h"

#include <inttypes.h>

static int metainfo_read_piece_length(struct metainfo_parser *p,
                                      struct bencode_dict *info)
{
    uint64_t len = 0;
    int rc = metainfo_need_int(p, info, "piece length", METAINFO_MAX_PIECE_LEN,
                               &len);

    if (rc < 0) {
        return rc;
    }
    if (len < METAINFO_MIN_PIECE_LEN) {
        return metainfo_fail(p, bencode_dict_get(info, "piece length"),
                             "'piece length' is %" PRIu64
                             ", at least %u is accepted",
                             len, METAINFO_MIN_PIECE_LEN);
    }
    p->m->piece_length = (uint32_t)len;
    return 0;
}

/* The name, as one path element; name.utf-8 wins when it is valid. */
static int metainfo_read_name(struct metainfo_parser *p,
                              struct bencode_dict *info)
{
    struct slice name;

    if (!(bencode_str(bencode_dict_get(info, "name.utf-8"), &name) &&
          name.len > 0 && bytes_is_utf8(name)) &&
        !bencode_str(bencode_dict_get(info, "name"), &name)) {
        return metainfo_fail(p, info->value,
                             "'name' is missing or not a string");
    }
    metainfo_path_reset(&p->path);
    if (metainfo_push(p, name) < 0) {
        return metainfo_fail(p, name, "'name' is too long");
    }
    p->m->name = mem_strdup(p->path.text);
    return 0;
}

/* Builds p->path from the torrent's name and a path list. */
static int metainfo_read_path(struct metainfo_parser *p, struct slice list)
{
    struct bencode_iter it = bencode_iter(list);
    struct slice key;
    struct slice value;
    struct slice element;
    uint32_t depth = 0;

    metainfo_path_reset(&p->path);
    if (metainfo_path_push(&p->path, slice_str(p->m->name)) < 0) {
        return metainfo_fail(p, list, "a path is too long");
    }
    while (bencode_next(&it, &key, &value)) {
        if (!bencode_str(value, &element)) {
            return metainfo_fail(p, value, "a path element is not a string");
        }
        if (++depth > METAINFO_MAX_DEPTH) {
            return metainfo_fail(p, value, "a path is deeper than %d folders",
                                 METAINFO_MAX_DEPTH);
        }
        if (metainfo_push(p, element) < 0) {
            return metainfo_fail(p, value, "a path is longer than %d bytes",
                                 METAINFO_MAX_PATH);
        }
    }
    if (depth == 0) {
        return metainfo_fail(p, list, "a file's path is empty");
    }
    return 0;
}

/* What a dictionary of the `files` list says; empty slices for what it does
 * not. */
struct metainfo_entry {
    struct slice attr;
    struct slice length;
    struct slice path;
    struct slice path_utf8;
    struct slice target; /* `symlink path` */
};

/* Finds all of it in one pass; there may be a million files. */
static struct metainfo_entry metainfo_find_entry(struct slice dict)
{
    struct metainfo_entry entry = {.attr = slice_of(NULL, 0)};
    struct bencode_iter it = bencode_iter(dict);
    struct slice key;
    struct slice value;

    while (bencode_next(&it, &key, &value)) {
        struct slice *field = NULL;
        if (slice_eq_str(key, "length")) {
            field = &entry.length;
        } else if (slice_eq_str(key, "path")) {
            field = &entry.path;
        } else if (slice_eq_str(key, "path.utf-8")) {
            field = &entry.path_utf8;
        } else if (slice_eq_str(key, "attr")) {
            field = &entry.attr;
        } else if (slice_eq_str(key, "symlink path")) {
            field = &entry.target;
        }
        if (field != NULL && field->len == 0) {
            *field = value; /* the first of a name wins */
        }
    }
    return entry;
}

/* True for a list that is not empty. */
static bool metainfo_is_list(struct slice value)
{
    return bencode_type(value) == BENCODE_LIST && value.len > 2;
}

/* The path of a pad file that has none. */
static int metainfo_read_pad_path(struct metainfo_parser *p, struct slice dict)
{
    metainfo_path_reset(&p->path);
    if (metainfo_path_push(&p->path, slice_str(p->m->name)) < 0 ||
        metainfo_path_push(&p->path, slice_str(".pad")) < 0 ||
        metainfo_path_push(&p->path, slice_str("0")) < 0) {
        return metainfo_fail(p, dict, "'name' is too long");
    }
    return 0;
}

/* One dictionary of the `files` list. */
static int metainfo_read_file(struct metainfo_parser *p, struct slice dict,
                              struct metainfo_file *file)
{
    struct metainfo_entry entry = metainfo_find_entry(dict);
    bool link = metainfo_has_attr(entry.attr, 'l');
    struct slice path =
        metainfo_is_list(entry.path_utf8) ? entry.path_utf8 : entry.path;
    uint64_t length = 0;
    int rc = 0;

    if (!link) {
        rc = metainfo_read_int(p, dict, entry.length, "length",
                               METAINFO_MAX_SIZE, &length);
    }
    if (rc < 0) {
        return rc;
    }
    file->pad = metainfo_has_attr(entry.attr, 'p');
    file->executable = metainfo_has_attr(entry.attr, 'x');
    if (metainfo_is_list(path)) {
        rc = metainfo_read_path(p, path);
    } else if (file->pad) {
        rc = metainfo_read_pad_path(p, dict);
    } else {
        rc = metainfo_fail(p, dict, "a file has no path");
    }
    if (rc < 0) {
        return rc;
    }
    file->path = mem_strndup(p->path.text, p->path.len);
    if (link) {
        metainfo_link_read(p, entry.target, file);
    }
    return metainfo_add_file(p, dict, file, length);
}

/* The `files` list of a multi-file torrent. */
static int metainfo_read_files(struct metainfo_parser *p, struct slice list)
{
    struct bencode_iter it = bencode_iter(list);
    struct metainfo *m = p->m;
    struct slice key;
    struct slice dict;
    uint32_t n = 0;
    int rc;

    while (bencode_next(&it, &key, &dict)) {
        if (bencode_type(dict) != BENCODE_DICT) {
            return metainfo_fail(p, dict, "a file is not a dictionary");
        }
        if (++n > METAINFO_MAX_FILES) {
            return metainfo_fail(p, dict, "more than %u files",
                                 METAINFO_MAX_FILES);
        }
    }
    if (n == 0) {
        return metainfo_fail(p, list, "'files' is empty");
    }
    m->files = mem_calloc(n, sizeof(*m->files));
    m->multi_file = true;
    it = bencode_iter(list);
    while (bencode_next(&it, &key, &dict)) {
        rc = metainfo_read_file(p, dict, &m->files[m->n_files++]);
        if (rc < 0) {
            return rc;
        }
    }
    metainfo_path_resolve(m->files, m->n_files, m->v1.bytes);
    metainfo_link_resolve(m);
    return 0;
}

/* A single-file torrent: `length` stands in the info dictionary itself. */
static int metainfo_read_single(struct metainfo_parser *p,
                                struct bencode_dict *info)
{
    struct metainfo *m = p->m;
    uint64_t length = 0;
    int rc = metainfo_need_int(p, info, "length", METAINFO_MAX_SIZE, &length);

    if (rc < 0) {
        return rc;
    }
    m->files = mem_calloc(1, sizeof(*m->files));
    m->n_files = 1;
    m->files[0].path = mem_strdup(m->name);
    m->files[0].executable =
        metainfo_has_attr(bencode_dict_get(info, "attr"), 'x');
    return metainfo_add_file(p, info->value, &m->files[0], length);
}

/* The hashes, of which there must be exactly one per piece. */
static int metainfo_read_pieces(struct metainfo_parser *p,
                                struct bencode_dict *info)
{
    struct metainfo *m = p->m;
    struct slice value = bencode_dict_get(info, "pieces");
    struct slice hashes;
    uint64_t want = m->total_size / m->piece_length +
                    (m->total_size % m->piece_length != 0);

    if (!bencode_str(value, &hashes)) {
        return metainfo_fail(p, value, "'pieces' is not a string");
    }
    if (hashes.len % SHA1_LEN != 0) {
        return metainfo_fail(p, value,
                             "'pieces' has %zu bytes, not a multiple of %d",
                             hashes.len, SHA1_LEN);
    }
    if (hashes.len / SHA1_LEN != want) {
        return metainfo_fail(p, value,
                             "'pieces' has %zu hashes, but %" PRIu64
                             " bytes in pieces of %" PRIu32 " need %" PRIu64,
                             hashes.len / SHA1_LEN, m->total_size,
                             m->piece_length, want);
    }
    if (want > METAINFO_MAX_PIECES) {
        return metainfo_fail(p, value,
                             "%" PRIu64 " pieces, at most %u are accepted",
                             want, METAINFO_MAX_PIECES);
    }
    m->n_pieces = (uint32_t)want;
    m->hashes_at = (size_t)(hashes.p - info->value.p);
    m->piece_hashes = m->info + m->hashes_at;
    return 0;
}

static int metainfo_read_v1(struct metainfo_parser *p,
                            struct bencode_dict *info)
{
    struct slice files = bencode_dict_get(info, "files");
    int rc;

    if (files.len > 0 && bencode_dict_get(info, "length").len > 0) {
        return metainfo_fail(p, files, "both 'length' and 'files' are given");
    }
    if (files.len > 0 && bencode_type(files) != BENCODE_LIST) {
        return metainfo_fail(p, files, "'files' is not a list");
    }
    if (files.len > 0) {
        rc = metainfo_read_files(p, files);
    } else {
        rc = metainfo_read_single(p, info);
    }
    if (rc < 0) {
        return rc;
    }
    return metainfo_read_pieces(p, info);
}

/* Finds out which versions the torrent speaks (BEP 52), and its digests. */
static int metainfo_read_version(struct metainfo_parser *p,
                                 struct bencode_dict *info)
{
    struct metainfo *m = p->m;
    struct slice value = bencode_dict_get(info, "meta version");
    int64_t version = 1;

    bool has_v1 = bencode_dict_get(info, "pieces").len > 0;
    if (value.len > 0 && !bencode_int(value, &version)) {
        return metainfo_fail(p, value, "'meta version' is not an integer");
    }
    /* BEP 52 wants this said before anything else is found wrong. */
    if (version > 2 && !has_v1) {
        return err_set(p->e, BTC_E_UNSUPPORTED,
                       "this torrent is of BitTorrent version %" PRId64
                       ", which btc does not know; ask for a v1 torrent",
                       version);
    }
    bool has_v2 =
        version == 2 &&
        bencode_type(bencode_dict_get(info, "file tree")) == BENCODE_DICT;
    if (!has_v1 && !has_v2) {
        return metainfo_fail(p, info->value,
                             version == 2 ? "'file tree' is missing"
                                          : "'pieces' is missing");
    }
    if (has_v1) {
        m->v1 = digest_sha1(info->value);
    }
    if (has_v2) {
        m->v2 = digest_sha256(info->value);
    }
    return 0;
}

/* Fills m from a checked info dictionary inside p->doc. */
int metainfo_read_info(struct metainfo_parser *p, struct slice dict,
                       bool accept_v2)
{
    struct metainfo *m = p->m;
    struct bencode_dict info;
    int64_t flag;
    int rc;

    bencode_dict_open(&info, dict);
    rc = metainfo_read_version(p, &info);
    if (rc < 0) {
        return rc;
    }
    if (!digest_is_set(&m->v1) && !accept_v2) {
        return err_set(p->e, BTC_E_UNSUPPORTED,
                       "this torrent is BitTorrent v2 only (BEP 52), which "
                       "btc cannot download yet; ask for a hybrid or v1 "
                       "torrent");
    }
    m->info = mem_dup(dict.p, dict.len); /* its exact bytes */
    m->info_len = dict.len;
    m->is_private =
        bencode_int(bencode_dict_get(&info, "private"), &flag) && flag != 0;
    rc = metainfo_read_name(p, &info);
    if (rc == 0) {
        rc = metainfo_read_piece_length(p, &info);
    }
    if (rc < 0) {
        return rc;
    }
    if (digest_is_set(&m->v1)) {
        return metainfo_read_v1(p, &info);
    }
    return metainfo_read_tree(p, bencode_dict_get(&info, "file tree"));
}
