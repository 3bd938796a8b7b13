/* Which files are in use by whom, over all trees of a store.
 *
 * A file is known by device and inode, so names, links and spellings of a save
 * path do not matter. Any number of trees may read a file, and one may write to
 * it when no other has it. A tree holds its files from CREATE until it rests or
 * is freed; of each of its files it holds the one on disk that it used last.
 * Everything here is under fd_lock; no system call is made.
 *
 * A run holds hundreds of thousands of files: so a hold is an item of its
 * tree's array (its file is its place there), and is itself what hangs in the
 * table. Which of them are written to stands in the flags of the tree.
 */
#include "store/internal.h"

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>

#define STORE_HOLDS_FIRST 64u /* lists of the table at first; doubled */

struct store_hold {
    struct store_file_id id;
    struct store_tree *tree; /* NULL: its file is not held */
    struct store_hold *next; /* in the list of the table */
};

/* The list that a file on disk belongs to. */
static struct store_hold **store_hold_list(const struct store_holds *t,
                                           const struct store_file_id *id)
{
    return &t->lists[map_hash(id, sizeof(*id)) & (t->n_lists - 1)];
}

/* Twice as many lists, when there are two holds for each. */
static void store_holds_grow(struct store_holds *t)
{
    if (t->n < 2 * t->n_lists) {
        return;
    }
    struct store_holds old = *t;
    t->n_lists = STORE_HOLDS_FIRST;
    if (old.n_lists > 0) {
        t->n_lists = 2 * old.n_lists;
    }
    t->lists = mem_calloc(t->n_lists, sizeof(struct store_hold *));
    for (uint32_t i = 0; i < old.n_lists; i++) {
        while (old.lists[i]) {
            struct store_hold *h = old.lists[i];
            struct store_hold **list = store_hold_list(t, &h->id);
            old.lists[i] = h->next;
            h->next = *list;
            *list = h;
        }
    }
    free(old.lists);
}

/* Takes one out of its list. */
static void store_hold_drop(struct store_hold *h)
{
    struct store_holds *t = &h->tree->d->holds;
    struct store_hold **at = store_hold_list(t, &h->id);
    while (*at != h) {
        at = &(*at)->next;
    }
    *at = h->next;
    t->n--;
    h->tree = NULL;
}

/* Which file of its tree it is of. */
static uint32_t store_hold_file(const struct store_hold *h)
{
    return (uint32_t)(h - h->tree->holds);
}

/* Whether its tree may write to the file. */
static bool store_hold_writes(const struct store_hold *h)
{
    return h->tree->flags[store_hold_file(h)] & STORE_WRITES;
}

static bool store_hold_is(const struct store_hold *h,
                          const struct store_file_id *id)
{
    return h->tree && h->id.dev == id->dev && h->id.ino == id->ino;
}

/* The hold that is in the way of the one that asks, or NULL. */
static const struct store_hold *
store_hold_conflict(const struct store_tree *s, uint32_t file,
                    const struct store_file_id *id, bool write)
{
    const struct store_holds *t = &s->d->holds;
    const struct store_hold *h = NULL;
    if (t->n_lists > 0) {
        h = *store_hold_list(t, id);
    }
    for (; h; h = h->next) {
        bool mine = h->tree == s && store_hold_file(h) == file;
        if (store_hold_is(h, id) && !mine && (write || store_hold_writes(h))) {
            return h;
        }
    }
    return NULL;
}

/* Who is in the way, for people. */
static void store_hold_name(const struct store_hold *h,
                            const struct store_tree *s,
                            struct store_hold_text *who)
{
    if (h->tree == s) {
        who->code = BTC_E_EXISTS;
        (void)snprintf(who->text, sizeof(who->text),
                       "is one file with %.50s of the same torrent; make a "
                       "copy of it",
                       s->files[store_hold_file(h)].path);
    } else {
        who->code = BTC_E_STORAGE;
        (void)snprintf(who->text, sizeof(who->text), "is in use by %.70s",
                       h->tree->label ? h->tree->label : "another torrent");
    }
}

/* The tree's hold of a file leads to another one on disk from here on. */
static void store_hold_set(struct store_tree *s, uint32_t file,
                           const struct store_file_id *id)
{
    struct store_holds *t = &s->d->holds;
    if (!s->holds) {
        s->holds = mem_calloc(s->n_files, sizeof(*s->holds));
    }
    struct store_hold *h = &s->holds[file];
    if (h->tree) {
        store_hold_drop(h);
    }
    store_holds_grow(t);
    struct store_hold **list = store_hold_list(t, id);
    *h = (struct store_hold){.id = *id, .tree = s, .next = *list};
    *list = h;
    t->n++;
    s->flags[file] &= (uint8_t)~STORE_WRITES;
}

bool store_hold_take(struct store_tree *s, uint32_t file, const struct stat *st,
                     enum store_hold_mode mode, struct store_hold_text *who)
{
    struct store_file_id id = {.dev = st->st_dev, .ino = st->st_ino};
    bool write = mode == STORE_HOLD_WRITE;
    pthread_mutex_lock(&s->d->fd_lock);
    bool mine = s->holds && store_hold_is(&s->holds[file], &id);
    const struct store_hold *other = store_hold_conflict(s, file, &id, write);
    bool ok = !other || (mine && store_hold_writes(&s->holds[file]));
    const char *forbid = NULL;
    if (write && s->forbids) {
        forbid = s->forbids[file];
    }
    if (forbid) {
        ok = false;
        who->code = BTC_E_EXISTS;
        (void)snprintf(who->text, sizeof(who->text), "%s", forbid);
    } else if (!ok) {
        store_hold_name(other, s, who);
    } else if (mode != STORE_HOLD_LOOK && !mine) {
        store_hold_set(s, file, &id);
    }
    if (ok && write) {
        s->flags[file] |= STORE_WRITES;
    }
    pthread_mutex_unlock(&s->d->fd_lock);
    return ok;
}

void store_hold_release(struct store_tree *s)
{
    pthread_mutex_lock(&s->d->fd_lock);
    for (uint32_t i = 0; s->holds && i < s->n_files; i++) {
        if (s->holds[i].tree) {
            store_hold_drop(&s->holds[i]);
        }
    }
    free(s->holds);
    s->holds = NULL;
    pthread_mutex_unlock(&s->d->fd_lock);
}

void store_tree_only_reads(struct store_tree *s)
{
    pthread_mutex_lock(&s->d->fd_lock);
    for (uint32_t i = 0; i < s->n_files; i++) {
        s->flags[i] &= (uint8_t)~STORE_WRITES;
    }
    pthread_mutex_unlock(&s->d->fd_lock);
}
