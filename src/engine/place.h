/* Where the files of a torrent go below its save path: which are wanted, how
 * they are called there, and who else has them. The same for a .torrent that is
 * added and for a magnet whose files become known in a run.
 */
#ifndef BTC_ENGINE_PLACE_H
#define BTC_ENGINE_PLACE_H

#include "journal/add.h"
#include "proto/metainfo/metainfo.h"
#include "store/own.h"

struct place_wish {
    const char *select, *exclude; /* as choose_files takes them */
    const char *name; /* instead of the torrent's own; NULL = none */
    size_t name_max;  /* bytes of the longest name there: place_name_max */
};

/* Longest name in a folder, in bytes: 255 mostly, 143 on eCryptfs. */
size_t place_name_max(const char *save_path);
/* The rows of all files; m->n_files of them, and journal_files_free, also after
 * an error. USAGE when the choice or the name makes no sense. */
int place_files(const struct metainfo *m, const struct place_wish *w,
                struct journal_file **out, size_t *n_shortened, struct err *e);
/* The name people will see, mended as the paths are; free(). */
char *place_name(const struct metainfo *m, const struct place_wish *w,
                 const struct journal_file *files);
/* EXISTS when one of the files would be one of the journal's below `folder`.
 * Where nothing of the torrent is yet, the names tell; files that are there are
 * looked at, because they may be links. */
int place_own(const struct store_own *own, const char *folder,
              const struct journal_file *files, size_t n, struct err *e);
/* EXISTS when another torrent of the database, or the journal itself, has one
 * of the files of `a`. */
int place_conflict(struct journal *db, const struct store_own *own,
                   const struct journal_add *a, struct err *e);

#endif
