/* The recorder's log, as record.c and record_names.c write it and images.py
 * reads it: a record is a struct record_head, two paths without NUL, and data.
 */
#ifndef BTC_TESTS_POWER_RECORD_H
#define BTC_TESTS_POWER_RECORD_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define RECORD_EXPORT __attribute__((visibility("default")))
#define RECORD_MAGIC  0x42524543u

/* Bits of `at` of an OPEN. */
#define RECORD_MADE   1u
#define RECORD_IS_DIR 2u
#define RECORD_CUT    4u /* O_TRUNC */

enum record_op {
    RECORD_OPEN = 1,   /* path, ino; at: see above */
    RECORD_WRITE,      /* ino, at: offset; data */
    RECORD_SIZE,       /* ino, at: the new size */
    RECORD_EXTEND,     /* ino, at: no shorter than this from now on */
    RECORD_MKDIR,      /* path, ino */
    RECORD_UNLINK,     /* path: a file's or a folder's */
    RECORD_RENAME,     /* path becomes path2 */
    RECORD_LINK,       /* path gets a second name path2 */
    RECORD_SYNC_BEGIN, /* ino */
    RECORD_SYNC_END,  /* ino, at: the id of its BEGIN; only a good one has it */
    RECORD_RESULT,    /* at: the id of a write; ino: the bytes it really made */
    RECORD_BAD,       /* path: what cannot be followed */
    RECORD_SYNC_FAIL, /* ino, at: its BEGIN; what it took is lost */
};

/* Little-endian, as the machine is. */
struct record_head {
    uint32_t magic;
    uint32_t op;
    uint64_t id; /* pid << 32 | count */
    uint64_t ino;
    uint64_t at;
    uint64_t time_ns; /* of the day */
    uint32_t path_len;
    uint32_t path2_len;
    uint64_t data_len;
};

/* What a caller of record_put fills. */
struct record {
    enum record_op op;
    int n_iov;
    uint64_t ino;
    uint64_t at;
    const char *path;
    const char *path2;
    const struct iovec *iov;
};

/* The mutex that makes the order. errno is kept. */
void record_lock(void);
void record_unlock(void);

/* Appends a record; its id. Under the lock. errno is kept. */
uint64_t record_put(const struct record *r);

/* Follows an inode from now on. Under the lock. */
void record_follow(uint64_t ino);

/* The inode of a descriptor's file when it is followed, else 0. */
uint64_t record_ino(int fd);

/* Whether a canonical path is below the recorded folder. */
bool record_is_ours(const char *path);

/* The canonical form of a path whose last element need not be there. */
bool record_canonical(int dir, const char *path, char out[PATH_MAX]);

#endif
