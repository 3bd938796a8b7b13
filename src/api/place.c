/* Where a torrent's files go: the save path, another name, and whether another
 * torrent is in the way; see api.h.
 */
#include "api/api.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
static int api_place_dir(const char *dir, const char *named_by, char **out,
                         struct err *e)
{
    struct stat st;
    const char *name = ".";
    if (dir && *dir) {
        name = dir;
    }
    *out = realpath(name, NULL);
    if (!*out && errno == ENOENT && dir && *dir) {
        *out = api_place_new(dir);
        if (*out) {
            return 0; /* api_place_check makes it */
        }
        errno = ENOENT;
    }
    if (!*out && (errno == ENOENT || errno == ENOTDIR)) {
        if (dir && *dir) {
            return err_set(e, BTC_E_STORAGE,
                           "%.200s: no such folder; create it (mkdir -p "
                           "%.200s) or choose another%s",
                           dir, dir, named_by);
        }
        return err_set(e, BTC_E_STORAGE,
                       "the current folder is gone; choose one%s", named_by);
    }
    if (!*out) {
        return err_set_errno(e, errno, "%.300s: cannot be used", name);
    }
    if (stat(*out, &st) != 0 || !S_ISDIR(st.st_mode)) {
        free(*out);
        *out = NULL;
        return err_set(e, BTC_E_IO, "%.300s: not a folder; choose one%s", name,
                       named_by);
    }
    return 0;
}

/* All wanted files exist with their length. */
static bool api_place_is_whole(const char *save_path,
                               const struct journal_file *files, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        if (files[i].pad || files[i].state.priority == 0) {
            continue;
        }
        char *path = file_join(save_path, files[i].path);
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
    if (ok && st.st_dev != root.st_dev) {
        return (uint64_t)st.st_dev;
    }
    return 0;
}

int api_place_check(struct api_place *p, const struct journal_file *files,
                    size_t n, struct err *e)
{
    if (p->is_ready) {
        return 0;
    }
    p->is_ready = access(p->save_path, W_OK | X_OK) == 0;
    if (!p->is_ready) {
        p->is_made = p->is_ready = mkdir(p->save_path, 0777) == 0;
    }
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
                        "rights or choose another folder%s",
                        p->save_path, p->named_by);
    return err_set_code(e, BTC_E_IO);
}

int api_place_init(struct api_place *p, const struct btc_add_options *o,
                   struct err *e)
{
    if (p->named_by == NULL) {
        p->named_by = " with --dir";
    }
    int code = api_place_dir(o->dir, p->named_by, &p->save_path, e);
    if (code == 0) {
        BTC_ASSERT(p->save_path != NULL);
        p->name_max = place_name_max(p->save_path);
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
    store_own_free(p->own);
}
