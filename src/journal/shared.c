/* Which torrents have the same file on disk.
 *
 * A save path and a path of a torrent make a place, and two torrents may split
 * the same place at different elements: /data + a/b, /data/a + b. The paths of
 * one torrent all begin with the same element, so only those need a look that
 * have that name in its folder, lead to it from a folder above, or lie below
 * it; there are indexes for that, and the cost does not grow with the rest.
 */
#include "journal/shared.h"

#include "journal/internal.h"
#include "journal/load.h"

#include "base/file.h"
#include "base/mem.h"
#include "model/names.h"

#include <stdlib.h>
#include <string.h>

/* A place that a file of ours has. */
struct journal_place {
    char *path; /* owns */
    uint32_t file;
};

/* What is compared with whom. */
struct journal_near {
    struct journal *db;                    /* borrows */
    const struct journal_near_files *ours; /* borrows */
    struct journal_place *places;          /* owns; ours, sorted by path; NULL:
                                            * nobody was near yet */
    size_t n;
    journal_near_fn *fn;
    void *ctx;
};

/* For qsort. */
static int journal_near_compare(const void *a, const void *b)
{
    const struct journal_place *x = a;
    const struct journal_place *y = b;
    return strcmp(x->path, y->path);
}

/* Where our files lie. Mostly nobody is near, and there is no need to know. */
static void journal_near_places(struct journal_near *x)
{
    const struct journal_near_files *ours = x->ours;
    x->places = mem_calloc(ours->n + 1, sizeof(*x->places));
    for (size_t i = 0; i < ours->n; i++) {
        if (!ours->files[i].pad) {
            x->places[x->n].file = (uint32_t)i;
            x->places[x->n++].path =
                file_join(ours->save_path, ours->files[i].path);
        }
    }
    qsort(x->places, x->n, sizeof(*x->places), journal_near_compare);
}

/* The first of our places that is not before `path`; x->n: none. */
static size_t journal_near_from(const struct journal_near *x, const char *path)
{
    size_t low = 0;
    size_t high = x->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(x->places[mid].path, path) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* One of ours that lies below `path`. */
static const struct journal_place *
journal_near_inside(const struct journal_near *x, const char *path)
{
    char *folder = mem_printf("%s/", path);
    size_t i = journal_near_from(x, folder);
    bool is_inside =
        i < x->n && strncmp(x->places[i].path, folder, strlen(folder)) == 0;
    free(folder);
    return is_inside ? &x->places[i] : NULL;
}

/* One of ours that is in the place of a folder of `path`. */
static const struct journal_place *
journal_near_outside(const struct journal_near *x, const char *path)
{
    const struct journal_place *found = NULL;
    char *folder = mem_strdup(path);
    for (char *at = strrchr(folder, '/'); found == NULL && at != NULL;
         at = strrchr(folder, '/')) {
        *at = '\0';
        size_t i = journal_near_from(x, folder);
        if (i < x->n && strcmp(x->places[i].path, folder) == 0) {
            found = &x->places[i];
        }
    }
    free(folder);
    return found;
}

/* Ours that a file of another torrent at `path` meets; NULL = none. */
static const struct journal_place *
journal_near_find(const struct journal_near *x, const char *path)
{
    size_t i = journal_near_from(x, path);
    const struct journal_place *found = NULL;
    if (i < x->n && strcmp(x->places[i].path, path) == 0) {
        return &x->places[i];
    }
    if (x->ours->folders) {
        found = journal_near_inside(x, path);
    }
    if (x->ours->folders && found == NULL) {
        found = journal_near_outside(x, path);
    }
    return found;
}

/* The files of one torrent that stand among the places. */
static int journal_near_meet(struct journal_near *x,
                             const struct journal_torrent *other, struct err *e)
{
    struct journal_file *files = NULL;
    size_t n = 0;
    int code = journal_load_files(x->db, other->id, &files, &n, e);
    if (x->places == NULL) {
        journal_near_places(x);
    }
    for (size_t i = 0; code == 0 && i < n; i++) {
        char *path = file_join(other->save_path, files[i].path);
        const struct journal_place *found = NULL;
        if (!files[i].pad) {
            found = journal_near_find(x, path);
        }
        if (found) {
            code = x->fn(x->ctx, other, found->file, path);
        }
        free(path);
    }
    journal_files_free(files, n);
    return code;
}

/* The same for some torrents, which are freed. */
static int journal_near_meet_all(struct journal_near *x,
                                 struct journal_torrent *rows, size_t n,
                                 int code, struct err *e)
{
    for (size_t i = 0; code == 0 && i < n; i++) {
        if (rows[i].id != x->ours->id && rows[i].wanted != WANTED_REMOVE) {
            code = journal_near_meet(x, &rows[i], e);
        }
    }
    journal_torrents_free(rows, n);
    return code;
}

/* The torrents of a folder whose paths begin with `name`. */
static int journal_near_named(struct journal_near *x, const char *folder,
                              const char *name, struct err *e)
{
    struct journal_torrent *rows;
    size_t n;
    int code = journal_load_named(x->db, folder, name, &rows, &n, e);
    return journal_near_meet_all(x, rows, n, code, e);
}

/* Torrents in the folder of `place` or one above it, if their paths begin with
 * the element that leads there. Mostly no torrent has such a folder, and one
 * look at the save path that comes before it tells so of several. */
static int journal_near_above(struct journal_near *x, const char *place,
                              struct err *e)
{
    char *folder = mem_strdup(place);
    char *last = NULL; /* the last save path that is not behind the folder */
    int code = 0;
    for (char *at = strrchr(folder, '/'); code == 0 && at != NULL;
         at = strrchr(folder, '/')) {
        char *name = mem_strdup(at + 1);
        *at = '\0';
        const char *above = *folder != '\0' ? folder : "/";
        if (last == NULL || strcmp(above, last) < 0) {
            free(last);
            code = journal_load_last_path(x->db, above, &last, e);
        }
        if (last == NULL) {
            *folder = '\0'; /* and none is before the folders above it */
        } else if (strcmp(above, last) == 0) {
            code = journal_near_named(x, above, name, e);
        }
        free(name);
    }
    free(last);
    free(folder);
    return code;
}

/* Torrents at `place` or below it. */
static int journal_near_below(struct journal_near *x, const char *place,
                              struct err *e)
{
    struct journal_torrent *rows;
    size_t n;
    int code = journal_load_below(x->db, place, &rows, &n, e);
    return journal_near_meet_all(x, rows, n, code, e);
}

int journal_near(struct journal *db, const struct journal_near_files *ours,
                 journal_near_fn *fn, void *ctx, struct err *e)
{
    struct journal_near x = {.db = db, .ours = ours, .fn = fn, .ctx = ctx};
    int code = 0;
    if (ours->n > 0) {
        const char *path = ours->files[0].path;
        char *top = mem_strndup(path, strcspn(path, "/"));
        char *place = file_join(ours->save_path, top);
        code = journal_near_above(&x, place, e);
        if (code == 0) {
            code = journal_near_below(&x, place, e);
        }
        free(place);
        free(top);
    }
    for (size_t i = 0; i < x.n; i++) {
        free(x.places[i].path);
    }
    free(x.places);
    return code;
}
