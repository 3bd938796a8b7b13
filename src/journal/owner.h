/* Whose a file on disk is: other torrents of the journal have data in it, maybe
 * under another name (hard links), and maybe none of this run's. */
#ifndef BTC_JOURNAL_OWNER_H
#define BTC_JOURNAL_OWNER_H

#include "base/err.h"
#include "model/fingerprint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal;

/* The devices in the journal, as a table of a WITH clause: an inode is
 * looked for on each of them, because a drive may have had another number when
 * the row was written, before the computer was started again or the drive was
 * plugged in. There are few, and each is one step in the index. */
#define JOURNAL_OWNER_DEVICES                                              \
    "WITH RECURSIVE device(dev) AS (SELECT min(dev) FROM file"             \
    " WHERE dev IS NOT NULL UNION ALL SELECT (SELECT min(f.dev) FROM file" \
    " AS f WHERE f.dev > device.dev) FROM device"                          \
    " WHERE device.dev IS NOT NULL) "

/* The first torrent but `id` that has bytes in the file: by device and inode,
 * or by inode, size and time when the device is another. 0: none, or it cannot
 * be read. */
int64_t journal_owner(struct journal *db, int64_t id,
                      const struct fingerprint *print);
/* A file of the torrent, by its number, and which one it is on disk. */
struct journal_owned {
    uint32_t file;
    struct fingerprint print;
};
/* Data stands in the journal under the same inode: of another torrent, or of
 * another file of the same one. Numbers are given anew: whether `path` leads to
 * the file is to be looked at. */
struct journal_other {
    uint32_t file; /* of those that were asked for */
    bool likely;   /* the device was the same, too, or size and time are */
    int64_t id;    /* whose data it is */
    char *path;    /* owns; where the other has it */
};
struct journal_others {
    struct journal_other *list; /* owns; in the order of the files asked for */
    size_t n;
    uint32_t cap;
};
/* Adds what others have of `ask`. What is to be forgotten is nobody's. */
int journal_owner_others(struct journal *db, int64_t id,
                         const struct journal_owned *ask, size_t n_ask,
                         struct journal_others *out);
void journal_others_fini(struct journal_others *o);

/* The file is written to for `id`: all others that have bytes in it claim
 * nothing until they have looked. */
int journal_owner_unclaim(struct journal *db, int64_t id,
                          const struct fingerprint *print, struct err *e);

#endif
