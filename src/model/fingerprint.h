/* A fingerprint: what tells, without reading it, whether a file's content may
 * have changed. Device and inode say which file it is, size and times
 * whether somebody wrote to it. Two equal fingerprints are a reason to trust a
 * file; a different one is a reason to doubt it. */
#ifndef BTC_MODEL_FINGERPRINT_H
#define BTC_MODEL_FINGERPRINT_H

#include <stdbool.h>
#include <stdint.h>

/* The longest tick of a file system's clock, in seconds: FAT. */
#define FINGERPRINT_TICK_S 2

struct fingerprint {
    bool exists;
    bool is_file; /* a regular file; else the rest describes something else */
    bool is_blocked; /* it is not there, and what is in its way must go first */
    uint64_t dev, ino;
    uint64_t size;    /* bytes */
    int64_t mtime_ns; /* since the epoch: the content was written */
    int64_t ctime_ns; /* since the epoch: content or inode was changed */
    uint64_t blocks;  /* of 512 bytes allocated; 0 = it holds no data */
};

#endif
