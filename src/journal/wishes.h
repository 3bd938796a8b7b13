/* Wishes, as the journal's thread hands them to the engine.
 *
 * The first time these are all that there are: every torrent, the priority of
 * every file, the peers that people named, the trackers. From then on they are
 * differences: what somebody wrote since the last time. The schema keeps a list
 * of that (wish_news); when the list has a gap, has overflown or cannot be
 * read, everything is read again. So a wish is never lost, at worst it comes
 * twice.
 */
#ifndef BTC_JOURNAL_WISHES_H
#define BTC_JOURNAL_WISHES_H

#include "journal/journal.h"
#include "journal/rows.h"

struct journal_wish_file {
    uint32_t file;
    uint8_t priority;
};

/* What is wished of a torrent besides its row. */
struct journal_wish_items {
    struct journal_wish_file *files; /* owns; the later one counts */
    size_t n_files;
    struct journal_peer *peers; /* owns; with source `user` */
    size_t n_peers;
    struct journal_tracker *trackers; /* owns */
    size_t n_trackers;
};

struct journal_wishes {
    bool whole; /* all torrents that there are: others are gone */
    struct journal_torrent *torrents; /* owns; by ascending ids */
    struct journal_wish_items *items; /* owns; parallel to torrents */
    size_t n;
    int64_t *gone; /* owns; not whole: ids whose rows are no more */
    size_t n_gone;
};

void journal_wishes_free(struct journal_wishes *w); /* NULL allowed */
/* Moves all of src behind what dst holds; src is empty then. */
void journal_wish_items_append(struct journal_wish_items *dst,
                               struct journal_wish_items *src);
void journal_wish_items_fini(struct journal_wish_items *i);

/* Reads what came since *seen, and sets it to what has been seen now; all that
 * there is when *seen is JOURNAL_SEEN_NOTHING. Of one moment. NULL on failure:
 * then nothing has been seen, and the next call reads everything. */
#define JOURNAL_SEEN_NOTHING (-1)
struct journal_wishes *journal_load_wishes(struct journal *db, int64_t *seen,
                                           struct err *e);

#endif
