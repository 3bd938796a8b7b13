/* The files of a torrent below its save path; see place.h. */
#include "engine/place.h"

#include "base/file.h"
#include "base/mem.h"
#include "journal/shared.h"
#include "proto/metainfo/choose.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A shorter limit than this is none that a name can be cut to. */
#define PLACE_NAME_LEAST 32

#define PLACE_PRIORITY 4 /* of a file that is wanted */

/* Another torrent has one of the files. */
static int place_refuse(void *ctx, const struct journal_torrent *other,
                        uint32_t file, const char *path)
{
    (void)file;
    return err_set(ctx, BTC_E_EXISTS,
                   "%.200s belongs to torrent %lld (%.100s); choose another "
                   "folder with --dir or another name with --out",
                   path, (long long)other->id, other->name);
}

/* The first element of its paths, which is that of all, does not exist. */
static bool place_is_fresh(const char *folder, const struct journal_file *files,
                           size_t n)
{
    if (n == 0) {
        return true;
    }
    const char *path = files[0].path;
    char *top = mem_strndup(path, strcspn(path, "/"));
    char *full = file_join(folder, top);
    bool fresh = access(full, F_OK) != 0;
    free(full);
    free(top);
    return fresh;
}

int place_own(const struct store_own *own, const char *folder,
              const struct journal_file *files, size_t n, struct err *e)
{
    bool fresh = place_is_fresh(folder, files, n);
    int code = 0;
    for (size_t i = 0; code == 0 && i < n; i++) {
        const struct journal_file *f = &files[i];
        char *path = file_join(folder, f->path);
        if (!f->pad && f->state.priority > 0 &&
            (store_own_is_named(own, path) ||
             (!fresh && store_own_has(own, path)))) {
            code = err_set(e, BTC_E_EXISTS,
                           "%.300s is a file of btc's own database, which no "
                           "torrent may have; choose another folder, or add it "
                           "with another name (--out)",
                           path);
        }
        free(path);
    }
    return code;
}

int place_conflict(struct journal *db, const struct store_own *own,
                   const struct journal_add *a, struct err *e)
{
    const struct journal_near_files ours = {.save_path = a->torrent.save_path,
                                            .files = a->files,
                                            .n = a->torrent.n_files,
                                            .folders = true};
    int code =
        place_own(own, a->torrent.save_path, a->files, a->torrent.n_files, e);
    if (code == 0) {
        code = journal_near(db, &ours, place_refuse, e, e);
    }
    return code;
}

/* Longest name there, in bytes: 255 mostly, 143 on eCryptfs. */
size_t place_name_max(const char *save_path)
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
    if (max >= PLACE_NAME_LEAST) {
        return (size_t)max;
    }
    return SIZE_MAX;
}

/* Some name of the path is longer. */
static bool place_is_long(const char *path, size_t max)
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
static char *place_cut(const char *path, size_t max)
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

/* Shortens the names that the folder cannot hold; how many there were. */
static size_t place_shorten(struct journal_file *files, size_t n, size_t max)
{
    size_t cut = 0;
    for (size_t i = 0; i < n; i++) {
        if (!files[i].pad && place_is_long(files[i].path, max)) {
            char *path = place_cut(files[i].path, max);
            free(files[i].path);
            files[i].path = path;
            cut++;
        }
    }
    return cut;
}

/* Priorities as the choice wants them. */
static int place_choose(struct journal_file *files, const struct metainfo *m,
                        const struct place_wish *w, struct err *e)
{
    uint32_t n = m->n_files;
    struct choose_file *choice = mem_calloc((size_t)n + 1, sizeof(*choice));
    for (uint32_t i = 0; i < n; i++) {
        choice[i] = (struct choose_file){
            .path = m->files[i].path, .pad = m->files[i].pad, .wanted = true};
    }
    int code = choose_files(choice, n, w->select, w->exclude, e);
    for (uint32_t i = 0; i < n; i++) {
        if (choice[i].wanted || choice[i].pad) {
            files[i].state.priority = PLACE_PRIORITY;
        }
    }
    free(choice);
    return code;
}

/* The paths with `name` instead of the torrent's own. */
static int place_rename(struct journal_file *files, const struct metainfo *m,
                        const char *name, struct err *e)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < m->n_files; i++) {
        char *path = NULL;
        code = choose_rename(files[i].path, m->multi_file, name, &path, e);
        if (code == 0) {
            free(files[i].path);
            files[i].path = path;
        }
    }
    return code;
}

int place_files(const struct metainfo *m, const struct place_wish *w,
                struct journal_file **out, size_t *n_shortened, struct err *e)
{
    struct journal_file *files =
        mem_calloc((size_t)m->n_files + 1, sizeof(*files));
    *out = files;
    for (uint32_t i = 0; i < m->n_files; i++) {
        files[i] = (struct journal_file){.file = i,
                                         .path = mem_strdup(m->files[i].path),
                                         .offset = m->files[i].offset,
                                         .length = m->files[i].length,
                                         .pad = m->files[i].pad};
    }
    int code = place_choose(files, m, w, e);
    if (code == 0 && w->name != NULL) {
        code = place_rename(files, m, w->name, e);
    }
    if (code == 0) {
        *n_shortened = place_shorten(files, m->n_files, w->name_max);
    }
    return code;
}

char *place_name(const struct metainfo *m, const struct place_wish *w,
                 const struct journal_file *files)
{
    if (w->name == NULL || m->n_files == 0) {
        return mem_strdup(m->name);
    }
    return mem_strndup(files[0].path, strcspn(files[0].path, "/"));
}
