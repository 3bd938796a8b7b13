/* The other place of a file that is out of sight: a run was killed after it had
 * taken the file to its place, or made it there, and the journal does not know
 * that. */
#ifndef BTC_STORE_HOME_H
#define BTC_STORE_HOME_H

#include "model/fingerprint.h"

#include <stdbool.h>
#include <stdint.h>

struct store_home {
    uint32_t file;
    uint32_t dir;           /* of that place */
    const char *path;       /* borrows the tree's text */
    struct fingerprint own; /* the file, as the journal has seen it, or none */
    bool taken;             /* it is there: its path and folder are these */
};

/* Those of a tree. */
struct store_homes {
    struct store_home *all; /* in the order of the files; NULL: none */
    uint32_t n;
    int64_t made_ns; /* see store_tree_expect_made */
};

/* Where a file lies until STAT takes it to its place. */
struct store_from {
    const char *path;       /* NULL: it is there; borrows the tree's text */
    struct fingerprint own; /* the file, as the journal has seen it, or none */
    bool moved;             /* it was that, to the last time, and is there */
};

struct store_tree;
/* STAT has taken it from its `from`, where it was as the journal has seen it:
 * that it has another ctime now is the move's doing. */
bool store_tree_was_moved(const struct store_tree *s, uint32_t file);
/* A file's other place, NULL: it has none. */
const struct store_home *store_tree_home(const struct store_tree *s,
                                         uint32_t file);
/* Like store_tree_path, of that place. */
int store_tree_home_path(const struct store_tree *s, const struct store_home *h,
                         char *out);
/* Finds files that are at home, while no other job is out. -errno: `file`. */
int store_tree_find_homes(struct store_tree *s, uint32_t *file);
struct store_job;
/* The same; that something cannot be looked at fails the job. */
void store_find_homes(struct store_job *job);

/* Since then (unix, 0: there are none) files were made of which no row tells:
 * see made.h. What is at a `home` and is not `own` may be one. Before the first
 * job. */
void store_tree_expect_made(struct store_tree *s, int64_t since_ns);
/* The last STAT has found such a file. */
bool store_tree_is_made(const struct store_tree *s, uint32_t file);
/* For STAT: `path` is the file's. */
void store_tree_find_made(struct store_tree *s, uint32_t file,
                          const char *path);

#endif
