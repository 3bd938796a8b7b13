/* Which files are in use by whom: see holds.c. A private header of the store.
 */
#ifndef BTC_STORE_HOLDS_H
#define BTC_STORE_HOLDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct store_hold;
struct store_tree;

/* A file on disk. */
struct store_file_id {
    uint64_t dev, ino;
};

/* The files in use, by device and inode. */
struct store_holds {
    struct store_hold **lists; /* owns; the holds are their trees' */
    uint32_t n_lists;          /* a power of two, or 0 */
    uint32_t n;
};

enum store_hold_mode {
    STORE_HOLD_LOOK, /* whether it could be read; nothing is held */
    STORE_HOLD_READ,
    STORE_HOLD_WRITE
};
struct store_hold_text {
    int code; /* STORAGE: it may be let go; EXISTS: a person must help */
    char text[112];
};
/* Holds a file for a tree, or says who is in the way. */
bool store_hold_take(struct store_tree *s, uint32_t file, const struct stat *st,
                     enum store_hold_mode mode, struct store_hold_text *who);
void store_hold_release(struct store_tree *s); /* all of a tree */

#endif
