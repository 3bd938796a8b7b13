/* Where a torrent's files go: the save path, another name, and whether another
 * torrent is in the way; see api.h.
 */
#include "app/api.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* See api.h. */
int api_place_dir(const char *dir, char **out, struct err *e)
{
    struct stat st;
    const char *name = dir && *dir ? dir : ".";
    *out = realpath(name, NULL);
    if (!*out && (errno == ENOENT || errno == ENOTDIR)) {
        return dir && *dir
                   ? err_set(e, BTC_E_STORAGE,
                             "%.200s: no such folder; create it (mkdir -p "
                             "%.200s) or choose another with --dir",
                             dir, dir)
                   : err_set(e, BTC_E_STORAGE,
                             "the current folder is gone; choose one with "
                             "--dir");
    }
    if (!*out) {
        return err_set_errno(e, errno, "%.300s: cannot be used", name);
    }
    if (stat(*out, &st) != 0 || !S_ISDIR(st.st_mode)) {
        free(*out);
        *out = NULL;
        return err_set(e, BTC_E_IO,
                       "%.300s: not a folder; choose one with --dir", name);
    }
    return 0;
}

/* "/" and "a" are "/a". */
static char *api_place_join(const char *save_path, const char *path)
{
    return mem_printf("%s/%s", strcmp(save_path, "/") == 0 ? "" : save_path,
                      path);
}

/* All wanted files exist with their length. */
static bool api_place_is_whole(const char *save_path,
                               const struct db_file *files, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        if (files[i].pad || files[i].priority == 0) {
            continue;
        }
        char *path = api_place_join(save_path, files[i].path);
        int rc = stat(path, &st);
        free(path);
        if (rc != 0 || !S_ISREG(st.st_mode) ||
            (uint64_t)st.st_size != files[i].length) {
            return false;
        }
    }
    return true;
}

/* See api.h. */
int api_place_check(const char *save_path, const struct db_file *files,
                    size_t n, struct err *e)
{
    if (access(save_path, W_OK | X_OK) == 0) {
        return 0;
    }
    int why = errno;
    if (api_place_is_whole(save_path, files, n)) {
        return 0;
    }
    (void)err_set_errno(e, why,
                        "%.300s: files cannot be made there; change its "
                        "rights or choose another folder with --dir",
                        save_path);
    e->code = BTC_E_IO;
    return BTC_E_IO;
}

/* For qsort and bsearch of strings. */
static int api_place_compare(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;
    return strcmp(*x, *y);
}

/* The places of a new torrent's files. */
struct api_places {
    struct db *db; /* borrows */
    char **paths;  /* owns; sorted */
    size_t n;
};

/* A file of another torrent that stands among them. */
static int api_place_meets(const struct api_places *x,
                           const struct db_torrent *t, struct err *e)
{
    struct db_file *files = NULL;
    size_t n_files = 0;
    int code = db_load_files(x->db, t->id, &files, &n_files, e);
    for (size_t i = 0; code == 0 && i < n_files; i++) {
        if (files[i].pad) {
            continue;
        }
        char *path = api_place_join(t->save_path, files[i].path);
        if (bsearch(&path, x->paths, x->n, sizeof(*x->paths),
                    api_place_compare)) {
            code = err_set(e, BTC_E_EXISTS,
                           "%.200s belongs to torrent %lld (%.100s); choose "
                           "another folder with --dir or another name with "
                           "--out",
                           path, (long long)t->id, t->name);
        }
        free(path);
    }
    db_files_free(files, n_files);
    return code;
}

/* The same for some torrents, which are freed. One that is only to be forgotten
 * is in nobody's way. */
static int api_place_meet_all(const struct api_places *x,
                              struct db_torrent *rows, size_t n, int code,
                              struct err *e)
{
    for (size_t i = 0; code == 0 && i < n; i++) {
        if (rows[i].wanted != DB_WANTED_REMOVE) {
            code = api_place_meets(x, &rows[i], e);
        }
    }
    db_torrents_free(rows, n);
    return code;
}

/* Torrents in the folder itself or one above it have what lies below `place` if
 * their paths begin with the element that leads there. */
static int api_place_above(const struct api_places *x, const char *place,
                           struct err *e)
{
    char *folder = mem_strdup(place);
    int code = 0;
    for (char *at = strrchr(folder, '/'); code == 0 && at != NULL;
         at = strrchr(folder, '/')) {
        char *name = mem_strdup(at + 1);
        struct db_torrent *rows;
        size_t n;
        *at = '\0';
        code = db_load_named(x->db, *folder != '\0' ? folder : "/", name, &rows,
                             &n, e);
        code = api_place_meet_all(x, rows, n, code, e);
        free(name);
    }
    free(folder);
    return code;
}

/* See api.h. All paths of a torrent begin with the same element, so only those
 * torrents are looked at that have this name in this folder, a folder above
 * that holds it, or their folder in it. */
int api_place_conflict(struct db *db, const struct db_add *a, struct err *e)
{
    struct api_places x = {.db = db};
    x.paths = mem_calloc(a->torrent.n_files + 1u, sizeof(*x.paths));
    for (uint32_t i = 0; i < a->torrent.n_files; i++) {
        if (!a->files[i].pad) {
            x.paths[x.n++] =
                api_place_join(a->torrent.save_path, a->files[i].path);
        }
    }
    qsort(x.paths, x.n, sizeof(*x.paths), api_place_compare);
    int code = 0;
    if (x.n > 0) {
        const char *path = a->files[0].path;
        char *top = mem_strndup(path, strcspn(path, "/"));
        char *place = api_place_join(a->torrent.save_path, top);
        struct db_torrent *rows = NULL;
        size_t n = 0;
        code = api_place_above(&x, place, e);
        if (code == 0) {
            code = db_load_below(db, place, &rows, &n, e);
            code = api_place_meet_all(&x, rows, n, code, e);
        }
        free(place);
        free(top);
    }
    for (size_t i = 0; i < x.n; i++) {
        free(x.paths[i]);
    }
    free(x.paths);
    return code;
}

/* The new name must be one element of a path. */
static int api_place_mend(const char *name, struct buf *out, struct err *e)
{
    if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0) {
        return err_set(e, BTC_E_USAGE,
                       "--out '%.200s' is no name: give one without '/' (the "
                       "folder is --dir)",
                       name);
    }
    metainfo_sanitize(slice_str(name), out);
    return 0;
}

/* See api.h. */
int api_place_rename(struct db_file *files, size_t n, bool multi_file,
                     const char *name, struct err *e)
{
    struct buf mended;
    buf_init(&mended, METAINFO_MAX_PATH + 1);
    int code = api_place_mend(name, &mended, e);
    const char *top = code == 0 ? buf_cstr(&mended) : NULL;
    for (size_t i = 0; top && code == 0 && i < n; i++) {
        const char *rest = multi_file ? strchr(files[i].path, '/') : NULL;
        char *path = mem_printf("%s%s", top, rest ? rest : "");
        if (strlen(path) > METAINFO_MAX_PATH) {
            code = err_set(e, BTC_E_USAGE, "--out makes a path too long");
        }
        free(files[i].path);
        files[i].path = path;
    }
    buf_fini(&mended);
    return code;
}
