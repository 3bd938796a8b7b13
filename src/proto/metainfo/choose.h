/* Which files of a torrent are meant, and under which name they go: what
 * --select,
 * --exclude and --out say, for a torrent and for a magnet whose files come
 * later.
 */
#ifndef BTC_PROTO_METAINFO_CHOOSE_H
#define BTC_PROTO_METAINFO_CHOOSE_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

/* One file as the choice sees it. */
struct choose_file {
    const char *path; /* borrows */
    bool pad;
    bool wanted; /* in: before; out: after */
};

/* `select` (NULL, "": all) and `exclude` (NULL, "": none): "1,3-5,8-", numbers
 * of files from 1, pads counted, or a glob. USAGE when nothing is left, or a
 * number or glob fits nothing. */
int choose_files(struct choose_file *files, size_t n, const char *select,
                 const char *exclude, struct err *e);
/* The name that is wished for must be one element of a path: USAGE. */
int choose_check_name(const char *name, struct err *e);
/* The path with `name` in the place of the torrent's own, mended; *out is
 * malloc'ed. USAGE when `name` is no name of a file. */
int choose_rename(const char *path, bool multi_file, const char *name,
                  char **out, struct err *e);

#endif
