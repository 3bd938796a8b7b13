/* Where a torrent's files go: the save path, another name, and whether another
 * torrent is in the way; see api.h.
 */
#include "api/api.h"

#include "base/mem.h"
#include "store/own.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A shorter limit than this is none that a name can be cut to. */
#define API_PLACE_NAME_LEAST 32

/* The path of a folder that is not there yet, below one that is; NULL: that is
 * not there either. Paths whose folders are missing altogether are mostly
 * drives that are not mounted. */
static char *api_place_new(const char *dir)
{
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/') {
        len--;
    }
    size_t at = len;
    while (at > 0 && dir[at - 1] != '/') {
        at--;
    }
    struct slice name = slice_of((const uint8_t *)dir + at, len - at);
    if (slice_eq_str(name, ".") || slice_eq_str(name, "..")) {
        return NULL;
    }
    char *parent = at > 0 ? mem_strndup(dir, at) : mem_strdup(".");
    char *above = realpath(parent, NULL);
    char *path = NULL;
    if (above) {
        path = mem_printf("%s/%.*s", strcmp(above, "/") == 0 ? "" : above,
                          (int)name.len, (const char *)name.p);
    }
    free(above);
    free(parent);
    return path;
}

/* The save path as it will be journaled; malloc. */
static int api_place_dir(const char *dir, char **out, struct err *e)
{
    struct stat st;
    const char *name = dir && *dir ? dir : ".";
    *out = realpath(name, NULL);
    if (!*out && errno == ENOENT && dir && *dir) {
        *out = api_place_new(dir);
        if (*out) {
            return 0; /* api_place_check makes it */
        }
        errno = ENOENT;
    }
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
                               const struct journal_file *files, size_t n)
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

/* See struct api_place. */
static uint64_t api_place_device(const char *save_path)
{
    struct stat st, root;
    bool ok = stat(save_path, &st) == 0 && stat("/", &root) == 0;
    return ok && st.st_dev != root.st_dev ? (uint64_t)st.st_dev : 0;
}

int api_place_check(struct api_place *p, const struct journal_file *files,
                    size_t n, struct err *e)
{
    if (p->is_ready) {
        return 0;
    }
    p->is_ready = access(p->save_path, W_OK | X_OK) == 0 ||
                  mkdir(p->save_path, 0777) == 0;
    p->device = api_place_device(p->save_path);
    if (p->is_ready) {
        return 0;
    }
    (void)access(p->save_path, W_OK | X_OK); /* for errno */
    int why = errno;
    if (api_place_is_whole(p->save_path, files, n)) {
        return 0;
    }
    (void)err_set_errno(e, why,
                        "%.300s: files cannot be made there; change its "
                        "rights or choose another folder with --dir",
                        p->save_path);
    e->code = BTC_E_IO;
    return BTC_E_IO;
}

/* Another torrent has one of the files. */
static int api_place_refuse(void *ctx, const struct journal_torrent *other,
                            uint32_t file, const char *path)
{
    (void)file;
    return err_set(ctx, BTC_E_EXISTS,
                   "%.200s belongs to torrent %lld (%.100s); choose another "
                   "folder with --dir or another name with --out",
                   path, (long long)other->id, other->name);
}

/* The first element of its paths, which is that of all, does not exist. */
static bool api_place_is_fresh(const char *folder, const struct journal_add *a)
{
    if (a->torrent.n_files == 0) {
        return true;
    }
    const char *path = a->files[0].path;
    char *top = mem_strndup(path, strcspn(path, "/"));
    char *full = api_place_join(folder, top);
    bool fresh = access(full, F_OK) != 0;
    free(full);
    free(top);
    return fresh;
}

/* A file would be one of the journal's. Where nothing of the torrent is yet,
 * the names tell; files that are there are looked at, because they may be
 * links. */
static int api_place_own(struct journal *db, const struct journal_add *a,
                         struct err *e)
{
    const char *folder = a->torrent.save_path;
    struct store_own *own = store_own_new(journal_path(db));
    bool fresh = api_place_is_fresh(folder, a);
    int code = 0;
    for (uint32_t i = 0; code == 0 && i < a->torrent.n_files; i++) {
        const struct journal_file *f = &a->files[i];
        char *path = api_place_join(folder, f->path);
        if (!f->pad && f->priority > 0 &&
            (store_own_is_named(own, path) ||
             (!fresh && store_own_has(own, path)))) {
            code = err_set(e, BTC_E_EXISTS,
                           "%.300s is a file of btc's own database, which no "
                           "torrent may have; choose another folder with --dir "
                           "or another name with --out",
                           path);
        }
        free(path);
    }
    store_own_free(own);
    return code;
}

int api_place_conflict(struct journal *db, const struct journal_add *a,
                       struct err *e)
{
    const struct journal_near_files ours = {.save_path = a->torrent.save_path,
                                            .files = a->files,
                                            .n = a->torrent.n_files};
    int code = api_place_own(db, a, e);
    if (code == 0) {
        code = journal_near(db, &ours, api_place_refuse, e, e);
    }
    return code;
}

/* Longest name there, in bytes: 255 mostly, 143 on eCryptfs. */
static size_t api_place_name_max(const char *save_path)
{
    long max = pathconf(save_path, _PC_NAME_MAX);
    if (max < 0) { /* it is not there yet: the folder above it is */
        size_t len = strlen(save_path);
        while (len > 1 && save_path[len - 1] != '/') {
            len--;
        }
        char *above = mem_strndup(save_path, len);
        max = pathconf(above, _PC_NAME_MAX);
        free(above);
    }
    return max >= API_PLACE_NAME_LEAST ? (size_t)max : SIZE_MAX;
}

/* Some name of the path is longer. */
static bool api_place_is_long(const char *path, size_t max)
{
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        if (len > max) {
            return true;
        }
        path += len + (path[len] == '/');
    }
    return false;
}

/* A path with its names cut to size; malloc. */
static char *api_place_cut(const char *path, size_t max)
{
    struct buf out, name;
    buf_init(&out, METAINFO_MAX_PATH + 1);
    buf_init(&name, METAINFO_MAX_PATH + 1);
    for (const char *at = path; *at != '\0';) {
        size_t len = strcspn(at, "/");
        metainfo_shorten(slice_of((const uint8_t *)at, len), max, &name);
        (void)buf_append_slice(&out, buf_slice(&name));
        at += len;
        if (*at == '/') {
            (void)buf_append_byte(&out, '/');
            at++;
        }
    }
    char *text = buf_take_str(&out);
    buf_fini(&out);
    buf_fini(&name);
    return text;
}

size_t api_place_shorten(struct journal_file *files, size_t n,
                         const struct api_place *p)
{
    size_t max = p->name_max;
    size_t cut = 0;
    for (size_t i = 0; i < n; i++) {
        if (!files[i].pad && api_place_is_long(files[i].path, max)) {
            char *path = api_place_cut(files[i].path, max);
            free(files[i].path);
            files[i].path = path;
            cut++;
        }
    }
    return cut;
}

int api_place_rename(struct journal_file *files, size_t n, bool multi_file,
                     const char *name, struct err *e)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < n; i++) {
        char *path = NULL;
        code = choose_rename(files[i].path, multi_file, name, &path, e);
        if (code == 0) {
            free(files[i].path);
            files[i].path = path;
        }
    }
    return code;
}

int api_place_init(struct api_place *p, const struct btc_add_options *o,
                   struct err *e)
{
    *p = (struct api_place){0};
    int code = api_place_dir(o->dir, &p->save_path, e);
    if (code == 0) {
        BTC_ASSERT(p->save_path != NULL);
        p->name_max = api_place_name_max(p->save_path);
    }
    for (size_t i = 0; code == 0 && i < o->n_peers; i++) {
        code = api_peers_add(&p->peers, o->peers[i], e);
    }
    return code;
}

void api_place_fini(struct api_place *p)
{
    free(p->save_path);
    free(p->peers.p);
}
