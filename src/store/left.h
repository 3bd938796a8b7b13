/* What a file was when we last had to do with it, and whether it still is: see
 * left.c. A private header of the store. */
#ifndef BTC_STORE_LEFT_H
#define BTC_STORE_LEFT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct store_fd;
struct store_tree;

/* Which file it was when we last had it open for writing or looked at it. */
struct store_seen {
    uint64_t dev, ino;
    int64_t mtime_ns, ctime_ns;
    /* In one word, for there is one of these for each file of a run. */
    uint64_t size : 62;
    bool known : 1;
    bool changed : 1; /* by somebody else, as its owner knows: to be learnt
                       * anew */
};

/* Our own writes to a file. */
struct store_busy {
    uint32_t writers : 31; /* under way */
    uint32_t stirred : 1;  /* somebody has changed the inode since the claims
                            * in the file were hashed */
    uint32_t generation;   /* how often one has begun or ended; 2 more each time
                            * that the file is learnt anew: even at rest */
    uint32_t synced;       /* the generation, plus 1, of which all is on the
                            * device; 0: none */
};

struct store_seen store_seen_of(const struct stat *st);
/* What it is now; false when the data are not as we left them. */
bool store_left_look(const struct store_fd *f, struct stat *st);
uint32_t store_left_generation(struct store_tree *s, uint32_t file);
/* A look at the file's path, from behind the generation; NULL: none is there.
 */
void store_left_saw(struct store_tree *s, uint32_t file, uint32_t generation,
                    const struct stat *st);
/* Looked at from behind the generation as it was opened to be written: from now
 * on it is known as it is. False when somebody else has written to it. */
bool store_left_opened(struct store_tree *s, uint32_t file, int fd,
                       uint32_t generation, const struct stat *st);
bool store_left_is_ours(const struct store_fd *f);
/* What is now known of the file is `now`; under fd_lock. */
void store_left_set(struct store_tree *s, uint32_t file, struct store_seen now);
/* A fdatasync that began behind the generation was good; under fd_lock. */
void store_left_synced(struct store_tree *s, uint32_t file,
                       uint32_t generation);
/* Nothing has been written since such a one. With `st`, a look from behind the
 * generation: nor by anybody else, and it is the same file. */
bool store_left_is_synced(struct store_tree *s, uint32_t file,
                          uint32_t generation, const struct stat *st);
/* Whatever was synced, it is to be synced again. */
void store_left_unsync(struct store_tree *s, uint32_t file);
/* Around each write of ours. */
void store_left_begin(const struct store_fd *f);
void store_left_end(const struct store_fd *f);

#endif
