/* The file tree of a pure v2 torrent (BEP 52), walked with a stack of
 * iterators.
 *
 * A tree of one file at its root is a single-file torrent; every other tree
 * gets the torrent's name as its folder. Offsets are those of the files laid
 * end to end, without the gaps of v2's piece space: until btc downloads v2 they
 * only serve `btc info`.
 */
#include "proto/metainfo/internal.h"

#include "base/mem.h"
#include "base/vec.h"

#include <inttypes.h>

struct metainfo_tree {
    struct bencode_iter it[METAINFO_MAX_DEPTH + 1];
    size_t path_len[METAINFO_MAX_DEPTH + 1]; /* of the folder at this depth */
    uint32_t depth;
    uint32_t cap; /* of m->files */
};

/* True when the tree holds nothing but one file at its root. */
static bool metainfo_tree_is_single(struct slice tree)
{
    struct bencode_iter root = bencode_iter(tree);
    struct slice key;
    struct slice child;
    struct slice second;
    struct bencode_iter it;

    if (!bencode_next(&root, &key, &child) ||
        bencode_next(&root, &key, &second)) {
        return false;
    }
    it = bencode_iter(child);
    return it.dict && bencode_next(&it, &key, &child) && key.len == 0;
}

/* The file that p->path names. */
static int metainfo_tree_file(struct metainfo_parser *p,
                              struct metainfo_tree *tree, struct slice dict)
{
    struct metainfo *m = p->m;
    struct metainfo_file *file;
    int64_t length;

    if (!bencode_get_int(dict, "length", &length) || length < 0) {
        return metainfo_fail(p, dict,
                             "a file's 'length' is missing or negative");
    }
    if (m->n_files == METAINFO_MAX_FILES) {
        return metainfo_fail(p, dict, "more than %u files", METAINFO_MAX_FILES);
    }
    m->files = vec_room(m->files, m->n_files, &tree->cap, sizeof(*m->files));
    file = &m->files[m->n_files++];
    *file = (struct metainfo_file){
        .path = mem_strdup(p->path.text),
        .executable = metainfo_has_attr(bencode_get(dict, "attr"), 'x'),
    };
    return metainfo_add_file(p, dict, file, (uint64_t)length);
}

/* One entry of the innermost folder: a file's properties or a child. */
static int metainfo_tree_entry(struct metainfo_parser *p,
                               struct metainfo_tree *tree, struct slice key,
                               struct slice value)
{
    if (bencode_type(value) != BENCODE_DICT) {
        return metainfo_fail(p, value,
                             "an entry of 'file tree' is not a dictionary");
    }
    metainfo_path_truncate(&p->path, tree->path_len[tree->depth]);
    if (key.len == 0) {
        if (tree->depth == 0) {
            return metainfo_fail(p, value, "the root of 'file tree' is a file");
        }
        return metainfo_tree_file(p, tree, value);
    }
    if (tree->depth == METAINFO_MAX_DEPTH) {
        return metainfo_fail(p, value, "a path is deeper than %d folders",
                             METAINFO_MAX_DEPTH);
    }
    if (metainfo_path_push(&p->path, key) < 0) {
        return metainfo_fail(p, value, "a path is longer than %d bytes",
                             METAINFO_MAX_PATH);
    }
    tree->depth++;
    tree->it[tree->depth] = bencode_iter(value);
    tree->path_len[tree->depth] = p->path.len;
    return 0;
}

/* Files of a pure v2 torrent. */
int metainfo_read_tree(struct metainfo_parser *p, struct slice tree)
{
    struct metainfo_tree walk = {.depth = 0};
    struct metainfo *m = p->m;
    struct slice key;
    struct slice value;
    int rc = 0;

    m->multi_file = !metainfo_tree_is_single(tree);
    metainfo_path_reset(&p->path);
    if (m->multi_file) {
        rc = metainfo_path_push(&p->path, slice_str(m->name));
    }
    walk.it[0] = bencode_iter(tree);
    walk.path_len[0] = p->path.len;
    while (rc == 0) {
        if (bencode_next(&walk.it[walk.depth], &key, &value)) {
            rc = metainfo_tree_entry(p, &walk, key, value);
        } else if (walk.depth == 0) {
            break;
        } else {
            walk.depth--;
        }
    }
    if (rc < 0) {
        return rc;
    }
    if (m->n_files == 0) {
        return metainfo_fail(p, tree, "'file tree' has no files");
    }
    metainfo_path_resolve(m->files, m->n_files, m->v2.bytes);
    return 0;
}
