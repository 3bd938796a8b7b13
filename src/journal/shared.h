/* Files that several torrents have. */
#ifndef BTC_JOURNAL_SHARED_H
#define BTC_JOURNAL_SHARED_H

#include "journal/journal.h"
#include "journal/rows.h"

/* Files of a torrent that is there (`id`) or is to come (0). */
struct journal_near_files {
    int64_t id;
    const char *save_path;
    const struct journal_file *files; /* path, pad */
    size_t n;
    bool folders; /* also a file that is in the place of a folder of ours, or
                   * the other way round: there is no room for both */
};
/* `other` has the place of `file`, which is `path`. Other than 0 ends the walk
 * and is given back. */
typedef int journal_near_fn(void *ctx, const struct journal_torrent *other,
                            uint32_t file, const char *path);
/* Each file that another torrent has, too, but for one that is only to be
 * forgotten. */
int journal_near(struct journal *db, const struct journal_near_files *ours,
                 journal_near_fn *fn, void *ctx, struct err *e);

#endif
