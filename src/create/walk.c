/* The files of a new torrent: a walk with a stack of folders instead of calls,
 * so that depth costs memory and nothing else.
 *
 * The order is that of the paths' bytes, element by element ('/' counts below
 * every other byte), whatever order the filesystem gives: the same content
 * makes the same info hash.
 */
#include "create/internal.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/vec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct create_walker {
    const char *root;         /* borrows */
    const struct stat *skip;  /* borrows; may be NULL */
    struct create_list *list; /* borrows */
    struct err *e;            /* borrows; may be NULL */
    char **folders;           /* owns; below the root, not yet read */
    size_t n_folders;
    uint32_t cap;
};

int64_t create_mtime_ns(const struct stat *st)
{
    return num_time_ns(st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
}

/* Joins two parts of a path; either may be empty. */
static char *create_join(const char *a, const char *b)
{
    if (*a == '\0') {
        return mem_strdup(b);
    }
    if (*b == '\0') {
        return mem_strdup(a);
    }
    return mem_printf(a[strlen(a) - 1] == '/' ? "%s%s" : "%s/%s", a, b);
}

char *create_file_path(const char *root, const struct create_file *file)
{
    return create_join(root, file->path);
}

/* Adds a file; takes the path. */
static int create_walk_file(struct create_walker *w, char *path,
                            const struct stat *st)
{
    struct create_list *list = w->list;
    uint64_t length = (uint64_t)st->st_size;

    if (list->n_files == METAINFO_MAX_FILES ||
        length > (uint64_t)INT64_MAX - list->total_size) {
        free(path);
        return err_set(w->e, BTC_E_LIMIT,
                       "'%s' has more than %u files, too many for a torrent",
                       w->root, METAINFO_MAX_FILES);
    }
    list->files =
        vec_room(list->files, list->n_files, &list->cap, sizeof(*list->files));
    list->files[list->n_files++] = (struct create_file){
        .path = path, .length = length, .mtime_ns = create_mtime_ns(st)};
    list->total_size += length;
    return 0;
}

/* Remembers a folder to be read; takes the path. */
static void create_walk_push(struct create_walker *w, char *path)
{
    w->folders =
        vec_room(w->folders, w->n_folders, &w->cap, sizeof(*w->folders));
    w->folders[w->n_folders++] = path;
}

/* One entry of an open folder. */
static int create_walk_entry(struct create_walker *w, int fd,
                             const char *folder, const char *name)
{
    struct stat st;
    char *path = create_join(folder, name);
    int rc = 0;

    if (strlen(path) > METAINFO_MAX_PATH) {
        rc = err_set(w->e, BTC_E_LIMIT,
                     "a path below '%s' is longer than %d bytes, too long for "
                     "a torrent",
                     w->root, METAINFO_MAX_PATH);
    } else if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        rc =
            err_set_errno(w->e, errno, "cannot look at '%s/%s'", w->root, path);
    } else if (S_ISDIR(st.st_mode)) {
        create_walk_push(w, path);
        return 0;
    } else if (!S_ISREG(st.st_mode)) {
        w->list->n_left_out++;
    } else if (!(w->skip != NULL && w->skip->st_dev == st.st_dev &&
                 w->skip->st_ino == st.st_ino)) {
        return create_walk_file(w, path, &st);
    }
    free(path);
    return rc;
}

/* Reads one folder. */
static int create_walk_folder(struct create_walker *w, const char *folder)
{
    char *path = create_join(w->root, folder);
    /* The root may be a link, because the user named it; nothing below may. */
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    if (*folder != '\0') {
        flags |= O_NOFOLLOW;
    }
    int fd = open(path, flags);
    DIR *dir = NULL;
    if (fd >= 0) {
        dir = fdopendir(fd);
    }
    struct dirent *entry;
    int rc = 0;

    if (dir == NULL) {
        rc = err_set_errno(w->e, errno, "cannot read the folder '%s'", path);
        if (fd >= 0) {
            close(fd);
        }
        free(path);
        return rc;
    }
    while (rc == 0) {
        errno = 0;
        /* A stream that no other thread sees. */
        entry = readdir(dir); /* NOLINT(concurrency-mt-unsafe) */
        if (entry == NULL) {
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0) {
            rc = create_walk_entry(w, fd, folder, entry->d_name);
            errno = 0;
        }
    }
    if (rc == 0 && errno != 0) {
        rc = err_set_errno(w->e, errno, "cannot read the folder '%s'", path);
    }
    closedir(dir);
    free(path);
    return rc;
}

/* Where a byte sorts: the end of a path, then '/', then all others. */
static int create_rank(unsigned char c)
{
    if (c == '\0') {
        return 0;
    }
    if (c == '/') {
        return 1;
    }
    return c + 2;
}

/* Compares paths element by element. */
static int create_compare(const void *a, const void *b)
{
    const struct create_file *fa = a;
    const struct create_file *fb = b;
    const unsigned char *p = (const unsigned char *)fa->path;
    const unsigned char *q = (const unsigned char *)fb->path;

    while (*p == *q && *p != '\0') {
        p++;
        q++;
    }
    return create_rank(*p) - create_rank(*q);
}

/* Reads folder after folder, then sorts. */
static int create_walk_folders(struct create_walker *w)
{
    int rc = 0;

    create_walk_push(w, mem_strdup(""));
    while (rc == 0 && w->n_folders > 0) {
        char *folder = w->folders[--w->n_folders];
        rc = create_walk_folder(w, folder);
        free(folder);
    }
    while (w->n_folders > 0) {
        free(w->folders[--w->n_folders]);
    }
    free(w->folders);
    if (w->list->n_files > 1) {
        qsort(w->list->files, w->list->n_files, sizeof(*w->list->files),
              create_compare);
    }
    return rc;
}

/* Fills `list` from the file or folder `root`. */
int create_walk(const char *root, const struct stat *skip,
                struct create_list *list, struct err *e)
{
    struct create_walker w = {.root = root, .skip = skip, .list = list, .e = e};
    struct stat st;
    int rc;

    if (stat(root, &st) != 0) {
        return err_set_errno(e, errno, "cannot look at '%s'", root);
    }
    list->multi_file = S_ISDIR(st.st_mode);
    if (!list->multi_file && !S_ISREG(st.st_mode)) {
        return err_set(e, BTC_E_METAINFO,
                       "'%s' is neither a regular file nor a folder", root);
    }
    if (list->multi_file) {
        rc = create_walk_folders(&w);
    } else {
        rc = create_walk_file(&w, mem_strdup(""), &st);
    }
    if (rc == 0 && list->n_files == 0) {
        rc = err_set(e, BTC_E_METAINFO,
                     "'%s' has no files that a torrent could share", root);
    } else if (rc == 0 && list->total_size == 0) {
        rc = err_set(e, BTC_E_METAINFO,
                     "there is not one byte in '%s', and most clients refuse "
                     "a torrent of nothing",
                     root);
    }
    return rc;
}

void create_list_fini(struct create_list *list)
{
    for (uint32_t i = 0; i < list->n_files; i++) {
        free(list->files[i].path);
    }
    free(list->files);
    *list = (struct create_list){.files = NULL};
}
