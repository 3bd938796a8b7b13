/* What lies below a simulated disk: the medium, which has only what a sync, or
 * chance, brought to it; and the files with their fingerprints. A power cut
 * leaves what the medium has. While no process runs, strangers come.
 */
#ifndef BTC_TESTS_SIM_SIM_PLATTER_H
#define BTC_TESTS_SIM_SIM_PLATTER_H

#include "model/fingerprint.h"
#include "sim/sim_node.h"

struct sim_platter {
    struct sim_disk *d;   /* borrows: what a reader finds, the cache */
    uint8_t *data;        /* owns; the medium */
    struct bits *written; /* owns; per piece, the blocks that it has */
    struct bits *dirty;   /* owns; per piece, the blocks that it may lack */
    struct fingerprint now[SIM_MAX_FILES];
    struct fingerprint kept[SIM_MAX_FILES]; /* the inodes on the medium */
    uint64_t next_ino;
    int64_t unix_ns;      /* now */
    struct bits forgiven; /* pieces that a stranger has changed */
    uint32_t n_spoilt;    /* changes by strangers, ever */
};

void sim_platter_init(struct sim_platter *p, struct sim_disk *d);
void sim_platter_fini(struct sim_platter *p);
/* Files that are absent are made. */
void sim_platter_create(struct sim_platter *p);
/* A block was written into the cache. */
void sim_platter_wrote(struct sim_platter *p, uint32_t piece, uint32_t block);
/* fdatasync of everything. When it fails some of it has not come to the medium,
 * the kernel calls it clean, and the cache is dropped. */
void sim_platter_sync(struct sim_platter *p, bool fails);
/* Unsynced writes are kept, lost or torn; so are the times of the inodes. */
void sim_platter_cut(struct sim_platter *p);
/* Somebody replaces, restores, changes, cuts, deletes or touches a file, with
 * times as the tools leave them. */
void sim_platter_stranger(struct sim_platter *p, uint32_t file);
/* The true data of a piece is there: on the medium, or for a reader. */
bool sim_platter_has(const struct sim_platter *p, uint32_t piece);
bool sim_platter_reads(const struct sim_platter *p, uint32_t piece);
/* The same of a block on the medium. */
bool sim_platter_has_block(const struct sim_platter *p, uint32_t piece,
                           uint32_t block);

#endif
