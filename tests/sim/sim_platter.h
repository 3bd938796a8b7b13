/* What lies below a simulated disk: the medium, which has only what a sync, or
 * chance, brought to it; and the files with their fingerprints, on one or more
 * devices. A power cut leaves what the medium has. Strangers come, in place
 * also while a process runs.
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
    struct fingerprint left[SIM_MAX_FILES]; /* as our last write left it */
    uint32_t where[SIM_MAX_FILES]; /* the device of each file, from 0 */
    uint32_t root;                 /* that of the save path */
    uint64_t dev_base;             /* the number of device 0 is one more */
    int64_t unix_ns;               /* now; never twice the same */
    uint32_t *spoilt;  /* owns; per piece, which change by a stranger it has
                        * suffered; 0 = none since it was synced */
    uint32_t n_spoilt; /* changes by strangers, ever */
};

void sim_platter_init(struct sim_platter *p, struct sim_disk *d);
void sim_platter_fini(struct sim_platter *p);
/* The time of the world. */
void sim_platter_clock(struct sim_platter *p);
/* A reboot has given other numbers to the devices. */
void sim_platter_number(struct sim_platter *p, uint64_t dev_base);
/* All of it lies on one device. */
void sim_platter_put(struct sim_platter *p, uint32_t where);
/* A file as it is; an absent one has the device of its folder. */
struct fingerprint sim_platter_print(const struct sim_platter *p,
                                     uint32_t file);
uint64_t sim_platter_root(const struct sim_platter *p);
/* From here on, what a file has that we have not written is a stranger's. */
void sim_platter_learn(struct sim_platter *p);
bool sim_platter_is_touched(const struct sim_platter *p, uint32_t file);
/* A file of the piece is: nothing is written there. */
bool sim_platter_refuses(const struct sim_platter *p, uint32_t piece);
/* Files that are absent are made. */
void sim_platter_create(struct sim_platter *p);
/* A block was written into the cache. */
void sim_platter_wrote(struct sim_platter *p, uint32_t piece, uint32_t block);
/* fdatasync of everything on a device (0: on all of them). When it fails some
 * of it has not come to the medium, the kernel calls it clean, and the cache is
 * dropped. */
void sim_platter_sync(struct sim_platter *p, uint64_t dev, bool fails);
/* Unsynced writes are kept, lost or torn; so are the times of the inodes. */
void sim_platter_cut(struct sim_platter *p);
/* Somebody replaces, restores, changes, cuts, deletes or touches a file, with
 * times as the tools leave them. */
void sim_platter_stranger(struct sim_platter *p, uint32_t file);
/* The same in place, while it is open: changed or cut. */
void sim_platter_scribble(struct sim_platter *p, uint32_t file);
/* It goes to another device, with its times; or stays, by chance. */
void sim_platter_move(struct sim_platter *p, uint32_t file);
/* A stranger has changed the piece, and nobody can have seen that. */
bool sim_platter_is_forgiven(const struct sim_platter *p, uint32_t piece);
/* It was synced when so many changes had been made. */
void sim_platter_blame(struct sim_platter *p, uint32_t piece, uint32_t seen);
/* The true data of a piece is there: on the medium, or for a reader. */
bool sim_platter_has(const struct sim_platter *p, uint32_t piece);
bool sim_platter_reads(const struct sim_platter *p, uint32_t piece);
/* The same of a block on the medium. */
bool sim_platter_has_block(const struct sim_platter *p, uint32_t piece,
                           uint32_t block);

#endif
