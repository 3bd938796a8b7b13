/* The move of a torrent's data to another folder, as the journal sees it.
 *
 * A move is begun, its files are noted, save_path is switched in one
 * transaction, and it is over when nothing is left at the old place. Before the
 * switch the old files are the torrent's, after it the new ones: whoever is
 * killed in between leaves rows by which another undoes or finishes the move.
 *
 * While a move lasts the torrent is wished to pause. A wish to run meanwhile is
 * counted in `starts`, and then the switch is refused: an engine may have
 * written to the old files since they were copied.
 */
#ifndef BTC_JOURNAL_MOVE_H
#define BTC_JOURNAL_MOVE_H

#include "journal/journal.h"
#include "journal/rows.h"
#include "model/fingerprint.h"

struct journal_move {
    int64_t id;      /* of the torrent */
    char *from_path; /* owns */
    char *to_path;   /* owns */
    enum wanted wanted;
    int64_t starts;
    bool switched;
    bool by_hand; /* somebody else has moved the files; not journaled */
    int64_t pid;
    char boot_id[40];
};

struct journal_move_file {
    uint32_t file;
    char *path; /* owns; below both folders */
    uint64_t old_dev, old_ino;
    uint64_t new_dev, new_ino; /* when it is made */
    bool made;
    /* for the switch and the end, in memory alone: */
    bool trusted;           /* the old file was as journaled */
    struct fingerprint old; /* the old file when it was linked or copied */
    struct fingerprint now; /* the new one, as it is to be journaled */
};

void journal_move_fini(struct journal_move *m);
void journal_moves_free(struct journal_move *list, size_t n);
void journal_move_files_free(struct journal_move_file *list, size_t n);

/* The rows of a move from where the torrent is to `to_path`, by this process;
 * the torrent is wished to pause. Fills `out`. BTC_E_LOCKED when somebody moves
 * it already, BTC_E_NOTFOUND. */
int journal_move_begin(struct journal *db, int64_t id, const char *to_path,
                       struct journal_move *out, struct err *e);
/* The files that are to be moved, before any is touched; with what the new ones
 * will be, where that is known (`made`). */
int journal_move_put_files(struct journal *db, int64_t id,
                           const struct journal_move_file *files, size_t n,
                           struct err *e);
/* A new file has been made, under a name that is not its last. */
int journal_move_made(struct journal *db, int64_t id,
                      const struct journal_move_file *f, struct err *e);
/* 0 as long as nothing else is wished of it: else INTERRUPTED with a text. */
int journal_move_stands(struct journal *db, const struct journal_move *m,
                        struct err *e);
/* Once all new files are durable: save_path, the fingerprints (which file it
 * is, and of those that are trusted their times), the device of the new folder.
 * BTC_E_INTERRUPTED when the torrent was started or removed meanwhile, or the
 * move is not this process's any more. */
int journal_move_switch(struct journal *db, const struct journal_move *m,
                        const struct journal_move_file *files, size_t n,
                        uint64_t root_dev, struct err *e);
/* The rows go, and what was wished before is wished again, unless something
 * else is wished by now. The fingerprints are written once more: a name less
 * changes the inode. */
int journal_move_end(struct journal *db, const struct journal_move *m,
                     const struct journal_move_file *files, size_t n,
                     struct err *e);

/* All moves there are rows of. Free with journal_moves_free. */
int journal_load_moves(struct journal *db, struct journal_move **out, size_t *n,
                       struct err *e);
int journal_load_move_files(struct journal *db, int64_t id,
                            struct journal_move_file **out, size_t *n,
                            struct err *e);
/* The program that moves it may still live. */
bool journal_move_is_live(const struct journal_move *m);

#endif
