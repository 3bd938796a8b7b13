/* CREATE: its files, of which several workers make some each. */
#ifndef BTC_STORE_PARTS_H
#define BTC_STORE_PARTS_H

#include "store/store.h"

/* What one of the workers makes. */
struct store_part {
    struct store_whole *whole; /* borrows */
    uint32_t from, to;         /* its files */
    struct bits made;          /* owns; those that came to be */
};

/* As jobs for so many workers at the most: gives their number, and the first of
 * them, which stand one behind the other. When they are done `job` is. */
uint32_t store_parts_of(struct store_job *job, uint32_t n_workers,
                        struct store_job **parts);

/* create.c. One file; a failure stands in the job. */
void store_create_file(struct store_job *job, uint32_t file);
/* The files that were made for the job go again. */
void store_create_undo(struct store_job *job);
/* And then the folders that were, if they are empty. */
void store_create_undo_dirs(struct store_tree *s);

#endif
