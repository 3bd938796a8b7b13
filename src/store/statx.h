/* What is at a path, and when it was made, in one call. Part of internal.h. */
#ifndef BTC_STORE_STATX_H
#define BTC_STORE_STATX_H

#include <stdint.h>
#include <sys/stat.h>

/* Fills what a print and the tables of the store need of `st`, and the time of
 * birth in nanoseconds since the epoch, 0 where the file system does not tell.
 * `flags`: AT_SYMLINK_NOFOLLOW and the like. 0; or -errno and nothing changed.
 */
int store_sys_statx(int dir, const char *name, int flags, struct stat *st,
                    int64_t *born_ns);

#endif
