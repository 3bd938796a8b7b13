/* The files of the journal are never payload, whatever path leads there.
 *
 * The journal FILE owns the names FILE, FILE-... and FILE.... in its folder
 * (its log, its lock, its backups and what a restore makes), as files and as
 * folders, in any case of letters. The folder is known by device and inode, so
 * links and bind mounts lead to the same answer. Those of its files that are
 * there are known by device and inode as well, so a hard link is no way round.
 */
#ifndef BTC_STORE_OWN_H
#define BTC_STORE_OWN_H

#include "store/store.h"

#include <sys/stat.h>

struct store_own;

/* `journal` is the path of an open database, without links; the identities of
 * its files are taken now. */
struct store_own *store_own_new(const char *journal);
void store_own_free(struct store_own *o); /* NULL allowed */

/* Whether a file at `path` would be one of them or lie below one. No file is
 * opened: to close the journal's file again would drop the locks that this
 * process has on it. NULL as `o` is nobody's. */
bool store_own_is_named(const struct store_own *o, const char *path);
bool store_own_is_one(const struct store_own *o, const struct stat *st);
bool store_own_has(const struct store_own *o, const char *path); /* any way */
/* The same, 1 or 0, or -errno when nothing can be seen at `path`. */
int store_own_find(const struct store_own *o, const char *path);

/* The store makes, opens, moves and deletes none of them: BTC_E_EXISTS. Takes
 * `o` over; before the first job. */
void store_set_own(struct store *d, struct store_own *o);

#endif
