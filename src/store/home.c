/* See home.h. */
#include "store/home.h"

#include "store/internal.h"
#include "store/made.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is at a path: 0, -ENOENT, or that it cannot be said. */
static int store_home_look(const struct store_tree *s, const char *path,
                           struct stat *st, int64_t *born_ns)
{
    int rc = store_sys_look(s->d, path, AT_SYMLINK_NOFOLLOW, st, born_ns);
    return rc == -ENOTDIR ? -ENOENT : rc;
}

/* Nothing is at its path, and the very file is in the other place: 1. Else 0,
 * or -errno when that cannot be said. */
static int store_home_is_right(const struct store_tree *s,
                               const struct store_home *h)
{
    uint64_t length = s->layout[h->file].length;
    char path[PATH_MAX], home[PATH_MAX];
    struct stat st;
    int64_t born_ns = 0;
    if (store_tree_path(s, h->file, path) != 0 ||
        store_tree_home_path(s, h, home) != 0) {
        return 0;
    }
    int rc = store_home_look(s, path, &st, &born_ns);
    if (rc != -ENOENT) {
        return rc;
    }
    rc = store_home_look(s, home, &st, &born_ns);
    if (rc != 0) {
        return rc == -ENOENT ? 0 : rc;
    }
    struct fingerprint now = store_sys_print(&st);
    now.born_ns = born_ns;
    if (!h->own.exists) {
        return store_is_made(AT_FDCWD, home, length, s->homes.made_ns);
    }
    return S_ISREG(st.st_mode) && store_is_owned(&h->own, &now);
}

/* The folder in which it lay goes when it is empty. */
static void store_home_drop_folder(const struct store_tree *s, uint32_t file)
{
    char path[PATH_MAX];
    if (store_tree_path(s, file, path) == 0) {
        *strrchr(path, '/') = '\0';
        (void)rmdir(path);
    }
}

int store_tree_find_homes(struct store_tree *s, uint32_t *file)
{
    for (uint32_t i = 0; i < s->homes.n; i++) {
        struct store_home *h = &s->homes.all[i];
        int rc = h->taken ? 0 : store_home_is_right(s, h);
        if (rc < 0) {
            *file = h->file;
            return rc;
        }
        if (rc == 0) {
            continue;
        }
        store_home_drop_folder(s, h->file);
        pthread_mutex_lock(&s->d->fd_lock);
        h->taken = true;
        s->files[h->file].path = h->path;
        s->files[h->file].dir = h->dir;
        pthread_mutex_unlock(&s->d->fd_lock);
    }
    return 0;
}

void store_find_homes(struct store_job *job)
{
    char path[PATH_MAX];
    uint32_t file = 0;
    int rc = store_tree_find_homes(job->store, &file);
    if (rc != 0 && store_tree_path(job->store, file, path) == 0) {
        store_fail(job, file, path, -rc);
    }
}

const struct store_home *store_tree_home(const struct store_tree *s,
                                         uint32_t file)
{
    uint32_t from = 0, to = s->homes.n;
    while (from < to) {
        uint32_t mid = from + (to - from) / 2;
        if (s->homes.all[mid].file < file) {
            from = mid + 1;
        } else {
            to = mid;
        }
    }
    if (from < s->homes.n && s->homes.all[from].file == file) {
        return &s->homes.all[from];
    }
    return NULL;
}

bool store_tree_is_home(const struct store_tree *s, uint32_t file)
{
    const struct store_home *h = store_tree_home(s, file);
    return h && h->taken;
}

void store_tree_expect_made(struct store_tree *s, int64_t since_ns)
{
    s->homes.made_ns = since_ns;
}

void store_tree_find_made(struct store_tree *s, uint32_t file, const char *path)
{
    if (s->homes.made_ns == 0) {
        return;
    }
    bool made =
        store_is_made(AT_FDCWD, path, s->layout[file].length, s->homes.made_ns);
    pthread_mutex_lock(&s->d->fd_lock);
    s->flags[file] &= (uint8_t)~STORE_MADE;
    s->flags[file] |= made ? STORE_MADE : 0;
    pthread_mutex_unlock(&s->d->fd_lock);
}

bool store_tree_is_made(const struct store_tree *s, uint32_t file)
{
    BTC_ASSERT(file < s->n_files);
    pthread_mutex_lock(&s->d->fd_lock);
    bool made = s->flags[file] & STORE_MADE;
    pthread_mutex_unlock(&s->d->fd_lock);
    return made;
}
