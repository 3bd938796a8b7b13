/* A fingerprint: what tells, without reading it, whether a file's content may
 * have changed. Device and inode say which file it is, size and times
 * whether somebody wrote to it. Two equal fingerprints are a reason to trust a
 * file; a different one is a reason to doubt it. The time of birth tells
 * whether a number was given to another file. */
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
    int64_t born_ns;  /* since the epoch: it was made; 0 = not known, as it
                       * always is of one from the journal */
    uint64_t blocks;  /* of 512 bytes allocated; 0 = it holds no data */
};

/* `now` has the number of a file that was last seen as `then`, but was made
 * later: that one was deleted, and its number given away again, as ext4 and XFS
 * do at once. Where the clock was set back, or the time of the inode is not the
 * kernel's (FAT), one may look so that is the same: then it is still to be
 * found out whether the torrent's data is in it. */
static inline bool fingerprint_is_reborn(const struct fingerprint *then,
                                         const struct fingerprint *now)
{
    const int64_t second = 1000000000;
    int64_t tick = 0;
    if (now->born_ns % second == 0) {
        tick = FINGERPRINT_TICK_S * second;
    }
    return then->ctime_ns != 0 && now->born_ns - tick > then->ctime_ns &&
           now->born_ns <= now->ctime_ns;
}

#endif
