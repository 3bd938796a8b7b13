/* A file gets a second place: another name for it where the file system can do
 * that, a copy elsewhere. The old place is not touched.
 *
 * These functions block; they are for a program that moves data, not for the
 * loop's thread. Errors are negative errno values.
 */
#ifndef BTC_STORE_RELOCATE_H
#define BTC_STORE_RELOCATE_H

#include "model/fingerprint.h"

#include <stddef.h>
#include <stdint.h>

/* Is asked every few MiB, with the bytes done since the last time; false ends
 * the copy with -ECANCELED. */
struct relocate_watch {
    bool (*go_on)(void *ctx, uint64_t bytes);
    void *ctx;
};

/* What is there, links not followed; -ENOENT. */
int relocate_look(const char *path, struct fingerprint *out);
/* How many names the file has, asked anew of file systems that a program or
 * another machine keeps: what they said a moment ago of one of its names does
 * not know of the others. 0: it cannot be said. */
uint32_t relocate_names(const char *path);
/* The folders that `path` lies in, below its first `root` bytes. */
int relocate_make_dirs(const char *path, size_t root);
/* Those of them that are empty go; what is not ours to remove stays. */
void relocate_drop_dirs(const char *path, size_t root);
/* Makes the names in those folders durable. */
int relocate_sync_dirs(const char *path, size_t root);
/* Another name for the same file or link; never in the place of something.
 * -EXDEV, -EPERM, -EOPNOTSUPP, -EMLINK, -ENOSYS: copy it. */
int relocate_link(const char *from, const char *to);
/* Whether such an error means that a copy may do. */
bool relocate_wants_copy(int rc);
/* A durable copy with the holes and the times of the original and, as far as
 * we may, its owner, mode, attributes of users and access list; of a
 * link another link. Nothing may be at `to`. A copy that fails goes again. */
int relocate_copy(const char *from, const char *to,
                  const struct relocate_watch *watch);

#endif
