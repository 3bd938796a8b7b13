/* Which files are in use by whom, over all trees of a store.
 *
 * A file is known by device and inode, so names, links and spellings of a save
 * path do not matter. Any number of trees may read a file, and one may write to
 * it when no other has it. A tree holds its files from CREATE until it rests or
 * is freed. Everything here is under fd_lock; no system call is made.
 */
#include "store/internal.h"

#include "base/map.h"
#include <stdio.h>
#include <string.h>

/* A file on disk that somebody holds. */
struct store_held {
    UT_hash_handle hh;
    struct {
        uint64_t dev, ino;
    } key;
    struct store_holder *holders; /* owns */
};

/* A tree that holds it. */
struct store_holder {
    struct store_held *held;   /* of which it is one */
    struct store_holder *next; /* of the same file on disk */
    struct store_holder *more; /* of the same tree */
    struct store_tree *tree;
    uint32_t file;
    bool writes;
};

/* NOLINTBEGIN(readability-function-*): the macros of uthash */

static struct store_held *store_hold_find(struct store *d,
                                          const struct stat *st)
{
    struct store_held key = {.key = {st->st_dev, st->st_ino}};
    struct store_held *held = NULL;
    HASH_FIND(hh, d->holds, &key.key, sizeof(key.key), held);
    return held;
}

static struct store_held *store_hold_add(struct store *d, const struct stat *st)
{
    struct store_held *held = mem_zalloc(sizeof(*held));
    held->key.dev = st->st_dev;
    held->key.ino = st->st_ino;
    HASH_ADD(hh, d->holds, key, sizeof(held->key), held);
    return held;
}

static void store_hold_remove(struct store *d, struct store_held *held)
{
    HASH_DEL(d->holds, held);
    free(held);
}

/* NOLINTEND(readability-function-*) */

/* The holder that is in the way; `mine` is the one that asks, if it has it. */
static const struct store_holder *
store_hold_conflict(const struct store_held *held, const struct store_tree *s,
                    uint32_t file, bool write, struct store_holder **mine)
{
    const struct store_holder *other = NULL;
    *mine = NULL;
    for (struct store_holder *h = held ? held->holders : NULL; h; h = h->next) {
        if (h->tree == s && h->file == file) {
            *mine = h;
        } else if (write || h->writes) {
            other = h;
        }
    }
    return other;
}

/* Who is in the way, for people. */
static void store_hold_name(const struct store_holder *h,
                            const struct store_tree *s, char *who, size_t size)
{
    if (h->tree == s) {
        (void)snprintf(who, size, "is one file with %.60s of the same torrent",
                       s->files[h->file].path);
    } else {
        (void)snprintf(who, size, "is in use by %.70s",
                       h->tree->label ? h->tree->label : "another torrent");
    }
}

bool store_hold_take(struct store_tree *s, uint32_t file, const struct stat *st,
                     enum store_hold_mode mode, struct store_hold_text *who)
{
    struct store *d = s->d;
    struct store_holder *mine = NULL;
    bool write = mode == STORE_HOLD_WRITE;
    pthread_mutex_lock(&d->fd_lock);
    struct store_held *held = store_hold_find(d, st);
    const struct store_holder *other =
        store_hold_conflict(held, s, file, write, &mine);
    bool ok = !other || (mine && mine->writes);
    if (!ok) {
        store_hold_name(other, s, who->text, sizeof(who->text));
    } else if (mine) {
        mine->writes |= write;
    } else if (mode != STORE_HOLD_LOOK) {
        if (!held) {
            held = store_hold_add(d, st);
        }
        mine = mem_zalloc(sizeof(*mine));
        *mine = (struct store_holder){.held = held,
                                      .next = held->holders,
                                      .more = s->holds,
                                      .tree = s,
                                      .file = file,
                                      .writes = write};
        held->holders = mine;
        s->holds = mine;
    }
    pthread_mutex_unlock(&d->fd_lock);
    return ok;
}

/* Takes one off the list of its file; the last takes the file along. */
static void store_hold_unlink(struct store *d, struct store_holder *h)
{
    struct store_holder **at = &h->held->holders;
    while (*at != h) {
        at = &(*at)->next;
    }
    *at = h->next;
    if (!h->held->holders) {
        store_hold_remove(d, h->held);
    }
    free(h);
}

void store_hold_release(struct store_tree *s)
{
    pthread_mutex_lock(&s->d->fd_lock);
    while (s->holds) {
        struct store_holder *h = s->holds;
        s->holds = h->more;
        store_hold_unlink(s->d, h);
    }
    pthread_mutex_unlock(&s->d->fd_lock);
}

void store_tree_only_reads(struct store_tree *s)
{
    pthread_mutex_lock(&s->d->fd_lock);
    for (struct store_holder *h = s->holds; h; h = h->more) {
        h->writes = false;
    }
    pthread_mutex_unlock(&s->d->fd_lock);
}
