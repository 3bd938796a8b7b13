/* What belongs to the journal; see own.h. */
#include "store/own.h"

#include "base/file.h"
#include "base/mem.h"
#include "store/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define STORE_OWN_FILES 5

/* A file or folder, whatever its name. */
struct store_own_id {
    uint64_t dev, ino;
};

/* Constant once made. */
struct store_own {
    char *name;                 /* owns; of the database in its folder */
    struct store_own_id folder; /* where it lies */
    struct store_own_id ids[STORE_OWN_FILES];
    size_t n_ids;
};

/* The files that an open database has beside it. */
static const char *const store_own_suffixes[STORE_OWN_FILES] = {
    "", "-wal", "-shm", "-lock", "-journal"};

struct store_own *store_own_new(const char *journal)
{
    struct store_own *o = mem_zalloc(sizeof(*o));
    const char *slash = strrchr(journal, '/');
    char *folder = file_folder_of(journal);
    struct stat st;
    o->name = mem_strdup(slash ? slash + 1 : journal);
    if (stat(folder, &st) == 0) {
        o->folder = (struct store_own_id){st.st_dev, st.st_ino};
    }
    free(folder);
    for (size_t i = 0; i < STORE_OWN_FILES; i++) {
        char *path = mem_printf("%s%s", journal, store_own_suffixes[i]);
        if (stat(path, &st) == 0) {
            o->ids[o->n_ids++] = (struct store_own_id){st.st_dev, st.st_ino};
        }
        free(path);
    }
    return o;
}

void store_own_free(struct store_own *o)
{
    if (o) {
        free(o->name);
        free(o);
    }
}

/* An element of a path is a name of the journal's. */
static bool store_own_has_name(const struct store_own *o, const char *at,
                               size_t len)
{
    size_t own = strlen(o->name);
    return len >= own && strncasecmp(at, o->name, own) == 0 &&
           (len == own || at[own] == '-' || at[own] == '.');
}

/* The path before `end` leads to the journal's folder. */
static bool store_own_is_folder(const struct store_own *o, const char *path,
                                const char *end)
{
    struct stat st;
    char *folder = mem_strndup(path, (size_t)(end - path) + 1);
    bool same = stat(folder, &st) == 0 && st.st_dev == o->folder.dev &&
                st.st_ino == o->folder.ino;
    free(folder);
    return same;
}

/* By the names in its path. Without one that is the journal's this costs no
 * system call. */
bool store_own_is_named(const struct store_own *o, const char *path)
{
    if (o == NULL || strcasestr(path, o->name) == NULL) {
        return false;
    }
    for (const char *at = path; at; at = strchr(at, '/')) {
        at += *at == '/';
        size_t len = strcspn(at, "/");
        if (store_own_has_name(o, at, len) && at > path &&
            store_own_is_folder(o, path, at - 1)) {
            return true;
        }
    }
    return false;
}

bool store_own_is_one(const struct store_own *o, const struct stat *st)
{
    bool own = false;
    for (size_t i = 0; o && i < o->n_ids; i++) {
        own |= st->st_dev == o->ids[i].dev && st->st_ino == o->ids[i].ino;
    }
    return own;
}

int store_own_find(const struct store_own *o, const char *path)
{
    struct stat st;
    if (!o) {
        return 0;
    }
    if (store_own_is_named(o, path)) {
        return 1;
    }
    if (stat(path, &st) != 0) {
        return -errno;
    }
    return store_own_is_one(o, &st);
}

bool store_own_has(const struct store_own *o, const char *path)
{
    return store_own_find(o, path) == 1;
}

void store_set_own(struct store *d, struct store_own *o)
{
    store_own_free(d->own);
    d->own = o;
}
