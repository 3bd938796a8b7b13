/* Symbolic links of a torrent (BEP 47: attr `l`, `symlink path`).
 *
 * The path of the target counts from the torrent's folder. A link is made only
 * when it leads to a file or a folder of the same torrent that is no link
 * itself: so it stays inside, whatever else is on the disk. Its text is
 * relative to the folder that the link is in, and moves with the torrent's
 * folder. All other links are left out, as pads of no bytes, and counted.
 */
#include "proto/metainfo/internal.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* An element that leads nowhere but down, and is called on disk what it is
 * called here. */
static bool metainfo_link_element(struct slice element)
{
    struct buf b;
    buf_init(&b, METAINFO_MAX_ELEMENT);
    metainfo_sanitize(element, &b);
    bool same = element.len > 0 && slice_eq(buf_slice(&b), element);
    buf_fini(&b);
    return same;
}

void metainfo_link_read(struct metainfo_parser *p, struct slice list,
                        struct metainfo_file *file)
{
    struct bencode_iter it = bencode_iter(list);
    struct slice key, value, element;
    uint32_t depth = 0;
    metainfo_path_reset(&p->path);
    bool ok = bencode_type(list) == BENCODE_LIST &&
              metainfo_path_push(&p->path, slice_str(p->m->name)) == 0;
    while (ok && bencode_next(&it, &key, &value)) {
        ok = ++depth <= METAINFO_MAX_DEPTH && bencode_str(value, &element) &&
             metainfo_link_element(element) &&
             metainfo_path_push(&p->path, element) == 0;
    }
    file->is_link = true;
    if (ok && depth > 0) {
        file->link = mem_strdup(p->path.text);
    } else {
        file->link = NULL;
    }
}

/* For qsort: pointers to paths. */
static int metainfo_link_compare(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;
    return strcmp(*x, *y);
}

/* What a link may lead to, in order. */
struct metainfo_targets {
    const char **paths; /* owns; borrows the texts */
    size_t n;
};

static struct metainfo_targets metainfo_link_targets(const struct metainfo *m)
{
    struct metainfo_targets t = {.n = 0};
    t.paths = mem_calloc(m->n_files, sizeof(*t.paths));
    for (uint32_t i = 0; i < m->n_files; i++) {
        if (!m->files[i].pad && !m->files[i].is_link) {
            t.paths[t.n++] = m->files[i].path;
        }
    }
    qsort(t.paths, t.n, sizeof(*t.paths), metainfo_link_compare);
    return t;
}

/* True when a target is this path or begins with it. */
static bool metainfo_link_has(const struct metainfo_targets *t,
                              const char *path, size_t len, bool whole)
{
    size_t low = 0, high = t->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(t->paths[mid], path) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < t->n && strncmp(t->paths[low], path, len) == 0 &&
           (!whole || t->paths[low][len] == '\0');
}

/* A file or a folder of the torrent. */
static bool metainfo_link_leads(const struct metainfo_targets *t,
                                const char *path)
{
    char *folder = mem_printf("%s/", path);
    bool leads = metainfo_link_has(t, path, strlen(path), true) ||
                 metainfo_link_has(t, folder, strlen(folder), false);
    free(folder);
    return leads;
}

/* The way from the link's folder to its target. */
static char *metainfo_link_text(const char *path, const char *target)
{
    struct buf b;
    size_t same = 0; /* bytes of the folders that both are in */
    for (size_t i = 0; path[i] != '\0' && path[i] == target[i]; i++) {
        if (path[i] == '/') {
            same = i + 1;
        }
    }
    buf_init(&b, (size_t)METAINFO_MAX_PATH * 4);
    for (const char *at = path + same; (at = strchr(at, '/')) != NULL; at++) {
        (void)buf_append_str(&b, "../");
    }
    (void)buf_append_str(&b, target + same);
    char *text = buf_take_str(&b);
    buf_fini(&b);
    return text;
}

void metainfo_link_resolve(struct metainfo *m)
{
    struct metainfo_targets t = {.paths = NULL};
    for (uint32_t i = 0; i < m->n_files; i++) {
        struct metainfo_file *f = &m->files[i];
        if (!f->is_link) {
            continue;
        }
        if (t.paths == NULL) {
            t = metainfo_link_targets(m);
        }
        char *target = f->link;
        f->link = NULL;
        if (target != NULL && !f->pad && metainfo_link_leads(&t, target)) {
            f->link = metainfo_link_text(f->path, target);
        } else {
            f->pad = true;
            m->left_out.n_links++;
        }
        free(target);
    }
    free(t.paths);
}
