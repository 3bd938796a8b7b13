/* A store: the files of a torrent below one save path, the tree of their
 * folders, and what of both is not durable yet.
 *
 * A file is dirty from its first write until a SYNC that began afterwards has
 * ended well. A folder is pending from the moment a name was made in it. After
 * a crash nobody knows which names had been synced: so the first write to a
 * file in the life of a store queues its folders too.
 */
#include "store/internal.h"
#include "store/statx.h"

#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Our own check of what the metainfo parser promised: nothing that leads out
 * of the save path, no empty element. */
bool store_path_is_clean(const char *path)
{
    const char *p = path;
    while (*p) {
        size_t len = strcspn(p, "/");
        if (len == 0 || (len == 1 && p[0] == '.') ||
            (len == 2 && p[0] == '.' && p[1] == '.')) {
            return false;
        }
        p += len;
        if (*p == '/' && *++p == '\0') {
            return false;
        }
    }
    return p != path;
}

/* A copy of a text at `*at`, which moves on. */
static const char *store_tree_keep(const char *text, char **at)
{
    size_t len = strlen(text) + 1;
    char *copy = memcpy(*at, text, len);
    *at += len;
    return copy;
}

/* A text that few files have: their array is made for the first one. */
static void store_tree_keep_rare(struct store_tree *s, const char ***texts,
                                 uint32_t file, const char *text, char **at)
{
    if (!text) {
        return;
    }
    if (!*texts) {
        *texts = mem_calloc(s->n_files, sizeof(char *));
    }
    (*texts)[file] = store_tree_keep(text, at);
}

/* The same of where it lies. */
static void store_tree_keep_from(struct store_tree *s, uint32_t file,
                                 const struct store_file *f, char **at)
{
    if (!f->from) {
        return;
    }
    if (!s->froms) {
        s->froms = mem_calloc(s->n_files, sizeof(*s->froms));
    }
    s->froms[file].path = store_tree_keep(f->from, at);
    if (f->own) {
        s->froms[file].own = *f->own;
    }
}

/* Copies the files and their paths. */
static void store_tree_copy(struct store_tree *s,
                            const struct store_file *files, uint32_t n_files,
                            bool full)
{
    size_t total = 0;
    for (uint32_t i = 0; i < n_files; i++) {
        total += strlen(files[i].path) + 1;
        total += files[i].link ? strlen(files[i].link) + 1 : 0;
        total += files[i].from ? strlen(files[i].from) + 1 : 0;
        total += files[i].home ? strlen(files[i].home) + 1 : 0;
        s->homes.n += files[i].home ? 1 : 0;
    }
    s->n_files = n_files;
    if (s->homes.n > 0) {
        s->homes.all = mem_calloc(s->homes.n, sizeof(*s->homes.all));
    }
    s->homes.n = 0;
    s->files = mem_array(n_files, sizeof(*s->files));
    s->layout = mem_array(n_files, sizeof(*s->layout));
    s->text = mem_alloc(total);
    char *at = s->text;
    for (uint32_t i = 0; i < n_files; i++) {
        const struct store_file *f = &files[i];
        bool clean = f->pad || store_path_is_clean(f->path);
        BTC_ASSERT(clean);
        s->files[i] = (struct store_node){.path = store_tree_keep(f->path, &at),
                                          .full = full && !f->sparse,
                                          .executable = f->executable};
        s->layout[i] = (struct layout_file){
            .offset = f->offset, .length = f->length, .pad = f->pad};
        store_tree_keep_rare(s, &s->links, i, f->link, &at);
        store_tree_keep_from(s, i, f, &at);
        if (f->home) {
            s->homes.all[s->homes.n++] = (struct store_home){
                .file = i,
                .path = store_tree_keep(f->home, &at),
                .own = f->own ? *f->own : (struct fingerprint){0}};
        }
    }
}

/* The length of a path's folder part, without the last '/'. */
static uint32_t store_dir_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash) {
        return (uint32_t)(slash - path);
    }
    return 0;
}

/* Tree order: as strings, but '/' before every other character, so that what
 * is below a folder follows it without a gap. */
static int store_dir_compare(const char *a, uint32_t a_len, const char *b,
                             uint32_t b_len)
{
    uint32_t i = 0;
    while (i < a_len && i < b_len && a[i] == b[i]) {
        i++;
    }
    if (i == a_len || i == b_len) {
        return (int)(i < a_len) - (int)(i < b_len);
    }
    if (a[i] == '/' || b[i] == '/') {
        if (a[i] == '/') {
            return -1;
        }
        return 1;
    }
    if ((unsigned char)a[i] < (unsigned char)b[i]) {
        return -1;
    }
    return 1;
}

/* A file's folder while the tree is built. */
struct store_dir_key {
    const char *path;
    uint32_t len;
    uint32_t *out; /* gets the folder */
};

/* For qsort. */
static int store_dir_key_compare(const void *a, const void *b)
{
    const struct store_dir_key *x = a;
    const struct store_dir_key *y = b;
    return store_dir_compare(x->path, x->len, y->path, y->len);
}

/* Whether folder `dir` is `key` or lies above it. */
static bool store_dir_holds(const struct store_dir *dir,
                            const struct store_dir_key *key)
{
    return dir->len == 0 ||
           (dir->len <= key->len &&
            memcmp(dir->path, key->path, dir->len) == 0 &&
            (dir->len == key->len || key->path[dir->len] == '/'));
}

/* Adds the folders of `key` that are missing; `at` is the last one added. */
static uint32_t store_dirs_add(struct store_tree *s, uint32_t at,
                               const struct store_dir_key *key, uint32_t *cap)
{
    while (!store_dir_holds(&s->dirs[at], key)) {
        at = s->dirs[at].parent;
    }
    while (s->dirs[at].len < key->len) {
        uint32_t from = 0;
        if (s->dirs[at].len > 0) {
            from = s->dirs[at].len + 1;
        }
        uint32_t end = from;
        while (end < key->len && key->path[end] != '/') {
            end++;
        }
        if (s->n_dirs == *cap) {
            *cap *= 2;
            s->dirs = mem_resize(s->dirs, *cap, sizeof(*s->dirs));
        }
        s->dirs[s->n_dirs] =
            (struct store_dir){.path = key->path, .len = end, .parent = at};
        at = s->n_dirs++;
    }
    return at;
}

/* The tree of folders: sorted, each is found next to the one before. */
static void store_tree_plant(struct store_tree *s)
{
    struct store_dir_key *keys =
        mem_array((size_t)s->n_files + s->homes.n, sizeof(*keys));
    uint32_t n = 0;
    uint32_t cap = 16;
    uint32_t at = 0;
    s->dirs = mem_array(cap, sizeof(*s->dirs));
    s->dirs[0] = (struct store_dir){.path = s->text};
    s->n_dirs = 1;
    for (uint32_t i = 0; i < s->n_files; i++) {
        if (!s->layout[i].pad) {
            const char *path = s->files[i].path;
            keys[n++] = (struct store_dir_key){path, store_dir_len(path),
                                               &s->files[i].dir};
        }
    }
    for (uint32_t i = 0; i < s->homes.n; i++) {
        const char *path = s->homes.all[i].path;
        keys[n++] = (struct store_dir_key){path, store_dir_len(path),
                                           &s->homes.all[i].dir};
    }
    qsort(keys, n, sizeof(*keys), store_dir_key_compare);
    for (uint32_t i = 0; i < n; i++) {
        at = store_dirs_add(s, at, &keys[i], &cap);
        *keys[i].out = at;
    }
    free(keys);
    s->dirs = mem_resize(s->dirs, s->n_dirs, sizeof(*s->dirs));
}

/* A store; no file is touched. */
struct store_tree *store_tree_new(struct store *d, const char *save_path,
                                  const struct store_file *files,
                                  uint32_t n_files, bool full)
{
    struct store_tree *s = mem_zalloc(sizeof(*s));
    size_t len = strlen(save_path);
    while (len > 1 && save_path[len - 1] == '/') {
        len--;
    }
    s->d = d;
    if (len > 0) {
        s->save_path = mem_strndup(save_path, len);
    } else {
        s->save_path = mem_strdup(".");
    }
    s->refs = 1;
    store_tree_copy(s, files, n_files, full);
    store_tree_plant(s);
    s->flags = mem_calloc(n_files, 1);
    s->seen = mem_calloc(n_files, sizeof(*s->seen));
    s->busy = mem_calloc(n_files, sizeof(*s->busy));
    pthread_mutex_lock(&d->fd_lock);
    d->refs++;
    pthread_mutex_unlock(&d->fd_lock);
    return s;
}

const char *store_tree_name(const struct store_tree *s, uint32_t file)
{
    BTC_ASSERT(file < s->n_files);
    return s->files[file].path;
}

const struct layout_file *store_tree_layout(const struct store_tree *s)
{
    return s->layout;
}

/* Who it is; NULL leaves it. */
void store_tree_label(struct store_tree *s, const char *label)
{
    char *mine = NULL;
    if (label) {
        mine = mem_strdup(label);
    }
    pthread_mutex_lock(&s->d->fd_lock);
    char *old = NULL;
    if (mine) {
        old = s->label;
    }
    if (mine) {
        s->label = mine;
    }
    pthread_mutex_unlock(&s->d->fd_lock);
    free(old);
}

/* One reference more. */
void store_tree_ref(struct store_tree *s)
{
    pthread_mutex_lock(&s->d->fd_lock);
    s->refs++;
    pthread_mutex_unlock(&s->d->fd_lock);
}

void store_tree_forbid(struct store_tree *s, uint32_t file, const char *text)
{
    char *mine = mem_strdup(text);
    BTC_ASSERT(file < s->n_files);
    pthread_mutex_lock(&s->d->fd_lock);
    if (!s->forbids) {
        s->forbids = mem_calloc(s->n_files, sizeof(*s->forbids));
    }
    char *old = s->forbids[file];
    s->forbids[file] = mine;
    pthread_mutex_unlock(&s->d->fd_lock);
    free(old);
}

void store_tree_allow(struct store_tree *s)
{
    pthread_mutex_lock(&s->d->fd_lock);
    char **old = s->forbids;
    s->forbids = NULL;
    pthread_mutex_unlock(&s->d->fd_lock);
    for (uint32_t i = 0; old && i < s->n_files; i++) {
        free(old[i]);
    }
    free(old);
}

void store_tree_dispose(struct store_tree *s)
{
    store_tree_allow(s);
    free(s->label);
    free(s->save_path);
    free(s->files);
    free(s->layout);
    free(s->links);
    free(s->froms);
    free(s->text);
    free(s->dirs);
    free(s->homes.all);
    free(s->fds);
    free(s->flags);
    free(s->seen);
    free(s->busy);
    free(s);
}

const char *store_tree_link(const struct store_tree *s, uint32_t file)
{
    if (s->links) {
        return s->links[file];
    }
    return NULL;
}

const char *store_tree_from(const struct store_tree *s, uint32_t file)
{
    if (s->froms) {
        return s->froms[file].path;
    }
    return NULL;
}

bool store_tree_was_moved(const struct store_tree *s, uint32_t file)
{
    return s->froms && s->froms[file].moved;
}

/* save path + "/" + the first `len` bytes of `rel`. Each file's path is made
 * several times, so nothing is formatted here, unless it is too long: then what
 * fits is what the text of the error shows. */
static int store_tree_join(const struct store_tree *s, const char *rel,
                           size_t len, char *out)
{
    size_t root = strlen(s->save_path);
    if (root + 1 + len >= PATH_MAX) {
        (void)snprintf(out, PATH_MAX, "%s/%.*s", s->save_path, (int)len, rel);
        return -ENAMETOOLONG;
    }
    memcpy(out, s->save_path, root);
    if (len > 0) {
        out[root++] = '/';
        memcpy(out + root, rel, len);
    }
    out[root + len] = '\0';
    return 0;
}

/* A file's path. */
int store_tree_path(const struct store_tree *s, uint32_t file, char *out)
{
    const char *rel = s->files[file].path;
    return store_tree_join(s, rel, strlen(rel), out);
}

/* Where a file lies that is not at its path yet. */
int store_tree_from_path(const struct store_tree *s, uint32_t file, char *out)
{
    const char *rel = store_tree_from(s, file);
    return store_tree_join(s, rel, strlen(rel), out);
}

int store_tree_home_path(const struct store_tree *s, const struct store_home *h,
                         char *out)
{
    return store_tree_join(s, h->path, strlen(h->path), out);
}

/* A folder's path. */
int store_tree_dir_path(const struct store_tree *s, uint32_t dir, char *out)
{
    return store_tree_join(s, s->dirs[dir].path, s->dirs[dir].len, out);
}

/* Whether the save path is there. */
bool store_tree_has_root(const struct store_tree *s)
{
    struct stat st;
    return stat(s->save_path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Queues the folders of a file; under fd_lock. */
static void store_tree_queue_dirs(struct store_tree *s, uint32_t file)
{
    uint32_t dir = s->files[file].dir;
    s->flags[file] |= STORE_NAMED;
    while (dir != 0) {
        s->dirs[dir].pending = true;
        dir = s->dirs[dir].parent;
    }
    s->dirs[0].pending = true;
}

/* A name was made. */
void store_tree_named(struct store_tree *s, uint32_t file)
{
    pthread_mutex_lock(&s->d->fd_lock);
    store_tree_queue_dirs(s, file);
    pthread_mutex_unlock(&s->d->fd_lock);
}

/* Data was written. After the write: a SYNC that clears the flag must find the
 * data in the page cache. */
void store_tree_wrote(struct store_tree *s, uint32_t file)
{
    pthread_mutex_lock(&s->d->fd_lock);
    if (!(s->flags[file] & STORE_DIRTY)) {
        s->flags[file] |= STORE_DIRTY;
        s->n_dirty++;
    }
    if (!(s->flags[file] & STORE_NAMED)) {
        store_tree_queue_dirs(s, file);
    }
    pthread_mutex_unlock(&s->d->fd_lock);
}

bool store_is_dirty(struct store_tree *s)
{
    pthread_mutex_lock(&s->d->fd_lock);
    bool dirty = s->n_dirty > 0;
    pthread_mutex_unlock(&s->d->fd_lock);
    return dirty;
}

/* Remembers a file. */
void store_tree_saw(struct store_tree *s, uint32_t file, const struct stat *st)
{
    struct store_seen seen = {0};
    if (st) {
        seen = store_seen_of(st);
    }
    pthread_mutex_lock(&s->d->fd_lock);
    store_left_set(s, file, seen);
    pthread_mutex_unlock(&s->d->fd_lock);
}

bool store_tree_has_seen(struct store_tree *s, uint32_t file)
{
    pthread_mutex_lock(&s->d->fd_lock);
    bool known = s->seen[file].known;
    pthread_mutex_unlock(&s->d->fd_lock);
    return known;
}

void store_tree_set_absent(struct store_tree *s, uint32_t file, bool absent)
{
    pthread_mutex_lock(&s->d->fd_lock);
    s->flags[file] &= (uint8_t)~STORE_ABSENT;
    if (absent) {
        s->flags[file] |= STORE_ABSENT;
    }
    pthread_mutex_unlock(&s->d->fd_lock);
}

bool store_tree_is_absent(struct store_tree *s, uint32_t file)
{
    pthread_mutex_lock(&s->d->fd_lock);
    bool absent = s->flags[file] & STORE_ABSENT;
    pthread_mutex_unlock(&s->d->fd_lock);
    return absent;
}

/* What is at the path was made after we have last seen a file of its number. */
static bool store_tree_is_reborn(const struct store_seen *old,
                                 const struct store_seen *now, const char *path)
{
    const struct fingerprint then = {.ctime_ns = old->ctime_ns};
    struct fingerprint there = {.ctime_ns = now->ctime_ns};
    struct stat st;
    (void)store_sys_statx(AT_FDCWD, path, 0, &st, &there.born_ns);
    return fingerprint_is_reborn(&then, &there);
}

/* Whether somebody has put another file, which is at the path and is `st`, in
 * the place of the one we know. */
bool store_tree_is_other(struct store_tree *s, uint32_t file, const char *path,
                         const struct stat *st)
{
    struct store_seen now = store_seen_of(st);
    pthread_mutex_lock(&s->d->fd_lock);
    struct store_seen old = s->seen[file];
    pthread_mutex_unlock(&s->d->fd_lock);
    bool differs = now.size != old.size || now.mtime_ns != old.mtime_ns ||
                   now.ctime_ns != old.ctime_ns;
    return old.known && differs &&
           (now.dev != old.dev || now.ino != old.ino ||
            store_tree_is_reborn(&old, &now, path));
}

/* Written by somebody else, claimed by us. */
void store_mark_dirty(struct store_tree *s, uint32_t file)
{
    BTC_ASSERT(file < s->n_files);
    if (!s->layout[file].pad) {
        store_left_unsync(s, file);
        store_tree_wrote(s, file);
    }
}
